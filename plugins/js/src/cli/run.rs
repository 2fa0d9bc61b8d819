//! Running commands on the thread that keeps the loader's context.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to whoever runs them")]

use std::{cell::RefCell, sync::Arc};

use pocketbase::{App, Error, Result, clap};
use rquickjs::{Ctx, Value};

use super::{
    Cmd,
    flags::{self, Flag, Stop},
    usage,
};
use crate::{
    bind::object,
    run::{Executor, Local, Pool, thrown_error},
};

thread_local! {
    /// The context whose functions the commands are.
    static LOADER: RefCell<Option<Executor>> = const { RefCell::new(None) };
}

pub(super) fn out(text: &str) {
    print!("{text}");
}
pub(super) fn err(text: &str) {
    eprint!("{text}");
}

/// The flags of every command, as commands of scripts see them.
pub(super) fn app_flags(app: &App) -> Vec<Flag> {
    let flags = app.flags();
    let shown = flags.iter().filter_map(|flag| {
        let default: Vec<_> =
            flag.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        let default = default.join(",");
        let value = match (flag.is_require_equals_set(), default.parse()) {
            (true, _) => flags::Value::Bool(default == "true"),
            (_, Ok(n)) => flags::Value::Int(n),
            _ => flags::Value::Text(default),
        };
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        Some(Flag::new(flag.get_long()?.to_owned(), String::new(), value, help))
    });
    shown.collect()
}

/// Makes the commands of `root` commands of the app. This thread, one of `pool`, keeps their context.
pub(crate) fn register(app: &App, pool: &Arc<Pool>, loader: Executor, root: &Cmd) {
    let commands = root.commands();
    if commands.is_empty() {
        return;
    }
    LOADER.set(Some(loader));
    for one in commands {
        let (about, aliases, hidden) = {
            let state = one.0.lock();
            (state.short.clone(), state.aliases.clone(), state.hidden)
        };
        let command = clap::Command::new(one.name()).about(about).aliases(aliases).hide(hidden);
        let pool = pool.clone();
        app.raw_command(command, move |_, args| {
            let (pool, one) = (pool.clone(), one.clone());
            async move {
                let work = move || {
                    LOADER.with_borrow(|loader| match loader {
                        Some(loader) => loader.with(|cx| executed(cx, &one, args)),
                        None => Err(Error::other("the context of the command is gone")),
                    })
                };
                pool.run(work).await
            }
        });
    }
}

pub(super) fn told(done: std::result::Result<(), Stop>) -> Result<()> {
    done.map_err(|stop| match stop {
        Stop::Help => Error::Message("help requested".into()),
        Stop::Wrong(text) => Error::Message(text),
    })
}

/// Finds what the arguments name below a command and runs it.
fn executed(cx: &Ctx<'_>, command: &Cmd, args: Vec<String>) -> Result<()> {
    let root = command.chain().pop();
    let mut args = root.and_then(|root| root.0.lock().given.take()).unwrap_or(args);
    let mut command = command.clone();
    loop {
        let mut known = own_flags(&command);
        known.extend(command.inherited(cx));
        let Some(at) = flags::first_word(&known, &args) else { break };
        let below = command.commands();
        let Some(next) = below.into_iter().find(|one| one.is_named(&args[at])) else { break };
        args.remove(at);
        command = next;
    }
    let done = run(cx, &command, args);
    if let Err(Failed { error, shows_usage }) = done {
        if shows_usage && !command.0.lock().silence_usage {
            err(&format!("{}\n", usage::usage(&command.told(cx))));
        }
        return Err(error);
    }
    Ok(())
}

fn own_flags(command: &Cmd) -> Vec<Flag> {
    let state = command.0.lock();
    [state.own.clone(), state.persistent.clone()].concat()
}

struct Failed {
    error: Error,
    shows_usage: bool,
}
fn misused(text: String) -> Failed {
    Failed { error: Error::Message(text), shows_usage: true }
}

fn run(cx: &Ctx<'_>, command: &Cmd, given: Vec<String>) -> std::result::Result<(), Failed> {
    let (deprecated, no_flags) = {
        let state = command.0.lock();
        (state.deprecated.clone(), state.no_flags)
    };
    if !deprecated.is_empty() {
        err(&format!("Command {:?} is deprecated, {deprecated}\n", command.name()));
    }
    let args = match no_flags {
        true => Ok(given),
        false => read(cx, command, &given),
    };
    let args = match args {
        Ok(args) if command.runs() => args,
        Ok(_) | Err(Stop::Help) => {
            out(&usage::help(&command.told(cx)));
            return Ok(());
        }
        Err(Stop::Wrong(text)) => return Err(misused(text)),
    };
    command.0.lock().args.clone_from(&args);
    call(cx, command, command, &["args"], &args, true)?;
    let above = command.chain();
    let with = |names: &[&str]| {
        above.iter().find(|one| one.0.lock().steps.iter().any(|(name, _)| names.contains(name)))
    };
    let before = ["persistentPreRunE", "persistentPreRun"];
    if let Some(one) = with(&before) {
        call(cx, one, command, &before, &args, false)?;
    }
    for names in [["preRunE", "preRun"], ["runE", "run"], ["postRunE", "postRun"]] {
        call(cx, command, command, &names, &args, false)?;
    }
    let after = ["persistentPostRunE", "persistentPostRun"];
    if let Some(one) = with(&after) {
        call(cx, one, command, &after, &args, false)?;
    }
    Ok(())
}

/// Reads the arguments into the flags of a command and of what is above it.
fn read(cx: &Ctx<'_>, command: &Cmd, given: &[String]) -> std::result::Result<Vec<String>, Stop> {
    let mut known = own_flags(command);
    known.extend(command.inherited(cx));
    let args = flags::read(&mut known, given)?;
    for one in command.chain() {
        let mut state = one.0.lock();
        let state = &mut *state;
        for flag in state.own.iter_mut().chain(&mut state.persistent) {
            if let Some(read) = known.iter().find(|read| read.name == flag.name) {
                flag.clone_from(read);
            }
        }
    }
    Ok(args)
}

/// Calls the first of the functions that a command has. What it gives is an error only for those that may give one.
fn call(
    cx: &Ctx<'_>,
    of: &Cmd,
    command: &Cmd,
    names: &[&str],
    args: &[String],
    may_fail: bool,
) -> std::result::Result<(), Failed> {
    let found = names.iter().find_map(|name| Some((*name, of.step(cx, name)?)));
    let Some((name, function)) = found else { return Ok(()) };
    let may_fail = may_fail || name.ends_with('E');
    let called = || -> crate::bind::Res<()> {
        let host = object(cx, Arc::new(command.clone()))?;
        let given: Value<'_> = function.call((host, args.to_vec()))?;
        if may_fail { crate::bind::no_result(cx, &given) } else { Ok(()) }
    };
    let done = called().map_err(|fail| thrown_error(cx, fail));
    let fatal = Local::of(cx).fatal.borrow_mut().take();
    while cx.execute_pending_job() {}
    let done = fatal.map_or(done, |text| Err(Error::Message(text)));
    done.map_err(|error| {
        // as the reference, which goes on after a panic only to end
        let error = match may_fail {
            true => error,
            false => Error::Message(format!("[SafeWrap] recovered from panic: {error}")),
        };
        Failed { error, shows_usage: may_fail }
    })
}
