//! S3 that this executable was built without.

use std::{io, sync::Arc};

use model::settings;

use crate::Storage;

/// Opens nothing.
///
/// # Errors
/// Always.
pub fn open(_settings: &settings::S3) -> io::Result<Arc<dyn Storage>> {
    let text = "this executable was built without S3 (feature \"s3\")";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}
