//! The statements that make and remove full-text indexes. What a search means is said in `filter_lang::prim::words`.

use filter_lang::prim::words;

use crate::{
    Dialect,
    ddl::{drop_index, drop_table},
    quote::{ident, tick},
};

/// Name of the full-text index of a collection, by its id: it outlives renames.
#[must_use]
pub fn full_text_name(collection_id: &str) -> String {
    let mut name = format!("_fts_{collection_id}");
    // PostgreSQL names hold 63 bytes; ids are much shorter.
    while name.len() > 58 {
        name.pop();
    }
    name
}

/// Makes the full-text index over text columns and fills it. `columns` in the order the plans know them.
///
/// SQLite: an FTS5 table without content of its own, a table that numbers the rows (row ids change in a VACUUM), and
/// triggers that use nothing but what every SQLite with FTS5 has, so that other programs can write the table.
/// PostgreSQL: a GIN index over the words.
#[must_use]
pub fn create_full_text(
    d: Dialect,
    collection_id: &str,
    table: &str,
    columns: &[&str],
) -> Vec<String> {
    let index = full_text_name(collection_id);
    if d == Dialect::Postgres {
        let columns: Vec<String> = columns.iter().map(|c| ident(c)).collect();
        return vec![format!(
            "CREATE INDEX {} ON {} USING gin ({})",
            ident(&index),
            ident(table),
            postgres_full_text(&columns)
        )];
    }
    let doc = |row: &str| {
        let columns: Vec<String> =
            columns.iter().map(|c| format!("coalesce({row}.{}, '')", tick(c))).collect();
        columns.join(" || char(10) || ")
    };
    let ids = tick(&format!("{index}_ids"));
    let (fts, on) = (tick(&index), tick(table));
    let number = |row: &str| format!("(SELECT n FROM {ids} WHERE id = {row}.id)");
    let forget = |row: &str| format!("DELETE FROM {fts} WHERE rowid = {};", number(row));
    let put = format!(
        "INSERT INTO {ids} (id) SELECT new.id WHERE NOT EXISTS (SELECT 1 FROM {ids} WHERE id = new.id); {} \
         INSERT INTO {fts} (rowid, doc) SELECT n, {} FROM {ids} WHERE id = new.id;",
        forget("new"),
        doc("new")
    );
    let trigger = |suffix: &str, event: &str, body: &str| {
        format!(
            "CREATE TRIGGER {} AFTER {event} ON {on} BEGIN {body} END",
            tick(&format!("{index}_{suffix}"))
        )
    };
    let listed: Vec<String> = columns.iter().map(|c| tick(c)).collect();
    let newer = words::NEWER.iter().flat_map(|(a, b)| (*a..=*b).filter_map(char::from_u32));
    vec![
        format!("CREATE TABLE {ids} (n INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL)"),
        format!(
            "CREATE VIRTUAL TABLE {fts} USING fts5(doc, content='', contentless_delete=1, \
             tokenize=\"unicode61 remove_diacritics 0 separators '{}'\")",
            newer.collect::<String>()
        ),
        format!("INSERT INTO {ids} (id) SELECT id FROM {on}"),
        format!(
            "INSERT INTO {fts} (rowid, doc) SELECT k.n, {} FROM {on} AS t JOIN {ids} AS k ON k.id = t.id",
            doc("t")
        ),
        trigger("i", "INSERT", &put),
        trigger(
            "u",
            &format!("UPDATE OF id, {}", listed.join(", ")),
            &format!(
                "{} DELETE FROM {ids} WHERE id = old.id AND old.id <> new.id; {put}",
                forget("old")
            ),
        ),
        trigger("d", "DELETE", &format!("{} DELETE FROM {ids} WHERE id = old.id;", forget("old"))),
    ]
}

/// Names of the tables, triggers and indexes that a full-text index is made of.
#[must_use]
pub fn full_text_parts(d: Dialect, collection_id: &str) -> Vec<String> {
    let index = full_text_name(collection_id);
    if d == Dialect::Postgres {
        return vec![index];
    }
    let parts = ["_ids", "_i", "_u", "_d"].map(|suffix| format!("{index}{suffix}"));
    std::iter::once(index).chain(parts).collect()
}

/// The collection id in the name of what is left of a full-text index: on SQLite its table of numbers.
#[must_use]
pub fn full_text_owner(d: Dialect, name: &str) -> Option<&str> {
    let id = name.strip_prefix("_fts_")?;
    if d == Dialect::Postgres { Some(id) } else { id.strip_suffix("_ids") }
}

/// Removes a full-text index, whatever is left of it.
#[must_use]
pub fn drop_full_text(d: Dialect, collection_id: &str) -> Vec<String> {
    let index = full_text_name(collection_id);
    if d == Dialect::Postgres {
        return vec![drop_index(d, &index)];
    }
    let triggers = ["i", "u", "d"]
        .map(|s| format!("DROP TRIGGER IF EXISTS {}", tick(&format!("{index}_{s}"))));
    let tables = [index.clone(), format!("{index}_ids")].map(|t| drop_table(d, &t));
    triggers.into_iter().chain(tables).collect()
}

/// The indexed expression of [`create_full_text`] on PostgreSQL; searches must say the same to use the index.
pub(crate) fn postgres_full_text<S: AsRef<str>>(columns: &[S]) -> String {
    let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
    format!("pb_tsvector({})", columns.join(" || chr(10) || "))
}
