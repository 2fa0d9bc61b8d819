//! Request bodies: JSON (first value), urlencoded and multipart forms with `@jsonPayload`, scalar inference, limits.
//!
//! Must not validate records: it only turns bytes into a map and uploads.
//! Source: spec records-files-realtime-batch §1.4, §1.5; server-settings-operations §2.7.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use engine::{
    files::Upload,
    json::{count, read},
};
use futures_util::{Stream, StreamExt as _};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use indexmap::IndexMap;
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt as _;

use http_syntax::{
    disposition::Disposition,
    multipart::{self, Parts},
    query::{Query, is_well_formed},
};

pub use http_syntax::fault::Fault;

type Result<T, E = Fault> = std::result::Result<T, E>;

/// Most bytes of a body where nothing else is said: 32 MiB.
pub const LIMIT: u64 = 32 << 20;
/// Most bytes of an urlencoded form.
const MAX_URLENCODED: usize = 10 << 20;
/// How large a body may be.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// All of it.
    pub whole: u64,
    /// What is not files, and so is kept in memory.
    pub values: u64,
}

impl BodyLimits {
    /// The same limit for bodies with files and without.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        Self { whole: bytes, values: bytes }
    }
}

/// Most bytes of all multipart values that are not files.
const MAX_VALUES: usize = 26 << 20;
/// Most parts of a multipart form.
const MAX_PARTS: usize = 1000;
/// Files of one form beyond this total are spooled to disk.
const IN_MEMORY: usize = 16 << 20;
/// Longest time to read a body.
const READ_TIME: std::time::Duration = std::time::Duration::from_secs(300);

/// A body that has not been decoded yet.
#[derive(Debug)]
pub enum Source {
    /// On the wire.
    Wire(Incoming),
    /// In memory; can be read again.
    Bytes(Bytes),
}

impl Default for Source {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

/// A decoded body.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    /// The values; `Null` when a JSON body was `null`.
    pub data: Value,
    /// Uploaded files with their form keys, in order.
    pub files: Vec<(String, Arc<Upload>)>,
    /// True if the body was a form.
    pub form: bool,
    /// Values of a form as sent, without those that a `@jsonPayload` replaces.
    pub texts: Vec<(String, Vec<String>)>,
}

impl Payload {
    /// The values as a map; `null` is empty.
    ///
    /// # Errors
    /// For arrays and scalars.
    pub fn into_map(self) -> Result<Map<String, Value>> {
        match self.data {
            Value::Object(map) => Ok(map),
            Value::Null => Ok(Map::new()),
            _ => Err(invalid("the body must be an object")),
        }
    }
}

fn invalid(detail: impl Into<Box<str>>) -> Fault {
    Fault::Malformed(detail.into())
}

fn io_fault(error: impl std::fmt::Display) -> Fault {
    Fault::Io(error.to_string().into())
}

impl Source {
    /// The declared or known length.
    #[must_use]
    pub fn len_hint(&self) -> Option<u64> {
        match self {
            Self::Wire(body) => http_body::Body::size_hint(body).exact(),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
        }
    }

    /// Reads everything into memory; later calls return the same bytes.
    ///
    /// # Errors
    /// Beyond the limit, and when the client breaks off or is too slow.
    pub async fn bytes(&mut self, limit: u64) -> Result<Bytes> {
        match std::mem::take(self) {
            Self::Bytes(bytes) => {
                *self = Self::Bytes(bytes.clone());
                if bytes.len() as u64 > limit {
                    return Err(Fault::TooLarge);
                }
                Ok(bytes)
            }
            Self::Wire(body) => {
                let bytes = timed(read_all(body, limit)).await?;
                *self = Self::Bytes(bytes.clone());
                Ok(bytes)
            }
        }
    }
}

async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(READ_TIME, work)
        .await
        .unwrap_or_else(|_| Err(invalid("reading the body timed out")))
}

async fn read_all(mut body: Incoming, limit: u64) -> Result<Bytes> {
    let mut first: Option<Bytes> = None;
    let mut all: Vec<u8> = Vec::new();
    let mut n_read = 0u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| invalid(e.to_string()))?;
        let Ok(piece) = frame.into_data() else { continue };
        n_read += piece.len() as u64;
        if n_read > limit {
            return Err(Fault::TooLarge);
        }
        match (&first, all.is_empty()) {
            (None, true) => first = Some(piece),
            (Some(head), true) => {
                all.reserve(head.len() + piece.len());
                all.extend_from_slice(head);
                all.extend_from_slice(&piece);
            }
            _ => all.extend_from_slice(&piece),
        }
    }
    Ok(if all.is_empty() { first.unwrap_or_default() } else { all.into() })
}

