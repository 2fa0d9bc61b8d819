//! `superuser create|upsert|update|delete`. Source: spec server-settings-operations §1.1, auth §11.2.

use clap::{Arg, ArgMatches, Command};
use engine::auth::superuser;

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
        app.close().await;
        print::line(&said?);
        Ok(())
    })
}

async fn change(app: &pocketbase::App, name: &str, email: &str, password: &str) -> Result<String, Failure> {
    let failed = |what: String| move |error: engine::Error| Failure(format!("{what}: {}", wire::explain(&error)));
    match name {
        "create" => {
            superuser::create(app, email, password)
                .await
                .map_err(failed("failed to create new superuser account".into()))?;
            Ok(format!("Successfully created new superuser \"{email}\"!"))
        }
        "upsert" => {
            superuser::upsert(app, email, password)
                .await
                .map_err(failed("failed to upsert superuser account".into()))?;
            Ok(format!("Successfully saved superuser \"{email}\"!"))
        }
        "update" => {
            let found = superuser::update(app, email, password)
                .await
                .map_err(failed(format!("failed to change superuser \"{email}\" password")))?;
            if found {
                Ok(format!("Successfully changed superuser \"{email}\" password!"))
            } else {
                Err(Failure(format!("superuser with email \"{email}\" doesn't exist")))
            }
        }
        _ => {
            let found = superuser::delete(app, email)
                .await
                .map_err(failed(format!("failed to delete superuser \"{email}\"")))?;
            Ok(if found {
                format!("Successfully deleted superuser \"{email}\"!")
            } else {
                format!("superuser \"{email}\" is missing or already deleted")
            })
        }
    }
}
