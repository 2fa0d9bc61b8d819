//! Encrypted fields where records are written; where rows are read they are opened by [`Loaded::open`].
//!
//! Must not know keys or places.

use primitives::keyring::Error as KeyError;

use crate::{
    Error, Result, app::record::Record, error::FieldErrors, field::secret, schema::Loaded,
};

/// Replaces the values of encrypted fields among the columns to write.
///
/// # Errors
/// [`Error::Invalid`] when there is no key.
pub(crate) fn seal<'c>(
    collection: &'c Loaded,
    record: &Record,
    columns: &mut Vec<(&'c str, dialects::Value)>,
) -> Result<()> {
    let Some(sealed) = &collection.sealed else { return Ok(()) };
    // a value belongs to the id of its record
    let moves = !record.is_new() && record.id() != record.stored_id();
    for (index, _) in &sealed.fields {
        let (name, plain) =
            (collection.fields[*index].name.as_str(), record.value(*index).as_str());
        let at = columns.iter().position(|(column, _)| *column == name);
        if at.is_none() && (plain.is_empty() || !moves) {
            continue;
        }
        let text = collection.seal(*index, record.id(), plain).map_err(|e| refused(name, &e))?;
        let value = dialects::Value::Text(text.into());
        match at {
            Some(at) => columns[at].1 = value,
            None => columns.push((name, value)),
        }
    }
    Ok(())
}

fn refused(field: &str, error: &KeyError) -> Error {
    if *error != KeyError::Disabled {
        return Error::Message(error.to_string());
    }
    let mut errors = FieldErrors::default();
    errors.set(field, secret::disabled());
    Error::Invalid(errors)
}
