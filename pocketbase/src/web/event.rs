//! [`RequestEvent`]: one request on its way through middlewares to its handler, as an owned handle.
//!
//! `api` lends its request to one step at a time; here it moves into a cell that the handle shares, and back when the step
//! ends. While `next()` or the body is worked on, the cell is empty and the facts at hand are those of before.

use std::{any::Any, collections::HashMap, fmt, sync::Arc};

use api::{
    ApiError, Response,
    request::{Head, Req, ip_text},
    route::Rest,
};
use engine::{ctx::Caller, record::expand::Paths};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Incoming, RequestInfo, respond::IntoResponse, texts::Pairs};
use crate::{
    app::{App, FileSystem, caught},
    error::{Error, Result},
    files::File,
    record::Record,
};

/// One request. Cheap to clone; for handlers and middlewares that want more than typed arguments.
///
/// ```
/// # use pocketbase::{ApiError, Middleware, RequestEvent, Response, Result, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// async fn show(e: RequestEvent) -> Result<Response> {
///     let id = e.path_value("id");
///     if e.query("fail") == "1" {
///         return Err(e.bad_request_error("no luck"));
///     }
///     e.set_header("x-shown", &id);
///     e.json(200, &serde_json::json!({ "id": id, "from": e.get("from"), "signed": e.auth().is_some() }))
/// }
/// let tag = Middleware::new(|e| async move {
///     e.set("from", "middleware");
///     let mut response = e.next().await?;
///     response.status = 202;
///     Ok(response)
/// });
/// app.router().get("/show/{id}", show).bind(tag);
///
/// let answer = test.get("/show/7").send().await;
/// assert_eq!((answer.status, answer.header("x-shown")), (202, "7"));
/// assert_eq!(answer.json()["from"], "middleware");
/// assert_eq!(test.get("/show/7?fail=1").send().await.json()["message"], "No luck.");
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct RequestEvent {
    cell: Arc<Cell>,
    rest: Option<Rest>,
}

struct Cell {
    app: App,
    head: Arc<Head>,
    params: Pairs,
    state: Mutex<State>,
}

struct State {
    req: Option<Box<Req>>,
    caller: Caller,
    /// Set while the request was away.
    headers: HeaderMap,
    json: Map<String, Value>,
    /// What the last step has failed with, as it was before it became an answer.
    failed: Option<Error>,
    typed: HashMap<String, Arc<dyn Any + Send + Sync>>,
}

/// How the steps of one request find the same handle.
#[derive(Clone)]
struct Known(Arc<Cell>);

impl fmt::Debug for RequestEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestEvent")
            .field("method", &self.cell.head.method)
            .field("uri", &self.cell.head.uri)
            .finish_non_exhaustive()
    }
}

/// Runs a step of a user with the request as a handle.
pub(super) async fn with_event(
    req: &mut Req,
    app: App,
    rest: Option<Rest>,
    label: &str,
    step: impl FnOnce(RequestEvent) -> engine::hook::BoxFuture<Result<Response>> + Send,
) -> api::Result<Response> {
    let away = away(req);
    let mut lent = Box::new(std::mem::replace(req, away));
    let known = lent.extensions.get::<Known>().map(|known| known.0.clone());
    let cell = known.unwrap_or_else(|| Arc::new(Cell::of(app, &lent)));
    lent.extensions.insert(Known(cell.clone()));
    cell.put(lent);
    let event = RequestEvent { cell: cell.clone(), rest };
    let done = caught(label, async move { step(event).await }).await;
    if let Some(lent) = cell.take() {
        *req = *lent;
        let set = std::mem::take(&mut cell.state.lock().headers);
        req.response_headers.extend(set);
    }
    match done {
        Ok(response) => {
            cell.state.lock().failed = None;
            Ok(response)
        }
        Err(error) => {
            let answer = ApiError::from(error.duplicate());
            cell.state.lock().failed = Some(error);
            Err(answer)
        }
    }
}

