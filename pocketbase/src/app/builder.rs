//! [`Builder`]: how an app starts, and the plugins it is made of. Reads no environment and no command line.

use std::{collections::BTreeSet, fmt, path::PathBuf, sync::Arc, time::Duration};

use engine::{
    app::Config,
    auth::password::Scheme,
    event::AppEvent,
    hook::Handler,
    keyring::Keyring,
    store::{
        Durability, Trace,
        postgres::{Dsn, PostgresConfig},
    },
};
use parking_lot::Mutex;

use super::{App, Shared};
use crate::{
    error::{Error, Result},
    plugin::{Plugin, Setup},
};

/// What was said about how the app starts. The command line may still say otherwise.
#[derive(Debug)]
pub(crate) struct Setting(Mutex<Given>);

/// See [`Setting`].
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) engine: Config,
    /// Flags that code has decided, by name: their defaults are what it said.
    pub(crate) decided: BTreeSet<&'static str>,
    pub(crate) dsn: Option<String>,
    pub(crate) max_open: Option<usize>,
    pub(crate) max_idle: Option<usize>,
    pub(crate) public_dir: Option<PathBuf>,
    pub(crate) hooks_dir: Option<PathBuf>,
    pub(crate) migrations_dir: Option<PathBuf>,
    pub(crate) index_fallback: bool,
    /// Name and version on the command line.
    pub(crate) version: Option<String>,
}

impl Default for Setting {
    fn default() -> Self {
        Self(Mutex::new(Given {
            engine: Config::new("pb_data"),
            decided: BTreeSet::new(),
            dsn: None,
            max_open: None,
            max_idle: None,
            public_dir: None,
            hooks_dir: None,
            migrations_dir: None,
            index_fallback: true,
            version: None,
        }))
    }
}

impl Setting {
    /// A copy.
    pub(crate) fn get(&self) -> Given {
        self.0.lock().clone()
    }
    /// Changes something.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Given)) {
        change(&mut self.0.lock());
    }
    pub(crate) fn is_dev(&self) -> bool {
        self.0.lock().engine.dev
    }
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.0.lock().engine.data_dir.clone()
    }
    /// What the engine starts with.
    ///
    /// # Errors
    /// A connection string that is none.
    pub(crate) fn config(&self) -> Result<Config> {
        let given = self.get();
        let mut config = given.engine;
        if let (None, Some(dsn)) = (&config.postgres, &given.dsn) {
            let mut postgres = PostgresConfig::new(Dsn::parse(dsn).map_err(Error::other)?);
            postgres.max_open = given.max_open.unwrap_or(postgres.max_open);
            postgres.max_idle = given.max_idle.unwrap_or(postgres.max_idle);
            config.postgres = Some(postgres);
        }
        Ok(config)
    }
}

/// How an app starts, step by step. See [`App::builder`].
///
/// What is not said here is as the executable's flags say, and flags say it last: `--dir` wins over
/// [`Builder::data_dir`].
///
/// ```
/// use pocketbase::App;
///
/// # fn main() -> pocketbase::Result<()> {
/// let app = App::builder()
///     .data_dir("/var/lib/shop")
///     .dev(false)
///     .build()?;
/// assert_eq!(app.data_dir(), std::path::Path::new("/var/lib/shop"));
/// # Ok(()) }
/// ```
#[must_use]
pub struct Builder {
    given: Given,
    plugins: Vec<Box<dyn Plugin>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { given: Setting::default().get(), plugins: Vec::new() }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plugins: Vec<&str> = self.plugins.iter().map(|plugin| plugin.name()).collect();
        f.debug_struct("Builder").field("given", &self.given).field("plugins", &plugins).finish()
    }
}

