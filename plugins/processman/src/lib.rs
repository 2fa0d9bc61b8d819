//! Programs that are kept running beside the server: `pb_processes.json`, restarts, logs, REST. See docs/processman.md.
//!
//! Nothing is kept in a database. Must not know what lies below `pocketbase`.
//!
//! ```no_run
//! use processman::{ProcessConfig, ProcessmanPlugin, get_manager};
//!
//! # async fn example() -> pocketbase::Result<()> {
//! let worker = ProcessConfig {
//!     id: "worker".into(),
//!     command: "./worker".into(),
//!     ..Default::default()
//! };
//! let app = pocketbase::App::builder().plugin(ProcessmanPlugin::new().process(worker)).build()?;
//! if let Some(manager) = get_manager(&app) {
//!     manager.restart("worker").await?;
//! }
//! # Ok(()) }
//! ```

mod config;
mod hidden;
mod logs;
mod manager;
mod natives;
mod os;
mod plan;
mod routes;
mod site;
mod state;
mod supervise;
mod watch;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use pocketbase::{
    App, Error, Handler, MetricKind, Plugin, Result, Sample, Setup, clap, environment,
    event::{BackupEvent, ServeEvent},
};

pub use self::{
    config::ProcessConfig,
    logs::{Line, Source},
    manager::{ProcessManager, Refused},
    state::{ProcessState, Status},
};
use crate::plan::Surroundings;

/// The name under which the app keeps the manager.
const KEPT: &str = "@processman";
const FLAG: &str = "pmConfig";

/// Programs that are kept running beside the server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessmanPlugin {
    config_file: String,
    processes: Vec<ProcessConfig>,
}

impl Default for ProcessmanPlugin {
    fn default() -> Self {
        Self { config_file: "pb_processes.json".into(), processes: Vec::new() }
    }
}

impl ProcessmanPlugin {
    /// With the processes of `pb_processes.json`, if there is one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Another name of the file, which is looked for in the working directory and in the data directory.
    #[must_use]
    pub fn config_file(mut self, name: impl Into<String>) -> Self {
        self.config_file = name.into();
        self
    }
    /// Adds a process.
    #[must_use]
    pub fn process(mut self, config: ProcessConfig) -> Self {
        self.processes.push(config);
        self
    }
}

/// The manager of an app; `None` without the plugin.
#[must_use]
pub fn get_manager(app: &App) -> Option<ProcessManager> {
    app.store().get_typed::<ProcessManager>(KEPT).map(|manager| (*manager).clone())
}

impl Plugin for ProcessmanPlugin {
    fn name(&self) -> &'static str {
        "processman"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        os::become_child();
        let manager = ProcessManager::default();
        for config in &self.processes {
            manager.register(config.clone()).map_err(Error::other)?;
        }
        setup.app().store().set_typed(KEPT, manager.clone());
        setup.flag(
            clap::Arg::new(FLAG)
                .long(FLAG)
                .value_name("FILE")
                .help("the file with the processes to run (default: pb_processes.json, here or in the data directory)"),
        );
        metrics(setup, &manager);
        routes::mount(&setup.router(), &manager);
        natives::offer(setup, &manager)?;
        let (name, m): (Arc<str>, _) = (self.config_file.as_str().into(), manager.clone());
        setup.app().on_serve().bind(move |e| {
            let (name, m) = (name.clone(), m.clone());
            async move { serve(e, &name, m).await }
        });
        keep_out_of_backups(setup, &self.config_file, &manager);
        setup.app().on_terminate().bind(move |e| {
            let manager = manager.clone();
            async move {
                manager.end().await;
                e.next().await
            }
        });
        Ok(())
    }
}

/// What is executed neither leaves in a backup, with the secrets that it may hold, nor comes with one: it is not written over
/// HTTP (spec extensions 5.7).
fn keep_out_of_backups(setup: &Setup, config_file: &str, manager: &ProcessManager) {
    let kept_out = |with_scripts: bool| {
        let (name, manager) = (config_file.to_owned(), manager.clone());
        // last, so that nobody's code before it can take them out again
        Handler::new(move |e: BackupEvent| {
            let (name, manager) = (name.clone(), manager.clone());
            async move {
                let mut all = e.exclude();
                let never = [name.as_str(), ".venv", "venv", "node_modules"];
                all.extend(never.map(str::to_owned));
                if with_scripts {
                    all.extend(executed(e.app(), &name, &manager));
                }
                e.set_exclude(all);
                e.next().await
            }
        })
        .priority(i32::MAX)
    };
    // scripts are somebody's work and have no secrets: they leave, so that nothing is lost
    setup.app().on_backup_create().bind_handler(kept_out(false));
    setup.app().on_backup_restore().bind_handler(kept_out(true));
}

