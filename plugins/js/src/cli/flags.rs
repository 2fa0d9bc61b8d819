//! Flags of commands: their values, how arguments are read and how help lists them (spec extending §9.9). Pure.

use std::fmt::Write as _;

use pocketbase::durations;

/// The value of a flag.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Nanoseconds.
    Duration(i64),
    List(Vec<String>),
}

/// A flag.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flag {
    pub(crate) name: String,
    /// One letter, or empty.
    pub(crate) short: String,
    pub(crate) usage: String,
    pub(crate) value: Value,
    /// As text.
    pub(crate) default: String,
    pub(crate) changed: bool,
}

/// What keeps arguments from being read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Help,
    Wrong(String),
}

impl Value {
    /// The type as help names it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::Duration(_) => "duration",
            Self::List(_) => "strings",
        }
    }
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bool(on) => on.to_string(),
            Self::Int(n) => n.to_string(),
            Self::Float(n) => n.to_string(),
            Self::Text(text) => text.clone(),
            Self::Duration(nanos) => durations::text(*nanos),
            Self::List(items) => format!("[{}]", items.join(",")),
        }
    }
    fn is_zero(&self) -> bool {
        match self {
            Self::Bool(on) => !on,
            Self::Int(n) | Self::Duration(n) => *n == 0,
            Self::Float(n) => *n == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
        }
    }
    /// Reads a value; lists grow once they were given.
    fn read(&mut self, text: &str, again: bool) -> Result<(), String> {
        let wrong = |parser: &str| format!("strconv.{parser}: parsing {text:?}: invalid syntax");
        match self {
            Self::Bool(on) => {
                *on = match text {
                    "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
                    "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
                    _ => return Err(wrong("ParseBool")),
                };
            }
            Self::Int(n) => *n = text.parse().map_err(|_| wrong("ParseInt"))?,
            Self::Float(n) => *n = text.parse().map_err(|_| wrong("ParseFloat"))?,
            Self::Text(old) => text.clone_into(old),
            Self::Duration(nanos) => {
                *nanos =
                    duration(text).ok_or_else(|| format!("time: invalid duration {text:?}"))?;
            }
            Self::List(items) => {
                if !again {
                    items.clear();
                }
                items.extend(text.split(',').filter(|item| !item.is_empty()).map(str::to_owned));
            }
        }
        Ok(())
    }
}

impl Flag {
    pub(crate) fn new(name: String, short: String, value: Value, usage: String) -> Self {
        let default = value.text();
        Self { name, short, usage, value, default, changed: false }
    }
    pub(crate) fn set(&mut self, text: &str) -> Result<(), Stop> {
        let done = self.value.read(text, self.changed);
        self.changed = true;
        done.map_err(|error| {
            let name = match self.short.as_str() {
                "" => format!("--{}", self.name),
                short => format!("-{short}, --{}", self.name),
            };
            Stop::Wrong(format!("invalid argument {text:?} for {name:?} flag: {error}"))
        })
    }
    fn is_switch(&self) -> bool {
        matches!(self.value, Value::Bool(_))
    }
}

/// Reads arguments into flags and gives the others.
pub(crate) fn read(flags: &mut [Flag], given: &[String]) -> Result<Vec<String>, Stop> {
    let mut others = Vec::new();
    let mut all = given.iter();
    while let Some(arg) = all.next() {
        if arg == "--" {
            others.extend(all.cloned());
            break;
        }
        if let Some(name) = arg.strip_prefix("--") {
            long(flags, arg, name, &mut all)?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            short(flags, letters, &mut all)?;
        } else {
            others.push(arg.clone());
        }
    }
    Ok(others)
}

type Args<'a> = std::slice::Iter<'a, String>;

fn long(flags: &mut [Flag], arg: &str, name: &str, all: &mut Args<'_>) -> Result<(), Stop> {
    if name.starts_with(['-', '=']) {
        return Err(Stop::Wrong(format!("bad flag syntax: {arg}")));
    }
    let (name, value) = name.split_once('=').map_or((name, None), |(name, v)| (name, Some(v)));
    let Some(flag) = flags.iter_mut().find(|flag| flag.name == name) else {
        return Err(match name {
            "help" => Stop::Help,
            _ => Stop::Wrong(format!("unknown flag: --{name}")),
        });
    };
    match value {
        Some(value) => flag.set(value),
        None if flag.is_switch() => flag.set("true"),
        None => match all.next() {
            Some(value) => flag.set(value),
            None => Err(Stop::Wrong(format!("flag needs an argument: --{name}"))),
        },
    }
}

fn short(flags: &mut [Flag], letters: &str, all: &mut Args<'_>) -> Result<(), Stop> {
    let mut rest = letters;
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        let Some(flag) = flags.iter_mut().find(|flag| flag.short == letter.to_string()) else {
            return Err(match letter {
                'h' => Stop::Help,
                _ => Stop::Wrong(format!("unknown shorthand flag: '{letter}' in -{letters}")),
            });
        };
        if let Some(value) = after.strip_prefix('=') {
            return flag.set(value);
        }
        if flag.is_switch() {
            flag.set("true")?;
            rest = after;
            continue;
        }
        if !after.is_empty() {
            return flag.set(after);
        }
        return match all.next() {
            Some(value) => flag.set(value),
            None => Err(Stop::Wrong(format!("flag needs an argument: '{letter}' in -{letters}"))),
        };
    }
    Ok(())
}

