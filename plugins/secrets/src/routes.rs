//! REST below `/api/secrets`, for superusers. Source: spec extensions 2.7.
//!
//! Without a master key every route says so, to everybody. Values leave by one route only, which nobody may cache.

use pocketbase::{
    ApiError, Description, Error, IntoResponse, Json, LogAttrs, NoContent, Path, Query,
    RequestEvent, Response, Result, Router, middleware, read_json, unreadable,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    get_store,
    store::{Secret, Set, Store},
};

const DISABLED: &str =
    "Secrets feature is disabled. Please set PB_MASTER_KEY environment variable.";
/// Values of fewer characters are not shown in part.
const MIN_SHOWN: usize = 12;

#[derive(Deserialize)]
struct InEnv {
    #[serde(default)]
    env: String,
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    key: String,
    value: Option<String>,
    env: Option<String>,
    description: Option<String>,
}

/// Adds the routes.
pub(crate) fn mount(router: &Router) {
    let group = router.group("/api/secrets");
    group.bind(pocketbase::Middleware::new(enabled).id("secretsEnabled").priority(-2_000));
    group.bind(middleware::require_superuser_auth());
    let about = |id: &str, summary: &str| Description::new("Secrets", summary).id(id);
    let all = schema(&["items:array", "total:integer"]);
    group.get("", list).describe(about("listSecrets", "All secrets, masked").gives(all));
    group.post("", create).describe(
        about("setSecret", "Sets a secret")
            .takes(schema(&["key", "value", "env?", "description?"]))
            .gives(schema(&["key", "env", "message"])),
    );
    group.get("/{key}", view).describe(
        about("readSecret", "The value of a secret")
            .query("env", ENV)
            .gives(schema(&["key", "value", "env"])),
    );
    group.put("/{key}", update).describe(
        about("updateSecret", "Changes a secret; makes it when it is missing")
            .takes(schema(&["value?", "env?", "description?"]))
            .gives(schema(&["key", "message"])),
    );
    let gone = about("deleteSecret", "Deletes a secret, if there is one").query("env", ENV);
    group.delete("/{key}", delete).describe(gone);
}

/// The JSON schema of an object: `name`, `name?`, `name:type`.
fn schema(properties: &[&str]) -> Value {
    let (mut all, mut required) = (serde_json::Map::new(), Vec::new());
    for property in properties {
        let (name, kind) = property.split_once(':').unwrap_or((property, "string"));
        let needed = name.trim_end_matches('?');
        if needed == name {
            required.push(name);
        }
        all.insert(needed.to_owned(), json!({ "type": kind }));
    }
    json!({ "type": "object", "properties": all, "required": required })
}

const ENV: &str = "The environment; the default one without it.";

async fn enabled(e: RequestEvent) -> Result<Response> {
    if !e.app().crypto().is_enabled() {
        return e.json(503, &json!({ "message": DISABLED }));
    }
    e.next().await
}

fn store(e: &RequestEvent) -> Result<Store> {
    get_store(e.app()).ok_or(Error::NotFound)
}

/// What the log keeps of a change: never the value.
fn audit(e: &RequestEvent, action: &str, key: &str, env: &str) {
    let actor = e.auth().map(|record| record.id()).unwrap_or_default();
    let attrs: &LogAttrs<'_> = &[
        ("action", action.into()),
        ("key", key.into()),
        ("env", env.into()),
        ("actor", actor.into()),
    ];
    e.app().logger().info(&format!("Secret {action}"), attrs);
}

async fn body(e: &RequestEvent) -> Result<Given> {
    read_json(&e.bytes().await.map_err(|_| unreadable())?)
}

async fn list(e: RequestEvent) -> Result<Json<Value>> {
    let all = store(&e)?.list().await?;
    let items: Vec<Value> = all.iter().map(shown).collect();
    let total = items.len();
    Ok(Json(json!({ "items": items, "total": total })))
}

/// RFC 3339, as lists of secrets have it.
fn moment(date: &str) -> String {
    date.replacen(' ', "T", 1)
}

fn shown(secret: &Secret) -> Value {
    let mut item = json!({
        "id": secret.id,
        "key": secret.key,
        "masked_value": masked(secret.value.as_deref().unwrap_or_default()),
        "env": secret.env,
        "description": secret.description,
        "created": moment(&secret.created),
        "updated": moment(&secret.updated),
    });
    if secret.value.is_err() {
        item["error"] = "decryption_failed".into();
    }
    item
}

fn masked(plain: &str) -> String {
    if plain.chars().count() < MIN_SHOWN {
        return "***".to_owned();
    }
    plain.chars().take(4).chain("***".chars()).collect()
}

fn with(mut set: Set, given: &Given) -> Set {
    if let Some(env) = &given.env {
        set = set.env(env.as_str());
    }
    if let Some(description) = &given.description {
        set = set.description(description.as_str());
    }
    set
}

async fn create(e: RequestEvent) -> Result<Json<Value>> {
    let (given, store) = (body(&e).await?, store(&e)?);
    let value = given.value.as_deref().unwrap_or_default();
    with(store.set(&given.key, value), &given).await?;
    let env = store.env(given.env.as_deref());
    audit(&e, "set", &given.key, env);
    Ok(Json(json!({ "key": given.key, "env": env, "message": "Secret created successfully" })))
}

async fn view(
    e: RequestEvent,
    Path(key): Path<String>,
    Query(of): Query<InEnv>,
) -> Result<Response> {
    let found = match store(&e)?.find(&key, &of.env).await {
        Err(error) if error.is_not_found() => {
            return Err(ApiError::not_found("Secret not found.").into());
        }
        found => found?,
    };
    let Ok(value) = found.value else {
        e.app().logger().error("Failed to decrypt a secret.", &[("key", key.into())]);
        return Err(ApiError::new(500, "Failed to get secret.").into());
    };
    audit(&e, "read", &key, &found.env);
    e.set_header("Cache-Control", "no-store");
    e.json(200, &json!({ "key": key, "value": value, "env": found.env }))
}

/// Without a value the one that it has stays; a secret that is missing is made.
async fn update(e: RequestEvent, Path(key): Path<String>) -> Result<Json<Value>> {
    let (given, store) = (body(&e).await?, store(&e)?);
    let set = match &given.value {
        Some(value) => store.set(&key, value),
        None => store.describe(&key),
    };
    with(set, &given).await?;
    audit(&e, "set", &key, store.env(given.env.as_deref()));
    Ok(Json(json!({ "key": key, "message": "Secret updated successfully" })))
}

async fn delete(
    e: RequestEvent,
    Path(key): Path<String>,
    Query(of): Query<InEnv>,
) -> Result<Response> {
    let store = store(&e)?;
    store.delete_for_env(&key, &of.env).await?;
    audit(&e, "deleted", &key, store.env(Some(&of.env)));
    NoContent.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (plain, want) in [
            ("", "***"),
            ("elevenchars", "***"),
            ("twelve chars", "twel***"),
            ("äöüßäöüßäöüß", "äöüß***"),
        ] {
            assert_eq!(masked(plain), want);
        }
    }
}
