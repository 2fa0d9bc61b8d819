//! Logins with accounts of other services: the protocol is the crate `oauth2`; which record a user is, is decided here.

pub mod sign_in;

pub use ::oauth2::*;

use crate::{App, schema::options};

impl App {
    /// Names that came with an OAuth2 redirect.
    #[must_use]
    pub fn oauth2_names(&self) -> &Names {
        self.part()
    }
}

/// The client of a configured service; `None` for names that are not registered.
#[must_use]
pub fn client(app: &App, config: &options::Provider) -> Option<Client> {
    Client::new(app.outbound(), app.config().id_token_leeway, config)
}
