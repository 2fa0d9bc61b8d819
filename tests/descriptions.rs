//! `/api/openapi.json` and `/api/types`: the document in a public validator, the TypeScript types in the official SDK's, the
//! Rust types in cargo. Without node and npm the first two say so and pass, but never in CI (`CI` set).

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::Server;

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
}

/// Every field type, and names that are nobody's friends.
fn seed(server: &Server, token: &str) {
    let make = |body: Value| {
        let made = server.send("POST", "/api/collections", token, &body);
        assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
        made.json()["id"].clone()
    };
    let people = make(json!({"name": "people", "type": "auth", "fields": [
        {"name": "role", "type": "select", "values": ["self", "none", "other", "1st"], "maxSelect": 1},
        {"name": "secret_note", "type": "text", "hidden": true}]}));
    let posts = make(
        json!({"name": "posts", "type": "base", "listRule": "", "viewRule": "author = @request.auth.id", "fields": [
        {"name": "title", "type": "text", "required": true, "help": "What it */ is\nabout"},
        {"name": "views", "type": "number"}, {"name": "open", "type": "bool"},
        {"name": "body", "type": "editor"}, {"name": "link", "type": "url"}, {"name": "mail", "type": "email"},
        {"name": "at", "type": "date"}, {"name": "created", "type": "autodate", "onCreate": true},
        {"name": "status", "type": "select", "values": ["draft", "live"], "maxSelect": 1},
        {"name": "tags", "type": "select", "values": ["a b", "c\"d"], "maxSelect": 2},
        {"name": "cover", "type": "file", "maxSelect": 1}, {"name": "files", "type": "file", "maxSelect": 9},
        {"name": "author", "type": "relation", "collectionId": people, "maxSelect": 1},
        {"name": "readers", "type": "relation", "collectionId": people, "maxSelect": 9},
        {"name": "meta", "type": "json"}, {"name": "place", "type": "geoPoint"},
        {"name": "pin", "type": "password"},
        {"name": "type", "type": "text"}, {"name": "class", "type": "text"}, {"name": "async", "type": "text"},
        {"name": "is_not", "type": "bool"}, {"name": "isNot", "type": "bool"}, {"name": "9lives", "type": "text"}]}),
    );
    make(json!({"name": "comments", "type": "base", "fields": [
        {"name": "text", "type": "text"}, {"name": "post", "type": "relation", "collectionId": posts, "maxSelect": 1}]}));
    make(json!({"name": "postsCreate", "type": "base", "fields": []}));
    make(json!({"name": "string", "type": "base", "fields": [{"name": "self", "type": "text"}]}));
    make(json!({"name": "page", "type": "base", "fields": []}));
    make(
        json!({"name": "2nd", "type": "view", "viewQuery": "SELECT id, title, views * 2 AS twice FROM posts"}),
    );
}

fn described() -> (Server, String) {
    let server = Server::fresh(&[]);
    let token = server.superuser();
    seed(&server, &token);
    (server, token)
}

fn text(server: &Server, token: &str, path: &str) -> String {
    let answer = server.send("GET", path, token, &Value::Null);
    assert_eq!(answer.status, 200, "{path}");
    String::from_utf8(answer.body).expect("text")
}

fn run(dir: &Path, program: &str, args: &[&str]) {
    let out = Command::new(program).args(args).current_dir(dir).output().expect(program);
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{program} {args:?}\n{}{}", said(&out.stdout), said(&out.stderr));
}

#[test]
fn descriptions_are_for_superusers() {
    let (server, token) = described();
    for path in ["/api/openapi.json", "/api/types"] {
        assert_eq!(server.send("GET", path, "", &Value::Null).status, 401);
    }
    assert_eq!(server.send("GET", "/api/types?lang=cobol", &token, &Value::Null).status, 400);
    let few: Value =
        serde_json::from_str(&text(&server, &token, "/api/openapi.json?collections=comments"))
            .expect("JSON");
    assert!(few["paths"]["/api/collections/comments/records"]["post"].is_object());
    assert!(few["paths"]["/api/collections/posts/records"].is_null());
    assert!(
        few["components"]["schemas"]["Comments"]["properties"]["expand"].is_null(),
        "no types that are not there"
    );
}

