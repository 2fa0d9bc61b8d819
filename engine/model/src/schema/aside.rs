//! Views out of the way while what they read changes.
//!
//! For some changes of a table all of them go (spec collections-and-fields §4.7 step 5), and PostgreSQL drops nothing that
//! a view reads.

use dialects::{Sql, ddl, names};

use super::{Snapshot, door::Door};
use crate::store;

/// A view that was dropped, to be made again.
#[derive(Debug)]
pub struct Aside {
    /// The name of the view.
    pub name: String,
    create: String,
}

impl Aside {
    /// With another text.
    #[must_use]
    pub fn edited(self, edit: impl FnOnce(&str) -> String) -> Self {
        Self { create: edit(&self.create), ..self }
    }
}

/// Drops the views that a change of a table must not see; the oldest is the first of the list. On PostgreSQL those that read
/// the table: others, such as those of extensions, are none of its business.
///
/// # Errors
/// What the store reports.
pub async fn set_for(tx: &impl Door, table: &str) -> store::Result<Vec<Aside>> {
    let views = listed(tx, tx.dialect().views_before(tx.present(table))).await?;
    drop_all(tx, &views).await?;
    Ok(views)
}

/// Drops the views that keep others from being dropped because they read them, on PostgreSQL.
///
/// # Errors
/// What the store reports.
pub async fn set_readers(tx: &impl Door, relations: &[&str]) -> store::Result<Vec<Aside>> {
    let Some(readers) = tx.dialect().readers(relations) else { return Ok(Vec::new()) };
    let views = listed(tx, readers).await?;
    drop_all(tx, &views).await?;
    Ok(views)
}

/// The same, of view collections only. Views of others stay in the way of a view that changes: they may not fit any more.
///
/// # Errors
/// What the store reports.
pub async fn set_reading_collections(
    tx: &impl Door,
    snapshot: &Snapshot,
    view: &str,
) -> store::Result<Vec<Aside>> {
    let d = tx.dialect();
    let Some(readers) = d.readers(&[view]) else { return Ok(Vec::new()) };
    let mut views = listed(tx, readers).await?;
    let is_collection = |view: &Aside| {
        snapshot.iter().any(|c| c.is_view() && *names::stored(d, &c.name) == *view.name)
    };
    views.retain(is_collection);
    drop_all(tx, &views).await?;
    Ok(views)
}

/// What a view of PostgreSQL has beside its query (privileges), to be run when it was made again as `of`.
///
/// # Errors
/// What the store reports.
pub async fn belongings(tx: &impl Door, view: &str, of: &str) -> store::Result<String> {
    let Some(asked) = tx.dialect().belongings(view, of) else { return Ok(String::new()) };
    tx.read(asked, |rows| Ok(rows.next()?.map(|row| row.text(0).to_owned()).unwrap_or_default()))
        .await?
}

/// Makes views again.
///
/// # Errors
/// What the store reports, when one does not fit what it reads any more.
pub async fn put_back(tx: &impl Door, views: impl IntoIterator<Item = Aside>) -> store::Result<()> {
    for view in views {
        tx.execute_batch(view.create).await?;
    }
    Ok(())
}

async fn listed(tx: &impl Door, views: Sql) -> store::Result<Vec<Aside>> {
    tx.read(views, |rows| {
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(Aside { name: row.text(0).to_owned(), create: row.text(1).to_owned() });
        }
        Ok(out)
    })
    .await?
}

/// The other way round: a view may read older ones.
async fn drop_all(tx: &impl Door, views: &[Aside]) -> store::Result<()> {
    for view in views.iter().rev() {
        tx.execute_batch(ddl::drop_view(tx.dialect(), &view.name)).await?;
    }
    Ok(())
}
