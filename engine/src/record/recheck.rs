//! What a save or delete asked of stored rows before it got the writer, to be asked again if somebody wrote in between
//! (architecture §4: an answer can never be stale).
//!
//! While nobody else writes this costs one comparison of numbers; else the questions become steps of the same write job.

use crate::{
    Error, FieldError, FieldErrors, Result,
    cluster::notes,
    ctx::Ctx,
    event::Action,
    rule,
    store::{self, Done, Job, Sql},
};

use super::record::RecordRef;

/// One question and what its "no" means.
#[derive(Debug, Clone)]
enum Question {
    /// The rule of the operation, as a statement that returns a row.
    Statement(Sql),
    /// The rule of the operation, judged in memory the first time; with the request's body in the context.
    Rule(Box<(Ctx, String)>),
    /// What a field relies on: the targets of a relation, an id that nobody else has.
    Field { field: String, sql: Sql, error: FieldError },
}

/// The questions of one save or delete.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recheck {
    since: Option<u64>,
    questions: Vec<Question>,
}

impl Recheck {
    /// Starts at the state of now: to be called before the first read. Later calls change nothing.
    pub(crate) fn begin(&mut self, ctx: &Ctx) {
        self.since.get_or_insert_with(|| ctx.db.database().write_version());
    }
    /// Validation starts (again): what it asked before about fields does not count.
    pub(crate) fn forget_fields(&mut self) {
        self.questions.retain(|q| !matches!(q, Question::Field { .. }));
    }
    /// A rule that the stored row satisfied.
    pub(crate) fn rule(&mut self, ctx: &Ctx, text: &str) {
        self.questions.push(Question::Rule(Box::new((ctx.clone(), text.to_owned()))));
    }
    /// A statement that returned a row.
    pub(crate) fn statement(&mut self, sql: Sql) {
        self.questions.push(Question::Statement(sql));
    }
    /// A statement that returns a row while a field may have its value.
    pub(crate) fn field(&mut self, field: &str, sql: Sql, error: FieldError) {
        self.questions.push(Question::Field { field: field.to_owned(), sql, error });
    }

    /// Does the job that writes a record, after the questions where somebody wrote since they were asked.
    ///
    /// # Errors
    /// [`Error::Refused`] when the rule does not hold any more, [`Error::Invalid`] for relations; else as the store, with
    /// the job's own expectations.
    pub(crate) async fn write(
        &self,
        ctx: &Ctx,
        record: &RecordRef,
        job: Job,
        action: Action,
    ) -> Result<Done> {
        let note = notes::record(&ctx.app, &record.lock(), action);
        let job = job.announce(note);
        match self.since {
            // Boxed: saves nest deeply in cascades, and most ask nothing.
            Some(since) if !self.questions.is_empty() => {
                Box::pin(self.write_since(ctx, record, job, since)).await
            }
            _ => ctx.db.write(job).await.map_err(Error::Store),
        }
    }

    async fn write_since(
        &self,
        ctx: &Ctx,
        record: &RecordRef,
        job: Job,
        since: u64,
    ) -> Result<Done> {
        if ctx.db.database().write_version() == since {
            match ctx.db.write(job.clone().unless_written(since)).await {
                Err(store::Error::Overtaken) => {}
                result => return result.map_err(Error::Store),
            }
        }
        let mut guarded = Job::new();
        for (tag, question) in (0u32..).zip(&self.questions) {
            let sql = match question {
                Question::Statement(sql) | Question::Field { sql, .. } => sql.clone(),
                Question::Rule(of) => rule::stored_question(&of.0, &of.1, &record.lock())?,
            };
            guarded = guarded.expect_row(sql, tag);
        }
        match ctx.db.write(guarded.then(job)).await {
            Err(store::Error::Expect(tag)) => Err(self.refusal(tag)),
            result => result.map_err(Error::Store),
        }
    }

    fn refusal(&self, tag: u32) -> Error {
        match self.questions.get(tag as usize) {
            Some(Question::Field { field, error, .. }) => {
                let mut errors = FieldErrors::default();
                errors.set(field.clone(), error.clone());
                Error::Invalid(errors)
            }
            Some(_) => Error::Refused { locked: false },
            None => Error::Store(store::Error::Expect(tag)),
        }
    }
}
