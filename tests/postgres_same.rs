//! The same requests to a server on SQLite and one on PostgreSQL: the same answers.

use serde_json::{Value, json};

use crate::support::{Server, encode, eventually, postgres::Postgres};

/// The answers of both servers; they must be equal.
fn both(servers: &[Server; 2], method: &str, path: &str, body: &Value) -> (u16, Value) {
    let [sqlite, postgres] = servers.each_ref().map(|server| {
        let answer = server.send(method, path, &server.superuser(), body);
        (answer.status, answer.json())
    });
    assert_eq!(sqlite, postgres, "{method} {path} {body}");
    sqlite
}

/// Makes a collection on both; its ids are not compared.
fn make(servers: &[Server; 2], body: &Value) {
    for server in servers {
        let made = server.send("POST", "/api/collections", &server.superuser(), body);
        assert_eq!(made.status, 200, "{}", made.json());
    }
}

fn servers(postgres: &Postgres, database: &str) -> [Server; 2] {
    [Server::fresh(&[]), postgres.serve(database, &[])]
}

#[test]
fn violated_indexes() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "violated");
    let text = |name: &str| json!({ "name": name, "type": "text" });
    let indexes = [
        "CREATE UNIQUE INDEX `IdxOfMine` ON `pairs` (`a`)",
        "CREATE UNIQUE INDEX `both` ON `pairs` (`b`, `c`)",
        "CREATE UNIQUE INDEX `folded` ON `pairs` (lower(`d`))",
        "CREATE UNIQUE INDEX `ignoring` ON `pairs` (`f` COLLATE NOCASE) WHERE `f` != ''",
        "CREATE UNIQUE INDEX `partial` ON `pairs` (`e`) WHERE `e` != ''",
    ];
    let fields = ["a", "b", "c", "d", "e", "f"].map(text);
    make(
        &servers,
        &json!({ "name": "pairs", "type": "base", "listRule": "", "indexes": indexes,
            "fields": fields }),
    );
    let path = "/api/collections/pairs/records";
    let row = |id: &str, a: &str, b: &str, c: &str, d: &str, e: &str| json!({ "id": id, "a": a, "b": b, "c": c, "d": d, "e": e, "f": format!("{id}{a}") });
    let id = |n: u8| format!("{n:0>15}");
    for body in [row(&id(1), "a", "b", "c", "d", "e"), row(&id(2), "2", "b", "2", "2", "")] {
        for server in &servers {
            let made = server.send("POST", path, &server.superuser(), &body);
            assert_eq!(made.status, 200, "{}", made.json());
        }
    }
    for (body, field) in [
        (row(&id(3), "a", "3", "3", "3", ""), "a"),
        (row(&id(3), "3", "b", "c", "3", ""), "b"),
        (row(&id(3), "3", "3", "3", "3", "e"), "e"),
        (row(&id(1), "3", "3", "3", "3", "3"), "id"),
    ] {
        let (status, answer) = both(&servers, "POST", path, &body);
        assert_eq!(status, 400, "{answer}");
        assert!(answer["data"][field]["code"].is_string(), "{answer}");
        let change = format!("{path}/{}", id(2));
        let mut body = body;
        body.as_object_mut().expect("an object").remove("id");
        if field != "id" {
            assert_eq!(both(&servers, "PATCH", &change, &body).0, 400);
        }
    }
    let (status, answer) = both(&servers, "POST", path, &row(&id(3), "3", "3", "3", "D", ""));
    assert_eq!((status, &answer["data"]), (400, &json!({})), "no field is an expression");
    let mut ignoring = row(&id(3), "3", "3", "3", "4", "");
    ignoring["f"] = format!("{}A", id(1)).into();
    let (_, answer) = both(&servers, "POST", path, &ignoring);
    assert_eq!(answer["data"]["f"]["code"], "validation_not_unique");
}

