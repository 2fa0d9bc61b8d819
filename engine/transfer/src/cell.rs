//! Values on their way between engines, in the one form that both have: what a cell means, not how it was spelled.
//!
//! Source: spec extensions §1.4 (columns), collections-and-fields §1.5 (how SQLite's cells are read).

use std::borrow::Cow;

use bytes::{BufMut as _, BytesMut};
use rusqlite::types::{Null, ToSqlOutput, ValueRef as Raw};

use super::canon::{self, Fault};
use model::field::{ColumnType, json::text_to_json};
use primitives::json;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// Text, never NULL.
    Text,
    /// Text or NULL.
    OptionalText,
    /// A float, never NULL.
    Number,
    /// A bool, never NULL.
    Bool,
    /// An integer, never NULL.
    Int,
    /// JSON or NULL.
    Json,
    /// JSON, never NULL; what stands for nothing.
    Document(&'static str),
    /// A JSON list, never NULL.
    List,
    /// A settings row: JSON, or text that is encrypted.
    Param,
}

impl From<ColumnType> for CellKind {
    fn from(column: ColumnType) -> Self {
        match column {
            ColumnType::TextPk | ColumnType::Text => Self::Text,
            ColumnType::Number => Self::Number,
            ColumnType::Bool => Self::Bool,
            ColumnType::Json => Self::Json,
            ColumnType::Geo => Self::Document(r#"{"lon":0,"lat":0}"#),
            ColumnType::JsonList => Self::List,
        }
    }
}

/// A value in its common form.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Bool(bool),
    Text(String),
    /// Valid JSON without white space between tokens.
    Json(String),
    /// An encrypted settings value: a JSON string on PostgreSQL, plain text on SQLite.
    Sealed(String),
}

pub(super) type CellRow = Vec<Cell>;

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault("text that is not UTF-8"))
}

/// A cell as the engine would see it as text.
fn raw_text(raw: Raw<'_>) -> Result<Cow<'_, str>, Fault> {
    Ok(match raw {
        Raw::Null => Cow::Borrowed(""),
        Raw::Integer(n) => Cow::Owned(n.to_string()),
        Raw::Real(x) if x.is_infinite() => Cow::Borrowed(if x > 0.0 { "1e999" } else { "-1e999" }),
        Raw::Real(x) => Cow::Owned(json::format_g(x)),
        Raw::Text(bytes) | Raw::Blob(bytes) => Cow::Borrowed(utf8(bytes)?),
    })
}

/// Reads a cell of SQLite.
pub(super) fn from_sqlite(kind: CellKind, raw: Raw<'_>) -> Result<Cell, Fault> {
    if kind == CellKind::OptionalText && raw == Raw::Null {
        return Ok(Cell::Null);
    }
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    Ok(match (kind, raw) {
        (CellKind::Number, Raw::Integer(n)) => Cell::Real(n as f64),
        (CellKind::Number, Raw::Real(x)) => number(x),
        (CellKind::Number, raw) => number(json::text_to_float(&raw_text(raw)?)),
        (CellKind::Int, Raw::Integer(n)) => Cell::Int(n),
        (CellKind::Int, Raw::Real(x)) => Cell::Int(x as i64),
        (CellKind::Int, raw) => Cell::Int(raw_text(raw)?.trim().parse().unwrap_or(0)),
        (CellKind::Bool, Raw::Integer(n)) => Cell::Bool(n != 0),
        (CellKind::Bool, Raw::Real(x)) => Cell::Bool(x != 0.0),
        (CellKind::Bool, raw) => Cell::Bool(json::text_to_bool(&raw_text(raw)?)),
        (CellKind::Text | CellKind::OptionalText, raw) => Cell::Text(raw_text(raw)?.into_owned()),
        (kind, raw) => json_cell(kind, &raw_text(raw)?)?,
    })
}

fn number(x: f64) -> Cell {
    // neither engine's clients can say NaN; zero has no sign in SQLite
    Cell::Real(if x.is_nan() || x == 0.0 { 0.0 } else { x })
}

/// JSON as it is stored, whatever it was stored as.
fn json_cell(kind: CellKind, text: &str) -> Result<Cell, Fault> {
    Ok(match kind {
        CellKind::Param => match text {
            "" => Cell::Null,
            text if canon::is_json(text)? => Cell::Json(canon::compact(text)),
            text => Cell::Sealed(text.to_owned()),
        },
        CellKind::List => Cell::Json(list(text)?),
        CellKind::Document(empty) => {
            let is_good = !text.is_empty() && canon::is_json(text)?;
            Cell::Json(if is_good { canon::compact(text) } else { empty.to_owned() })
        }
        _ if text.is_empty() => Cell::Null,
        _ if canon::is_json(text)? => Cell::Json(canon::compact(text)),
        _ => {
            let quoted = text_to_json(text);
            let is_good = canon::is_json(&quoted)?;
            Cell::Json(if is_good { quoted.into_owned() } else { canon::quote(text) })
        }
    })
}

fn list(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Ok("[]".to_owned());
    }
    if text.starts_with('[') && canon::is_json(text)? {
        return Ok(canon::compact(text));
    }
    let items: Vec<String> =
        json::text_to_unique_strings(text).iter().map(|item| canon::quote(item)).collect();
    Ok(format!("[{}]", items.join(",")))
}

