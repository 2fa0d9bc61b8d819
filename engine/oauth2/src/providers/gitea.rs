//! Gitea and Forgejo accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Emails, Provider, active, emails_url, out_of_reach, verified_primary},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "gitea",
    display_name: "Gitea/Forgejo",
    tile: ("#609926", "G"),
    auth_url: "https://gitea.com/login/oauth/authorize",
    token_url: "https://gitea.com/login/oauth/access_token",
    user_info_url: "https://gitea.com/api/v1/user",
    scopes: &["read:user", "user:email"],
    emails: Some(Emails { url: emails_url, none: out_of_reach, pick: verified_primary }),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    active(info.flag("active")?)?;
    Ok(User {
        id: info.int("id")?.to_string(),
        name: info.text("full_name")?,
        username: info.text("login")?,
        avatar_url: info.text("avatar_url")?,
        ..User::default()
    })
}
