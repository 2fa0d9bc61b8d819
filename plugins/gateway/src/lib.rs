//! A proxy in front of other servers, by records of `_proxies`: rules, headers with secrets, streams, WebSockets, limits.
//! See docs/gateway.md.
//!
//! Must not know what lies below `pocketbase`, nor SQL.
//!
//! ```no_run
//! use gateway::{GatewayPlugin, get_manager};
//!
//! # fn example() -> pocketbase::Result<()> {
//! let app = pocketbase::App::builder().plugin(GatewayPlugin::new()).build()?;
//! if let Some(manager) = get_manager(&app) {
//!     println!("{:?}", manager.match_proxy("/-/openai/v1/models"));
//! }
//! # Ok(()) }
//! ```

mod client;
mod config;
mod flow;
mod forward;
mod headers;
mod held;
mod judged;
mod limits;
mod manager;
mod path;
mod proxy;
mod routes;
mod store;
mod strict;
mod template;
mod tunnel;

use pocketbase::{App, Error, Plugin, RequestEvent, Result, Setup};

pub use self::{
    config::{Config, TransportConfig},
    manager::{Manager, Matched},
};
use crate::store::PROXIES;

/// The name under which the app keeps the manager.
const KEPT: &str = "@gateway";
/// What nodes tell each other when proxies have changed.
const TOPIC: &str = "gateway";

/// A proxy in front of other servers, by records of `_proxies`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct GatewayPlugin {
    config: Config,
}

impl GatewayPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// With a configuration; the environment wins over it.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self { config }
    }
}

/// The manager of an app; `None` without the plugin.
#[must_use]
pub fn get_manager(app: &App) -> Option<Manager> {
    app.store().get_typed::<Manager>(KEPT).map(|manager| (*manager).clone())
}

impl Plugin for GatewayPlugin {
    fn name(&self) -> &'static str {
        "gateway"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        let config = self.config.clone().with_environment()?;
        if config.disabled {
            return Ok(());
        }
        let manager = Manager::new(config)?;
        let app = setup.app();
        app.store().set_typed(KEPT, manager.clone());
        app.on_bootstrap().bind(|e| async move {
            e.next().await?;
            store::widen(e.app()).await
        });
        setup.collection_on_demand(PROXIES, |app| async move { store::ensure(&app).await });
        keep_in_form(app);
        follow(app, &manager);
        routes::offer(setup, &manager);
        let router = setup.router();
        routes::mount(&router, &manager);
        let (claiming, answering) = (manager.clone(), manager);
        router
            .claim(
                "/-/{path...}",
                move |method, path| claiming.claims(method, path),
                move |e: RequestEvent| forward::handle(answering.clone(), e),
            )
            // proxies have limits of their own, and answers are the upstream's
            .unbind("pbBodyLimit")
            .unbind("pbSecurityHeaders");
        Ok(())
    }
}

/// Records are completed and checked before they are saved.
fn keep_in_form(app: &App) {
    app.on_record_create_request([PROXIES]).bind(|e| async move {
        store::fill_in(&e.record(), &e.request_info().body);
        e.next().await
    });
    app.on_record_validate([PROXIES]).bind(|e| async move {
        let found = store::check(e.app(), &e.record());
        match (found, e.next().await) {
            (Ok(()), done) => done,
            (Err(mut errors), Err(Error::Validation(more))) => {
                for (name, error) in more.0 {
                    errors.set(name, error);
                }
                Err(Error::Validation(errors))
            }
            (Err(errors), _) => Err(Error::Validation(errors)),
        }
    });
}

/// Every node follows what any node has saved.
fn follow(app: &App, manager: &Manager) {
    let m = manager.clone();
    app.on_announced(TOPIC, move |app, _| {
        let m = m.clone();
        async move {
            store::catch_up(&app).await?;
            m.reload(&app).await
        }
    });
    app.on_record_after_create_success([PROXIES]).bind(|e| async move {
        e.app().announce(TOPIC, &e.record().id()).await?;
        e.next().await
    });
    app.on_record_after_update_success([PROXIES]).bind(|e| async move {
        e.app().announce(TOPIC, &e.record().id()).await?;
        e.next().await
    });
    app.on_record_after_delete_success([PROXIES]).bind(|e| async move {
        e.app().announce(TOPIC, &e.record().id()).await?;
        e.next().await
    });
    let m = manager.clone();
    app.on_serve().bind(move |e| {
        let m = m.clone();
        async move {
            m.set_tls(e.base_url().starts_with("https:"));
            m.reload(e.app()).await?;
            e.next().await
        }
    });
}
