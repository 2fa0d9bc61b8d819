//! What connection strings mean, as tables.

use super::*;

fn shown(dsn: &Dsn) -> String {
    let password = dsn.config.get_password().map(|p| String::from_utf8_lossy(p).into_owned());
    format!(
        "{dsn} pw={} app={}",
        password.unwrap_or_default(),
        dsn.config.get_application_name().unwrap()
    )
}

#[test]
fn forms() {
    let many = |_: &str| None;
    for (text, want) in [
        ("postgres://u:p@h:1/d", "postgres://u@h:1/d pw=p app=pocketbase"),
        ("PostgreSQL://u@h/d?application_name=x%20y", "postgres://u@h:5432/d pw= app=x y"),
        ("postgres://u%40x:p%2F%3Aä@h/d%20e", "postgres://u@x@h:5432/d e pw=p/:ä app=pocketbase"),
        ("postgres://u:a@b:c@h/d", "postgres://u@h:5432/d pw=a@b:c app=pocketbase"),
        ("postgres://h1:1,h2,[::1]:3/d", "postgres://h1:1,h2:5432,::1:3/d pw= app=pocketbase"),
        ("postgres://%2Ftmp%2Fs:7/d", "postgres:///tmp/s:7/d pw= app=pocketbase"),
        ("postgres:///d?host=/tmp/s&port=7&user=u", "postgres://u@/tmp/s:7/d pw= app=pocketbase"),
        ("host=h user=u dbname=d", "postgres://u@h:5432/d pw= app=pocketbase"),
        (
            r"  host = h password='a \'b\\' dbname = d port=9 application_name=x",
            r"postgres://h:9/d pw=a 'b\ app=x",
        ),
        (r"host=a,b port=1,2 password=a\ b", r"postgres://a:1,b:2/ pw=a b app=pocketbase"),
        ("hostaddr=127.0.0.1 fallback_application_name=f", "postgres://127.0.0.1:5432/ pw= app=f"),
    ] {
        assert_eq!(shown(&Dsn::parse_with(text, &many).unwrap()), want, "{text}");
        assert!(Dsn::is_dsn(text), "{text}");
    }
    for text in ["pb_data", "./host=x", "/var/pb", "C:\\data", "mysql://h/d", "a=b"] {
        assert!(!Dsn::is_dsn(text), "{text}");
    }
}

#[test]
fn errors_name_the_parameter_and_nothing_secret() {
    for (text, parameter) in [
        ("postgres://u:geheim@h/d?sslmode=maybe", "sslmode"),
        ("postgres://u:geheim@h/d?sslmode=VERIFY-FULL", "sslmode"),
        ("postgres://u:geheim@h:99999/d", "port"),
        ("postgres://u:geheim@h:x/d", "port"),
        ("postgres://u:ge/heim@h/d", "password"),
        ("postgres://u:geheim?@h/d", "password"),
        ("postgres://u:geheim%zz@h/d", "password"),
        ("postgres://u:geheim@h/d?nothing=1", "nothing"),
        ("postgres://u:geheim@h/d?connect_timeout=soon", "connect_timeout"),
        ("postgres://u:geheim@h/d?sslcert=/c", "sslkey"),
        ("postgres://u:geheim@h/d?sslcert=/c&sslkey=/k&sslpassword=geheim", "sslpassword"),
        ("postgres://u:geheim@h/d?sslmode=require&sslrootcert=system", "sslmode"),
        ("postgres://u:geheim@h/d?target_session_attrs=best", "target_session_attrs"),
        ("postgres://u:geheim@h/d?pgbouncer=2", "pgbouncer"),
        ("postgres://u:geheim@h1,h2/d?port=1,2,3", "port"),
        ("postgres://u:geheim@[::1/d", "host"),
        ("host=h password='geheim", "password"),
        ("host=h geheim", "parameters"),
        ("host=h hostaddr=geheim", "hostaddr"),
    ] {
        let error = Dsn::parse(text).unwrap_err();
        assert_eq!(error.parameter, parameter, "{text}");
        let said = error.to_string();
        assert!(!said.contains("heim") && !said.contains('\n'), "{said}");
    }
    let dsn = Dsn::parse("postgres://u:geheim@h/d?options=-c%20a.b%3Dgeheim").unwrap();
    assert!(!format!("{dsn} {dsn:?}").contains("geheim"));
}

#[test]
fn the_environment_fills_gaps() {
    let variable = |name: &str| {
        let value = match name {
            "PGHOST" => "eh",
            "PGPORT" => "6",
            "PGUSER" => "eu",
            "PGPASSWORD" => "ep",
            "PGDATABASE" => "ed",
            "PGSSLMODE" => "disable",
            "PGAPPNAME" => "ea",
            _ => return None,
        };
        Some(value.to_owned())
    };
    for (text, want) in [
        ("postgres://", "postgres://eu@eh:6/ed pw=ep app=ea"),
        ("postgres://u@h:1/d", "postgres://u@h:1/d pw=ep app=ea"),
        ("user=u", "postgres://u@eh:6/ed pw=ep app=ea"),
    ] {
        let dsn = Dsn::parse_with(text, &variable).unwrap();
        assert_eq!(shown(&dsn), want, "{text}");
        assert_eq!(dsn.ssl_mode, SslMode::Disable);
    }
}

#[test]
fn tls_and_sessions() {
    let file = || Roots::File("/r".into());
    for (query, mode, roots) in [
        ("", SslMode::Prefer, Roots::System),
        ("sslmode=disable", SslMode::Disable, Roots::System),
        ("sslmode=allow", SslMode::Allow, Roots::System),
        ("sslmode=require", SslMode::Require, Roots::System),
        ("sslmode=require&sslrootcert=/r", SslMode::VerifyCa, file()),
        ("sslmode=verify-ca&sslrootcert=/r", SslMode::VerifyCa, file()),
        ("sslmode=verify-full&sslrootcert=/r", SslMode::VerifyFull, file()),
        ("sslrootcert=system", SslMode::VerifyFull, Roots::System),
        ("ssl=true", SslMode::Require, Roots::System),
    ] {
        let dsn = Dsn::parse(&format!("postgres://h/d?{query}")).unwrap();
        assert_eq!((dsn.ssl_mode, dsn.roots), (mode, roots), "{query}");
    }
    for (query, options, caches) in [
        ("", "-c extra_float_digits=1 -c timezone=UTC", true),
        (
            "search_path=a,%20b&statement_timeout=5s&timezone=CET",
            r"-c search_path=a,\ b -c statement_timeout=5s -c extra_float_digits=1 -c timezone=UTC",
            true,
        ),
        (
            "options=-c%20x.y=1&statement_cache=0",
            "-c x.y=1 -c extra_float_digits=1 -c timezone=UTC",
            false,
        ),
        ("pgbouncer=true", "", false),
    ] {
        let dsn = Dsn::parse(&format!("postgres://h/d?{query}")).unwrap();
        assert_eq!(dsn.config.get_options().unwrap_or_default(), options, "{query}");
        assert_eq!(dsn.caches_statements(), caches, "{query}");
    }
}
