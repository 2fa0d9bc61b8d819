//! Realtime over the wire: who gets which event, how streams begin and end, what is refused.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Server};

/// One received message.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Event {
    /// `create one`
    fn brief(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{} {}", text(&self.data["action"]), text(&self.data["record"]["title"]))
    }
}

/// A connected client.
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    head: String,
    rest: String,
    pub(crate) id: String,
}

impl Stream {
    pub(crate) fn open(server: &Server) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        socket.write_all(b"GET /api/realtime HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
        let mut reader = BufReader::new(socket);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("a line") > 0, "no head: {head}");
        }
        let mut stream = Self { reader, head, rest: String::new(), id: String::new() };
        let hello = stream.next().expect("PB_CONNECT");
        assert_eq!(hello.name, "PB_CONNECT");
        assert_eq!(hello.data, json!({"clientId": hello.id}));
        stream.id = hello.id;
        stream
    }

    /// The next message; `None` when the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((message, rest)) = self.rest.split_once("\n\n") {
                let line = |at: usize, key: &str| {
                    let line = message.split('\n').nth(at).expect("three lines");
                    line.strip_prefix(key).expect(key).to_owned()
                };
                let data = serde_json::from_str(&line(2, "data:")).expect("JSON");
                let event = Event { id: line(0, "id:"), name: line(1, "event:"), data };
                self.rest = rest.to_owned();
                return Some(event);
            }
            let mut size = String::new();
            if self.reader.read_line(&mut size).expect("a chunk in time") == 0 {
                return None;
            }
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk size");
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).expect("a chunk");
            if size == 0 {
                return None;
            }
            self.rest.push_str(std::str::from_utf8(&chunk[..size]).expect("UTF-8"));
        }
    }

    pub(crate) fn subscribe(&self, server: &Server, token: &str, topics: &[&str]) {
        let answer = post(server, token, &json!({"clientId": self.id, "subscriptions": topics}));
        assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Everything up to the record titled `last`, briefly; that one is seen by everybody.
    fn until(&mut self, last: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let brief = self.next().expect("an event").brief();
            if brief.ends_with(&format!(" {last}")) {
                return seen;
            }
            seen.push(brief);
        }
    }
}

fn post(server: &Server, token: &str, body: &Value) -> Answer {
    server.send("POST", "/api/realtime", token, body)
}

fn ok(answer: &Answer) -> Value {
    assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
    if answer.status == 204 { Value::Null } else { answer.json() }
}

fn options(query: &Value) -> String {
    encoded(&json!({"query": query, "headers": {"X-Token": "t1"}}))
}

