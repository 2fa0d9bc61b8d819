//! Migrations in JavaScript: files that call `migrate(up, down)` (spec extending §10).
//!
//! Each file has a context of its own, made anew whenever it is asked: to count what it registers, to go up, to go down.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use js_migrations::{Prefix, automigrate, text};
use pocketbase::{App, Error, Migration, MigrationSource, Result, Setup, Template};
use rquickjs::{Ctx, Function, Value};

use crate::{
    Js,
    bind::{Fail, Res, globals, is_nil, no_result, object},
    load::{evaluated, source_text},
    run::{Executor, Local, Role, thrown_error, wait},
};

/// Finds migration files, runs them, writes new ones.
pub(crate) fn register(setup: &Setup) {
    setup.app().migrations().add_source(Files);
    setup.on_configured(|app| {
        let prefix: Option<String> = app.flag("migrationsPrefix");
        let prefix =
            if prefix.as_deref() == Some("datetime") { Prefix::DateTime } else { Prefix::Unix };
        if app.flag("automigrate").unwrap_or(true) {
            automigrate(app, app.migrations_dir(), prefix);
        }
        Box::pin(std::future::ready(Ok(())))
    });
}

globals! {
    pub(crate) static FUNCTIONS {
        fn "migrate" "(up: (app: core.App) => void, down?: (app: core.App) => void): void" "Registers what this file does to the database, and how it is taken back." => |cx, a| {
            let step = |at| if is_nil(&a.at(at)) { Ok(None) } else { a.function(at).map(Some) };
            let steps = [step(0)?, step(1)?];
            Local::of(cx).migrations.borrow_mut().push(steps);
        };
    }
}

/// The files of the app's directory.
struct Files;

impl MigrationSource for Files {
    fn load(&self, app: &App) -> Result<Vec<Migration>> {
        let dir = app.migrations_dir();
        let names = names(&dir);
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let js = Js::new(app);
        let mut all = Vec::new();
        for name in names {
            let file = Arc::new(File { js: js.clone(), path: dir.join(&name), name });
            let counted = file.clone();
            let n = wait(
                js.pool.run(move || counted.with(|cx| Ok(Local::of(cx).migrations.borrow().len()))),
            )?;
            for at in 0..n {
                let (up, down) = (file.clone(), file.clone());
                all.push(
                    Migration::new(&file.name)
                        .up(move |tx| up.clone().step(at, 0, tx))
                        .down(move |tx| down.clone().step(at, 1, tx)),
                );
            }
        }
        Ok(all)
    }
    fn template(&self, template: &Template) -> Option<(String, &'static str)> {
        let text = match template {
            Template::Blank => text::blank(),
            Template::Snapshot(collections) => {
                text::snapshot(collections.as_array().map(Vec::as_slice).unwrap_or_default())
            }
            _ => return None,
        };
        Some((text, "js"))
    }
}

/// Loads all files; gives what has failed.
pub(crate) async fn check(app: &App) -> Result<Vec<(String, Error)>> {
    let dir = app.migrations_dir();
    let js = Js::new(app);
    let pool = js.pool.clone();
    let work = move || {
        let mut failed = Vec::new();
        for name in names(&dir) {
            let file = File { js: js.clone(), path: dir.join(&name), name };
            if let Err(error) = file.load().map(drop) {
                failed.push((file.name, error));
            }
        }
        Ok(failed)
    };
    pool.run(work).await
}

/// The migration files of a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".js") || name.ends_with(".ts"))
        .collect();
    names.sort();
    names
}

struct File {
    js: Arc<Js>,
    path: PathBuf,
    name: String,
}

impl File {
    /// Works in a fresh context in which the file has run.
    fn with<T>(&self, work: impl for<'js> FnOnce(&Ctx<'js>) -> Result<T>) -> Result<T> {
        let executor = self.load().map_err(|error| {
            Error::other(format!("failed to run migration {}: {error}", self.name))
        })?;
        executor.with(work)
    }
    /// A fresh context in which the file has run.
    fn load(&self) -> Result<Executor> {
        let text = source_text(&std::fs::read(&self.path)?);
        let path = self.path.display().to_string();
        self.js.knows(&path, &text);
        let executor = Executor::new(&self.js, Role::Migration)?;
        executor.with(|cx| evaluated(cx, &text, &path))?;
        Ok(executor)
    }

    /// Goes one way of what was registered at a place.
    async fn step(self: Arc<Self>, at: usize, way: usize, tx: App) -> Result<()> {
        let pool = self.js.pool.clone();
        pool.run(move || {
            self.with(|cx| {
                let steps = Local::of(cx).migrations.borrow().get(at).cloned();
                let Some(step) = steps.and_then(|steps| steps[way].clone()) else { return Ok(()) };
                *Local::of(cx).app.borrow_mut() = tx.clone();
                called(cx, &step, tx).map_err(|fail| blamed(cx, thrown_error(cx, fail)))
            })
        })
        .await
    }
}

