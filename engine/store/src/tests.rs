//! The store through its doors: reads here and there, group commit, transactions, raw SQL, opening and closing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;

fn sql(text: &str, params: &[Value]) -> Sql {
    Sql { text: text.into(), params: params.to_vec() }
}
fn t(text: &str) -> Value {
    Value::Text(text.into())
}

struct Fixture {
    store: Store,
    dir: tempfile::TempDir,
}

impl Fixture {
    async fn new(change: impl FnOnce(&mut StoreConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = StoreConfig::new(dir.path());
        change(&mut config);
        let store = Store::open(&config).unwrap();
        let tx = store.data().begin().await.unwrap();
        tx.execute_batch(
            "CREATE TABLE t (id TEXT PRIMARY KEY, n NUMERIC DEFAULT 0 NOT NULL)".into(),
        )
        .await
        .unwrap();
        tx.commit().await.unwrap();
        Self { store, dir }
    }
    fn db(&self) -> &Database {
        self.store.data()
    }
    async fn count(&self) -> i64 {
        count(&Db::Pool(self.db().clone())).await
    }
}

async fn count(db: &Db) -> i64 {
    db.query(sql("SELECT count(*) FROM t", &[]), |r| r.scalar_i64()).await.unwrap().unwrap()
}
fn insert(id: &str, n: i64) -> Sql {
    sql("INSERT INTO t (id, n) VALUES (?1, ?2)", &[t(id), Value::Int(n)])
}
const FOREVER: &str =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";

#[tokio::test]
async fn rows_values_and_columns() {
    let f = Fixture::new(|_| ()).await;
    let text = "SELECT ?1 AS a, ?2, ?3, ?4, x'6869', n FROM (SELECT 1) LEFT JOIN t";
    let params = [t("ä"), Value::Int(-7), Value::Real(1.5), Value::Null];
    let check = |rows: &mut Rows<'_>| {
        assert_eq!((rows.column_count(), rows.column_name(0)), (6, "a"));
        assert_eq!(rows.decl_type(5).as_deref(), Some("NUMERIC"));
        let row = rows.next().unwrap().unwrap();
        let values: Vec<_> = (0..6).map(|i| row.get(i).to_text()).collect();
        assert_eq!(row.get(4), ValueRef::Blob(b"hi"));
        assert_eq!(row.get(99), ValueRef::Null);
        assert!(rows.next().unwrap().is_none());
        values
    };
    let expected = ["ä", "-7", "1.5", "", "hi", ""].map(|s| (!s.is_empty()).then(|| s.to_owned()));
    assert_eq!(f.db().query(sql(text, &params), check).await.unwrap(), expected);
    assert_eq!(f.db().query_now(sql(text, &params), check).await.unwrap(), expected);
    assert_eq!(f.db().query_lane(sql(text, &params), check).await.unwrap(), expected);
    let error = f.db().query(sql("SELECT nope FROM t", &[]), |_| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "SQL logic error: no such column: nope (1)");
    let error = f.db().query(insert("a", 1), |_| ()).await.unwrap_err();
    assert_eq!(error.to_string(), "attempt to write a readonly database (8)");
}

#[tokio::test]
async fn slow_reads_move_to_the_lane_and_are_remembered() {
    let f = Fixture::new(|_| ()).await;
    let slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 50000) SELECT max(x) FROM c";
    for round in 0..2 {
        let max = f.db().query(sql(slow, &[]), |r| r.scalar_i64()).await.unwrap().unwrap();
        assert_eq!(max, 50_000);
        let stats = f.db().stats();
        assert_eq!((stats.deferred_reads, stats.lane_reads), (1, round + 1));
    }
    f.db().query(sql("SELECT 1", &[]), |_| ()).await.unwrap();
    assert!(f.db().stats().inline_reads >= 1);
}

