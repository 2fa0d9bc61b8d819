//! What nodes over one database share: who lives, which run of a job is whose, rows that were deleted; and the connection
//! on which a node listens. Must not know what the news mean.
//!
//! `_pb_nodes` and `_pb_events` are UNLOGGED: after a crash of the server they are empty, and every node begins anew then.
//! `_pb_crons` is not: a run that was taken stays taken.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};
use tokio::{sync::mpsc, time::timeout};
use tokio_postgres::{AsyncMessage, Client, types::ToSql};

use super::{
    connect,
    db::Database,
    error, notice,
    plain::{ClusterMode, Notice},
    publish::Publisher,
};
use crate::{Error, Job, Result, Sql, Value, announce};
use primitives::future::BoxFutureRef;

/// Notices that wait to be looked at; the server keeps what comes after them.
const WAITING: usize = 4_096;
/// Longest time of a statement on the listening connection; it answers at once or not at all.
const ANSWER: Duration = Duration::from_secs(10);
/// A node that was not heard of for so many seconds is gone; one whose connection has ended is gone at once.
const GONE_S: u32 = 15;

/// Each statement may be repeated. The lock of migrations is held.
const TABLES: [&str; 3] = [
    "CREATE UNLOGGED TABLE IF NOT EXISTS \"_pb_nodes\" (\"id\" text PRIMARY KEY, \"pid\" integer NOT NULL, \
     \"started\" timestamptz NOT NULL DEFAULT now(), \"seen\" timestamptz NOT NULL DEFAULT now())",
    "CREATE UNLOGGED TABLE IF NOT EXISTS \"_pb_events\" (\"id\" bigserial PRIMARY KEY, \"created\" timestamptz NOT NULL DEFAULT now(), \
     \"payload\" jsonb NOT NULL)",
    "CREATE TABLE IF NOT EXISTS \"_pb_crons\" (\"job\" text NOT NULL, \"minute\" bigint NOT NULL, \"node\" text NOT NULL, \
     \"taken\" timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (\"job\", \"minute\"))",
];

/// What is too old: rows nobody asks for any more.
const PURGE: [&str; 3] = [
    "DELETE FROM \"_pb_events\" WHERE \"created\" < now() - interval '10 minutes'",
    "DELETE FROM \"_pb_nodes\" WHERE \"seen\" < now() - interval '1 hour'",
    // clocks that are a day apart have other problems
    "DELETE FROM \"_pb_crons\" WHERE \"taken\" < now() - interval '1 day'",
];

/// The nodes over one database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cluster {
    db: Database,
}

