//! Schema changes → statements for the running dialect. Must not execute them, nor know collections.
//!
//! SQLite texts are what the reference leaves in `sqlite_master` (spec collections-and-fields §1.3, §1.5, §4.7);
//! PostgreSQL types are those of spec extensions §1.4, plus a hidden `_rowid_` that keeps insertion order.

use crate::{
    Dialect, ident,
    quote::{push_literal, tick},
};

pub(crate) use crate::full_text::postgres_full_text;
pub use crate::full_text::{
    create_full_text, drop_full_text, full_text_name, full_text_owner, full_text_parts,
};

/// Physical type of a field's column (spec collections-and-fields §1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// The primary key text.
    TextPk,
    /// Text, never NULL: text, email, url, editor, date, autodate, password, single select/file/relation.
    Text,
    /// A number, 0 when unset.
    Number,
    /// A boolean.
    Bool,
    /// Any JSON, NULL when unset.
    Json,
    /// `{"lon":…,"lat":…}`.
    Geo,
    /// A JSON array: select, file, relation with several values.
    JsonList,
}

impl ColumnType {
    /// Type, default and constraints as they stand in `CREATE TABLE`.
    #[must_use]
    pub fn definition(self, d: Dialect) -> &'static str {
        match d {
            Dialect::Sqlite => match self {
                Self::TextPk => {
                    "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL"
                }
                Self::Text => "TEXT DEFAULT '' NOT NULL",
                Self::Number => "NUMERIC DEFAULT 0 NOT NULL",
                Self::Bool => "BOOLEAN DEFAULT FALSE NOT NULL",
                Self::Json => "JSON DEFAULT NULL",
                Self::Geo => r#"JSON DEFAULT '{"lon":0,"lat":0}' NOT NULL"#,
                Self::JsonList => "JSON DEFAULT '[]' NOT NULL",
            },
            Dialect::Postgres => match self {
                Self::TextPk => {
                    "TEXT COLLATE \"C\" PRIMARY KEY DEFAULT \
                     ('r'||substr(replace(gen_random_uuid()::text,'-',''),1,14)) NOT NULL"
                }
                Self::Text => "TEXT COLLATE \"C\" DEFAULT '' NOT NULL",
                Self::Number => "DOUBLE PRECISION DEFAULT 0 NOT NULL",
                Self::Bool => "BOOLEAN DEFAULT FALSE NOT NULL",
                Self::Json => "JSONB DEFAULT NULL",
                Self::Geo => r#"JSONB DEFAULT '{"lon":0,"lat":0}' NOT NULL"#,
                Self::JsonList => "JSONB DEFAULT '[]' NOT NULL",
            },
        }
    }
}

fn name(d: Dialect, n: &str) -> String {
    match d {
        Dialect::Sqlite => tick(n),
        Dialect::Postgres => ident(n),
    }
}

/// `CREATE TABLE`, columns sorted by name in byte order; on PostgreSQL also the automatic indexes of documents.
#[must_use]
pub fn create_table(d: Dialect, table: &str, columns: &[(&str, ColumnType)]) -> Vec<String> {
    let mut sorted = columns.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    let mut defs: Vec<String> =
        sorted.iter().map(|(n, t)| format!("{} {}", name(d, n), t.definition(d))).collect();
    if d == Dialect::Postgres {
        defs.push("\"_rowid_\" BIGINT GENERATED ALWAYS AS IDENTITY".to_owned());
    }
    let mut out = vec![format!("CREATE TABLE {} ({})", name(d, table), defs.join(", "))];
    out.extend(sorted.iter().flat_map(|(n, t)| document_indexes(d, table, n, *t)));
    out
}

/// Adds a column (goes last).
#[must_use]
pub fn add_column(d: Dialect, table: &str, column: &str, ty: ColumnType) -> Vec<String> {
    let mut out = vec![format!(
        "ALTER TABLE {} ADD COLUMN {} {}",
        name(d, table),
        name(d, column),
        ty.definition(d)
    )];
    out.extend(document_indexes(d, table, column, ty));
    out
}

/// Renames a column. On PostgreSQL its automatic indexes follow.
#[must_use]
pub fn rename_column(d: Dialect, table: &str, from: &str, to: &str) -> Vec<String> {
    let mut out = vec![format!(
        "ALTER TABLE {} RENAME COLUMN {} TO {}",
        name(d, table),
        name(d, from),
        name(d, to)
    )];
    if d == Dialect::Postgres {
        out.extend(rename_indexes((table, from), (table, to)));
    }
    out
}

