//! CPU per request: the gateway beside a plain proxy of hyper, both in front of the same upstream.
//!
//! `cargo bench -p gateway --bench cpu --locked [-- REQUESTS]` prints microseconds of CPU per request of both, and how they
//! compare; the figure to keep is 1.5 (issue 17). Each role is a process of its own, so that the figures of the kernel are
//! those of the role. The plain proxy is what hyper's client and server make without anything else: no rules, no hygiene, no
//! limits. Linux only.

#![allow(clippy::print_stdout, clippy::expect_used, clippy::unwrap_used, reason = "a measurement")]

use std::{
    convert::Infallible,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use pocketbase::{App, Record, ServeOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Connections that ask at a time.
const CLIENTS: usize = 8;
/// What the upstream answers.
const ANSWER: &[u8] = &[b'x'; 1024];

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n = args.get(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    match args.get(1).map_or("", String::as_str) {
        "upstream" => serve(None).await,
        "plain" => serve(Some(args[2].clone())).await,
        "gateway" => gateway(&args[2], &args[3]).await,
        _ => compare(n).await,
    }
}

async fn compare(n: usize) {
    let (_upstream, at) = start(&["upstream"]);
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().to_str().expect("a path");
    let mut figures = Vec::new();
    for role in ["plain", "gateway", "plain", "gateway"] {
        let (child, proxy) = start(&[role, &at, dir]);
        ask(&proxy, n / 10).await;
        let before = cpu(child.0.id());
        ask(&proxy, n).await;
        #[allow(clippy::cast_precision_loss, reason = "a figure")]
        let micros = (cpu(child.0.id()) - before).as_secs_f64() * 1e6 / n as f64;
        println!("{role}: {micros:.1} µs of CPU per request");
        figures.push(micros);
    }
    println!(
        "gateway / plain: {:.2} (1.5 at most)",
        (figures[1] + figures[3]) / (figures[0] + figures[2])
    );
}

struct Role(Child);

impl Drop for Role {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A role, and the address that it tells.
fn start(args: &[&str]) -> (Role, String) {
    let mut child = Command::new(std::env::current_exe().expect("the program"))
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    (Role(child), line.trim().to_owned())
}

fn tell(address: impl std::fmt::Display) {
    println!("{address}");
    std::io::stdout().flush().ok();
}

/// What a process has used, in ticks of a hundredth of a second.
fn cpu(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("Linux");
    let fields: Vec<&str> = text.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Asks `n` times over a few connections.
async fn ask(at: &str, n: usize) {
    let each = (0..CLIENTS).map(|_| {
        let at = at.to_owned();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(&at).await.expect("connect");
            stream.set_nodelay(true).expect("a socket");
            let head =
                "GET /-/x/a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: cpu\r\nAccept: */*\r\n\r\n";
            let mut answer = vec![0; 16 << 10];
            for _ in 0..n / CLIENTS {
                stream.write_all(head.as_bytes()).await.expect("write");
                let (mut have, mut want) = (0, usize::MAX);
                while have < want {
                    let n = stream.read(&mut answer[have..]).await.expect("read");
                    assert!(n > 0, "the connection ended");
                    have += n;
                    if let Some(end) = answer[..have].windows(4).position(|at| at == b"\r\n\r\n") {
                        assert!(
                            answer.starts_with(b"HTTP/1.1 200"),
                            "not an answer of the upstream"
                        );
                        want = end + 4 + ANSWER.len();
                    }
                }
            }
        })
    });
    for asked in each.collect::<Vec<_>>() {
        asked.await.expect("all are answered");
    }
}

/// The upstream, or a plain proxy in front of one.
async fn serve(upstream: Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    tell(listener.local_addr().expect("an address"));
    let client: Client<HttpConnector, Incoming> =
        Client::builder(TokioExecutor::new()).build_http();
    loop {
        let (stream, _) = listener.accept().await.expect("accept");
        stream.set_nodelay(true).expect("a socket");
        let (client, upstream) = (client.clone(), upstream.clone());
        let service = service_fn(move |request| {
            let (client, upstream) = (client.clone(), upstream.clone());
            async move { Ok::<_, Infallible>(answer(request, &client, upstream.as_deref()).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    mut request: Request<Incoming>,
    client: &Client<HttpConnector, Incoming>,
    upstream: Option<&str>,
) -> Answer {
    let Some(upstream) = upstream else {
        return Response::new(
            Full::new(Bytes::from_static(ANSWER)).map_err(|e| match e {}).boxed(),
        );
    };
    let target = format!("http://{upstream}{}", request.uri().path());
    *request.uri_mut() = target.parse().expect("a target");
    request.headers_mut().remove("host");
    client.request(request).await.expect("an answer").map(BodyExt::boxed)
}

async fn gateway(upstream: &str, dir: &str) {
    let app =
        App::builder().data_dir(dir).plugin(gateway::GatewayPlugin::new()).build().expect("an app");
    app.bootstrap().await.expect("it opens");
    let proxies = app.find_collection("_proxies").await.expect("the collection");
    // the second turn finds that of the first
    for old in app.find_all_records("_proxies", ()).await.expect("the records") {
        app.delete(&old).await.expect("it is deleted");
    }
    let proxy = Record::new(&proxies);
    proxy
        .set("path", "/-/x")
        .set("upstream", format!("http://{upstream}"))
        .set("accessRule", "true");
    proxy.set("active", true).set("stripPath", true);
    app.save(&proxy).await.expect("it is saved");
    let options = ServeOptions::at("127.0.0.1:0");
    let served = app.serve(options, std::future::pending(), |started| tell(started.local)).await;
    let _ended = served.expect("it serves");
}
