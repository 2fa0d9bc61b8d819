//! `POST /api/settings/apple/generate-client-secret`. Source: spec auth §9.6.

use engine::oauth2::apple_secret::Form;
use serde_json::{Map, Value};

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

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new(
    "POST /api/settings/apple/generate-client-secret",
    h!(generate),
)
.op(op("makeAppleSecret", "Settings", "Make a client secret for Apple").takes("Any").gives("Any"))];

async fn generate(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let body = Members::or_unreadable(req).await?;
    let form = Form {
        client_id: body.text("clientId")?,
        team_id: body.text("teamId")?,
        key_id: body.text("keyId")?,
        private_key: body.text("privateKey")?,
        duration: body.integer("duration")?,
    };
    form.check().map_err(ApiError::wrap_400("Invalid client secret data."))?;
    let secret = form.secret(engine::time::now().seconds()).map_err(|error| {
        ApiError::bad_request(format!("Failed to generate client secret. Raw error: \n{error}"))
    })?;
    Response::of(200, &Map::from_iter([("secret".to_owned(), Value::String(secret))]))
}
