//! `e.request`, `e.response` and their headers (spec extending §6). Knows nothing of how a request goes through its handlers.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use pocketbase::File;

use super::{
    cookie,
    request::{Request, shared, status},
    url::{Url, Values, by_name},
};
use crate::{
    bind::{Args, Fail, Res, Shared, Val, as_host, native, native_at, native_bare, table},
    run::wait,
};

pub(crate) struct HttpRequest(pub(super) Request);
pub(crate) struct HttpResponse(pub(super) Request);
pub(crate) enum RequestHeader {
    Live(Request),
    /// A copy.
    Own(Mutex<Vec<(String, String)>>),
}
pub(crate) struct ResponseHeader(Request);
/// Content that is read from its beginning to its end, once.
pub(crate) enum Reader {
    Own {
        content: Vec<u8>,
        /// How much of it was read.
        read: AtomicUsize,
    },
    /// The body of a request, which others read, too.
    Body(Request),
    /// Something that comes while it is read.
    Stream(Stream),
}
/// Something that comes from elsewhere.
pub(crate) type Source = Box<dyn std::io::Read + Send>;
/// A source, once there is one.
pub(crate) type Stream = std::sync::Arc<Mutex<Option<Source>>>;
/// How long something lasts, and a value that it carries.
#[derive(Default)]
pub(crate) struct Lasting {
    parent: Option<Shared>,
    carries: Option<(String, Val)>,
}
/// The facts of an uploaded file.
pub(crate) struct Uploaded(pub(crate) File);

native_at!(HttpRequest = HTTP_REQUEST, |r| Some(r.0.address()));
native_at!(HttpResponse = HTTP_RESPONSE, |r| Some(r.0.address()));
native_at!(Reader = READER, |r| match r {
    Reader::Own { .. } | Reader::Stream(_) => None,
    Reader::Body(request) => Some(request.address()),
});
native_bare!(RequestHeader = REQUEST_HEADER, ResponseHeader = RESPONSE_HEADER);
native!(Lasting = LASTING, Uploaded = UPLOADED,);

table! {
    pub(crate) static HTTP_REQUEST: HttpRequest = "http.Request", "What a client has sent." {
        prop "method": "string", "The method." => |cx, r| r.0.incoming().map(|i| i.method().to_owned());
        prop "url": "url.URL", "The address." => |cx, r| shared(Url::of(&r.0));
        prop "header": "http.Header", "The headers." => |cx, r| shared(RequestHeader::Live(r.0.clone()));
        prop "body": "io.ReadCloser", "The body; may be read several times." => |cx, r| shared(Reader::Body(r.0.clone()));
        prop "host": "string", "The host." => |cx, r| r.0.header("Host");
        prop "remoteAddr": "string", "The address of the socket." => |cx, r| r.0.incoming().map(|i| i.remote_addr());
        prop "requestURI": "string", "Path and query as sent." => |cx, r| r.0.incoming().map(|i| i.target());
        prop "pattern": "string", "The pattern of the route." => |cx, r| r.0.incoming().map(|i| i.pattern().to_owned());
        prop "proto": "string", "The protocol." => |cx, r| "HTTP/1.1";
        prop "protoMajor": "number", "Its version." => |cx, r| 1;
        prop "protoMinor": "number", "Its version." => |cx, r| 1;
        prop "contentLength": "number", "The size of the body, -1 if unknown." => |cx, r| r.0.header("Content-Length").parse::<i64>().unwrap_or(if r.0.header("Transfer-Encoding").is_empty() { 0 } else { -1 });
        fn "pathValue" "(name: string): string" "What `{name}` stands for." => |cx, r, a| r.0.path_value(&a.str(0)?);
        fn "setPathValue" "(name: string, value: string): void" "Changes what `{name}` stands for." => |cx, r, a| {
            r.0.set_path_value(a.str(0)?, a.str(1)?);
        };
        fn "basicAuth" "(): any[]" "Name, password and whether there are any, of the Authorization header." => |cx, r, a| basic(&r.0.header("Authorization"));
        fn "context" "(): context.Context" "How long the request lasts." => |cx, r, a| shared(Lasting::default());
        fn "formFile" "(key: string): any[]" "The content and the facts of an uploaded file." => |cx, r, a| {
            let file = r.0.files(&a.str(0)?)?.into_iter().next().ok_or_else(|| Fail::other("http: no such file"))?;
            let content: Shared = shared(Reader::new(wait(file.bytes())?.to_vec()));
            (content, shared(Uploaded(file)))
        };
        prop "tls": "any", "`null` without encryption." => |cx, r| Val::Null;
        prop "transferEncoding": "string[]", "How the body was sent." => |cx, r| Vec::<String>::new();
        prop "multipartForm": "multipart.Form", "The form, if the body is one of parts." => |cx, r| r.0.multipart_form()?;
        prop "form": "url.Values", "The values of the query." => |cx, r| shared(Values(Mutex::new(r.0.incoming().map(|i| i.query_values()).unwrap_or_default())));
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
        fn "status" "(): number" "The status written, else 0." => |cx, r, a| r.0.status();
        fn "written" "(): boolean" "Whether something was written." => |cx, r, a| r.0.is_written();
        fn "flush" "(): void" "Does nothing: answers are sent when the handler ends." => |cx, r, a| ();
        fn "unwrap" "(): http.ResponseWriter" "Itself." => |cx, r, a| shared(HttpResponse(r.0.clone()));
    }
}

