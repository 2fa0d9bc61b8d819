//! Gitee accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Emails, Provider, out_of_reach},
    user::User,
    view::{Read, View},
};
use model::check;

pub(super) static PROVIDER: Provider = Provider {
    name: "gitee",
    display_name: "Gitee",
    tile: ("#c71d23", "G"),
    auth_url: "https://gitee.com/oauth/authorize",
    token_url: "https://gitee.com/oauth/token",
    user_info_url: "https://gitee.com/api/v5/user",
    scopes: &["user_info", "emails"],
    emails: Some(Emails {
        url: |_| "https://gitee.com/api/v5/emails".to_owned(),
        none: out_of_reach,
        pick,
    }),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.int("id")?.to_string(),
        name: info.text("name")?,
        username: info.text("login")?,
        avatar_url: info.text("avatar_url")?,
        email: valid(info.text("email")?),
        ..User::default()
    })
}

fn valid(address: String) -> String {
    if check::is_email(&address) { address } else { String::new() }
}

/// The confirmed primary address; anything but a list means that there is none.
fn pick(answer: View<'_>) -> Read<String> {
    let Ok(items) = answer.items() else { return Ok(String::new()) };
    for item in items {
        let is_primary = item.texts("scope")?.iter().any(|scope| scope == "primary");
        let address = valid(item.text("email")?);
        if is_primary && item.text("state")? == "confirmed" && !address.is_empty() {
            return Ok(address);
        }
    }
    Ok(String::new())
}
