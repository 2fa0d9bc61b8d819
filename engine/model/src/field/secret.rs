//! `secret`: a text that is encrypted at rest. Records hold it in clear; what is stored is sealed and opened by the engine,
//! which knows the row that a sealed value belongs to.
//!
//! Whoever reads or writes cells without doing so gets an empty text, never what is stored. Source: spec extensions 2.3.

use serde_json::Value;

use super::{
    Corrupt, DbCheck, Field, FieldType, RecordCheck, SettingsCheck, Val, field_type_basics,
};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    json,
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "secret";
/// The longest text in bytes.
const MAX_SIZE: i64 = 4_096;

wire! {
    /// Options of `secret`.
    #[derive(Default)]
    pub struct Secret {
        /// Greatest number of bytes, 0 for 4096.
        max_size: i64 = "maxSize",
    }
}

pub(super) fn blank() -> Secret {
    Secret::default()
}

/// There is no key to encrypt with.
#[must_use]
pub fn disabled() -> FieldError {
    FieldError::new(
        "validation_crypto_disabled",
        "Secret field requires PB_MASTER_KEY to be configured",
    )
}

impl FieldType for Secret {
    field_type_basics!(KIND);

    fn is_sealed(&self) -> bool {
        true
    }

    fn is_empty(&self, val: &Val) -> bool {
        val.as_str().is_empty()
    }

    fn normalize(&self, json: &Value) -> Val {
        Val::Text(json::to_string(json).into_owned())
    }

    fn read(&self, _: ValueRef<'_>) -> Result<Val, Corrupt> {
        Ok(self.zero())
    }

    fn to_db(&self, _: &Val) -> dialects::Value {
        dialects::Value::Text(String::new().into())
    }

    fn write_json(&self, _: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        out.extend_from_slice(b"\"\"");
        Ok(())
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        if let Some(error) = check::required(field.required && self.is_empty(val)) {
            return Err(error);
        }
        let max = if self.max_size > 0 { self.max_size } else { MAX_SIZE };
        if i64::try_from(val.as_str().len()).is_ok_and(|n| n <= max) {
            return Ok(None);
        }
        Err(FieldError::new("validation_max_size", "Value exceeds maximum size limit"))
    }

    fn check_settings(&self, _: &Field, cx: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        if cx.old.is_none() && !cx.can_seal {
            errors.set("", disabled());
        }
        if let Some(error) = check::range(self.max_size, 0, MAX_SIZE) {
            errors.set("maxSize", error);
        }
    }
}
