//! What resolving asks of a schema. Implement [`Schema`] for your own tables and the compiler works on them.
//!
//! Must not know JSON, storage or PocketBase's collection options: only what changes the meaning of a path.

use std::sync::Arc;

use crate::value::Affinity;

/// A source of collections.
pub trait Schema {
    /// Finds a collection by its exact id or its name, ignoring ASCII case.
    fn collection(&self, name_or_id: &str) -> Option<Arc<Collection>>;
}

/// What kind of table a collection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CollectionKind {
    /// An ordinary table.
    Base,
    /// A table of accounts; its `email` is guarded by `emailVisibility`.
    Auth,
    /// A read-only view; its ids are not guaranteed to be unique.
    View,
}

/// One table, as far as expressions care.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Stable id, what relation fields point to.
    pub id: String,
    /// Table name.
    pub name: String,
    /// Base, auth or view.
    pub kind: CollectionKind,
    /// `None` = locked, `Some("")` = public, else an expression.
    pub list_rule: Option<String>,
    /// All fields, `id` included.
    pub fields: Vec<Field>,
    /// Names (lower case) of fields that alone carry a UNIQUE index; partial indexes count.
    pub unique_fields: Vec<String>,
    /// Names (lower case) of fields that an index starts with. Never changes what an expression means, only
    /// which SQL is chosen for it.
    pub indexed_fields: Vec<String>,
    /// Names of the text fields that the table's full-text index holds, in its order. Never changes what an
    /// expression means.
    pub full_text: Vec<String>,
}

impl Collection {
    /// A field by its exact name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether an index starts with this column, or it alone carries a unique one.
    #[must_use]
    pub fn is_indexed(&self, column: &str) -> bool {
        let mut names = self.indexed_fields.iter().chain(&self.unique_fields);
        names.any(|name| name.eq_ignore_ascii_case(column))
    }
}

/// One field of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Column name, case-sensitive.
    pub name: String,
    /// What the field holds.
    pub class: Class,
    /// Hidden fields may be used only where the scope allows it.
    pub hidden: bool,
    /// True if the column holds a JSON array of values (select, file, relation with several).
    pub multiple: bool,
    /// For relations: the id of the collection it points to.
    pub target: Option<String>,
    /// Affinity of the physical column.
    pub affinity: Affinity,
}

/// What a field looks like to the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Text, email, url, editor, password hash, date, autodate.
    Text,
    /// A number.
    Number,
    /// 0 or 1.
    Bool,
    /// Any JSON; paths may continue inside.
    Json,
    /// `{"lon":…,"lat":…}`; paths may continue inside.
    GeoPoint,
    /// One or several of a fixed list.
    Select,
    /// One or several file names.
    File,
    /// One or several ids of another collection.
    Relation,
}
