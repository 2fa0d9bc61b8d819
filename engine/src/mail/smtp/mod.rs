//! The way out by SMTP.
//!
//! Cargo feature `smtp`: without it mails leave by sendmail only, and settings that want SMTP are refused.

#[cfg(not(feature = "smtp"))]
mod disabled;
#[cfg(feature = "smtp")]
mod enabled;

#[cfg(not(feature = "smtp"))]
pub(super) use disabled::deliver;
#[cfg(feature = "smtp")]
pub(super) use enabled::deliver;

/// Whether this executable was built with SMTP.
pub const IS_BUILT_IN: bool = cfg!(feature = "smtp");
