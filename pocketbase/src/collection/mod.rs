//! [`Collection`]: a shared handle on one collection, read from the schema until it is changed.
//!
//! Must not validate or touch tables: that is what saving does.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use engine::{
    collections::CollectionRef,
    schema::{
        self, Kind, Loaded, Snapshot, collection::add_field, index::Index,
        normalize::new_collection,
    },
};
use parking_lot::Mutex;
use serde::{Serialize, Serializer};
use serde_json::Value;

pub(crate) mod field;

use self::field::Field;
use crate::error::{Error, Result};

/// The options of auth collections.
pub use engine::schema::options::AuthOptions;

/// A collection. Clones are handles on the same one; changes take effect with [`App::save`](crate::App::save).
///
/// ```
/// # use pocketbase::{Collection, Field, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let notes = Collection::base("notes")
///     .field(Field::text("text").max(500))
///     .list_rule(Some("@request.auth.id != ''"))
///     .index("idx_notes_text", false, "text", "");
/// app.save(&notes).await?;
///
/// let notes = app.find_collection("notes").await?;
/// notes.fields_add(Field::bool("done"));
/// notes.set_delete_rule(Some(""));
/// app.save(&notes).await?;
/// assert_eq!(app.find_collection("notes").await?.field_names(), ["id", "text", "done"]);
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Collection(Arc<Inner>);

struct Inner {
    /// As of the schema it was read from, or was saved to.
    loaded: Mutex<Option<Arc<Loaded>>>,
    /// What was changed; made with the first change.
    draft: OnceLock<CollectionRef>,
}

impl fmt::Debug for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// As superusers see it, without secrets.
impl Serialize for Collection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl Collection {
    /// A new collection of records.
    #[must_use]
    pub fn base(name: &str) -> Self {
        Self::fresh(Kind::Base, name)
    }
    /// A new collection of accounts.
    #[must_use]
    pub fn auth(name: &str) -> Self {
        Self::fresh(Kind::Auth, name)
    }
    /// A new collection over a query.
    #[must_use]
    pub fn view(name: &str, query: &str) -> Self {
        let view = Self::fresh(Kind::View, name);
        view.change(|collection| query.clone_into(&mut collection.view_query));
        view
    }
    fn fresh(kind: Kind, name: &str) -> Self {
        Self::draft(&CollectionRef::new(new_collection(kind, name)))
    }
    pub(crate) fn loaded(loaded: &Arc<Loaded>) -> Self {
        Self(Arc::new(Inner { loaded: Mutex::new(Some(loaded.clone())), draft: OnceLock::new() }))
    }
    pub(crate) fn draft(handle: &CollectionRef) -> Self {
        let draft = OnceLock::from(handle.clone());
        Self(Arc::new(Inner { loaded: Mutex::new(None), draft }))
    }
    /// From the JSON of an exported collection.
    ///
    /// # Errors
    /// Options of the wrong JSON type, unknown field types.
    pub fn from_json(json: &Value) -> Result<Self> {
        let draft =
            engine::collections::draft(json).map_err(|error| Error::other(error.to_string()))?;
        Ok(Self::draft(&draft))
    }

