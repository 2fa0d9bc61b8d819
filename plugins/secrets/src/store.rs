//! The table `_secrets` and what can be done with it. Source: spec extensions 2.5, 2.6.
//!
//! The only place of the plugin that touches the database. Values are sealed for their row before they get there.

use std::{future::IntoFuture, pin::Pin, sync::Arc};

use pocketbase::{
    App, Column, DateTime, Error, Result, Table,
    crypto::{self, Place},
    db::{Expr, hash},
    security,
};
use serde::Deserialize;

use crate::kept::{Kept, count};

pub(crate) const TABLE: &str = "_secrets";
/// What is looked at when an environment has no value of its own.
const GLOBAL: &str = "global";
/// How many are tried at the start.
const MAX_LOOKED_AT: u64 = 1_000;
const COLUMNS: [&str; 7] = ["id", "key", "value", "env", "description", "created", "updated"];

/// The declaration of the table.
pub(crate) fn table() -> Table {
    Table::new(TABLE)
        .column(Column::text("id").primary())
        .column(Column::text("key"))
        .column(Column::text("value"))
        .column(Column::text("env"))
        .column(Column::text("description").nullable())
        .column(Column::text("created"))
        .column(Column::text("updated"))
        .unique_index("idx_secrets_key_env", ["key", "env"])
        .index("idx_secrets_env", ["env"])
        .index("idx_secrets_key", ["key"])
}

/// A row, with its value in clear if it could be decrypted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Secret {
    /// 15 characters.
    pub id: String,
    /// Its name.
    pub key: String,
    /// The value, or why it cannot be read.
    pub value: Result<String, crypto::Error>,
    /// Its environment.
    pub env: String,
    /// What somebody said about it.
    pub description: String,
    /// When it was made, in the form of record dates.
    pub created: String,
    /// When it was changed.
    pub updated: String,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    key: String,
    value: String,
    env: String,
    description: Option<String>,
    created: String,
    updated: String,
}

/// The place that a value is sealed for.
pub(crate) fn place(id: &str) -> Place<'_> {
    Place { table: TABLE, column: "value", row: id }
}

/// The secrets of an app or a transaction. All calls fail without a master key.
#[derive(Debug, Clone)]
pub struct Store {
    app: App,
    kept: Arc<Kept>,
}

impl Store {
    pub(crate) fn new(app: App, kept: Arc<Kept>) -> Self {
        Self { app, kept }
    }
    /// True if there is a master key.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.app.crypto().is_enabled()
    }
    fn check_enabled(&self) -> Result<()> {
        if self.is_enabled() { Ok(()) } else { Err(Error::other(crypto::Error::Disabled)) }
    }
    /// The environment that a call is about.
    pub(crate) fn env<'a>(&'a self, given: Option<&'a str>) -> &'a str {
        match given.filter(|env| self.kept.config.env_isolation && !env.is_empty()) {
            Some(env) => env,
            None => &self.kept.config.default_env,
        }
    }

    /// Sets a secret: `.env(…)`, `.description(…)`, `.await`. Without a description the one that it has stays.
    pub fn set(&self, key: &str, value: &str) -> Set {
        Set { value: Some(value.to_owned()), ..self.describe(key) }
    }
    /// As [`Store::set`], but the value stays; one that is missing is made with an empty value.
    pub(crate) fn describe(&self, key: &str) -> Set {
        Set { store: self.clone(), key: key.to_owned(), value: None, env: None, description: None }
    }

    /// The value in the default environment, else in `global`.
    ///
    /// # Errors
    /// [`Error::is_not_found`]; when it cannot be decrypted; database errors.
    pub async fn get(&self, key: &str) -> Result<String> {
        self.get_for_env(key, "").await
    }
    /// The value in an environment, else in `global`.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get_for_env(&self, key: &str, env: &str) -> Result<String> {
        self.find(key, env).await?.value.map_err(Error::other)
    }
    /// The value, or something else if there is none or it cannot be read.
    pub async fn get_with_default(&self, key: &str, default: &str) -> String {
        self.get(key).await.unwrap_or_else(|_| default.to_owned())
    }
    /// The secret that [`Store::get_for_env`] reads.
    ///
    /// # Errors
    /// As there, but for values that cannot be decrypted.
    pub async fn find(&self, key: &str, env: &str) -> Result<Secret> {
        self.check_enabled()?;
        let env = self.env(Some(env));
        let mut found = self.exact(key, env).await?;
        if found.is_none() && env != GLOBAL {
            found = self.exact(key, GLOBAL).await?;
        }
        if found.is_some() {
            count(&self.kept.counts.read);
        }
        found.ok_or(Error::NotFound)
    }
    async fn exact(&self, key: &str, env: &str) -> Result<Option<Secret>> {
        let found = self.rows(Some(hash([("key", key), ("env", env)]))).await?;
        Ok(found.into_iter().next())
    }
    async fn rows(&self, filter: Option<Expr>) -> Result<Vec<Secret>> {
        let mut query = self.app.db().select(COLUMNS).from(TABLE).order_by(["key", "env"]);
        if let Some(filter) = filter {
            query = query.where_(filter);
        }
        let (rows, keys) = (query.all::<Row>().await?, self.app.crypto());
        let open = |row: &Row| {
            let opened = keys.open(&place(&row.id), &row.value);
            opened.inspect_err(|_| count(&self.kept.counts.unreadable))
        };
        let opened = rows.into_iter().map(|row| Secret {
            value: open(&row),
            id: row.id,
            key: row.key,
            env: row.env,
            description: row.description.unwrap_or_default(),
            created: row.created,
            updated: row.updated,
        });
        Ok(opened.collect())
    }

    /// Deletes the secret of the default environment, if there is one.
    ///
    /// # Errors
    /// Database errors.
    pub async fn delete(&self, key: &str) -> Result<()> {
        self.delete_for_env(key, "").await
    }
    /// Deletes the secret of an environment, if there is one.
    ///
    /// # Errors
    /// Database errors.
    pub async fn delete_for_env(&self, key: &str, env: &str) -> Result<()> {
        self.check_enabled()?;
        let filter = hash([("key", key), ("env", self.env(Some(env)))]);
        self.app.db().delete(TABLE).where_(filter).execute().await?;
        count(&self.kept.counts.deleted);
        Ok(())
    }
    /// True if there is a secret of that name in any environment.
    ///
    /// # Errors
    /// Database errors.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        self.check_enabled()?;
        let found = self.app.db().select(["id"]).from(TABLE).where_(hash([("key", key)]));
        Ok(found.count().await? > 0)
    }
    /// All secrets, by key and environment.
    ///
    /// # Errors
    /// Database errors.
    pub async fn list(&self) -> Result<Vec<Secret>> {
        self.check_enabled()?;
        self.rows(None).await
    }
    /// Why the first of the newest secrets that does not open is shut; `None` if all open, or
    /// there are none.
    pub(crate) async fn unreadable(&self) -> Result<Option<crypto::Error>> {
        if !self.is_enabled() && self.app.db().columns_of(TABLE).await.is_err() {
            return Ok(None);
        }
        let newest = self.app.db().select(["id", "value"]).from(TABLE).order_by(["updated DESC"]);
        let rows: Vec<(String, String)> = newest.limit(MAX_LOOKED_AT).all().await?;
        let keys = self.app.crypto();
        Ok(rows.iter().find_map(|(id, sealed)| keys.open(&place(id), sealed).err()))
    }
}