/// Reading the schema anew takes more steps than a trial has; it must not stop the first read after a change, for ever.
#[tokio::test]
async fn many_tables_are_read_after_a_change_of_one() {
    let f = Fixture::new(|_| ()).await;
    for round in 0..3 {
        let tx = f.db().begin().await.unwrap();
        for n in 0..1000 {
            let text = format!("CREATE TABLE t{round}_{n} (id TEXT PRIMARY KEY, a TEXT, b TEXT)");
            tx.execute_batch(text).await.unwrap();
        }
        tx.commit().await.unwrap();
        f.db().bump();
        assert_eq!(f.count().await, 0);
        let one = sql("SELECT count(*) FROM t0_7", &[]);
        let read = f.db().query_now(one.clone(), |r| r.scalar_i64()).await;
        assert_eq!(read.unwrap().unwrap(), 0);
        let ways = Ways { count: 2, sql: &|_| one.clone(), rows: 1 };
        let read = f.db().query_ways(&ways, |r| r.scalar_i64()).await;
        assert_eq!(read.unwrap().unwrap(), 0);
        f.db().write(insert(&format!("r{round}"), 1).into()).await.unwrap();
        f.db().write(sql("DELETE FROM t", &[]).into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_way_that_takes_too_long_gives_way_to_another() {
    let f = Fixture::new(|_| ()).await;
    let texts = [FOREVER, FOREVER, "SELECT 7"];
    for last in [1, 2] {
        let sql_of = |way: usize| sql(if way == last { texts[2] } else { texts[way] }, &[]);
        let ways = Ways { count: last + 1, sql: &sql_of, rows: 30 };
        for _ in 0..3 {
            let read = f.db().query_ways(&ways, |rows| rows.scalar_i64()).await;
            assert_eq!(read.unwrap().unwrap(), 7);
        }
    }
    assert!(f.db().stats().deferred_reads >= 2, "{:?}", f.db().stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_statements_time_out_everywhere() {
    let f = Fixture::new(|c| c.query_timeout = Duration::from_millis(150)).await;
    let started = Instant::now();
    let read = f.db().query(sql(FOREVER, &[]), |r| r.scalar_i64()).await;
    assert!(matches!(read, Err(Error::Timeout)), "{read:?}");
    let job = Job::from(insert("a", 1)).query(sql(FOREVER, &[]));
    let wrote = f.db().write(job).await;
    assert!(matches!(wrote, Err(Error::Timeout)), "{wrote:?}");
    let tx = f.db().begin().await.unwrap();
    tx.execute(insert("b", 1)).await.unwrap();
    let read = tx.query(sql(FOREVER, &[]), |r| r.scalar_i64()).await;
    assert!(matches!(read, Err(Error::Timeout)), "{read:?}");
    assert!(matches!(tx.execute(insert("c", 1)).await, Err(Error::Timeout)));
    assert!(matches!(tx.commit().await, Err(Error::Timeout)));
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(f.count().await, 0, "nothing is left of any of them");
    f.db().write(insert("d", 1).into()).await.unwrap();
}

#[tokio::test]
async fn jobs_are_all_or_nothing() {
    let f = Fixture::new(|_| ()).await;
    let done = f
        .db()
        .write(
            Job::new()
                .execute(insert("a", 1))
                .expect_row(sql("SELECT 1 FROM t WHERE id = ?1", &[t("a")]), 7)
                .query(sql("UPDATE t SET n = n + 1 RETURNING id, n", &[]))
                .step(Step::ExecuteMany {
                    text: "INSERT INTO t VALUES (?1, 2)".into(),
                    rows: vec![vec![t("b")], vec![t("c")]],
                }),
        )
        .await
        .unwrap();
    assert_eq!(done.changes[..], [1, 0, 1, 2]);
    assert_eq!(
        done.rows[0],
        OwnedRows {
            columns: vec!["id".into(), "n".into()],
            rows: vec![vec![t("a"), Value::Int(2)]]
        }
    );
    let missing = sql("UPDATE t SET n = 9 WHERE id = 'x'", &[]);
    let cases: [(Job, &str); 4] = [
        (Job::from(insert("d", 1)).expect_changes(missing.clone(), 3), "Expect(3)"),
        (Job::from(insert("d", 1)).expect_row(sql("SELECT 1 WHERE 0", &[]), 4), "Expect(4)"),
        (Job::new().expect_changes(missing, 5), "Expect(5)"),
        (Job::from(insert("d", 1)).execute(insert("a", 1)), "Unique"),
    ];
    for (job, expected) in cases {
        let error = f.db().write(job).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
    }
    assert_eq!(f.count().await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_can_insist_that_nothing_was_written_before_it() {
    for durability in [Durability::Normal, Durability::Full] {
        let f = Fixture::new(|c| c.durability = durability).await;
        let version = f.db().write_version();
        let job = |id: &str| Job::from(insert(id, 1)).unless_written(version);
        f.db().write(job("first")).await.unwrap();
        let late = f.db().write(job("late")).await.unwrap_err();
        assert!(matches!(late, Error::Overtaken), "{late:?}");
        // inside one group: the second sees the first
        let tx = f.db().begin().await.unwrap();
        let now = f.db().write_version();
        let mut tasks = Vec::new();
        for i in 0..5 {
            let db = f.db().clone();
            let job = Job::from(insert(&format!("g{i}"), 1)).unless_written(now);
            tasks.push(tokio::spawn(async move { db.write(job).await }));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        tx.rollback().await;
        let mut written = 0;
        for task in tasks {
            written += usize::from(task.await.unwrap().is_ok());
        }
        assert_eq!((written, f.count().await), (1, 2), "{durability:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_jobs_are_committed_in_groups() {
    let f = Fixture::new(|c| c.durability = Durability::Full).await;
    assert_eq!(f.db().writer_pragma("synchronous").await.unwrap(), "2");
    let before = f.db().stats().commits;
    let tx = f.db().begin().await.unwrap();
    let mut tasks = Vec::new();
    for i in 0..100 {
        let db = f.db().clone();
        let id = if i % 10 == 3 { "same".to_owned() } else { format!("id{i}") };
        tasks.push(tokio::spawn(async move { db.write(insert(&id, i).into()).await }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    tx.rollback().await;
    let mut failed = 0;
    for task in tasks {
        failed += usize::from(matches!(task.await.unwrap(), Err(Error::Unique { .. })));
    }
    assert_eq!((failed, f.count().await), (9, 91));
    let stats = f.db().stats();
    assert!(stats.commits - before <= 4, "100 jobs in {} commits", stats.commits - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_takes_the_transaction_down_does_not_take_others_along() {
    let f = Fixture::new(|c| {
        c.durability = Durability::Full;
        c.query_timeout = Duration::from_millis(300);
    })
    .await;
    let tx = f.db().begin().await.unwrap();
    let mut tasks = Vec::new();
    for i in 0..9 {
        let db = f.db().clone();
        let endless =
            sql(&format!("INSERT INTO t {}", FOREVER.replace("max(x)", "max(x), 1")), &[]);
        let job = if i == 4 { Job::from(endless) } else { Job::from(insert(&format!("id{i}"), i)) };
        tasks.push(tokio::spawn(async move { db.write(job).await }));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    tx.rollback().await;
    for (i, task) in tasks.into_iter().enumerate() {
        let result = task.await.unwrap();
        assert_eq!(result.is_err(), i == 4, "{i} {result:?}");
    }
    assert_eq!(f.count().await, 8);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_its_job_back() {
    let f = Fixture::new(|_| ()).await;
    let tx = f.db().begin().await.unwrap();
    let db = f.db().clone();
    let task = tokio::spawn(async move { db.write(insert("a", 1).into()).await });
    tokio::time::sleep(Duration::from_millis(30)).await;
    task.abort();
    tx.commit().await.unwrap();
    f.db().write(insert("b", 1).into()).await.unwrap();
    assert_eq!(f.count().await, 2);
}

#[tokio::test]
async fn transactions() {
    let f = Fixture::new(|_| ()).await;
    let tx = f.db().begin().await.unwrap();
    let inside = Db::Tx(tx.clone());
    tx.execute(insert("a", 1)).await.unwrap();
    assert_eq!((count(&inside).await, f.count().await), (1, 0));
    let mark = tx.savepoint().await.unwrap();
    tx.execute(insert("b", 1)).await.unwrap();
    assert!(tx.write(Job::from(insert("c", 1)).execute(insert("a", 1))).await.is_err());
    assert_eq!(count(&inside).await, 2, "the failed job left nothing");
    tx.rollback_to(mark).await.unwrap();
    tx.release(mark).await.unwrap();
    assert_eq!(count(&inside).await, 1);
    tx.commit().await.unwrap();
    assert_eq!(f.count().await, 1);
    assert!(matches!(tx.commit().await, Err(Error::Ended)));
    assert!(matches!(tx.execute(insert("d", 1)).await, Err(Error::Ended)));

    let tx = f.db().begin().await.unwrap();
    tx.execute(insert("e", 1)).await.unwrap();
    drop(tx);
    assert_eq!(f.count().await, 1, "dropped without commit");
}

#[tokio::test]
async fn nested_use_of_the_pool_is_an_error_and_not_a_deadlock() {
    let f = Fixture::new(|c| c.query_timeout = Duration::from_millis(100)).await;
    let tx = f.db().begin_within(Duration::from_secs(10)).await.unwrap();
    tx.scope(async {
        assert!(f.db().held_by_this_task());
        assert!(matches!(f.db().write(insert("a", 1).into()).await, Err(Error::Held)));
        assert!(matches!(f.db().begin().await, Err(Error::Held)));
        assert_eq!(f.count().await, 0, "reading is fine");
        f.store.aux().writer_pragma("page_size").await.unwrap();
    })
    .await;
    let outside = Instant::now();
    assert!(matches!(f.db().begin().await, Err(Error::Held)));
    assert!(outside.elapsed() < Duration::from_secs(2), "a bounded wait");
    tx.commit().await.unwrap();
    f.db().begin().await.unwrap();
}

#[tokio::test]
async fn an_abandoned_transaction_ends_at_its_deadline() {
    let f = Fixture::new(|_| ()).await;
    let tx = f.db().begin_within(Duration::from_millis(80)).await.unwrap();
    tx.execute(insert("a", 1)).await.unwrap();
    f.db().write(insert("b", 1).into()).await.unwrap();
    assert!(matches!(tx.commit().await, Err(Error::Timeout)));
    assert!(!tx.is_open());
    assert_eq!(f.count().await, 1);
}

#[tokio::test]
async fn schema_changes_reach_cached_statements() {
    let f = Fixture::new(|_| ()).await;
    f.db().write(insert("a", 1).into()).await.unwrap();
    let all = || f.db().query(sql("SELECT * FROM t", &[]), |r| r.collect());
    assert_eq!(all().await.unwrap().unwrap().columns, ["id", "n"]);
    let tx = f.db().begin().await.unwrap();
    tx.execute_batch(
        "ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'x' NOT NULL; ALTER TABLE t DROP COLUMN n"
            .into(),
    )
    .await
    .unwrap();
    assert_eq!(all().await.unwrap().unwrap().columns, ["id", "n"]);
    tx.commit().await.unwrap();
    assert_eq!(all().await.unwrap().unwrap().columns, ["id", "extra"]);
}

#[tokio::test]
async fn raw_sql() {
    let f = Fixture::new(|_| ()).await;
    let db = Db::Pool(f.db().clone());
    let limit = Duration::from_secs(5);
    let run = |text: &str| raw::read(&db, sql(text, &[]), 2, limit);
    let rows = run("select 1;select 2").await.unwrap();
    assert_eq!(
        rows.columns,
        [raw::Column { name: "2".into(), decl_type: String::new(), nullable: true }]
    );
    assert_eq!(rows.rows, [[Some("2".to_owned())]]);
    let write = |text: &str| raw::write(&db, sql(text, &[]), limit);
    assert_eq!(write("create table x(id int primary key)").await.unwrap(), 0);
    assert_eq!(write("insert into x values (1),(2); insert into x values (3)").await.unwrap(), 1);
    let rows = run("SELECT id, NULL, 0.5 FROM x").await.unwrap();
    assert_eq!(rows.rows.len(), 2, "at most max_rows");
    assert_eq!(rows.rows[0], [Some("1".into()), None, Some("0.5".into())]);
    assert_eq!(rows.columns[0].decl_type, "INT");
    assert_eq!(run(" -- nothing").await.unwrap_err().to_string(), "empty query");
    assert_eq!(
        run("SELEC").await.unwrap_err().to_string(),
        "SQL logic error: near \"SELEC\": syntax error (1)"
    );
    run("VACUUM").await.unwrap();
    run("WITH c AS (SELECT 9 AS i) INSERT INTO x SELECT i FROM c").await.unwrap();
    assert!(
        raw::write(&db, sql("insert into x values (10); insert into x values (1)", &[]), limit)
            .await
            .is_err()
    );
    let tx = f.db().begin().await.unwrap();
    let inside = Db::Tx(tx.clone());
    assert_eq!(
        raw::write(&inside, sql("DELETE FROM x WHERE id < ?1", &[Value::Int(9)]), limit)
            .await
            .unwrap(),
        3
    );
    let left =
        raw::read(&inside, sql("SELECT id FROM x WHERE id >= ?1", &[Value::Int(0)]), 9, limit)
            .await
            .unwrap();
    assert_eq!(left.rows, [[Some("9".to_owned())]]);
    assert_eq!(raw::columns(&inside, "SELECT id AS a FROM x".into()).await.unwrap()[0].name, "a");
    tx.rollback().await;
    assert_eq!(write("UPDATE x SET id = id + 100").await.unwrap(), 4);
}

#[tokio::test]
async fn opening_says_what_is_wrong_and_closing_leaves_no_wal() {
    let f = Fixture::new(|_| ()).await;
    f.db().write(insert("a", 1).into()).await.unwrap();
    assert_eq!(f.count().await, 1);
    let wal = f.dir.path().join("data.db-wal");
    assert!(wal.exists());
    f.store.close();
    f.store.close();
    assert!(!wal.exists());
    assert!(matches!(f.db().write(insert("b", 1).into()).await, Err(Error::Busy)));
    assert!(matches!(f.db().query(sql("SELECT 1", &[]), |_| ()).await, Err(Error::Busy)));

    std::fs::write(f.dir.path().join("data.db"), "this is not a database, it is only a text file")
        .unwrap();
    let error = Store::open(&StoreConfig::new(f.dir.path())).unwrap_err().to_string();
    assert!(error.contains("data.db: file is not a database (26); this is not"), "{error}");
    let missing =
        StoreConfig { create_if_missing: false, ..StoreConfig::new(f.dir.path().join("none")) };
    let error = Store::open(&missing).unwrap_err().to_string();
    assert!(error.contains("none/data.db: unable to open database file"), "{error}");
}

#[tokio::test]
async fn foreign_writes_and_the_trace_are_seen() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let f = Fixture::new(|c| {
        c.trace = Some(Arc::new(|text, params, _| {
            if text.starts_with("INSERT INTO t") && params.len() == 2 {
                SEEN.fetch_add(1, Ordering::Relaxed);
            }
        }));
    })
    .await;
    let before = f.db().foreign_version();
    f.db().write(insert("a", 1).into()).await.unwrap();
    assert_eq!(f.db().foreign_version(), before, "our own writes do not count");
    assert_eq!(SEEN.load(Ordering::Relaxed), 1);
    let other = Store::open(&StoreConfig::new(f.dir.path())).unwrap();
    other.data().write(insert("b", 1).into()).await.unwrap();
    let after = f.db().foreign_version();
    assert_ne!(after, before);
    assert_eq!(f.db().foreign_version(), after);
    // A foreign transaction holds the file for a while: the write waits instead of failing.
    let tx = other.data().begin().await.unwrap();
    let db = f.db().clone();
    let task = tokio::spawn(async move { db.write(insert("c", 1).into()).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    tx.commit().await.unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(f.count().await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep() {
    let f = Fixture::new(|_| ()).await;
    for i in 0..60 {
        let rows = (0..200).map(|j| vec![t(&format!("{i}-{j}-{}", "x".repeat(150)))]).collect();
        let job = Job::new()
            .step(Step::ExecuteMany { text: "INSERT INTO t (id) VALUES (?1)".into(), rows });
        f.db().write(job).await.unwrap();
    }
    for _ in 0..100 {
        if f.db().stats().checkpoints > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(f.db().stats().checkpoints > 0, "a long WAL is checkpointed in the background");
    f.db().optimize().await.unwrap();
    f.db().checkpoint_truncate().await.unwrap();
    assert_eq!(std::fs::metadata(f.dir.path().join("data.db-wal")).unwrap().len(), 0);
    f.db().vacuum("t").await.unwrap();
    let copy = f.dir.path().join("copy.db");
    f.db().copy_into(&copy).await.unwrap();
    let conn = rusqlite::Connection::open(&copy).unwrap();
    assert_eq!(
        conn.query_row("SELECT count(*) FROM t", [], |r| r.get::<_, i64>(0)).unwrap(),
        12_000
    );
    let pragmas = [
        ("synchronous", "1"),
        ("foreign_keys", "1"),
        ("journal_mode", "wal"),
        ("cache_size", "-32000"),
        ("busy_timeout", "10000"),
        ("temp_store", "2"),
        ("journal_size_limit", "200000000"),
    ];
    for (name, value) in pragmas {
        assert_eq!(f.db().writer_pragma(name).await.unwrap(), value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_writers_together() {
    let f = Fixture::new(|_| ()).await;
    let mut tasks = Vec::new();
    for i in 0..8 {
        let db = Db::Pool(f.db().clone());
        tasks.push(tokio::spawn(async move {
            for j in 0..50 {
                db.write(insert(&format!("{i}.{j}"), j).into()).await.unwrap();
                let find = sql("SELECT n FROM t WHERE id = ?1", &[t(&format!("{i}.{j}"))]);
                assert_eq!(db.query_now(find, |r| r.scalar_i64()).await.unwrap().unwrap(), j);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(f.count().await, 400);
    let stats = f.db().stats();
    assert_eq!(stats.jobs, 401);
}
