//! Linear accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Ask, Provider, active},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "linear",
    display_name: "Linear",
    tile: ("#5e6ad2", "L"),
    auth_url: "https://linear.app/oauth/authorize",
    token_url: "https://api.linear.app/oauth/token",
    user_info_url: "https://api.linear.app/graphql",
    scopes: &["read"],
    pkce: false,
    ask: Ask::Graphql("query Me { viewer { id displayName name email avatarUrl active } }"),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let viewer = answer.info.at("data")?.at("viewer")?;
    active(viewer.flag("active")?)?;
    Ok(User {
        id: viewer.text("id")?,
        name: viewer.text("name")?,
        username: viewer.text("displayName")?,
        avatar_url: viewer.text("avatarUrl")?,
        email: viewer.text("email")?,
        ..User::default()
    })
}
