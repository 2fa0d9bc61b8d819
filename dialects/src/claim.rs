//! Taking rows of a queue: each row goes to one taker, however many ask at once, and nobody waits for another.
//!
//! PostgreSQL skips rows that others are taking (`FOR UPDATE SKIP LOCKED`); SQLite has one writer at a time. Both answer
//! with one statement, so that no row is taken without its taker hearing of it. Must not know what the rows mean.

use std::fmt::Write as _;

use crate::{
    idiom::Dialect,
    quote::ident,
    sql::{Sql, Value},
    statement::mark,
};

/// Which rows may be taken, and what taking writes into them.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The table; its key is `id`.
    pub table: &'a str,
    /// Columns that must have these values: the state of rows that wait, their queue.
    pub ready: &'a [(&'a str, Value)],
    /// A column that must be at or before a value: when a row becomes due.
    pub due: Option<(&'a str, Value)>,
    /// Columns of the order in which rows are taken, ascending.
    pub order: &'a [&'a str],
    /// What is set; must make `ready` or `due` false, or rows are taken again.
    pub set: &'a [(&'a str, Value)],
    /// At most so many rows.
    pub limit: u32,
    /// What is told about the taken rows, in no promised order.
    pub returning: &'a [&'a str],
}

/// Takes rows: to be run as one write (a step of a job that keeps its rows).
#[must_use]
pub fn claim(d: Dialect, claim: &Claim<'_>) -> Sql {
    let mut params: Vec<Value> = Vec::new();
    let mut bind = |value: &Value| {
        params.push(value.clone());
        mark(d, params.len())
    };
    let list = |names: &[&str]| names.iter().map(|n| ident(n)).collect::<Vec<_>>().join(",");
    let pairs = |pairs: &[(&str, Value)], bind: &mut dyn FnMut(&Value) -> String| {
        pairs.iter().map(|(n, v)| format!("{} = {}", ident(n), bind(v))).collect::<Vec<_>>()
    };
    let set = pairs(claim.set, &mut bind).join(",");
    let mut tests = pairs(claim.ready, &mut bind);
    if let Some((column, until)) = &claim.due {
        tests.push(format!("{} <= {}", ident(column), bind(until)));
    }
    let table = ident(claim.table);
    let mut text = format!("UPDATE {table} SET {set} WHERE \"id\" IN (SELECT \"id\" FROM {table}");
    if !tests.is_empty() {
        // writing to a String cannot fail
        let _ = write!(text, " WHERE {}", tests.join(" AND "));
    }
    if !claim.order.is_empty() {
        let _ = write!(text, " ORDER BY {}", list(claim.order));
    }
    let _ = write!(text, " LIMIT {}", bind(&Value::Int(i64::from(claim.limit))));
    text.push_str(d.for_update_skipping());
    let _ = write!(text, ") RETURNING {}", list(claim.returning));
    Sql { text, params }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let text = |text: &str| Value::Text(text.into());
        let of = |d| {
            claim(
                d,
                &Claim {
                    table: "_jobs",
                    ready: &[("state", text("open"))],
                    due: Some(("due", text("2026"))),
                    order: &["due", "id"],
                    set: &[("state", text("taken")), ("owner", text("n1"))],
                    limit: 5,
                    returning: &["id", "payload"],
                },
            )
        };
        let found = of(Dialect::POSTGRES);
        assert_eq!(
            found.text,
            "UPDATE \"_jobs\" SET \"state\" = $1,\"owner\" = $2 WHERE \"id\" IN (SELECT \"id\" FROM \"_jobs\" \
             WHERE \"state\" = $3 AND \"due\" <= $4 ORDER BY \"due\",\"id\" LIMIT $5 FOR UPDATE SKIP LOCKED) \
             RETURNING \"id\",\"payload\""
        );
        assert_eq!(found.params.len(), 5);
        assert!(!of(Dialect::SQLITE).text.contains("SKIP LOCKED"));
    }
}
