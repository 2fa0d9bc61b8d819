//! Migrations of the app itself: what is registered, what is recorded, and going up and down.
//!
//! The history is the table `_migrations` of the reference. Where migrations come from (Rust functions, files of a script
//! runtime) is the business of [`MigrationSource`]s. Source: spec extending §10.

use std::{fmt, future::Future, sync::Arc};

use engine::{hook::BoxFuture, schema::migrate};
use parking_lot::Mutex;

use crate::{
    app::{App, caught},
    error::{Error, Result},
};

type Step = Arc<dyn Fn(App) -> BoxFuture<Result<()>> + Send + Sync>;

/// One migration.
#[derive(Clone)]
#[non_exhaustive]
pub struct Migration {
    /// The name it is recorded under, which also decides the order: `1687801097_init.rs`.
    pub file: String,
    up: Option<Step>,
    down: Option<Step>,
}

impl fmt::Debug for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Migration").field(&self.file).finish()
    }
}

impl Migration {
    /// A migration that does nothing yet.
    #[must_use]
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), up: None, down: None }
    }
    /// What applies it.
    #[must_use]
    pub fn up<F, Fut>(mut self, up: F) -> Self
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.up = Some(Arc::new(move |app| Box::pin(up(app))));
        self
    }
    /// What reverts it.
    #[must_use]
    pub fn down<F, Fut>(mut self, down: F) -> Self
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.down = Some(Arc::new(move |app| Box::pin(down(app))));
        self
    }
}

/// What a generated migration is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Template {
    /// To be written by hand.
    Blank,
    /// All collections as they are, as JSON.
    Snapshot(serde_json::Value),
}

/// Where migrations come from besides [`Migrations::register`]: files in another language.
pub trait MigrationSource: Send + Sync + 'static {
    /// The migrations that are there now.
    ///
    /// # Errors
    /// When they cannot be read; then nothing is applied.
    fn load(&self, app: &App) -> Result<Vec<Migration>>;
    /// The text and the extension of a new migration; `None` if the source has no templates.
    fn template(&self, template: &Template) -> Option<(String, &'static str)>;
}

/// The migrations of an app. See [`App::migrations`].
///
/// They are applied before the server listens and by `migrate up`, all that are pending in one transaction.
///
/// ```
/// # use pocketbase::{Collection, Field, Record, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// app.migrations().register(
///     "1700000000_cities.rs",
///     |tx| async move {
///         let cities = Collection::base("cities").field(Field::text("name"));
///         tx.save(&cities).await?;
///         for name in ["Oslo", "Rome"] {
///             tx.save(Record::new(&cities).set("name", name)).await?;
///         }
///         Ok(())
///     },
///     |tx| async move { tx.delete(&tx.find_collection("cities").await?).await },
/// );
/// assert_eq!(app.migrations().up(app).await?, ["1700000000_cities.rs"]);
/// assert_eq!(app.count_records("cities", ()).await?, 2);
/// assert!(app.migrations().up(app).await?.is_empty());
/// assert_eq!(app.migrations().down(app, 1).await?, ["1700000000_cities.rs"]);
/// assert!(app.find_collection("cities").await.is_err());
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Default)]
pub struct Migrations {
    own: Mutex<Vec<Migration>>,
    sources: Mutex<Vec<Arc<dyn MigrationSource>>>,
}

impl fmt::Debug for Migrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrations").field("n", &self.own.lock().len()).finish_non_exhaustive()
    }
}

