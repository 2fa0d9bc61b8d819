//! Which parts make up the product, and how they start.

use engine::store::postgres::{ClusterMode, Dsn, PostgresConfig};
use pocketbase::App;

use crate::{commands::Failure, flags::Config, print};

/// The async runtime: one worker per core.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let n_workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(n_workers)
        .enable_all()
        .build()?)
}

/// Opens the data directory with every part of the product.
pub(crate) async fn app(config: &Config) -> Result<App, Failure> {
    if config.dev {
        log_to_terminal();
    }
    App::builder()
        .data_dir(&config.dir)
        .dev(config.dev)
        .encryption(&config.encryption_env, config.encryption_key.clone())
        .query_timeout(config.query_timeout)
        .postgres(postgres(config)?)
        .full_durability(config.durability == "full")
        .bcrypt(config.password_hash == "bcrypt")
        .thumbs(config.thumb_workers, config.thumb_wait)
        .trace(config.dev.then(print_sql))
        .ca_file(config.ca_file.clone())
        .outbound(config.outbound.clone(), config.id_token_leeway)
        .release_memory(crate::allocator::release)
        .build()
        .await
        .map_err(|error| Failure(explain(&error)))
}

/// Where PostgreSQL is, if it is to be used.
fn postgres(config: &Config) -> Result<Option<PostgresConfig>, Failure> {
    if config.pg.is_empty() {
        // In the environment it may stand for other commands and other directories.
        return Ok(None);
    }
    let parse = |text: &String| Dsn::parse_with(text, &crate::flags::variable);
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
pub(crate) fn touch(config: &Config) -> Result<(), Failure> {
    runtime()?.block_on(async {
        app(config).await?.shutdown(false).await?;
        Ok(())
    })
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
