//! The life of one process: started, watched, started again with growing pauses, ended with its whole group.
//!
//! One task a process takes all orders and is the only one that changes its state. Source: spec extensions 5.4. Must not
//! know who orders.

use std::{
    process::ExitStatus,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    process::Child,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    config::ProcessConfig,
    logs::{self, Ring, Sink, Source},
    os::{self, Signal},
    site::Site,
    state::{Live, Status},
};

/// How long a group has to end before it is killed.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// Whoever ran longer than this did not crash quickly.
const LONG: Duration = Duration::from_secs(10);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Between two looks at a group that ends.
const LOOK: Duration = Duration::from_millis(20);
/// Orders that wait.
pub(crate) const MAX_ORDERS: usize = 64;

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Start,
    Stop,
    Restart,
    /// Files have changed: a restart, unless it was stopped by hand.
    Reload,
}

/// An order, and who is told when it is done.
pub(crate) type Letter = (Order, oneshot::Sender<()>);

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) config: ProcessConfig,
    pub(crate) live: Mutex<Live>,
    pub(crate) ring: Arc<Mutex<Ring>>,
}

/// The failures in a row, and what they lead to.
#[derive(Debug)]
struct Patience {
    n_failed: u32,
    base: Duration,
    most: Option<u64>,
}

impl Patience {
    fn of(config: &ProcessConfig) -> Self {
        // negative: any number
        let most = config.max_retries.and_then(|n| u64::try_from(n).ok());
        Self { n_failed: 0, base: config.base(), most }
    }
    /// The pause after an end, `None` to give up.
    fn after(&mut self, ran: Duration) -> Option<Duration> {
        if ran > LONG {
            self.n_failed = 0;
            return Some(Duration::ZERO);
        }
        self.n_failed = self.n_failed.saturating_add(1);
        if self.most.is_some_and(|most| u64::from(self.n_failed) > most) {
            return None;
        }
        let doubled = self.base.saturating_mul(1 << (self.n_failed - 1).min(20));
        Some(doubled.min(MAX_PAUSE))
    }
}

/// What comes next.
enum Next {
    Start,
    Pause(Duration),
    /// Until somebody says so.
    Rest,
    End,
}

struct Supervisor {
    process: Arc<Process>,
    site: Arc<Site>,
    inbox: mpsc::Receiver<Letter>,
    patience: Patience,
}

/// Runs a process until its orders end.
pub(crate) async fn supervise(
    process: Arc<Process>,
    site: Arc<Site>,
    inbox: mpsc::Receiver<Letter>,
) {
    let patience = Patience::of(&process.config);
    let mut supervisor = Supervisor { process, site, inbox, patience };
    let mut next = Next::Start;
    loop {
        next = match next {
            Next::Start => supervisor.run().await,
            Next::Pause(pause) => supervisor.pause(pause).await,
            Next::Rest => match supervisor.inbox.recv().await {
                None => Next::End,
                Some((order, done)) => {
                    let next = supervisor.at_rest(order);
                    _ = done.send(());
                    next
                }
            },
            Next::End => return,
        }
    }
}

impl Supervisor {
    fn change(&self, change: impl FnOnce(&mut Live)) {
        change(&mut self.process.live.lock());
    }
    fn log(&self) -> pocketbase::Logger {
        self.site.app.logger().with("process", self.process.config.id.as_str())
    }

    /// An order while nothing runs.
    fn at_rest(&mut self, order: Order) -> Next {
        match order {
            Order::Stop => {
                self.stopped();
                return Next::Rest;
            }
            Order::Reload if !self.process.live.lock().is_wanted => return Next::Rest,
            Order::Start => self.change(|live| live.last_error = None),
            Order::Restart | Order::Reload => self.restarts(),
        }
        self.patience.n_failed = 0;
        Next::Start
    }
    fn restarts(&self) {
        self.site.counts.restarted();
        self.change(|live| {
            live.n_restarts += 1;
            live.last_error = None;
        });
    }
    fn stopped(&self) {
        self.change(|live| (live.status, live.pid) = (Status::Stopped, None));
    }

    async fn pause(&mut self, pause: Duration) -> Next {
        if !pause.is_zero() {
            self.change(|live| live.status = Status::Backoff);
            let ordered = tokio::select! {
                ordered = self.inbox.recv() => Some(ordered),
                () = tokio::time::sleep(pause) => None,
            };
            match ordered {
                Some(None) => return Next::End,
                Some(Some((order, done))) => {
                    let next = self.at_rest(order);
                    _ = done.send(());
                    return next;
                }
                None => {}
            }
        }
        self.site.counts.restarted();
        self.change(|live| live.n_restarts += 1);
        Next::Start
    }

    /// One run, from start to end.
    async fn run(&mut self) -> Next {
        self.change(|live| (live.status, live.pid) = (Status::Starting, None));
        let plan = self.site.around.plan(&self.process.config);
        let begun = Instant::now();
        match self.site.launcher.start(&plan).await {
            Err(why) => {
                self.change(|live| live.started = Some((SystemTime::now(), begun)));
                self.failed(Some(why), Duration::ZERO)
            }
            Ok(child) => self.attend(child, begun).await,
        }
    }

