//! The questions of a save that may have to be asked again; who asks them is `record/recheck.rs`.

use crate::{FieldError, ctx::Ctx, store::Sql};

/// One question and what its "no" means.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// The rule of the operation, as a statement that returns a row.
    Statement(Sql),
    /// The rule of the operation, judged in memory the first time; with the request's body in the context.
    Rule(Box<(Ctx, String)>),
    /// The targets of a relation field.
    Targets { field: String, sql: Sql, error: FieldError },
}

/// The questions of one save or delete.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recheck {
    pub(crate) since: Option<u64>,
    pub(crate) questions: Vec<Question>,
}

impl Recheck {
    /// Starts at the state of now: to be called before the first read. Later calls change nothing.
    pub(crate) fn begin(&mut self, ctx: &Ctx) {
        self.since.get_or_insert_with(|| ctx.db.database().write_version());
    }
    /// Validation starts (again): what it asked before about relations does not count.
    pub(crate) fn forget_targets(&mut self) {
        self.questions.retain(|q| !matches!(q, Question::Targets { .. }));
    }
    /// A rule that the stored row satisfied.
    pub(crate) fn rule(&mut self, ctx: &Ctx, text: &str) {
        self.questions.push(Question::Rule(Box::new((ctx.clone(), text.to_owned()))));
    }
    /// A statement that returned a row.
    pub(crate) fn statement(&mut self, sql: Sql) {
        self.questions.push(Question::Statement(sql));
    }
    /// A statement that returns a row while all targets of a relation exist.
    pub(crate) fn targets(&mut self, field: &str, sql: Sql, error: FieldError) {
        self.questions.push(Question::Targets { field: field.to_owned(), sql, error });
    }
}
