//! Row-level security of a PostgreSQL target: tables that are replaced keep the policies they had.
//!
//! Policies are the database's own, written by its users; they are in no other place. Knows no policy's meaning.

use std::collections::{BTreeMap, HashSet};

use dialects::{
    Dialect, names,
    postgres::{catalog, transfer as pg},
    transfer,
};

use super::{
    Error, Result,
    plan::{Plan, Table},
    postgres::Session,
};

/// Makes sure that a reading transaction sees all rows: as the server's own work, if policies let that pass whatever the row.
///
/// # Errors
/// Names a table that may hide rows: half a copy would be worse than none.
pub(super) async fn see_everything(session: &Session) -> Result<()> {
    let policies = session.texts(catalog::HIDING_POLICIES).await?;
    if policies.is_empty() {
        return Ok(());
    }
    session.execute(pg::AS_SYSTEM).await?;
    let mut tables: BTreeMap<&str, bool> = BTreeMap::new();
    for policy in &policies {
        let [table, condition, kind] = &policy[..] else { continue };
        let is_open = tables.entry(table).or_insert(false);
        if kind == "RESTRICTIVE" {
            return Err(hidden(table));
        }
        *is_open = *is_open || holds_for_all(session, condition).await?;
    }
    match tables.iter().find(|(_, is_open)| !**is_open) {
        Some((table, _)) => Err(hidden(table)),
        None => session.execute(pg::UNDER_POLICIES).await,
    }
}

fn hidden(table: &str) -> Error {
    Error(format!(
        "row-level security may hide rows of {table:?} from this database role: give the table a policy for pb.auth.role = 'system' alone, or the role BYPASSRLS"
    ))
}

/// True if a condition is true without a row to look at.
async fn holds_for_all(session: &Session, condition: &str) -> Result<bool> {
    if condition.is_empty() {
        return Ok(false);
    }
    session.execute(transfer::SAVEPOINT).await?;
    let found = session.texts(&pg::without_row(condition)).await;
    session.execute(transfer::ROLLBACK_TO).await?;
    session.execute(transfer::RELEASE).await?;
    Ok(found.is_ok_and(|rows| rows.into_iter().flatten().next().is_some_and(|text| text == "true")))
}

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
        let stored = |t: &Table| names::stored(Dialect::POSTGRES, &t.name).into_owned();
        let tables: HashSet<String> = plan.tables.iter().map(stored).collect();
        for (name, text) in self.0.iter().filter(|(name, _)| tables.contains(name)) {
            session.execute(text).await.map_err(|Error(why)| {
                Error(format!(
                    "the row-level security of {name:?} does not fit what is to replace it: {why}"
                ))
            })?;
        }
        Ok(())
    }
}
