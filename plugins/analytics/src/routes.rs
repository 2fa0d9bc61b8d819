//! REST below `/api/analytics`. Source: spec extensions 7.4 and 7.6.

use std::sync::Arc;

use pocketbase::{
    ApiError, App, Description, Json, Middleware, Path, RequestEvent, Response, Result, Router,
    middleware, read_json, unreadable,
};
use serde_json::{Map, Value, json};

use crate::{
    agent::Agent,
    clock::{date_of, day_of, now_millis},
    collector::{Around, Collector, raw_dir},
    config::{AnalyticsConfig, Mode},
    event, raw,
    sketch::Sketch,
    store::{Reader, Sums},
};

const MAX_BODY: u64 = 256 << 10;
const TAG: &str = "Analytics";

/// Adds the routes; without a collector they say that there is nothing.
pub(crate) fn mount(router: &Router, config: &AnalyticsConfig, collector: Option<Arc<Collector>>) {
    let group = router.group("/api/analytics");
    let shown = config_json(config);
    let get = group.get("/config", move || std::future::ready(Json(shown.clone())));
    get.bind(middleware::require_superuser_auth())
        .describe(Description::new(TAG, "How visitors are counted").gives(object()));
    let Some(collector) = collector else {
        let disabled =
            || std::future::ready(Err::<(), _>(ApiError::not_found("Analytics is disabled.")));
        group.post("/events", disabled);
        let reads = ["stats", "top-pages", "top-sources", "devices", "raw-logs", "raw-logs/{date}"];
        for path in reads {
            group.get(&format!("/{path}"), disabled);
        }
        return;
    };
    let c = collector.clone();
    group
        .post("/events", move |e: RequestEvent| {
            let c = c.clone();
            async move { take(&c, &e).await }
        })
        .bind(middleware::body_limit(MAX_BODY))
        .bind(middleware::skip_success_activity_log())
        .describe(
            Description::new(TAG, "Counts what visitors do")
                .for_everybody()
                .takes(events_schema())
                .gives(object())
                .status(202),
        );
    let group = router.group("/api/analytics");
    group.bind(Middleware::new(move |e: RequestEvent| {
        let used = collector.is_used(e.app());
        async move {
            used?;
            e.next().await
        }
    }));
    statistics(&group);
    let get = group.get("/raw-logs", |app: App| async move {
        let dir = raw_dir(&app);
        let dates = tokio::task::spawn_blocking(move || raw::dates(&dir)).await;
        dates.map(|dates| Json(json!({ "dates": dates }))).map_err(pocketbase::Error::other)
    });
    get.bind(middleware::require_superuser_auth())
        .describe(Description::new(TAG, "The days that have raw logs").gives(object()));
    group.get("/raw-logs/{date}", raw_log).bind(middleware::require_superuser_auth()).describe(
        Description::new(TAG, "The raw log of a day")
            .gives(json!({"type": "string", "format": "binary"}))
            .content_type("application/gzip"),
    );
}

fn object() -> Value {
    json!({"type": "object"})
}
fn events_schema() -> Value {
    json!({"type": "object", "properties": {"events": {"type": "array", "items": {
        "type": "object", "required": ["event", "sid"],
        "properties": {
            "event": {"type": "string"}, "path": {"type": "string"}, "sid": {"type": "string"}, "ts": {"type": "integer"},
            "query": {"type": "string"}, "referrer": {"type": "string"}, "title": {"type": "string"},
            "lang": {"type": "string"}, "props": {"type": "object"}, "perf_ms": {"type": "number"},
            "dur": {"type": "number"},
        },
    }}}})
}

fn config_json(config: &AnalyticsConfig) -> Value {
    json!({
        "enabled": config.is_on(),
        "retention": config.retention,
        "flushInterval": config.flush_interval,
        "hasS3": !config.s3_bucket.is_empty(),
        "mode": config.mode.name(),
    })
}

async fn take(collector: &Collector, e: &RequestEvent) -> Result<Response> {
    let user_agent = e.header("user-agent").to_owned();
    let body = e.bytes().await?;
    if Agent::of(&user_agent).is_none() {
        return e.json(202, &json!({"accepted": 0, "message": "bot traffic ignored"}));
    }
    let body: Value = read_json(&body)?;
    let events = match body.as_object().ok_or_else(unreadable)?.get("events") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(events)) => events,
        Some(_) => return Err(unreadable()),
    };
    if events.is_empty() {
        return Err(ApiError::bad_request("No events provided.").into());
    }
    let refuses = |name: &str| e.header(name).trim() == "1";
    if collector.config.mode == Mode::Conditional && (refuses("dnt") || refuses("sec-gpc")) {
        return e.json(202, &json!({"accepted": 0, "total": events.len()}));
    }
    let around = Around {
        user_agent: &user_agent,
        hosts: ["host", "origin"].iter().filter_map(|name| event::host(e.header(name))).collect(),
        uid: e.auth().map(|record| record.id()),
        ip: (collector.config.mode == Mode::Full && collector.config.raw).then(|| e.real_ip()),
    };
    let max = usize::try_from(collector.config.max_events).unwrap_or(usize::MAX);
    let taken = events.iter().take(max).filter(|event| collector.take_json(event, &around));
    let accepted = taken.count();
    e.json(202, &json!({"accepted": accepted, "total": events.len()}))
}

