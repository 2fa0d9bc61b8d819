//! Random valid `CREATE INDEX` statements, three ways: as written, as built from the parsed parts, and as SQLite keeps
//! the built one. All have the same columns and predicate. `INDEX_CASES` sets how many (default 1,000).

use proptest::{
    prelude::*,
    strategy::Union,
    test_runner::{Config, TestRunner},
};
use rusqlite::Connection;
use sql_text::index::Index;

const OPERATORS: [&str; 18] = [
    "+", "-", "*", "/", "%", "||", "=", "==", "!=", "<>", "<", "<=", ">", ">=", "&", "|", "->>",
    "IS",
];
const COLUMNS: [&str; 6] = ["title", "num", "flag", "js", "order", "camelCase"];

/// White space, sometimes with a comment in it; never nothing.
fn gap() -> BoxedStrategy<String> {
    prop_oneof![
        6 => Just(" ".to_owned()),
        1 => Just("\n\t".to_owned()),
        1 => Just(" /* x, ) ' */ ".to_owned()),
        1 => Just(" -- y ( , \"\n ".to_owned()),
        1 => Just(" /* ö ; where */\r\n".to_owned()),
    ]
    .boxed()
}

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![Just(" ".to_owned()), Just("\n".to_owned()), Just("\t \r\n".to_owned())]
}

fn maybe(gap: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop_oneof![3 => Just(String::new()), 1 => gap].boxed()
}

/// Letters of any case.
fn cased(word: &'static str) -> impl Strategy<Value = String> {
    any::<u16>().prop_map(move |bits| {
        let flip = |(at, c): (usize, char)| match bits >> (at % 16) & 1 {
            0 => c.to_ascii_lowercase(),
            _ => c.to_ascii_uppercase(),
        };
        word.chars().enumerate().map(flip).collect()
    })
}

fn column() -> impl Strategy<Value = String> {
    (prop::sample::select(&COLUMNS[..]), 0..5u8).prop_map(|(name, quotes)| match quotes {
        0 => format!("`{name}`"),
        1 => format!("\"{name}\""),
        2 => format!("[{name}]"),
        // A word of the grammar needs quotes in an expression.
        _ if name == "order" => "`order`".to_owned(),
        _ => name.to_owned(),
    })
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..500i32).prop_map(|n| n.to_string()),
        Just("1.5e3".to_owned()),
        Just("x'00ff'".to_owned()),
        Just("NULL".to_owned()),
        "[a-z,;()'\"`\\[\\] ö\n-]{0,8}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        Just("') where '".to_owned()),
        Just("'; drop table t; --'".to_owned()),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![3 => column(), 2 => literal()];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), maybe(gap()), inner.clone(), maybe(gap()));
        prop_oneof![
            (two.clone(), prop::sample::select(&OPERATORS[..]))
                .prop_map(|((a, x, b, y), op)| format!("({a}{x} {op} {y}{b})")),
            (two.clone(), prop_oneof![Just("and"), Just("OR")])
                .prop_map(|((a, x, b, y), op)| format!("{a} {x}{op}{y} {b}")),
            (inner.clone(), gap()).prop_map(|(a, x)| format!("(NOT{x}{a})")),
            (
                inner.clone(),
                gap(),
                prop_oneof![Just("IS NULL"), Just("IS NOT NULL"), Just("notnull")]
            )
                .prop_map(|(a, x, is)| format!("({a}{x}{is})")),
            (inner.clone(), prop::collection::vec(inner.clone(), 1..4), maybe(gap()))
                .prop_map(|(a, list, x)| format!("({a} IN ({x}{}))", list.join(&format!(",{x}")))),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} BETWEEN {b} AND {c})")),
            (inner.clone(), "[a-z%_)(']{0,5}")
                .prop_map(|(a, like)| format!("({a} LIKE '{}')", like.replace('\'', "''"))),
            (
                inner.clone(),
                prop_oneof![
                    Just("lower"),
                    Just("ABS"),
                    Just("length"),
                    Just("typeof"),
                    Just("\"upper\"")
                ],
                maybe(gap())
            )
                .prop_map(|(a, name, x)| format!("{name}({x}{a}{x})")),
            (two, prop_oneof![Just("coalesce"), Just("ifnull"), Just("max"), Just("json_extract")])
                .prop_map(|((a, x, b, y), name)| format!("{name}({a}{x},{y}{b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("CASE WHEN {a} THEN {b} ELSE {c} END")),
            (inner.clone(), prop_oneof![Just("TEXT"), Just("integer"), Just("DECIMAL(10, 2)")])
                .prop_map(|(a, ty)| format!("CAST({a} AS {ty})")),
            (inner, prop_oneof![Just("nocase"), Just("\"BINARY\"")])
                .prop_map(|(a, c)| format!("({a} COLLATE {c})")),
        ]
    })
}

