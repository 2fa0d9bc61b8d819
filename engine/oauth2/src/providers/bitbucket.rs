//! Bitbucket accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Emails, Provider, active, emails_url},
    user::User,
    view::{Read, View},
};

pub(super) static PROVIDER: Provider = Provider {
    name: "bitbucket",
    display_name: "Bitbucket",
    tile: ("#0052cc", "B"),
    auth_url: "https://bitbucket.org/site/oauth2/authorize",
    token_url: "https://bitbucket.org/site/oauth2/access_token",
    user_info_url: "https://api.bitbucket.org/2.0/user",
    scopes: &["account"],
    pkce: false,
    emails: Some(Emails { url: emails_url, none: |status| status >= 400, pick }),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    active(info.text("account_status")? == "active")?;
    Ok(User {
        id: info.text("uuid")?,
        name: info.text("display_name")?,
        username: info.text("username")?,
        avatar_url: info.at("links")?.at("avatar")?.text("href")?,
        ..User::default()
    })
}

fn pick(answer: View<'_>) -> Read<String> {
    for item in answer.list("values")? {
        let address = item.text("email")?;
        if item.flag("is_primary")? && item.flag("is_confirmed")? && !address.is_empty() {
            return Ok(address);
        }
    }
    Ok(String::new())
}
