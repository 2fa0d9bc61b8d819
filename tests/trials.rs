//! Rules tried as somebody else: the answers are those of real requests, on random rules, callers and records.

use serde_json::{Value, json};

use crate::{
    dashboard_api::{ok, seed},
    support::{Server, encode, postgres::Postgres},
};

/// Deterministic numbers: a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }
    fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.roll(items.len())]
    }
}

const RULES: &[&str] = &[
    "open = true",
    "views > 20",
    "title ~ 'Note 3'",
    "owner = @request.auth.id",
    "@request.auth.id != ''",
    "owner.role = 'editor'",
    "owner.level >= 2",
    "readers.id ?= @request.auth.id",
    "readers.role = 'reader'",
    "readers:length > 1",
    "tags:each ?= 'b'",
    "tags:length = 1",
    "meta.stars > 1",
    "@request.auth.role = 'editor'",
    "@request.auth.verified = true",
    "@request.method = 'GET'",
    "@request.query.secret = 'x'",
    "@request.headers.x_test = 'y'",
    "@request.body.title:isset = true",
    "@request.body.views:changed = false",
    "@request.body.owner = @request.auth.id",
    "@request.context = 'default'",
    "@collection.people.level ?> views",
    "@collection.people.id ?= owner",
    "owner.notes_via_owner.open ?= true",
    "id != 'note00000000001'",
    "title:lower = 'note 5'",
    "@now > '2020-01-01'",
    "owner = null",
    "geoDistance(1, 1, views, 2) > 500",
];

fn rule(dice: &mut Dice) -> Value {
    match dice.roll(12) {
        0 => return Value::Null,
        1 => return json!(""),
        _ => {}
    }
    let mut text = (*dice.pick(RULES)).to_owned();
    for _ in 0..dice.roll(4) {
        let join = *dice.pick(&["&&", "||"]);
        let next = *dice.pick(RULES);
        text = match dice.roll(3) {
            0 => format!("({text}) {join} {next}"),
            1 => format!("{next} {join} ({text})"),
            _ => format!("{text} {join} {next}"),
        };
    }
    json!(text)
}

/// What the steps say of the whole rule, read as the language joins them.
fn reads_true(text: &str, steps: &[Value]) -> bool {
    let mut shape: Vec<u16> = text.encode_utf16().collect();
    for step in steps.iter().rev() {
        let at =
            |name: &str| usize::try_from(step[name].as_u64().expect("a place")).expect("small");
        let word = if step["result"] == true { "T" } else { "F" };
        shape.splice(at("start")..at("end"), word.encode_utf16());
    }
    let shape: String = String::from_utf16(&shape).expect("text").replace(' ', "");
    fn any(text: &mut &str) -> bool {
        let mut holds = all(text);
        while let Some(rest) = text.strip_prefix("||") {
            *text = rest;
            holds |= all(text);
        }
        holds
    }
    fn all(text: &mut &str) -> bool {
        let mut holds = one(text);
        while let Some(rest) = text.strip_prefix("&&") {
            *text = rest;
            holds &= one(text);
        }
        holds
    }
    fn one(text: &mut &str) -> bool {
        if let Some(rest) = text.strip_prefix('(') {
            *text = rest;
            let holds = any(text);
            *text = text.strip_prefix(')').expect("a bracket");
            return holds;
        }
        let holds = text.starts_with('T');
        *text = &text[1..];
        holds
    }
    any(&mut shape.as_str())
}

