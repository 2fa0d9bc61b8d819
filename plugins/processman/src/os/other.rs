//! Systems without process groups: the child itself is all that can be ended.

use std::process::Stdio;

use tokio::process::{Child, Command};

use super::Signal;
use crate::plan::Plan;

/// Starts processes.
#[derive(Debug, Default)]
pub(crate) struct Launcher;

impl Launcher {
    /// Starts a process.
    pub(crate) async fn start(&self, plan: &Plan) -> Result<Child, String> {
        let mut command = Command::new(&plan.program);
        command.args(&plan.args).current_dir(&plan.cwd).kill_on_drop(true);
        command.env_clear().envs(plan.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(|error| error.to_string())
    }
}

/// Nothing is launched here.
pub(crate) fn become_child() {}

/// There are no groups.
pub(crate) fn lives(_group: u32) -> bool {
    false
}

/// There are no signals.
pub(crate) fn signal_name(_exit: std::process::ExitStatus) -> Option<String> {
    None
}

/// There are no groups: whoever has the child ends it.
pub(crate) fn signal(_group: u32, _signal: Signal) -> bool {
    false
}
