//! Row-level security of a PostgreSQL target: tables that are replaced keep the policies they had.
//!
//! Policies are the database's own, written by its users; they are in no other place. Knows no policy's meaning.

use dialects::catalog;

use super::{Error, Result, plan::Plan, postgres::Session};

/// Statements that bring policies back, each with the table it is about.
#[derive(Debug, Default)]
pub(super) struct Policies(Vec<(String, String)>);

impl Policies {
    /// The policies of all tables.
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let rows = session.texts(catalog::ROW_SECURITY).await?;
        let pair = |row: Vec<String>| {
            let mut row = row.into_iter();
            Some((row.next()?, row.next()?))
        };
        Ok(Self(rows.into_iter().filter_map(pair).collect()))
    }

    /// Puts them on the tables that exist again.
    pub(super) async fn restore(&self, session: &Session, plan: &Plan) -> Result<()> {
        let tables = &plan.tables;
        for (name, text) in self.0.iter().filter(|(name, _)| tables.iter().any(|t| t.name == *name))
        {
            session.execute(text).await.map_err(|Error(why)| {
                Error(format!(
                    "the row-level security of {name:?} does not fit what is to replace it: {why}"
                ))
            })?;
        }
        Ok(())
    }
}
