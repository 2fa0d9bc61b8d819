//! Who changed what: each write of a record of the collections that want it is kept beside them, for a while.
//!
//! Handlers bound to those collections only; for all others, and where no collection wants it, nothing costs anything. What is
//! written by SQL is not seen. Source: spec dashboard §8 A17.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dialects::statement::{self, ColumnList, Test};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::{
    App, Error, Result,
    app::life::Phase,
    cluster,
    ctx::Ctx,
    event::{Action, RecordEvent},
    field,
    hook::{Event, Handler},
    log::Level,
    record::Record,
    schema::{Loaded, WireSource},
    store::{
        Job, Rows, Value as Cell, system,
        tables::{self, Column, Table},
    },
    time,
};
use primitives::future::BoxFutureRef;

const TABLE: &str = "_recordHistory";
const COLUMNS: [&str; 9] =
    ["id", "collection", "record", "action", "at", "authCollection", "auth", "before", "after"];
/// The row of `_params` with the ids of the collections.
const PARAMS: &str = "history";
/// The name of the handlers.
const HANDLER: &str = "__pbHistory__";
/// How long entries are kept.
pub const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// Every so many writes old entries are looked for.
const PRUNE_EVERY: u64 = 500;
/// Most entries of one answer.
const MAX_ENTRIES: u32 = 1000;

/// Counts writes, and knows the latest id.
#[derive(Debug, Default)]
pub(crate) struct State {
    n_writes: AtomicU64,
    /// Microseconds of the last entry of this node.
    last: Mutex<u64>,
}

impl State {
    /// An id greater than all before it on this node, however many entries fall into one millisecond. Nodes share their
    /// clock's precision: what two of them write to one record within a millisecond may stand in either order.
    fn next_id(&self, now: time::Timestamp) -> String {
        let micros = u64::try_from(now.millis()).unwrap_or(0) * 1000;
        let mut last = self.last.lock();
        *last = micros.max(*last + 1);
        format!("{:016}{}", *last, crate::id::random(4, crate::id::LOWER_ALNUM))
    }
}

/// One change of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Later ones are greater.
    pub id: String,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// When.
    pub at: String,
    /// Who: collection and id; empty for nobody in particular.
    pub by: (String, String),
    /// The values of the changed fields before.
    pub before: Map<String, Value>,
    /// The same afterwards.
    pub after: Map<String, Value>,
}

fn table() -> Table {
    let texts = COLUMNS.iter().skip(1).map(|name| Column::text(name));
    texts
        .fold(Table::new(TABLE).column(Column::text("id").primary()), Table::column)
        .index("idx_recordHistory_record", ["collection", "record", "id"])
        .index("idx_recordHistory_at", ["at"])
}

/// The ids of the collections whose changes are kept.
///
/// # Errors
/// Database errors.
pub fn wanted(app: &App) -> BoxFutureRef<'_, Result<BTreeSet<String>>> {
    Box::pin(async move {
        let sql = system::params_value(app.dialect(), PARAMS);
        let read = |rows: &mut Rows<'_>| {
            rows.next().map(|row| row.map(|row| field::cell_text(row.get(0)).into_owned()))
        };
        let text = app.db().query(sql, read).await.and_then(|text| text).map_err(Error::Store)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    })
}

