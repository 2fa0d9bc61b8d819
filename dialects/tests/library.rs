//! The crate in a stranger's hands: the examples on tables that are none of ours, and a spelling that wraps another.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

#[path = "../examples/own_postgres.rs"]
mod own_postgres;
#[path = "../examples/own_sqlite.rs"]
mod own_sqlite;
mod support;

use std::{collections::BTreeSet, sync::Arc};

use dialects::{
    Alias, Dialect, Half, Spell, Value, Walk,
    statement::{ColumnList, Query, Select},
};
use filter_lang::{
    Flags, Resolver,
    form::Side,
    parse,
    plan::{Expr, NodeId, Op},
    schema::{Class, Collection, Field},
    scope::Scope,
    semijoin::{Holds, Row},
};
use support::pg;

#[test]
fn own_tables_on_sqlite() {
    let db = own_sqlite::shelf().unwrap();
    let titles = |filter: &str, sort: &str| own_sqlite::titles(&db, filter, sort).unwrap();
    assert_eq!(
        titles("title ~ 'rust' && pages > 400", "-pages"),
        ["Programming Rust", "The Rust Book", "Rust in Action", "Zero to Rust"]
    );
    // Equal keys come by the tie-break, and so does what nothing sorts.
    assert_eq!(titles("pages = 456", "pages"), ["Rust in Action", "Zero to Rust"]);
    assert_eq!(titles("pages < 500", ""), ["Rust in Action", "SQL Antipatterns", "Zero to Rust"]);
    assert_eq!(titles("pages < 500", "-@rowid").first().unwrap(), "Zero to Rust");
    let refused = own_sqlite::titles(&db, "secret = 1", "").unwrap_err();
    assert!(refused.to_string().contains("secret"), "{refused}");
}

#[test]
fn own_tables_on_postgres() {
    let Some(server) = pg::Server::start() else { return };
    let client = server.client();
    server.wait(async {
        client.batch_execute(own_postgres::SHOPS).await.unwrap();
        for (filter, names) in [
            ("name != ''", &["Pirin", "Rila", "Varna"][..]),
            ("geoDistance(lon, lat, 23.32, 42.69) < 100", &["Pirin", "Rila"]),
            ("lon > 24 || name ~ 'ril'", &["Rila", "Varna"]),
            ("fts(name, 'varna') = true", &["Varna"]),
            ("lon > name", &[]),
        ] {
            assert_eq!(own_postgres::names(&client, filter).await.unwrap(), names, "{filter}");
        }
    });
}

/// The table of the crate's front page.
#[test]
fn expressions_call_the_helpers_that_the_documentation_says() {
    let table = Collection::new("t")
        .with(Field::new("id", Class::Text))
        .with(Field::new("t", Class::Text))
        .with(Field::new("n", Class::Number))
        .with(Field::new("b", Class::Bool))
        .with(Field::new("j", Class::Json))
        .with(Field::new("g", Class::GeoPoint))
        .with(Field::new("r", Class::Relation).to("t"))
        .tie_break("id");
    let (tables, scope) = (vec![Arc::new(table)], Scope::default());
    for (filter, sort, helpers) in [
        ("t ~ 'x' && t:lower = 'y' && n > 1 && b = true && r.n < 2 && t > 1", "t,-n", ""),
        ("n > 'x'", "", "pb_cmp pb_exact pb_numeric"),
        ("n ~ '4'", "", "pb_number_text"),
        ("j.a.0 > 1", "", "pb_at pb_cmp pb_exact pb_scalar"),
        ("t = ''", "j", "pb_rank pb_scalar pb_sort_number pb_sort_text"),
        ("g ~ 'x'", "", "pb_point"),
        ("strftime('%Y', t) = '2024'", "", "pb_strftime"),
        ("fts(t, 'x') = true", "", "pb_fts"),
    ] {
        let plan = Resolver::new(&tables, Arc::clone(&tables[0]), &scope)
            .filter(&parse(filter).unwrap(), Flags::RULE)
            .and_then(|resolver| resolver.sort(sort, Flags::RULE))
            .unwrap()
            .finish();
        let sql = Dialect::POSTGRES.query(&plan).page(&Select::all(&ColumnList::new(&["id"])));
        let words = sql.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let called: BTreeSet<&str> = words.filter(|word| word.starts_with("pb_")).collect();
        let called: Vec<&str> = called.into_iter().collect();
        assert_eq!(called.join(" "), helpers, "{filter} by {sort}: {sql}");
        assert!(!sql.text.contains("_rowid_"), "{sql}");
    }
}

