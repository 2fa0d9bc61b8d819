//! `text`: a string with length limits, a pattern and optional generation. Also the primary key.

use serde_json::Value;

use super::{
    ColumnType, DbCheck, Field, FieldType, Fill, Modifier, Moment, RecordCheck, SettingsCheck, Val,
    field_type_basics,
};
use crate::{
    check::{self, MAX_SAFE},
    error::{FieldError, FieldErrors},
    id, json, wire,
};

/// The wire name.
pub const KIND: &str = "text";
/// The pattern of ordinary ids; a magic value (spec §6.16).
pub const DEFAULT_KEY_PATTERN: &str = "^[a-z0-9]+$";
/// The generator of ordinary ids.
pub const DEFAULT_KEY_GENERATOR: &str = "[a-z0-9]{15}";
const DEFAULT_MAX: i64 = 5000;

wire! {
    /// Options of `text`.
    #[derive(Default)]
    pub struct Text {
        /// Least number of code points, 0 for none.
        min: i64 = "min",
        /// Greatest number of code points, 0 for 5000.
        max: i64 = "max",
        /// RE2 pattern, searched anywhere.
        pattern: String = "pattern",
        /// Pattern to generate missing values from.
        autogenerate: String = "autogeneratePattern",
        /// The field is the primary key.
        primary_key: bool = "primaryKey",
        /// The full-text index of the table holds it.
        full_text: bool = "fullText" [UnlessBlank],
    }
}

pub(super) fn blank() -> Text {
    Text::default()
}

impl Text {
    /// The default `id` field (spec §2.2).
    #[must_use]
    pub fn default_key() -> Field {
        let mut field = Field::new(
            "id",
            Self {
                min: 15,
                max: 15,
                pattern: DEFAULT_KEY_PATTERN.into(),
                autogenerate: DEFAULT_KEY_GENERATOR.into(),
                primary_key: true,
                full_text: false,
            },
        );
        field.system = true;
        field.required = true;
        field.id = field.default_id();
        field
    }

    /// The rules of the value itself.
    fn check_text(&self, required: bool, text: &str) -> Option<FieldError> {
        if text.is_empty() {
            return check::required(required || self.primary_key);
        }
        let n_chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if n_chars < self.min {
            return Some(min_error(self.min).param("min", self.min));
        }
        let max = if self.max > 0 { self.max } else { DEFAULT_MAX };
        if n_chars > max {
            return Some(max_error(max).param("max", max));
        }
        if !pattern_allows(&self.pattern, text) {
            return Some(FieldError::new("validation_invalid_format", "Invalid value format."));
        }
        if self.primary_key && self.pattern != DEFAULT_KEY_PATTERN {
            return check_key_characters(text);
        }
        None
    }
}

/// "At least n characters".
fn min_error(min: i64) -> FieldError {
    FieldError::new(
        "validation_min_text_constraint",
        format!("Must be at least {min} character(s)."),
    )
}

fn max_error(max: i64) -> FieldError {
    FieldError::new(
        "validation_max_text_constraint",
        format!("Must be no more than {max} character(s)."),
    )
}

/// True if `text` contains a match of a user pattern; a blank or broken pattern allows everything or nothing.
pub(super) fn pattern_allows(pattern: &str, text: &str) -> bool {
    match pattern {
        "" => true,
        DEFAULT_KEY_PATTERN => {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        }
        _ => crate::re2::compiled(pattern).is_some_and(|regex| regex.is_match(text)),
    }
}

/// Characters and names that are unsafe in a primary key, in checking order.
fn check_key_characters(text: &str) -> Option<FieldError> {
    const FORBIDDEN: &str = "./\\|\"'`<>:?*%$\0\t\n\r ";
    if let Some(ch) = FORBIDDEN.chars().find(|ch| text.contains(*ch)) {
        return Some(
            FieldError::new(
                "validation_forbidden_pk_character",
                format!("'{ch}' is not a valid primary key character."),
            )
            .param("ch", ch.to_string()),
        );
    }
    let upper = text.to_ascii_uppercase();
    let numbered = |stem: &str| {
        upper
            .strip_prefix(stem)
            .is_some_and(|n| n.len() == 1 && matches!(n.as_bytes()[0], b'1'..=b'9'))
    };
    if matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
    {
        return Some(
            FieldError::new(
                "validation_reserved_pk",
                format!("The primary key '{upper}' is reserved and cannot be used."),
            )
            .param("reserved", upper),
        );
    }
    None
}

impl FieldType for Text {
    field_type_basics!(KIND);

    fn column(&self) -> ColumnType {
        if self.primary_key { ColumnType::TextPk } else { ColumnType::Text }
    }

    fn full_text(&self) -> bool {
        self.full_text && !self.primary_key
    }

    fn is_empty(&self, val: &Val) -> bool {
        val.as_str().is_empty()
    }

    fn normalize(&self, json: &Value) -> Val {
        Val::Text(json::to_string(json).into_owned())
    }