/// What the data directory has of the files that processes execute.
fn executed(app: &App, name: &str, manager: &ProcessManager) -> Vec<String> {
    let data_dir = app.data_dir();
    let data_dir = absolute(&data_dir).unwrap_or(data_dir);
    let mut configs = manager.configs();
    // what the file says now, and where nothing is served
    if let Ok(read) = config::load(&config::locate(app.flag(FLAG), name, &data_dir).0) {
        configs.extend(read.entries);
    }
    let found = configs.iter().flat_map(|config| plan::within(&data_dir, config));
    found.filter(|name| !DATA.contains(&name.as_str())).collect()
}

/// What a backup is there for, even if somebody has put a script into it.
const DATA: &[&str] = &["data.db", "auxiliary.db", "storage", "pb_backup.json"];

#[allow(clippy::cast_precision_loss, reason = "metrics are floats")]
fn metrics(setup: &Setup, manager: &ProcessManager) {
    let m = manager.clone();
    let running = move || m.n_running() as f64;
    setup.metric("pm_processes_running", "Processes of the process manager that run.", running);
    let count = |name, help, read: fn(&ProcessManager) -> u64| {
        let m = manager.clone();
        setup.metrics(name, help, MetricKind::Counter, move || vec![Sample::new(read(&m) as f64)]);
    };
    count("pm_restarts", "Restarts of processes.", ProcessManager::n_restarts);
    count("pm_log_lines_dropped", "Lines that the log did not get.", ProcessManager::n_dropped);
}

/// Reads the file, and starts the processes when the server is about to listen.
async fn serve(e: ServeEvent, name: &str, manager: ProcessManager) -> Result<()> {
    let app = e.app().clone();
    let logger = app.logger();
    let (path, is_named) = config::locate(app.flag(FLAG), name, &app.data_dir());
    let attrs = [("file", path.display().to_string().into())];
    let entries = match config::load(&path) {
        Ok(read) => {
            for warning in read.warnings {
                logger.warn(&format!("Process manager: {warning}."), &attrs);
            }
            read.entries
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = "Process manager: there is no file with processes.";
            if !is_named && !manager.has_own() {
                // nobody has asked for processes: no task, no thread, no line in the log
                logger.debug(text, &attrs);
                return e.next().await;
            }
            logger.info(text, &attrs);
            Vec::new()
        }
        Err(error) => {
            let attrs = [attrs[0].clone(), ("error", error.to_string().into())];
            logger.error("Process manager: the file with the processes cannot be read.", &attrs);
            Vec::new()
        }
    };
    let around = surroundings(&e)?;
    e.next().await?;
    for warning in manager.begin(&app, around, entries) {
        logger.warn(&format!("Process manager: {warning}."), &attrs);
    }
    Ok(())
}

fn surroundings(e: &ServeEvent) -> Result<Surroundings> {
    let app = e.app();
    let data_dir = absolute(&app.data_dir())?;
    let base_url = e.base_url();
    let port = match e.local_addr() {
        Some(local) => local.port().to_string(),
        None => base_url.rsplit(':').next().unwrap_or_default().to_owned(),
    };
    let scheme = if base_url.starts_with("https:") { "https" } else { "http" };
    // a socket of one address only is reached by that address
    let host = match e.local_addr().map(|local| local.ip()) {
        Some(ip) if ip.is_unspecified() || ip.is_loopback() && ip.is_ipv4() => None,
        Some(std::net::IpAddr::V6(ip)) => Some(format!("[{ip}]")),
        other => other.map(|ip| ip.to_string()),
    };
    let host = host.unwrap_or_else(|| "127.0.0.1".into());
    let added: Vec<(OsString, OsString)> = vec![
        ("PB_URL".into(), format!("{scheme}://{host}:{port}").into()),
        ("PB_PORT".into(), port.into()),
        ("PB_DATA_DIR".into(), data_dir.clone().into()),
    ];
    Ok(Surroundings {
        data_dir,
        server: environment::all(),
        added,
        encryption_env: app.flag("encryptionEnv").unwrap_or_default(),
    })
}

fn absolute(dir: &Path) -> io::Result<PathBuf> {
    dir.canonicalize().or_else(|_| std::path::absolute(dir))
}
