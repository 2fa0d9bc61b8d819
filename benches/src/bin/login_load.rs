//! What password logins do to everybody else: views by id at a fixed rate, with and without clients that log in all
//! the time. Starts the given executable in a temporary directory; must not know anything of its insides.
//!
//! ```text
//! cargo run --release -p benches --bin login_load -- target/release/pocketbase [seconds per phase]
//! ```
//!
//! A view counts from the moment it was due if the one before it on its connection was late, else from the moment it
//! was sent: slow answers are never hidden, the generator's own timers never counted.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const EMAIL: &str = "load@example.com";
const PASSWORD: &str = "1234567890";
/// Views per second …
const RATE: u32 = 500;
/// … spread over so many connections.
const VIEWERS: u32 = 10;
const LOGINS: usize = 8;
const ROUNDS: usize = 3;

/// A keep-alive connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Outcome<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> Outcome<(u16, String)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: load\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            if self.0.read_line(&mut line)? == 0 {
                return Err("the server closed the connection".into());
            }
            let text = line.trim_end();
            if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
                status = rest.get(..3).unwrap_or("").parse()?;
            } else if let Some((name, value)) = text.split_once(':') {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse()?;
                }
            } else {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        Ok((status, String::from_utf8(answer)?))
    }
}

/// The server; ends with the value.
struct Server {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(executable: &Path) -> Outcome<Self> {
        let executable = executable.canonicalize()?;
        let dir = tempfile::tempdir()?;
        let made = Command::new(&executable)
            .args(["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data"])
            .current_dir(&dir)
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(&executable)
            .args(["serve", "--dir", "pb_data", "--http", &format!("127.0.0.1:{port}")])
            .current_dir(&dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { child, port, _dir: dir };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > until {
                return Err("the server does not listen".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// A collection anybody may read, one record in it, and a user.
    fn fill(&self) -> Outcome<()> {
        let mut client = Client::connect(self.port)?;
        let login = format!(r#"{{"identity":"{EMAIL}","password":"{PASSWORD}"}}"#);
        let (_, answer) =
            client.send("POST", "/api/collections/_superusers/auth-with-password", "", &login)?;
        let token = answer.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let token = token.ok_or("no token")?.to_owned();
        let user = format!(
            r#"{{"email":"{EMAIL}","password":"{PASSWORD}","passwordConfirm":"{PASSWORD}"}}"#
        );
        for (path, body) in [
            (
                "/api/collections",
                r#"{"name":"posts","type":"base","viewRule":"","fields":[{"name":"title","type":"text"},{"name":"views","type":"number"}]}"#,
            ),
            (
                "/api/collections/posts/records",
                r#"{"id":"aaaaaaaaaaaaaaa","title":"hello","views":7}"#,
            ),
            ("/api/collections/users/records", &user),
        ] {
            let (status, answer) = client.send("POST", path, &token, body)?;
            if status != 200 {
                return Err(format!("{path}: {status} {answer}").into());
            }
        }
        Ok(())
    }
}

/// Views at the fixed rate; their latencies.
fn views(port: u16, time: Duration) -> Outcome<Vec<Duration>> {
    let begin = Instant::now() + Duration::from_millis(50);
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|at| {
            thread::spawn(move || -> Outcome<Vec<Duration>> {
                let mut client = Client::connect(port)?;
                let mut taken = Vec::new();
                let step = Duration::from_secs(1) * VIEWERS / RATE;
                let mut due = begin + Duration::from_secs(1) * at / RATE;
                let mut free = Instant::now();
                while due < begin + time {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let from = if free > due { due } else { Instant::now() };
                    let (status, answer) = client.send(
                        "GET",
                        "/api/collections/posts/records/aaaaaaaaaaaaaaa",
                        "",
                        "",
                    )?;
                    free = Instant::now();
                    taken.push(free - from);
                    if status != 200 {
                        return Err(format!("view: {status} {answer}").into());
                    }
                    due += step;
                }
                Ok(taken)
            })
        })
        .collect();
    let mut all = Vec::new();
    for viewer in viewers {
        all.extend(viewer.join().map_err(|_| "a viewer failed")??);
    }
    Ok(all)
}

/// Logs in until told to stop; counts what came of it.
fn log_in(port: u16, stop: &AtomicBool, done: &AtomicUsize, refused: &AtomicUsize) -> Outcome<()> {
    let mut client = Client::connect(port)?;
    let body = format!(r#"{{"identity":"{EMAIL}","password":"{PASSWORD}"}}"#);
    while !stop.load(Relaxed) {
        match client.send("POST", "/api/collections/users/auth-with-password", "", &body)? {
            (200, _) => done.fetch_add(1, Relaxed),
            (429, _) => refused.fetch_add(1, Relaxed),
            (status, answer) => return Err(format!("login: {status} {answer}").into()),
        };
    }
    Ok(())
}

/// Views while clients log in; also how many logins were answered and refused.
fn views_beside_logins(port: u16, time: Duration) -> Outcome<(Vec<Duration>, usize, usize)> {
    let (stop, done, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let taken = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..LOGINS).map(|_| scope.spawn(|| log_in(port, &stop, &done, &refused))).collect();
        thread::sleep(Duration::from_millis(300));
        let taken = views(port, time);
        stop.store(true, Relaxed);
        for client in clients {
            client.join().map_err(|_| "a login failed")??;
        }
        taken
    })?;
    Ok((taken, done.into_inner(), refused.into_inner()))
}

/// The value that so much of a sorted list is below.
fn quantile(sorted: &[Duration], part: f64) -> Duration {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[allow(clippy::print_stdout)]
fn main() -> Outcome<()> {
    let mut args = env::args().skip(1);
    let executable = args.next().ok_or("usage: login_load EXECUTABLE [SECONDS]")?;
    let seconds = args.next().map_or(Ok(10), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    let server = Server::start(Path::new(&executable))?;
    server.fill()?;
    // first requests find cold caches
    views(server.port, Duration::from_secs(1))?;
    let (mut quiet, mut busy, mut logins, mut refused) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..ROUNDS {
        quiet.extend(views(server.port, time)?);
        let (taken, done, full) = views_beside_logins(server.port, time)?;
        busy.extend(taken);
        logins += done;
        refused += full;
    }
    println!(
        "{RATE} views/s, {ROUNDS} rounds of {seconds} s each way, {LOGINS} clients logging in"
    );
    for (name, taken) in [("without logins", &mut quiet), ("with logins", &mut busy)] {
        taken.sort_unstable();
        let (p50, p99) = (quantile(taken, 0.5), quantile(taken, 0.99));
        println!("{name:<15} {:>6} views   p50 {p50:>9.1?}   p99 {p99:>9.1?}", taken.len());
    }
    let ratio = |part| quantile(&busy, part).as_secs_f64() / quantile(&quiet, part).as_secs_f64();
    println!("ratio           p50 {:.2}   p99 {:.2}", ratio(0.5), ratio(0.99));
    println!("{logins} logins, {refused} refused");
    Ok(())
}
