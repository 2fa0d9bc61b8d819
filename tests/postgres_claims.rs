//! Taking rows of a queue from several connections at once: no row goes to two takers, none is forgotten.

use std::collections::HashSet;

use dialects::{
    Sql, Value,
    claim::{Claim, claim},
};
use engine::store::{
    Database, Job, Store, StoreConfig,
    postgres::{Dsn, PostgresConfig},
};

use crate::support::postgres::Postgres;

const ROWS: usize = 400;
const TAKERS: usize = 4;

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

async fn take_all(database: Database, taker: usize) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        let sql = claim(
            database.dialect(),
            &Claim {
                table: "queue",
                ready: &[("state", text("open"))],
                due: Some(("due", text("2026-06"))),
                order: &["due", "id"],
                set: &[("state", text("taken")), ("owner", text(&taker.to_string()))],
                limit: 3,
                returning: &["id"],
            },
        );
        let done = database.write(Job::new().query(sql)).await.expect("a claim");
        if done.rows[0].rows.is_empty() {
            return taken;
        }
        taken.extend(done.rows[0].rows.iter().map(|row| match &row[0] {
            Value::Text(id) => id.to_string(),
            other => panic!("{other:?}"),
        }));
        tokio::task::yield_now().await;
    }
}

async fn shared_out(database: &Database) {
    let run = |text: String| database.write(Job::from(Sql::plain(text)));
    run("CREATE TABLE queue (id TEXT PRIMARY KEY, state TEXT, due TEXT, owner TEXT)".into())
        .await
        .expect("a table");
    for at in 0..ROWS {
        run(format!("INSERT INTO queue VALUES ('{at:04}', 'open', '2026-01', '')"))
            .await
            .expect("a row");
    }
    run("INSERT INTO queue VALUES ('later', 'open', '2026-07', '')".into()).await.expect("a row");
    let takers = (0..TAKERS).map(|taker| tokio::spawn(take_all(database.clone(), taker)));
    let (mut all, mut seen) = (0, HashSet::new());
    for taker in takers {
        let taken = taker.await.expect("a taker");
        all += taken.len();
        seen.extend(taken);
    }
    assert_eq!((all, seen.len()), (ROWS, ROWS));
    assert!(!seen.contains("later"));
}

#[test]
fn every_row_goes_to_one_taker() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&StoreConfig::new(dir.path())).expect("a store");
        shared_out(store.data()).await;
    });
    let Some(postgres) = Postgres::start(&[], &[]) else { return };
    runtime.block_on(async {
        let mut config = StoreConfig::new(dir.path());
        let dsn = Dsn::parse_with(&postgres.dsn("postgres"), &|_| None).expect("a DSN");
        config.postgres = Some(PostgresConfig::new(dsn));
        let store = Store::connect(&config).await.expect("a store");
        shared_out(store.data()).await;
    });
}
