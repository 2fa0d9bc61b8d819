//! Saving and removing collections inside one transaction: the row, then the table or view.
//!
//! Order of steps and error texts are those of spec collections-and-fields §4.5 step 4 and §4.7. Hooks, validation
//! and the swap of the snapshot belong to `collections/`.

use dialects::{Dialect, Value, catalog, ddl, statement};

use super::{
    Collection, Snapshot, aside,
    diff::{Change, diff},
    door::{Door, Listed},
    full_text,
    index::{self, Index},
    options::fresh_secret,
    row_id::StandIns,
    system::SUPERUSERS,
    validate::invalid_index,
    view,
    view_query::in_reading_order,
};
use crate::{
    BoxFutureRef,
    error::{FieldError, FieldErrors},
    field::ColumnType,
    id,
    store::{self, Db, Tx},
};

type Columns = Vec<(&'static str, Value)>;

/// Writes a normalized draft: adjustments at write time, the row, the table or view.
///
/// `old` is the stored collection on update. Fields of views are computed here once more.
///
/// # Errors
/// [`crate::Error::Invalid`] at `indexes.<i>` when an index cannot be made; otherwise what the database says. The
/// transaction must be rolled back then.
pub fn apply<'a>(
    tx: &'a Tx,
    snapshot: &'a Snapshot,
    draft: &'a mut Collection,
    old: Option<&'a Collection>,
) -> BoxFutureRef<'a, crate::Result<()>> {
    Box::pin(async move {
        if old.is_some_and(|old| old.id != draft.id) {
            return Err(store::Error::Driver("primary key change is not allowed".into()).into());
        }
        adjust(draft, old);
        if draft.is_view() {
            view::save(tx, snapshot, draft, old).await.map_err(store::Error::Driver)?;
        }
        write_row(tx, draft, old.is_some()).await?;
        if !draft.is_view() {
            sync_table(tx, draft, old).await?;
        }
        Ok(())
    })
}

/// What changes at write time, after validation (spec §2.3).
pub fn adjust(draft: &mut Collection, old: Option<&Collection>) {
    if !draft.is_auth() {
        return;
    }
    let rule = |c: &Collection| c.auth.auth_rule.clone().unwrap_or_default();
    if old.is_some_and(|old| old.is_auth() && rule(old) != rule(draft)) {
        draft.auth.auth_token.secret = fresh_secret();
    }
    if old.map_or(draft.name.as_str(), |old| &old.name) == SUPERUSERS {
        SUPERUSERS.clone_into(&mut draft.name);
        draft.auth.oauth2.enabled = false;
        draft.auth.oauth2.providers.clear();
        draft.auth.password_auth.enabled = true;
        draft.auth.mfa.enabled |= draft.auth.otp.enabled;
    }
}

/// Inserts or updates the row of `_collections`.
///
/// # Errors
/// What the store reports.
pub async fn write_row(tx: &Tx, collection: &Collection, exists: bool) -> store::Result<()> {
    let dialect = tx.dialect();
    let columns = row_columns(collection);
    let sql = if exists {
        statement::update(dialect, "_collections", &collection.id, &columns[1..])
    } else {
        statement::insert(dialect, "_collections", &columns)
    };
    tx.execute(sql).await.map(|_| ())
}

fn row_columns(c: &Collection) -> Columns {
    let text = |text: &str| Value::Text(text.into());
    let rule = |rule: &Option<String>| rule.as_deref().map_or(Value::Null, text);
    vec![
        ("id", text(&c.id)),
        ("system", Value::Int(i64::from(c.system))),
        ("type", text(c.kind.as_str())),
        ("name", text(&c.name)),
        ("fields", text(&c.fields_json())),
        ("indexes", text(&c.indexes_json())),
        ("listRule", rule(&c.list_rule)),
        ("viewRule", rule(&c.view_rule)),
        ("createRule", rule(&c.create_rule)),
        ("updateRule", rule(&c.update_rule)),
        ("deleteRule", rule(&c.delete_rule)),
        ("options", text(&c.options_json())),
        ("created", text(&c.created)),
        ("updated", text(&c.updated)),
    ]
}

