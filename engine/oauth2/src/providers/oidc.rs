//! Any service that speaks OpenID Connect; three can be configured per collection. Source: spec auth §9.4.

use serde_json::Value;

use super::super::{
    id_token::Rules,
    provider::{Answer, Ask, Provider, trusted},
    user::User,
    view::Read,
};
use model::schema::options;

pub(super) static PROVIDER: Provider = named("oidc");
pub(super) static SECOND: Provider = named("oidc2");
pub(super) static THIRD: Provider = named("oidc3");

const fn named(name: &'static str) -> Provider {
    Provider {
        name,
        display_name: "OIDC",
        tile: ("#f78c40", "ID"),
        scopes: &["openid", "email", "profile"],
        ask: Ask::GetOrIdToken(rules),
        map,
        ..Provider::BASE
    }
}

fn rules(config: &options::Provider) -> Rules {
    let issuers = match config.extra.get("issuers") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(Into::into).collect(),
        Some(Value::String(text)) => text.split_whitespace().map(Into::into).collect(),
        _ => Vec::new(),
    };
    let jwks_url = config.extra.get("jwksURL").and_then(Value::as_str).unwrap_or("").to_owned();
    Rules { issuers, needs_expiry: false, jwks_url }
}

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.text("sub")?,
        name: info.text("name")?,
        username: info.text("preferred_username")?,
        avatar_url: info.text("picture")?,
        email: trusted(info.text("email")?, info.truthy("email_verified")),
        ..User::default()
    })
}