/// Decodes a body by the prefix of its content type. `query` is merged into forms.
///
/// # Errors
/// See [`Fault`].
pub async fn decode(
    source: &mut Source,
    content_type: &str,
    query: Query<'_>,
    limits: BodyLimits,
) -> Result<Payload> {
    if source.len_hint() == Some(0) {
        return Ok(Payload { data: Value::Object(Map::new()), ..Payload::default() });
    }
    if content_type.starts_with("application/json") {
        // DIFFERENCE: files do not come as JSON, so the room for them does not count; memory must not grow with it.
        let bytes = source.bytes(limits.values).await?;
        let data = read::first(&bytes).map_err(|e| invalid(e.to_string()))?;
        return Ok(Payload { data, ..Payload::default() });
    }
    let mut form = Form::default();
    if content_type.starts_with("multipart/form-data") {
        form.read_multipart(source, content_type, limits.whole).await?;
    } else if content_type.starts_with("application/x-www-form-urlencoded") {
        let bytes = source.bytes(limits.values).await?;
        if bytes.len() > MAX_URLENCODED {
            return Err(invalid("http: POST too large"));
        }
        if !is_well_formed(&bytes) {
            return Err(invalid("invalid URL escape or semicolon"));
        }
        for (key, value) in Query::new(&engine::json::lossy(&bytes)).pairs() {
            form.count(1)?;
            form.value(&key, value.into_owned());
        }
    } else if content_type.starts_with("text/xml") || content_type.starts_with("application/xml") {
        return Err(invalid("XML bodies cannot be decoded into a map"));
    } else {
        return Err(Fault::Unsupported);
    }
    if !query.is_well_formed() {
        return Err(invalid(
            "the query, which belongs to the form, has an invalid URL escape or semicolon",
        ));
    }
    for (key, value) in query.pairs() {
        form.value(&key, value.into_owned());
    }
    form.finish()
}

/// Where a form comes from, piece by piece.
trait Pieces: Stream<Item = Result<Bytes, hyper::Error>> + Unpin {}

impl<S: Stream<Item = Result<Bytes, hyper::Error>> + Unpin> Pieces for S {}

/// Values and files of a form before inference.
#[derive(Debug, Default)]
struct Form {
    values: IndexMap<String, Vec<String>>,
    files: Vec<(String, Arc<Upload>)>,
    n_values: usize,
}

impl Form {
    /// Counts values, those in payloads included: one bound is for all of them together.
    fn count(&mut self, n: usize) -> Result<()> {
        self.n_values += n;
        if self.n_values > count::MAX_VALUES { Err(invalid("too many values")) } else { Ok(()) }
    }

    /// Adds a value.
    fn value(&mut self, key: &str, value: String) {
        match self.values.get_mut(key) {
            Some(values) => values.push(value),
            None => {
                self.values.insert(key.to_owned(), vec![value]);
            }
        }
    }

    async fn read_multipart(
        &mut self,
        source: &mut Source,
        content_type: &str,
        limit: u64,
    ) -> Result<()> {
        let boundary =
            multipart::boundary(content_type).ok_or_else(|| invalid("no valid boundary"))?;
        let stream = match std::mem::take(source) {
            Source::Bytes(bytes) => {
                *source = Source::Bytes(bytes.clone());
                futures_util::stream::once(async { Ok::<_, hyper::Error>(bytes) }).boxed()
            }
            Source::Wire(body) => body.into_data_stream().boxed(),
        };
        timed(self.read_parts(Parts::new(stream, &boundary, limit))).await
    }

    async fn read_parts(&mut self, mut parts: Parts<impl Pieces>) -> Result<()> {
        let (mut n_parts, mut n_values, mut n_memory) = (0, 0, 0);
        while let Some(head) = parts.next().await? {
            n_parts += 1;
            if n_parts > MAX_PARTS {
                return Err(invalid("multipart: message too large"));
            }
            let said = Disposition::parse(&head.disposition);
            let Some(Disposition { name: key, file_name }) = said else { continue };
            let Some(name) = file_name else {
                let mut value = Vec::new();
                n_values += key.len();
                while let Some(piece) = parts.chunk().await? {
                    n_values += piece.len();
                    if n_values > MAX_VALUES {
                        return Err(invalid("multipart: message too large"));
                    }
                    value.extend_from_slice(&piece);
                }
                self.value(&key, engine::json::lossy(&value).into_owned());
                continue;
            };
            let upload = read_file(&mut parts, &name, &mut n_memory).await?;
            self.files.push((key, Arc::new(upload)));
        }
        Ok(())
    }

