//! Certificates from an ACME authority: issued by either proof, served by name, renewed while serving, kept over a restart.
//!
//! The authority is pebble, Let's Encrypt's own test server, built by `go install` into the user's cache directory
//! (`PEBBLE_DIR` names another one). Without Go the tests say so and pass, unless CI is set.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, Stream,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::json;

use crate::support::{Server, eventually, free_port};

const NAME: &str = "pb.example.test";
/// Tried in this order: the newest, and the last one that builds with the Go of Debian 12 (1.19).
const PEBBLES: [&str; 2] = ["v2.10.1", "v2.4.0"];

/// A process that ends with the test.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Where pebble's executables are; builds them when they are missing.
fn pebble_dir() -> Option<&'static Path> {
    static DIR: OnceLock<Option<PathBuf>> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = std::env::var_os("PEBBLE_DIR").map(PathBuf::from).unwrap_or_else(|| {
            let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
            home.join(".cache/pocketbase-tests/pebble")
        });
        if dir.join("pebble").exists() && dir.join("pebble-challtestsrv").exists() {
            return Some(dir);
        }
        for version in PEBBLES {
            let package = |name| format!("github.com/letsencrypt/pebble/v2/cmd/{name}@{version}");
            let built = Command::new("go")
                .args(["install", &package("pebble"), &package("pebble-challtestsrv")])
                .env("GOBIN", &dir)
                .status();
            if built.is_ok_and(|status| status.success()) {
                return Some(dir);
            }
        }
        assert!(std::env::var_os("CI").is_none(), "CI needs Go for the ACME tests");
        println!("SKIPPED: the ACME tests need Go to build pebble");
        None
    })
    .as_deref()
}

/// A running authority.
struct Authority {
    _processes: [Running; 2],
    dir: tempfile::TempDir,
    port: u16,
    management: u16,
}

impl Authority {
    /// Proves names on these ports of 127.0.0.1; certificates live for so many seconds.
    fn start(bin: &Path, tls_port: u16, http_port: u16, seconds: u32) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (port, management, dns, control) = (free_port(), free_port(), free_udp(), free_port());
        certificates(dir.path());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let config = json!({"pebble": {
            "listenAddress": at(port),
            "managementListenAddress": at(management),
            "certificate": dir.path().join("cert.pem"),
            "privateKey": dir.path().join("key.pem"),
            "httpPort": http_port,
            "tlsPort": tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": seconds,
            "profiles": {"default": {"description": "", "validityPeriod": seconds}},
        }});
        fs::write(dir.path().join("config.json"), config.to_string()).expect("a file");
        let names = spawn(&mut name_server(bin, &at(dns), &at(control)), dir.path());
        let pebble = spawn(
            Command::new(bin.join("pebble"))
                .args(["-config", "config.json", "-dnsserver", &at(dns)])
                .env("PEBBLE_VA_NOSLEEP", "1")
                .env("PEBBLE_WFE_NONCEREJECT", "10"),
            dir.path(),
        );
        let authority = Self { _processes: [names, pebble], dir, port, management };
        eventually("pebble listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        authority
    }

    fn flags(&self) -> [String; 2] {
        [
            format!("--acmeDirectory=https://127.0.0.1:{}/dir", self.port),
            format!("--acmeRoot={}", self.dir.path().join("ca.pem").display()),
        ]
    }

    /// The root that its certificates chain to.
    fn root(&self) -> CertificateDer<'static> {
        let own = CertificateDer::from_pem_file(self.dir.path().join("ca.pem")).expect("a root");
        let (_, answer) = https(self.management, "127.0.0.1", &own, "/roots/0").expect("its root");
        let at = answer.find("-----BEGIN").expect("a certificate");
        CertificateDer::from_pem_slice(&answer.as_bytes()[at..]).expect("a certificate")
    }
}

/// A name server for which every name is 127.0.0.1; its flags depend on its age.
fn name_server(bin: &Path, dns: &str, control: &str) -> Command {
    let program = bin.join("pebble-challtestsrv");
    let help = Command::new(&program).arg("-help").output().expect("the executable starts");
    let help = String::from_utf8_lossy(&help.stderr).into_owned();
    let mut command = Command::new(program);
    let flag = if help.contains("-dnsserver") { "-dnsserver" } else { "-dns01" };
    command.args([flag, dns, "-management", control]);
    command.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
    for off in ["-http01", "-https01", "-tlsalpn01", "-doh"] {
        if help.contains(&format!("{off} ")) {
            command.args([off, ""]);
        }
    }
    command
}

