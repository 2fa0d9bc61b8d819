//! A small real SMTP server that keeps what it is sent; for every test that waits for a mail.
//!
//! Understands EHLO and HELO, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA, RSET, NOOP and QUIT. Blocking, one thread per
//! connection.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// How long a test waits for a mail.
const PATIENCE: Duration = Duration::from_secs(30);

/// A received mail.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// The message as sent, dots unstuffed.
    pub(crate) raw: String,
}

/// How the server behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// `AUTH PLAIN` argument (base64) that is accepted; empty for no AUTH at all.
    pub(crate) auth: String,
    /// Accepts connections and never says a word.
    pub(crate) mute: bool,
    /// Refuses every recipient.
    pub(crate) refuses: bool,
    /// Answers EHLO with this code, if it is not 0.
    pub(crate) ehlo: u16,
    /// The ways to sign in that it names.
    pub(crate) named: &'static str,
}

impl Manner {
    /// The accepted credentials as `AUTH LOGIN` sends them.
    fn login(&self) -> String {
        let both = STANDARD.decode(&self.auth).expect("base64");
        let parts: Vec<String> =
            both.split(|byte| *byte == 0).skip(1).map(|part| STANDARD.encode(part)).collect();
        parts.join(" ")
    }
}

#[derive(Debug, Default)]
struct Inbox {
    /// The commands that were understood, all but those of hellos and farewells with their arguments.
    commands: Mutex<Vec<String>>,
    mails: Mutex<Vec<Mail>>,
    arrived: Condvar,
}

/// The server; its threads end with the test process.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    pub(crate) port: u16,
    inner: Arc<Inbox>,
}

impl Sink {
    pub(crate) fn start() -> Self {
        Self::with(Manner::default())
    }

    pub(crate) fn with(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let sink = Self { port, inner: Arc::default() };
        let own = sink.clone();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().flatten() {
                if manner.mute {
                    held.push(stream);
                    continue;
                }
                let (own, manner) = (own.clone(), manner.clone());
                std::thread::spawn(move || own.serve(stream, &manner));
            }
        });
        sink
    }

    /// The `smtp` settings that lead here.
    pub(crate) fn settings(&self) -> Value {
        json!({"enabled": true, "host": "127.0.0.1", "port": self.port, "tls": false})
    }

    /// All mails once there are at least `n`.
    pub(crate) fn wait(&self, n: usize) -> Vec<Mail> {
        let end = Instant::now() + PATIENCE;
        let mut mails = self.inner.mails.lock().expect("no panics inside");
        while mails.len() < n {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {n} mails arrived", mails.len());
            mails = self.inner.arrived.wait_timeout(mails, left).expect("no panics inside").0;
        }
        mails.clone()
    }

    /// The newest mail once there are `n`.
    pub(crate) fn last(&self, n: usize) -> Mail {
        let mails = self.wait(n);
        assert_eq!(mails.len(), n, "more mails than expected: {mails:#?}");
        mails.last().cloned().expect("n is not 0")
    }

    /// What was said so far, the text of mails apart; forgotten then.
    pub(crate) fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.commands.lock().expect("no panics inside"))
    }

    fn serve(&self, stream: TcpStream, manner: &Manner) {
        // A client that goes away ends the conversation.
        let _ = self.converse(stream, manner);
    }

    fn converse(&self, stream: TcpStream, manner: &Manner) -> std::io::Result<()> {
        let mut out = stream.try_clone()?;
        let mut lines = BufReader::new(stream);
        let mut say = |line: &str| out.write_all(format!("{line}\r\n").as_bytes());
        let mut mail = Mail::default();
        let mut is_login = false;
        say("220 sink ready")?;
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            let verb = line.get(..4).unwrap_or(line).to_ascii_uppercase();
            if !is_login {
                self.inner.commands.lock().expect("no panics inside").push(line.to_owned());
            }
            match verb.as_str() {
                "EHLO" if manner.ehlo != 0 => say(&format!("{} unknown", manner.ehlo))?,
                "EHLO" if manner.named.is_empty() => say("250-sink\r\n250 8BITMIME")?,
                "EHLO" => say(&format!("250-sink\r\n250-AUTH {}\r\n250 8BITMIME", manner.named))?,
                "AUTH" if manner.auth.is_empty() => say("502 unknown")?,
                "AUTH" if line == "AUTH LOGIN" => {
                    is_login = true;
                    say("334 VXNlcm5hbWU6")?;
                }
                "AUTH" if line.split(' ').nth(2) == Some(&manner.auth) => say("235 welcome")?,
                "AUTH" => say("535 5.7.8 bad credentials")?,
                _ if is_login => {
                    let mut password = String::new();
                    say("334 UGFzc3dvcmQ6")?;
                    lines.read_line(&mut password)?;
                    is_login = false;
                    let both = format!("{line} {}", password.trim_end());
                    say(if both == manner.login() {
                        "235 welcome"
                    } else {
                        "535 5.7.8 bad credentials"
                    })?;
                }
                "MAIL" => {
                    mail.from = between(line);
                    say("250 ok")?;
                }
                "RCPT" if manner.refuses => say("550 5.1.1 no such user")?,
                "RCPT" => {
                    mail.to.push(between(line));
                    say("250 ok")?;
                }
                "DATA" => {
                    say("354 go on")?;
                    mail.raw = data(&mut lines)?;
                    let mut mails = self.inner.mails.lock().expect("no panics inside");
                    mails.push(std::mem::take(&mut mail));
                    drop(mails);
                    self.inner.arrived.notify_all();
                    say("250 kept")?;
                }
                "QUIT" => return say("221 bye"),
                _ => say("250 ok")?,
            }
        }
    }
}

fn between(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn data(lines: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 || line == ".\r\n" {
            return Ok(raw);
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

impl Mail {
    /// The header lines, unfolded.
    pub(crate) fn headers(&self) -> Vec<String> {
        let head = self.raw.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        head.split("\r\n").map(str::to_owned).collect()
    }

    /// A header's value, as written.
    pub(crate) fn header(&self, name: &str) -> String {
        let start = format!("{name}: ");
        let found =
            self.headers().into_iter().find_map(|h| h.strip_prefix(&start).map(str::to_owned));
        found.unwrap_or_default()
    }

    /// The part of a content type, decoded.
    pub(crate) fn part(&self, content_type: &str) -> String {
        let start = format!("Content-Type: {content_type}");
        let at =
            self.raw.find(&start).unwrap_or_else(|| panic!("no {content_type} in {}", self.raw));
        let body = self.raw[at..].split_once("\r\n\r\n").map_or("", |(_, body)| body);
        quoted_printable(body.split("\r\n--").next().unwrap_or_default())
    }

    /// The token of the link to a page of the dashboard.
    pub(crate) fn token(&self, page: &str) -> String {
        let html = self.part("text/html");
        let start = format!("/_/#/auth/{page}/");
        let at = html.find(&start).unwrap_or_else(|| panic!("no link to {page} in {html}"));
        html[at + start.len()..].split('"').next().unwrap_or_default().to_owned()
    }
}

fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'=' {
            out.push(byte);
            continue;
        }
        let hex: Vec<u8> = bytes.by_ref().take(2).collect();
        let hex = String::from_utf8_lossy(&hex).into_owned();
        out.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
    }
    String::from_utf8_lossy(&out).into_owned()
}
