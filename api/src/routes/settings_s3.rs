//! `POST /api/settings/test/s3`. Source: spec server-settings-operations §3.4.

use engine::{Error, files};

use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("POST /api/settings/test/s3", h!(test))
    .op(op("testStorage", "Settings", "Test a storage").takes("Any"))];

const FAILED: &str = "Failed to test the S3 filesystem.";

async fn test(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let which = Members::or_unreadable(req).await?.text("filesystem")?;
    files::try_out(req.app(), &which).await.map_err(|error| match error {
        Error::Message(text) => ApiError::bad_request(format!("{FAILED} Raw error: \n{text}")),
        other => ApiError::wrap(400, FAILED, other),
    })?;
    Ok(Response::no_content())
}
