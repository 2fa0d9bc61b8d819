//! Finding records and collections. No rule applies: this is code, not a client.

use std::sync::Arc;

use engine::{
    Caller, Ctx, auth,
    record::{self as engine_record, expand::Paths, find, search},
    rule,
    schema::Loaded,
    store::query as spelling,
};
use serde_json::{Map, Value};

use super::App;
use crate::{
    collection::Collection,
    db::{IntoExprs, IntoParams, SelectQuery},
    error::{Error, Result},
    record::{Record, TokenType},
    web::RequestInfo,
};

/// Gives the records of a collection with these ids; see [`App::expand_path`].
pub type FetchRecords = Arc<
    dyn Fn(Collection, Vec<String>) -> engine::hook::BoxFuture<Result<Vec<Record>>> + Send + Sync,
>;

/// A collection by name, id or handle.
pub trait IntoCollection: Send + Sync {
    /// Its name or id.
    fn name_or_id(&self) -> String;
}

fn by_name(ctx: &Ctx, name: &str) -> Result<Arc<Loaded>> {
    ctx.snapshot().find(name).cloned().ok_or(Error::NotFound)
}

impl IntoCollection for &str {
    fn name_or_id(&self) -> String {
        (*self).to_owned()
    }
}
impl IntoCollection for String {
    fn name_or_id(&self) -> String {
        self.clone()
    }
}
impl IntoCollection for &String {
    fn name_or_id(&self) -> String {
        (*self).clone()
    }
}
impl IntoCollection for Collection {
    fn name_or_id(&self) -> String {
        self.id()
    }
}
impl IntoCollection for &Collection {
    fn name_or_id(&self) -> String {
        self.id()
    }
}

/// Which records [`App::find_records_by_filter`] is to find.
///
/// ```
/// use pocketbase::FilterQuery;
///
/// let query = FilterQuery::new("status = {:status} && created > {:since}")
///     .params([("status", "open"), ("since", "2026-01-01")])
///     .sort("-created")
///     .limit(20)
///     .offset(40);
/// # let _ = query;
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct FilterQuery {
    filter: String,
    params: Map<String, Value>,
    sort: String,
    limit: u32,
    offset: u64,
}

impl FilterQuery {
    /// A filter expression; empty for all records.
    pub fn new(filter: impl Into<String>) -> Self {
        Self { filter: filter.into(), ..Self::default() }
    }
    /// Values for the `{:name}`s of the filter. They are literals of their kind: whatever a text holds, it stays a text.
    pub fn params(mut self, params: impl IntoParams) -> Self {
        self.params.extend(params.into_params());
        self
    }
    /// A sort expression: `-created,title`.
    pub fn sort(mut self, sort: impl Into<String>) -> Self {
        self.sort = sort.into();
        self
    }
    /// At most so many; 0 for all.
    pub fn limit(mut self, n: u32) -> Self {
        self.limit = n;
        self
    }
    /// After skipping so many.
    pub fn offset(mut self, n: u64) -> Self {
        self.offset = n;
        self
    }
}

impl From<&str> for FilterQuery {
    fn from(filter: &str) -> Self {
        Self::new(filter)
    }
}
impl From<String> for FilterQuery {
    fn from(filter: String) -> Self {
        Self::new(filter)
    }
}

