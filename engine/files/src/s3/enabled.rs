//! Buckets by object_store. Knows no HTTP client but `http`.

mod http;

use std::{io, ops::Range, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    Attribute, AttributeValue, BackoffConfig, GetOptions, GetRange, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, RetryConfig, WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as Key,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::http::Connector;
use crate::{Attributes, ByteStream, Entry, Labels, Source, Storage, local, storage::named};
use model::settings;
use primitives::future::BoxFutureRef;

/// Objects below this size are sent in one request, larger ones in parts of it.
const PART: usize = 6 << 20;
/// Parts on their way at the same time.
const PARALLEL: usize = 5;
/// The metadata entry of the original name.
const ORIGINAL: &str = "original-filename";
/// What a path segment may contain unescaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// How long an endpoint may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// For a connection.
    connect: Duration,
    /// From the request to the head of the answer, the body of the request included.
    answer: Duration,
    /// Between two pieces of an answer.
    idle: Duration,
    /// For one request with its repetitions.
    retry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            retry: Duration::from_secs(60),
        }
    }
}

/// The bucket that settings describe.
///
/// # Errors
/// Without bucket, region or endpoint, or for an endpoint that is no URL.
pub fn open(settings: &settings::S3) -> io::Result<Arc<dyn Storage>> {
    Ok(Arc::new(S3::new(settings)?))
}

/// A bucket.
#[derive(Debug)]
struct S3 {
    store: Arc<AmazonS3>,
}

impl S3 {
    fn new(settings: &settings::S3) -> io::Result<Self> {
        Self::with_limits(settings, Limits::default())
    }

    /// The same with other time limits.
    fn with_limits(settings: &settings::S3, limits: Limits) -> io::Result<Self> {
        for (value, name) in [
            (&settings.bucket, "bucket"),
            (&settings.region, "region"),
            (&settings.endpoint, "endpoint"),
        ] {
            if value.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("missing {name}")));
            }
        }
        let store = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_endpoint(endpoint(settings))
            .with_access_key_id(&settings.access_key)
            .with_secret_access_key(&settings.secret)
            .with_virtual_hosted_style_request(!settings.force_path_style)
            .with_allow_http(true)
            .with_unsigned_payload(true)
            .with_disable_tagging(true)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 3,
                retry_timeout: limits.retry,
            })
            .with_http_connector(Connector { limits })
            .build()
            .map_err(failed)?;
        Ok(Self { store: Arc::new(store) })
    }

    async fn upload(&self, key: &str, labels: &Labels, source: Source) -> io::Result<()> {
        let location = location(key)?;
        let attributes = attributes(labels);
        let mut pieces = pieces_of(source).await?;
        let mut start = Vec::new();
        let mut n_start = 0;
        while n_start < PART {
            match pieces.next().await {
                None => {
                    let options = PutOptions { attributes, ..PutOptions::default() };
                    let payload = start.into_iter().collect();
                    self.store.put_opts(&location, payload, options).await.map_err(failed)?;
                    return Ok(());
                }
                Some(piece) => {
                    let piece = piece?;
                    n_start += piece.len();
                    start.push(piece);
                }
            }
        }
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let upload = self.store.put_multipart_opts(&location, options).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        let all = stream::iter(start.into_iter().map(Ok)).chain(pieces);
        match send(&mut upload, all.boxed()).await {
            Ok(()) => upload.finish().await.map(|_| ()).map_err(failed),
            Err(error) => {
                // The parts would stay (and be paid for); if this fails too, the bucket's own rules have to remove them.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    async fn find(&self, key: &str) -> io::Result<Option<Attributes>> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = match self.store.get_opts(&location(key)?, options).await.map_err(failed) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let content_type = found
            .attributes
            .get(&Attribute::ContentType)
            .map(|value| value.as_ref().to_owned())
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "application/octet-stream".into());
        Ok(Some(Attributes {
            content_type,
            size: found.meta.size,
            modified_ms: found.meta.last_modified.timestamp_millis(),
        }))
    }

    async fn remove_below(&self, dir: &str) -> io::Result<()> {
        let dir = location(named(dir)?)?;
        let found = self.store.list(Some(&dir)).map_ok(|entry| entry.location).boxed();
        let mut removed = self.store.delete_stream(found);
        let mut out = Ok(());
        let mut n_failed = 0;
        while let Some(one) = removed.next().await {
            if let Err(error) = one.map_err(failed)
                && error.kind() != io::ErrorKind::NotFound
            {
                out = out.and(Err(error));
                n_failed += 1;
                // A bucket that refuses everything need not be asked for each object.
                if n_failed > 20 {
                    break;
                }
            }
        }
        out
    }
}

/// Where requests go: with the bucket in the host unless it belongs into the path.
fn endpoint(settings: &settings::S3) -> String {
    let url = settings.endpoint.trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    if settings.force_path_style {
        format!("{scheme}://{rest}")
    } else {
        format!("{scheme}://{}.{rest}", settings.bucket)
    }
}

/// A key as it is: nothing is escaped, parts that mean a directory are refused.
fn location(key: &str) -> io::Result<Key> {
    Key::parse(key).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}

