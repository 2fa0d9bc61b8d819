//! `password`: only a hash is stored, and it is never shown.
//!
//! Hashing is done by `auth`; a value being set carries its plain text until then.

use serde_json::Value;

use super::{
    Corrupt, DbCheck, Field, FieldType, RecordCheck, SettingsCheck, Val, cell_text,
    field_type_basics, text::pattern_allows,
};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    json,
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "password";
const DEFAULT_MAX: i64 = 71;
/// The longest plain text the hash accepts, in bytes.
const MAX_BYTES: usize = 72;

wire! {
    /// Options of `password`.
    #[derive(Default)]
    pub struct Password {
        /// RE2 pattern of the plain text.
        pattern: String = "pattern",
        /// Least number of code points.
        min: i64 = "min",
        /// Greatest number of code points, 0 for 71.
        max: i64 = "max",
        /// bcrypt cost, 0 for 10.
        cost: i64 = "cost",
    }
}

pub(super) fn blank() -> Password {
    Password::default()
}

/// The value for a plain text being set; `""` clears the hash.
#[must_use]
pub fn plain(text: String) -> Val {
    Val::Password { hash: String::new(), plain: (!text.is_empty()).then_some(text) }
}

impl FieldType for Password {
    field_type_basics!(KIND);

    fn shape(&self) -> super::ValueShape {
        super::ValueShape::Secret
    }

    fn zero(&self) -> Val {
        plain(String::new())
    }

    fn is_empty(&self, val: &Val) -> bool {
        match val {
            Val::Password { hash, plain } => hash.is_empty() && plain.is_none(),
            _ => true,
        }
    }

    fn normalize(&self, json: &Value) -> Val {
        plain(json::to_string(json).into_owned())
    }

    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        Ok(Val::Password { hash: cell_text(cell).into_owned(), plain: None })
    }

    fn to_db(&self, val: &Val) -> dialects::Value {
        let hash = if let Val::Password { hash, .. } = val { hash.as_str() } else { "" };
        dialects::Value::Text(hash.into())
    }

    fn write_json(&self, _: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        out.extend_from_slice(b"\"\"");
        Ok(())
    }

    fn write_val_json(&self, _: &Val, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"\"");
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let plain = if let Val::Password { plain, .. } = val { plain.as_deref() } else { None };
        if plain.is_some_and(|text| text.len() > MAX_BYTES) {
            return Err(FieldError::Other("bcrypt: password length exceeds 72 bytes".into()));
        }
        if let Some(error) = check::required(field.required && self.is_empty(val)) {
            return Err(error);
        }
        let Some(text) = plain else { return Ok(None) };
        let n_chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if n_chars < self.min {
            // no point at its end, other than that of texts: it shows where errors are put together
            return Err(FieldError::new(
                "validation_min_text_constraint",
                format!("Must be at least {} character(s)", self.min),
            ));
        }
        let max = if self.max > 0 { self.max } else { DEFAULT_MAX };
        if n_chars > max {
            return Err(FieldError::new(
                "validation_max_text_constraint",
                format!("Must be less than {max} character(s)"),
            ));
        }
        if !pattern_allows(&self.pattern, text) {
            return Err(FieldError::new("validation_invalid_format", "Invalid value format"));
        }
        Ok(None)
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        for (key, check) in [
            ("min", check::range(self.min, 1, DEFAULT_MAX)),
            ("max", check::range(self.max, self.min, DEFAULT_MAX)),
            ("cost", check::range(self.cost, 4, 31)),
            ("pattern", check::regex(&self.pattern)),
        ] {
            if let Some(error) = check {
                errors.set(key, error);
            }
        }
    }
}
