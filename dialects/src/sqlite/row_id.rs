//! SQLite's names of the row id, and tables with columns of such a name. Must not execute anything.
//!
//! A column of such a name hides it. SQLite 3.54 makes tables with such columns but neither adds, renames nor drops one:
//! the table is made anew, from its own text, so that everything else about it stays.

use crate::{
    quote::ident,
    sql::{Sql, Value},
};

const NAMES: [&str; 3] = ["_rowid_", "rowid", "oid"];

/// True for a name of the row id, in any letter case.
#[must_use]
pub fn is_row_id(name: &str) -> bool {
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A name of the row id that no column hides.
// DIFFERENCE: a field `_ROWID_` takes no part; in the reference `@rowid` sorts by it and totals count its values.
pub(super) fn visible(is_column: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    NAMES.into_iter().find(|name| !is_column(name))
}

/// `sql` of a table.
pub(super) fn table_text(table: &str) -> Sql {
    let text = "SELECT sql FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?1)";
    Sql { text: text.into(), params: vec![Value::Text(table.into())] }
}

/// `sql` of each index and trigger of a table, in the order they were made.
pub(super) fn attached(table: &str) -> Sql {
    let text = "SELECT sql FROM sqlite_master WHERE type IN ('index','trigger') AND sql IS NOT NULL \
                AND lower(tbl_name) = lower(?1) ORDER BY rowid";
    Sql { text: text.into(), params: vec![Value::Text(table.into())] }
}

/// See [`Idiom::rebuild`](crate::idiom::Idiom::rebuild).
pub(super) fn rebuild(
    text: &str,
    table: &str,
    aside: &str,
    columns: &[String],
    renames: &[(String, String)],
) -> Option<Vec<String>> {
    let renamed = |column: &str| {
        let found = renames.iter().find(|(from, _)| from.eq_ignore_ascii_case(column));
        found.map_or_else(|| column.to_owned(), |(_, to)| to.clone())
    };
    let after: Vec<String> = columns.iter().map(|column| renamed(column)).collect();
    let is_column = |name: &str| columns.iter().chain(&after).any(|c| c.eq_ignore_ascii_case(name));
    let number = visible(&is_column);
    let list = |columns: &[String]| {
        let named = number.map(str::to_owned).into_iter();
        named.chain(columns.iter().map(|c| ident(c))).collect::<Vec<_>>().join(",")
    };
    let (old, new) = (ident(table), ident(aside));
    Some(vec![
        renamed_text(text, aside, &renamed)?,
        format!("INSERT INTO {new} ({}) SELECT {} FROM {old}", list(&after), list(columns)),
        format!("DROP TABLE {old}"),
        format!("ALTER TABLE {new} RENAME TO {old}"),
    ])
}

/// The text of a table with another name and other names of columns.
fn renamed_text(text: &str, table: &str, renamed: &dyn Fn(&str) -> String) -> Option<String> {
    let open = top_level(text).find(|(_, c)| *c == '(')?.0;
    let mut out = format!("CREATE TABLE {} (", ident(table));
    let mut start = open + 1;
    for (at, c) in top_level(&text[start..]).map(|(at, c)| (at + open + 1, c)) {
        if !matches!(c, ',' | ')') {
            continue;
        }
        let (blank, body) = text[start..at].split_at(blank(&text[start..at]));
        let (name, rest) = first_word(body)?;
        out.push_str(blank);
        if is_constraint(name) {
            out.push_str(body);
        } else {
            out.push_str(&ident(&renamed(&unquoted(name))));
            out.push_str(rest);
        }
        out.push(c);
        start = at + 1;
        if c == ')' {
            out.push_str(&text[start..]);
            return Some(out);
        }
    }
    None
}

/// Characters outside of quotes, comments and inner parentheses; the parenthesis that opens one and the one that closes
/// the text are among them.
fn top_level(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut depth, mut skip_to) = (0_usize, 0);
    text.char_indices().filter(move |(at, c)| {
        if *at < skip_to {
            return false;
        }
        let rest = &text[*at..];
        let ends = |begin: usize, end: &str| {
            rest[begin..].find(end).map_or(text.len(), |found| at + begin + found + end.len())
        };
        match c {
            '\'' | '"' | '`' => skip_to = ends(1, &c.to_string()),
            '[' => skip_to = ends(1, "]"),
            '-' if rest.starts_with("--") => skip_to = ends(2, "\n"),
            '/' if rest.starts_with("/*") => skip_to = ends(2, "*/"),
            '(' => {
                depth += 1;
                return depth == 1;
            }
            ')' if depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => return depth == 0,
        }
        false
    })
}

