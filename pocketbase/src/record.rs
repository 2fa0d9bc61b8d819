//! [`Record`]: a shared handle on one record, with typed access to its values.
//!
//! A thin face over the engine's record; rules, validation and storage are elsewhere.

use std::{collections::BTreeMap, fmt, sync::Arc};

use engine::{
    auth,
    field::Val,
    record::{self as engine_record, Expanded, RecordRef, export},
};
use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    collection::Collection,
    error::{Error, Result},
    files::File,
    moment::DateTime,
};

/// What a token is good for.
pub use engine::auth::token::TokenType;

/// One record. Clones are handles on the same record, as in hooks, where several handlers change one.
///
/// ```
/// # use pocketbase::{Record, Collection, Field, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let posts = Collection::base("posts")
///     .field(Field::text("title").required(true))
///     .field(Field::number("views"))
///     .field(Field::select("tags", ["a", "b", "c"]).max_select(3))
///     .field(Field::json("meta"));
/// app.save(&posts).await?;
///
/// let post = Record::new(&posts);
/// post.set("title", "Hello").set("tags", vec!["a", "b"]).set("meta", serde_json::json!({"x": [1, 2]}));
/// app.save(&post).await?;
/// post.set("views+", 2).set("tags-", "a");
/// app.save(&post).await?;
///
/// let post = app.find_record_by_id("posts", post.id()).await?;
/// assert_eq!(post.get_str("title"), "Hello");
/// assert_eq!(post.get_int("views"), 2);
/// assert_eq!(post.get_string_slice("tags"), ["b"]);
/// let title: String = post.get("title")?;
/// let x: Vec<i32> = post.get::<serde_json::Value>("meta")?["x"].as_array().unwrap()
///     .iter().map(|n| n.as_i64().unwrap() as i32).collect();
/// assert_eq!((title.as_str(), x), ("Hello", vec![1, 2]));
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Record(RecordRef);

impl From<RecordRef> for Record {
    fn from(record: RecordRef) -> Self {
        Self(record)
    }
}
impl From<engine_record::Record> for Record {
    fn from(record: engine_record::Record) -> Self {
        Self(record.into())
    }
}

impl fmt::Debug for Record {
    /// Never prints values: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Record {
    /// Two handles on the same record.
    fn eq(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }
}

