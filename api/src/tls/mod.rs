//! Certificates for the served names: chosen by SNI, kept in a directory, issued and renewed by ACME while serving.
//!
//! Cargo feature `acme`: without it nobody gets a [`Tls`], and whoever asks for one is told why.
//! Must not know HTTP beyond the text of an HTTP-01 proof.

#[cfg(not(feature = "acme"))]
mod disabled;
#[cfg(feature = "acme")]
mod enabled;

use std::path::PathBuf;

#[cfg(not(feature = "acme"))]
pub use disabled::{Error, Tls};
#[cfg(feature = "acme")]
pub use enabled::{Error, Tls};

/// What to serve certificates for.
#[derive(Debug, Clone)]
pub struct TlsOptions {
    /// Names whose certificates are wanted from the start.
    pub names: Vec<String>,
    /// Names whose certificates are issued when somebody asks for them.
    pub names_on_demand: Vec<String>,
    /// Where certificates and the account's key are kept.
    pub cache_dir: PathBuf,
    /// Who issues them.
    pub authority: Authority,
}

/// Who issues certificates.
#[derive(Debug, Clone)]
pub struct Authority {
    /// URL of the ACME directory.
    pub directory: String,
    /// PEM file with the root that the directory's own certificate is checked against; else the system's roots.
    pub root: Option<PathBuf>,
}

impl Default for Authority {
    fn default() -> Self {
        Self { directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(), root: None }
    }
}
