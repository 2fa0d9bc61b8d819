//! SQLite: the default store.

mod catalog;
mod fault;
mod full_text;
mod row_id;
mod spell;
pub mod transfer;

use std::borrow::Cow;

use filter_lang::{
    prim::{Arg, Arithmetic, Prim},
    value::Value,
};

pub use fault::fault;
pub use row_id::is_row_id;

use crate::{
    idiom::{Catalog, ColumnType, Dialect, Documents, Idiom, NativeTypes, Syntax, System, Unfit},
    quote::tick,
    sql::Sql,
};

/// A scalar function that texts may call and SQLite does not have.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// Its name in SQL.
    pub name: &'static str,
    /// How many arguments it takes; -1: any number.
    pub args: i32,
    /// What it computes.
    pub call: fn(&[Arg<'_>]) -> Value,
}

/// What a connection registers before it runs texts of this crate, as deterministic functions.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "pb_fts", args: -1, call: |args| Prim::HasWords.eval(args, 0) },
    Function { name: "pb_geo_distance", args: 4, call: |args| Prim::Distance.eval(args, 0) },
    Function {
        name: "pb_calc",
        args: 3,
        call: |args| {
            let [sign, numbers @ ..] = args else { return Value::Null };
            let operation = sign.text().and_then(|sign| Arithmetic::of(&sign));
            operation.map_or(Value::Null, |operation| Prim::Calc(operation).eval(numbers, 0))
        },
    },
];

impl Dialect {
    /// SQLite, the default store.
    pub const SQLITE: Self = Self(&Sqlite);
}

#[derive(Debug)]
struct Sqlite;

