//! TLS that this executable was built without: there is no value of [`Tls`].

use std::{convert::Infallible, io};

use tokio_util::sync::CancellationToken;

use super::TlsOptions;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The feature is off.
    #[error(
        "HTTPS: this executable was built without certificates (feature \"acme\"); put a proxy in front, or build it with them"
    )]
    Missing,
}

/// The certificates of a server.
#[derive(Debug, Clone)]
pub struct Tls(Infallible);

impl Tls {
    /// Gives nothing.
    ///
    /// # Errors
    /// Always.
    #[allow(clippy::needless_pass_by_value, reason = "as with the feature")]
    pub fn new(_options: TlsOptions) -> Result<Self, Error> {
        Err(Error::Missing)
    }

    /// True for the names this server has or gets certificates for.
    #[must_use]
    pub fn has_name(&self, _name: &str) -> bool {
        match self.0 {}
    }

    /// The answer to an HTTP-01 challenge.
    #[must_use]
    pub fn http_proof(&self, _token: &str) -> Option<String> {
        match self.0 {}
    }

    /// When the certificate of each name ends, in seconds since 1970.
    #[must_use]
    pub fn expiries(&self) -> Vec<(String, u64)> {
        match self.0 {}
    }

    pub(crate) async fn accept<S>(&self, _stream: S) -> io::Result<Option<(S, bool)>> {
        match self.0 {}
    }

    pub(crate) async fn keep(self, _with_http: bool, _stop: CancellationToken) {
        match self.0 {}
    }
}
