//! Connection strings: URL and keyword forms → [`Dsn`]. Opens nothing and reads no environment.
//!
//! Source: spec extensions §1.2; libpq's connection strings. A password never appears in any text made here.

use std::{
    fmt::{self, Write as _},
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_postgres::config::{ChannelBinding, Host, LoadBalanceHosts, TargetSessionAttrs};

use super::plain::DsnError;

/// Where a connection string has a variable of the environment to fall back on.
const ENVIRONMENT: [(&str, &str); 18] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("application_name", "PGAPPNAME"),
    ("options", "PGOPTIONS"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("requiressl", "PGREQUIRESSL"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
];

/// Settings of the session that may stand in a connection string by their own name.
const SESSION: [&str; 7] = [
    "search_path",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "default_transaction_isolation",
    "work_mem",
];

/// What libpq knows and we have no use for.
const WITHOUT_EFFECT: [&str; 12] = [
    "timezone",
    "client_encoding",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "sslcompression",
    "sslsni",
    "sslcrl",
    "sslcrldir",
    "requirepeer",
    "replication",
];

/// Parameters with a meaning of their own.
const KNOWN: [&str; 27] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "fallback_application_name",
    "options",
    "connect_timeout",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslnegotiation",
    "requiressl",
    "channel_binding",
    "target_session_attrs",
    "load_balance_hosts",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "statement_cache",
    "pgbouncer",
];

/// Where an installed server keeps its sockets.
const SOCKET_DIRS: [&str; 3] = ["/var/run/postgresql", "/private/tmp", "/tmp"];

fn bad(parameter: &str, reason: impl Into<String>) -> DsnError {
    DsnError { parameter: parameter.to_owned(), reason: reason.into() }
}

/// How much TLS there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only if the server insists.
    Allow,
    /// If the server can.
    Prefer,
    /// Always, with any certificate.
    Require,
    /// Always, with a trusted certificate.
    VerifyCa,
    /// Always, with a trusted certificate for this host.
    VerifyFull,
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// The usual public ones and those of the system.
    System,
    /// Those in a PEM file.
    File(PathBuf),
}

/// Which servers of several are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    One(TargetSessionAttrs),
    /// A standby, and if there is none any.
    PreferStandby,
}

/// A connection string, understood.
#[derive(Clone, PartialEq)]
pub struct Dsn {
    pub(super) config: tokio_postgres::Config,
    pub(super) ssl_mode: SslMode,
    pub(super) roots: Roots,
    /// Certificate and key that we show to the server.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    pub(super) target: Target,
    /// Settings of the session, as `SET` would get them.
    pub(super) session: Vec<(String, String)>,
    pub(super) connect_timeout: Option<Duration>,
    caches_statements: bool,
    is_pooled: bool,
}

/// Shows neither password nor options.
impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

/// `postgres://user@host:port/database`, for people.
impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        write!(f, "{}/{}", self.hosts(), self.config.get_dbname().unwrap_or_default())
    }
}

impl Dsn {
    /// True if a text is meant as a connection string, not as a directory.
    #[must_use]
    pub fn is_dsn(text: &str) -> bool {
        if after_scheme(text).is_some() {
            return true;
        }
        let name = text.trim_start().split(['=', ' ', '\t']).next().unwrap_or_default();
        text.contains('=') && is_known(name)
    }

    /// Reads a connection string; nothing comes from the environment.
    ///
    /// # Errors
    /// [`DsnError`] names the parameter.
    pub fn parse(text: &str) -> Result<Self, DsnError> {
        Self::parse_with(text, &|_| None)
    }

    /// As [`Dsn::parse`]; `variable` is asked for `PGHOST`, `PGUSER`, … where the text says nothing.
    ///
    /// # Errors
    /// [`DsnError`] names the parameter.
    pub fn parse_with(
        text: &str,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DsnError> {
        let mut params = match after_scheme(text) {
            Some(rest) => from_url(rest)?,
            None => from_keywords(text)?,
        };
        for (name, env) in ENVIRONMENT {
            if !params.has(name)
                && let Some(value) = variable(env).filter(|value| !value.is_empty())
            {
                params.0.push((name.to_owned(), value));
            }
        }
        build(&params)
    }

    /// False if named prepared statements must not be used (`statement_cache=0`, `pgbouncer=true`).
    #[must_use]
    pub fn caches_statements(&self) -> bool {
        self.caches_statements
    }

    /// True if sessions are shared by a pooler (`pgbouncer=true`).
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// The same with another `application_name`.
    #[must_use]
    pub fn named(mut self, application_name: &str) -> Self {
        self.config.application_name(application_name);
        self
    }

    /// Name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or_default()
    }

