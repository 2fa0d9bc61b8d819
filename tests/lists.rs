//! Lists over HTTP, on both databases: the order of what nothing sorts, distances.

use serde_json::{Value, json};

use crate::support::{Server, encode, postgres::Postgres};

/// A server on each database there is.
fn servers(postgres: Option<&Postgres>) -> Vec<Server> {
    let mut servers = vec![Server::fresh(&[])];
    servers.extend(postgres.map(|postgres| postgres.serve("lists", &[])));
    servers
}

fn make(server: &Server, token: &str, path: &str, body: &Value) {
    let made = server.send("POST", path, token, body);
    assert_eq!(made.status, 200, "{path} {body}: {}", made.json());
}

fn id(letter: char) -> String {
    format!("{letter:0<15}")
}

/// The first letters of the ids on a page, and the total.
fn page(server: &Server, token: &str, query: &str) -> (String, i64) {
    let answer =
        server.send("GET", &format!("/api/collections/b/records?{query}"), token, &Value::Null);
    let body = answer.json();
    assert_eq!(answer.status, 200, "{query}: {body}");
    let ids =
        body["items"].as_array().expect("items").iter().filter_map(|item| item["id"].as_str());
    (
        ids.filter_map(|id| id.chars().next()).collect(),
        body["totalItems"].as_i64().expect("a total"),
    )
}

/// Records b made in the order q, a, z, w, each of which names an a; some are named by a c.
fn fill(server: &Server, token: &str) {
    let made = server.send("GET", "/api/collections/users", token, &Value::Null).json();
    let (users, mut fields) =
        (made["id"].clone(), made["fields"].as_array().expect("fields").clone());
    fields.push(json!({"name": "role", "type": "text"}));
    let body = json!({"fields": fields});
    assert_eq!(server.send("PATCH", "/api/collections/users", token, &body).status, 200);
    let user = json!({"id": id('u'), "email": "u@example.com", "password": "1234567890",
        "passwordConfirm": "1234567890", "role": "x"});
    make(server, token, "/api/collections/users/records", &user);
    let relation = |name: &str, to: &str, max: i64| json!({"name": name, "type": "relation", "collectionId": to, "maxSelect": max});
    let text = |name: &str| json!({"name": name, "type": "text"});
    let collection = |name: &str, fields: &[Value], indexes: &[&str]| {
        let body = json!({"id": format!("pbc_{name}"), "name": name, "type": "base", "listRule": "",
            "fields": fields, "indexes": indexes});
        make(server, token, "/api/collections", &body);
    };
    collection("a", &[text("t")], &[]);
    let select = json!({"name": "tags", "type": "select", "values": ["x", "y"], "maxSelect": 2});
    let fields = [
        relation("a", "pbc_a", 1),
        relation("many", "pbc_a", 5),
        relation("owner", users.as_str().expect("an id"), 1),
        text("t"),
        text("k"),
        select,
    ];
    collection("b", &fields, &["CREATE INDEX by_k ON b (k)"]);
    collection("c", &[relation("b", "pbc_b", 1), text("t")], &[]);
    make(server, token, "/api/collections/a/records", &json!({"id": id('m'), "t": "x"}));
    for letter in ['q', 'a', 'z', 'w'] {
        let body = json!({"id": id(letter), "a": id('m'), "many": [id('m')], "owner": id('u'),
            "t": "same", "k": "k", "tags": ["x", "y"]});
        make(server, token, "/api/collections/b/records", &body);
        make(server, token, "/api/collections/c/records", &json!({"b": id(letter), "t": "x"}));
    }
}

#[test]
fn without_a_sort_joins_make_the_ids_the_order() {
    let postgres = Postgres::start(&[], &[]);
    for server in servers(postgres.as_ref()) {
        let token = server.superuser();
        fill(&server, &token);
        let path = "/api/collections/users/auth-with-password";
        let body = json!({"identity": "u@example.com", "password": "1234567890"});
        let user = server.send("POST", path, "", &body).json()["token"]
            .as_str()
            .expect("a token")
            .to_owned();
        for (filter, order) in [
            ("", "qazw"),
            ("t = 'same'", "qazw"),
            ("a != ''", "qazw"),
            ("a.id != ''", "qazw"),
            ("tags:length = 2", "qazw"),
            ("a.t != 'zz'", "aqwz"),
            ("a.t = 'x'", "aqwz"),
            ("many.t ?= 'x'", "aqwz"),
            ("many.id ?!= ''", "aqwz"),
            ("tags:each ?= 'x'", "aqwz"),
            ("c_via_b.t ?!= 'zz'", "aqwz"),
            ("t = 'other' || a.t = 'x'", "aqwz"),
            // an index finds these
            ("k = 'k' && a.t != 'zz'", "qazw"),
        ] {
            let query = format!("filter={}", encode(filter));
            assert_eq!(page(&server, &token, &query), (order.to_owned(), 4), "{filter}");
            let (first, rest) = order.split_at(3);
            for (number, part) in [(1, first), (2, rest)] {
                let query = format!("{query}&perPage=3&page={number}");
                assert_eq!(page(&server, &token, &query), (part.to_owned(), 4), "{query}");
            }
        }
        // Ties of a sort keep their insertion.
        for (sort, order) in [
            ("t", "qazw"),
            ("-a.t", "qazw"),
            ("@rowid", "qazw"),
            ("-@rowid", "wzaq"),
            ("id", "aqwz"),
        ] {
            let query = format!("sort={sort}&filter={}", encode("a.t != 'zz'"));
            assert_eq!(page(&server, &token, &query).0, order, "{sort}");
        }
        for (rule, order) in [
            ("a.t != \"zz\"", "aqwz"),
            ("owner = @request.auth.id", "qazw"),
            ("@request.auth.verified = false", "qazw"),
            ("@request.auth.role = 'x'", "aqwz"),
            ("@request.auth.unknown = '' || t = ''", "qazw"),
            ("@collection.a.t ?= 'x'", "aqwz"),
        ] {
            let body = json!({"listRule": rule});
            assert_eq!(
                server.send("PATCH", "/api/collections/b", &token, &body).status,
                200,
                "{rule}"
            );
            assert_eq!(page(&server, &user, "").0, order, "{rule}");
            assert_eq!(
                page(&server, &user, "perPage=2&skipTotal=1"),
                (order[..2].to_owned(), -1),
                "{rule}"
            );
        }
    }
}

