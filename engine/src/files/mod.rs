//! Uploaded and stored files: keys, uploads, the storage back end (spec records-files §4).
//!
//! Keys are `<collectionId>/<recordId>/<name>`. Must not know records, rules or HTTP.

pub mod local;
pub mod mime;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

pub use local::Local;

/// Where the bytes of an upload are.
#[derive(Debug)]
enum Content {
    Memory(Bytes),
    /// A spooled file; removed when the upload is dropped.
    Spooled(PathBuf),
}

/// A file on its way into storage. Shared by the record value, validation and the writer.
#[derive(Debug)]
pub struct Upload {
    name: String,
    original: String,
    size: u64,
    content: Content,
    mime: OnceLock<mime::Mime>,
}

impl Upload {
    /// An upload held in memory. `client_name` is what the client called it.
    #[must_use]
    pub fn from_bytes(client_name: &str, content: Bytes) -> Self {
        let mime = mime::detect(&content);
        Self::new(client_name, content.len() as u64, Content::Memory(content), mime)
    }

    /// An upload spooled to a file that this value now owns (and removes when dropped).
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn from_spooled(client_name: &str, path: PathBuf) -> io::Result<Self> {
        let size = std::fs::metadata(&path)?.len();
        let mime = mime::detect(&head_of(&path)?);
        Ok(Self::new(client_name, size, Content::Spooled(path), mime))
    }

    fn new(client_name: &str, size: u64, content: Content, mime: mime::Mime) -> Self {
        let original = base_name(client_name).to_owned();
        let name = crate::field::file::stored_name(&original, mime.extension);
        Self { name, original, size, content, mime: OnceLock::from(mime) }
    }

    /// An upload that keeps a given stored name (programmatic use, restores).
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
    /// The same content as if a client had sent it under the stored name (batch items are uploads of uploads).
    ///
    /// # Errors
    /// If a spooled file cannot be linked or copied.
    pub fn again(&self) -> io::Result<Self> {
        match &self.content {
            Content::Memory(bytes) => Ok(Self::from_bytes(&self.name, bytes.clone())),
            Content::Spooled(path) => {
                let mut copy = path.clone().into_os_string();
                copy.push(format!("_{}", crate::id::record_id()));
                let copy = PathBuf::from(copy);
                if std::fs::hard_link(path, &copy).is_err() {
                    std::fs::copy(path, &copy)?;
                }
                Self::from_spooled(&self.name, copy)
            }
        }
    }
    /// Name in storage and in the record.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Base name of what the client sent.
    #[must_use]
    pub fn original_name(&self) -> &str {
        &self.original
    }
    /// Number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }
    /// Type of the content.
    #[must_use]
    pub fn mime(&self) -> &mime::Mime {
        self.mime.get_or_init(|| match &self.content {
            Content::Memory(bytes) => mime::detect(bytes),
            Content::Spooled(path) => mime::detect(&head_of(path).unwrap_or_default()),
        })
    }
    /// What field validation looks at.
    #[must_use]
    pub fn facts(&self) -> crate::field::Upload {
        crate::field::Upload {
            name: self.name.clone(),
            original_name: self.original.clone(),
            size: self.size,
            mime: self.mime().name.clone(),
        }
    }
    /// A reader over the content. Blocking.
    ///
    /// # Errors
    /// If a spooled file cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.content {
            Content::Memory(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            Content::Spooled(path) => Box::new(std::fs::File::open(path)?),
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Content::Spooled(path) = &self.content {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The base name of what a client sent.
fn base_name(client_name: &str) -> &str {
    client_name.rsplit(['/', '\\']).next().unwrap_or_default()
}

fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(mime::HEAD);
    std::fs::File::open(path)?.take(mime::HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// What storage knows about a stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Stored content type, `application/octet-stream` if unknown.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// Last modification, milliseconds since the epoch.
    pub modified_ms: i64,
}

/// The storage back end of record files. Cheap to clone; every call runs off the async workers.
#[derive(Debug, Clone)]
pub struct Files {
    local: Arc<Local>,
}

impl Files {
    /// Files below a directory.
    #[must_use]
    pub fn local(root: PathBuf) -> Self {
        Self { local: Arc::new(Local::new(root)) }
    }

    /// Stores uploads below `prefix` (`<collectionId>/<recordId>`). If one fails, those written before it are removed.
    ///
    /// # Errors
    /// File system errors.
    pub async fn put_all(&self, prefix: &str, uploads: &[Arc<Upload>]) -> io::Result<()> {
        let (local, prefix, uploads) = (self.local.clone(), prefix.to_owned(), uploads.to_vec());
        blocking(move || {
            for (i, upload) in uploads.iter().enumerate() {
                if let Err(error) = local.put(&format!("{prefix}/{}", upload.name()), upload) {
                    for done in &uploads[..i] {
                        let _ = local.remove(&format!("{prefix}/{}", done.name()));
                    }
                    return Err(error);
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes files and their thumbs; missing ones are fine.
    ///
    /// # Errors
    /// The last file system error.
    pub async fn remove_all(&self, prefix: &str, names: &[String]) -> io::Result<()> {
        let (local, prefix, names) = (self.local.clone(), prefix.to_owned(), names.to_vec());
        blocking(move || {
            let mut out = Ok(());
            for name in &names {
                let file = local.remove(&format!("{prefix}/{name}"));
                let thumbs = local.remove_tree(&format!("{prefix}/thumbs_{name}"));
                out = out.and(file).and(thumbs);
            }
            out
        })
        .await
    }

    /// Removes everything below a prefix (a record's or a collection's directory).
    ///
    /// # Errors
    /// File system errors; a missing directory is fine.
    pub async fn remove_tree(&self, prefix: &str) -> io::Result<()> {
        let (local, prefix) = (self.local.clone(), prefix.to_owned());
        blocking(move || local.remove_tree(&prefix)).await
    }

    /// Removes a directory if it is empty.
    pub async fn remove_empty(&self, prefix: &str) {
        let (local, prefix) = (self.local.clone(), prefix.to_owned());
        let _ = blocking(move || local.remove_empty(&prefix)).await;
    }

    /// Attributes of a file, `None` if there is none.
    ///
    /// # Errors
    /// File system errors.
    pub async fn attributes(&self, key: &str) -> io::Result<Option<Attributes>> {
        let (local, key) = (self.local.clone(), key.to_owned());
        blocking(move || local.attributes(&key)).await
    }

    /// The path of a file on this machine, to be served from. Does not look whether it exists.
    #[must_use]
    pub fn local_path(&self, key: &str) -> PathBuf {
        self.local.path(key)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spooled_files_vanish_with_the_upload() {
        let path = std::env::temp_dir().join(format!("upload-test-{}", std::process::id()));
        std::fs::write(&path, "hello").expect("write");
        let upload = Upload::from_spooled("dir/Some File.txt", path.clone()).expect("upload");
        assert_eq!((upload.size(), upload.original_name()), (5, "Some File.txt"));
        assert!(upload.name().starts_with("some_file_") && upload.name().ends_with(".txt"));
        assert_eq!(upload.mime().essence(), "text/plain");
        drop(upload);
        assert!(!path.exists());
    }
}