    /// `host:port,…` for people.
    #[must_use]
    pub fn hosts(&self) -> String {
        let (config, mut out) = (&self.config, String::new());
        let n = config.get_hosts().len().max(config.get_hostaddrs().len());
        for idx in 0..n {
            if idx > 0 {
                out.push(',');
            }
            match (config.get_hosts().get(idx), config.get_hostaddrs().get(idx)) {
                (Some(Host::Tcp(host)), _) => out.push_str(host),
                #[cfg(unix)]
                (Some(Host::Unix(path)), _) => out.push_str(&path.to_string_lossy()),
                (None, Some(ip)) => out.push_str(&ip.to_string()),
                (None, None) => {}
            }
            let ports = config.get_ports();
            let port = ports.get(idx).or(ports.first()).copied().unwrap_or(5432);
            // writing to a String cannot fail
            let _ = write!(out, ":{port}");
        }
        out
    }
}

fn is_known(name: &str) -> bool {
    [&KNOWN[..], &SESSION, &WITHOUT_EFFECT].iter().any(|list| list.contains(&name))
}

/// What follows `postgres://`.
fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.trim_start().split_once("://")?;
    let is_ours =
        scheme.eq_ignore_ascii_case("postgres") || scheme.eq_ignore_ascii_case("postgresql");
    is_ours.then_some(rest)
}

/// Names and values in the order they were given; the last of a name counts.
#[derive(Default)]
struct Params(Vec<(String, String)>);

impl Params {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }
    /// The value, if there is one that is not empty.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
    fn add(&mut self, name: &str, value: String) -> Result<(), DsnError> {
        // The texts of other drivers.
        let name = match name {
            "database" => "dbname",
            "username" => "user",
            "ssl" if value == "true" => return self.add("sslmode", "require".to_owned()),
            "TimeZone" => "timezone",
            other => other,
        };
        if !is_known(name) {
            let plain = name.len() <= 40
                && !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
            let shown = if plain { name } else { "parameters" };
            return Err(bad(shown, "there is no such parameter"));
        }
        if value.contains('\0') {
            return Err(bad(name, "it contains a NUL character"));
        }
        self.0.push((name.to_owned(), value));
        Ok(())
    }
    fn number(&self, name: &str) -> Result<Option<u32>, DsnError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| bad(name, "it is not a number"))
    }
    fn switch(&self, name: &str) -> Result<Option<bool>, DsnError> {
        Ok(Some(match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => return Ok(None),
            Some("1" | "true" | "on" | "yes") => true,
            Some("0" | "false" | "off" | "no") => false,
            Some(_) => return Err(bad(name, "it is neither true nor false")),
        }))
    }
    fn one_of<T: Copy>(&self, name: &str, values: &[(&str, T)]) -> Result<Option<T>, DsnError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let names = || values.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ");
        match values.iter().find(|(n, _)| *n == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(bad(name, format!("it must be one of {}", names()))),
        }
    }
}

/// `[user[:password]@][host[:port],…][/database][?name=value&…]`
fn from_url(rest: &str) -> Result<Params, DsnError> {
    let mut params = Params::default();
    let rest = rest.trim_end();
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    if user.is_none() && tail.contains('@') {
        let port = hosts.rsplit_once(':').map_or("", |(_, port)| port);
        if port.bytes().any(|b| !b.is_ascii_digit()) {
            return Err(bad("password", "its characters / and ? must be written as %2F and %3F"));
        }
    }
    if let Some(user) = user {
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        params.0.push(("user".into(), decode("user", name)?));
        if let Some(password) = password {
            params.0.push(("password".into(), decode("password", password)?));
        }
    }
    add_hosts(&mut params, hosts)?;
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    if path.len() > 1 {
        params.0.push(("dbname".into(), decode("dbname", &path[1..])?));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode("parameters", name)?;
        let value = decode(&name, value)?;
        params.add(&name, value)?;
    }
    Ok(params)
}

fn add_hosts(params: &mut Params, text: &str) -> Result<(), DsnError> {
    if text.is_empty() {
        return Ok(());
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for item in text.split(',') {
        let (host, port) = match item.strip_prefix('[') {
            Some(v6) => {
                let (host, rest) =
                    v6.split_once(']').ok_or_else(|| bad("host", "a ] is missing"))?;
                match rest.strip_prefix(':') {
                    Some(port) => (host, port),
                    None if rest.is_empty() => (host, ""),
                    None => return Err(bad("host", "there is something after the ]")),
                }
            }
            None => item.split_once(':').unwrap_or((item, "")),
        };
        hosts.push(decode("host", host)?);
        ports.push(decode("port", port)?);
    }
    params.0.push(("host".into(), hosts.join(",")));
    if ports.iter().any(|port| !port.is_empty()) {
        params.0.push(("port".into(), ports.join(",")));
    }
    Ok(())
}

fn decode(name: &str, text: &str) -> Result<String, DsnError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (hex(bytes.next()), hex(bytes.next())) else {
            return Err(bad(name, "a % must be followed by two hexadecimal digits"));
        };
        out.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    match String::from_utf8(out) {
        Ok(text) if !text.contains('\0') => Ok(text),
        Ok(_) => Err(bad(name, "it contains a NUL character")),
        Err(_) => Err(bad(name, "it is not UTF-8")),
    }
}

