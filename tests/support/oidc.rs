//! A small OAuth2 and OpenID Connect service on a free port: authorize, token, userinfo, key set. It can be told to lie.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

pub(crate) const CLIENT: &str = "client+1";
pub(crate) const SECRET: &str = "a secret";

/// How an endpoint misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An HTML page with status 200.
    Html,
    /// Status 500.
    Broken,
    /// A body of 64 MiB.
    Huge,
    /// The connection ends without an answer.
    Silent,
    /// Clients must prove themselves in the body, not in a header.
    NoBasic,
    /// Status 200 with an `error` member.
    Denied,
    /// The answer is a list.
    List,
}

/// What the service knows and does.
pub(crate) struct State {
    /// The answer of `/userinfo`, and the claims of id tokens.
    pub(crate) user: Value,
    /// Further members of the token answer; null removes one.
    pub(crate) token: Value,
    pub(crate) token_fault: Option<Fault>,
    pub(crate) user_fault: Option<Fault>,
    /// Signs id tokens.
    key: Ed25519KeyPair,
    /// Its name; the key set may name another one.
    pub(crate) kid: String,
    pub(crate) published_kid: String,
    codes: HashMap<String, String>,
    n_codes: usize,
    url: String,
    /// Requests of `/token` so far.
    pub(crate) n_token_requests: usize,
}

/// The running service; its threads end with the test process.
pub(crate) struct Idp {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Idp {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let state = Arc::new(Mutex::new(State {
            url: url.clone(),
            user: json!({"sub": "u1", "name": "Ann Lee", "preferred_username": "ann",
                "email": "ann@example.com", "email_verified": true}),
            token: json!({}),
            token_fault: None,
            user_fault: None,
            key: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"),
            kid: "k1".into(),
            published_kid: "k1".into(),
            codes: HashMap::new(),
            n_codes: 0,
            n_token_requests: 0,
        }));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked with it")
    }

    /// What a collection is configured with.
    pub(crate) fn config(&self, extra: &Value) -> Value {
        let mut config = json!({"name": "oidc", "clientId": CLIENT, "clientSecret": SECRET,
            "authURL": format!("{}/authorize", self.url), "tokenURL": format!("{}/token", self.url),
            "userInfoURL": format!("{}/userinfo", self.url)});
        for (key, value) in extra.as_object().expect("an object") {
            config[key] = value.clone();
        }
        config
    }

    /// What the user's browser does: gives the code that the service redirects back with.
    pub(crate) fn authorize(&self, auth_url: &str) -> String {
        let query = auth_url.split_once('?').expect("a query").1;
        let query: HashMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(query["client_id"], CLIENT);
        assert_eq!(query["response_type"], "code");
        self.code(query.get("code_challenge").map_or("", String::as_str))
    }

    /// A code bound to a challenge (`""` for none).
    pub(crate) fn code(&self, challenge: &str) -> String {
        let mut state = self.state();
        state.n_codes += 1;
        let code = format!("code-{}", state.n_codes);
        state.codes.insert(code.clone(), challenge.to_owned());
        code
    }

    /// A signed id token.
    pub(crate) fn id_token(&self, claims: &Value) -> String {
        let state = self.state();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": state.kid});
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(state.key.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

struct Request {
    method: String,
    path: String,
    authorization: String,
    body: Vec<u8>,
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut authorization),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { method, path, authorization, body })
}

fn serve(stream: TcpStream, shared: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let mut state = shared.lock().expect("no test panicked with it");
        let (fault, answer) = match request.path.as_str() {
            "/token" => (state.token_fault, token(&mut state, &request)),
            "/userinfo" => (state.user_fault, user(&state, &request)),
            "/keys" => (None, (200, keys(&state))),
            "/.well-known/openid-configuration" => (None, (200, document(&state.url))),
            _ => (None, (404, json!({}))),
        };
        drop(state);
        let out = stream.get_mut();
        let done = match fault {
            Some(Fault::Silent) => return,
            Some(Fault::Html) => write(out, 200, "text/html", b"<html>hello</html>"),
            Some(Fault::Broken) => write(out, 500, "application/json", b"{}"),
            Some(Fault::Huge) => write(out, 200, "application/json", &vec![b' '; 64 << 20]),
            Some(Fault::List) => write(out, 200, "application/json", b"[1]"),
            Some(Fault::Denied) => write(
                out,
                200,
                "application/json",
                br#"{"error":"access_denied","access_token":"x"}"#,
            ),
            Some(Fault::NoBasic) | None => {
                write(out, answer.0, "application/json", answer.1.to_string().as_bytes())
            }
        };
        if done.is_err() {
            return;
        }
    }
}

fn write(out: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    out.write_all(head.as_bytes())?;
    out.write_all(body)
}

fn token(state: &mut State, request: &Request) -> (u16, Value) {
    state.n_token_requests += 1;
    let form: HashMap<String, String> =
        form_urlencoded::parse(&request.body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let in_body = field("client_id") == CLIENT && field("client_secret") == SECRET;
    // each half is form-encoded before the two are joined
    let basic = format!("Basic {}", STANDARD.encode("client%2B1:a+secret"));
    let in_header = request.authorization == basic && state.token_fault != Some(Fault::NoBasic);
    if request.method != "POST" || !(in_header || in_body) {
        return (401, json!({"error": "invalid_client"}));
    }
    let Some(challenge) = state.codes.get(field("code")).cloned() else {
        return (400, json!({"error": "invalid_grant"}));
    };
    let hash = digest::digest(&digest::SHA256, field("code_verifier").as_bytes());
    if !challenge.is_empty() && URL_SAFE_NO_PAD.encode(hash) != challenge {
        return (400, json!({"error": "invalid_grant"}));
    }
    state.codes.remove(field("code"));
    let mut answer = json!({"access_token": "at", "token_type": "bearer", "expires_in": 3600});
    for (key, value) in state.token.as_object().expect("an object") {
        answer[key] = value.clone();
    }
    (200, answer)
}

fn user(state: &State, request: &Request) -> (u16, Value) {
    if request.authorization != "Bearer at" {
        return (401, json!({}));
    }
    (200, state.user.clone())
}

/// What the service says of itself.
fn document(url: &str) -> Value {
    json!({"issuer": url, "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"), "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/keys"), "scopes_supported": ["openid", "email", "profile"],
        "code_challenge_methods_supported": ["plain", "S256"]})
}

fn keys(state: &State) -> Value {
    let x = URL_SAFE_NO_PAD.encode(state.key.public_key().as_ref());
    json!({"keys": [{"kid": state.published_kid, "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x}]})
}
