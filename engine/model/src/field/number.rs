//! `number`: a double.

use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use super::{
    ColumnType, Corrupt, DbCheck, Field, FieldType, Modifier, RecordCheck, SettingsCheck, Val,
    cell_text, field_type_basics,
};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    json,
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "number";

wire! {
    /// Options of `number`.
    #[derive(Default)]
    pub struct Number {
        /// Least value; zero is never compared.
        min: Option<f64> = "min",
        /// Greatest value; zero is never compared.
        max: Option<f64> = "max",
        /// No decimals.
        only_int: bool = "onlyInt",
    }
}

pub(super) fn blank() -> Number {
    Number::default()
}

fn value(val: &Val) -> f64 {
    if let Val::Number(number) = val { *number } else { 0.0 }
}

/// A JSON number that prints like the reference's: integral values without a fraction.
pub(super) fn json_number(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and small")]
    if number.fract() == 0.0 && number.abs() < 9e15 {
        Value::from(number as i64)
    } else {
        Value::from(number)
    }
}

fn shown(number: f64) -> String {
    let mut out = Vec::new();
    json::write_f64(&mut out, number);
    String::from_utf8(out).unwrap_or_default()
}

fn min_error(min: f64) -> FieldError {
    FieldError::new(
        "validation_min_number_constraint",
        format!("Must be greater or equal than {}", shown(min)),
    )
    .param("min", json_number(min))
}

fn only_int_error() -> FieldError {
    FieldError::new("validation_only_int_constraint", "Decimal numbers are not allowed")
}

/// Representable as a 64-bit integer.
fn is_int(number: f64) -> bool {
    number.fract() == 0.0 && (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&number)
}

fn read_cell(cell: ValueRef<'_>) -> f64 {
    match cell {
        ValueRef::Real(real) => real,
        #[expect(clippy::cast_precision_loss, reason = "the wire type is a double")]
        ValueRef::Int(int) => int as f64,
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => {
            json::parse_float(&cell_text(cell)).unwrap_or(0.0)
        }
    }
}

impl FieldType for Number {
    field_type_basics!(KIND);

    fn class(&self) -> Class {
        Class::Number
    }

    fn affinity(&self) -> Affinity {
        Affinity::Num
    }

    fn column(&self) -> ColumnType {
        ColumnType::Number
    }

    fn zero(&self) -> Val {
        Val::Number(0.0)
    }

    fn is_empty(&self, val: &Val) -> bool {
        value(val) == 0.0
    }

    fn normalize(&self, json: &Value) -> Val {
        Val::Number(json::to_float(json))
    }

    fn modify(&self, modifier: Modifier, current: &Val, json: &Value) -> Option<Val> {
        match modifier {
            Modifier::Append => Some(Val::Number(value(current) + json::to_float(json))),
            Modifier::Remove => Some(Val::Number(value(current) - json::to_float(json))),
            Modifier::Prepend | Modifier::Autogenerate => None,
        }
    }

    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        Ok(Val::Number(read_cell(cell)))
    }

    fn to_db(&self, val: &Val) -> dialects::Value {
        dialects::Value::Real(value(val))
    }

    fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        match cell {
            ValueRef::Int(int) if int.unsigned_abs() < 1 << 53 => {
                out.extend_from_slice(itoa::Buffer::new().format(int).as_bytes());
            }
            _ => json::write_f64(out, read_cell(cell)),
        }
        Ok(())
    }

    fn write_val_json(&self, val: &Val, out: &mut Vec<u8>) {
        json::write_f64(out, value(val));
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let number = value(val);
        if !number.is_finite() {
            return Err(FieldError::new(
                "validation_not_a_number",
                "The submitted number is not properly formatted",
            ));
        }
        // Zero skips min, max and onlyInt (spec §6.3).
        if number == 0.0 {
            return check::required(field.required).map_or(Ok(None), Err);
        }
        if self.only_int && !is_int(number) {
            return Err(only_int_error());
        }
        if let Some(min) = self.min.filter(|min| number < *min) {
            return Err(min_error(min));
        }
        if let Some(max) = self.max.filter(|max| number > *max) {
            return Err(FieldError::new(
                "validation_max_number_constraint",
                format!("Must be less or equal than {}", shown(max)),
            )
            .param("max", json_number(max)));
        }
        Ok(None)
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        let not_int = |bound: Option<f64>| self.only_int && bound.is_some_and(|n| !is_int(n));
        if not_int(self.min) {
            errors.set("min", only_int_error());
        }
        if not_int(self.max) {
            errors.set("max", only_int_error());
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && max < min
        {
            errors.set("max", min_error(min));
        }
    }
}
