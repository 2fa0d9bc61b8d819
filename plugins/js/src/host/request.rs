//! Requests: `e` of routes and middlewares, and `e.request`, `e.response` (spec extending §6).
//!
//! Scripts write answers piece by piece; the library wants one. So what is written is collected in [`Out`] and given away when
//! the handler ends. What the rest of a chain has answered counts as written.

mod body;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    CurrentApp, Dir,
    exchange::{self, HttpRequest, HttpResponse, Reader, canonical},
    info::Info,
};
use crate::{
    bind::{
        Args, Fail, Held, MapRef, Res, Shared, Val, as_host, encode, errors, is_nil, native_at,
        new_map, table,
    },
    run::{Fatal, wait},
};
use parking_lot::Mutex;
use pocketbase::{ApiError, Body, Error, Incoming, Record, RequestEvent, RequestInfo, Response};

/// A request on its way through handlers.
#[derive(Clone)]
pub(crate) struct Request(Arc<Inner>);

struct Inner {
    origin: Origin,
    incoming: Option<Incoming>,
    state: Arc<State>,
}

enum Origin {
    Route(RequestEvent),
    Hook(Box<dyn Asked>),
}

/// An event of a hook that a request has caused.
pub(crate) trait Asked: Send + Sync {
    fn info(&self) -> RequestInfo;
    fn auth(&self) -> Option<Record>;
    fn incoming(&self) -> Option<Incoming>;
    fn respond(&self, response: Response) -> pocketbase::Result<()>;
    fn is_answered(&self) -> bool;
}

/// What the handlers of one request share.
#[derive(Default)]
struct State {
    /// Who has not gone on yet: the handler that was reached last. A handler whose rest has stopped early goes on behind it.
    reached: Mutex<Option<RequestEvent>>,
    /// How many handlers are at work, one within the other.
    depth: AtomicUsize,
    out: Mutex<Out>,
    values: MapRef,
    info: Mutex<Option<Arc<Info>>>,
    /// The request's headers, once a script has changed them.
    headers: Mutex<Option<Vec<(String, String)>>>,
    /// How far the body was read.
    reading: Mutex<body::Reading>,
    /// What scripts have put in the place of wildcards.
    params: Mutex<Vec<(String, String)>>,
}

/// What was written.
#[derive(Default)]
struct Out {
    status: u16,
    is_written: bool,
    body: Vec<u8>,
    /// Whether `?fields=` applies.
    pick: bool,
    /// What the rest of the chain has answered.
    rest: Option<Response>,
}

native_at!(Request = REQUEST_EVENT, |request| Some(request.address()));

