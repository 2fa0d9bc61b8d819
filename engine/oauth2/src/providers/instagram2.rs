//! Instagram accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "instagram2",
    display_name: "Instagram",
    tile: ("#e1306c", "I"),
    auth_url: "https://www.instagram.com/oauth/authorize",
    token_url: "https://api.instagram.com/oauth/access_token",
    user_info_url: "https://graph.instagram.com/me?fields=id,username,account_type,user_id,name,profile_picture_url,followers_count,follows_count,media_count",
    scopes: &["instagram_business_basic"],
    from_token: &["permissions"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.text("user_id")?,
        name: info.text("name")?,
        username: info.text("username")?,
        avatar_url: info.text("profile_picture_url")?,
        ..User::default()
    })
}
