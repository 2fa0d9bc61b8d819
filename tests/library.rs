//! The library on PostgreSQL: the same programs as on SQLite, and the command line of a program of one's own.

use examples::{migrations, plugin::Votes, postgres, records};
use pocketbase::{App, Collection, Field, Record, ServeOptions, db::*, testing::TestApp};
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
