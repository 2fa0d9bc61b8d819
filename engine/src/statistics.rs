//! What collections hold: rows, bytes, the last write, full-text search. For people; bounded in time, so that what takes too
//! long is unknown. Source: spec dashboard §8 A10.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use dialects::statement::{self, Select};

use crate::{
    Error, Result,
    ctx::Ctx,
    field::autodate::{self, Autodate},
    rule::{self, Parts},
    schema::Loaded,
    store::sizes,
};

/// All the time that may go into counting and looking for last writes.
const BUDGET: Duration = Duration::from_secs(10);
/// The time for one collection.
const EACH: Duration = Duration::from_secs(2);

/// Most files of one collection.
const MAX_FILES: usize = 200_000;

/// What one collection holds; `None` is unknown.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Records.
    pub rows: Option<i64>,
    /// Bytes of the table.
    pub table_bytes: Option<u64>,
    /// Bytes of its indexes.
    pub index_bytes: Option<u64>,
    /// The latest date in a field that every write sets.
    pub last_write: Option<String>,
    /// The fields of its full-text index.
    pub full_text: Vec<String>,
    /// Bytes of the full-text index.
    pub full_text_bytes: Option<u64>,
    /// Stored files with their thumbnails, and their bytes; unknown where they are in a bucket.
    pub files: Option<(u64, u64)>,
}

/// All collections by id, in their order.
///
/// # Errors
/// Only when the database is away: what cannot be known is left out.
pub async fn all(ctx: &Ctx) -> Result<Vec<(String, String, Statistics)>> {
    let sizes = match sizes::tables(&ctx.db).await {
        Ok(sizes) => sizes,
        Err(error) => {
            let error = Error::Store(error);
            if error.is_outage() {
                return Err(error);
            }
            tracing::debug!(%error, "the sizes of tables are not known");
            Vec::new()
        }
    };
    let end = Instant::now() + BUDGET;
    let snapshot = ctx.snapshot();
    let mut out = Vec::new();
    for collection in snapshot.iter() {
        let mut found = Statistics {
            full_text: collection.full_text().map(|field| field.name.clone()).collect(),
            ..Statistics::default()
        };
        if let Some(size) = sizes.iter().find(|size| size.name == collection.name) {
            (found.table_bytes, found.index_bytes) = (Some(size.table), Some(size.indexes));
        }
        if !found.full_text.is_empty() {
            // the tables of the index are called after the collection's id
            let own = sizes
                .iter()
                .filter(|size| size.name.contains(&collection.id) && size.name != collection.name);
            found.full_text_bytes = Some(own.map(|size| size.table + size.indexes).sum());
        }
        found.rows = within(end, rule::count_all(ctx, collection)).await;
        found.last_write = within(end, last_write(ctx, collection)).await.flatten();
        if !collection.file_fields.is_empty() {
            found.files = within(end, files(ctx, collection)).await.flatten();
        }
        out.push((collection.id.clone(), collection.name.clone(), found));
    }
    Ok(out)
}

async fn within<T>(end: Instant, work: impl Future<Output = Result<T>>) -> Option<T> {
    let left = end.checked_duration_since(Instant::now())?.min(EACH);
    tokio::time::timeout(left, work).await.ok()?.ok()
}

/// Files of records in a directory of this machine.
async fn files(ctx: &Ctx, collection: &Loaded) -> Result<Option<(u64, u64)>> {
    let place = ctx.app.files().records().map_err(Error::Io)?;
    let Some(dir) = place.local_path(&collection.id) else { return Ok(None) };
    let counted = tokio::task::spawn_blocking(move || walk(dir)).await;
    Ok(counted.unwrap_or_default())
}

/// `None` beyond what is worth looking at.
fn walk(dir: PathBuf) -> Option<(u64, u64)> {
    let (mut open, mut seen) = (vec![dir], 0);
    let (mut files, mut bytes) = (0, 0);
    while let Some(dir) = open.pop() {
        // A collection without files has no directory.
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_FILES {
                return None;
            }
            let Ok(facts) = entry.metadata() else { continue };
            if facts.is_dir() {
                open.push(entry.path());
            } else if entry.path().extension().is_none_or(|extension| extension != "attrs") {
                files += 1;
                bytes += facts.len();
            }
        }
    }
    Some((files, bytes))
}

/// The greatest value of the field that updates set, which an index or a walk finds.
async fn last_write(ctx: &Ctx, collection: &Loaded) -> Result<Option<String>> {
    let is_set = |field: &&crate::field::Field| {
        field.type_name() == autodate::KIND
            && field.options::<Autodate>().is_some_and(|options| options.on_update)
    };
    let Some(field) = collection.fields.iter().find(is_set) else { return Ok(None) };
    let Some((at, _)) = collection.field_at(&field.name) else { return Ok(None) };
    let sort = format!("-{}", field.name);
    let plan = rule::compile(ctx, collection, &Parts { sort: &sort, ..Parts::default() })?;
    let select = Select { limit: Some(1), ..Select::all(&collection.select) };
    let sql = statement::page(ctx.app.dialect(), &plan, &select);
    let read = move |rows: &mut crate::store::Rows<'_>| {
        rows.next().map(|row| row.map(|row| row.text(at).to_owned()))
    };
    let found = ctx.db.query(sql, read).await.and_then(|found| found).map_err(Error::Store)?;
    Ok(found.filter(|date| !date.is_empty()))
}
