//! The indexes that PostgreSQL tables have over columns of documents: made at start where one is missing, because a column
//! was made by an older version. Saving a collection keeps them right. Must not know what they are for.

use std::collections::HashSet;

use dialects::{Dialect, catalog, ddl};

use super::Snapshot;
use crate::{
    field::ColumnType,
    store::{self, Store},
};
use primitives::future::BoxFutureRef;

/// A missing index, by the column it belongs to.
struct Missing<'s> {
    table: &'s str,
    column: &'s str,
    ty: ColumnType,
}

/// Compares what there is with what the collections need, when a store is opened.
///
/// # Errors
/// What the store reports. An index that cannot be made is only missed, and warned of.
pub fn settle<'a>(store: &'a Store, snapshot: &'a Snapshot) -> BoxFutureRef<'a, store::Result<()>> {
    Box::pin(async move {
        let database = store.data();
        let d = database.dialect();
        if missing(d, snapshot, &HashSet::new()).is_empty()
            || missing(d, snapshot, &names(store).await?).is_empty()
        {
            return Ok(());
        }
        let _lock = database.lock_migrations().await?;
        let tx = database.begin_within(LONG).await?;
        // Another node may have been here.
        for Missing { table, column, ty } in missing(d, snapshot, &names(store).await?) {
            for text in ddl::document_indexes(d, table, column, ty) {
                if let Err(error) = tx.execute_batch(text).await {
                    tracing::warn!(%error, table, column, "no index over documents");
                }
            }
        }
        tx.commit().await
    })
}

/// Large tables take their time.
const LONG: std::time::Duration = std::time::Duration::from_secs(60 * 60);

fn missing<'s>(d: Dialect, snapshot: &'s Snapshot, found: &HashSet<String>) -> Vec<Missing<'s>> {
    let columns = snapshot.iter().filter(|c| !c.is_view()).flat_map(|c| {
        let of = |f: &'s crate::field::Field| Missing {
            table: &c.name,
            column: &f.name,
            ty: f.kind.column(),
        };
        c.fields.iter().map(of)
    });
    let lacks = |m: &Missing<'_>| {
        d.documents(m.ty)
            .iter()
            .any(|kind| !found.contains(&ddl::document_index_name(*kind, m.table, m.column)))
    };
    columns.filter(lacks).collect()
}

async fn names(store: &Store) -> store::Result<HashSet<String>> {
    store
        .data()
        .query(catalog::index_names(store.data().dialect()), |rows| {
            let mut out = HashSet::new();
            while let Some(row) = rows.next()? {
                out.insert(row.text(0).to_owned());
            }
            Ok::<_, store::Error>(out)
        })
        .await?
}
