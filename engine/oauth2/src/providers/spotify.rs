//! Spotify accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "spotify",
    display_name: "Spotify",
    tile: ("#1db954", "S"),
    auth_url: "https://accounts.spotify.com/authorize",
    token_url: "https://accounts.spotify.com/api/token",
    user_info_url: "https://api.spotify.com/v1/me",
    scopes: &["user-read-private"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    let images = info.list("images")?;
    Ok(User {
        id: info.text("id")?,
        name: info.text("display_name")?,
        avatar_url: match images.first() {
            Some(image) => image.text("url")?,
            None => String::new(),
        },
        ..User::default()
    })
}
