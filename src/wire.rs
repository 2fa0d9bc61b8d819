//! Which parts make up the product, and how they start.

use pocketbase::App;

use crate::{commands::Failure, flags::Config};

/// The async runtime: one worker per core.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let n_workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(n_workers).enable_all().build()?)
}

/// Opens the data directory with every part of the product.
pub(crate) async fn app(config: &Config) -> Result<App, Failure> {
    if config.dev {
        log_to_terminal();
    }
    App::builder()
        .data_dir(&config.dir)
        .dev(config.dev)
        .encryption_key(config.encryption_key.clone())
        .query_timeout(config.query_timeout)
        .full_durability(config.durability == "full")
        .bcrypt(config.password_hash == "bcrypt")
        .build()
        .await
        .map_err(|error| Failure(explain(&error)))
}

/// An engine error as one line: field errors as `field: message.`.
pub(crate) fn explain(error: &engine::Error) -> String {
    match error {
        engine::Error::Invalid(fields) => {
            let text = api::error::plain_fields(fields);
            fields_as_sentences(&text)
        }
        other => api::error::sentence(&other.to_string()).into_owned(),
    }
}

/// `password: must be …` → `password: Must be …`.
fn fields_as_sentences(text: &str) -> String {
    text.split("; ")
        .map(|part| match part.split_once(": ") {
            Some((field, message)) => format!("{field}: {}", api::error::sentence(message)),
            None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("; ")
}

fn log_to_terminal() {
    use tracing_subscriber::{filter::LevelFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};
    let targets = tracing_subscriber::filter::Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets([("engine", LevelFilter::TRACE), ("api", LevelFilter::TRACE), ("pocketbase", LevelFilter::TRACE)]);
    // a second subscriber (tests) is not an error
    let _ = tracing_subscriber::registry().with(fmt::layer().with_target(false)).with(targets).try_init();
}

#[cfg(test)]
mod tests {
    #[test]
    fn sentences() {
        assert_eq!(super::fields_as_sentences("password: must be x."), "password: Must be x.");
    }
}