fn sql(text: &str, params: Vec<Value>) -> Sql {
    Sql { text: text.to_owned(), params }
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

impl Cluster {
    pub(crate) fn of(db: &Database) -> Option<Self> {
        Self::may_have(db).then(|| Self { db: db.clone() })
    }

    /// True if there may be other nodes.
    pub(crate) fn may_have(db: &Database) -> bool {
        db.inner.publisher.is_some()
    }

    fn publisher(&self) -> Result<&Publisher> {
        self.db.inner.publisher.as_ref().ok_or(Error::Ended)
    }

    /// The name of this node.
    #[must_use]
    pub fn node(&self) -> Arc<str> {
        self.publisher().map_or_else(|_| "".into(), |publisher| publisher.node.clone())
    }

    /// True if writes are announced only while others are known.
    #[must_use]
    pub fn is_automatic(&self) -> bool {
        self.publisher().is_ok_and(|publisher| publisher.mode == ClusterMode::Auto)
    }

    /// Makes the tables where they are missing. To be called while no other node migrates.
    ///
    /// # Errors
    /// What the driver says.
    pub fn ensure_tables(&self) -> BoxFutureRef<'_, Result<()>> {
        Box::pin(async move {
            let mut lent = self.db.lend().await?;
            let conn = lent.conn()?;
            for statement in TABLES {
                conn.batch(statement).await.map_err(error::Fail::into_error)?;
            }
            Ok(())
        })
    }

    /// Writes announce themselves from now on; comes back when those that do not have ended.
    pub fn announce_all(&self) -> BoxFutureRef<'_, ()> {
        Box::pin(async move {
            if let Ok(publisher) = self.publisher() {
                publisher.open().await;
            }
        })
    }
    /// Nobody is there: writes do not announce themselves.
    pub fn announce_nothing(&self) {
        if let Ok(publisher) = self.publisher() {
            publisher.close();
        }
    }

    /// Tells the other nodes something that is no write.
    ///
    /// # Errors
    /// What the driver says.
    pub fn tell<'a>(&'a self, event: &'a str, data: &'a Json) -> BoxFutureRef<'a, Result<()>> {
        Box::pin(async move {
            let payload = notice::payload(&self.node(), event, ("", ""), data);
            let job = sql("SELECT pg_notify($1, $2)", vec![text(announce::CACHES), text(&payload)]);
            self.db.write(Job::from(job)).await.map(|_| ())
        })
    }

    /// Takes the run of a job in a minute (since the epoch) for this node; false if another has it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn claim<'a>(&'a self, job: &'a str, minute: i64) -> BoxFutureRef<'a, Result<bool>> {
        Box::pin(async move {
            let take = sql(
                "INSERT INTO \"_pb_crons\" (\"job\", \"minute\", \"node\") VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                vec![text(job), Value::Int(minute), text(&self.node())],
            );
            Ok(self.db.write(Job::from(take)).await?.changes.iter().sum::<u64>() > 0)
        })
    }

    /// Removes what is too old.
    ///
    /// # Errors
    /// What the driver says.
    pub fn purge(&self) -> BoxFutureRef<'_, Result<()>> {
        Box::pin(async move {
            for statement in PURGE {
                self.db.write(Job::from(sql(statement, Vec::new()))).await?;
            }
            Ok(())
        })
    }

    /// A kept row as one of its table: the statement gives `columns` of it.
    #[must_use]
    pub fn kept_row(
        &self,
        table: &str,
        columns: &dialects::statement::ColumnList,
        kept: i64,
    ) -> Sql {
        let columns = columns.as_str();
        let table = dialects::ident(table);
        let statement = format!(
            "SELECT {columns} FROM \"_pb_events\" AS e, LATERAL jsonb_populate_record(NULL::{table}, e.\"payload\") AS b WHERE e.\"id\" = $1"
        );
        sql(&statement, vec![Value::Int(kept)])
    }

    /// This node ends: the others need not wait to find out.
    ///
    /// # Errors
    /// What the driver says.
    pub fn leave(&self) -> BoxFutureRef<'_, Result<()>> {
        Box::pin(async move {
            let gone = sql("DELETE FROM \"_pb_nodes\" WHERE \"id\" = $1", vec![text(&self.node())]);
            self.db.write(Job::from(gone)).await.map(|_| ())
        })
    }

    /// Connects and listens. What other nodes say from now on arrives in [`Listener::notices`].
    ///
    /// # Errors
    /// What the driver says.
    pub fn listen(&self) -> BoxFutureRef<'_, Result<Listener>> {
        Box::pin(async move {
            let dsn = self.db.inner.pool.dsn();
            if dsn.is_pooled() {
                tracing::warn!(
                    "cluster: behind a pooler that shares sessions this node hears nothing"
                );
            }
            let opened = connect::connect(dsn).await;
            let (client, mut driver) = opened.map_err(|e| Error::Connect(e.to_string()))?;
            let (to, notices) = mpsc::channel(WAITING);
            let (node, db) = (self.node(), self.db.clone());
            tokio::spawn(async move {
                // What was said before is lost.
                db.wrote();
                while let Some(Ok(message)) = driver.next().await {
                    let AsyncMessage::Notification(told) = message else { continue };
                    let notice = Notice::parse(told.channel(), told.payload());
                    if let Some(notice) = notice.filter(|notice| notice.from != *node) {
                        // Whoever hears of it can read it.
                        db.wrote();
                        if to.send(notice).await.is_err() {
                            return;
                        }
                    }
                }
            });
            let listener = Listener { client, node: self.node(), notices };
            let channels = [announce::RECORDS, announce::COLLECTIONS, announce::CACHES];
            let listen = channels.map(|channel| format!("LISTEN {channel}")).join(";");
            answer(listener.client.batch_execute(&listen)).await?;
            Ok(listener)
        })
    }
}

/// The connection on which a node listens. It ends when dropped.
#[derive(Debug)]
pub struct Listener {
    client: Client,
    node: Arc<str>,
    /// What other nodes say; ends with the connection.
    pub notices: mpsc::Receiver<Notice>,
}

/// The half of a [`Listener`] that tells that this node lives.
#[derive(Debug)]
pub struct Heart {
    client: Client,
    node: Arc<str>,
}

impl Listener {
    /// The two halves.
    #[must_use]
    pub fn split(self) -> (Heart, mpsc::Receiver<Notice>) {
        (Heart { client: self.client, node: self.node }, self.notices)
    }
}

impl Heart {
    /// Tells that this node lives; gives the names of the others that do.
    ///
    /// # Errors
    /// What the driver says; [`Error::Timeout`] when the connection is dead.
    pub fn beat(&self) -> BoxFutureRef<'_, Result<Vec<String>>> {
        Box::pin(async move {
            let text = format!(
                "WITH me AS (INSERT INTO \"_pb_nodes\" (\"id\", \"pid\") VALUES ($1, pg_backend_pid()) \
             ON CONFLICT (\"id\") DO UPDATE SET \"seen\" = now(), \"pid\" = excluded.\"pid\") \
             SELECT \"id\" FROM \"_pb_nodes\" AS n WHERE \"id\" <> $1 AND \"seen\" > now() - interval '{GONE_S} seconds' \
             AND EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = n.\"pid\")"
            );
            let node: &str = &self.node;
            let rows = answer(self.client.query(&text, &[&node])).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
    }

    /// Tells that this node has joined. Comes after [`Heart::beat`].
    ///
    /// # Errors
    /// As [`Heart::beat`].
    pub fn join(&self) -> BoxFutureRef<'_, Result<()>> {
        Box::pin(async move {
            let payload =
                notice::payload(&self.node, "cache.invalidate", ("", ""), &json!({ "join": true }));
            let params: [&(dyn ToSql + Sync); 2] = [&announce::CACHES, &payload];
            let told = self.client.query("SELECT pg_notify($1, $2)", &params);
            answer(told).await.map(|_| ())
        })
    }
}

async fn answer<T>(
    asked: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    match timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(|e| error::Fail::from(e).into_error()),
        Err(_) => Err(Error::Timeout),
    }
}
