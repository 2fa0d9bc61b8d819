//! Backups: list, create, upload, download, delete, restore. Source: spec server-settings-operations §4.

use std::time::Duration;

use engine::{
    Error, FieldError, FieldErrors,
    auth::{self, token::TokenType},
    backup,
    ctx::Caller,
    files,
    log::Level,
    time::Timestamp,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    bind::Members,
    body::Fault,
    describe::operations::op,
    downloads::Download,
    error::{ApiError, Result},
    guard,
    pipeline::check_superuser_ip,
    request::Req,
    response::Response,
    route::{Endpoint, Limit},
    routes::{INVALID, h},
};

/// Longest download of an archive.
const DOWNLOAD_TIME: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/backups", h!(list))
        .op(op("listBackups", "Backups", "All backups").gives("Backups")),
    Endpoint::new("POST /api/backups", h!(create))
        .op(op("createBackup", "Backups", "Make a backup").takes("BackupName"))
        .long_running(),
    Endpoint::new("POST /api/backups/upload", h!(upload))
        .op(op("uploadBackup", "Backups", "Upload a backup").takes("Upload").form())
        .limit(Limit::None)
        .long_running(),
    Endpoint::new("GET /api/backups/{key}", h!(download)).op(op(
        "downloadBackup",
        "Backups",
        "Download a backup, with a file token",
    )
    .everybody()
    .query(&["token"])
    .gives("Binary")
    .as_type("application/zip")),
    Endpoint::new("DELETE /api/backups/{key}", h!(remove)).op(op(
        "deleteBackup",
        "Backups",
        "Delete a backup",
    )),
    Endpoint::new("POST /api/backups/{key}/restore", h!(restore)).op(op(
        "restoreBackup",
        "Backups",
        "Restore a backup; the server starts again",
    )),
];

const BUSY: &str = "Try again later - another backup/restore process has already been started.";
const NO_PERMISSION: &str = "Insufficient permissions to access the resource.";
const MAX_NAME: usize = 150;
/// How long a restore waits for its own answer to reach the client.
const RESTORE_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
struct Item {
    modified: String,
    key: String,
    size: u64,
}

async fn list(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let failed = ApiError::wrap_400("Failed to retrieve backup items.");
    let found = backup::list(req.app()).await.map_err(|error| failed(plain(error)))?;
    let item = |found: backup::Listed| Item {
        modified: Timestamp::from_millis(found.modified_ms).to_string(),
        key: found.key,
        size: found.size,
    };
    Response::of(200, &found.into_iter().map(item).collect::<Vec<_>>())
}

async fn create(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    refuse_second(req).await?;
    let name = name_of(req).await?;
    let mut errors = FieldErrors::default();
    if let Some(error) = check_name(&name) {
        errors.set("name", error);
    } else if !name.is_empty() && backup::exists(req.app(), &name).await.unwrap_or(true) {
        let message = "the backup file name is invalid or already exists";
        errors.set("name", FieldError::new("validation_backup_name_exists", message));
    }
    if !errors.is_empty() {
        return Err(ApiError::bad_request(INVALID).with_fields(errors));
    }
    let failed = |error| ApiError::wrap_all(400, "Failed to create backup.", plain(error));
    backup::create(req.app(), &name).await.map_err(failed)?;
    Ok(Response::no_content())
}

async fn refuse_second(req: &Req) -> Result<()> {
    let app = req.app();
    // Where the database does not answer, the backup itself says so.
    if app.backups().are_busy(app).await.unwrap_or_default() {
        return Err(ApiError::bad_request(BUSY));
    }
    Ok(())
}

/// The submitted name; empty without a body.
async fn name_of(req: &mut Req) -> Result<String> {
    if req.body_len() == Some(0) {
        return Ok(String::new());
    }
    Members::or_unreadable(req).await?.text("name")
}

fn check_name(name: &str) -> Option<FieldError> {
    if name.is_empty() {
        return None;
    }
    if name.chars().count() > MAX_NAME {
        let message = format!("the length must be between 1 and {MAX_NAME}");
        let error = FieldError::new("validation_length_out_of_range", message);
        return Some(error.param("max", MAX_NAME).param("min", 1));
    }
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    let stem = name.strip_suffix(".zip").unwrap_or_default();
    if stem.is_empty() || !stem.bytes().all(is_plain) {
        return Some(FieldError::new("validation_match_invalid", "must be in a valid format"));
    }
    None
}

