//! monday.com accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Ask, Provider, active, trusted},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "monday",
    display_name: "monday.com",
    tile: ("#6161ff", "m"),
    auth_url: "https://auth.monday.com/oauth2/authorize",
    token_url: "https://auth.monday.com/oauth2/token",
    user_info_url: "https://api.monday.com/v2",
    scopes: &["me:read"],
    ask: Ask::Graphql("query { me { id enabled name email is_verified photo_small }}"),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let me = answer.info.at("data")?.at("me")?;
    active(me.flag("enabled")?)?;
    Ok(User {
        id: me.text("id")?,
        name: me.text("name")?,
        avatar_url: me.text("photo_small")?,
        email: trusted(me.text("email")?, me.flag("is_verified")?),
        ..User::default()
    })
}
