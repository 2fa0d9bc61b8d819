//! One record in memory: values by field index, the state before, uploads, expand.
//!
//! Hot paths (lists, views) never build records; see `read`. Must not know the database or rules.

use std::{collections::BTreeMap, fmt, sync::Arc};

use files::Upload;
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Map, Value};

pub(crate) use super::recheck::{Question, Recheck};
use crate::{
    field::{Modifier, Val},
    schema::Loaded,
};

/// The collection of superusers.
pub const SUPERUSERS: &str = "_superusers";

/// What a submission does to one stored value.
#[derive(Debug, Clone)]
pub(crate) struct Modification {
    pub(crate) index: usize,
    /// In order.
    pub(crate) changes: Vec<(Modifier, Value)>,
    /// What came out: if the record holds something else by now, a hook has set that.
    pub(crate) result: Val,
}

/// A record of one collection. Values and their originals share memory until something changes.
#[derive(Clone)]
pub struct Record {
    collection: Arc<Loaded>,
    values: Arc<Vec<Val>>,
    original: Arc<Vec<Val>>,
    /// The values it was loaded or made with, where it was saved since: what hooks compare with.
    loaded: Option<Arc<Vec<Val>>>,
    is_new: bool,
    /// Fields that code (not a client) has set on purpose, by index.
    touched: Vec<usize>,
    uploads: Vec<(usize, Arc<Upload>)>,
    /// The files of `uploads` are in the storage, and the row is written.
    uploads_are_stored: bool,
    extra: Map<String, Value>,
    expand: Option<BTreeMap<String, Expanded>>,
    /// What the write has to ask again.
    pub(crate) recheck: Recheck,
    /// What was added to or taken from stored values.
    pub(crate) steps: Vec<Modification>,
    /// What exporting shows beyond the defaults; see [`Show`].
    pub show: Show,
}

/// Visibility that enriching decides for one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Show {
    /// `email` although `emailVisibility` is false.
    pub email: bool,
    /// Hidden fields too (never `password` and `tokenKey` of auth records).
    pub hidden: bool,
    /// Values that were set without a field (`withCustomData`).
    pub custom: bool,
    /// Keys shown (`unhide`) or left out (`hide`) by code.
    pub overrides: BTreeMap<String, bool>,
}

/// Expanded relations of one key.
#[derive(Debug, Clone)]
pub enum Expanded {
    One(RecordRef),
    Many(Vec<RecordRef>),
}

impl Expanded {
    /// All records.
    #[must_use]
    pub fn records(&self) -> &[RecordRef] {
        match self {
            Self::One(record) => std::slice::from_ref(record),
            Self::Many(records) => records,
        }
    }
}

impl fmt::Debug for Record {
    /// Never prints values: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("collection", &self.collection.name)
            .field("id", &self.id())
            .field("is_new", &self.is_new)
            .finish_non_exhaustive()
    }
}

impl Record {
    /// A new record with zero values.
    #[must_use]
    pub fn new(collection: &Arc<Loaded>) -> Self {
        let zero = Arc::new(collection.fields.iter().map(|f| f.kind.zero()).collect::<Vec<_>>());
        Self::with(collection, zero, true)
    }

    /// A stored record with one value per field, in field order.
    #[must_use]
    pub fn stored(collection: &Arc<Loaded>, values: Vec<Val>) -> Self {
        Self::with(collection, Arc::new(values), false)
    }

    fn with(collection: &Arc<Loaded>, values: Arc<Vec<Val>>, is_new: bool) -> Self {
        Self {
            collection: collection.clone(),
            original: values.clone(),
            loaded: None,
            values,
            is_new,
            touched: Vec::new(),
            uploads: Vec::new(),
            uploads_are_stored: false,
            extra: Map::new(),
            expand: None,
            recheck: Recheck::default(),
            steps: Vec::new(),
            show: Show::default(),
        }
    }