#[test]
fn logs() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "logged");
    for n in 0..6 {
        both(&servers, "GET", &format!("/api/nope/{n}"), &Value::Null);
    }
    let ours = "data.url ~ '/api/nope/'";
    let list = |rest: &str, sort: &str| {
        let filter = encode(&format!("{ours}{rest}"));
        format!(
            "/api/logs?filter={filter}&sort={sort}&fields=message,level,data.status,data.url,data.method"
        )
    };
    for server in &servers {
        eventually("the log is written", || {
            let page = server.send("GET", &list("", ""), &server.superuser(), &Value::Null);
            (page.json()["totalItems"] == 6).then_some(())
        });
    }
    for (rest, count) in [
        ("", 6),
        (" && data.status >= 400", 6),
        (" && data.status = 404 && level > 0", 6),
        (" && data.status < 400", 0),
        (" && data.url ~ '%/3'", 1),
        (" && (data.url = '/api/nope/1' || message ~ 'nope/2')", 2),
        (" && data.missing = null", 6),
        (" && data.missing != ''", 6),
        (" && data.auth = '_superusers' && created > '2020-01-01 00:00:00.000Z'", 6),
    ] {
        for sort in ["data.url", "-data.url", "level,-message"] {
            let (status, page) = both(&servers, "GET", &list(rest, sort), &Value::Null);
            assert_eq!((status, &page["totalItems"]), (200, &json!(count)), "{rest}: {page}");
        }
        let stats = format!("/api/logs/stats?filter={}", encode(&format!("{ours}{rest}")));
        for server in &servers {
            let hours = server.send("GET", &stats, &server.superuser(), &Value::Null).json();
            let hours = hours.as_array().expect("a list");
            let total: i64 = hours.iter().filter_map(|hour| hour["total"].as_i64()).sum();
            assert_eq!(total, count, "{rest}: {hours:?}");
            let is_hour =
                |hour: &Value| hour["date"].as_str().is_some_and(|d| d.ends_with(":00:00.000Z"));
            assert!(hours.iter().all(is_hour), "{hours:?}");
        }
    }
    for bad in ["/api/logs?filter=nope%3D1", "/api/logs/stats?filter=%28", "/api/logs?sort=nope"] {
        both(&servers, "GET", bad, &Value::Null);
    }
    for server in &servers {
        let gone = server.send("DELETE", "/api/logs", &server.superuser(), &Value::Null);
        assert_eq!(gone.status, 204);
    }
    let (_, page) = both(&servers, "GET", &list("", ""), &Value::Null);
    assert_eq!(page["totalItems"], 0);
}

#[test]
fn names_in_view_queries() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "named");
    let text = |name: &str| json!({ "name": name, "type": "text" });
    make(
        &servers,
        &json!({ "name": "Posts", "type": "base", "fields": [text("Title"), text("order")] }),
    );
    for n in 1..=3 {
        let body = json!({ "id": format!("{n:0>15}"), "Title": format!("t{n}"), "order": "o" });
        both(&servers, "POST", "/api/collections/Posts/records?fields=id", &body);
    }
    for (name, query) in [
        (
            "ticks",
            "SELECT `Posts`.`id`, `p`.`Title` AS `Name`, `Posts`.`order` FROM `Posts` JOIN `Posts` `p` ON `p`.`id` = `Posts`.`id`",
        ),
        ("brackets", "SELECT p.[id], p.[order] FROM [Posts] p WHERE p.[Title] != '[x] `y`'"),
        (
            "counted",
            "SELECT (ROW_NUMBER() OVER()) as `id`, COUNT([id]) as `n` FROM `Posts` GROUP BY [order]",
        ),
    ] {
        make(&servers, &json!({ "name": name, "type": "view", "viewQuery": query }));
        let path = format!("/api/collections/{name}/records?sort=id&fields=*");
        let strip = |mut page: Value| {
            for item in page["items"].as_array_mut().expect("a list") {
                item.as_object_mut().expect("an object").remove("collectionId");
            }
            page
        };
        let [sqlite, postgres] = servers.each_ref().map(|server| {
            strip(server.send("GET", &path, &server.superuser(), &Value::Null).json())
        });
        assert_eq!(sqlite, postgres);
        assert_ne!(sqlite["totalItems"], 0);
    }
}