/// What stands in for a request that is lent.
fn away(req: &Req) -> Req {
    Req::synthetic(&req.api, Method::GET, Uri::default(), HeaderMap::new(), bytes::Bytes::new())
}

impl Cell {
    fn of(app: App, req: &Req) -> Self {
        Self {
            app,
            head: req.head.clone(),
            params: req
                .params()
                .map(|(name, value)| (name.to_owned(), value.into_owned()))
                .collect(),
            state: Mutex::new(State {
                req: None,
                caller: req.caller.clone(),
                headers: HeaderMap::new(),
                json: Map::new(),
                failed: None,
                typed: HashMap::new(),
            }),
        }
    }
    fn put(&self, req: Box<Req>) {
        let mut state = self.state.lock();
        state.caller = req.caller.clone();
        state.req = Some(req);
    }
    fn take(&self) -> Option<Box<Req>> {
        self.state.lock().req.take()
    }
}

/// The request, taken out of its cell for a while; goes back when dropped, cancelled work included.
struct Taken<'c> {
    cell: &'c Cell,
    req: Option<Box<Req>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(req) = self.req.take() {
            self.cell.put(req);
        }
    }
}

impl Taken<'_> {
    fn req(&mut self) -> &mut Req {
        // only drop takes it
        self.req.as_mut().expect("taken requests are there until they go back")
    }
}