/// Switches it on or off for a collection. What was kept of it goes when it is switched off.
///
/// # Errors
/// Database errors.
pub fn switch<'a>(ctx: &'a Ctx, collection: &'a Loaded, on: bool) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        if on {
            tables::ensure(&ctx.app.db(), &table()).await?;
        }
        let id = collection.id.clone();
        ctx.run_in_transaction(move |ctx| async move {
            let (dialect, now) = (ctx.app.dialect(), time::now().to_string());
            ctx.db.write(Job::from(system::hold_params(dialect, PARAMS, &now))).await?;
            let sql = system::params_value(dialect, PARAMS);
            let read = |rows: &mut Rows<'_>| {
                rows.next().map(|row| row.map(|row| field::cell_text(row.get(0)).into_owned()))
            };
            let text = ctx.db.query(sql, read).await.and_then(|text| text).map_err(Error::Store)?;
            let kept = text.and_then(|text| serde_json::from_str::<BTreeSet<String>>(&text).ok());
            let mut kept = kept.unwrap_or_default();
            let was = if on { !kept.insert(id.clone()) } else { kept.remove(&id) };
            let text = json!(kept).to_string();
            ctx.db
                .write(Job::from(system::save_params_plain(dialect, PARAMS, &text, &now)))
                .await?;
            if was && !on {
                let sql = system::delete_where(dialect, TABLE, "collection", &id);
                ctx.db.write(Job::from(sql)).await?;
            }
            Ok(())
        })
        .await?;
        follow(&ctx.app).await?;
        // other nodes read the collections again, and this with them
        cluster::anything_changed(&ctx.app).await;
        Ok(())
    })
}

/// Binds the handlers to the collections that want it at this moment.
///
/// # Errors
/// Database errors.
pub async fn follow(app: &App) -> Result<()> {
    let wanted = wanted(app).await?;
    for action in [Action::Create, Action::Update, Action::Delete] {
        let hook = app.hooks().records.at(action, Phase::Around);
        if wanted.is_empty() {
            hook.unbind(&[HANDLER]);
            continue;
        }
        let handler = Handler::new(move |event| keep(event, action));
        // innermost: what other handlers change is in it
        hook.bind_handler(handler.id(HANDLER).priority(i32::MAX).tags(wanted.iter()));
    }
    Ok(())
}

/// The collections were read again: so are those that want it.
pub(crate) fn schema_changed(app: &App) {
    if app.node().is_none() {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(error) = follow(&app).await {
            tracing::warn!(%error, "the collections with a history could not be read");
        }
    });
}

async fn keep(event: Event<RecordEvent>, action: Action) -> Result<()> {
    event.next().await?;
    let record = event.record.snapshot();
    let (before, after) = match action {
        Action::Create => (Map::new(), values(&record, |_| true, Record::value)),
        Action::Delete => (values(&record, |_| true, original), Map::new()),
        Action::Update | Action::Validate => {
            let changed = |at: usize| record.value(at) != original(&record, at);
            (values(&record, changed, original), values(&record, changed, Record::value))
        }
    };
    if before.is_empty() && after.is_empty() {
        return Ok(());
    }
    // The record is written: that its entry is not is no failure of the request.
    let ctx = event.ctx.get();
    if let Err(error) = write(&ctx, &record, action, (before, after)).await {
        let data = json!({"collection": record.collection().name, "error": error.to_string()});
        ctx.app.log().write(Level::Error, "[History] an entry was not kept", &data);
    }
    Ok(())
}

fn original(record: &Record, at: usize) -> &field::Val {
    &record.originals()[at]
}

fn is_credential(field: &field::Field) -> bool {
    field.kind.is_sealed() || field.type_name() == field::password::KIND
}

/// Values as they are shown to superusers; credentials are not.
fn values(
    record: &Record,
    is_wanted: impl Fn(usize) -> bool,
    value: impl for<'r> Fn(&'r Record, usize) -> &'r field::Val,
) -> Map<String, Value> {
    let collection = record.collection();
    let mut out = Map::new();
    for (at, field) in collection.fields.iter().enumerate() {
        let is_shown = collection.keys.iter().any(|key| key.source == WireSource::Field(at));
        if !is_shown || is_credential(field) || !is_wanted(at) {
            continue;
        }
        let mut text = Vec::new();
        field.kind.write_val_json(value(record, at), &mut text);
        out.insert(field.name.clone(), serde_json::from_slice(&text).unwrap_or(Value::Null));
    }
    out
}