fn attributes(labels: &Labels) -> object_store::Attributes {
    let mut out = object_store::Attributes::new();
    let content_type = AttributeValue::from(labels.content_type.clone());
    out.insert(Attribute::ContentType, content_type);
    if let Some(name) = labels.kept_name() {
        let name = utf8_percent_encode(name, SEGMENT).to_string();
        out.insert(Attribute::Metadata(ORIGINAL.into()), name.into());
    }
    out
}

async fn pieces_of(source: Source) -> io::Result<ByteStream> {
    Ok(match source {
        Source::Bytes(bytes) => stream::iter([Ok(bytes)]).boxed(),
        Source::Stream(pieces) => pieces,
        Source::File(path) => {
            let file = tokio::fs::File::open(path).await?;
            let size = file.metadata().await?.len();
            local::stream_of(file, size)
        }
    })
}

async fn send(upload: &mut WriteMultipart, mut pieces: ByteStream) -> io::Result<()> {
    while let Some(piece) = pieces.next().await {
        upload.wait_for_capacity(PARALLEL).await.map_err(failed)?;
        upload.put(piece?);
    }
    upload.wait_for_capacity(PARALLEL).await.map_err(failed)
}

/// What the service said, with "no such thing" as such.
fn failed(error: object_store::Error) -> io::Error {
    use object_store::Error;
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        Error::InvalidPath { .. } => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl Storage for S3 {
    fn put<'a>(
        &'a self,
        key: &'a str,
        labels: Labels,
        source: Source,
    ) -> BoxFutureRef<'a, io::Result<()>> {
        Box::pin(async move { self.upload(key, &labels, source).await })
    }

    fn get<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFutureRef<'a, io::Result<ByteStream>> {
        Box::pin(async move {
            if range.as_ref().is_some_and(Range::is_empty) {
                return Ok(stream::empty().boxed());
            }
            let options =
                GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
            let found = self.store.get_opts(&location(key)?, options).await.map_err(failed)?;
            Ok(found.into_stream().map_err(failed).boxed())
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<Option<Attributes>>> {
        Box::pin(self.find(key))
    }

    fn list<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<Vec<Entry>>> {
        Box::pin(async move {
            let dir = dir.trim_matches('/');
            let dir = if dir.is_empty() { None } else { Some(location(dir)?) };
            let found = self.store.list(dir.as_ref()).map_err(failed);
            let mut out: Vec<Entry> = found
                .map_ok(|entry| Entry {
                    key: entry.location.to_string(),
                    size: entry.size,
                    modified_ms: entry.last_modified.timestamp_millis(),
                })
                .try_collect()
                .await?;
            out.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(out)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<()>> {
        Box::pin(async move {
            match self.store.delete(&location(key)?).await.map_err(failed) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            }
        })
    }

    fn delete_prefix<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<()>> {
        Box::pin(self.remove_below(dir))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use bytes::Bytes;

    use crate::s3::try_out;

    fn settings(endpoint: &str, path_style: bool) -> settings::S3 {
        settings::S3 {
            enabled: true,
            bucket: "b".into(),
            region: "r".into(),
            endpoint: endpoint.into(),
            access_key: "k".into(),
            secret: "s".into(),
            force_path_style: path_style,
        }
    }

    #[test]
    fn endpoints() {
        for (given, path_style, want) in [
            ("https://s3.example.com", true, "https://s3.example.com"),
            ("https://s3.example.com/", false, "https://b.s3.example.com"),
            ("s3.example.com", true, "https://s3.example.com"),
            ("http://localhost:9000", false, "http://b.localhost:9000"),
        ] {
            assert_eq!(endpoint(&settings(given, path_style)), want, "{given}");
        }
        for missing in ["bucket", "region", "endpoint"] {
            let mut settings = settings("https://s3.example.com", true);
            match missing {
                "bucket" => settings.bucket.clear(),
                "region" => settings.region.clear(),
                _ => settings.endpoint.clear(),
            }
            let error = S3::new(&settings).expect_err("incomplete").to_string();
            assert_eq!(error, format!("missing {missing}"));
        }
    }

    /// Every operation ends when its time is up, whatever the service does not say.
    #[tokio::test]
    async fn a_mute_service_ends_with_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        // connections wait in the backlog, or here, for ever
        std::thread::spawn(move || listener.incoming().flatten().collect::<Vec<_>>());
        let short = Duration::from_millis(50);
        let limits = Limits { connect: short, answer: short, idle: short, retry: short };
        let settings = settings(&format!("http://127.0.0.1:{port}"), true);
        let s3 = S3::with_limits(&settings, limits).expect("a bucket");
        let small = || Source::Bytes(Bytes::from_static(b"x"));
        let large = || Source::Bytes(Bytes::from(vec![0; 2 * PART]));
        let all = async {
            assert!(s3.put("a", Labels::default(), small()).await.is_err());
            assert!(s3.put("a", Labels::default(), large()).await.is_err());
            assert!(s3.get("a", None).await.is_err());
            assert!(s3.head("a").await.is_err());
            assert!(s3.list("a").await.is_err());
            assert!(s3.delete("a").await.is_err());
            assert!(s3.delete_prefix("a").await.is_err());
            assert!(try_out(&s3).await.is_err());
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("an end");
    }
}