impl Migrations {
    /// Adds a migration. The name is recorded and decides the order: begin it with the time in seconds.
    pub fn register<U, UFut, D, DFut>(&self, file: &str, up: U, down: D)
    where
        U: Fn(App) -> UFut + Send + Sync + 'static,
        UFut: Future<Output = Result<()>> + Send + 'static,
        D: Fn(App) -> DFut + Send + Sync + 'static,
        DFut: Future<Output = Result<()>> + Send + 'static,
    {
        self.add(Migration::new(file).up(up).down(down));
    }
    /// Adds a migration.
    pub fn add(&self, migration: Migration) {
        self.own.lock().push(migration);
    }
    /// Adds a source of migrations.
    pub fn add_source(&self, source: impl MigrationSource) {
        self.sources.lock().push(Arc::new(source));
    }
    /// True if there can be any.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.lock().is_empty() && self.sources.lock().is_empty()
    }

    /// All migrations of the app, in order.
    ///
    /// # Errors
    /// When a source cannot be read.
    pub fn list(&self, app: &App) -> Result<Vec<Migration>> {
        let mut all = self.own.lock().clone();
        let sources = self.sources.lock().clone();
        for source in sources {
            all.extend(source.load(app)?);
        }
        all.sort_by(|a, b| a.file.as_bytes().cmp(b.file.as_bytes()));
        Ok(all)
    }

    /// Names that were applied, the server's own included, in the order they were applied.
    ///
    /// # Errors
    /// Database errors.
    pub async fn applied(&self, app: &App) -> Result<Vec<String>> {
        Ok(migrate::applied(&app.ctx()?.db).await?)
    }

    /// Applies what is pending, all in one transaction; gives the names.
    ///
    /// # Errors
    /// `failed to apply migration FILE: …`; then nothing is kept.
    pub async fn up(&self, app: &App) -> Result<Vec<String>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.list(app)?;
        let ctx = app.ctx()?;
        // Other nodes of a cluster wait here; what they find applied is not pending for them.
        let _lock = ctx.db.database().lock_migrations().await?;
        let recorded = migrate::applied(&ctx.db).await?;
        let pending: Vec<Migration> =
            all.into_iter().filter(|one| !recorded.contains(&one.file)).collect();
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        let names = pending.iter().map(|one| one.file.clone()).collect();
        let (outer, app) = (ctx.clone(), app.clone());
        outer
            .run_long_transaction(|ctx| {
                Box::pin(async move {
                    let tx = app.acting_in(&ctx);
                    for one in pending {
                        let done = step(&tx, one.up.as_ref()).await;
                        done.map_err(|error| failed("apply", &one.file, &error))?;
                        if let Some(open) = ctx.db.tx() {
                            // two of one name count once
                            migrate::record(open, &one.file).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(names)
    }

    /// What [`Migrations::down`] would revert, the newest first.
    ///
    /// # Errors
    /// Database errors; sources that cannot be read.
    pub async fn last_applied(&self, app: &App, n: i64) -> Result<Vec<String>> {
        let known: Vec<String> = self.list(app)?.into_iter().map(|one| one.file).collect();
        let mut applied = self.applied(app).await?;
        applied.reverse();
        applied.retain(|name| known.contains(name));
        if let Ok(most) = usize::try_from(n) {
            applied.truncate(most);
        }
        Ok(applied)
    }

    /// Reverts the last `n` applied migrations of the app, all for a negative `n`, in one transaction; gives the names.
    ///
    /// # Errors
    /// `failed to revert migration FILE: …`; then nothing is kept.
    // DIFFERENCE: the reference counts its system migrations, too, and cannot revert them.
    pub async fn down(&self, app: &App, n: i64) -> Result<Vec<String>> {
        let names = self.last_applied(app, n).await?;
        let all = self.list(app)?;
        let steps: Vec<Migration> = names
            .iter()
            .flat_map(|name| all.iter().filter(move |one| one.file == *name).cloned())
            .collect();
        let (outer, app) = (app.ctx()?, app.clone());
        outer
            .run_long_transaction(|ctx| {
                Box::pin(async move {
                    let tx = app.acting_in(&ctx);
                    for one in steps {
                        let done = step(&tx, one.down.as_ref()).await;
                        done.map_err(|error| failed("revert", &one.file, &error))?;
                        if let Some(open) = ctx.db.tx() {
                            migrate::forget(open, &one.file).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(names)
    }

    /// Records a migration as applied that was made from what is there already, and does something else; both or none.
    ///
    /// # Errors
    /// Database errors, what `then` fails with.
    pub async fn mark_applied(
        &self,
        app: &App,
        file: &str,
        then: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        let file = file.to_owned();
        app.run_in_transaction(|tx| async move {
            if let Some(open) = tx.ctx()?.db.tx() {
                migrate::record(open, &file).await.map_err(engine::Error::from)?;
            }
            then.await
        })
        .await
    }

    /// Takes names out of the history that are no migration of the app or the server any more; gives them.
    ///
    /// # Errors
    /// Database errors; sources that cannot be read.
    pub async fn history_sync(&self, app: &App) -> Result<Vec<String>> {
        let mut known: Vec<String> = self.list(app)?.into_iter().map(|one| one.file).collect();
        known.extend(migrate::SYSTEM_MIGRATIONS.map(str::to_owned));
        let mut gone = self.applied(app).await?;
        gone.retain(|name| !known.contains(name));
        let names = gone.clone();
        app.ctx()?
            .run_in_transaction(|ctx| async move {
                for name in gone {
                    if let Some(open) = ctx.db.tx() {
                        migrate::forget(open, &name).await?;
                    }
                }
                Ok(())
            })
            .await?;
        Ok(names)
    }

    /// The text and the extension of a new migration, by the first source that has templates, else in Rust.
    #[must_use]
    pub fn template(&self, template: &Template) -> (String, &'static str) {
        let sources = self.sources.lock().clone();
        let made = sources.iter().find_map(|source| source.template(template));
        made.unwrap_or_else(|| (rust(template), "rs"))
    }
}

async fn step(tx: &App, step: Option<&Step>) -> Result<()> {
    match step {
        None => Ok(()),
        Some(step) => {
            let (step, tx) = (step.clone(), tx.clone());
            caught("a migration", async move { step(tx).await }).await
        }
    }
}

fn failed(verb: &str, file: &str, error: &Error) -> engine::Error {
    engine::Error::Message(format!("failed to {verb} migration {file}: {error}"))
}

/// How the name of a new file begins: with seconds since 1970, or with date and time.
pub(crate) fn prefix(kind: Option<&str>) -> String {
    let now = engine::time::now();
    match kind {
        Some("datetime") => now.to_string().chars().filter(char::is_ascii_digit).take(14).collect(),
        _ => now.seconds().to_string(),
    }
}

/// The name of a new file: its prefix, and the given name in snake case.
pub(crate) fn file_name(prefix: &str, name: &str, extension: &str) -> String {
    format!("{prefix}_{}.{extension}", snake_case(name))
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut was_lower = false;
    for c in name.chars() {
        if c.is_alphanumeric() {
            if c.is_uppercase() && was_lower {
                out.push('_');
            }
            was_lower = c.is_lowercase() || c.is_numeric();
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
            was_lower = false;
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}

/// A migration in Rust: a module with `up` and `down`, to be registered under its file name.
fn rust(template: &Template) -> String {
    let head = "//! Register it: `app.migrations().register(\"FILE\", FILE::up, FILE::down)`.\n\n\
                use pocketbase::{App, Result};\n\n";
    match template {
        Template::Blank => format!(
            "{head}pub async fn up(app: App) -> Result<()> {{\n    // add up queries...\n    let _ = app;\n    Ok(())\n}}\n\n\
             pub async fn down(app: App) -> Result<()> {{\n    // add down queries...\n    let _ = app;\n    Ok(())\n}}\n"
        ),
        Template::Snapshot(collections) => {
            let text = serde_json::to_string_pretty(collections).unwrap_or_default();
            let fence = "#".repeat(1 + text.matches("\"#").count());
            format!(
                "{head}const COLLECTIONS: &str = r{fence}\"{text}\"{fence};\n\n\
                 pub async fn up(app: App) -> Result<()> {{\n    app.import_collections_json(COLLECTIONS, false).await\n}}\n\n\
                 pub async fn down(_: App) -> Result<()> {{\n    Ok(())\n}}\n"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        for (name, want) in [
            ("Add Posts!v2", "7_add_posts_v2.rs"),
            ("addPosts", "7_add_posts.rs"),
            ("--x--", "7_x.rs"),
            ("HTTPServer", "7_httpserver.rs"),
        ] {
            assert_eq!(file_name("7", name, "rs"), want);
        }
    }

    #[test]
    fn snapshots_hold_any_text() {
        let migrations = Migrations::default();
        let collections = serde_json::json!([{ "listRule": "title = \"#\"" }]);
        let (text, extension) = migrations.template(&Template::Snapshot(collections));
        assert_eq!(extension, "rs");
        assert!(text.contains("= r##\"[") && text.contains("]\"##;"));
    }
}
