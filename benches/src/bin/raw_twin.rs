//! What the machine can do: hand-written hyper and rusqlite for two requests of the shared benchmark, answering the
//! same bytes as the product. `raw_twin DATA_DB PORT`; `benches/compare` starts it and prints both figures.

use std::cell::RefCell;

use benches::twin::{self, COLUMNS, Cell};
use rusqlite::{Connection, OpenFlags, Row, params, types::ValueRef};

const USAGE: &str = "usage: raw_twin DATA_DB PORT";

thread_local! {
    static DB: RefCell<Option<(Connection, String)>> = const { RefCell::new(None) };
}

fn with_db<T>(run: impl FnOnce(&Connection, &str) -> T) -> T {
    DB.with_borrow_mut(|slot| {
        let (db, id) = slot.get_or_insert_with(|| {
            let path = std::env::args().nth(1).expect(USAGE);
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = Connection::open_with_flags(path, flags).expect("data.db opens");
            let id = db
                .query_row("SELECT id FROM _collections WHERE name = 'posts'", [], |r| r.get(0))
                .expect("a posts collection");
            (db, id)
        });
        run(db, id)
    })
}

fn cell<'r>(row: &'r Row<'_>, i: usize) -> Cell<'r> {
    match row.get_ref(i).expect("a column") {
        ValueRef::Text(t) if matches!(COLUMNS[i], "labels" | "meta") => Cell::Json(t),
        ValueRef::Text(t) => Cell::Text(t),
        ValueRef::Integer(n) => Cell::Int(n),
        ValueRef::Real(n) => Cell::Real(n),
        ValueRef::Null | ValueRef::Blob(_) => Cell::Null,
    }
}

struct Sqlite;

impl twin::Source for Sqlite {
    async fn view(&self, id: &str) -> Option<Vec<u8>> {
        with_db(|db, collection| {
            let sql = format!("SELECT {} FROM posts WHERE id = ?1", COLUMNS.join(","));
            let mut statement = db.prepare_cached(&sql).expect("the statement");
            let mut rows = statement.query(params![id]).expect("rows");
            let row = rows.next().expect("a step")?;
            let mut out = Vec::with_capacity(1024);
            twin::record(&mut out, collection, |i| cell(row, i));
            out.push(b'\n');
            Some(out)
        })
    }

    async fn page(&self, views: f64) -> Vec<u8> {
        with_db(|db, collection| {
            let sql = format!(
                "SELECT {} FROM posts WHERE status = ?1 AND views > ?2 ORDER BY created DESC LIMIT 30",
                COLUMNS.join(",")
            );
            let mut statement = db.prepare_cached(&sql).expect("the statement");
            let mut rows = statement.query(params!["active", views]).expect("rows");
            twin::page(|out| match rows.next().expect("a step") {
                Some(row) => {
                    twin::record(out, collection, |i| cell(row, i));
                    true
                }
                None => false,
            })
        })
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let port = std::env::args().nth(2).and_then(|p| p.parse().ok()).expect(USAGE);
    twin::serve(Sqlite, port).await;
}
