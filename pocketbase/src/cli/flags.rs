//! Command line and environment → [`Config`]. The only reader of the environment.
//!
//! Source: spec server-settings-operations §1.2, §1.3, §7.2.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource, value_parser};

use crate::app::Given;

/// Flags that every command takes, defaults resolved.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Base name of the executable as it was called.
    pub(crate) exe: String,
    /// The executable as it was called.
    pub(crate) argv0: String,
    pub(crate) dir: PathBuf,
    pub(crate) public_dir: PathBuf,
    pub(crate) hooks_dir: PathBuf,
    pub(crate) migrations_dir: PathBuf,
    pub(crate) index_fallback: bool,
    /// The key named by `--encryptionEnv`.
    pub(crate) encryption_key: Option<String>,
    pub(crate) encryption_env: String,
    /// The PostgreSQL connection string; empty for SQLite.
    pub(crate) pg: String,
    /// Connection strings of read replicas.
    pub(crate) pg_replicas: Vec<String>,
    /// Tell PostgreSQL's policies who asks, whether or not a table has any.
    pub(crate) row_security: bool,
    /// Fields of auth records that policies may see.
    pub(crate) row_security_claims: Vec<String>,
    /// Whether there are other nodes (`on`, `off`, `auto`).
    pub(crate) pg_cluster: String,
    pub(crate) max_open_conns: Option<usize>,
    pub(crate) max_idle_conns: Option<usize>,
    pub(crate) dev: bool,
    pub(crate) query_timeout: Duration,
    pub(crate) durability: String,
    pub(crate) password_hash: String,
    pub(crate) ignore_hooks: bool,
    /// `SSL_CERT_FILE`: whom to trust when connecting to others.
    pub(crate) ca_file: Option<PathBuf>,
    /// Trusted root certificates and reach of outgoing requests.
    pub(crate) outbound: engine::outbound::ClientOptions,
    /// Seconds by which clocks of identity providers may differ (`PB_ID_TOKEN_LEEWAY`).
    pub(crate) id_token_leeway: Option<i64>,
    /// `PB_THUMBS_MAX_WORKERS`
    pub(crate) thumb_workers: Option<usize>,
    /// `PB_THUMBS_MAX_WAIT`, seconds.
    pub(crate) thumb_wait: Option<Duration>,
}

/// The arguments of the process.
pub(crate) fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// The file of the running executable; as it was called when the file has been replaced meanwhile.
pub(crate) fn executable(arguments: &[OsString]) -> PathBuf {
    let called = || arguments.first().map(PathBuf::from).unwrap_or_default();
    std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(called)
}

/// The executable as it was called, and its base name.
pub(crate) fn names(arguments: &[OsString]) -> (String, String) {
    let argv0 = arguments
        .first()
        .map_or_else(|| "pocketbase".into(), |arg| arg.to_string_lossy().into_owned());
    let exe = Path::new(&argv0)
        .file_name()
        .map_or_else(|| argv0.clone(), |name| name.to_string_lossy().into_owned());
    (argv0, exe)
}

