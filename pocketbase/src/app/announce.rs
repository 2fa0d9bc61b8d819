//! Telling all nodes of an app something: a topic and a short text.
//!
//! Holds who listens; the way between nodes is the engine's. Must not know what topics mean.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use engine::{
    cluster::{self, Heard},
    hook::BoxFuture,
};
use parking_lot::Mutex;

use super::{App, Error, Result, caught};

type Listen = Arc<dyn Fn(App, Announced) -> BoxFuture<Result<()>> + Send + Sync>;

/// What listeners of a topic are told. See [`App::on_announced`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Announced {
    /// Somebody has announced this.
    Payload(String),
    /// The node did not hear the others for a while (its connection was lost): what they announced is unknown, so that
    /// whatever is remembered has to be read again.
    Missed,
}

/// The listeners of an app, by topic.
#[derive(Default)]
pub(crate) struct Announcements(Mutex<BTreeMap<String, Vec<Listen>>>);

impl fmt::Debug for Announcements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcements").field("topics", &self.0.lock().len()).finish()
    }
}

impl Announcements {
    /// Who is to be told, by topic; `None` means everybody.
    fn of(&self, topic: Option<&str>) -> Vec<(String, Listen)> {
        let all = self.0.lock();
        let wanted = all.iter().filter(|(known, _)| topic.is_none_or(|topic| topic == *known));
        wanted
            .flat_map(|(topic, listeners)| listeners.iter().map(|l| (topic.clone(), l.clone())))
            .collect()
    }
}

impl App {
    /// Tells every node that serves this database, this one included: whoever listens to `topic` ([`App::on_announced`]) is
    /// called once per node. In a transaction it is told when that commits, and never if it does not. On SQLite there is
    /// only this process.
    ///
    /// Outside of a transaction the listeners of this node have been called when it returns. It is a message, not a
    /// storage: nodes that are not there do not hear it later.
    ///
    /// ```
    /// # use pocketbase::{Announced, testing::TestApp};
    /// # use std::sync::{Arc, Mutex};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let test = TestApp::new().await?;
    /// # let app = test.app();
    /// let heard = Arc::new(Mutex::new(Vec::new()));
    /// let list = heard.clone();
    /// app.on_announced("prices", move |_app, news| {
    ///     list.lock().unwrap().push(news);
    ///     async { Ok(()) }
    /// });
    /// app.announce("prices", "tea").await?;
    /// app.announce("weather", "rain").await?;
    /// let failed = app
    ///     .run_in_transaction(|tx| async move {
    ///         tx.announce("prices", "coffee").await?;
    ///         Err::<(), _>(pocketbase::Error::other("rolled back"))
    ///     })
    ///     .await;
    /// assert!(failed.is_err());
    /// app.run_in_transaction(|tx| async move { tx.announce("prices", "milk").await }).await?;
    /// let want = ["tea", "milk"].map(|text| Announced::Payload(text.to_owned()));
    /// assert_eq!(*heard.lock().unwrap(), want);
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// A topic that is empty, longer than 100 characters or not of `a-z A-Z 0-9 _-.:/$`; a payload of more than 4,096
    /// bytes; database errors. What listeners fail with is logged.
    pub async fn announce(&self, topic: &str, payload: &str) -> Result<()> {
        Ok(cluster::announce(&self.ctx()?, topic, payload).await?)
    }

    /// Listens to what nodes announce under a topic ([`App::announce`]). Announcements are told one after the other; what a
    /// listener fails with, panics included, is logged.
    pub fn on_announced<F, Fut>(&self, topic: &str, listener: F)
    where
        F: Fn(Self, Announced) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let listen: Listen = Arc::new(move |app, news| Box::pin(listener(app, news)));
        self.shared.announcements.0.lock().entry(topic.to_owned()).or_default().push(listen);
    }

    /// Lets an engine tell this app's listeners.
    pub(super) fn hear_announcements(&self, engine: &engine::App) {
        let shared = Arc::downgrade(&self.shared);
        let ear = move |heard: Heard| {
            let shared = shared.clone();
            Box::pin(async move {
                if let Ok(app) = Self::upgrade(&shared) {
                    app.tell_listeners(heard).await;
                }
            }) as BoxFuture<()>
        };
        cluster::hear(engine, Arc::new(ear));
    }

    async fn tell_listeners(self, heard: Heard) {
        let (topic, news) = match heard {
            Heard::Text(topic, text) => (Some(topic), Announced::Payload(text)),
            Heard::Missed => (None, Announced::Missed),
        };
        for (topic, listen) in self.shared.announcements.of(topic.as_deref()) {
            let (app, news) = (self.clone(), news.clone());
            let told = caught("a listener", async move { listen(app, news).await }).await;
            if let Err(error) = told {
                let error: &Error = &error;
                tracing::warn!(%error, topic, "an announcement was not taken well");
            }
        }
    }
}
