//! A private PostgreSQL server on a free port of 127.0.0.1 and a unix socket, gone when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{EMAIL, PASSWORD, Server, free_port, run};

/// A running server.
#[derive(Debug)]
pub(crate) struct Postgres {
    child: Child,
    dir: tempfile::TempDir,
    settings: Vec<String>,
    pub(crate) port: u16,
}

fn binaries() -> Option<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = entries.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    bins.filter(|bin| bin.join("initdb").exists()).max()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n")
}

/// The server refuses to run as root: become `postgres` there.
fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn succeeds(command: &mut Command) {
    let done = command.stdout(Stdio::null()).status();
    assert!(done.is_ok_and(|status| status.success()), "{command:?}");
}

impl Postgres {
    /// Starts a server; `files` are put into its data directory. None, and a line, where there are no binaries.
    pub(crate) fn start(files: &[(&str, &str)], settings: &[&str]) -> Option<Self> {
        let Some(bin) = binaries() else {
            println!("SKIPPED: no PostgreSQL binaries under /usr/lib/postgresql");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("a directory");
        succeeds(Command::new("chmod").arg("777").arg(dir.path()));
        let data = dir.path().join("data");
        let mut init = command(&bin.join("initdb"));
        init.arg("-D").arg(&data).args(["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8"]);
        succeeds(init.arg("--locale=C.UTF-8"));
        for (name, text) in files {
            let path = data.join(name);
            fs::write(&path, text).expect("a file");
            succeeds(Command::new("chmod").arg("600").arg(&path));
            if is_root() {
                succeeds(Command::new("chown").arg("postgres").arg(&path));
            }
        }
        let port = free_port();
        let common = ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off"];
        let settings: Vec<String> =
            common.iter().chain(settings).map(ToString::to_string).collect();
        let child = spawn(&bin, dir.path(), port, &settings);
        let server = Self { child, dir, settings, port };
        server.wait();
        Some(server)
    }

    /// Starts a standby server that streams from this one.
    pub(crate) fn standby(&self, settings: &[&str]) -> Self {
        let bin = binaries().expect("it was started");
        let dir = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").expect("a directory");
        succeeds(Command::new("chmod").arg("777").arg(dir.path()));
        let mut copy = command(&bin.join("pg_basebackup"));
        copy.arg("-D").arg(dir.path().join("data")).args(["-R", "-X", "stream", "-c", "fast"]);
        copy.arg("-h").arg(self.dir.path()).args(["-p", &self.port.to_string(), "-U", "postgres"]);
        succeeds(&mut copy);
        let port = free_port();
        let own = settings.iter().map(ToString::to_string);
        let settings: Vec<String> = self.settings.iter().cloned().chain(own).collect();
        let child = spawn(&bin, dir.path(), port, &settings);
        let server = Self { child, dir, settings, port };
        server.wait();
        server
    }

    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.try_connect("postgres").is_none() {
            assert!(Instant::now() < end, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it, for so long, and starts it again.
    pub(crate) fn pause(&mut self, time: Duration) {
        self.stop();
        std::thread::sleep(time);
        self.resume();
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(crate) fn crash(&mut self) {
        Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status().ok();
        self.child.wait().ok();
    }

    /// Starts it again.
    pub(crate) fn resume(&mut self) {
        let bin = binaries().expect("it was started");
        self.child = spawn(&bin, self.dir.path(), self.port, &self.settings);
        self.wait();
    }

    /// Ends all connections, stops and starts again.
    pub(crate) fn restart(&mut self) {
        self.pause(Duration::ZERO);
    }

    fn stop(&mut self) {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().ok();
        self.child.wait().ok();
    }

    /// A keyword connection string over the unix socket.
    pub(crate) fn dsn(&self, database: &str) -> String {
        format!(
            "host={} port={} user=postgres dbname={database}",
            self.dir.path().display(),
            self.port
        )
    }

    /// A server on a new database with one superuser.
    pub(crate) fn serve(&self, database: &str, flags: &[&str]) -> Server {
        self.execute("postgres", &format!("CREATE DATABASE {database}"));
        self.serve_existing(&self.dsn(database), flags)
    }

    /// A server on a database, by its connection string, with one superuser.
    pub(crate) fn serve_existing(&self, dsn: &str, flags: &[&str]) -> Server {
        self.serve_with(dsn, flags, &[])
    }

    /// The same with variables of the environment.
    pub(crate) fn serve_with(&self, dsn: &str, flags: &[&str], env: &[(&str, &str)]) -> Server {
        let dir = tempfile::tempdir().expect("a directory");
        let args = ["superuser", "upsert", EMAIL, PASSWORD, "--dir", "pb_data", "--pg", dsn];
        let made = run(dir.path(), &args);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Server::on_with(dir, &[&["--pg", dsn], flags].concat(), env)
    }

    fn try_connect(&self, database: &str) -> Option<Session> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let dsn = self.dsn(database);
        let client = runtime.block_on(async {
            let connected = tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await;
            let (client, connection) = connected.ok()?;
            tokio::spawn(connection);
            Some(client)
        })?;
        Some(Session { client, runtime })
    }

    /// Runs statements.
    pub(crate) fn execute(&self, database: &str, text: &str) {
        let session = self.try_connect(database).expect("a connection");
        session.runtime.block_on(session.client.batch_execute(text)).expect("the statements work");
    }

    /// Runs statements in a transaction that stays open as long as what is given back.
    pub(crate) fn hold(&self, database: &str, text: &str) -> Held {
        let session = self.try_connect(database).expect("a connection");
        let begin = format!("BEGIN; {text}");
        session
            .runtime
            .block_on(session.client.batch_execute(&begin))
            .expect("the statements work");
        Held(session)
    }

    /// The first column of the first row, as text.
    pub(crate) fn value(&self, database: &str, text: &str) -> String {
        let session = self.try_connect(database).expect("a connection");
        let found = session.runtime.block_on(session.client.simple_query(text));
        let rows = found.expect("the query works");
        let first = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        first.unwrap_or_default()
    }
}

/// See [`Postgres::hold`].
pub(crate) struct Held(Session);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.runtime.block_on(self.0.client.batch_execute("ROLLBACK")).ok();
    }
}

struct Session {
    client: tokio_postgres::Client,
    runtime: tokio::runtime::Runtime,
}

fn spawn(bin: &Path, dir: &Path, port: u16, settings: &[String]) -> Child {
    let mut serve = command(&bin.join("postgres"));
    serve.arg("-D").arg(dir.join("data")).arg("-k").arg(dir).args(["-p", &port.to_string()]);
    for setting in settings {
        serve.args(["-c", setting]);
    }
    serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("postgres")
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}
