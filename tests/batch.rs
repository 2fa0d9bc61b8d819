//! Batches as large as the settings allow, over HTTP and inside bound hooks: depth is not a way to end the process.

use std::time::Duration;

use pocketbase::{App, Record, ServeOptions};
use serde_json::{Value, json};

use crate::support::{Answer, Client, EMAIL, PASSWORD, Server, free_port};

const ITEMS: usize = 1000;
/// Hooks inside hooks: far more than a stack holds, few enough for an unoptimized build beside other tests.
const DEEP: usize = 400;
const URL: &str = "/api/collections/things/records";

fn send(port: u16, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let mut client = Client::connect(port).expect("connect");
    let body = body.to_string().into_bytes();
    client.send(method, path, token, "application/json", &body).expect("an answer")
}

fn prepare(port: u16, n_items: usize) -> String {
    let login = json!({"identity": EMAIL, "password": PASSWORD});
    let path = "/api/collections/_superusers/auth-with-password";
    let token =
        send(port, "POST", path, "", &login).json()["token"].as_str().expect("a token").to_owned();
    let body = json!({"name": "things", "type": "base", "createRule": "", "listRule": "",
        "fields": [{"name": "n", "type": "number"}]});
    assert_eq!(send(port, "POST", "/api/collections", &token, &body).status, 200);
    set(port, &token, n_items, 60);
    token
}

fn set(port: u16, token: &str, most: usize, timeout: u64) {
    let body = json!({"batch": {"enabled": true, "maxRequests": most, "timeout": timeout}});
    assert_eq!(send(port, "PATCH", "/api/settings", token, &body).status, 200);
}

fn creates(n: usize) -> Vec<Value> {
    (0..n).map(|n| json!({"method": "POST", "url": URL, "body": {"n": n}})).collect()
}

fn total(port: u16) -> Value {
    send(port, "GET", &format!("{URL}?perPage=1"), "", &Value::Null).json()["totalItems"].clone()
}

/// All of a large batch, none of one whose last item fails, nothing of one that is too large.
fn all_or_nothing(port: u16, n_items: usize) {
    let batch =
        |items: Vec<Value>| send(port, "POST", "/api/batch", "", &json!({ "requests": items }));
    let done = batch(creates(n_items));
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    let answers = done.json();
    let answers = answers.as_array().expect("answers");
    assert_eq!(answers.len(), n_items);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!((&answer["status"], &answer["body"]["n"]), (&json!(200), &json!(n)));
    }
    assert_eq!(total(port), n_items);
    let mut items = creates(n_items);
    items[n_items - 1]["url"] = json!("/api/collections/nothing/records");
    let failed = batch(items);
    assert_eq!(failed.status, 400);
    let place = (n_items - 1).to_string();
    assert_eq!(failed.json()["data"]["requests"][place]["code"], "batch_request_failed");
    assert_eq!(total(port), n_items, "all or nothing");
    let refused = batch(creates(n_items + 1));
    assert_eq!(refused.json()["data"]["requests"]["code"], "validation_length_too_long");
}

#[test]
fn a_thousand_items() {
    let server = Server::fresh(&[]);
    prepare(server.port, ITEMS);
    all_or_nothing(server.port, ITEMS);
}

/// With a request hook bound, each item runs inside the hook of the one before: hundreds deep, also when time runs
/// out at the bottom and everything is dropped at once.
#[test]
fn many_items_inside_hooks() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = free_port();
    let data = dir.path().join("pb_data");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (up, is_up) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let app = App::builder().data_dir(data).build().expect("an app");
            app.bootstrap().await.expect("opened");
            let superusers = app.find_collection("_superusers").await.expect("superusers");
            let root = Record::new(&superusers);
            app.save(root.set_email(EMAIL).set_password(PASSWORD)).await.expect("a superuser");
            app.on_record_create_request(()).bind(|event| async move {
                if event.record().get_float("n") < 0.0 {
                    tokio::time::sleep(Duration::from_secs(600)).await;
                }
                event.next().await
            });
            let options = ServeOptions::at(format!("127.0.0.1:{port}"));
            let until = async {
                // a test that ends early ends the server, too
                let _ = stopped.await;
            };
            let started = move |_| up.send(()).expect("somebody waits");
            let _ended = app.serve(options, until, started).await.expect("served");
        });
    });
    is_up.recv_timeout(Duration::from_secs(60)).expect("the server listens");
    let token = prepare(port, DEEP);
    all_or_nothing(port, DEEP);
    set(port, &token, DEEP, 8);
    let mut items = creates(DEEP);
    items[DEEP - 1]["body"]["n"] = json!(-1);
    let late = send(port, "POST", "/api/batch", "", &json!({ "requests": items }));
    assert_eq!(late.status, 400, "{}", String::from_utf8_lossy(&late.body));
    assert_eq!(total(port), DEEP, "nothing of a batch that took too long");
    drop(stop);
    server.join().expect("the server ends as it should");
}