    /// Its collection, as of the snapshot it was read with.
    #[must_use]
    pub fn collection(&self) -> &Arc<Loaded> {
        &self.collection
    }
    /// The id; empty for new records that got none yet.
    #[must_use]
    pub fn id(&self) -> &str {
        self.get("id").map_or("", Val::as_str)
    }
    /// The id as stored: what an update is addressed to.
    #[must_use]
    pub fn stored_id(&self) -> &str {
        match self.original("id").map_or("", Val::as_str) {
            // it has just been inserted
            "" if !self.is_new => self.id(),
            id => id,
        }
    }
    /// True until it has a row.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }
    /// True if the collection is `_superusers`.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        self.collection.name == SUPERUSERS
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Val> {
        self.values.get(self.collection.field_at(name).map(|(i, _)| i)?)
    }
    /// The value of a field by index.
    #[must_use]
    pub fn value(&self, index: usize) -> &Val {
        &self.values[index]
    }
    /// All values, in field order.
    #[must_use]
    pub fn values(&self) -> &[Val] {
        &self.values
    }
    /// The value as of loading (or the zero value).
    #[must_use]
    pub fn original(&self, name: &str) -> Option<&Val> {
        self.original.get(self.collection.field_at(name).map(|(i, _)| i)?)
    }
    /// All values as of loading.
    #[must_use]
    pub fn originals(&self) -> &[Val] {
        &self.original
    }
    /// The record as it is stored.
    #[must_use]
    pub fn fresh_original(&self) -> Self {
        Self::with(&self.collection, self.original.clone(), self.is_new)
    }
    /// The record as it was loaded or made, however often it was saved since.
    #[must_use]
    pub fn as_loaded(&self) -> Self {
        let loaded = self.loaded.as_ref().unwrap_or(&self.original);
        Self::with(&self.collection, loaded.clone(), self.is_new)
    }
    /// A copy without expand, uploads and custom data.
    #[must_use]
    pub fn fresh(&self) -> Self {
        let mut copy = Self::with(&self.collection, self.values.clone(), self.is_new);
        copy.original = self.original.clone();
        copy
    }