/// Adds the global flags.
pub(crate) fn global(command: Command) -> Command {
    command
        .arg(text(
            "dir",
            "the PocketBase data directory (default: pb_data beside the executable; in the working directory for one that Cargo built)",
        ))
        .arg(
            text("pg", "the PostgreSQL connection string (default: PB_POSTGRES_DSN; \"\": SQLite)")
                .value_name("DSN"),
        )
        .arg(
            texts("pgReplica", "a standby server that answers reads; may be repeated (default: PB_POSTGRES_REPLICA, one a line)")
                .value_name("DSN"),
        )
        .arg(text(
            "encryptionEnv",
            "the environment variable whose value of 32 characters encrypts the settings",
        ))
        .arg(switch("dev", "false", "print all logs and SQL statements"))
        .arg(
            text("queryTimeout", "the default SELECT timeout in seconds")
                .value_parser(value_parser!(u64))
                .default_value("30"),
        )
        .arg(
            text(
                "durability",
                "normal: commits survive a crash of the process; full: also a loss of power",
            )
            .value_parser(["normal", "full"])
            .default_value("normal"),
        )
        .arg(
            text("passwordHash", "how new passwords are hashed")
                .value_parser(["argon2id", "bcrypt"])
                .default_value("argon2id"),
        )
        .arg(text("hooksDir", "the directory with the JS app hooks"))
        .arg(switch("hooksWatch", "true", "restart on changes in the hooks directory"))
        .arg(
            text("hooksPool", "prewarmed JS runtimes")
                .value_parser(value_parser!(i64))
                .default_value("15"),
        )
        .arg(text("migrationsDir", "the directory with the user migrations"))
        .arg(
            text("migrationsPrefix", "how names of new migrations begin: seconds since 1970, or date and time")
                .value_parser(["unix", "datetime"])
                .default_value("unix"),
        )
        .arg(switch("automigrate", "true", "write migration files on collection changes"))
        .arg(switch(
            "ignoreHooks",
            "false",
            "start although there are JS hooks or migrations that cannot run",
        ))
        .arg(text("publicDir", "the directory with the static files"))
        .arg(switch("indexFallback", "true", "serve index.html for missing static paths"))
        .arg(pool("dataMaxOpenConns").help("most PostgreSQL connections (100)").hide(false))
        .arg(pool("dataMaxIdleConns").help("most unused PostgreSQL connections (20)").hide(false))
        .arg(pool("auxMaxOpenConns"))
        .arg(pool("auxMaxIdleConns"))
}

/// True for flags that are on or off.
pub(crate) fn is_switch(flag: &str) -> bool {
    let names = ["dev", "hooksWatch", "automigrate", "ignoreHooks", "indexFallback", "compress"];
    flag.strip_prefix("--").is_some_and(|name| names.contains(&name))
}

/// A variable of the environment; empty ones count as missing.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A flag with a text; given twice, the last one counts, as with the reference's flags.
pub(crate) fn text(name: &'static str, help: &'static str) -> Arg {
    value(name, help).overrides_with(name)
}

/// A flag with a text that may be given many times.
fn texts(name: &'static str, help: &'static str) -> Arg {
    value(name, help).action(ArgAction::Append)
}

fn value(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).global(true).value_name("VALUE").hide_default_value(false).help(help)
}

/// Names of fields, separated by commas; what cannot be part of a variable's name is left out.
fn fields(list: &str) -> Vec<String> {
    let is_name = |name: &&str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    list.split(',').map(str::trim).filter(is_name).map(str::to_owned).collect()
}

pub(crate) fn switch(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .global(true)
        .overrides_with(name)
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_value(default)
        .default_missing_value("true")
        .value_parser(value_parser!(bool))
        .help(help)
}

/// Sizes of connection pools: PostgreSQL has one; the others are accepted so that existing unit files start.
fn pool(name: &'static str) -> Arg {
    Arg::new(name).long(name).global(true).value_parser(value_parser!(i64)).hide(true)
}

/// The lines of some texts that are not blank: connection strings may hold any other separator.
fn lines(texts: &[String]) -> Vec<String> {
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// A positive number in the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok().filter(|n| *n > 0)
}

/// Where the directories are that no flag names: beside the executable, as it was called. One that Cargo has built
/// lies among things that `cargo clean` deletes: then it is the working directory.
fn home(argv0: &str, executable: &Path) -> PathBuf {
    match argv0.rfind(['/', std::path::MAIN_SEPARATOR]) {
        _ if is_built_here(executable) => PathBuf::new(),
        Some(0) => PathBuf::from("/"),
        Some(at) => PathBuf::from(&argv0[..at]),
        None => PathBuf::new(),
    }
}