/// One item of the list.
fn item() -> impl Strategy<Value = String> {
    let what = Union::new_weighted(vec![
        (4, prop_oneof![column(), Just("'title'".to_owned())].boxed()),
        (3, expression().prop_map(|e| format!("({e})")).boxed()),
        (1, expression().prop_map(|e| format!("lower({e})")).boxed()),
        (1, column().prop_map(|c| format!("{c} || 'x'")).boxed()),
        (1, column().prop_map(|c| format!("{c}+1")).boxed()),
    ]);
    let collate = prop_oneof![
        3 => Just(String::new()),
        1 => (gap(), cased("collate"), gap(), prop_oneof![Just("nocase"), Just("RTRIM"), Just("\"binary\""), Just("`NOCASE`")])
            .prop_map(|(x, word, y, name)| format!("{x}{word}{y}{name}")),
    ];
    let sort = prop_oneof![
        3 => Just(String::new()),
        1 => (gap(), cased("desc")).prop_map(|(x, word)| x + &word),
        1 => (gap(), cased("asc")).prop_map(|(x, word)| x + &word),
    ];
    (maybe(gap()), what, collate, sort, maybe(gap()))
        .prop_map(|(x, what, collate, sort, y)| format!("{x}{what}{collate}{sort}{y}"))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("idx".to_owned()),
        Just("`idx`".to_owned()),
        Just("\"idx\"".to_owned()),
        Just("[idx]".to_owned()),
        Just("main.idx".to_owned()),
        Just("`main`.`idx`".to_owned()),
        Just("`i.d-x`".to_owned()),
    ]
}

fn statement() -> impl Strategy<Value = String> {
    let head = (cased("create"), blank(), any::<bool>(), any::<bool>(), name()).prop_map(
        |(create, x, unique, optional, name)| {
            let unique = if unique { "UNIQUE " } else { "" };
            let optional = if optional { "if not exists " } else { "" };
            format!("{create}{x}{unique}INDEX{x}{optional}{name}{x}ON{x}")
        },
    );
    let table = prop_oneof![Just("t"), Just("`t` "), Just("\"t\"\n"), Just("[t]")];
    let condition = prop_oneof![
        1 => Just(String::new()),
        3 => (blank(), cased("where"), blank(), maybe(gap()), expression(), prop_oneof![Just(""), Just(" -- end"), Just(";"), Just("\n/* end"), Just(" ; ;")])
            .prop_map(|(x, word, y, z, e, end)| format!("{x}{word}{y}{z}{e}{end}")),
    ];
    (head, table, prop::collection::vec(item(), 1..4), condition).prop_map(
        |(head, table, items, condition)| format!("{head}{table}({}){condition}", items.join(",")),
    )
}

fn database() -> Connection {
    let conn = Connection::open_in_memory().expect("a database");
    conn.execute_batch("CREATE TABLE t (title TEXT, num NUMERIC, flag BOOLEAN, js JSON, \"order\" TEXT, camelCase TEXT)")
        .expect("a table");
    conn
}

/// A column, whether it is descending, and its collation.
type Column = (Option<String>, bool, String);
/// Columns, whether they are unique, and the text that is kept.
type Made = (Vec<Column>, bool, String);

/// What SQLite made.
fn made(conn: &Connection, name: &str) -> Made {
    let text: String = conn
        .query_row("SELECT sql FROM sqlite_master WHERE name = ?1", [name], |row| row.get(0))
        .expect("the index");
    let mut list = conn
        .prepare("SELECT name, \"desc\", coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno")
        .expect("a pragma");
    let columns = list
        .query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .and_then(Iterator::collect)
        .expect("columns");
    let unique = conn
        .query_row("SELECT \"unique\" FROM pragma_index_list('t') WHERE name = ?1", [name], |row| {
            row.get(0)
        })
        .expect("a flag");
    (columns, unique, text)
}

/// Creates an index from a text, looks at it, and drops it again; `None` where SQLite refuses the text.
fn create(conn: &Connection, text: &str, name: &str) -> Option<Made> {
    // The whole text: what stands behind the statement would run.
    conn.execute_batch(text).ok()?;
    let made = made(conn, name);
    conn.execute_batch(&format!("DROP INDEX \"{name}\"")).expect("it goes");
    Some(made)
}

#[test]
fn indexes_mean_what_was_written() {
    let cases = std::env::var("INDEX_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let config = Config {
        cases,
        failure_persistence: None,
        max_global_rejects: cases * 20,
        ..Config::default()
    };
    let conn = database();
    let refused = std::cell::Cell::new(0u32);
    let run = TestRunner::new(config).run(&statement(), |text| {
        let index = Index::parse(&text);
        prop_assert!(index.is_valid(), "{text}");
        let built = index.build();
        prop_assert_eq!(&Index::parse(&built), &index, "{}\n{}", text, built);
        // Constants and what SQLite does not like in indexes: the built text must be refused, too.
        let Some(wanted) = create(&conn, &text, &index.name) else {
            refused.set(refused.get() + 1);
            prop_assert!(create(&conn, &built, &index.name).is_none(), "{text}\n{built}");
            return Ok(());
        };
        let Some(got) = create(&conn, &built, &index.name) else {
            return Err(TestCaseError::fail(format!("refused\n{text}\n{built}")));
        };
        prop_assert_eq!((&got.0, got.1), (&wanted.0, wanted.1), "{}\n{}", text, built);
        // What SQLite keeps says the same: columns and predicate.
        let kept = Index::parse(&got.2);
        prop_assert_eq!(&kept.columns, &index.columns, "{}\n{}", text, got.2);
        prop_assert_eq!(&kept.condition, &index.condition, "{}\n{}", text, got.2);
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    assert!(refused.get() < cases / 2, "{} of {cases} are no indexes", refused.get());
    #[allow(clippy::print_stdout, reason = "the figure of a long run")]
    {
        println!("{cases} statements, {} of them refused by SQLite", refused.get());
    }
}
