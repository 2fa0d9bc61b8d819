//! SQLite's introspection queries, and its statements over the system tables.

use crate::idiom::{Catalog, System};

pub(super) const CATALOG: Catalog = Catalog {
    tables: "SELECT name, type FROM sqlite_master WHERE type IN ('table','view') \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    index_names: "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    full_text: "SELECT name FROM sqlite_master WHERE type IN ('table','trigger') AND name LIKE '\\_fts\\_%' ESCAPE '\\'",
    has_table: "SELECT name, type FROM sqlite_master WHERE type IN ('table','view') AND lower(name) = lower(?1) LIMIT 1",
    columns: r#"SELECT name, type, "notnull", dflt_value AS "default", pk > 0 AS pk FROM pragma_table_info(?1)"#,
    indexes: "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL \
         AND lower(tbl_name) = lower(?1) ORDER BY name",
    has_index: r#"SELECT name, tbl_name AS "table" FROM sqlite_master WHERE type = 'index' AND lower(name) = lower(?1) LIMIT 1"#,
    sizes: "SELECT m.tbl_name, SUM(CASE WHEN m.type = 'table' THEN s.pgsize ELSE 0 END), \
            SUM(CASE WHEN m.type = 'index' THEN s.pgsize ELSE 0 END) \
            FROM sqlite_schema AS m JOIN dbstat AS s ON s.name = m.name AND s.aggregate = TRUE \
            WHERE m.type IN ('table', 'index') GROUP BY m.tbl_name",
    version: "SELECT sqlite_version()",
    index_columns: r#"SELECT name AS "column" FROM pragma_index_info(?1) WHERE name IS NOT NULL ORDER BY seqno"#,
};

pub(super) const SYSTEM: System = System {
    collections: r#"SELECT "id","system","type","name","fields","indexes","listRule","viewRule","createRule","updateRule","deleteRule","options","created","updated" FROM "_collections" ORDER BY rowid"#,
    params_value: r#"SELECT "value" FROM "_params" WHERE "id" = ?1"#,
    save_params_plain: r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, CAST(?2 AS BLOB), ?3, ?3) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
    hold_params: r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, CAST('{}' AS BLOB), ?2, ?2) ON CONFLICT ("id") DO UPDATE SET "updated" = excluded."updated""#,
    save_params_text: r#"INSERT INTO "_params" ("id","value","created","updated") VALUES (?1, ?2, ?3, ?3) ON CONFLICT ("id") DO UPDATE SET "value" = excluded."value", "updated" = excluded."updated""#,
    migrations: r#"SELECT "file" FROM "_migrations" ORDER BY "applied", rowid"#,
};

/// Every view in creation order (dependants after what they read).
pub(super) const VIEWS: &str =
    "SELECT name, sql FROM sqlite_master WHERE type = 'view' AND sql IS NOT NULL ORDER BY rowid";
