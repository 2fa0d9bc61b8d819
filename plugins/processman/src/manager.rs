//! [`ProcessManager`]: all processes of a server, and what may be done with them. Source: spec extensions 0.3, 5.
//!
//! Must not know HTTP.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use pocketbase::App;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    config::ProcessConfig,
    logs::{Budget, Line, Ring},
    os::Launcher,
    plan::Surroundings,
    site::{Counts, Site},
    state::{Live, ProcessState, Status},
    supervise::{GRACE, Letter, MAX_ORDERS, Order, Process, supervise},
    watch,
};

/// How long an order may take: a group ends, and what it was doing before.
const PATIENCE: Duration = Duration::from_secs(45);

/// Why something could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// There is no process of that id.
    NotFound,
    /// It runs already.
    Running,
    /// The server ends, or nothing is served.
    Closed,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "Process not found.",
            Self::Running => "Process is already running.",
            Self::Closed => "The process manager is not running.",
        })
    }
}

impl std::error::Error for Refused {}

/// The processes of a server. Clones are the same. See [`get_manager`](crate::get_manager).
#[derive(Debug, Clone, Default)]
pub struct ProcessManager(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kept: Mutex<Kept>,
    counts: Arc<Counts>,
    budget: Arc<Budget>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What code has registered.
    code: Vec<ProcessConfig>,
    serving: Option<Serving>,
}

#[derive(Debug)]
struct Serving {
    site: Arc<Site>,
    members: Vec<Member>,
    tasks: Vec<JoinHandle<()>>,
    watchers: Vec<JoinHandle<()>>,
}

/// A process, and the way to its task: that ends it when nobody could order any more.
#[derive(Debug, Clone)]
struct Member {
    process: Arc<Process>,
    orders: mpsc::Sender<Letter>,
}

impl ProcessManager {
    /// Adds a process. It is started when the server is, or now.
    ///
    /// # Errors
    /// A sentence, when the entry is wrong or there is one of that id.
    pub fn register(&self, config: ProcessConfig) -> Result<(), String> {
        config.check()?;
        let mut kept = self.0.kept.lock();
        let known = kept.serving.as_ref().is_some_and(|serving| serving.find(&config.id).is_some());
        if known || kept.code.iter().any(|other| other.id == config.id) {
            return Err(format!("a second process {:?} is skipped", config.id));
        }
        kept.code.push(config.clone());
        if let Some(serving) = &mut kept.serving {
            serving.start(config);
        }
        Ok(())
    }

    /// True if code has registered any.
    pub(crate) fn has_own(&self) -> bool {
        !self.0.kept.lock().code.is_empty()
    }

    /// All entries.
    pub(crate) fn configs(&self) -> Vec<ProcessConfig> {
        let kept = self.0.kept.lock();
        let members = kept.serving.iter().flat_map(|serving| &serving.members);
        let served = members.map(|member| member.process.config.clone());
        kept.code.iter().cloned().chain(served).collect()
    }

    /// Starts everything; gives what has to be told of entries that are left out.
    pub(crate) fn begin(
        &self,
        app: &App,
        around: Surroundings,
        file: Vec<ProcessConfig>,
    ) -> Vec<String> {
        let mut kept = self.0.kept.lock();
        if kept.serving.is_some() {
            return Vec::new();
        }
        let site = Site {
            app: app.clone(),
            around,
            launcher: Launcher::default(),
            budget: self.0.budget.clone(),
            counts: self.0.counts.clone(),
        };
        let mut serving = Serving {
            site: Arc::new(site),
            members: Vec::new(),
            tasks: Vec::new(),
            watchers: Vec::new(),
        };
        let mut warnings = Vec::new();
        for config in kept.code.clone().into_iter().chain(file) {
            if serving.find(&config.id).is_some() {
                warnings.push(format!("a second process {:?} is skipped", config.id));
            } else {
                serving.start(config);
            }
        }
        kept.serving = Some(serving);
        warnings
    }

    /// Ends everything, groups and all.
    pub(crate) async fn end(&self) {
        let Some(serving) = self.0.kept.lock().serving.take() else { return };
        let Serving { site, members, tasks, watchers } = serving;
        watchers.iter().for_each(JoinHandle::abort);
        for watcher in watchers {
            // they hold senders of orders
            _ = watcher.await;
        }
        // a task without anybody who could order ends its process
        drop(members);
        for task in tasks {
            _ = timeout(GRACE * 3, task).await;
        }
        drop(site);
    }

