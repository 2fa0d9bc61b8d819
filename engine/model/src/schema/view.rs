//! View collections against the database: inference of fields, dry runs, creation and refresh.
//!
//! Errors of users' queries are texts, because they travel inside validation messages.
//! Source: spec collections-and-fields §4.9, §4.5 steps 4–5.

use std::{collections::HashMap, sync::Arc, time::Duration};

use dialects::{Dialect, Sql, Syntax, catalog, ddl, names};
use sql_text::uses;

use super::{
    Collection, Kind, Loaded, Snapshot, WireSource, aside,
    door::Door,
    normalize::{new_collection, normalize},
    validate::field_errors,
    view_query::{has_many_statements, infer, json_field, parse, trim_query},
    view_tree,
};
use crate::{
    BoxFutureRef,
    error::{FieldError, FieldErrors},
    field::{Field, SettingsCheck},
    id,
    store::{Db, Tx, ValueRef, raw, system},
};

const MISSING_ID: &str =
    "missing required id column (you can use `(ROW_NUMBER() OVER()) as id` if you don't have one)";
const TAKES_SEALED: &str = "secret fields can only be columns of their own in views: no expressions, conditions, wildcards or whole rows";
const SAMPLE_TIME: Duration = Duration::from_secs(30);

/// What a query would give.
#[derive(Debug, Clone, Default)]
pub struct Inferred {
    /// One field per result column.
    pub fields: Vec<Field>,
    /// The query as the physical view gets it: ids are TEXT.
    pub query: String,
}

/// The outcome of a dry run.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The inferred fields.
    pub fields: Vec<Field>,
    /// The sample records as a JSON array.
    pub sample: String,
}

/// A result column of a query.
#[derive(Debug)]
struct ColumnInfo {
    name: String,
    decl_type: String,
}

/// Fields and physical query of a view query; the id may be missing.
///
/// # Errors
/// The text of the reason.
pub fn infer_fields<'a>(
    db: &'a Db,
    snapshot: &'a Snapshot,
    query: &'a str,
) -> BoxFutureRef<'a, Result<Inferred, String>> {
    Box::pin(async move {
        let query = trim_query(query);
        if has_many_statements(query) {
            return Err("multiple statements are not supported".into());
        }
        let reason = match reference_columns(query, snapshot) {
            Ok(columns) => match try_columns(db, snapshot, query, columns).await {
                Ok(inferred) => return without_sealed(snapshot, query, inferred),
                Err(reason) => reason,
            },
            Err(reason) => reason,
        };
        // What the reference cannot read.
        let Ok(columns) = view_tree::infer(query, snapshot) else { return Err(reason) };
        let inferred = try_columns(db, snapshot, query, columns).await.map_err(|_| reason)?;
        without_sealed(snapshot, query, inferred)
    })
}

/// Tables with encrypted columns, as a query's use of them is asked for.
struct Sealing<'s> {
    snapshot: &'s Snapshot,
    tables: Vec<&'s Arc<Loaded>>,
}

fn is_sealed(table: &Collection, column: &str) -> bool {
    let is_it = |field: &&Field| field.name.eq_ignore_ascii_case(column);
    table.fields.iter().filter(is_it).any(|field| field.kind.is_sealed())
}

impl uses::Asked for Sealing<'_> {
    fn is_table(&self, name: &str) -> bool {
        self.tables.iter().any(|table| table.name.eq_ignore_ascii_case(name))
    }
    fn has_column(&self, name: &str) -> bool {
        let mut fields = self.tables.iter().flat_map(|table| &table.fields);
        fields.any(|field| field.name.eq_ignore_ascii_case(name))
    }
    fn is_asked(&self, table: Option<&str>, column: &str) -> bool {
        match table.and_then(|table| self.snapshot.by_name(table)) {
            Some(table) => is_sealed(table, column),
            None => self.tables.iter().any(|table| is_sealed(table, column)),
        }
    }
}