    /// Text of a text-like field; `""` for others and unknown names.
    #[must_use]
    pub fn get_str(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Val::Password { hash, plain }) => plain.as_deref().unwrap_or(hash),
            Some(val) => val.as_str(),
            None => self.extra.get(name).and_then(Value::as_str).unwrap_or(""),
        }
    }
    /// A bool field; false for others.
    #[must_use]
    pub fn get_bool(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Val::Bool(true)))
    }
    /// A number field; 0 for others.
    #[must_use]
    pub fn get_float(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Val::Number(n)) => *n,
            _ => 0.0,
        }
    }
    /// A number field, truncated; 0 for others.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn get_int(&self, name: &str) -> i64 {
        self.get_float(name) as i64
    }
    /// Items of a select, file or relation field, single or multiple.
    #[must_use]
    pub fn get_string_slice(&self, name: &str) -> &[String] {
        self.get(name).map_or(&[], Val::items)
    }
    /// The hash of a password field.
    #[must_use]
    pub fn password_hash(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Val::Password { hash, .. }) => hash,
            _ => "",
        }
    }
    /// The password that was set and is hashed when the record is saved.
    #[must_use]
    pub fn new_password(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Val::Password { hash, plain: Some(plain) }) if hash.is_empty() => Some(plain),
            _ => None,
        }
    }
    /// A field's value as JSON, or custom data.
    #[must_use]
    pub fn get_value(&self, name: &str) -> Option<Value> {
        match self.collection.field_at(name).map(|(i, _)| i) {
            Some(i) => {
                let mut out = Vec::new();
                self.collection.fields[i].kind.write_val_json(&self.values[i], &mut out);
                crate::json::read::own(&out).ok()
            }
            None => self.extra.get(name).cloned(),
        }
    }

    /// Sets a field (modifiers allowed: `views+`, `tags-`, `slug:autogenerate`) or custom data, as code does: hidden
    /// fields and autodates included.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        if let Some(index) = self.submit(key, &value) {
            if !self.touched.contains(&index) {
                self.touched.push(index);
            }
        } else {
            self.extra.insert(key.into(), value);
        }
        self
    }

    /// Applies one body key; `None` if it names no field (then nothing changed). Autodates ignore it.
    pub(crate) fn submit(&mut self, key: &str, value: &Value) -> Option<usize> {
        let (index, val) = self.resolve(key, value)?;
        self.set_at(index, val);
        Some(index)
    }

    /// What a body key means on the current values, without setting it.
    pub(crate) fn resolve(&self, key: &str, value: &Value) -> Option<(usize, Val)> {
        if let Some(index) = self.collection.field_at(key).map(|(i, _)| i) {
            return Some((index, self.collection.fields[index].kind.normalize(value)));
        }
        let (name, Some(modifier)) = Modifier::split(key) else { return None };
        let index = self.collection.field_at(name).map(|(i, _)| i)?;
        let val =
            self.collection.fields[index].kind.modify(modifier, &self.values[index], value)?;
        Some((index, val))
    }

    /// Sets a value of the right kind by field index.
    pub fn set_at(&mut self, index: usize, val: Val) {
        Arc::make_mut(&mut self.values)[index] = val;
    }
    /// Sets a value of the right kind by field name; unknown names are ignored.
    pub fn set_val(&mut self, name: &str, val: Val) {
        if let Some(index) = self.collection.field_at(name).map(|(i, _)| i) {
            self.set_at(index, val);
        }
    }
    /// True if code set the field on purpose.
    #[must_use]
    pub fn is_touched(&self, index: usize) -> bool {
        self.touched.contains(&index)
    }
    /// Marks a field as set on purpose (raw autodates).
    pub fn touch(&mut self, name: &str) {
        if let Some(index) = self.collection.field_at(name).map(|(i, _)| i)
            && !self.touched.contains(&index)
        {
            self.touched.push(index);
        }
    }
    /// Forgets the marks of [`Record::set`].
    pub(crate) fn untouch(&mut self) {
        self.touched.clear();
    }
    /// True if the value differs from the loaded one.
    #[must_use]
    pub fn changed(&self, name: &str) -> bool {
        self.get(name) != self.original(name)
    }

    /// Custom data: values without a field.
    #[must_use]
    pub fn custom(&self) -> &Map<String, Value> {
        &self.extra
    }
    /// Custom data, to change.
    pub fn custom_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.extra
    }

    /// Uploads waiting for the save, by field index.
    #[must_use]
    pub fn uploads(&self) -> &[(usize, Arc<Upload>)] {
        &self.uploads
    }
    /// Uploads of one field.
    #[must_use]
    pub fn uploads_of(&self, index: usize) -> Vec<Arc<Upload>> {
        self.uploads.iter().filter(|(i, _)| *i == index).map(|(_, u)| u.clone()).collect()
    }
    /// Adds an upload; its stored name must be (put) in the value.
    pub fn add_upload(&mut self, index: usize, upload: Arc<Upload>) {
        self.uploads.push((index, upload));
        self.uploads_are_stored = false;
    }
    /// Sets a file field to uploads, or adds them (`+name`, `name+`).
    pub fn set_uploads(&mut self, key: &str, uploads: Vec<Arc<Upload>>) {
        let names = uploads.iter().map(|u| Value::String(u.name().into())).collect();
        if let Some(index) = self.submit(key, &Value::Array(names)) {
            let kept = self.values[index].items();
            let added: Vec<_> =
                uploads.into_iter().filter(|u| kept.iter().any(|n| n == u.name())).collect();
            self.uploads_are_stored = false;
            self.uploads.extend(added.into_iter().map(|u| (index, u)));
        }
    }
    /// Puts the names that uploads were given since into the value.
    pub(crate) fn settle_uploads(&mut self) {
        for (index, upload) in &mut self.uploads {
            let Some(settled) = upload.settled() else { continue };
            let field = &self.collection.fields[*index];
            let names = self.values[*index].items().iter().map(|name| {
                let name = if name == upload.name() { settled.name() } else { name.as_str() };
                Value::String(name.into())
            });
            let val = field.kind.normalize(&Value::Array(names.collect()));
            Arc::make_mut(&mut self.values)[*index] = val;
            *upload = Arc::new(settled);
        }
    }
    /// Drops uploads whose names are no longer in the value.
    pub(crate) fn prune_uploads(&mut self) {
        let values = self.values.clone();
        self.uploads.retain(|(i, u)| values[*i].items().iter().any(|n| n == u.name()));
    }
    pub(crate) fn take_uploads(&mut self) -> Vec<(usize, Arc<Upload>)> {
        self.uploads_are_stored = false;
        std::mem::take(&mut self.uploads)
    }

    /// The loaded relations; `None` until something was expanded.
    #[must_use]
    pub fn expand(&self) -> Option<&BTreeMap<String, Expanded>> {
        self.expand.as_ref()
    }
    /// The loaded relations, to change; initializes them.
    pub fn expand_mut(&mut self) -> &mut BTreeMap<String, Expanded> {
        self.expand.get_or_insert_with(BTreeMap::new)
    }
    /// Replaces the loaded relations.
    pub fn set_expand(&mut self, expand: BTreeMap<String, Expanded>) {
        self.expand = Some(expand);
    }
    /// The first record of an expanded key.
    #[must_use]
    pub fn expanded_one(&self, key: &str) -> Option<RecordRef> {
        self.expand.as_ref()?.get(key)?.records().first().cloned()
    }
    /// All records of an expanded key.
    #[must_use]
    pub fn expanded_all(&self, key: &str) -> Vec<RecordRef> {
        self.expand
            .as_ref()
            .and_then(|e| e.get(key))
            .map(|e| e.records().to_vec())
            .unwrap_or_default()
    }

    /// It has a row from now on; what it was before is still known.
    pub(crate) fn mark_inserted(&mut self) {
        self.is_new = false;
        self.uploads_are_stored = true;
    }
    /// False while files of the record wait for being stored with it.
    #[must_use]
    pub fn uploads_are_stored(&self) -> bool {
        self.uploads_are_stored
    }
    /// After a successful write: it has a row, and the current values are the stored ones.
    pub(crate) fn mark_stored(&mut self) {
        self.is_new = false;
        self.recheck = Recheck::default();
        self.steps = Vec::new();
        if self.values.iter().any(|v| matches!(v, Val::Password { plain: Some(_), .. })) {
            for val in Arc::make_mut(&mut self.values) {
                if let Val::Password { plain, .. } = val {
                    *plain = None;
                }
            }
        }
        let before = std::mem::replace(&mut self.original, self.values.clone());
        self.loaded.get_or_insert(before);
    }
    /// Counts as new: code says that there is no row.
    pub fn mark_as_new(&mut self) {
        self.is_new = true;
    }
    /// Counts as stored under its id: code says that there is a row.
    pub fn mark_as_not_new(&mut self) {
        self.is_new = false;
        if let Some((index, _)) = self.collection.field_at("id") {
            let id = self.values[index].clone();
            Arc::make_mut(&mut self.original)[index] = id;
        }
    }
    /// After a rollback of its creation.
    pub(crate) fn mark_new(&mut self) {
        self.is_new = true;
        let zero = self.collection.fields.iter().map(|f| f.kind.zero()).collect::<Vec<_>>();
        self.original = Arc::new(zero);
    }
    /// After a rollback of an update: the row has other values again.
    pub(crate) fn restore_original(&mut self, original: Arc<Vec<Val>>) {
        self.original = original;
    }
    /// The row has another value by now.
    pub(crate) fn set_original_at(&mut self, index: usize, val: Val) {
        Arc::make_mut(&mut self.original)[index] = val;
    }
    pub(crate) fn original_arc(&self) -> Arc<Vec<Val>> {
        self.original.clone()
    }

    /// `email` of an auth record.
    #[must_use]
    pub fn email(&self) -> &str {
        self.get_str("email")
    }
    /// `verified` of an auth record.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.get_bool("verified")
    }
    /// `tokenKey` of an auth record.
    #[must_use]
    pub fn token_key(&self) -> &str {
        self.get_str("tokenKey")
    }
}

