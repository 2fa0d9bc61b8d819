//! A PostgreSQL database as one end of a move: binary COPY out of and into one transaction.

use std::{collections::HashSet, sync::Arc};

use bytes::{BufMut as _, Bytes, BytesMut};
use dialects::{
    Dialect, catalog, names,
    postgres::{self, transfer as pg},
    transfer,
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio_postgres::{Client, CopyInSink};

use super::{
    Batch, Error, Layout, Result,
    cell::{self, CellRow},
    digest::Digest,
    plan::{Plan, Table},
    row_security::{self, Policies},
    sqlite::{BYTES, size},
};
use store::postgres::{Dsn, connect};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Bytes sent at a time.
const CHUNK: usize = 256 << 10;
/// Rows sent at a time.
const ROWS: usize = 256;

/// A connection inside of a transaction. Dropping it without [`Session::commit`] takes everything back.
#[derive(Debug, Clone)]
pub(super) struct Session(Arc<Client>);

/// What the server says, without values.
fn driver(error: &tokio_postgres::Error) -> Error {
    let text = match error.as_db_error() {
        Some(db) if db.code().code() == "55P03" => {
            "a table is in use, stop the servers that use the database first".to_owned()
        }
        Some(db) => db.message().to_owned(),
        None => error.to_string(),
    };
    Error(format!("PostgreSQL: {text}"))
}

impl Session {
    /// Connects to read, everything as it is at this moment.
    pub(super) async fn read(dsn: &Dsn) -> Result<Self> {
        let session = Self::look(dsn).await?;
        row_security::see_everything(&session).await?;
        Ok(session)
    }

    /// Connects to look at the catalog.
    pub(super) async fn look(dsn: &Dsn) -> Result<Self> {
        Self::open(dsn, pg::BEGIN_READ).await
    }

    async fn open(dsn: &Dsn, begin: &str) -> Result<Self> {
        let (client, driver) = connect::connect(dsn).await.map_err(|e| Error(e.to_string()))?;
        drop(driver.spawn());
        connect::check_server(&client).await.map_err(|e| Error(e.to_string()))?;
        let session = Self(Arc::new(client));
        session.execute(begin).await?;
        Ok(session)
    }

    /// Connects to fill; refuses a database with tables of ours, or drops them.
    /// What protects rows there is to come back at the end.
    pub(super) async fn fill_new(
        dsn: &Dsn,
        plan: &Plan,
        overwrite: bool,
    ) -> Result<(Self, Policies)> {
        let session = Self::open(dsn, pg::BEGIN_FILL).await?;
        session.execute(pg::LOCK_MIGRATIONS).await?;
        let found = session.tables().await?;
        let mut ours = plan.names(Dialect::POSTGRES);
        let is_ours =
            |ours: &HashSet<String>, name: &str| ours.contains(&name.to_ascii_lowercase());
        if let Some((name, _)) = found.iter().find(|(name, _)| is_ours(&ours, name))
            && !overwrite
        {
            return Err(Error(format!(
                "the database {:?} is not empty (it has {name:?}); with --overwrite the tables of PocketBase in it are replaced",
                dsn.database()
            )));
        }
        if found.iter().any(|(name, _)| name == "_collections") {
            let names =
                transfer::select(Dialect::POSTGRES, "_collections", &[Some("name")], false, &[]);
            let rows = session.0.query(&names, &[]).await.map_err(|e| driver(&e))?;
            ours.extend(rows.iter().map(|row| {
                let name: String = row.get(0);
                names::stored(Dialect::POSTGRES, &name).to_ascii_lowercase()
            }));
        }
        let policies = Policies::read(&session).await?;
        // views first: what remains of them does not hold a table
        for view in [true, false] {
            for (name, _) in found.iter().filter(|(n, v)| *v == view && is_ours(&ours, n)) {
                session.execute(&pg::drop_cascade(name, view)).await?;
            }
        }
        session.execute(dialects::POSTGRES_HELPERS).await?;
        Ok((session, policies))
    }

    /// Rows of texts.
    pub(super) async fn texts(&self, text: &str) -> Result<Vec<Vec<String>>> {
        let rows = self.0.query(&*postgres::text(text), &[]).await.map_err(|e| driver(&e))?;
        Ok(rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect())
    }

    /// What [`pg::mark`] left.
    pub(super) async fn mark(&self) -> Result<Option<String>> {
        Ok(self.texts(pg::READ_MARK).await?.into_iter().flatten().next())
    }

    pub(super) async fn execute(&self, text: &str) -> Result<()> {
        self.0.batch_execute(&postgres::text(text)).await.map_err(|e| driver(&e))
    }

    /// Names of tables and views; true for views.
    pub(super) async fn tables(&self) -> Result<Vec<(String, bool)>> {
        let sql = catalog::tables(Dialect::POSTGRES).text;
        let rows = self.0.query(&sql, &[]).await.map_err(|e| driver(&e))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get::<_, String>(1) == "view")).collect())
    }

    /// The name and the columns (with types) of a table or view, if there is one.
    pub(super) async fn layout(&self, name: &str) -> Result<Layout> {
        let has = catalog::has_table(Dialect::POSTGRES, name).text;
        let name = names::stored(Dialect::POSTGRES, name);
        let found = self.0.query_opt(&has, &[&&*name]).await.map_err(|e| driver(&e))?;
        let Some(found) = found else { return Ok(Layout::default()) };
        let name: String = found.get(0);
        let sql = catalog::columns(Dialect::POSTGRES, &name).text;
        let rows = self.0.query(&sql, &[&name]).await.map_err(|e| driver(&e))?;
        let columns = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        Ok(Layout { columns, name, dialect: Some(Dialect::POSTGRES) })
    }

    /// Sends all rows of a table, or the reason why that cannot be done.
    pub(super) fn send(&self, table: Arc<Table>, layout: &Layout, to: Sender<Batch>) {
        let columns = layout.pick(&table);
        let select = transfer::select(
            Dialect::POSTGRES,
            &layout.name,
            &columns,
            table.numbered,
            table.order,
        );
        let session = self.clone();
        drop(tokio::spawn(async move {
            if let Err(error) = session.send_rows(&select, &table, &to).await {
                // Nobody listens any more when the other side has failed.
                let _ = to.send(Err(error)).await;
            }
        }));
    }

    async fn send_rows(&self, select: &str, table: &Table, to: &Sender<Batch>) -> Result<()> {
        let text = pg::copy_out(select);
        let chunks = self.0.copy_out(&*postgres::text(&text)).await.map_err(|e| driver(&e))?;
        let mut chunks = std::pin::pin!(chunks);
        let mut decoder = Decoder::new(table);
        let (mut batch, mut n_bytes) = (Vec::with_capacity(ROWS), 0);
        while let Some(chunk) = chunks.next().await {
            decoder.buffer.extend_from_slice(&chunk.map_err(|e| driver(&e))?);
            while let Some(row) = decoder.row(table)? {
                n_bytes += row.iter().map(size).sum::<usize>();
                batch.push(row);
            }
            if batch.len() >= ROWS || n_bytes > BYTES {
                n_bytes = 0;
                let full = std::mem::replace(&mut batch, Vec::with_capacity(ROWS));
                if to.send(Ok(full)).await.is_err() {
                    return Ok(());
                }
            }
        }
        // The other side says what went wrong.
        let _ = to.send(Ok(batch)).await;
        Ok(())
    }

    /// Inserts all rows that arrive; what they were.
    pub(super) async fn fill(
        &self,
        table: Arc<Table>,
        mut from: Receiver<Batch>,
    ) -> Result<Digest> {
        let text = pg::copy_in(&table.name, &table.names(), table.numbered);
        let failed =
            |e: tokio_postgres::Error| Error(format!("table {}: {}", table.name, driver(&e)));
        let sink: CopyInSink<Bytes> =
            self.0.copy_in(&*postgres::text(&text)).await.map_err(failed)?;
        let mut sink = std::pin::pin!(sink);
        let mut out = BytesMut::with_capacity(CHUNK * 2);
        out.put_slice(SIGNATURE);
        out.put_slice(&[0; 8]);
        let width = i16::try_from(table.kinds().len())
            .map_err(|_| Error(format!("table {}: too many columns", table.name)))?;
        let (mut digest, mut buffer) = (Digest::default(), Vec::new());
        while let Some(batch) = from.recv().await {
            for row in batch? {
                digest.add(&row, &mut buffer);
                out.put_i16(width);
                for (at, cell) in row.iter().enumerate() {
                    if let Err(fault) = cell::to_postgres(cell, &mut out) {
                        return Err(table.refused(&row, at, fault));
                    }
                }
                if out.len() >= CHUNK {
                    sink.send(out.split().freeze()).await.map_err(failed)?;
                }
            }
        }
        out.put_i16(-1);
        sink.send(out.freeze()).await.map_err(failed)?;
        sink.finish().await.map_err(failed)?;
        if table.numbered {
            self.execute(&pg::continue_numbers(&table.name)).await?;
        }
        Ok(digest)
    }

    pub(super) async fn commit(&self) -> Result<()> {
        self.execute(transfer::COMMIT).await?;
        // Only makes the first queries faster.
        let _ = self.execute(transfer::ANALYZE).await;
        Ok(())
    }
}