/// Brings the table of a collection from `old` to `new`.
///
/// # Errors
/// See [`apply`].
pub fn sync_table<'a>(
    tx: &'a impl Door,
    new: &'a Collection,
    old: Option<&'a Collection>,
) -> BoxFutureRef<'a, crate::Result<()>> {
    Box::pin(change_table(tx, new, old))
}

async fn change_table(
    tx: &impl Door,
    new: &Collection,
    old: Option<&Collection>,
) -> crate::Result<()> {
    let old = match old {
        // A table that is missing is made, whatever the row says.
        Some(old) if has_table(tx, &old.name).await? => Some(old),
        _ => None,
    };
    let changes = diff(old, new);
    let mut names = Names { temporary: Vec::new(), row_id: StandIns::of(tx.dialect(), &changes) };
    let mut is_begun = false;
    for change in &changes {
        if !is_begun
            && !matches!(
                change,
                Change::DropFullText | Change::DropIndexes(_) | Change::Rename { .. }
            )
        {
            names.row_id.begin(tx, table_name(tx.dialect(), new, old)).await?;
            is_begun = true;
        }
        if !matches!(change, Change::AddColumn { .. } | Change::RenameColumn { .. }) {
            settle_names(tx, new, &mut names).await?;
        }
        if *change == Change::CreateIndexes {
            names.row_id.end(tx, table_name(tx.dialect(), new, old)).await?;
        }
        apply_change(tx, new, old, change, &mut names).await?;
    }
    Ok(())
}

/// What columns are called while they change.
struct Names {
    /// Added and renamed ones, and the names they get.
    temporary: Vec<(String, String)>,
    row_id: StandIns,
}

async fn has_table(tx: &impl Door, name: &str) -> store::Result<bool> {
    tx.read(catalog::has_table(tx.dialect(), name), |rows| rows.next().map(|row| row.is_some()))
        .await?
}

/// The present name of the table while changes run. Where names have no case, a rename of the case leaves it.
fn table_name<'a>(d: Dialect, new: &'a Collection, old: Option<&'a Collection>) -> &'a str {
    match old {
        Some(old) if d.ignores_case() && old.name.eq_ignore_ascii_case(&new.name) => &old.name,
        _ => &new.name,
    }
}

async fn apply_change(
    tx: &impl Door,
    new: &Collection,
    old: Option<&Collection>,
    change: &Change,
    names: &mut Names,
) -> crate::Result<()> {
    let dialect = tx.dialect();
    let table = table_name(dialect, new, old);
    let temp = |name: &str| format!("{name}{}", id::random(5, id::ALNUM));
    match change {
        Change::Create => {
            let columns: Vec<(&str, ColumnType)> =
                new.fields.iter().map(|f| (f.name.as_str(), f.kind.column())).collect();
            run(tx, ddl::create_table(dialect, &new.name, &columns)).await?;
        }
        Change::DropIndexes(names) => {
            run(tx, names.iter().map(|name| ddl::drop_index(dialect, name)).collect()).await?;
        }
        Change::RenameCase { .. } if dialect.ignores_case() => {}
        Change::Rename { from, to } | Change::RenameCase { from, to } => {
            let json: Vec<&str> = old
                .into_iter()
                .flat_map(|old| &old.fields)
                .filter(|f| matches!(f.kind.column(), ColumnType::Json | ColumnType::JsonList))
                .map(|f| f.name.as_str())
                .collect();
            run(tx, ddl::rename_table(dialect, from, to, &json)).await?;
        }
        Change::DropColumn(name) => {
            run(tx, vec![ddl::drop_column(dialect, table, names.row_id.now(name))])
                .await
                .map_err(|e| prefixed(&format!("failed to drop column {name}"), e))?;
        }
        Change::AddColumn { name, ty } => {
            let temp = temp(name);
            run(tx, ddl::add_column(dialect, table, &temp, *ty))
                .await
                .map_err(|e| prefixed(&format!("failed to add column {name}"), e))?;
            names.temporary.push((temp, name.clone()));
        }
        Change::RenameColumn { from, to } => {
            let temp = temp(to);
            run(tx, ddl::rename_column(dialect, table, names.row_id.now(from), &temp))
                .await
                .map_err(|e| prefixed(&format!("failed to rename column {to}"), e))?;
            names.temporary.push((temp, to.clone()));
        }
        Change::ToMultiple(name) => {
            let (name, temp) = (names.row_id.meanwhile(name), temp(&format!("_{name}")));
            convert(tx, table, ddl::single_to_multiple(dialect, table, name, &temp)).await?;
        }
        Change::ToSingle(name) => {
            let (name, temp) = (names.row_id.meanwhile(name), temp(&format!("_{name}")));
            convert(tx, table, ddl::multiple_to_single(dialect, table, name, &temp)).await?;
        }
        Change::CreateIndexes => create_indexes(tx, new).await?,
        Change::DropFullText => run(tx, ddl::drop_full_text(dialect, &new.id)).await?,
        Change::CreateFullText => full_text::create(tx, new).await?,
    }
    Ok(())
}

