//! The immutable view of all collections that a request works on from start to end.
//!
//! Everything a request would otherwise compute per row or per call is prepared here once: select lists, wire
//! keys with their escapes, the filter compiler's tables, back relations. Must not do I/O beside loading.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dialects::statement::ColumnList;
use filter_lang::{schema as plan, value::Affinity};
use primitives::keyring::Keyring;

use super::{Collection, Kind, Sealed, index::Index, view_query::without_affinity};
use crate::{
    field::{Field, relation::Relation},
    json,
    store::{Db, RowRef, ValueRef, system},
    wire::Wire,
};
use primitives::future::BoxFutureRef;

/// All collections at one moment.
#[derive(Debug)]
pub struct Snapshot {
    version: u64,
    collections: Vec<Arc<Loaded>>,
    by_id: HashMap<String, usize>,
    by_name: HashMap<String, usize>,
    keys: Arc<Keyring>,
}

/// A collection in a snapshot, with what was prepared for it.
#[derive(Debug)]
pub struct Loaded {
    /// The collection; also reachable by deref.
    pub collection: Collection,
    /// What the filter compiler sees.
    pub plan: Arc<plan::Collection>,
    /// Column names, one per field, in field order.
    pub columns: Vec<String>,
    /// The same as a select list.
    pub select: ColumnList,
    /// The keys of a record on the wire, sorted.
    pub keys: Vec<WireKey>,
    /// Relation fields anywhere that point here, by collection name.
    pub back_refs: Vec<BackRef>,
    /// Indexes (into `fields`) of the file fields.
    pub file_fields: Vec<usize>,
    /// Index of the field `id`, if there is one.
    pub id_field: Option<usize>,
    /// What is encrypted in it, if anything is.
    pub sealed: Option<Sealed>,
    by_field: HashMap<String, usize>,
}

impl Deref for Loaded {
    type Target = Collection;
    fn deref(&self) -> &Collection {
        &self.collection
    }
}

impl Loaded {
    /// Index and field of that exact name.
    #[must_use]
    pub fn field_at(&self, name: &str) -> Option<(usize, &Field)> {
        self.by_field.get(name).map(|at| (*at, &self.collection.fields[*at]))
    }
    /// Bytes a record body may have beyond the general limit: for values, and for files.
    #[must_use]
    pub fn max_body_bytes(&self) -> (u64, u64) {
        let (mut values, mut files) = (0u64, 0u64);
        for (at, field) in self.fields.iter().enumerate() {
            let sum = if self.file_fields.contains(&at) { &mut files } else { &mut values };
            *sum = sum.saturating_add(field.kind.max_body_bytes());
        }
        (values, files)
    }
}

/// One key of a record on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct WireKey {
    /// The name.
    pub name: String,
    /// `"name":`, for constants with the value.
    pub prefix: Vec<u8>,
    /// Where the value comes from.
    pub source: WireSource,
    /// Superusers only.
    pub hidden: bool,
    /// The e-mail of an auth record: subject to `emailVisibility`.
    pub email: bool,
}

/// Where the value of a [`WireKey`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireSource {
    /// In the prefix already (`collectionId`, `collectionName`).
    Constant,
    /// The field (and selected column) of that index.
    Field(usize),
    /// The expanded relations, when there are any.
    Expand,
}

/// A relation field of some collection that points to the collection holding this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackRef {
    /// Id of the collection with the field.
    pub collection_id: String,
    /// Its name.
    pub collection_name: String,
    /// It is a view.
    pub is_view: bool,
    /// The field's name.
    pub field: String,
    /// The column holds a list.
    pub multiple: bool,
    /// Deleting the last target deletes the record.
    pub cascade_delete: bool,
    /// The field must not become empty.
    pub required: bool,
}

static VERSIONS: AtomicU64 = AtomicU64::new(1);

impl Default for Snapshot {
    fn default() -> Self {
        Self::build(Vec::new())
    }
}

impl Snapshot {
    /// Prepares collections, given in insertion order. Every snapshot has a version of its own.
    #[must_use]
    pub fn build(collections: Vec<Collection>) -> Self {
        Self::build_with(collections, Arc::default())
    }

    /// As [`Snapshot::build`], with the keys of encrypted fields.
    #[must_use]
    pub fn build_with(collections: Vec<Collection>, keys: Arc<Keyring>) -> Self {
        let mut back_refs = collect_back_refs(&collections);
        let loaded: Vec<_> = collections
            .into_iter()
            .map(|c| {
                let refs = back_refs.remove(&c.id).unwrap_or_default();
                Arc::new(prepare(c, refs, &keys))
            })
            .collect();
        let mut by_id = HashMap::with_capacity(loaded.len());
        let mut by_name = HashMap::with_capacity(loaded.len());
        for (at, collection) in loaded.iter().enumerate() {
            by_id.entry(collection.id.clone()).or_insert(at);
            by_name.entry(collection.name.to_ascii_lowercase()).or_insert(at);
        }
        let version = VERSIONS.fetch_add(1, Ordering::Relaxed);
        Self { version, collections: loaded, by_id, by_name, keys }
    }

