//! JavaScript: hook files (`pb_hooks/*.pb.js`) that run beside the server, over the library and nothing below it.
//!
//! | room | what |
//! |---|---|
//! | `bind` | tables of members → JavaScript objects; values and errors across the border |
//! | `run` | threads, contexts, handlers; waiting for the library from within a script |
//! | `host` | host types: records, collections, requests, events … one file each |
//! | `space` | namespaces and globals, one file each |
//! | `load` | hook files and what they register |
//! | `migrations` | migration files |
//! | `types` | `types.d.ts` for editors |
//! | `check`, `profile`, `watch`, `hints` | what authors of scripts are helped with |
//!
//! Must not know SQL, HTTP or what lies below `pocketbase`.

#![recursion_limit = "512"]

mod bind;
mod check;
mod cli;
mod hints;
mod host;
mod life;
mod load;
mod migrations;
mod profile;
mod run;
mod space;
mod types;
mod watch;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use pocketbase::{App, Plugin, Result, Setup, clap};

use self::run::{Executors, Pool, Program};

/// The JavaScript runtime as a plugin.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct JsPlugin;

impl JsPlugin {
    /// The runtime, with what the command line says.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Plugin for JsPlugin {
    fn name(&self) -> &'static str {
        "js"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        setup.runs_scripts();
        setup.flag(limit("hooksTimeout", "SECONDS", "how long a JS handler may run (0: for ever)"));
        setup.flag(limit("hooksMemory", "MIB", "how much memory a JS context may take (0: all)"));
        migrations::register(setup);
        setup.app().on_bootstrap().bind(|e| async move {
            e.next().await?;
            if let Err(error) = types::write(e.app()) {
                e.app()
                    .logger()
                    .warn("Failed to write types.d.ts.", &[("error", error.to_string().into())]);
            }
            Ok(())
        });
        setup.flag(switch("hooksProfile", "print at the end how long JS handlers have taken"));
        let n_failed = Arc::new(AtomicUsize::new(0));
        check::register(setup, n_failed.clone())?;
        setup.on_configured(move |app| {
            let (app, n_failed) = (app.clone(), n_failed.clone());
            Box::pin(async move { load::all(&app, &n_failed).await })
        });
        Ok(())
    }
}

/// A limit on scripts as a flag; off by default.
fn limit(name: &'static str, unit: &'static str, help: &'static str) -> clap::Arg {
    let arg = clap::Arg::new(name).long(name).value_name(unit).help(help);
    arg.value_parser(clap::value_parser!(u64)).default_value("0")
}

/// Something that is off unless it is asked for.
fn switch(name: &'static str, help: &'static str) -> clap::Arg {
    clap::Arg::new(name).long(name).action(clap::ArgAction::SetTrue).help(help)
}

/// The runtime of one app.
pub(crate) struct Js {
    pub(crate) app: App,
    pub(crate) pool: Arc<Pool>,
    pub(crate) executors: Executors,
    /// `__hooks`.
    pub(crate) hooks_dir: String,
    /// Whether files that fail to load are skipped.
    pub(crate) watches: bool,
    /// How long a handler may run.
    pub(crate) time_limit: Option<Duration>,
    /// How many bytes a context may take.
    pub(crate) memory_limit: Option<usize>,
    /// How long handlers take, if somebody wants to know.
    pub(crate) profile: Option<profile::Profile>,
    programs: AtomicUsize,
    /// The texts of hook files, to find handlers in.
    pub(crate) texts: Mutex<Vec<(String, String)>>,
}

impl Js {
    fn new(app: &App) -> Arc<Self> {
        let pool: i64 = app.flag("hooksPool").unwrap_or(15);
        let kept = usize::try_from(pool).unwrap_or_default();
        let dir = app.hooks_dir();
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        Arc::new(Self {
            app: app.clone(),
            pool: Pool::new(kept),
            executors: Executors { keeps: kept > 0 },
            hooks_dir: dir.display().to_string(),
            watches: app.flag("hooksWatch").unwrap_or(true),
            time_limit: app
                .flag::<u64>("hooksTimeout")
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            memory_limit: app
                .flag::<u64>("hooksMemory")
                .filter(|mib| *mib > 0)
                .and_then(|mib| usize::try_from(mib.saturating_mul(1 << 20)).ok()),
            profile: app
                .flag("hooksProfile")
                .filter(|wanted| *wanted)
                .map(|_: bool| profile::Profile::default()),
            programs: AtomicUsize::new(0),
            texts: Mutex::default(),
        })
    }
    /// Keeps the text of a file.
    pub(crate) fn knows(&self, path: &str, text: &str) {
        let mut texts = self.texts.lock();
        texts.retain(|(known, _)| known != path);
        texts.push((path.to_owned(), text.to_owned()));
    }
    /// What helps with an error that was thrown at a place.
    pub(crate) fn hint(&self, message: &str, path: &str, line: usize) -> Option<String> {
        let texts = self.texts.lock();
        let text = texts.iter().find(|(known, _)| known == path).map_or("", |(_, text)| text);
        hints::hint(message, text, line)
    }
    /// A handler of its own number.
    pub(crate) fn program(
        &self,
        source: String,
        place: (String, usize, usize),
        label: String,
    ) -> Arc<Program> {
        let (file, line, column) = place;
        let id = self.programs.fetch_add(1, Ordering::Relaxed);
        Arc::new(Program { id, source, file, line, column, label })
    }
}
