//! Runs one of the examples: its name, then the arguments of the executable.

use examples::{
    auth_route, command, embedding, hello, migrations, plugin, postgres, queue, records,
    veto_and_enrich,
};
use pocketbase::{App, Error, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let mut words: Vec<String> = std::env::args().collect();
    let name = if words.len() > 1 { words.remove(1) } else { String::new() };
    let app = match name.as_str() {
        "plugin" => App::builder().plugin(plugin::Votes).build()?,
        "postgres" => postgres::app(std::env::var("PB_POSTGRES_DSN").unwrap_or_default())?,
        "embedding" => return embedding::main().await,
        _ => App::new(),
    };
    match name.as_str() {
        "hello" => hello::add(&app),
        "veto_and_enrich" => veto_and_enrich::add(&app),
        "records" => records::add(&app),
        "auth_route" => auth_route::add(&app),
        "queue" => queue::add(&app)?,
        "command" => command::add(&app),
        "migrations" => migrations::add(&app),
        "plugin" | "postgres" => {}
        other => {
            return Err(Error::other(format!(
                "there is no example {other:?}: hello, veto_and_enrich, records, auth_route, queue, command, migrations, plugin, postgres, embedding"
            )));
        }
    }
    app.run(words).await
}
