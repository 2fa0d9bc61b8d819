//! A filter and a sort from a request, over your own SQLite table: `cargo run -p dialects --example own_sqlite`.

use std::{error::Error, sync::Arc};

use dialects::{
    Dialect, Value,
    statement::{ColumnList, Select},
};
use filter_lang::{
    Flags, Resolver, parse,
    schema::{Class, Collection, Field},
    scope::Scope,
};
use rusqlite::{Connection, params_from_iter, types::Value as Stored};

/// The titles of the first twenty books that match.
pub(crate) fn titles(
    db: &Connection,
    filter: &str,
    sort: &str,
) -> Result<Vec<String>, Box<dyn Error>> {
    let books = Collection::new("books")
        .with(Field::new("isbn", Class::Text))
        .with(Field::new("title", Class::Text))
        .with(Field::new("pages", Class::Number))
        .tie_break("isbn");
    let tables = vec![Arc::new(books)];
    let scope = Scope::default();
    let plan = Resolver::new(&tables, Arc::clone(&tables[0]), &scope)
        .filter(&parse(filter)?, Flags::CLIENT)?
        .sort(sort, Flags::CLIENT)?
        .finish();
    let columns = ColumnList::new(&["title"]);
    let page = Select { limit: Some(20), ..Select::all(&columns) };
    let sql = Dialect::SQLITE.query(&plan).page(&page);
    let mut statement = db.prepare_cached(&sql.text)?;
    let rows = statement.query_map(params_from_iter(sql.params.iter().map(bound)), |r| r.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn bound(value: &Value) -> Stored {
    match value {
        Value::Null => Stored::Null,
        Value::Int(number) => Stored::Integer(*number),
        Value::Real(number) => Stored::Real(*number),
        Value::Text(text) => Stored::Text(text.to_string()),
    }
}

/// Some books to look for.
pub(crate) fn shelf() -> rusqlite::Result<Connection> {
    let db = Connection::open_in_memory()?;
    db.execute_batch(
        "CREATE TABLE books (isbn TEXT PRIMARY KEY, title TEXT, pages INTEGER) WITHOUT ROWID;
         INSERT INTO books VALUES ('3', 'Rust in Action', 456), ('1', 'Programming Rust', 735),
           ('2', 'The Rust Book', 560), ('4', 'SQL Antipatterns', 328), ('5', 'Zero to Rust', 456);",
    )?;
    Ok(db)
}

#[allow(dead_code, clippy::print_stdout, reason = "the test calls `titles`")]
fn main() -> Result<(), Box<dyn Error>> {
    for title in titles(&shelf()?, "title ~ 'rust' && pages > 400", "-pages")? {
        println!("{title}");
    }
    Ok(())
}
