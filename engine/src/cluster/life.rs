//! The life of a node: it listens, joins, tells every few seconds that it lives, and begins again when its connection
//! is gone.

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::sleep};

use super::{inbox::Inbox, leaves};
use crate::{
    App, Error, Result, settings_ops,
    store::{
        self,
        postgres::{Cluster, Heart},
    },
};

/// How often a node tells that it lives.
const BEAT: Duration = Duration::from_secs(5);
/// Old rows are removed every so many beats.
const PURGE: u32 = 12;
/// First pause before it begins again; doubled up to [`MAX_PAUSE`], without end.
const PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// How long others may take to answer a join.
const READY: Duration = Duration::from_secs(3);

/// Lives until it is aborted.
pub(super) async fn live(app: App, cluster: Cluster, joined: oneshot::Sender<()>) {
    let mut life = Life {
        inbox: Inbox::start(&app, &cluster),
        app,
        cluster,
        joined: Some(joined),
        pause: PAUSE,
        was_lost: false,
        had_others: false,
    };
    loop {
        if let Err(error) = life.session().await {
            tracing::warn!(%error, pause = ?life.pause, "cluster: the listening connection is lost");
        }
        life.was_lost = true;
        // Until it hears of those who come, it must reckon with them.
        life.cluster.announce_all().await;
        sleep(life.pause).await;
        life.pause = (life.pause * 2).min(MAX_PAUSE);
    }
}

struct Life {
    app: App,
    cluster: Cluster,
    inbox: Arc<Inbox>,
    joined: Option<oneshot::Sender<()>>,
    pause: Duration,
    /// There was a connection before, and what was said since is lost.
    was_lost: bool,
    had_others: bool,
}

impl Life {
    /// From one connection to its end.
    async fn session(&mut self) -> Result<()> {
        let (heart, mut notices) = self.cluster.listen().await?.split();
        let inbox = self.inbox.clone();
        let hearing = async move {
            while let Some(notice) = notices.recv().await {
                inbox.take(notice).await;
            }
        };
        tokio::select! {
            () = leaves::keep_telling(self.app.clone(), self.cluster.clone()) => Ok(()),
            () = hearing => Err(Error::Store(store::Error::Unreachable)),
            done = self.beat(&heart) => done,
        }
    }

    async fn beat(&mut self, heart: &Heart) -> Result<()> {
        self.inbox.forget_ready();
        let others = self.look_around(heart).await?;
        heart.join().await?;
        self.inbox.wait_ready(&others, READY).await;
        self.read_all().await?;
        if self.was_lost {
            self.inbox.missed().await;
        }
        if self.was_lost && self.had_others {
            // What happened meanwhile was not heard: clients connect again and look for themselves.
            for client in self.app.realtime().clients() {
                client.discard();
            }
        }
        self.pause = PAUSE;
        if let Some(joined) = self.joined.take() {
            // the start may have gone on without
            let _ = joined.send(());
        }
        tracing::info!(node = %self.cluster.node(), others = others.len(), "cluster: joined");
        for n in 1u32.. {
            sleep(BEAT).await;
            self.look_around(heart).await?;
            if n.is_multiple_of(PURGE) {
                self.cluster.purge().await?;
            }
        }
        Ok(())
    }

    /// Tells that this node lives, and announces writes while others do.
    async fn look_around(&mut self, heart: &Heart) -> Result<Vec<String>> {
        let joins = self.inbox.n_joins();
        let others = heart.beat().await?;
        if !others.is_empty() {
            self.had_others = true;
            self.cluster.announce_all().await;
        } else if self.cluster.is_automatic() && self.inbox.n_joins() == joins {
            // Whoever came after the question has been heard: this task hears and asks in turn.
            self.cluster.announce_nothing();
        }
        Ok(others)
    }

    async fn read_all(&self) -> Result<()> {
        self.app.reload_schema().await?;
        settings_ops::reload(&self.app).await?;
        self.app.forget_all_auth();
        Ok(())
    }
}