/// Refuses a query that does anything with an encrypted column but show it as it is, which shows nothing: whatever is made of
/// it would be made of what is stored.
fn without_sealed(snapshot: &Snapshot, query: &str, found: Inferred) -> Result<Inferred, String> {
    let has_sealed = |table: &Loaded| table.fields.iter().any(|field| field.kind.is_sealed());
    let mut tables: Vec<_> = snapshot.iter().filter(|table| has_sealed(table)).collect();
    if tables.is_empty() {
        return Ok(found);
    }
    if uses::is_read_otherwise(&sql_text::marks::quoted(query)) {
        return Err("views beside secret fields have no strings or names with escapes, no strings between dollars, no comments in comments and no lists in brackets".into());
    }
    tables.retain(|table| sql_text::names::has(query, &table.name));
    if tables.is_empty() {
        return Ok(found);
    }
    let uses = uses::uses(query, &Sealing { snapshot, tables });
    let n_shown = found.fields.iter().filter(|field| field.kind.is_sealed()).count();
    if uses.takes_rows || uses.n_named != uses.n_plain || uses.n_named != n_shown {
        return Err(TAKES_SEALED.into());
    }
    Ok(found)
}

/// A view that was there before a field became a secret would show what is stored in it: given why it could not be refreshed,
/// after the collection of the id `changed`, or any if that is empty, was saved.
#[must_use]
pub fn shows_sealed(snapshot: &Snapshot, changed: &str, query: &str, reason: &str) -> bool {
    let reads = |table: &Loaded| {
        table.fields.iter().any(|field| field.kind.is_sealed())
            && sql_text::names::has(query, &table.name)
    };
    let mut tables = snapshot.iter().filter(|table| changed.is_empty() || table.id == changed);
    reason == TAKES_SEALED && tables.any(|table| reads(table))
}

/// Names of columns in their order, and the fields they stand for.
type Columns = (Vec<String>, HashMap<String, Field>);

fn reference_columns(query: &str, snapshot: &Snapshot) -> Result<Columns, String> {
    let parsed = parse(query)?;
    let fields = infer(&parsed, snapshot)?;
    Ok((parsed.columns.into_iter().map(|column| column.alias).collect(), fields))
}

async fn try_columns(
    db: &Db,
    snapshot: &Snapshot,
    query: &str,
    (names, mut known): Columns,
) -> Result<Inferred, String> {
    let mut reason = match db.dialect().syntax() {
        Syntax::Sqlite => None,
        Syntax::Postgres => view_tree::refusal(query, snapshot),
    };
    for text in view_tree::texts(db.dialect(), query, snapshot, &known) {
        let columns = match result_columns(db, &text).await {
            Ok(mut columns) => {
                let whole = |found: &str| whole_name(db.dialect(), found, &names);
                columns.iter_mut().for_each(|c| c.name = whole(&c.name));
                columns
            }
            Err(error) => {
                reason.get_or_insert(error);
                continue;
            }
        };
        let fields = columns
            .iter()
            .map(|c| known.remove(&c.name).unwrap_or_else(|| json_field(&c.name)))
            .collect();
        return Ok(Inferred { fields, query: with_text_id(db.dialect(), &text, names, &columns) });
    }
    Err(reason.unwrap_or_default())
}

/// The name that a database may have shortened.
fn whole_name(d: Dialect, found: &str, aliases: &[String]) -> String {
    let whole = aliases.iter().find(|alias| *names::stored(d, alias) == *found);
    whole.map_or_else(|| found.to_owned(), Clone::clone)
}

/// Wraps the query unless its id column is declared TEXT.
fn with_text_id(d: Dialect, query: &str, names: Vec<String>, columns: &[ColumnInfo]) -> String {
    let is_text = |c: &ColumnInfo| {
        c.name.eq_ignore_ascii_case("id") && c.decl_type.eq_ignore_ascii_case("text")
    };
    if columns.iter().any(is_text) {
        return query.to_owned();
    }
    let names = match d.syntax() {
        Syntax::Sqlite => names,
        // Letters of names without quotes are PostgreSQL's.
        Syntax::Postgres => columns.iter().map(|column| column.name.clone()).collect(),
    };
    system::cast_id(d, &names, query)
}

/// The columns of a query, through a view that is rolled back.
async fn result_columns(db: &Db, query: &str) -> Result<Vec<ColumnInfo>, String> {
    let text = |e: crate::store::Error| e.to_string();
    match db {
        Db::Tx(tx) => {
            let mark = tx.savepoint().await.map_err(text)?;
            let columns = view_columns(tx, query).await;
            tx.rollback_to(mark).await.map_err(text)?;
            tx.release(mark).await.map_err(text)?;
            columns
        }
        Db::Pool(database) => {
            let tx = database.begin().await.map_err(text)?;
            let columns = view_columns(&tx, query).await;
            tx.rollback().await;
            columns
        }
    }
}

