//! Collections over HTTP: names of fields, imports, rules beside the draft they belong to.

use serde_json::{Value, json};

use crate::support::{Server, postgres::Postgres};

fn text(name: &str) -> Value {
    json!({"name": name, "type": "text"})
}

fn change(server: &Server, collection: &str, body: &Value) -> Value {
    let path = format!("/api/collections/{collection}");
    let answer = server.send("PATCH", &path, &server.superuser(), body);
    assert_eq!(answer.status, 200, "{body}: {}", answer.json());
    answer.json()
}

fn names(server: &Server) -> Vec<(String, String)> {
    let list =
        server.send("GET", "/api/collections?perPage=200", &server.superuser(), &Value::Null);
    let list = list.json()["items"].as_array().expect("items").clone();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut names: Vec<_> = list
        .iter()
        .filter(|c| c["system"] == false)
        .map(|c| (text(&c["id"]), text(&c["name"])))
        .collect();
    names.sort();
    names
}

/// The collection's records with the values of a field, in insertion order and in that order backwards.
fn values(server: &Server, collection: &str, field: &str) -> Vec<String> {
    let read = |sort: &str| {
        let path = format!("/api/collections/{collection}/records?sort={sort}");
        let list = server.send("GET", &path, &server.superuser(), &Value::Null).json();
        let items = list["items"].as_array().unwrap_or_else(|| panic!("{list}")).clone();
        assert_eq!(list["totalItems"], items.len());
        items
            .iter()
            .map(|item| format!("{}{}", item["id"].as_str().unwrap_or(""), item[field]))
            .collect()
    };
    let (values, mut back): (Vec<String>, Vec<String>) = (read("@rowid"), read("-@rowid"));
    back.reverse();
    assert_eq!(values, back);
    values
}

#[test]
fn fields_with_the_names_of_the_row_id() {
    let postgres = Postgres::start(&[], &[]);
    let mut servers = vec![Server::fresh(&[])];
    servers.extend(postgres.as_ref().map(|postgres| postgres.serve("names", &[])));
    for server in &servers {
        let token = server.superuser();
        for (at, name) in
            ["oid", "rowid", "OID", "RowId", "_ROWID_", "_Rowid_"].into_iter().enumerate()
        {
            let c = format!("c{at}");
            let made = json!({"name": c, "type": "base", "fields": [text("t"), text("u")],
                "indexes": [format!("CREATE INDEX i{at} ON {c} (t)")]});
            let made = server.send("POST", "/api/collections", &token, &made).json();
            let view = json!({"name": format!("v{at}"), "type": "view", "viewQuery": format!("SELECT id, u FROM {c}")});
            assert_eq!(server.send("POST", "/api/collections", &token, &view).status, 200);
            let add = |n: &str, body: &Value| {
                let mut body = body.clone();
                body["id"] = n.repeat(15).into();
                let answer =
                    server.send("POST", &format!("/api/collections/{c}/records"), &token, &body);
                assert_eq!(answer.status, 200, "{}", answer.json());
            };
            ["q", "a", "z"].iter().for_each(|n| add(n, &json!({"t": n})));
            let fields = made["fields"].as_array().expect("fields").clone();
            let with =
                |more: &[Value]| json!({"fields": fields.iter().chain(more).collect::<Vec<_>>()});
            // added, renamed, made a list and a text again, dropped
            let select = json!({"id": "sel", "name": name, "type": "select", "values": ["x", "y"], "maxSelect": 1});
            change(server, &c, &with(std::slice::from_ref(&select)));
            add("m", &json!({name: "x", "t": "m"}));
            let mut many = select.clone();
            many["maxSelect"] = 2.into();
            change(server, &c, &with(&[many.clone()]));
            assert_eq!(
                values(server, &c, name)[2..],
                ["z".repeat(15) + "[]", "m".repeat(15) + "[\"x\"]"],
                "{name}"
            );
            change(server, &c, &with(&[select]));
            many["maxSelect"] = 1.into();
            many["name"] = "other".into();
            change(server, &c, &with(&[many.clone()]));
            assert_eq!(values(server, &c, "other")[3], "m".repeat(15) + "\"x\"");
            many["name"] = name.into();
            change(server, &c, &with(&[many]));
            change(server, &c, &with(&[]));
            let mut renamed = fields.clone();
            renamed[1]["name"] = name.into();
            let body = json!({"fields": renamed, "indexes": [format!("CREATE UNIQUE INDEX i{at} ON {c} (`{name}`)")]});
            change(server, &c, &body);
            let quoted = ["q", "a", "z", "m"].map(|n| format!("{}\"{n}\"", n.repeat(15)));
            assert_eq!(values(server, &c, name), quoted, "{name}");
            let twice = server.send(
                "POST",
                &format!("/api/collections/{c}/records"),
                &token,
                &json!({name: "a"}),
            );
            assert_eq!(
                (twice.status, &twice.json()["data"][name]["code"]),
                (400, &json!("validation_not_unique"))
            );
            let path = format!("/api/collections/v{at}/records");
            assert_eq!(server.send("GET", &path, &token, &Value::Null).json()["totalItems"], 4);
            change(server, &c, &json!({"fields": [fields[0], fields[2]], "indexes": []}));
            assert_eq!(values(server, &c, name).len(), 4);
        }
        for name in ["_rowid_", "null", "true", "expand"] {
            let made = json!({"name": "bad", "type": "base", "fields": [text(name)]});
            let answer = server.send("POST", "/api/collections", &token, &made).json();
            assert_eq!(answer["data"]["fields"]["1"]["name"]["code"], "validation_not_in_invalid");
        }
        let all = json!({"name": "every", "type": "base", "fields": [text("oid"), text("rowid"), text("_ROWID_")]});
        assert_eq!(server.send("POST", "/api/collections", &token, &all).status, 200);
        for n in ["a", "b"] {
            let body = json!({"id": n.repeat(15), "oid": n});
            assert_eq!(
                server.send("POST", "/api/collections/every/records", &token, &body).status,
                200
            );
        }
        assert_eq!(values(server, "every", "oid").len(), 2);
    }
}

