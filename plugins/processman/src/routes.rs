//! REST below `/api/pm`, for superusers. Source: spec extensions 5.6.

use pocketbase::{ApiError, Error, Json, Path, RequestEvent, Result, Router, middleware};
use serde_json::{Value, json};

use crate::{
    logs::RING,
    manager::{ProcessManager, Refused},
    state::line_json,
};

/// Lines that are shown unless the request says otherwise.
const LINES: usize = 100;

/// Adds the routes.
pub(crate) fn mount(router: &Router, manager: &ProcessManager) {
    let group = router.group("/api/pm");
    group.bind(middleware::require_superuser_auth());
    let m = manager.clone();
    group.get("/list", move || {
        let states = m.get_all_states();
        async move { Json(states.iter().map(|state| state.to_json()).collect::<Vec<_>>()) }
    });
    let m = manager.clone();
    group.post("/{id}/restart", move |Path(id): Path<String>| {
        let m = m.clone();
        async move {
            let failed = || ApiError::bad_request("Failed to restart process.");
            m.restart(&id).await.map_err(|refused| answer(refused, failed))?;
            told(&id, "Process restart initiated")
        }
    });
    let m = manager.clone();
    group.post("/{id}/stop", move |Path(id): Path<String>| {
        let m = m.clone();
        async move {
            let failed = || ApiError::bad_request("Failed to stop process.");
            m.stop_process(&id).await.map_err(|refused| answer(refused, failed))?;
            told(&id, "Process stopped")
        }
    });
    let m = manager.clone();
    group.post("/{id}/start", move |Path(id): Path<String>| {
        let m = m.clone();
        async move {
            let failed = || ApiError::bad_request("Failed to start process.");
            m.start_process(&id).await.map_err(|refused| answer(refused, failed))?;
            told(&id, "Process start initiated")
        }
    });
    let m = manager.clone();
    group.get("/{id}/logs", move |e: RequestEvent, Path(id): Path<String>| {
        let m = m.clone();
        async move { logs(&m, &id, e.query("lines").parse().ok()).map(Json) }
    });
}

fn told(id: &str, message: &str) -> Result<Json<Value>> {
    Ok(Json(json!({"id": id, "message": message})))
}

/// The answer to what was refused.
pub(crate) fn answer(refused: Refused, failed: impl Fn() -> ApiError) -> Error {
    match refused {
        Refused::NotFound => ApiError::not_found("Process not found.").into(),
        Refused::Running => ApiError::bad_request("Process is already running.").into(),
        Refused::Closed => failed().into(),
    }
}

/// The last lines as they are shown.
pub(crate) fn logs(manager: &ProcessManager, id: &str, n_lines: Option<i64>) -> Result<Value> {
    let n_lines = n_lines.filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok());
    let n_lines = n_lines.unwrap_or(LINES).min(RING);
    let lines = manager.get_process_logs(id, n_lines);
    let lines = lines.ok_or_else(|| ApiError::not_found("Process not found."))?;
    Ok(lines.iter().map(|line| line_json(id, line)).collect::<Vec<_>>().into())
}
