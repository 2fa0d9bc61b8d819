//! The values expressions compute with, and the one definition of how they compare.
//!
//! The model is SQLite's (NULL < numbers < text, affinities, number-to-text), because that is what the
//! reference executes; PostgreSQL and memory follow it. Nothing here knows storage formats.
//! Source: spec filter-language §5.

use std::sync::Arc;

/// A runtime value. Booleans are `Int(0 | 1)`, dates are text, JSON containers are minified text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL: missing.
    Null,
    /// An integer, for example a stored integral number, a bool or a `:length`.
    Int(i64),
    /// A double; every number literal of the language is one.
    Real(f64),
    /// UTF-8 text.
    Text(Arc<str>),
}

/// How a comparison converts its sides first (spec filter-language §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Affinity {
    /// A column that stores text.
    Text,
    /// A column that stores numbers (also JSON columns: NUMERIC affinity).
    Num,
    /// Bound values, literals, functions, JSON extraction, elements, draft columns.
    None,
}
