//! Row-level security: whether any table has it, and transactions that tell policies who asks (spec extensions §1.11).
//!
//! Where no table has it, nothing is asked or sent. Must not know what policies mean.

use dialects::postgres::catalog;
use tokio_postgres::Client;

use super::{
    conn::{Answer, Conn},
    db::Database,
    error::Fail,
};
use crate::{Claims, Done, Job, Result, Sql, Value};

/// Whether policies may act on what is read and written.
///
/// # Errors
/// What the driver says.
pub(super) async fn is_used(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let row = client.query_one(catalog::HAS_ROW_SECURITY, &[]).await?;
    Ok(row.get(0))
}

/// Says where policies do not act although somebody may think so: one line.
///
/// # Errors
/// What the driver says.
pub(super) async fn warning(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let row = client.query_one(catalog::IDLE_ROW_SECURITY, &[]).await?;
    let (tables, is_exempt): (String, bool) = (row.get(0), row.get(1));
    Ok(if is_exempt {
        Some("row-level security is enabled, but the server's database role is exempt from it (SUPERUSER or BYPASSRLS)".to_owned())
    } else if tables.is_empty() {
        None
    } else {
        Some(format!(
            "row-level security does not act on the server, which owns these tables, without FORCE ROW LEVEL SECURITY: {tables}"
        ))
    })
}

impl Database {
    /// The same database for somebody.
    pub(crate) fn for_claims(&self, claims: Claims) -> Self {
        Self { somebody: Some(claims), ..self.clone() }
    }

    pub(crate) fn has_row_security(&self) -> bool {
        self.inner.pool.has_row_security()
    }

    /// What transactions have to set; nothing where no policy would read it.
    pub(super) fn claims(&self) -> Option<Claims> {
        self.has_row_security().then(|| self.somebody.clone().unwrap_or_else(Claims::system))
    }
}

/// Sets the variables of a transaction; they end with it.
fn setting(claims: &Claims) -> Sql {
    let (mut calls, mut params) = (Vec::new(), Vec::new());
    for (name, value) in claims.pairs() {
        calls.push(format!(
            "set_config(${}::text, ${}::text, true)",
            params.len() + 1,
            params.len() + 2
        ));
        // No text of PostgreSQL has it.
        let value = value.replace('\0', "");
        params.extend([Value::Text(name.into()), Value::Text(value.into())]);
    }
    Sql { text: format!("SELECT {}", calls.join(",")), params }
}

impl Conn {
    /// Sets the variables of the open transaction.
    pub(super) async fn claim(&mut self, claims: &Claims) -> Result<(), Fail> {
        self.query(&setting(claims)).await.map(drop)
    }

    /// Runs a query for somebody.
    pub(super) async fn query_for(
        &mut self,
        claims: Option<&Claims>,
        sql: &Sql,
    ) -> Result<Answer, Fail> {
        let Some(claims) = claims else { return self.query(sql).await };
        self.begin_for(claims).await?;
        let done = self.query(sql).await;
        self.end(done).await
    }

    /// Runs a job for somebody, as a transaction of its own; other nodes are told by `node`.
    pub(super) async fn job_for(
        &mut self,
        claims: Option<&Claims>,
        job: &Job,
        node: Option<&str>,
    ) -> Result<Done, Fail> {
        let Some(claims) = claims else {
            return match node {
                Some(node) => self.job_alone_told(job, node).await,
                None => self.job_alone(job).await,
            };
        };
        self.begin_for(claims).await?;
        if let Some(node) = node {
            return self.job_to_end_told(job, node).await;
        }
        let done = self.steps(job).await;
        self.end(done).await
    }

    async fn begin_for(&mut self, claims: &Claims) -> Result<(), Fail> {
        self.begin().await?;
        match self.claim(claims).await {
            Ok(()) => Ok(()),
            Err(fail) => self.end(Err(fail)).await,
        }
    }
}
