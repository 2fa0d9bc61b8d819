//! Files of records and backups: storage and images are the crate `files`; here an app says which places are its own.

use std::{io, sync::Arc};

pub use ::files::*;

use crate::app::App;

/// Where the files of records are kept at this moment.
///
/// # Errors
/// If the configured bucket cannot be used.
pub fn for_records(app: &App) -> io::Result<Arc<dyn Storage>> {
    app.files().records()
}

/// Where backups are kept at this moment.
///
/// # Errors
/// If the configured bucket cannot be used.
pub fn for_backups(app: &App) -> io::Result<Arc<dyn Storage>> {
    app.files().backups()
}
