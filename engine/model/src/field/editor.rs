//! `editor`: HTML text, stored as given.

use serde_json::Value;

use super::{DbCheck, Field, FieldType, RecordCheck, SettingsCheck, Val, field_type_basics};
use crate::{
    check::{self, MAX_SAFE},
    error::{FieldError, FieldErrors},
    json, wire,
};

/// The wire name.
pub const KIND: &str = "editor";
const DEFAULT_MAX_BYTES: i64 = 5 << 20;

wire! {
    /// Options of `editor`.
    #[derive(Default)]
    pub struct Editor {
        /// Greatest size in bytes, 0 for 5 MiB.
        max_size: i64 = "maxSize",
        /// A hint for user interfaces.
        convert_urls: bool = "convertURLs",
        /// The full-text index of the table holds it.
        full_text: bool = "fullText" [UnlessBlank],
    }
}

pub(super) fn blank() -> Editor {
    Editor::default()
}

impl Editor {
    fn max_bytes(&self) -> i64 {
        if self.max_size > 0 { self.max_size } else { DEFAULT_MAX_BYTES }
    }
}

/// True if `text` has more than `max` bytes.
pub(super) fn exceeds(text: &str, max: i64) -> bool {
    i64::try_from(text.len()).unwrap_or(i64::MAX) > max
}

impl FieldType for Editor {
    field_type_basics!(KIND);

    fn max_body_bytes(&self) -> u64 {
        self.max_bytes().unsigned_abs()
    }

    fn full_text(&self) -> bool {
        self.full_text
    }

    fn is_empty(&self, val: &Val) -> bool {
        val.as_str().is_empty()
    }

    fn normalize(&self, json: &Value) -> Val {
        Val::Text(json::to_string(json).into_owned())
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let text = val.as_str();
        if let Some(error) = check::required(field.required && text.is_empty()) {
            return Err(error);
        }
        let max = self.max_bytes();
        if exceeds(text, max) {
            return Err(FieldError::new(
                "validation_content_size_limit",
                format!("The maximum allowed content size is {max} bytes"),
            )
            .param("maxSize", max));
        }
        Ok(None)
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        if let Some(error) = check::range(self.max_size, 0, MAX_SAFE) {
            errors.set("maxSize", error);
        }
    }
}
