//! The door to a place where files are kept: a directory or a bucket (spec records-files §4.3).
//!
//! Keys are slash-separated and never leave the place, whatever they contain. Must not know records or HTTP.

use std::{fmt, io, ops::Range, path::PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::BoxStream};

use primitives::future::BoxFutureRef;

/// Pieces of a file, read as they are needed.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// Where the bytes of a new file come from.
pub enum Source {
    /// Memory.
    Bytes(Bytes),
    /// A file on this machine; it is left where it is.
    File(PathBuf),
    /// Pieces of unknown total length.
    Stream(ByteStream),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes(_) => "Bytes",
            Self::File(_) => "File",
            Self::Stream(_) => "Stream",
        })
    }
}

/// What is kept beside the bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Type of the content.
    pub content_type: String,
    /// What the client called the file; at most 255 bytes of it are kept. `None` for files we make.
    pub original_name: Option<String>,
}

impl Labels {
    /// Labels of a file we made ourselves.
    #[must_use]
    pub fn of_type(content_type: impl Into<String>) -> Self {
        Self { content_type: content_type.into(), original_name: None }
    }

    /// The original name as it is kept.
    pub(super) fn kept_name(&self) -> Option<&str> {
        let mut name = self.original_name.as_deref()?;
        while name.len() > 255 {
            let last = name.chars().next_back().map_or(1, char::len_utf8);
            name = &name[..name.len() - last];
        }
        Some(name)
    }
}

/// What a place knows about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Stored content type, `application/octet-stream` if unknown.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Last modification, milliseconds since the epoch.
    pub modified_ms: i64,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Last modification, milliseconds since the epoch.
    pub modified_ms: i64,
}

/// A place where files are kept. A missing file is `io::ErrorKind::NotFound`; every wait is bounded.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Stores a file under a key; readers see the old file or the new one, never a part.
    fn put<'a>(
        &'a self,
        key: &'a str,
        labels: Labels,
        source: Source,
    ) -> BoxFutureRef<'a, io::Result<()>>;
    /// The content, or a range of it, as a stream.
    fn get<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> BoxFutureRef<'a, io::Result<ByteStream>>;
    /// Attributes, `None` if there is no such file.
    fn head<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<Option<Attributes>>>;
    /// All files below a directory (`""` for everything), in the order of their keys.
    fn list<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<Vec<Entry>>>;
    /// Removes a file; a missing one is fine.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<()>>;
    /// Removes everything below a directory, which must be named; a missing one is fine.
    fn delete_prefix<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<()>>;
    /// Removes a directory if nothing is in it. Buckets have no directories.
    fn remove_empty<'a>(&'a self, _dir: &'a str) -> BoxFutureRef<'a, ()> {
        Box::pin(std::future::ready(()))
    }
    /// Where the bytes are on this machine, if they are: to be sent without detours. Does not look whether they exist.
    fn local_path(&self, _key: &str) -> Option<PathBuf> {
        None
    }
}

/// Reads a file that must not be larger than `limit` bytes.
///
/// # Errors
/// `FileTooLarge` beyond the limit, and what the place says.
pub async fn read_all(place: &dyn Storage, key: &str, limit: usize) -> io::Result<Vec<u8>> {
    let mut pieces = place.get(key, None).await?;
    let mut out = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if out.len() + piece.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        out.extend_from_slice(&piece);
    }
    Ok(out)
}

/// The content of a directory must not be removed by mistake: its name must say something.
pub(super) fn named(dir: &str) -> io::Result<&str> {
    match dir.trim_matches('/') {
        "" => Err(io::Error::new(io::ErrorKind::InvalidInput, "prefix mustn't be empty")),
        dir => Ok(dir),
    }
}
