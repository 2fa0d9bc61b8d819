//! `GET` and `PATCH /api/settings`. Source: spec server-settings-operations §3.1–§3.3.

use engine::{
    event::{SettingsListEvent, SettingsUpdateEvent, no_ext},
    hook::Slot,
    settings::Settings,
    settings_ops,
    wire::Shaped as _,
};
use serde_json::Map;

use crate::{
    bind,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{UNREADABLE, h},
};

const NOT_SAVED: &str = "An error occurred while saving the new settings.";

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/settings", h!(show))
        .op(op("showSettings", "Settings", "All settings").query(&["fields"]).gives("Settings")),
    Endpoint::new("PATCH /api/settings", h!(update)).op(op(
        "changeSettings",
        "Settings",
        "Change settings",
    )
    .takes("Settings")
    .gives("Settings")),
];

fn render(settings: &Settings) -> Response {
    Response::json(200, settings.to_json().into_bytes())
}

async fn show(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let settings = Settings::clone(&req.app().settings());
    let hook = &req.app().hooks().settings_list_request;
    let event = SettingsListEvent {
        ctx: req.ctx(Map::new()),
        settings: Slot::new(settings),
        ext: no_ext(),
    };
    let answered =
        req.through(hook, event, |event| async move { Ok(event.settings.with(|new| render(new))) });
    Ok(answered.await?)
}

async fn update(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let unreadable = |detail: String| ApiError::bad_request(UNREADABLE).with_detail(detail);
    let payload = req.payload().await.map_err(|fault| unreadable(fault.to_string()))?;
    let body = bind::shaped(payload, Settings::SHAPE)?;
    if body.is_null() {
        // the reference fails on it with a recovered panic
        return Err(ApiError::internal("null settings"));
    }
    let old = req.app().settings();
    let new =
        settings_ops::merged(req.app(), &body).map_err(|error| unreadable(error.to_string()))?;
    let ctx = req.ctx(Map::new());
    let hook = &req.app().hooks().settings_update_request;
    let event = SettingsUpdateEvent { ctx, old, new: Slot::new(new), ext: no_ext() };
    let answered = req.through(hook, event, |event| async move {
        let saved = settings_ops::save(&event.ctx, event.new.get()).await;
        saved.map_err(|error| ApiError::wrap_all(400, NOT_SAVED, error))?;
        Ok(render(&event.ctx.app.settings()))
    });
    Ok(answered.await?)
}
