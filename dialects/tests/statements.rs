//! Statements and schema changes, run on both databases.

#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, reason = "a test")]

mod support;

use dialects::{
    Dialect, Fault, Sql, Syntax, Value, catalog, ddl,
    ddl::ColumnType,
    statement::{self, Case, ColumnList, Only, Select},
};
use filter_lang::{Flags, Resolver, parse, plan::Plan, schema::Schema, scope::Scope};
use support::{
    Runner,
    common::{Memory, fixture},
    fill_postgres, fresh, pg, run_postgres, run_sqlite, sqlite,
};

fn plan(memory: &Memory, on: &str, filter: &str) -> Plan {
    sorted_plan(memory, on, filter, "")
}

fn sorted_plan(memory: &Memory, on: &str, filter: &str, sort: &str) -> Plan {
    let scope = Scope { now_ms: 0, ..Scope::default() };
    let mut resolver = Resolver::new(memory, memory.collection(on).unwrap(), &scope);
    if !filter.is_empty() {
        resolver = resolver.filter(&parse(filter).unwrap(), Flags::RULE).unwrap();
    }
    if !sort.is_empty() {
        resolver = resolver.sort(sort, Flags::RULE).unwrap();
    }
    resolver.finish()
}

/// Runs `body` on SQLite and, where there is one, on PostgreSQL.
fn both(memory: &Memory, body: &dyn Fn(Dialect, Runner<'_>)) {
    let lite = sqlite(memory);
    body(Dialect::SQLITE, &|sql| run_sqlite(&lite, sql));
    if let Some(server) = pg::Server::start() {
        let db = server.connect();
        fill_postgres(&db, memory);
        body(Dialect::POSTGRES, &|sql| run_postgres(&db, sql));
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

#[test]
fn reads_by_id_and_by_parent() {
    let memory = fresh(&fixture());
    both(&memory, &|d, run| {
        let id = ColumnList::new(&["id"]);
        let users = ["oap640cot4yru2s", "4q1xlclmfloku33", "gone"];
        let all = plan(&memory, "users", "");
        let some = plan(&memory, "users", "verified = true");
        let page = |plan: &Plan, only: Only<'_>| {
            let sql = statement::page(d, plan, &Select { only, ..Select::all(&id) });
            sorted(run(&sql).unwrap_or_else(|e| panic!("{e}\n{}", sql.text)))
        };
        assert_eq!(page(&all, Only::Ids(&users)), ["4q1xlclmfloku33", "oap640cot4yru2s"]);
        assert_eq!(page(&some, Only::Ids(&users)), ["oap640cot4yru2s"]);
        assert_eq!(page(&some, Only::Id(users[0])), ["oap640cot4yru2s"]);
        assert!(page(&some, Only::Id(users[1])).is_empty());
        for (ids, all) in
            [(&users[..], false), (&users[..2], true), (&users[..1], true), (&users[2..], false)]
        {
            let found = run(&statement::ids_all_exist(d, "users", ids)).unwrap();
            assert_eq!(!found.is_empty(), all, "{ids:?}");
        }
        assert_eq!(run(&statement::select_by_ids(d, "users", &id, &users)).unwrap().len(), 2);
        assert_eq!(run(&statement::select_by_id(d, "users", &id, "gone")).unwrap().len(), 0);
        // Back relations: one row per parent and child, the parent first.
        let linked = |on: &str, filter: &str, column: &str, multiple: bool, parents: &[&str]| {
            page(&plan(&memory, on, filter), Only::LinkedTo { column, multiple, parents })
        };
        assert_eq!(
            linked("demo1", "", "rel_many", true, &users),
            ["4q1xlclmfloku33", "oap640cot4yru2s", "oap640cot4yru2s"]
        );
        assert_eq!(linked("demo1", "text = 'test'", "rel_many", true, &users), ["oap640cot4yru2s"]);
        assert_eq!(
            linked("demo1", "", "rel_one", false, &["84nmscqy84lsi1t"]),
            ["84nmscqy84lsi1t"]
        );
        let by = |value: &str, case| {
            let value = Value::from(value);
            run(&statement::select_by_value(d, "users", &id, "email", value, case)).unwrap().len()
        };
        assert_eq!(
            (by("TEST@example.com", Case::Sensitive), by("TEST@example.com", Case::Ignored)),
            (0, 1)
        );
        let referencing = statement::referencing(d, "demo1", &id, "rel_many", true, users[0], 10);
        assert_eq!(run(&referencing).unwrap().len(), 2);
    });
}

#[test]
fn schema_changes_keep_values() {
    let memory = Memory { tables: Vec::new() };
    both(&memory, &|d, run| {
        let exec = |text: String| {
            run(&Sql::plain(text.clone())).unwrap_or_else(|e| panic!("{e}\n{text}"));
        };
        let columns =
            [("id", ColumnType::TextPk), ("s", ColumnType::Text), ("j", ColumnType::Json)];
        ddl::create_table(d, "things", &columns).into_iter().for_each(exec);
        for (id, s) in [("1", "a"), ("2", ""), ("3", r#"["x","y"]"#)] {
            let row = [("id", Value::from(id)), ("s", Value::from(s))];
            run(&statement::insert(d, "things", &row)).unwrap();
        }
        let texts = |column: &str| {
            let sql = format!("SELECT CAST(\"{column}\" AS TEXT) FROM things ORDER BY id");
            run(&Sql::plain(sql)).unwrap().iter().map(|t| t.replace(' ', "")).collect::<Vec<_>>()
        };
        ddl::single_to_multiple(d, "things", "s", "_stemp").into_iter().for_each(exec);
        assert_eq!(texts("s"), [r#"["a"]"#, "[]", r#"["x","y"]"#]);
        ddl::multiple_to_single(d, "things", "s", "_stemp2").into_iter().for_each(exec);
        assert_eq!(texts("s"), ["a", "", "y"]);
        ddl::add_column(d, "things", "tags", ColumnType::JsonList).into_iter().for_each(exec);
        ddl::rename_column(d, "things", "tags", "labels").into_iter().for_each(exec);
        assert_eq!(texts("labels"), ["[]", "[]", "[]"]);
        let column = match d.syntax() {
            Syntax::Sqlite => "`s` COLLATE NOCASE",
            Syntax::Postgres => r#"lower("s")"#,
        };
        exec(format!("CREATE UNIQUE INDEX things_s ON things ({column}) WHERE s != ''"));
        let names = |sql: &Sql| run(sql).unwrap();
        assert_eq!(names(&catalog::has_index(d, "THINGS_S")), ["things_s"]);
        assert_eq!(names(&catalog::index_columns(d, "things_s")), ["s"]);
        let twice = run(&statement::insert(
            d,
            "things",
            &[("id", Value::from("4")), ("s", Value::from("A"))],
        ));
        assert!(twice.is_err());
        if let (Syntax::Sqlite, Err(message)) = (d.syntax(), twice) {
            let unique = Fault::Unique { columns: vec!["s".into()], index: None };
            assert_eq!(dialects::sqlite::fault(2067, &message), unique);
        }
        let mut listed = names(&catalog::columns(d, "Things"));
        listed.sort();
        assert_eq!(listed, ["id", "j", "labels", "s"]);
        exec(ddl::create_view(d, "seen", "SELECT id, s FROM things"));
        exec(ddl::create_view(d, "counted", "SELECT count(*) AS n FROM seen"));
        exec(ddl::create_view(d, "far", "SELECT n FROM counted"));
        exec(ddl::create_view(d, "apart", "SELECT id FROM things"));
        let views = ["seen", "counted", "far", "apart"];
        assert_eq!(names(&d.views_before("things")), views);
        for (relations, readers) in [
            (&["seen"][..], &["counted", "far"][..]),
            (&["things"], &views),
            (&["counted", "apart"], &["far"]),
            (&["far"], &[]),
        ] {
            let found = d.readers(relations).map(|sql| names(&sql));
            assert!(found.is_none_or(|found| found == readers), "{relations:?}");
        }
        for view in views.into_iter().rev() {
            exec(ddl::drop_view(d, view));
        }
        exec(ddl::drop_index(d, "things_s"));
        exec(ddl::drop_column(d, "things", "labels"));
        ddl::rename_table(d, "things", "stuff", &["j"]).into_iter().for_each(exec);
        assert_eq!(names(&catalog::has_table(d, "STUFF")), ["stuff"]);
        run(&statement::update(d, "stuff", "1", &[("s", Value::from("z"))])).unwrap();
        for (held, now) in [("other", "z"), ("z", "y"), ("z", "y")] {
            let (to, held) = ([("s", Value::from("y"))], [("s", Value::from(held))]);
            run(&statement::update_held(d, "stuff", "1", &to, &held)).unwrap();
            let stored = Sql::plain("SELECT s FROM stuff WHERE id = '1'");
            assert_eq!(run(&stored).unwrap(), [now]);
        }
        run(&statement::delete(d, "stuff", "2")).unwrap();
        assert_eq!(run(&catalog::row_count("stuff")).unwrap(), ["2"]);
        exec(ddl::drop_table(d, "stuff"));
        // Twice: every statement is safe to repeat.
        for statement in [ddl::system_tables(d), ddl::system_tables(d), ddl::log_tables(d)].concat()
        {
            exec(statement);
        }
        assert!(names(&catalog::tables(d)).contains(&"_collections".to_owned()));
    });
}

/// Texts of the worked examples, both dialects. `UPDATE_CASES=1` rewrites the file.
#[test]
fn the_worked_examples() {
    let memory = fixture();
    let mut out = String::new();
    for (on, filter) in [
        ("demo1", "rel_one.text != 'test'"),
        ("demo1", "rel_one.text = 'test'"),
        ("demo1", "rel_many.verified = false"),
        ("demo1", "rel_many.verified ?= false"),
        ("demo1", "rel_many.id ?= 'oap640cot4yru2s'"),
        ("demo1", "rel_many:each ?= 'oap640cot4yru2s' && rel_many.name ?= 'x'"),
        ("demo1", "rel_many.id ?= 'a' && rel_many.name ?= 'x'"),
        ("demo1", "select_many:each != 'optionB'"),
        ("demo1", "json.a = 'x' && json.a.b = 7 && json.on ?= true && json.0 = 'y' && json = 0"),
        ("demo1", "rel_many.name = json"),
        ("demo3", "demo4_via_rel_many_no_cascade_required.title != 'test1'"),
        ("demo1", "demo1_via_rel_one.text ?= 'test2' && demo1_via_rel_one.number ?> 1"),
        ("demo1", "@collection.demo2.title ?= text"),
        ("demo1", "strftime('%Y', datetime) = ''"),
        ("demo1", "strftime('%H', number, 'unixepoch', 'localtime') > '12'"),
        ("demo1", "geoDistance(point.lon, point.lat, 23.32, 42.69) < 25"),
        ("demo1", "text ~ 'a_b' && json.a.0 > 1 && number = '5'"),
    ] {
        let plan = plan(&memory, on, filter);
        out.push_str(&format!("# {on}: {filter}\n"));
        for d in [Dialect::SQLITE, Dialect::POSTGRES] {
            let columns = ColumnList::new(&["id"]);
            let sql = statement::page(d, &plan, &Select::all(&columns));
            // Same plan, same text.
            let again = statement::page(d, &Plan::clone(&plan), &Select::all(&columns));
            assert_eq!(sql, again);
            out.push_str(&format!("{d:?}: {}\n", sql.text));
        }
        out.push('\n');
    }
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/worked.txt"), &out)
            .unwrap();
    }
    assert_eq!(out, include_str!("cases/worked.txt"), "UPDATE_CASES=1 rewrites");
}

/// The text depends on the class of values, never on the values.
#[test]
fn equal_shapes_share_their_text() {
    let memory = fixture();
    for (a, b) in [
        ("text = 'a'", "text = 'b'"),
        ("text ~ 'a'", "text ~ '100%'"),
        ("rel_many.name ?= 'x' && number > 1", "rel_many.name ?= 'y' && number > 2.5"),
        ("select_many:each = 'a'", "select_many:each = 'q\\\"'"),
    ] {
        for d in [Dialect::SQLITE, Dialect::POSTGRES] {
            let text = |filter: &str| statement::count(d, &plan(&memory, "demo1", filter)).text;
            assert_eq!(text(a), text(b));
        }
    }
}

#[test]
fn a_page_by_relations_can_be_read_in_several_ways() {
    use dialects::statement::Way::{Scan, Walk};
    use filter_lang::semijoin::Reach::{Few, Hop, Many, Page};
    let memory = fresh(&fixture());
    let id = ColumnList::new(&["id"]);
    let page = Select { limit: Some(30), ..Select::all(&id) };
    for (filter, sort, select, ways) in [
        ("rel_one.rel_one.text != 'x'", "", page, &[Walk(Many), Scan][..]),
        ("rel_one.rel_one.text = 'x'", "", page, &[Walk(Hop), Walk(Many), Scan]),
        ("rel_one.text = 'x'", "", page, &[Walk(Page), Walk(Many), Scan]),
        ("rel_one.rel_one.text = 'x'", "id", page, &[Walk(Hop), Walk(Page), Walk(Many)]),
        ("rel_one.text = 'x'", "-@rowid", page, &[Walk(Page), Walk(Many)]),
        ("rel_one.text = 'x'", "text", page, &[Walk(Many)]),
        ("text = 'x'", "", page, &[Walk(Many)]),
        ("rel_one.rel_one.text = 'x'", "", Select::all(&id), &[Walk(Many)]),
        ("rel_one.text = 'x' && id > 'b'", "", page, &[Walk(Many), Scan]),
        ("rel_one.rel_one.text = 'x'", "", Select { only: Only::Id("a"), ..page }, &[Walk(Few)]),
    ] {
        let plan = sorted_plan(&memory, "demo1", filter, sort);
        assert_eq!(Dialect::SQLITE.query(&plan).page_ways(&select), ways, "{filter}");
        let few = matches!(select.only, Only::Id(_));
        let planned: &[_] = if few { &[Walk(Few)] } else { &[Walk(Many)] };
        assert_eq!(Dialect::POSTGRES.query(&plan).page_ways(&select), planned, "{filter}");
    }
}

#[test]
fn a_request_lowers_once_for_each_reach_it_tries() {
    let memory = fresh(&fixture());
    let id = ColumnList::new(&["id"]);
    let page = Select { limit: Some(30), ..Select::all(&id) };
    for (filter, sort, sqlite, postgres) in [
        ("", "", 1, 1),
        ("text = 'x'", "-number", 1, 1),
        ("rel_one.text = 'x'", "-number", 1, 1),
        // Every way is tried here: sets, look-ups, look-ups of the first hop; the count takes the sets.
        ("rel_one.text = 'x'", "", 3, 1),
        ("rel_one.rel_one.text = 'x'", "id", 3, 1),
        // The order joins rows that a count does without.
        ("text = 'x'", "rel_one.text", 2, 2),
    ] {
        let plan = sorted_plan(&memory, "demo1", filter, sort);
        for (d, most) in [(Dialect::SQLITE, sqlite), (Dialect::POSTGRES, postgres)] {
            let query = d.query(&plan);
            for _ in 0..2 {
                for way in query.page_ways(&page) {
                    let text = query.page_in(&page, *way).text;
                    assert_eq!(text, d.query(&plan).page_in(&page, *way).text);
                }
                assert_eq!(query.count().text, statement::count(d, &plan).text);
                assert_eq!(query.page(&page).text, statement::page(d, &plan, &page).text);
                assert_eq!(query.lowerings(), most, "{d:?} {filter} {sort}");
            }
        }
    }
}

#[test]
fn an_index_gives_the_order_of_a_page_on_postgres() {
    let Some(server) = pg::Server::start() else { return };
    let (db, memory) = (server.connect(), fresh(&fixture()));
    fill_postgres(&db, &memory);
    let d = Dialect::POSTGRES;
    db.batch(r#"CREATE INDEX "by_text" ON "demo1" ("text")"#);
    // Whether it can, not whether it pays on so few rows.
    db.batch("ANALYZE; SET enable_seqscan = off");
    let id = ColumnList::new(&["id"]);
    for (sort, sorts) in [("text", false), ("-text", false), ("-number", true)] {
        let select = Select { limit: Some(3), ..Select::all(&id) };
        let sql = statement::page(d, &sorted_plan(&memory, "demo1", "", sort), &select);
        let lines = run_postgres(&db, &Sql { text: format!("EXPLAIN {}", sql.text), ..sql });
        let lines = lines.unwrap().join("\n");
        assert_eq!(lines.contains("->  Sort"), sorts, "{sort}\n{lines}");
        assert_eq!(lines.contains("using by_text"), !sorts, "{sort}\n{lines}");
    }
}
