//! Which parts make up the product, and how they start.

use std::sync::Arc;

use clap::ArgMatches;
use engine::{
    auth::password::Scheme,
    keyring::Keyring,
    store::{
        Durability,
        postgres::{ClusterMode, Dsn, PostgresConfig},
    },
};

use super::{
    commands::Failure,
    flags::{self, Config},
    print,
};
use crate::app::App;

/// Flags and environment decide how the app starts.
pub(super) fn configure(app: &App, config: &Config, matches: &ArgMatches) -> Result<(), Failure> {
    if config.dev {
        log_to_terminal();
    }
    app.shared.commands.matched(matches);
    let postgres = postgres(config)?;
    let keys = keys();
    app.shared.settings.change(|given| {
        let engine = &mut given.engine;
        engine.data_dir.clone_from(&config.dir);
        engine.dev = config.dev;
        if !given.decided.contains("encryptionEnv") || !config.encryption_env.is_empty() {
            engine.encryption_env.clone_from(&config.encryption_env);
            engine.encryption_key.clone_from(&config.encryption_key);
        }
        if let Some(keys) = keys {
            engine.keys = keys;
        }
        engine.query_timeout = config.query_timeout;
        engine.postgres = postgres;
        given.dsn = None;
        if config.durability == "full" {
            engine.durability = Durability::Full;
        }
        if config.password_hash == "bcrypt" {
            engine.password_hash = Scheme::Bcrypt;
        }
        let thumbs = &mut engine.thumbs;
        thumbs.n_workers = config.thumb_workers.unwrap_or(thumbs.n_workers);
        thumbs.wait = config.thumb_wait.unwrap_or(thumbs.wait);
        if config.dev && engine.trace.is_none() {
            engine.trace = Some(print_sql());
        }
        engine.ca_file.clone_from(&config.ca_file);
        engine.outbound = config.outbound.clone();
        engine.id_token_leeway = config.id_token_leeway.unwrap_or(engine.id_token_leeway);
        given.hooks_dir = Some(config.hooks_dir.clone());
        given.migrations_dir = Some(config.migrations_dir.clone());
    });
    Ok(())
}

/// The keys of encrypted values. Without a usable one nothing is encrypted or decrypted, and everything else works (spec
/// extensions 2.2).
fn keys() -> Option<Arc<Keyring>> {
    let current = flags::variable("PB_MASTER_KEY")?;
    let previous = flags::variable("PB_MASTER_KEY_PREVIOUS").unwrap_or_default();
    match Keyring::read(current, previous) {
        Ok(keys) => Some(Arc::new(keys)),
        Err(error) => {
            print::error(&format!("WARN secrets are disabled: {error}"));
            Some(Arc::default())
        }
    }
}

/// Opens the app for a command.
pub(super) async fn open(app: &App) -> Result<engine::App, Failure> {
    app.bootstrap().await?;
    Ok(app.engine()?)
}

/// Where PostgreSQL is, if it is to be used.
fn postgres(config: &Config) -> Result<Option<PostgresConfig>, Failure> {
    if config.pg.is_empty() {
        // In the environment it may stand for other commands and other directories.
        return Ok(None);
    }
    let parse = |text: &String| Dsn::parse_with(text, &flags::variable);
    let mut postgres =
        PostgresConfig::new(parse(&config.pg).map_err(|error| Failure(error.to_string()))?);
    let replicas: std::result::Result<_, _> = config.pg_replicas.iter().map(parse).collect();
    postgres.replicas = replicas.map_err(|error| Failure(format!("--pgReplica: {error}")))?;
    postgres.max_open = config.max_open_conns.unwrap_or(postgres.max_open);
    postgres.max_idle = config.max_idle_conns.unwrap_or(postgres.max_idle);
    postgres.row_security = config.row_security;
    postgres.claims.clone_from(&config.row_security_claims);
    postgres.cluster = match config.pg_cluster.as_str() {
        "on" => ClusterMode::On,
        "off" => ClusterMode::Off,
        "auto" | "" => ClusterMode::Auto,
        other => {
            return Err(Failure(format!("PB_PG_CLUSTER is on, off or auto, not {other:?}")));
        }
    };
    Ok(Some(postgres))
}

/// Opens and closes the data directory, which makes it when it is missing.
pub(super) async fn touch(app: &App) -> Result<(), Failure> {
    app.bootstrap().await?;
    app.shutdown().await?;
    Ok(())
}

/// An engine error as one line: field errors as `field: message.`.
pub(crate) fn explain(error: &engine::Error) -> String {
    match error {
        engine::Error::Invalid(fields) => api::error::plain_fields(fields),
        other => other.to_string(),
    }
}

fn log_to_terminal() {
    use tracing_subscriber::{
        filter::LevelFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
    };
    let targets =
        tracing_subscriber::filter::Targets::new().with_default(LevelFilter::INFO).with_targets([
            ("engine", LevelFilter::TRACE),
            ("api", LevelFilter::TRACE),
            ("pocketbase", LevelFilter::TRACE),
        ]);
    // a second subscriber (tests) is not an error
    let _ = tracing_subscriber::registry()
        .with(fmt::layer().with_target(false))
        .with(targets)
        .try_init();
}

/// Prints every statement with its values and time, as `--dev` promises.
fn print_sql() -> engine::store::Trace {
    std::sync::Arc::new(|sql: &str, params: &[engine::store::Value], time: std::time::Duration| {
        let values: Vec<String> = params.iter().map(value_text).collect();
        print::line(&format!(
            "[{:.2}ms] {sql} [{}]",
            time.as_secs_f64() * 1000.0,
            values.join(", ")
        ));
    })
}

/// A bound value as it would be written.
pub(crate) fn value_text(value: &engine::store::Value) -> String {
    use engine::store::Value;
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(int) => int.to_string(),
        Value::Real(real) => real.to_string(),
        Value::Text(text) => format!("{text:?}"),
    }
}