table! {
    pub(crate) static REQUEST_EVENT: Request = "core.RequestEvent", "A request and its answer." {
        prop "app": "core.App", "The app." => |cx, e| CurrentApp;
        prop "auth": "core.Record", "Who asks; `null` for guests." => |cx, e| e.auth(), set |cx, e, v| {
            let record = as_host(&v).and_then(|host| host.get::<Record>().cloned());
            if record.is_none() && !is_nil(&v) {
                return Err(Fail::Type("auth must be a record or null".into()));
            }
            e.set_auth(record);
        };
        prop "request": "http.Request", "What came." => |cx, e| shared(HttpRequest(e.clone()));
        prop "response": "http.ResponseWriter", "What goes." => |cx, e| shared(HttpResponse(e.clone()));
        fn "next" "(): void" "Runs the rest of the chain." => |cx, e, a| e.next()?;
        fn "json" "(status: number, data: any): void" "Answers with JSON." => |cx, e, a| e.json(status(a)?, &a.val(1)?)?;
        fn "string" "(status: number, text: string): void" "Answers with text." => |cx, e, a| {
            e.write(status(a)?, "text/plain; charset=utf-8", a.str(1)?.as_bytes());
        };
        fn "html" "(status: number, html: string): void" "Answers with HTML." => |cx, e, a| {
            e.write(status(a)?, "text/html; charset=utf-8", a.str(1)?.as_bytes());
        };
        fn "xml" "(status: number, data: any): void" "Answers with XML." => |cx, e, a| {
            let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", xml(&a.val(1)?)?);
            e.write(status(a)?, "application/xml; charset=utf-8", text.as_bytes());
        };
        fn "blob" "(status: number, type: string, content: string | number[]): void" "Answers with bytes." => |cx, e, a| {
            e.write(status(a)?, &a.str(1)?, &a.bytes(2)?);
        };
        fn "stream" "(status: number, type: string, reader: any): void" "Answers with the content of a reader." => |cx, e, a| {
            let content = content(a, 2)?;
            e.write(status(a)?, &a.str(1)?, &content);
        };
        fn "noContent" "(status: number): void" "Answers without a body." => |cx, e, a| e.begin(status(a)?);
        fn "redirect" "(status: number, url: string): void" "Sends the client elsewhere." => |cx, e, a| e.redirect(status(a)?, &a.str(1)?)?;
        fn "setCookie" "(cookie: http.Cookie): void" "Sets a cookie." => |cx, e, a| {
            let text = as_host(&a.at(0)).and_then(|host| host.kind().text.map(|text| text(&host)));
            if let (Some(incoming), Some(text)) = (e.incoming(), text.filter(|text| !text.is_empty())) {
                incoming.add_response_header("Set-Cookie", &text);
            }
        };
        fn "flush" "(): void" "Does nothing: answers are sent when the handler ends." => |cx, e, a| ();
        fn "fileFS" "(fs: fs.FS, name: string): void" "Answers with a file." => |cx, e, a| e.file(&a.host::<Dir>(0)?.0, &a.str(1)?)?;
        fn "bindBody" "(target: any): void" "Reads the body into a model." => |cx, e, a| e.bind_body(a)?;
        fn "findUploadedFiles" "(key: string): filesystem.File[]" "The files of a form." => |cx, e, a| e.files(&a.str(0)?)?;
        fn "written" "(): boolean" "Whether something was written." => |cx, e, a| e.is_written();
        fn "status" "(): number" "The status written, else 0." => |cx, e, a| e.0.state.out.lock().status;
        fn "requestInfo" "(): core.RequestInfo" "The facts of the request, with its body." => |cx, e, a| e.info()? as Shared;
        fn "get" "(key: string): any" "A value that an earlier handler has set." => |cx, e, a| e.0.state.values.lock().get(&a.str(0)?).cloned();
        fn "set" "(key: string, value: any): void" "Keeps a value for later handlers." => |cx, e, a| {
            let (key, value) = (a.str(0)?, a.val(1)?);
            e.0.state.values.lock().insert(key, value);
        };
        fn "getAll" "(): { [key: string]: any }" "All values." => |cx, e, a| new_map(e.0.state.values.lock().clone());
        fn "setAll" "(values: { [key: string]: any }): void" "Keeps several values." => |cx, e, a| {
            if let Val::Map(map) = a.val(0)? {
                let map = map.lock().clone();
                e.0.state.values.lock().extend(map);
            }
        };
        fn "realIP" "(): string" "The caller's address, trusted proxies considered." => |cx, e, a| e.incoming().map(|i| i.real_ip()).unwrap_or_default();
        fn "remoteIP" "(): string" "The address of the socket." => |cx, e, a| e.incoming().map(|i| i.remote_ip()).unwrap_or_default();
        fn "isTLS" "(): boolean" "Whether the connection is encrypted." => |cx, e, a| false;
        fn "hasSuperuserAuth" "(): boolean" "Whether a superuser asks." => |cx, e, a| e.auth().is_some_and(|auth| auth.is_superuser());
        fn "error" "(status: number, message: string, data: any): router.ApiError" "An error answer." => |cx, e, a| shared(errors::api_error(a, status(a)?, 1, false)?);
        fn "badRequestError" "(message: string, data: any): router.ApiError" "400." => |cx, e, a| shared(errors::api_error(a, 400, 0, false)?);
        fn "unauthorizedError" "(message: string, data: any): router.ApiError" "401." => |cx, e, a| shared(errors::api_error(a, 401, 0, false)?);
        fn "forbiddenError" "(message: string, data: any): router.ApiError" "403." => |cx, e, a| shared(errors::api_error(a, 403, 0, false)?);
        fn "notFoundError" "(message: string, data: any): router.ApiError" "404." => |cx, e, a| shared(errors::api_error(a, 404, 0, false)?);
        fn "tooManyRequestsError" "(message: string, data: any): router.ApiError" "429." => |cx, e, a| shared(errors::api_error(a, 429, 0, false)?);
        fn "internalServerError" "(message: string, data: any): router.ApiError" "500." => |cx, e, a| shared(errors::api_error(a, 500, 0, false)?);
        prop "event": "hook.Event", "The event itself." => |cx, e| shared(e.clone());
    }
}

pub(super) fn shared<T: crate::bind::Native>(value: T) -> Shared {
    Arc::new(value)
}

pub(super) fn status(args: &Args<'_, '_>) -> Res<u16> {
    Ok(u16::try_from(args.int(0)?).unwrap_or(0))
}