/// The days of `?range=`.
struct Range {
    first: i64,
    last: i64,
}

impl Range {
    fn of(e: &RequestEvent) -> Self {
        let n_days = match e.query("range").as_str() {
            "today" => 0,
            "30d" => 30,
            "90d" => 90,
            _ => 7,
        };
        let last = day_of(now_millis());
        Self { first: last - n_days, last }
    }
    fn start(&self) -> String {
        date_of(self.first)
    }
    fn end(&self) -> String {
        date_of(self.last)
    }
    /// An answer with the range at its end.
    fn answer(&self, fields: &[(&str, Value)]) -> Json<Value> {
        let mut answer = Map::new();
        for (name, value) in fields {
            answer.insert((*name).to_owned(), value.clone());
        }
        answer.insert("startDate".into(), self.start().into());
        answer.insert("endDate".into(), self.end().into());
        Json(answer.into())
    }
}

fn limit(e: &RequestEvent) -> usize {
    e.query("limit").parse().ok().filter(|n| *n > 0).unwrap_or(10_usize).min(100)
}

fn statistics(group: &Router) {
    let about = |summary: &str| {
        let about = Description::new(TAG, summary).gives(object());
        about.query("range", "today, 7d, 30d or 90d; 7d by default")
    };
    let limited =
        |summary: &str| about(summary).query("limit", "how many; 10 by default, 100 at most");
    let superuser = middleware::require_superuser_auth;
    group.get("/stats", stats).bind(superuser()).describe(about("Views and visitors by day"));
    let pages = group.get("/top-pages", |e: RequestEvent| async move {
        let range = Range::of(&e);
        let (start, end) = (range.start(), range.end());
        let found = Reader::new(e.app(), &start, &end).top_pages(limit(&e)).await?;
        let page = |(path, pv, visitors)| json!({"path": path, "pv": pv, "visitors": visitors});
        let pages: Vec<Value> = found.into_iter().map(page).collect();
        Ok::<_, pocketbase::Error>(range.answer(&[("pages", pages.into())]))
    });
    pages.bind(superuser()).describe(limited("The pages with the most views"));
    let sources = group.get("/top-sources", |e: RequestEvent| async move {
        let range = Range::of(&e);
        let (start, end) = (range.start(), range.end());
        let found = Reader::new(e.app(), &start, &end).top_sources(limit(&e)).await?;
        let source = |(source, visitors)| json!({"source": source, "visitors": visitors});
        let sources: Vec<Value> = found.into_iter().map(source).collect();
        Ok::<_, pocketbase::Error>(range.answer(&[("sources", sources.into())]))
    });
    sources.bind(superuser()).describe(limited("Where the most visitors come from"));
    let devices = group.get("/devices", |e: RequestEvent| async move {
        let range = Range::of(&e);
        let (start, end) = (range.start(), range.end());
        let reader = Reader::new(e.app(), &start, &end);
        let named = |found: Vec<(String, u64)>| -> Value {
            let one = |(name, visitors)| json!({"name": name, "visitors": visitors});
            found.into_iter().map(one).collect::<Vec<Value>>().into()
        };
        let browsers = named(reader.devices("browser").await?);
        let os = named(reader.devices("os").await?);
        let devices = named(reader.devices("device").await?);
        let fields = [("browsers", browsers), ("os", os), ("devices", devices)];
        Ok::<_, pocketbase::Error>(range.answer(&fields))
    });
    devices.bind(superuser()).describe(about("Browsers, systems and devices of visitors"));
}

async fn stats(e: RequestEvent) -> Result<Json<Value>> {
    let range = Range::of(&e);
    let (start, end) = (range.start(), range.end());
    let reader = Reader::new(e.app(), &start, &end);
    let days = reader.days().await?;
    let (mut all, mut visitors) = (Sums::default(), Sketch::default());
    let mut daily = Vec::new();
    for date in (range.first..=range.last).map(date_of) {
        let Some(day) = days.get(&date) else {
            daily.push(json!({"date": date, "pv": 0, "uv": 0}));
            continue;
        };
        let seen = reader.visitors_of(&date).await?;
        daily.push(json!({"date": date, "pv": day.views, "uv": seen.count()}));
        visitors.merge(&seen);
        all.views += day.views;
        all.dur_sum += day.dur_sum;
        all.dur_count += day.dur_count;
    }
    let summary = json!({
        "totalPV": all.views,
        "totalUV": visitors.count(),
        // sessions are not followed from page to page
        "bounceRate": 0,
        "avgDur": all.dur_sum.checked_div(all.dur_count).unwrap_or_default(),
    });
    Ok(range.answer(&[("summary", summary), ("daily", daily.into())]))
}

async fn raw_log(e: RequestEvent, Path(date): Path<String>) -> Result<Response> {
    let missing = || ApiError::not_found("");
    let dir = raw_dir(e.app());
    if !raw::is_date(&date) || !raw::file_of(&dir, &date).is_file() {
        return Err(missing().into());
    }
    let name = format!("{date}.ndjson.gz");
    let mut response = e.file_in(&dir, &name).await?;
    for (header, value) in [
        ("content-type", "application/gzip".to_owned()),
        ("content-disposition", format!("attachment; filename=\"{name}\"")),
    ] {
        response.headers.insert(header, value.parse().map_err(pocketbase::Error::other)?);
    }
    Ok(response)
}
