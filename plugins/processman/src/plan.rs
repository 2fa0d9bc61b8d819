//! From an entry to what is executed: program, arguments, directory, variables. Source: spec extensions 5.1–5.3.
//!
//! No shell takes part. Must not know how processes are started.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{Component, MAIN_SEPARATOR, Path, PathBuf},
};

use pocketbase::environment::GUARDED;

use crate::{config::ProcessConfig, hidden::Hidden};

/// What is executed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    pub(crate) cwd: PathBuf,
    pub(crate) env: Vec<(OsString, OsString)>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("program", &self.program).finish_non_exhaustive()
    }
}

/// What all children of a server have in common.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The data directory, absolute.
    pub(crate) data_dir: PathBuf,
    /// All variables of the server.
    pub(crate) server: Vec<(OsString, OsString)>,
    /// Those that every child gets in addition.
    pub(crate) added: Vec<(OsString, OsString)>,
    /// The variable with the key of the settings.
    pub(crate) encryption_env: String,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// The directory of a process.
    pub(crate) fn cwd(&self, config: &ProcessConfig) -> PathBuf {
        match config.cwd.as_str() {
            "" | "." => self.data_dir.clone(),
            cwd => self.data_dir.join(cwd),
        }
    }

    /// What to execute now: interpreters may have come since the last time.
    pub(crate) fn plan(&self, config: &ProcessConfig) -> Plan {
        let cwd = self.cwd(config);
        let mut line = if config.script.is_empty() {
            vec![located(&cwd, &config.command)]
        } else {
            script(&cwd, config)
        };
        line.extend(config.args.iter().map(Into::into));
        let program = line.remove(0);
        Plan { program, args: line, cwd, env: self.env(config) }
    }

    fn env(&self, config: &ProcessConfig) -> Vec<(OsString, OsString)> {
        let is_guarded = |name: &OsStr| {
            name.to_str().is_some_and(|name| {
                GUARDED.contains(&name)
                    || !self.encryption_env.is_empty() && name == self.encryption_env
            })
        };
        let inherited = self.server.iter().filter(|(name, _)| !is_guarded(name)).cloned();
        let id = ("PB_PROCESS_ID".into(), OsString::from(&config.id));
        let own = config.env.iter().map(|(name, value)| (name.into(), self.expand(value)));
        let mut env: Vec<(OsString, OsString)> = Vec::new();
        for (name, value) in inherited.chain(self.added.iter().cloned()).chain([id]).chain(own) {
            env.retain(|(known, _)| *known != name);
            env.push((name, value));
        }
        env
    }

    /// What the process was given that others must not see.
    pub(crate) fn hidden(&self, config: &ProcessConfig) -> Hidden {
        let text = |value: &str| self.expand(value).to_string_lossy().into_owned();
        Hidden::of(config.env.iter().map(|(name, value)| (name.as_str(), text(value))))
    }

    fn variable(&self, name: &str) -> &OsStr {
        let found = self.added.iter().chain(&self.server).find(|(known, _)| known == name);
        found.map_or(OsStr::new(""), |(_, value)| value)
    }

    /// `$NAME` and `${NAME}` become values of the server's variables.
    fn expand(&self, text: &str) -> OsString {
        let mut out = OsString::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push(&rest[..at]);
            rest = &rest[at + 1..];
            let (name, after) = name(rest);
            match name {
                // a dollar that no name follows
                None if after == 0 => out.push("$"),
                None => {}
                Some(name) => out.push(self.variable(name)),
            }
            rest = &rest[after..];
        }
        out.push(rest);
        out
    }
}

/// What of a data directory a process executes: first segments of paths.
pub(crate) fn within(data_dir: &Path, config: &ProcessConfig) -> Vec<String> {
    let cwd = data_dir.join(match config.cwd.as_str() {
        "." => "",
        cwd => cwd,
    });
    let programs = [&config.command, &config.interpreter];
    let programs = programs.into_iter().filter(|name| name.contains(['/', MAIN_SEPARATOR]));
    // `python3 work.py`
    let files = config.args.iter().filter(|arg| cwd.join(arg.as_str()).exists());
    let names = std::iter::once(&config.script).chain(programs).chain(files);
    let mut paths: Vec<PathBuf> = names.map(|name| cwd.join(name)).collect();
    paths.push(cwd);
    let real: Vec<PathBuf> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let real_dir = data_dir.canonicalize().unwrap_or_default();
    let first = |root: &Path, path: &Path| {
        let path = clean(path);
        let rest = path.strip_prefix(root).ok()?.components().next()?;
        rest.as_os_str().to_str().map(str::to_owned)
    };
    let lexical = paths.iter().filter_map(|path| first(&clean(data_dir), path));
    lexical.chain(real.iter().filter_map(|path| first(&real_dir, path))).collect()
}