/// Random rules, callers, records and requests: the trial says what the real request is answered.
fn trials_agree(server: &Server, rounds: usize, seed_of_dice: u64) {
    let token = server.superuser();
    let people = seed(server, &token);
    let mut dice = Dice(seed_of_dice);
    let path = "/api/collections/notes";
    for round in 0..rounds {
        let rules = json!({"listRule": rule(&mut dice), "viewRule": rule(&mut dice), "createRule": rule(&mut dice),
            "updateRule": rule(&mut dice), "deleteRule": rule(&mut dice)});
        ok(server, "PATCH", path, &token, &rules);
        for _ in 0..12 {
            let who = dice.roll(6);
            let (caller, own) = match who {
                0 => (Value::Null, String::new()),
                5 => {
                    let all = ok(
                        server,
                        "GET",
                        "/api/collections/_superusers/records",
                        &token,
                        &Value::Null,
                    );
                    (
                        json!({"collection": "_superusers", "id": all["items"][0]["id"]}),
                        token.clone(),
                    )
                }
                n => {
                    let id = &people[n - 1];
                    let made = ok(
                        server,
                        "POST",
                        &format!("/api/collections/people/impersonate/{id}"),
                        &token,
                        &json!({}),
                    );
                    (
                        json!({"collection": "people", "id": id}),
                        made["token"].as_str().expect("a token").to_owned(),
                    )
                }
            };
            let id = format!("note{:011}", dice.roll(10));
            let body = [
                json!({"title": "New", "views": 5, "owner": people[dice.roll(4)]}),
                json!({"title": "", "tags": ["a", "b"]}),
                json!({"views": 40, "readers": people[..2]}),
                json!({"title": "x", "tags": ["nope"], "owner": "missing00000000"}),
            ][dice.roll(4)]
            .clone();
            let secret = if dice.roll(2) == 0 { "x" } else { "" };
            let filter = *dice.pick(&[
                "",
                "open = true",
                "owner.email ~ 'p1'",
                "@request.auth.id != ''",
                "bogus = 1",
            ]);
            for action in ["list", "view", "create", "update", "delete"] {
                let mut asked = json!({"action": action, "as": caller, "record": id, "query": {"secret": secret}});
                if matches!(action, "create" | "update") {
                    asked["body"] = body.clone();
                }
                if action == "list" {
                    asked["query"]["filter"] = filter.into();
                }
                let tried = ok(server, "POST", &format!("{path}/try"), &token, &asked);
                let query =
                    if secret.is_empty() { String::new() } else { format!("?secret={secret}") };
                let one = format!("{path}/records/{id}{query}");
                let what = format!("round {round}: {rules} {asked}\n{tried}");
                let real = match action {
                    "list" => {
                        let query =
                            format!("?secret={secret}&perPage=1000&filter={}", encode(filter));
                        server.send("GET", &format!("{path}/records{query}"), &own, &Value::Null)
                    }
                    "view" => server.send("GET", &one, &own, &Value::Null),
                    "create" => server.send("POST", &format!("{path}/records{query}"), &own, &body),
                    "update" => server.send("PATCH", &one, &own, &body),
                    _ => server.send("DELETE", &one, &own, &Value::Null),
                };
                assert_eq!(tried["status"], real.status, "{what}");
                if real.status == 400
                    && matches!(action, "create" | "update")
                    && tried["allowed"] == true
                {
                    assert_eq!(tried["data"], real.json()["data"], "{what}");
                }
                if action == "list" && real.status == 200 {
                    let list = real.json();
                    let ids: Vec<&Value> = list["items"]
                        .as_array()
                        .expect("items")
                        .iter()
                        .map(|item| &item["id"])
                        .collect();
                    assert_eq!(
                        (&tried["total"], &tried["ids"]),
                        (&list["totalItems"], &json!(ids)),
                        "{what}"
                    );
                }
                // Steps that share no rows of joined collections say together what the rule says.
                let text = tried["rule"].as_str().unwrap_or_default();
                let steps = tried["steps"].as_array().expect("steps");
                if !steps.is_empty()
                    && steps[0]["result"] != Value::Null
                    && tried["reason"] == "rule"
                {
                    let shares = ["@collection", "readers.", "_via_", ":each"]
                        .iter()
                        .any(|part| text.contains(part));
                    if action != "list" && !shares {
                        assert_eq!(tried["allowed"] == true, reads_true(text, steps), "{what}");
                    }
                }
                // What was really written is taken back.
                if real.status < 300 && matches!(action, "create" | "update" | "delete") {
                    let made = if action == "create" {
                        real.json()["id"].as_str().map(str::to_owned)
                    } else {
                        None
                    };
                    if let Some(made) = made {
                        ok(
                            server,
                            "DELETE",
                            &format!("{path}/records/{made}"),
                            &token,
                            &Value::Null,
                        );
                    } else if action == "update" {
                        ok(server, "DELETE", &format!("{path}/records/{id}"), &token, &Value::Null);
                    }
                    if action != "create" {
                        let n: usize = id[4..].parse().expect("a number");
                        let body = json!({"id": id, "title": format!("Note {n}"), "views": n * 10, "open": n.is_multiple_of(3),
                            "tags": ["a"], "owner": people[n % 4], "readers": people[..n % 4], "meta": {"stars": n % 4}});
                        ok(server, "POST", &format!("{path}/records"), &token, &body);
                    }
                }
            }
        }
    }
}

#[test]
fn trials_agree_with_requests() {
    trials_agree(&Server::fresh(&[]), 25, 16);
}

#[test]
fn trials_agree_with_requests_on_postgres() {
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    trials_agree(&postgres.serve("tried", &[]), 6, 17);
}