impl Idiom for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn product(&self) -> &'static str {
        "sqlite"
    }

    fn syntax(&self) -> Syntax {
        Syntax::Sqlite
    }

    fn has_one_writer(&self) -> bool {
        true
    }

    /// The transaction does that.
    fn for_update(&self) -> &'static str {
        ""
    }

    fn for_update_skipping(&self) -> &'static str {
        ""
    }

    fn is_same(&self) -> &'static str {
        " IS "
    }

    fn is_text(&self, column: &str, mark: &str) -> String {
        format!("{column} = {mark} COLLATE NOCASE")
    }

    fn holds_text(&self, column: &str, mark: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid({column}) THEN {column} ELSE json_array({column}) END) AS e \
             WHERE e.value = {mark})"
        )
    }

    /// It folds case by itself.
    fn like(&self, negated: bool) -> &'static str {
        if negated { " NOT LIKE " } else { " LIKE " }
    }

    fn derived(&self, query: &str) -> String {
        format!("({query})")
    }

    fn explain(&self) -> &'static str {
        "EXPLAIN QUERY PLAN"
    }

    fn system(&self) -> &'static System {
        &catalog::SYSTEM
    }

    fn catalog(&self) -> &'static Catalog {
        &catalog::CATALOG
    }

    fn stored<'n>(&self, name: &'n str) -> Cow<'n, str> {
        Cow::Borrowed(name)
    }

    fn truncated<'n>(&self, name: &'n str) -> &'n str {
        name
    }

    fn ignores_case(&self) -> bool {
        true
    }

    fn holds_any_text(&self) -> bool {
        true
    }

    fn unfit_text(&self, _text: &str) -> Option<Unfit> {
        None
    }

    fn unfit_json(&self, _text: &str) -> Option<Unfit> {
        None
    }

    fn quoted(&self, name: &str) -> String {
        tick(name)
    }

    fn definition(&self, ty: ColumnType) -> &'static str {
        match ty {
            ColumnType::TextPk => {
                "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL"
            }
            ColumnType::Text => "TEXT DEFAULT '' NOT NULL",
            ColumnType::Number => "NUMERIC DEFAULT 0 NOT NULL",
            ColumnType::Bool => "BOOLEAN DEFAULT FALSE NOT NULL",
            ColumnType::Json => "JSON DEFAULT NULL",
            ColumnType::Geo => r#"JSON DEFAULT '{"lon":0,"lat":0}' NOT NULL"#,
            ColumnType::JsonList => "JSON DEFAULT '[]' NOT NULL",
        }
    }

    fn native(&self) -> &'static NativeTypes {
        &NativeTypes {
            id: "TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL",
            stamp: "TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%fZ')) NOT NULL",
            json: "JSON",
            text: "TEXT",
            plain_text: "TEXT",
            bool: "BOOLEAN",
            integer: "INTEGER",
            real: "REAL",
            row_id: None,
            // As the reference writes them; read as text.
            default_quote: '"',
        }
    }

    /// As a fresh installation of the reference has them.
    fn log_tables(&self) -> Vec<String> {
        [
            "CREATE TABLE IF NOT EXISTS `_logs` (
    `id`      TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL,
    `level`   INTEGER DEFAULT 0 NOT NULL,
    `message` TEXT DEFAULT \"\" NOT NULL,
    `data`    JSON DEFAULT \"{}\" NOT NULL,
    `created` TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%fZ')) NOT NULL
)",
            "CREATE INDEX IF NOT EXISTS `idx_logs_level` on `_logs` (`level`)",
            "CREATE INDEX IF NOT EXISTS `idx_logs_message` on `_logs` (`message`)",
            "CREATE INDEX IF NOT EXISTS `idx_logs_created_hour` on `_logs` (strftime('%Y-%m-%d %H:00:00', `created`))",
        ]
        .map(str::to_owned)
        .into()
    }

    fn documents(&self, _ty: ColumnType) -> &'static [Documents] {
        &[]
    }

    fn documents_over(&self, _kind: Documents, column: &str) -> String {
        format!("({})", tick(column))
    }

    fn rename_index(&self, _from: &str, _to: &str) -> Vec<String> {
        Vec::new()
    }

    fn single_to_multiple(&self, table: &str, column: &str, temp: &str) -> Vec<String> {
        let old = tick(temp);
        let copy = format!(
            "CASE WHEN COALESCE({old}, '') = '' THEN '[]' ELSE (CASE WHEN json_valid({old}) AND json_type({old}) = 'array' \
             THEN {old} ELSE json_array({old}) END) END"
        );
        self.swap_column(table, column, temp, ColumnType::JsonList, &copy)
    }

    fn multiple_to_single(&self, table: &str, column: &str, temp: &str) -> Vec<String> {
        let old = tick(temp);
        let copy = format!(
            "CASE WHEN COALESCE({old}, '[]') = '[]' THEN '' ELSE (CASE WHEN json_valid({old}) AND json_type({old}) = 'array' \
             THEN COALESCE(json_extract({old}, '$[#-1]'), '') ELSE {old} END) END"
        );
        self.swap_column(table, column, temp, ColumnType::Text, &copy)
    }

    fn create_view(&self, view: &str, query: &str) -> String {
        format!("CREATE VIEW {} AS SELECT * FROM ({query})", tick(view))
    }

    fn text_id(&self) -> &'static str {
        "CAST(`id` as TEXT) `id`"
    }

    fn create_full_text(&self, collection_id: &str, table: &str, columns: &[&str]) -> Vec<String> {
        full_text::create(collection_id, table, columns)
    }

    fn full_text_parts(&self, collection_id: &str) -> Vec<String> {
        full_text::parts(collection_id)
    }

    /// Of the table of numbers.
    fn full_text_owner<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix("_fts_")?.strip_suffix("_ids")
    }

    fn drop_full_text(&self, collection_id: &str) -> Vec<String> {
        full_text::drop(collection_id)
    }

    /// All of them (spec collections-and-fields §4.7 step 5).
    fn views_before(&self, _table: &str) -> Sql {
        Sql::plain(catalog::VIEWS)
    }

    fn readers(&self, _relations: &[&str]) -> Option<Sql> {
        None
    }

    fn belongings(&self, _view: &str, _of: &str) -> Option<Sql> {
        None
    }

    fn is_fixed(&self, column: &str) -> bool {
        is_row_id(column)
    }

    fn made_of(&self, table: &str) -> Option<[Sql; 2]> {
        Some([row_id::table_text(table), row_id::attached(table)])
    }

    fn rebuild(
        &self,
        text: &str,
        table: &str,
        aside: &str,
        columns: &[String],
        renames: &[(String, String)],
    ) -> Option<Vec<String>> {
        row_id::rebuild(text, table, aside, columns, renames)
    }
}

impl Sqlite {
    fn swap_column(
        &self,
        table: &str,
        column: &str,
        temp: &str,
        ty: ColumnType,
        copy: &str,
    ) -> Vec<String> {
        let (table, column, temp) = (tick(table), tick(column), tick(temp));
        vec![
            format!("ALTER TABLE {table} RENAME COLUMN {column} TO {temp}"),
            format!("ALTER TABLE {table} ADD COLUMN {column} {}", self.definition(ty)),
            format!("UPDATE {table} SET {column} = ({copy})"),
            format!("ALTER TABLE {table} DROP COLUMN {temp}"),
        ]
    }
}