/// What clients see of it: hidden fields and, unless it is shown, the address of auth records are left out.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text =
            String::from_utf8(export::to_json(&self.0)).map_err(serde::ser::Error::custom)?;
        serde_json::value::RawValue::from_string(text)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl Record {
    /// A new record of a collection, with the zero values of its fields.
    #[must_use]
    pub fn new(collection: &Collection) -> Self {
        Self(RecordRef::new(&collection.prepared()))
    }
    pub(crate) fn of_arc(record: &Arc<engine_record::Record>) -> Self {
        engine_record::Record::clone(record).into()
    }
    /// Where it lies: handles on the same record, and only those, have the same.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.address()
    }
    pub(crate) fn handle(&self) -> &RecordRef {
        &self.0
    }

    /// The id; empty for new records that got none yet.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.lock().id().to_owned()
    }
    /// Its collection.
    #[must_use]
    pub fn collection(&self) -> Collection {
        Collection::loaded(self.0.lock().collection())
    }
    /// Name of its collection.
    #[must_use]
    pub fn collection_name(&self) -> String {
        self.0.lock().collection().name.clone()
    }
    /// The type of a field, `None` if there is none of that name.
    #[must_use]
    pub fn field_type(&self, name: &str) -> Option<&'static str> {
        self.0.lock().collection().field(name).map(|field| field.type_name())
    }
    /// Counts as stored, so that the next save is an update.
    pub fn mark_as_not_new(&self) {
        self.0.lock().mark_as_not_new();
    }
    /// Counts as new, so that the next save is a creation.
    pub fn mark_as_new(&self) {
        self.0.lock().mark_as_new();
    }
    /// True until it has a row.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.0.lock().is_new()
    }

    /// Sets a field or, where there is no such field, a value that is not stored. Modifiers are allowed: `views+`,
    /// `tags-`, `slug:autogenerate`. What does not fit the field's type becomes its zero value, as with the API.
    #[allow(clippy::must_use_candidate)]
    pub fn set(&self, key: &str, value: impl Into<Value>) -> &Self {
        self.0.lock().set(key, value);
        self
    }
    /// Sets a field, unless there is none of that name.
    #[allow(clippy::must_use_candidate)]
    pub fn set_if_field_exists(&self, key: &str, value: impl Into<Value>) -> &Self {
        let name = key.trim_matches(['+', '-']).split(':').next().unwrap_or_default();
        if self.0.lock().collection().field(name).is_some() {
            self.set(key, value);
        }
        self
    }
    /// Sets a date field.
    #[allow(clippy::must_use_candidate)]
    pub fn set_date_time(&self, key: &str, time: DateTime) -> &Self {
        self.set(key, time.to_string())
    }
    /// Sets a file field to uploads, or adds them (`gallery+`).
    #[allow(clippy::must_use_candidate)]
    pub fn set_files(&self, key: &str, files: impl IntoIterator<Item = File>) -> &Self {
        let uploads = files.into_iter().map(File::into_upload).collect();
        self.0.lock().set_uploads(key, uploads);
        self
    }
    /// Sets every key of a map.
    #[allow(clippy::must_use_candidate)]
    pub fn load(&self, data: &Map<String, Value>) -> &Self {
        for (key, value) in data {
            self.set(key, value.clone());
        }
        self
    }

    /// A field (or unstored value) as a type of yours.
    ///
    /// # Errors
    /// When it does not fit, or there is no such field.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let value = self.get_value(key).ok_or_else(|| missing(key))?;
        serde_json::from_value(value)
            .map_err(|error| Error::other(format!("field {key:?}: {error}")))
    }
    /// A field (or unstored value) as JSON; `None` if there is none.
    #[must_use]
    pub fn get_value(&self, key: &str) -> Option<Value> {
        self.0.lock().get_value(key)
    }
    /// Text of a text-like field, also numbers and dates as text; `""` for others.
    #[must_use]
    pub fn get_str(&self, key: &str) -> String {
        let record = self.0.lock();
        match record.get(key) {
            Some(Val::Number(n)) => engine::json::format_g(*n),
            Some(Val::Bool(on)) => on.to_string(),
            Some(Val::Json(Some(text))) => text.clone(),
            _ => record.get_str(key).to_owned(),
        }
    }
    /// A bool field; numbers other than 0 and the texts `true` and `1` are true.
    #[must_use]
    pub fn get_bool(&self, key: &str) -> bool {
        match self.get_value(key) {
            Some(Value::Bool(on)) => on,
            Some(Value::Number(n)) => n.as_f64() != Some(0.0),
            Some(Value::String(text)) => matches!(&*text, "true" | "1"),
            _ => false,
        }
    }
    /// A number; texts are read, everything else is 0.
    #[must_use]
    pub fn get_float(&self, key: &str) -> f64 {
        match self.get_value(key) {
            Some(Value::Number(n)) => n.as_f64().unwrap_or_default(),
            Some(Value::String(text)) => text.trim().parse().unwrap_or_default(),
            Some(Value::Bool(on)) => f64::from(u8::from(on)),
            _ => 0.0,
        }
    }
    /// A number, truncated; texts are read, everything else is 0.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn get_int(&self, key: &str) -> i64 {
        match self.get_value(key) {
            Some(Value::Number(n)) if n.is_i64() => n.as_i64().unwrap_or_default(),
            _ => self.get_float(key) as i64,
        }
    }
    /// A date; `None` if it is empty or no date.
    #[must_use]
    pub fn get_date_time(&self, key: &str) -> Option<DateTime> {
        engine::time::parse(&self.get_str(key))
    }
    /// Items of a select, file or relation field, single or multiple, or of a JSON list of texts.
    #[must_use]
    pub fn get_string_slice(&self, key: &str) -> Vec<String> {
        let record = self.0.lock();
        match record.get(key) {
            Some(Val::Json(Some(text))) => serde_json::from_str(text).unwrap_or_default(),
            Some(Val::Text(text)) if !text.is_empty() => vec![text.clone()],
            _ => record.get_string_slice(key).to_vec(),
        }
    }
    /// A value that has no field.
    #[must_use]
    pub fn custom_data(&self) -> Map<String, Value> {
        self.0.lock().custom().clone()
    }
    /// The values of all fields, hidden ones included.
    #[must_use]
    pub fn fields_data(&self) -> Map<String, Value> {
        let record = self.0.lock();
        let names: Vec<String> =
            record.collection().fields.iter().map(|f| f.name.clone()).collect();
        let value = |name: String| record.get_value(&name).map(|value| (name, value));
        names.into_iter().filter_map(value).collect()
    }
    /// Files that a save will store, of one field.
    #[must_use]
    pub fn unsaved_files(&self, key: &str) -> Vec<File> {
        let record = self.0.lock();
        if record.uploads_are_stored() {
            return Vec::new();
        }
        let index = record.collection().field_at(key).map(|(index, _)| index);
        let uploads = index.map(|index| record.uploads_of(index)).unwrap_or_default();
        uploads.into_iter().map(File::of).collect()
    }
    /// The directory of its files in the storage.
    #[must_use]
    pub fn base_files_path(&self) -> String {
        let record = self.0.lock();
        format!("{}/{}", record.collection().id, record.stored_id())
    }
    /// True if a field differs from what was loaded.
    #[must_use]
    pub fn changed(&self, key: &str) -> bool {
        self.0.lock().changed(key)
    }

    /// The record as it was loaded or made, however often it was saved since: handlers after an update compare with it.
    #[must_use]
    pub fn original(&self) -> Self {
        self.0.lock().as_loaded().into()
    }
    /// The id it is stored under; `""` while it is not.
    #[must_use]
    pub fn stored_id(&self) -> String {
        let record = self.0.lock();
        if record.is_new() { String::new() } else { record.stored_id().to_owned() }
    }
    /// Takes everything of another record: what is read into it.
    pub fn become_(&self, other: &Self) {
        let other = other.0.snapshot();
        *self.0.lock() = other;
    }
    /// A copy without expanded relations, uploads and unstored values.
    #[must_use]
    pub fn fresh(&self) -> Self {
        self.0.lock().fresh().into()
    }
    /// A copy with everything.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        self.0.snapshot().into()
    }

    /// The records of an expanded relation; empty when it was not expanded.
    #[must_use]
    pub fn expanded_all(&self, key: &str) -> Vec<Self> {
        self.0.lock().expanded_all(key).into_iter().map(Self).collect()
    }
    /// The first record of an expanded relation.
    #[must_use]
    pub fn expanded_one(&self, key: &str) -> Option<Self> {
        self.0.lock().expanded_one(key).map(Self)
    }
    /// Everything that was expanded, by field.
    #[must_use]
    pub fn expand(&self) -> BTreeMap<String, Vec<Self>> {
        let record = self.0.lock();
        let found = record.expand().into_iter().flatten();
        let records = |expanded: &Expanded| expanded.records().iter().cloned().map(Self).collect();
        found.map(|(key, expanded)| (key.clone(), records(expanded))).collect()
    }
    /// Replaces what is expanded under a key; it is shown under `expand`.
    pub fn set_expand(&self, key: &str, records: &[Self]) {
        let records = records.iter().map(|record| record.0.clone()).collect();
        self.0.lock().expand_mut().insert(key.to_owned(), Expanded::Many(records));
    }
    /// Sets the one record of an expanded single relation.
    pub fn set_expand_one(&self, key: &str, record: &Self) {
        self.0.lock().expand_mut().insert(key.to_owned(), Expanded::One(record.0.clone()));
    }
    /// Forgets all expanded records.
    pub fn clear_expand(&self) {
        self.0.lock().expand_mut().clear();
    }
    /// True if what is expanded there is a list.
    #[must_use]
    pub fn is_expand_many(&self, key: &str) -> bool {
        let record = self.0.lock();
        matches!(record.expand().and_then(|all| all.get(key)), Some(Expanded::Many(_)))
    }

    /// What clients see of it, as a map.
    #[must_use]
    pub fn public_export(&self) -> Map<String, Value> {
        serde_json::from_slice(&export::to_json(&self.0)).unwrap_or_default()
    }
    /// Leaves fields out of what clients see.
    #[allow(clippy::must_use_candidate)]
    pub fn hide<S: Into<String>>(&self, fields: impl IntoIterator<Item = S>) -> &Self {
        self.show(fields, false)
    }
    /// Shows fields to clients although they are hidden.
    #[allow(clippy::must_use_candidate)]
    pub fn unhide<S: Into<String>>(&self, fields: impl IntoIterator<Item = S>) -> &Self {
        self.show(fields, true)
    }
    fn show<S: Into<String>>(&self, fields: impl IntoIterator<Item = S>, on: bool) -> &Self {
        let overrides = &mut self.0.lock().show.overrides;
        overrides.extend(fields.into_iter().map(|field| (field.into(), on)));
        self
    }
    /// Shows values that have no field, too.
    #[allow(clippy::must_use_candidate)]
    pub fn with_custom_data(&self, on: bool) -> &Self {
        self.0.lock().show.custom = on;
        self
    }
    /// Shows the address of an auth record although `emailVisibility` is off.
    #[allow(clippy::must_use_candidate)]
    pub fn ignore_email_visibility(&self, on: bool) -> &Self {
        self.0.lock().show.email = on;
        self
    }

    // auth records

    /// True if it is a superuser.
    #[must_use]
    pub fn is_superuser(&self) -> bool {
        self.0.lock().is_superuser()
    }
    /// The address of an auth record.
    #[must_use]
    pub fn email(&self) -> String {
        self.get_str("email")
    }
    /// Sets the address of an auth record.
    #[allow(clippy::must_use_candidate)]
    pub fn set_email(&self, email: &str) -> &Self {
        self.set("email", email)
    }
    /// Whether others see the address.
    #[must_use]
    pub fn email_visibility(&self) -> bool {
        self.get_bool("emailVisibility")
    }
    /// Sets whether others see the address.
    #[allow(clippy::must_use_candidate)]
    pub fn set_email_visibility(&self, visible: bool) -> &Self {
        self.set("emailVisibility", visible)
    }
    /// Whether the address is verified.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.get_bool("verified")
    }
    /// Sets whether the address is verified.
    #[allow(clippy::must_use_candidate)]
    pub fn set_verified(&self, verified: bool) -> &Self {
        self.set("verified", verified)
    }
    /// What tokens of the record are signed with, besides the collection's secret.
    #[must_use]
    pub fn token_key(&self) -> String {
        self.0.lock().token_key().to_owned()
    }
    /// Sets what tokens are signed with: tokens that were given out do not count any more.
    #[allow(clippy::must_use_candidate)]
    pub fn set_token_key(&self, key: &str) -> &Self {
        self.set("tokenKey", key)
    }
    /// Makes a new [`Record::token_key`].
    #[allow(clippy::must_use_candidate)]
    pub fn refresh_token_key(&self) -> &Self {
        self.set_token_key(&auth::random_alnum(50))
    }
    /// Sets the password; it is hashed when the record is saved. Tokens that were given out do not count any more.
    #[allow(clippy::must_use_candidate)]
    pub fn set_password(&self, password: &str) -> &Self {
        self.set("password", password)
    }
    /// Sets a random password and gives it back.
    #[must_use = "nobody else will know the password"]
    pub fn set_random_password(&self) -> String {
        let password = auth::random_alnum(30);
        self.set_password(&password);
        password
    }
    /// True if this is the password. Takes as long as a hash takes: in a server, use
    /// [`App::validate_password`](crate::App::validate_password), which does not hold up others.
    #[must_use]
    pub fn validate_password(&self, password: &str) -> bool {
        let hash = {
            let record = self.0.lock();
            if let Some(new) = record.new_password("password") {
                return new == password;
            }
            record.password_hash("password").to_owned()
        };
        !hash.is_empty() && auth::password::verify(password, &hash)
    }

    /// A token for the `Authorization` header, as a login gives it.
    ///
    /// # Errors
    /// For records of collections without logins.
    pub fn new_auth_token(&self) -> Result<String> {
        self.auth_only()?;
        Ok(auth::new_auth_token(&self.0.snapshot(), 0, true)?)
    }
    /// A token for the `Authorization` header of a given duration, which cannot be refreshed.
    ///
    /// # Errors
    /// For records of collections without logins.
    pub fn new_static_auth_token(&self, seconds: i64) -> Result<String> {
        self.auth_only()?;
        Ok(auth::new_auth_token(&self.0.snapshot(), seconds, false)?)
    }
    /// A token that verifies the address.
    ///
    /// # Errors
    /// For records of collections without logins.
    pub fn new_verification_token(&self) -> Result<String> {
        self.token(TokenType::Verification, &[("email", self.email().into())])
    }
    /// A token that resets the password.
    ///
    /// # Errors
    /// For records of collections without logins.
    pub fn new_password_reset_token(&self) -> Result<String> {
        self.token(TokenType::PasswordReset, &[("email", self.email().into())])
    }
    /// A token that changes the address.
    ///
    /// # Errors
    /// For records of collections without logins.
    pub fn new_email_change_token(&self, new_email: &str) -> Result<String> {
        let claims = [("email", self.email().into()), ("newEmail", new_email.into())];
        self.token(TokenType::EmailChange, &claims)
    }
    /// A token for protected files.
    ///
    /// # Errors
    /// For records of collections without logins.
    pub fn new_file_token(&self) -> Result<String> {
        self.auth_only()?;
        Ok(auth::new_file_token(&self.0.snapshot())?)
    }
    fn token(&self, kind: TokenType, claims: &[(&str, Value)]) -> Result<String> {
        self.auth_only()?;
        Ok(auth::new_token(&self.0.snapshot(), kind, 0, claims)?)
    }
    fn auth_only(&self) -> Result<()> {
        let record = self.0.lock();
        if record.collection().is_auth() {
            return Ok(());
        }
        Err(Error::other("not an auth collection record"))
    }
}

fn missing(key: &str) -> Error {
    Error::other(format!("there is no field {key:?}"))
}