/// `name=value name='a value'`
fn from_keywords(text: &str) -> Result<Params, DsnError> {
    let mut params = Params::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, value)) = rest.split_once('=') else {
            return Err(bad("parameters", "they are neither postgres://… nor name=value"));
        };
        let (value, after) = keyword_value(name.trim(), value.trim_start())?;
        params.add(name.trim(), value)?;
        rest = after.trim_start();
    }
    Ok(params)
}

fn keyword_value<'a>(name: &str, text: &'a str) -> Result<(String, &'a str), DsnError> {
    let quoted = text.strip_prefix('\'');
    let (body, mut out) = (quoted.unwrap_or(text), String::new());
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => out.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted.is_some() => return Ok((out, &body[at + 1..])),
            c if quoted.is_none() && c.is_whitespace() => return Ok((out, &body[at..])),
            c => out.push(c),
        }
    }
    if quoted.is_some() {
        let name = if is_known(name) { name } else { "parameters" };
        return Err(bad(name, "the closing quote is missing"));
    }
    Ok((out, ""))
}

fn build(params: &Params) -> Result<Dsn, DsnError> {
    let mut config = tokio_postgres::Config::new();
    set_hosts(&mut config, params)?;
    if let Some(user) = params.get("user") {
        config.user(user);
    }
    if let Some(password) = params.get("password") {
        config.password(password);
    }
    if let Some(name) = params.get("dbname") {
        config.dbname(name);
    }
    let fallback = params.get("fallback_application_name").unwrap_or("pocketbase");
    config.application_name(params.get("application_name").unwrap_or(fallback));
    set_sockets(&mut config, params)?;
    let connect_timeout = params.number("connect_timeout")?.filter(|seconds| *seconds > 0);
    let is_pooled = params.switch("pgbouncer")?.unwrap_or(false);
    let session = session(params);
    if !is_pooled {
        config.options(startup_options(params.get("options"), &session));
    }
    let (ssl_mode, roots) = tls(params)?;
    Ok(Dsn {
        config,
        ssl_mode,
        roots,
        identity: identity(params)?,
        target: target(params)?,
        session,
        connect_timeout: connect_timeout.map(|seconds| Duration::from_secs(seconds.into())),
        caches_statements: !is_pooled && params.number("statement_cache")? != Some(0),
        is_pooled,
    })
}

fn set_hosts(config: &mut tokio_postgres::Config, params: &Params) -> Result<(), DsnError> {
    let list = |name| params.get(name).map(|text| text.split(',').map(str::trim).collect());
    let hosts: Vec<&str> = list("host").unwrap_or_default();
    let addresses: Vec<&str> = list("hostaddr").unwrap_or_default();
    let ports: Vec<&str> = list("port").unwrap_or_default();
    let default = || default_host(ports.first().copied().unwrap_or("5432"));
    for host in &hosts {
        if host.is_empty() {
            config.host(default());
        } else {
            config.host(*host);
        }
    }
    for address in &addresses {
        let ip: IpAddr = address.parse().map_err(|_| bad("hostaddr", "it is no IP address"))?;
        config.hostaddr(ip);
    }
    if hosts.is_empty() && addresses.is_empty() {
        config.host(default());
    }
    let n_hosts = hosts.len().max(addresses.len()).max(1);
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(bad("hostaddr", "there must be as many as in host"));
    }
    if ports.len() > 1 && ports.len() != n_hosts {
        return Err(bad("port", "there must be one, or as many as in host"));
    }
    for port in ports {
        config.port(match port {
            "" => 5432,
            text => match text.parse() {
                Ok(0) | Err(_) => return Err(bad("port", "it must be a number from 1 to 65535")),
                Ok(port) => port,
            },
        });
    }
    Ok(())
}

/// The socket of a server on this machine, else `localhost`.
fn default_host(port: &str) -> &'static str {
    let socket = format!(".s.PGSQL.{port}");
    let found = SOCKET_DIRS.into_iter().find(|dir| Path::new(dir).join(&socket).exists());
    found.unwrap_or("localhost")
}

