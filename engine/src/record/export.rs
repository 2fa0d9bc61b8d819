//! Records and rows to JSON: sorted keys, hidden fields, email visibility (spec records-files §1.8).
//!
//! The keys are prepared in the schema snapshot; rows go through them without becoming records.

use super::{Expanded, Record, RecordRef};
use crate::{
    ctx::Caller,
    field::Corrupt,
    json,
    schema::{Loaded, WireSource},
    store::{RowRef, ValueRef},
};

/// Who reads rows, as far as visibility goes; manage rules aside (they need records).
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    superuser: bool,
    /// The id of the caller if it belongs to this collection: its own email is shown.
    own_id: Option<String>,
    /// `emailVisibility` of auth collections.
    visibility: Option<usize>,
    id: usize,
}

impl Viewer {
    /// What a caller may see of a collection.
    pub(crate) fn of(caller: &Caller, collection: &Loaded) -> Self {
        let own = caller.record().filter(|r| r.collection().id == collection.id);
        let visibility =
            if collection.is_auth() { collection.field_at("emailVisibility") } else { None };
        Self {
            superuser: caller.is_superuser(),
            own_id: own.map(|r| r.id().to_owned()),
            visibility: visibility.map(|(i, _)| i),
            id: collection.id_field.unwrap_or(0),
        }
    }

    fn sees_email(&self, row: &RowRef<'_>, from: usize) -> bool {
        if self.superuser {
            return true;
        }
        let visible = self.visibility.is_some_and(|i| match row.get(from + i) {
            ValueRef::Int(n) => n != 0,
            ValueRef::Real(n) => n != 0.0,
            ValueRef::Text(t) => matches!(t, "1" | "t" | "T" | "true" | "TRUE" | "True"),
            ValueRef::Null | ValueRef::Blob(_) => false,
        });
        visible || self.own_id.as_deref().is_some_and(|id| id == row.text(from + self.id))
    }
}

/// Where the relations of a written row belong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    /// Where the row starts.
    pub(crate) start: usize,
    /// Where `,"expand":…` goes.
    pub(crate) at: usize,
    /// True if no key stands before it.
    pub(crate) first: bool,
}

/// Writes a row whose columns are the collection's fields in order.
///
/// # Errors
/// [`Corrupt`] when a stored value cannot be read at all.
pub(crate) fn write_row(
    collection: &Loaded,
    row: &RowRef<'_>,
    viewer: &Viewer,
    out: &mut Vec<u8>,
) -> Result<(), Corrupt> {
    write_row_with_gap(collection, row, 0, viewer, out).map(drop)
}

/// As [`write_row`], for columns that start at `from`.
///
/// # Errors
/// [`Corrupt`] when a stored value cannot be read at all.
pub(crate) fn write_row_with_gap(
    collection: &Loaded,
    row: &RowRef<'_>,
    from: usize,
    viewer: &Viewer,
    out: &mut Vec<u8>,
) -> Result<Gap, Corrupt> {
    let start = out.len();
    let mut gap = Gap { start, at: start, first: true };
    let mut open = b'{';
    for key in &collection.keys {
        if key.hidden && !viewer.superuser {
            continue;
        }
        let field = match key.source {
            WireSource::Expand => {
                gap = Gap { start, at: out.len(), first: open == b'{' };
                continue;
            }
            WireSource::Constant => None,
            WireSource::Field(index) => Some(index),
        };
        if key.email && !viewer.sees_email(row, from) {
            continue;
        }
        out.push(open);
        open = b',';
        out.extend_from_slice(&key.prefix);
        if let Some(index) = field {
            match collection.open(row, from, index) {
                Some(plain) => crate::json::write_str(out, &plain),
                None => collection.fields[index].kind.write_json(row.get(from + index), out)?,
            }
        }
    }
    out.push(b'}');
    Ok(gap)
}

/// Writes one record with its expanded relations, showing what its [`Show`](super::Show) allows.
pub fn write_json(record: &RecordRef, out: &mut Vec<u8>) {
    // A copy: the lock must not be held while related records are written (they may be this one again).
    let record = record.snapshot();
    write_record(&record, out);
}

/// A record as JSON text.
#[must_use]
pub fn to_json(record: &RecordRef) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write_json(record, &mut out);
    out
}

/// Writes one record; see [`write_json`].
pub fn write_record(record: &Record, out: &mut Vec<u8>) {
    let (collection, show) = (record.collection(), &record.show);
    let allowed = |name: &str, default: bool| show.overrides.get(name).copied().unwrap_or(default);
    let mut custom: Vec<_> =
        if show.custom { record.custom().iter().collect() } else { Vec::new() };
    custom.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut custom = custom.into_iter().peekable();
    out.push(b'{');
    let start = out.len();
    for key in &collection.keys {
        while let Some((name, value)) =
            custom.next_if(|(name, _)| name.as_bytes() < key.name.as_bytes())
        {
            write_custom(name, value, start, out);
        }
        let shown = match key.source {
            WireSource::Expand => record.expand().is_some(),
            WireSource::Constant => allowed(&key.name, true),
            WireSource::Field(_) => {
                allowed(&key.name, !key.hidden || show.hidden)
                    && (!key.email || show.email || record.get_bool("emailVisibility"))
            }
        };
        if !shown {
            continue;
        }
        separate(out, start);
        out.extend_from_slice(&key.prefix);
        match key.source {
            WireSource::Field(index) => {
                collection.fields[index].kind.write_val_json(record.value(index), out);
            }
            WireSource::Expand => write_expand(record, out),
            WireSource::Constant => {}
        }
    }
    for (name, value) in custom {
        write_custom(name, value, start, out);
    }
    out.push(b'}');
}

fn write_custom(name: &str, value: &serde_json::Value, start: usize, out: &mut Vec<u8>) {
    separate(out, start);
    json::write_str(out, name);
    out.push(b':');
    json::write_sorted(out, value);
}

fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b',');
    }
}

fn write_expand(record: &Record, out: &mut Vec<u8>) {
    out.push(b'{');
    let start = out.len();
    for (key, expanded) in record.expand().into_iter().flatten() {
        separate(out, start);
        json::write_str(out, key);
        out.push(b':');
        match expanded {
            Expanded::One(record) => write_json(record, out),
            Expanded::Many(records) => {
                out.push(b'[');
                for (i, record) in records.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_json(record, out);
                }
                out.push(b']');
            }
        }
    }
    out.push(b'}');
}
