//! The field types: one file each, one registration line in `fields!`.
//!
//! A [`Field`] is the options every type has plus one [`FieldType`]. Everything a type decides is a method
//! of that trait; nothing outside this folder may match on a type's name. Must not know collections,
//! storage handles or HTTP. Source: spec collections-and-fields §3.

mod cell;
mod list;

use std::{any::Any, fmt::Debug};

use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use crate::{
    error::{FieldError, FieldErrors},
    store::ValueRef,
    wire::{Audience, DecodeError, Wire, WireStruct},
};

pub use cell::{Corrupt, cell_text};
pub use dialects::ddl::ColumnType;
pub use file::Upload;

/// Declares the modules of the field types and the registry over them.
macro_rules! fields {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// A blank field type by its wire name.
        #[must_use]
        pub fn by_kind(kind: &str) -> Option<Box<dyn FieldType>> {
            $(if kind == $module::KIND {
                return Some(Box::new($module::blank()));
            })*
            None
        }

        /// The wire names of all types.
        pub const KINDS: &[&str] = &[$($module::KIND),*];
    };
}

fields! {
    text, number, bool, email, url, editor, date, autodate, select, json, geo_point, password, file,
    relation, secret,
}

/// The value of one field of a record, normalized by its field type.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    /// Text, email, url, editor, date, autodate, single select/file/relation. Empty is `""`.
    Text(String),
    /// A number.
    Number(f64),
    /// A bool.
    Bool(bool),
    /// Several of select, file or relation.
    List(Vec<String>),
    /// Raw JSON text; `None` is null.
    Json(Option<String>),
    /// A geo point.
    Geo { lon: f64, lat: f64 },
    /// A password: the stored hash, and the plain text while it is being set.
    Password { hash: String, plain: Option<String> },
}

impl Val {
    /// The text of a text value, else `""`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Number(_)
            | Self::Bool(_)
            | Self::List(_)
            | Self::Json(_)
            | Self::Geo { .. }
            | Self::Password { .. } => "",
        }
    }

    /// The items of a text or list value; blank text has none.
    #[must_use]
    pub fn items(&self) -> &[String] {
        match self {
            Self::Text(text) if text.is_empty() => &[],
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(items) => items,
            Self::Number(_)
            | Self::Bool(_)
            | Self::Json(_)
            | Self::Geo { .. }
            | Self::Password { .. } => &[],
        }
    }
}

/// The key suffixes and prefixes of record bodies (spec §3.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// `name+`
    Append,
    /// `+name`
    Prepend,
    /// `name-`
    Remove,
    /// `name:autogenerate`
    Autogenerate,
}

impl Modifier {
    /// Splits a body key into the field name and its modifier.
    #[must_use]
    pub fn split(key: &str) -> (&str, Option<Self>) {
        if let Some(name) = key.strip_suffix(":autogenerate") {
            (name, Some(Self::Autogenerate))
        } else if let Some(name) = key.strip_suffix('+') {
            (name, Some(Self::Append))
        } else if let Some(name) = key.strip_suffix('-') {
            (name, Some(Self::Remove))
        } else if let Some(name) = key.strip_prefix('+') {
            (name, Some(Self::Prepend))
        } else {
            (key, None)
        }
    }
}

/// When a field may set itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before validation of a record.
    Validate,
    /// In the write step of a create.
    Create,
    /// In the write step of an update.
    Update,
}

/// The facts for [`FieldType::fill`].
#[derive(Debug, Clone, Copy)]
pub struct Fill<'a> {
    /// Which step runs.
    pub moment: Moment,
    /// The record has no row yet.
    pub is_new: bool,
    /// Code (not a client) has set the value on purpose.
    pub touched: bool,
    /// The current time in the wire format.
    pub now: &'a str,
}

/// The facts for [`FieldType::check`].
#[derive(Debug, Clone, Copy)]
pub struct RecordCheck<'a> {
    /// The record has no row yet.
    pub is_new: bool,
    /// The stored value, `None` for new records.
    pub old: Option<&'a Val>,
    /// Files being uploaded to this field; their stored names are in the value.
    pub uploads: &'a [Upload],
}

