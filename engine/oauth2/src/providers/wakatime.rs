//! WakaTime accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, trusted},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "wakatime",
    display_name: "WakaTime",
    tile: ("#000000", "W"),
    auth_url: "https://wakatime.com/oauth/authorize",
    token_url: "https://wakatime.com/oauth/token",
    user_info_url: "https://wakatime.com/api/v1/users/current",
    scopes: &["email"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let data = answer.info.at("data")?;
    Ok(User {
        id: data.text("id")?,
        name: data.text("display_name")?,
        username: data.text("username")?,
        avatar_url: trusted(data.text("photo")?, data.flag("photo_public")?),
        email: trusted(data.text("email")?, data.flag("is_email_confirmed")?),
        ..User::default()
    })
}
