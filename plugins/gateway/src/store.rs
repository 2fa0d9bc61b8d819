//! The collection `_proxies`: what it looks like, what may be saved, what is there.

use pocketbase::{App, Collection, Error, FieldError, FieldErrors, Record, Result};
use serde_json::{Value, json};

use crate::{path, proxy};

/// Its name.
pub(crate) const PROXIES: &str = "_proxies";
/// What `timeout` is when nobody has said it.
const TIMEOUT: f64 = 30.0;

fn collection() -> Result<Collection> {
    let mut fields = json!([
        {"name": "path", "type": "text", "required": true, "min": 2, "max": 500},
        {"name": "upstream", "type": "url", "required": true},
        {"name": "stripPath", "type": "bool"},
        {"name": "accessRule", "type": "text", "max": 2000},
        {"name": "headers", "type": "json", "maxSize": 10000},
        {"name": "timeout", "type": "number", "min": 1, "max": 300},
        {"name": "active", "type": "bool"},
        {"name": "maxConcurrent", "type": "number", "min": 0, "max": 10000, "onlyInt": true},
        {"name": "circuitBreaker", "type": "json", "maxSize": 1000},
        {"name": "timeoutConfig", "type": "json", "maxSize": 1000},
        {"name": "passHeaders", "type": "json", "maxSize": 2000},
        {"name": "maxBodySize", "type": "number", "min": 0, "onlyInt": true},
        {"name": "created", "type": "autodate", "onCreate": true},
        {"name": "updated", "type": "autodate", "onCreate": true, "onUpdate": true},
    ]);
    for field in fields.as_array_mut().into_iter().flatten() {
        field["system"] = true.into();
    }
    let made = json!({"name": PROXIES, "type": "base", "system": true, "fields": fields});
    Ok(Collection::from_json(&made)?.index("idx_proxies_path", true, "`path`", "").index(
        "idx_proxies_active",
        false,
        "`active`",
        "",
    ))
}

/// Makes the collection where it is missing, and the fields that it lacks. Several nodes may do that at a time.
pub(crate) async fn ensure(app: &App) -> Result<()> {
    let wanted = collection()?;
    let there = match app.find_collection(PROXIES).await {
        Ok(there) => there,
        Err(error) if error.is_not_found() => {
            let Err(error) = app.save(&wanted).await else { return Ok(()) };
            // another node was faster
            app.reload_cached_collections().await?;
            return app.find_collection(PROXIES).await.map(|_| ()).map_err(|_| error);
        }
        Err(error) => return Err(error),
    };
    let known = there.field_names();
    let missing: Vec<_> = wanted
        .fields()
        .into_iter()
        .filter(|field| !known.iter().any(|name| name == field.name()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    for field in missing {
        there.fields_add(field);
    }
    app.save(&there).await
}

/// Adds the fields that a collection which is there lacks.
pub(crate) async fn widen(app: &App) -> Result<()> {
    if is_there(app).await? { ensure(app).await } else { Ok(()) }
}

/// True if somebody has asked for the collection before; asking so does not make it.
async fn is_there(app: &App) -> Result<bool> {
    let all = app.find_all_collections::<1>(["base"]).await?;
    Ok(all.iter().any(|collection| collection.name() == PROXIES))
}

/// Somebody has saved a proxy: the collection is there, even if the news of it come later.
pub(crate) async fn catch_up(app: &App) -> Result<()> {
    if is_there(app).await? { Ok(()) } else { app.reload_cached_collections().await }
}

/// All that are to be served; none before somebody has asked for the collection.
pub(crate) async fn all(app: &App) -> Result<Vec<Record>> {
    match app.find_all_records(PROXIES, ()).await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        found => found,
    }
}

/// Fills in what a request that creates a record has not named.
pub(crate) fn fill_in(record: &Record, body: &serde_json::Map<String, Value>) {
    for name in ["stripPath", "active"] {
        if !body.contains_key(name) {
            record.set(name, true);
        }
    }
}

/// Brings what is about to be saved into its form, and checks it.
///
/// # Errors
/// By field.
pub(crate) fn check(app: &App, record: &Record) -> Result<(), FieldErrors> {
    if record.get_float("timeout") == 0.0 {
        record.set("timeout", TIMEOUT);
    }
    let mut errors = FieldErrors::default();
    let given = record.get_str("path");
    if !given.is_empty() {
        match path::refusal(&given) {
            Some(why) => errors.set("path", FieldError::new("validation_invalid_proxy_path", why)),
            None => {
                record.set("path", given.trim_end_matches('/'));
            }
        }
    }
    let upstream = record.get_str("upstream");
    if !upstream.is_empty()
        && let Err(why) = proxy::read_upstream(&upstream)
    {
        errors.set("upstream", FieldError::new("validation_invalid_proxy_upstream", why));
    }
    let rule = record.get_str("accessRule");
    if proxy::Rule::read(&rule).is_expression()
        && let Err(Error::Validation(found)) = app.check_rule("accessRule", &rule)
        && let Some(fault) = found.0.get("accessRule")
    {
        errors.set("accessRule", fault.clone());
    }
    let parts: [(&str, Check); 4] = [
        ("headers", |value| proxy::read_headers(value).map(|_| ())),
        ("passHeaders", |value| proxy::read_passed(value).map(|_| ())),
        ("circuitBreaker", |value| proxy::read_breaker(value).map(|_| ())),
        ("timeoutConfig", |value| proxy::read_times(value).map(|_| ())),
    ];
    for (name, read) in parts {
        if let Err(why) = read(&json_of(record, name)) {
            errors.set(name, FieldError::new("validation_invalid_proxy_config", why));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Why a JSON field cannot be used.
type Check = fn(&Value) -> Result<(), String>;

/// A JSON field; null if it is empty.
pub(crate) fn json_of(record: &Record, name: &str) -> Value {
    record.get::<Value>(name).unwrap_or_default()
}