/// How long the blanks and comments are that a text begins with.
fn blank(text: &str) -> usize {
    let rest = text.trim_start();
    let at = text.len() - rest.len();
    let end = match rest.as_bytes() {
        [b'-', b'-', ..] => rest.find('\n').map(|end| end + 1),
        [b'/', b'*', ..] => rest.find("*/").map(|end| end + 2),
        _ => return at,
    };
    end.map_or(text.len(), |end| at + end + blank(&rest[end..]))
}

/// The first word of a column's definition, with its quotes, and what follows.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let first = text.chars().next()?;
    let end = match first {
        '"' | '`' => {
            let mut at = 1;
            loop {
                at += text[at..].find(first)? + 1;
                if !text[at..].starts_with(first) {
                    break at;
                }
                at += 1;
            }
        }
        '[' => text.find(']')? + 1,
        _ => text.find(|c: char| c.is_whitespace() || c == '(').unwrap_or(text.len()),
    };
    Some(text.split_at(end))
}

fn unquoted(name: &str) -> String {
    let inner = || name.get(1..name.len() - 1).unwrap_or_default();
    match name.chars().next() {
        Some(quote @ ('"' | '`')) => {
            inner().replace(&format!("{quote}{quote}"), &quote.to_string())
        }
        Some('[') => inner().to_owned(),
        _ => name.to_owned(),
    }
}

/// True for what begins a constraint of the table instead of a column.
fn is_constraint(word: &str) -> bool {
    ["constraint", "primary", "unique", "check", "foreign"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (columns, name) in [
            (&["id", "a"][..], Some("_rowid_")),
            (&["_ROWID_"], Some("rowid")),
            (&["RowId", "_rowid_"], Some("oid")),
            (&["oid", "rowid", "_rowid_"], None),
        ] {
            let is_column = |name: &str| columns.iter().any(|c| c.eq_ignore_ascii_case(name));
            assert_eq!(visible(&is_column), name, "{columns:?}");
        }
        assert!(is_row_id("OID") && is_row_id("_RowId_") && !is_row_id("_oid_"));
    }

    #[test]
    fn texts() {
        let rename = |name: &str| match name {
            "oid" => "x".to_owned(),
            other => other.to_owned(),
        };
        for (text, want) in [
            (
                "CREATE TABLE `t` (`id` TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL, `oid` TEXT DEFAULT ',' NOT NULL)",
                "CREATE TABLE \"n\" (\"id\" TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL, \"x\" TEXT DEFAULT ',' NOT NULL)",
            ),
            (
                "CREATE TABLE \"o(,\"(oid, \"a\"\"b\" NUMERIC DEFAULT (1,2), [c d] JSON,PRIMARY KEY (oid)) STRICT",
                "CREATE TABLE \"n\" (\"x\", \"a\"\"b\" NUMERIC DEFAULT (1,2), \"c d\" JSON,PRIMARY KEY (oid)) STRICT",
            ),
            (
                "CREATE TABLE t (a /* ), */ TEXT, -- ),\n oid TEXT)",
                "CREATE TABLE \"n\" (\"a\" /* ), */ TEXT, -- ),\n \"x\" TEXT)",
            ),
        ] {
            assert_eq!(renamed_text(text, "n", &rename).as_deref(), Some(want));
        }
        for text in ["", "CREATE TABLE t AS SELECT 1", "CREATE TABLE t (a", "CREATE TABLE t (,)"] {
            assert_eq!(renamed_text(text, "n", &rename), None, "{text}");
        }
    }

    #[test]
    fn statements() {
        let columns = ["id", "_ROWID_"].map(str::to_owned);
        let renames = [("_rowid_".to_owned(), "y".to_owned())];
        let made = rebuild("CREATE TABLE t (id, _ROWID_)", "t", "n", &columns, &renames);
        assert_eq!(
            made.unwrap_or_default(),
            [
                "CREATE TABLE \"n\" (\"id\", \"y\")",
                "INSERT INTO \"n\" (rowid,\"id\",\"y\") SELECT rowid,\"id\",\"_ROWID_\" FROM \"t\"",
                "DROP TABLE \"t\"",
                "ALTER TABLE \"n\" RENAME TO \"t\"",
            ]
        );
    }
}
