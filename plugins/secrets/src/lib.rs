//! Named secrets, encrypted at rest, by environment: a table, REST, `$secrets`, and `pocketbase secrets rotate`.
//! See docs/secrets.md. Source: spec extensions 2.
//!
//! Without a master key there is no table; the routes then say so. Must not know what lies below `pocketbase`.
//!
//! ```
//! use pocketbase::App;
//! use secrets::{SecretsPlugin, get_store};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let dir = std::env::temp_dir().join(format!("secrets-doc-{}", std::process::id()));
//! let builder = App::builder().data_dir(&dir).master_key("00".repeat(32))?;
//! let app = builder.plugin(SecretsPlugin::new()).build()?;
//! app.bootstrap().await?;
//! let store = get_store(&app).expect("the plugin");
//! store.set("STRIPE", "sk_live_1").env("prod").await?;
//! assert_eq!(store.get_for_env("STRIPE", "prod").await?, "sk_live_1");
//! app.shutdown().await?;
//! # std::fs::remove_dir_all(dir)?;
//! # Ok::<(), pocketbase::Error>(())
//! # }).unwrap();
//! ```

mod config;
mod kept;
mod natives;
mod rotate;
mod routes;
mod store;

use std::sync::Arc;

use pocketbase::{App, Plugin, Result, Setup, clap};

use self::kept::Kept;
pub use self::{
    config::Config,
    rotate::{Rotated, rotate},
    store::{Secret, Set, Store},
};

/// The name under which the app keeps [`kept::Kept`].
const KEPT: &str = "@secrets";

/// Named secrets as a plugin.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SecretsPlugin {
    config: Config,
}

impl SecretsPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// With other defaults; the environment wins.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self { config }
    }
}

/// The secrets of an app, or of an open transaction; `None` without the plugin.
#[must_use]
pub fn get_store(app: &App) -> Option<Store> {
    let kept = app.store().get_typed::<Arc<Kept>>(KEPT)?;
    Some(Store::new(app.clone(), kept.as_ref().clone()))
}

/// Makes the table, if there is a key, and tells when there are secrets that it does not open: after another key, or none,
/// was set, or a backup came from elsewhere.
async fn opened(app: &App) -> Result<()> {
    if app.crypto().is_enabled() {
        app.ensure_table(&store::table()).await?;
    }
    let Some(store) = get_store(app) else { return Ok(()) };
    if let Some(error) = store.unreadable().await? {
        let text = "There are secrets that cannot be decrypted.";
        app.logger().warn(text, &[("error", error.to_string().into())]);
    }
    Ok(())
}

impl Plugin for SecretsPlugin {
    fn name(&self) -> &'static str {
        "secrets"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        let config = self.config.clone().resolved()?;
        let is_served = config.http_enabled;
        let kept = Arc::new(Kept::new(config));
        kept::measure(setup, &kept);
        setup.app().store().set_typed(KEPT, kept);
        setup.app().on_bootstrap().bind(|e| async move {
            e.next().await?;
            opened(e.app()).await
        });
        if is_served {
            routes::mount(&setup.router());
        }
        natives::offer(setup)?;
        let rotate = clap::Command::new("rotate").about(
            "Encrypts all secrets and secret fields again, with PB_MASTER_KEY (old keys: PB_MASTER_KEY_PREVIOUS)",
        );
        let command = clap::Command::new("secrets")
            .about("Manages secrets")
            .subcommand_required(true)
            .subcommand(rotate);
        setup.command(command, |app, _| async move {
            app.bootstrap().await?;
            let done = rotate::rotate(&app).await;
            app.shutdown().await?;
            rotate::tell(&done?);
            Ok(())
        })
    }
}
