//! SQL that users write, on both engines: indexes with parentheses, views, the console.

use serde_json::{Value, json};

use crate::support::{Server, encode, eventually, postgres::Postgres};

/// A server on SQLite and, where there are binaries, one on PostgreSQL.
struct Servers {
    all: Vec<Server>,
    _postgres: Option<Postgres>,
}

impl Servers {
    fn start() -> Self {
        let postgres = Postgres::start(&[], &[]);
        let mut all = vec![Server::fresh(&[])];
        all.extend(postgres.as_ref().map(|postgres| postgres.serve("users", &[])));
        Self { all, _postgres: postgres }
    }
}

fn send(server: &Server, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let answer = server.send(method, path, &server.superuser(), body);
    (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json() })
}

fn good(server: &Server, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = send(server, method, path, body);
    assert!(status < 300, "{method} {path} {body}: {answer}");
    answer
}

fn sql(server: &Server, query: &str) -> (u16, Value) {
    send(server, "POST", "/api/sql", &json!({ "query": query }))
}

fn items() -> Value {
    json!({ "name": "items", "type": "base", "listRule": "", "fields": [
        { "name": "title", "type": "text" },
        { "name": "num", "type": "number" },
        { "name": "flag", "type": "bool" },
        { "name": "js", "type": "json" },
        { "name": "kind", "type": "select", "values": ["a", "b"] },
        { "name": "kinds", "type": "select", "values": ["a", "b"], "maxSelect": 2 },
        { "name": "day", "type": "date" },
        { "name": "camelCase", "type": "text" },
    ] })
}

fn fill(server: &Server) {
    good(server, "POST", "/api/collections", &items());
    for (n, title, num, flag, kind, day) in [
        (0, "one", 1.0, true, "a", "2024-01-01 10:00:00.000Z"),
        (1, "Two", 2.5, false, "b", "2024-02-01 10:00:00.000Z"),
        (2, "three", 30.0, true, "a", "2024-01-09 10:00:00.000Z"),
    ] {
        let body = json!({ "id": format!("item0000000000{n}"), "title": title, "num": num, "flag": flag, "kind": kind,
            "kinds": ["a", "b"], "day": day, "js": { "k": num, "s": title, "on": flag }, "camelCase": format!("cC{n}") });
        good(server, "POST", "/api/collections/items/records", &body);
    }
}

