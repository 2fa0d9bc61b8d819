//! Signing in over HTTP: second factors, one-time passwords, tokens that are not what they claim to be.

use std::{thread, time::Duration};

use ring::hmac;
use serde_json::{Value, json};

use crate::support::{Answer, Client, EMAIL, PASSWORD, Server, run};

const USERS: &str = "/api/collections/users";
const SUPERUSERS: &str = "/api/collections/_superusers";

fn message(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["message"].as_str().unwrap_or_default().to_owned()
}

fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// A server with one user; gives the superuser's token and the user's id.
fn with_user(options: &Value) -> (Server, String, String) {
    let server = Server::fresh(&[]);
    let root = server.superuser();
    let user = json!({"email": "u@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD});
    let made = ok(&server.send("POST", &format!("{USERS}/records"), &root, &user));
    ok(&server.send("PATCH", USERS, &root, options));
    (server, root, made["id"].as_str().expect("an id").to_owned())
}

/// A one-time password as superusers may make them.
fn otp(server: &Server, root: &str, user: &str, password: &str) -> String {
    let body = json!({"collectionRef": "_pb_users_auth_", "recordRef": user, "password": password});
    let made = ok(&server.send("POST", "/api/collections/_otps/records", root, &body));
    made["id"].as_str().expect("an id").to_owned()
}

fn redeem(server: &Server, id: &str, password: &str) -> Answer {
    let body = json!({"otpId": id, "password": password});
    server.send("POST", &format!("{USERS}/auth-with-otp"), "", &body)
}

fn log_in(server: &Server, body: &Value) -> Answer {
    server.send("POST", &format!("{USERS}/auth-with-password"), "", body)
}

fn total(server: &Server, root: &str, collection: &str) -> Value {
    let path = format!("/api/collections/{collection}/records");
    ok(&server.send("GET", &path, root, &Value::Null))["totalItems"].clone()
}

/// Everything the activity log holds, as text, once it holds `wanted`.
fn log(server: &Server, root: &str, wanted: &str) -> String {
    for _ in 0..200 {
        let answer = server.send("GET", "/api/logs?perPage=500&skipTotal=1", root, &Value::Null);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if text.contains(wanted) {
            return text;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("the log never says {wanted}");
}

const WITH_OTP: &str = r#"{"otp": {"enabled": true, "duration": 300, "length": 8}}"#;

fn with_otp() -> (Server, String, String) {
    with_user(&serde_json::from_str(WITH_OTP).expect("json"))
}

#[test]
fn one_time_passwords_work_once() {
    let (server, root, user) = with_otp();
    let id = otp(&server, &root, &user, "12345678");
    assert_eq!(message(&redeem(&server, &id, "12345679"), 400), "Invalid or expired OTP.");
    let signed_in = ok(&redeem(&server, &id, "12345678"));
    assert_eq!(signed_in["record"]["id"], user.as_str());
    assert_eq!(signed_in["record"]["verified"], false, "nothing was mailed");
    assert_eq!(message(&redeem(&server, &id, "12345678"), 400), "Invalid or expired OTP.");
    let log = log(&server, &root, "wrong password");
    for secret in ["12345678", "12345679", signed_in["token"].as_str().expect("a token")] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}

#[test]
fn guesses_are_counted_over_all_one_time_passwords() {
    let (server, root, user) = with_otp();
    let first = otp(&server, &root, &user, "12345678");
    let second = otp(&server, &root, &user, "87654321");
    for n in 0..5 {
        let id = if n % 2 == 0 { &first } else { &second };
        assert_eq!(message(&redeem(&server, id, "00000000"), 400), "Invalid or expired OTP.");
    }
    // the right one comes too late
    let text = "Too many attempts, please try again later with a new OTP.";
    assert_eq!(message(&redeem(&server, &first, "12345678"), 429), text);
    assert_eq!(total(&server, &root, "_otps"), 2, "nothing changed");
}

#[test]
fn old_and_foreign_one_time_passwords() {
    let (server, root, user) = with_otp();
    let id = otp(&server, &root, &user, "12345678");
    let body = json!({"otpId": id, "password": "12345678"});
    let elsewhere = server.send("POST", &format!("{SUPERUSERS}/auth-with-otp"), "", &body);
    assert_eq!(elsewhere.status, 403, "not configured there");
    let db = rusqlite::Connection::open(server.data_dir().join("data.db")).expect("the database");
    db.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    db.execute("UPDATE _otps SET created = '2020-01-01 00:00:00.000Z'", []).expect("an update");
    assert_eq!(message(&redeem(&server, &id, "12345678"), 400), "Invalid or expired OTP.");
    assert_eq!(total(&server, &root, "_otps"), 1, "left to the clean-up");
    assert_eq!(server.send("POST", "/api/crons/__pbOTPCleanup__", &root, &Value::Null).status, 204);
    for _ in 0..200 {
        if total(&server, &root, "_otps") == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(25));
    }
    panic!("the clean-up leaves expired passwords");
}

#[test]
fn a_mailed_password_proves_the_address() {
    let (server, root, user) = with_otp();
    let before = ok(&log_in(&server, &json!({"identity": "u@example.com", "password": PASSWORD})));
    let id = otp(&server, &root, &user, "12345678");
    let sent = json!({"sentTo": "u@example.com"});
    let path = format!("/api/collections/_otps/records/{id}");
    ok(&server.send("PATCH", &path, &root, &sent));
    let signed_in = ok(&redeem(&server, &id, "12345678"));
    assert_eq!(signed_in["record"]["verified"], true);
    // whoever signed up with this address before is out
    let refresh = |token: &Value| {
        let token = token.as_str().expect("a token");
        server.send("POST", &format!("{USERS}/auth-refresh"), token, &Value::Null).status
    };
    assert_eq!(refresh(&before["token"]), 401);
    assert_eq!(refresh(&signed_in["token"]), 200);
    let again = log_in(&server, &json!({"identity": "u@example.com", "password": PASSWORD}));
    assert_eq!(message(&again, 400), "Failed to authenticate.");
}

#[test]
fn unknown_addresses_get_an_id_too() {
    let (server, root, _) = with_otp();
    let ask = |email: &str| {
        let body = json!({ "email": email });
        let answer = server.send("POST", &format!("{USERS}/request-otp"), "", &body);
        ok(&answer)["otpId"].as_str().expect("an id").to_owned()
    };
    assert_eq!(ask("nobody@example.com").len(), ask("u@example.com").len());
    let log = log(&server, &root, "missing or invalid users OTP auth record");
    assert!(!log.contains("sendmail:"), "{log}");
}

#[test]
fn a_second_factor_is_another_method() {
    let (server, root, user) = with_user(&json!({
        "otp": {"enabled": true, "duration": 300, "length": 8},
        "mfa": {"enabled": true, "duration": 300, "rule": ""}}));
    let login = json!({"identity": "u@example.com", "password": PASSWORD});
    let asked = log_in(&server, &login);
    assert_eq!(asked.status, 401);
    let keys: Vec<String> = asked.json().as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["mfaId"]);
    let session = asked.json()["mfaId"].clone();
    let mut again = login.clone();
    again["mfaId"] = session.clone();
    let text = "A different authentication method is required.";
    assert_eq!(message(&log_in(&server, &again), 400), text);
    again["mfaId"] = json!("missing");
    assert_eq!(message(&log_in(&server, &again), 400), "Invalid or expired MFA session.");
    // in the query as well as in the body
    let id = otp(&server, &root, &user, "12345678");
    let path = format!("{USERS}/auth-with-otp?mfaId={}", session.as_str().expect("an id"));
    let body = json!({"otpId": id, "password": "12345678"});
    assert_eq!(ok(&server.send("POST", &path, "", &body))["record"]["id"], user.as_str());
    // the session is used up
    let id = otp(&server, &root, &user, "12345678");
    let body = json!({"otpId": id, "password": "12345678", "mfaId": session});
    let used = server.send("POST", &format!("{USERS}/auth-with-otp"), "", &body);
    assert_eq!(message(&used, 400), "Invalid or expired MFA session.");
    assert_eq!(total(&server, &root, "_mfas"), 0);
}

#[test]
fn a_superuser_signs_in_with_a_password_of_the_command_line() {
    let server = Server::fresh(&[]);
    let root = server.superuser();
    let dir = server.data_dir();
    let home = dir.parent().expect("a parent");
    let refused = run(home, &["superuser", "otp", EMAIL, "--dir", "pb_data"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("OTP auth is not enabled"));
    ok(&server.send("PATCH", SUPERUSERS, &root, &json!({"otp": {"enabled": true}})));
    let made = run(home, &["superuser", "otp", EMAIL, "--dir", "pb_data"]);
    let text = String::from_utf8_lossy(&made.stdout).into_owned();
    let value = |name: &str| {
        let rest = text.split(name).nth(1).unwrap_or_else(|| panic!("no {name} in {text}"));
        rest.lines().next().unwrap_or_default().trim().to_owned()
    };
    let body = json!({"identity": EMAIL, "password": PASSWORD});
    let asked = server.send("POST", &format!("{SUPERUSERS}/auth-with-password"), "", &body);
    assert_eq!(asked.status, 401, "OTP brings the second factor along");
    let body =
        json!({"otpId": value("Id:"), "password": value("Pass:"), "mfaId": asked.json()["mfaId"]});
    ok(&server.send("POST", &format!("{SUPERUSERS}/auth-with-otp"), "", &body));
}

#[test]
fn places_of_logins_are_kept() {
    let (server, root, user) = with_otp();
    for _ in 0..2 {
        ok(&log_in(&server, &json!({"identity": "u@example.com", "password": PASSWORD})));
    }
    assert_eq!(total(&server, &root, "_authOrigins"), 2, "the user's and the superuser's");
    let new = json!({"password": "0987654321", "passwordConfirm": "0987654321"});
    ok(&server.send("PATCH", &format!("{USERS}/records/{user}"), &root, &new));
    assert_eq!(total(&server, &root, "_authOrigins"), 1, "a new password forgets them");
    assert_eq!(
        server.send("DELETE", &format!("{USERS}/records/{user}"), &root, &Value::Null).status,
        204
    );
    let own = server.send("DELETE", &format!("{SUPERUSERS}/records/x"), &root, &Value::Null);
    assert_eq!(own.status, 404);
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            out.push(ALPHABET[(word >> (18 - 6 * at)) as usize & 63] as char);
        }
    }
    out
}

fn token(header: &str, claims: &Value, key: &[u8]) -> String {
    let signed = format!("{}.{}", base64(header.as_bytes()), base64(claims.to_string().as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", base64(tag.as_ref()))
}

#[test]
fn tokens_that_are_not_what_they_claim() {
    let (server, root, user) = with_otp();
    let refresh = |token: &str| {
        server.send("POST", &format!("{USERS}/auth-refresh"), token, &Value::Null).status
    };
    let signed_in =
        ok(&log_in(&server, &json!({"identity": "u@example.com", "password": PASSWORD})));
    let good = signed_in["token"].as_str().expect("a token");
    assert_eq!((refresh(good), refresh(&format!("Bearer {good}"))), (200, 200));
    let db = rusqlite::Connection::open(server.data_dir().join("data.db")).expect("the database");
    db.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    let key: String = db
        .query_row(
            "SELECT u.tokenKey || (c.options ->> '$.authToken.secret') FROM users u, _collections c WHERE c.name = 'users'",
            [],
            |row| row.get(0),
        )
        .expect("the signing key");
    let claims = |kind: &str, exp: i64| json!({"collectionId": "_pb_users_auth_", "exp": exp, "id": user, "refreshable": true, "type": kind});
    const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
    let far = 4_102_444_800;
    assert_eq!(
        refresh(&token(HS256, &claims("auth", far), key.as_bytes())),
        200,
        "the key is right"
    );
    let none = token(r#"{"alg":"none"}"#, &claims("auth", far), key.as_bytes());
    let unsigned = &none[..=none.rfind('.').expect("a dot")];
    for (what, bad) in [
        ("expired", token(HS256, &claims("auth", 1), key.as_bytes())),
        ("foreign", token(HS256, &claims("auth", far), b"another key")),
        ("of another kind", token(HS256, &claims("file", far), key.as_bytes())),
        ("of another algorithm", token(r#"{"alg":"HS512"}"#, &claims("auth", far), key.as_bytes())),
        ("alg none", none.clone()),
        ("alg none, unsigned", unsigned.to_owned()),
        ("truncated", good[..good.len() - 1].to_owned()),
        ("half", good[..good.len() / 2].to_owned()),
        ("garbage", "a.b.c".to_owned()),
    ] {
        assert_eq!(refresh(&bad), 401, "{what}");
        let list = server.send("GET", "/api/settings", &bad, &Value::Null);
        assert_eq!(list.status, 401, "{what}");
    }
    ok(&server.send("PATCH", "/api/settings", &root, &json!({"logs": {"minLevel": -4}})));
    assert_eq!(refresh(unsigned), 401);
    let log = log(&server, &root, "loadAuthToken failure");
    assert!(!log.contains(unsigned) && !log.contains(good) && !log.contains(&key));
}

/// More logins at once than may wait: some are told to come again, and nobody else notices.
#[test]
fn too_many_logins_at_once() {
    let (server, root, _) = with_otp();
    let body = json!({"identity": "u@example.com", "password": "wrong password"});
    let tries: Vec<_> = (0..150)
        .map(|_| {
            let (body, port) = (body.to_string().into_bytes(), server.port);
            thread::spawn(move || {
                let path = format!("{USERS}/auth-with-password");
                let mut client = Client::connect(port).expect("connect");
                client.send("POST", &path, "", "application/json", &body).expect("an answer")
            })
        })
        .collect();
    for _ in 0..20 {
        ok(&server.send("GET", "/api/settings", &root, &Value::Null));
    }
    let answers: Vec<Answer> = tries.into_iter().map(|t| t.join().expect("an answer")).collect();
    let (late, tried): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 429);
    assert!(!late.is_empty() && !tried.is_empty(), "{} late", late.len());
    assert!(late.iter().all(|answer| answer.header("retry-after") == Some("1")));
    assert!(tried.iter().all(|answer| answer.status == 400));
    ok(&log_in(&server, &json!({"identity": "u@example.com", "password": PASSWORD})));
}

/// Whether there is an account must not show in how long the answer takes: both do the same work, as the processor time of
/// the server shows, which other processes do not change.
#[cfg(target_os = "linux")]
#[test]
fn unknown_identities_cost_as_much_as_wrong_passwords() {
    let (server, _, _) = with_otp();
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("stat");
        let fields: Vec<&str> =
            stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        fields[11].parse::<u64>().expect("user time")
            + fields[12].parse::<u64>().expect("system time")
    };
    let cost = |identity: &str| {
        let before = ticks();
        for _ in 0..8 {
            let body = json!({"identity": identity, "password": "wrong password"});
            assert_eq!(message(&log_in(&server, &body), 400), "Failed to authenticate.");
        }
        ticks() - before
    };
    let (known, unknown) = (cost("u@example.com"), cost("nobody@example.com"));
    assert!(known > 4 && unknown * 2 > known, "{known} {unknown}");
}

/// No two auth records have one id, in whichever collections; two are asked for at the same moment.
#[test]
fn ids_of_auth_records_are_nobody_elses() {
    let server = Server::fresh(&[]);
    let root = server.superuser();
    let body = json!({"name": "staff", "type": "auth", "createRule": ""});
    ok(&server.send("POST", "/api/collections", &root, &body));
    ok(&server.send("PATCH", "/api/collections/users", &root, &json!({"createRule": ""})));
    for round in 0..12 {
        let id = format!("{round:0>15}");
        let create = |collection: &str| {
            let body = json!({"id": id, "email": format!("u{round}@example.com"), "password": PASSWORD,
                "passwordConfirm": PASSWORD});
            server.send("POST", &format!("/api/collections/{collection}/records"), "", &body)
        };
        let answers = std::thread::scope(|scope| {
            let made = ["users", "staff"].map(|name| scope.spawn(move || create(name)));
            made.map(|made| made.join().expect("an answer"))
        });
        let refused = answers.iter().find(|answer| answer.status != 200).expect("one is refused");
        assert_eq!(refused.json()["data"]["id"]["code"], "validation_invalid_auth_id");
        assert!(answers.iter().any(|answer| answer.status == 200), "one is made");
    }
}

#[test]
fn another_process_ends_a_session_at_once() {
    let (server, root, _) = with_otp();
    let login = json!({"identity": "u@example.com", "password": PASSWORD});
    let db = rusqlite::Connection::open(server.data_dir().join("data.db")).expect("the database");
    db.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    let refresh = |path: &str, token: &str| {
        server.send("POST", &format!("{path}/auth-refresh"), token, &Value::Null).status
    };
    for round in 0..20 {
        let signed_in = ok(&log_in(&server, &login));
        let token = signed_in["token"].as_str().expect("a token");
        assert_eq!((refresh(USERS, token), refresh(USERS, token)), (200, 200));
        let key = format!("{round:0>50}");
        db.execute("UPDATE users SET tokenKey = ?1", [key]).expect("an update");
        assert_eq!(refresh(USERS, token), 401, "round {round}");
    }
    assert_eq!(refresh(SUPERUSERS, &root), 200);
    let dir = server.data_dir();
    let home = dir.parent().expect("a parent");
    let changed = run(home, &["superuser", "update", EMAIL, "0987654321", "--dir", "pb_data"]);
    assert!(changed.status.success());
    assert_eq!(refresh(SUPERUSERS, &root), 401);
}