    /// Reads `_collections`.
    ///
    /// # Errors
    /// What the store reports, or a row that cannot be decoded.
    pub async fn load(db: &Db, keys: &Arc<Keyring>) -> crate::Result<Self> {
        Ok(Self::build_with(load_collections(db).await?, keys.clone()))
    }

    /// The keys of encrypted fields.
    #[must_use]
    pub fn keys(&self) -> &Arc<Keyring> {
        &self.keys
    }

    /// Differs between any two snapshots of a process.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
    /// By exact id, else by name ignoring ASCII case.
    #[must_use]
    pub fn find(&self, name_or_id: &str) -> Option<&Arc<Loaded>> {
        self.by_id(name_or_id).or_else(|| self.by_name(name_or_id))
    }
    /// By exact id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Arc<Loaded>> {
        self.by_id.get(id).map(|at| &self.collections[*at])
    }
    /// By name ignoring ASCII case.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Loaded>> {
        let at = match self.by_name.get(name) {
            Some(at) => at,
            None if name.bytes().any(|b| b.is_ascii_uppercase()) => {
                self.by_name.get(&name.to_ascii_lowercase())?
            }
            None => return None,
        };
        Some(&self.collections[*at])
    }
    /// All, in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Loaded>> {
        self.collections.iter()
    }
    /// What [`crate::store::system::collections_state`] gives for these.
    #[must_use]
    pub fn state(&self) -> String {
        let updated = self.collections.iter().map(|c| c.updated.as_str()).max();
        format!("{} {}", self.collections.len(), updated.unwrap_or_default())
    }
    /// A snapshot in which one collection is added or replaced (by id).
    #[must_use]
    pub fn with(&self, collection: &Collection) -> Self {
        let mut all: Vec<_> = self.collections.iter().map(|c| c.collection.clone()).collect();
        match all.iter_mut().find(|c| c.id == collection.id) {
            Some(slot) => slot.clone_from(collection),
            None => all.push(collection.clone()),
        }
        Self::build_with(all, self.keys.clone())
    }
    /// A snapshot without a collection.
    #[must_use]
    pub fn without(&self, id: &str) -> Self {
        let kept = self.collections.iter().filter(|c| c.id != id);
        Self::build_with(kept.map(|c| c.collection.clone()).collect(), self.keys.clone())
    }
}

impl plan::Schema for Snapshot {
    fn collection(&self, name_or_id: &str) -> Option<Arc<plan::Collection>> {
        self.find(name_or_id).map(|c| c.plan.clone())
    }
}

/// What the filter compiler sees of a collection.
#[must_use]
pub fn to_plan(collection: &Collection) -> plan::Collection {
    let (mut unique_fields, mut indexed_fields) = (Vec::new(), Vec::new());
    for text in &collection.indexes {
        let index = Index::parse(text);
        if !index.is_ordered() {
            continue;
        }
        if let Some(column) = index.single_unique_column() {
            unique_fields.push(column.to_ascii_lowercase());
        }
        if let Some(column) = index.columns.first().filter(|_| index.condition.is_empty()) {
            indexed_fields.push(column.name.to_ascii_lowercase());
        }
    }
    let visible = collection.fields.iter().filter(|field| !field.kind.is_sealed());
    let mut fields: Vec<_> = visible.map(Field::to_filter).collect();
    if collection.is_view() {
        let computed = without_affinity(&collection.view_query);
        for field in fields.iter_mut().filter(|field| computed.contains(&field.name)) {
            field.affinity = Affinity::None;
        }
    }
    let mut plan = plan::Collection::new(collection.name.clone())
        .id(collection.id.clone())
        .kind(match collection.kind {
            Kind::Auth => plan::CollectionKind::Auth,
            Kind::View => plan::CollectionKind::View,
            Kind::Base | Kind::Other(_) => plan::CollectionKind::Base,
        })
        .full_text(collection.full_text().map(|f| f.name.clone()))
        .with_all(fields);
    plan.list_rule = collection.list_rule.clone();
    plan.unique_fields = unique_fields;
    plan.indexed_fields = indexed_fields;
    plan
}

fn prepare(collection: Collection, back_refs: Vec<BackRef>, keys: &Arc<Keyring>) -> Loaded {
    let columns: Vec<String> = collection.fields.iter().map(|f| f.name.clone()).collect();
    let by_field = columns.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
    let file_fields = collection
        .fields
        .iter()
        .enumerate()
        .filter(|(_, f)| f.kind.class() == plan::Class::File)
        .map(|(at, _)| at)
        .collect();
    let sealed = Sealed::of(&collection, keys);
    Loaded {
        sealed,
        plan: Arc::new(to_plan(&collection)),
        select: ColumnList::new(&columns),
        keys: wire_keys(&collection),
        id_field: columns.iter().position(|c| c == "id"),
        columns,
        back_refs,
        file_fields,
        by_field,
        collection,
    }
}