/// Gives added and renamed columns their final names.
async fn settle_names(tx: &impl Door, new: &Collection, names: &mut Names) -> store::Result<()> {
    // By now the table has its final name, up to letter case.
    for (temp, name) in names.temporary.drain(..) {
        if names.row_id.postpone(tx.dialect(), &temp, &name) {
            continue;
        }
        run(tx, ddl::rename_column(tx.dialect(), &new.name, &temp, &name))
            .await
            .map_err(|e| prefixed(&format!("failed to rename column {name}"), e))?;
    }
    Ok(())
}

async fn run(tx: &impl Door, statements: Vec<String>) -> store::Result<()> {
    for text in statements {
        tx.execute_batch(text).await?;
    }
    Ok(())
}

fn prefixed(prefix: &str, error: store::Error) -> store::Error {
    match error {
        store::Error::Driver(text) => store::Error::Driver(format!("{prefix} - {text}")),
        other => other,
    }
}

/// Runs the statements of a single/multiple conversion with the views out of the way.
async fn convert(tx: &impl Door, table: &str, statements: Vec<String>) -> store::Result<()> {
    let views = aside::set_for(tx, table).await?;
    run(tx, statements).await?;
    aside::put_back(tx, views).await
}

/// Makes all listed indexes; every failure is reported at its position.
async fn create_indexes(tx: &impl Door, new: &Collection) -> crate::Result<()> {
    let mut errors = FieldErrors::default();
    for (at, text) in new.indexes.iter().enumerate() {
        let index = Index::parse(text);
        let error = if let Some(column) = missing_column(&index, new) {
            // What SQLite says; no database need be asked.
            not_created(&index, &format!("SQL logic error: no such column: {column} (1)"))
        } else if index.is_valid() {
            // One statement only: the text is a user's (spec §6.27).
            match tx.execute_one(index::statement(tx.dialect(), &index, new)).await {
                Ok(()) => continue,
                Err(e @ (store::Error::Timeout | store::Error::Busy | store::Error::Ended)) => {
                    return Err(e.into());
                }
                Err(e) => not_created(&index, &e.to_string()),
            }
        } else {
            invalid_index()
        };
        errors.set_at(&["indexes", &at.to_string()], error);
    }
    if errors.is_empty() && !new.indexes.is_empty() {
        // Index statements run one by one, outside of the batch door that announces schema changes.
        tx.execute_batch(String::new()).await?;
    }
    errors.into_result()
}

fn not_created(index: &Index, why: &str) -> FieldError {
    let message = format!("Failed to create index {} - {why}.", index.name);
    FieldError::new("validation_invalid_index_expression", message)
}

/// The first plain column of a valid index that the collection does not have.
fn missing_column<'i>(index: &'i Index, of: &Collection) -> Option<&'i str> {
    let is_field = |name: &str| of.fields.iter().any(|f| f.name.eq_ignore_ascii_case(name));
    let plain = index.columns.iter().filter(|column| !column.is_expression);
    plain.map(|column| column.name.as_str()).find(|name| index.is_valid() && !is_field(name))
}

/// Names of other collections with a relation to this one.
#[must_use]
pub fn references(snapshot: &Snapshot, collection: &Collection) -> Vec<String> {
    let mut names: Vec<String> = snapshot
        .by_id(&collection.id)
        .into_iter()
        .flat_map(|c| &c.back_refs)
        .filter(|r| r.collection_id != collection.id)
        .map(|r| r.collection_name.clone())
        .collect();
    names.dedup();
    names
}

