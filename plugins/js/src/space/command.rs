//! Commands of the system: what `$os.cmd` gives (spec extending §3.3).

use std::{
    io::Write as _,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio},
    sync::Arc,
};

use parking_lot::Mutex;
use rquickjs::Ctx;

use crate::{
    bind::{Fail, Res, Shared, Val, as_host, export, items, native, object, table, text},
    host::{Reader, Source, Stream},
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
    /// What is given to it.
    input: Option<Vec<u8>>,
    /// Ends of pipes that were asked for; they are connected when it starts.
    stdin: Option<Arc<Mutex<Option<ChildStdin>>>>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    ended: Option<(ExitStatus, u32)>,
}

/// What goes into a command.
pub(crate) struct Inlet(Arc<Mutex<Option<ChildStdin>>>);
/// A command that runs.
pub(crate) struct Running(u32);
/// How a command has ended.
pub(crate) struct Ended(ExitStatus, u32);

/// A command that failed.
pub(crate) struct ExitError {
    code: i32,
    stderr: Vec<u8>,
}

native!(Cmd = CMD, ExitError = EXIT_ERROR, Inlet = INLET, Running = PROCESS, Ended = PROCESS_STATE);

table! {
    pub(crate) static CMD: Cmd = "exec.Cmd", "A command of the system." {
        prop "path": "string", "The executable." => |cx, c| c.0.lock().path.clone(), set |cx, c, v| c.0.lock().path = text(cx, &v)?;
        prop "args": "string[]", "The arguments, the name first." => |cx, c| c.0.lock().args.clone(), set |cx, c, v| c.0.lock().args = texts(cx, &v)?;
        prop "env": "string[]", "The environment, `NAME=value`; empty for that of the server." => |cx, c| c.0.lock().env.clone(), set |cx, c, v| c.0.lock().env = texts(cx, &v)?;
        prop "dir": "string", "The working directory." => |cx, c| c.0.lock().dir.clone(), set |cx, c, v| c.0.lock().dir = text(cx, &v)?;
        prop "stdin": "any", "What it reads: a reader or bytes." => |cx, c| Val::Null, set |cx, c, v| {
            c.0.lock().input = match as_host(&v).as_ref().and_then(|host| host.get::<Reader>()) {
                Some(reader) => Some(reader.take(0)?),
                None => export(cx, &v)?.into_bytes(),
            };
        };
        prop "process": "os.Process", "The process, once it is started." => |cx, c| {
            c.0.lock().child.as_ref().map(|child| Arc::new(Running(child.id())) as Shared)
        };
        prop "processState": "os.ProcessState", "How it has ended; `null` before." => |cx, c| {
            c.0.lock().ended.map(|(status, pid)| Arc::new(Ended(status, pid)) as Shared)
        };
        fn "stdinPipe" "(): io.WriteCloser" "What is written there it reads; to be asked for before it starts." => |cx, c, a| {
            let inlet = c.0.lock().stdin.get_or_insert_default().clone();
            Arc::new(Inlet(inlet)) as Shared
        };
        fn "stdoutPipe" "(): io.ReadCloser" "What it prints; to be asked for before it starts." => |cx, c, a| {
            let stream = c.0.lock().stdout.get_or_insert_default().clone();
            Arc::new(Reader::Stream(stream)) as Shared
        };
        fn "stderrPipe" "(): io.ReadCloser" "What it prints as errors; to be asked for before it starts." => |cx, c, a| {
            let stream = c.0.lock().stderr.get_or_insert_default().clone();
            Arc::new(Reader::Stream(stream)) as Shared
        };
        fn "output" "(): number[]" "Runs it and gives what it prints." => |cx, c, a| {
            let output = c.run()?;
            ended(cx, &output)?;
            Val::Bytes(output.stdout)
        };
        fn "combinedOutput" "(): number[]" "Runs it and gives what it prints, errors included." => |cx, c, a| {
            let mut output = c.run()?;
            output.stdout.extend(std::mem::take(&mut output.stderr));
            ended(cx, &output)?;
            Val::Bytes(output.stdout)
        };
        fn "run" "(): void" "Runs it to its end." => |cx, c, a| {
            c.start()?;
            c.wait(cx)?;
        };
        fn "start" "(): void" "Starts it." => |cx, c, a| {
            c.start()?;
        };
        fn "wait" "(): void" "Waits for the end of what was started." => |cx, c, a| {
            c.wait(cx)?;
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

table! {
    pub(crate) static INLET: Inlet = "io.WriteCloser", "What goes into a command." {
        fn "write" "(data: string | number[]): number" "Gives it more." => |cx, i, a| {
            let data = a.bytes(0)?;
            let mut inlet = i.0.lock();
            let inlet = inlet.as_mut().ok_or_else(|| Fail::other("write |1: file already closed"))?;
            inlet.write_all(&data).map_err(|error| super::os::fail("write", "|1", &error))?;
            data.len()
        };
        fn "close" "(): void" "There is no more." => |cx, i, a| { i.0.lock().take(); };
    }
}
table! {
    pub(crate) static PROCESS: Running = "os.Process", "A command that runs." {
        prop "pid": "number", "Its number." => |cx, p| p.0;
    }
}
table! {
    pub(crate) static PROCESS_STATE: Ended = "os.ProcessState", "How a command has ended." {
        fn "exitCode" "(): number" "Its exit code, -1 if a signal has ended it." => |cx, p, a| p.0.code().unwrap_or(-1);
        fn "exited" "(): boolean" "Whether it has ended by itself." => |cx, p, a| p.0.code().is_some();
        fn "success" "(): boolean" "Whether all went well." => |cx, p, a| p.0.success();
        fn "pid" "(): number" "Its number." => |cx, p, a| p.1;
        fn "string" "(): string" "In words." => |cx, p, a| p.text();
    }
    text |p| p.text();
}

impl Ended {
    fn text(&self) -> String {
        format!("exit status {}", self.0.code().unwrap_or(-1))
    }
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
        let reads = state.input.is_some() || state.stdin.is_some();
        command.args(state.args.get(1..).unwrap_or_default());
        command.stdin(if reads { Stdio::piped() } else { Stdio::null() });
        if !state.dir.is_empty() {
            command.current_dir(&state.dir);
        }
        if !state.env.is_empty() {
            command.env_clear().envs(state.env.iter().filter_map(|pair| pair.split_once('=')));
        }
        let out = |is_wanted: bool| if is_wanted { Stdio::piped() } else { Stdio::null() };
        command.stdout(out(captured || state.stdout.is_some()));
        command.stderr(out(captured || state.stderr.is_some()));
        command
    }
    /// Starts it with its pipes connected.
    fn start(&self) -> Res<()> {
        let mut child = self.command(false).spawn().map_err(|error| self.failed(&error))?;
        let mut state = self.0.lock();
        if let Some(stream) = &state.stdout {
            *stream.lock() = child.stdout.take().map(|out| Box::new(out) as Source);
        }
        if let Some(stream) = &state.stderr {
            *stream.lock() = child.stderr.take().map(|out| Box::new(out) as Source);
        }
        if let Some(input) = state.input.take() {
            feed(&mut child, input);
        } else if let Some(inlet) = &state.stdin {
            *inlet.lock() = child.stdin.take();
        }
        state.child = Some(child);
        Ok(())
    }
    fn wait(&self, cx: &Ctx<'_>) -> Res<()> {
        let child = self.0.lock().child.take();
        let mut child = child.ok_or_else(|| Fail::other("exec: not started"))?;
        let status = child.wait()?;
        // what nobody has read by now is gone, and so is who writes
        let mut state = self.0.lock();
        state.ended = Some((status, child.id()));
        if let Some(inlet) = &state.stdin {
            inlet.lock().take();
        }
        drop(state);
        ended(cx, &Output { status, stdout: Vec::new(), stderr: Vec::new() })
    }
    /// Runs it to its end and keeps what it prints.
    fn run(&self) -> Res<Output> {
        let mut child = self.command(true).spawn().map_err(|error| self.failed(&error))?;
        if let Some(input) = self.0.lock().input.take() {
            feed(&mut child, input);
        }
        let pid = child.id();
        let output = child.wait_with_output().map_err(|error| self.failed(&error))?;
        self.0.lock().ended = Some((output.status, pid));
        Ok(output)
    }
    fn failed(&self, error: &std::io::Error) -> Fail {
        let state = self.0.lock();
        if state.path.is_empty() {
            return Fail::other("exec: no command");
        }
        if error.kind() == std::io::ErrorKind::NotFound && !state.path.contains('/') {
            let name = &state.path;
            return Fail::other(format!("exec: {name:?}: executable file not found in $PATH"));
        }
        super::os::fail("fork/exec", &state.path, error)
    }
}

/// Gives a command all that it is to read, on a thread of its own: it may print more than a pipe holds meanwhile.
fn feed(child: &mut Child, input: Vec<u8>) {
    if let Some(mut stdin) = child.stdin.take() {
        // a command that does not read on is no fault
        std::thread::spawn(move || stdin.write_all(&input).is_ok());
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
