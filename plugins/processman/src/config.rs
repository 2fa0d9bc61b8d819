//! What is to be run: entries of the file, and those of code. Source: spec extensions 5.1.
//!
//! Reads and checks only: every fault is a sentence for the log. Must not know processes.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use pocketbase::durations;
use serde_json::{Map, Value};

/// Most bytes of the file.
const MAX_FILE: u64 = 1 << 20;
/// Most processes.
const MAX_ENTRIES: usize = 1000;
/// The wait before the first restart, unless the entry says otherwise.
pub(crate) const BACKOFF: Duration = Duration::from_secs(1);
/// No wait is shorter: a process that ends at once must not keep a core busy.
const MIN_BACKOFF: Duration = Duration::from_millis(10);

/// A process that is kept running. Only `id` and one of `script` and `command` are needed.
///
/// ```
/// let worker = processman::ProcessConfig {
///     id: "worker".into(),
///     script: "workers/mail.py".into(),
///     max_retries: Some(3),
///     ..Default::default()
/// };
/// assert!(worker.check().is_ok());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProcessConfig {
    /// 1–64 of `A-Za-z0-9_.-`.
    pub id: String,
    /// A file, relative to `cwd`; what runs it depends on how its name ends.
    pub script: String,
    /// A program, when there is no script.
    pub command: String,
    /// What it is called with.
    pub args: Vec<String>,
    /// Its directory, relative to the data directory; that itself when it is empty.
    pub cwd: String,
    /// Variables; `$NAME` and `${NAME}` in values are those of the server.
    pub env: Vec<(String, String)>,
    /// What runs the script; empty or `auto` to find out.
    pub interpreter: String,
    /// How many quick crashes in a row are followed by another try; any number by default.
    pub max_retries: Option<i64>,
    /// The wait before the first restart (`500ms`, `1m30s`), which doubles with each; one second by default.
    pub backoff: Option<String>,
    /// Restart when files change; always with `--dev`.
    pub dev_mode: bool,
    /// What to look at, relative to `cwd`; the directory of the script by default.
    pub watch_paths: Vec<String>,
}

/// Variables may hold secrets.
impl fmt::Debug for ProcessConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessConfig").field("id", &self.id).finish_non_exhaustive()
    }
}

impl ProcessConfig {
    /// Checks what has to be there.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if self.id.is_empty() {
            return Err("a process without an id is skipped".into());
        }
        if self.id.len() > 64 || !self.id.chars().all(is_id) {
            return Err("a process whose id is not 1-64 of A-Za-z0-9_.- is skipped".into());
        }
        if self.script.is_empty() && self.command.is_empty() {
            return Err(format!("process {:?} without script and command is skipped", self.id));
        }
        let texts = [&self.script, &self.command, &self.cwd, &self.interpreter];
        let pairs = self.env.iter().flat_map(|(name, value)| [name, value]);
        if texts.into_iter().chain(&self.args).chain(pairs).any(|text| text.contains('\0')) {
            return Err(format!("process {:?} with a NUL character is skipped", self.id));
        }
        if self.env.iter().any(|(name, _)| name.is_empty() || name.contains('=')) {
            return Err(format!("process {:?} with a variable without a name is skipped", self.id));
        }
        Ok(())
    }

    /// The wait before the first restart.
    pub(crate) fn base(&self) -> Duration {
        self.backoff.as_deref().and_then(duration).map_or(BACKOFF, |base| base.max(MIN_BACKOFF))
    }
}

/// What a file says, with what has to be told about it.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) entries: Vec<ProcessConfig>,
    pub(crate) warnings: Vec<String>,
}

/// Where the processes are described: what the flag says, else the file in the working directory, else the one in the data
/// directory. `true` when somebody named it.
pub(crate) fn locate(flag: Option<String>, name: &str, data_dir: &Path) -> (PathBuf, bool) {
    if let Some(path) = flag.filter(|path| !path.is_empty()) {
        return (path.into(), true);
    }
    let here = PathBuf::from(name);
    let beside = data_dir.join(name);
    if !here.exists() && beside.exists() { (beside, false) } else { (here, false) }
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read, or is no array in JSON.
pub(crate) fn load(path: &Path) -> io::Result<Read> {
    let file = File::open(path)?;
    let mut warnings = Vec::new();
    if is_open_to_others(&file) {
        warnings.push("the file with the processes can be written by others than its owner".into());
    }
    let mut text = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    let mut read = parse(&text)?;
    warnings.append(&mut read.warnings);
    Ok(Read { warnings, ..read })
}

#[cfg(unix)]
fn is_open_to_others(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().is_ok_and(|found| found.mode() & 0o022 != 0)
}
#[cfg(not(unix))]
fn is_open_to_others(_file: &File) -> bool {
    false
}

fn parse(text: &[u8]) -> io::Result<Read> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    // serde's message has a place and no content
    let Value::Array(list) = serde_json::from_slice(text)? else {
        return Err(io::Error::other("it is no array"));
    };
    let mut read = Read::default();
    for (at, value) in list.iter().enumerate() {
        if at == MAX_ENTRIES {
            read.warnings.push(format!("processes beyond the first {MAX_ENTRIES} are skipped"));
            break;
        }
        match entry(value, &mut read.warnings) {
            Ok(config) if read.entries.iter().any(|other| other.id == config.id) => {
                read.warnings.push(format!("a second process {:?} is skipped", config.id));
            }
            Ok(config) => read.entries.push(config),
            Err(why) => read.warnings.push(why),
        }
    }
    Ok(read)
}

