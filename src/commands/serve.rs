//! `serve [domains]`: the web server. Source: spec server-settings-operations §1.4–§1.6.

use std::{fs, path::Path};

use clap::{Arg, ArgAction, ArgMatches, Command};
use engine::installer;
use pocketbase::{ServeOptions, Started};

use crate::{
    commands::Failure,
    flags::Config,
    print,
    wire,
};

pub(super) fn command() -> Command {
    Command::new("serve")
        .about("Starts the web server (default to 127.0.0.1:8090 if no domain is specified)")
        .arg(Arg::new("domains").num_args(0..).value_name("DOMAIN"))
        .arg(Arg::new("http").long("http").value_name("ADDRESS").help("TCP address to listen for the HTTP server"))
        .arg(Arg::new("https").long("https").value_name("ADDRESS").help("TCP address to listen for the HTTPS server"))
        .arg(
            Arg::new("origins")
                .long("origins")
                .value_name("ORIGIN")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("CORS allowed domain origins list (default: *)"),
        )
}

pub(super) fn run(matches: &ArgMatches, config: &Config) -> Result<(), Failure> {
    let domains = matches.get_many::<String>("domains").map_or(0, Iterator::count);
    let https = matches.get_one::<String>("https").is_some_and(|address| !address.is_empty());
    if domains > 0 || https {
        return Err(Failure(
            "TLS is not available in this build: put a reverse proxy in front and start with --http=ADDRESS".into(),
        ));
    }
    if !config.ignore_hooks {
        refuse_scripts(config)?;
    }
    let address = matches.get_one::<String>("http").cloned().unwrap_or_else(|| "127.0.0.1:8090".into());
    let origins = matches.get_many::<String>("origins").into_iter().flatten().cloned().collect();
    wire::runtime()?.block_on(async {
        let app = wire::app(config).await?;
        if !config.ignore_hooks {
            refuse_migrations(config, &app.applied_migrations().await?)?;
        }
        let options = ServeOptions {
            address,
            origins,
            public_dir: Some(config.public_dir.clone()),
            index_fallback: config.index_fallback,
        };
        app.serve(options, stop(), |started| {
            print::raw(&banner(&started));
            if let Some(link) = &started.installer {
                print::raw(&installer::message(link, &config.argv0));
            }
        })
        .await?;
        Ok(())
    })
}

/// The lines after a successful start.
fn banner(started: &Started) -> String {
    let shown = match started.address.as_str() {
        "" | ":http" | ":https" => "127.0.0.1",
        address => address,
    };
    let now = engine::time::now().to_string();
    let (date, time) = (now[..10].replace('-', "/"), &now[11..19]);
    format!("{date} {time} Server started at http://{shown}\n└─ REST API:  http://{shown}/api/\n")
}

/// Waits for SIGINT or SIGTERM.
async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Names of the files directly in a directory that end in one of the suffixes; a missing directory has none.
fn scripts(dir: &Path, suffixes: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| suffixes.iter().any(|suffix| name.ends_with(suffix)))
        .collect();
    names.sort();
    names
}

/// Without a JS runtime, hooks would silently not run: refuse.
fn refuse_scripts(config: &Config) -> Result<(), Failure> {
    // DIFFERENCE: the reference runs them; starting without them silently would drop rules users rely on.
    match scripts(&config.hooks_dir, &[".pb.js", ".pb.ts"]).first() {
        None => Ok(()),
        Some(name) => Err(Failure(format!(
            "{} cannot run: JS hooks are not available in this build (--ignoreHooks starts without them)",
            config.hooks_dir.join(name).display()
        ))),
    }
}

fn refuse_migrations(config: &Config, applied: &[String]) -> Result<(), Failure> {
    let open = scripts(&config.migrations_dir, &[".js", ".ts"]).into_iter().find(|name| !applied.contains(name));
    match open {
        None => Ok(()),
        Some(name) => Err(Failure(format!(
            "{} is not applied: JS migrations are not available in this build (--ignoreHooks starts without them)",
            config.migrations_dir.join(name).display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found() {
        let dir = tempfile::tempdir().expect("dir");
        for name in ["b.pb.js", "a.pb.ts", "c.js", "d.txt"] {
            fs::write(dir.path().join(name), "").expect("file");
        }
        assert_eq!(scripts(dir.path(), &[".pb.js", ".pb.ts"]), ["a.pb.ts", "b.pb.js"]);
        assert!(scripts(&dir.path().join("missing"), &[".js"]).is_empty());
    }

    #[test]
    fn banner_text() {
        let started = Started {
            address: "127.0.0.1:18105".into(),
            local: "127.0.0.1:18105".parse().expect("address"),
            installer: None,
        };
        let text = banner(&started);
        assert_eq!(&text[4..5], "/");
        assert_eq!(
            &text[19..],
            " Server started at http://127.0.0.1:18105\n└─ REST API:  http://127.0.0.1:18105/api/\n"
        );
    }
}
