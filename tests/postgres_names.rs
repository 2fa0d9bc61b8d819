//! Names on PostgreSQL: letter case means something there, and only 63 bytes are kept. Nobody notices.

use serde_json::{Value, json};

use crate::{
    postgres_same::{both, make, servers},
    support::{encode, postgres::Postgres},
};

#[test]
fn names_that_change_their_case() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "cased");
    let text = |name: &str| json!({ "id": format!("text_{name}").to_lowercase(), "name": name, "type": "text" });
    let json_field = json!({ "id": "json1", "name": "Data", "type": "json" });
    let index = json!(["CREATE UNIQUE INDEX `OnTitle` ON `Plain` (`Title`)"]);
    make(
        &servers,
        &json!({ "name": "Plain", "type": "base", "fields": [text("Title"), json_field], "indexes": index }),
    );
    make(
        &servers,
        &json!({ "name": "Seen", "type": "view", "viewQuery": "SELECT id, `Title` FROM `Plain`" }),
    );
    let row =
        |n: u8| json!({ "id": format!("{n:0>15}"), "Title": format!("t{n}"), "Data": { "k": n } });
    assert_eq!(both(&servers, "POST", "/api/collections/Plain/records?fields=id", &row(1)).0, 200);
    let path = "/api/collections/Plain?fields=name,indexes";
    assert_eq!(both(&servers, "PATCH", path, &json!({ "name": "plain" })).0, 200);
    assert_eq!(
        both(
            &servers,
            "PATCH",
            "/api/collections/Seen?fields=name",
            &json!({ "name": "seen", "viewQuery": "SELECT id, `Title` FROM `plain`" })
        )
        .0,
        200
    );
    // Queries that name the case before.
    for query in [
        "SELECT id, `Title` FROM `Plain`",
        "SELECT Plain.id, Plain.Title FROM Plain",
        "SELECT p.id, p.Title FROM \"PLAIN\" p WHERE p.id IN (SELECT id FROM Plain)",
        "WITH a AS (SELECT * FROM Plain) SELECT a.id, a.Title FROM a",
        "SELECT id, Title FROM Plain",
    ] {
        let body = json!({ "viewQuery": query });
        let path = "/api/collections/seen?fields=fields.name,fields.type";
        assert_eq!(both(&servers, "PATCH", path, &body).0, 200, "{query}");
    }
    let use_it = |n: u8, title: &str| {
        let body = json!({ "id": format!("{n:0>15}"), title: format!("t{n}"), "Data": { "k": n } });
        let path = "/api/collections/plain/records";
        assert_eq!(both(&servers, "POST", &format!("{path}?fields=id"), &body).0, 200);
        assert_eq!(both(&servers, "POST", path, &json!({ title: format!("t{n}") })).0, 400);
        let filter = encode(&format!("Data.k = {n} && {title} ~ 't'"));
        let (_, page) =
            both(&servers, "GET", &format!("{path}?fields=id&filter={filter}"), &Value::Null);
        assert_eq!(page["totalItems"], 1, "{page}");
        let (_, page) =
            both(&servers, "GET", "/api/collections/seen/records?fields=id", &Value::Null);
        assert_eq!(page["totalItems"], n, "{page}");
    };
    use_it(2, "Title");
    // Together with a field, and back again.
    let fields = json!({ "name": "PLAIN", "fields": [text("title"), json_field] });
    for server in &servers {
        let mut fields = fields.clone();
        fields["indexes"] = json!(["CREATE UNIQUE INDEX `onTitle` ON `PLAIN` (`title`)"]);
        let done = server.send("PATCH", "/api/collections/plain", &server.superuser(), &fields);
        assert_eq!(done.status, 200, "{}", done.json());
    }
    use_it(3, "title");
    let names = "SELECT string_agg(indexname, ' ' ORDER BY indexname COLLATE \"C\") FROM pg_indexes WHERE tablename = 'PLAIN'";
    assert_eq!(
        postgres.value("cased", names),
        "Plain_pkey idx_PLAIN_Data_gin idx_PLAIN_Data_odd onTitle"
    );
}

