//! What a service is: a plain value; one per file in `providers/`. Knows no I/O.

use serde_json::{Map, Value};

use super::{
    id_token::Rules,
    token::Token,
    user::User,
    view::{Mismatch, Read, View},
};
use model::schema::options;

/// A service that users can sign in with (spec auth §9.2).
#[derive(Debug)]
pub struct Provider {
    /// Registered name.
    pub name: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// Color and letters of its drawing.
    pub(super) tile: (&'static str, &'static str),
    pub(super) auth_url: &'static str,
    pub(super) token_url: &'static str,
    pub(super) user_info_url: &'static str,
    pub(super) scopes: &'static [&'static str],
    /// A further scope that is asked for if a text of `extra` is not empty.
    pub(super) extra_scope: Option<(&'static str, &'static str)>,
    pub(super) pkce: bool,
    /// Further parameters of the authorization URL.
    pub(super) auth_params: &'static [(&'static str, &'static str)],
    /// Where the user comes from.
    pub(super) ask: Ask,
    /// Headers of the user info request.
    pub(super) headers: &'static [(&'static str, Header)],
    /// Members of the token answer that are copied into the raw user, if absent there.
    pub(super) from_token: &'static [&'static str],
    /// Reads the user out of the answer (spec auth §9.3).
    pub(super) map: fn(&Answer<'_>) -> Read<User>,
    /// Where the email comes from if the answer has none.
    pub(super) emails: Option<Emails>,
}

/// Where the user comes from.
#[derive(Debug)]
pub(super) enum Ask {
    Get,
    /// POST of a GraphQL query.
    Graphql(&'static str),
    /// The claims of the id token, and nothing else.
    IdToken(fn(&options::Provider) -> Rules),
    /// The user info URL if there is one, else the claims of the id token.
    GetOrIdToken(fn(&options::Provider) -> Rules),
}

/// The value of a header.
#[derive(Debug)]
pub(super) enum Header {
    Fixed(&'static str),
    ClientId,
}

/// A second request for the email.
#[derive(Debug)]
pub(super) struct Emails {
    pub(super) url: fn(&str) -> String,
    /// Statuses that mean "no email" instead of a failure.
    pub(super) none: fn(u16) -> bool,
    pub(super) pick: fn(View<'_>) -> Read<String>,
}

/// Everything a mapping may look at.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) info: View<'a>,
    pub(super) token: &'a Token,
    pub(super) extra: &'a Map<String, Value>,
    /// Seconds by which clocks may differ.
    pub(super) leeway: f64,
}

impl Provider {
    /// What most services have in common.
    pub(super) const BASE: Self = Self {
        name: "",
        display_name: "",
        tile: ("#000000", ""),
        auth_url: "",
        token_url: "",
        user_info_url: "",
        scopes: &[],
        extra_scope: None,
        pkce: true,
        auth_params: &[],
        ask: Ask::Get,
        headers: &[],
        from_token: &[],
        map: |_| Err(Mismatch("no mapping")),
        emails: None,
    };

    /// A drawing of our own: a colored tile with letters.
    #[must_use]
    pub fn logo(&self) -> String {
        let (color, letters) = self.tile;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" height=\"64\" viewBox=\"0 0 64 64\">\
             <rect width=\"64\" height=\"64\" rx=\"14\" fill=\"{color}\"/>\
             <text x=\"32\" y=\"44\" font-family=\"sans-serif\" font-size=\"34\" font-weight=\"700\" \
             text-anchor=\"middle\" fill=\"#ffffff\">{letters}</text></svg>"
        )
    }
}

/// `value` if the service vouches for it.
pub(super) fn trusted(value: String, vouched: bool) -> String {
    if vouched { value } else { String::new() }
}

/// Fails unless the account is usable.
pub(super) fn active(is_active: bool) -> Read<()> {
    if is_active { Ok(()) } else { Err(Mismatch("the account is not active")) }
}

/// `<user info URL>/emails`
pub(super) fn emails_url(user_info_url: &str) -> String {
    format!("{user_info_url}/emails")
}

/// Statuses of services whose email list may be out of the token's reach.
pub(super) fn out_of_reach(status: u16) -> bool {
    matches!(status, 401 | 403 | 404)
}

/// The verified primary address of a list, as GitHub and its relatives answer it.
pub(super) fn verified_primary(list: View<'_>) -> Read<String> {
    for item in list.items()? {
        let address = item.text("email")?;
        if item.flag("verified")? && item.flag("primary")? && !address.is_empty() {
            return Ok(address);
        }
    }
    Ok(String::new())
}
