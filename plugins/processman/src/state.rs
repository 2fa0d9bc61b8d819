//! What is known of a process, and how it is shown: without values that look like secrets. Source: spec extensions 5.4, 5.6.
//!
//! Must not know how processes are started or asked for.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pocketbase::{DateTime, durations};
use serde_json::{Map, Value, json};

use crate::{
    config::ProcessConfig,
    hidden::{MASK, has_userinfo, is_secret},
    logs::Line,
};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It does not run, and will not until somebody starts it.
    #[default]
    Stopped,
    /// It has just ended by itself.
    Crashed,
    /// It waits to be started again.
    Backoff,
}

impl Status {
    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
            Self::Backoff => "backoff",
        }
    }
}

/// A process at a moment.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProcessState {
    /// What it does.
    pub status: Status,
    /// Its process id, and that of its group, while it runs.
    pub pid: Option<u32>,
    /// When it was started the last time.
    pub start_time: Option<SystemTime>,
    /// How long it has been running.
    pub uptime: Option<Duration>,
    /// How often it was started again, by itself or by hand.
    pub restart_count: u64,
    /// Why it ended or could not be started.
    pub last_error: Option<String>,
    /// Its entry.
    pub config: ProcessConfig,
}

/// The changing part of it.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) status: Status,
    pub(crate) pid: Option<u32>,
    pub(crate) started: Option<(SystemTime, Instant)>,
    pub(crate) n_restarts: u64,
    pub(crate) last_error: Option<String>,
    /// It is to run, as far as anybody has said.
    pub(crate) is_wanted: bool,
}

impl Live {
    pub(crate) fn at_now(&self, config: &ProcessConfig) -> ProcessState {
        let is_running = self.status == Status::Running;
        ProcessState {
            status: self.status,
            pid: self.pid,
            start_time: self.started.map(|(time, _)| time),
            uptime: self.started.filter(|_| is_running).map(|(_, since)| since.elapsed()),
            restart_count: self.n_restarts,
            last_error: self.last_error.clone(),
            config: config.clone(),
        }
    }
}

impl ProcessState {
    /// As `GET /api/pm/list` shows it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
        put("id", self.config.id.as_str().into());
        put("pid", self.pid.unwrap_or_default().into());
        put("status", self.status.name().into());
        put("startTime", self.start_time.map_or("0001-01-01T00:00:00Z".into(), rfc3339).into());
        put("uptime", self.uptime.map(go_duration).unwrap_or_default().into());
        put("restartCount", self.restart_count.into());
        if let Some(error) = &self.last_error {
            put("lastError", error.as_str().into());
        }
        put("config", shown(&self.config));
        map.into()
    }
}

/// A line as `GET /api/pm/{id}/logs` shows it.
pub(crate) fn line_json(id: &str, line: &Line) -> Value {
    json!({
        "timestamp": rfc3339(line.time),
        "processId": id,
        "stream": line.source.name(),
        "content": &*line.content,
    })
}

fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(millis).to_string().replacen(' ', "T", 1)
}

/// Whole seconds as Go shows them: `2h30m15s`.
fn go_duration(time: Duration) -> String {
    durations::text(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000_000))
}

fn shown(config: &ProcessConfig) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    put("id", config.id.as_str().into());
    for (key, text) in [("script", &config.script), ("command", &config.command)] {
        if !text.is_empty() {
            put(key, text.as_str().into());
        }
    }
    if !config.args.is_empty() {
        put("args", shown_args(&config.args).into());
    }
    put("cwd", if config.cwd.is_empty() { "." } else { &config.cwd }.into());
    if !config.env.is_empty() {
        let env = config.env.iter().map(|(name, value)| {
            let is_hidden = is_secret(name) || has_userinfo(value);
            (name.clone(), Value::from(if is_hidden { MASK } else { value }))
        });
        put("env", Value::Object(env.collect()));
    }
    if !config.interpreter.is_empty() {
        put("interpreter", config.interpreter.as_str().into());
    }
    if let Some(n) = config.max_retries {
        put("maxRetries", n.into());
    }
    if let Some(backoff) = &config.backoff {
        put("backoff", backoff.as_str().into());
    }
    if config.dev_mode {
        put("devMode", true.into());
    }
    if !config.watch_paths.is_empty() {
        put("watchPaths", config.watch_paths.clone().into());
    }
    map.into()
}

fn shown_args(args: &[String]) -> Vec<String> {
    let mut hide_next = false;
    let one = |arg: &String| {
        let is_hidden = std::mem::take(&mut hide_next);
        let flag = arg.starts_with('-').then(|| arg.split_once('='));
        match flag {
            Some(Some((name, _))) if is_secret(name) => return format!("{name}={MASK}"),
            Some(None) => hide_next = is_secret(arg),
            // for `env`, and headers
            None => {
                let named = arg.split_once(['=', ':']);
                if let Some((name, _)) = named.filter(|(name, _)| is_secret(name) && !is_hidden) {
                    return format!("{}{MASK}", &arg[..=name.len()]);
                }
            }
            _ => {}
        }
        if is_hidden || has_userinfo(arg) { MASK.to_owned() } else { arg.clone() }
    };
    args.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_as_go_does() {
        for (seconds, want) in [(0, "0s"), (59, "59s"), (60, "1m0s"), (9015, "2h30m15s")] {
            assert_eq!(go_duration(Duration::from_millis(seconds * 1000 + 400)), want);
        }
    }

    #[test]
    fn entries_are_shown_without_secrets() {
        let text = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let config = ProcessConfig {
            id: "w".into(),
            script: "w.py".into(),
            args: text(&[
                "--api-key",
                "k1",
                "--token=t1",
                "-v",
                "x",
                "--password",
                "--db",
                "postgres://u:p@h/d",
                "https://h/a@b",
            ]),
            env: [
                ("MY_KEY", "a"),
                ("secret_1", "b"),
                ("PGPASSWORD", "c"),
                ("AUTHOR", "d"),
                ("DB_DSN", "e"),
                ("URL", "redis://:pw@h:1/0"),
                ("PLAIN", "$HOME"),
                ("LINK", "http://h/@x"),
            ]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
            max_retries: Some(0),
            ..ProcessConfig::default()
        };
        let state = ProcessState { config, ..ProcessState::default() };
        let mut shown = state.to_json();
        assert_eq!(
            shown["config"].take().to_string(),
            r#"{"id":"w","script":"w.py","args":["--api-key","****","--token=****","-v","x","--password","****","****","https://h/a@b"],"cwd":".","env":{"MY_KEY":"****","secret_1":"****","PGPASSWORD":"****","AUTHOR":"****","DB_DSN":"****","URL":"****","PLAIN":"$HOME","LINK":"http://h/@x"},"maxRetries":0}"#
        );
        assert_eq!(
            shown.to_string(),
            r#"{"id":"w","pid":0,"status":"stopped","startTime":"0001-01-01T00:00:00Z","uptime":"","restartCount":0,"config":null}"#
        );
    }
}
