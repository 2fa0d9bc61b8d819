//! PostgreSQL's side of rows: cells in the value model of the store.
//!
//! Text is borrowed from the answer; JSON, dates and exotic types are written once per row. `jsonb` keeps neither blanks
//! nor the order of keys, so both are made canonical here: no blanks, keys in byte order, as the reference writes them.

use std::borrow::Cow;

use filter_lang::civil::DAY_MS;
use tokio_postgres::{
    Column, Row,
    types::{FromSql, Kind, Type},
};

use crate::ValueRef;
use crate::rows::{self as common, RowRef};
use primitives::json;
use primitives::time::Timestamp;

/// Milliseconds from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH_MS: i64 = 946_684_800_000;

/// How a column is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Bytes,
    /// Everything that needs a text of its own.
    Made,
}

fn form(ty: &Type) -> Form {
    match *ty {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => {
            Form::Text
        }
        Type::BOOL => Form::Bool,
        Type::INT2 => Form::Int2,
        Type::INT4 => Form::Int4,
        Type::INT8 => Form::Int8,
        Type::OID => Form::Oid,
        Type::FLOAT4 => Form::Float4,
        Type::FLOAT8 => Form::Float8,
        Type::BYTEA => Form::Bytes,
        _ if matches!(ty.kind(), Kind::Enum(_)) || ty.name() == "citext" => Form::Text,
        _ => Form::Made,
    }
}

/// A column's type in SQLite's words, as views and the console show it.
pub(super) fn decl_type(column: &Column) -> String {
    if column.table_oid().is_none() {
        return String::new();
    }
    match *column.type_() {
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME => "TEXT".into(),
        Type::FLOAT8 | Type::FLOAT4 | Type::NUMERIC => "NUMERIC".into(),
        Type::BOOL => "BOOLEAN".into(),
        Type::JSONB | Type::JSON => "JSON".into(),
        Type::INT8 | Type::INT4 | Type::INT2 => "INTEGER".into(),
        ref other => other.name().to_uppercase(),
    }
}

/// The undecoded bytes of a cell.
struct Bytes<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(
        _: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

fn bytes(row: &Row, i: usize) -> Option<&[u8]> {
    row.try_get::<_, Option<Bytes<'_>>>(i).ok().flatten().map(|bytes| bytes.0)
}

/// A row under a cursor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    row: &'a Row,
    forms: &'a [Form],
    /// Texts that had to be written for it.
    made: &'a [(usize, String)],
}

impl<'a> Shown<'a> {
    /// The cell at an index; null when there is none.
    pub(crate) fn cell(self, i: usize) -> ValueRef<'a> {
        self.try_cell(i).unwrap_or(ValueRef::Null)
    }

    fn try_cell(self, i: usize) -> Option<ValueRef<'a>> {
        let form = *self.forms.get(i)?;
        let raw = bytes(self.row, i)?;
        Some(match form {
            Form::Text => std::str::from_utf8(raw).map_or(ValueRef::Blob(raw), ValueRef::Text),
            Form::Bool => ValueRef::Int(i64::from(raw.first().is_some_and(|b| *b != 0))),
            Form::Int2 => ValueRef::Int(i16::from_be_bytes(raw.try_into().ok()?).into()),
            Form::Int4 => ValueRef::Int(i32::from_be_bytes(raw.try_into().ok()?).into()),
            Form::Int8 => ValueRef::Int(i64::from_be_bytes(raw.try_into().ok()?)),
            Form::Oid => ValueRef::Int(u32::from_be_bytes(raw.try_into().ok()?).into()),
            Form::Float4 => real(f32::from_be_bytes(raw.try_into().ok()?).into()),
            Form::Float8 => real(f64::from_be_bytes(raw.try_into().ok()?)),
            Form::Bytes => ValueRef::Blob(raw),
            Form::Made => {
                let at = self.made.iter().find(|(at, _)| *at == i)?;
                match self.row.columns()[i].type_() {
                    // Sums and averages are numbers.
                    &Type::NUMERIC => real(at.1.parse().ok()?),
                    _ => ValueRef::Text(&at.1),
                }
            }
        })
    }
}

/// Integral numbers are integers, as in SQLite's NUMERIC columns.
fn real(n: f64) -> ValueRef<'static> {
    #[allow(clippy::cast_possible_truncation, reason = "checked to be integral and small")]
    if n.fract() == 0.0 && n.abs() < 9e15 { ValueRef::Int(n as i64) } else { ValueRef::Real(n) }
}

/// A cursor over rows that have arrived.
#[derive(Debug)]
pub(crate) struct Cursor<'s> {
    rows: std::slice::Iter<'s, Row>,
    columns: &'s [Column],
    forms: Vec<Form>,
    made: Vec<(usize, String)>,
}

impl<'s> common::Rows<'s> {
    pub(super) fn arrived(rows: &'s [Row], columns: &'s [Column]) -> Self {
        let forms = columns.iter().map(|c| form(c.type_())).collect();
        Self(common::Cursor::Postgres(Cursor {
            rows: rows.iter(),
            columns,
            forms,
            made: Vec::new(),
        }))
    }
}