/// More rows than a page takes, most of them behind those that match: whichever way the page is read in.
#[test]
fn pages_by_id_are_the_same_in_every_way() {
    let postgres = Postgres::start(&[], &[]);
    for server in servers(postgres.as_ref()) {
        let token = server.superuser();
        fill(&server, &token);
        let settings = json!({"batch": {"enabled": true, "maxRequests": 5000, "timeout": 60}});
        assert_eq!(server.send("PATCH", "/api/settings", &token, &settings).status, 200);
        // ids in another order than they are made in
        let key = |n: u32| format!("n{:06}00000000", n * 7919 % 4001);
        let requests: Vec<Value> = (0..4001)
            .map(|n| {
                let body = json!({"id": key(n), "a": id('m'), "t": format!("t{}", n % 1000)});
                json!({"method": "POST", "url": "/api/collections/b/records", "body": body})
            })
            .collect();
        let made = server.send("POST", "/api/batch", &token, &json!({"requests": requests}));
        assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body[..200]));
        for (filter, matches) in [
            ("a.t = 'x' && t != 'same'", &(|_| true) as &dyn Fn(u32) -> bool),
            ("a.t = 'x' && t = 't7'", &|n| n % 1000 == 7),
            ("many.t ?!= 'x' && t ~ 't99'", &|n| n % 1000 == 99 || n % 1000 >= 990),
        ] {
            let mut want: Vec<String> = (0..4001).filter(|n| matches(*n)).map(key).collect();
            want.sort();
            for (number, per_page) in [(1, 30), (2, 3), (1, 1000), (4, 1000)] {
                let query =
                    format!("filter={}&fields=id&page={number}&perPage={per_page}", encode(filter));
                // again, as what was slow is done in another way then
                for _ in 0..4 {
                    let path = format!("/api/collections/b/records?{query}");
                    let got = server.send("GET", &path, &token, &Value::Null).json();
                    let ids: Vec<&str> = got["items"]
                        .as_array()
                        .expect("items")
                        .iter()
                        .filter_map(|i| i["id"].as_str())
                        .collect();
                    let part = want.iter().skip((number - 1) * per_page).take(per_page);
                    assert_eq!(ids, part.collect::<Vec<_>>(), "{filter} {number} {per_page}");
                    assert_eq!(got["totalItems"], want.len(), "{filter}");
                }
            }
        }
    }
}

#[test]
fn a_point_is_found_where_it_is() {
    let postgres = Postgres::start(&[], &[]);
    for server in servers(postgres.as_ref()) {
        let token = server.superuser();
        let body =
            json!({"name": "b", "type": "base", "fields": [{"name": "loc", "type": "geoPoint"}]});
        make(&server, &token, "/api/collections", &body);
        let points = [
            ('a', 45.2593, -78.2048),
            ('b', 178.4321, -5.3526),
            ('c', 136.7922, 87.6445),
            ('d', 12.5, 41.9),
            ('e', 0.0, 8.0),
            ('f', 10.0, 2.5),
        ];
        for (letter, lon, lat) in points {
            let body = json!({"id": id(letter), "loc": {"lon": lon, "lat": lat}});
            make(&server, &token, "/api/collections/b/records", &body);
        }
        for (letter, lon, lat) in points {
            for test in ["< 1", "= 0", "<= 0", "< 0.001"] {
                let filter = encode(&format!("geoDistance(loc.lon,loc.lat,{lon},{lat}) {test}"));
                let found = page(&server, &token, &format!("filter={filter}"));
                assert_eq!(found, (letter.to_string(), 1), "{lon} {lat} {test}");
            }
        }
        for (filter, n) in [
            ("geoDistance(loc.lon,loc.lat,loc.lon,loc.lat) = 0", 6),
            ("geoDistance(loc.lon,loc.lat,null,1) = null", 6),
            ("geoDistance(loc.none,loc.lat,0,1) != 5", 6),
            ("geoDistance(0,0,180,0) > 20015", 6),
            ("geoDistance(loc.lon,loc.lat,0,8) > 20016", 0),
        ] {
            let found = page(&server, &token, &format!("filter={}", encode(filter)));
            assert_eq!(found.1, n, "{filter}");
        }
    }
}
