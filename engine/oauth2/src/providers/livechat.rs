//! LiveChat accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, trusted},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "livechat",
    display_name: "LiveChat",
    tile: ("#ff5100", "LC"),
    auth_url: "https://accounts.livechat.com/",
    token_url: "https://accounts.livechat.com/token",
    user_info_url: "https://accounts.livechat.com/v2/accounts/me",
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.text("account_id")?,
        name: info.text("name")?,
        avatar_url: info.text("avatar_url")?,
        email: trusted(info.text("email")?, info.flag("email_verified")?),
        ..User::default()
    })
}