/// Options as a query.
pub(crate) fn encoded(options: &Value) -> String {
    let text = options.to_string();
    let encoded: String =
        text.bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() {
                    (b as char).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect();
    format!("?options={encoded}")
}

/// A server with posts under a rule, readers and a public marker collection.
struct House {
    server: Server,
    root: String,
}

impl House {
    fn new() -> Self {
        let server = Server::fresh(&[]);
        let root = server.superuser();
        let house = Self { server, root };
        house.collection("rooms", "", &json!([{"name": "title", "type": "text"}]));
        house.collection("marks", "", &json!([{"name": "title", "type": "text"}]));
        house
    }

    fn collection(&self, name: &str, rule: &str, fields: &Value) -> String {
        let body = json!({"name": name, "type": "base", "listRule": rule, "viewRule": rule, "fields": fields});
        let made = ok(&self.server.send("POST", "/api/collections", &self.root, &body));
        made["id"].as_str().expect("an id").to_owned()
    }

    fn id_of(&self, collection: &str) -> String {
        let path = format!("/api/collections/{collection}");
        let found = ok(&self.server.send("GET", &path, &self.root, &Value::Null));
        found["id"].as_str().expect("an id").to_owned()
    }

    fn posts(&self, list: &Value, view: &Value) {
        let fields = json!([
            {"name": "title", "type": "text"},
            {"name": "n", "type": "number"},
            {"name": "secret", "type": "text", "hidden": true},
            {"name": "owner", "type": "relation", "collectionId": self.id_of("users"), "maxSelect": 1},
            {"name": "room", "type": "relation", "collectionId": self.id_of("rooms"), "maxSelect": 1},
        ]);
        let body = json!({"name": "posts", "type": "base", "listRule": list, "viewRule": view, "fields": fields});
        ok(&self.server.send("POST", "/api/collections", &self.root, &body));
    }

    fn user(&self, name: &str) -> (String, String) {
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "name": name, "password": PASSWORD, "passwordConfirm": PASSWORD});
        let made =
            ok(&self.server.send("POST", "/api/collections/users/records", &self.root, &body));
        (made["id"].as_str().expect("an id").to_owned(), self.login(&email))
    }

    fn login(&self, email: &str) -> String {
        let body = json!({"identity": email, "password": PASSWORD});
        let path = "/api/collections/users/auth-with-password";
        ok(&self.server.send("POST", path, "", &body))["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    fn write(&self, method: &str, path: &str, body: &Value) -> String {
        let path = format!("/api/collections/{path}");
        let answer = ok(&self.server.send(method, &path, &self.root, body));
        answer["id"].as_str().unwrap_or_default().to_owned()
    }

    fn create(&self, collection: &str, body: &Value) -> String {
        self.write("POST", &format!("{collection}/records"), body)
    }

    fn batch(&self, requests: &Value) {
        let settings = json!({"batch": {"enabled": true, "maxRequests": 50, "timeout": 10}});
        ok(&self.server.send("PATCH", "/api/settings", &self.root, &settings));
        let body = json!({"requests": requests});
        ok(&self.server.send("POST", "/api/batch", &self.root, &body));
    }

    fn mark(&self, title: &str) {
        self.create("marks", &json!({"title": title}));
    }
}

