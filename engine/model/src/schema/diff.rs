//! What has to change in the database when a collection changes. Pure.
//!
//! The order of the changes is the order they are applied in (spec collections-and-fields §4.7).

use dialects::sqlite::is_row_id;

use super::{Collection, index::Index};
use crate::{field::ColumnType, wire::Audience};

/// One step from the old table to the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There is no table yet.
    Create,
    /// The listed indexes of the old definition go.
    DropIndexes(Vec<String>),
    /// The table gets another name.
    Rename { from: String, to: String },
    /// Only the letter case of the table's name changes: nothing to do where names have none.
    RenameCase { from: String, to: String },
    /// A field is gone.
    DropColumn(String),
    /// A field is new; its column is added under a temporary name first.
    AddColumn { name: String, ty: ColumnType },
    /// A field has another name; through a temporary name, so that swaps work.
    RenameColumn { from: String, to: String },
    /// One value becomes a list.
    ToMultiple(String),
    /// A list becomes its last value.
    ToSingle(String),
    /// All listed indexes are made.
    CreateIndexes,
    /// The full-text index goes.
    DropFullText,
    /// The full-text index is made and filled.
    CreateFullText,
}

/// The steps from `old` to `new`; views have none.
#[must_use]
pub fn diff(old: Option<&Collection>, new: &Collection) -> Vec<Change> {
    let Some(old) = old else {
        let mut changes = vec![Change::Create, Change::CreateIndexes];
        if new.full_text().next().is_some() {
            // What a table of this id may have left behind.
            changes.extend([Change::DropFullText, Change::CreateFullText]);
        }
        return changes;
    };
    let renamed = !old.name.eq_ignore_ascii_case(&new.name);
    let fields = |c: &Collection| crate::wire::to_string(&c.fields, Audience::Db);
    let (from, to) = (old.name.clone(), new.name.clone());
    let mut changes = Vec::new();
    if !renamed && from != to {
        changes.push(Change::RenameCase { from: from.clone(), to: to.clone() });
    }
    if !renamed && fields(old) == fields(new) && old.indexes == new.indexes {
        return changes;
    }
    // It follows renames by itself.
    let searched = |c: &Collection| c.full_text().map(|f| f.id.clone()).collect::<Vec<_>>();
    // Tables with such columns are made anew when one changes, and their triggers with them.
    let made_anew = old.fields.iter().chain(&new.fields).any(|f| is_row_id(&f.name));
    let search_again = searched(old) != searched(new) || made_anew && !searched(new).is_empty();
    if search_again {
        changes.push(Change::DropFullText);
    }
    let names: Vec<String> = old
        .indexes
        .iter()
        .map(|text| Index::parse(text))
        .filter(Index::is_valid)
        .map(|index| index.name)
        .collect();
    if !names.is_empty() {
        changes.push(Change::DropIndexes(names));
    }
    if renamed {
        changes.push(Change::Rename { from, to });
    }
    diff_columns(old, new, &mut changes);
    changes.push(Change::CreateIndexes);
    if search_again && new.full_text().next().is_some() {
        changes.push(Change::CreateFullText);
    }
    changes
}

fn diff_columns(old: &Collection, new: &Collection, changes: &mut Vec<Change>) {
    for field in old.fields.iter().filter(|f| new.field_by_id(&f.id).is_none()) {
        changes.push(Change::DropColumn(field.name.clone()));
    }
    let mut conversions = Vec::new();
    for field in &new.fields {
        let name = field.name.clone();
        match old.field_by_id(&field.id) {
            None => changes.push(Change::AddColumn { name, ty: field.kind.column() }),
            Some(before) => {
                if before.name != name {
                    changes
                        .push(Change::RenameColumn { from: before.name.clone(), to: name.clone() });
                }
                match (before.kind.multiple(), field.kind.multiple()) {
                    (false, true) => conversions.push(Change::ToMultiple(name)),
                    (true, false) => conversions.push(Change::ToSingle(name)),
                    _ => {}
                }
            }
        }
    }
    changes.append(&mut conversions);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, normalize::new_collection};
    use serde_json::json;

    fn collection(name: &str, fields: &serde_json::Value, indexes: &[&str]) -> Collection {
        let mut c = new_collection(Kind::Base, name);
        c.decode_over(&json!({"fields": fields, "indexes": indexes})).unwrap();
        c
    }

    #[test]
    fn steps() {
        let a = json!([{"id":"1","name":"a","type":"text"},{"id":"2","name":"b","type":"select","values":["x"]}]);
        let old = collection("t", &a, &["create index i on t (a)", "bad"]);
        assert_eq!(diff(None, &old), [Change::Create, Change::CreateIndexes]);
        assert_eq!(diff(Some(&old), &old), []);
        let cased = collection("T", &a, &["create index i on t (a)", "bad"]);
        let case = Change::RenameCase { from: "t".into(), to: "T".into() };
        assert_eq!(diff(Some(&old), &cased), [case]);
        let searched = json!([{"id":"1","name":"z","type":"text","fullText":true},
            {"id":"2","name":"b","type":"select","values":["x"]}]);
        let steps = diff(Some(&old), &collection("t", &searched, &["bad"]));
        assert_eq!(steps.first(), Some(&Change::DropFullText));
        assert_eq!(steps.last(), Some(&Change::CreateFullText));
        let renamed = json!([{"id":"1","name":"y","type":"text","fullText":true},
            {"id":"2","name":"b","type":"select","values":["x"]}]);
        let steps = diff(Some(&collection("t", &searched, &[])), &collection("v", &renamed, &[]));
        assert!(!steps.contains(&Change::CreateFullText) && !steps.contains(&Change::DropFullText));
        let b = json!([{"id":"2","name":"a","type":"select","values":["x"],"maxSelect":2},
            {"id":"3","name":"c","type":"number"}]);
        assert_eq!(
            diff(Some(&old), &collection("u", &b, &[])),
            [
                Change::DropIndexes(vec!["i".into()]),
                Change::Rename { from: "t".into(), to: "u".into() },
                Change::DropColumn("a".into()),
                Change::RenameColumn { from: "b".into(), to: "a".into() },
                Change::AddColumn { name: "c".into(), ty: ColumnType::Number },
                Change::ToMultiple("a".into()),
                Change::CreateIndexes,
            ]
        );
    }
}
