//! What the hand-written twins share: the bytes of a record and of a page, and a server for two requests. A twin brings
//! the database. No rules, no routing, no log, no limits: the lower bound, not an example.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

/// The columns of the benchmark's posts, in the order of their keys.
pub const COLUMNS: [&str; 10] =
    ["author", "body", "created", "id", "labels", "meta", "status", "title", "updated", "views"];

/// A value as its database gives it.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Text that becomes a JSON string.
    Text(&'a [u8]),
    /// JSON as it is.
    Json(&'a [u8]),
    /// JSON with blanks after commas and colons.
    SpacedJson(&'a [u8]),
    /// An integer.
    Int(i64),
    /// A double.
    Real(f64),
    /// Nothing.
    Null,
}

/// Where the records come from.
pub trait Source: Send + Sync + 'static {
    /// The JSON of one post, if there is one of this id.
    fn view(&self, id: &str) -> impl Future<Output = Option<Vec<u8>>> + Send;
    /// The 30 newest active posts with more views than these.
    fn page(&self, views: f64) -> impl Future<Output = Vec<u8>> + Send;
}

fn text(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for &b in value {
        match b {
            b'"' | b'\\' => out.extend([b'\\', b]),
            b'\n' => out.extend(b"\\n"),
            b'<' | b'>' | b'&' | 0..0x20 => out.extend(format!("\\u{b:04x}").into_bytes()),
            _ => out.push(b),
        }
    }
    out.push(b'"');
}

fn compact(out: &mut Vec<u8>, json: &[u8]) {
    let (mut is_text, mut is_escaped) = (false, false);
    for &b in json {
        match b {
            b' ' if !is_text => continue,
            b'"' if !is_escaped => is_text = !is_text,
            _ => {}
        }
        is_escaped = b == b'\\' && !is_escaped;
        out.push(b);
    }
}

/// Writes one record; `cell` gives the values of [`COLUMNS`].
pub fn record<'a>(out: &mut Vec<u8>, collection: &str, cell: impl Fn(usize) -> Cell<'a>) {
    out.push(b'{');
    for (i, name) in COLUMNS.iter().enumerate() {
        if i == 2 {
            out.extend(
                format!("\"collectionId\":\"{collection}\",\"collectionName\":\"posts\",")
                    .into_bytes(),
            );
        }
        out.extend(format!("\"{name}\":").into_bytes());
        match cell(i) {
            Cell::Text(value) => text(out, value),
            Cell::Json(value) => out.extend(value),
            Cell::SpacedJson(value) => compact(out, value),
            Cell::Int(value) => out.extend(value.to_string().into_bytes()),
            Cell::Real(value) => out.extend(value.to_string().into_bytes()),
            Cell::Null => out.extend(b"null"),
        }
        out.push(if i + 1 == COLUMNS.len() { b'}' } else { b',' });
    }
}

/// Writes a page whose records come one at a time from `next`, which writes nothing and says false at the end.
pub fn page(mut next: impl FnMut(&mut Vec<u8>) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * 1024);
    out.extend(b"{\"items\":[");
    let start = out.len();
    loop {
        let end = out.len();
        if end > start {
            out.push(b',');
        }
        if !next(&mut out) {
            out.truncate(end);
            break;
        }
    }
    out.extend(b"],\"page\":1,\"perPage\":30,\"totalItems\":-1,\"totalPages\":-1}\n");
    out
}

async fn answer(
    source: Arc<impl Source>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let body = match path.strip_prefix("/api/collections/posts/records") {
        Some(id) if id.len() > 1 => source.view(&id[1..]).await,
        Some(_) => {
            let query = request.uri().query().unwrap_or_default();
            let views = query.split("views%3E").nth(1).and_then(|v| v.split('&').next());
            match views.and_then(|v| v.parse().ok()) {
                Some(views) => Some(source.page(views).await),
                None => None,
            }
        }
        None => None,
    };
    let status = if body.is_some() { 200 } else { 404 };
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(body.unwrap_or_default().into()))
        .expect("a response"))
}

/// Serves for ever on a port of this machine.
///
/// # Panics
/// The port is in use.
pub async fn serve(source: impl Source, port: u16) {
    let source = Arc::new(source);
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))
        .await
        .expect("the port");
    while let Ok((stream, _)) = listener.accept().await {
        let source = source.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(source.clone(), request));
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}
