//! Trakt accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Header, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "trakt",
    display_name: "Trakt",
    tile: ("#ed1c24", "T"),
    auth_url: "https://trakt.tv/oauth/authorize",
    token_url: "https://api.trakt.tv/oauth/token",
    user_info_url: "https://api.trakt.tv/users/settings",
    headers: &[
        ("Content-Type", Header::Fixed("application/json")),
        ("trakt-api-key", Header::ClientId),
        ("trakt-api-version", Header::Fixed("2")),
    ],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let user = answer.info.at("user")?;
    Ok(User {
        id: user.at("ids")?.text("uuid")?,
        name: user.text("name")?,
        username: user.text("username")?,
        avatar_url: user.at("images")?.at("avatar")?.text("full")?,
        ..User::default()
    })
}
