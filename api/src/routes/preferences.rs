//! `GET` and `PATCH /api/dashboard/state` (superusers): what the dashboard keeps for a person and for all of them.
//!
//! Not part of the reference. Source: spec dashboard §8 A5.

use engine::{
    FieldError, FieldErrors,
    ctx::Ctx,
    preferences::{self, Whose},
};
use serde_json::{Map, Value, json};

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/dashboard/state", h!(show))
        .op(op("dashboardState", "Dashboard", "What the dashboard keeps for you and for all")
            .gives("State"))
        .quiet(),
    Endpoint::new("PATCH /api/dashboard/state", h!(change))
        .op(op("changeDashboardState", "Dashboard", "Set members of it; null removes")
            .takes("State")
            .gives("State"))
        .quiet(),
];

const FAILED: &str = "The state could not be saved.";

async fn answer(ctx: &Ctx, id: &str) -> Result<Response> {
    let own = preferences::read(ctx, Whose::Own(id)).await?;
    let shared = preferences::read(ctx, Whose::Shared).await?;
    Response::of(200, &json!({"own": own, "shared": shared}))
}

async fn show(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    answer(&req.ctx(Map::new()), superuser.record().id()).await
}

async fn change(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let mut body = req.payload().await?.into_map()?;
    let mut part = |name: &'static str| match body.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => {
            let mut errors = FieldErrors::default();
            errors.set(name, FieldError::new("validation_invalid_value", "must be an object"));
            Err(ApiError::bad_request(FAILED).with_fields(errors))
        }
    };
    let (own, shared) = (part("own")?, part("shared")?);
    let (ctx, id) = (req.ctx(Map::new()), superuser.record().id());
    for (whose, changes) in [(Whose::Own(id), own), (Whose::Shared, shared)] {
        if !changes.is_empty() {
            preferences::merge(&ctx, whose, changes).await.map_err(ApiError::wrap_400(FAILED))?;
        }
    }
    answer(&ctx, id).await
}
