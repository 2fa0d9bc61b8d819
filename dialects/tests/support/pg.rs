//! A private PostgreSQL server for tests: unix socket only, no fsync, gone when dropped.
//!
//! `Server::start` answers `None` (and says so on stderr) where no server binaries are installed.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use dialects::{Sql, Value};
use tokio::runtime::Runtime;
use tokio_postgres::{
    Client, NoTls, Row,
    types::{IsNull, ToSql, Type, to_sql_checked},
};

pub(crate) struct Server {
    child: Child,
    dir: tempfile::TempDir,
    runtime: Runtime,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("dir", &self.dir).finish_non_exhaustive()
    }
}

fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// The server refuses to run as root: become `postgres` there.
fn command(program: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

impl Server {
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = binaries() else {
            eprintln!("SKIPPED: no PostgreSQL binaries under /usr/lib/postgresql");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        let _ = Command::new("chmod").arg("777").arg(dir.path()).status();
        let data = dir.path().join("data");
        let made = command(&bin.join("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"])
            .stdout(Stdio::null())
            .status();
        assert!(made.is_ok_and(|s| s.success()), "initdb failed");
        let child = command(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "synchronous_commit=off"])
            .args(["-c", "full_page_writes=off", "-c", "jit=off"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = Self { child, dir, runtime };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(db) = server.try_connect() {
                drop(db);
                return Some(server);
            }
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            // Polling for another process: there is no clock to inject.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn try_connect(&self) -> Option<Client> {
        let config = format!("host={} user=postgres dbname=postgres", self.dir.path().display());
        self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&config, NoTls).await.ok()?;
            tokio::spawn(connection);
            Some(client)
        })
    }

    /// A connection to a database with nothing of ours; [`Self::wait`] runs it.
    pub(crate) fn client(&self) -> Client {
        self.try_connect().expect("connect")
    }

    pub(crate) fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        self.runtime.block_on(task)
    }

    /// A connection with the helper functions installed.
    pub(crate) fn connect(&self) -> Db<'_> {
        let db = Db { client: self.try_connect().expect("connect"), runtime: &self.runtime };
        db.batch(dialects::POSTGRES_HELPERS);
        db
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

pub(crate) struct Db<'s> {
    client: Client,
    runtime: &'s Runtime,
}

impl Db<'_> {
    pub(crate) fn batch(&self, text: &str) {
        if let Err(error) = self.runtime.block_on(self.client.batch_execute(text)) {
            panic!(
                "{}\n{text}",
                error.as_db_error().map_or(error.to_string(), ToString::to_string)
            );
        }
    }

    pub(crate) fn query(&self, sql: &Sql) -> Result<Vec<Row>, String> {
        let params: Vec<Bound<'_>> = sql.params.iter().map(Bound).collect();
        let refs: Vec<&(dyn ToSql + Sync)> =
            params.iter().map(|p| p as &(dyn ToSql + Sync)).collect();
        self.runtime
            .block_on(self.client.query(sql.text.as_str(), &refs))
            .map_err(|e| e.as_db_error().map_or(e.to_string(), ToString::to_string))
    }
}

/// Binds a value by the type the statement wants.
#[derive(Debug)]
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Text(text) if *ty == Type::JSONB => {
                out.extend_from_slice(&[1]);
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            Value::Text(text) => text.as_ref().to_sql(ty, out),
            Value::Int(n) if *ty == Type::BOOL => (*n != 0).to_sql(ty, out),
            Value::Int(n) if *ty == Type::FLOAT8 => (*n as f64).to_sql(ty, out),
            Value::Int(n) if *ty == Type::JSONB => {
                out.extend_from_slice(&[1]);
                out.extend_from_slice(n.to_string().as_bytes());
                Ok(IsNull::No)
            }
            Value::Int(n) => n.to_sql(ty, out),
            Value::Real(n) if *ty == Type::JSONB => {
                out.extend_from_slice(&[1]);
                out.extend_from_slice(n.to_string().as_bytes());
                Ok(IsNull::No)
            }
            Value::Real(n) if *ty == Type::INT8 => (*n as i64).to_sql(ty, out),
            Value::Real(n) => n.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
