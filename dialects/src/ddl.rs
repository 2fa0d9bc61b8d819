//! Schema changes → statements for the running dialect. Must not execute them, nor know collections.
//!
//! SQLite texts are what the reference leaves in `sqlite_master` (spec collections-and-fields §1.3, §1.5, §4.7);
//! PostgreSQL types are those of spec extensions §1.4, plus a hidden `_rowid_` that keeps insertion order.

use crate::idiom::{Dialect, NativeTypes};
pub use crate::{
    full_text::full_text_name,
    idiom::{ColumnType, Documents},
};

/// `CREATE TABLE`, columns sorted by name in byte order, and the automatic indexes of documents.
#[must_use]
pub fn create_table(d: Dialect, table: &str, columns: &[(&str, ColumnType)]) -> Vec<String> {
    let mut sorted = columns.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    let mut defs: Vec<String> =
        sorted.iter().map(|(n, t)| format!("{} {}", d.quoted(n), d.definition(*t))).collect();
    defs.extend(d.native().row_id.map(str::to_owned));
    let mut out = vec![format!("CREATE TABLE {} ({})", d.quoted(table), defs.join(", "))];
    out.extend(sorted.iter().flat_map(|(n, t)| document_indexes(d, table, n, *t)));
    out
}

/// Adds a column (goes last).
#[must_use]
pub fn add_column(d: Dialect, table: &str, column: &str, ty: ColumnType) -> Vec<String> {
    let mut out = vec![format!(
        "ALTER TABLE {} ADD COLUMN {} {}",
        d.quoted(table),
        d.quoted(column),
        d.definition(ty)
    )];
    out.extend(document_indexes(d, table, column, ty));
    out
}

/// Renames a column; its automatic indexes follow.
#[must_use]
pub fn rename_column(d: Dialect, table: &str, from: &str, to: &str) -> Vec<String> {
    let mut out = vec![format!(
        "ALTER TABLE {} RENAME COLUMN {} TO {}",
        d.quoted(table),
        d.quoted(from),
        d.quoted(to)
    )];
    out.extend(rename_indexes(d, (table, from), (table, to)));
    out
}

/// Drops a column (and with it its automatic indexes).
#[must_use]
pub fn drop_column(d: Dialect, table: &str, column: &str) -> String {
    format!("ALTER TABLE {} DROP COLUMN {}", d.quoted(table), d.quoted(column))
}

/// Renames a table; `json_columns` are those that may have automatic indexes.
#[must_use]
pub fn rename_table(d: Dialect, from: &str, to: &str, json_columns: &[&str]) -> Vec<String> {
    let mut out = vec![format!("ALTER TABLE {} RENAME TO {}", d.quoted(from), d.quoted(to))];
    out.extend(json_columns.iter().flat_map(|c| rename_indexes(d, (from, c), (to, c))));
    out
}

/// Drops a table if it exists.
#[must_use]
pub fn drop_table(d: Dialect, table: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", d.quoted(table))
}

/// Turns a text column into a list column, keeping values: empty → `[]`, a JSON array stays, else one element.
///
/// On SQLite the old column is set aside as `temp` (spec §4.7: `_<name>` + 5 random characters) and the new one
/// goes last; views over the table must have been dropped. Source: spec collections-and-fields §4.7 step 5.
#[must_use]
pub fn single_to_multiple(d: Dialect, table: &str, column: &str, temp: &str) -> Vec<String> {
    let mut out = d.0.single_to_multiple(table, column, temp);
    out.extend(document_indexes(d, table, column, ColumnType::JsonList));
    out
}

/// Turns a list column into a text column, keeping values: `[]` → `''`, an array → its last element.
///
/// See [`single_to_multiple`] for `temp` and views.
#[must_use]
pub fn multiple_to_single(d: Dialect, table: &str, column: &str, temp: &str) -> Vec<String> {
    let indexes = d.documents(ColumnType::JsonList).iter();
    let mut out: Vec<String> =
        indexes.map(|kind| drop_index(d, &document_index_name(*kind, table, column))).collect();
    out.extend(d.0.multiple_to_single(table, column, temp));
    out
}

/// `CREATE VIEW name AS SELECT * FROM (query)`.
#[must_use]
pub fn create_view(d: Dialect, view: &str, query: &str) -> String {
    d.0.create_view(view, query)
}