    async fn attend(&mut self, mut child: Child, begun: Instant) -> Next {
        let group = child.id().unwrap_or_default();
        let readers = self.readers(&mut child);
        self.change(|live| {
            live.status = Status::Running;
            live.pid = Some(group);
            live.started = Some((SystemTime::now(), begun));
        });
        self.log().info("Process started.", &[("pid", group.into())]);
        let next = loop {
            let ordered = tokio::select! {
                exit = child.wait() => {
                    break self.ended(group, exit.ok(), begun.elapsed()).await;
                }
                ordered = self.inbox.recv() => ordered,
            };
            match ordered {
                // it runs
                Some((Order::Start, done)) => _ = done.send(()),
                Some((Order::Reload, done)) if !self.process.live.lock().is_wanted => {
                    _ = done.send(());
                }
                Some((Order::Restart | Order::Reload, done)) => {
                    _ = done.send(());
                    end(&mut child, group).await;
                    self.patience.n_failed = 0;
                    self.restarts();
                    break Next::Start;
                }
                Some((Order::Stop, done)) => {
                    end(&mut child, group).await;
                    self.stopped();
                    self.log().info("Process stopped.", &[("pid", group.into())]);
                    _ = done.send(());
                    break Next::Rest;
                }
                None => {
                    end(&mut child, group).await;
                    self.stopped();
                    break Next::End;
                }
            }
        };
        for mut reader in readers {
            // whoever has left the group may hold the pipe for ever
            if timeout(logs::DRAIN, &mut reader).await.is_err() {
                reader.abort();
            }
        }
        next
    }

    fn readers(&self, child: &mut Child) -> Vec<JoinHandle<()>> {
        let sink = Sink {
            app: self.site.app.clone(),
            id: self.process.config.id.as_str().into(),
            ring: self.process.ring.clone(),
            budget: self.site.budget.clone(),
            hidden: self.site.around.hidden(&self.process.config),
        };
        let out = child.stdout.take().map(|out| logs::read(out, Source::Out, sink.clone()));
        let err = child.stderr.take().map(|err| logs::read(err, Source::Err, sink));
        out.map(tokio::spawn).into_iter().chain(err.map(tokio::spawn)).collect()
    }

    /// It has ended by itself; what is left of its group must not be there when it starts again.
    async fn ended(&mut self, group: u32, exit: Option<ExitStatus>, ran: Duration) -> Next {
        self.change(|live| (live.status, live.pid) = (Status::Crashed, None));
        if os::lives(group) {
            os::signal(group, Signal::Term);
            if timeout(GRACE, emptied(group)).await.is_err() {
                os::signal(group, Signal::Kill);
            }
        }
        self.failed(exit.and_then(why), ran)
    }

    fn failed(&mut self, why: Option<String>, ran: Duration) -> Next {
        let pause = self.patience.after(ran);
        let error = why.clone().unwrap_or_else(|| "exit status 0".into());
        let Some(pause) = pause else {
            let attrs = [("error", error.into()), ("retries", self.patience.n_failed.into())];
            self.log().error("Process failed too often and is not started again.", &attrs);
            self.change(|live| {
                (live.status, live.pid) = (Status::Stopped, None);
                live.last_error = Some("max retries exceeded".into());
            });
            return Next::Rest;
        };
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let attrs = [("error", error.into()), ("restartInMs", millis.into())];
        self.log().warn("Process ended and is started again.", &attrs);
        self.change(|live| live.last_error = why);
        Next::Pause(pause)
    }
}

/// SIGTERM to the group, after a while SIGKILL.
async fn end(child: &mut Child, group: u32) {
    if !os::signal(group, Signal::Term) {
        // no groups here, or it is gone
        _ = child.start_kill();
    }
    let all = async {
        _ = child.wait().await;
        emptied(group).await;
    };
    if timeout(GRACE, all).await.is_err() {
        os::signal(group, Signal::Kill);
        // what the kernel does not let go cannot be waited for
        _ = timeout(GRACE, child.wait()).await;
    }
}

async fn emptied(group: u32) {
    while os::lives(group) {
        tokio::time::sleep(LOOK).await;
    }
}

/// What went wrong, as Go says it; nothing for status 0.
fn why(exit: ExitStatus) -> Option<String> {
    match exit.code() {
        Some(0) => None,
        Some(code) => Some(format!("exit status {code}")),
        None => Some(os::signal_name(exit).unwrap_or_else(|| exit.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(max_retries: Option<i64>, backoff: &str) -> Patience {
        let backoff = Some(backoff.to_owned());
        Patience::of(&ProcessConfig { max_retries, backoff, ..ProcessConfig::default() })
    }

    #[test]
    fn pauses_grow_to_half_a_minute() {
        for max_retries in [None, Some(-1)] {
            let mut patience = patience(max_retries, "1s");
            let pauses: Vec<_> = (0..8)
                .map(|_| patience.after(Duration::from_secs(10)).map(|pause| pause.as_secs()))
                .collect();
            assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30].map(Some));
            assert_eq!(patience.after(Duration::from_millis(10_001)), Some(Duration::ZERO));
            assert_eq!(patience.after(Duration::ZERO), Some(Duration::from_secs(1)), "anew");
        }
        let mut patience = patience(None, "1s");
        patience.n_failed = u32::MAX - 1;
        assert_eq!(patience.after(Duration::ZERO), Some(MAX_PAUSE));
    }

    #[test]
    fn retries_are_counted() {
        let mut two = patience(Some(2), "300ms");
        let pauses: Vec<_> =
            (0..3).map(|_| two.after(Duration::ZERO).map(|pause| pause.as_millis())).collect();
        assert_eq!(pauses, [Some(300), Some(600), None]);
        assert_eq!(patience(Some(0), "1s").after(Duration::ZERO), None);
        let long = Duration::from_secs(11);
        assert_eq!(patience(Some(0), "1s").after(long), Some(Duration::ZERO));
    }
}
