//! The words of [`Idiom`](super::Idiom): types that answers are made of.

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

/// The automatic indexes of columns of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// What they hold.
    Contents,
    /// Which of them hold numbers that are not what their double says.
    Odd,
}

/// How [`select_by_value`](crate::statement::select_by_value) compares text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// Byte by byte.
    Sensitive,
    /// ASCII letters fold.
    Ignored,
}

/// Why a value cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// U+0000.
    Nul,
    /// Half of a surrogate pair.
    HalfPair,
}

/// What a database error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A UNIQUE constraint or primary key. Columns as the database names them, without the table;
    /// empty when it names only an index or constraint (then see `index`).
    Unique {
        /// The violated columns.
        columns: Vec<String>,
        /// The index or constraint, where it is what the database names: SQLite for expression indexes,
        /// PostgreSQL always (resolve it with [`crate::catalog::index_columns`]).
        index: Option<String>,
    },
    /// A NOT NULL, CHECK or foreign key constraint.
    Constraint,
    /// Locked by another connection; retry the whole transaction.
    Busy,
    /// Cancelled because it took too long.
    Timeout,
    /// The connection is gone; a new one may work.
    Disconnected,
    /// Anything else.
    Other,
}

/// What users' SQL is turned into: view queries, expressions of indexes, statements of the console. They are written for
/// SQLite; whoever matches on this answers for a new syntax.
#[derive(Debug, Clone, Copy)]
pub enum Syntax {
    /// It stays as it is.
    Sqlite,
    /// PostgreSQL's words.
    Postgres,
}

/// Introspection queries; the names of result columns are said in [`crate::catalog`]. `has_…`, `columns` and `index…` take
/// one name.
#[derive(Debug)]
pub struct Catalog {
    /// See [`crate::catalog::tables`].
    pub tables: &'static str,
    /// See [`crate::catalog::index_names`].
    pub index_names: &'static str,
    /// See [`crate::catalog::full_text`].
    pub full_text: &'static str,
    /// See [`crate::catalog::has_table`].
    pub has_table: &'static str,
    /// See [`crate::catalog::columns`].
    pub columns: &'static str,
    /// See [`crate::catalog::indexes`].
    pub indexes: &'static str,
    /// See [`crate::catalog::has_index`].
    pub has_index: &'static str,
    /// See [`crate::catalog::index_columns`].
    pub index_columns: &'static str,
    /// Name, bytes of rows and bytes of indexes of every table.
    pub sizes: &'static str,
    /// The version of the database, as it says it.
    pub version: &'static str,
}

/// Statements over the system tables; parameters in the order of the documentation.
#[derive(Debug)]
pub struct System {
    /// All rows of `_collections` in insertion order.
    pub collections: &'static str,
    /// `value` of the `_params` row of an id, as text.
    pub params_value: &'static str,
    /// Inserts or replaces a `_params` row: id, plain JSON, now.
    pub save_params_plain: &'static str,
    /// Makes a `_params` row with an empty object where there is none; in a transaction it is then kept from others.
    pub hold_params: &'static str,
    /// Inserts or replaces a `_params` row: id, text, now.
    pub save_params_text: &'static str,
    /// Names of the applied migrations in applied order.
    pub migrations: &'static str,
}

/// Column types of tables that are no collections.
#[derive(Debug)]
pub struct NativeTypes {
    /// A primary key with a default.
    pub id: &'static str,
    /// A time with the present one as its default.
    pub stamp: &'static str,
    /// JSON.
    pub json: &'static str,
    /// Text that sorts by its bytes.
    pub text: &'static str,
    /// Text that only is stored.
    pub plain_text: &'static str,
    /// A boolean.
    pub bool: &'static str,
    /// A whole number of 64 bits.
    pub integer: &'static str,
    /// A number.
    pub real: &'static str,
    /// A column that numbers rows by insertion, where tables have none by themselves.
    pub row_id: Option<&'static str>,
    /// What stands around the text of a default.
    pub default_quote: char,
}
