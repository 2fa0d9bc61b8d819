//! Uploaded and stored files: keys, uploads, the storage back end (spec records-files §4).
//!
//! Keys are `<collectionId>/<recordId>/<name>`. Must not know records, rules or HTTP.

pub mod image;
pub mod local;
mod places;
pub mod s3;
pub mod storage;
pub mod thumb;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use parking_lot::Mutex;

pub use content_type as mime;
pub use local::Local;
pub use places::Files;
pub use storage::{Attributes, ByteStream, Entry, Labels, Source, Storage};
pub use thumb::{ThumbLimits, Thumbs};

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
    /// The name that code has asked for since; see [`Upload::settled`].
    renamed: Mutex<Option<String>>,
    body: Arc<Body>,
}

/// What uploads under other names share.
#[derive(Debug)]
struct Body {
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
        let name = model::field::file::stored_name(&original, mime.extension);
        let body = Arc::new(Body { original, size, content, mime: OnceLock::from(mime) });
        Self { name, renamed: Mutex::default(), body }
    }

    /// An upload that keeps a given stored name (programmatic use, restores).
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
    /// Asks for another name. Values hold names, so it counts when they are next looked through.
    pub fn rename(&self, name: impl Into<String>) {
        *self.renamed.lock() = Some(name.into());
    }
    /// The name it will be stored under.
    #[must_use]
    pub fn stored_as(&self) -> String {
        self.renamed.lock().clone().unwrap_or_else(|| self.name.clone())
    }
    /// The same content under the name that was asked for, if one was.
    #[must_use]
    pub fn settled(&self) -> Option<Self> {
        let name = self.renamed.lock().clone().filter(|name| *name != self.name)?;
        Some(Self { name, renamed: Mutex::default(), body: self.body.clone() })
    }
    /// The same content as if a client had sent it under the stored name (batch items are uploads of uploads).
    ///
    /// # Errors
    /// If a spooled file cannot be linked or copied.
    pub fn again(&self) -> io::Result<Self> {
        match &self.body.content {
            Content::Memory(bytes) => Ok(Self::from_bytes(&self.name, bytes.clone())),
            Content::Spooled(path) => {
                let mut copy = path.clone().into_os_string();
                copy.push(format!("_{}", primitives::id::record_id()));
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
        &self.body.original
    }
    /// Number of bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.body.size
    }
    /// Type of the content.
    #[must_use]
    pub fn mime(&self) -> &mime::Mime {
        self.body.mime.get_or_init(|| match &self.body.content {
            Content::Memory(bytes) => mime::detect(bytes),
            Content::Spooled(path) => mime::detect(&head_of(path).unwrap_or_default()),
        })
    }
    /// What field validation looks at.
    #[must_use]
    pub fn facts(&self) -> model::field::Upload {
        model::field::Upload {
            name: self.name.clone(),
            original_name: self.body.original.clone(),
            size: self.body.size,
            mime: self.mime().clone(),
        }
    }
    /// The content as storage takes it. A spooled file goes away with this value.
    #[must_use]
    pub fn source(&self) -> Source {
        match &self.body.content {
            Content::Memory(bytes) => Source::Bytes(bytes.clone()),
            Content::Spooled(path) => Source::File(path.clone()),
        }
    }
    /// What storage notes beside the content.
    #[must_use]
    pub fn labels(&self) -> Labels {
        Labels {
            content_type: self.mime().name.to_string(),
            original_name: Some(self.body.original.clone()),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Content::Spooled(path) = &self.content {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The base name of what a client sent.
fn base_name(client_name: &str) -> &str {
    client_name.rsplit('/').next().unwrap_or_default()
}

fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(mime::HEAD);
    std::fs::File::open(path)?.take(mime::HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
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