#[test]
fn indexes_hold_what_they_say() {
    let servers = Servers::start();
    for server in &servers.all {
        good(server, "POST", "/api/collections", &items());
        let is_sqlite = sql(server, "select sqlite_version()").0 == 200;
        let records = "/api/collections/items/records";
        for (text, rows) in [
            (
                "CREATE UNIQUE INDEX `x` ON `items` (`title`) WHERE (num > 1) AND flag = 1",
                &[
                    ("s", 2, true, 200),
                    ("s", 2, false, 200),
                    ("s", 9, true, 400),
                    ("s", 1, true, 200),
                ][..],
            ),
            (
                "CREATE UNIQUE INDEX x ON items (title) WHERE abs(num) > 5",
                &[
                    ("s", 5, true, 200),
                    ("s", 5, true, 200),
                    ("s", -6, true, 200),
                    ("s", 7, true, 400),
                ],
            ),
            (
                "CREATE UNIQUE INDEX x ON items (lower(`title`)) WHERE lower(title) != ''",
                &[("S", 0, true, 200), ("s", 1, true, 400), ("", 1, true, 200), ("", 1, true, 200)],
            ),
            (
                "CREATE UNIQUE INDEX x ON items (num) WHERE title IN ('x','y)')",
                &[("x", 1, true, 200), ("z", 1, true, 200), ("y)", 1, true, 400)],
            ),
            (
                "CREATE UNIQUE INDEX x ON items (num) WHERE title != ')' -- but",
                &[("x", 1, true, 200), (")", 1, true, 200), ("y", 1, true, 400)],
            ),
            (
                "CREATE UNIQUE INDEX x ON items (title || num, flag COLLATE NOCASE DESC) WHERE (num IN (1, 2))",
                &[
                    ("x", 1, true, 200),
                    ("x", 1, false, 200),
                    ("x", 1, true, 400),
                    ("x", 3, true, 200),
                    ("x", 3, true, 200),
                ],
            ),
        ] {
            good(server, "PATCH", "/api/collections/items", &json!({ "indexes": [] }));
            good(server, "DELETE", "/api/collections/items/truncate", &Value::Null);
            let shown =
                good(server, "PATCH", "/api/collections/items", &json!({ "indexes": [text] }));
            assert_eq!(shown["indexes"], json!([text]));
            for (title, num, flag, status) in rows {
                let body = json!({ "title": title, "num": num, "flag": flag });
                let got = send(server, "POST", records, &body);
                assert_eq!(got.0, *status, "{text} {body}: {}", got.1);
            }
            // It stays changeable, and follows the table.
            for name in ["others", "items"] {
                let path = if name == "items" {
                    "/api/collections/others"
                } else {
                    "/api/collections/items"
                };
                good(server, "PATCH", path, &json!({ "name": name }));
            }
            let (title, num, flag, status) = rows[rows.len() - 1];
            let got =
                send(server, "POST", records, &json!({ "title": title, "num": num, "flag": flag }));
            assert_eq!(got.0, status, "{text}: {}", got.1);
        }
        // Nothing behind the statement is kept or run.
        let text = "CREATE INDEX x ON items (title) WHERE num > 1";
        let sent = format!("{text}; CREATE TABLE evil (a int)");
        let shown = good(server, "PATCH", "/api/collections/items", &json!({ "indexes": [sent] }));
        assert_eq!(shown["indexes"], json!([text]));
        assert_eq!(sql(server, "select * from evil").0, 400);
        if is_sqlite {
            let kept = sql(server, "select sql from sqlite_master where name = 'x'").1;
            assert_eq!(kept["rows"][0][0], "CREATE INDEX `x` ON `items` (`title`) WHERE num > 1");
        }
        for text in [
            "CREATE INDEX x ON items (title); DROP TABLE items",
            "CREATE INDEX x ON items (title) garbage",
            "CREATE INDEX x ON items (title)where num > 1",
        ] {
            let (status, answer) =
                send(server, "PATCH", "/api/collections/items", &json!({ "indexes": [text] }));
            assert_eq!(status, 400, "{text}");
            let code = &answer["data"]["indexes"]["0"]["code"];
            assert_eq!(code, "validation_invalid_index_expression");
        }
    }
}

#[test]
fn expressions_name_their_fields() {
    let servers = Servers::start();
    for server in &servers.all {
        let mut collection = items();
        collection["indexes"] = json!([
            "CREATE UNIQUE INDEX both ON items (lower(title) || camelcase)",
            "CREATE UNIQUE INDEX partly ON items (lower(camelCase)) WHERE num > 5",
        ]);
        good(server, "POST", "/api/collections", &collection);
        let records = "/api/collections/items/records";
        let row = |title: &str, camel: &str, num: i32| json!({ "title": title, "camelCase": camel, "num": num });
        good(server, "POST", records, &row("A", "b", 9));
        let unique = json!({ "code": "validation_not_unique", "message": "Value must be unique." });
        for (body, data) in [
            (row("a", "b", 1), json!({ "title": unique, "camelCase": unique })),
            // What a condition has a say in, the reference answers so.
            (row("x", "B", 9), json!({})),
        ] {
            let (status, answer) = send(server, "POST", records, &body);
            assert_eq!((status, &answer["data"]), (400, &data), "{body}: {answer}");
        }
    }
}