#[test]
fn imports_delete_tables_that_views_read() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "imported");
    let table = |name: &str| {
        let fields = json!([{ "id": "text1", "name": "t", "type": "text" }]);
        json!({ "name": name, "type": "base", "listRule": "", "fields": fields })
    };
    let view = |name: &str, query: &str| json!({ "name": name, "type": "view", "listRule": "", "viewQuery": query });
    make(&servers, &table("stays"));
    make(&servers, &table("goes"));
    make(&servers, &view("near", "select id, t from goes"));
    make(&servers, &view("far", "select id, t from near"));
    make(&servers, &view("apart", "select id, t from stays"));
    let row = json!({ "id": "0000000000000r1", "t": "x" });
    assert_eq!(both(&servers, "POST", "/api/collections/stays/records", &row).0, 200);
    // the views change with the import, so that nothing reads the table when it is over
    let left = [
        table("stays"),
        view("near", "select id, t from stays"),
        view("far", "select id, t from near"),
        view("apart", "select id, t from stays"),
    ];
    let body = json!({ "collections": left, "deleteMissing": true });
    for server in &servers {
        let done = server.send("PUT", "/api/collections/import", &server.superuser(), &body);
        assert_eq!(done.status, 204);
    }
    for name in ["far", "apart"] {
        let path = format!("/api/collections/{name}/records?fields=id,t");
        let (_, answer) = both(&servers, "GET", &path, &Value::Null);
        assert_eq!(answer["items"], json!([row]), "{name}");
    }
    // one that still reads it stands in the way on PostgreSQL, and nothing changes
    let body = json!({ "collections": [table("other"), view("far", "select id, t from near")], "deleteMissing": true });
    let refused = servers[1].send("PUT", "/api/collections/import", &servers[1].superuser(), &body);
    assert_eq!(refused.status, 400);
    let answer =
        servers[1].send("GET", "/api/collections/far/records?fields=id,t", "", &Value::Null);
    assert_eq!(answer.json()["items"], json!([row]));
}

#[test]
fn views_that_others_read_change() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "read");
    let fields = json!([{ "id": "text1", "name": "t", "type": "text" }, { "id": "number1", "name": "n", "type": "number" }]);
    make(&servers, &json!({ "name": "base", "type": "base", "fields": fields }));
    let row = json!({ "id": "0000000000000r1", "t": "x", "n": 3 });
    assert_eq!(both(&servers, "POST", "/api/collections/base/records?fields=id", &row).0, 200);
    for (name, query) in [
        ("near", "select id, t as v from base"),
        ("far", "select id, v as w from near"),
        ("end", "select id, w from far"),
    ] {
        make(
            &servers,
            &json!({ "name": name, "type": "view", "listRule": "", "viewQuery": query }),
        );
    }
    let list = |name: &str| {
        let path = format!("/api/collections/{name}/records?fields=id,v,w");
        both(&servers, "GET", &path, &Value::Null).1["items"].take()
    };
    let near = "/api/collections/near?fields=name";
    let query = |query: &str| json!({ "viewQuery": query });
    let number = query("select id, n as v from base");
    assert_eq!(both(&servers, "PATCH", near, &number).0, 200);
    assert_eq!(list("near"), json!([{ "id": "0000000000000r1", "v": 3 }]));
    assert_eq!(list("far"), json!([{ "id": "0000000000000r1", "w": 3 }]));
    assert_eq!(list("end"), list("far"));
    // PostgreSQL has no views that cannot be read, and those that others made may have been granted to somebody
    let refused = |body: &Value, why: &str| {
        let answer = servers[1].send("PATCH", near, &servers[1].superuser(), body);
        assert_eq!(answer.status, 400);
        assert!(answer.json()["message"].to_string().contains(why), "{}", answer.json());
    };
    refused(&query("select id, n as other from base"), "a view that reads it cannot follow");
    postgres.execute("read", "CREATE VIEW foreign_view AS SELECT w FROM far");
    refused(&query("select id, t as v from base"), "other objects depend on it");
    assert_eq!(list("end"), json!([{ "id": "0000000000000r1", "w": 3 }]));
}
