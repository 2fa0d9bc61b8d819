//! REST: sign-in, redirects, status. Source: spec extensions 6.4, 6.6.

use std::{net::IpAddr, sync::Arc};

use pocketbase::{
    ApiError, Description, Error, RequestEvent, Response, Result, Router, middleware, text::masked,
};
use serde_json::{Map, Value, json};

use crate::{
    accounts::{self, Missing},
    gate::Gate,
    identity::{Reason, Signed, TofIdentity},
    redirects::{allowed, escaped},
    store::until_ms,
};

const SUPERUSERS: &str = "_superusers";
/// Headers of whoever forwards requests.
const FORWARDING: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
    "cf-connecting-ip",
    "true-client-ip",
    "fly-client-ip",
];
const NO_URL: &str = "Missing url param in query string.";

/// Adds the routes.
pub(crate) fn mount(router: &Router, gate: &Arc<Gate>) {
    let path = "/api/collections/{collection}/auth-with-tof";
    let g = gate.clone();
    let by_get = router.get(path, move |e: RequestEvent| sign_in(e, g.clone()));
    by_get.describe(about("authWithTof", SIGN_IN).for_everybody().gives(login()));
    let g = gate.clone();
    let by_post = router.post(path, move |e: RequestEvent| sign_in(e, g.clone()));
    by_post.describe(about("postAuthWithTof", SIGN_IN).for_everybody().gives(login()));
    let group = router.group(&gate.config.route_prefix);
    let g = gate.clone();
    let out = group.get("/logout", move |e: RequestEvent| {
        let g = g.clone();
        async move { logout(&e, &g) }
    });
    let about_out = about("tofLogout", "Leads to the passport service, which signs out.");
    out.describe(
        about_out.for_everybody().query("url", URL).query("appkey", "another app").status(307),
    );
    let g = gate.clone();
    let through = group.get("/redirect", move |e: RequestEvent| {
        let g = g.clone();
        async move { redirect(&e, &g) }
    });
    let about_through =
        about("tofRedirect", "Leads to an address, or to the sign-in of the passport service.");
    through.describe(about_through.for_everybody().query("url", URL).status(307));
    let g = gate.clone();
    let status = group.get("/status", move |e: RequestEvent| {
        let g = g.clone();
        async move { status(&e, &g) }
    });
    status
        .bind(middleware::require_superuser_auth())
        .describe(about("tofStatus", "How the plugin is set up, with masked keys.").gives(shape()));
}

const SIGN_IN: &str = "Signs in whom the headers of the gateway name.";
const URL: &str = "where to go then";

fn about(id: &str, summary: &str) -> Description {
    Description::new("TOF", summary).id(id)
}

fn login() -> Value {
    let object = json!({"type": "object"});
    json!({"type": "object", "properties": {"record": object, "token": {"type": "string"}, "meta": object}})
}

fn shape() -> Value {
    let text = json!({"type": "string"});
    json!({"type": "object", "properties": {
        "enabled": {"type": "boolean"}, "appKey": text, "appToken": text, "devMockUser": text}})
}

fn signed(e: &RequestEvent) -> Signed<'_> {
    Signed {
        identity: e.header("x-tai-identity"),
        timestamp: e.header("timestamp"),
        signature: e.header("signature"),
        seq: e.header("x-rio-seq"),
        staffid: e.header("staffid"),
        staffname: e.header("staffname"),
        ext_data: e.header("x-ext-data"),
    }
}

async fn sign_in(e: RequestEvent, gate: Arc<Gate>) -> Result<Response> {
    let name = e.path_value("collection");
    let collection = match e.app().find_collection(name.as_str()).await {
        Ok(collection) => collection,
        Err(error) if error.is_not_found() => {
            return Err(ApiError::not_found(format!("Collection '{name}' not found.")).into());
        }
        Err(error) => return Err(error),
    };
    if !collection.is_auth() {
        return Err(ApiError::bad_request("The collection is not an auth collection.").into());
    }
    if !gate.config.is_for(collection.name().as_str()) {
        let message = "The collection is not configured to allow TOF authentication.";
        return Err(ApiError::forbidden(message).into());
    }
    let headers = signed(&e);
    let identity = if headers.is_incomplete() {
        let mock = if collection.name() == SUPERUSERS { None } else { mock(&e, &gate) };
        mock.ok_or_else(|| ApiError::unauthorized("Missing TOF params in http header."))?
    } else {
        let now = crate::now_ms();
        let identity = headers.verify(&gate.config, now).map_err(refused)?;
        let until = until_ms(gate.config.checks_timestamp(), identity.ends_ms(), now);
        if !gate.config.allow_replay
            && !gate.seen.is_first(e.app(), headers.signature, now, until).await?
        {
            return Err(refused(Reason::Replayed));
        }
        identity
    };
    let found = accounts::account(e.app(), &collection, &identity, &gate.config.email_domain).await;
    let record = found.map_err(|missing| answer(&e, missing))?;
    gate.counts.signed_in();
    let meta = json!({"tofIdentity": identity.to_json()});
    // it has a token, and may have been asked for by GET
    e.set_header("Cache-Control", "no-store");
    e.record_auth_response(&record, "tof", meta).await
}

