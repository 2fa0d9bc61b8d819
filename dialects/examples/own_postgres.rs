//! A filter from a request, over your own PostgreSQL table, which has no column of ours:
//! `cargo run -p dialects --example own_postgres -- postgres://…`.

use std::{error::Error, sync::Arc};

use dialects::{
    Dialect, Value, postgres,
    statement::{ColumnList, Select},
};
use filter_lang::{
    Flags, Resolver, parse,
    schema::{Class, Collection, Field},
    scope::Scope,
};
use tokio_postgres::{Client, NoTls, types::ToSql};

/// The names of the first twenty shops that match, nearest first where the filter says so.
pub(crate) async fn names(client: &Client, filter: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let shops = Collection::new("shops")
        .with(Field::new("code", Class::Text))
        .with(Field::new("name", Class::Text))
        .with(Field::new("lon", Class::Number))
        .with(Field::new("lat", Class::Number))
        .tie_break("code");
    let tables = vec![Arc::new(shops)];
    let scope = Scope::default();
    let plan = Resolver::new(&tables, Arc::clone(&tables[0]), &scope)
        .filter(&parse(filter)?, Flags::CLIENT)?
        .finish();
    let columns = ColumnList::new(&["name"]);
    let page = Select { limit: Some(20), ..Select::all(&columns) };
    let sql = Dialect::POSTGRES.query(&plan).page(&page);
    // A migration installs `postgres::HELPERS` once; here, what this one statement calls.
    client.batch_execute(&postgres::helpers_for(&sql.text)).await?;
    let params: Vec<Box<dyn ToSql + Sync>> = sql.params.iter().map(bound).collect();
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(AsRef::as_ref).collect();
    let rows = client.query(&sql.text, &params).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Every placeholder of a page says its type.
fn bound(value: &Value) -> Box<dyn ToSql + Sync> {
    match value {
        Value::Null => Box::new(None::<String>),
        Value::Int(number) => Box::new(*number),
        Value::Real(number) => Box::new(*number),
        Value::Text(text) => Box::new(text.to_string()),
    }
}

/// Some shops to look for.
pub(crate) const SHOPS: &str = "
    CREATE TEMPORARY TABLE shops (code text PRIMARY KEY, name text, lon float8, lat float8);
    INSERT INTO shops VALUES ('b', 'Rila', 23.32, 42.69), ('a', 'Pirin', 23.33, 42.70), ('c', 'Varna', 27.91, 43.21);";

#[allow(dead_code, clippy::print_stdout, reason = "the test calls `names`")]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let dsn = std::env::args().nth(1).ok_or("which database?")?;
    let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(SHOPS).await?;
    for name in names(&client, "geoDistance(lon, lat, 23.32, 42.69) < 100").await? {
        println!("{name}");
    }
    Ok(())
}