impl Builder {
    fn decide(mut self, flag: &'static str, change: impl FnOnce(&mut Given)) -> Self {
        self.given.decided.insert(flag);
        change(&mut self.given);
        self
    }
    /// Where the databases and files are; created when missing. Default: `pb_data` beside the executable.
    pub fn data_dir(self, dir: impl Into<PathBuf>) -> Self {
        self.decide("dir", |given| given.engine.data_dir = dir.into())
    }
    /// PostgreSQL instead of the SQLite files of the directory: `postgres://user:password@host/database`. Empty means
    /// SQLite.
    pub fn postgres_dsn(self, dsn: impl Into<String>) -> Self {
        self.decide("pg", |given| given.dsn = Some(dsn.into()).filter(|dsn| !dsn.is_empty()))
    }
    /// Most connections to PostgreSQL at a time. Default: 100.
    pub fn data_max_open_conns(self, most: usize) -> Self {
        self.decide("dataMaxOpenConns", |given| given.max_open = Some(most))
    }
    /// Most unused connections to PostgreSQL. Default: 20.
    pub fn data_max_idle_conns(self, most: usize) -> Self {
        self.decide("dataMaxIdleConns", |given| given.max_idle = Some(most))
    }
    /// Print logs and SQL. Default: no.
    pub fn dev(self, dev: bool) -> Self {
        self.decide("dev", |given| given.engine.dev = dev)
    }
    /// The key (32 bytes) that encrypts the stored settings. Default: none.
    pub fn encryption_key(self, key: impl Into<String>) -> Self {
        self.decide("encryptionEnv", |given| {
            given.engine.encryption_env = "encryption_key".to_owned();
            given.engine.encryption_key = Some(key.into());
        })
    }
    /// The key that secrets are encrypted with, of 64 hex digits; `PB_MASTER_KEY` wins. See [`App::crypto`].
    ///
    /// # Errors
    /// When it is none.
    pub fn master_key(mut self, hex: impl Into<String>) -> Result<Self> {
        let keys = Keyring::read(hex.into(), String::new()).map_err(Error::other)?;
        self.given.engine.keys = Arc::new(keys);
        Ok(self)
    }
    /// Longest time of a query. Default: 30 seconds.
    pub fn query_timeout(self, limit: Duration) -> Self {
        self.decide("queryTimeout", |given| given.engine.query_timeout = limit)
    }
    /// Every acknowledged write survives a loss of power, not only a crash of the process. Default: no.
    pub fn full_durability(self, full: bool) -> Self {
        let durability = if full { Durability::Full } else { Durability::default() };
        self.decide("durability", |given| given.engine.durability = durability)
    }
    /// Hash new passwords with bcrypt instead of argon2id. Default: no.
    pub fn bcrypt(self, bcrypt: bool) -> Self {
        let scheme = if bcrypt { Scheme::Bcrypt } else { Scheme::default() };
        self.decide("passwordHash", |given| given.engine.password_hash = scheme)
    }
    /// Files served at `/`. Default: `pb_public` beside the executable.
    pub fn public_dir(self, dir: impl Into<PathBuf>) -> Self {
        self.decide("publicDir", |given| given.public_dir = Some(dir.into()))
    }
    /// Whether missing public files are answered with the root `index.html`. Default: yes.
    pub fn index_fallback(self, fallback: bool) -> Self {
        self.decide("indexFallback", |given| given.index_fallback = fallback)
    }
    /// Where hook files are looked for.
    pub fn hooks_dir(self, dir: impl Into<PathBuf>) -> Self {
        self.decide("hooksDir", |given| given.hooks_dir = Some(dir.into()))
    }
    /// Where `migrate create` and `migrate collections` write. Default: `pb_migrations` beside the data directory.
    pub fn migrations_dir(self, dir: impl Into<PathBuf>) -> Self {
        self.decide("migrationsDir", |given| given.migrations_dir = Some(dir.into()))
    }
    /// The version that `--version` prints. Default: that of this crate.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.given.version = Some(version.into());
        self
    }
    /// Called when much memory was freed and is not needed again soon, so that the allocator can return it.
    pub fn release_memory(mut self, release: fn()) -> Self {
        self.given.engine.release_memory = Some(release);
        self
    }
    /// Is told every SQL statement with its values and time.
    pub fn trace(mut self, trace: Trace) -> Self {
        self.given.engine.trace = Some(trace);
        self
    }
    /// Adds a plugin; plugins register in this order when the app is built.
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.push(Box::new(plugin));
        self
    }

    /// Registers the plugins. Nothing is opened or created yet.
    ///
    /// # Errors
    /// What plugins report; two plugins that want the same command or table.
    pub fn build(self) -> Result<App> {
        let shared = Shared::new(Setting(Mutex::new(self.given)));
        let app = App::of(shared);
        for plugin in &self.plugins {
            let mut setup = Setup::new(&app, plugin.name());
            app.shared.registered.lock().names.push(plugin.name().to_owned());
            plugin
                .register(&mut setup)
                .map_err(|error| Error::other(format!("plugin {:?}: {error}", plugin.name())))?;
        }
        Ok(app)
    }
}

/// The first handler of `OnBootstrap`: the app takes over the engine.
pub(super) fn adopt_at_bootstrap(app: &App) {
    let shared = std::sync::Arc::downgrade(&app.shared);
    let handler = Handler::new(move |event: engine::hook::Event<AppEvent>| {
        let shared = shared.clone();
        async move {
            App::upgrade(&shared)?.adopt(&event.app).await?;
            event.next().await
        }
    });
    app.shared.hooks.bootstrap.bind_handler(handler.id("pbAdopt").priority(i32::MIN));
    let shared = std::sync::Arc::downgrade(&app.shared);
    let last = Handler::new(move |event: engine::hook::Event<AppEvent>| {
        let shared = shared.clone();
        async move {
            event.next().await?;
            App::upgrade(&shared)?.bootstrapped();
            Ok(())
        }
    });
    app.shared.hooks.bootstrap.bind_handler(last.id("pbReady").priority(i32::MAX));
}
