//! Commands of the system: what `$os.cmd` gives (spec extending §3.3).

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use parking_lot::Mutex;
use rquickjs::Ctx;

use crate::{
    bind::{Fail, Res, Shared, Val, items, native, object, table, text},
    run::Local,
};

/// A command that can be run.
pub(crate) struct Cmd(Mutex<State>);

#[derive(Default)]
struct State {
    path: String,
    args: Vec<String>,
    env: Vec<String>,
    dir: String,
    child: Option<std::process::Child>,
}

/// A command that failed.
pub(crate) struct ExitError {
    code: i32,
    stderr: Vec<u8>,
}

native!(Cmd = CMD, ExitError = EXIT_ERROR);

table! {
    pub(crate) static CMD: Cmd = "exec.Cmd", "A command of the system." {
        prop "path": "string", "The executable." => |cx, c| c.0.lock().path.clone(), set |cx, c, v| c.0.lock().path = text(cx, &v)?;
        prop "args": "string[]", "The arguments, the name first." => |cx, c| c.0.lock().args.clone(), set |cx, c, v| c.0.lock().args = texts(cx, &v)?;
        prop "env": "string[]", "The environment, `NAME=value`; empty for that of the server." => |cx, c| c.0.lock().env.clone(), set |cx, c, v| c.0.lock().env = texts(cx, &v)?;
        prop "dir": "string", "The working directory." => |cx, c| c.0.lock().dir.clone(), set |cx, c, v| c.0.lock().dir = text(cx, &v)?;
        fn "output" "(): number[]" "Runs it and gives what it prints." => |cx, c, a| {
            let output = c.run(true)?;
            ended(cx, &output)?;
            Val::Bytes(output.stdout)
        };
        fn "combinedOutput" "(): number[]" "Runs it and gives what it prints, errors included." => |cx, c, a| {
            let mut output = c.run(true)?;
            output.stdout.extend(std::mem::take(&mut output.stderr));
            ended(cx, &output)?;
            Val::Bytes(output.stdout)
        };
        fn "run" "(): void" "Runs it to its end." => |cx, c, a| ended(cx, &c.run(false)?)?;
        fn "start" "(): void" "Starts it." => |cx, c, a| {
            let child = c.command(false).spawn().map_err(|error| c.failed(&error))?;
            c.0.lock().child = Some(child);
        };
        fn "wait" "(): void" "Waits for the end of what was started." => |cx, c, a| {
            let child = c.0.lock().child.take().ok_or_else(|| Fail::other("exec: not started"))?;
            ended(cx, &child.wait_with_output()?)?;
        };
        fn "environ" "(): string[]" "The environment it runs in." => |cx, c, a| {
            let own = c.0.lock().env.clone();
            if own.is_empty() { std::env::vars().map(|(key, value)| format!("{key}={value}")).collect() } else { own }
        };
        fn "string" "(): string" "As a line." => |cx, c, a| c.line();
    }
    text |c| c.line();
}

table! {
    pub(crate) static EXIT_ERROR: ExitError = "exec.ExitError", "A command that failed." {
        prop "stderr": "number[]", "What it printed as errors." => |cx, e| Val::Bytes(e.stderr.clone());
        fn "exitCode" "(): number" "Its exit code." => |cx, e, a| e.code;
        fn "error" "(): string" "In words." => |cx, e, a| e.text();
        fn "string" "(): string" "In words." => |cx, e, a| e.text();
    }
    text |e| e.text();
}

impl ExitError {
    fn text(&self) -> String {
        format!("exit status {}", self.code)
    }
}

fn texts<'js>(cx: &Ctx<'js>, list: &rquickjs::Value<'js>) -> Res<Vec<String>> {
    items(cx, list)?.iter().map(|item| text(cx, item)).collect()
}

/// A failed command as an exception.
fn ended(cx: &Ctx<'_>, output: &Output) -> Res<()> {
    if output.status.success() {
        return Ok(());
    }
    let failed =
        ExitError { code: output.status.code().unwrap_or(-1), stderr: output.stderr.clone() };
    let message = failed.text();
    let value = object(cx, Arc::new(failed) as Shared)?;
    let class = Local::of(cx).go_error.clone();
    let thrown: rquickjs::Value<'_> = class.call((message, value))?;
    Err(Fail::Js(cx.throw(thrown)))
}

impl Cmd {
    pub(crate) fn new(words: &[String]) -> Self {
        let name = words.first().cloned().unwrap_or_default();
        let path = found(&name).unwrap_or_else(|| name.clone());
        Self(Mutex::new(State { path, args: words.to_vec(), ..State::default() }))
    }
    fn line(&self) -> String {
        let state = self.0.lock();
        let args = state.args.get(1..).unwrap_or_default();
        std::iter::once(&state.path).chain(args).cloned().collect::<Vec<_>>().join(" ")
    }
    fn command(&self, captured: bool) -> Command {
        let state = self.0.lock();
        let mut command = Command::new(&state.path);
        command.args(state.args.get(1..).unwrap_or_default()).stdin(Stdio::null());
        if !state.dir.is_empty() {
            command.current_dir(&state.dir);
        }
        if !state.env.is_empty() {
            command.env_clear().envs(state.env.iter().filter_map(|pair| pair.split_once('=')));
        }
        let out = || if captured { Stdio::piped() } else { Stdio::null() };
        command.stdout(out()).stderr(out());
        command
    }
    fn run(&self, captured: bool) -> Res<Output> {
        let output = self.command(captured).output();
        output.map_err(|error| self.failed(&error))
    }
    fn failed(&self, error: &std::io::Error) -> Fail {
        let state = self.0.lock();
        if error.kind() == std::io::ErrorKind::NotFound && !state.path.contains('/') {
            let name = &state.path;
            return Fail::other(format!("exec: {name:?}: executable file not found in $PATH"));
        }
        super::os::fail("fork/exec", &state.path, error)
    }
}

/// Where an executable is.
fn found(name: &str) -> Option<String> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let paths = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&paths).map(|dir| dir.join(name));
    places
        .find(|path: &std::path::PathBuf| Path::is_file(path))
        .map(|path| path.display().to_string())
}