/// The facts for [`FieldType::check_settings`].
#[derive(Clone, Copy)]
pub struct SettingsCheck<'a> {
    /// The stored field with the same id.
    pub old: Option<&'a Field>,
    /// All fields of the collection.
    pub fields: &'a [Field],
    /// The collection is a view.
    pub is_view: bool,
    /// There is a key to encrypt with.
    pub can_seal: bool,
    /// Finds a collection by its exact id: `Some(true)` for a view.
    pub target_is_view: &'a dyn Fn(&str) -> Option<bool>,
}

impl Debug for SettingsCheck<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettingsCheck")
            .field("old", &self.old)
            .field("is_view", &self.is_view)
            .finish_non_exhaustive()
    }
}

/// A check that needs the database; core runs it after the others of the field passed.
#[derive(Debug, Clone, PartialEq)]
pub enum DbCheck {
    /// All ids must exist in the collection with this id.
    Relation { collection_id: String, ids: Vec<String> },
    /// No row may have this primary key ignoring ASCII case.
    FreshKey { id: String },
}

impl DbCheck {
    /// The error when the check fails.
    #[must_use]
    pub fn error(&self) -> FieldError {
        match self {
            Self::Relation { .. } => FieldError::new(
                "validation_missing_rel_records",
                "Failed to find all relation records with the provided ids",
            ),
            Self::FreshKey { .. } => FieldError::new(
                "validation_pk_invalid",
                "The record primary key is invalid or already exists.",
            ),
        }
    }

    /// The error when the collection of a relation is gone.
    #[must_use]
    pub fn missing_collection() -> FieldError {
        FieldError::new(
            "validation_missing_rel_collection",
            "Relation connection is missing or cannot be accessed",
        )
    }
}

/// What one value is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueShape {
    /// A text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// Any JSON.
    Json,
    /// An object of `lon` and `lat`.
    Point,
    /// A file's name; files are sent in its place.
    File,
    /// The id of another record.
    Id,
    /// `2026-01-31 10:00:00.000Z`, or empty.
    Date,
    /// An address.
    Email,
    /// A URL.
    Url,
    /// One of these.
    Choice(Vec<String>),
    /// Written, never shown.
    Secret,
}