/// Drops a column (and with it, on PostgreSQL, its indexes).
#[must_use]
pub fn drop_column(d: Dialect, table: &str, column: &str) -> String {
    format!("ALTER TABLE {} DROP COLUMN {}", name(d, table), name(d, column))
}

/// Renames a table; `json_columns` are those with automatic indexes on PostgreSQL.
#[must_use]
pub fn rename_table(d: Dialect, from: &str, to: &str, json_columns: &[&str]) -> Vec<String> {
    let mut out = vec![format!("ALTER TABLE {} RENAME TO {}", name(d, from), name(d, to))];
    if d == Dialect::Postgres {
        out.extend(json_columns.iter().flat_map(|c| rename_indexes((from, c), (to, c))));
    }
    out
}

/// Drops a table if it exists.
#[must_use]
pub fn drop_table(d: Dialect, table: &str) -> String {
    format!("DROP TABLE IF EXISTS {}", name(d, table))
}

/// Turns a text column into a list column, keeping values: empty → `[]`, a JSON array stays, else one element.
///
/// On SQLite the old column is set aside as `temp` (spec §4.7: `_<name>` + 5 random characters) and the new one
/// goes last; views over the table must have been dropped. Source: spec collections-and-fields §4.7 step 5.
#[must_use]
pub fn single_to_multiple(d: Dialect, table: &str, column: &str, temp: &str) -> Vec<String> {
    match d {
        Dialect::Sqlite => {
            let old = tick(temp);
            swap_column(
                table,
                column,
                temp,
                ColumnType::JsonList,
                &format!(
                    "CASE WHEN COALESCE({old}, '') = '' THEN '[]' ELSE (CASE WHEN json_valid({old}) AND json_type({old}) = 'array' \
                     THEN {old} ELSE json_array({old}) END) END"
                ),
            )
        }
        Dialect::Postgres => {
            let c = ident(column);
            let mut out = retype(table, column, "JSONB", &format!("pb_to_list({c})"), "'[]'");
            out.extend(document_indexes(d, table, column, ColumnType::JsonList));
            out
        }
    }
}

/// Turns a list column into a text column, keeping values: `[]` → `''`, an array → its last element.
///
/// See [`single_to_multiple`] for `temp` and views.
#[must_use]
pub fn multiple_to_single(d: Dialect, table: &str, column: &str, temp: &str) -> Vec<String> {
    match d {
        Dialect::Sqlite => {
            let old = tick(temp);
            swap_column(
                table,
                column,
                temp,
                ColumnType::Text,
                &format!(
                    "CASE WHEN COALESCE({old}, '[]') = '[]' THEN '' ELSE (CASE WHEN json_valid({old}) AND json_type({old}) = 'array' \
                     THEN COALESCE(json_extract({old}, '$[#-1]'), '') ELSE {old} END) END"
                ),
            )
        }
        Dialect::Postgres => {
            let c = ident(column);
            let mut out = vec![format!(
                "DROP INDEX IF EXISTS {}",
                ident(&document_index_name(Documents::Contents, table, column))
            )];
            out.extend(retype(table, column, "TEXT COLLATE \"C\"", &format!("pb_last({c})"), "''"));
            out
        }
    }
}

fn swap_column(table: &str, column: &str, temp: &str, ty: ColumnType, copy: &str) -> Vec<String> {
    let d = Dialect::Sqlite;
    vec![
        format!("ALTER TABLE {} RENAME COLUMN {} TO {}", tick(table), tick(column), tick(temp)),
        format!("ALTER TABLE {} ADD COLUMN {} {}", tick(table), tick(column), ty.definition(d)),
        format!("UPDATE {} SET {} = ({copy})", tick(table), tick(column)),
        drop_column(d, table, temp),
    ]
}

fn retype(table: &str, column: &str, ty: &str, using: &str, default: &str) -> Vec<String> {
    let (t, c) = (ident(table), ident(column));
    vec![
        format!("ALTER TABLE {t} ALTER COLUMN {c} DROP DEFAULT"),
        format!("ALTER TABLE {t} ALTER COLUMN {c} TYPE {ty} USING {using}"),
        format!("ALTER TABLE {t} ALTER COLUMN {c} SET DEFAULT {default}"),
        format!("ALTER TABLE {t} ALTER COLUMN {c} SET NOT NULL"),
    ]
}

