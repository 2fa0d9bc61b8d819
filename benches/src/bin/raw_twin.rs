//! What the machine can do: hand-written hyper and rusqlite for two requests of the shared benchmark, answering the
//! same bytes as the product. `raw_twin DATA_DB PORT`; `benches/compare` starts it and prints both figures.
//!
//! It has no rules, no routing, no log, no limits: it is the lower bound, not an example.

use std::{cell::RefCell, convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rusqlite::{Connection, OpenFlags, Row, params, types::ValueRef};

const COLUMNS: [&str; 10] =
    ["author", "body", "created", "id", "labels", "meta", "status", "title", "updated", "views"];

thread_local! {
    static DB: RefCell<Option<(Connection, String)>> = const { RefCell::new(None) };
}

fn with_db<T>(run: impl FnOnce(&Connection, &str) -> T) -> T {
    DB.with_borrow_mut(|slot| {
        let (db, id) = slot.get_or_insert_with(|| {
            let path = std::env::args().nth(1).expect("usage: raw_twin DATA_DB PORT");
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

fn text(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for &b in value {
        match b {
            b'"' | b'\\' => out.extend([b'\\', b]),
            b'\n' => out.extend(b"\\n"),
            b'<' | b'>' | b'&' | 0..0x20 => out.extend(format!("\\u{b:04x}").into_bytes()),
            _ => out.push(b),
        }
    }
    out.push(b'"');
}

fn record(out: &mut Vec<u8>, row: &Row<'_>, collection: &str) {
    out.push(b'{');
    for (i, name) in COLUMNS.iter().enumerate() {
        if i == 2 {
            out.extend(
                format!("\"collectionId\":\"{collection}\",\"collectionName\":\"posts\",")
                    .into_bytes(),
            );
        }
        out.extend(format!("\"{name}\":").into_bytes());
        match row.get_ref(i).expect("a column") {
            ValueRef::Text(t) if *name == "labels" || *name == "meta" => out.extend(t),
            ValueRef::Text(t) => text(out, t),
            ValueRef::Integer(n) => out.extend(n.to_string().into_bytes()),
            ValueRef::Real(n) => out.extend(n.to_string().into_bytes()),
            _ => out.extend(b"null"),
        }
        out.push(if i + 1 == COLUMNS.len() { b'}' } else { b',' });
    }
}

fn view(id: &str) -> Option<Vec<u8>> {
    with_db(|db, collection| {
        let sql = format!("SELECT {} FROM posts WHERE id = ?1", COLUMNS.join(","));
        let mut statement = db.prepare_cached(&sql).expect("the statement");
        let mut rows = statement.query(params![id]).expect("rows");
        let mut out = Vec::with_capacity(1024);
        record(&mut out, rows.next().expect("a step")?, collection);
        out.push(b'\n');
        Some(out)
    })
}

fn filter(views: f64) -> Vec<u8> {
    with_db(|db, collection| {
        let sql = format!(
            "SELECT {} FROM posts WHERE status = ?1 AND views > ?2 ORDER BY created DESC LIMIT 30",
            COLUMNS.join(",")
        );
        let mut statement = db.prepare_cached(&sql).expect("the statement");
        let mut rows = statement.query(params!["active", views]).expect("rows");
        let mut out = Vec::with_capacity(16 * 1024);
        out.extend(b"{\"items\":[");
        let start = out.len();
        while let Some(row) = rows.next().expect("a step") {
            if out.len() > start {
                out.push(b',');
            }
            record(&mut out, row, collection);
        }
        out.extend(b"],\"page\":1,\"perPage\":30,\"totalItems\":-1,\"totalPages\":-1}\n");
        out
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let body = match path.strip_prefix("/api/collections/posts/records") {
        Some(id) if id.len() > 1 => view(&id[1..]),
        Some(_) => request
            .uri()
            .query()
            .and_then(|q| q.split("views%3E").nth(1))
            .and_then(|v| v.split('&').next())
            .and_then(|v| v.parse().ok())
            .map(filter),
        None => None,
    };
    let status = if body.is_some() { 200 } else { 404 };
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(body.unwrap_or_default().into()))
        .expect("a response"))
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let port =
        std::env::args().nth(2).and_then(|p| p.parse().ok()).expect("usage: raw_twin DATA_DB PORT");
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))
        .await
        .expect("the port");
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await
                .ok();
        });
    }
}