table! {
    pub(crate) static LASTING: Lasting = "context.Context", "How long something lasts." {
        fn "err" "(): void" "Fails once it is over." => |cx, c, a| ();
        fn "done" "(): any" "Nothing: scripts cannot wait for its end." => |cx, c, a| Val::Null;
        fn "value" "(key: any): any" "A value that it carries." => |cx, c, a| c.value(&a.json(0)?.to_string());
    }
}

impl Lasting {
    /// `new Context(parent, key, value)`.
    pub(crate) fn new(args: &Args<'_, '_>) -> Res<Self> {
        let parent = as_host(&args.at(0)).filter(|host| host.get::<Self>().is_some());
        let carries = match args.is_nil(1) {
            true => None,
            false => Some((args.json(1)?.to_string(), args.val(2)?)),
        };
        Ok(Self { parent, carries })
    }
    fn value(&self, key: &str) -> Val {
        match &self.carries {
            Some((known, value)) if known == key => value.clone(),
            _ => {
                let parent = self.parent.as_ref().and_then(|parent| parent.get::<Self>());
                parent.map_or(Val::Null, |parent| parent.value(key))
            }
        }
    }
}

table! {
    pub(crate) static UPLOADED: Uploaded = "multipart.FileHeader", "The facts of an uploaded file." {
        prop "filename": "string", "The name it came with." => |cx, u| u.0.original_name().to_owned();
        prop "size": "number", "Its size in bytes." => |cx, u| u.0.size();
        prop "header": "textproto.MIMEHeader", "Its headers." => |cx, u| {
            let kind = u.0.mime().split(';').next().unwrap_or_default().to_owned();
            shared(RequestHeader::Own(Mutex::new(vec![("Content-Type".to_owned(), kind)])))
        };
    }
}

table! {
    pub(crate) static REQUEST_HEADER: RequestHeader = "http.Header", "The headers of a request." {
        fn "get" "(key: string): string" "The first value." => |cx, h, a| h.values(&a.str(0)?).into_iter().next().unwrap_or_default();
        fn "values" "(key: string): string[]" "All values." => |cx, h, a| h.values(&a.str(0)?);
        fn "set" "(key: string, value: string): void" "Replaces the values." => |cx, h, a| {
            let (key, value) = (a.str(0)?, a.str(1)?);
            h.change(|all| {
                all.retain(|(known, _)| !known.eq_ignore_ascii_case(&key));
                all.extend(canonical(vec![(key, value)]));
            });
        };
        fn "add" "(key: string, value: string): void" "Adds a value." => |cx, h, a| {
            let pair = (a.str(0)?, a.str(1)?);
            h.change(|all| all.extend(canonical(vec![pair])));
        };
        fn "del" "(key: string): void" "Removes the values." => |cx, h, a| {
            let key = a.str(0)?;
            h.change(|all| all.retain(|(known, _)| !known.eq_ignore_ascii_case(&key)));
        };
        fn "clone" "(): http.Header" "A copy." => |cx, h, a| shared(RequestHeader::Own(Mutex::new(h.all())));
    }
    json |h| by_name(&h.all());
}

impl RequestHeader {
    fn all(&self) -> Vec<(String, String)> {
        match self {
            Self::Live(request) => request.headers(),
            Self::Own(all) => all.lock().clone(),
        }
    }
    fn values(&self, key: &str) -> Vec<String> {
        match self {
            Self::Live(request) => request.header_values(key),
            Self::Own(all) => values(&all.lock(), key),
        }
    }
    fn change(&self, change: impl FnOnce(&mut Vec<(String, String)>)) {
        match self {
            Self::Live(request) => request.change_headers(change),
            Self::Own(all) => change(&mut all.lock()),
        }
    }
}