/// `CREATE VIEW name AS SELECT * FROM (query)`.
#[must_use]
pub fn create_view(d: Dialect, view: &str, query: &str) -> String {
    match d {
        Dialect::Sqlite => format!("CREATE VIEW {} AS SELECT * FROM ({query})", tick(view)),
        Dialect::Postgres => {
            format!("CREATE VIEW {} AS SELECT * FROM ({}) AS q", ident(view), double_quoted(query))
        }
    }
}

/// A view query whose id column is not declared TEXT, wrapped so that it is (spec collections-and-fields §4.9).
#[must_use]
pub fn text_id(d: Dialect, columns: &[String], query: &str) -> String {
    let list: Vec<String> = columns
        .iter()
        .map(|c| match (d, c.as_str()) {
            (Dialect::Sqlite, "id") => "CAST(`id` as TEXT) `id`".to_owned(),
            (Dialect::Postgres, "id") => "CAST(\"id\" AS TEXT) COLLATE \"C\" AS \"id\"".to_owned(),
            (d, c) => name(d, c),
        })
        .collect();
    let alias = if d == Dialect::Postgres { " AS v" } else { "" };
    format!("SELECT {} FROM ({query}){alias}", list.join(","))
}

/// A user's query with names in back quotes as PostgreSQL wants them; strings stay.
fn double_quoted(query: &str) -> String {
    let mut quote = None;
    query
        .chars()
        .map(|c| match (quote, c) {
            (None, '`') => {
                quote = Some('`');
                '"'
            }
            (Some('`'), '`') => {
                quote = None;
                '"'
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                c
            }
            (Some(open), c) if open == c => {
                quote = None;
                c
            }
            (_, c) => c,
        })
        .collect()
}

/// Gives a view another name.
#[must_use]
pub fn rename_view(d: Dialect, from: &str, to: &str) -> String {
    format!("ALTER VIEW {} RENAME TO {}", name(d, from), name(d, to))
}

/// Gives an index another name, if there is one; PostgreSQL only.
#[must_use]
pub fn rename_index(from: &str, to: &str) -> String {
    format!("ALTER INDEX IF EXISTS {} RENAME TO {}", ident(from), ident(to))
}

/// Drops a view if it exists.
#[must_use]
pub fn drop_view(d: Dialect, view: &str) -> String {
    format!("DROP VIEW IF EXISTS {}", name(d, view))
}

/// Drops an index if it exists.
#[must_use]
pub fn drop_index(d: Dialect, index: &str) -> String {
    format!("DROP INDEX IF EXISTS {}", name(d, index))
}

/// The indexes that columns of documents have by themselves on PostgreSQL: over what they hold, and over the rows whose
/// numbers that index does not know by their value.
#[must_use]
pub fn document_indexes(d: Dialect, table: &str, column: &str, ty: ColumnType) -> Vec<String> {
    let kinds: &[Documents] = match (d, ty) {
        (Dialect::Postgres, ColumnType::Json) => &[Documents::Contents, Documents::Odd],
        (Dialect::Postgres, ColumnType::JsonList) => &[Documents::Contents],
        _ => &[],
    };
    let text = |kind: &Documents| {
        let name = ident(&document_index_name(*kind, table, column));
        let (table, column) = (ident(table), ident(column));
        let over = match kind {
            Documents::Contents => format!("USING gin ({column})"),
            Documents::Odd => format!("(\"id\") WHERE pb_odd({column}) = 1"),
        };
        format!("CREATE INDEX IF NOT EXISTS {name} ON {table} {over}")
    };
    kinds.iter().map(text).collect()
}

/// The automatic indexes of columns of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// What they hold.
    Contents,
    /// Which of them hold numbers that are not what their double says.
    Odd,
}

fn rename_indexes(from: (&str, &str), to: (&str, &str)) -> [String; 2] {
    [Documents::Contents, Documents::Odd].map(|kind| {
        let name = |(table, column)| document_index_name(kind, table, column);
        rename_index(&name(from), &name(to))
    })
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

/// The tables every data directory has before its first migration: `_migrations`, `_params`, `_collections`
/// (spec collections-and-fields §1.3). Each statement is safe to repeat.
#[must_use]
pub fn system_tables(d: Dialect) -> Vec<String> {
    let t = SystemTypes::of(d);
    let SystemTypes { id, stamp, json, text, bool_, int, quote, .. } = t;
    let sql = |s: String| s.replace('`', quote);
    let dflt = |v: &str| t.text_default(v);
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
            t.rowid
        )),
        sql("CREATE INDEX IF NOT EXISTS `idx__collections_type` ON `_collections` (`type`)"
            .to_owned()),
    ]
}

