//! What people read on the terminal. The only place that prints.

use std::io::Write as _;

/// A line on stdout.
pub(crate) fn line(text: &str) {
    // nobody to tell when stdout is gone
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Text on stdout as it is.
pub(crate) fn raw(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}

// DIFFERENCE: the reference prints failures on stdout and exits with 0 (spec server-settings §1.1).
/// The one line of a failed command, on stderr.
pub(crate) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "Error: {}", text.trim_end());
}

/// A question, on stderr.
pub(crate) fn ask(text: &str) {
    let _ = write!(std::io::stderr(), "{text}");
}