fn entry(value: &Value, warnings: &mut Vec<String>) -> Result<ProcessConfig, String> {
    let map = value.as_object().ok_or("a process that is no object is skipped")?;
    let id = string(map, "id")?;
    let told = |why: String| if id.is_empty() { why } else { format!("process {id:?}: {why}") };
    let mut config = fields(map).map_err(told)?;
    config.check()?;
    if !config.script.is_empty() && !config.command.is_empty() {
        warnings.push(format!("process {id:?} has a script and a command: the script is run"));
    }
    if let Some(backoff) = &config.backoff
        && duration(backoff).is_none()
    {
        warnings.push(format!("process {id:?} has an invalid backoff: 1s is used"));
        config.backoff = Some("1s".into());
    }
    Ok(config)
}

fn fields(map: &Map<String, Value>) -> Result<ProcessConfig, String> {
    let wrong = |key: &str| format!("{key} is of the wrong type, it is skipped");
    let env = match map.get("env") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(pairs)) => {
            let text = |(name, value): (&String, &Value)| {
                value.as_str().map(|value| (name.clone(), value.to_owned()))
            };
            pairs.iter().map(text).collect::<Option<_>>().ok_or_else(|| wrong("env"))?
        }
        Some(_) => return Err(wrong("env")),
    };
    let max_retries = match map.get("maxRetries") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_i64().ok_or_else(|| wrong("maxRetries"))?),
    };
    let dev_mode = match map.get("devMode") {
        None | Some(Value::Null) => false,
        Some(value) => value.as_bool().ok_or_else(|| wrong("devMode"))?,
    };
    let backoff = match map.get("backoff") {
        None | Some(Value::Null) => None,
        // what is no text is as invalid as a text that is none
        Some(value) => Some(value.as_str().unwrap_or("?").to_owned()),
    };
    Ok(ProcessConfig {
        id: string(map, "id")?,
        script: string(map, "script")?,
        command: string(map, "command")?,
        args: strings(map, "args")?,
        cwd: string(map, "cwd")?,
        env,
        interpreter: string(map, "interpreter")?,
        max_retries,
        backoff,
        dev_mode,
        watch_paths: strings(map, "watchPaths")?,
    })
}

fn string(map: &Map<String, Value>, key: &str) -> Result<String, String> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("{key} is of the wrong type, it is skipped")),
    }
}

fn strings(map: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("{key} is of the wrong type, it is skipped");
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => {
            list.iter().map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

/// A positive duration as Go writes them: `1h2m3.5s`, `500ms`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let nanos = durations::parse(text.trim())?;
    Duration::try_from_secs_f64(nanos / 1e9).ok().filter(|found| !found.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("1s", Some(1000)),
            ("1m30s", Some(90_000)),
            ("1h", Some(3_600_000)),
            ("1.5s", Some(1500)),
            ("0", None),
            ("0s", None),
            ("-1s", None),
            ("5", None),
            ("s", None),
            ("1 s", None),
            ("1x", None),
            ("", None),
            ("99999999999999999999999h", None),
        ] {
            let found = duration(text).map(|found| found.as_millis());
            assert_eq!(found, millis, "{text}");
        }
    }

    #[test]
    fn entries_that_cannot_be_used_are_skipped_and_told() {
        let read = parse(
            br#"[{"script":"a.py"}, {"id":"x"}, {"id":"a/b","command":"c"}, 7, {"id":"ok","command":"c"},
                {"id":"ok","command":"d"}, {"id":"both","script":"s","command":"c","backoff":"soon"},
                {"id":"t","command":"c","args":"no"}, {"id":"n","command":"c","maxRetries":"3"},
                {"id":"e","command":"c","env":{"A":1}}, {"id":"z","command":"c","args":["\u0000"]},
                {"id":"q","command":"c","env":{"":"geheim"}}]"#,
        )
        .expect("an array");
        let ids: Vec<_> = read.entries.iter().map(|config| config.id.as_str()).collect();
        assert_eq!(ids, ["ok", "both"]);
        assert_eq!(read.warnings.len(), 12, "{:#?}", read.warnings);
        assert!(!read.warnings.concat().contains("geheim"));
        assert_eq!(read.entries[1].base(), BACKOFF);
        for text in ["", "{", "{}", "[1,]", "null"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_file_is_looked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let name = "no-such-file-here.json";
        assert_eq!(locate(Some("x.json".into()), name, dir.path()), ("x.json".into(), true));
        assert_eq!(locate(Some(String::new()), name, dir.path()), (name.into(), false));
        std::fs::write(dir.path().join(name), "[]").expect("a file");
        assert_eq!(locate(None, name, dir.path()), (dir.path().join(name), false));
    }
}