async fn view_columns(tx: &Tx, query: &str) -> Result<Vec<ColumnInfo>, String> {
    let dialect = tx.dialect();
    let name = format!("_temp_{}", id::random(6, id::ALNUM));
    tx.execute(Sql::plain(ddl::create_view(dialect, &name, query)))
        .await
        .map_err(|e| e.to_string())?;
    tx.query(catalog::columns(dialect, &name), |rows| {
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(ColumnInfo {
                name: row.text(0).to_owned(),
                decl_type: row.text(1).to_owned(),
            });
        }
        Ok::<_, crate::store::Error>(out)
    })
    .await
    .and_then(|columns| columns)
    .map_err(|e| e.to_string())
}

/// Runs a query without keeping anything: fields, their settings, and sample rows with usable ids.
///
/// # Errors
/// The text of the reason, without `Invalid query - `.
pub async fn dry_run(
    db: &Db,
    snapshot: &Snapshot,
    query: &str,
    n_rows: usize,
) -> Result<DryRun, String> {
    let inferred = infer_fields(db, snapshot, query).await?;
    if !inferred.fields.iter().any(|f| f.name == "id") {
        return Err(MISSING_ID.into());
    }
    check_settings(&inferred.fields, snapshot)?;
    let name = format!("temp_view_{}", id::random(5, id::ALNUM));
    let mut collection = new_collection(Kind::View, &name);
    collection.fields.clone_from(&inferred.fields);
    let temp = Snapshot::build(vec![collection]);
    let sql = system::sample(
        db.dialect(),
        &name,
        &system::select_all(db.dialect(), &inferred.query),
        n_rows,
    );
    let text = sql.text.clone();
    let rows = raw::read(db, sql, n_rows, SAMPLE_TIME)
        .await
        .map_err(|e| format!("failed to retrieve query records: {e}; failed query: {text}"))?;
    let loaded = temp.by_name(&name).ok_or(MISSING_ID)?;
    check_ids(&rows)?;
    Ok(DryRun { fields: inferred.fields, sample: sample_json(loaded, &rows)? })
}

fn check_settings(fields: &[Field], snapshot: &Snapshot) -> Result<(), String> {
    let target_is_view = |id: &str| snapshot.by_id(id).map(|c| c.is_view());
    let cx = SettingsCheck {
        old: None,
        fields,
        is_view: true,
        can_seal: true,
        target_is_view: &target_is_view,
    };
    for (index, field) in fields.iter().enumerate() {
        let errors = field_errors(field, &cx);
        if !errors.is_empty() {
            return Err(format!("invalid field {:?} ({index}): {}", field.name, flat(&errors)));
        }
    }
    Ok(())
}

/// Validation errors as one line.
fn flat(errors: &FieldErrors) -> String {
    let items: Vec<String> = errors
        .0
        .iter()
        .map(|(key, error)| match error {
            FieldError::Item { message, .. } | FieldError::Other(message) => {
                format!("{key}: {message}")
            }
            FieldError::Nested(inner) => format!("{key}: ({})", flat(inner)),
        })
        .collect();
    format!("{}.", items.join("; "))
}

fn check_ids(rows: &raw::TextRows) -> Result<(), String> {
    let Some(at) = rows.columns.iter().position(|c| c.name == "id") else {
        return Err(MISSING_ID.into());
    };
    let mut seen = std::collections::HashSet::new();
    for row in &rows.rows {
        let id = row.get(at).and_then(|cell| cell.as_deref()).unwrap_or_default();
        if id.is_empty() {
            return Err("the query could return records with empty or invalid ids".into());
        }
        if !seen.insert(id) {
            return Err("the query could return records with non-unique ids".into());
        }
    }
    Ok(())
}

