//! `POST …/auth-refresh`. Source: spec auth §3.5.

use engine::{
    auth,
    event::{RecordRequestEvent, no_ext},
    hook::Slot,
};
use http::header;
use serde_json::{Map, Value};

use super::auth_response::{Login, answer};
use crate::{
    describe::operations::op,
    error::Result,
    guard,
    pipeline::token_of,
    request::Req,
    response::Response,
    route::{Endpoint, Rate},
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("POST /api/collections/{collection}/auth-refresh", h!(refresh))
        .op(op("refreshAuthOf", "Auth", "A new token for the same record")
            .signed_in()
            .for_auth()
            .shown()
            .gives("@Auth"))
        .rate(Rate::Collection(&["authRefresh"]))];

async fn refresh(req: &mut Req) -> Result<Response> {
    let caller = guard::same_collection(req)?;
    let (hook, asked) = (&req.app().hooks().record_auth_refresh_request, req.exchange());
    let event = RecordRequestEvent {
        ctx: req.ctx(Map::new()),
        collection: caller.collection().clone(),
        record: Slot::new(caller.record().as_ref().clone().into()),
        ext: no_ext(),
    };
    let refreshable = req.auth.as_ref().is_some_and(|found| found.claims.refreshable());
    let inside = asked.clone();
    let answered = asked.through(hook, event, move |event| async move {
        let record = event.record.get().snapshot();
        let token = if refreshable {
            auth::new_auth_token(&record, 0, true)?
        } else {
            token_of(inside.head.header(header::AUTHORIZATION)).to_owned()
        };
        let login = Login { record, token, method: "", meta: Value::Null };
        Ok(answer(&inside, &event.ctx, login).await?)
    });
    Ok(answered.await?)
}
