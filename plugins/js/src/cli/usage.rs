//! Help on commands as text. Pure.

use std::fmt::Write as _;

use super::flags::{Flag, listed};

/// What help tells of a command.
#[derive(Default)]
pub(crate) struct Told {
    /// The names from the executable on.
    pub(crate) path: String,
    /// The path of its parent and its `use`.
    pub(crate) line: String,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) about: String,
    pub(crate) example: String,
    pub(crate) runs: bool,
    /// Commands below it that can be run: name and sentence.
    pub(crate) commands: Vec<(String, String)>,
    pub(crate) own: Vec<Flag>,
    pub(crate) inherited: Vec<Flag>,
}

/// How a command is used.
pub(crate) fn usage(told: &Told) -> String {
    let mut parts = vec!["Usage:".to_owned()];
    if told.runs {
        let has_flags = !told.line.contains("[flags]");
        let _ = write!(parts[0], "\n  {}{}", told.line, if has_flags { " [flags]" } else { "" });
    }
    if !told.commands.is_empty() {
        let _ = write!(parts[0], "\n  {} [command]", told.path);
    }
    if !told.aliases.is_empty() {
        parts.push(format!("Aliases:\n  {}, {}", told.name, told.aliases.join(", ")));
    }
    if !told.example.is_empty() {
        parts.push(format!("Examples:\n{}", told.example));
    }
    if !told.commands.is_empty() {
        let width = told.commands.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(11);
        let lines = told.commands.iter().map(|(name, about)| format!("  {name:width$} {about}"));
        parts.push(format!("Available Commands:\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    parts.push(format!("Flags:\n{}", listed(&told.own)));
    if !told.inherited.is_empty() {
        parts.push(format!("Global Flags:\n{}", listed(&told.inherited)));
    }
    if !told.commands.is_empty() {
        let path = &told.path;
        parts
            .push(format!("Use \"{path} [command] --help\" for more information about a command."));
    }
    format!("{}\n", parts.join("\n\n"))
}

/// What `--help` prints.
pub(crate) fn help(told: &Told) -> String {
    let mut text = String::new();
    if !told.about.is_empty() {
        let _ = write!(text, "{}\n\n", told.about.trim_end());
    }
    if told.runs || !told.commands.is_empty() {
        text.push_str(&usage(told));
    }
    text
}
