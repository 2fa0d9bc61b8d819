//! `superuser create|upsert|update|delete`. Source: spec server-settings-operations §1.1, auth §11.2.

use clap::{Arg, ArgMatches, Command};
use engine::{Ctx, auth::superusers};

use crate::{
    commands::Failure,
    flags::Config,
    print,
    wire,
};

pub(super) fn command() -> Command {
    let arguments = || Arg::new("args").num_args(0..);
    Command::new("superuser")
        .about("Manage superusers")
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("upsert")
                .about("Creates, or updates if email exists, a single superuser")
                .arg(arguments()),
        )
        .subcommand(Command::new("create").about("Creates a new superuser").arg(arguments()))
        .subcommand(Command::new("update").about("Changes the password of a single superuser").arg(arguments()))
        .subcommand(Command::new("delete").about("Deletes an existing superuser").arg(arguments()))
}

pub(super) fn run(matches: &ArgMatches, config: &Config) -> Result<(), Failure> {
    let Some((name, sub)) = matches.subcommand() else {
        print::raw(&command().bin_name(format!("{} superuser", config.exe)).render_help().to_string());
        return Ok(());
    };
    let arguments: Vec<&String> = sub.get_many::<String>("args").into_iter().flatten().collect();
    let email = arguments.first().map_or("", |text| text.as_str());
    if name == "delete" {
        if !engine::check::is_email(email) {
            return Err(Failure("invalid or missing email address".into()));
        }
    } else {
        if arguments.len() != 2 {
            return Err(Failure("missing email and password arguments".into()));
        }
        if !engine::check::is_email(email) {
            return Err(Failure("missing or invalid email address".into()));
        }
    }
    let password = arguments.get(1).map_or("", |text| text.as_str());
    wire::runtime()?.block_on(async {
        let app = wire::app(config).await?;
        let said = change(&app, name, email, password).await;
        app.shutdown(false).await?;
        print::line(&said?);
        Ok(())
    })
}

async fn change(app: &pocketbase::App, name: &str, email: &str, password: &str) -> Result<String, Failure> {
    let ctx = Ctx::system(app);
    let done = match name {
        "create" => superusers::create(&ctx, email, password).await,
        "upsert" => superusers::upsert(&ctx, email, password).await,
        "update" => superusers::update(&ctx, email, password).await,
        _ => superusers::delete(&ctx, email).await,
    };
    done.map_err(|error| Failure(wire::explain(&error)))
}
