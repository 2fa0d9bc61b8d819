//! Sign-in with TOF identities, which a trusted gateway puts into headers. See docs/tof.md.
//!
//! Without an app token there is nothing: no route, no table, no function. Must not know SQL outside of `store`, or what lies
//! below `pocketbase`.

mod accounts;
mod config;
mod gate;
mod identity;
mod jwe;
mod redirects;
mod routes;
mod store;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use pocketbase::{App, Error, MetricKind, Native, Plugin, Result, Sample, Setup};
use serde_json::Value;

pub use self::{
    config::TofConfig,
    identity::{Reason, TofIdentity},
};
use crate::{gate::Gate, identity::Signed, store::Seen};

/// The name under which the app keeps the gate.
const KEPT: &str = "@tof";

/// Sign-in with TOF identities.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TofPlugin {
    config: TofConfig,
}

impl TofPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// With what code says, as far as the environment says nothing else.
    #[must_use]
    pub fn with(config: TofConfig) -> Self {
        Self { config }
    }
}

impl Plugin for TofPlugin {
    fn name(&self) -> &'static str {
        "tof"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        let config = self.config.clone().resolved()?;
        if config.app_token.is_empty() {
            return Ok(());
        }
        let gate =
            Arc::new(Gate { config, seen: Seen::default(), counts: gate::Counts::default() });
        setup.app().store().set_typed(KEPT, gate.clone());
        store::declare(setup)?;
        setup.link_provider(accounts::PROVIDER);
        accounts::keep_links(setup.app());
        routes::mount(&setup.router(), &gate);
        let counted = gate.clone();
        #[allow(clippy::cast_precision_loss, reason = "metrics are floats")]
        let sign_ins = move || vec![Sample::new(counted.counts.sign_ins() as f64)];
        let help = "Identities that were believed and found an account.";
        setup.metrics("tof_sign_ins", help, MetricKind::Counter, sign_ins);
        offer(setup)?;
        if !gate.config.dev_mock_user.is_empty() {
            setup.app().on_serve().bind(|e| async move {
                warn(e.app());
                e.next().await
            });
        }
        Ok(())
    }
}

/// For whoever starts the server.
fn warn(app: &App) {
    let text = if app.is_dev() {
        "TOF_DEV_MOCK_USER is set: whoever is on this machine is signed in without any proof."
    } else {
        "TOF_DEV_MOCK_USER is ignored without --dev."
    };
    app.logger().warn(text, &[]);
}

fn offer(setup: &Setup) -> Result<()> {
    setup.native(
        Native::new("$tof.getTofIdentity")
            .doc("Reads the identity of a request of the gateway; throws when it is not believed.")
            .param("taiId", "string", "the header x-tai-identity")
            .param("timestamp", "string", "the header timestamp")
            .param("signature", "string", "the header signature")
            .param("seq", "string", "the header x-rio-seq")
            .returns("{ loginname: string, staffid: number, expiration: string, ticket?: string }")
            .run_sync(|app, args| {
                let text = |at: usize| match args.get(at) {
                    Some(Value::String(text)) => text.clone(),
                    // seconds since 1970 are a number as often as not
                    Some(Value::Number(number)) => number.to_string(),
                    _ => String::new(),
                };
                let found = get_tof_identity(app, &text(0), &text(1), &text(2), &text(3));
                let mut shown = found?.to_json();
                if let Some(map) = shown.as_object_mut() {
                    map.retain(|_, value| !value.is_null());
                }
                Ok(shown)
            }),
    )
}

/// The identity of a request of the gateway. What came before counts again: only sign-ins remember.
///
/// # Errors
/// 401 with the reason; without the plugin, or its token.
pub fn get_tof_identity(
    app: &App,
    tai_id: &str,
    timestamp: &str,
    signature: &str,
    seq: &str,
) -> Result<TofIdentity> {
    let gate = app.store().get_typed::<Arc<Gate>>(KEPT);
    let gate = gate.ok_or_else(|| Error::other("TOF_APP_TOKEN is not set"))?;
    let signed = Signed { identity: tai_id, timestamp, signature, seq, ..Signed::default() };
    signed.verify(&gate.config, now_ms()).map_err(routes::refused)
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
