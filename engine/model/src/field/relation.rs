//! `relation`: ids of records of another collection.

use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use super::{
    ColumnType, Corrupt, DbCheck, Field, FieldType, Modifier, RecordCheck, SettingsCheck, Val,
    field_type_basics, list,
    select::{exceeds, list_type_methods, too_many},
};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "relation";

wire! {
    /// Options of `relation`.
    #[derive(Default)]
    pub struct Relation {
        /// Id of the target collection.
        collection_id: String = "collectionId",
        /// Deleting the last target deletes the record.
        cascade_delete: bool = "cascadeDelete",
        /// Least number of ids of a non-empty value.
        min_select: i64 = "minSelect",
        /// Several if greater than 1.
        max_select: i64 = "maxSelect",
    }
}

pub(super) fn blank() -> Relation {
    Relation::default()
}

impl Relation {
    fn check_target(&self, cx: &SettingsCheck<'_>) -> check::Check {
        if let Some(error) = check::required(self.collection_id.is_empty()) {
            return Some(error);
        }
        if let Some(old) = cx.old.and_then(|old| old.options::<Self>())
            && old.collection_id != self.collection_id
        {
            return Some(FieldError::new(
                "validation_field_relation_change",
                "The relation collection cannot be changed.",
            ));
        }
        match (cx.target_is_view)(&self.collection_id) {
            None => Some(FieldError::new(
                "validation_field_relation_missing_collection",
                "The relation collection doesn't exist.",
            )),
            Some(true) if !cx.is_view => Some(FieldError::new(
                "validation_relation_field_non_view_base_collection",
                "Only view collections are allowed to have relations to other views.",
            )),
            Some(_) => None,
        }
    }
}

impl FieldType for Relation {
    field_type_basics!(KIND);
    list_type_methods!();

    fn class(&self) -> Class {
        Class::Relation
    }

    fn target(&self) -> Option<&str> {
        Some(&self.collection_id)
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let ids = val.items();
        if ids.is_empty() {
            return check::required(field.required).map_or(Ok(None), Err);
        }
        if i64::try_from(ids.len()).unwrap_or(i64::MAX) < self.min_select {
            return Err(FieldError::new(
                "validation_not_enough_values",
                format!("Select at least {}", self.min_select),
            )
            .param("minSelect", self.min_select));
        }
        if exceeds(ids, self.max_select) {
            let max = self.max_select.max(1);
            return Err(too_many("validation_too_many_values", "Select no more than", max));
        }
        Ok(Some(DbCheck::Relation { collection_id: self.collection_id.clone(), ids: ids.to_vec() }))
    }

    fn check_settings(&self, _: &Field, cx: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        if let Some(error) = self.check_target(cx) {
            errors.set("collectionId", error);
        }
        if let Some(error) = check::min(self.min_select, 0) {
            errors.set("minSelect", error);
        }
        let needs_max = self.min_select > 0 && self.max_select == 0;
        if let Some(error) =
            check::required(needs_max).or_else(|| check::min(self.max_select, self.min_select))
        {
            errors.set("maxSelect", error);
        }
    }
}
