//! Files in an S3 bucket, with the keys of the directory layout (spec records-files §4.3).
//!
//! Content type and original name are object metadata instead of sidecars.
//! Cargo feature `s3`: without it no bucket can be opened, and settings that want one are refused.

#[cfg(not(feature = "s3"))]
mod disabled;
#[cfg(feature = "s3")]
mod enabled;

use bytes::Bytes;

#[cfg(not(feature = "s3"))]
pub use disabled::open;
#[cfg(feature = "s3")]
pub use enabled::open;

use super::{Labels, Source, Storage};

/// Whether this executable was built with S3.
pub const IS_BUILT_IN: bool = cfg!(feature = "s3");

/// Tries a bucket: uploads a small file and removes it again (spec server-settings §3.4).
///
/// # Errors
/// What failed, as it is told to superusers.
pub async fn try_out(storage: &dyn Storage) -> Result<(), String> {
    let dir = format!("pb_settings_test_{}", primitives::id::random_alnum(5));
    let labels = Labels {
        content_type: "text/plain; charset=utf-8".into(),
        original_name: Some("test.txt".into()),
    };
    let source = Source::Bytes(Bytes::from_static(b"test"));
    storage
        .put(&format!("{dir}/test.txt"), labels, source)
        .await
        .map_err(|e| format!("failed to upload a test file: {e}"))?;
    storage.delete_prefix(&dir).await.map_err(|e| format!("failed to delete a test file: {e}"))
}