/// Deletes the row and the table or view, then re-evaluates all view collections (spec §4.3).
///
/// # Errors
/// What the database says; a view that the drop breaks. The transaction must be rolled back then.
pub async fn remove(tx: &Tx, snapshot: &Snapshot, collection: &Collection) -> crate::Result<()> {
    drop_collection(tx, collection).await?;
    let rest = snapshot.without(&collection.id);
    let failed = refresh_views(tx, &rest, &collection.id).await?;
    let Some((name, reason)) = failed.first() else { return Ok(()) };
    Err(store::Error::Driver(format!("failed to refresh view {name}: {reason}")).into())
}

/// Deletes the row and the table or view without looking at anything else.
///
/// # Errors
/// What the store reports.
pub fn drop_collection<'a>(
    tx: &'a Tx,
    collection: &'a Collection,
) -> BoxFutureRef<'a, store::Result<()>> {
    Box::pin(async move {
        let dialect = tx.dialect();
        tx.execute(statement::delete(dialect, "_collections", &collection.id)).await?;
        if collection.full_text().next().is_some() {
            run(tx, ddl::drop_full_text(dialect, &collection.id)).await?;
        }
        let text = if collection.is_view() {
            ddl::drop_view(dialect, &collection.name)
        } else {
            ddl::drop_table(dialect, &collection.name)
        };
        tx.execute_batch(text).await
    })
}

async fn save_view(tx: &Tx, snapshot: &Snapshot, view: &Collection) -> store::Result<Collection> {
    let mut fresh = view.clone();
    view::save(tx, snapshot, &mut fresh, Some(view)).await.map_err(store::Error::Driver)?;
    crate::time::to_text(Some(crate::time::now())).clone_into(&mut fresh.updated);
    write_row(tx, &fresh, true).await?;
    Ok(fresh)
}

/// Re-saves every other view collection whose generated fields have changed (spec §4.5 step 5), and those that change with
/// it: a view comes after the views that it reads.
///
/// `snapshot` already has the saved collection. Gives the views that could not be refreshed, for the log.
///
/// # Errors
/// What the store reports.
pub fn refresh_views<'a>(
    tx: &'a Tx,
    snapshot: &'a Snapshot,
    except: &'a str,
) -> BoxFutureRef<'a, store::Result<Vec<(String, String)>>> {
    Box::pin(async move {
        let db = Db::Tx(tx.clone());
        let (mut failed, mut refreshed) = (Vec::new(), None);
        for view in in_reading_order(snapshot).into_iter().filter(|view| view.id != except) {
            let now = refreshed.as_ref().unwrap_or(snapshot);
            let fields = match view::infer_fields(&db, now, &view.view_query).await {
                Ok(inferred) => inferred.fields,
                Err(reason) => {
                    failed.push((view.name.clone(), reason));
                    continue;
                }
            };
            if !view::fields_differ(&fields, &view.fields) {
                continue;
            }
            let mark = tx.savepoint().await?;
            match save_view(tx, now, view).await {
                Ok(saved) => refreshed = Some(now.with(&saved)),
                Err(error) => {
                    tx.rollback_to(mark).await?;
                    failed.push((view.name.clone(), error.to_string()));
                }
            }
            tx.release(mark).await?;
        }
        Ok(failed)
    })
}

/// The statements that [`apply`] would run on the table or view, names of a moment among them; the row of `_collections`
/// is none of them.
///
/// # Errors
/// What the database says where it is asked; a view query that does not work.
pub async fn statements(
    db: &Db,
    snapshot: &Snapshot,
    new: &Collection,
    old: Option<&Collection>,
) -> crate::Result<Vec<String>> {
    let renamed = old.filter(|old| old.name != new.name);
    let list = Listed::over(db.clone(), renamed.map(|old| (old.name.clone(), new.name.clone())));
    if new.is_view() {
        let mut draft = new.clone();
        view::save(&list, snapshot, &mut draft, old).await.map_err(store::Error::Driver)?;
    } else {
        sync_table(&list, new, old).await?;
    }
    Ok(list.into_texts())
}
