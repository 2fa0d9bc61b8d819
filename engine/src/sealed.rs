//! Values that are encrypted at rest: opened where rows are read, sealed where they are written.
//!
//! A value belongs to its collection, field (by their ids, which stay when they are renamed) and record. One that does not
//! open is empty and stays as it is until something else is set. Knows fields by [`FieldType::is_sealed`] only.
//! Source: spec extensions 2.2, 2.3.
//!
//! [`FieldType::is_sealed`]: crate::field::FieldType::is_sealed

use std::sync::atomic::Ordering;

use primitives::keyring::{Error as KeyError, Place};

use crate::{
    Error, Result,
    app::record::Record,
    error::FieldErrors,
    field::{Val, cell_text, secret},
    schema::{Loaded, Sealed},
    store::RowRef,
};

fn place<'a>(collection: &'a Loaded, index: usize, row: &'a str) -> Place<'a> {
    Place { table: &collection.id, column: &collection.fields[index].id, row }
}

/// Opens all encrypted values of a row whose fields begin at column `from`.
pub(crate) fn open_all(collection: &Loaded, row: &RowRef<'_>, from: usize, values: &mut [Val]) {
    let Some(sealed) = &collection.sealed else { return };
    for (index, _) in &sealed.fields {
        if let Some(plain) = open(collection, row, from, *index) {
            values[*index] = Val::Text(plain);
        }
    }
}

/// The value of an encrypted field in clear; `None` for fields that are not encrypted.
pub(crate) fn open(
    collection: &Loaded,
    row: &RowRef<'_>,
    from: usize,
    index: usize,
) -> Option<String> {
    let sealed = collection.sealed.as_ref()?;
    let (_, is_told) = sealed.fields.iter().find(|(at, _)| *at == index)?;
    let stored = cell_text(row.get(from + index));
    if stored.is_empty() {
        return Some(String::new());
    }
    let id = collection.id_field.map_or("", |at| row.text(from + at));
    match sealed.keys.open(&place(collection, index, id), &stored) {
        Ok(plain) => Some(plain),
        Err(error) => {
            if !is_told.swap(true, Ordering::Relaxed) {
                let (table, field) = (&collection.name, &collection.fields[index].name);
                tracing::warn!(collection = %table, %field, %error, "a secret cannot be read");
            }
            Some(String::new())
        }
    }
}

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
    let moves = !record.is_new() && record.id() != record.stored_id();
    for (index, _) in &sealed.fields {
        let (name, val) = (collection.fields[*index].name.as_str(), record.value(*index));
        let at = columns.iter().position(|(column, _)| *column == name);
        // a value belongs to the id of its record
        let must_move = moves && !val.as_str().is_empty();
        if at.is_none() && !must_move {
            continue;
        }
        let text = seal_one(sealed, &place(collection, *index, record.id()), val.as_str())
            .map_err(|error| refused(name, &error))?;
        let value = dialects::Value::Text(text.into());
        match at {
            Some(at) => columns[at].1 = value,
            None => columns.push((name, value)),
        }
    }
    Ok(())
}

fn seal_one(sealed: &Sealed, place: &Place<'_>, plain: &str) -> Result<String, KeyError> {
    if plain.is_empty() { Ok(String::new()) } else { sealed.keys.seal(place, plain) }
}

fn refused(field: &str, error: &KeyError) -> Error {
    if *error != KeyError::Disabled {
        return Error::Message(error.to_string());
    }
    let mut errors = FieldErrors::default();
    errors.set(field, secret::disabled());
    Error::Invalid(errors)
}