/// The values of a header.
pub(super) fn values(all: &[(String, String)], name: &str) -> Vec<String> {
    let those = all.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    those.map(|(_, value)| value.clone()).collect()
}

/// Name and password of `Basic …`, and whether there are any.
fn basic(header: &str) -> Vec<Val> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let encoded = header.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic "));
    let bytes = encoded.and_then(|_| STANDARD.decode(&header[6..]).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(|text| text.split_once(':')) {
        Some((name, password)) => vec![name.into(), password.into(), true.into()],
        None => vec!["".into(), "".into(), false.into()],
    }
}

/// The type of content that nobody has told: what the reference makes of its beginning.
pub(super) fn sniffed(bytes: &[u8]) -> &'static str {
    let start = bytes.trim_ascii_start();
    let begins = |tag: &str| {
        start.len() > tag.len()
            && start[..tag.len()].eq_ignore_ascii_case(tag.as_bytes())
            && matches!(start[tag.len()], b' ' | b'>')
    };
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31);
    match () {
        () if [
            "<!doctype html",
            "<html",
            "<head",
            "<body",
            "<script",
            "<div",
            "<p",
            "<h1",
            "<a",
            "<table",
            "<br",
            "<title",
            "<style",
            "<b",
        ]
        .iter()
        .any(|tag| begins(tag)) =>
        {
            "text/html; charset=utf-8"
        }
        () if start.starts_with(b"<?xml") => "text/xml; charset=utf-8",
        () if bytes.iter().take(512).any(is_binary) => "application/octet-stream",
        () => "text/plain; charset=utf-8",
    }
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
        fn "close" "(): void" "Ends reading." => |cx, r, a| match r {
            Reader::Body(request) => request.close_body(),
            Reader::Stream(stream) => drop(stream.lock().take()),
            Reader::Own { .. } => {}
        };
        fn "reread" "(): void" "Begins again." => |cx, r, a| r.again();
    }
}

impl Reader {
    pub(crate) fn new(content: Vec<u8>) -> Self {
        Self::Own { content, read: AtomicUsize::new(0) }
    }
    /// Reads what is left, or so many bytes of it unless that is 0.
    pub(crate) fn take(&self, most: usize) -> Res<Vec<u8>> {
        let (content, read) = match self {
            Self::Body(request) => return request.take_body(most),
            Self::Stream(stream) => return read_some(stream, most),
            Self::Own { content, read } => (content, read),
        };
        let left = content.get(read.load(Ordering::Relaxed)..).unwrap_or_default();
        let part = if most == 0 { left } else { &left[..most.min(left.len())] };
        read.fetch_add(part.len(), Ordering::Relaxed);
        Ok(part.to_vec())
    }
    /// All of it, without reading it.
    pub(crate) fn content(&self) -> Res<Vec<u8>> {
        match self {
            Self::Body(request) => request.body(),
            Self::Stream(stream) => read_some(stream, 0),
            Self::Own { content, .. } => Ok(content.clone()),
        }
    }
    fn again(&self) {
        match self {
            Self::Body(request) => request.reread_body(),
            Self::Stream(_) => {}
            Self::Own { read, .. } => read.store(0, Ordering::Relaxed),
        }
    }
}

fn read_some(stream: &Stream, most: usize) -> Res<Vec<u8>> {
    let mut stream = stream.lock();
    let Some(source) = stream.as_mut() else { return Ok(Vec::new()) };
    let mut content = Vec::new();
    let limit = if most == 0 { u64::MAX } else { most as u64 };
    source.take(limit).read_to_end(&mut content)?;
    Ok(content)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_content() {
        for (content, want) in [
            (&b"part1"[..], "text/plain; charset=utf-8"),
            (b"", "text/plain; charset=utf-8"),
            (b"  <!DOCTYPE HTML><p>", "text/html; charset=utf-8"),
            (b"<bold>", "text/plain; charset=utf-8"),
            (b"<?xml version", "text/xml; charset=utf-8"),
            (b"a\0b", "application/octet-stream"),
        ] {
            assert_eq!(sniffed(content), want, "{content:?}");
        }
    }

    #[test]
    fn basic_auth() {
        let shown = |header: &str| Val::List(basic(header)).into_json().to_string();
        assert_eq!(shown("Basic dTpwOng="), r#"["u","p:x",true]"#);
        for header in ["", "Basic", "Basic ???", "Bearer dTpw", "Basic dQ=="] {
            assert_eq!(shown(header), r#"["","",false]"#, "{header}");
        }
    }
}
