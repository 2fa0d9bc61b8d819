//! Strava accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "strava",
    display_name: "Strava",
    tile: ("#fc4c02", "S"),
    auth_url: "https://www.strava.com/oauth/authorize",
    token_url: "https://www.strava.com/api/v3/oauth/token",
    user_info_url: "https://www.strava.com/api/v3/athlete",
    scopes: &["profile:read_all"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    let id = info.int("id")?;
    Ok(User {
        id: if id == 0 { String::new() } else { id.to_string() },
        name: format!("{} {}", info.text("firstname")?, info.text("lastname")?),
        username: info.text("username")?,
        avatar_url: info.text("profile")?,
        ..User::default()
    })
}