    fn find(&self, id: &str) -> Result<Member, Refused> {
        let kept = self.0.kept.lock();
        let serving = kept.serving.as_ref().ok_or(Refused::NotFound)?;
        serving.find(id).cloned().ok_or(Refused::NotFound)
    }

    /// Starts a process that does not run.
    ///
    /// # Errors
    /// When there is none, it runs already, or the server ends.
    pub async fn start_process(&self, id: &str) -> Result<(), Refused> {
        let member = self.find(id)?;
        {
            let mut live = member.process.live.lock();
            if live.is_wanted && matches!(live.status, Status::Running | Status::Starting) {
                return Err(Refused::Running);
            }
            live.is_wanted = true;
            if live.status == Status::Stopped {
                live.status = Status::Starting;
            }
        }
        send(member, Order::Start).await.map(drop)
    }

    /// Ends a process with all of its group; it stays so until it is started. Waits until it has ended.
    ///
    /// # Errors
    /// When there is none, or the server ends.
    pub async fn stop_process(&self, id: &str) -> Result<(), Refused> {
        let member = self.find(id)?;
        member.process.live.lock().is_wanted = false;
        let done = send(member, Order::Stop).await?;
        match timeout(PATIENCE, done).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Refused::Closed),
        }
    }

    /// Ends a process, if it runs, and starts it.
    ///
    /// # Errors
    /// When there is none, or the server ends.
    pub async fn restart(&self, id: &str) -> Result<(), Refused> {
        let member = self.find(id)?;
        member.process.live.lock().is_wanted = true;
        send(member, Order::Restart).await.map(drop)
    }

    /// A process at this moment.
    #[must_use]
    pub fn get_state(&self, id: &str) -> Option<ProcessState> {
        let process = self.find(id).ok()?.process;
        let live = process.live.lock();
        Some(live.at_now(&process.config))
    }

    /// All processes at this moment, in their order.
    #[must_use]
    pub fn get_all_states(&self) -> Vec<ProcessState> {
        let kept = self.0.kept.lock();
        let processes = kept.serving.iter().flat_map(Serving::processes);
        processes.map(|process| process.live.lock().at_now(&process.config)).collect()
    }

    /// The last lines that a process has printed, oldest first; at most 1000 are kept.
    #[must_use]
    pub fn get_process_logs(&self, id: &str, n_lines: usize) -> Option<Vec<Line>> {
        let process = self.find(id).ok()?.process;
        let ring = process.ring.lock();
        Some(ring.last(n_lines))
    }

    /// How many run.
    pub(crate) fn n_running(&self) -> usize {
        let kept = self.0.kept.lock();
        let processes = kept.serving.iter().flat_map(Serving::processes);
        processes.filter(|process| process.live.lock().status == Status::Running).count()
    }
    /// How often any was started again.
    pub(crate) fn n_restarts(&self) -> u64 {
        self.0.counts.restarts()
    }
    /// Lines that the app log did not get.
    pub(crate) fn n_dropped(&self) -> u64 {
        self.0.budget.dropped()
    }
}

impl Serving {
    fn find(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.process.config.id == id)
    }
    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.members.iter().map(|member| &*member.process)
    }

    fn start(&mut self, mut config: ProcessConfig) {
        config.dev_mode |= self.site.app.is_dev();
        let (orders, inbox) = mpsc::channel::<Letter>(MAX_ORDERS);
        let live = Live { status: Status::Starting, is_wanted: true, ..Live::default() };
        let process =
            Process { live: Mutex::new(live), ring: Arc::<Mutex<Ring>>::default(), config };
        let process = Arc::new(process);
        if process.config.dev_mode {
            let places = watch::places(&self.site.around, &process.config);
            self.watchers.push(tokio::spawn(watch::watch(places, orders.clone())));
        }
        self.tasks.push(tokio::spawn(supervise(process.clone(), self.site.clone(), inbox)));
        self.members.push(Member { process, orders });
    }
}

async fn send(member: Member, order: Order) -> Result<oneshot::Receiver<()>, Refused> {
    let (done, told) = oneshot::channel();
    let sent = timeout(PATIENCE, member.orders.send((order, done))).await;
    if matches!(sent, Ok(Ok(()))) { Ok(told) } else { Err(Refused::Closed) }
}
