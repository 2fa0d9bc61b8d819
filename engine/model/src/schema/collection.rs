//! One collection: its options, its JSON form and how bodies are decoded over it.
//!
//! Must not validate or touch the database. Source: spec collections-and-fields §2.

use serde_json::Value;

use super::options::AuthOptions;
use crate::{
    field::Field,
    json,
    wire::{Audience, DecodeError, Shape, Shaped as _, Wire, WireStruct},
};

/// The three kinds of collections, and unknown ones that will fail validation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kind {
    /// An ordinary table.
    #[default]
    Base,
    /// A table of accounts.
    Auth,
    /// A query.
    View,
    /// Anything a client made up.
    Other(String),
}

impl Kind {
    /// From the wire name; `""` is base.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "" | "base" => Self::Base,
            "auth" => Self::Auth,
            "view" => Self::View,
            other => Self::Other(other.to_owned()),
        }
    }
    /// The wire name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Base => "base",
            Self::Auth => "auth",
            Self::View => "view",
            Self::Other(other) => other,
        }
    }
}

/// A collection as stored and shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collection {
    /// Immutable id.
    pub id: String,
    /// `None` is superusers only, `Some("")` everybody.
    pub list_rule: Option<String>,
    /// See `list_rule`.
    pub view_rule: Option<String>,
    /// See `list_rule`.
    pub create_rule: Option<String>,
    /// See `list_rule`.
    pub update_rule: Option<String>,
    /// See `list_rule`.
    pub delete_rule: Option<String>,
    /// Table name.
    pub name: String,
    /// Base, auth or view.
    pub kind: Kind,
    /// The fields, `id` included.
    pub fields: Vec<Field>,
    /// `CREATE INDEX` statements as given.
    pub indexes: Vec<String>,
    /// Wire date.
    pub created: String,
    /// Wire date.
    pub updated: String,
    /// Cannot be deleted or renamed; rules are frozen.
    pub system: bool,
    /// Options of auth collections; blank for others.
    pub auth: Box<AuthOptions>,
    /// Query of view collections; blank for others.
    pub view_query: String,
    /// The id this collection was given automatically, until the client sets another.
    pub auto_id: String,
}