/// SQLite, with ties broken by chance that can be repeated.
#[derive(Debug)]
struct Repeatable;

static REPEATABLE: Repeatable = Repeatable;

impl Repeatable {
    fn inner(&self) -> &'static dyn Spell {
        Dialect::SQLITE.into()
    }
}

impl Spell for Repeatable {
    fn random(&self, w: &mut Walk<'_>) {
        w.push("substr(");
        w.column(Alias::Base, "isbn");
        w.push(", -1)");
    }
    fn sign(&self) -> char {
        self.inner().sign()
    }
    fn row_id(&self, is_column: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        self.inner().row_id(is_column)
    }
    fn plans_by_rows(&self) -> bool {
        self.inner().plans_by_rows()
    }
    fn no_limit(&self) -> &'static str {
        self.inner().no_limit()
    }
    fn value(&self, w: &mut Walk<'_>, value: &Value) {
        self.inner().value(w, value);
    }
    fn compare(&self, w: &mut Walk<'_>, op: Op, left: Side<'_>, right: Side<'_>, fails: bool) {
        self.inner().compare(w, op, left, right, fails);
    }
    fn holds(&self, w: &mut Walk<'_>, holds: &Holds<'_>) {
        self.inner().holds(w, holds);
    }
    fn may_match(&self, w: &mut Walk<'_>, node: NodeId, query: &str) {
        self.inner().may_match(w, node, query);
    }
    fn null_text(&self) -> &'static str {
        self.inner().null_text()
    }
    fn elements(&self, w: &mut Walk<'_>, row: Row, alias: Alias) {
        self.inner().elements(w, row, alias);
    }
    fn names(&self, w: &mut Walk<'_>, row: Row, alias: Alias, column: &str) {
        self.inner().names(w, row, alias, column);
    }
    fn order(&self, w: &mut Walk<'_>, expr: &Expr, desc: bool, write: &dyn Fn(&mut Walk<'_>)) {
        self.inner().order(w, expr, desc, write);
    }
    fn scalar(&self, w: &mut Walk<'_>, expr: &Expr, half: Half) {
        self.inner().scalar(w, expr, half);
    }
    fn last_order(&self, w: &mut Walk<'_>, needed: bool) -> bool {
        self.inner().last_order(w, needed)
    }
    fn element_id(&self, w: &mut Walk<'_>, node: NodeId, alias: Alias, column: &str) {
        self.inner().element_id(w, node, alias, column);
    }
    fn in_list(&self, mark: &str) -> String {
        self.inner().in_list(mark)
    }
    fn linked(&self, w: &mut Walk<'_>, column: &str, multiple: bool, parents: Value) {
        self.inner().linked(w, column, multiple, parents);
    }
    fn draft_column(&self, w: &mut Walk<'_>, column: &str, value: &Value) {
        self.inner().draft_column(w, column, value);
    }
    fn hour(&self, column: &str) -> [String; 2] {
        self.inner().hour(column)
    }
}

#[test]
fn a_spelling_wraps_another_and_every_stage_prints() {
    let books = Arc::new(
        Collection::new("books")
            .with(Field::new("isbn", Class::Text))
            .with(Field::new("pages", Class::Number))
            .tie_break("isbn"),
    );
    let (tables, scope) = (vec![Arc::clone(&books)], Scope::default());
    let ast = parse("pages>400 && isbn != ''").unwrap();
    assert_eq!(ast.to_string(), "pages > 400 && isbn != ''");
    let plan = Resolver::new(&tables, books, &scope)
        .filter(&ast, Flags::CLIENT)
        .and_then(|resolver| resolver.sort("@random", Flags::CLIENT))
        .unwrap()
        .finish();
    assert_eq!(
        plan.to_string(),
        "from books\nwhere (base.pages:n > 400.0 && base.isbn:t != '')\nsort random"
    );
    let lowered = filter_lang::semijoin::lower(&plan, filter_lang::semijoin::Reach::Many, true);
    assert_eq!(lowered.to_string(), plan.to_string());
    let columns = ColumnList::new(&["isbn"]);
    let sql = Query::new(&REPEATABLE as &'static dyn Spell, &plan).page(&Select::all(&columns));
    assert_eq!(
        sql.to_string(),
        "SELECT b.\"isbn\" FROM \"books\" AS b WHERE b.\"pages\" > ?1 AND (b.\"isbn\" IS NOT '' AND b.\"isbn\" IS NOT NULL) \
         ORDER BY substr(b.\"isbn\", -1), b.\"isbn\"\n-- 1: 400.0"
    );
}
