//! Full-text indexes: an FTS5 table without content of its own, a table that numbers the rows (row ids change in a VACUUM),
//! and triggers that use nothing but what every SQLite with FTS5 has, so that other programs can write the table.

use filter_lang::prim::words;

use crate::{full_text::full_text_name, quote::tick};

pub(super) fn create(collection_id: &str, table: &str, columns: &[&str]) -> Vec<String> {
    let index = full_text_name(collection_id);
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

pub(super) fn parts(collection_id: &str) -> Vec<String> {
    let index = full_text_name(collection_id);
    let parts = ["_ids", "_i", "_u", "_d"].map(|suffix| format!("{index}{suffix}"));
    std::iter::once(index).chain(parts).collect()
}

pub(super) fn drop(collection_id: &str) -> Vec<String> {
    let index = full_text_name(collection_id);
    let triggers = ["i", "u", "d"]
        .map(|s| format!("DROP TRIGGER IF EXISTS {}", tick(&format!("{index}_{s}"))));
    let tables = [index.clone(), format!("{index}_ids")]
        .map(|table| format!("DROP TABLE IF EXISTS {}", tick(&table)));
    triggers.into_iter().chain(tables).collect()
}
