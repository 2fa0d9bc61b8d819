//! Whether the configured buckets can be used (spec server-settings-operations §3.4).

use ::files::s3;

use crate::{Error, FieldError, FieldErrors, Result, app::App};

/// Writes, reads and deletes a file in the bucket of `storage` or `backups`.
///
/// # Errors
/// [`Error::Invalid`] for other names; [`Error::Message`] with what went wrong.
pub async fn try_out(app: &App, which: &str) -> Result<()> {
    let settings = app.settings();
    let refused = |code, message: &'static str| {
        let mut errors = FieldErrors::default();
        errors.set("filesystem", FieldError::new(code, message));
        Err(Error::Invalid(errors))
    };
    let (chosen, place) = match which {
        "storage" => (&settings.s3, super::for_records(app)),
        "backups" => (&settings.backups.s3, super::for_backups(app)),
        "" => return refused("validation_required", "cannot be blank"),
        _ => return refused("validation_in_invalid", "must be a valid value"),
    };
    if !chosen.enabled {
        return Err(Error::Message(format!("S3 {which} filesystem is not enabled")));
    }
    let place = place
        .map_err(|e| Error::Message(format!("failed to initialize the S3 filesystem: {e}")))?;
    s3::try_out(place.as_ref()).await.map_err(Error::Message)
}