    /// Infers scalars and decodes `@jsonPayload`.
    ///
    /// # Errors
    /// When a payload is no JSON object.
    fn finish(mut self) -> Result<Payload> {
        let mut texts = std::mem::take(&mut self.values);
        let payloads = texts.shift_remove("@jsonPayload").unwrap_or_default();
        for payload in &payloads {
            self.count(count::n_values(payload.as_bytes()))?;
        }
        let map = texts.iter().map(|(key, values)| {
            let value = match values.as_slice() {
                [one] => infer(one),
                several => several.iter().map(|text| infer(text)).collect(),
            };
            (key.clone(), value)
        });
        let mut data = Value::Object(map.collect());
        let mut replaced = HashSet::new();
        for payload in payloads {
            match read::whole(&payload).map_err(|e| invalid(e.to_string()))? {
                Value::Null => {
                    data = Value::Null;
                    texts.clear();
                }
                Value::Object(more) => {
                    replaced.extend(more.keys().cloned());
                    match &mut data {
                        Value::Object(map) => map.extend(more),
                        other => *other = Value::Object(more),
                    }
                }
                _ => return Err(invalid("@jsonPayload must be an object")),
            }
        }
        texts.retain(|key, _| !replaced.contains(key));
        Ok(Payload { data, files: self.files, form: true, texts: texts.into_iter().collect() })
    }
}

async fn read_file(
    parts: &mut Parts<impl Pieces>,
    name: &str,
    n_memory: &mut usize,
) -> Result<Upload> {
    let mut head: Vec<u8> = Vec::new();
    loop {
        match parts.chunk().await? {
            None => {
                *n_memory += head.len();
                return Ok(Upload::from_bytes(name, head.into()));
            }
            Some(piece) => head.extend_from_slice(&piece),
        }
        if *n_memory + head.len() > IN_MEMORY {
            break;
        }
    }
    let spooled =
        tokio::task::spawn_blocking(|| tempfile::Builder::new().prefix("pb_upload_").tempfile())
            .await
            .map_err(io_fault)?
            .map_err(io_fault)?;
    let mut file = tokio::fs::File::from_std(spooled.as_file().try_clone().map_err(io_fault)?);
    file.write_all(&head).await.map_err(io_fault)?;
    drop(head);
    while let Some(piece) = parts.chunk().await? {
        file.write_all(&piece).await.map_err(io_fault)?;
    }
    file.flush().await.map_err(io_fault)?;
    let (_, path) = spooled.keep().map_err(io_fault)?;
    Upload::from_spooled(name, path).map_err(io_fault)
}