#[test]
fn names_of_system_columns() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "system");
    let text = |name: &str| json!({ "id": format!("text_{name}"), "name": name, "type": "text" });
    let fields =
        json!([text("ctid"), text("xmin"), { "id": "json1", "name": "tableoid", "type": "json" }]);
    let index = json!(["CREATE UNIQUE INDEX `taken` ON `kept` (`xmin`)"]);
    make(&servers, &json!({ "name": "kept", "type": "base", "fields": fields, "indexes": index }));
    let query = "SELECT id, ctid, k.xmin AS cmax, tableoid FROM kept k WHERE ctid != ''";
    make(&servers, &json!({ "name": "seen", "type": "view", "viewQuery": query }));
    let records = "/api/collections/kept/records";
    let row = |n: u8| json!({ "id": format!("{n:0>15}"), "ctid": format!("c{n}"), "xmin": n.to_string(), "tableoid": [n] });
    for n in 1..4 {
        assert_eq!(
            both(&servers, "POST", &format!("{records}?fields=id,ctid,xmin,tableoid"), &row(n)).0,
            200
        );
    }
    // Unique, and said of the field.
    let twice = json!({ "ctid": "x", "xmin": "1" });
    let (status, refused) = both(&servers, "POST", records, &twice);
    assert_eq!(
        (status, refused["data"]["xmin"]["code"].as_str()),
        (400, Some("validation_not_unique"))
    );
    let change = json!({ "ctid": "changed" });
    let path = format!("{records}/{:0>15}?fields=id,ctid", 2);
    assert_eq!(both(&servers, "PATCH", &path, &change).0, 200);
    for (of, filter, sort) in
        [("kept", "ctid ~ 'c' && tableoid.0 > 1", "-xmin"), ("seen", "cmax > '1'", "ctid")]
    {
        let filter = encode(filter);
        let path = format!(
            "/api/collections/{of}/records?fields=id,ctid,xmin,cmax,tableoid&filter={filter}&sort={sort}"
        );
        let (_, page) = both(&servers, "GET", &path, &Value::Null);
        assert_eq!(page["totalItems"], 2, "{page}");
    }
    let renamed = json!([{ "id": "text_ctid", "name": "cmin", "type": "text" }, text("xmin")]);
    let path = "/api/collections/kept?fields=fields.name";
    for server in &servers {
        let gone =
            server.send("DELETE", "/api/collections/seen", &server.superuser(), &Value::Null);
        assert_eq!(gone.status, 204);
    }
    assert_eq!(both(&servers, "PATCH", path, &json!({ "fields": renamed })).0, 200);
    let path = format!("{records}?fields=id,cmin,xmin&sort=cmin");
    assert_eq!(both(&servers, "GET", &path, &Value::Null).1["items"][0]["cmin"], "c1");
}

/// A name whose first 63 bytes are those of others.
fn long(letter: &str, end: &str) -> String {
    format!("{}{end}", letter.repeat(63))
}

