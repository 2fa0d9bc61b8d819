//! `geoPoint`: a longitude and a latitude; 0/0 is empty.

use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use super::{
    ColumnType, Corrupt, DbCheck, Field, FieldType, RecordCheck, Val, cell_text, field_type_basics,
};
use crate::{check, error::FieldError, json, store::ValueRef, wire};

/// The wire name.
pub const KIND: &str = "geoPoint";

wire! {
    /// Options of `geoPoint`: none of its own.
    #[derive(Default)]
    pub struct GeoPoint {}
}

pub(super) fn blank() -> GeoPoint {
    GeoPoint::default()
}

/// A longitude and a latitude.
type Point = (f64, f64);

fn value(val: &Val) -> Point {
    if let Val::Geo { lon, lat } = val { (*lon, *lat) } else { (0.0, 0.0) }
}

/// Decodes an object. The error has what could be read before the first member that is no number; what is no object
/// counts as 0.
fn decode(json: &Value) -> Result<Point, Point> {
    let (mut lon, mut lat) = (0.0, 0.0);
    let members = match json {
        Value::Null => return Ok((lon, lat)),
        Value::Object(members) => members,
        _ => return Err((lon, lat)),
    };
    for (key, item) in members {
        let slot = match key.as_str() {
            "lon" => &mut lon,
            "lat" => &mut lat,
            _ => continue,
        };
        match item {
            Value::Null => {}
            Value::Number(number) => *slot = number.as_f64().unwrap_or(0.0),
            _ => return Err((lon, lat)),
        }
    }
    Ok((lon, lat))
}

/// The same for text: a key that comes twice and text that is not well-formed end it as well (spec upstream-0.40 §2.10).
fn decode_text(text: &str) -> Result<Point, Point> {
    if text.is_empty() {
        return Ok((0.0, 0.0));
    }
    let (value, fault) = json::read::until_fault(text);
    match (decode(&value), fault) {
        (Ok(point), Some(_)) => Err(point),
        (read, _) => read,
    }
}

fn write(lon: f64, lat: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"lon\":");
    json::write_f64(out, lon);
    out.extend_from_slice(b",\"lat\":");
    json::write_f64(out, lat);
    out.push(b'}');
}

/// A cell that is not an object breaks the whole query (spec §3.10).
fn read_cell(cell: ValueRef<'_>) -> Result<Point, Corrupt> {
    let text = cell_text(cell);
    decode_text(&text).map_err(|_| {
        Corrupt(format!("{} is not a geo point", text.chars().take(50).collect::<String>()))
    })
}

impl FieldType for GeoPoint {
    field_type_basics!(KIND);

    fn class(&self) -> Class {
        Class::GeoPoint
    }

    fn affinity(&self) -> Affinity {
        Affinity::Num
    }

    fn column(&self) -> ColumnType {
        ColumnType::Geo
    }

    fn zero(&self) -> Val {
        Val::Geo { lon: 0.0, lat: 0.0 }
    }

    fn is_empty(&self, val: &Val) -> bool {
        value(val) == (0.0, 0.0)
    }

    fn normalize(&self, json: &Value) -> Val {
        let point = match json {
            Value::String(text) => decode_text(text),
            other => decode(other),
        };
        let (lon, lat) = point.unwrap_or_else(|readable| readable);
        Val::Geo { lon, lat }
    }

    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        read_cell(cell).map(|(lon, lat)| Val::Geo { lon, lat })
    }

    fn to_db(&self, val: &Val) -> dialects::Value {
        let (lon, lat) = value(val);
        let mut out = Vec::with_capacity(32);
        write(lon, lat, &mut out);
        dialects::Value::Text(String::from_utf8_lossy(&out).as_ref().into())
    }

    fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        let (lon, lat) = read_cell(cell)?;
        write(lon, lat, out);
        Ok(())
    }

    fn write_val_json(&self, val: &Val, out: &mut Vec<u8>) {
        let (lon, lat) = value(val);
        write(lon, lat, out);
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let (lon, lat) = value(val);
        if let Some(error) = check::required(field.required && self.is_empty(val)) {
            return Err(error);
        }
        if !(-90.0..=90.0).contains(&lat) {
            return Err(FieldError::new(
                "validation_invalid_latitude",
                "Latitude must be between -90 and 90 degrees.",
            ));
        }
        if !(-180.0..=180.0).contains(&lon) {
            return Err(FieldError::new(
                "validation_invalid_longitude",
                "Longitude must be between -180 and 180 degrees.",
            ));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_can_be_read_is_kept_on_write_and_refused_on_read() {
        let cases = [
            (json!({"lon": 1, "lat": 2.5}), (1.0, 2.5), true),
            (json!({"LON": 1, "lat": 2}), (0.0, 2.0), true),
            (json!({"lon": null, "lat": 2}), (0.0, 2.0), true),
            (json!(null), (0.0, 0.0), true),
            (json!({"lon": "", "lat": 2}), (0.0, 0.0), false),
            (json!({"lon": 200, "lat": "3"}), (200.0, 0.0), false),
            (json!([1, 2]), (0.0, 0.0), false),
            (json!("x"), (0.0, 0.0), false),
        ];
        let field = blank();
        for (given, point, whole) in cases {
            let text = given.to_string();
            assert_eq!(value(&field.normalize(&given)), point, "{text}");
            if !given.is_string() {
                assert_eq!(value(&field.normalize(&Value::String(text.clone()))), point, "{text}");
            }
            assert_eq!(field.read(ValueRef::Text(&text)).is_ok(), whole, "{text}");
        }
        for (text, point) in [
            (r#"{"lon":1,"lon":5,"lat":2}"#, (1.0, 0.0)),
            (r#"{"lon":1,"lat":2,"lat":3}"#, (1.0, 2.0)),
            (r#"{"lon":1,"lat":2"#, (1.0, 2.0)),
            (r#"{"lon":1,,}"#, (1.0, 0.0)),
            (r#"{"lon":1,"lat":2} x"#, (1.0, 2.0)),
            (r#"{"z":{"a":1,"a":2},"lon":1,"lat":2}"#, (0.0, 0.0)),
            (r#"{"lon":1,"z":"\ud800","lat":2}"#, (1.0, 0.0)),
            (r#"{"lon":1e400,"lat":2}"#, (0.0, 0.0)),
            ("x", (0.0, 0.0)),
        ] {
            assert_eq!(value(&field.normalize(&Value::from(text))), point, "{text}");
            assert!(field.read(ValueRef::Text(text)).is_err(), "{text}");
        }
    }
}
