//! `serve [domains]`: the web server. Source: spec server-settings-operations §1.4–§1.6.

use std::{fs, path::Path, time::Duration};

use api::{
    server::{Limits, Times},
    tls::Authority,
};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use engine::installer;

use crate::{
    app::App,
    cli::{
        commands::Failure,
        flags::{self, Config},
        print,
    },
    serve::{Ended, ServeOptions, Started},
};

pub(super) fn command() -> Command {
    let text = |name, help| Arg::new(name).long(name).value_name("VALUE").help(help);
    let seconds = |name, default, help| {
        text(name, help).value_parser(value_parser!(u64).range(1..=86_400)).default_value(default)
    };
    Command::new("serve")
        .about("Starts the web server (default to 127.0.0.1:8090 if no domain is specified)")
        .arg(Arg::new("domains").num_args(0..).value_name("DOMAIN"))
        .arg(text(
            "http",
            "TCP address to listen for the HTTP server (with domains: 0.0.0.0:80, else 127.0.0.1:8090)",
        ))
        .arg(text(
            "https",
            "TCP address to listen for the HTTPS server (with domains: 0.0.0.0:443, else none); HTTP is redirected to it",
        ))
        .arg(
            Arg::new("origins")
                .long("origins")
                .value_name("ORIGIN")
                .value_delimiter(',')
                .action(ArgAction::Append)
                .help("CORS allowed domain origins list (default: *)"),
        )
        .arg(text(
            "acmeDirectory",
            "URL of another ACME directory than Let's Encrypt [env: PB_ACME_DIRECTORY]",
        ))
        .arg(text(
            "acmeRoot",
            "PEM file with the root certificate of that directory [env: PB_ACME_ROOT]",
        ))
        .arg(text(
            "metricsToken",
            "a bearer token for /api/metrics besides those of superusers [env: PB_METRICS_TOKEN]",
        ))
        .arg(
            flags::switch("compress", "false", "compress API answers and static files, too (gzip, br, zstd)")
                .global(false),
        )
        .arg(
            text("maxConnections", "most connections at a time; 0: as many as there are descriptors for")
                .value_parser(value_parser!(u32))
                .default_value("0"),
        )
        .arg(seconds("headerTimeout", "60", "seconds for the head of a request and for TLS handshakes"))
        .arg(seconds("requestTimeout", "300", "seconds for a request and its answer; event streams have no limit"))
        .arg(seconds("shutdownTimeout", "1", "seconds that open requests get when the server stops"))
}

/// Serves, and again in this process where the process image cannot be replaced.
pub(super) async fn run(app: &App, matches: &ArgMatches, config: &Config) -> Result<(), Failure> {
    while serve(app, matches, config).await? == Ended::Restart {
        restart();
    }
    Ok(())
}

/// Replaces the process by a fresh one of the same executable, arguments and id. Comes back only when that fails.
fn restart() {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        let arguments = flags::arguments();
        let argv0 = arguments.first().cloned().unwrap_or_default();
        let mut command = std::process::Command::new(flags::executable(&arguments));
        let error = command.arg0(argv0).args(arguments.iter().skip(1)).exec();
        print::error(&format!("restarting within the process: {error}"));
    }
}

async fn serve(app: &App, matches: &ArgMatches, config: &Config) -> Result<Ended, Failure> {
    let refuses = !config.ignore_hooks && !app.shared.registered.lock().runs_scripts;
    if refuses {
        refuse_scripts(config)?;
    }
    let options = options(matches, config);
    app.bootstrap().await?;
    if refuses
        && let Err(refused) = refuse_migrations(config, &app.migrations().applied(app).await?)
    {
        app.shutdown().await?;
        return Err(refused);
    }
    let ended = app
        .serve(options, stop(), |started| {
            print::raw(&banner(&started, &config.dir));
            if let Some(link) = &started.installer {
                print::raw(&installer::message(link, &config.argv0));
            }
        })
        .await?;
    Ok(ended)
}

