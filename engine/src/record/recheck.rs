//! What a save or delete asked of stored rows before it got the writer, to be asked again if somebody wrote in between
//! (architecture §4: an answer can never be stale).
//!
//! While nobody else writes this costs one comparison of numbers; else the questions become steps of the same write job.

use crate::{
    Error, FieldErrors, Result,
    app::record::{Question, Recheck, RecordRef},
    ctx::Ctx,
    event::Action,
    notes, rule,
    store::{self, Done, Job},
};

impl Recheck {
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
                Question::Statement(sql) | Question::Targets { sql, .. } => sql.clone(),
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
            Some(Question::Targets { field, error, .. }) => {
                let mut errors = FieldErrors::default();
                errors.set(field.clone(), error.clone());
                Error::Invalid(errors)
            }
            Some(_) => Error::Refused { locked: false },
            None => Error::Store(store::Error::Expect(tag)),
        }
    }
}
