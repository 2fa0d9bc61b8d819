//! What systems do differently: starting a process in a group of its own that ends with the server, and signals to groups.
//!
//! Each system is one file with the same items. Must not know entries and states.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(any(target_os = "linux", unix)))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{Launcher, become_child, lives};
#[cfg(not(any(target_os = "linux", unix)))]
pub(crate) use self::other::{Launcher, become_child, lives, signal, signal_name};
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use self::unix::{Launcher, become_child, lives};
#[cfg(unix)]
pub(crate) use self::unix::{signal, signal_name};

/// What a group is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Please end.
    Term,
    /// End.
    Kill,
}
