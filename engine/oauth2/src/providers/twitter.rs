//! X/Twitter accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "twitter",
    display_name: "X/Twitter",
    tile: ("#000000", "X"),
    auth_url: "https://x.com/i/oauth2/authorize",
    token_url: "https://api.x.com/2/oauth2/token",
    user_info_url: "https://api.x.com/2/users/me?user.fields=id,name,username,profile_image_url,confirmed_email",
    scopes: &["users.read", "users.email", "tweet.read"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let data = answer.info.at("data")?;
    Ok(User {
        id: data.text("id")?,
        name: data.text("name")?,
        username: data.text("username")?,
        avatar_url: data.text("profile_image_url")?,
        email: data.text("confirmed_email")?,
        ..User::default()
    })
}