/// Finding. Single finders fail with [`Error::NotFound`], finders of several give an empty list.
///
/// ```
/// # use pocketbase::{Collection, Field, FilterQuery, Record, TokenType, db::*, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// # let users = app.find_collection("users").await?;
/// # let ann = Record::new(&users);
/// # ann.set_email("ann@example.com").set_password("1234567890").set("name", "it's \"Ann\"");
/// # app.save(&ann).await?;
/// let ann = app.find_auth_record_by_email("users", "ann@example.com").await?;
/// assert_eq!(app.find_record_by_id("users", ann.id()).await?.id(), ann.id());
/// assert!(app.find_record_by_id("users", "nobody").await.is_err_and(|e| e.is_not_found()));
///
/// let found = app.find_first_record_by_filter("users", "name = {:n}", [("n", "it's \"Ann\"")]).await?;
/// assert_eq!(found.id(), ann.id());
/// let query = FilterQuery::new("email ~ 'example.com'").sort("-created").limit(5);
/// assert_eq!(app.find_records_by_filter("users", query).await?.len(), 1);
///
/// assert_eq!(app.find_first_record_by_data("users", "name", "it's \"Ann\"").await?.id(), ann.id());
/// assert_eq!(app.find_all_records("users", hash([("verified", false)])).await?.len(), 1);
/// assert_eq!(app.count_records("users", like("name", ["ann"])).await?, 1);
/// let some = app.record_query("users").and_where(not(hash([("id", "x")]))).order_by(["name"]).limit(1);
/// assert_eq!(some.records().await?.len(), 1);
///
/// let token = ann.new_auth_token()?;
/// assert_eq!(app.find_auth_record_by_token(&token, [TokenType::Auth]).await?.id(), ann.id());
/// assert!(app.find_auth_record_by_token(&token, [TokenType::File]).await.is_err());
/// assert!(app.validate_password(&ann, "1234567890").await?);
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
impl App {
    pub(crate) fn load(&self, collection: &impl IntoCollection) -> Result<(Ctx, Arc<Loaded>)> {
        let ctx = self.ctx()?;
        let loaded = by_name(&ctx, &collection.name_or_id())?;
        Ok((ctx, loaded))
    }

