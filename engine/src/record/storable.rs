//! Values that the database cannot hold, as field errors before it refuses them with words of its own.

use dialects::{
    Dialect, Value,
    limits::{unfit_json, unfit_text},
};

use crate::{Error, FieldError, FieldErrors, Result, field::ColumnType, schema::Loaded};

/// Checks what is about to be written.
///
/// # Errors
/// [`Error::Invalid`] for text with NUL and JSON with escapes of what is no character, on PostgreSQL.
pub(super) fn check(d: Dialect, collection: &Loaded, columns: &[(&str, Value)]) -> Result<()> {
    if d.holds_any_text() {
        return Ok(());
    }
    let mut errors = FieldErrors::default();
    for (name, value) in columns {
        let Value::Text(text) = value else { continue };
        let kind = collection.fields.iter().find(|f| f.name == *name).map(|f| f.kind.column());
        let is_json =
            matches!(kind, Some(ColumnType::Json | ColumnType::JsonList | ColumnType::Geo));
        let unfit = if is_json { unfit_json(d, text) } else { unfit_text(d, text) };
        if unfit.is_some() {
            // DIFFERENCE: the reference stores them, in SQLite.
            let error = match kind {
                Some(ColumnType::Json) => {
                    FieldError::new("validation_invalid_json", "Must be a valid json value")
                }
                _ => FieldError::new("validation_invalid_format", "Invalid value format"),
            };
            errors.set(*name, error);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) }
}