/// True if one of the folders around an executable is a target folder of Cargo, whatever its name.
fn is_built_here(executable: &Path) -> bool {
    let is_target = |folder: &Path| {
        let tag = || std::fs::read_to_string(folder.join("CACHEDIR.TAG"));
        folder.join(".rustc_info.json").exists()
            || folder.join(".cargo-lock").exists()
            || tag().is_ok_and(|tag| tag.contains("created by cargo"))
    };
    // target, perhaps a platform, a profile, perhaps `examples`
    executable.ancestors().skip(1).take(4).any(is_target)
}

/// Reads the global flags; what code has decided is their default.
pub(crate) fn read(arguments: &[OsString], matches: &ArgMatches, given: &Given) -> Config {
    let (argv0, _) = names(arguments);
    read_at(&home(&argv0, &executable(arguments)), arguments, matches, given)
}

fn read_at(base: &Path, arguments: &[OsString], matches: &ArgMatches, given: &Given) -> Config {
    let (argv0, exe) = names(arguments);
    let path = |name: &str| {
        matches.get_one::<String>(name).filter(|text| !text.is_empty()).map(PathBuf::from)
    };
    // Code has decided, and the command line says nothing else.
    let is_decided = |name: &'static str| {
        given.decided.contains(name) && matches.value_source(name) != Some(ValueSource::CommandLine)
    };
    let own_dir = is_decided("dir").then(|| given.engine.data_dir.clone());
    let dir = path("dir").or(own_dir).unwrap_or_else(|| base.join("pb_data"));
    let beside = |name: &str| {
        dir.parent().map_or_else(|| PathBuf::from("..").join(name), |up| up.join(name))
    };
    let word = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let on = |name: &str| matches.get_one::<bool>(name).copied().unwrap_or_default();
    let ca_file =
        std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let key_name = word("encryptionEnv");
    let conns = |name: &str| {
        let found = matches.get_one::<i64>(name).and_then(|n| usize::try_from(*n).ok());
        found.filter(|n| *n > 0)
    };
    let pg = matches.get_one::<String>("pg").cloned();
    let replicas: Option<Vec<String>> =
        matches.get_many("pgReplica").map(|given| given.cloned().collect());
    Config {
        public_dir: path("publicDir")
            .or_else(|| given.public_dir.clone())
            .unwrap_or_else(|| base.join("pb_public")),
        hooks_dir: path("hooksDir")
            .or_else(|| given.hooks_dir.clone())
            .unwrap_or_else(|| beside("pb_hooks")),
        migrations_dir: path("migrationsDir")
            .or_else(|| given.migrations_dir.clone())
            .unwrap_or_else(|| beside("pb_migrations")),
        index_fallback: match is_decided("indexFallback") {
            true => given.index_fallback,
            false => on("indexFallback"),
        },
        encryption_key: if key_name.is_empty() { None } else { variable(&key_name) },
        encryption_env: key_name,
        pg: match is_decided("pg") {
            true => given.dsn.clone().unwrap_or_default(),
            false => pg.or_else(|| variable("PB_POSTGRES_DSN")).unwrap_or_default(),
        },
        pg_replicas: lines(
            &replicas.unwrap_or_else(|| variable("PB_POSTGRES_REPLICA").into_iter().collect()),
        ),
        row_security: variable("PB_PG_RLS")
            .is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true")),
        row_security_claims: fields(&variable("PB_PG_RLS_CLAIMS").unwrap_or_default()),
        pg_cluster: variable("PB_PG_CLUSTER").unwrap_or_default(),
        max_open_conns: conns("dataMaxOpenConns").or(given.max_open),
        max_idle_conns: conns("dataMaxIdleConns").or(given.max_idle),
        dev: if is_decided("dev") { given.engine.dev } else { on("dev") },
        query_timeout: match is_decided("queryTimeout") {
            true => given.engine.query_timeout,
            false => {
                Duration::from_secs(matches.get_one::<u64>("queryTimeout").copied().unwrap_or(30))
            }
        },
        durability: word("durability"),
        password_hash: word("passwordHash"),
        ignore_hooks: on("ignoreHooks"),
        outbound: engine::outbound::ClientOptions {
            root_file: ca_file.clone(),
            allow_private: std::env::var("PB_OUTBOUND_PRIVATE")
                .is_ok_and(|v| v == "1" || v == "true"),
        },
        ca_file,
        id_token_leeway: std::env::var("PB_ID_TOKEN_LEEWAY").ok().and_then(|v| v.parse().ok()),
        thumb_workers: number("PB_THUMBS_MAX_WORKERS").and_then(|n| usize::try_from(n).ok()),
        thumb_wait: number("PB_THUMBS_MAX_WAIT").map(Duration::from_secs),
        exe,
        argv0,
        dir,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(arguments: &[&str]) -> Config {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let matches = global(Command::new("x")).get_matches_from(&arguments);
        let (argv0, _) = names(&arguments);
        let given = crate::app::Setting::default().get();
        read_at(&home(&argv0, Path::new("/nowhere/pb")), &arguments, &matches, &given)
    }

    #[test]
    fn flags_given_twice() {
        let config =
            config(&["x", "--dir", "a", "--pgReplica", "one", "--dir", "b", "--pgReplica", "two"]);
        assert_eq!(config.dir, Path::new("b"));
        assert_eq!(config.pg_replicas, ["one", "two"]);
    }

    #[test]
    fn what_cargo_builds_keeps_its_data_elsewhere() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        for folder in
            ["my-target/release/examples", "tagged/x/release", "plain/release", "target/release"]
        {
            std::fs::create_dir_all(at(folder)).expect("a folder");
        }
        std::fs::write(at("my-target/.rustc_info.json"), "{}").expect("a file");
        let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by cargo.\n";
        std::fs::write(at("tagged/CACHEDIR.TAG"), tag).expect("a file");
        std::fs::write(at("plain/CACHEDIR.TAG"), "of somebody else").expect("a file");
        for (executable, is_built) in [
            ("my-target/release/pb", true),
            ("my-target/release/examples/pb", true),
            ("tagged/x/release/pb", true),
            ("plain/release/pb", false),
            ("target/release/pb", false),
            ("pb", false),
        ] {
            assert_eq!(is_built_here(&at(executable)), is_built, "{executable}");
            let argv0 = at(executable).display().to_string();
            let home = home(&argv0, &at(executable));
            let beside = at(executable).parent().expect("a folder").to_owned();
            assert_eq!(home, if is_built { PathBuf::new() } else { beside }, "{executable}");
        }
    }

    #[test]
    fn directories_follow_the_executable() {
        for (arguments, dir, public, hooks) in [
            (&["pb"][..], "pb_data", "pb_public", "pb_hooks"),
            (&["./x/pb"], "./x/pb_data", "./x/pb_public", "./x/pb_hooks"),
            (&["/pb"], "/pb_data", "/pb_public", "/pb_hooks"),
            (&["/opt/pb", "--dir", "/data/pb"], "/data/pb", "/opt/pb_public", "/data/pb_hooks"),
        ] {
            let config = config(arguments);
            assert_eq!(config.dir, PathBuf::from(dir));
            assert_eq!(config.public_dir, PathBuf::from(public));
            assert_eq!(config.hooks_dir, PathBuf::from(hooks));
        }
    }

    #[test]
    fn postgres() {
        let found = config(&["pb", "--pg", "postgres://x", "--dataMaxOpenConns=7"]);
        assert_eq!((found.pg.as_str(), found.max_open_conns), ("postgres://x", Some(7)));
        assert_eq!(config(&["pb", "--pg="]).pg, "");
    }

    #[test]
    fn names_of_fields() {
        assert_eq!(fields(" role, a b,,1x,team_2"), ["role", "team_2"]);
    }

    #[test]
    fn switches() {
        assert!(!config(&["pb"]).dev);
        assert!(config(&["pb", "--dev"]).dev);
        assert!(!config(&["pb", "--dev", "--indexFallback=false"]).index_fallback);
        assert!(config(&["pb"]).index_fallback);
    }
}
