//! Logins with accounts of other services (spec auth §3.3, §9).
//!
//! | step | file |
//! |---|---|
//! | what a service is: addresses, scopes, how its answer reads | `provider`, `providers/` (one file each) |
//! | authorization URL, code for token, token for user | `client` |
//! | id tokens, key sets, Apple's client secret | `id_token`, `apple_secret` |
//! | which record the user is, sign-up, linking | `sign_in` |
//!
//! Must not know HTTP servers: routes, redirects and realtime are the layer above.

pub mod apple_secret;
mod client;
mod id_token;
mod names;
mod provider;
mod providers;
mod token;
mod user;
mod view;

pub use client::{Client, challenge};
pub use names::Names;
pub use provider::Provider;
pub use providers::ALL;
pub use token::Token;
pub use user::User;

/// The provider of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Provider> {
    ALL.iter().copied().find(|provider| provider.name == name)
}

/// True for names of registered providers.
#[must_use]
pub fn is_registered(name: &str) -> bool {
    find(name).is_some()
}

/// Why a service's answer was not accepted. Safe to log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{0}")]
    Http(#[from] outbound::Error),
    #[error("the provider answered {0}")]
    Status(u16),
    #[error("{0}")]
    Answer(&'static str),
    /// The `error` member of the answer.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// No id token although it is the only source: the reference fails without a message.
    #[error("the provider sent no id_token")]
    NoIdToken,
}

impl From<view::Mismatch> for Error {
    fn from(mismatch: view::Mismatch) -> Self {
        Self::Answer(mismatch.0)
    }
}