/// What a field type decides. Implementors are the options of the type, made by [`wire!`](crate::wire).
pub trait FieldType: WireStruct + Any + Debug + Send + Sync {
    /// The wire name (`text`, `geoPoint`).
    fn kind(&self) -> &'static str;
    /// A copy.
    fn boxed(&self) -> Box<dyn FieldType>;
    /// How filters see it.
    fn class(&self) -> Class {
        Class::Text
    }
    /// What one value is on the wire, for descriptions of the API.
    fn shape(&self) -> ValueShape {
        match self.class() {
            Class::Number => ValueShape::Number,
            Class::Bool => ValueShape::Bool,
            Class::Json => ValueShape::Json,
            Class::GeoPoint => ValueShape::Point,
            Class::File => ValueShape::File,
            Class::Relation => ValueShape::Id,
            Class::Text | Class::Select => ValueShape::Text,
        }
    }
    /// The column holds a list.
    fn multiple(&self) -> bool {
        false
    }
    /// Affinity of the column.
    fn affinity(&self) -> Affinity {
        Affinity::Text
    }
    /// The column.
    fn column(&self) -> ColumnType {
        ColumnType::Text
    }
    /// What is stored is encrypted and belongs to its row: filters, sorts and indexes cannot use it, and nobody but
    /// superusers sees it unless its collection says so.
    fn is_sealed(&self) -> bool {
        false
    }
    /// True if the full-text index of the table holds it.
    fn full_text(&self) -> bool {
        false
    }
    /// For relations: the id of the collection it points to.
    fn target(&self) -> Option<&str> {
        None
    }
    /// False if the type has neither `required` nor `help`.
    fn has_required(&self) -> bool {
        true
    }
    /// Bytes a record body may need beyond the general limit.
    fn max_body_bytes(&self) -> u64 {
        0
    }
    /// The zero value.
    fn zero(&self) -> Val {
        Val::Text(String::new())
    }
    /// True for values that count as empty.
    fn is_empty(&self, val: &Val) -> bool;
    /// Turns a submitted value into a value of this type; never fails.
    fn normalize(&self, json: &Value) -> Val;
    /// Applies a modifier to the current value; `None` if the type does not know it.
    fn modify(&self, modifier: Modifier, current: &Val, json: &Value) -> Option<Val> {
        let _ = (modifier, current, json);
        None
    }
    /// Reads a stored cell.
    ///
    /// # Errors
    /// [`Corrupt`] when the whole query must fail.
    fn read(&self, cell: ValueRef<'_>) -> Result<Val, Corrupt> {
        Ok(Val::Text(cell_text(cell).into_owned()))
    }
    /// The value to store.
    fn to_db(&self, val: &Val) -> dialects::Value {
        dialects::Value::Text(val.as_str().into())
    }
    /// Writes a stored cell as JSON, without building a value.
    ///
    /// # Errors
    /// [`Corrupt`] when the whole query must fail.
    fn write_json(&self, cell: ValueRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        crate::json::write_str(out, &cell_text(cell));
        Ok(())
    }
    /// Writes a value as JSON.
    fn write_val_json(&self, val: &Val, out: &mut Vec<u8>) {
        crate::json::write_str(out, val.as_str());
    }
    /// Sets the field by itself (autodate, autogenerated text); `None` leaves the value.
    fn fill(&self, val: &Val, fill: &Fill<'_>) -> Option<Val> {
        let _ = (val, fill);
        None
    }
    /// Validates a record's value.
    ///
    /// # Errors
    /// The first failing rule.
    fn check(
        &self,
        field: &Field,
        val: &Val,
        cx: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError>;
    /// Validates the options; errors go to the option's key.
    fn check_settings(&self, field: &Field, cx: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        let _ = (field, cx, errors);
    }
}

/// One field of a collection.
#[derive(Debug)]
pub struct Field {
    /// Stable id; the identity across renames.
    pub id: String,
    /// Column name.
    pub name: String,
    /// Cannot be removed or renamed.
    pub system: bool,
    /// Only superusers see it.
    pub hidden: bool,
    /// A hint for user interfaces.
    pub presentable: bool,
    /// A hint for user interfaces.
    pub help: String,
    /// A non-zero value is required.
    pub required: bool,
    /// The type with its options.
    pub kind: Box<dyn FieldType>,
}

impl Default for Field {
    fn default() -> Self {
        Self::new("", text::blank())
    }
}

impl Clone for Field {
    fn clone(&self) -> Self {
        Self {
            id: self.id.clone(),
            name: self.name.clone(),
            system: self.system,
            hidden: self.hidden,
            presentable: self.presentable,
            help: self.help.clone(),
            required: self.required,
            kind: self.kind.boxed(),
        }
    }
}

impl PartialEq for Field {
    /// Equal when the stored JSON is equal.
    fn eq(&self, other: &Self) -> bool {
        crate::wire::to_string(self, Audience::Db) == crate::wire::to_string(other, Audience::Db)
    }
}

impl Field {
    /// A field without id.
    #[must_use]
    pub fn new(name: &str, kind: impl FieldType) -> Self {
        Self::of(name, Box::new(kind))
    }

    /// A field without id, from a boxed type.
    #[must_use]
    pub fn of(name: &str, kind: Box<dyn FieldType>) -> Self {
        Self {
            id: String::new(),
            name: name.to_owned(),
            system: false,
            hidden: kind.is_sealed(),
            presentable: false,
            help: String::new(),
            required: false,
            kind,
        }
    }

