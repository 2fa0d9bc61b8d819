//! `GET …/auth-methods`: how one may sign in. Source: spec auth §3.1.

use engine::{App, auth::random_alnum, oauth2, schema::Loaded};
use serde::Serialize;

use crate::{
    describe::operations::op,
    error::Result,
    request::Req,
    response::Response,
    route::{Endpoint, Rate},
    routes::{auth_form::auth_collection, h},
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("GET /api/collections/{collection}/auth-methods", h!(list))
        .op(op("authMethodsOf", "Auth", "Ways to sign in")
            .everybody()
            .for_auth()
            .query(&["fields"])
            .gives("AuthMethods"))
        .rate(Rate::Collection(&["listAuthMethods"]))];

/// The answer; the order of keys is the wire's. Clients of old versions read the last three.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Methods<'c> {
    password: Password<'c>,
    oauth2: OAuth2,
    mfa: Timed,
    otp: Timed,
    auth_providers: Vec<Provider>,
    username_password: bool,
    email_password: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Password<'c> {
    identity_fields: &'c [String],
    enabled: bool,
}

#[derive(Debug, Serialize)]
struct OAuth2 {
    providers: Vec<Provider>,
    enabled: bool,
}

#[derive(Debug, Serialize)]
struct Timed {
    enabled: bool,
    duration: i64,
}

impl Timed {
    fn new(enabled: bool, duration: i64) -> Self {
        Self { enabled, duration: if enabled { duration } else { 0 } }
    }
}

/// A provider with everything a client needs to send its user there.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Provider {
    name: String,
    display_name: String,
    logo: String,
    state: String,
    #[serde(rename = "authURL")]
    auth_url: String,
    #[serde(rename = "authUrl")]
    auth_url_old: String,
    code_verifier: String,
    code_challenge: String,
    code_challenge_method: String,
}

async fn list(req: &mut Req) -> Result<Response> {
    let collection = auth_collection(req)?;
    Response::of(200, &methods(req.app(), &collection))
}

fn methods<'c>(app: &App, collection: &'c Loaded) -> Methods<'c> {
    let auth = &collection.auth;
    let enabled = auth.password_auth.enabled;
    let identity_fields: &[String] =
        if enabled { &auth.password_auth.identity_fields } else { &[] };
    let has = |name: &str| identity_fields.iter().any(|field| field == name);
    let providers = if auth.oauth2.enabled { providers(app, collection) } else { Vec::new() };
    let without_logo = |provider: &Provider| Provider { logo: String::new(), ..provider.clone() };
    Methods {
        auth_providers: providers.iter().map(without_logo).collect(),
        username_password: has("username"),
        email_password: has("email"),
        password: Password { identity_fields, enabled },
        oauth2: OAuth2 { providers, enabled: auth.oauth2.enabled },
        mfa: Timed::new(auth.mfa.enabled, auth.mfa.duration),
        otp: Timed::new(auth.otp.enabled, auth.otp.duration),
    }
}

/// What cannot be set up is left out.
fn providers(app: &App, collection: &Loaded) -> Vec<Provider> {
    let configured = collection.auth.oauth2.providers.iter();
    configured.filter_map(|config| Some(provider(&oauth2::client(app, config)?))).collect()
}

fn provider(client: &oauth2::Client) -> Provider {
    let state = random_alnum(30);
    let verifier = if client.pkce() { random_alnum(43) } else { String::new() };
    let challenge = client.pkce().then(|| oauth2::challenge(&verifier));
    let auth_url = client.auth_url(&state, challenge.as_deref());
    Provider {
        name: client.provider().name.to_owned(),
        display_name: client.display_name().to_owned(),
        logo: client.provider().logo(),
        state,
        auth_url_old: auth_url.clone(),
        auth_url,
        code_verifier: verifier,
        code_challenge_method: challenge.as_ref().map_or("", |_| "S256").to_owned(),
        code_challenge: challenge.unwrap_or_default(),
    }
}
