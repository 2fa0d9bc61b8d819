//! Columns called `rowid`, `oid` or `_ROWID_` on SQLite, which adds, renames and drops none of such a name.
//!
//! While the table of a collection changes, such columns go by other names: the table is made anew with those before the
//! change, and with the names of the fields after it. Views, indexes and triggers wait aside each time.

use dialects::{Dialect, Sql, catalog, sqlite::is_row_id};

use super::{aside, diff::Change, door::Door};
use crate::{id, store};

/// The other names.
#[derive(Debug, Default)]
pub(super) struct StandIns {
    /// Columns that are there, and what they are called meanwhile.
    before: Vec<(String, String)>,
    /// What columns are called meanwhile, and their names after.
    after: Vec<(String, String)>,
}

impl StandIns {
    /// For the columns that these changes are about.
    pub(super) fn of(d: Dialect, changes: &[Change]) -> Self {
        let mut names = Self::default();
        let renamed = |name: &str| {
            changes.iter().any(|c| matches!(c, Change::RenameColumn { to, .. } if to == name))
        };
        for change in changes {
            match change {
                Change::DropColumn(name) | Change::RenameColumn { from: name, .. }
                    if d.is_fixed(name) =>
                {
                    names.before.push((name.clone(), stand_in(name)));
                }
                Change::ToMultiple(name) | Change::ToSingle(name)
                    if d.is_fixed(name) && !renamed(name) =>
                {
                    let meanwhile = stand_in(name);
                    names.before.push((name.clone(), meanwhile.clone()));
                    names.after.push((meanwhile, name.clone()));
                }
                _ => {}
            }
        }
        names
    }

    /// What an old column is called at present.
    pub(super) fn now<'n>(&'n self, name: &'n str) -> &'n str {
        self.before.iter().find(|(old, _)| old == name).map_or(name, |(_, now)| now)
    }

    /// What a new column is called at present.
    pub(super) fn meanwhile<'n>(&'n self, name: &'n str) -> &'n str {
        self.after.iter().find(|(_, new)| new == name).map_or(name, |(now, _)| now)
    }

    /// A column has its name at the end only; false if it may have it now.
    pub(super) fn postpone(&mut self, d: Dialect, now: &str, name: &str) -> bool {
        let waits = d.is_fixed(name);
        if waits {
            self.after.push((now.to_owned(), name.to_owned()));
        }
        waits
    }

    /// Gives old columns their other names.
    pub(super) async fn begin(&self, tx: &impl Door, table: &str) -> store::Result<()> {
        rename(tx, table, &self.before).await
    }

    /// Gives new columns their names.
    pub(super) async fn end(&mut self, tx: &impl Door, table: &str) -> store::Result<()> {
        rename(tx, table, &std::mem::take(&mut self.after)).await
    }
}

fn stand_in(name: &str) -> String {
    format!("{name}{}", id::random(5, id::ALNUM))
}

async fn rename(tx: &impl Door, table: &str, renames: &[(String, String)]) -> store::Result<()> {
    if renames.is_empty() {
        return Ok(());
    }
    let d = tx.dialect();
    if tx.is_list() {
        // the text of the table that it is made from is not there yet
        let names: Vec<String> = renames.iter().map(|(a, b)| format!("{a} as {b}")).collect();
        let note = format!("-- the table {table} is made anew, with {}", names.join(", "));
        return tx.execute_batch(note).await;
    }
    let views = aside::set_for(tx, table).await?;
    let Some([own, attached]) = d.made_of(table) else { return Ok(()) };
    let text = texts(tx, own).await?.pop().unwrap_or_default();
    let attached = texts(tx, attached).await?;
    let columns = texts(tx, catalog::columns(d, table)).await?;
    let statements =
        d.rebuild(&text, table, &stand_in(table), &columns, renames).ok_or_else(|| {
            store::Error::Driver(format!("the text of table {table} is not understood"))
        })?;
    for text in
        statements.into_iter().chain(attached.into_iter().map(|text| renamed(&text, renames)))
    {
        tx.execute_batch(text).await?;
    }
    let views = views.into_iter().map(|view| view.edited(|text| renamed(text, renames)));
    aside::put_back(tx, views).await
}

/// Stand-ins are found in no text by chance. The names they stand for may be: those stay.
fn renamed(text: &str, renames: &[(String, String)]) -> String {
    renames
        .iter()
        .filter(|(from, _)| !is_row_id(from))
        .fold(text.to_owned(), |text, (from, to)| text.replace(from.as_str(), to))
}

async fn texts(tx: &impl Door, sql: Sql) -> store::Result<Vec<String>> {
    tx.read(sql, |rows| {
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(row.text(0).to_owned());
        }
        Ok(out)
    })
    .await?
}
