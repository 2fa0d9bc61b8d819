//! Logins with accounts of other services: the protocol is the crate `oauth2`; which record a user is, is decided here.

pub mod sign_in;

pub use ::oauth2::*;

use crate::{App, schema::options};

/// The client of a configured service; `None` for names that are not registered.
#[must_use]
pub fn client(app: &App, config: &options::Provider) -> Option<Client> {
    Client::new(app.outbound(), app.config().id_token_leeway, config)
}