impl RequestEvent {
    fn borrow(&self) -> Result<Taken<'_>> {
        match self.cell.take() {
            Some(req) => Ok(Taken { cell: &self.cell, req: Some(req) }),
            None => {
                Err(Error::other("the request is in the hands of another step: await it first"))
            }
        }
    }
    pub(super) fn with<T>(&self, read: impl FnOnce(&mut Req) -> T) -> Option<T> {
        self.cell.state.lock().req.as_deref_mut().map(read)
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.cell.app
    }
    /// Continues with the next middleware, at the end with the handler. Only middlewares have one.
    ///
    /// # Errors
    /// What the rest answers as an error: it can be looked at, replaced or let through.
    pub async fn next(&self) -> Result<Response> {
        let rest = self.rest.clone().ok_or_else(|| Error::other("a handler has no next()"))?;
        let mut taken = self.borrow()?;
        self.cell.state.lock().failed = None;
        let done = rest.run(taken.req()).await;
        // a step that looks at an error gets it as it was thrown
        done.map_err(|answer| self.cell.state.lock().failed.take().unwrap_or_else(|| answer.into()))
    }

    // what came

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.cell.head.method.as_str()
    }
    /// The path as sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.cell.head.uri.path()
    }
    /// The query as sent, without the question mark.
    #[must_use]
    pub fn raw_query(&self) -> &str {
        self.cell.head.uri.query().unwrap_or_default()
    }
    /// A wildcard of the route, decoded; `""` if there is none of that name.
    #[must_use]
    pub fn path_value(&self, name: &str) -> String {
        let found = self.cell.params.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
    /// The first value of a query parameter; `""` if there is none.
    #[must_use]
    pub fn query(&self, name: &str) -> String {
        self.cell.head.query().get(name).map(std::borrow::Cow::into_owned).unwrap_or_default()
    }
    /// A header as text; `""` if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.cell.head.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
    /// A cookie; `None` if there is none.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let pairs = self.header("cookie").split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }
    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.cell.head.headers
    }
    pub(super) fn path_values(&self) -> &Pairs {
        &self.cell.params
    }
    pub(super) fn query_values(&self) -> Pairs {
        let pairs = self.cell.head.query();
        pairs.pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
    }
    /// The address of the client, trusted proxies considered.
    #[must_use]
    pub fn real_ip(&self) -> String {
        match self.app().settings() {
            Ok(settings) => ip_text(self.cell.head.real_ip(&settings)),
            Err(_) => self.remote_ip(),
        }
    }
    /// The address of the other end of the socket.
    #[must_use]
    pub fn remote_ip(&self) -> String {
        ip_text(self.cell.head.remote.ip())
    }

    // who asks

    /// The record that signed the request; `None` for guests.
    #[must_use]
    pub fn auth(&self) -> Option<Record> {
        self.cell.state.lock().caller.record().map(Record::of_arc)
    }
    /// True if a superuser asks.
    #[must_use]
    pub fn has_superuser_auth(&self) -> bool {
        self.cell.state.lock().caller.is_superuser()
    }
    /// Continues as somebody else: for logins of one's own.
    pub fn set_auth(&self, record: Option<&Record>) {
        let caller = Caller::of(record.map(|record| Arc::new(record.handle().snapshot())));
        let mut state = self.cell.state.lock();
        if let Some(req) = state.req.as_mut() {
            req.caller = caller.clone();
            req.auth = None;
        }
        state.caller = caller;
    }

    // the body

    /// The raw body.
    ///
    /// # Errors
    /// 413 beyond the route's limit, 400 when the client breaks off.
    pub async fn bytes(&self) -> Result<bytes::Bytes> {
        Ok(self.borrow()?.req().bytes().await?)
    }
    /// The body, JSON or a form, as a type of yours. Forms are read as the API reads them: `"true"` as a bool, numbers as
    /// numbers, repeated keys as lists, `@jsonPayload` as JSON.
    ///
    /// # Errors
    /// 400 when it cannot be read or does not fit.
    pub async fn bind_body<T: DeserializeOwned>(&self) -> Result<T> {
        let data = self.borrow()?.req().payload().await?.data;
        serde_json::from_value(data).map_err(|error| unfit(&error).into())
    }
    pub(super) async fn form(&self) -> Result<Pairs> {
        let payload = self.borrow()?.req().payload().await?;
        let texts = payload.texts.into_iter();
        let each = |(key, values): (String, Vec<String>)| {
            values.into_iter().map(move |value| (key.clone(), value))
        };
        Ok(texts.flat_map(each).collect())
    }
    pub(super) async fn json_body(&self) -> Result<bytes::Bytes> {
        self.bytes().await
    }
    /// The uploaded files of a key of the form, in order; none is an empty list.
    ///
    /// # Errors
    /// 400 when the form cannot be read, 413 beyond the route's limit.
    pub async fn find_uploaded_files(&self, key: &str) -> Result<Vec<File>> {
        let mut files = self.uploaded_files().await?;
        files.retain(|(known, _)| known == key);
        Ok(files.into_iter().map(|(_, file)| file).collect())
    }
    /// All uploaded files with their keys, in order.
    ///
    /// # Errors
    /// As [`RequestEvent::find_uploaded_files`].
    pub async fn uploaded_files(&self) -> Result<Vec<(String, File)>> {
        let payload = self.borrow()?.req().payload().await?;
        Ok(payload.files.into_iter().map(|(key, upload)| (key, File::of(upload))).collect())
    }
    /// The facts that rules see as `@request.*`, the body included.
    ///
    /// # Errors
    /// 400 when the body cannot be read or is no object.
    pub async fn request_info(&self) -> Result<RequestInfo> {
        let mut taken = self.borrow()?;
        let body = taken.req().payload().await?.into_map()?;
        Ok(RequestInfo::of(&taken.req().ctx(body)))
    }

    // values of this request

    /// A value that a step left, as JSON; `null` if there is none.
    #[must_use]
    pub fn get(&self, key: &str) -> Value {
        self.cell.state.lock().json.get(key).cloned().unwrap_or_default()
    }
    /// Leaves a value for later steps.
    pub fn set(&self, key: &str, value: impl Into<Value>) {
        self.cell.state.lock().json.insert(key.to_owned(), value.into());
    }
    /// A Rust value that a step left.
    #[must_use]
    pub fn get_typed<T: Any + Send + Sync>(&self, key: &str) -> Option<Arc<T>> {
        self.cell.state.lock().typed.get(key)?.clone().downcast().ok()
    }
    /// Leaves a Rust value for later steps.
    pub fn set_typed<T: Any + Send + Sync>(&self, key: &str, value: T) {
        self.cell.state.lock().typed.insert(key.to_owned(), Arc::new(value));
    }

    // answers

    /// The request and the headers of its answer as texts.
    #[must_use]
    pub fn incoming(&self) -> Incoming {
        let pattern = self.with(|req| req.pattern().to_owned()).unwrap_or_default();
        Incoming::of_route(self, pattern)
    }
    pub(super) fn change_headers<T>(&self, change: impl FnOnce(&mut HeaderMap) -> T) -> T {
        let mut state = self.cell.state.lock();
        match state.req.as_mut() {
            Some(req) => change(&mut req.response_headers),
            None => change(&mut state.headers),
        }
    }
    /// Sets a header of the answer, whatever it will be. Text that cannot be a header is ignored.
    pub fn set_header(&self, name: &str, value: &str) {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value))
        else {
            return;
        };
        let mut state = self.cell.state.lock();
        match state.req.as_mut() {
            Some(req) => req.response_headers.insert(name, value),
            None => state.headers.insert(name, value),
        };
    }
    /// Adds a cookie to the answer: `name=value; Path=/; HttpOnly`.
    pub fn set_cookie(&self, cookie: &str) {
        let Ok(value) = HeaderValue::from_str(cookie) else { return };
        let mut state = self.cell.state.lock();
        match state.req.as_mut() {
            Some(req) => req.response_headers.append(header::SET_COOKIE, value),
            None => state.headers.append(header::SET_COOKIE, value),
        };
    }
    /// JSON. `?fields=` applies, as with the API.
    ///
    /// # Errors
    /// When the value cannot be serialized.
    pub fn json<T: Serialize + ?Sized>(&self, status: u16, value: &T) -> Result<Response> {
        Ok(Response::of(status, value)?)
    }
    /// Text.
    ///
    /// # Errors
    /// Never.
    pub fn string(&self, status: u16, text: impl Into<String>) -> Result<Response> {
        (status, text.into()).into_response()
    }
    /// HTML.
    ///
    /// # Errors
    /// Never.
    pub fn html(&self, status: u16, text: impl Into<String>) -> Result<Response> {
        (status, super::Html(text.into())).into_response()
    }
    /// XML.
    ///
    /// # Errors
    /// Never.
    pub fn xml(&self, status: u16, text: impl Into<String>) -> Result<Response> {
        (status, super::Xml(text.into())).into_response()
    }
    /// Bytes of a type.
    ///
    /// # Errors
    /// A type that cannot be a header.
    pub fn blob(
        &self,
        status: u16,
        kind: &str,
        bytes: impl Into<bytes::Bytes>,
    ) -> Result<Response> {
        let mut response = (status, bytes.into()).into_response()?;
        response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind)?);
        Ok(response)
    }
    /// Nothing.
    ///
    /// # Errors
    /// Never.
    pub fn no_content(&self, status: u16) -> Result<Response> {
        Ok(Response::empty(status))
    }
    /// A redirect with a status of the 3xx.
    ///
    /// # Errors
    /// 500 for other statuses.
    pub fn redirect(&self, status: u16, to: &str) -> Result<Response> {
        super::Redirect::with_status(status, to).into_response()
    }
    /// A file of a directory; a directory in it is its `index.html`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn file_in(&self, dir: &std::path::Path, name: &str) -> Result<Response> {
        let is_folder = tokio::fs::metadata(dir.join(name)).await.is_ok_and(|found| found.is_dir());
        let name = if is_folder {
            format!("{}/index.html", name.trim_end_matches('/'))
        } else {
            name.to_owned()
        };
        let files = api::static_files::StaticFiles::new(dir.to_owned(), false);
        // the name is the code's own: nobody is sent elsewhere for it
        Ok(files.serve(&name, "", &self.cell.head).await?)
    }
    /// A stored file, with ranges and conditions of the request.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub async fn file_fs(&self, files: &FileSystem, key: &str) -> Result<Response> {
        self.serve_stored(files, key, key.rsplit('/').next().unwrap_or(key)).await
    }
    /// The same under another name.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub async fn serve_stored(
        &self,
        files: &FileSystem,
        key: &str,
        name: &str,
    ) -> Result<Response> {
        let name = name.to_owned();
        let place = files.storage().clone();
        let file = api::downloads::Download { place, key: key.to_owned(), name, attachment: false };
        Ok(file.answer(&self.cell.head).await?)
    }
    /// The answer of a login with a record: auth rule, hooks, second factor (unless `method` is empty), record and token.
    ///
    /// # Errors
    /// 403 when the auth rule refuses; what hooks report.
    pub async fn record_auth_response(
        &self,
        record: &Record,
        method: &'static str,
        meta: impl Into<Value> + Send,
    ) -> Result<Response> {
        let (record, meta) = (record.handle().snapshot(), meta.into());
        let mut taken = self.borrow()?;
        Ok(api::record_auth_response(taken.req(), record, method, meta).await?)
    }
    /// Prepares records to be shown to whoever asks: `on_record_enrich`, hidden fields, addresses, and the relations of
    /// `?expand=` and `expands`, under their rules.
    ///
    /// # Errors
    /// What hooks report.
    pub async fn enrich_records(&self, records: &[Record], expands: &[&str]) -> Result<()> {
        let Some(first) = records.first() else { return Ok(()) };
        let wanted = format!("{},{}", self.query("expand"), expands.join(","));
        let collection = first.handle().collection();
        let handles: Vec<_> = records.iter().map(|record| record.handle().clone()).collect();
        let ctx = self.with(|req| req.ctx(Map::new()));
        let ctx = ctx.ok_or_else(|| Error::other("the request is in the hands of another step"))?;
        Ok(engine::record::enrich(&ctx, &collection, &handles, &Paths::parse(&wanted)).await?)
    }

    // how it is treated

    /// A successful answer is not logged.
    pub fn skip_success_activity_log(&self) {
        self.with(|req| req.skip_log = true);
    }
    /// The longest body, in bytes; refuses one that is said to be longer.
    ///
    /// # Errors
    /// 413.
    pub fn limit_body(&self, bytes: u64) -> Result<()> {
        let len = self.with(|req| {
            req.body_limits = api::body::BodyLimits::of(bytes);
            req.body_len()
        });
        if len.flatten().is_some_and(|len| len > bytes) {
            return Err(ApiError::too_large().into());
        }
        Ok(())
    }
    /// Compresses an answer as the client likes it.
    pub fn compress(&self, response: &mut Response) {
        self.with(|req| api::pipeline::compress(req, response));
    }
    pub(super) fn head(&self) -> &Arc<Head> {
        &self.cell.head
    }

    // errors

    /// An error with a status; the message is shown, the data too.
    #[must_use]
    pub fn error(&self, status: u16, message: &str, data: impl Into<Value>) -> Error {
        let mut error = ApiError::new(status, message.to_owned());
        let data = data.into();
        if !data.is_null() {
            error.data = api::error::Data::Raw(Box::new(data));
        }
        error.into()
    }
    /// 400. An empty message is the general one.
    #[must_use]
    pub fn bad_request_error(&self, message: &str) -> Error {
        self.error(400, message, ())
    }
    /// 401. An empty message is the general one.
    #[must_use]
    pub fn unauthorized_error(&self, message: &str) -> Error {
        self.error(401, message, ())
    }
    /// 403. An empty message is the general one.
    #[must_use]
    pub fn forbidden_error(&self, message: &str) -> Error {
        self.error(403, message, ())
    }
    /// 404. An empty message is the general one.
    #[must_use]
    pub fn not_found_error(&self, message: &str) -> Error {
        self.error(404, message, ())
    }
    /// 429. An empty message is the general one.
    #[must_use]
    pub fn too_many_requests_error(&self, message: &str) -> Error {
        self.error(429, message, ())
    }
    /// 500. An empty message is the general one.
    #[must_use]
    pub fn internal_server_error(&self, message: &str) -> Error {
        self.error(500, message, ())
    }
}

pub(super) fn unfit(error: &dyn fmt::Display) -> ApiError {
    ApiError::bad_request("").with_detail(error.to_string())
}