/// A root, and a certificate of it for the authority's own HTTPS.
fn certificates(dir: &Path) {
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).expect("a certificate");
    let issuer = rcgen::Issuer::from_params(&ca, &ca_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    for (name, text) in [
        ("ca.pem", ca_certificate.pem()),
        ("cert.pem", leaf.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        fs::write(dir.join(name), text).expect("a file");
    }
}

fn spawn(command: &mut Command, dir: &Path) -> Running {
    let child = command.current_dir(dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Running(child.expect("the executable starts"))
}

fn free_udp() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a free port").port()
}

/// A GET over TLS that trusts one root: the leaf certificate and the whole answer.
fn https(
    port: u16,
    name: &str,
    root: &CertificateDer<'static>,
    path: &str,
) -> Result<(CertificateDer<'static>, String), std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).map_err(std::io::Error::other)?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(std::io::Error::other)?;
    let mut client =
        ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut stream = Stream::new(&mut client, &mut socket);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    // an end without close_notify is an end
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        read?;
    }
    let leaf = client.peer_certificates().and_then(|chain| chain.first()).cloned();
    let leaf = leaf.ok_or_else(|| std::io::Error::other("no certificate"))?;
    Ok((leaf.into_owned(), String::from_utf8_lossy(&answer).into_owned()))
}

fn served(authority: &Authority, https_port: u16, http_port: u16) -> Server {
    let https = format!("--https=127.0.0.1:{https_port}");
    let [directory, root] = authority.flags();
    Server::fresh_on(http_port, &[NAME, &https, &directory, &root])
}

#[test]
fn issued_renewed_and_kept() {
    let Some(bin) = pebble_dir() else { return };
    let (https_port, http_port) = (free_port(), free_port());
    let authority = Authority::start(bin, https_port, http_port, 30);
    let mut server = served(&authority, https_port, http_port);
    let root = authority.root();
    let ask = |path| https(https_port, NAME, &root, path).ok();
    let (first, answer) = eventually("a certificate is issued", || ask("/api/health"));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("API is healthy."), "{answer}");
    assert!(https(https_port, "other.example.test", &root, "/").is_err(), "foreign names fail");
    let second = eventually("it is renewed while serving", || {
        ask("/api/health").map(|(leaf, _)| leaf).filter(|leaf| *leaf != first)
    });
    let cache = server.data_dir().join(".autocert_cache");
    let stored = fs::read(cache.join(NAME)).expect("the cached certificate");
    assert!(stored.starts_with(b"-----BEGIN PRIVATE KEY-----"), "the key comes first");
    assert!(cache.join("acme_account+key").exists());
    // the authority is gone: what is served now comes from the cache
    drop(authority);
    let kept = CertificateDer::from_pem_slice(&fs::read(cache.join(NAME)).expect("the file"));
    let kept = kept.expect("a certificate");
    server.kill_and_restart();
    match https(https_port, NAME, &root, "/api/health") {
        Ok((leaf, _)) => assert!(leaf == kept || leaf == second),
        // it lives for seconds only: a slow machine may meet it after its end
        Err(error) => assert!(error.to_string().to_lowercase().contains("expired"), "{error}"),
    }
}

#[test]
fn http_proof_and_redirects() {
    let Some(bin) = pebble_dir() else { return };
    let (https_port, http_port) = (free_port(), free_port());
    // nothing listens where the authority looks for TLS-ALPN-01: HTTP-01 is what is left
    let authority = Authority::start(bin, free_port(), http_port, 3600);
    let mut server = served(&authority, https_port, http_port);
    let root = authority.root();
    let ask = || https(https_port, NAME, &root, "/api/health").ok();
    let (leaf, _) = eventually("a certificate is issued", ask);
    let plain = |request: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", http_port)).expect("a connection");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.to_lowercase()
    };
    let end = "Connection: close\r\n\r\n";
    let moved = plain(&format!("GET /a?b=c HTTP/1.1\r\nHost: {NAME}\r\n{end}"));
    assert!(
        moved.starts_with("http/1.1 302")
            && moved.contains("location: https://pb.example.test/a?b=c\r\n")
    );
    let refused = plain(&format!("POST /a HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 0\r\n{end}"));
    assert!(refused.starts_with("http/1.1 400") && refused.contains("use https"));
    let proof = "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: ";
    assert!(plain(&format!("{proof}{NAME}\r\n{end}")).starts_with("http/1.1 404"));
    assert!(plain(&format!("{proof}other.test\r\n{end}")).starts_with("http/1.1 403"));
    // the sibling gets a certificate when somebody asks for it
    let www = format!("www.{NAME}");
    let (_, answer) =
        eventually("a certificate on demand", || https(https_port, &www, &root, "/").ok());
    assert!(answer.starts_with("HTTP/1.1"), "{answer}");
    drop(authority);
    server.kill_and_restart();
    let (kept, _) = eventually("the cached certificate is served", ask);
    assert!(kept == leaf);
}