/// Flags and their variables as the server takes them.
fn options(matches: &ArgMatches, config: &Config) -> ServeOptions {
    let list = |name: &str| -> Vec<String> {
        matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
    };
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let seconds = |name: &str, default: Duration| {
        matches.get_one::<u64>(name).map_or(default, |seconds| Duration::from_secs(*seconds))
    };
    let domains = list("domains");
    let (http, https) =
        if domains.is_empty() { ("127.0.0.1:8090", "") } else { ("0.0.0.0:80", "0.0.0.0:443") };
    let or_variable = |name: &str, variable: &str| {
        text(name).filter(|value| !value.is_empty()).or_else(|| flags::variable(variable))
    };
    let mut authority = Authority::default();
    if let Some(directory) = or_variable("acmeDirectory", "PB_ACME_DIRECTORY") {
        authority.directory = directory;
    }
    authority.root = or_variable("acmeRoot", "PB_ACME_ROOT").map(Into::into);
    let limits = Limits::default();
    let n_most = matches.get_one::<u32>("maxConnections").copied().unwrap_or_default();
    ServeOptions {
        address: text("http").unwrap_or_else(|| http.into()),
        https: text("https").unwrap_or_else(|| https.into()),
        domains,
        authority,
        limits: Limits {
            times: Times {
                header: seconds("headerTimeout", limits.times.header),
                request: seconds("requestTimeout", limits.times.request),
                idle: limits.times.idle,
            },
            max_connections: usize::try_from(n_most).unwrap_or(usize::MAX),
            grace: seconds("shutdownTimeout", limits.grace),
        },
        compress: matches.get_one::<bool>("compress").copied().unwrap_or_default(),
        metrics_token: or_variable("metricsToken", "PB_METRICS_TOKEN"),
        origins: list("origins"),
        public_dir: Some(config.public_dir.clone()),
        index_fallback: config.index_fallback,
    }
}

/// The lines after a successful start: who must be able to reach the data should know where it lies.
fn banner(started: &Started, dir: &Path) -> String {
    let url = &started.base_url;
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let now = engine::time::now().to_string();
    let (date, time) = (now[..10].replace('-', "/"), &now[11..19]);
    let dashboard = if cfg!(feature = "dashboard") {
        format!("├─ Dashboard: {url}/_/\n")
    } else {
        String::new()
    };
    format!(
        "{date} {time} Server started at {url}\n├─ REST API:  {url}/api/\n{dashboard}└─ Data:      {}\n",
        dir.display()
    )
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

pub(super) fn refuse_migrations(config: &Config, applied: &[String]) -> Result<(), Failure> {
    let open = scripts(&config.migrations_dir, &[".js", ".ts"])
        .into_iter()
        .find(|name| !applied.contains(name));
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
            base_url: "http://127.0.0.1:18105".into(),
            local: "127.0.0.1:18105".parse().expect("address"),
            installer: None,
        };
        let text = banner(&started, Path::new("pb_data"));
        let dir = std::env::current_dir().expect("a directory").join("pb_data");
        assert_eq!(&text[4..5], "/");
        assert_eq!(
            text[19..],
            format!(
                " Server started at http://127.0.0.1:18105\n├─ REST API:  http://127.0.0.1:18105/api/\n{}└─ Data:      {}\n",
                if cfg!(feature = "dashboard") {
                    "├─ Dashboard: http://127.0.0.1:18105/_/\n"
                } else {
                    ""
                },
                dir.display()
            )
        );
    }
    fn served(arguments: &[&str]) -> ServeOptions {
        let line: Vec<std::ffi::OsString> =
            ["pb", "serve"].iter().chain(arguments).map(Into::into).collect();
        let root = flags::global(Command::new("pb")).subcommand(command());
        let matches = root.get_matches_from(&line);
        let (_, sub) = matches.subcommand().expect("serve");
        options(sub, &flags::read(&line, sub, &crate::app::Setting::default().get()))
    }

    #[test]
    fn addresses_follow_the_domains() {
        for (arguments, http, https) in [
            (&[][..], "127.0.0.1:8090", ""),
            (&["a.com", "b.com"], "0.0.0.0:80", "0.0.0.0:443"),
            (&["a.com", "--http", ":8080", "--https=:8443"], ":8080", ":8443"),
            (&["a.com", "--http="], "", "0.0.0.0:443"),
        ] {
            let options = served(arguments);
            assert_eq!((options.address.as_str(), options.https.as_str()), (http, https));
        }
        assert_eq!(served(&["--origins", "a,b", "--origins=c"]).origins, ["a", "b", "c"]);
        assert_eq!(served(&["--requestTimeout=7"]).limits.times.request.as_secs(), 7);
        assert!(served(&["--compress"]).compress && !served(&[]).compress);
    }
}
