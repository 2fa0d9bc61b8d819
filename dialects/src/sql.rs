//! A statement as it leaves this crate.

pub use filter_lang::value::Value;

/// A statement and its parameters, in placeholder order (`?1…` / `$1…`).
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    /// The statement; depends on shape only, so prepared-statement caches hit.
    pub text: String,
    /// Bound values.
    pub params: Vec<Value>,
}

impl Sql {
    /// A statement without parameters.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), params: Vec::new() }
    }
}

/// The text, and each value on a line of its own.
impl std::fmt::Display for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)?;
        for (at, value) in self.params.iter().enumerate() {
            write!(f, "\n-- {}: {value}", at + 1)?;
        }
        Ok(())
    }
}
