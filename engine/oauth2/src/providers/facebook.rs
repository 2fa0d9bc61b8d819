//! Facebook accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "facebook",
    display_name: "Facebook",
    tile: ("#1877f2", "f"),
    auth_url: "https://www.facebook.com/v3.2/dialog/oauth",
    token_url: "https://graph.facebook.com/v3.2/oauth/access_token",
    user_info_url: "https://graph.facebook.com/me?fields=name,email,picture.type(large)",
    scopes: &["email"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.text("id")?,
        name: info.text("name")?,
        email: info.text("email")?,
        avatar_url: info.at("picture")?.at("data")?.text("url")?,
        ..User::default()
    })
}
