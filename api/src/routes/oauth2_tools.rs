//! `POST /api/collections/meta/oauth2-discover` and `POST …/{c}/oauth2-test` (superusers): setting up logins with accounts
//! of other services. Nothing is written.
//!
//! Not part of the reference. Source: spec dashboard §8 A23.

use std::time::Duration;

use engine::{
    FieldError, FieldErrors,
    oauth2::sign_in,
    outbound::{Limits, Reach},
};
use http::{Request, Uri, header};
use serde_json::{Map, Value, json};

use super::auth_oauth2::{Form, fetch};
use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{INVALID, auth_form::auth_collection, h},
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("POST /api/collections/meta/oauth2-discover", h!(discover))
        .op(op("discoverOAuth2", "Collections", "What an OpenID service says of itself")
            .takes("Any")
            .gives("Any"))
        .quiet(),
    Endpoint::new("POST /api/collections/{collection}/oauth2-test", h!(test))
        .op(op("testOAuth2", "Collections", "What a login with a code of a service would do")
            .takes("Any")
            .gives("Any"))
        .quiet(),
];

const DOCUMENT: &str = "/.well-known/openid-configuration";

fn refused(key: &'static str, code: &'static str, message: String) -> ApiError {
    let mut errors = FieldErrors::default();
    errors.set(key, FieldError::new(code, message));
    ApiError::bad_request(INVALID).with_fields(errors)
}

/// What a service says of itself: addresses, scopes, keys.
async fn discover(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let body = Members::of(req).await?;
    let issuer = body.text("issuer")?;
    let issuer = issuer.trim().trim_end_matches(DOCUMENT).trim_end_matches('/');
    if !issuer.starts_with("https://") && !issuer.starts_with("http://") {
        return Err(refused("issuer", "validation_is_url", "must be a valid URL".into()));
    }
    let found = document(req, &format!("{issuer}{DOCUMENT}"), Reach::Configured).await?;
    let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
    // an answer in another's name is none
    if text("issuer").trim_end_matches('/') != issuer {
        let message = format!("the answer is of the issuer {:?}", text("issuer"));
        return Err(refused("issuer", "validation_invalid_issuer", message));
    }
    let words = |name: &str| found.get(name).cloned().unwrap_or_else(|| json!([]));
    let pkce = found["code_challenge_methods_supported"].as_array();
    let keys = match text("jwks_uri") {
        "" => Vec::new(),
        address => {
            // what a foreign answer names is no way into the own network
            let reach = match origin(address).is_some() && origin(address) == origin(issuer) {
                true => Reach::Configured,
                false => Reach::Public,
            };
            keys(&document(req, address, reach).await?)
        }
    };
    let answer = json!({
        "issuer": text("issuer"),
        "authURL": text("authorization_endpoint"),
        "tokenURL": text("token_endpoint"),
        "userInfoURL": text("userinfo_endpoint"),
        "jwksURL": text("jwks_uri"),
        "scopes": words("scopes_supported"),
        "claims": words("claims_supported"),
        "pkce": pkce.is_some_and(|methods| methods.iter().any(|method| method == "S256")),
        "keys": keys,
    });
    Response::of(200, &answer)
}

fn origin(address: &str) -> Option<(String, String)> {
    let uri: Uri = address.parse().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.authority()?.to_string()))
}

async fn document(req: &Req, address: &str, reach: Reach) -> Result<Value> {
    let request = Request::get(address).header(header::ACCEPT, "application/json");
    let request = request.body(bytes::Bytes::new());
    let request = request
        .map_err(|_| refused("issuer", "validation_is_url", "must be a valid URL".into()))?;
    let limits = Limits { reach, time: Duration::from_secs(10), ..Limits::default() };
    let unreachable = |why: String| {
        refused("issuer", "validation_unreachable", format!("no answer from {address}: {why}"))
    };
    let answer = req.app().outbound().send(request, &limits).await;
    let answer = answer.map_err(|error| unreachable(error.to_string()))?;
    if !answer.status().is_success() {
        return Err(unreachable(answer.status().to_string()));
    }
    let found: Option<Value> = serde_json::from_slice(answer.body()).ok();
    found.filter(Value::is_object).ok_or_else(|| unreachable("it is no JSON".into()))
}

/// The public keys, without their numbers.
fn keys(set: &Value) -> Vec<Value> {
    let list = set["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|key| json!({"kid": key["kid"], "kty": key["kty"], "alg": key["alg"]}))
        .collect()
}

/// What a login with this code would do; the code is used up, as it is the service's.
async fn test(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = auth_collection(req)?;
    let body = Members::of(req).await?;
    let form = Form::read(&body)?;
    let client = form.client(req.app(), &collection)?;
    let mut user = Box::pin(fetch(req.app(), &client, &form)).await?;
    // tokens of somebody else's account are not for showing
    user.access_token.clear();
    user.refresh_token.clear();
    // the caller is a superuser: nobody who could be linked
    let ctx = req.ctx(Map::new());
    let located = sign_in::locate(&ctx, &collection, client.provider().name, &user).await?;
    let mapped = &collection.auth.oauth2.mapped_fields;
    let fields: Map<String, Value> = [
        (&mapped.id, &user.id),
        (&mapped.name, &user.name),
        (&mapped.username, &user.username),
        (&mapped.avatar_url, &user.avatar_url),
    ]
    .into_iter()
    .filter(|(target, value)| !target.is_empty() && !value.is_empty())
    .map(|(target, value)| (target.clone(), Value::from(value.as_str())))
    .collect();
    let record = located.record.as_ref().map(engine::record::Record::id);
    let answer = json!({"user": user.to_json(), "fields": fields, "record": record,
        "isNew": located.record.is_none(), "isLinked": located.is_linked});
    Response::of(200, &answer)
}