/// Reads a cell of PostgreSQL's binary format.
pub(super) fn from_postgres(kind: CellKind, raw: Option<&[u8]>) -> Result<Cell, Fault> {
    const SHORT: Fault = Fault("a value of an unexpected type");
    let Some(bytes) = raw else {
        return from_sqlite(kind, Raw::Null);
    };
    Ok(match kind {
        CellKind::Number => number(f64::from_be_bytes(bytes.try_into().map_err(|_| SHORT)?)),
        CellKind::Int => Cell::Int(i64::from_be_bytes(bytes.try_into().map_err(|_| SHORT)?)),
        CellKind::Bool => Cell::Bool(bytes.first().is_some_and(|b| *b != 0)),
        CellKind::Text | CellKind::OptionalText => Cell::Text(utf8(bytes)?.to_owned()),
        CellKind::Json | CellKind::Document(_) | CellKind::List | CellKind::Param => {
            // jsonb: a version, then text
            let text = utf8(bytes.strip_prefix(&[1]).ok_or(SHORT)?)?;
            match (kind, text.starts_with('"')) {
                (CellKind::Param, true) => {
                    Cell::Sealed(serde_json::from_str(text).map_err(|_| Fault("broken JSON"))?)
                }
                _ => Cell::Json(canon::compact(text)),
            }
        }
    })
}

/// Appends a cell in PostgreSQL's binary format: length and bytes.
pub(super) fn to_postgres(cell: &Cell, out: &mut BytesMut) -> Result<(), Fault> {
    const NUL: Fault = Fault("text with a NUL character (U+0000), which PostgreSQL cannot store");
    let put = |out: &mut BytesMut, version: &[u8], bytes: &[u8]| {
        let n = i32::try_from(version.len() + bytes.len());
        out.put_i32(n.map_err(|_| Fault("a value of more than 2 GiB"))?);
        out.put_slice(version);
        out.put_slice(bytes);
        Ok(())
    };
    match cell {
        Cell::Null => out.put_i32(-1),
        Cell::Int(n) => put(out, &[], &n.to_be_bytes())?,
        Cell::Real(x) => put(out, &[], &x.to_be_bytes())?,
        Cell::Bool(on) => put(out, &[], &[u8::from(*on)])?,
        Cell::Text(text) if text.contains('\0') => return Err(NUL),
        Cell::Text(text) => put(out, &[], text.as_bytes())?,
        Cell::Json(text) => {
            canon::check_escapes(text)?;
            put(out, &[1], text.as_bytes())?;
        }
        Cell::Sealed(text) => put(out, &[1], canon::quote(text).as_bytes())?,
    }
    Ok(())
}

