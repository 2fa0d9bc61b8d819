//! Every `sslmode` against a real server: what is encrypted, what is refused, what is said.

use engine::store::postgres::{
    Dsn, connect,
    connect::{Refusal, check_server},
};
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::support::postgres::Postgres;

const NAME: &str = "pg.example.test";

const HBA: &str = "local all all trust
hostssl certified all 127.0.0.1/32 cert
hostssl encrypted all 127.0.0.1/32 trust
hostnossl encrypted all 127.0.0.1/32 reject
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
";

/// A certificate of `issuer` for a name, and its key.
fn leaf(issuer: &Issuer<'_, &KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    (params.signed_by(&key, issuer).expect("a certificate").pem(), key.serialize_pem())
}

fn authority() -> (CertificateParams, Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    (params, certificate, key)
}

/// Connects: encrypted or not, or why not.
async fn attempt(dsn: &str) -> Result<bool, (Refusal, String)> {
    let dsn = Dsn::parse(dsn).expect("a connection string");
    let (client, driver) = connect(&dsn).await.map_err(|e| (e.refusal, e.to_string()))?;
    driver.spawn();
    check_server(&client).await.expect("a good server");
    let sql = "SELECT ssl, current_setting('timezone') || ' ' || current_setting('application_name') \
               FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = client.query_one(sql, &[]).await.expect("a row");
    assert_eq!(row.get::<_, String>(1), "UTC pocketbase");
    Ok(row.get(0))
}

#[test]
fn every_mode_against_a_server_with_tls() {
    let (params, ca, ca_key) = authority();
    let issuer = Issuer::from_params(&params, &ca_key);
    let (cert, key) = leaf(&issuer, NAME);
    let (own_cert, own_key) = leaf(&issuer, "postgres");
    let (_, stranger, _) = authority();
    let files = [
        ("server.crt", cert.as_str()),
        ("server.key", key.as_str()),
        ("ca.crt", &ca.pem()),
        ("pg_hba.conf", HBA),
    ];
    let Some(server) = Postgres::start(&files, &["ssl=on", "ssl_ca_file=ca.crt"]) else { return };
    server.execute("postgres", "CREATE ROLE guarded LOGIN PASSWORD 'geheim:wort/'");
    server.execute("postgres", "CREATE DATABASE certified");
    server.execute("postgres", "CREATE DATABASE encrypted");
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (root, other) = (put("root.pem", &ca.pem()), put("other.pem", &stranger.pem()));
    let (cert, key) = (put("cert.pem", &own_cert), put("key.pem", &own_key));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let at = |host: &str, user: &str, database: &str, more: &str| {
        let port = server.port;
        format!("host={host} hostaddr=127.0.0.1 port={port} user={user} dbname={database} {more}")
    };
    for (host, user, database, more, want) in [
        ("x", "postgres", "postgres", "sslmode=disable", Ok(false)),
        ("x", "postgres", "postgres", "sslmode=allow", Ok(false)),
        ("x", "postgres", "postgres", "", Ok(true)),
        ("x", "postgres", "postgres", "sslmode=require", Ok(true)),
        ("x", "postgres", "postgres", &format!("sslmode=verify-ca sslrootcert={root}"), Ok(true)),
        (
            "x",
            "postgres",
            "postgres",
            &format!("sslmode=verify-ca sslrootcert={other}"),
            Err(Refusal::Tls),
        ),
        (
            "x",
            "postgres",
            "postgres",
            &format!("sslmode=verify-full sslrootcert={root}"),
            Err(Refusal::Tls),
        ),
        (
            NAME,
            "postgres",
            "postgres",
            &format!("sslmode=verify-full sslrootcert={root}"),
            Ok(true),
        ),
        (NAME, "postgres", "postgres", "sslrootcert=system", Err(Refusal::Tls)),
        (NAME, "postgres", "postgres", "sslmode=verify-full sslrootcert=/none", Err(Refusal::Tls)),
        ("x", "postgres", "encrypted", "sslmode=disable", Err(Refusal::Denied)),
        ("x", "postgres", "encrypted", "sslmode=allow", Ok(true)),
        ("x", "postgres", "certified", "sslmode=require", Err(Refusal::Denied)),
        (
            "x",
            "postgres",
            "certified",
            &format!("sslmode=require sslcert={cert} sslkey={key}"),
            Ok(true),
        ),
        ("x", "guarded", "postgres", "password=geheim:wort/ channel_binding=require", Ok(true)),
        ("x", "guarded", "postgres", "password=geheim:wort", Err(Refusal::Denied)),
        ("x", "postgres", "nowhere", "", Err(Refusal::NoDatabase)),
        ("x", "postgres", "postgres", "pgbouncer=true statement_timeout=5s", Ok(true)),
    ] {
        let dsn = at(host, user, database, more);
        let got = runtime.block_on(attempt(&dsn));
        if let Err((_, said)) = &got {
            assert!(!said.contains("geheim") && !said.contains('\n'), "{said}");
        }
        assert_eq!(got.as_ref().map_err(|(refusal, _)| *refusal).copied(), want, "{dsn}: {got:?}");
    }
}

#[test]
fn servers_without_tls() {
    let Some(server) = Postgres::start(&[], &[]) else { return };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let at = |mode: &str| {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode={mode}", server.port)
    };
    assert_eq!(runtime.block_on(attempt(&at("prefer"))), Ok(false));
    let (refusal, said) = runtime.block_on(attempt(&at("require"))).expect_err("no TLS");
    assert!(refusal == Refusal::Tls && said.contains("refused TLS"), "{said}");
    // unix sockets have no TLS; several hosts are tried in turn
    assert_eq!(
        runtime.block_on(attempt(&format!("{} sslmode=require", server.dsn("postgres")))),
        Ok(false)
    );
    let second = format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{}/postgres", server.port);
    assert_eq!(runtime.block_on(attempt(&second)), Ok(false));
    let (refusal, _) =
        runtime.block_on(attempt("postgres://127.0.0.1:1/x")).expect_err("nobody there");
    assert_eq!(refusal, Refusal::Unreachable);
}
