//! `select`: one or several of a fixed list.

use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use super::{
    ColumnType, Corrupt, DbCheck, Field, FieldType, Modifier, RecordCheck, SettingsCheck, Val,
    field_type_basics, list,
};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "select";

wire! {
    /// Options of `select`.
    #[derive(Default)]
    pub struct Select {
        /// The choices.
        values: Vec<String> = "values",
        /// Several if greater than 1.
        max_select: i64 = "maxSelect",
    }
}

pub(super) fn blank() -> Select {
    Select::default()
}

/// "Select no more than n".
pub(super) fn too_many(code: &str, what: &str, max: i64) -> FieldError {
    FieldError::new(code, format!("{what} {max}")).param("maxSelect", max)
}

/// True if `items` has more than `max` (at least 1) items.
pub(super) fn exceeds(items: &[String], max_select: i64) -> bool {
    i64::try_from(items.len()).unwrap_or(i64::MAX) > max_select.max(1)
}

/// The methods select, file and relation share.
macro_rules! list_type_methods {
    () => {
        fn multiple(&self) -> bool {
            self.max_select > 1
        }

        fn affinity(&self) -> Affinity {
            if self.multiple() { Affinity::Num } else { Affinity::Text }
        }

        fn column(&self) -> ColumnType {
            if self.multiple() { ColumnType::JsonList } else { ColumnType::Text }
        }

        fn zero(&self) -> Val {
            list::to_val(Vec::new(), self.multiple())
        }

        fn is_empty(&self, val: &Val) -> bool {
            val.items().is_empty()
        }

        fn normalise(&self, json: &Value) -> Val {
            list::normalise(json, self.multiple())
        }

        fn modify(&self, modifier: Modifier, current: &Val, json: &Value) -> Option<Val> {
            list::modify(modifier, current, json, self.multiple())
        }

        fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
            Ok(list::read(cell, self.multiple()))
        }

        fn to_db(&self, val: &Val) -> dialects::Value {
            list::to_db(val, self.multiple())
        }

        fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
            list::write_json(cell, self.multiple(), out);
            Ok(())
        }

        fn write_val_json(&self, val: &Val, out: &mut Vec<u8>) {
            list::write_val_json(val, self.multiple(), out);
        }
    };
}
pub(super) use list_type_methods;

impl FieldType for Select {
    field_type_basics!(KIND);
    list_type_methods!();

    fn class(&self) -> Class {
        Class::Select
    }

    fn shape(&self) -> super::ValueShape {
        super::ValueShape::Choice(self.values.clone())
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let items = val.items();
        if items.is_empty() {
            return check::required(field.required).map_or(Ok(None), Err);
        }
        if exceeds(items, self.max_select) {
            let max = self.max_select.max(1);
            return Err(too_many("validation_too_many_values", "Select no more than", max));
        }
        if let Some(item) = items.iter().find(|item| !self.values.contains(item)) {
            return Err(FieldError::new(
                "validation_invalid_value",
                format!("Invalid value {item}"),
            )
            .param("value", item.as_str()));
        }
        Ok(None)
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        let n_values = self.values.len();
        if let Some(error) = check::required(n_values == 0) {
            errors.set("values", error);
        }
        let max = i64::try_from(n_values.max(1)).unwrap_or(i64::MAX);
        if let Some(error) = check::range(self.max_select, 0, max) {
            errors.set("maxSelect", error);
        }
    }
}
