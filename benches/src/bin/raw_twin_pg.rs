//! As `raw_twin`, on PostgreSQL: hand-written hyper and tokio-postgres, a few connections with prepared statements.
//! `raw_twin_pg DSN PORT`; `benches/compare --pg` starts it.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use benches::twin::{self, COLUMNS, Cell};
use tokio_postgres::{Client, NoTls, Row, Statement};

const USAGE: &str = "usage: raw_twin_pg DSN PORT";
/// As many as the benchmark has clients: a connection serves one request at a time.
const CONNECTIONS: usize = 32;

struct Postgres {
    lanes: Vec<Lane>,
    next: AtomicUsize,
    collection: String,
}

struct Lane {
    client: Client,
    view: Statement,
    page: Statement,
}

async fn lane(dsn: &str) -> Lane {
    let (client, driver) = tokio_postgres::connect(dsn, NoTls).await.expect("the server");
    tokio::spawn(driver);
    let columns = COLUMNS.map(|name| match name {
        "labels" | "meta" => format!("\"{name}\"::text"),
        _ => format!("\"{name}\""),
    });
    let columns = columns.join(",");
    let view = client.prepare(&format!("SELECT {columns} FROM posts WHERE id = $1")).await;
    let page = client
        .prepare(&format!(
            "SELECT {columns} FROM posts WHERE status = $1 AND views > $2 ORDER BY created DESC LIMIT 30"
        ))
        .await;
    let (view, page) = (view.expect("the statement"), page.expect("the statement"));
    Lane { client, view, page }
}

fn cell(row: &Row, i: usize) -> Cell<'_> {
    match COLUMNS[i] {
        "views" => Cell::Real(row.get(i)),
        "labels" | "meta" => row
            .get::<_, Option<&str>>(i)
            .map_or(Cell::Null, |json| Cell::SpacedJson(json.as_bytes())),
        _ => Cell::Text(row.get::<_, &str>(i).as_bytes()),
    }
}

impl Postgres {
    fn lane(&self) -> &Lane {
        &self.lanes[self.next.fetch_add(1, Relaxed) % self.lanes.len()]
    }
}

impl twin::Source for Postgres {
    async fn view(&self, id: &str) -> Option<Vec<u8>> {
        let lane = self.lane();
        let row = lane.client.query_opt(&lane.view, &[&id]).await.expect("rows")?;
        let mut out = Vec::with_capacity(1024);
        twin::record(&mut out, &self.collection, |i| cell(&row, i));
        out.push(b'\n');
        Some(out)
    }

    async fn page(&self, views: f64) -> Vec<u8> {
        let lane = self.lane();
        let rows = lane.client.query(&lane.page, &[&"active", &views]).await.expect("rows");
        let mut rows = rows.iter();
        twin::page(|out| match rows.next() {
            Some(row) => {
                twin::record(out, &self.collection, |i| cell(row, i));
                true
            }
            None => false,
        })
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let dsn = std::env::args().nth(1).expect(USAGE);
    let port = std::env::args().nth(2).and_then(|p| p.parse().ok()).expect(USAGE);
    let mut lanes = Vec::new();
    for _ in 0..CONNECTIONS {
        lanes.push(lane(&dsn).await);
    }
    let id = "SELECT id FROM _collections WHERE name = 'posts'";
    let collection = lanes[0].client.query_one(id, &[]).await.expect("a posts collection").get(0);
    twin::serve(Postgres { lanes, next: AtomicUsize::new(0), collection }, port).await;
}