impl Collection {
    /// True for auth collections.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.kind == Kind::Auth
    }
    /// True for view collections.
    #[must_use]
    pub fn is_view(&self) -> bool {
        self.kind == Kind::View
    }
    /// The field of that exact name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
    /// The fields that the full-text index of the table holds.
    pub fn full_text(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|f| !self.is_view() && f.kind.full_text())
    }
    /// The field with that id.
    #[must_use]
    pub fn field_by_id(&self, id: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.id == id)
    }
    /// The five rules with their keys.
    #[must_use]
    pub fn rules(&self) -> [(&'static str, Option<&String>); 5] {
        [
            ("listRule", self.list_rule.as_ref()),
            ("viewRule", self.view_rule.as_ref()),
            ("createRule", self.create_rule.as_ref()),
            ("updateRule", self.update_rule.as_ref()),
            ("deleteRule", self.delete_rule.as_ref()),
        ]
    }

    /// Decodes a request body (or import item) over this collection (spec §2.3 merge, §2.5 fields). Null takes its name.
    ///
    /// # Errors
    /// When a JSON type does not fit or a field type is unknown; the whole body is rejected.
    pub fn decode_over(&mut self, body: &Value) -> Result<(), DecodeError> {
        if body.is_null() {
            self.name.clear();
            return Ok(());
        }
        let map = body.as_object().ok_or_else(|| DecodeError::new("object"))?;
        for (key, item) in map {
            self.decode_key(key, item).map_err(|e| e.within(key))?;
        }
        Ok(())
    }

    /// What a member is, for bodies that are forms.
    #[must_use]
    pub fn member(name: &str) -> Option<&'static Shape> {
        Some(match name {
            "id" | "listRule" | "viewRule" | "createRule" | "updateRule" | "deleteRule"
            | "name" | "type" | "viewQuery" => &Shape::Text,
            "indexes" => &Shape::List(&Shape::Text),
            "fields" | "created" | "updated" | "system" | "oauth2" => &Shape::Any,
            _ => return AuthOptions::SHAPE.member(name),
        })
    }

    fn decode_key(&mut self, key: &str, json: &Value) -> Result<(), DecodeError> {
        match key {
            "id" => self.id.decode(json),
            "listRule" => self.list_rule.decode(json),
            "viewRule" => self.view_rule.decode(json),
            "createRule" => self.create_rule.decode(json),
            "updateRule" => self.update_rule.decode(json),
            "deleteRule" => self.delete_rule.decode(json),
            "name" => self.name.decode(json),
            "type" => {
                let mut name = String::new();
                name.decode(json)?;
                self.kind = Kind::parse(&name);
                Ok(())
            }
            "fields" => {
                self.fields = decode_fields(json)?;
                Ok(())
            }
            "indexes" => self.indexes.decode(json),
            "created" => decode_date(&mut self.created, json),
            "updated" => decode_date(&mut self.updated, json),
            "system" => self.system.decode(json),
            "viewQuery" => self.view_query.decode(json),
            _ => self.auth.decode_key(key, json).map(|_| ()),
        }
    }

    /// The options column of the database, with secrets.
    #[must_use]
    pub fn options_json(&self) -> String {
        match self.kind {
            Kind::Auth => self.auth_json(),
            Kind::View => {
                let mut out = b"{\"viewQuery\":".to_vec();
                self.view_query.encode(&mut out, Audience::Db);
                out.push(b'}');
                String::from_utf8(out).expect("encoders write UTF-8")
            }
            Kind::Base | Kind::Other(_) => "{}".to_owned(),
        }
    }

    /// The options of auth collections, with secrets; those of other kinds are empty.
    #[must_use]
    pub fn auth_json(&self) -> String {
        crate::wire::to_string(self.auth.as_ref(), Audience::Db)
    }

    /// The fields column of the database.
    #[must_use]
    pub fn fields_json(&self) -> String {
        crate::wire::to_string(&self.fields, Audience::Db)
    }

    /// The indexes column of the database.
    #[must_use]
    pub fn indexes_json(&self) -> String {
        crate::wire::to_string(&self.indexes, Audience::Db)
    }

    /// Appends the JSON clients see.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let kind = self.kind.as_str().to_owned();
        let keys: [(&str, &dyn Wire); 13] = [
            ("id", &self.id),
            ("listRule", &self.list_rule),
            ("viewRule", &self.view_rule),
            ("createRule", &self.create_rule),
            ("updateRule", &self.update_rule),
            ("deleteRule", &self.delete_rule),
            ("name", &self.name),
            ("type", &kind),
            ("fields", &self.fields),
            ("indexes", &self.indexes),
            ("created", &self.created),
            ("updated", &self.updated),
            ("system", &self.system),
        ];
        let mut first = true;
        let mut put = |key: &'static str, value: &dyn Wire| {
            out.push(if std::mem::take(&mut first) { b'{' } else { b',' });
            json::write_str(out, key);
            out.push(b':');
            value.encode(out, Audience::Api);
        };
        for (key, value) in keys {
            put(key, value);
        }
        match self.kind {
            Kind::Auth => self.auth.visit(Audience::Api, &mut put),
            Kind::View => put("viewQuery", &self.view_query),
            Kind::Base | Kind::Other(_) => {}
        }
        out.push(b'}');
    }

    /// The JSON clients see.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(2048);
        self.write_json(&mut out);
        String::from_utf8(out).expect("encoders write UTF-8")
    }
}

/// Null leaves it.
fn decode_date(slot: &mut String, json: &Value) -> Result<(), DecodeError> {
    if json.is_null() {
        return Ok(());
    }
    let mut date = crate::field::date::DateText(std::mem::take(slot));
    let result = date.decode(json);
    *slot = date.0;
    result
}

/// Decodes a `fields` list (spec §2.5): ids replace, missing ids are derived.
///
/// # Errors
/// When an item is not an object, its type is unknown or an option has the wrong JSON type.
pub fn decode_fields(json: &Value) -> Result<Vec<Field>, DecodeError> {
    let items = match json {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => return Err(DecodeError::new("list")),
    };
    let mut fields = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let field = Field::from_json(item).map_err(|e| e.within(&index.to_string()))?;
        add_field(&mut fields, field);
    }
    Ok(fields)
}

/// Adds or replaces one field of a list (spec §2.5).
pub fn add_field(fields: &mut Vec<Field>, mut field: Field) {
    let same = if field.id.is_empty() {
        let same = fields.iter().position(|f| f.name == field.name);
        field.id = match same {
            Some(at) => fields[at].id.clone(),
            None => free_id(fields, &field.default_id()),
        };
        same
    } else {
        fields.iter().position(|f| f.id == field.id)
    };
    match same {
        Some(at) => fields[at] = field,
        None => fields.push(field),
    }
}

/// The id itself or with the first free suffix from 2.
fn free_id(fields: &[Field], id: &str) -> String {
    let taken = |id: &str| fields.iter().any(|f| f.id == id);
    if !taken(id) {
        return id.to_owned();
    }
    (2u32..).map(|n| format!("{id}{n}")).find(|id| !taken(id)).unwrap_or_default()
}