async fn upload(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let payload = match req.payload().await {
        Ok(payload) => payload,
        Err(fault @ Fault::TooLarge) => return Err(fault.into()),
        // Whatever cannot be decoded has no file.
        Err(_) => crate::body::Payload::default(),
    };
    let file = payload.files.into_iter().find(|(key, _)| key == "file").map(|(_, file)| file);
    let refused = |code: &str, message: String| {
        let mut errors = FieldErrors::default();
        errors.set("file", FieldError::new(code, message));
        ApiError::bad_request(INVALID).with_fields(errors)
    };
    let Some(file) = file else {
        return Err(refused("validation_required", "cannot be blank".into()));
    };
    if file.mime().essence() != "application/zip" {
        let name = file.name();
        let message = format!("\"{name}\" mime type must be one of: application/zip.");
        return Err(refused("validation_invalid_mime_type", message));
    }
    let name = file.original_name();
    if name.is_empty() || backup::exists(req.app(), name).await.unwrap_or(true) {
        let message = "backup file with the specified name already exists".to_owned();
        return Err(refused("validation_backup_name_exists", message));
    }
    let failed = ApiError::wrap_400("Failed to upload backup.");
    backup::upload(req.app(), &file).await.map_err(|error| failed(plain(error)))?;
    Ok(Response::no_content())
}

/// Only the file token of a superuser counts, not who asks.
async fn download(req: &mut Req) -> Result<Response> {
    let head = req.head.clone();
    let token = head.query().get("token").unwrap_or_default();
    let ctx = req.system();
    let found = auth::find_by_token(&ctx, &token, &[TokenType::File]).await;
    let record = found.ok().flatten().map(|found| found.record);
    if !Caller::of(record).is_superuser() || check_superuser_ip(req.app(), &req.head).await.is_err()
    {
        return Err(ApiError::forbidden(NO_PERMISSION));
    }
    let key = req.param("key").into_owned();
    let place = files::for_backups(req.app()).map_err(|error| plain(error.into()))?;
    // archives are large and clients slow, but nobody holds a connection for ever without reading
    req.set_time_limit(Some(DOWNLOAD_TIME));
    Download { place, key: key.clone(), name: key, attachment: true }.answer(&head).await
}

async fn remove(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let key = req.param("key").into_owned();
    if !key.is_empty() && req.app().backups().active().as_deref() == Some(key.as_str()) {
        return Err(ApiError::bad_request(
            "The backup is currently being used and cannot be deleted.",
        ));
    }
    backup::delete(req.app(), &key).await.map_err(|error| {
        let reason = match &error {
            Error::NotFound => format!("[key: {key}] resource not found."),
            _ => "the storage refused it".to_owned(),
        };
        let message = format!("Invalid or already deleted backup file. Raw error: \n{reason}");
        ApiError::bad_request(message).with_detail(error.to_string())
    })?;
    Ok(Response::no_content())
}

/// Answers at once; the restore begins a moment later.
async fn restore(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    refuse_second(req).await?;
    let key = req.param("key").into_owned();
    if !backup::exists(req.app(), &key).await.unwrap_or(false) {
        return Err(ApiError::bad_request("Missing or invalid backup file."));
    }
    let app = req.app().clone();
    tokio::spawn(async move {
        tokio::time::sleep(RESTORE_DELAY).await;
        if let Err(error) = backup::restore(&app, &key).await {
            let data = json!({ "key": key, "error": error.to_string() });
            app.log().write(Level::Error, "Failed to restore backup", &data);
        }
    });
    Ok(Response::no_content())
}

/// Failures of the disk are no missing pages.
fn plain(error: Error) -> Error {
    match error {
        Error::Io(cause) => Error::Message(cause.to_string()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["", "a.zip", "a_b-0.zip", "-.zip"] {
            assert!(check_name(name).is_none(), "{name}");
        }
        for name in [".zip", "A.zip", "a b.zip", "a.zip.zip", "../a.zip", "a", "é.zip", "a.zip\n"]
        {
            assert!(check_name(name).is_some(), "{name}");
        }
        assert!(check_name(&format!("{}.zip", "a".repeat(146))).is_none());
        assert!(check_name(&format!("{}.zip", "a".repeat(147))).is_some());
    }
}
