//! GitLab accounts. Source: spec auth §9.

use super::super::{
    provider::{Answer, Provider, trusted},
    user::User,
    view::Read,
};

pub(super) static PROVIDER: Provider = Provider {
    name: "gitlab",
    display_name: "GitLab",
    tile: ("#fc6d26", "GL"),
    auth_url: "https://gitlab.com/oauth/authorize",
    token_url: "https://gitlab.com/oauth/token",
    user_info_url: "https://gitlab.com/api/v4/user",
    scopes: &["read_user"],
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.int("id")?.to_string(),
        name: info.text("name")?,
        username: info.text("username")?,
        avatar_url: info.text("avatar_url")?,
        email: trusted(info.text("email")?, is_date(&info.text("confirmed_at")?)),
        ..User::default()
    })
}

/// True for a moment that is not the zero date.
fn is_date(text: &str) -> bool {
    primitives::time::parse_rfc3339(text).is_some()
}