    fn read<T>(&self, read: impl FnOnce(&schema::Collection) -> T) -> T {
        if let Some(draft) = self.0.draft.get() {
            return read(&draft.lock());
        }
        let loaded = self.0.loaded.lock().clone();
        match loaded {
            Some(loaded) => read(&loaded),
            None => read(&schema::Collection::default()),
        }
    }
    fn change<T>(&self, change: impl FnOnce(&mut schema::Collection) -> T) -> T {
        change(&mut self.handle().lock())
    }
    /// What is saved and deleted.
    pub(crate) fn handle(&self) -> &CollectionRef {
        self.0.draft.get_or_init(|| match &*self.0.loaded.lock() {
            Some(loaded) => CollectionRef::stored(loaded),
            None => CollectionRef::new(schema::Collection::default()),
        })
    }
    /// After a save: what new records are made with.
    pub(crate) fn settle(&self, loaded: Option<Arc<Loaded>>) {
        *self.0.loaded.lock() = loaded;
    }
    /// What records are made with.
    pub(crate) fn prepared(&self) -> Arc<Loaded> {
        let mut slot = self.0.loaded.lock();
        if let Some(loaded) = &*slot {
            return loaded.clone();
        }
        let draft = self.0.draft.get().map(CollectionRef::snapshot).unwrap_or_default();
        let snapshot = Snapshot::build(vec![draft]);
        let made = snapshot.iter().next().cloned();
        // one collection goes in, so one comes out
        let made = made.expect("a snapshot of one collection holds it");
        *slot = Some(made.clone());
        made
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> String {
        self.read(|c| c.id.clone())
    }
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.read(|c| c.name.clone())
    }
    /// Renames it.
    pub fn set_name(&self, name: &str) {
        self.change(|c| name.clone_into(&mut c.name));
    }
    /// True until it is saved.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.draft.get().is_some_and(CollectionRef::is_new)
    }
    /// `base`, `auth` or `view`.
    #[must_use]
    pub fn type_name(&self) -> String {
        self.read(|c| c.kind.as_str().to_owned())
    }
    /// True for collections of accounts.
    #[must_use]
    pub fn is_auth(&self) -> bool {
        self.read(schema::Collection::is_auth)
    }
    /// True for queries.
    #[must_use]
    pub fn is_view(&self) -> bool {
        self.read(schema::Collection::is_view)
    }
    /// True for collections of the server itself.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.read(|c| c.system)
    }
    /// The query of a view.
    #[must_use]
    pub fn view_query(&self) -> String {
        self.read(|c| c.view_query.clone())
    }
    /// Changes the query of a view.
    pub fn set_view_query(&self, query: &str) {
        self.change(|c| query.clone_into(&mut c.view_query));
    }

    /// Adds a field, or replaces the one of the same id or name: for building.
    #[must_use]
    pub fn field(self, field: impl Into<Field>) -> Self {
        self.fields_add(field);
        self
    }
    /// Adds an index: for building. `columns` is a list as in SQL (`"title, created DESC"`), `filter` a condition or empty.
    #[must_use]
    pub fn index(self, name: &str, unique: bool, columns: &str, filter: &str) -> Self {
        self.add_index(name, unique, columns, filter);
        self
    }
    /// Adds an index, or replaces the one of the same name.
    pub fn add_index(&self, name: &str, unique: bool, columns: &str, filter: &str) {
        self.remove_index(name);
        self.change(|c| {
            let text = schema::index::text_of(&c.name, name, unique, columns, filter);
            c.indexes.push(text);
        });
    }
    /// Removes an index by name.
    pub fn remove_index(&self, name: &str) {
        self.change(|c| {
            c.indexes.retain(|text| !Index::parse(text).name.eq_ignore_ascii_case(name));
        });
    }
    /// The index of a name, as SQL; case does not matter.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<String> {
        self.indexes().into_iter().find(|text| Index::parse(text).name.eq_ignore_ascii_case(name))
    }
    /// The indexes, as statements.
    #[must_use]
    pub fn indexes(&self) -> Vec<String> {
        self.read(|c| c.indexes.clone())
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.read(|c| c.fields.iter().cloned().map(Field).collect())
    }
    /// Names of the fields.
    #[must_use]
    pub fn field_names(&self) -> Vec<String> {
        self.read(|c| c.fields.iter().map(|field| field.name.clone()).collect())
    }
    /// The field of that name.
    #[must_use]
    pub fn field_by_name(&self, name: &str) -> Option<Field> {
        self.read(|c| c.field(name).cloned().map(Field))
    }
    /// The field of that id.
    #[must_use]
    pub fn field_by_id(&self, id: &str) -> Option<Field> {
        self.read(|c| c.field_by_id(id).cloned().map(Field))
    }
    /// Adds a field, or replaces the one of the same id or name.
    pub fn fields_add(&self, field: impl Into<Field>) {
        self.change(|c| add_field(&mut c.fields, field.into().0));
    }
    /// Adds a field at a place, or moves and replaces the one of the same id or name.
    pub fn fields_add_at(&self, at: usize, field: impl Into<Field>) {
        let field = field.into().0;
        self.change(|c| {
            let same = |f: &engine::field::Field| {
                if field.id.is_empty() { f.name == field.name } else { f.id == field.id }
            };
            let old = c.fields.iter().position(same).map(|at| c.fields.remove(at));
            let n_before = c.fields.len();
            let mut field = field;
            if let (true, Some(old)) = (field.id.is_empty(), old) {
                field.id = old.id;
            }
            add_field(&mut c.fields, field);
            if c.fields.len() > n_before
                && let Some(added) = c.fields.pop()
            {
                c.fields.insert(at.min(n_before), added);
            }
        });
    }
    /// Removes a field by name; the values of records are lost with the save.
    pub fn fields_remove_by_name(&self, name: &str) {
        self.change(|c| c.fields.retain(|field| field.name != name));
    }
    /// Removes a field by id; the values of records are lost with the save.
    pub fn fields_remove_by_id(&self, id: &str) {
        self.change(|c| c.fields.retain(|field| field.id != id));
    }

    /// Changes the options of an auth collection.
    pub fn change_auth(&self, change: impl FnOnce(&mut AuthOptions)) {
        self.change(|c| change(&mut c.auth));
    }
    /// The options of an auth collection.
    #[must_use]
    pub fn auth_options(&self) -> AuthOptions {
        self.read(|c| (*c.auth).clone())
    }
    /// The same as JSON, with secrets.
    #[must_use]
    pub fn auth_options_json(&self) -> Value {
        self.read(|c| serde_json::from_str(&c.auth_json()).unwrap_or_default())
    }
    /// Loads the JSON of a collection, or a part of it, over this one.
    ///
    /// # Errors
    /// Options of the wrong JSON type, unknown field types.
    pub fn unmarshal(&self, json: &Value) -> Result<()> {
        self.change(|c| c.decode_over(json))?;
        Ok(())
    }
    /// As superusers see it, without secrets.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.read(|c| serde_json::from_str(&c.to_json()).unwrap_or_default())
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $field:ident, $set:ident;)*) => {
        /// Rules: `None` lets only superusers, `Some("")` everybody, everything else is a filter expression.
        impl Collection {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(self, rule: Option<&str>) -> Self {
                    self.$set(rule);
                    self
                }
                $(#[$doc])*
                pub fn $set(&self, rule: Option<&str>) {
                    self.change(|c| c.$field = rule.map(str::to_owned));
                }
            )*
            /// The rules by their keys (`listRule`, …).
            #[must_use]
            pub fn rules(&self) -> Vec<(&'static str, Option<String>)> {
                self.read(|c| c.rules().into_iter().map(|(key, rule)| (key, rule.cloned())).collect())
            }
        }
    };
}
rules! {
    /// Who may list records.
    list_rule, set_list_rule;
    /// Who may see one record.
    view_rule, set_view_rule;
    /// Who may create records.
    create_rule, set_create_rule;
    /// Who may change records.
    update_rule, set_update_rule;
    /// Who may delete records.
    delete_rule, set_delete_rule;
}