#[test]
fn the_stream_as_sent() {
    let house = House::new();
    let mut stream = Stream::open(&house.server);
    assert_eq!(stream.id.len(), 40);
    let head = stream.head.to_lowercase();
    for line in [
        "http/1.1 200",
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
        "x-frame-options: sameorigin\r\n",
        "transfer-encoding: chunked\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    let topic = format!("marks/*{}", options(&json!({"fields": "title,id:nope("})));
    let picked = format!("marks{}", options(&json!({"fields": "title"})));
    stream.subscribe(&house.server, "", &["", &topic, &picked]);
    house.mark("<a>");
    let events = [stream.next().expect("first"), stream.next().expect("second")];
    for event in events {
        assert_eq!(event.id, stream.id);
        assert_eq!(event.data["action"], "create");
        if event.name == picked {
            assert_eq!(event.data["record"], json!({"title": "<a>"}));
        } else {
            assert_eq!(event.name, topic, "the subscription verbatim");
            assert_eq!(event.data["record"]["collectionName"], "marks", "a bad picker is ignored");
        }
    }
}

#[test]
fn refusals() {
    let house = House::new();
    let stream = Stream::open(&house.server);
    let (_, ann) = house.user("ann");
    let (_, bob) = house.user("bob");
    let many: Vec<String> = (0..1001).map(|i| format!("t{i}")).collect();
    for (token, body, status, want) in [
        ("", json!({}), 400, "validation_required"),
        (
            "",
            json!({"clientId": stream.id, "subscriptions": many}),
            400,
            "The length must be no more than 1000.",
        ),
        (
            "",
            json!({"clientId": stream.id, "subscriptions": ["x".repeat(2501)]}),
            400,
            "The length must be no more than 2500.",
        ),
        ("", json!({"clientId": stream.id, "subscriptions": "x"}), 400, "Something went wrong"),
        ("", json!({"clientId": "x".repeat(40)}), 404, "Missing or invalid client id."),
        ("", json!({"clientId": stream.id, "subscriptions": many[..1000]}), 204, ""),
        (&ann, json!({"clientId": stream.id}), 204, ""),
        (&ann, json!({"clientId": stream.id}), 204, ""),
        (
            &bob,
            json!({"clientId": stream.id}),
            403,
            "The current and the previous request authorization don't match.",
        ),
        (
            "",
            json!({"clientId": stream.id}),
            403,
            "The current and the previous request authorization don't match.",
        ),
    ] {
        let answer = post(&house.server, token, &body);
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{text}");
        assert!(text.contains(want), "{want} in {text}");
    }
    // gone with its connection
    let id = stream.id.clone();
    drop(stream);
    let gone = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        post(&house.server, &ann, &json!({"clientId": id})).status == 404
    });
    assert!(gone, "a closed client is forgotten");
}

#[test]
fn rules_decide_who_gets_an_event() {
    let house = House::new();
    let (ann_id, ann) = house.user("ann");
    let (bob_id, bob) = house.user("bob");
    house.posts(&json!(""), &json!(""));
    let room = house.create("rooms", &json!({"title": "red"}));
    let open = |token: &str, topics: &[&str]| {
        let stream = Stream::open(&house.server);
        let mut all = vec!["marks"];
        all.extend_from_slice(topics);
        stream.subscribe(&house.server, token, &all);
        stream
    };
    let filter = |text: &str| format!("posts/*{}", options(&json!({"filter": text})));
    let by_query = format!("posts/*{}", options(&json!({"room": "red"})));
    let mut mark = 0;
    // each record goes by the name of its owner
    for (rule, topic, [guest, of_ann, of_bob, of_root]) in [
        (json!(null), "posts/*", ["", "", "", "ann bob"]),
        (json!(""), "posts/*", ["ann bob", "ann bob", "ann bob", "ann bob"]),
        (json!("@request.auth.id != ''"), "posts", ["", "ann bob", "ann bob", "ann bob"]),
        (json!("owner = @request.auth.id"), "posts/*", ["", "ann", "bob", "ann bob"]),
        (
            json!("owner.name = @request.auth.name && title != ''"),
            "posts/*",
            ["", "ann", "bob", "ann bob"],
        ),
        (json!("title = @request.auth.name"), "posts/*", ["", "ann", "bob", "ann bob"]),
        (
            json!("room.posts_via_room.n ?= 1"),
            "posts/*",
            ["ann bob", "ann bob", "ann bob", "ann bob"],
        ),
        (json!("room.posts_via_room.n ?= 7"), "posts/*", ["", "", "", "ann bob"]),
        (
            json!("@request.context = 'realtime' && @request.method = 'GET'"),
            "posts/*",
            ["ann bob", "ann bob", "ann bob", "ann bob"],
        ),
        (
            json!("@request.query.room = room.title && @request.headers.x_token = 't1'"),
            &by_query,
            ["ann bob", "ann bob", "ann bob", "ann bob"],
        ),
        (json!("@request.query.room = room.title"), "posts/*", ["", "", "", "ann bob"]),
        (json!(""), &filter("title = 'bob'"), ["bob", "bob", "bob", "bob"]),
        (json!(""), &filter("owner.name = 'ann'"), ["", "ann", "", ""]),
        (json!(""), &filter("secret = ''"), ["", "", "", ""]),
        (json!(""), &filter("@request.auth.id != ''"), ["", "", "", "ann bob"]),
        (json!(""), &filter("not a filter"), ["", "", "", ""]),
        (json!(""), "Posts/*", ["", "", "", ""]),
    ] {
        house.write("PATCH", "posts", &json!({"listRule": rule}));
        mark += 1;
        let title = format!("mark{mark}");
        let mut streams = [
            open("", &[topic]),
            open(&ann, &[topic]),
            open(&bob, &[topic]),
            open(&house.root, &[topic]),
        ];
        let ids = [("ann", &ann_id), ("bob", &bob_id)].map(|(name, owner)| {
            house.create("posts", &json!({"title": name, "n": 1, "owner": owner, "room": room}))
        });
        house.mark(&title);
        for (stream, want) in streams.iter_mut().zip([guest, of_ann, of_bob, of_root]) {
            let want: Vec<String> =
                want.split_whitespace().map(|name| format!("create {name}")).collect();
            assert_eq!(stream.until(&title), want, "{rule} {topic}");
        }
        for id in ids {
            house.write("DELETE", &format!("posts/records/{id}"), &Value::Null);
        }
    }
}

#[test]
fn updates_and_deletions() {
    let house = House::new();
    house.posts(&json!("n > 0"), &json!(""));
    let id = house.create("posts", &json!({"title": "p", "n": 1}));
    let mut all = Stream::open(&house.server);
    all.subscribe(&house.server, "", &["posts/*", "marks"]);
    let mut one = Stream::open(&house.server);
    let by_id = format!("{}/{id}", house.id_of("posts"));
    one.subscribe(&house.server, "", &[&by_id, "marks"]);
    let path = format!("posts/records/{id}");
    house.write("PATCH", &path, &json!({"title": "q"}));
    // leaves the list rule, not the view rule
    house.write("PATCH", &path, &json!({"title": "r", "n": 0}));
    house.write("PATCH", &path, &json!({"title": "s", "n": 2}));
    house.write("DELETE", &path, &Value::Null);
    house.create("posts", &json!({"title": "other", "n": 1}));
    house.mark("end");
    assert_eq!(all.until("end"), ["update q", "update s", "delete s", "create other"]);
    assert_eq!(one.until("end"), ["update q", "update r", "update s", "delete s"]);
    // a full set each time
    one.subscribe(&house.server, "", &["marks"]);
    all.subscribe(&house.server, "", &["marks"]);
    house.create("posts", &json!({"title": "unheard", "n": 1}));
    house.mark("end2");
    assert_eq!((all.until("end2"), one.until("end2")), (vec![], vec![]));
}

#[test]
fn deletions_are_judged_before_the_row_is_gone() {
    let house = House::new();
    let rooms = house.id_of("rooms");
    let fields = json!([{"name": "title", "type": "text"},
        {"name": "room", "type": "relation", "collectionId": rooms, "maxSelect": 1, "cascadeDelete": true}]);
    house.collection("seats", "room.title = 'red'", &fields);
    let room = house.create("rooms", &json!({"title": "red"}));
    house.create("seats", &json!({"title": "s1", "room": room}));
    let mut stream = Stream::open(&house.server);
    let expanded = format!("seats/*{}", options(&json!({"expand": "room"})));
    stream.subscribe(&house.server, "", &[&expanded, "rooms", "marks"]);
    house.write("DELETE", &format!("rooms/records/{room}"), &Value::Null);
    let first = stream.next().expect("the cascade first");
    assert_eq!(first.brief(), "delete s1", "judged by what was there");
    assert_eq!(first.data["record"]["expand"], json!({}), "the room has gone");
    assert_eq!(stream.next().expect("then the room").brief(), "delete red");
    let room = house.create("rooms", &json!({"title": "red"}));
    let seats =
        ["s2", "s3"].map(|title| house.create("seats", &json!({"title": title, "room": room})));
    for brief in ["create red", "create s2", "create s3"] {
        assert_eq!(stream.next().expect("an event").brief(), brief);
    }
    house.write("DELETE", &format!("seats/records/{}", seats[0]), &Value::Null);
    let second = stream.next().expect("a seat");
    assert_eq!(second.data["record"]["expand"]["room"]["title"], "red");
    let change = |method: &str, path: String, body: Value| json!({"method": method, "url": format!("/api/collections/{path}"), "body": body});
    house.batch(&json!([
        change("PATCH", format!("rooms/records/{room}"), json!({"title": "blue"})),
        change("DELETE", format!("seats/records/{}", seats[1]), json!({})),
    ]));
    assert_eq!(stream.next().expect("the room").brief(), "update blue");
    let third = stream.next().expect("a seat of what was a red room");
    assert_eq!(third.brief(), "delete s3");
    assert_eq!(
        third.data["record"]["expand"]["room"]["title"], "blue",
        "as the transaction sees it"
    );
    // what is rolled back is not announced
    let fields = json!([{"name": "need", "type": "relation", "collectionId": rooms, "maxSelect": 1, "required": true}]);
    house.collection("needs", "", &fields);
    let room = house.create("rooms", &json!({"title": "kept"}));
    house.create("needs", &json!({"need": room}));
    let path = format!("/api/collections/rooms/records/{room}");
    assert_eq!(house.server.send("DELETE", &path, &house.root, &Value::Null).status, 400);
    house.mark("end");
    assert_eq!(stream.until("end"), ["create kept"]);
}

/// What came before the mark: briefly, and only the id of what has left.
fn news(stream: &mut Stream, mark: &str) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let event = stream.next().expect("an event");
        if event.brief().ends_with(&format!(" {mark}")) {
            return seen;
        }
        if event.data["action"] == "leave" {
            let id = event.data["record"]["id"].clone();
            assert_eq!(
                event.data,
                json!({"action": "leave", "record": {"id": id}}),
                "no more than the id"
            );
            seen.push(format!("leave {}", id.as_str().expect("an id")));
        } else {
            seen.push(event.brief());
        }
    }
}

#[test]
fn records_that_leave_are_told_to_those_who_saw_them_and_ask() {
    let house = House::new();
    let (ann_id, ann) = house.user("ann");
    let (bob_id, bob) = house.user("bob");
    house.posts(&json!(""), &json!(""));
    let room = house.create("rooms", &json!({"title": "red"}));
    let other = house.create("rooms", &json!({"title": "blue"}));
    let asking =
        |query: &Value| format!("posts/*{}", encoded(&json!({"query": query, "leave": true})));
    let by_query = format!("posts/*{}", encoded(&json!({"query": {"leave": true}})));
    let no = json!({});
    let mut mark = 0;
    for (rule, topic, change, [guest, of_ann, of_bob, of_root]) in [
        // the rule
        (json!("n > 0"), asking(&no), json!({"n": 0}), ["leave", "leave", "leave", "update p"]),
        (json!("n > 0"), by_query, json!({"n": 0}), ["leave", "leave", "leave", "update p"]),
        (json!("n > 0"), "posts/*".into(), json!({"n": 0}), ["", "", "", "update p"]),
        (
            json!("n > 0"),
            asking(&no),
            json!({"n": 7}),
            ["update p", "update p", "update p", "update p"],
        ),
        (json!("n > 5"), asking(&no), json!({"n": 0}), ["", "", "", "update p"]),
        (json!("n = '1'"), asking(&no), json!({"n": 0}), ["leave", "leave", "leave", "update p"]),
        (json!("n > '9'"), asking(&no), json!({"title": "q"}), ["", "", "", "update q"]),
        (json!(null), asking(&no), json!({"n": 0}), ["", "", "", "update p"]),
        // who asks
        (
            json!("owner = @request.auth.id"),
            asking(&no),
            json!({"owner": bob_id}),
            ["", "leave", "update p", "update p"],
        ),
        (
            json!("owner.name = @request.auth.name"),
            asking(&no),
            json!({"owner": bob_id}),
            ["", "leave", "update p", "update p"],
        ),
        (
            json!("owner = @request.auth.id"),
            asking(&no),
            json!({"owner": ""}),
            ["update p", "leave", "", "update p"],
        ),
        // other rows
        (
            json!("room.title = 'red'"),
            asking(&no),
            json!({"room": other}),
            ["leave", "leave", "leave", "update p"],
        ),
        (
            json!("room.title = 'blue'"),
            asking(&no),
            json!({"room": other}),
            ["update p", "update p", "update p", "update p"],
        ),
        (
            json!("room.title = 'green' || n = 3"),
            asking(&no),
            json!({"room": other}),
            ["", "", "", "update p"],
        ),
        (
            json!("n = 1 && room.posts_via_room.id ?!= ''"),
            asking(&no),
            json!({"n": 2}),
            ["leave", "leave", "leave", "update p"],
        ),
        (
            json!("n = '1' && room.title = 'red'"),
            asking(&no),
            json!({"n": 2}),
            ["leave", "leave", "leave", "update p"],
        ),
        (
            json!("n > '9' && room.title = 'red'"),
            asking(&no),
            json!({"n": 2}),
            ["", "", "", "update p"],
        ),
        // the filter
        (
            json!(""),
            asking(&json!({"filter": "title = 'p'"})),
            json!({"title": "q"}),
            ["leave", "leave", "leave", "leave"],
        ),
        (
            json!(""),
            asking(&json!({"filter": "title = 'p'"})),
            json!({"n": 4}),
            ["update p", "update p", "update p", "update p"],
        ),
        (
            json!(""),
            asking(&json!({"filter": "title = 'z'"})),
            json!({"title": "q"}),
            ["", "", "", ""],
        ),
        (
            json!(""),
            asking(&json!({"filter": "secret = ''"})),
            json!({"title": "q"}),
            ["", "", "", ""],
        ),
        (
            json!(""),
            asking(&json!({"filter": "not a filter"})),
            json!({"title": "q"}),
            ["", "", "", ""],
        ),
        (
            json!("owner = @request.auth.id"),
            asking(&json!({"filter": "title = 'p'"})),
            json!({"title": "q"}),
            ["", "leave", "", "leave"],
        ),
        (
            json!(""),
            asking(&json!({"filter": "title = 'p'", "fields": "title", "expand": "room"})),
            json!({"title": "q"}),
            ["leave", "leave", "leave", "leave"],
        ),
    ] {
        house.write("PATCH", "posts", &json!({"listRule": rule}));
        mark += 1;
        let title = format!("mark{mark}");
        let mut streams = ["", &ann, &bob, &house.root].map(|token| {
            let stream = Stream::open(&house.server);
            stream.subscribe(&house.server, token, &["marks", &topic]);
            stream
        });
        let id =
            house.create("posts", &json!({"title": "p", "n": 1, "owner": ann_id, "room": room}));
        house.mark("made");
        house.write("PATCH", &format!("posts/records/{id}"), &change);
        house.mark(&title);
        for (stream, want) in streams.iter_mut().zip([guest, of_ann, of_bob, of_root]) {
            news(stream, "made");
            let want = match want {
                "" => vec![],
                "leave" => vec![format!("leave {id}")],
                update => vec![update.to_owned()],
            };
            assert_eq!(news(stream, &title), want, "{rule} {topic} {change}");
        }
        house.write("DELETE", &format!("posts/records/{id}"), &Value::Null);
    }
}

/// What nobody but the transaction saw does not leave.
#[test]
fn records_leave_with_the_transaction_that_takes_them() {
    let house = House::new();
    house.posts(&json!("n > 0"), &json!("n > 0"));
    let id = house.create("posts", &json!({"title": "p", "n": 1}));
    let leave = encoded(&json!({"leave": true}));
    let mut stream = Stream::open(&house.server);
    stream.subscribe(&house.server, "", &["marks", &format!("posts{leave}")]);
    let mut one = Stream::open(&house.server);
    one.subscribe(&house.server, "", &["marks", &format!("posts/{id}{leave}")]);
    let change = |method: &str, id: &str, body: Value| json!({"method": method, "url": format!("/api/collections/posts/records{id}"), "body": body});
    let path = format!("/{id}");
    let new = "a".repeat(15);
    let new_path = format!("/{new}");
    for (requests, want) in [
        (
            json!([
                change("PATCH", &path, json!({"n": 0})),
                change("PATCH", &path, json!({"n": 2}))
            ]),
            vec!["update p"; 2],
        ),
        (
            json!([
                change("POST", "", json!({"id": new, "n": 1})),
                change("PATCH", &new_path, json!({"n": 0}))
            ]),
            vec![],
        ),
        // seen for a moment inside
        (
            json!([
                change("PATCH", &new_path, json!({"n": 1})),
                change("PATCH", &new_path, json!({"n": 0}))
            ]),
            vec![],
        ),
        (
            json!([
                change("PATCH", &path, json!({"n": 3})),
                change("PATCH", &path, json!({"n": 0}))
            ]),
            vec!["leave"],
        ),
        (json!([change("PATCH", &path, json!({"n": 3}))]), vec!["update p"]),
        (
            json!([change("PATCH", &path, json!({"n": 0})), change("DELETE", &path, json!({}))]),
            vec!["leave", "delete p"],
        ),
    ] {
        house.batch(&requests);
        house.mark("end");
        let want: Vec<String> =
            want.iter().map(|w| w.replace("leave", &format!("leave {id}"))).collect();
        assert_eq!(news(&mut stream, "end"), want, "{requests}");
        assert_eq!(news(&mut one, "end"), want, "{requests}");
    }
}

#[test]
fn what_a_subscriber_may_see() {
    let house = House::new();
    house.posts(&json!(""), &json!(""));
    let (ann_id, ann) = house.user("ann");
    house.write("PATCH", "users", &json!({"listRule": "", "viewRule": ""}));
    let topic = format!("posts/*{}", options(&json!({"expand": "owner"})));
    let [mut guest, mut own, mut root] = ["", &ann, &house.root].map(|token| {
        let stream = Stream::open(&house.server);
        stream.subscribe(&house.server, token, &[&topic]);
        stream
    });
    house.create("posts", &json!({"title": "a", "secret": "s", "owner": ann_id}));
    for (stream, secret, email) in
        [(&mut guest, false, false), (&mut own, false, true), (&mut root, true, true)]
    {
        let event = stream.next().expect("an event");
        let record = &event.data["record"];
        assert_eq!(record.get("secret").is_some(), secret, "{record}");
        assert_eq!(record["expand"]["owner"].get("email").is_some(), email, "{record}");
        assert!(event.data.to_string().find("tokenKey").is_none());
    }
}

/// Knowing a client's id is not enough: subscriptions come from where its stream ends.
#[test]
fn subscriptions_come_from_the_address_of_the_stream() {
    let house = House::new();
    let proxy = json!({"trustedProxy": {"headers": ["X-Real-IP"], "useLeftmostIP": false}});
    ok(&house.server.send("PATCH", "/api/settings", &house.root, &proxy));
    let stream = Stream::open(&house.server);
    let body = json!({"clientId": stream.id, "subscriptions": ["posts/*"]}).to_string();
    for (address, status) in [("9.9.9.9", "400"), ("127.0.0.1", "204"), ("9.9.9.9", "400")] {
        let mut socket =
            TcpStream::connect(("127.0.0.1", house.server.port)).expect("a connection");
        let request = format!(
            "POST /api/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Real-IP: {address}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer.split(' ').nth(1), Some(status), "{address}: {answer}");
        assert_eq!(answer.contains("Invalid realtime client."), status == "400");
    }
}

#[test]
fn auth_follows_its_record() {
    let house = House::new();
    house.posts(&json!("title = @request.auth.name"), &json!(""));
    let (id, token) = house.user("ann");
    let mut stream = Stream::open(&house.server);
    // guest first, then signed in
    stream.subscribe(&house.server, "", &["posts/*", "marks"]);
    house.create("posts", &json!({"title": "ann"}));
    stream.subscribe(&house.server, &token, &["posts/*", "marks"]);
    house.create("posts", &json!({"title": "ann"}));
    house.mark("m1");
    assert_eq!(stream.until("m1"), ["create ann"]);
    let user = format!("users/records/{id}");
    house.write("PATCH", &user, &json!({"name": "eve"}));
    house.create("posts", &json!({"title": "eve"}));
    house.mark("m2");
    assert_eq!(stream.until("m2"), ["create eve"], "the new state of the record counts");
    // another password: all tokens are void, the client is a guest and may sign in again
    let password = json!({"password": "another-one", "passwordConfirm": "another-one"});
    house.write("PATCH", &user, &password);
    house.create("posts", &json!({"title": "eve"}));
    house.mark("m3");
    assert_eq!(stream.until("m3"), Vec::<String>::new());
    let (bob_id, bob) = house.user("bob");
    stream.subscribe(&house.server, &bob, &["posts/*", "marks"]);
    house.create("posts", &json!({"title": "bob"}));
    house.write("DELETE", &format!("users/records/{bob_id}"), &Value::Null);
    house.create("posts", &json!({"title": "bob"}));
    house.mark("m4");
    assert_eq!(stream.until("m4"), ["create bob"]);
    // a new secret for the collection
    let (_, cat) = house.user("cat");
    stream.subscribe(&house.server, &cat, &["posts/*", "marks"]);
    house.write(
        "PATCH",
        "users",
        &json!({"authToken": {"secret": "x".repeat(40), "duration": 1000}}),
    );
    house.create("posts", &json!({"title": "cat"}));
    house.mark("m5");
    assert_eq!(stream.until("m5"), Vec::<String>::new());
}

#[test]
fn batches_announce_what_was_committed() {
    let house = House::new();
    house.write("PATCH", "marks", &json!({"createRule": ""}));
    let settings = json!({"batch": {"enabled": true, "maxRequests": 50, "timeout": 3}});
    ok(&house.server.send("PATCH", "/api/settings", &house.root, &settings));
    let mut stream = Stream::open(&house.server);
    stream.subscribe(&house.server, "", &["marks"]);
    let item =
        |title: &str, url: &str| json!({"method": "POST", "url": url, "body": {"title": title}});
    let url = "/api/collections/marks/records";
    let bad = json!({"requests": [item("lost", url), item("x", "/api/collections/nope/records")]});
    assert!(house.server.send("POST", "/api/batch", &house.root, &bad).status >= 400);
    let good =
        json!({"requests": (0..20).map(|i| item(&format!("b{i}"), url)).collect::<Vec<_>>()});
    ok(&house.server.send("POST", "/api/batch", &house.root, &good));
    let want: Vec<String> = (0..19).map(|i| format!("create b{i}")).collect();
    assert_eq!(stream.until("b19"), want, "in order");
}

#[test]
fn a_client_that_does_not_read_hurts_nobody() {
    let house = House::new();
    let slow = Stream::open(&house.server);
    slow.subscribe(&house.server, "", &["marks"]);
    let mut quick = Stream::open(&house.server);
    quick.subscribe(&house.server, "", &["marks"]);
    house.write(
        "PATCH",
        "marks",
        &json!({"fields": [{"name": "title", "type": "text", "max": 1_000_000}]}),
    );
    let text = "x".repeat(900_000);
    for _ in 0..40 {
        house.mark(&text);
        assert!(quick.next().is_some());
    }
    let dropped = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        post(&house.server, "", &json!({"clientId": slow.id})).status == 404
    });
    assert!(dropped, "the slow client is gone");
    assert_eq!(post(&house.server, "", &json!({"clientId": quick.id})).status, 204);
    // whoever comes back gets a new id
    let again = Stream::open(&house.server);
    assert_ne!(again.id, slow.id);
}

#[cfg(unix)]
#[test]
fn streams_end_with_the_server() {
    let house = House::new();
    let mut stream = Stream::open(&house.server);
    let killed = std::process::Command::new("kill").arg(house.server.pid().to_string()).status();
    assert!(killed.expect("kill").success());
    assert!(stream.next().is_none(), "the stream ends as it should: with an empty chunk");
}