    fn modify(&self, modifier: Modifier, _: &Val, json: &Value) -> Option<Val> {
        if modifier != Modifier::Autogenerate {
            return None;
        }
        let mut text = json::to_string(json).into_owned();
        if !self.autogenerate.is_empty() {
            text.push_str(&id::from_pattern(&self.autogenerate).unwrap_or_default());
        }
        Some(Val::Text(text))
    }

    fn fill(&self, val: &Val, fill: &Fill<'_>) -> Option<Val> {
        let wanted = fill.is_new
            && fill.moment != Moment::Update
            && !self.autogenerate.is_empty()
            && val.as_str().is_empty();
        wanted.then(|| Val::Text(id::from_pattern(&self.autogenerate).unwrap_or_default()))
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        cx: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let text = val.as_str();
        let mut db_check = None;
        if self.primary_key {
            match cx.old {
                Some(old) if old.as_str() != text => {
                    return Err(FieldError::new(
                        "validation_pk_change",
                        "The record primary key cannot be changed.",
                    ));
                }
                Some(_) => return Ok(None),
                None if self.pattern != DEFAULT_KEY_PATTERN => {
                    db_check = Some(DbCheck::FreshKey { id: text.to_owned() });
                }
                None => {}
            }
        }
        self.check_text(field.required, text).map_or(Ok(db_check), Err)
    }

    fn check_settings(&self, field: &Field, cx: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        let mut put = |key: &str, check: check::Check| {
            if let Some(error) = check {
                errors.set(key, error);
            }
        };
        if self.primary_key {
            if field.name != "id" {
                let message = "The primary key must be named \"id\".";
                put("name", Some(FieldError::new("validation_in_invalid", message)));
            }
            put("required", check::required(!field.required));
            put("pattern", check::required(self.pattern.is_empty()));
            put("hidden", check::empty(!field.hidden));
            put("fullText", check::empty(!self.full_text));
            let n_keys = cx
                .fields
                .iter()
                .filter(|f| f.options::<Self>().is_some_and(|t| t.primary_key))
                .count();
            if n_keys > 1 {
                let message =
                    "Composite PKs are not supported and the collection must have only 1 PK.";
                put(
                    "primaryKey",
                    Some(FieldError::new("validation_unsupported_composite_pk", message)),
                );
            }
        }
        put("min", check::range(self.min, 0, MAX_SAFE));
        put("max", check::range(self.max, self.min, MAX_SAFE));
        put("pattern", check::regex(&self.pattern));
        put("autogeneratePattern", self.check_generator(field));
    }
}

impl Text {
    /// Compiles the generator and tries it ten times.
    fn check_generator(&self, field: &Field) -> check::Check {
        if self.autogenerate.is_empty() {
            return None;
        }
        if let Some(error) = check::regex(&self.autogenerate) {
            return Some(error);
        }
        for _ in 0..10 {
            let text = match id::from_pattern(&self.autogenerate) {
                Ok(text) => text,
                Err(message) => {
                    return Some(FieldError::new(
                        "validation_invalid_autogenerate_pattern",
                        message.to_string(),
                    ));
                }
            };
            if self.check_text(field.required, &text).is_some() {
                return Some(FieldError::new(
                    "validation_invalid_autogenerate_pattern_value",
                    format!(
                        "The provided autogenerate pattern could produce invalid field values, ex.: \"{text}\""
                    ),
                ));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: &FieldError) -> &str {
        match error {
            FieldError::Item { code, .. } => code,
            FieldError::Nested(_) | FieldError::Other(_) => "",
        }
    }

    #[test]
    fn record_rules() {
        let new = RecordCheck { is_new: true, old: None, uploads: &[] };
        let plain = || Field::new("t", Text { min: 2, max: 3, pattern: "^a".into(), ..blank() });
        let key = || Field::new("id", Text { primary_key: true, pattern: ".*".into(), ..blank() });
        for (field, text, want) in [
            (plain(), "", ""),
            (plain(), "a", "validation_min_text_constraint"),
            (plain(), "aaaa", "validation_max_text_constraint"),
            (plain(), "éé", "validation_invalid_format"),
            (plain(), "aé", ""),
            (key(), "", "validation_required"),
            (key(), "a b", "validation_forbidden_pk_character"),
            (key(), "com1", "validation_reserved_pk"),
            (key(), "com0", ""),
            (Text::default_key(), "ABC", "validation_min_text_constraint"),
            (Text::default_key(), "ABCDEFGHIJKLMNO", "validation_invalid_format"),
            (Text::default_key(), "abcdefghijklmno", ""),
        ] {
            let result = field.check(&Val::Text(text.into()), &new);
            assert_eq!(result.as_ref().err().map_or("", code), want, "{text}");
        }
        let old = Val::Text("x".into());
        let cx = RecordCheck { is_new: false, old: Some(&old), uploads: &[] };
        assert!(key().check(&old, &cx).unwrap().is_none());
        assert_eq!(
            code(&key().check(&Val::Text("y".into()), &cx).unwrap_err()),
            "validation_pk_change"
        );
    }
}