/// A view query whose id column is not declared TEXT, wrapped so that it is (spec collections-and-fields §4.9).
#[must_use]
pub fn text_id(d: Dialect, columns: &[String], query: &str) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|c| if c == "id" { d.0.text_id().to_owned() } else { d.quoted(c) })
        .collect();
    format!("SELECT {} FROM {}", list.join(","), d.derived(query))
}

/// Gives a view another name.
#[must_use]
pub fn rename_view(d: Dialect, from: &str, to: &str) -> String {
    format!("ALTER VIEW {} RENAME TO {}", d.quoted(from), d.quoted(to))
}

/// Drops a view if it exists.
#[must_use]
pub fn drop_view(d: Dialect, view: &str) -> String {
    format!("DROP VIEW IF EXISTS {}", d.quoted(view))
}

/// Drops an index if it exists.
#[must_use]
pub fn drop_index(d: Dialect, index: &str) -> String {
    format!("DROP INDEX IF EXISTS {}", d.quoted(index))
}

/// The indexes that columns of documents have by themselves on PostgreSQL: over what they hold, and over the rows whose
/// numbers that index does not know by their value.
#[must_use]
pub fn document_indexes(d: Dialect, table: &str, column: &str, ty: ColumnType) -> Vec<String> {
    let text = |kind: &Documents| {
        let name = d.quoted(&document_index_name(*kind, table, column));
        let over = d.documents_over(*kind, column);
        format!("CREATE INDEX IF NOT EXISTS {name} ON {} {over}", d.quoted(table))
    };
    d.documents(ty).iter().map(text).collect()
}

fn rename_indexes(d: Dialect, from: (&str, &str), to: (&str, &str)) -> Vec<String> {
    let name = |kind, (table, column): (&str, &str)| document_index_name(kind, table, column);
    [Documents::Contents, Documents::Odd]
        .into_iter()
        .flat_map(|kind| d.rename_index(&name(kind, from), &name(kind, to)))
        .collect()
}

/// Name of an automatic index; PostgreSQL names hold 63 bytes (spec extensions §1.8).
#[must_use]
pub fn document_index_name(kind: Documents, table: &str, column: &str) -> String {
    let suffix = match kind {
        Documents::Contents => "gin",
        Documents::Odd => "odd",
    };
    let full = format!("idx_{table}_{column}_{suffix}");
    if full.len() <= 63 {
        return full;
    }
    let hash =
        full.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let mut cut = 54;
    while !full.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}_{hash:08x}", &full[..cut])
}

/// Makes the full-text index over text columns and fills it. `columns` in the order the plans know them.
#[must_use]
pub fn create_full_text(
    d: Dialect,
    collection_id: &str,
    table: &str,
    columns: &[&str],
) -> Vec<String> {
    d.0.create_full_text(collection_id, table, columns)
}

/// Names of the tables, triggers and indexes that a full-text index is made of.
#[must_use]
pub fn full_text_parts(d: Dialect, collection_id: &str) -> Vec<String> {
    d.0.full_text_parts(collection_id)
}

/// The collection id in the name of what is left of a full-text index: on SQLite its table of numbers.
#[must_use]
pub fn full_text_owner(d: Dialect, name: &str) -> Option<&str> {
    d.0.full_text_owner(name)
}

/// Removes a full-text index, whatever is left of it.
#[must_use]
pub fn drop_full_text(d: Dialect, collection_id: &str) -> Vec<String> {
    d.0.drop_full_text(collection_id)
}

/// The tables every data directory has before its first migration: `_migrations`, `_params`, `_collections`
/// (spec collections-and-fields §1.3). Each statement is safe to repeat.
#[must_use]
pub fn system_tables(d: Dialect) -> Vec<String> {
    let NativeTypes { id, stamp, json, text, bool: bool_, integer: int, row_id, .. } = *d.native();
    let sql = |s: String| in_quotes(d, &s);
    let dflt = |v: &str| text_default(d, v);
    let row_id = row_id.map_or(String::new(), |column| format!(", {column}"));
    vec![
        sql(format!(
            "CREATE TABLE IF NOT EXISTS `_migrations` (`file` VARCHAR(255) PRIMARY KEY NOT NULL, `applied` {int} NOT NULL)"
        )),
        sql(format!(
            "CREATE TABLE IF NOT EXISTS `_params` (`id` {id}, `value` {json} DEFAULT NULL, `created` {stamp}, `updated` {stamp})"
        )),
        sql(format!(
            "CREATE TABLE IF NOT EXISTS `_collections` (`id` {id}, `system` {bool_} DEFAULT FALSE NOT NULL, `type` {text} DEFAULT {} NOT NULL, \
             `name` {text} UNIQUE NOT NULL, `fields` {json} DEFAULT {} NOT NULL, `indexes` {json} DEFAULT {} NOT NULL, \
             `listRule` {text} DEFAULT NULL, `viewRule` {text} DEFAULT NULL, `createRule` {text} DEFAULT NULL, \
             `updateRule` {text} DEFAULT NULL, `deleteRule` {text} DEFAULT NULL, `options` {json} DEFAULT {} NOT NULL, \
             `created` {stamp}, `updated` {stamp}{})",
            dflt("base"),
            dflt("[]"),
            dflt("[]"),
            dflt("{}"),
            row_id
        )),
        sql("CREATE INDEX IF NOT EXISTS `idx__collections_type` ON `_collections` (`type`)"
            .to_owned()),
    ]
}

