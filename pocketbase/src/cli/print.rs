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

/// The one line of a failed command, on stderr, with the time in front (spec upstream-0.40 §8).
pub(crate) fn error(text: &str) {
    let now = crate::now().to_string();
    let now = now.get(..19).unwrap_or_default().replace('-', "/");
    let _ = writeln!(std::io::stderr(), "{now} {}", text.trim_end());
}

/// A question, on stderr.
pub(crate) fn ask(text: &str) {
    let _ = write!(std::io::stderr(), "{text}");
}