fn set_sockets(config: &mut tokio_postgres::Config, params: &Params) -> Result<(), DsnError> {
    let seconds = |n: u32| Duration::from_secs(n.into());
    if let Some(n) = params.number("connect_timeout")?.filter(|n| *n > 0) {
        config.connect_timeout(seconds(n));
    }
    if let Some(n) = params.number("tcp_user_timeout")?.filter(|n| *n > 0) {
        config.tcp_user_timeout(Duration::from_millis(n.into()));
    }
    // Two hours, the default, is too long to notice a peer that is gone.
    config.keepalives_idle(seconds(params.number("keepalives_idle")?.unwrap_or(60).max(1)));
    if let Some(n) = params.number("keepalives_interval")?.filter(|n| *n > 0) {
        config.keepalives_interval(seconds(n));
    }
    if let Some(n) = params.number("keepalives_count")?.filter(|n| *n > 0) {
        config.keepalives_retries(n);
    }
    if let Some(on) = params.switch("keepalives")? {
        config.keepalives(on);
    }
    let bindings = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    if let Some(binding) = params.one_of("channel_binding", &bindings)? {
        config.channel_binding(binding);
    }
    let orders = [("disable", LoadBalanceHosts::Disable), ("random", LoadBalanceHosts::Random)];
    if let Some(order) = params.one_of("load_balance_hosts", &orders)? {
        config.load_balance_hosts(order);
    }
    Ok(())
}

fn target(params: &Params) -> Result<Target, DsnError> {
    use TargetSessionAttrs::{Any, ReadOnly, ReadWrite};
    let targets = [
        ("any", Target::One(Any)),
        ("read-write", Target::One(ReadWrite)),
        ("primary", Target::One(ReadWrite)),
        ("read-only", Target::One(ReadOnly)),
        ("standby", Target::One(ReadOnly)),
        ("prefer-standby", Target::PreferStandby),
    ];
    Ok(params.one_of("target_session_attrs", &targets)?.unwrap_or(Target::One(Any)))
}

fn tls(params: &Params) -> Result<(SslMode, Roots), DsnError> {
    let modes = [
        ("disable", SslMode::Disable),
        ("allow", SslMode::Allow),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];
    let mode = match params.one_of("sslmode", &modes)? {
        None if params.switch("requiressl")? == Some(true) => Some(SslMode::Require),
        mode => mode,
    };
    if let Some("direct") =
        params.one_of("sslnegotiation", &[("postgres", "postgres"), ("direct", "direct")])?
    {
        return Err(bad("sslnegotiation", "only postgres is supported"));
    }
    Ok(match params.get("sslrootcert") {
        Some("system") => match mode {
            None | Some(SslMode::VerifyFull) => (SslMode::VerifyFull, Roots::System),
            Some(_) => {
                return Err(bad("sslmode", "it must be verify-full with sslrootcert=system"));
            }
        },
        Some(file) => {
            // libpq: whoever names a root certificate wants it to be looked at
            let mode = match mode.unwrap_or(SslMode::Prefer) {
                SslMode::Require => SslMode::VerifyCa,
                mode => mode,
            };
            (mode, Roots::File(file.into()))
        }
        None => (mode.unwrap_or(SslMode::Prefer), Roots::System),
    })
}

fn identity(params: &Params) -> Result<Option<(PathBuf, PathBuf)>, DsnError> {
    if params.get("sslpassword").is_some() {
        return Err(bad(
            "sslpassword",
            "encrypted keys are not supported, decrypt the file of sslkey",
        ));
    }
    match (params.get("sslcert"), params.get("sslkey")) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some((cert.into(), key.into()))),
        (Some(_), None) => Err(bad("sslkey", "it is missing beside sslcert")),
        (None, Some(_)) => Err(bad("sslcert", "it is missing beside sslkey")),
    }
}

/// What the session is set to; the time zone is always UTC (spec §1.2).
fn session(params: &Params) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = SESSION
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), params.get(name)?.to_owned())))
        .collect();
    out.push(("extra_float_digits".to_owned(), "1".to_owned()));
    out.push(("timezone".to_owned(), "UTC".to_owned()));
    out
}

/// The `options` of the startup message: the user's, then ours.
fn startup_options(given: Option<&str>, session: &[(String, String)]) -> String {
    let mut out = given.unwrap_or_default().trim().to_owned();
    for (name, value) in session {
        if !out.is_empty() {
            out.push(' ');
        }
        // writing to a String cannot fail
        let _ = write!(out, "-c {name}=");
        for c in value.chars() {
            if c == '\\' || c.is_whitespace() {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
#[path = "dsn_tests.rs"]
mod tests;