#[test]
fn the_document_says_what_is() {
    let (server, token) = described();
    let document: Value =
        serde_json::from_str(&text(&server, &token, "/api/openapi.json")).expect("JSON");
    let of = |path: &str, method: &str| document["paths"][path][method].clone();
    let list = of("/api/collections/posts/records", "get");
    assert_eq!(
        (&list["description"], &list["security"]),
        (&json!("For everybody."), &json!([{}, {"token": []}]))
    );
    assert_eq!(
        of("/api/collections/posts/records/{id}", "get")["description"],
        "Rule: `author = @request.auth.id`"
    );
    assert_eq!(of("/api/collections/posts/records", "post")["security"], json!([{"token": []}]));
    assert!(of("/api/collections/2nd/records", "post").is_null(), "views are not written");
    assert!(of("/api/collections/people/auth-with-password", "post").is_object());
    assert!(of("/api/collections/posts/auth-with-password", "post").is_null());
    let schemas = &document["components"]["schemas"];
    let people = &schemas["People"]["properties"];
    assert!(people["password"].is_null() && people["tokenKey"].is_null(), "{people}");
    assert!(schemas["PeopleCreate"]["properties"]["password"].is_object());
    assert!(
        schemas["Page"]["properties"]["items"].is_object(),
        "a collection does not replace what is ours"
    );
    assert!(schemas["PageRecord"].is_object());
    // every reference leads somewhere
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(target) = map.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(&target[1..]).is_some(), "{target}");
                }
                map.values().for_each(|value| walk(value, document));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, document)),
            _ => {}
        }
    }
    walk(&document, &document);
}

#[test]
fn public_tools_read_them() {
    if !(has("node") && has("npm")) {
        assert!(std::env::var_os("CI").is_none(), "node and npm are needed in CI");
        println!("SKIPPED public_tools_read_them: node or npm is not installed");
        return;
    }
    let (server, token) = described();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/descriptions");
    for name in ["package.json", "package-lock.json", "openapi.mjs", "use.ts", "tsconfig.json"] {
        fs::copy(source.join(name), dir.path().join(name)).expect("a copy");
    }
    run(dir.path(), "npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    let write = |name: &str, path: &str| {
        fs::write(dir.path().join(name), text(&server, &token, path)).expect("written");
    };
    write("openapi.json", "/api/openapi.json");
    run(dir.path(), "node", &["openapi.mjs", "openapi.json"]);
    write("types.ts", "/api/types?lang=ts");
    run(dir.path(), "npx", &["--no-install", "tsc", "--project", "."]);
}

/// The types compile, and read what the server answers.
#[test]
fn rust_types_compile() {
    let (server, token) = described();
    let body = json!({"title": "x", "status": "live", "tags": ["a b", "c\"d"], "place": {"lon": 1.5, "lat": 2},
        "meta": {"a": [1]}, "views": 3, "9lives": "nine", "async": "big", "type": "small"});
    let made = server.send("POST", "/api/collections/posts/records", &token, &body);
    assert_eq!(made.status, 200, "{}", made.json());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(dir.path().join("src")).expect("a directory");
    let manifest = "[package]\nname = \"types\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
        serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n";
    fs::write(dir.path().join("Cargo.toml"), manifest).expect("written");
    // the versions that are here already
    fs::copy(root.join("Cargo.lock"), dir.path().join("Cargo.lock")).expect("a copy");
    fs::write(dir.path().join("src/types.rs"), text(&server, &token, "/api/types?lang=rust"))
        .expect("written");
    let record = text(&server, &token, "/api/collections/posts/records");
    fs::write(dir.path().join("page.json"), record).expect("written");
    let main = r#"
        mod types;
        use types::{Posts, PostsStatus, PostsTags};
        fn main() {
            let page: serde_json::Value = serde_json::from_str(include_str!("../page.json")).unwrap();
            let post: Posts = serde_json::from_value(page["items"][0].clone()).unwrap();
            assert_eq!(post.status, PostsStatus::Live);
            assert_eq!(post.tags, [PostsTags::AB, PostsTags::CD]);
            assert_eq!((post.place.lon, post.views, post.x9lives.as_str()), (1.5, 3.0, "nine"));
            assert_eq!(serde_json::from_str::<PostsStatus>("\"old\"").unwrap(), PostsStatus::Other("old".into()));
            assert_eq!(serde_json::from_str::<PostsStatus>("\"\"").unwrap(), PostsStatus::None);
        }
    "#;
    fs::write(dir.path().join("src/main.rs"), main).expect("written");
    let target = root.join("target/types-of-the-api");
    let args = ["run", "--quiet", "--offline", "--target-dir", target.to_str().expect("text")];
    run(dir.path(), env!("CARGO"), &args);
}
