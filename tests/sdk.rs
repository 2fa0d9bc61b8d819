//! The official JavaScript SDK against the executable: `tests/sdk/run.mjs`, run by node.
//!
//! Without node and npm the test says so and passes, but never in CI (`CI` set). A small HTTP door hands mails of the SMTP
//! sink to the script.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{EMAIL, PASSWORD, Server, smtp::Sink};

/// Longest wait for a mail.
const PATIENCE: Duration = Duration::from_secs(20);

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
}

#[test]
fn official_sdk() {
    if !(has("node") && has("npm")) {
        assert!(std::env::var_os("CI").is_none(), "node and npm are needed in CI");
        println!("SKIPPED official_sdk: node or npm is not installed");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    for name in ["package.json", "package-lock.json", "run.mjs"] {
        fs::copy(source.join(name), dir.path().join(name)).expect("a copy");
    }
    let npm = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(dir.path())
        .output()
        .expect("npm");
    assert!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));

    let sink = Sink::start();
    let server = Server::fresh(&[]);
    let settings = json!({"smtp": sink.settings()});
    let set = server.send("PATCH", "/api/settings", &server.superuser(), &settings);
    assert_eq!(set.status, 200);
    let door = mail_door(sink);
    let done = Command::new("node")
        .args(["run.mjs", &format!("http://127.0.0.1:{}", server.port), EMAIL, PASSWORD])
        .arg(format!("http://127.0.0.1:{door}"))
        .current_dir(dir.path())
        .output()
        .expect("node");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    println!("{said}");
}

/// `GET /?to=…&subject=…` answers the HTML of the newest mail not asked for before.
fn mail_door(sink: Sink) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut given = Vec::new();
        for stream in listener.incoming().flatten() {
            // A script that goes away ends the test by itself.
            let _ = answer(&stream, &sink, &mut given);
        }
    });
    port
}

fn answer(stream: &TcpStream, sink: &Sink, given: &mut Vec<usize>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream);
    while lines.read_line(&mut head)? > 2 {}
    let query = head.split([' ', '?']).nth(2).unwrap_or_default().to_owned();
    let value = |key: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{key}=")));
        found.unwrap_or_default().replace("%40", "@").replace('+', " ")
    };
    let (to, subject) = (value("to"), value("subject"));
    let end = Instant::now() + PATIENCE;
    let mut body = None;
    while body.is_none() && Instant::now() < end {
        let mails = sink.wait(0);
        let newest = mails.iter().enumerate().rev().find(|(at, mail)| {
            !given.contains(at)
                && mail.to.contains(&to)
                && mail.header("Subject").starts_with(&subject)
        });
        if let Some((at, mail)) = newest {
            given.push(at);
            body = Some(mail.part("text/html"));
        } else {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let (status, body) = body.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
