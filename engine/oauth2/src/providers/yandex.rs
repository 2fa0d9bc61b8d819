//! Yandex accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "yandex",
    display_name: "Yandex",
    tile: ("#fc3f1d", "Y"),
    auth_url: "https://oauth.yandex.com/authorize",
    token_url: "https://oauth.yandex.com/token",
    user_info_url: "https://login.yandex.ru/info",
    scopes: &["login:email", "login:avatar", "login:info"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    let avatar = info.text("default_avatar_id")?;
    let avatar_url = if info.flag("is_avatar_empty")? {
        String::new()
    } else {
        format!("https://avatars.yandex.net/get-yapic/{avatar}/islands-200")
    };
    Ok(User {
        id: info.text("id")?,
        name: info.text("real_name")?,
        username: info.text("login")?,
        email: info.text("default_email")?,
        avatar_url,
        ..User::default()
    })
}
