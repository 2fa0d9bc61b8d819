//! Linux: a child is killed when the server dies, however that happens (`PR_SET_PDEATHSIG`).
//!
//! That has to be asked for by the child itself, between fork and exec. A `pre_exec` would be unsafe code, which the workspace
//! denies, in a place where hardly anything is allowed, and no crate has a safe door to exactly this. So the executable
//! starts *itself* (`pocketbase pm-child PID`, [`become_child`]): that process asks for the signal, checks that its parent is
//! still the server, and becomes the program by exec, all of it safe code that may allocate and report. What to execute comes
//! over a socket in the place of stdin, so that neither arguments nor variables of the program are seen in a process list or
//! read by the executable's own start. The same socket tells whether exec failed: it closes by itself when it succeeds.
//!
//! The signal comes when the *thread* ends that started the child: all are started by one thread, which lives as long as the
//! [`Launcher`]. It reaches the child itself and not its children.

use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{
            ffi::{OsStrExt as _, OsStringExt as _},
            net::UnixStream,
            process::{CommandExt as _, parent_id},
        },
    },
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use nix::sys::{prctl, signal::Signal};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

use super::unix::exists;
use crate::plan::Plan;

/// How the executable is told that it is to become a child.
const WORD: &str = "pm-child";
/// The running executable, even when its file has been replaced.
const SELF: &str = "/proc/self/exe";
/// What the launched process says first.
const READY: u8 = b'R';
/// Most bytes of what is to be executed.
const MAX_PLAN: u64 = 16 << 20;
/// How long a launch may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Reply = oneshot::Sender<io::Result<(Child, UnixStream)>>;

/// Starts processes, all from one thread.
pub(crate) struct Launcher(mpsc::SyncSender<Reply>);

impl fmt::Debug for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Launcher")
    }
}

impl Default for Launcher {
    fn default() -> Self {
        let (orders, inbox) = mpsc::sync_channel::<Reply>(1);
        let runtime = Handle::try_current();
        // without the thread there is nobody who takes orders, and starting says so
        if let Ok(runtime) = runtime {
            _ = std::thread::Builder::new().name("processman".into()).spawn(move || {
                let _inside = runtime.enter();
                while let Ok(reply) = inbox.recv() {
                    // whoever asked may have stopped waiting: the child then finds a closed socket
                    _ = reply.send(launch());
                }
            });
        }
        Self(orders)
    }
}

/// On the thread: the executable as a child that waits for what to become.
fn launch() -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = Command::new(SELF)
        .arg(WORD)
        .arg(std::process::id().to_string())
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok((child, ours))
}

impl Launcher {
    /// Starts a process in a group of its own.
    pub(crate) async fn start(&self, plan: &Plan) -> Result<Child, String> {
        let (reply, answer) = oneshot::channel();
        if let Err(error) = self.0.try_send(reply) {
            // another start is being made, which takes a millisecond
            let mpsc::TrySendError::Full(mut reply) = error else { return Err(gone()) };
            loop {
                tokio::time::sleep(Duration::from_millis(2)).await;
                match self.0.try_send(reply) {
                    Ok(()) => break,
                    Err(mpsc::TrySendError::Full(back)) => reply = back,
                    Err(mpsc::TrySendError::Disconnected(_)) => return Err(gone()),
                }
            }
        }
        let launched = answer.await.map_err(|_| gone())?;
        let (mut child, socket) = launched.map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, instruct(socket, plan)).await {
            Ok(Ok(())) => Ok(child),
            failed => {
                _ = child.kill().await;
                Err(match failed {
                    Ok(Err(text)) => text,
                    _ => "the process did not start in time".into(),
                })
            }
        }
    }
}

fn gone() -> String {
    "the thread that starts processes is gone".into()
}

/// Says what to become, and waits until that has happened.
async fn instruct(socket: UnixStream, plan: &Plan) -> Result<(), String> {
    let said = async {
        let mut socket = tokio::net::UnixStream::from_std(socket)?;
        let sent = async {
            socket.write_all(&written(plan)).await?;
            socket.shutdown().await
        };
        let sent = sent.await;
        let mut answer = Vec::new();
        // an end without an answer tells more than a write that failed because of it
        match socket.take(64).read_to_end(&mut answer).await {
            Ok(_) => Ok((sent, answer)),
            Err(error) => Err(error),
        }
    };
    let (sent, answer) = said.await.map_err(|error: io::Error| error.to_string())?;
    match answer.as_slice() {
        [READY] => sent.map_err(|error| error.to_string()),
        [READY, code @ ..] => {
            let code = code.try_into().map(i32::from_be_bytes).unwrap_or_default();
            Err(io::Error::from_raw_os_error(code).to_string())
        }
        _ => Err(format!(
            "the executable does not understand {WORD}: is the plugin registered in its main?"
        )),
    }
}