#[test]
fn a_full_text_index_outlives_a_field_called_like_the_row_id() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let searched = json!({"name": "t", "type": "text", "fullText": true});
    let made = json!({"name": "c", "type": "base", "fields": [searched]});
    let made = server.send("POST", "/api/collections", &token, &made).json();
    let add = |body: &Value| {
        assert_eq!(server.send("POST", "/api/collections/c/records", &token, body).status, 200);
    };
    add(&json!({"t": "one word"}));
    let mut fields = made["fields"].as_array().expect("fields").clone();
    fields.push(text("oid"));
    change(&server, "c", &json!({"fields": fields}));
    add(&json!({"t": "another word"}));
    let found = |field: &str| {
        let path = format!("/api/collections/c/records?filter=fts({field},'word')=true");
        server.send("GET", &path, &token, &Value::Null).json()["totalItems"].clone()
    };
    assert_eq!(found("t"), 2);
    let mut renamed =
        change(&server, "c", &json!({}))["fields"].as_array().expect("fields").clone();
    renamed[1]["name"] = "rowid".into();
    change(&server, "c", &json!({"fields": renamed}));
    add(&json!({"rowid": "a third word"}));
    assert_eq!(found("rowid"), 3);
}

fn import(server: &Server, items: &Value, delete_missing: bool) -> (u16, String) {
    let body = json!({"collections": items, "deleteMissing": delete_missing});
    let answer = server.send("PUT", "/api/collections/import", &server.superuser(), &body);
    if answer.status == 204 {
        return (204, String::new());
    }
    let text =
        answer.json()["data"]["collections"]["message"].as_str().unwrap_or_default().to_owned();
    (answer.status, text)
}

