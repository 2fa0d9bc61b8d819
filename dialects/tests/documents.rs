//! What documents hold is found through their GIN indexes on PostgreSQL; numbers in odd digits are not missed.

#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub, reason = "a test")]

mod support;

use std::sync::Arc;

use dialects::{
    Dialect, Sql, Value,
    statement::{self, ColumnList, Select},
};
use filter_lang::{
    Flags, Resolver, parse,
    plan::Plan,
    schema::{Class, Collection, Schema},
    scope::Scope,
    value::Affinity,
};
use support::{
    common::{Memory, Record, plain_field},
    fill_postgres, pg, run_postgres,
};

const ROWS: usize = 20_000;
/// The one row with a number that is 7 only as a double.
const ODD: usize = 4_321;

fn memory() -> Memory {
    let fields = vec![
        plain_field("id", Class::Text, Affinity::Text),
        plain_field("meta", Class::Json, Affinity::Num),
        plain_field("labels", Class::Select, Affinity::Num).several(),
    ];
    let rows = (0..ROWS).map(|at| -> Record {
        let number =
            if at == ODD { "7.0000000000000001".to_owned() } else { (at % 500).to_string() };
        let meta = format!(
            r#"{{"k":{number},"name":"n{}","on":{},"in":[{at}]}}"#,
            at % 1000,
            at % 400 == 0
        );
        let labels = if at % 300 == 0 { r#"["rare","a"]"# } else { r#"["a","b"]"# };
        let cells = [("id", format!("r{at}")), ("meta", meta), ("labels", labels.to_owned())];
        cells.map(|(name, text)| (name.to_owned(), Value::from(text))).into()
    });
    let rows = rows.collect();
    let collection = Collection::new("posts").id("posts_id").with_all(fields);
    Memory { tables: vec![(Arc::new(collection), rows)] }
}

fn plan(memory: &Memory, filter: &str) -> Plan {
    let scope = Scope { now_ms: 0, ..Scope::default() };
    let resolver = Resolver::new(memory, memory.collection("posts").unwrap(), &scope);
    resolver.filter(&parse(filter).unwrap(), Flags::RULE).unwrap().finish()
}

fn page(plan: &Plan) -> Sql {
    let columns = ColumnList::new(&["id"]);
    statement::page(Dialect::POSTGRES, plan, &Select { limit: Some(30), ..Select::all(&columns) })
}

/// The plan for whatever the parameters are.
fn explain(db: &pg::Db<'_>, sql: &Sql) -> String {
    let values: Vec<String> = sql
        .params
        .iter()
        .map(|value| format!("'{}'", value.text().unwrap().replace('\'', "''")))
        .collect();
    db.batch(&format!("PREPARE p AS {}", sql.text));
    let text = Sql::plain(format!("EXPLAIN EXECUTE p({})", values.join(",")));
    let lines = run_postgres(db, &text).unwrap().join("\n");
    db.batch("DEALLOCATE p");
    lines
}

#[test]
fn indexes_over_documents_are_used() {
    let Some(server) = pg::Server::start() else { return };
    let (db, memory) = (server.connect(), memory());
    fill_postgres(&db, &memory);
    db.batch("VACUUM ANALYZE");
    for mode in ["force_custom_plan", "force_generic_plan"] {
        db.batch(&format!("SET plan_cache_mode = {mode}"));
        for (filter, indexes, n) in [
            ("meta.k = 7", &["meta_gin", "meta_odd"][..], 30),
            ("meta.k ?= 7 && labels:each ?= 'a'", &["meta_gin"], 30),
            ("meta.name = 'n77'", &["meta_gin"], 20),
            ("'n77' = meta.name || meta.k = 3", &["meta_gin", "meta_odd"], 30),
            ("meta.on = true", &["meta_gin", "meta_odd"], 30),
            ("meta.in.0 = 77", &["meta_gin"], 1),
            ("labels:each ?= 'rare'", &["labels_gin"], 30),
            ("labels:each = 'rare'", &["labels_gin"], 0),
            ("labels:each ?= 'rare' && labels:each ?= 'a'", &["labels_gin"], 0),
        ] {
            let sql = page(&plan(&memory, filter));
            // Without values a page in the order of ids may be expected to fill up soon by walking along them.
            let asked = match mode {
                "force_generic_plan" => statement::count(Dialect::POSTGRES, &plan(&memory, filter)),
                _ => sql.clone(),
            };
            let lines = explain(&db, &asked);
            for index in indexes {
                let name = format!("idx_posts_{index}");
                assert!(lines.contains(&name), "{mode} {filter}\n{}\n{lines}", sql.text);
            }
            assert!(!lines.contains("Seq Scan"), "{mode} {filter}\n{lines}");
            assert_eq!(run_postgres(&db, &sql).unwrap().len(), n, "{mode} {filter}");
        }
        let sevens = statement::count(Dialect::POSTGRES, &plan(&memory, "meta.k = 7"));
        assert_eq!(run_postgres(&db, &sevens).unwrap(), [(ROWS / 500 + 1).to_string()]);
        let odd = page(&plan(&memory, &format!("meta.k = 7 && meta.in.0 = {ODD}")));
        assert_eq!(run_postgres(&db, &odd).unwrap(), [format!("r{ODD}")]);
    }
}