#[test]
fn trials_say_why() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let people = seed(&server, &token);
    let path = "/api/collections/notes";
    let ask = |body: &Value| ok(&server, "POST", &format!("{path}/try"), &token, body);
    let rule =
        "title = 'ä😀' || owner.role = 'reader' && (readers.id ?= @request.auth.id || views > 5)";
    let who = json!({"collection": "people", "id": people[1]});
    let tried =
        ask(&json!({"action": "view", "as": who, "record": "note00000000005", "rule": rule}));
    assert_eq!(
        (&tried["allowed"], &tried["status"], &tried["reason"]),
        (&json!(true), &json!(200), &json!("rule"))
    );
    let steps = tried["steps"].as_array().expect("steps");
    let seen: Vec<Value> =
        steps.iter().map(|s| json!([s["result"], s["reached"], s["left"], s["right"]])).collect();
    assert_eq!(
        json!(seen),
        json!([
            [false, true, "Note 5", "ä😀"],
            [true, true, "reader", "reader"],
            [false, true, [people[0]], people[1]],
            [true, true, 50, 5],
        ])
    );
    let units: Vec<u16> = rule.encode_utf16().collect();
    let text = |step: &Value| {
        let at =
            |name: &str| usize::try_from(step[name].as_u64().expect("a place")).expect("small");
        String::from_utf16(&units[at("start")..at("end")]).expect("text")
    };
    assert_eq!(text(&steps[0]), "title = 'ä😀'");
    assert_eq!(text(&steps[1]), "owner.role = 'reader'");
    // stored rules are null
    let locked = ask(&json!({"action": "list"}));
    assert_eq!((&locked["status"], &locked["reason"]), (&json!(403), &json!("locked")));
    let missing = ask(&json!({"action": "view", "record": "nobody", "rule": ""}));
    assert_eq!((&missing["status"], &missing["reason"]), (&json!(404), &json!("missing")));
    let broken = ask(&json!({"action": "view", "record": "note00000000005", "rule": "bogus = 1"}));
    assert_eq!(broken["status"], 404);
    assert!(broken["error"].as_str().is_some_and(|text| text.contains("bogus")), "{broken}");
    // secrets stay what they are
    let people_path = "/api/collections/people/try";
    let own = json!({"action": "auth", "record": people[0], "rule": "tokenKey != '' && verified = true && password != ''"});
    let auth = ok(&server, "POST", people_path, &token, &own);
    assert_eq!(auth["status"], 200);
    assert_eq!(auth["steps"][0]["left"], "(secret)");
    assert_eq!(auth["steps"][1]["left"], true);
    let refused = ok(
        &server,
        "POST",
        people_path,
        &token,
        &json!({"action": "auth", "record": people[3], "rule": "verified = true"}),
    );
    assert_eq!((&refused["status"], &refused["allowed"]), (&json!(403), &json!(false)));
    let manage = json!({"action": "manage", "as": {"collection": "people", "id": people[0]}, "record": people[1], "rule": "@request.auth.role = 'editor'"});
    assert_eq!(ok(&server, "POST", people_path, &token, &manage)["allowed"], true);
    // and nobody else may ask
    let made = ok(
        &server,
        "POST",
        &format!("/api/collections/people/impersonate/{}", people[0]),
        &token,
        &json!({}),
    );
    let person = made["token"].as_str().expect("a token");
    for (token, status) in [("", 401), (person, 403)] {
        assert_eq!(
            server.send("POST", &format!("{path}/try"), token, &json!({"action": "list"})).status,
            status
        );
    }
    for (body, field) in [
        (json!({}), "action"),
        (json!({"action": "auth"}), "action"),
        (json!({"action": "list", "as": {"collection": "notes", "id": "x"}}), "as"),
        (json!({"action": "list", "query": 5}), "query"),
    ] {
        let answer = server.send("POST", &format!("{path}/try"), &token, &body);
        assert_eq!(answer.status, 400);
        assert!(answer.json()["data"][field].is_object(), "{body}");
    }
}

#[test]
fn rules_have_tests() {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    let people = seed(&server, &token);
    let who = |n: usize| json!({"collection": "people", "id": people[n]});
    let cases = json!([
        {"name": "own", "action": "update", "as": who(1), "record": "note00000000001", "body": {"views": 1}, "expect": {"allowed": true, "status": 200}},
        {"name": "other", "action": "update", "as": who(2), "record": "note00000000001", "body": {"views": 1}, "expect": {"allowed": false}},
        {"name": "all", "action": "list", "expect": {"total": 8}},
        {"name": "wrong", "action": "view", "record": "note00000000001", "rule": null, "expect": {"allowed": true}},
    ]);
    let rules = json!({"updateRule": "owner = @request.auth.id", "listRule": ""});
    let body = json!({"cases": cases, "rules": rules});
    let told = ok(&server, "POST", "/api/collections/notes/try", &token, &body);
    let passed: Vec<&Value> =
        told["results"].as_array().expect("results").iter().map(|r| &r["passed"]).collect();
    assert_eq!(
        (&told["passed"], json!(passed)),
        (&json!(false), json!([true, true, true, false])),
        "{told}"
    );
}
