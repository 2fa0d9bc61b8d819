//! The library on PostgreSQL: the same programs as on SQLite, and the command line of a program of one's own.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use examples::{migrations, plugin::Votes, postgres, records};
use pocketbase::{
    Announced, App, Collection, Field, Record, ServeOptions, db::*, testing::TestApp,
};
use serde_json::json;

use crate::support::postgres::Postgres;

fn block_on<T>(work: impl Future<Output = pocketbase::Result<T>>) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(work).expect("no error")
}

#[test]
fn examples_run_on_postgres() {
    let Some(server) = Postgres::start(&[], &[]) else { return };
    server.execute("postgres", "CREATE DATABASE library");
    let dsn = server.dsn("library");
    block_on(async {
        let builder = App::builder().postgres_dsn(dsn.clone()).plugin(Votes);
        let test = TestApp::with(builder).await?;
        let app = test.app();
        assert!(app.db().is_postgres()?);
        migrations::add(app);
        records::add(app);
        assert_eq!(app.migrations().up(app).await?.len(), 2);
        assert_eq!(app.count_records("countries", like("name", ["aPa"])).await?, 1);

        let accounts = Collection::base("accounts")
            .field(Field::text("owner").required(true))
            .field(Field::number("cents"))
            .field(Field::bool("open"))
            .field(Field::json("notes"));
        app.save(&accounts).await?;
        for (owner, cents) in [("ann", 500), ("bob", 0)] {
            let account = Record::new(&accounts);
            account.set("owner", owner).set("cents", cents).set("open", true);
            app.save(account.set("notes", json!([1, "x"]))).await?;
        }
        let pay = json!({"from": "ann", "to": "bob", "cents": 200});
        assert_eq!(test.post("/transfers").json(&pay).send().await.json()["cents"], 300);

        // rows as tuples: bools, numbers, JSON, parameters of every kind
        let rows: Vec<(String, f64, bool, Vec<serde_json::Value>)> = app
            .db()
            .select(["owner", "cents", "open", "notes"])
            .from("accounts")
            .where_(hash([("open", json!(true))]))
            .and_where(exp_with(
                "cents >= {:least} AND owner <> {:not}",
                json!({"least": 1, "not": "x"}),
            ))
            .order_by(["owner DESC"])
            .all()
            .await?;
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].0.as_str(), rows[0].1, rows[0].2), ("bob", 200.0, true));
        assert_eq!(rows[0].3, [json!(1), json!("x")]);

        let ann =
            app.find_first_record_by_filter("accounts", "owner = {:o}", [("o", "ann")]).await?;
        assert_eq!(ann.get_int("cents"), 300);
        let voter = Record::new(&app.find_collection("users").await?);
        app.save(voter.set_email("v@example.com").set_password("1234567890")).await?;
        let vote = || test.post("/api/votes/pg").json(&json!(4)).auth(&voter);
        assert_eq!(vote()?.send().await.json()["votes"], 1);
        assert_eq!(vote()?.send().await.json()["stars"], 4.0);
        app.shutdown().await
    });
    block_on(async {
        let dir = tempfile::tempdir()?;
        let app = postgres::app(dsn)?;
        app.run([
            "shop",
            "--dir",
            &dir.path().to_string_lossy(),
            "superuser",
            "upsert",
            "a@example.com",
            "1234567890",
        ])
        .await?;
        let served = app.serve(ServeOptions::at("127.0.0.1:0"), std::future::ready(()), |_| ());
        assert_eq!(served.await?, pocketbase::Ended::Stopped);
        Ok(())
    });
}

#[test]
fn migrate_command() {
    block_on(async {
        let dir = tempfile::tempdir()?;
        let app = App::builder().data_dir(dir.path().join("pb_data")).build()?;
        migrations::add(&app);
        for arguments in [
            &["shop", "migrate"][..],
            &["shop", "migrate", "up"],
            &["shop", "migrate", "history-sync"],
        ] {
            app.run(arguments.iter().copied()).await?;
        }
        let refused = app.run(["shop", "migrate", "create"]).await.expect_err("no name");
        assert_eq!(refused.to_string(), "missing migration file name");
        let refused = app.run(["shop", "migrate", "sideways"]).await.expect_err("unknown");
        assert_eq!(refused.to_string(), "unsupported command: \"sideways\"");
        app.bootstrap().await?;
        assert_eq!(app.count_records("countries", ()).await?, 3);
        app.shutdown().await
    });
}

/// A node of the library's own: its app, what it heard, and its directory.
struct Node {
    app: App,
    heard: Arc<Mutex<Vec<Announced>>>,
    _dir: tempfile::TempDir,
}

impl Node {
    async fn join(dsn: &str) -> pocketbase::Result<Self> {
        let dir = tempfile::tempdir()?;
        let app = App::builder().data_dir(dir.path()).postgres_dsn(dsn).build()?;
        let heard: Arc<Mutex<Vec<Announced>>> = Arc::default();
        let list = heard.clone();
        app.on_announced("prices", move |_, news| {
            list.lock().expect("a list").push(news);
            async { Ok(()) }
        });
        app.on_announced("faults", |_, _| async { panic!("a listener") });
        app.bootstrap().await?;
        engine::cluster::join(&app.engine()?).await;
        Ok(Self { app, heard, _dir: dir })
    }
    fn texts(&self) -> Vec<String> {
        let heard = self.heard.lock().expect("a list");
        let text = |news: &Announced| match news {
            Announced::Payload(text) => text.clone(),
            other => format!("{other:?}"),
        };
        heard.iter().map(text).collect()
    }
    async fn hears(&self, want: &[&str]) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.texts() != want {
            assert!(Instant::now() < end, "{:?} instead of {want:?}", self.texts());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

#[test]
fn announcements_reach_every_node_once() {
    let Some(server) = Postgres::start(&[], &[]) else { return };
    let dsn = server.dsn("postgres");
    block_on(async {
        let (a, b) = (Node::join(&dsn).await?, Node::join(&dsn).await?);
        a.app.announce("prices", "1").await?;
        a.app.announce("weather", "nobody listens").await?;
        a.app.announce("faults", "panics").await?;
        b.app.announce("prices", "2").await?;
        a.hears(&["1", "2"]).await;
        b.hears(&["1", "2"]).await;
        let longest = "\"\u{1}".repeat(2_048);
        let failed = a.app.run_in_transaction(|tx| async move {
            tx.announce("prices", "never").await?;
            Err::<(), _>(pocketbase::Error::other("rolled back"))
        });
        assert!(failed.await.is_err());
        let said = longest.clone();
        let committed = b.app.run_in_transaction(|tx| async move {
            for text in ["3", said.as_str(), "4"] {
                tx.announce("prices", text).await?;
            }
            Ok(())
        });
        committed.await?;
        let want = ["1", "2", "3", longest.as_str(), "4"];
        a.hears(&want).await;
        b.hears(&want).await;
        for (topic, text) in [("", "x".to_owned()), ("a b", "x".into()), ("t", "x".repeat(4_097))] {
            assert!(a.app.announce(topic, &text).await.is_err(), "{topic:?}");
        }
        // what was said while a node was deaf is unknown to it
        tokio::task::block_in_place(|| {
            server.execute("postgres", "SELECT pg_terminate_backend(pid) FROM _pb_nodes");
        });
        let missed: Vec<&str> = want.into_iter().chain(["Missed"]).collect();
        a.hears(&missed).await;
        b.hears(&missed).await;
        a.app.shutdown().await?;
        b.app.shutdown().await
    });
}
