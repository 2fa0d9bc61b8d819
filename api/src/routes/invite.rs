//! `POST /api/dashboard/invite` (superusers): another superuser, who sets a password through a mail.
//!
//! Not part of the reference. Source: spec dashboard §7.6.

use engine::{
    auth::{
        confirm::{self, Confirmation},
        random_alnum,
    },
    record::{Submission, expand::Paths},
};
use serde_json::{Map, json};

use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{
        h,
        records::{self, Call, Submitted, Write},
    },
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("POST /api/dashboard/invite", h!(invite))
    .op(op(
        "inviteSuperuser",
        "Dashboard",
        "Another superuser, who sets a password through a mail",
    )
    .takes("Email")
    .gives("Any"))];

async fn invite(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let email = Members::of(req).await?.text("email")?;
    let collection = req.app().snapshot().find("_superusers").cloned();
    let collection = collection.ok_or_else(|| ApiError::not_found(""))?;
    let password = random_alnum(30);
    let body = json!({"email": email, "password": password, "passwordConfirm": password});
    let submission = Submission {
        body: body.as_object().cloned().unwrap_or_default(),
        files: std::collections::BTreeMap::new(),
    };
    let (ctx, exchange) = (req.ctx(Map::new()), req.exchange());
    let call = Call { ctx, collection, submission, expand: Paths::default(), exchange };
    let Submitted::Save(draft) = records::prepare(&call, &Write::Create).await? else {
        return Err(ApiError::internal("a creation that is none"));
    };
    draft.commit(&call.ctx).await.map_err(|error| records::refused(&Write::Create, error))?;
    let id = draft.record.id();
    confirm::mail(&call.ctx, Confirmation::PasswordReset, draft.record);
    Response::of(200, &json!({"id": id, "email": email}))
}