fn wire_keys(collection: &Collection) -> Vec<WireKey> {
    let key = |name: &str, source| {
        let mut prefix = Vec::new();
        json::write_str(&mut prefix, name);
        prefix.push(b':');
        WireKey { name: name.to_owned(), prefix, source, hidden: false, email: false }
    };
    let constant = |name: &str, value: &str| {
        let mut key = key(name, WireSource::Constant);
        json::write_str(&mut key.prefix, value);
        key
    };
    let mut keys = vec![
        constant("collectionId", &collection.id),
        constant("collectionName", &collection.name),
        key("expand", WireSource::Expand),
    ];
    for (at, field) in collection.fields.iter().enumerate() {
        // Credentials of auth records never leave, whoever asks (spec §3.11).
        if collection.is_auth() && matches!(field.name.as_str(), "password" | "tokenKey") {
            continue;
        }
        let mut key = key(&field.name, WireSource::Field(at));
        key.hidden = field.hidden;
        key.email = collection.is_auth() && field.name == "email";
        keys.push(key);
    }
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    keys
}

fn collect_back_refs(collections: &[Collection]) -> HashMap<String, Vec<BackRef>> {
    let mut refs: HashMap<String, Vec<BackRef>> = HashMap::new();
    for collection in collections {
        for field in &collection.fields {
            let Some(relation) = field.options::<Relation>() else { continue };
            refs.entry(relation.collection_id.clone()).or_default().push(BackRef {
                collection_id: collection.id.clone(),
                collection_name: collection.name.clone(),
                is_view: collection.is_view(),
                field: field.name.clone(),
                multiple: field.kind.multiple(),
                cascade_delete: relation.cascade_delete,
                required: field.required,
            });
        }
    }
    for list in refs.values_mut() {
        list.sort_by(|a, b| a.collection_name.cmp(&b.collection_name));
    }
    refs
}

/// Reads all rows of `_collections` in insertion order.
///
/// # Errors
/// What the store reports, or a row that cannot be decoded.
pub fn load_collections(db: &Db) -> BoxFutureRef<'_, crate::Result<Vec<Collection>>> {
    Box::pin(async move {
        db.query(system::collections(db.dialect()), |rows| {
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(decode_row(row)?);
            }
            Ok(out)
        })
        .await?
    })
}

/// Decodes one row, columns as in [`system::COLLECTION_COLUMNS`].
fn decode_row(row: RowRef<'_>) -> crate::Result<Collection> {
    decode_cells(&|at| row.get(at))
}

/// Decodes the cells of one row, in the same order.
pub fn decode_cells<'a>(get: &dyn Fn(usize) -> ValueRef<'a>) -> crate::Result<Collection> {
    let text = |at: usize| crate::field::cell_text(get(at)).into_owned();
    let rule = |at: usize| get(at).as_str().map(str::to_owned);
    let name = text(3);
    let parse = |at: usize, what: &str| {
        let raw = text(at);
        let raw = if raw.is_empty() { "null" } else { &raw };
        serde_json::from_str::<serde_json::Value>(raw).map_err(|e| broken(&name, what, &e))
    };
    let fields = super::collection::decode_fields(&parse(4, "fields")?)
        .map_err(|e| broken(&name, "fields", &e))?;
    let mut indexes = Vec::new();
    indexes.decode(&parse(5, "indexes")?).map_err(|e| broken(&name, "indexes", &e))?;
    let mut collection = Collection {
        id: text(0),
        system: get(1).as_i64().unwrap_or(0) != 0,
        kind: Kind::parse(&text(2)),
        fields,
        indexes,
        list_rule: rule(6),
        view_rule: rule(7),
        create_rule: rule(8),
        update_rule: rule(9),
        delete_rule: rule(10),
        created: text(12),
        updated: text(13),
        name: name.clone(),
        ..Collection::default()
    };
    let options = parse(11, "options")?;
    match collection.kind {
        Kind::Auth => collection.auth.decode(&options).map_err(|e| broken(&name, "options", &e))?,
        Kind::View => {
            if let Some(query) = options.get("viewQuery").and_then(|q| q.as_str()) {
                collection.view_query = query.to_owned();
            }
        }
        Kind::Base | Kind::Other(_) => {}
    }
    Ok(collection)
}

fn broken(collection: &str, column: &str, error: &dyn std::fmt::Display) -> crate::Error {
    crate::Error::Message(format!("collection \"{collection}\" has invalid {column}: {error}"))
}
