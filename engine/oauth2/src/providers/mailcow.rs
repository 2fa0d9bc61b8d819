//! mailcow accounts; all addresses must be configured. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, active},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "mailcow",
    display_name: "mailcow",
    tile: ("#b58800", "mc"),
    scopes: &["profile"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    active(info.int("active")? == 1)?;
    let username = info.text("username")?;
    Ok(User {
        id: info.text("id")?,
        name: info.text("full_name")?,
        username: username.split('@').next().unwrap_or("").to_owned(),
        email: info.text("email")?,
        ..User::default()
    })
}
