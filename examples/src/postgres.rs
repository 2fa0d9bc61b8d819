//! PostgreSQL instead of SQLite: the same code; only the connection string differs.

use pocketbase::prelude::*;

pub fn app(dsn: String) -> pocketbase::Result<App> {
    let app =
        App::builder().postgres_dsn(dsn).data_max_open_conns(20).data_max_idle_conns(5).build()?;
    app.router().get("/database", database);
    Ok(app)
}

async fn database(app: App) -> pocketbase::Result<String> {
    if !app.db().is_postgres()? {
        return Ok("SQLite".to_owned());
    }
    // `{:name}` is a value on both databases
    app.db().query("SELECT current_database() || {:mark}").bind("mark", "!").scalar().await
}
