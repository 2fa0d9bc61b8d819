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

impl Schema for Vec<Arc<Collection>> {
    fn collection(&self, name_or_id: &str) -> Option<Arc<Collection>> {
        let is =
            |c: &&Arc<Collection>| c.id == name_or_id || c.name.eq_ignore_ascii_case(name_or_id);
        self.iter().find(is).cloned()
    }
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
///
/// ```
/// use filter_lang::schema::{Class, Collection, Field};
///
/// let books = Collection::new("books")
///     .with(Field::new("id", Class::Text))
///     .with(Field::new("title", Class::Text))
///     .with(Field::new("author", Class::Relation).to("people"))
///     .with(Field::new("tags", Class::Select).several())
///     .index("title")
///     .tie_break("id");
/// assert_eq!(books.fields.len(), 4);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
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
    /// A unique column that orders rows which nothing else orders, and that `@rowid` means. `None`: the order of insertion,
    /// which SQLite keeps by itself and PostgreSQL does not; there it is a column `_rowid_` that the table must have.
    pub tie_break: Option<String>,
}

impl Collection {
    /// A table of this name, which is its id, too: without fields, indexes and rules (joins into it are refused where list
    /// rules are enforced).
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            id: name.clone(),
            name,
            kind: CollectionKind::Base,
            list_rule: None,
            fields: Vec::new(),
            unique_fields: Vec::new(),
            indexed_fields: Vec::new(),
            full_text: Vec::new(),
            tie_break: None,
        }
    }

    /// With another id than its name: what relations point to.
    #[must_use]
    pub fn id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// Of another kind than [`CollectionKind::Base`].
    #[must_use]
    pub fn kind(self, kind: CollectionKind) -> Self {
        Self { kind, ..self }
    }

    /// With a list rule; an empty one lets everybody through.
    #[must_use]
    pub fn list_rule(self, rule: impl Into<String>) -> Self {
        Self { list_rule: Some(rule.into()), ..self }
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// With more fields.
    #[must_use]
    pub fn with_all(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.fields.extend(fields);
        self
    }

    /// With an index that starts with this field.
    #[must_use]
    pub fn index(mut self, field: impl Into<String>) -> Self {
        self.indexed_fields.push(field.into().to_ascii_lowercase());
        self
    }

    /// With a unique index on this field alone: a back relation over it has one row at most.
    #[must_use]
    pub fn unique(mut self, field: impl Into<String>) -> Self {
        self.unique_fields.push(field.into().to_ascii_lowercase());
        self
    }

    /// With a full-text index over these fields, in its order (`dialects::ddl::create_full_text` makes it).
    #[must_use]
    pub fn full_text<S: Into<String>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
        self.full_text = fields.into_iter().map(Into::into).collect();
        self
    }

    /// With a unique column that orders rows which nothing else orders.
    #[must_use]
    pub fn tie_break(self, column: impl Into<String>) -> Self {
        Self { tie_break: Some(column.into()), ..self }
    }

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
#[non_exhaustive]
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
    /// How SQLite compares the column: by the type it was declared with.
    pub affinity: Affinity,
}

impl Field {
    /// A field that anybody may use, with one value, in a column of the usual type for its class.
    #[must_use]
    pub fn new(name: impl Into<String>, class: Class) -> Self {
        let affinity = match class {
            Class::Number | Class::Bool | Class::Json | Class::GeoPoint => Affinity::Num,
            Class::Text | Class::Select | Class::File | Class::Relation => Affinity::Text,
        };
        Self { name: name.into(), class, hidden: false, multiple: false, target: None, affinity }
    }

    /// Usable only where the scope allows it.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// With several values, as a JSON array in a JSON column.
    #[must_use]
    pub fn several(self) -> Self {
        Self { multiple: true, affinity: Affinity::Num, ..self }
    }

    /// Pointing to the rows of the collection of this id.
    #[must_use]
    pub fn to(self, collection_id: impl Into<String>) -> Self {
        Self { target: Some(collection_id.into()), ..self }
    }

    /// In a column that was declared with another type on SQLite.
    #[must_use]
    pub fn affinity(self, affinity: Affinity) -> Self {
        Self { affinity, ..self }
    }
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