#[test]
fn an_import_names_collections_by_id() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let pair = |id: &str, name: &str| (id.to_owned(), name.to_owned());
    let users = pair("_pb_users_auth_", "users");
    for name in ["a", "b"] {
        let body = json!({"id": format!("pbc_{name}"), "name": name, "type": "base", "fields": [text("t")]});
        assert_eq!(server.send("POST", "/api/collections", &token, &body).status, 200);
        let path = format!("/api/collections/{name}/records");
        assert_eq!(server.send("POST", &path, &token, &json!({"t": "x"})).status, 200);
    }
    let rest = json!({"id": "_pb_users_auth_", "name": "users", "type": "auth"});
    let start = vec![users.clone(), pair("pbc_a", "a"), pair("pbc_b", "b")];
    let taken = |name: &str| {
        format!(
            "Failed to import the collections configuration. Raw error:\nfailed to save collection \"{name}\": \
             constraint failed: UNIQUE constraint failed: _collections.name (2067)."
        )
    };
    // nothing is kept of what fails
    for (item, text) in [
        (json!([{"id": "pbc_other", "name": "a", "type": "base"}]), taken("a")),
        (
            json!([{"id": "pbc_other", "name": "users", "type": "auth", "fields": []}]),
            taken("users"),
        ),
        (json!([{"id": "pbc_a", "name": "b", "type": "base"}]), taken("b")),
        (json!([{"id": "PBC_A", "name": "a", "type": "base"}]), taken("a")),
        (json!([{"id": "x", "name": "c"}, {"id": "y", "name": "c"}]), taken("c")),
    ] {
        assert_eq!(import(&server, &item, false), (400, text), "{item}");
        assert_eq!(names(&server), start);
    }
    let blank = json!([{"id": "", "name": "a", "type": "base"}]);
    let lost = json!([rest, {"id": "a", "name": "z", "type": "base"}]);
    for (items, delete_missing) in [(blank, false), (lost, true)] {
        let text = import(&server, &items, delete_missing).1;
        assert!(
            text.ends_with("failed to retrieve old cached collection: sql: no rows in result set."),
            "{text}"
        );
    }
    let system =
        json!([rest, {"id": "pbc_other", "name": "_superusers", "type": "auth", "fields": []}]);
    assert_eq!(import(&server, &system, true), (400, taken("_superusers")));
    assert_eq!(names(&server), start);
    // a rename, then one to the name of another that goes, then another one under a taken name
    assert_eq!(import(&server, &json!([{"id": "pbc_a", "name": "zz"}]), false).0, 204);
    assert_eq!(import(&server, &json!([rest, {"id": "pbc_a", "name": "b"}]), true).0, 204);
    assert_eq!(names(&server), [users.clone(), pair("pbc_a", "b")]);
    let total = |name: &str| {
        let path = format!("/api/collections/{name}/records");
        server.send("GET", &path, &token, &Value::Null).json()["totalItems"].clone()
    };
    assert_eq!(total("b"), 1, "the records of the one that stays");
    assert_eq!(
        import(&server, &json!([rest, {"id": "pbc_c", "name": "b", "type": "base"}]), true).0,
        204
    );
    assert_eq!(names(&server), [users, pair("pbc_c", "b")]);
    assert_eq!(total("b"), 0, "another collection");
    let item = json!([{"id": "pbc_other", "name": "users", "type": "auth", "fields": []}]);
    assert_eq!(import(&server, &item, true).0, 204);
    assert_eq!(names(&server), [pair("pbc_other", "users")]);
}

#[test]
fn rules_see_the_draft_they_belong_to() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let relation =
        |to: &str| json!({"name": "user", "type": "relation", "collectionId": to, "maxSelect": 1});
    let rule = |cause: &str| json!(format!("Invalid rule. Raw error: {cause}."));
    for (text, to, cause) in [
        (
            "user.id = @request.auth.id",
            "pbc_nothere",
            "invalid left operand \"user.id\" - failed to load field \"user\" collection",
        ),
        (
            "'x' = user.id",
            "",
            "invalid right operand \"user.id\" - failed to load field \"user\" collection",
        ),
        (
            "user.name = 'x'",
            "pbc_nothere",
            "invalid left operand \"user.name\" - failed to load field \"user\" collection",
        ),
        (
            "@request.body.user.id = 'x'",
            "pbc_nothere",
            "invalid left operand \"@request.body.user.id\" - failed to load collection \"pbc_nothere\" from data field \"user\"",
        ),
        (
            "user.name = 'x'",
            "pbc_self",
            "invalid left operand \"user.name\" - unknown field \"name\"",
        ),
        ("user = @request.auth.id", "pbc_nothere", ""),
        ("user.id = '' && p_via_user.id = ''", "pbc_self", ""),
    ] {
        let body = json!({"id": "pbc_self", "name": "p", "type": "base", "updateRule": text, "fields": [relation(to)]});
        let answer = server.send("POST", "/api/collections", &token, &body).json();
        assert!(answer["data"]["fields"]["1"]["collectionId"]["code"].is_string(), "{answer}");
        let want = if cause.is_empty() { Value::Null } else { rule(cause) };
        assert_eq!(answer["data"]["updateRule"]["message"], want, "{text}");
        if to == "pbc_nothere" && !cause.is_empty() {
            let report = import(&server, &json!([body]), false).1;
            let line =
                format!("\"updateRule\": {}", json!(format!("Invalid rule. Raw error: {cause}")));
            assert!(report.contains(&line), "{report}");
        }
    }
    let itself = json!([{"id": "pbc_i", "name": "i", "type": "base",
        "updateRule": "user.id = '' && i_via_user.user.id = ''", "fields": [relation("pbc_i")]}]);
    assert_eq!(import(&server, &itself, false).0, 204);
    let made = json!({"name": "q", "type": "base", "fields": [text("t")]});
    let made = server.send("POST", "/api/collections", &token, &made).json();
    let mut fields = made["fields"].as_array().expect("fields").clone();
    fields.push(relation(made["id"].as_str().expect("an id")));
    let body = json!({"fields": fields, "listRule": "user.t = '' && user.user.id = '' && q_via_user.t = ''"});
    change(&server, "q", &body);
    let again = json!({"id": made["id"], "name": "q", "type": "base"});
    let answer = server.send("POST", "/api/collections", &token, &again).json();
    assert_eq!(answer["data"]["name"]["code"], "validation_collection_name_exists");
}
