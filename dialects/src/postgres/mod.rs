//! PostgreSQL 14 and later.

pub mod catalog;
mod contents;
mod fault;
mod full_text;
mod helpers;
mod names;
mod spell;
pub mod transfer;

use std::borrow::Cow;

pub use fault::fault;
pub use helpers::{HELPERS, HELPERS_VERSION, helpers_for};
pub use names::text;

use crate::{
    idiom::{Catalog, ColumnType, Dialect, Documents, Idiom, NativeTypes, Syntax, System, Unfit},
    limits,
    quote::ident,
    sql::Sql,
};

impl Dialect {
    /// PostgreSQL 14 and later.
    pub const POSTGRES: Self = Self(&Postgres);
}

#[derive(Debug)]
struct Postgres;

impl Idiom for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn product(&self) -> &'static str {
        "postgresql"
    }

    fn syntax(&self) -> Syntax {
        Syntax::Postgres
    }

    fn has_one_writer(&self) -> bool {
        false
    }

    fn for_update(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn for_update_skipping(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    fn is_same(&self) -> &'static str {
        " IS NOT DISTINCT FROM "
    }

    fn is_text(&self, column: &str, mark: &str) -> String {
        format!("lower({column}) = lower(({mark}::text) COLLATE \"C\")")
    }

    fn holds_text(&self, column: &str, mark: &str) -> String {
        format!("{column} @> to_jsonb({mark}::text)")
    }

    fn like(&self, negated: bool) -> &'static str {
        if negated { " NOT ILIKE " } else { " ILIKE " }
    }

    fn derived(&self, query: &str) -> String {
        format!("({query}) AS q")
    }

    fn explain(&self) -> &'static str {
        "EXPLAIN"
    }

    fn system(&self) -> &'static System {
        &catalog::SYSTEM
    }

    fn catalog(&self) -> &'static Catalog {
        &catalog::CATALOG
    }

    fn stored<'n>(&self, name: &'n str) -> Cow<'n, str> {
        names::stored(name)
    }

    fn truncated<'n>(&self, name: &'n str) -> &'n str {
        names::truncated(name)
    }

    fn ignores_case(&self) -> bool {
        false
    }

    fn holds_any_text(&self) -> bool {
        false
    }

    fn unfit_text(&self, text: &str) -> Option<Unfit> {
        text.as_bytes().contains(&0).then_some(Unfit::Nul)
    }

    fn unfit_json(&self, text: &str) -> Option<Unfit> {
        self.unfit_text(text).or_else(|| limits::bad_escape(text).map(|(_, why)| why))
    }

    fn quoted(&self, name: &str) -> String {
        ident(name)
    }

    fn definition(&self, ty: ColumnType) -> &'static str {
        match ty {
            ColumnType::TextPk => {
                "TEXT COLLATE \"C\" PRIMARY KEY DEFAULT \
                 ('r'||substr(replace(gen_random_uuid()::text,'-',''),1,14)) NOT NULL"
            }
            ColumnType::Text => "TEXT COLLATE \"C\" DEFAULT '' NOT NULL",
            ColumnType::Number => "DOUBLE PRECISION DEFAULT 0 NOT NULL",
            ColumnType::Bool => "BOOLEAN DEFAULT FALSE NOT NULL",
            ColumnType::Json => "JSONB DEFAULT NULL",
            ColumnType::Geo => r#"JSONB DEFAULT '{"lon":0,"lat":0}' NOT NULL"#,
            ColumnType::JsonList => "JSONB DEFAULT '[]' NOT NULL",
        }
    }

    fn native(&self) -> &'static NativeTypes {
        &NativeTypes {
            id: "TEXT COLLATE \"C\" PRIMARY KEY DEFAULT \
                 ('r'||substr(replace(gen_random_uuid()::text,'-',''),1,14)) NOT NULL",
            stamp: "TEXT COLLATE \"C\" DEFAULT \
                    (to_char(now() AT TIME ZONE 'UTC','YYYY-MM-DD HH24:MI:SS.MS')||'Z') NOT NULL",
            json: "JSONB",
            text: "TEXT COLLATE \"C\"",
            plain_text: "TEXT",
            bool: "BOOLEAN",
            integer: "BIGINT",
            real: "DOUBLE PRECISION",
            row_id: Some("\"_rowid_\" BIGINT GENERATED ALWAYS AS IDENTITY"),
            default_quote: '\'',
        }
    }

    fn log_tables(&self) -> Vec<String> {
        let NativeTypes { id, stamp, json, text, integer, row_id, .. } = *self.native();
        let row_id = row_id.unwrap_or_default();
        vec![
            format!(
                "CREATE TABLE IF NOT EXISTS \"_logs\" (\"id\" {id}, \"level\" {integer} DEFAULT 0 NOT NULL, \
                 \"message\" {text} DEFAULT '' NOT NULL, \"data\" {json} DEFAULT '{{}}' NOT NULL, \
                 \"created\" {stamp}, {row_id})"
            ),
            index_of_log("level", "\"level\""),
            index_of_log("message", "\"message\""),
            index_of_log("created_hour", "(substr(\"created\", 1, 13))"),
        ]
    }

    fn documents(&self, ty: ColumnType) -> &'static [Documents] {
        match ty {
            ColumnType::Json => &[Documents::Contents, Documents::Odd],
            ColumnType::JsonList => &[Documents::Contents],
            ColumnType::TextPk
            | ColumnType::Text
            | ColumnType::Number
            | ColumnType::Bool
            | ColumnType::Geo => &[],
        }
    }

    fn documents_over(&self, kind: Documents, column: &str) -> String {
        let column = ident(column);
        match kind {
            Documents::Contents => format!("USING gin ({column})"),
            Documents::Odd => format!("(\"id\") WHERE pb_odd({column}) = 1"),
        }
    }

    fn rename_index(&self, from: &str, to: &str) -> Vec<String> {
        vec![format!("ALTER INDEX IF EXISTS {} RENAME TO {}", ident(from), ident(to))]
    }

    fn single_to_multiple(&self, table: &str, column: &str, _temp: &str) -> Vec<String> {
        retype(table, column, "JSONB", &format!("pb_to_list({})", ident(column)), "'[]'")
    }

    fn multiple_to_single(&self, table: &str, column: &str, _temp: &str) -> Vec<String> {
        let using = format!("pb_last({})", ident(column));
        retype(table, column, "TEXT COLLATE \"C\"", &using, "''")
    }

    fn create_view(&self, view: &str, query: &str) -> String {
        format!("CREATE VIEW {} AS SELECT * FROM ({}) AS q", ident(view), double_quoted(query))
    }

    fn text_id(&self) -> &'static str {
        "CAST(\"id\" AS TEXT) COLLATE \"C\" AS \"id\""
    }

    fn create_full_text(&self, collection_id: &str, table: &str, columns: &[&str]) -> Vec<String> {
        full_text::create(collection_id, table, columns)
    }

    fn full_text_parts(&self, collection_id: &str) -> Vec<String> {
        vec![crate::full_text::full_text_name(collection_id)]
    }

    fn full_text_owner<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix("_fts_")
    }

    fn drop_full_text(&self, collection_id: &str) -> Vec<String> {
        let index = crate::full_text::full_text_name(collection_id);
        vec![format!("DROP INDEX IF EXISTS {}", ident(&index))]
    }

    /// Those that read it: others, such as those of extensions, are none of its business.
    fn views_before(&self, table: &str) -> Sql {
        catalog::readers(&[table])
    }

    fn readers(&self, relations: &[&str]) -> Option<Sql> {
        Some(catalog::readers(relations))
    }

    fn belongings(&self, view: &str, of: &str) -> Option<Sql> {
        Some(catalog::belongings(view, of))
    }

    fn is_fixed(&self, _column: &str) -> bool {
        false
    }

    fn made_of(&self, _table: &str) -> Option<[Sql; 2]> {
        None
    }

    fn rebuild(
        &self,
        _text: &str,
        _table: &str,
        _aside: &str,
        _columns: &[String],
        _renames: &[(String, String)],
    ) -> Option<Vec<String>> {
        None
    }
}

fn index_of_log(name: &str, over: &str) -> String {
    format!("CREATE INDEX IF NOT EXISTS \"idx_logs_{name}\" ON \"_logs\" ({over})")
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
