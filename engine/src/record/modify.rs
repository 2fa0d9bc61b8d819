//! Values that a submission makes out of stored ones (`views+`, `tags-`): made again out of what is stored when the row
//! is written, so that of many clients who count at the same time, on whatever nodes, none is forgotten.
//!
//! File fields are left alone: their uploads belong to the value that was computed first.

use super::{Record, RecordRef, body::Submission, find};
use crate::{
    FieldErrors, Result,
    app::record::Modification,
    ctx::Ctx,
    field::{Modifier, RecordCheck, Val},
};

impl Modification {
    /// The steps of a submission for an existing record; `values` are those it was resolved to.
    pub(super) fn all_of(
        current: &Record,
        submission: &Submission,
        values: &[(usize, Val)],
    ) -> Vec<Self> {
        if current.is_new() {
            return Vec::new();
        }
        let collection = current.collection();
        let mut keys: Vec<_> = submission
            .body
            .iter()
            // a field may itself have a name that looks like a modified one
            .filter(|(key, _)| collection.field_at(key).is_none())
            .filter_map(|(key, value)| {
                let (name, modifier) = Modifier::split(key);
                Some((key, name, modifier.filter(|m| *m != Modifier::Autogenerate)?, value))
            })
            .collect();
        keys.sort_by_key(|(key, ..)| key.len());
        let mut steps: Vec<Self> = Vec::new();
        for (_, name, modifier, value) in keys {
            let Some((index, field)) = collection.field_at(name) else { continue };
            let is_set = submission.body.contains_key(name) || field.type_name() == "file";
            let Some((_, result)) = values.iter().find(|(at, _)| *at == index && !is_set) else {
                continue;
            };
            let change = (modifier, value.clone());
            match steps.iter_mut().find(|step| step.index == index) {
                Some(step) => step.changes.push(change),
                None => {
                    steps.push(Self { index, changes: vec![change], result: result.clone() });
                }
            }
        }
        steps
    }

    /// The column and the stored value that the step started from.
    pub(super) fn held<'r>(&self, record: &'r Record) -> (&'r str, dialects::Value) {
        let field = &record.collection().fields[self.index];
        (&field.name, field.kind.to_db(&record.originals()[self.index]))
    }
}

/// Takes the steps again from the row as it is now, which stays as it is until the transaction ends.
pub(super) async fn again(ctx: &Ctx, record: &RecordRef, steps: &[Modification]) -> Result<()> {
    let (collection, id) = {
        let record = record.lock();
        (record.collection().clone(), record.stored_id().to_owned())
    };
    let (dialect, columns) = (ctx.app.dialect(), &collection.select);
    let sql = dialects::statement::select_for_update(dialect, &collection.name, columns, &id);
    // Gone by now: the update finds that out.
    let Some(now) = find::one(ctx, &collection, sql).await? else { return Ok(()) };
    let mut errors = FieldErrors::default();
    let mut record = record.lock();
    for step in steps {
        let (field, stored) = (&collection.fields[step.index], now.value(step.index));
        let is_ours = *record.value(step.index) == step.result;
        if !is_ours || *stored == record.originals()[step.index] {
            continue;
        }
        let mut val = stored.clone();
        for (modifier, value) in &step.changes {
            val = field.kind.modify(*modifier, &val, value).unwrap_or(val);
        }
        let facts = RecordCheck { is_new: false, old: Some(stored), uploads: &[] };
        match field.check(&val, &facts) {
            Ok(_) => {
                record.set_original_at(step.index, stored.clone());
                record.set_at(step.index, val);
            }
            Err(error) => errors.set(field.name.clone(), error),
        }
    }
    drop(record);
    errors.into_result()
}
