//! Requests: `e` of routes and middlewares, and `e.request`, `e.response` (spec extending §6).
//!
//! Scripts write answers piece by piece; the library wants one. So what is written is collected in [`Out`] and given away when
//! the handler ends. What the rest of a chain has answered counts as written.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{CurrentApp, Dir, cookie, model::Model};
use crate::{
    bind::{
        Args, Fail, Held, MapRef, Res, Shared, Val, as_host, encode, errors, is_nil, native, new_map,
        table,
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

/// The facts of a request.
pub(crate) struct Info {
    query: Option<MapRef>,
    headers: Option<MapRef>,
    body: Option<MapRef>,
    auth: Mutex<Option<Record>>,
    method: String,
    context: String,
}

pub(crate) struct HttpRequest(Request);
pub(crate) struct HttpResponse(Request);
pub(crate) struct Url(Request);
/// Values by name, each several times: a query.
pub(crate) struct Values(Mutex<Vec<(String, String)>>);
pub(crate) struct RequestHeader(Request);
pub(crate) struct ResponseHeader(Request);
/// Content that can be read as often as one likes.
pub(crate) struct Reader(pub(crate) Vec<u8>);

native!(
    Request = REQUEST_EVENT,
    Info = REQUEST_INFO,
    HttpRequest = HTTP_REQUEST,
    HttpResponse = HTTP_RESPONSE,
    Url = URL,
    Values = VALUES,
    RequestHeader = REQUEST_HEADER,
    ResponseHeader = RESPONSE_HEADER,
    Reader = READER,
);

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

table! {
    pub(crate) static REQUEST_INFO: Info = "core.RequestInfo", "The facts of a request." {
        prop "query": "{ [key: string]: string }", "The first value of each query parameter." => |cx, i| i.query.clone();
        prop "headers": "{ [key: string]: string }", "The first value of each header; names as `x_request_id`." => |cx, i| i.headers.clone();
        prop "body": "{ [key: string]: any }", "The body." => |cx, i| i.body.clone();
        prop "auth": "core.Record", "Who asks." => |cx, i| i.auth.lock().clone();
        prop "method": "string", "The method." => |cx, i| i.method.clone();
        prop "context": "string", "`default`, `expand`, `realtime` …" => |cx, i| i.context.clone();
        fn "hasSuperuserAuth" "(): boolean" "Whether a superuser asks." => |cx, i, a| i.auth.lock().as_ref().is_some_and(Record::is_superuser);
    }
}

table! {
    pub(crate) static HTTP_REQUEST: HttpRequest = "http.Request", "What a client has sent." {
        prop "method": "string", "The method." => |cx, r| r.0.incoming().map(|i| i.method().to_owned());
        prop "url": "url.URL", "The address." => |cx, r| shared(Url(r.0.clone()));
        prop "header": "http.Header", "The headers." => |cx, r| shared(RequestHeader(r.0.clone()));
        prop "body": "io.ReadCloser", "The body; may be read several times." => |cx, r| shared(Reader(r.0.body()?));
        prop "host": "string", "The host." => |cx, r| r.0.header("Host");
        prop "remoteAddr": "string", "The address of the socket." => |cx, r| r.0.incoming().map(|i| i.remote_addr());
        prop "requestURI": "string", "Path and query as sent." => |cx, r| r.0.incoming().map(|i| i.target());
        prop "pattern": "string", "The pattern of the route." => |cx, r| r.0.incoming().map(|i| i.pattern().to_owned());
        prop "proto": "string", "The protocol." => |cx, r| "HTTP/1.1";
        prop "protoMajor": "number", "Its version." => |cx, r| 1;
        prop "protoMinor": "number", "Its version." => |cx, r| 1;
        prop "contentLength": "number", "The size of the body, -1 if unknown." => |cx, r| r.0.header("Content-Length").parse::<i64>().unwrap_or(if r.0.header("Transfer-Encoding").is_empty() { 0 } else { -1 });
        fn "pathValue" "(name: string): string" "What `{name}` stands for." => |cx, r, a| r.0.incoming().map(|i| a.str(0).map(|name| i.path_value(&name))).transpose()?.unwrap_or_default();
        fn "referer" "(): string" "The Referer header." => |cx, r, a| r.0.header("Referer");
        fn "userAgent" "(): string" "The User-Agent header." => |cx, r, a| r.0.header("User-Agent");
        fn "cookie" "(name: string): http.Cookie" "A cookie." => |cx, r, a| {
            let name = a.str(0)?;
            let mut all = cookie::parsed(&r.0.header("Cookie")).into_iter();
            all.find(|one| cookie::name_of(one) == name).ok_or_else(|| Fail::other("http: named cookie not present"))?
        };
        fn "cookies" "(): http.Cookie[]" "All cookies." => |cx, r, a| cookie::parsed(&r.0.header("Cookie"));
        fn "cookiesNamed" "(name: string): http.Cookie[]" "The cookies of a name." => |cx, r, a| {
            let name = a.str(0)?;
            cookie::parsed(&r.0.header("Cookie")).into_iter().filter(|one| cookie::name_of(one) == name).collect::<Vec<_>>()
        };
        fn "formValue" "(key: string): string" "The first value of a form or query." => |cx, r, a| r.0.form_value(&a.str(0)?)?;
        fn "postFormValue" "(key: string): string" "The first value of a form." => |cx, r, a| r.0.post_form_value(&a.str(0)?)?;
    }
}

table! {
    pub(crate) static HTTP_RESPONSE: HttpResponse = "http.ResponseWriter", "What a client gets." {
        fn "header" "(): http.Header" "The headers." => |cx, r, a| shared(ResponseHeader(r.0.clone()));
        fn "writeHeader" "(status: number): void" "Begins the answer." => |cx, r, a| r.0.begin(status(a)?);
        fn "write" "(content: string | number[]): number" "Writes." => |cx, r, a| {
            let bytes = a.bytes(0)?;
            r.0.append(&bytes);
            bytes.len()
        };
        fn "status" "(): number" "The status written, else 0." => |cx, r, a| r.0.0.state.out.lock().status;
        fn "written" "(): boolean" "Whether something was written." => |cx, r, a| r.0.is_written();
        fn "flush" "(): void" "Does nothing: answers are sent when the handler ends." => |cx, r, a| ();
        fn "unwrap" "(): http.ResponseWriter" "Itself." => |cx, r, a| shared(HttpResponse(r.0.clone()));
    }
}

table! {
    pub(crate) static URL: Url = "url.URL", "An address." {
        prop "scheme": "string", "Empty in requests." => |cx, u| "";
        prop "host": "string", "Empty in requests." => |cx, u| "";
        prop "path": "string", "The path, decoded." => |cx, u| decoded(&u.path());
        prop "rawPath": "string", "The path as sent, if decoding it loses something." => |cx, u| "";
        prop "rawQuery": "string", "The query as sent." => |cx, u| u.raw_query();
        prop "fragment": "string", "Empty in requests." => |cx, u| "";
        prop "opaque": "string", "Empty in requests." => |cx, u| "";
        fn "query" "(): url.Values" "The values of the query." => |cx, u, a| shared(Values(Mutex::new(u.0.incoming().map(|i| i.query_values()).unwrap_or_default())));
        fn "string" "(): string" "All of it." => |cx, u, a| u.target();
        fn "requestURI" "(): string" "Path and query." => |cx, u, a| u.target();
        fn "escapedPath" "(): string" "The path as sent." => |cx, u, a| u.path();
        fn "hostname" "(): string" "Empty in requests." => |cx, u, a| "";
        fn "port" "(): string" "Empty in requests." => |cx, u, a| "";
        fn "isAbs" "(): boolean" "False in requests." => |cx, u, a| false;
    }
    text |u| u.target();
}

impl Url {
    fn path(&self) -> String {
        self.0.incoming().map(|i| i.path().to_owned()).unwrap_or_default()
    }
    fn raw_query(&self) -> String {
        self.0.incoming().map(|i| i.raw_query().to_owned()).unwrap_or_default()
    }
    fn target(&self) -> String {
        self.0.incoming().map(Incoming::target).unwrap_or_default()
    }
}

table! {
    pub(crate) static VALUES: Values = "url.Values", "Values by name." {
        fn "get" "(key: string): string" "The first value." => |cx, v, a| v.all(&a.str(0)?).into_iter().next().unwrap_or_default();
        fn "set" "(key: string, value: string): void" "Replaces the values." => |cx, v, a| {
            let (key, value) = (a.str(0)?, a.str(1)?);
            let mut all = v.0.lock();
            all.retain(|(known, _)| *known != key);
            all.push((key, value));
        };
        fn "add" "(key: string, value: string): void" "Adds a value." => |cx, v, a| {
            let pair = (a.str(0)?, a.str(1)?);
            v.0.lock().push(pair);
        };
        fn "del" "(key: string): void" "Removes the values." => |cx, v, a| {
            let key = a.str(0)?;
            v.0.lock().retain(|(known, _)| *known != key);
        };
        fn "has" "(key: string): boolean" "Whether there is one." => |cx, v, a| !v.all(&a.str(0)?).is_empty();
        fn "encode" "(): string" "As a query." => |cx, v, a| v.encode();
    }
    json |v| v.json();
}

impl Values {
    fn all(&self, key: &str) -> Vec<String> {
        let all = self.0.lock();
        all.iter().filter(|(known, _)| known == key).map(|(_, value)| value.clone()).collect()
    }
    fn json(&self) -> Val {
        by_name(&self.0.lock())
    }
    fn encode(&self) -> String {
        let mut all = self.0.lock().clone();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let pairs = all.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn by_name(all: &[(String, String)]) -> Val {
    let map = new_map([]);
    for (key, value) in all {
        let mut map = map.lock();
        let list = map.entry(key.clone()).or_insert_with(|| Val::List(Vec::new()));
        if let Val::List(list) = list {
            list.push(Val::Str(value.clone()));
        }
    }
    Val::Map(map)
}

table! {
    pub(crate) static REQUEST_HEADER: RequestHeader = "http.Header", "The headers of a request." {
        fn "get" "(key: string): string" "The first value." => |cx, h, a| h.0.header(&a.str(0)?);
        fn "values" "(key: string): string[]" "All values." => |cx, h, a| (h.0.incoming().map(|i| a.str(0).map(|key| i.header_values(&key))).transpose()?.unwrap_or_default());
    }
    json |h| by_name(&h.0.incoming().map(|i| canonical(i.headers())).unwrap_or_default());
}

table! {
    pub(crate) static RESPONSE_HEADER: ResponseHeader = "http.Header", "The headers of an answer." {
        fn "get" "(key: string): string" "The first value." => |cx, h, a| h.values(&a.str(0)?).into_iter().next().unwrap_or_default();
        fn "values" "(key: string): string[]" "All values." => |cx, h, a| h.values(&a.str(0)?);
        fn "set" "(key: string, value: string): void" "Replaces the values." => |cx, h, a| {
            let (key, value) = (a.str(0)?, a.str(1)?);
            if let Some(incoming) = h.0.incoming() {
                incoming.set_response_header(&key, &value);
            }
        };
        fn "add" "(key: string, value: string): void" "Adds a value." => |cx, h, a| {
            let (key, value) = (a.str(0)?, a.str(1)?);
            if let Some(incoming) = h.0.incoming() {
                incoming.add_response_header(&key, &value);
            }
        };
        fn "del" "(key: string): void" "Removes the values." => |cx, h, a| {
            let key = a.str(0)?;
            if let Some(incoming) = h.0.incoming() {
                incoming.remove_response_header(&key);
            }
        };
    }
    json |h| by_name(&h.0.incoming().map(|i| canonical(i.response_headers())).unwrap_or_default());
}

impl ResponseHeader {
    fn values(&self, key: &str) -> Vec<String> {
        self.0.incoming().map(|i| i.response_header(key)).unwrap_or_default()
    }
}

table! {
    pub(crate) static READER: Reader = "io.ReadCloser", "Content to read." {
        fn "close" "(): void" "Ends reading." => |cx, r, a| ();
    }
    text |r| String::from_utf8_lossy(&r.0).into_owned();
}

fn shared<T: crate::bind::Native>(value: T) -> Shared {
    Arc::new(value)
}

fn status(args: &Args<'_, '_>) -> Res<u16> {
    Ok(u16::try_from(args.int(0)?).unwrap_or(0))
}

/// The content of a reader, or bytes.
fn content(args: &Args<'_, '_>, at: usize) -> Res<Vec<u8>> {
    match args.opt_host::<Reader>(at)? {
        Some(reader) => Ok(reader.0.clone()),
        None => args.bytes(at),
    }
}

/// Headers with their names as HTTP/1 writes them.
pub(crate) fn canonical(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let name = |name: String| {
        let words = name.split('-').map(|word| {
            let mut chars = word.chars();
            chars
                .next()
                .map(|c| c.to_ascii_uppercase().to_string() + chars.as_str())
                .unwrap_or_default()
        });
        words.collect::<Vec<_>>().join("-")
    };
    headers.into_iter().map(|(key, value)| (name(key), value)).collect()
}

fn decoded(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
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
    fn incoming(&self) -> Option<&Incoming> {
        self.0.incoming.as_ref()
    }
    fn header(&self, name: &str) -> String {
        let values = self.incoming().map(|i| i.header_values(name)).unwrap_or_default();
        values.into_iter().next().unwrap_or_default()
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
        let is_empty = response.status == 200 && matches!(&response.body, Body::Full(body) if body.is_empty());
        if is_empty && !self.0.state.out.lock().is_written {
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
            Origin::Route(event) => wait(event.request_info())?,
            Origin::Hook(event) => event.info(),
        };
        let info = Arc::new(Info::of(info));
        *self.0.state.info.lock() = Some(info.clone());
        Ok(info)
    }
    fn body(&self) -> Res<Vec<u8>> {
        match &self.0.origin {
            Origin::Route(event) => Ok(wait(event.bytes())?.to_vec()),
            Origin::Hook(_) => Ok(encode(&self.info()?.body())?),
        }
    }
    fn post_form_value(&self, key: &str) -> Res<String> {
        let found = self.info()?.body.as_ref().and_then(|body| body.lock().get(key).cloned());
        Ok(match found {
            Some(Val::List(items)) => items.first().cloned().map(plain).unwrap_or_default(),
            Some(value) => plain(value),
            None => String::new(),
        })
    }
    fn form_value(&self, key: &str) -> Res<String> {
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

    fn is_written(&self) -> bool {
        self.0.state.out.lock().is_written
            || matches!(&self.0.origin, Origin::Hook(event) if event.is_answered())
    }
    /// The first status counts.
    fn begin(&self, status: u16) {
        let mut out = self.0.state.out.lock();
        if !out.is_written {
            out.is_written = true;
            out.status = status;
        }
    }
    fn append(&self, bytes: &[u8]) {
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
    fn bind_body(&self, args: &Args<'_, '_>) -> Res<()> {
        if let Some(record) = args.opt_host::<Record>(0)? {
            // forms are bound to fields of structs, and those of a record are not
            if self.header("Content-Type").starts_with("application/json") {
                super::record::load(&record, self.info()?.body())?;
            }
            return Ok(());
        }
        let pointer = || {
            Fail::other("json: unable to unmarshal into Go map[string]interface {}: value must be passed as a non-nil pointer reference")
        };
        let model = args.opt_host::<Model>(0)?.ok_or_else(pointer)?;
        let body = self.info()?.body().into_object();
        model.fill(body, false)?;
        let kind = self.header("Content-Type");
        if kind.starts_with("multipart/") || kind.starts_with("application/x-www-form-urlencoded") {
            model.zero_nulls();
        }
        Ok(())
    }
    fn files(&self, key: &str) -> Res<Vec<pocketbase::File>> {
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
                if let (false, Body::Full(first)) = (body.is_empty(), &rest.body) {
                    rest.body = Body::Full([&first[..], &body].concat().into());
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

fn plain(value: Val) -> String {
    match value.into_json() {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl Info {
    fn body(&self) -> Val {
        self.body.clone().map_or(Val::Null, Val::Map)
    }
    /// For the library.
    pub(crate) fn to_library(&self) -> RequestInfo {
        let texts = |map: &Option<MapRef>| {
            let map = map.as_ref().map(|map| map.lock().clone()).unwrap_or_default();
            map.into_iter().map(|(key, value)| (key, plain(value))).collect()
        };
        let mut info = RequestInfo::default();
        info.query = texts(&self.query);
        info.headers = texts(&self.headers);
        info.body = self.body().into_object();
        info.auth = self.auth.lock().clone();
        info.method.clone_from(&self.method);
        info.context.clone_from(&self.context);
        info
    }
    fn of(info: RequestInfo) -> Self {
        let texts = |map: std::collections::BTreeMap<String, String>| {
            Some(new_map(map.into_iter().map(|(key, value)| (key, Val::Str(value)))))
        };
        Self {
            query: texts(info.query),
            headers: texts(info.headers),
            body: Some(new_map(info.body.into_iter().map(|(key, value)| (key, value.into())))),
            auth: Mutex::new(info.auth),
            method: info.method,
            context: info.context,
        }
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

/// Facts as a host value.
pub(crate) fn info_of(info: RequestInfo) -> Shared {
    Arc::new(Info::of(info))
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

/// `new RequestInfo(data)`: without data for guests.
pub(crate) fn new_request_info(args: &Args<'_, '_>) -> Res<Info> {
    let given = match args.val(0)? {
        Val::Map(map) => map.lock().clone(),
        _ => std::collections::BTreeMap::new(),
    };
    let text = |name: &str| given.get(name).cloned().map(plain).unwrap_or_default();
    let map = |name: &str| match given.get(name) {
        Some(Val::Map(map)) => Some(map.clone()),
        _ => None,
    };
    let auth = match given.get("auth") {
        Some(Val::Host(host)) => host.get::<Record>().cloned(),
        _ => None,
    };
    let context = Some(text("context")).filter(|text| !text.is_empty());
    Ok(Info {
        query: map("query"),
        headers: map("headers"),
        body: map("body"),
        auth: Mutex::new(auth),
        method: text("method"),
        context: context.unwrap_or_else(|| "default".to_owned()),
    })
}
