//! The executable as users run it: started on a free port with a directory of its own, spoken to over HTTP.
//!
//! Blocking and dependency-free on purpose: what the tests say is on the wire is on the wire.

pub(crate) mod oidc;
pub(crate) mod postgres;
pub(crate) mod s3;
pub(crate) mod smtp;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A test of what touches SQL, on both databases.
macro_rules! on_both {
    ($sqlite:ident, $postgres:ident = $test:path) => {
        #[test]
        fn $sqlite() {
            $test(&crate::support::Server::fresh(&[]));
        }
        #[test]
        fn $postgres() {
            let Some(postgres) = crate::support::postgres::Postgres::start(&[], &[]) else {
                return;
            };
            $test(&postgres.serve("pocketbase", &[]));
        }
    };
}
pub(crate) use on_both;

/// The superuser every test directory has.
pub(crate) const EMAIL: &str = "root@example.com";
/// Its password.
pub(crate) const PASSWORD: &str = "1234567890";

/// A running server and its directory; both end with the value.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    dir: tempfile::TempDir,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    pub(crate) port: u16,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e} in {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_pocketbase")
}

/// Runs a command of the executable to its end.
pub(crate) fn run(dir: &Path, args: &[&str]) -> std::process::Output {
    command(dir, args).output().expect("the executable starts")
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(args).current_dir(dir).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A port that nobody listens on and that no other test is given: those that the system gives away by itself (from 32768)
/// may be taken, by a connection or another test, before the server that is meant to have one begins to listen.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 200).unwrap_or_default() * 100;
    let candidates =
        (0..20_000).map(|_| 12_000 + first.wrapping_add(TAKEN.fetch_add(1, Relaxed)) % 20_000);
    let mut free = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.next().expect("a free port")
}

impl Server {
    /// A fresh directory with one superuser, served.
    pub(crate) fn fresh(flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let made = run(dir.path(), &["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self::on(dir, flags)
    }

    /// As [`Server::fresh`], listening on a port that something else knows already.
    pub(crate) fn fresh_on(port: u16, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let child = start_on(dir.path(), &flags, &[], port);
        Self { child, dir, flags, env: Vec::new(), port }
    }

    /// SIGTERM.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -TERM");
    }

    /// The exit code of a server that is about to end.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("wait").code()
    }

    /// Serves an existing directory (`<dir>/pb_data`).
    pub(crate) fn on(dir: tempfile::TempDir, flags: &[&str]) -> Self {
        Self::on_with(dir, flags, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn on_with(dir: tempfile::TempDir, flags: &[&str], env: &[(&str, &str)]) -> Self {
        let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        let env: Vec<_> = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let port = free_port();
        let child = start_on(dir.path(), &flags, &env, port);
        Self { child, dir, flags, env, port }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("pb_data")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, then a new process on the same directory.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
        self.child = start_on(self.dir.path(), &self.flags, &self.env, self.port);
    }

    /// Ends the process, then a new one on the same directory with other variables.
    pub(crate) fn restart_with(&mut self, env: &[(&str, &str)]) {
        self.stop();
        self.env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.child = start_on(self.dir.path(), &self.flags, &self.env, self.port);
    }

    /// Ends the process; the directory stays.
    pub(crate) fn stop(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("wait");
    }

    /// A command in the directory of the server, with variables.
    pub(crate) fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> std::process::Output {
        command(self.dir.path(), args).envs(env.iter().copied()).output().expect("it starts")
    }

    /// One request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        Client::connect(self.port)
            .and_then(|mut c| c.send(method, path, token, "application/json", &text(body)))
            .expect("an answer")
    }

    /// An auth token of the test superuser.
    pub(crate) fn superuser(&self) -> String {
        let body = serde_json::json!({"identity": EMAIL, "password": PASSWORD});
        let answer =
            self.send("POST", "/api/collections/_superusers/auth-with-password", "", &body);
        answer.json()["token"].as_str().expect("a token").to_owned()
    }
}

/// Asks again until something holds; two minutes are for machines that do much else.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A text as part of a URL.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

fn text(body: &Value) -> Vec<u8> {
    if body.is_null() { Vec::new() } else { body.to_string().into_bytes() }
}

fn start_on(dir: &Path, flags: &[String], env: &[(String, String)], port: u16) -> Child {
    let log = fs::File::create(dir.join("log")).expect("a log file");
    let mut child = Command::new(binary())
        .args(["serve", "--dir", "pb_data", "--http", &format!("127.0.0.1:{port}")])
        // changed collections leave no files, which a restored backup would meet as migrations to come
        .arg("--automigrate=false")
        .args(flags)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the executable starts");
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(status) = child.try_wait().expect("wait") {
            panic!(
                "the server ended with {status}: {}",
                fs::read_to_string(dir.join("log")).unwrap_or_default()
            );
        }
        assert!(Instant::now() < end, "the server does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A keep-alive connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        content_type: &str,
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n",
            body.len()
        );
        if !token.is_empty() {
            head.push_str(&format!("Authorization: {token}\r\n"));
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.get_mut().write_all(&bytes)?;
        self.answer(method)
    }

    /// A `GET` with headers of its own.
    pub(crate) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> std::io::Result<Answer> {
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.answer("GET")
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn answer(&mut self, method: &str) -> std::io::Result<Answer> {
        let status = self.line()?.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method == "HEAD" || status == 204 || status == 304 {
            return Ok(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            loop {
                let size =
                    usize::from_str_radix(&self.line()?, 16).map_err(std::io::Error::other)?;
                let at = answer.body.len();
                answer.body.resize(at + size, 0);
                self.stream.read_exact(&mut answer.body[at..])?;
                self.line()?;
                if size == 0 {
                    break;
                }
            }
        } else {
            let size = answer.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
            answer.body.resize(size, 0);
            self.stream.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }
}

/// A multipart body of text fields and one file.
pub(crate) fn multipart(fields: &[(&str, &str)], file: (&str, &str, &[u8])) -> (String, Vec<u8>) {
    let boundary = "----test-boundary-7d9c";
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let (name, file_name, content) = file;
    let part = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(part.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}