/// Texts with a NUL behind each, which none of them has: directory, number of arguments, program, arguments, variables.
fn written(plan: &Plan) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |text: &[u8]| {
        out.extend_from_slice(text);
        out.push(0);
    };
    put(plan.cwd.as_os_str().as_bytes());
    put(plan.args.len().to_string().as_bytes());
    put(plan.program.as_bytes());
    plan.args.iter().for_each(|arg| put(arg.as_bytes()));
    for (name, value) in &plan.env {
        put(&[name.as_bytes(), b"=", value.as_bytes()].concat());
    }
    out
}

/// The reverse of [`written`].
fn understood(bytes: &[u8]) -> Option<Plan> {
    let mut texts = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
    let mut next = || texts.next().map(|text| OsString::from_vec(text.to_vec()));
    let cwd = next()?.into();
    let n_args: usize = next()?.to_str()?.parse().ok()?;
    let program = next()?;
    let args = (0..n_args).map(|_| next()).collect::<Option<_>>()?;
    let pair = |text: &[u8]| {
        let at = text.iter().position(|byte| *byte == b'=')?;
        let os = |part: &[u8]| OsStr::from_bytes(part).to_owned();
        Some((os(&text[..at]), os(&text[at + 1..])))
    };
    let env = texts.map(pair).collect::<Option<_>>()?;
    Some(Plan { program, args, cwd, env })
}

/// In the launched process: becomes the program and does not come back. Does nothing in any other process.
pub(crate) fn become_child() {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|word| word != WORD) {
        return;
    }
    let server = args.next().and_then(|pid| pid.to_str()?.parse::<u32>().ok());
    std::process::exit(match server.map(replace) {
        Some(Err(_)) => 126,
        _ => 127,
    })
}

/// Fails before anything is executed, or comes back when it could not be.
fn replace(server: u32) -> io::Result<()> {
    use std::io::{Read as _, Write as _};
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // it may have died before that: then nobody sends the signal
    if parent_id() != server {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    // closed by exec, unlike stdin itself
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.write_all(&[READY])?;
    let mut bytes = Vec::new();
    (&socket).take(MAX_PLAN).read_to_end(&mut bytes)?;
    let plan = understood(&bytes).ok_or(io::ErrorKind::InvalidData)?;
    let error = std::process::Command::new(&plan.program)
        .args(&plan.args)
        .current_dir(&plan.cwd)
        .env_clear()
        .envs(plan.env)
        .stdin(Stdio::null())
        .exec();
    socket.write_all(&error.raw_os_error().unwrap_or_default().to_be_bytes())
}

/// True if somebody lives in a group; the dead whom nobody has waited for do not count.
pub(crate) fn lives(group: u32) -> bool {
    if !exists(group) {
        return false;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    processes.flatten().any(|entry| {
        let is_process = entry.file_name().as_bytes().iter().all(u8::is_ascii_digit);
        is_process && is_alive_in(group, &entry.path().join("stat"))
    })
}

fn is_alive_in(group: u32, stat: &std::path::Path) -> bool {
    let Ok(text) = std::fs::read(stat) else { return false };
    let text = String::from_utf8_lossy(&text);
    // the name of the program, in parentheses, may hold anything
    let Some((_, rest)) = text.rsplit_once(") ") else { return false };
    let mut fields = rest.split(' ');
    let state = fields.next().unwrap_or_default();
    let of = fields.nth(1).and_then(|group| group.parse().ok());
    of == Some(group) && !matches!(state, "Z" | "X" | "x")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_understood() {
        let os = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        for plan in [
            Plan {
                program: "/bin/x".into(),
                args: vec!["".into(), "a b".into(), os(b"\xff=")],
                cwd: "/tmp".into(),
                env: vec![("A".into(), "".into()), ("B".into(), os(b"\xfe=1"))],
            },
            Plan { program: "x".into(), args: Vec::new(), cwd: "".into(), env: Vec::new() },
        ] {
            assert_eq!(understood(&written(&plan)).as_ref(), Some(&plan));
        }
        for bytes in [&b""[..], b"/\0", b"/\x002\0x\0a\0", b"/\0x\0x\0"] {
            assert_eq!(understood(bytes), None);
        }
    }

    #[test]
    fn groups_live_and_die() {
        let mut child = std::process::Command::new("sleep");
        let mut child = child.arg("1000").process_group(0).spawn().expect("sleep starts");
        assert!(lives(child.id()));
        super::super::signal(child.id(), super::super::Signal::Kill);
        // dead, and not waited for
        while lives(child.id()) {
            std::thread::yield_now();
        }
        child.wait().expect("it has ended");
        assert!(!exists(child.id()));
    }
}
