//! `date`: a UTC time in the wire format, or empty.

use serde_json::Value;

use super::{Corrupt, DbCheck, Field, FieldType, RecordCheck, Val, cell_text, field_type_basics};
use crate::{
    check,
    error::FieldError,
    json,
    store::ValueRef,
    time, wire,
    wire::{Audience, DecodeError, Shape, Shaped, Wire},
};

/// The wire name.
pub const KIND: &str = "date";

/// A date option: any accepted text, kept in the wire format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DateText(pub String);

impl Shaped for DateText {
    const SHAPE: &'static Shape = &Shape::Text;
}

impl Wire for DateText {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        match json {
            Value::Null => {
                self.clear();
                Ok(())
            }
            Value::String(text) => {
                self.0 = time::to_text(time::parse(text));
                Ok(())
            }
            _ => Err(DecodeError::new("date string")),
        }
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        json::write_str(out, &self.0);
    }
}

wire! {
    /// Options of `date`.
    #[derive(Default)]
    pub struct Date {
        /// Earliest date.
        min: DateText = "min",
        /// Latest date. A range with min > max is accepted (spec §3.6).
        max: DateText = "max",
    }
}

pub(super) fn blank() -> Date {
    Date::default()
}

/// True for a valid date that is already in the wire format.
fn is_wire_format(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() == 24 && b[10] == b' ' && b[19] == b'.' && b[23] == b'Z' && time::parse(text).is_some()
}

/// Reads a stored date cell as the wire text.
pub(super) fn cell_date(cell: ValueRef<'_>) -> std::borrow::Cow<'_, str> {
    let text = cell_text(cell);
    if text.is_empty() || is_wire_format(&text) {
        return text;
    }
    time::to_text(time::parse(&text)).into()
}

/// A submitted value as a date; JSON numbers are never dates (spec §0.3).
pub(super) fn normalise(json: &Value) -> Val {
    Val::Text(match json {
        Value::String(text) => time::to_text(time::parse(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            String::new()
        }
    })
}

/// A threshold error: the message prints Go's time text, the param is RFC 3339.
fn bound_error(code: &str, what: &str, bound: &str) -> FieldError {
    let body = bound.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    let body = if body.len() < 19 { &bound[..bound.len().min(19)] } else { body };
    FieldError::new(code, format!("must be no {what} than {body} +0000 UTC"))
        .param("threshold", format!("{}Z", body.replacen(' ', "T", 1)))
}

impl FieldType for Date {
    field_type_basics!(KIND);

    fn shape(&self) -> super::ValueShape {
        super::ValueShape::Date
    }

    fn is_empty(&self, val: &Val) -> bool {
        val.as_str().is_empty()
    }

    fn normalise(&self, json: &Value) -> Val {
        normalise(json)
    }

    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        Ok(Val::Text(cell_date(cell).into_owned()))
    }

    fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        json::write_str(out, &cell_date(cell));
        Ok(())
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let text = val.as_str();
        if text.is_empty() {
            return check::required(field.required).map_or(Ok(None), Err);
        }
        // The wire format sorts like time.
        if !self.min.0.is_empty() && text < self.min.0.as_str() {
            let code = "validation_min_greater_equal_than_required";
            return Err(bound_error(code, "less", &self.min.0));
        }
        if !self.max.0.is_empty() && text > self.max.0.as_str() {
            let code = "validation_max_less_equal_than_required";
            return Err(bound_error(code, "greater", &self.max.0));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        for (bound, shown, threshold) in [
            ("2020-01-01 00:00:00.000Z", "2020-01-01 00:00:00 +0000 UTC", "2020-01-01T00:00:00Z"),
            ("2020-01-01 00:00:10.000Z", "2020-01-01 00:00:10 +0000 UTC", "2020-01-01T00:00:10Z"),
            (
                "2020-01-01 00:00:00.120Z",
                "2020-01-01 00:00:00.12 +0000 UTC",
                "2020-01-01T00:00:00.12Z",
            ),
        ] {
            let FieldError::Item { message, params, .. } = bound_error("c", "less", bound) else {
                panic!("not an item")
            };
            assert_eq!(message, format!("must be no less than {shown}"));
            assert_eq!(params["threshold"], threshold);
        }
    }
}
