//! `bool`.

use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use super::{
    ColumnType, Corrupt, DbCheck, Field, FieldType, RecordCheck, Val, cell_text, field_type_basics,
};
use crate::{check, error::FieldError, json, store::ValueRef, wire};

/// The wire name.
pub const KIND: &str = "bool";

wire! {
    /// Options of `bool`: none of its own.
    #[derive(Default)]
    pub struct Bool {}
}

pub(super) fn blank() -> Bool {
    Bool::default()
}

fn value(val: &Val) -> bool {
    matches!(val, Val::Bool(true))
}

/// A stored 2 is false: cells are parsed as text (spec §3.3).
fn read_cell(cell: ValueRef<'_>) -> bool {
    match cell {
        ValueRef::Int(int) => int == 1,
        _ => matches!(&*cell_text(cell), "1" | "t" | "T" | "TRUE" | "true" | "True"),
    }
}

impl FieldType for Bool {
    field_type_basics!(KIND);

    fn class(&self) -> Class {
        Class::Bool
    }

    fn affinity(&self) -> Affinity {
        Affinity::Num
    }

    fn column(&self) -> ColumnType {
        ColumnType::Bool
    }

    fn zero(&self) -> Val {
        Val::Bool(false)
    }

    fn is_empty(&self, val: &Val) -> bool {
        !value(val)
    }

    fn normalize(&self, json: &Value) -> Val {
        Val::Bool(json::to_bool(json))
    }

    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        Ok(Val::Bool(read_cell(cell)))
    }

    fn to_db(&self, val: &Val) -> dialects::Value {
        dialects::Value::Int(i64::from(value(val)))
    }

    fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        out.extend_from_slice(if read_cell(cell) { b"true" } else { b"false" });
        Ok(())
    }

    fn write_val_json(&self, val: &Val, out: &mut Vec<u8>) {
        out.extend_from_slice(if value(val) { b"true" } else { b"false" });
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        check::required(field.required && !value(val)).map_or(Ok(None), Err)
    }
}