/// Rows out of the binary format, however it is cut into pieces.
struct Decoder {
    buffer: BytesMut,
    started: bool,
    kinds: Vec<cell::CellKind>,
}

impl Decoder {
    fn new(table: &Table) -> Self {
        Self { buffer: BytesMut::new(), started: false, kinds: table.kinds() }
    }

    /// The next row, if all of it is there.
    fn row(&mut self, table: &Table) -> Result<Option<CellRow>> {
        let broken = || Error(format!("table {}: unexpected answer of the server", table.name));
        if !self.started {
            let head = SIGNATURE.len() + 8;
            if self.buffer.len() < head {
                return Ok(None);
            }
            if !self.buffer.starts_with(SIGNATURE) {
                return Err(broken());
            }
            drop(self.buffer.split_to(head));
            self.started = true;
        }
        let bytes = &self.buffer[..];
        let Some(width) = bytes.first_chunk::<2>() else { return Ok(None) };
        let width = i16::from_be_bytes(*width);
        if width < 0 {
            return Ok(None);
        }
        if usize::from(width.unsigned_abs()) != self.kinds.len() {
            return Err(broken());
        }
        let mut at = 2;
        let mut row: CellRow = Vec::with_capacity(self.kinds.len());
        for (idx, kind) in self.kinds.iter().enumerate() {
            let Some(length) = bytes.get(at..).and_then(|b| b.first_chunk::<4>()) else {
                return Ok(None);
            };
            at += 4;
            let raw = match usize::try_from(i32::from_be_bytes(*length)) {
                Err(_) => None,
                Ok(n) => {
                    let Some(raw) = bytes.get(at..at + n) else { return Ok(None) };
                    at += n;
                    Some(raw)
                }
            };
            match cell::from_postgres(*kind, raw) {
                Ok(cell) => row.push(cell),
                Err(fault) => return Err(table.refused(&row, idx, fault)),
            }
        }
        drop(self.buffer.split_to(at));
        Ok(Some(row))
    }
}
