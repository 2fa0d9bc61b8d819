//! The primitives that functions are made of mean the same in memory, in SQLite and in PostgreSQL, whatever they are
//! given: one table of values, every primitive over all pairs.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use dialects::{Dialect, Value};
use filter_lang::{
    parse,
    plan::{Expr, NodeId, Plan},
    prim::{Arithmetic, Prim, words},
    resolve,
    schema::{Class, Collection, Field},
    scope::Scope,
    value::Affinity,
};
use support::{check, common::Memory, fill_postgres, fresh, pg, run_postgres, run_sqlite, sqlite};

const TEXTS: &[&str] = &[
    "",
    "1",
    " 2 ",
    "-.5",
    "1e3",
    "1e300",
    "1e-300",
    "12 apples",
    "x",
    "0",
    "1e400",
    "2024-02-29",
    "2023-01-02 03:04:05.678Z",
    "2023-02-31",
    "12:30",
    "%s",
    "%J",
    "a b",
];
const NUMBERS: &[f64] = &[0.0, 1.0, -1.0, 0.1, 1e300, 1e-300, 2_460_000.5, 1_700_000_000.0];

/// Rows with every pair of texts, and every pair of numbers.
fn memory() -> Memory {
    let fields = [
        Field::new("id", Class::Text),
        Field::new("t", Class::Text),
        Field::new("u", Class::Text),
        Field::new("n", Class::Number),
        Field::new("m", Class::Number),
    ];
    let pairs = TEXTS.iter().flat_map(|t| TEXTS.iter().map(move |u| (t, u)));
    // A third of them: each text meets each kind of text.
    let rows = pairs.enumerate().filter(|(at, _)| (at + at / TEXTS.len()).is_multiple_of(3));
    let rows = rows.map(|(at, (t, u))| {
        let number = |at: usize| Value::Real(NUMBERS[at % NUMBERS.len()]);
        BTreeMap::from([
            ("id".to_owned(), Value::from(format!("row{at}"))),
            ("t".to_owned(), Value::from(*t)),
            ("u".to_owned(), Value::from(*u)),
            ("n".to_owned(), number(at)),
            ("m".to_owned(), number(at / NUMBERS.len())),
        ])
    });
    let collection = Collection::new("c").with_all(fields);
    Memory { tables: vec![(Arc::new(collection), rows.collect())] }
}

/// A plan that compares a primitive with each value that splits the rows.
fn plan(memory: &Memory, comparison: &str, apply: &Expr) -> Plan {
    let ast = parse(&format!("n {comparison}")).unwrap();
    let base = Arc::clone(&memory.tables[0].0);
    let mut plan = resolve(memory, base, &ast, &Scope::default()).unwrap();
    let filter_lang::plan::Cond::Cmp(cmp) = &mut plan.cond else { panic!("{plan}") };
    cmp.left.expr = apply.clone();
    cmp.left.affinity = Affinity::None;
    plan
}

#[test]
fn primitives_mean_the_same_everywhere() {
    let memory = memory();
    let lite = sqlite(&memory);
    let server = pg::Server::start();
    let postgres = server.as_ref().map(pg::Server::connect);
    if let Some(db) = &postgres {
        fill_postgres(db, &memory);
    }
    let modern = fresh(&memory);
    let column = |name: &str| Expr::Column { node: NodeId::BASE, column: name.into() };
    let calc = [Arithmetic::Add, Arithmetic::Subtract, Arithmetic::Multiply, Arithmetic::Divide];
    let mut applied = Vec::new();
    for (left, right) in [("t", "u"), ("n", "m"), ("t", "n")] {
        let args = || vec![column(left), column(right)];
        applied.extend(calc.map(|op| Expr::Apply { prim: Prim::Calc(op), args: args() }));
        let query = Expr::Bound(Value::from(words::query("x or 2024 -1 or 12")));
        let args_of_search = [vec![query], args()].concat();
        applied.push(Expr::Apply { prim: Prim::HasWords, args: args_of_search });
        let four = [args(), args()].concat();
        applied.push(Expr::Apply { prim: Prim::Distance, args: four });
        let format = Expr::Bound(Value::from("%Y %s"));
        let args = vec![format, column(left)];
        applied.push(Expr::Apply { prim: Prim::FormatTime, args });
        // Nested, as a function would have it.
        let seconds = |of: &str| Expr::Apply {
            prim: Prim::FormatTime,
            args: vec![Expr::Bound(Value::from("%s")), column(of)],
        };
        let args = vec![seconds(left), seconds(right)];
        applied.push(Expr::Apply { prim: Prim::Calc(Arithmetic::Subtract), args });
    }
    let mut split = 0;
    for apply in &applied {
        for comparison in ["= null", "> 0", "< 1", "= 1", "< '2023'"] {
            let plan = plan(&memory, comparison, apply);
            let on_sqlite = |sql: &_| run_sqlite(&lite, sql);
            let hits = check(&memory, &plan, &[(Dialect::SQLITE, &on_sqlite)])
                .unwrap_or_else(|error| panic!("{plan}\n{error}"));
            split += usize::from(!hits.is_empty() && hits.len() < memory.tables[0].1.len());
            if let Some(db) = &postgres {
                let on_postgres = |sql: &_| run_postgres(db, sql);
                check(&modern, &plan, &[(Dialect::POSTGRES, &on_postgres)])
                    .unwrap_or_else(|error| panic!("{plan}\n{error}"));
            }
        }
    }
    assert!(split * 2 > applied.len(), "only {split} comparisons split the rows");
}
