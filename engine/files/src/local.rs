//! Files in a local directory with `.attrs` sidecars, in the reference's layout (spec records-files §4.3).
//!
//! The methods of [`Local`] block; [`Storage`] runs them off the async workers.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    sync::mpsc,
};

use super::{Attributes, ByteStream, Entry, Labels, Source, Storage, storage::named};
use primitives::future::BoxFutureRef;

/// A directory of files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Local {
    root: Arc<Path>,
}

impl Local {
    /// Files below `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root: root.into() }
    }

    /// Where a key's bytes are.
    #[must_use]
    pub fn path(&self, key: &str) -> PathBuf {
        self.root.join(escape(key))
    }

    fn write(&self, key: &str, labels: &Labels, from: &mut dyn Read) -> io::Result<()> {
        if key.ends_with(".attrs") {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "keys cannot end in .attrs"));
        }
        let path = self.path(key);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let metadata =
            labels.kept_name().map_or(json!({}), |name| json!({ "original-filename": name }));
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let tmp = with_suffix(&path, &format!(".{nanos:x}.tmp"));
        let done = copy(from, &tmp).and_then(|md5| {
            let attrs = json!({
                "user.cache_control": "",
                "user.content_disposition": "",
                "user.content_encoding": "",
                "user.content_language": "",
                "user.content_type": labels.content_type,
                "user.metadata": metadata,
                "md5": md5,
            });
            fs::write(with_suffix(&path, ".attrs"), attrs.to_string())?;
            fs::rename(&tmp, &path)
        });
        if done.is_err() {
            let _ = fs::remove_file(&tmp);
        }
        done
    }

    fn remove(&self, key: &str) -> io::Result<()> {
        let path = self.path(key);
        absent_ok(fs::remove_file(with_suffix(&path, ".attrs")))?;
        absent_ok(fs::remove_file(&path))
    }

    fn remove_tree(&self, dir: &str) -> io::Result<()> {
        absent_ok(fs::remove_dir_all(self.path(named(dir)?)))
    }

    fn entries(&self, dir: &str) -> io::Result<Vec<Entry>> {
        let dir = dir.trim_matches('/');
        let root = if dir.is_empty() { self.root.to_path_buf() } else { self.path(dir) };
        let mut open = vec![(root, if dir.is_empty() { String::new() } else { format!("{dir}/") })];
        let mut out = Vec::new();
        while let Some((path, prefix)) = open.pop() {
            let items = match fs::read_dir(&path) {
                Ok(items) => items,
                Err(e) if is_absent(&e) => continue,
                Err(e) => return Err(e),
            };
            for item in items {
                let item = item?;
                let name = item.file_name().to_string_lossy().into_owned();
                let stat = match item.metadata() {
                    Ok(stat) => stat,
                    Err(e) if is_absent(&e) => continue,
                    Err(e) => return Err(e),
                };
                if stat.is_dir() {
                    open.push((item.path(), format!("{prefix}{name}/")));
                } else if stat.is_file() && !name.ends_with(".attrs") && !name.ends_with(".tmp") {
                    let key = format!("{prefix}{name}");
                    out.push(Entry { key, size: stat.len(), modified_ms: modified_ms(&stat)? });
                }
            }
        }
        out.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(out)
    }

    fn attributes(&self, key: &str) -> io::Result<Option<Attributes>> {
        let path = self.path(key);
        let stat = match fs::metadata(&path) {
            Ok(stat) if stat.is_file() => stat,
            Ok(_) => return Ok(None),
            Err(e) if is_absent(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        // DIFFERENCE: a broken sidecar costs a file its type; in the reference the file cannot be read.
        let sidecar = fs::read(with_suffix(&path, ".attrs")).ok();
        let content_type = sidecar
            .and_then(|raw| serde_json::from_slice::<Value>(&raw).ok())
            .and_then(|attrs| attrs.get("user.content_type")?.as_str().map(str::to_owned))
            .unwrap_or_else(|| "application/octet-stream".into());
        Ok(Some(Attributes { content_type, size: stat.len(), modified_ms: modified_ms(&stat)? }))
    }
}

impl Storage for Local {
    fn put<'a>(
        &'a self,
        key: &'a str,
        labels: Labels,
        source: Source,
    ) -> BoxFutureRef<'a, io::Result<()>> {
        let (local, key) = (self.clone(), key.to_owned());
        Box::pin(async move {
            match source {
                Source::Bytes(bytes) => {
                    blocking(move || local.write(&key, &labels, &mut bytes.reader())).await
                }
                Source::File(path) => {
                    blocking(move || local.write(&key, &labels, &mut fs::File::open(path)?)).await
                }
                Source::Stream(mut pieces) => {
                    let (send, receive) = mpsc::channel(4);
                    let mut reader = Pieces { receive, rest: Bytes::new(), done: false };
                    let write = blocking(move || local.write(&key, &labels, &mut reader));
                    let feed = async move {
                        while let Some(piece) = pieces.next().await {
                            if send.send(Some(piece)).await.is_err() {
                                return;
                            }
                        }
                        // A sender that is dropped without this was cancelled: what is there is a part.
                        let _ = send.send(None).await;
                    };
                    futures_util::future::join(write, feed).await.0
                }
            }
        })
    }

    fn get<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFutureRef<'a, io::Result<ByteStream>> {
        let path = self.path(key);
        Box::pin(async move {
            let mut file = tokio::fs::File::open(path).await.map_err(missing)?;
            let stat = file.metadata().await?;
            if !stat.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            let (start, left) = match range {
                None => (0, stat.len()),
                Some(range) => {
                    let end = range.end.min(stat.len());
                    (range.start.min(end), end.saturating_sub(range.start))
                }
            };
            if start > 0 {
                file.seek(io::SeekFrom::Start(start)).await?;
            }
            Ok(stream_of(file, left))
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<Option<Attributes>>> {
        let (local, key) = (self.clone(), key.to_owned());
        Box::pin(blocking(move || local.attributes(&key)))
    }

    fn list<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<Vec<Entry>>> {
        let (local, dir) = (self.clone(), dir.to_owned());
        Box::pin(blocking(move || local.entries(&dir)))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<()>> {
        let (local, key) = (self.clone(), key.to_owned());
        Box::pin(blocking(move || local.remove(&key)))
    }

    fn delete_prefix<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<()>> {
        let (local, dir) = (self.clone(), dir.to_owned());
        Box::pin(blocking(move || local.remove_tree(&dir)))
    }

    fn remove_empty<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, ()> {
        let path = self.path(dir.trim_matches('/'));
        Box::pin(async move {
            // Not empty, not there: both mean that there is nothing to do.
            let _ = tokio::fs::remove_dir(path).await;
        })
    }

    fn local_path(&self, key: &str) -> Option<PathBuf> {
        Some(self.path(key))
    }
}

/// The rest of a file in pieces.
pub(super) fn stream_of(file: tokio::fs::File, left: u64) -> ByteStream {
    futures_util::stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let want = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let mut piece = bytes::BytesMut::with_capacity(want);
        let n_read = (&mut file).take(want as u64).read_buf(&mut piece).await?;
        if n_read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((piece.freeze(), (file, left - n_read as u64))))
    })
    .boxed()
}

