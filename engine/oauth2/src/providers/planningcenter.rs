//! Planning Center accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, active},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "planningcenter",
    display_name: "Planning Center",
    tile: ("#2266f7", "PC"),
    auth_url: "https://api.planningcenteronline.com/oauth/authorize",
    token_url: "https://api.planningcenteronline.com/oauth/token",
    user_info_url: "https://api.planningcenteronline.com/people/v2/me",
    scopes: &["people"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let data = answer.info.at("data")?;
    let about = data.at("attributes")?;
    active(about.text("status")? == "active")?;
    Ok(User {
        id: data.text("id")?,
        name: about.text("name")?,
        avatar_url: about.text("avatar")?,
        ..User::default()
    })
}
