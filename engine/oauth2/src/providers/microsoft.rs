//! Microsoft accounts, personal and Entra; which address counts is configured (§9.5). Source: spec auth §9.

use serde_json::Value;

use super::super::{
    id_token::claims_in_time,
    provider::{Answer, Provider, trusted},
    user::User,
    view::{Read, View},
};

pub(super) static PROVIDER: Provider = Provider {
    name: "microsoft",
    display_name: "Microsoft",
    tile: ("#00a4ef", "M"),
    auth_url: "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
    token_url: "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    user_info_url: "https://graph.microsoft.com/v1.0/me",
    scopes: &["User.Read"],
    extra_scope: Some(("idTokenEmailClaim", "openid")),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.text("id")?,
        name: info.text("displayName")?,
        email: email(answer)?,
        ..User::default()
    })
}

fn email(answer: &Answer<'_>) -> Read<String> {
    let mail = answer.info.text("mail")?;
    let source = answer.extra.get("idTokenEmailClaim");
    let source = source.and_then(Value::as_str).unwrap_or("");
    if !["email", "email_and_xms_edov", "verified_primary_email", "any_verified"].contains(&source)
    {
        return Ok(mail);
    }
    // The token came from Microsoft over TLS: only its time is checked; an unusable one means "no address".
    let claims = claims_in_time(answer.token.text("id_token"), answer.leeway);
    let Ok(claims) = claims else { return Ok(String::new()) };
    let claims = Value::Object(claims.0);
    let claims = View::of(&claims);
    let text = |name: &str| claims.text(name).unwrap_or_default();
    let owned = || trusted(text("email"), claims.truthy("xms_edov"));
    Ok(match source {
        "email" => text("email"),
        "email_and_xms_edov" => owned(),
        "verified_primary_email" => text("verified_primary_email"),
        _ => match text("verified_primary_email") {
            primary if primary.is_empty() => owned(),
            primary => primary,
        },
    })
}