#[test]
fn views() {
    let servers = Servers::start();
    for server in &servers.all {
        fill(server);
        for (query, fields, rows) in [
            // what the reference refuses
            (
                "SELECT id, 'a' || id AS x FROM items",
                "x:text",
                json!([{"x": "aitem00000000000"}, {"x": "aitem00000000001"}]),
            ),
            (
                "SELECT ROW_NUMBER() OVER(ORDER BY num) AS id, title FROM items",
                "title:text",
                json!([{"id": "1", "title": "one"}, {"id": "2"}]),
            ),
            (
                "SELECT kind AS id, COUNT(*) FILTER (WHERE num > 1) AS n FROM items GROUP BY kind",
                "n:number/int",
                json!([{"id": "a", "n": 1}, {"id": "b", "n": 1}]),
            ),
            (
                "SELECT id, LAG(title) OVER(ORDER BY num) AS prev FROM items",
                "prev:text",
                json!([{"prev": ""}, {"prev": "one"}]),
            ),
            (
                "SELECT id, NOT flag AS y, num > 1 AS big FROM items",
                "y:bool big:bool",
                json!([{"y": false, "big": false}, {"y": true, "big": true}]),
            ),
            (
                "SELECT id, title, num FROM items WHERE flag UNION ALL SELECT id || 'x', kind, 7 FROM items WHERE NOT flag",
                "title:text num:number",
                json!([{"title": "one", "num": 1}, {"id": "item00000000001x", "title": "b", "num": 7}]),
            ),
            (
                "WITH q AS (SELECT id, kind, num * 2 AS twice FROM items) SELECT id, kind k, twice + 1 AS more FROM q",
                "k:select more:number",
                json!([{"k": "a", "more": 3}, {"k": "b", "more": 6}]),
            ),
            (
                "SELECT q.id, q.s AS t, q.s || '!' AS u FROM (SELECT id, title AS s FROM items) q",
                "t:text u:text",
                json!([{"t": "one", "u": "one!"}, {"t": "Two"}]),
            ),
            (
                "SELECT id, EXISTS (SELECT 1 FROM items b WHERE b.num > items.num) AS more FROM items",
                "more:bool",
                json!([{"more": true}, {"more": true}]),
            ),
            (
                "SELECT id, CASE WHEN num > 1 THEN 'big' ELSE 'small' END AS c FROM items",
                "c:text",
                json!([{"c": "small"}, {"c": "big"}]),
            ),
            (
                "SELECT id, num % 2 AS m, num / 2 AS h FROM items",
                "m:number/int h:number",
                json!([{"m": 1, "h": 0}, {"m": 0, "h": 1.25}]),
            ),
            (
                "SELECT id, title COLLATE NOCASE AS t FROM items WHERE title = 'two' COLLATE NOCASE",
                "t:text",
                json!([{"t": "Two"}]),
            ),
            ("SELECT id, title AS t -- the end", "", Value::Null),
            (
                "SELECT id, num AS t FROM items -- the end",
                "t:number",
                json!([{"t": 1}, {"t": 2.5}]),
            ),
            // what it takes, with its fields
            (
                "SELECT [[id]], {{items}}.[[title]] FROM {{items}}",
                "title:json",
                json!([{"title": "one"}, {"title": "Two"}]),
            ),
            (
                "SELECT id, IFNULL(title,'x') AS a, iif(flag, 'yes', 'no') AS b FROM items",
                "a:json b:json",
                json!([{"a": "one", "b": "yes"}, {"b": "no"}]),
            ),
            (
                "SELECT id, json_extract(js,'$.k') AS k, json_extract(js,'$.s') AS s, json_extract(js,'$.on') AS o FROM items",
                "k:json s:json o:json",
                json!([{"k": 1, "s": "one", "o": 1}, {"k": 2.5, "s": "Two", "o": 0}]),
            ),
            (
                "SELECT strftime('%Y-%m', day) AS id, GROUP_CONCAT(title) AS ts, count(*) AS n FROM items GROUP BY strftime('%Y-%m', day)",
                "ts:json n:number/int",
                json!([{"id": "2024-01", "ts": "one,three", "n": 2}, {"id": "2024-02", "ts": "Two", "n": 1}]),
            ),
            (
                "SELECT id, ROUND(num / 3,1) AS r, camelCase, title AS 'alias' FROM items",
                "r:json camelCase:text alias:text",
                json!([{"r": 0, "camelCase": "cC0", "alias": "one"}, {"r": 0.8, "alias": "Two"}]),
            ),
            (
                "SELECT id, (num > 1) AS big, CAST(num AS INTEGER) AS n FROM items",
                "big:json n:number/int",
                json!([{"big": 0, "n": 1}, {"big": 1, "n": 2}]),
            ),
            (
                "SELECT id, title FROM items WHERE flag = 1 AND kind = \"a\" AND title LIKE 'T%'",
                "title:text",
                json!([{"id": "item00000000002", "title": "three"}]),
            ),
            (
                "SELECT (i.id || j.value) AS id, j.value AS v FROM items i JOIN json_each(i.kinds) j WHERE i.num < 2",
                "v:json",
                json!([{"id": "item00000000000a", "v": "a"}, {"v": "b"}]),
            ),
            // a column beside an aggregate
            (
                "SELECT id, title, max(num) AS mx FROM items",
                "title:text mx:json",
                json!([{"id": "item00000000002", "title": "three", "mx": 30}]),
            ),
            (
                "SELECT kind AS id, title, min(num) AS mn FROM items GROUP BY kind",
                "title:text mn:json",
                json!([{"id": "a", "title": "one", "mn": 1}, {"id": "b", "title": "Two", "mn": 2.5}]),
            ),
            (
                "SELECT id, total(num) AS t FROM items GROUP BY id",
                "t:number",
                json!([{"t": 1}, {"t": 2.5}]),
            ),
        ] {
            let run = send(
                server,
                "POST",
                "/api/collections/meta/dry-run-view",
                &json!({ "query": query }),
            );
            if rows.is_null() {
                assert_eq!(run.0, 400, "{query}");
                continue;
            }
            assert_eq!(run.0, 200, "{query}: {}", run.1);
            let shown: Vec<String> = run.1["fields"]
                .as_array()
                .expect("fields")
                .iter()
                .filter(|field| field["name"] != "id")
                .map(|field| {
                    let int = if field["onlyInt"] == true { "/int" } else { "" };
                    format!(
                        "{}:{}{int}",
                        field["name"].as_str().unwrap_or(""),
                        field["type"].as_str().unwrap_or("")
                    )
                })
                .collect();
            assert_eq!(shown.join(" "), fields, "{query}");
            let body = json!({ "name": "v", "type": "view", "listRule": "", "viewQuery": query });
            good(server, "POST", "/api/collections", &body);
            let page = good(server, "GET", "/api/collections/v/records?sort=id", &Value::Null);
            for (at, want) in rows.as_array().expect("rows").iter().enumerate() {
                for (key, value) in want.as_object().expect("a row") {
                    assert_eq!(&page["items"][at][key], value, "{query} {at} {key}: {page}");
                }
            }
            good(server, "DELETE", "/api/collections/v", &Value::Null);
        }
    }
}