/// The content of a reader, or bytes.
fn content(args: &Args<'_, '_>, at: usize) -> Res<Vec<u8>> {
    match args.opt_host::<Reader>(at)? {
        Some(reader) => reader.take(0),
        None => args.bytes(at),
    }
}

/// Go's encoding of scalars: `<string>a</string>`.
fn xml(value: &Val) -> Res<String> {
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .replace('\'', "&#39;")
    };
    Ok(match value {
        Val::Null => String::new(),
        Val::Bool(on) => format!("<bool>{on}</bool>"),
        Val::Int(int) => format!("<int64>{int}</int64>"),
        Val::Float(n) => format!("<float64>{n}</float64>"),
        Val::Str(text) => format!("<string>{}</string>", escape(text)),
        Val::List(items) => items.iter().map(xml).collect::<Res<String>>()?,
        _ => return Err(Fail::other("xml: unsupported type: map[string]interface {}")),
    })
}

impl Request {
    /// That of a route or middleware; what the handlers of a request share lies with the request.
    pub(crate) fn of_route(event: RequestEvent, has_next: bool) -> Self {
        let state = event.get_typed::<Arc<State>>("pb.js").map_or_else(
            || {
                let state = Arc::new(State::default());
                event.set_typed("pb.js", state.clone());
                state
            },
            |known| (*known).clone(),
        );
        state.depth.fetch_add(1, Ordering::AcqRel);
        *state.reached.lock() = has_next.then(|| event.clone());
        let incoming = Some(event.incoming());
        Self::new(Origin::Route(event), incoming, state)
    }
    pub(crate) fn of_hook(event: impl Asked + 'static) -> Self {
        let incoming = event.incoming();
        Self::new(Origin::Hook(Box::new(event)), incoming, Arc::default())
    }
    fn new(origin: Origin, incoming: Option<Incoming>, state: Arc<State>) -> Self {
        Self(Arc::new(Inner { origin, incoming, state }))
    }
    /// Where it lies.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
    pub(super) fn incoming(&self) -> Option<&Incoming> {
        self.0.incoming.as_ref()
    }
    pub(super) fn header(&self, name: &str) -> String {
        self.header_values(name).into_iter().next().unwrap_or_default()
    }
    pub(super) fn header_values(&self, name: &str) -> Vec<String> {
        match &*self.0.state.headers.lock() {
            Some(own) => exchange::values(own, name),
            None => self.incoming().map(|i| i.header_values(name)).unwrap_or_default(),
        }
    }
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let own = self.0.state.headers.lock().clone();
        own.unwrap_or_else(|| self.incoming().map(|i| canonical(i.headers())).unwrap_or_default())
    }
    /// Changes the headers as later handlers see them.
    pub(super) fn change_headers(&self, change: impl FnOnce(&mut Vec<(String, String)>)) {
        let mut all = self.headers();
        change(&mut all);
        *self.0.state.headers.lock() = Some(all);
    }
    pub(super) fn path_value(&self, name: &str) -> String {
        let own = self.0.state.params.lock().iter().find(|(known, _)| known == name).cloned();
        match own {
            Some((_, value)) => value,
            None => self.incoming().map(|i| i.path_value(name)).unwrap_or_default(),
        }
    }
    pub(super) fn set_path_value(&self, name: String, value: String) {
        let mut own = self.0.state.params.lock();
        own.retain(|(known, _)| *known != name);
        own.push((name, value));
    }
    pub(super) fn status(&self) -> u16 {
        self.0.state.out.lock().status
    }
    fn auth(&self) -> Option<Record> {
        match &self.0.origin {
            Origin::Route(event) => event.auth(),
            Origin::Hook(event) => event.auth(),
        }
    }
    fn set_auth(&self, record: Option<Record>) {
        if let Origin::Route(event) = &self.0.origin {
            event.set_auth(record.as_ref());
        }
        if let Some(info) = &*self.0.state.info.lock() {
            *info.auth.lock() = record;
        }
    }
    fn next(&self) -> Res<()> {
        let Some(event) = self.0.state.reached.lock().take() else { return Ok(()) };
        let response = wait(event.next())?;
        // whoever stops without writing leaves nothing to keep
        let is_empty = match &response.body {
            Body::Empty => true,
            Body::Full(body) => body.is_empty(),
            _ => false,
        };
        if is_empty && response.status == 200 && !self.0.state.out.lock().is_written {
            return Ok(());
        }
        self.answer(response);
        Ok(())
    }
    /// A whole answer that was made elsewhere.
    fn answer(&self, response: Response) {
        let mut out = self.0.state.out.lock();
        out.status = response.status;
        out.is_written = true;
        out.rest = Some(response);
    }
    /// Answers with a file of a directory, as a route of static files does.
    pub(crate) fn serve(&self, dir: &std::path::Path, index_fallback: bool) -> Res<()> {
        let Origin::Route(event) = &self.0.origin else {
            return Err(Fail::other("files can be answered with in routes"));
        };
        let files = pocketbase::middleware::static_files(dir, index_fallback);
        self.answer(wait(files(event.clone()))?);
        Ok(())
    }
    fn info(&self) -> Res<Arc<Info>> {
        if let Some(known) = &*self.0.state.info.lock() {
            return Ok(known.clone());
        }
        let info = match &self.0.origin {
            Origin::Route(event) => {
                wait(event.request_info()).map_err(|error| self.unreadable(error))?
            }
            Origin::Hook(event) => event.info(),
        };
        let info = Arc::new(Info::of(info));
        *self.0.state.info.lock() = Some(info.clone());
        Ok(info)
    }
    pub(super) fn post_form_value(&self, key: &str) -> Res<String> {
        let kind = self.header("Content-Type");
        if !kind.starts_with("multipart/") && !kind.starts_with("application/x-www-form-urlencoded")
        {
            return Ok(String::new());
        }
        let found = self.info()?.body.as_ref().and_then(|body| body.lock().get(key).cloned());
        Ok(match found {
            Some(Val::List(items)) => items.first().cloned().map(plain).unwrap_or_default(),
            Some(value) => plain(value),
            None => String::new(),
        })
    }
    pub(super) fn form_value(&self, key: &str) -> Res<String> {
        let posted = self.post_form_value(key)?;
        if !posted.is_empty() {
            return Ok(posted);
        }
        let query = self.incoming().map(|i| i.query_values()).unwrap_or_default();
        Ok(query
            .into_iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
            .unwrap_or_default())
    }

    // answers

    pub(super) fn is_written(&self) -> bool {
        self.0.state.out.lock().is_written
            || matches!(&self.0.origin, Origin::Hook(event) if event.is_answered())
    }
    /// The first status counts.
    pub(super) fn begin(&self, status: u16) {
        let mut out = self.0.state.out.lock();
        if !out.is_written {
            out.is_written = true;
            out.status = status;
        }
    }
    pub(super) fn append(&self, bytes: &[u8]) {
        if let Some(incoming) =
            self.incoming().filter(|i| i.response_header("Content-Type").is_empty())
        {
            incoming.set_response_header("Content-Type", exchange::sniffed(bytes));
        }
        self.begin(200);
        self.0.state.out.lock().body.extend_from_slice(bytes);
    }
    /// Writes content whose type is that unless a handler has set another one.
    fn write(&self, status: u16, kind: &str, bytes: &[u8]) {
        if let Some(incoming) =
            self.incoming().filter(|i| i.response_header("Content-Type").is_empty())
        {
            incoming.set_response_header("Content-Type", kind);
        }
        self.begin(status);
        self.append(bytes);
    }
    fn json(&self, status: u16, value: &Val) -> Res<()> {
        if status < 100 {
            return Err(Fail::Fatal(format!("invalid WriteHeader code {status}")));
        }
        let text = encode(value);
        if (200..300).contains(&status) && !self.is_written() {
            self.0.state.out.lock().pick = true;
        }
        let bytes = text.as_ref().map(Clone::clone).unwrap_or_default();
        self.write(status, "application/json", &bytes);
        text?;
        Ok(())
    }
    fn file(&self, dir: &std::path::Path, name: &str) -> Res<()> {
        let Origin::Route(event) = &self.0.origin else {
            return Err(Fail::other("files can be answered with in routes"));
        };
        self.answer(wait(event.file_in(dir, name))?);
        Ok(())
    }
    /// Answers with a stored file.
    fn serve_stored(&self, files: &pocketbase::FileSystem, key: &str, name: &str) -> Res<()> {
        let Origin::Route(event) = &self.0.origin else {
            return Err(Fail::other("files can be answered with in routes"));
        };
        self.answer(wait(event.serve_stored(files, key, name))?);
        Ok(())
    }
    pub(super) fn files(&self, key: &str) -> Res<Vec<pocketbase::File>> {
        let Origin::Route(event) = &self.0.origin else {
            return Err(Fail::other("http: no such file"));
        };
        if !self.header("Content-Type").starts_with("multipart/") {
            return Err(Fail::other("request Content-Type isn't multipart/form-data"));
        }
        let files = wait(event.find_uploaded_files(key))?;
        if files.is_empty() { Err(Fail::other("http: no such file")) } else { Ok(files) }
    }
    /// Answers as a login does.
    pub(crate) fn auth_response(
        &self,
        record: &Record,
        method: &str,
        meta: serde_json::Value,
    ) -> Res<()> {
        let Origin::Route(event) = &self.0.origin else {
            return Err(Fail::other("logins can be answered in routes"));
        };
        self.answer(wait(event.record_auth_response(record, interned(method), meta))?);
        Ok(())
    }
    /// Makes records ready for whoever asks.
    pub(crate) fn enrich(&self, records: &[Record], expands: &[String]) -> Res<()> {
        let expands: Vec<&str> = expands.iter().map(String::as_str).collect();
        match &self.0.origin {
            Origin::Route(event) => Ok(wait(event.enrich_records(records, &expands))?),
            Origin::Hook(_) => Err(Fail::other("records can be enriched in routes")),
        }
    }
    fn redirect(&self, status: u16, to: &str) -> Res<()> {
        if !(300..400).contains(&status) {
            return Err(ApiError::new(500, "Invalid redirect status code.").into_fail());
        }
        if let Some(incoming) = self.incoming() {
            incoming.set_response_header("Location", to);
        }
        self.begin(status);
        Ok(())
    }
    /// What was written, to give to the client.
    fn take(&self) -> Response {
        let mut out = self.0.state.out.lock();
        let body = std::mem::take(&mut out.body);
        match out.rest.take() {
            Some(mut rest) => {
                let first = match &rest.body {
                    Body::Full(first) => Some(first.to_vec()),
                    Body::Empty => Some(Vec::new()),
                    _ => None,
                };
                if let (false, Some(first)) = (body.is_empty(), first) {
                    rest.body = Body::Full([first, body].concat().into());
                    rest.pick = false;
                }
                rest
            }
            None => {
                let mut response = Response::empty(if out.status == 0 { 200 } else { out.status });
                if !body.is_empty() {
                    response.body = Body::Full(body.into());
                }
                response.pick = out.pick;
                response
            }
        }
    }
}

