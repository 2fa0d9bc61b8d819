//! Notion accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Header, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "notion",
    display_name: "Notion",
    tile: ("#000000", "N"),
    auth_url: "https://api.notion.com/v1/oauth/authorize",
    token_url: "https://api.notion.com/v1/oauth/token",
    user_info_url: "https://api.notion.com/v1/users/me",
    headers: &[("Notion-Version", Header::Fixed("2022-06-28"))],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let user = answer.info.at("bot")?.at("owner")?.at("user")?;
    Ok(User {
        id: user.text("id")?,
        name: user.text("name")?,
        avatar_url: user.text("avatar_url")?,
        email: user.at("person")?.text("email")?,
        ..User::default()
    })
}