/// An error with the collection that could not be saved: the words of the error do not name it.
fn blamed(cx: &Ctx<'_>, error: Error) -> Error {
    let text = error.to_string();
    match &*Local::of(cx).unsaved.borrow() {
        Some((name, why)) if text.contains(why) => {
            Error::other(format!("{text} (collection {name:?})"))
        }
        _ => error,
    }
}

fn called<'js>(cx: &Ctx<'js>, step: &Function<'js>, tx: App) -> Res<()> {
    let app = object(cx, Arc::new(tx))?;
    let given: Value<'js> = step.call((app,)).map_err(Fail::from)?;
    no_result(cx, &given)
}

#[cfg(test)]
mod tests {
    use pocketbase::testing::TestApp;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn files_go_up_and_down() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("a file");
        };
        write(
            "2_b.js",
            "const outer = 5; migrate((app) => { if (outer !== 5 || typeof $app !== 'undefined') throw new Error('x'); const c = app.findCollectionByNameOrId('users'); unmarshal({ name: 'b' }, c); app.save(c) }, (app) => { const c = app.findCollectionByNameOrId('b'); unmarshal({ name: 'users' }, c); app.save(c) })",
        );
        write("1_a.ts", "migrate(null, null)");
        write("0_none.js", "var x = 1");
        write("notes.txt", "(");
        let builder = App::builder().migrations_dir(dir.path());
        let test = TestApp::with(builder).await.expect("an app");
        let app = test.app();
        app.migrations().add_source(Files);
        assert_eq!(app.migrations().up(app).await.expect("up"), ["1_a.ts", "2_b.js"]);
        assert!(app.find_collection("b").await.is_ok());
        assert_eq!(app.migrations().down(app, 1).await.expect("down"), ["2_b.js"]);
        assert!(app.find_collection("b").await.is_err());
        write(
            "3_c.js",
            "migrate((app) => { const c = app.findCollectionByNameOrId('b'); unmarshal({ name: 'c' }, c); app.save(c); throw { a: 1 } })",
        );
        let error = app.migrations().up(app).await.expect_err("it throws").to_string();
        assert!(error.starts_with("failed to apply migration 3_c.js: {\"a\":1}"), "{error}");
        assert!(app.find_collection("c").await.is_err() && app.find_collection("b").await.is_err());
        write(
            "3_c.js",
            "migrate((app) => app.save(new Collection({ name: 'posts', type: 'base', fields: [{ type: 'text' }] })))",
        );
        let error = app.migrations().up(app).await.expect_err("no name").to_string();
        assert!(error.ends_with("(collection \"posts\")"), "{error}");
        write("3_c.js", "migrate((app) => 1)");
        let error = app.migrations().up(app).await.expect_err("a result").to_string();
        assert!(error.contains("could not convert 1 to error"), "{error}");
        write(
            "3_c.js",
            "migrate((app) => { \
                const one = 'CREATE UNIQUE INDEX `idx_x` ON `z` (`s`, `t`)'; \
                app.save(new Collection({ type: 'base', name: 'z', indexes: [one], \
                    fields: [{ type: 'text', name: 's' }, { type: 'text', name: 't' }] })); \
                const c = app.findCollectionByNameOrId('z'); \
                c.emailAuth = { enabled: true }; delete c.name; \
                if (c.emailAuth !== undefined || c.name !== 'z') throw new Error('not as it was'); \
                c.indexes.splice(c.indexes.indexOf(one), 1); \
                if (c.indexes.length) throw new Error('not removed'); \
                c.indexes[0] = one.replace('UNIQUE ', ''); app.save(c); \
                c.addIndex('idx_y', false, 't, s', \"s != ''\"); app.save(c) }, \
                (app) => app.delete(app.findCollectionByNameOrId('z')))",
        );
        assert_eq!(app.migrations().up(app).await.expect("up"), ["2_b.js", "3_c.js"]);
        let indexes = app.find_collection("z").await.expect("z").indexes();
        let plain = "CREATE INDEX `idx_x` ON `z` (`s`, `t`)";
        let added = "CREATE INDEX `idx_y` ON `z` (t, s) WHERE s != ''";
        assert_eq!(indexes, [plain, added]);
        app.migrations().down(app, 1).await.expect("down");
        write("3_c.js", "migrate(");
        let error = app.migrations().up(app).await.expect_err("no script").to_string();
        assert!(error.contains("failed to run migration 3_c.js: SyntaxError"), "{error}");
    }
}