fn sample_json(loaded: &Arc<Loaded>, rows: &raw::TextRows) -> Result<String, String> {
    let mut out = vec![b'['];
    for (index, row) in rows.rows.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_sample(loaded, rows, row, &mut out)?;
    }
    out.push(b']');
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn write_sample(
    loaded: &Loaded,
    rows: &raw::TextRows,
    row: &[Option<String>],
    out: &mut Vec<u8>,
) -> Result<(), String> {
    out.push(b'{');
    let mut first = true;
    for key in loaded.keys.iter().filter(|k| k.source != WireSource::Expand) {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(&key.prefix);
        if let WireSource::Field(at) = key.source {
            let column = rows.columns.iter().position(|c| c.name == key.name);
            let cell = column.and_then(|c| row.get(c)).and_then(Option::as_deref);
            let cell = cell.map_or(ValueRef::Null, ValueRef::Text);
            loaded.fields[at].kind.write_json(cell, out).map_err(|e| e.to_string())?;
        }
    }
    out.push(b'}');
    Ok(())
}

/// The answer of the dry-run route: `{"fields":[…],"sample":[…]}`.
#[must_use]
pub fn dry_run_json(run: &DryRun) -> String {
    let mut out = b"{\"fields\":".to_vec();
    crate::wire::Wire::encode(&run.fields, &mut out, crate::wire::Audience::Api);
    out.extend_from_slice(b",\"sample\":");
    out.extend_from_slice(run.sample.as_bytes());
    out.push(b'}');
    String::from_utf8(out).expect("encoders write UTF-8")
}

/// Drops and creates the physical view of a collection and computes its fields.
///
/// # Errors
/// The text of the reason.
pub fn save<'a>(
    tx: &'a impl Door,
    snapshot: &'a Snapshot,
    draft: &'a mut Collection,
    old: Option<&'a Collection>,
) -> BoxFutureRef<'a, Result<(), String>> {
    Box::pin(change_view(tx, snapshot, draft, old))
}

async fn change_view(
    tx: &impl Door,
    snapshot: &Snapshot,
    draft: &mut Collection,
    old: Option<&Collection>,
) -> Result<(), String> {
    let text = |e: crate::store::Error| e.to_string();
    let inferred = infer_fields(&tx.db(), snapshot, &draft.view_query).await?;
    if !inferred.fields.iter().any(|f| f.name == "id") {
        return Err(MISSING_ID.into());
    }
    draft.fields = inferred.fields;
    let dialect = tx.dialect();
    let (mut readers, mut belongings) = (Vec::new(), String::new());
    for name in old.map(|old| &old.name).into_iter().chain([&draft.name]) {
        belongings.push_str(&aside::belongings(tx, name, &draft.name).await.map_err(text)?);
        readers.extend(aside::set_reading_collections(tx, snapshot, name).await.map_err(text)?);
        tx.execute_batch(ddl::drop_view(dialect, name)).await.map_err(text)?;
    }
    let create = ddl::create_view(dialect, &draft.name, &inferred.query);
    tx.execute_one(create).await.map_err(text)?;
    if !belongings.is_empty()
        && let Err(error) = tx.execute_batch(belongings).await
    {
        tracing::warn!(%error, view = %draft.name, "the privileges on a view do not fit any more");
    }
    aside::put_back(tx, readers)
        .await
        .map_err(|e| format!("a view that reads it cannot follow - {e}"))
}

/// True if two field lists differ in more than ids and letter case (spec §4.5 step 5).
#[must_use]
pub fn fields_differ(a: &[Field], b: &[Field]) -> bool {
    let plain = |fields: &[Field]| -> Vec<String> {
        fields
            .iter()
            .map(|f| {
                let mut f = f.clone();
                f.id.clear();
                crate::wire::to_string(&f, crate::wire::Audience::Db).to_lowercase()
            })
            .collect()
    };
    plain(a) != plain(b)
}

/// Brings a draft into its final form before validation: [`normalize`] and, for views, the fields of the query.
///
/// A query that cannot be evaluated gives no fields; validation reports the reason (spec §4.5 step 2, §4.6).
pub async fn prepare(
    db: &Db,
    snapshot: &Snapshot,
    draft: &mut Collection,
    old: Option<&Collection>,
) {
    let now = crate::time::to_text(Some(crate::time::now()));
    normalize(draft, old, snapshot, &now);
    if draft.is_view() {
        draft.fields = match infer_fields(db, snapshot, &draft.view_query).await {
            Ok(inferred) => inferred.fields,
            Err(_) => Vec::new(),
        };
    }
}
