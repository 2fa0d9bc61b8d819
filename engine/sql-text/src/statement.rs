//! Which statements of a text write. Must not know what runs them.
//!
//! What sqlparser does not know is judged by its first word, as the reference judges everything.

use sqlparser::{
    ast::{Query, SelectItem, SetExpr, Statement},
    dialect::{Dialect, PostgreSqlDialect, SQLiteDialect},
    parser::Parser,
};

const STACK: usize = 48 << 20;

/// What is known about the statements of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statements {
    /// The first one writes, and may do so in a transaction with the others.
    pub first_writes: bool,
    /// Any of them may change what is stored.
    pub any_writes: bool,
}

/// First words of what runs as a write (spec server-settings-operations §6).
const WRITES: [&str; 8] =
    ["INSERT", "CREATE", "UPDATE", "DELETE", "DROP", "DETACH", "ALTER", "REPLACE"];
/// First words of what only reads.
const READS: [&str; 4] = ["SELECT", "EXPLAIN", "VALUES", "SHOW"];

/// Reads the statements of a text.
#[must_use]
pub fn read(text: &str, postgres: bool) -> Statements {
    crate::with_stack(STACK, || {
        let text = crate::marks::double_quoted(text);
        let dialect: &dyn Dialect =
            if postgres { &PostgreSqlDialect {} } else { &SQLiteDialect {} };
        match Parser::parse_sql(dialect, &text) {
            Ok(statements) => Statements {
                first_writes: statements
                    .first()
                    .is_some_and(|first| effect(first) == Effect::Writes),
                any_writes: statements.iter().any(|statement| effect(statement) != Effect::Reads),
            },
            Err(_) => by_first_word(&text),
        }
    })
}

/// The names that SQLite gives the columns of a text's last statement: aliases, columns, else the expression as written
/// again. Empty where they cannot be known.
#[must_use]
pub fn columns(text: &str) -> Vec<String> {
    crate::with_stack(STACK, || {
        let text = crate::marks::double_quoted(text);
        let statements = Parser::parse_sql(&PostgreSqlDialect {}, &text).unwrap_or_default();
        let Some(Statement::Query(query)) = statements.last() else { return Vec::new() };
        let mut body = &*query.body;
        while let SetExpr::SetOperation { left, .. } = body {
            body = left;
        }
        let SetExpr::Select(select) = body else { return Vec::new() };
        let names = select.projection.iter().map(|item| match item {
            SelectItem::UnnamedExpr(expr) => Some(expr.to_string()),
            SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
            _ => None,
        });
        names.collect::<Option<_>>().unwrap_or_default()
    })
}

fn by_first_word(text: &str) -> Statements {
    let start = text.trim_start().as_bytes();
    let is = |word: &&str| {
        start.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word.as_bytes()))
    };
    Statements {
        first_writes: WRITES.iter().any(&is),
        any_writes: !READS.iter().any(is) || text.contains(';'),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    /// Changes rows or the schema.
    Writes,
    /// Something else: settings, transactions, maintenance, which runs by itself.
    Other,
}

fn effect(statement: &Statement) -> Effect {
    match statement {
        Statement::Query(query) => of_query(query),
        Statement::ShowVariable { .. } | Statement::Pragma { value: None, .. } => Effect::Reads,
        Statement::Explain { analyze, statement, .. } => match (analyze, effect(statement)) {
            (true, Effect::Writes) => Effect::Other,
            _ => Effect::Reads,
        },
        other => {
            let text = other.to_string();
            let first = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            let is_known = WRITES.iter().any(|word| word.eq_ignore_ascii_case(first));
            if is_known { Effect::Writes } else { Effect::Other }
        }
    }
}

/// `WITH … INSERT`, and PostgreSQL's common tables that write. What returns rows is not run as a write, which shows none.
fn of_query(query: &Query) -> Effect {
    let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
    let of_ctes = ctes.map(|cte| of_query(&cte.query)).any(|effect| effect != Effect::Reads);
    let returns = match &*query.body {
        SetExpr::Insert(Statement::Insert(insert)) => insert.returning.is_some(),
        SetExpr::Update(Statement::Update(update)) => update.returning.is_some(),
        SetExpr::Delete(Statement::Delete(delete)) => delete.returning.is_some(),
        SetExpr::Merge(_) => false,
        _ => return if of_ctes { Effect::Other } else { Effect::Reads },
    };
    if returns { Effect::Other } else { Effect::Writes }
}

#[cfg(test)]
mod tests {
    use super::{Statements, columns, read};

    #[test]
    fn names_of_columns() {
        for (text, want) in [
            ("select 1; select 1+1, a b, 'x' from t union select 2", &["1 + 1", "b", "'x'"][..]),
            ("select *, 1 from t", &[]),
            ("delete from t", &[]),
            ("selec", &[]),
        ] {
            assert_eq!(columns(text), want, "{text}");
        }
    }

    #[test]
    fn reading_and_writing() {
        let (reads, writes, other) = ((false, false), (true, true), (false, true));
        for (text, want) in [
            ("select 1", reads),
            (" /* c */ SELECT 'insert'; -- x", reads),
            ("values (1),(2)", reads),
            ("with a as (select 1) select * from a", reads),
            ("explain insert into t values (1)", reads),
            ("explain query plan select 1", reads),
            ("pragma user_version", reads),
            ("select [[a]] from {{t}}", reads),
            ("insert into t values (1)", writes),
            ("insert into t values (1) returning a", writes),
            ("/* c */ insert into t values (1)", writes),
            ("-- c\nreplace into t values (1)", writes),
            ("INSERT OR REPLACE INTO t VALUES (1)", writes),
            ("with a as (select 1) insert into t select * from a", writes),
            ("update t set a = 1; select 2", writes),
            ("delete from t", writes),
            ("create table t (a)", writes),
            ("create virtual table f using fts5(a, content='')", writes),
            ("create trigger x after insert on t begin select 1; end", writes),
            ("drop table t", writes),
            ("alter table t add b", writes),
            ("with a as (select 1) insert into t select * from a returning b", other),
            ("select 1; insert into t values (1)", other),
            ("pragma user_version = 5", other),
            ("vacuum", other),
            ("analyze", other),
            ("begin", other),
            ("attach ':memory:' as x", other),
            // no SQL, judged by the first word
            ("selec 1", other),
            ("select <", reads),
            ("update x <", writes),
            ("", reads),
        ] {
            let Statements { first_writes, any_writes } = read(text, false);
            assert_eq!((first_writes, any_writes), want, "{text}");
        }
        for (text, want) in [
            ("with a as (insert into t values (1) returning id) select id from a", other),
            ("explain analyze delete from t", other),
            ("select a[1], b::text from t", reads),
            ("truncate t", other),
            ("show work_mem", reads),
        ] {
            let Statements { first_writes, any_writes } = read(text, true);
            assert_eq!((first_writes, any_writes), want, "{text}");
        }
    }
}
