//! Scripts by their first line.

use crate::{head::Head, text};

/// An interpreter as the first line names it; one blank stands for any number.
#[derive(Debug)]
pub(crate) struct Interpreter {
    path: &'static str,
    /// Nothing but a blank may follow.
    is_word: bool,
}

/// With anything behind, such as a version.
pub(crate) const fn anywhere(path: &'static str) -> Interpreter {
    Interpreter { path, is_word: false }
}

/// Only as a whole word.
pub(crate) const fn word(path: &'static str) -> Interpreter {
    Interpreter { path, is_word: true }
}

/// True if the first line names one of the interpreters.
pub(crate) fn names_any(bytes: &[u8], interpreters: &[Interpreter]) -> bool {
    let line = text::lines(bytes).next().unwrap_or_default();
    let Some(command) = line.strip_prefix(b"#!") else {
        return false;
    };
    let command = text::trim_start(command);
    interpreters.iter().any(|interpreter| {
        text::after_words(command, interpreter.path).is_some_and(|rest| {
            !interpreter.is_word || rest.first().is_none_or(|byte| text::is_blank(*byte))
        })
    })
}

pub(crate) fn is_php_page(head: Head<'_>) -> bool {
    ["<?PHP", "<?\n", "<?\r", "<? "]
        .iter()
        .any(|start| text::after(head.bytes, start).is_some_and(|rest| !rest.is_empty()))
}
