//! Files of records and backups: storage and images are the crate `files`; here an app says which places are its own.

use std::{io, sync::Arc};

mod try_out;

pub use ::files::*;
pub use try_out::try_out;

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
