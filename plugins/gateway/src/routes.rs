//! REST: `GET /api/gateway/metrics` for superusers. Source: spec extensions 4.12.

use std::fmt::Write as _;

use pocketbase::{Description, MetricKind, RequestEvent, Router, Sample, Setup, middleware};
use serde_json::json;

use crate::{
    limits::{BUCKETS, Figures},
    manager::Manager,
};

/// Adds the routes.
pub(crate) fn mount(router: &Router, manager: &Manager) {
    let m = manager.clone();
    router
        .get("/api/gateway/metrics", move |e: RequestEvent| {
            let text = metrics(&m);
            async move { e.blob(200, "text/plain; version=0.0.4; charset=utf-8", text) }
        })
        .bind(middleware::require_superuser_auth())
        .describe(
            Description::new("Gateway", "Figures of all proxies, as Prometheus reads them")
                .id("getGatewayMetrics")
                .gives(json!({"type": "string"})),
        );
}

/// The same for `/api/metrics`, in short.
#[allow(clippy::cast_precision_loss, reason = "metrics are floats")]
pub(crate) fn offer(setup: &Setup, manager: &Manager) {
    let m = manager.clone();
    setup.metrics("gateway_requests", "Requests of proxies.", MetricKind::Counter, move || {
        let table = m.table();
        let all = |figures: Figures| figures.statuses.values().sum::<u64>() as f64;
        table.iter().map(|p| Sample::new(all(p.state.figures())).label("path", &p.path)).collect()
    });
    let m = manager.clone();
    setup.metric("gateway_active_connections", "Requests of proxies that are open.", move || {
        m.table().iter().map(|proxy| proxy.state.active() as f64).sum()
    });
}

/// Name, kind and meaning of a series.
type Series = (&'static str, &'static str, &'static str);

const REQUESTS: Series = ("gateway_requests_total", "counter", "Requests of a proxy.");
const ERRORS: Series =
    ("gateway_errors_total", "counter", "Answers with a status of 500 and more.");
const ACTIVE: Series = ("gateway_active_connections", "gauge", "Requests that are open.");
const BREAKER: Series =
    ("gateway_circuit_breaker_state", "gauge", "0 closed, 1 open, 2 half-open.");
const DURATION: Series =
    ("gateway_request_duration_seconds", "histogram", "From the request to the end of its answer.");

fn metrics(manager: &Manager) -> String {
    if !manager.config().enable_metrics {
        return "# No metrics available\n".to_owned();
    }
    let table = manager.table();
    let all: Vec<(String, Figures)> = table
        .iter()
        .map(|proxy| {
            let path = proxy.path.replace('\\', "\\\\").replace('"', "\\\"");
            (format!("proxy=\"{}\",path=\"{path}\"", proxy.id), proxy.state.figures())
        })
        .collect();
    let mut text = String::new();
    for series in [REQUESTS, ERRORS, ACTIVE, BREAKER, DURATION] {
        let (name, kind, help) = series;
        // writing to a text does not fail
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, figures) in &all {
            for line in lines(series, labels, figures) {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    text
}

fn lines(series: Series, labels: &str, figures: &Figures) -> Vec<String> {
    let name = series.0;
    match series {
        REQUESTS => {
            let each = figures.statuses.iter();
            each.map(|(status, n)| format!("{name}{{{labels},status=\"{status}\"}} {n}")).collect()
        }
        ERRORS => {
            let failed = figures.statuses.iter().filter(|(status, _)| **status >= 500);
            vec![format!("{name}{{{labels}}} {}", failed.map(|(_, n)| n).sum::<u64>())]
        }
        ACTIVE => vec![format!("{name}{{{labels}}} {}", figures.active)],
        BREAKER => vec![format!("{name}{{{labels}}} {}", figures.breaker)],
        _ => histogram(name, labels, figures),
    }
}

fn histogram(name: &str, labels: &str, figures: &Figures) -> Vec<String> {
    let mut n = 0;
    let mut lines = Vec::with_capacity(figures.buckets.len() + 2);
    for (at, in_bucket) in figures.buckets.iter().enumerate() {
        n += in_bucket;
        let bound = BUCKETS.get(at).map_or("+Inf".to_owned(), ToString::to_string);
        lines.push(format!("{name}_bucket{{{labels},le=\"{bound}\"}} {n}"));
    }
    lines.push(format!("{name}_sum{{{labels}}} {}", figures.seconds));
    lines.push(format!("{name}_count{{{labels}}} {n}"));
    lines
}
