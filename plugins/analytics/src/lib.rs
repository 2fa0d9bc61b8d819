//! Page views: intake, daily tables, statistics, raw logs. See docs/analytics.md.
//!
//! Must not know SQL outside of `store`, or what lies below `pocketbase`.
//!
//! ```no_run
//! use analytics::{AnalyticsConfig, AnalyticsPlugin, Event, get_analytics};
//!
//! # fn example() -> pocketbase::Result<()> {
//! let config = AnalyticsConfig { retention: 30, ..AnalyticsConfig::default() };
//! let app = pocketbase::App::builder().plugin(AnalyticsPlugin::with(config)).build()?;
//! get_analytics(&app).track(Event {
//!     event: "signup".into(),
//!     path: "/welcome".into(),
//!     sid: "a session".into(),
//!     ..Event::default()
//! });
//! # Ok(()) }
//! ```

mod agent;
mod batch;
mod clock;
mod collector;
mod config;
mod event;
mod raw;
mod routes;
mod sketch;
mod store;

use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed};

use pocketbase::{App, MetricKind, Native, Plugin, Result, Sample, Setup};
use serde_json::Value;

pub use self::{
    config::{AnalyticsConfig, Mode},
    event::Event,
};
use crate::collector::{Around, Collector};

/// The name under which the app keeps it.
const KEPT: &str = "@analytics";

/// Page views: intake, daily tables, statistics.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AnalyticsPlugin {
    config: AnalyticsConfig,
}

impl AnalyticsPlugin {
    /// With what the environment says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// With a configuration; what the environment says wins.
    #[must_use]
    pub fn with(config: AnalyticsConfig) -> Self {
        Self { config }
    }
}

/// The analytics of an app. Without the plugin, or when it is off, nothing is counted.
#[derive(Debug, Clone, Default)]
pub struct Analytics {
    collector: Option<Arc<Collector>>,
    app: Option<App>,
}

/// The analytics of an app; without the plugin one that does nothing.
#[must_use]
pub fn get_analytics(app: &App) -> Analytics {
    let kept = app.store().get_typed::<Arc<Collector>>(KEPT);
    Analytics { collector: kept.map(|kept| (*kept).clone()), app: Some(app.clone()) }
}

impl Analytics {
    /// Counts an event; whether it was counted.
    #[allow(clippy::must_use_candidate)]
    pub fn track(&self, event: Event) -> bool {
        let around = Around::default();
        self.collector.as_ref().is_some_and(|collector| collector.take_event(event, &around))
    }
    /// The same as JSON, with the names that the REST API has.
    #[allow(clippy::must_use_candidate)]
    pub fn push(&self, event: &Value) -> bool {
        let user_agent = event["userAgent"].as_str().unwrap_or_default();
        let around = Around { user_agent, ..Around::default() };
        self.collector.as_ref().is_some_and(|collector| collector.take_json(event, &around))
    }
    /// Whether anything is counted.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.collector.is_some()
    }
    /// Writes what was counted, and waits for it.
    ///
    /// # Errors
    /// Database errors; what was counted is kept for the next time.
    pub async fn flush(&self) -> Result<()> {
        match (&self.collector, &self.app) {
            (Some(collector), Some(app)) => collector.flush(app).await,
            _ => Ok(()),
        }
    }
    /// How it counts; `None` when it does not.
    #[must_use]
    pub fn config(&self) -> Option<&AnalyticsConfig> {
        self.collector.as_ref().map(|collector| &collector.config)
    }
}

impl Plugin for AnalyticsPlugin {
    fn name(&self) -> &'static str {
        "analytics"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        let (config, is_unknown) = self.config.clone().resolved()?;
        let collector = config.is_on().then(|| Arc::new(Collector::new(config.clone())));
        natives(setup)?;
        if let Some(collector) = &collector {
            setup.app().store().set_typed(KEPT, collector.clone());
            metrics(setup, collector);
            life(setup, collector);
        }
        setup.app().on_serve().bind(move |e| {
            let (config, collector) = (config.clone(), collector.clone());
            async move {
                if is_unknown {
                    let logger = e.app().logger();
                    logger.warn(
                        "Analytics: PB_ANALYTICS_MODE is none of off, conditional, full.",
                        &[],
                    );
                }
                routes::mount(&e.router(), &config, collector.clone());
                e.next().await?;
                if let Some(collector) = collector {
                    collector.begin(e.app());
                }
                Ok(())
            }
        });
        Ok(())
    }
}

fn life(setup: &Setup, collector: &Arc<Collector>) {
    let used = collector.clone();
    setup.app().on_bootstrap().bind(move |e| {
        let used = used.clone();
        async move {
            e.next().await?;
            store::make_tables(e.app()).await?;
            if store::has_rows(e.app()).await? { used.is_used(e.app()) } else { Ok(()) }
        }
    });
    let collector = collector.clone();
    setup.app().on_terminate().bind(move |e| {
        let collector = collector.clone();
        async move {
            collector.end(e.app()).await;
            e.next().await
        }
    });
}

fn natives(setup: &Setup) -> Result<()> {
    setup.native(
        Native::new("$analytics.track")
            .doc("Counts an event; whether it was counted.")
            .param("event", "{ [key: string]: any }", "as the REST API has it, and `userAgent`")
            .returns("boolean")
            .run_sync(|app, args| {
                Ok(get_analytics(app).push(args.first().unwrap_or(&Value::Null)).into())
            }),
    )
}

#[allow(clippy::cast_precision_loss, reason = "metrics are floats")]
fn metrics(setup: &Setup, collector: &Arc<Collector>) {
    let counter = |name, help, read: fn(&Collector) -> &AtomicU64| {
        let c = collector.clone();
        setup.metrics(name, help, MetricKind::Counter, move || {
            vec![Sample::new(read(&c).load(Relaxed) as f64)]
        });
    };
    counter("analytics_events", "Events that were counted.", |c| &c.n_accepted);
    counter("analytics_dropped", "Events that there was no memory for.", |c| &c.n_dropped);
    counter("analytics_raw_dropped", "Lines of raw logs that there was no room for.", |c| {
        &c.n_lines_dropped
    });
    counter("analytics_write_failures", "Writes that failed.", |c| &c.n_failures);
    let c = collector.clone();
    let bytes = move || c.bytes() as f64;
    setup.metric("analytics_waiting_bytes", "What waits to be written, in bytes.", bytes);
}