/// The request log and its indexes (`auxiliary.db` on SQLite).
#[must_use]
pub fn log_tables(d: Dialect) -> Vec<String> {
    let t = SystemTypes::of(d);
    let SystemTypes { id, stamp, json, text, int, quote, .. } = t;
    let hour = match d {
        Dialect::Sqlite => "strftime('%Y-%m-%d %H:00:00', `created`)",
        Dialect::Postgres => "(substr(`created`, 1, 13))",
    };
    let level = int;
    vec![
        format!(
            "CREATE TABLE IF NOT EXISTS `_logs` (`id` {id}, `level` {level} DEFAULT 0 NOT NULL, `message` {text} DEFAULT {} NOT NULL, \
             `data` {json} DEFAULT {} NOT NULL, `created` {stamp}{})",
            t.text_default(""), t.text_default("{}"), t.rowid
        ),
        "CREATE INDEX IF NOT EXISTS `idx_logs_level` ON `_logs` (`level`)".to_owned(),
        "CREATE INDEX IF NOT EXISTS `idx_logs_message` ON `_logs` (`message`)".to_owned(),
        format!("CREATE INDEX IF NOT EXISTS `idx_logs_created_hour` ON `_logs` ({hour})"),
    ]
    .into_iter()
    .map(|s| s.replace('`', quote))
    .collect()
}

struct SystemTypes {
    id: &'static str,
    stamp: &'static str,
    json: &'static str,
    text: &'static str,
    bool_: &'static str,
    int: &'static str,
    quote: &'static str,
    rowid: &'static str,
}

impl SystemTypes {
    fn of(d: Dialect) -> Self {
        match d {
            Dialect::Sqlite => Self {
                id: "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL",
                stamp: "TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%fZ')) NOT NULL",
                json: "JSON",
                text: "TEXT",
                bool_: "BOOLEAN",
                int: "INTEGER",
                quote: "`",
                rowid: "",
            },
            Dialect::Postgres => Self {
                id: "TEXT COLLATE \"C\" PRIMARY KEY DEFAULT \
                     ('r'||substr(replace(gen_random_uuid()::text,'-',''),1,14)) NOT NULL",
                stamp: "TEXT COLLATE \"C\" DEFAULT \
                        (to_char(now() AT TIME ZONE 'UTC','YYYY-MM-DD HH24:MI:SS.MS')||'Z') NOT NULL",
                json: "JSONB",
                text: "TEXT COLLATE \"C\"",
                bool_: "BOOLEAN",
                int: "BIGINT",
                quote: "\"",
                rowid: ", `_rowid_` BIGINT GENERATED ALWAYS AS IDENTITY",
            },
        }
    }

    fn text_default(&self, value: &str) -> String {
        // The reference writes double-quoted defaults here; SQLite reads them as text.
        if self.quote == "`" {
            return format!("\"{value}\"");
        }
        let mut out = String::new();
        push_literal(&mut out, value);
        out
    }
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
            create_table(Dialect::Sqlite, "demo", &COLUMNS),
            [
                "CREATE TABLE `demo` (`B` BOOLEAN DEFAULT FALSE NOT NULL, `created` TEXT DEFAULT '' NOT NULL, \
              `geo` JSON DEFAULT '{\"lon\":0,\"lat\":0}' NOT NULL, \
              `id` TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL, `j` JSON DEFAULT NULL, \
              `n` NUMERIC DEFAULT 0 NOT NULL, `tags` JSON DEFAULT '[]' NOT NULL, `title` TEXT DEFAULT '' NOT NULL)"
            ]
        );
        let pg = create_table(Dialect::Postgres, "demo", &COLUMNS);
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
        let up = single_to_multiple(Dialect::Sqlite, "t", "s", "_sabcde");
        assert_eq!(up.len(), 4);
        assert_eq!(up[0], "ALTER TABLE `t` RENAME COLUMN `s` TO `_sabcde`");
        assert_eq!(up[3], "ALTER TABLE `t` DROP COLUMN `_sabcde`");
        assert!(multiple_to_single(Dialect::Postgres, "t", "s", "x")[2].contains("pb_last(\"s\")"));
    }

    #[test]
    fn system_tables_repeat_safely() {
        for d in [Dialect::Sqlite, Dialect::Postgres] {
            for s in system_tables(d).iter().chain(&log_tables(d)) {
                assert!(s.contains("IF NOT EXISTS"), "{s}");
                assert_eq!(s.contains('`'), d == Dialect::Sqlite, "{s}");
                assert_eq!(s.matches('(').count(), s.matches(')').count(), "{s}");
            }
        }
    }
}
