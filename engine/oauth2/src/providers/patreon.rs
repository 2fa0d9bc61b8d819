//! Patreon accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, trusted},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "patreon",
    display_name: "Patreon",
    tile: ("#f96854", "P"),
    auth_url: "https://www.patreon.com/oauth2/authorize",
    token_url: "https://www.patreon.com/api/oauth2/token",
    user_info_url: "https://www.patreon.com/api/oauth2/v2/identity?fields%5Buser%5D=full_name,email,vanity,image_url,is_email_verified",
    scopes: &["identity", "identity[email]"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let data = answer.info.at("data")?;
    let about = data.at("attributes")?;
    Ok(User {
        id: data.text("id")?,
        name: about.text("full_name")?,
        username: about.text("vanity")?,
        avatar_url: about.text("image_url")?,
        email: trusted(about.text("email")?, about.flag("is_email_verified")?),
        ..User::default()
    })
}