/// The request log and its indexes (`auxiliary.db` on SQLite).
#[must_use]
pub fn log_tables(d: Dialect) -> Vec<String> {
    d.0.log_tables()
}

/// A text with names in back quotes as the dialect writes them.
fn in_quotes(d: Dialect, text: &str) -> String {
    let mut parts = text.split('`');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let (Some(name), Some(rest)) = (parts.next(), parts.next()) {
        out.push_str(&d.quoted(name));
        out.push_str(rest);
    }
    out
}

/// The reference writes double-quoted defaults here; SQLite reads them as text.
fn text_default(d: Dialect, value: &str) -> String {
    let quote = d.native().default_quote;
    format!("{quote}{value}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, ColumnType); 8] = [
        ("title", ColumnType::Text),
        ("id", ColumnType::TextPk),
        ("n", ColumnType::Number),
        ("B", ColumnType::Bool),
        ("j", ColumnType::Json),
        ("geo", ColumnType::Geo),
        ("tags", ColumnType::JsonList),
        ("created", ColumnType::Text),
    ];

    #[test]
    fn tables_are_the_references() {
        assert_eq!(
            create_table(Dialect::SQLITE, "demo", &COLUMNS),
            [
                "CREATE TABLE `demo` (`B` BOOLEAN DEFAULT FALSE NOT NULL, `created` TEXT DEFAULT '' NOT NULL, \
              `geo` JSON DEFAULT '{\"lon\":0,\"lat\":0}' NOT NULL, \
              `id` TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL, `j` JSON DEFAULT NULL, \
              `n` NUMERIC DEFAULT 0 NOT NULL, `tags` JSON DEFAULT '[]' NOT NULL, `title` TEXT DEFAULT '' NOT NULL)"
            ]
        );
        let pg = create_table(Dialect::POSTGRES, "demo", &COLUMNS);
        assert!(pg[0].starts_with("CREATE TABLE \"demo\" (\"B\" BOOLEAN DEFAULT FALSE NOT NULL, "));
        assert_eq!(
            pg[1],
            "CREATE INDEX IF NOT EXISTS \"idx_demo_j_gin\" ON \"demo\" USING gin (\"j\")"
        );
        assert_eq!(
            pg[2],
            "CREATE INDEX IF NOT EXISTS \"idx_demo_j_odd\" ON \"demo\" (\"id\") WHERE pb_odd(\"j\") = 1"
        );
        assert_eq!(pg.len(), 4);
    }

    #[test]
    fn long_index_names_are_cut() {
        let name = |column: &str| document_index_name(Documents::Contents, &"t".repeat(60), column);
        assert_eq!(name("column").len(), 63);
        assert_ne!(name("column"), name("columm"));
    }

    #[test]
    fn conversions_keep_values() {
        let up = single_to_multiple(Dialect::SQLITE, "t", "s", "_sabcde");
        assert_eq!(up.len(), 4);
        assert_eq!(up[0], "ALTER TABLE `t` RENAME COLUMN `s` TO `_sabcde`");
        assert_eq!(up[3], "ALTER TABLE `t` DROP COLUMN `_sabcde`");
        assert!(multiple_to_single(Dialect::POSTGRES, "t", "s", "x")[2].contains("pb_last(\"s\")"));
    }

    #[test]
    fn system_tables_repeat_safely() {
        for d in [Dialect::SQLITE, Dialect::POSTGRES] {
            for s in system_tables(d).iter().chain(&log_tables(d)) {
                assert!(s.contains("IF NOT EXISTS"), "{s}");
                assert_eq!(s.contains('`'), d.quoted("x") == "`x`", "{s}");
                assert_eq!(s.matches('(').count(), s.matches(')').count(), "{s}");
            }
        }
    }
}
