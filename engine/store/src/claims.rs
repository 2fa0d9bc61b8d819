//! Who a database handle works for, as session variables that users' row-level security policies read. Must not know records.

use std::{fmt, sync::Arc};

/// Names and values, set for each transaction of a handle ([`Database::for_claims`](super::Database::for_claims)).
#[derive(Clone, PartialEq, Eq)]
pub struct Claims(Arc<[(String, String)]>);

impl Claims {
    /// Variables in the order in which they are set; all handles of a store have the same names.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }
    /// The server itself.
    #[must_use]
    pub fn system() -> Self {
        let pairs = [("pb.auth.id", ""), ("pb.auth.collection", ""), ("pb.auth.role", "system")];
        Self::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims").field(&self.0.len()).finish()
    }
}
