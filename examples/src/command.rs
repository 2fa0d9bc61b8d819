//! A command of one's own, and a flag for all commands.

use pocketbase::{
    clap::{Arg, ArgMatches, Command, value_parser},
    prelude::*,
};

pub fn add(app: &App) {
    app.add_flag(Arg::new("region").long("region").help("where this server stands"));
    let promote = Command::new("promote")
        .about("Verifies users")
        .arg(Arg::new("email").num_args(1..).required(true))
        .arg(
            Arg::new("limit").long("limit").value_parser(value_parser!(usize)).default_value("10"),
        );
    app.command(promote, run);
}

async fn run(app: App, args: ArgMatches) -> pocketbase::Result<()> {
    let limit = args.get_one::<usize>("limit").copied().unwrap_or(10);
    for email in args.get_many::<String>("email").into_iter().flatten().take(limit) {
        let user = app.find_auth_record_by_email("users", email).await?;
        app.save(user.set_verified(true)).await?;
    }
    let region = app.flag::<String>("region").unwrap_or_else(|| "nowhere".into());
    app.store().set("promoted in", region);
    Ok(())
}

#[cfg(test)]
mod tests {
    use pocketbase::{App, Record};

    #[tokio::test]
    async fn the_command_runs_on_the_opened_app() -> pocketbase::Result<()> {
        let dir = std::env::temp_dir().join(format!("pb-example-{}", std::process::id()));
        let app = App::builder().data_dir(&dir).build()?;
        super::add(&app);
        app.bootstrap().await?;
        let ann = Record::new(&app.find_collection("users").await?);
        app.save(ann.set_email("ann@example.com").set_password("1234567890")).await?;

        app.run(["shop", "promote", "ann@example.com", "--region", "north"]).await?;
        assert_eq!(app.store().get::<String>("promoted in").as_deref(), Some("north"));
        // the command closes the app
        app.bootstrap().await?;
        assert!(app.find_auth_record_by_email("users", "ann@example.com").await?.verified());
        let refused = app.run(["shop", "promote"]).await.expect_err("the argument is required");
        assert!(
            refused.to_string().contains("EMAIL") || refused.to_string().contains("email"),
            "{refused}"
        );
        app.shutdown().await?;
        std::fs::remove_dir_all(dir)?;
        Ok(())
    }
}
