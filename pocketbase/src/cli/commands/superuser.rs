//! `superuser create|upsert|update|delete|otp|ips`. Source: spec server-settings-operations §1.1, auth §11.2.

use clap::{Arg, ArgMatches, Command};
use engine::{Ctx, superusers};

use crate::{
    app::App,
    cli::{commands::Failure, flags::Config, parts, print},
};

pub(super) fn command() -> Command {
    let arguments = || Arg::new("args").num_args(0..);
    Command::new("superuser")
        .about("Manage superusers")
        .disable_help_subcommand(true)
        // an unknown one shows the help, as in the reference
        .allow_external_subcommands(true)
        .subcommand(
            Command::new("upsert")
                .about("Creates, or updates if email exists, a single superuser")
                .arg(arguments()),
        )
        .subcommand(Command::new("create").about("Creates a new superuser").arg(arguments()))
        .subcommand(Command::new("update").about("Changes the password of a single superuser").arg(arguments()))
        .subcommand(Command::new("delete").about("Deletes an existing superuser").arg(arguments()))
        .subcommand(Command::new("otp").about("Creates a new OTP for the specified superuser").arg(arguments()))
        .subcommand(
            Command::new("ips")
                .about("Updates the superuser IPs whitelist setting with the specified IPs and subnets (none clears it)")
                .arg(arguments()),
        )
}

pub(super) async fn run(app: &App, matches: &ArgMatches, config: &Config) -> Result<(), Failure> {
    let known = matches.subcommand().filter(|(name, _)| command().find_subcommand(name).is_some());
    let Some((name, sub)) = known else {
        parts::touch(app).await?;
        print::raw(
            &command().bin_name(format!("{} superuser", config.exe)).render_help().to_string(),
        );
        return Ok(());
    };
    let arguments: Vec<String> =
        sub.get_many::<String>("args").into_iter().flatten().cloned().collect();
    check(name, &arguments)?;
    let engine = parts::open(app).await?;
    let said = change(&engine, name, &arguments).await;
    app.shutdown().await?;
    print::line(&said?);
    Ok(())
}

/// The arguments, before a directory is touched.
fn check(name: &str, arguments: &[String]) -> Result<(), Failure> {
    let email = arguments.first().map_or("", String::as_str);
    let refused = match name {
        "ips" => None,
        "delete" | "otp" => {
            (!engine::check::is_email(email)).then_some("invalid or missing email address")
        }
        _ if arguments.len() != 2 => Some(superusers::MISSING_ARGUMENTS),
        _ => (!engine::check::is_email(email)).then_some("missing or invalid email address"),
    };
    refused.map_or(Ok(()), |text| Err(Failure(text.into())))
}

async fn change(app: &engine::App, name: &str, arguments: &[String]) -> Result<String, Failure> {
    let ctx = Ctx::system(app);
    let argument = |idx: usize| arguments.get(idx).map_or("", String::as_str);
    let (email, password) = (argument(0), argument(1));
    let done = match name {
        "otp" => superusers::make_otp(&ctx, email).await,
        "ips" => superusers::set_ips(&ctx, arguments).await,
        "create" => superusers::create(&ctx, email, password).await,
        "upsert" => superusers::upsert(&ctx, email, password).await,
        "update" => superusers::update(&ctx, email, password).await,
        _ => superusers::delete(&ctx, email).await,
    };
    done.map_err(|error| Failure(parts::explain(&error)))
}