/// The value a form text stands for: `true`, `false`, a plainly written number, or itself.
#[must_use]
pub fn infer(text: &str) -> Value {
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let plain = text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.bytes().all(|b| matches!(b, b'-' | b'.' | b'0'..=b'9'));
    if plain
        && let Ok(number) = text.parse::<f64>()
        && number.to_string() == text
    {
        return match text.parse::<i64>() {
            Ok(int) if int.unsigned_abs() < 1 << 53 && text != "-0" => Value::from(int),
            _ => Value::from(number),
        };
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn run(content_type: &str, body: &str, query: &str) -> Result<Value, ()> {
        let mut source = Source::Bytes(Bytes::copy_from_slice(body.as_bytes()));
        decode(&mut source, content_type, Query::new(query), BodyLimits::of(1 << 20))
            .await
            .map(|p| p.data)
            .map_err(drop)
    }

    #[tokio::test]
    async fn bodies() {
        const FORM: &str = "application/x-www-form-urlencoded";
        for (content_type, body, query, want) in [
            ("", "", "a=1", Ok(json!({}))),
            ("application/json; x", "{\"a\":1,\"b\":2} trailing", "", Ok(json!({"a":1,"b":2}))),
            ("application/json", "{\"a\":1,\"a\":2}", "", Err(())),
            ("application/json", "{\"a\":\"\\ud800\"}", "", Err(())),
            ("application/json", "null", "", Ok(Value::Null)),
            ("application/json", "[1]", "", Ok(json!([1]))),
            ("application/json", "\u{feff}{}", "", Err(())),
            ("APPLICATION/JSON", "{}", "", Err(())),
            (FORM, "a=1&b=x&a=true", "b=0.5", Ok(json!({"a":[1,true],"b":["x",0.5]}))),
            (FORM, "a=1&@jsonPayload={\"a\":null,\"c\":[]}", "", Ok(json!({"a":null,"c":[]}))),
            (FORM, "a=1&@jsonPayload=null", "", Ok(Value::Null)),
            (FORM, "@jsonPayload={\"a\":1}&@jsonPayload={\"a\":2}", "", Ok(json!({"a":2}))),
            (FORM, "@jsonPayload={\"a\":1,\"a\":2}", "", Err(())),
            (FORM, "@jsonPayload={} x", "", Err(())),
            (FORM, "@jsonPayload=x", "", Err(())),
            (FORM, "a=%zz", "", Err(())),
            (FORM, "a=1;b=2", "", Err(())),
            (FORM, "a=1", "b=%zz", Err(())),
            ("application/json", "{}", "b=%zz", Ok(json!({}))),
            ("text/xml", "<a/>", "", Err(())),
        ] {
            assert_eq!(run(content_type, body, query).await, want, "{content_type} {body}");
        }
    }

    #[tokio::test]
    async fn multipart() {
        let body = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n12\r\n\
            --X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"t.txt\"\r\n\r\nhello\r\n--X--\r\n";
        let mut source = Source::Bytes(Bytes::from_static(body.as_bytes()));
        let payload = decode(
            &mut source,
            "multipart/form-data; boundary=X",
            Query::new("q=1"),
            BodyLimits::of(1 << 20),
        )
        .await
        .expect("form");
        assert_eq!(payload.data, json!({"a": 12, "q": 1}));
        assert_eq!(payload.files.len(), 1);
        assert_eq!(
            (payload.files[0].0.as_str(), payload.files[0].1.original_name()),
            ("f", "t.txt")
        );
        let error = decode(
            &mut source,
            "multipart/form-data; boundary=X",
            Query::default(),
            BodyLimits::of(10),
        )
        .await
        .expect_err("limit");
        assert_eq!(error, Fault::TooLarge);
    }

    /// Room for files is no room for anything else, and many keys cost no more than they are.
    #[tokio::test]
    async fn what_is_kept_in_memory_is_bounded() {
        let limits = BodyLimits { whole: u64::MAX, values: 1 << 10 };
        let read = async |content_type: &str, body: String| {
            let mut source = Source::Bytes(body.into());
            decode(&mut source, content_type, Query::default(), limits).await
        };
        let text = "x".repeat(2 << 10);
        assert_eq!(
            read("application/json", format!("{{\"a\":\"{text}\"}}")).await.err(),
            Some(Fault::TooLarge)
        );
        const FORM: &str = "application/x-www-form-urlencoded";
        assert_eq!(read(FORM, format!("a={text}")).await.err(), Some(Fault::TooLarge));
        const PARTS: &str = "multipart/form-data; boundary=X";
        let part = |value: &str| {
            format!("--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n--X--\r\n")
        };
        assert!(read(PARTS, part(&text)).await.is_ok());
        let too_many = read(PARTS, part(&"x".repeat(MAX_VALUES + 1))).await.err();
        assert!(matches!(too_many, Some(Fault::Malformed(_))));
        let mut form: String = (0..200_000).map(|n| format!("{n}=1&@jsonPayload={{}}&")).collect();
        form.push_str("@jsonPayload={\"7\":2}");
        let mut source = Source::Bytes(form.into());
        let limits = BodyLimits::of(MAX_URLENCODED as u64);
        let form = decode(&mut source, FORM, Query::default(), limits).await.expect("a form");
        assert_eq!((form.texts.len(), &form.data["7"]), (199_999, &json!(2)));
    }

    #[test]
    fn inference() {
        for (text, want) in [
            ("1", json!(1)),
            ("-1.5", json!(-1.5)),
            ("0.0", json!("0.0")),
            ("001", json!("001")),
            ("1e3", json!("1e3")),
            ("1.", json!("1.")),
            ("", json!("")),
            ("null", json!("null")),
            ("True", json!("True")),
        ] {
            assert_eq!(infer(text), want, "{text}");
        }
    }
}
