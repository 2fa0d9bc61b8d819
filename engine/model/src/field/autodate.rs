//! `autodate`: the time of the create or update; clients cannot set it.

use serde_json::Value;

use super::{
    Corrupt, DbCheck, Field, FieldType, Fill, Moment, RecordCheck, SettingsCheck, Val, date,
    field_type_basics,
};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    json,
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "autodate";

wire! {
    /// Options of `autodate`.
    #[derive(Default)]
    pub struct Autodate {
        /// Set when the record is created.
        on_create: bool = "onCreate",
        /// Set when the record is updated.
        on_update: bool = "onUpdate",
    }
}

pub(super) fn blank() -> Autodate {
    Autodate::default()
}

impl FieldType for Autodate {
    field_type_basics!(KIND);

    fn shape(&self) -> super::ValueShape {
        super::ValueShape::Date
    }

    fn has_required(&self) -> bool {
        false
    }

    fn is_empty(&self, val: &Val) -> bool {
        val.as_str().is_empty()
    }

    fn normalise(&self, json: &Value) -> Val {
        date::normalise(json)
    }

    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        Ok(Val::Text(date::cell_date(cell).into_owned()))
    }

    fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        json::write_str(out, &date::cell_date(cell));
        Ok(())
    }

    fn fill(&self, _: &Val, fill: &Fill<'_>) -> Option<Val> {
        let wanted = match fill.moment {
            Moment::Validate => false,
            Moment::Create => self.on_create,
            Moment::Update => self.on_update,
        };
        (wanted && !fill.touched).then(|| Val::Text(fill.now.to_owned()))
    }

    fn check(
        &self,
        _: &Field,
        _: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        Ok(None)
    }

    fn check_settings(&self, field: &Field, cx: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        if !self.on_create && !self.on_update {
            for key in ["onCreate", "onUpdate"] {
                let message = "either onCreate or onUpdate must be enabled";
                errors.set(key, FieldError::new("validation_required", message));
            }
        }
        let Some(old) = cx.old.filter(|_| field.system).and_then(|old| old.options::<Self>())
        else {
            return;
        };
        for (key, equal) in [
            ("onCreate", old.on_create == self.on_create),
            ("onUpdate", old.on_update == self.on_update),
        ] {
            if let Some(error) = check::same(equal) {
                errors.set(key, error);
            }
        }
    }
}
