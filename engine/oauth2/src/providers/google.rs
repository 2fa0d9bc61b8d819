//! Google accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, trusted},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "google",
    display_name: "Google",
    tile: ("#4285f4", "G"),
    auth_url: "https://accounts.google.com/o/oauth2/v2/auth",
    token_url: "https://oauth2.googleapis.com/token",
    user_info_url: "https://www.googleapis.com/oauth2/v3/userinfo",
    scopes: &[
        "https://www.googleapis.com/auth/userinfo.profile",
        "https://www.googleapis.com/auth/userinfo.email",
    ],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.text("sub")?,
        name: info.text("name")?,
        avatar_url: info.text("picture")?,
        email: trusted(info.text("email")?, info.flag("email_verified")?),
        ..User::default()
    })
}
