//! The `_logs` table of `auxiliary.db`: its definition, batch insert and pruning. Must not know what entries mean.
//! Source: spec collections-and-fields §1.3, server-settings-operations §5.2.

use std::borrow::Cow;

use dialects::{catalog, ddl, limits, statement};

use super::{Database, Dialect, Job, Result, Sql, Step, Value};
use primitives::time::Timestamp;

/// Creates the table if there is none; an older one is left as it is.
///
/// # Errors
/// What the driver says.
pub async fn ensure_table(aux: &Database) -> Result<()> {
    let dialect = aux.dialect();
    let exists = catalog::has_table(dialect, "_logs");
    if aux.query(exists, |rows| rows.next().map(|row| row.is_some())).await?? {
        return Ok(());
    }
    let tx = aux.begin().await?;
    for statement in ddl::log_tables(dialect) {
        tx.execute_batch(statement).await?;
    }
    tx.commit().await
}

/// Where the JSON is in a row.
const DATA: usize = 3;

/// The job that stores a batch; each row is id, level, message, data, created.
#[must_use]
pub fn insert(d: Dialect, mut rows: Vec<Vec<Value>>) -> Job {
    // An entry that cannot be stored as it is must not take the others with it.
    for row in &mut rows {
        for (at, cell) in row.iter_mut().enumerate() {
            let Value::Text(text) = cell else { continue };
            let fit =
                if at == DATA { limits::mend_json(d, text) } else { limits::mend_text(d, text) };
            if let Cow::Owned(mended) = fit {
                *cell = Value::Text(mended.into());
            }
        }
    }
    let columns = ["id", "level", "message", "data", "created"].map(|name| (name, Value::Null));
    let text = statement::insert(d, "_logs", &columns).text;
    Job::new().step(Step::ExecuteMany { text, rows })
}

/// Deletes all rows.
///
/// # Errors
/// What the driver says.
pub async fn delete_all(aux: &Database) -> Result<()> {
    let sql = Sql { text: "DELETE FROM \"_logs\"".to_owned(), params: Vec::new() };
    aux.write(Job::from(sql)).await.map(drop)
}

/// Gives the space of deleted rows back.
///
/// # Errors
/// What the driver says.
pub async fn vacuum(aux: &Database) -> Result<()> {
    aux.vacuum("_logs").await
}

/// Deletes what was created at or before `until`, and what is below `min_level` if given. Plain SQL, no hooks.
///
/// # Errors
/// What the driver says.
pub async fn prune(aux: &Database, until: Timestamp, min_level: Option<i64>) -> Result<u64> {
    let until = Value::Text(until.to_string().into());
    let mark = aux.dialect().sign();
    let mut text = format!("DELETE FROM \"_logs\" WHERE \"created\" <= {mark}1");
    let mut params = vec![until];
    if let Some(level) = min_level {
        text.push_str(&format!(" OR \"level\" < {mark}2"));
        params.push(Value::Int(level));
    }
    Ok(aux.write(Job::from(Sql { text, params })).await?.changes.iter().sum())
}
