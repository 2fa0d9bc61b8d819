//! The field types: one file each, one registration line in `fields!`.

/// The value of one field of a record, normalised by its field type.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    /// Text, email, url, editor, date, autodate, single select/file/relation. Empty is `""`.
    Text(String),
    /// A number.
    Number(f64),
    /// A bool.
    Bool(bool),
    /// Several of select, file or relation.
    List(Vec<String>),
    /// Raw JSON text; `None` is null.
    Json(Option<String>),
    /// A geo point.
    Geo { lon: f64, lat: f64 },
    /// A password: the stored hash, and the plain text while it is being set.
    Password { hash: String, plain: Option<String> },
}