/// Without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = cleaned.pop(),
            part => cleaned.push(part),
        }
    }
    cleaned
}

/// The name behind a dollar, and how many bytes belong to it.
fn name(rest: &str) -> (Option<&str>, usize) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(braced) = rest.strip_prefix('{') {
        return match braced.find('}') {
            Some(0) => (None, 2),
            Some(end) => (Some(&braced[..end]), end + 2),
            None => (None, 1),
        };
    }
    match rest.chars().next() {
        Some(c) if c.is_ascii_digit() || "*#$@!?-".contains(c) => (Some(&rest[..1]), 1),
        Some(c) if is_word(c) => {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            (Some(&rest[..end]), end)
        }
        _ => (None, 0),
    }
}

/// A program with a folder in its name is meant from the directory of the process; others are looked for in `PATH`.
fn located(cwd: &Path, program: &str) -> OsString {
    if program.contains(['/', std::path::MAIN_SEPARATOR]) {
        cwd.join(program).into()
    } else {
        program.into()
    }
}

fn script(cwd: &Path, config: &ProcessConfig) -> Vec<OsString> {
    let name = config.script.as_str();
    let first = |places: &[&str], otherwise: &str| -> OsString {
        let found = places.iter().map(|place| cwd.join(place)).find(|path| path.exists());
        found.map_or_else(|| otherwise.into(), Into::into)
    };
    let ends = |suffix: &str| {
        Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    let interpreter = match config.interpreter.as_str() {
        "" | "auto" if ends("py") => first(PYTHONS, PYTHON),
        "" | "auto" if ends("js") => "node".into(),
        "" | "auto" if ends("ts") => first(&["node_modules/.bin/ts-node"], "node"),
        "" | "auto" => return vec![cwd.join(name).into()],
        given => located(cwd, given),
    };
    vec![interpreter, name.into()]
}

#[cfg(not(windows))]
const PYTHONS: &[&str] = &[".venv/bin/python", "venv/bin/python"];
#[cfg(not(windows))]
const PYTHON: &str = "python3";
#[cfg(windows)]
const PYTHONS: &[&str] = &[".venv/Scripts/python.exe", "venv/Scripts/python.exe"];
#[cfg(windows)]
const PYTHON: &str = "python";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn around(data_dir: &Path) -> Surroundings {
        let pairs = |list: &[(&str, &str)]| {
            list.iter().map(|(name, value)| (name.into(), value.into())).collect()
        };
        Surroundings {
            data_dir: data_dir.to_owned(),
            server: pairs(&[
                ("HOME", "/h"),
                ("PB_MASTER_KEY", "key"),
                ("PB_POSTGRES_DSN", "dsn"),
                ("TOF_APP_TOKEN", "tof"),
                ("ENC", "enc"),
                ("PB_PORT", "1"),
            ]),
            added: pairs(&[("PB_PORT", "9999")]),
            encryption_env: "ENC".into(),
        }
    }

    #[test]
    fn what_of_the_data_directory_is_executed() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("job.rb"), "").expect("a file");
        let entry = |cwd: &str, script: &str, command: &str, args: &[&str]| {
            let config = ProcessConfig {
                id: "x".into(),
                cwd: cwd.into(),
                script: script.into(),
                command: command.into(),
                args: args.iter().map(ToString::to_string).collect(),
                ..ProcessConfig::default()
            };
            let mut found = within(dir.path(), &config);
            found.sort();
            found.dedup();
            found
        };
        let inside = dir.path().join("deep/w.py").display().to_string();
        for (cwd, script, command, args, want) in [
            ("", "w.py", "", &[][..], &["w.py"][..]),
            (".", "./a/../lib/w.py", "", &[], &["lib"]),
            ("workers", "w.py", "", &[], &["workers"]),
            ("workers", "../w.py", "", &[], &["w.py", "workers"]),
            ("/tmp", "w.py", "", &[], &[]),
            ("/tmp", &inside, "", &[], &["deep"]),
            ("", "", "./bin/run", &[], &["bin"]),
            ("", "", "ruby", &["job.rb", "--fast"], &["job.rb"]),
            ("", "", "sleep", &["1"], &[]),
            ("..", "w.py", "", &[], &[]),
        ] {
            assert_eq!(entry(cwd, script, command, args), want, "{cwd} {script} {command}");
        }
    }

    #[test]
    fn interpreters() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        let line = |script: &str, interpreter: &str| {
            let config = ProcessConfig {
                id: "x".into(),
                script: script.into(),
                interpreter: interpreter.into(),
                args: vec!["--a b".into()],
                ..ProcessConfig::default()
            };
            let plan = around(dir.path()).plan(&config);
            assert_eq!(plan.cwd, dir.path());
            let mut line = vec![PathBuf::from(plan.program)];
            line.extend(plan.args.into_iter().map(PathBuf::from));
            assert_eq!(line.pop(), Some("--a b".into()));
            line
        };
        let is = |line: Vec<PathBuf>, want: &[PathBuf]| assert_eq!(line, want);
        is(line("w.py", ""), &[PYTHON.into(), "w.py".into()]);
        for venv in PYTHONS.iter().rev() {
            fs::create_dir_all(at(venv).parent().expect("a folder")).expect("a folder");
            fs::write(at(venv), "").expect("a file");
            is(line("w.py", "auto"), &[at(venv), "w.py".into()]);
        }
        is(line("w.js", ""), &["node".into(), "w.js".into()]);
        is(line("w.ts", ""), &["node".into(), "w.ts".into()]);
        fs::create_dir_all(at("node_modules/.bin")).expect("a folder");
        fs::write(at("node_modules/.bin/ts-node"), "").expect("a file");
        is(line("w.ts", ""), &[at("node_modules/.bin/ts-node"), "w.ts".into()]);
        is(line("run.sh", ""), &[at("run.sh")]);
        is(line("run.sh", "bash"), &["bash".into(), "run.sh".into()]);
    }

    #[test]
    fn variables() {
        let config = ProcessConfig {
            id: "w".into(),
            command: "c".into(),
            env: [
                ("A", "$HOME/${HOME}x$NONE-"),
                ("B", "$ 5$"),
                ("C", "${}${HOME"),
                ("D", "$PB_MASTER_KEY"),
                ("PB_POSTGRES_DSN", "${PB_POSTGRES_DSN}"),
                ("E", "$PB_PORT"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            ..ProcessConfig::default()
        };
        let env = around(Path::new("/d")).plan(&config).env;
        let of = |name: &str| {
            let found: Vec<_> = env.iter().filter(|(known, _)| known == name).collect();
            assert!(found.len() < 2, "{name} is there twice");
            found.first().map(|(_, value)| value.to_string_lossy().into_owned())
        };
        for (name, want) in [
            ("A", Some("/h//hx-")),
            ("B", Some("$ 5$")),
            ("C", Some("HOME")),
            ("D", Some("key")),
            ("E", Some("9999")),
            ("PB_POSTGRES_DSN", Some("dsn")),
            ("PB_MASTER_KEY", None),
            ("TOF_APP_TOKEN", None),
            ("ENC", None),
            ("HOME", Some("/h")),
            ("PB_PORT", Some("9999")),
            ("PB_PROCESS_ID", Some("w")),
        ] {
            assert_eq!(of(name).as_deref(), want, "{name}");
        }
    }

    #[test]
    fn directories() {
        let around = around(Path::new("/data"));
        for (cwd, command, dir, program) in [
            ("", "sleep", "/data", "sleep"),
            (".", "./bin/x", "/data", "/data/./bin/x"),
            ("w", "bin/x", "/data/w", "/data/w/bin/x"),
            ("/srv", "/bin/x", "/srv", "/bin/x"),
        ] {
            let config = ProcessConfig {
                cwd: cwd.into(),
                command: command.into(),
                ..ProcessConfig::default()
            };
            let plan = around.plan(&config);
            assert_eq!((plan.cwd, plan.program), (dir.into(), program.into()));
        }
    }
}
