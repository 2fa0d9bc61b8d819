//! Values that are encrypted at rest: sealed for, and opened at, their place.
//!
//! A value belongs to its collection, field (by their ids, which stay when they are renamed) and record. One that does not
//! open is empty and stays as it is until something else is set. Knows fields by [`FieldType::is_sealed`] only, and does not
//! know records. Source: spec extensions 2.2, 2.3.
//!
//! [`FieldType::is_sealed`]: crate::field::FieldType::is_sealed

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use primitives::keyring::{Error, Keyring, Place};

use super::{Collection, Loaded};
use crate::{
    field::{Val, cell_text},
    store::RowRef,
};

/// The encrypted fields of a collection, with what opens them.
#[derive(Debug)]
pub struct Sealed {
    /// Indexes into `fields`, and whether it has been told that a value does not open.
    pub fields: Vec<(usize, AtomicBool)>,
    keys: Arc<Keyring>,
}

impl Sealed {
    /// What is encrypted in a collection, if anything is. Rows of views are not those that values were sealed for.
    pub(super) fn of(collection: &Collection, keys: &Arc<Keyring>) -> Option<Self> {
        let all = collection.fields.iter().enumerate();
        let sealed = all.filter(|(_, field)| field.kind.is_sealed() && !collection.is_view());
        let fields: Vec<_> = sealed.map(|(at, _)| (at, AtomicBool::new(false))).collect();
        (!fields.is_empty()).then(|| Self { fields, keys: keys.clone() })
    }
}

impl Loaded {
    fn place<'a>(&'a self, index: usize, row: &'a str) -> Place<'a> {
        Place { table: &self.id, column: &self.fields[index].id, row }
    }

    /// Opens all encrypted values of a row whose fields begin at column `from`.
    pub fn open_all(&self, row: &RowRef<'_>, from: usize, values: &mut [Val]) {
        let Some(sealed) = &self.sealed else { return };
        for (index, _) in &sealed.fields {
            if let Some(plain) = self.open(row, from, *index) {
                values[*index] = Val::Text(plain);
            }
        }
    }

    /// The value of an encrypted field in clear; `None` for fields that are not encrypted.
    #[must_use]
    pub fn open(&self, row: &RowRef<'_>, from: usize, index: usize) -> Option<String> {
        let sealed = self.sealed.as_ref()?;
        let (_, is_told) = sealed.fields.iter().find(|(at, _)| *at == index)?;
        let stored = cell_text(row.get(from + index));
        if stored.is_empty() {
            return Some(String::new());
        }
        let id = self.id_field.map_or("", |at| row.text(from + at));
        match sealed.keys.open(&self.place(index, id), &stored) {
            Ok(plain) => Some(plain),
            Err(error) => {
                if !is_told.swap(true, Ordering::Relaxed) {
                    let (table, field) = (&self.name, &self.fields[index].name);
                    tracing::warn!(collection = %table, %field, %error, "a secret cannot be read");
                }
                Some(String::new())
            }
        }
    }

    /// What is stored for the text of an encrypted field; nothing for nothing.
    ///
    /// # Errors
    /// [`Error::Disabled`] without a key, and for fields that are not encrypted.
    pub fn seal(&self, index: usize, row: &str, plain: &str) -> Result<String, Error> {
        if plain.is_empty() {
            return Ok(String::new());
        }
        let sealed = self.sealed.as_ref().ok_or(Error::Disabled)?;
        sealed.keys.seal(&self.place(index, row), plain)
    }
}
