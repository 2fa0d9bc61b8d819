//! Views out of the way while what they read changes.
//!
//! For some changes of a table all of them go (spec collections-and-fields §4.7 step 5), and PostgreSQL drops nothing that
//! a view reads.

use dialects::{Sql, catalog, ddl};

use super::Snapshot;
use crate::store::{self, Tx};

/// A view that was dropped, to be made again.
#[derive(Debug)]
pub struct Aside {
    /// The name of the view.
    pub name: String,
    create: String,
}

/// Drops all views; the oldest is the first of the list.
///
/// # Errors
/// What the store reports.
pub async fn set_all(tx: &Tx) -> store::Result<Vec<Aside>> {
    let views = listed(tx, catalog::views(tx.dialect())).await?;
    drop_all(tx, &views).await?;
    Ok(views)
}

/// Drops the view collections that keep a view from being dropped: those that read it, on PostgreSQL. Views of others stay
/// in the way: they would come back without what was granted on them.
///
/// # Errors
/// What the store reports.
pub async fn set_readers(tx: &Tx, snapshot: &Snapshot, view: &str) -> store::Result<Vec<Aside>> {
    let mut views = listed(tx, catalog::readers(tx.dialect(), view)).await?;
    views.retain(|view| snapshot.by_name(&view.name).is_some_and(|c| c.is_view()));
    drop_all(tx, &views).await?;
    Ok(views)
}

/// Makes views again.
///
/// # Errors
/// What the store reports, when one does not fit what it reads any more.
pub async fn put_back(tx: &Tx, views: impl IntoIterator<Item = Aside>) -> store::Result<()> {
    for view in views {
        tx.execute_batch(view.create).await?;
    }
    Ok(())
}

async fn listed(tx: &Tx, views: Sql) -> store::Result<Vec<Aside>> {
    tx.query(views, |rows| {
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(Aside { name: row.text(0).to_owned(), create: row.text(1).to_owned() });
        }
        Ok(out)
    })
    .await?
}

/// The other way round: a view may read older ones.
async fn drop_all(tx: &Tx, views: &[Aside]) -> store::Result<()> {
    for view in views.iter().rev() {
        tx.execute_batch(ddl::drop_view(tx.dialect(), &view.name)).await?;
    }
    Ok(())
}