    /// A collection by name (ignoring case) or id.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn find_collection(&self, name_or_id: &str) -> Result<Collection> {
        let ctx = self.ctx()?;
        if ctx.snapshot().find(name_or_id).is_none() && !ctx.in_transaction() {
            // another server may have just made it
            engine::cluster::find_unknown(&ctx.app, name_or_id).await?;
            // or nobody has asked for it before
            ctx.app.make_on_demand(name_or_id).await?;
            return Ok(Collection::loaded(&by_name(&self.ctx()?, name_or_id)?));
        }
        Ok(Collection::loaded(&by_name(&ctx, name_or_id)?))
    }
    /// The same as [`App::find_collection`], under the reference's name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn find_collection_by_name_or_id(&self, name_or_id: &str) -> Result<Collection> {
        self.find_collection(name_or_id).await
    }
    /// The same as [`App::find_collection`]: collections always come from memory, and changing one never changes what
    /// others see.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn find_cached_collection_by_name_or_id(
        &self,
        name_or_id: &str,
    ) -> Result<Collection> {
        self.find_collection(name_or_id).await
    }
    /// All collections of some types (`base`, `auth`, `view`); of all types when none is given.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub async fn find_all_collections<const N: usize>(
        &self,
        types: [&str; N],
    ) -> Result<Vec<Collection>> {
        let snapshot = self.ctx()?.snapshot();
        let is_wanted = |c: &&Arc<Loaded>| types.is_empty() || types.contains(&c.kind.as_str());
        Ok(snapshot.iter().filter(is_wanted).map(Collection::loaded).collect())
    }

    /// The record of an id.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the record or the collection.
    pub async fn find_record_by_id(
        &self,
        collection: impl IntoCollection,
        id: impl AsRef<str> + Send,
    ) -> Result<Record> {
        let (ctx, loaded) = self.load(&collection)?;
        Ok(find::by_id_or_404(&ctx, &loaded, id.as_ref()).await?.into())
    }
    /// The records of some ids, in their order; missing ones are left out.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection.
    pub async fn find_records_by_ids<S: AsRef<str> + Sync>(
        &self,
        collection: impl IntoCollection,
        ids: &[S],
    ) -> Result<Vec<Record>> {
        let (ctx, loaded) = self.load(&collection)?;
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        Ok(wrapped(find::by_ids(&ctx, &loaded, &ids).await?))
    }
    /// The first record whose field has a value.
    ///
    /// # Errors
    /// [`Error::NotFound`]; an unknown field.
    pub async fn find_first_record_by_data(
        &self,
        collection: impl IntoCollection,
        field: &str,
        value: impl Into<Value> + Send,
    ) -> Result<Record> {
        let (ctx, loaded) = self.load(&collection)?;
        if loaded.field_at(field).is_none() {
            return Err(Error::other(format!("invalid or missing field {field}")));
        }
        let value = spelling::value(&value.into()).into();
        let found = search::by_data(&ctx, &loaded, field, value).await?;
        found.map(Into::into).ok_or(Error::NotFound)
    }
    /// The first record that matches a filter expression. Hidden fields may be used.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Filter`].
    pub async fn find_first_record_by_filter(
        &self,
        collection: impl IntoCollection,
        filter: &str,
        params: impl IntoParams + Send,
    ) -> Result<Record> {
        let query = FilterQuery::new(filter).params(params).limit(1);
        self.find_records_by_filter(collection, query).await?.pop().ok_or(Error::NotFound)
    }
    /// The records that match a filter expression. Hidden fields may be used.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; [`Error::Filter`].
    pub async fn find_records_by_filter(
        &self,
        collection: impl IntoCollection,
        query: impl Into<FilterQuery> + Send,
    ) -> Result<Vec<Record>> {
        let query = query.into();
        let (ctx, loaded) = self.load(&collection)?;
        let filter = search::bind_params(&query.filter, &query.params);
        let wanted = search::Wanted {
            filter: &filter,
            sort: &query.sort,
            limit: query.limit,
            offset: query.offset,
        };
        Ok(wrapped(search::by_filter(&ctx, &loaded, &wanted).await?))
    }
    /// How many records match a filter expression.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; [`Error::Filter`].
    pub async fn count_records_by_filter(
        &self,
        collection: impl IntoCollection,
        filter: &str,
        params: impl IntoParams + Send,
    ) -> Result<i64> {
        let (ctx, loaded) = self.load(&collection)?;
        let params = params.into_params().into_iter().collect();
        Ok(search::count_by_filter(&ctx, &loaded, &search::bind_params(filter, &params)).await?)
    }
    /// All records that satisfy conditions on their columns; `()` for all.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; database errors.
    pub async fn find_all_records(
        &self,
        collection: impl IntoCollection,
        conditions: impl IntoExprs + Send,
    ) -> Result<Vec<Record>> {
        self.record_query(collection).where_(conditions.into_expr()).records().await
    }
    /// How many records satisfy conditions on their columns; `()` for all.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; database errors.
    pub async fn count_records(
        &self,
        collection: impl IntoCollection,
        conditions: impl IntoExprs + Send,
    ) -> Result<i64> {
        let (_, loaded) = self.load(&collection)?;
        let query = self.db().select(["id"]).from(&loaded.name);
        query.where_(conditions.into_expr()).count().await
    }
    /// A query for records of a collection, to be built on and ended with [`SelectQuery::records`]. Name columns of the
    /// collection with its name when other tables join (`posts.id`).
    #[allow(clippy::needless_pass_by_value, reason = "as all finders: names come as they are")]
    pub fn record_query(&self, collection: impl IntoCollection) -> SelectQuery {
        self.db().records_of(collection.name_or_id())
    }

    /// The account of an address.
    ///
    /// # Errors
    /// [`Error::NotFound`]; a collection without accounts.
    pub async fn find_auth_record_by_email(
        &self,
        collection: impl IntoCollection,
        email: &str,
    ) -> Result<Record> {
        let (ctx, loaded) = self.load(&collection)?;
        if !loaded.is_auth() {
            return Err(Error::other(format!("{:?} is not an auth collection", loaded.name)));
        }
        let found = auth::find_by_email(&ctx, &loaded, email).await?;
        found.map(Into::into).ok_or(Error::NotFound)
    }
    /// The account of a valid token of one of the given types; of any type when none is given.
    ///
    /// # Errors
    /// [`Error::NotFound`] for tokens that are not (or no longer) valid or of another type.
    pub async fn find_auth_record_by_token<const N: usize>(
        &self,
        token: &str,
        types: [TokenType; N],
    ) -> Result<Record> {
        let all = [
            TokenType::Auth,
            TokenType::File,
            TokenType::Verification,
            TokenType::PasswordReset,
            TokenType::EmailChange,
        ];
        let types = if types.is_empty() { &all[..] } else { &types[..] };
        let found = auth::find_by_token(&self.ctx()?, token, types).await?;
        found.map(|found| Record::of_arc(&found.record)).ok_or(Error::NotFound)
    }
    /// The fields that a view collection of a query has.
    ///
    /// # Errors
    /// A query that cannot be a view's.
    pub async fn view_fields(&self, query: &str) -> Result<Vec<crate::Field>> {
        let ctx = self.ctx()?;
        let found = engine::schema::view::infer_fields(&ctx.db, &ctx.snapshot(), query).await;
        Ok(found.map_err(Error::other)?.fields.into_iter().map(crate::Field).collect())
    }
    /// True if this is the password of an account. Runs beside everything else, on the lane for hashes.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many wait.
    pub async fn validate_password(&self, record: &Record, password: &str) -> Result<bool> {
        let hash = {
            let record = record.handle().lock();
            if let Some(new) = record.new_password("password") {
                return Ok(new == password);
            }
            record.password_hash("password").to_owned()
        };
        if hash.is_empty() {
            return Ok(false);
        }
        Ok(self.engine()?.verify_password(password.to_owned(), hash).await?)
    }

    /// Loads relations of a record: `["author", "comments_via_post.user"]`. No rule applies; what is missing is left out.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub async fn expand_record<S: AsRef<str> + Send>(
        &self,
        record: &Record,
        paths: impl IntoIterator<Item = S> + Send,
    ) -> Result<()> {
        self.expand_records(std::slice::from_ref(record), paths).await
    }
    /// Loads relations of records of one collection; see [`App::expand_record`].
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub async fn expand_records<S: AsRef<str> + Send>(
        &self,
        records: &[Record],
        paths: impl IntoIterator<Item = S> + Send,
    ) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let mut list = String::new();
        for path in paths {
            list.push_str(path.as_ref());
            list.push(',');
        }
        let collection = first.handle().collection();
        let handles: Vec<_> = records.iter().map(|record| record.handle().clone()).collect();
        // whoever asks as a superuser is shown everything
        let ctx = trusted(&self.ctx()?, &collection);
        engine_record::expand::expand(&ctx, &collection, &handles, &Paths::parse(&list)).await?;
        Ok(())
    }
    /// Loads one relation path of records of one collection as it is stored: no hooks run, and what clients see of the related
    /// records stays as it is. With `fetch` the related records come from there.
    ///
    /// # Errors
    /// A path that does not exist, or that cannot be read: then nothing of it is set.
    pub async fn expand_path(
        &self,
        records: &[Record],
        path: &str,
        fetch: Option<FetchRecords>,
    ) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let collection = first.handle().collection();
        let handles: Vec<_> = records.iter().map(|record| record.handle().clone()).collect();
        let ctx = trusted(&self.ctx()?, &collection);
        let fetch = fetch.map(|fetch| -> engine_record::expand::Fetch {
            Arc::new(move |collection, ids| {
                let asked = fetch(Collection::loaded(&collection), ids);
                Box::pin(async move {
                    let found = asked.await.map_err(engine::Error::from)?;
                    Ok(found.iter().map(|record| record.handle().clone()).collect())
                })
            })
        });
        engine_record::expand::expand_for_code(&ctx, &collection, &handles, path, fetch).await?;
        Ok(())
    }
    /// True if a rule of a collection (`Some("")` for everybody, `None` for superusers) lets a request at a record.
    ///
    /// # Errors
    /// [`Error::Filter`]; database errors.
    pub async fn can_access_record(
        &self,
        record: &Record,
        request: &RequestInfo,
        rule: Option<&str>,
    ) -> Result<bool> {
        if request.auth.as_ref().is_some_and(Record::is_superuser) {
            return Ok(true);
        }
        let Some(rule) = rule else { return Ok(false) };
        let caller = Caller::of(request.auth.as_ref().map(|r| Arc::new(r.handle().snapshot())));
        let ctx = self.ctx()?.with_caller(caller).with_request(request.to_engine());
        let snapshot = record.handle().snapshot();
        Ok(rule::row_matches(&ctx, rule, &snapshot).await?)
    }
}

/// The context with a superuser that is no row: nobody's rules apply.
fn trusted(ctx: &Ctx, collection: &Arc<Loaded>) -> Ctx {
    let snapshot = ctx.snapshot();
    let superusers = snapshot.find("_superusers").unwrap_or(collection);
    let mut trusted = ctx.clone();
    trusted.caller = Caller::Superuser(Arc::new(engine_record::Record::new(superusers)));
    trusted
}

fn wrapped(records: Vec<engine_record::Record>) -> Vec<Record> {
    records.into_iter().map(Into::into).collect()
}
