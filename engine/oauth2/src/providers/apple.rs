//! Apple accounts: the claims of the id token are the user. Source: spec auth §9.

use super::super::{
    id_token::Rules,
    provider::{Answer, Ask, Provider, trusted},
    user::User,
    view::Read,
};
use model::schema::options;

pub(super) static PROVIDER: Provider = Provider {
    name: "apple",
    display_name: "Apple",
    tile: ("#000000", "A"),
    auth_url: "https://appleid.apple.com/auth/authorize",
    token_url: "https://appleid.apple.com/auth/token",
    scopes: &["name", "email"],
    auth_params: &[("response_mode", "form_post")],
    ask: Ask::IdToken(rules),
    map,
    ..Provider::BASE
};

fn map(answer: &Answer<'_>) -> Read<User> {
    let info = answer.info;
    Ok(User {
        id: info.text("sub")?,
        name: info.text("name")?,
        email: trusted(info.text("email")?, info.truthy("email_verified")),
        ..User::default()
    })
}

fn rules(_: &options::Provider) -> Rules {
    Rules {
        issuers: vec!["https://appleid.apple.com".into()],
        needs_expiry: true,
        jwks_url: "https://appleid.apple.com/auth/keys".into(),
    }
}
