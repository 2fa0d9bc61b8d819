//! Migrations in Rust, the second with seed data. `migrate up`, `migrate down` and `serve` know them.

use pocketbase::prelude::*;

pub fn add(app: &App) {
    let migrations = app.migrations();
    migrations.register("1767225600_countries.rs", create, drop_all);
    migrations.register("1767225700_seed.rs", seed, |_| async { Ok(()) });
}

async fn create(tx: App) -> pocketbase::Result<()> {
    let countries = Collection::base("countries")
        .field(Field::text("code").required(true).pattern("^[A-Z]{2}$"))
        .field(Field::text("name"))
        .index("idx_countries_code", true, "code", "")
        .list_rule(Some(""));
    tx.save(&countries).await
}

async fn drop_all(tx: App) -> pocketbase::Result<()> {
    tx.delete(&tx.find_collection("countries").await?).await
}

async fn seed(tx: App) -> pocketbase::Result<()> {
    let countries = tx.find_collection("countries").await?;
    for (code, name) in [("NO", "Norway"), ("IT", "Italy"), ("JP", "Japan")] {
        tx.save(Record::new(&countries).set("code", code).set("name", name)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pocketbase::{Error, testing::TestApp};

    #[tokio::test]
    async fn up_down_and_all_or_nothing() -> pocketbase::Result<()> {
        let test = TestApp::new().await?;
        let app = test.app();
        super::add(app);
        assert_eq!(app.migrations().up(app).await?.len(), 2);
        let listed = test.get("/api/collections/countries/records?sort=code").send().await.json();
        assert_eq!(listed["items"][0]["name"], "Italy");

        assert_eq!(
            app.migrations().down(app, -1).await?,
            ["1767225700_seed.rs", "1767225600_countries.rs"]
        );
        assert!(app.find_collection("countries").await.is_err());

        app.migrations().register(
            "1767225800_broken.rs",
            |_| async { Err(Error::other("boom")) },
            |_| async { Ok(()) },
        );
        let error = app.migrations().up(app).await.expect_err("the last one fails");
        assert_eq!(error.to_string(), "failed to apply migration 1767225800_broken.rs: boom");
        assert!(app.find_collection("countries").await.is_err(), "nothing is kept");
        Ok(())
    }
}
