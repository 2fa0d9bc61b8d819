//! [`File`]: something to be stored with a record, from memory, a path or a request.

use std::{fmt, path::Path, sync::Arc};

use bytes::Bytes;
use engine::files::{Source, Upload};

use crate::error::{Error, Result};

/// A file on its way into a record. Cheap to clone.
///
/// ```
/// use pocketbase::File;
///
/// let file = File::from_bytes("My notes.txt", "hello");
/// assert_eq!((file.original_name(), file.size()), ("My notes.txt", 5));
/// assert!(file.name().starts_with("my_notes_") && file.name().ends_with(".txt"));
/// ```
#[derive(Clone)]
pub struct File(Arc<Upload>);

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("name", &self.name()).field("size", &self.size()).finish()
    }
}

impl File {
    /// A file in memory.
    #[must_use]
    pub fn from_bytes(name: &str, content: impl Into<Bytes>) -> Self {
        Self(Arc::new(Upload::from_bytes(name, content.into())))
    }
    /// A copy of a file on the disk, read into memory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let content = tokio::fs::read(path).await?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self::from_bytes(&name.unwrap_or_default(), content))
    }
    pub(crate) fn of(upload: Arc<Upload>) -> Self {
        Self(upload)
    }
    pub(crate) fn into_upload(self) -> Arc<Upload> {
        self.0
    }
    /// The same for all clones: for telling whether two are one file.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
    pub(crate) fn upload(&self) -> &Upload {
        &self.0
    }
    /// A file in memory that is stored under its name as it is.
    #[must_use]
    pub fn named(name: &str, content: impl Into<Bytes>) -> Self {
        Self(Arc::new(Upload::from_bytes(name, content.into()).with_name(name)))
    }
    /// The name it is stored under: cleaned, with something random in it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }
    /// Another name to store it under, as it is. A record that holds the file already follows when it is saved.
    pub fn rename(&self, name: &str) {
        self.0.rename(name);
    }
    /// The name it will be stored under: [`File::name`], or that of [`File::rename`].
    #[must_use]
    pub fn stored_as(&self) -> String {
        self.0.stored_as()
    }
    /// The name it came with.
    #[must_use]
    pub fn original_name(&self) -> &str {
        self.0.original_name()
    }
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size()
    }
    /// The type, by its content.
    #[must_use]
    pub fn mime(&self) -> String {
        self.0.mime().name.to_string()
    }
    /// The content.
    ///
    /// # Errors
    /// When a large upload, which lies on the disk, cannot be read; content that streams by only once.
    pub async fn bytes(&self) -> Result<Bytes> {
        Ok(match self.0.source() {
            Source::Bytes(bytes) => bytes,
            Source::File(path) => tokio::fs::read(path).await?.into(),
            Source::Stream(_) => return Err(Error::other("the content can only be read once")),
        })
    }
}
