//! The order of arguments: flags of the app apart from what commands read themselves.

use std::ffi::OsString;

use crate::app::App;

/// Arguments taken apart.
#[derive(Default)]
struct Parts {
    /// Flags of the app with their values.
    flags: Vec<OsString>,
    /// The first word that is no flag.
    word: Option<OsString>,
    /// Everything but that word.
    others: Vec<OsString>,
    /// What is neither a flag of the app nor the word.
    rest: Vec<OsString>,
}

fn parts(app: &App, arguments: &[OsString]) -> Parts {
    let flags = app.flags();
    // whether the flag takes the next argument
    let takes_next = |arg: &str| {
        let name = arg.strip_prefix("--")?;
        let (name, has_value) =
            name.split_once('=').map_or((name, false), |(name, _)| (name, true));
        let flag = flags.iter().find(|flag| flag.get_long() == Some(name))?;
        Some(!has_value && !flag.is_require_equals_set() && flag.get_action().takes_values())
    };
    let mut parts = Parts::default();
    let mut all = arguments.iter().skip(1).cloned();
    while let Some(arg) = all.next() {
        let text = arg.to_string_lossy().into_owned();
        if text == "--" {
            let end: Vec<OsString> = std::iter::once(arg).chain(all).collect();
            parts.others.extend(end.clone());
            parts.rest.extend(end);
            break;
        }
        if let Some(takes_next) = takes_next(&text) {
            let value = if takes_next { all.next() } else { None };
            let given: Vec<OsString> = std::iter::once(arg).chain(value).collect();
            parts.flags.extend(given.clone());
            parts.others.extend(given);
        } else if !text.starts_with('-') && parts.word.is_none() {
            parts.word = Some(arg.clone());
            parts.rest.push(arg);
        } else {
            parts.others.push(arg.clone());
            parts.rest.push(arg);
        }
    }
    parts
}

/// The flags of the app first.
pub(super) fn flags_first(app: &App, arguments: &[OsString]) -> Vec<OsString> {
    let parts = parts(app, arguments);
    arguments.first().cloned().into_iter().chain(parts.flags).chain(parts.rest).collect()
}

/// For a command that reads its arguments itself: its name, and all others behind `--`.
pub(super) fn raw(app: &App, arguments: &[OsString]) -> Option<Vec<OsString>> {
    let own = app.shared.commands.all();
    if own.iter().all(|own| !own.is_raw) {
        return None;
    }
    let parts = parts(app, arguments);
    let word = parts.word?;
    let is_named = |command: &clap::Command| {
        let name = word.to_str().unwrap_or_default();
        command.get_name() == name || command.get_all_aliases().any(|alias| alias == name)
    };
    own.iter().find(|own| own.is_raw && is_named(&own.command))?;
    let head = arguments.first().cloned().into_iter().chain(parts.flags);
    Some(head.chain([word, "--".into()]).chain(parts.others).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[OsString]) -> String {
        list.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn order() {
        let app = App::new();
        app.raw_command(clap::Command::new("stats").alias("st"), |_, _| async { Ok(()) });
        let cases = [
            (
                "x stats -n 5 --dir d a",
                "x --dir d stats -n 5 a",
                "x --dir d stats -- -n 5 --dir d a",
            ),
            (
                "x --dev st --y=1 -- --dir",
                "x --dev st --y=1 -- --dir",
                "x --dev st -- --dev --y=1 -- --dir",
            ),
            ("x serve a --dev", "x --dev serve a", ""),
        ];
        for (given, first, own) in cases {
            let given: Vec<OsString> = given.split(' ').map(OsString::from).collect();
            assert_eq!(texts(&flags_first(&app, &given)), first);
            assert_eq!(texts(&raw(&app, &given).unwrap_or_default()), own);
        }
    }
}