/// A cell for SQLite's driver.
pub(super) fn to_sqlite(kind: CellKind, cell: &Cell) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match cell {
        Cell::Null => return ToSqlOutput::from(Null),
        Cell::Int(n) => Raw::Integer(*n),
        Cell::Real(x) => Raw::Real(*x),
        Cell::Bool(on) => Raw::Integer(i64::from(*on)),
        // settings in plain text are a BLOB (spec collections-and-fields §1.6)
        Cell::Json(text) if kind == CellKind::Param => Raw::Blob(text.as_bytes()),
        Cell::Text(text) | Cell::Json(text) | Cell::Sealed(text) => Raw::Text(text.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_sqlite() {
        let json = |text: &str| Cell::Json(text.to_owned());
        let text = |text: &str| Cell::Text(text.to_owned());
        for (kind, raw, want) in [
            (CellKind::Text, Raw::Null, text("")),
            (CellKind::Text, Raw::Integer(5), text("5")),
            (CellKind::OptionalText, Raw::Null, Cell::Null),
            (CellKind::Number, Raw::Null, Cell::Real(0.0)),
            (CellKind::Number, Raw::Text(b"1.5"), Cell::Real(1.5)),
            (CellKind::Number, Raw::Real(-0.0), Cell::Real(0.0)),
            (CellKind::Bool, Raw::Text(b"true"), Cell::Bool(true)),
            (CellKind::Bool, Raw::Integer(0), Cell::Bool(false)),
            (CellKind::Json, Raw::Null, Cell::Null),
            (CellKind::Json, Raw::Text(b""), Cell::Null),
            (CellKind::Json, Raw::Integer(5), json("5")),
            (CellKind::Json, Raw::Text(b"{ \"a\" : \"b c\" }"), json(r#"{"a":"b c"}"#)),
            (CellKind::Json, Raw::Text(b"null"), json("null")),
            (CellKind::Json, Raw::Text(b"a\"b"), json(r#""a\"b""#)),
            (CellKind::List, Raw::Text(b""), json("[]")),
            (CellKind::List, Raw::Text(b"a"), json(r#"["a"]"#)),
            (CellKind::List, Raw::Text(b"[\"a\", \"b\"]"), json(r#"["a","b"]"#)),
            (CellKind::Document("[]"), Raw::Null, json("[]")),
            (CellKind::Param, Raw::Blob(b"{}"), json("{}")),
            (CellKind::Param, Raw::Text(b"abc="), Cell::Sealed("abc=".into())),
        ] {
            assert_eq!(from_sqlite(kind, raw).unwrap(), want, "{kind:?} {raw:?}");
        }
        assert!(from_sqlite(CellKind::Text, Raw::Blob(b"\xff")).is_err());
    }

    #[test]
    fn postgres_and_back() {
        for (kind, cell) in [
            (CellKind::Text, Cell::Text("ä\n".into())),
            (CellKind::OptionalText, Cell::Null),
            (CellKind::Number, Cell::Real(1e300)),
            (CellKind::Bool, Cell::Bool(true)),
            (CellKind::Int, Cell::Int(-7)),
            (CellKind::Json, Cell::Json("[1]".into())),
            (CellKind::Param, Cell::Sealed("a\"b".into())),
        ] {
            let mut out = BytesMut::new();
            to_postgres(&cell, &mut out).unwrap();
            let raw = (cell != Cell::Null).then(|| &out[4..]);
            assert_eq!(from_postgres(kind, raw).unwrap(), cell);
        }
        for bad in [Cell::Text("a\0".into()), Cell::Json(r#""\u0000""#.into())] {
            assert!(to_postgres(&bad, &mut BytesMut::new()).is_err(), "{bad:?}");
        }
    }
}
