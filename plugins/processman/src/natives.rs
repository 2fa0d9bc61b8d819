//! `$pm` for scripts. Source: spec extensions 0.3.

use pocketbase::{ApiError, Error, Native, Result, Setup};
use serde_json::Value;

use crate::{
    manager::{ProcessManager, Refused},
    routes::{answer, logs},
};

/// Offers the functions.
pub(crate) fn offer(setup: &Setup, manager: &ProcessManager) -> Result<()> {
    let m = manager.clone();
    setup.native(
        Native::new("$pm.list")
            .doc("The processes with their states.")
            .returns("Array<{ [key: string]: any }>")
            .run_sync(move |_, _| {
                Ok(m.get_all_states()
                    .iter()
                    .map(|state| state.to_json())
                    .collect::<Vec<_>>()
                    .into())
            }),
    )?;
    let m = manager.clone();
    setup.native(id("$pm.start", "Starts a process that does not run.").run(move |_, args| {
        let m = m.clone();
        async move { done(m.start_process(first(&args)).await) }
    }))?;
    let m = manager.clone();
    setup.native(id("$pm.stop", "Stops a process, and waits for it.").run(move |_, args| {
        let m = m.clone();
        async move { done(m.stop_process(first(&args)).await) }
    }))?;
    let m = manager.clone();
    setup.native(id("$pm.restart", "Restarts a process.").run(move |_, args| {
        let m = m.clone();
        async move { done(m.restart(first(&args)).await) }
    }))?;
    let m = manager.clone();
    setup.native(
        id("$pm.logs", "The last lines that a process has printed, oldest first.")
            .param("lines?", "number", "how many, 100 by default and 1000 at most")
            .returns(
                "Array<{ timestamp: string, processId: string, stream: string, content: string }>",
            )
            .run_sync(move |_, args| {
                #[allow(clippy::cast_possible_truncation, reason = "as saturating as it is meant")]
                let n_lines = args.get(1).and_then(Value::as_f64).map(|n| n as i64);
                logs(&m, first(args), n_lines)
            }),
    )
}

fn id(name: &str, doc: &str) -> Native {
    Native::new(name).doc(doc).param("id", "string", "the id of the process")
}

fn first(args: &[Value]) -> &str {
    args.first().and_then(Value::as_str).unwrap_or_default()
}

fn done(done: std::result::Result<(), Refused>) -> Result<Value> {
    let closed = || ApiError::bad_request("The process manager is not running.");
    done.map(|()| Value::Null).map_err(|refused| -> Error { answer(refused, closed) })
}
