//! REST below `/api/pm`, for superusers. Source: spec extensions 5.6.

use pocketbase::{
    ApiError, Description, Error, Json, Path, RequestEvent, Result, Router, middleware,
};
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
    let list = group.get("/list", move || {
        let states = m.get_all_states();
        async move { Json(states.iter().map(|state| state.to_json()).collect::<Vec<_>>()) }
    });
    list.describe(about("listProcesses", "The processes with their states.").gives(states()));
    let m = manager.clone();
    let restart = group.post("/{id}/restart", move |Path(id): Path<String>| {
        let m = m.clone();
        async move {
            let failed = || ApiError::bad_request("Failed to restart process.");
            m.restart(&id).await.map_err(|refused| answer(refused, failed))?;
            told(&id, "Process restart initiated")
        }
    });
    restart.describe(about("restartProcess", "Restarts a process, from any state.").gives(done()));
    let m = manager.clone();
    let stop = group.post("/{id}/stop", move |Path(id): Path<String>| {
        let m = m.clone();
        async move {
            let failed = || ApiError::bad_request("Failed to stop process.");
            m.stop_process(&id).await.map_err(|refused| answer(refused, failed))?;
            told(&id, "Process stopped")
        }
    });
    stop.describe(
        about("stopProcess", "Stops a process; it stays so until it is started.").gives(done()),
    );
    let m = manager.clone();
    let start = group.post("/{id}/start", move |Path(id): Path<String>| {
        let m = m.clone();
        async move {
            let failed = || ApiError::bad_request("Failed to start process.");
            m.start_process(&id).await.map_err(|refused| answer(refused, failed))?;
            told(&id, "Process start initiated")
        }
    });
    start.describe(about("startProcess", "Starts a process that does not run.").gives(done()));
    let m = manager.clone();
    let lines = group.get("/{id}/logs", move |e: RequestEvent, Path(id): Path<String>| {
        let m = m.clone();
        async move { logs(&m, &id, e.query("lines").parse().ok()).map(Json) }
    });
    let about_lines = about("listProcessLines", "The last lines that a process has printed.");
    lines.describe(
        about_lines.query("lines", "how many, 100 by default, 1000 at most").gives(printed()),
    );
}

fn about(id: &str, summary: &str) -> Description {
    Description::new("Processes", summary).id(id)
}

fn texts(names: &[&str]) -> Value {
    let text = |name: &&str| ((*name).to_owned(), json!({"type": "string"}));
    let properties: serde_json::Map<String, Value> = names.iter().map(text).collect();
    json!({"type": "object", "properties": properties, "required": names})
}

fn done() -> Value {
    texts(&["id", "message"])
}

fn printed() -> Value {
    json!({"type": "array", "items": texts(&["timestamp", "processId", "stream", "content"])})
}

fn states() -> Value {
    let mut state = texts(&["id", "status", "startTime", "uptime"]);
    let properties = &mut state["properties"];
    properties["pid"] = json!({"type": "integer"});
    properties["restartCount"] = json!({"type": "integer"});
    properties["lastError"] = json!({"type": "string"});
    properties["config"] = json!({"type": "object"});
    json!({"type": "array", "items": state})
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