async fn write(
    ctx: &Ctx,
    record: &Record,
    action: Action,
    (before, after): (Map<String, Value>, Map<String, Value>),
) -> Result<()> {
    let now = time::now();
    let state: &State = ctx.app.part();
    let id = state.next_id(now);
    let by = ctx.caller.record();
    let id_of = if action == Action::Delete { record.stored_id() } else { record.id() };
    let texts = [
        id,
        record.collection().id.clone(),
        id_of.to_owned(),
        name_of(action).into(),
        now.to_string(),
        by.map(|by| by.collection().name.clone()).unwrap_or_default(),
        by.map(|by| by.id().to_owned()).unwrap_or_default(),
        Value::Object(before).to_string(),
        Value::Object(after).to_string(),
    ];
    let cells: Vec<(&str, Cell)> =
        COLUMNS.into_iter().zip(texts.into_iter().map(|text| Cell::Text(text.into()))).collect();
    ctx.db.write(Job::from(statement::insert(ctx.app.dialect(), TABLE, &cells))).await?;
    let n_writes = state.n_writes.fetch_add(1, Ordering::Relaxed);
    if n_writes.is_multiple_of(PRUNE_EVERY) && !ctx.in_transaction() {
        let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
        let before = format!("{:013}", now.millis().saturating_sub(kept));
        ctx.db
            .write(Job::from(system::delete_before(ctx.app.dialect(), TABLE, "id", &before)))
            .await?;
    }
    Ok(())
}

fn name_of(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update | Action::Validate => "update",
        Action::Delete => "delete",
    }
}

/// The changes of a record, the latest first.
///
/// # Errors
/// [`Error::NotFound`] where none are kept; database errors.
pub async fn of(ctx: &Ctx, collection: &Loaded, id: &str) -> Result<Vec<Entry>> {
    if !wanted(&ctx.app).await?.contains(&collection.id) {
        return Err(Error::NotFound);
    }
    let columns = ColumnList::new(&COLUMNS);
    let tests = [Test::Is("collection", &collection.id), Test::Is("record", id)];
    let sql = statement::select_where(
        ctx.app.dialect(),
        TABLE,
        &columns,
        &tests,
        Some("id"),
        MAX_ENTRIES,
    );
    let read = |rows: &mut Rows<'_>| {
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            let text = |at: usize| row.text(at).to_owned();
            let object = |at: usize| serde_json::from_str(row.text(at)).unwrap_or_default();
            out.push(Entry {
                id: text(0),
                action: text(3),
                at: text(4),
                by: (text(5), text(6)),
                before: object(7),
                after: object(8),
            });
        }
        Ok(out)
    };
    ctx.db.query(sql, read).await.and_then(|entries| entries).map_err(Error::Store)
}

/// What a record was before one of its changes: the values that have to be written to make it so again. `None`: it was
/// not there.
///
/// # Errors
/// [`Error::NotFound`] for a change that is not kept; database errors.
pub async fn before(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    id: &str,
    entry: &str,
) -> Result<Option<Map<String, Value>>> {
    let entries = of(ctx, collection, id).await?;
    let at = entries.iter().position(|found| found.id == entry).ok_or(Error::NotFound)?;
    if entries[at].action == "create" {
        return Ok(None);
    }
    let mut state = Map::new();
    for entry in &entries[..=at] {
        state.extend(entry.before.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    // Files that are gone cannot come back, and autodates set themselves.
    state.retain(|name, _| {
        collection.field(name).is_some_and(|field| {
            !matches!(field.type_name(), field::file::KIND | field::autodate::KIND)
        })
    });
    Ok(Some(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_millisecond_keep_their_order() {
        let (state, now) = (State::default(), time::now());
        let ids: Vec<String> = (0..1000).map(|_| state.next_id(now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        assert!(ids[0] > format!("{:013}", now.millis()), "what is pruned by its millisecond");
    }
}