const PIECE: usize = 64 << 10;

/// A stream as a blocking reader; `None` marks its end.
struct Pieces {
    receive: mpsc::Receiver<Option<io::Result<Bytes>>>,
    rest: Bytes,
    done: bool,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.done {
            match self.receive.blocking_recv() {
                Some(Some(piece)) => self.rest = piece?,
                Some(None) => self.done = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let n = self.rest.len().min(into.len());
        self.rest.copy_to_slice(&mut into[..n]);
        Ok(n)
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Copies to a new file; returns the base64 MD5 of what went through.
fn copy(from: &mut dyn Read, to: &Path) -> io::Result<String> {
    let mut file = fs::File::create(to)?;
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            n => {
                md5.update(&buffer[..n]);
                file.write_all(&buffer[..n])?;
            }
        }
    }
    Ok(STANDARD.encode(md5.finalize()))
}

fn modified_ms(stat: &fs::Metadata) -> io::Result<i64> {
    let modified = stat.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(modified.as_millis()).unwrap_or(i64::MAX))
}

/// A path through something that is no directory is a missing file as well.
fn missing(error: io::Error) -> io::Error {
    if is_absent(&error) { io::ErrorKind::NotFound.into() } else { error }
}

fn absent_ok(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if is_absent(&e) => Ok(()),
        other => other,
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Control characters and the slashes of `../`, `//` and at the end become `__0x<hex>__`: a key never leaves the root.
fn escape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        let slash = c == '/'
            && (out.is_empty()
                || chars.peek().is_none()
                || chars.peek() == Some(&'/')
                || out.ends_with(".."));
        if (c as u32) < 0x20 || slash {
            let _ = write!(out, "__0x{:x}__", c as u32);
        } else {
            out.push(c);
        }
    }
    if out == ".." || out.ends_with("/..") {
        out.push_str("__0x2f__");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Upload;

    fn scratch(name: &str) -> (Local, PathBuf) {
        let dir = std::env::temp_dir().join(format!("files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        (Local::new(dir.clone()), dir)
    }

    #[tokio::test]
    async fn put_look_remove() {
        let (local, dir) = scratch("put");
        let upload =
            Upload::from_bytes("Test.txt", Bytes::from_static(b"test")).with_name("test_x.txt");
        local.put("c/r/test_x.txt", upload.labels(), upload.source()).await.expect("put");
        let attrs = fs::read_to_string(dir.join("c/r/test_x.txt.attrs")).expect("sidecar");
        assert_eq!(
            attrs,
            "{\"user.cache_control\":\"\",\"user.content_disposition\":\"\",\"user.content_encoding\":\"\",\
             \"user.content_language\":\"\",\"user.content_type\":\"text/plain; charset=utf-8\",\
             \"user.metadata\":{\"original-filename\":\"Test.txt\"},\"md5\":\"CY9rzUYh03PK3k6DJie09g==\"}"
        );
        let found = local.attributes("c/r/test_x.txt").expect("stat").expect("there");
        assert_eq!((found.size, found.content_type.as_str()), (4, "text/plain; charset=utf-8"));
        assert_eq!(local.attributes("c/r/none").expect("stat"), None);
        assert_eq!(local.attributes("c/r").expect("stat"), None, "a directory is no file");
        local.remove("c/r/test_x.txt").expect("remove");
        local.remove("c/r/test_x.txt").expect("twice is fine");
        local.remove_empty("c/r").await;
        assert!(!dir.join("c/r").exists());
        assert!(local.remove_tree("").is_err() && local.remove_tree("/").is_err());
        let _ = fs::remove_dir_all(dir);
    }

    #[tokio::test]
    async fn streams_ranges_and_lists() {
        let (local, dir) = scratch("stream");
        let pieces = futures_util::stream::iter([b"hello ", b"world!"])
            .map(|piece| Ok(Bytes::from_static(piece)));
        let source = Source::Stream(pieces.boxed());
        local.put("a/b.txt", Labels::of_type("text/plain"), source).await.expect("put");
        let broken = futures_util::stream::iter([
            Ok(Bytes::from_static(b"half")),
            Err(io::Error::other("gone")),
        ]);
        let source = Source::Stream(broken.boxed());
        assert!(local.put("a/c.txt", Labels::default(), source).await.is_err());
        for (range, want) in [
            (None, "hello world!"),
            (Some(3..8), "lo wo"),
            (Some(20..30), ""),
            (Some(6..99), "world!"),
        ] {
            let pieces = local.get("a/b.txt", range.clone()).await.expect("get");
            let text: Vec<Bytes> =
                futures_util::TryStreamExt::try_collect(pieces).await.expect("read");
            assert_eq!(text.concat(), want.as_bytes(), "{range:?}");
        }
        let source = Source::Bytes(Bytes::from_static(b"hello again!"));
        local.put("a/x/d.txt", Labels::of_type("text/plain"), source).await.expect("put");
        let stored = local.head("a/x/d.txt").await.expect("head").expect("there");
        assert_eq!((stored.size, stored.content_type.as_str()), (12, "text/plain"));
        let keys = |entries: Vec<Entry>| entries.into_iter().map(|e| e.key).collect::<Vec<_>>();
        assert_eq!(keys(local.list("").await.expect("list")), ["a/b.txt", "a/x/d.txt"]);
        assert_eq!(keys(local.list("a/x").await.expect("list")), ["a/x/d.txt"]);
        assert!(local.list("none").await.expect("list").is_empty());
        let error = local.get("a", None).await.err().expect("a directory").kind();
        assert_eq!(error, io::ErrorKind::NotFound);
        local.delete_prefix("a").await.expect("delete");
        assert!(local.list("").await.expect("list").is_empty());
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn keys_stay_below_the_root() {
        for (key, want) in [
            ("a/b/c.txt", "a/b/c.txt"),
            ("a/../b", "a/..__0x2f__b"),
            ("../b", "..__0x2f__b"),
            ("a//b", "a__0x2f__/b"),
            ("/a", "__0x2f__a"),
            ("a/", "a__0x2f__"),
            ("a/..", "a/..__0x2f__"),
            ("a\u{1}b", "a__0x1__b"),
        ] {
            assert_eq!(escape(key), want, "{key}");
        }
    }
}
