//! Twitch accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Header, Provider},
    user::User,
    view::{Mismatch, Read},
};

pub(super) static PROVIDER: Provider = Provider {
    name: "twitch",
    display_name: "Twitch",
    tile: ("#9146ff", "T"),
    auth_url: "https://id.twitch.tv/oauth2/authorize",
    token_url: "https://id.twitch.tv/oauth2/token",
    user_info_url: "https://api.twitch.tv/helix/users",
    scopes: &["user:read:email"],
    headers: &[("Client-Id", Header::ClientId)],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let users = answer.info.list("data")?;
    let user = users.first().ok_or(Mismatch("there is no user in the answer"))?;
    Ok(User {
        id: user.text("id")?,
        name: user.text("display_name")?,
        username: user.text("login")?,
        avatar_url: user.text("profile_image_url")?,
        email: user.text("email")?,
        ..User::default()
    })
}