trait IntoFail {
    fn into_fail(self) -> Fail;
}
impl IntoFail for ApiError {
    fn into_fail(self) -> Fail {
        Fail::Host(self.into())
    }
}

/// A name of a login method that lives for ever: there are few of them.
fn interned(method: &str) -> &'static str {
    static KNOWN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock();
    if let Some(found) = known.iter().find(|one| **one == method) {
        return found;
    }
    let made: &'static str = Box::leak(method.to_owned().into_boxed_str());
    known.push(made);
    made
}

pub(super) fn plain(value: Val) -> String {
    match value.into_json() {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What a handler of a route or a middleware answers: what it wrote; a failure only if it wrote nothing.
pub(crate) fn respond(request: &Request, done: Result<(), Error>) -> Result<Response, Error> {
    let state = &request.0.state;
    if state.depth.fetch_sub(1, Ordering::AcqRel) == 1 {
        // it holds the request, which holds the state
        state.reached.lock().take();
    }
    match done {
        Err(error) if error.downcast_ref::<Fatal>().is_some() => {
            Err(ApiError::internal(error.to_string()).into())
        }
        Err(error) if !request.is_written() => Err(error),
        _ => Ok(request.take()),
    }
}

/// Gives the answer that a hook has written to the client.
pub(crate) fn answer_hook(request: &Request) {
    if let Origin::Hook(event) = &request.0.origin
        && request.0.state.out.lock().is_written
    {
        let _ = event.respond(request.take());
    }
}

/// The request of the first argument, which may be the event of a hook.
pub(crate) fn of(args: &Args<'_, '_>) -> Res<Held<Request>> {
    let mut host = as_host(&args.at(0));
    while let Some(one) = host {
        if one.get::<Request>().is_some() {
            return Held::of(one).ok_or_else(|| Fail::Type("a request event is expected".into()));
        }
        host = one.kind().base.and_then(|base| base(&one));
    }
    Err(Fail::Type(
        "could not convert function call parameter 0: a request event is expected".into(),
    ))
}

impl HttpRequest {
    /// Answers with a stored file.
    pub(crate) fn serve(&self, files: &pocketbase::FileSystem, key: &str, name: &str) -> Res<()> {
        self.0.serve_stored(files, key, name)
    }
}
