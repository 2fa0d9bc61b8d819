//! What names mean in a part of a query: tables behind FROM, their columns, aliases, common tables. Must not change trees.

use sqlparser::ast::Expr;

use super::{Output, Table, Ty};

/// A column that can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) ty: Ty,
    /// The table and the column that it is a copy of.
    pub(super) source: Option<(String, String)>,
    /// Neither a table's nor converted by CAST: on SQLite it has no affinity, and truth is 1 and 0.
    pub(super) is_computed: bool,
}

impl Known {
    pub(super) fn computed(name: impl Into<String>, ty: Ty) -> Self {
        Self { name: name.into(), ty, source: None, is_computed: true }
    }

    pub(super) fn into_output(self) -> Output {
        let Self { name, ty, source, is_computed } = self;
        Output { name, ty, source, is_computed }
    }
}

/// Something behind FROM.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) alias: String,
    /// `None` for a table that nothing is known about.
    pub(super) columns: Option<Vec<Known>>,
    /// Its `id` is a primary key.
    pub(super) has_key: bool,
}

impl Source {
    pub(super) fn of_table(alias: &str, table: &Table) -> Self {
        let columns = table.columns.iter().map(|column| Known {
            name: column.name.clone(),
            ty: column.ty,
            source: Some((table.name.clone(), column.name.clone())),
            is_computed: false,
        });
        Self { alias: alias.to_owned(), columns: Some(columns.collect()), has_key: table.has_key }
    }
}

/// An alias of the select list, for those parts of SQLite's SELECT that may name it.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    pub(super) name: String,
    pub(super) ty: Ty,
    pub(super) expr: Expr,
}

/// The names of one SELECT.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) sources: Vec<Source>,
    pub(super) aliases: Vec<Alias>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Meaning {
    /// A column: of the source of that number, of the SELECT so many levels up.
    Column { known: Known, alias: String, source: usize, up: usize },
    /// An alias of this SELECT.
    Alias(Alias),
    /// A table that is not known may have it.
    Unknown,
    /// Nothing.
    Nothing,
}

pub(super) fn find<'k>(columns: &'k [Known], name: &str) -> Option<&'k Known> {
    let same = columns.iter().find(|known| known.name == name);
    same.or_else(|| columns.iter().find(|known| known.name.eq_ignore_ascii_case(name)))
}

/// A name without a table.
pub(super) fn bare(levels: &[Level], name: &str) -> Meaning {
    let mut unknown = false;
    for (up, level) in levels.iter().rev().enumerate() {
        for (source, found) in level.sources.iter().enumerate() {
            match &found.columns {
                None => unknown = true,
                Some(columns) => {
                    if let Some(known) = find(columns, name) {
                        let (known, alias) = (known.clone(), found.alias.clone());
                        return Meaning::Column { known, alias, source, up };
                    }
                }
            }
        }
        let alias = level.aliases.iter().find(|alias| alias.name.eq_ignore_ascii_case(name));
        if let Some(alias) = alias.filter(|_| up == 0 && !unknown) {
            return Meaning::Alias(alias.clone());
        }
    }
    if unknown { Meaning::Unknown } else { Meaning::Nothing }
}

/// A name of a table's column.
pub(super) fn qualified(levels: &[Level], table: &str, name: &str) -> Meaning {
    for (up, level) in levels.iter().rev().enumerate() {
        for (source, found) in level.sources.iter().enumerate() {
            if !found.alias.eq_ignore_ascii_case(table) {
                continue;
            }
            let Some(columns) = &found.columns else { return Meaning::Unknown };
            return match find(columns, name) {
                Some(known) => {
                    Meaning::Column { known: known.clone(), alias: found.alias.clone(), source, up }
                }
                None => Meaning::Unknown,
            };
        }
    }
    Meaning::Nothing
}
