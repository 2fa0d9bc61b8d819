//! How long events take to reach many subscribers whose rule depends on who they are.
//! `realtime_fanout BINARY [SUBSCRIBERS [WRITES]]` starts the executable on a directory of its own.
//!
//! Prints the percentiles of "write sent → event read", what the writes themselves took, and the CPU time of the server per
//! delivered event, the writes included. The budget: p99 ≤ 250 ms at 2,000 subscribers, 8 µs per event.
//!
//! `realtime_fanout BINARY --idle N` opens N streams that nothing happens on and prints the server's memory before, with and
//! after them. The budget: 200 MiB with 10,000. CPU time and memory come from `/proc`: Linux only.

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::{
    io::{Error, Result},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

const PORT: u16 = 18_177;
const EMAIL: &str = "root@example.com";
const PASSWORD: &str = "1234567890";
/// Longest wait for the last event.
const PATIENCE: Duration = Duration::from_secs(120);

struct Server {
    child: Child,
    dir: std::path::PathBuf,
}

impl Server {
    fn start(binary: &str) -> Result<Self> {
        let dir = std::env::temp_dir().join(format!("realtime_fanout-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let data = dir.join("pb_data");
        let superuser = ["superuser", "upsert", EMAIL, PASSWORD, "--dir"];
        Command::new(binary).args(superuser).arg(&data).stdout(Stdio::null()).status()?;
        let address = format!("127.0.0.1:{PORT}");
        let child = Command::new(binary)
            .args(["serve", "--http", &address, "--dir"])
            .arg(&data)
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child, dir })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nothing to be done about what cannot be cleaned up
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// One request on a connection of its own.
async fn request(method: &str, path: &str, token: &str, body: &Value) -> Result<Value> {
    let mut socket = TcpStream::connect(("127.0.0.1", PORT)).await?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or("");
    if !status.starts_with('2') {
        return Err(Error::other(format!("{method} {path}: {answer}")));
    }
    let (start, end) = (answer.find('{'), answer.rfind('}'));
    Ok(start
        .zip(end)
        .and_then(|(s, e)| serde_json::from_str(&answer[s..=e]).ok())
        .unwrap_or_default())
}

impl Server {
    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }

    /// CPU time so far, in the kernel's unit of 10 ms.
    fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        let ticks: u64 = fields.take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    fn resident(&self) -> String {
        let status = self.proc("status");
        let lines = status.lines().filter(|line| line.contains("Rss") || line.contains("VmRSS"));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "  ").collect()
    }
}

/// Memory without, with and after many streams that nobody writes to.
async fn idle(server: &Server, n: usize) -> Result<()> {
    println!("before        {}", server.resident());
    let mut streams = Vec::with_capacity(n);
    for _ in 0..n {
        streams.push(connect().await?);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("{n:6} streams {}", server.resident());
    drop(streams);
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("after         {}", server.resident());
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads one client's stream; reports the number in each event with the time it came.
async fn listen(
    mut socket: TcpStream,
    mut tail: String,
    seen: mpsc::UnboundedSender<(usize, Instant)>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        while let Some(end) = tail.find("\n\n") {
            let number = tail[..end]
                .split("\"n\":")
                .nth(1)
                .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
            if let Some(number) = number {
                let _ = seen.send((number, Instant::now()));
            }
            tail.drain(..end + 2);
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(n) => tail.push_str(&String::from_utf8_lossy(&buffer[..n])),
        }
    }
}

/// A stream that was greeted, and its client's id.
async fn connect() -> Result<(TcpStream, String)> {
    let mut socket = TcpStream::connect(("127.0.0.1", PORT)).await?;
    socket.write_all(b"GET /api/realtime HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    let (mut head, mut buffer) = (String::new(), [0; 4096]);
    let id = loop {
        let n = socket.read(&mut buffer).await?;
        head.push_str(&String::from_utf8_lossy(&buffer[..n]));
        let id = head.split("\"clientId\":\"").nth(1).and_then(|rest| rest.split_once('"'));
        if let Some((id, _)) = id.filter(|_| head.contains("\n\n")) {
            break id.to_owned();
        }
        if n == 0 {
            return Err(Error::other("no PB_CONNECT"));
        }
    };
    Ok((socket, id))
}

/// Connects and subscribes as a user.
async fn subscriber(token: &str, seen: mpsc::UnboundedSender<(usize, Instant)>) -> Result<()> {
    let (socket, id) = connect().await?;
    let body = json!({"clientId": id, "subscriptions": ["news/*"]});
    request("POST", "/api/realtime", token, &body).await?;
    tokio::spawn(listen(socket, String::new(), seen));
    Ok(())
}

/// Users of different levels; news is for those who have reached its level.
async fn seed(root: &str, subscribers: usize) -> Result<Vec<String>> {
    let level = json!({"fields": [{"name": "level", "type": "number"}]});
    let users = request("GET", "/api/collections/users", root, &Value::Null).await?;
    let mut fields = users["fields"].as_array().cloned().unwrap_or_default();
    fields.extend(level["fields"].as_array().cloned().unwrap_or_default());
    request("PATCH", "/api/collections/users", root, &json!({"fields": fields})).await?;
    let news = json!({"name": "news", "type": "base", "createRule": "",
        "listRule": "@request.auth.id != '' && level <= @request.auth.level",
        "fields": [{"name": "n", "type": "number"}, {"name": "level", "type": "number"}]});
    request("POST", "/api/collections", root, &news).await?;
    let mut tokens = Vec::new();
    for i in 0..subscribers {
        let body = json!({"email": format!("u{i}@example.com"), "password": PASSWORD,
            "passwordConfirm": PASSWORD, "level": 5 + i % 5});
        let made = request("POST", "/api/collections/users/records", root, &body).await?;
        let path = format!("/api/collections/users/impersonate/{}", text(&made["id"]));
        let found = request("POST", &path, root, &json!({"duration": 86_400})).await?;
        tokens.push(text(&found["token"]));
    }
    Ok(tokens)
}

fn percentiles(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    println!(
        "{name:28} n {:8}  p50 {:8.2?}  p90 {:8.2?}  p99 {:8.2?}  max {:8.2?}",
        times.len(),
        at(50),
        at(90),
        at(99),
        times.last().copied().unwrap_or_default()
    );
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let usage =
        || Error::other("usage: realtime_fanout BINARY [SUBSCRIBERS [WRITES]] or BINARY --idle N");
    let binary = args.next().ok_or_else(usage)?;
    let mut args = args.peekable();
    let is_idle = args.next_if(|arg| arg == "--idle").is_some();
    let mut number =
        |default| args.next().map_or(Ok(default), |arg| arg.parse().map_err(|_| usage()));
    let (subscribers, writes): (usize, usize) = (number(2000)?, number(50)?);
    let server = Server::start(&binary)?;
    while TcpStream::connect(("127.0.0.1", PORT)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if is_idle {
        return idle(&server, subscribers).await;
    }
    let login = json!({"identity": EMAIL, "password": PASSWORD});
    let found =
        request("POST", "/api/collections/_superusers/auth-with-password", "", &login).await?;
    let tokens = seed(&text(&found["token"]), subscribers).await?;
    let (seen, mut events) = mpsc::unbounded_channel();
    for token in &tokens {
        subscriber(token, seen.clone()).await?;
    }
    let before = server.cpu();
    let (mut sent, mut took) = (Vec::new(), Vec::new());
    for n in 0..writes {
        let start = Instant::now();
        sent.push(start);
        let body = json!({"n": n, "level": 5});
        request("POST", "/api/collections/news/records", "", &body).await?;
        took.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut times = Vec::with_capacity(subscribers * writes);
    while times.len() < subscribers * writes {
        match tokio::time::timeout(PATIENCE, events.recv()).await {
            Ok(Some((n, at))) => times.extend(sent.get(n).map(|start| at.duration_since(*start))),
            Ok(None) | Err(_) => break,
        }
    }
    let lost = subscribers * writes - times.len();
    let per_event = (server.cpu() - before) / u32::try_from(times.len()).unwrap_or(1).max(1);
    percentiles("write to event", times);
    percentiles("write to answer", took);
    println!("server CPU per event {per_event:.2?}, lost {lost}");
    Ok(())
}
