//! `POST …/impersonate/{id}`: a superuser signs in as somebody else. Source: spec auth §3.6.

use engine::{FieldError, FieldErrors, auth, record::find};
use serde_json::{Map, Value};

use super::auth_response::{Login, answer};
use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{INVALID, h},
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("POST /api/collections/{collection}/impersonate/{id}", h!(impersonate)).op(
        op("impersonate", "Auth", "A token of somebody else")
            .for_auth()
            .takes("Impersonation")
            .gives("@Auth"),
    )];

async fn impersonate(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let snapshot = req.schema();
    let collection = snapshot
        .find(&req.param("collection"))
        .filter(|collection| collection.is_auth())
        .ok_or_else(ApiError::no_auth_collection)?;
    let ctx = req.ctx(Map::new());
    let record = find::by_id_or_404(&ctx, collection, &req.param("id")).await?;
    // spec auth §0: this endpoint masks a wrong content type as an unreadable body
    let body = Members::or_unreadable(req).await?;
    let seconds = duration(&body)?;
    let token = auth::new_auth_token(&record, seconds, false)?;
    answer(&req.exchange(), &ctx, Login { record, token, method: "", meta: Value::Null }).await
}

/// Seconds; 0 for the collection's own duration.
fn duration(body: &Members) -> Result<i64> {
    let seconds = body.integer("duration")?;
    if seconds >= 0 {
        return Ok(seconds);
    }
    let mut fields = FieldErrors::default();
    let error =
        FieldError::new("validation_min_greater_equal_than_required", "must be no less than 0");
    fields.set("duration", error.param("threshold", 0));
    Err(ApiError::bad_request(INVALID).with_fields(fields))
}
