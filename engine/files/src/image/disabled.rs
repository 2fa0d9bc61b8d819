//! Thumbnails that this executable was built without.

use super::{Format, Size};

/// No thumbnail can be made.
pub(crate) fn ready() -> Result<(), String> {
    Err("this executable was built without thumbnails (feature \"thumbs\")".into())
}

/// Makes nothing.
pub(crate) fn thumbnail(_source: &[u8], _size: Size, _format: Format) -> Result<Vec<u8>, String> {
    ready().map(|()| Vec::new())
}
