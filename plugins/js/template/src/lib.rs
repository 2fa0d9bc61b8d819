//! Templates in the language of Go's `html/template`: pipelines, variables and control structures, and values that are
//! escaped by where they stand (text, attributes, scripts, styles, addresses).
//!
//! A text becomes tokens (`lex`), nodes (`parse`), nodes that know what escapes them (`escape`) and output (`exec`). Must not
//! know scripts, files or the server: values come as [`Value`]s, whatever else the host has as [`Host`]s.

mod ast;
mod escape;
mod exec;
mod format;
mod funcs;
mod lex;
mod parse;
mod value;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

pub use crate::{
    funcs::Function,
    value::{Host, Safe, Value},
};

/// Why a text is no template, or why it cannot be rendered; in Go's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub(crate) String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// What templates can be named in `{{template}}`, by name.
type Trees = BTreeMap<String, Arc<ast::Tree>>;

/// A set of templates that can name each other, the first of which is rendered.
///
/// ```
/// use go_template::{Template, Value};
///
/// let page = Template::new("page").parse("page", "<a href='/p/{{.slug}}'>{{.title}}</a>")?;
/// let data = Value::map([("slug", "a b".into()), ("title", "<b>".into())]);
/// assert_eq!(page.render(&data)?, "<a href='/p/a%20b'>&lt;b&gt;</a>");
/// # Ok::<(), go_template::Error>(())
/// ```
#[derive(Debug)]
pub struct Template {
    name: String,
    functions: Arc<BTreeMap<String, Function>>,
    trees: Trees,
    ready: OnceLock<Result<Trees, Error>>,
}

impl Template {
    /// An empty set whose entry is `name`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            functions: Arc::new(funcs::builtin()),
            trees: Trees::new(),
            ready: OnceLock::new(),
        }
    }

    /// Adds a function. Texts that are parsed afterwards may call it.
    #[must_use]
    pub fn function(mut self, name: impl Into<String>, function: Function) -> Self {
        Arc::make_mut(&mut self.functions).insert(name.into(), function);
        self
    }

    /// Adds a text as the template `name`, and the templates that it defines. A later definition replaces an earlier one
    /// unless it is empty.
    ///
    /// # Errors
    /// `template: NAME:LINE: …` when the text is no template.
    pub fn parse(mut self, name: &str, text: &str) -> Result<Self, Error> {
        for tree in parse::parse(name, text, &self.functions)? {
            let known = self.trees.get(&tree.name).is_some_and(|known| !known.is_empty());
            if !known || !tree.is_empty() {
                self.trees.insert(tree.name.clone(), Arc::new(tree));
            }
        }
        self.ready = OnceLock::new();
        Ok(self)
    }

    /// The output for `data`.
    ///
    /// # Errors
    /// `html/template:…` when a value stands where it cannot be made safe, `template: NAME:LINE:COLUMN: executing …` when
    /// a value is not what the template takes it for.
    pub fn render(&self, data: &Value) -> Result<String, Error> {
        let ready = self.ready.get_or_init(|| escape::escape(&self.name, &self.trees));
        let trees = ready.as_ref().map_err(Clone::clone)?;
        exec::run(trees, &self.functions, &self.name, data)
    }
}
