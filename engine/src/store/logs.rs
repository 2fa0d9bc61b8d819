//! The `_logs` table of `auxiliary.db`: its definition, batch insert and pruning. Must not know what entries mean.
//! Source: spec collections-and-fields §1.3, server-settings-operations §5.2.

use super::{Database, Job, Result, Sql, Step, Value};
use crate::time::Timestamp;

/// The table and its indexes as a fresh installation has them.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS `_logs` (
    `id`      TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL,
    `level`   INTEGER DEFAULT 0 NOT NULL,
    `message` TEXT DEFAULT \"\" NOT NULL,
    `data`    JSON DEFAULT \"{}\" NOT NULL,
    `created` TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%fZ')) NOT NULL
);
CREATE INDEX IF NOT EXISTS `idx_logs_level` on `_logs` (`level`);
CREATE INDEX IF NOT EXISTS `idx_logs_message` on `_logs` (`message`);
CREATE INDEX IF NOT EXISTS `idx_logs_created_hour` on `_logs` (strftime('%Y-%m-%d %H:00:00', `created`));";
const INSERT: &str =
    "INSERT INTO `_logs` (`id`,`level`,`message`,`data`,`created`) VALUES (?1,?2,?3,?4,?5)";

/// Creates the table if there is none; an older one is left as it is.
///
/// # Errors
/// What the driver says.
pub async fn ensure_table(aux: &Database) -> Result<()> {
    let exists =
        sql("SELECT count(*) FROM sqlite_master WHERE type='table' AND name='_logs'", vec![]);
    if aux.query(exists, |rows| rows.scalar_i64()).await?? > 0 {
        return Ok(());
    }
    let tx = aux.begin().await?;
    tx.execute_batch(TABLE.to_owned()).await?;
    tx.commit().await
}

/// The job that stores a batch; each row is id, level, message, data, created.
#[must_use]
pub fn insert(rows: Vec<Vec<Value>>) -> Job {
    Job::new().step(Step::ExecuteMany { text: INSERT.to_owned(), rows })
}

/// Deletes what was created at or before `until`, and what is below `min_level` if given. Plain SQL, no hooks.
///
/// # Errors
/// What the driver says.
pub async fn prune(aux: &Database, until: Timestamp, min_level: Option<i64>) -> Result<u64> {
    let until = Value::Text(until.to_string().into());
    let delete = match min_level {
        None => sql("DELETE FROM `_logs` WHERE `created` <= ?1", vec![until]),
        Some(level) => sql(
            "DELETE FROM `_logs` WHERE `created` <= ?1 OR `level` < ?2",
            vec![until, Value::Int(level)],
        ),
    };
    Ok(aux.write(Job::from(delete)).await?.changes.iter().sum())
}

fn sql(text: &str, params: Vec<Value>) -> Sql {
    Sql { text: text.to_owned(), params }
}
