//! VK accounts: the address comes with the token. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider},
    user::User,
    view::{Mismatch, Read},
};

pub(super) static PROVIDER: Provider = Provider {
    name: "vk",
    display_name: "ВКонтакте",
    tile: ("#0077ff", "VK"),
    auth_url: "https://oauth.vk.com/authorize",
    token_url: "https://oauth.vk.com/access_token",
    user_info_url: "https://api.vk.com/method/users.get?fields=photo_max,screen_name&v=5.131",
    scopes: &["email"],
    pkce: false,
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let users = answer.info.list("response")?;
    let user = users.first().ok_or(Mismatch("there is no user in the answer"))?;
    let (first, last) = (user.text("first_name")?, user.text("last_name")?);
    Ok(User {
        id: user.int("id")?.to_string(),
        name: format!("{first} {last}").trim().to_owned(),
        username: user.text("screen_name")?,
        avatar_url: user.text("photo_max")?,
        email: answer.token.text("email").to_owned(),
        ..User::default()
    })
}