/// What the fields of such views are good for: filters, rules and files.
#[test]
fn fields_of_calculated_columns() {
    let servers = Servers::start();
    for server in &servers.all {
        fill(server);
        let query = "SELECT id, title || '!' AS loud, NOT flag AS off, COUNT(*) OVER () AS n, num * 2 AS twice FROM items";
        let body = json!({ "name": "v", "type": "view", "listRule": "", "viewQuery": query });
        good(server, "POST", "/api/collections", &body);
        for (filter, total) in [
            ("loud = 'one!'", 1),
            ("loud ~ 'T'", 2),
            ("off = true", 1),
            ("off = false", 2),
            ("n = 3", 3),
            ("n > 3", 0),
            ("twice >= 5 && loud != ''", 2),
        ] {
            let path = format!("/api/collections/v/records?filter={}", encode(filter));
            let page = good(server, "GET", &path, &Value::Null);
            assert_eq!(page["totalItems"], total, "{filter}: {page}");
        }
    }
}

#[test]
fn totals_of_views_count_ids() {
    let servers = Servers::start();
    for server in &servers.all {
        good(
            server,
            "POST",
            "/api/collections",
            &json!({ "name": "pay", "type": "base", "fields": [
            { "name": "k", "type": "text" }, { "name": "date", "type": "date" }] }),
        );
        let query = "SELECT ('x'||strftime('%Y-%m',date)) as id, k, COUNT(*) as n FROM pay GROUP BY k, strftime('%Y-%m',date)";
        let body = json!({ "name": "v", "type": "view", "listRule": "", "viewQuery": query });
        good(server, "POST", "/api/collections", &body);
        for (k, date) in
            [("a", "2024-01-01"), ("b", "2024-01-02"), ("c", "2024-02-02"), ("a", "2024-02-03")]
        {
            let body = json!({ "k": k, "date": date });
            good(server, "POST", "/api/collections/pay/records", &body);
        }
        for (rest, items, total, pages) in [
            ("?", 4, 2, 1),
            ("?perPage=1", 1, 2, 2),
            ("?perPage=1&page=4", 1, 2, 2),
            ("?perPage=1&page=5", 0, 2, 2),
            ("?perPage=3", 3, 2, 1),
            ("?skipTotal=1", 4, -1, -1),
            ("?filter=k%3D'a'", 2, 2, 1),
            ("?filter=k%3D'nope'", 0, 0, 0),
        ] {
            let path = format!("/api/collections/v/records{rest}");
            let page = good(server, "GET", &path, &Value::Null);
            let got =
                (page["items"].as_array().map(Vec::len), &page["totalItems"], &page["totalPages"]);
            assert_eq!(got, (Some(items), &json!(total), &json!(pages)), "{rest}: {page}");
        }
    }
}