/// The place of the first argument that is no flag nor the value of one.
pub(crate) fn first_word(flags: &[Flag], given: &[String]) -> Option<usize> {
    let takes_next = |arg: &str| {
        let found = match arg.strip_prefix("--") {
            Some(name) => flags.iter().find(|flag| flag.name == name),
            None => flags.iter().find(|flag| !flag.short.is_empty() && arg[1..] == flag.short),
        };
        found.is_some_and(|flag| !flag.is_switch())
    };
    let mut at = 0;
    while let Some(arg) = given.get(at) {
        match arg.as_str() {
            "--" => return None,
            flag if flag.len() > 1 && flag.starts_with('-') => at += usize::from(takes_next(flag)),
            _ => return Some(at),
        }
        at += 1;
    }
    None
}

/// The lines of help on flags.
pub(crate) fn listed(flags: &[Flag]) -> String {
    let mut flags: Vec<&Flag> = flags.iter().collect();
    flags.sort_by(|a, b| a.name.cmp(&b.name));
    let lines: Vec<(String, String)> = flags.into_iter().map(line).collect();
    let width = lines.iter().map(|(left, _)| left.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (left, right) in lines {
        let right = right.replace('\n', &format!("\n{}", " ".repeat(width + 3)));
        let _ = writeln!(text, "{left:width$}   {right}");
    }
    text.trim_end().to_owned()
}

fn line(flag: &Flag) -> (String, String) {
    let mut left = match flag.short.as_str() {
        "" => format!("      --{}", flag.name),
        short => format!("  -{short}, --{}", flag.name),
    };
    // a word in back quotes names the value
    let mut usage = flag.usage.clone();
    let mut kind = if flag.is_switch() { "" } else { flag.value.kind() }.to_owned();
    let quoted = usage.split('`').nth(1).filter(|_| usage.matches('`').count() > 1);
    if let Some(word) = quoted.map(str::to_owned) {
        usage = usage.replacen('`', "", 2);
        kind = word;
    }
    if !kind.is_empty() {
        left.push(' ');
        left.push_str(&kind);
    }
    let mut initial = flag.value.clone();
    let is_zero = match &mut initial {
        Value::List(_) => flag.default == "[]",
        Value::Text(_) => flag.default.is_empty(),
        value => value.read(&flag.default, false).is_ok() && value.is_zero(),
    };
    if !is_zero {
        let shown = match flag.value {
            Value::Text(_) => format!("{:?}", flag.default),
            _ => flag.default.clone(),
        };
        let _ = write!(usage, " (default {shown})");
    }
    (left, usage)
}

/// `1h2m3.5s` in nanoseconds.
#[allow(clippy::cast_possible_truncation, reason = "durations are small")]
fn duration(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    Some((sign * durations::parse(rest)?) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Vec<Flag> {
        let flag = |name: &str, short: &str, value: Value, usage: &str| {
            Flag::new(name.into(), short.into(), value, usage.into())
        };
        vec![
            flag("num", "n", Value::Int(3), "a num"),
            flag("list", "", Value::List(vec!["a".into()]), "the list"),
            flag("dur", "", Value::Duration(1_000_000_000), "the dur"),
            flag("fl", "", Value::Float(1.5), "the fl"),
            flag("bb", "b", Value::Bool(true), "the bb `what`"),
            flag("pers", "", Value::Text(String::new()), "pers"),
        ]
    }

    /// As the reference has listed them.
    #[test]
    fn help() {
        let mut all = flags();
        all.push(Flag::new("help".into(), "h".into(), Value::Bool(false), "help for stats".into()));
        all[4].short.clear();
        let expected = "      --bb what        the bb what (default true)
      --dur duration   the dur (default 1s)
      --fl float       the fl (default 1.5)
  -h, --help           help for stats
      --list strings   the list (default [a])
  -n, --num int        a num (default 3)
      --pers string    pers";
        assert_eq!(listed(&all), expected);
    }

    #[test]
    fn arguments() {
        let read_all = |line: &str| {
            let mut all = flags();
            let given: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let done = read(&mut all, &given);
            let values = all.iter().map(|flag| flag.value.text()).collect::<Vec<_>>().join(" ");
            match done {
                Ok(others) => format!("{} | {values}", others.join(" ")),
                Err(Stop::Help) => "help".to_owned(),
                Err(Stop::Wrong(text)) => text,
            }
        };
        for (line, expected) in [
            ("a -n 5 b --list=x,y --list z", "a b | 5 [x,y,z] 1s 1.5 true "),
            ("-bn7 --bb=false --dur 1m30s -- -z", "-z | 7 [a] 1m30s 1.5 false "),
            ("--pers= --fl=2", " | 3 [a] 1s 2 true "),
            ("--nope", "unknown flag: --nope"),
            ("-x", "unknown shorthand flag: 'x' in -x"),
            ("--num", "flag needs an argument: --num"),
            ("-n", "flag needs an argument: 'n' in -n"),
            (
                "--num=x",
                "invalid argument \"x\" for \"-n, --num\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
            ("a -h", "help"),
        ] {
            assert_eq!(read_all(line), expected, "{line}");
        }
    }
}