impl Cursor<'_> {
    pub(crate) fn next(&mut self) -> Option<RowRef<'_>> {
        let row = self.rows.next()?;
        self.made.clear();
        for (i, _) in self.forms.iter().enumerate().filter(|(_, form)| **form == Form::Made) {
            if let Some(raw) = bytes(row, i) {
                self.made.push((i, make(self.columns[i].type_(), raw)));
            }
        }
        let shown = Shown { row, forms: &self.forms, made: &self.made };
        Some(RowRef(common::AnyRow::Postgres(shown)))
    }
    pub(crate) fn column_count(&self) -> usize {
        self.columns.len()
    }
    pub(crate) fn column_name(&self, i: usize) -> &str {
        self.columns.get(i).map_or("", Column::name)
    }
    pub(crate) fn decl_type(&self, i: usize) -> Option<String> {
        self.columns.get(i).map(decl_type).filter(|name| !name.is_empty())
    }
}

/// The text of a value that has none in the answer; empty for types nobody stores here.
fn make(ty: &Type, raw: &[u8]) -> String {
    let made = match *ty {
        Type::JSONB => {
            raw.get(1..).map(|raw| canonical(&String::from_utf8_lossy(raw)).into_owned())
        }
        Type::NUMERIC => numeric(raw),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => raw.try_into().ok().map(|raw| {
            Timestamp::from_millis(
                i64::from_be_bytes(raw).div_euclid(1000).saturating_add(EPOCH_MS),
            )
            .to_string()
        }),
        Type::DATE => raw.try_into().ok().map(|raw| {
            let millis = i64::from(i32::from_be_bytes(raw)) * DAY_MS + EPOCH_MS;
            Timestamp::from_millis(millis).to_string()[..10].to_owned()
        }),
        Type::UUID => <[u8; 16]>::try_from(raw).ok().map(|raw| {
            let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "{}-{}-{}-{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            )
        }),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::NAME_ARRAY => {
            Vec::<Option<String>>::from_sql(ty, raw)
                .ok()
                .and_then(|v| serde_json::to_string(&v).ok())
        }
        Type::INT4_ARRAY => {
            Vec::<Option<i32>>::from_sql(ty, raw).ok().and_then(|v| serde_json::to_string(&v).ok())
        }
        Type::INT8_ARRAY => {
            Vec::<Option<i64>>::from_sql(ty, raw).ok().and_then(|v| serde_json::to_string(&v).ok())
        }
        Type::FLOAT8_ARRAY => {
            Vec::<Option<f64>>::from_sql(ty, raw).ok().and_then(|v| serde_json::to_string(&v).ok())
        }
        Type::CHAR => raw.first().map(|byte| char::from(*byte).to_string()),
        _ => std::str::from_utf8(raw).ok().map(str::to_owned),
    };
    made.unwrap_or_default()
}

/// JSON without blanks, keys in byte order.
fn canonical(text: &str) -> Cow<'_, str> {
    if text.contains('{')
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
    {
        return Cow::Owned(json::value_sorted(&value));
    }
    if !text.contains(", ") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            quoted = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
        } else {
            quoted = c == '"';
            if c == ' ' {
                continue;
            }
        }
        out.push(c);
    }
    Cow::Owned(out)
}

/// A `numeric` as decimal text.
fn numeric(raw: &[u8]) -> Option<String> {
    let word = |at: usize| Some(i16::from_be_bytes(raw.get(at..at + 2)?.try_into().ok()?));
    let (n_digits, weight, sign, scale) = (word(0)?, word(2)?, word(4)?, word(6)?);
    // NaN and the infinities have signs of their own.
    if !matches!(sign, 0 | 0x4000) {
        return None;
    }
    let digit = |i: i32| -> Option<i16> {
        match usize::try_from(i).ok().filter(|i| *i < usize::from(n_digits.unsigned_abs())) {
            Some(i) => word(8 + 2 * i),
            None => Some(0),
        }
    };
    let mut out = String::from(if sign == 0 { "" } else { "-" });
    if weight < 0 {
        out.push('0');
    }
    for i in 0..=i32::from(weight) {
        let group = digit(i)?;
        out.push_str(&if i == 0 { group.to_string() } else { format!("{group:04}") });
    }
    let scale = usize::from(scale.unsigned_abs());
    if scale > 0 {
        let mut fraction = String::new();
        let mut i = i32::from(weight) + 1;
        while fraction.len() < scale {
            fraction.push_str(&format!("{:04}", digit(i)?));
            i += 1;
        }
        fraction.truncate(scale);
        out.push('.');
        out.push_str(&fraction);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_canonical() {
        for (text, want) in [
            (r#"["a b", "c, d", "e\" f", 1]"#, r#"["a b","c, d","e\" f",1]"#),
            (r#"{"bb": 1, "a": [1, 2]}"#, r#"{"a":[1,2],"bb":1}"#),
            ("1.50", "1.50"),
            (r#""a, b""#, r#""a, b""#),
        ] {
            assert_eq!(canonical(text), want);
        }
    }

    #[test]
    fn numerics_are_decimals() {
        let encode = |words: &[i16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<_>>();
        for (words, want) in [
            (&[0, 0, 0, 0][..], "0"),
            (&[2, 1, 0, 0, 1, 5], "10005"),
            (&[2, 0, 0x4000, 2, 3, 1400], "-3.14"),
            (&[1, -1, 0, 4, 12], "0.0012"),
            (&[1, -2, 0, 6, 1200], "0.000012"),
            (&[1, 1, 0, 0, 7], "70000"),
        ] {
            assert_eq!(numeric(&encode(words)).unwrap(), want);
        }
    }
}
