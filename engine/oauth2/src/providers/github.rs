//! GitHub accounts: the address of the profile is not verified, the one of the list is. Source: spec auth §9.

use super::super::{
    provider::{Answer, Emails, Provider, emails_url, out_of_reach, verified_primary},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "github",
    display_name: "GitHub",
    tile: ("#24292f", "GH"),
    auth_url: "https://github.com/login/oauth/authorize",
    token_url: "https://github.com/login/oauth/access_token",
    user_info_url: "https://api.github.com/user",
    scopes: &["read:user", "user:email"],
    emails: Some(Emails { url: emails_url, none: out_of_reach, pick: verified_primary }),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.int("id")?.to_string(),
        name: info.text("name")?,
        username: info.text("login")?,
        avatar_url: info.text("avatar_url")?,
        ..User::default()
    })
}
