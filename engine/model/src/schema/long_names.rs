//! Names of more than 63 bytes in PostgreSQL databases of older versions, where the server cut them itself: they get the
//! names that statements use now. Must not know what is stored under them.

use dialects::{
    Dialect, catalog, ddl,
    names::{stored, truncated},
};

use super::{Collection, Snapshot, index::Index};
use crate::store::{self, Db, Store, Tx};
use primitives::future::BoxFutureRef;

/// Looks at long names when a store is opened. Where there are none, as usual, nothing is asked.
///
/// # Errors
/// What the store reports.
pub fn settle<'a>(store: &'a Store, snapshot: &'a Snapshot) -> BoxFutureRef<'a, store::Result<()>> {
    Box::pin(async move {
        let database = store.data();
        let d = database.dialect();
        let affected: Vec<&Collection> = snapshot
            .iter()
            .map(|loaded| &loaded.collection)
            .filter(|c| has_long_names(d, c))
            .collect();
        let mut statements = Vec::new();
        for collection in &affected {
            statements.extend(renames(&Db::Pool(database.clone()), collection).await?);
        }
        if statements.is_empty() {
            return Ok(());
        }
        let _lock = database.lock_migrations().await?;
        let tx = database.begin().await?;
        match run(&tx, &affected).await {
            Ok(()) => tx.commit().await,
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    })
}

async fn run(tx: &Tx, affected: &[&Collection]) -> store::Result<()> {
    // Another node may have been here.
    for collection in affected {
        for text in renames(&Db::Tx(tx.clone()), collection).await? {
            tx.execute_batch(text).await?;
        }
    }
    Ok(())
}

fn is_long(d: Dialect, name: &str) -> bool {
    truncated(d, name).len() < name.len()
}

fn indexes(collection: &Collection) -> impl Iterator<Item = String> {
    collection.indexes.iter().map(|text| Index::parse(text).name)
}

fn has_long_names(d: Dialect, collection: &Collection) -> bool {
    is_long(d, &collection.name)
        || collection.fields.iter().any(|f| is_long(d, &f.name))
        || indexes(collection).any(|name| is_long(d, &name))
}

/// What gives a collection's table, columns and indexes the names they should have.
async fn renames(db: &Db, collection: &Collection) -> store::Result<Vec<String>> {
    let d = db.dialect();
    let mut out = Vec::new();
    let mut table = stored(d, &collection.name).into_owned();
    if is_long(d, &collection.name) && listed(db, catalog::has_table(d, &table)).await?.is_empty() {
        let old = truncated(d, &collection.name);
        if listed(db, catalog::has_table(d, old)).await?.iter().all(|found| found != old) {
            return Ok(out);
        }
        out.push(if collection.is_view() {
            ddl::rename_view(d, old, &table)
        } else {
            ddl::rename_table(d, old, &table, &[])[0].clone()
        });
        old.clone_into(&mut table);
    }
    let found = listed(db, catalog::columns(d, &table)).await?;
    for field in collection.fields.iter().filter(|f| is_long(d, &f.name)) {
        let (old, new) = (truncated(d, &field.name), stored(d, &field.name));
        if found.iter().any(|name| name == old) && !found.iter().any(|name| *name == *new) {
            out.push(ddl::rename_column(d, &stored(d, &collection.name), old, &new)[0].clone());
        }
    }
    for name in indexes(collection).filter(|name| is_long(d, name)) {
        let (old, new) = (truncated(d, &name), stored(d, &name));
        let is_there = !listed(db, catalog::has_index(d, old)).await?.is_empty();
        if is_there && listed(db, catalog::has_index(d, &new)).await?.is_empty() {
            out.extend(d.rename_index(old, &new));
        }
    }
    Ok(out)
}

async fn listed(db: &Db, sql: dialects::Sql) -> store::Result<Vec<String>> {
    db.query(sql, |rows| {
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(row.text(0).to_owned());
        }
        Ok(out)
    })
    .await?
}
