//! Typed write jobs: data, so that they can be run again from the start.

use smallvec::SmallVec;

use super::{Note, OwnedRows, Sql, Value};

/// One step of a [`Job`].
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Runs a statement.
    Execute(Sql),
    /// Runs one statement for many rows of parameters.
    ExecuteMany { text: String, rows: Vec<Vec<Value>> },
    /// Must return at least one row, else the job fails with [`Error::Expect`](super::Error::Expect). The rows are not kept.
    ExpectRow { sql: Sql, tag: u32 },
    /// Must change at least one row, else the job fails with [`Error::Expect`](super::Error::Expect).
    ExpectChanges { sql: Sql, tag: u32 },
    /// Runs a query (also `… RETURNING`) and keeps its rows.
    Query(Sql),
}

/// Steps that happen all or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Job {
    /// The steps, in order.
    pub steps: SmallVec<[Step; 2]>,
    pub(super) since: Option<u64>,
    /// What the other nodes are told when the job commits.
    pub(super) notes: Vec<Note>,
}

impl Job {
    /// An empty job.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds any step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
    /// Adds [`Step::Execute`].
    #[must_use]
    pub fn execute(self, sql: Sql) -> Self {
        self.step(Step::Execute(sql))
    }
    /// Adds [`Step::ExpectRow`].
    #[must_use]
    pub fn expect_row(self, sql: Sql, tag: u32) -> Self {
        self.step(Step::ExpectRow { sql, tag })
    }
    /// Adds [`Step::ExpectChanges`].
    #[must_use]
    pub fn expect_changes(self, sql: Sql, tag: u32) -> Self {
        self.step(Step::ExpectChanges { sql, tag })
    }
    /// Adds [`Step::Query`].
    #[must_use]
    pub fn query(self, sql: Sql) -> Self {
        self.step(Step::Query(sql))
    }
    /// The job fails with [`Error::Overtaken`](super::Error::Overtaken) if anything was written since `version`
    /// ([`Database::write_version`](super::Database::write_version), taken before the reads that the job relies on).
    #[must_use]
    pub fn unless_written(mut self, version: u64) -> Self {
        self.since = Some(version);
        self
    }
    /// Adds what the other nodes are told when the job commits. Nothing comes of it on SQLite.
    #[must_use]
    pub fn announce(mut self, notes: impl IntoIterator<Item = Note>) -> Self {
        self.notes.extend(notes);
        self
    }
    /// This job, then the other: one for both.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self.notes.extend(other.notes);
        self
    }
    /// True if nothing comes of it: nothing is asked or written, and nobody is told.
    pub(super) fn is_idle(&self, tells: bool) -> bool {
        self.steps.is_empty() && self.since.is_none() && (!tells || self.notes.is_empty())
    }
    /// Statements to run.
    pub(super) fn size(&self) -> usize {
        self.steps
            .iter()
            .map(|s| if let Step::ExecuteMany { rows, .. } = s { rows.len() } else { 1 })
            .sum()
    }
}

impl From<Sql> for Job {
    fn from(sql: Sql) -> Self {
        Self::new().execute(sql)
    }
}

/// What a job did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    /// Rows changed, one entry per step.
    pub changes: SmallVec<[u64; 4]>,
    /// The rows of each [`Step::Query`], in order.
    pub rows: SmallVec<[OwnedRows; 1]>,
}
