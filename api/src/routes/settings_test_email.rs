//! `POST /api/settings/test/email`: one of the mails to a made-up record. Source: spec auth §10.3.

use engine::{
    Error,
    mail::test_mail::{self, Form},
};
use serde_json::Map;

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

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("POST /api/settings/test/email", h!(send))
    .op(op("testMail", "Settings", "Send a test mail").takes("Any"))];

const FAILED: &str = "Failed to send the test email.";

async fn send(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let body = Members::or_unreadable(req).await?;
    let form = Form {
        email: body.text("email")?,
        template: body.text("template")?,
        collection: body.text("collection")?,
    };
    let ctx = req.ctx(Map::new());
    let collection = form.check(&ctx).map_err(ApiError::wrap_400(FAILED))?;
    match test_mail::send(&ctx, &collection, &form.template, &form.email).await {
        Ok(()) => Ok(Response::no_content()),
        Err(error @ Error::Stopped(_)) => Err(ApiError::wrap(400, FAILED, error)),
        Err(error) => Err(ApiError::bad_request(format!("{FAILED} Raw error: \n{error}"))),
    }
}
