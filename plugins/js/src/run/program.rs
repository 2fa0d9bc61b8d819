//! [`Program`]: a handler as the text that every executor compiles for itself, and what becomes of what it returns.
//!
//! Source: spec extending §1.4, §1.7.

use std::{sync::Arc, time::Instant};

use pocketbase::{ApiError, App, Error, LogAttrs, Result};
use rquickjs::{Ctx, Function, Promise, Value, context::EvalOptions, promise::PromiseState};

use super::executor::{Local, function, timed};
use crate::{
    Js,
    bind::{Fail, Res, Shared, Thrown, as_host, error_of, errors, object, throw},
    host,
};

/// A handler.
pub(crate) struct Program {
    pub(crate) id: usize,
    /// The text of the function.
    pub(crate) source: String,
    /// The file it stands in.
    pub(crate) file: String,
    /// Where it begins there, from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// What it is for: `onRecordCreate`, `GET /x`.
    pub(crate) label: String,
}

impl Program {
    /// Where it stands: `file:line:column`.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }
    /// What makes the function, compiled so that its lines and columns are those of its file. Nothing of the text runs before it
    /// is called: a text that is no function fails then.
    pub(crate) fn compile<'js>(&self, cx: &Ctx<'js>) -> rquickjs::Result<Function<'js>> {
        let mut text = String::with_capacity(self.source.len() + self.line + self.column + 12);
        let open = if self.line > 1 { "(()=>(\n" } else { "(()=>(" };
        text.push_str(&"\n".repeat(self.line.saturating_sub(2)));
        text.push_str(open);
        let filled = if self.line > 1 { 1 } else { 7 };
        text.push_str(&" ".repeat(self.column.saturating_sub(filled)));
        text.push_str(&self.source);
        text.push_str("\n))");
        let mut options = EvalOptions::default();
        options.filename = Some(self.file.clone());
        cx.eval_with_options(text, options)
    }
}

/// What a handler cannot go on from.
#[derive(Debug)]
pub(crate) struct Fatal(String);

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Fatal {}

/// The text of a handler: a function's own, or a text.
pub(crate) fn source_of<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<Option<String>> {
    if let Some(text) = given.as_string() {
        return Ok(Some(text.to_string()?));
    }
    let Some(function) = given.as_function() else { return Ok(None) };
    let print: Function<'js> = cx.eval("Function.prototype.toString")?;
    let text: String = print.call((rquickjs::function::This(function.clone()),))?;
    if text.trim_start().starts_with("class") {
        return Ok(None);
    }
    Ok(Some(text))
}

/// Calls a handler in a free executor of this thread, with an event or without.
pub(crate) fn call(
    js: &Arc<Js>,
    program: &Program,
    app: &App,
    event: Option<Shared>,
) -> Result<()> {
    invoke(js, program, app, |cx| Ok(event.map(|event| object(cx, event)).transpose()?))
}

/// Calls a handler in a free executor of this thread, with an argument that is made there, or without.
pub(crate) fn invoke(
    js: &Arc<Js>,
    program: &Program,
    app: &App,
    argument: impl for<'js> FnOnce(&Ctx<'js>) -> Res<Option<Value<'js>>>,
) -> Result<()> {
    js.executors.with(js, |cx| {
        let begun = Instant::now();
        let done = timed(js, || called(cx, program, app, argument));
        if let Some(profile) = &js.profile {
            profile.note(&program.label, program.place(), begun);
        }
        let done = done.map_err(|fail| thrown_error(cx, fail));
        let fatal = Local::of(cx).fatal.borrow_mut().take();
        let done = fatal.map_or(done, |text| Err(Error::other(Fatal(text))));
        while cx.execute_pending_job() {}
        if let Err(error) = &done {
            log(app, program, error);
        }
        done
    })
}

/// What a failure is outside of the context.
pub(crate) fn thrown_error(cx: &Ctx<'_>, fail: Fail) -> Error {
    match fail {
        Fail::Host(error) => error,
        other => {
            let error = throw(cx, other);
            if error.is_exception() {
                let thrown = cx.catch();
                return error_of(cx, &thrown);
            }
            Error::other(error.to_string())
        }
    }
}

fn called<'js>(
    cx: &Ctx<'js>,
    program: &Program,
    app: &App,
    argument: impl FnOnce(&Ctx<'js>) -> Res<Option<Value<'js>>>,
) -> Res<()> {
    let function = function(cx, program)?;
    host::set_app(cx, app)?;
    let given: Value<'js> = match argument(cx)? {
        Some(argument) => function.call((argument,))?,
        None => function.call(())?,
    };
    outcome(cx, app, program, &given)
}

/// What a handler has returned: host errors count, promises are waited for as far as they go by themselves.
fn outcome<'js>(cx: &Ctx<'js>, app: &App, program: &Program, given: &Value<'js>) -> Res<()> {
    if let Some(promise) = given.as_promise() {
        let text = "the handler must a non-async function and not return a Promise";
        app.logger().warn(text, &[("handler", program.label.clone().into())]);
        return settled(cx, promise);
    }
    match as_host(given).and_then(|host| errors::to_error(&host)) {
        Some(error) => Err(Fail::Host(error)),
        None => Ok(()),
    }
}

fn settled<'js>(cx: &Ctx<'js>, promise: &Promise<'js>) -> Res<()> {
    while cx.execute_pending_job() {}
    match promise.state() {
        PromiseState::Resolved => Ok(()),
        PromiseState::Pending => {
            Err(Fail::Host(ApiError::internal("the handler's Promise is still pending").into()))
        }
        PromiseState::Rejected => match promise.result::<Value<'js>>() {
            Some(Err(_)) => {
                let thrown = cx.catch();
                match as_host(&thrown).and_then(|host| errors::to_error(&host)) {
                    Some(error) => Err(Fail::Host(error)),
                    // as the reference: rejected with anything else counts as done
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        },
    }
}

/// Tells the author where a script failed: clients only get a general sentence.
fn log(app: &App, program: &Program, error: &Error) {
    let Some(thrown) = error.downcast_ref::<Thrown>() else { return };
    if thrown.is_logged.swap(true, std::sync::atomic::Ordering::AcqRel) {
        return;
    }
    let place = thrown.place().map(str::to_owned);
    let place = place.unwrap_or_else(|| program.place());
    let attrs: &LogAttrs<'_> = &[
        ("handler", program.label.clone().into()),
        ("error", thrown.message.clone().into()),
        ("place", place.into()),
        ("stack", thrown.stack.clone().into()),
        ("hint", thrown.hint.clone().unwrap_or_default().into()),
    ];
    let attrs = if thrown.hint.is_some() { attrs } else { &attrs[..attrs.len() - 1] };
    app.logger().error("A JavaScript handler has failed.", attrs);
}