/// The answer to what is not believed.
pub(crate) fn refused(reason: Reason) -> Error {
    ApiError::unauthorized(format!("TOF identity verification failed: {reason}.")).into()
}

fn answer(e: &RequestEvent, missing: Missing) -> Error {
    match missing {
        Missing::Superuser(email) => {
            e.bad_request_error(&format!("_superusers does not contain user with email: {email}."))
        }
        Missing::Taken => refused(Reason::Identity),
        Missing::Invalid(error) => {
            let mut told = ApiError::from(error);
            told.message = "Failed to create new user.".into();
            told.into()
        }
        Missing::Other(error) => error,
    }
}

/// True for a host, or an origin, of this machine. A page of elsewhere that a browser on this machine shows can ask, too: its
/// `Origin` names it, or, where its name leads to this machine, its `Host` does.
fn is_local(host_or_origin: &str) -> bool {
    let host = host_or_origin.split_once("://").map_or(host_or_origin, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = host.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The identity of development: with `--dev`, and from this machine without anybody in between.
fn mock(e: &RequestEvent, gate: &Gate) -> Option<TofIdentity> {
    let user = gate.config.dev_mock_user.as_str();
    let is_here = e.remote_ip().parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    let is_forwarded = FORWARDING.iter().any(|name| e.headers().contains_key(*name));
    let names = ["host", "origin"].map(|name| e.header(name));
    let is_foreign = names.iter().any(|name| !name.is_empty() && !is_local(name));
    if user.is_empty() || !e.app().is_dev() || !is_here || is_forwarded || is_foreign {
        return None;
    }
    e.app().logger().warn("A request without TOF headers is taken for the mock user.", &[]);
    Some(TofIdentity {
        loginname: user.to_owned(),
        staffid: 9_999_999,
        expiration: "2099-12-31T23:59:59Z".into(),
        ticket: Some("MOCK_TICKET".into()),
    })
}

fn target(e: &RequestEvent, gate: &Gate) -> Result<String> {
    let given = e.query("url");
    if given.is_empty() {
        return Err(ApiError::bad_request(NO_URL).into());
    }
    let app_url = e.app().settings()?.meta.app_url.clone();
    let target = allowed(&gate.config, &app_url, &given);
    target.ok_or_else(|| ApiError::bad_request("The url is not allowed.").into())
}

fn logout(e: &RequestEvent, gate: &Gate) -> Result<Response> {
    let target = target(e, gate)?;
    let given = e.query("appkey");
    let key = if given.is_empty() { gate.config.app_key.as_str() } else { &given };
    e.set_header("Cache-Control", "no-cache");
    let (passport, key, url) = (&gate.config.passport_url, escaped(key), escaped(&target));
    e.redirect(
        307,
        &format!(
            "{passport}/modules/passport/signout.ashx?oauth=true&appkey={key}&nosignin=1&url={url}"
        ),
    )
}

fn redirect(e: &RequestEvent, gate: &Gate) -> Result<Response> {
    let target = target(e, gate)?;
    let headers = signed(e);
    if headers.is_incomplete() {
        if mock(e, gate).is_some() {
            return e.redirect(307, &target);
        }
        let missing = "Missing x-tai-identity/timestamp/signature/x-rio-seq in request header.";
        return Err(ApiError::bad_request(missing).into());
    }
    if headers.verify(&gate.config, crate::now_ms()).is_ok() {
        return e.redirect(307, &target);
    }
    let (passport, key, url) =
        (&gate.config.passport_url, escaped(&gate.config.app_key), escaped(&target));
    e.redirect(
        307,
        &format!("{passport}/modules/passport/signin.ashx?oauth=true&appkey={key}&url={url}"),
    )
}

fn status(e: &RequestEvent, gate: &Gate) -> Result<Response> {
    let mut shown = Map::new();
    shown.insert("enabled".into(), true.into());
    shown.insert("appKey".into(), masked(&gate.config.app_key).into());
    shown.insert("appToken".into(), masked(&gate.config.app_token).into());
    if !gate.config.dev_mock_user.is_empty() {
        shown.insert("devMockUser".into(), gate.config.dev_mock_user.as_str().into());
    }
    e.json(200, &Value::Object(shown))
}

#[cfg(test)]
mod tests {
    #[test]
    fn hosts_and_origins_of_this_machine() {
        for (name, is_local) in [
            ("localhost", true),
            ("LocalHost:8090", true),
            ("app.localhost:5173", true),
            ("127.0.0.1:8090", true),
            ("127.8.0.1", true),
            ("[::1]:8090", true),
            ("http://localhost:5173", true),
            ("https://[::1]", true),
            ("evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://evil.example:80", false),
            ("10.0.0.1", false),
            ("null", false),
            ("localhost@evil.example", false),
            ("notlocalhost", false),
        ] {
            assert_eq!(super::is_local(name), is_local, "{name}");
        }
    }
}
