//! The full-text indexes a database should have: made where one is missing, removed where nobody wants it.
//!
//! Saving a collection keeps its index right. Other programs do not know the option: the reference drops it from a
//! collection it saves, and a table it makes again has no index. Must not know fields or searches.

use std::collections::HashSet;

use dialects::{catalog, ddl};

use super::{Collection, Snapshot, door::Door};
use crate::store::{self, Db, Store, Tx};
use primitives::future::BoxFutureRef;

/// Compares what there is with what the collections ask for, when a store is opened.
///
/// # Errors
/// What the store reports.
pub fn settle<'a>(store: &'a Store, snapshot: &'a Snapshot) -> BoxFutureRef<'a, crate::Result<()>> {
    Box::pin(async move {
        let db = Db::Pool(store.data().clone());
        let found = names(&db).await?;
        let wanted: Vec<&Collection> = snapshot
            .iter()
            .map(|loaded| &loaded.collection)
            .filter(|c| c.full_text().next().is_some())
            .collect();
        let dialect = db.dialect();
        let parts = |c: &Collection| ddl::full_text_parts(dialect, &c.id);
        let missing: Vec<&Collection> = wanted
            .iter()
            .copied()
            .filter(|c| parts(c).iter().any(|name| !found.contains(name)))
            .collect();
        let known: HashSet<String> = wanted.iter().flat_map(|c| parts(c)).collect();
        let orphans: Vec<&str> = found
            .iter()
            .filter(|name| !known.contains(*name))
            .filter_map(|name| ddl::full_text_owner(dialect, name))
            .filter(|id| found.contains(&ddl::full_text_name(id)))
            .collect();
        if missing.is_empty() && orphans.is_empty() {
            return Ok(());
        }
        let _lock = store.data().lock_migrations().await?;
        let tx = store.data().begin().await?;
        match repair(&tx, &missing, &orphans).await {
            Ok(()) => Ok(tx.commit().await?),
            Err(error) => {
                tx.rollback().await;
                Err(error.into())
            }
        }
    })
}

async fn repair(tx: &Tx, missing: &[&Collection], orphans: &[&str]) -> store::Result<()> {
    for id in orphans {
        run(tx, ddl::drop_full_text(tx.dialect(), id)).await?;
    }
    for collection in missing {
        run(tx, ddl::drop_full_text(tx.dialect(), &collection.id)).await?;
        create(tx, collection).await?;
    }
    Ok(())
}

/// Makes the index of a collection, if it has one.
///
/// # Errors
/// What the store reports.
pub async fn create(tx: &impl Door, collection: &Collection) -> store::Result<()> {
    run(tx, statements(tx.dialect(), collection)).await
}

/// What makes the index of a collection; nothing if it has none.
#[must_use]
pub fn statements(dialect: dialects::Dialect, collection: &Collection) -> Vec<String> {
    let columns: Vec<&str> = collection.full_text().map(|f| f.name.as_str()).collect();
    if columns.is_empty() {
        return Vec::new();
    }
    ddl::create_full_text(dialect, &collection.id, &collection.name, &columns)
}

async fn run(tx: &impl Door, statements: Vec<String>) -> store::Result<()> {
    for text in statements {
        tx.execute_batch(text).await?;
    }
    Ok(())
}

async fn names(db: &Db) -> store::Result<HashSet<String>> {
    db.query(catalog::full_text(db.dialect()), |rows| {
        let mut out = HashSet::new();
        while let Some(row) = rows.next()? {
            out.insert(row.text(0).to_owned());
        }
        Ok::<_, store::Error>(out)
    })
    .await?
}
