//! `POST /api/settings/test/s3`. Source: spec server-settings-operations §3.4.

use engine::{
    FieldError, FieldErrors,
    files::{self, s3},
    settings::S3,
};

use crate::{
    bind::Members,
    error::{ApiError, Result},
    guard,
    pipeline::Row,
    request::Req,
    response::Response,
    routes::h,
};

pub(crate) const ROUTES: &[Row] = &[Row::new("POST /api/settings/test/s3", h!(test))];

const FAILED: &str = "Failed to test the S3 filesystem.";

async fn test(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let which = Members::or_unreadable(req).await?;
    let which = which.text("filesystem")?;
    let settings = req.app().settings();
    let (chosen, place): (&S3, _) = match which.as_str() {
        "storage" => (&settings.s3, files::for_records(req.app())),
        "backups" => (&settings.backups.s3, files::for_backups(req.app())),
        "" => return Err(refused(FieldError::new("validation_required", "cannot be blank"))),
        _ => {
            return Err(refused(FieldError::new("validation_in_invalid", "must be a valid value")));
        }
    };
    let raw = |text: &str| ApiError::bad_request(format!("{FAILED} Raw error: \n{text}"));
    if !chosen.enabled {
        return Err(raw(&format!("S3 {which} filesystem is not enabled")));
    }
    let place = place.map_err(|e| raw(&format!("failed to initialize the S3 filesystem: {e}")))?;
    s3::try_out(place.as_ref()).await.map_err(|text| raw(&text))?;
    Ok(Response::no_content())
}

fn refused(error: FieldError) -> ApiError {
    let mut fields = FieldErrors::default();
    fields.set("filesystem", error);
    ApiError::bad_request(FAILED).with_fields(fields)
}