#[test]
fn names_that_begin_with_the_same_63_bytes() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    let servers = servers(&postgres, "long");
    let c = |end: &str| long("c", end);
    let f = |end: &str| long("f", end);
    let i = |end: &str| long("i", end);
    for end in ["One", "Two"] {
        let name = c(end);
        let fields = json!([
            { "id": "text1", "name": f("One"), "type": "text" }, { "id": "text2", "name": f("Two"), "type": "text" },
            { "id": "json1", "name": f("Json"), "type": "json" },
            { "id": "select1", "name": f("Select"), "type": "select", "values": ["a", "b"] }]);
        let indexes = json!([
            format!("CREATE UNIQUE INDEX `{}` ON `{name}` (`{}`)", i(&format!("1{end}")), f("One")),
            format!(
                "CREATE UNIQUE INDEX `{}` ON `{name}` (`{}` COLLATE NOCASE)",
                i(&format!("2{end}")),
                f("Two")
            )
        ]);
        make(
            &servers,
            &json!({ "name": name, "type": "base", "fields": fields, "indexes": indexes }),
        );
    }
    let view = long("v", "One");
    let query =
        format!("SELECT id, {} AS {}, `{}` FROM `{}`", f("One"), f("Renamed"), f("Two"), c("Two"));
    // Unquoted names have no case on PostgreSQL.
    let query = query.replacen(&f("One"), &format!("`{}`", f("One")), 1).replacen(
        &f("Renamed"),
        &format!("`{}`", f("Renamed")),
        1,
    );
    make(&servers, &json!({ "name": view, "type": "view", "viewQuery": query }));
    let row = |n: u8| {
        json!({ "id": format!("{n:0>15}"), f("One"): format!("one{n}"), f("Two"): format!("two{n}"),
        f("Json"): { "k": n }, f("Select"): "a" })
    };
    let use_it = |name: &str, n: u8| {
        let path = format!("/api/collections/{name}/records");
        let strip = format!("fields=id,{},{}", f("One"), f("Two"));
        assert_eq!(both(&servers, "POST", &format!("{path}?{strip}"), &row(n)).0, 200);
        for (field, value) in [("One", format!("one{n}")), ("Two", format!("TWO{n}"))] {
            let (status, answer) = both(&servers, "POST", &path, &json!({ f(field): value }));
            assert_eq!(
                (status, &answer["data"][f(field)]["code"]),
                (400, &json!("validation_not_unique")),
                "{answer}"
            );
        }
        let filter = encode(&format!("{} = {n} && {} = 'two{n}'", f("Json.k"), f("Two")));
        let (_, page) = both(
            &servers,
            "GET",
            &format!("{path}?{strip}&sort=-{}&filter={filter}", f("One")),
            &Value::Null,
        );
        assert_eq!(page["totalItems"], 1, "{page}");
    };
    use_it(&c("One"), 1);
    use_it(&c("Two"), 2);
    let seen = format!("/api/collections/{view}/records?fields=id,{},{}", f("Renamed"), f("Two"));
    let (_, page) = both(&servers, "GET", &seen, &Value::Null);
    assert_eq!(
        page["items"],
        json!([{ "id": format!("{:0>15}", 2), f("Renamed"): "one2", f("Two"): "two2" }])
    );

    // An index of another collection keeps its name.
    let taken = json!({ "indexes": [format!("CREATE INDEX `{}` ON `{}` (`{}`)", i("1Two"), c("One"), f("One"))] });
    let (status, answer) =
        both(&servers, "PATCH", &format!("/api/collections/{}", c("One")), &taken);
    assert_eq!(
        (status, &answer["data"]["indexes"]["0"]["code"]),
        (400, &json!("validation_existing_index_name")),
        "{answer}"
    );

    // Fields swap their names, one becomes a list, the collection is renamed.
    let fields = json!({ "name": c("Three"), "fields": [
        { "id": "text1", "name": f("Two"), "type": "text" }, { "id": "text2", "name": f("One"), "type": "text" },
        { "id": "json1", "name": f("Json"), "type": "json" },
        { "id": "select1", "name": f("Select"), "type": "select", "values": ["a", "b"], "maxSelect": 2 }] });
    assert_eq!(
        both(&servers, "PATCH", &format!("/api/collections/{}?fields=name", c("One")), &fields).0,
        200
    );
    let path = format!(
        "/api/collections/{}/records?fields=id,{},{},{}",
        c("Three"),
        f("One"),
        f("Two"),
        f("Select")
    );
    let (_, page) = both(&servers, "GET", &path, &Value::Null);
    assert_eq!(
        page["items"],
        json!([{ "id": format!("{:0>15}", 1), f("One"): "two1", f("Two"): "one1", f("Select"): ["a"] }])
    );
    assert_eq!(
        both(
            &servers,
            "GET",
            &format!("{path}&filter={}", encode(&format!("{}:each ?= 'a'", f("Select")))),
            &Value::Null
        )
        .1["totalItems"],
        1
    );

    // As an older version left it: PostgreSQL had cut the names.
    let [_, mut server] = servers;
    postgres.execute("long", &format!(
        "DO $$ DECLARE r record; BEGIN \
         FOR r IN SELECT attname, attrelid::regclass AS t FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid \
           WHERE k.relname LIKE 'ccc%' AND k.relkind = 'r' AND a.attname LIKE 'fff%' AND a.attnum = 4 LOOP \
           EXECUTE format('ALTER TABLE %s RENAME COLUMN %I TO %I', r.t, r.attname, '{}'); END LOOP; \
         FOR r IN SELECT c.oid::regclass AS t FROM pg_class c WHERE relname LIKE 'vvv%' LOOP \
           EXECUTE format('ALTER VIEW %s RENAME TO %I', r.t, '{}'); END LOOP; \
         END $$", "f".repeat(63), "v".repeat(63)));
    server.kill_and_restart();
    let token = server.superuser();
    for name in [c("Two"), c("Three"), view] {
        let page =
            server.send("GET", &format!("/api/collections/{name}/records"), &token, &Value::Null);
        assert_eq!((page.status, &page.json()["totalItems"]), (200, &json!(1)), "{name}");
    }
}