/// A secret being set; see [`Store::set`].
#[derive(Clone)]
#[must_use = "nothing is set before it is awaited"]
pub struct Set {
    store: Store,
    key: String,
    value: Option<String>,
    env: Option<String>,
    description: Option<String>,
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Set").field("key", &self.key).field("env", &self.env).finish()
    }
}

impl Set {
    /// In that environment.
    pub fn env(mut self, env: impl Into<String>) -> Self {
        self.env = Some(env.into());
        self
    }
    /// What there is to say about it; empty clears it.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    async fn run(self) -> Result<()> {
        self.store.check_enabled()?;
        let config = &self.store.kept.config;
        let message = match () {
            () if self.key.is_empty() => "secret key cannot be empty",
            () if self.key.len() > config.max_key_length => "secret key too long",
            () if self.value.as_ref().is_some_and(|v| v.len() > config.max_value_size) => {
                "secret value too large"
            }
            () if self.env.as_ref().is_some_and(|env| env.len() > config.max_key_length) => {
                "secret environment too long"
            }
            () if self.description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) => {
                "secret description too long"
            }
            // PostgreSQL stores none
            () if self.key.contains('\0')
                || self.env.as_ref().is_some_and(|env| env.contains('\0')) =>
            {
                "secret key and environment cannot contain NUL characters"
            }
            () => "",
        };
        if !message.is_empty() {
            return Err(pocketbase::ApiError::bad_request(message).into());
        }
        let set = self.clone();
        let done =
            self.store.app.run_in_transaction(move |tx| async move { set.write(&tx).await }).await;
        let kept = self.store.kept.clone();
        match done {
            // another node was faster: now there is a row to change
            Err(error) if self.is_taken(&error) => {
                let app = self.store.app.clone();
                app.run_in_transaction(move |tx| async move { self.write(&tx).await }).await?;
            }
            done => done?,
        }
        count(&kept.counts.set);
        Ok(())
    }
    fn is_taken(&self, error: &Error) -> bool {
        !self.store.app.is_transactional() && error.is_unique_violation()
    }

    async fn write(&self, tx: &App) -> Result<()> {
        let env = self.store.env(self.env.as_deref());
        let (keys, now) = (tx.crypto(), DateTime::now().to_string());
        let filter = || hash([("key", self.key.as_str()), ("env", env)]);
        let known: Vec<String> =
            tx.db().select(["id"]).from(TABLE).where_(filter()).column().await?;
        let stays = self.value.is_none() && !known.is_empty();
        let (id, mut change) = match known.into_iter().next() {
            Some(id) => (id, tx.db().update(TABLE).where_(filter())),
            None => {
                let id = security::random(15, ALPHABET);
                let new =
                    tx.db().insert(TABLE).set("id", id.as_str()).set("key", self.key.as_str());
                (id, new.set("env", env).set("created", now.as_str()))
            }
        };
        if !stays {
            let value = self.value.as_deref().unwrap_or_default();
            let sealed = keys.seal(&place(&id), value).map_err(Error::other)?;
            change = change.set("value", sealed);
        }
        change = change.set("updated", now);
        if let Some(description) = &self.description {
            change = change.set("description", description.as_str());
        }
        change.execute().await?;
        Ok(())
    }
}

/// Most bytes of a description.
const MAX_DESCRIPTION: usize = 4_096;
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

impl IntoFuture for Set {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
