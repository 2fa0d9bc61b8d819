//! `pocketbase secrets rotate`: everything that is encrypted, encrypted again with the current key, in one transaction.
//!
//! One value that cannot be read ends it, and nothing is changed. Knows where values are sealed for: rows of `_secrets`,
//! and fields of type `secret`, by the ids of collection, field and record. Source: spec extensions 2.2.

use std::io::Write as _;

use pocketbase::{
    App, Error, Result,
    crypto::Place,
    db::{Row, exp_with, hash},
};

use crate::store;

/// Rows that are read at a time.
const PAGE: u64 = 500;

/// What was encrypted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// Values of `_secrets`.
    pub secrets: u64,
    /// Values of fields.
    pub fields: u64,
}

/// A column that holds sealed values.
struct Target {
    /// The table, as it is called.
    table: String,
    column: String,
    /// What values are sealed for.
    table_id: String,
    column_id: String,
}

/// Encrypts everything again.
///
/// # Errors
/// The first value that cannot be read, by table, column and row; database errors.
pub async fn rotate(app: &App) -> Result<Rotated> {
    if !app.crypto().is_enabled() {
        return Err(Error::other(pocketbase::crypto::Error::Disabled));
    }
    app.run_in_transaction(|tx| async move {
        let own = Target {
            table: store::TABLE.into(),
            column: "value".into(),
            table_id: store::TABLE.into(),
            column_id: "value".into(),
        };
        let secrets = reseal(&tx, &own).await?;
        let mut fields = 0;
        for collection in tx.find_all_collections::<0>([]).await? {
            let sealed = collection.fields().into_iter().filter(|f| f.type_name() == "secret");
            for field in sealed.filter(|_| !collection.is_view()) {
                let target = Target {
                    table: collection.name(),
                    column: field.name().to_owned(),
                    table_id: collection.id(),
                    column_id: field.id().to_owned(),
                };
                fields += reseal(&tx, &target).await?;
            }
        }
        Ok(Rotated { secrets, fields })
    })
    .await
}

async fn reseal(tx: &App, target: &Target) -> Result<u64> {
    let (keys, mut last, mut n) = (tx.crypto(), String::new(), 0);
    loop {
        let page = tx
            .db()
            .select(["id", target.column.as_str()])
            .from(&target.table)
            .where_(exp_with("[[id]] > {:last}", [("last", last.as_str())]))
            .order_by(["id"])
            .limit(PAGE);
        let rows: Vec<Row> = page.all().await?;
        let Some(end) = rows.last() else { return Ok(n) };
        last = text(end, "id");
        for row in &rows {
            let (id, sealed) = (text(row, "id"), text(row, &target.column));
            if sealed.is_empty() {
                continue;
            }
            let place = Place { table: &target.table_id, column: &target.column_id, row: &id };
            let failed = |error: pocketbase::crypto::Error| {
                let Target { table, column, .. } = target;
                Error::other(format!("{table}.{column} of {id:?}: {error}; nothing was changed"))
            };
            let plain = keys.open(&place, &sealed).map_err(failed)?;
            let fresh = keys.seal(&place, &plain).map_err(failed)?;
            let change = tx.db().update(&target.table).set(&target.column, fresh);
            change.where_(hash([("id", id.as_str())])).execute().await?;
            n += 1;
        }
    }
}

fn text(row: &Row, column: &str) -> String {
    row.get::<String>(column).unwrap_or_default()
}

/// The command's line.
pub(crate) fn tell(done: &Rotated) {
    let Rotated { secrets, fields } = done;
    // nobody to tell when stdout is gone
    let _ =
        writeln!(std::io::stdout(), "Encrypted again: {secrets} secrets, {fields} field values.");
}
