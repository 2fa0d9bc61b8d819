//! Discord accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, trusted},
    user::User,
    view::{Read, View},
};

pub(super) static PROVIDER: Provider = Provider {
    name: "discord",
    display_name: "Discord",
    tile: ("#5865f2", "D"),
    auth_url: "https://discord.com/api/oauth2/authorize",
    token_url: "https://discord.com/api/oauth2/token",
    user_info_url: "https://discord.com/api/users/@me",
    scopes: &["identify", "email"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    let (id, avatar) = (info.text("id")?, info.text("avatar")?);
    let avatar_url = if avatar.is_empty() {
        String::new()
    } else {
        format!("https://cdn.discordapp.com/avatars/{id}/{avatar}.png")
    };
    Ok(User {
        name: full_name(info)?,
        username: info.text("username")?,
        avatar_url,
        email: trusted(info.text("email")?, info.flag("verified")?),
        id,
        ..User::default()
    })
}

/// The display name, else the account name with its number (old accounts).
fn full_name(info: View<'_>) -> Read<String> {
    let (global, number) = (info.text("global_name")?, info.text("discriminator")?);
    let username = info.text("username")?;
    Ok(match number.as_str() {
        _ if !global.is_empty() => global,
        "" | "0" => username,
        number => format!("{username}#{number}"),
    })
}