/// A shared handle to a record: what events, expand and code hold. Cheap to clone; one lock per access, never held
/// across an await.
#[derive(Clone)]
pub struct RecordRef(Arc<Mutex<Record>>);

impl From<Record> for RecordRef {
    fn from(record: Record) -> Self {
        Self(Arc::new(Mutex::new(record)))
    }
}

impl fmt::Debug for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.try_lock() {
            Some(record) => record.fmt(f),
            None => f.write_str("RecordRef(<locked>)"),
        }
    }
}

impl RecordRef {
    /// A new record.
    #[must_use]
    pub fn new(collection: &Arc<Loaded>) -> Self {
        Record::new(collection).into()
    }
    /// The record, to read or change.
    pub fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock()
    }
    /// A copy of the record.
    #[must_use]
    pub fn snapshot(&self) -> Record {
        self.lock().clone()
    }
    /// True if both are the same record object.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
    /// Where it lies.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
    /// Its collection.
    #[must_use]
    pub fn collection(&self) -> Arc<Loaded> {
        self.lock().collection().clone()
    }
    /// Its id.
    #[must_use]
    pub fn id(&self) -> String {
        self.lock().id().to_owned()
    }
    /// See [`Record::get_str`].
    #[must_use]
    pub fn get_str(&self, name: &str) -> String {
        self.lock().get_str(name).to_owned()
    }
    /// See [`Record::get_bool`].
    #[must_use]
    pub fn get_bool(&self, name: &str) -> bool {
        self.lock().get_bool(name)
    }
    /// See [`Record::get_value`].
    #[must_use]
    pub fn get_value(&self, name: &str) -> Option<Value> {
        self.lock().get_value(name)
    }
    /// See [`Record::set`].
    pub fn set(&self, key: &str, value: impl Into<Value>) -> &Self {
        self.lock().set(key, value);
        self
    }
    /// The record itself, if this is the only handle, else a copy.
    #[must_use]
    pub fn into_record(self) -> Record {
        match Arc::try_unwrap(self.0) {
            Ok(record) => record.into_inner(),
            Err(shared) => shared.lock().clone(),
        }
    }
}
