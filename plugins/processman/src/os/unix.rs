//! Process groups. Systems without a signal at the death of the parent start their children directly.

use nix::{
    sys::signal::{self as sys, killpg},
    unistd::Pid,
};

use super::Signal;

/// Sends a signal to all processes of a group; false if there is none.
pub(crate) fn signal(group: u32, signal: Signal) -> bool {
    let signal = match signal {
        Signal::Term => sys::Signal::SIGTERM,
        Signal::Kill => sys::Signal::SIGKILL,
    };
    pid(group).is_some_and(|group| killpg(group, signal).is_ok())
}

/// What ended a process, as Go says it.
pub(crate) fn signal_name(exit: std::process::ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt as _;
    let number = exit.signal()?;
    let name = match number {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        6 => "aborted",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        _ => return Some(format!("signal: {number}")),
    };
    Some(format!("signal: {name}"))
}

/// True if somebody is in a group, be it dead and not waited for.
pub(super) fn exists(group: u32) -> bool {
    pid(group).is_some_and(|group| killpg(group, None).is_ok())
}

/// Groups 0 and 1 mean others than children.
fn pid(group: u32) -> Option<Pid> {
    i32::try_from(group).ok().filter(|group| *group > 1).map(Pid::from_raw)
}

#[cfg(not(target_os = "linux"))]
pub(crate) use self::direct::{Launcher, become_child, lives};

#[cfg(not(target_os = "linux"))]
mod direct {
    //! Without a launcher.

    use tokio::process::{Child, Command};

    use crate::plan::Plan;

    /// Starts processes.
    #[derive(Debug, Default)]
    pub(crate) struct Launcher;

    impl Launcher {
        /// Starts a process in a group of its own.
        #[allow(clippy::unused_async, reason = "other systems wait")]
        pub(crate) async fn start(&self, plan: &Plan) -> Result<Child, String> {
            let mut command = Command::new(&plan.program);
            command.args(&plan.args).current_dir(&plan.cwd).process_group(0);
            command.env_clear().envs(plan.env.iter().map(|(name, value)| (name, value)));
            command.stdin(std::process::Stdio::null());
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().map_err(|error| error.to_string())
        }
    }

    /// Nothing is launched here.
    pub(crate) fn become_child() {}

    /// True if somebody lives in a group.
    pub(crate) fn lives(group: u32) -> bool {
        super::exists(group)
    }
}