#[test]
fn the_console_tells_writing_from_reading() {
    let servers = Servers::start();
    for server in &servers.all {
        for (query, affected, rows) in [
            ("create table zt (a int)", None, json!([])),
            ("/* c */ insert into zt values (1), (2)", Some(2), json!([])),
            ("-- c\nupdate zt set a = a + 1 where a = 2", Some(1), json!([])),
            ("with x as (select 5 as a) insert into zt select a from x", Some(1), json!([])),
            (
                "with x as (select 6 as a) insert into zt select a from x returning a",
                Some(0),
                json!([["6"]]),
            ),
            ("select [[a]] from {{zt}} order by a", Some(0), json!([["1"], ["3"], ["5"], ["6"]])),
            ("select 'insert' as t, 1+1", Some(0), json!([["insert", "2"]])),
            ("explain delete from zt", Some(0), Value::Null),
            ("select count(*) from zt", Some(0), json!([["4"]])),
            ("delete from zt; select 1", None, json!([])),
            ("drop table zt", None, json!([])),
        ] {
            let (status, answer) = sql(server, query);
            assert_eq!(status, 200, "{query}: {answer}");
            if let Some(affected) = affected {
                assert_eq!(answer["affectedRows"], affected, "{query}: {answer}");
            }
            if !rows.is_null() {
                assert_eq!(answer["rows"], rows, "{query}: {answer}");
            }
        }
        let named = sql(server, "select 1 as a, 2").1;
        assert_eq!(named["columns"][0]["name"], "a");
        assert_eq!(named["columns"][1]["name"], "2");
    }
}

#[test]
fn the_console_cannot_damage_the_files() {
    let server = Server::fresh(&[]);
    let rows = |query: &str| sql(&server, query).1["rows"].clone();
    assert_eq!(sql(&server, "PRAGMA writable_schema=ON").0, 200);
    assert_eq!(rows("PRAGMA writable_schema"), json!([["0"]]));
    assert_eq!(rows("PRAGMA journal_mode=OFF"), json!([["wal"]]));
    sql(&server, "create virtual table ft using fts5(a)");
    for query in [
        "update sqlite_master set sql = sql",
        "insert into ft_data(id, block) values (99, x'00')",
        "drop table ft_data",
    ] {
        let (status, answer) = sql(&server, query);
        assert_eq!(status, 400, "{query}: {answer}");
        let message = answer["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains("may not be"), "{message}");
    }
}

#[test]
fn dates_that_are_none_are_counted() {
    let server = Server::fresh(&[]);
    let collection = json!({ "name": "days", "type": "base", "fields": [
        { "name": "day", "type": "date" }, { "name": "other", "type": "date" }] });
    good(&server, "POST", "/api/collections", &collection);
    for day in ["2023-02-29", "29.02.2024", "", "2024-02-29", "soon"] {
        let body = json!({ "day": day, "other": "2024-01-01" });
        let made = good(&server, "POST", "/api/collections/days/records", &body);
        let stored = if day == "2024-02-29" { "2024-02-29 00:00:00.000Z" } else { "" };
        assert_eq!(made["day"], stored);
    }
    let path = format!("/api/logs?filter={}", encode("message ~ 'no dates'"));
    let page = eventually("the warning is written", || {
        let page = good(&server, "GET", &path, &Value::Null);
        (page["totalItems"] != 0).then_some(page)
    });
    assert_eq!(page["totalItems"], 1);
    assert_eq!(
        page["items"][0]["data"],
        json!({ "collection": "days", "field": "day", "count": 3 })
    );
}