    /// Decodes one item of a `fields` list.
    ///
    /// # Errors
    /// Unknown or missing type, or an option of the wrong JSON type.
    pub fn from_json(json: &Value) -> Result<Self, DecodeError> {
        let map = json.as_object().ok_or_else(|| DecodeError::new("object"))?;
        let mut kind = String::new();
        if let Some(item) = map.get("type") {
            kind.decode(item).map_err(|e| e.within("type"))?;
        }
        let kind = by_kind(&kind).ok_or_else(|| DecodeError::new("field type").within("type"))?;
        let mut field = Self::of("", kind);
        for (key, item) in map {
            field.decode_key(key, item).map_err(|e| e.within(key))?;
        }
        Ok(field)
    }

    fn decode_key(&mut self, key: &str, json: &Value) -> Result<(), DecodeError> {
        let extra = self.kind.has_required();
        match key {
            "id" => self.id.decode(json),
            "name" => self.name.decode(json),
            "system" => self.system.decode(json),
            "hidden" => self.hidden.decode(json),
            "presentable" => self.presentable.decode(json),
            "help" if extra => self.help.decode(json),
            "required" if extra => self.required.decode(json),
            _ => self.kind.decode_key(key, json).map(|_| ()),
        }
    }

    /// The options of one concrete type.
    #[must_use]
    pub fn options<T: FieldType>(&self) -> Option<&T> {
        let any: &dyn Any = self.kind.as_ref();
        any.downcast_ref()
    }

    /// The options of one concrete type, to change.
    #[must_use]
    pub fn options_mut<T: FieldType>(&mut self) -> Option<&mut T> {
        let any: &mut dyn Any = self.kind.as_mut();
        any.downcast_mut()
    }

    /// The wire name of the type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.kind.kind()
    }

    /// The id derived from type and name (spec §1.4).
    #[must_use]
    pub fn default_id(&self) -> String {
        format!("{}{}", self.type_name(), crate::crypto::crc32(&self.name))
    }

    /// Validates a record's value.
    ///
    /// # Errors
    /// The first failing rule.
    pub fn check(&self, val: &Val, cx: &RecordCheck<'_>) -> Result<Option<DbCheck>, FieldError> {
        self.kind.check(self, val, cx)
    }

    /// The field as filters see it.
    #[must_use]
    pub fn to_filter(&self) -> filter_lang::schema::Field {
        let mut field = filter_lang::schema::Field::new(self.name.clone(), self.kind.class())
            .affinity(self.kind.affinity());
        field.hidden = self.hidden;
        field.multiple = self.kind.multiple();
        field.target = self.kind.target().map(str::to_owned);
        field
    }
}

impl Wire for Field {
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        *self = Self::from_json(json)?;
        Ok(())
    }
    fn clear(&mut self) {
        *self = Self::default();
    }

    /// All options in byte order of their keys (spec §3.0).
    fn encode(&self, out: &mut Vec<u8>, audience: Audience) {
        let type_name = Name(self.type_name());
        let mut keys: Vec<(&'static str, &dyn Wire)> = vec![
            ("id", &self.id),
            ("name", &self.name),
            ("type", &type_name),
            ("system", &self.system),
            ("hidden", &self.hidden),
            ("presentable", &self.presentable),
        ];
        if self.kind.has_required() {
            keys.push(("help", &self.help));
            keys.push(("required", &self.required));
        }
        self.kind.visit(audience, &mut |key, value| keys.push((key, value)));
        keys.sort_unstable_by_key(|(key, _)| *key);
        for (index, (key, value)) in keys.into_iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            value.encode(out, audience);
        }
        out.push(b'}');
    }
}

/// A constant string on the wire.
struct Name(&'static str);

impl Wire for Name {
    fn decode(&mut self, _: &Value) -> Result<(), DecodeError> {
        Ok(())
    }
    fn clear(&mut self) {}
    fn encode(&self, out: &mut Vec<u8>, _: Audience) {
        crate::json::write_str(out, self.0);
    }
}

/// The boilerplate every type shares: name and copy.
macro_rules! field_type_basics {
    ($kind:expr) => {
        fn kind(&self) -> &'static str {
            $kind
        }
        fn boxed(&self) -> Box<dyn $crate::field::FieldType> {
            Box::new(self.clone())
        }
    };
}
pub(crate) use field_type_basics;
