//! Box accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, active},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "box",
    display_name: "Box",
    tile: ("#0061d5", "b"),
    auth_url: "https://account.box.com/api/oauth2/authorize",
    token_url: "https://api.box.com/oauth2/token",
    user_info_url: "https://api.box.com/2.0/users/me",
    scopes: &["root_readonly"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    active(info.text("status")? == "active")?;
    Ok(User {
        id: info.text("id")?,
        name: info.text("name")?,
        avatar_url: info.text("avatar_url")?,
        email: info.text("login")?,
        ..User::default()
    })
}
