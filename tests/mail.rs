//! Mails and the flows that go through them, over HTTP and SMTP, with the links taken from the mails.

use serde_json::{Value, json};

use crate::support::{
    Answer, Server, eventually,
    smtp::{Manner, Sink},
};

const USERS: &str = "/api/collections/users";
const USER: &str = "user@example.com";
const OLD: &str = "old-password";

/// A server whose mails go to a sink, with one unverified user; the user's id.
fn served(sink: &Sink) -> (Server, String) {
    let server = Server::fresh(&[]);
    patch(&server, "/api/settings", &json!({"smtp": sink.settings()}));
    let body =
        json!({"email": USER, "password": OLD, "passwordConfirm": OLD, "name": "<i>Ann</i>"});
    let made = post(&server, "/records", "", &body);
    assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    (server, id)
}

fn patch(server: &Server, path: &str, body: &Value) {
    let answer = server.send("PATCH", path, &server.superuser(), body);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

fn post(server: &Server, path: &str, token: &str, body: &Value) -> Answer {
    server.send("POST", &format!("{USERS}{path}"), token, body)
}

fn login(server: &Server, email: &str, password: &str) -> Answer {
    post(server, "/auth-with-password", "", &json!({"identity": email, "password": password}))
}

fn token_of(answer: &Answer) -> String {
    answer.json()["token"].as_str().expect("a token").to_owned()
}

fn codes(answer: &Answer) -> Vec<(String, String)> {
    let body = answer.json();
    let data = body["data"].as_object().expect("data").iter();
    data.map(|(key, error)| (key.clone(), error["code"].as_str().unwrap_or("").to_owned()))
        .collect()
}

fn code(field: &str, code: &str) -> Vec<(String, String)> {
    vec![(field.to_owned(), code.to_owned())]
}

#[test]
fn verification() {
    let sink = Sink::start();
    let (server, id) = served(&sink);
    let ask = |email: &str| post(&server, "/request-verification", "", &json!({"email": email}));
    assert_eq!(ask("nobody@example.com").status, 204);
    assert_eq!(ask(USER).status, 204);
    let mail = sink.last(1);
    assert_eq!((mail.from.as_str(), mail.to), ("support@example.com", vec![USER.to_owned()]));
    let mail = sink.last(1);
    assert_eq!(mail.header("Subject"), "Verify your Acme email");
    assert_eq!(mail.header("From"), "Support <support@example.com>");
    assert!(mail.part("text/plain").contains("[Verify](http://localhost:8090/_/#/auth/"));
    let token = mail.token("confirm-verification");
    let confirm =
        |token: &str| post(&server, "/confirm-verification", "", &json!({"token": token}));
    assert_eq!(codes(&confirm("x")), code("token", "validation_invalid_token_claims"));
    assert_eq!(codes(&confirm(&format!("{token}x"))), code("token", "validation_invalid_token"));
    assert_eq!(ask(USER).status, 204, "throttled");
    assert_eq!(confirm(&token).status, 204);
    assert_eq!(confirm(&token).status, 204, "the link may be clicked twice");
    let path = format!("{USERS}/records/{id}");
    let seen = server.send("GET", &path, &server.superuser(), &Value::Null).json();
    assert_eq!(seen["verified"], true);
    assert_eq!(ask(USER).status, 204, "verified already");
    let superusers = "/api/collections/_superusers/request-verification";
    let refused = server.send("POST", superusers, "", &json!({"email": USER}));
    assert_eq!(refused.json()["message"], "All superusers are verified by default.");
    // a mail that must come last shows that no other one came
    assert_eq!(post(&server, "/request-password-reset", "", &json!({"email": USER})).status, 204);
    assert_eq!(sink.last(2).header("Subject"), "Reset your Acme password");
}

#[test]
fn password_reset() {
    let sink = Sink::start();
    let (server, _) = served(&sink);
    let session = token_of(&login(&server, USER, OLD));
    for _ in 0..3 {
        let asked = post(&server, "/request-password-reset", "", &json!({"email": USER}));
        assert_eq!(asked.status, 204);
    }
    let token = sink.last(1).token("confirm-password-reset");
    let confirm = |token: &str, password: &str, again: &str| {
        let body = json!({"token": token, "password": password, "passwordConfirm": again});
        post(&server, "/confirm-password-reset", "", &body)
    };
    assert_eq!(
        codes(&confirm(&token, "new-password", "other")),
        code("passwordConfirm", "validation_values_mismatch")
    );
    assert_eq!(
        codes(&confirm(&token, "short", "short")),
        code("password", "validation_length_out_of_range")
    );
    let too_long = confirm(&token, &"é".repeat(80), &"é".repeat(80));
    assert_eq!(too_long.json()["message"], "Failed to set new password.");
    assert_eq!(confirm(&token, "new-password", "new-password").status, 204);
    let again = confirm(&token, "new-password", "new-password");
    assert_eq!(codes(&again), code("token", "validation_invalid_token"));
    assert_eq!(post(&server, "/auth-refresh", &session, &Value::Null).status, 401, "sessions end");
    assert_eq!(login(&server, USER, OLD).status, 400);
    let signed_in = login(&server, USER, "new-password");
    assert_eq!(signed_in.json()["record"]["verified"], true, "the mail was read at that address");
}

#[test]
fn email_change() {
    let sink = Sink::start();
    let (server, _) = served(&sink);
    let session = token_of(&login(&server, USER, OLD));
    let ask = |token: &str, email: &str| {
        post(&server, "/request-email-change", token, &json!({"newEmail": email}))
    };
    assert_eq!(ask("", "new@example.com").status, 401);
    assert_eq!(codes(&ask(&session, USER)), code("newEmail", "validation_not_in_invalid"));
    assert_eq!(codes(&ask(&session, "x")), code("newEmail", "validation_is_email"));
    assert_eq!(ask(&session, "new@example.com").status, 204);
    let mail = sink.last(1);
    assert_eq!(mail.to, ["new@example.com"]);
    let token = mail.token("confirm-email-change");
    let confirm = |token: &str, password: &str| {
        post(&server, "/confirm-email-change", "", &json!({"token": token, "password": password}))
    };
    assert_eq!(codes(&confirm(&token, "wrong")), code("password", "validation_invalid_password"));
    assert_eq!(codes(&confirm("x", OLD)).len(), 2);
    assert_eq!(confirm(&token, OLD).status, 204);
    assert_eq!(login(&server, USER, OLD).status, 400);
    assert_eq!(login(&server, "new@example.com", OLD).status, 200);
    assert_eq!(ask(&session, "newer@example.com").status, 401, "sessions end");
    let token = token_of(&login(&server, "new@example.com", OLD));
    patch(&server, "/api/settings", &json!({"smtp": {"port": 1}}));
    let failed = ask(&token, "newer@example.com");
    assert_eq!(failed.json()["message"], "Failed to request email change.");
}

/// GHSA-pq7p-mc74-g65w: whoever proves the address is rid of links and sessions made before that.
#[test]
fn proof_of_an_address_ends_what_was_before() {
    for way in ["verification", "password-reset", "email-change", "otp", "superuser"] {
        let sink = Sink::start();
        let (server, id) = served(&sink);
        let root = server.superuser();
        patch(&server, USERS, &json!({"otp": {"enabled": true, "length": 8, "duration": 600}}));
        let link = json!({"collectionRef": "_pb_users_auth_", "recordRef": id, "provider": "google", "providerId": "g1"});
        let made = server.send("POST", "/api/collections/_externalAuths/records", &root, &link);
        assert_eq!(made.status, 200, "{}", made.json());
        let session = token_of(&login(&server, USER, OLD));
        let mail = json!({"email": USER});
        let done = match way {
            "verification" => {
                post(&server, "/request-verification", "", &mail);
                let token = sink.last(1).token("confirm-verification");
                post(&server, "/confirm-verification", "", &json!({"token": token}))
            }
            "password-reset" => {
                post(&server, "/request-password-reset", "", &mail);
                let token = sink.last(1).token("confirm-password-reset");
                let body = json!({"token": token, "password": "new-password", "passwordConfirm": "new-password"});
                post(&server, "/confirm-password-reset", "", &body)
            }
            "email-change" => {
                post(
                    &server,
                    "/request-email-change",
                    &session,
                    &json!({"newEmail": "new@example.com"}),
                );
                let token = sink.last(1).token("confirm-email-change");
                post(
                    &server,
                    "/confirm-email-change",
                    "",
                    &json!({"token": token, "password": OLD}),
                )
            }
            "otp" => {
                let asked = post(&server, "/request-otp", "", &mail).json();
                let text = sink.last(1).part("text/html");
                let code = text.split("<strong>").nth(1).and_then(|rest| rest.split('<').next());
                // where it went is noted after the mail has gone
                let path = format!(
                    "/api/collections/_otps/records/{}",
                    asked["otpId"].as_str().expect("an id")
                );
                eventually("the address is noted", || {
                    let found = server.send("GET", &path, &root, &Value::Null).json();
                    found["sentTo"].as_str().is_some_and(|to| !to.is_empty()).then_some(())
                });
                let body = json!({"otpId": asked["otpId"], "password": code.expect("a code")});
                post(&server, "/auth-with-otp", "", &body)
            }
            _ => {
                let path = format!("{USERS}/records/{id}");
                server.send("PATCH", &path, &root, &json!({"verified": true}))
            }
        };
        assert!(done.status < 300, "{way}: {}", String::from_utf8_lossy(&done.body));
        let path = format!("{USERS}/records/{id}");
        assert_eq!(
            server.send("GET", &path, &root, &Value::Null).json()["verified"],
            true,
            "{way}"
        );
        let links =
            server.send("GET", "/api/collections/_externalAuths/records", &root, &Value::Null);
        assert_eq!(links.json()["totalItems"], 0, "{way}");
        assert_eq!(post(&server, "/auth-refresh", &session, &Value::Null).status, 401, "{way}");
    }
}

#[test]
fn every_template_can_be_tried() {
    let sink = Sink::start();
    let (server, _) = served(&sink);
    let root = server.superuser();
    let template = json!({"subject": "{RECORD:name} {APP_NAME}", "body": "<p>{RECORD:email} {RECORD:tokenKey} {NOPE} {RECORD:name} {APP_URL} {TOKEN}</p>"});
    patch(&server, USERS, &json!({"verificationTemplate": template}));
    patch(
        &server,
        "/api/settings",
        &json!({"meta": {"appName": "A&b", "appURL": "http://x.test/", "senderName": "Süß, \"Co\""}}),
    );
    let ask = |body: Value| server.send("POST", "/api/settings/test/email", &root, &body);
    for (n, (name, subject)) in [
        ("verification", "__pb_test_name__ A&b"),
        ("password-reset", "Reset your A&b password"),
        ("email-change", "Confirm your A&b new email address"),
        ("otp", "OTP for A&b"),
        ("login-alert", "Login from a new location"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"email": "to@example.com", "template": name, "collection": "users"});
        let answer = ask(body);
        assert_eq!(answer.status, 204, "{name}: {}", String::from_utf8_lossy(&answer.body));
        let mail = sink.last(n + 1);
        assert_eq!(
            (mail.header("Subject").as_str(), mail.to),
            (subject, vec!["to@example.com".into()])
        );
    }
    let mails = sink.wait(5);
    let html = mails[0].part("text/html");
    let want = "<p>to@example.com {RECORD:tokenKey} {NOPE} __pb_test_name__ http://x.test/ ey";
    assert!(html.contains(want), "{html}");
    assert!(mails[3].part("text/html").contains("<strong>123456</strong>"));
    assert!(mails[4].part("text/plain").contains(" - TEST_IP TEST_USER_AGENT"));
    let from = mails[0].header("From");
    assert!(from.contains("=?utf-8?") && from.ends_with("<support@example.com>"), "{from}");
    let refused = ask(json!({"email": "x", "template": "x", "collection": "nope"}));
    assert_eq!(refused.json()["message"], "Failed to send the test email.");
    assert_eq!(codes(&refused).len(), 3);
}

#[test]
fn nothing_that_users_write_becomes_a_header() {
    let sink = Sink::start();
    let (server, id) = served(&sink);
    let template = json!({"subject": "Hi {RECORD:name}", "body": "<p>{RECORD:name}</p>"});
    patch(&server, USERS, &json!({"verificationTemplate": template}));
    let evil = "x\r\nBcc: evil@example.com\r\n\r\n<script>{TOKEN}</script>";
    patch(&server, &format!("{USERS}/records/{id}"), &json!({"name": evil}));
    let meta = json!({"appName": evil, "senderName": "x>\r\nX-Evil: 1"});
    let changed =
        server.send("PATCH", "/api/settings", &server.superuser(), &json!({"meta": meta}));
    assert!(changed.status == 200 || changed.status == 400, "{}", changed.status);
    let asked = post(&server, "/request-verification", "", &json!({"email": USER}));
    assert_eq!(asked.status, 204);
    let mail = sink.last(1);
    assert_eq!(mail.to, [USER]);
    let headers = mail.headers();
    assert!(
        headers.iter().all(|h| !h.starts_with("Bcc") && !h.starts_with("X-Evil")),
        "{headers:?}"
    );
    let html = mail.part("text/html");
    assert!(html.contains("&lt;script&gt;{TOKEN}&lt;/script&gt;"), "{html}");
}

#[test]
fn failures_have_reasons_and_hold_nobody_up() {
    let locked = Sink::with(Manner {
        auth: "AHVzZXIAcGFzcw==".into(),
        named: "PLAIN LOGIN",
        ..Manner::default()
    });
    let (server, _) = served(&locked);
    let root = server.superuser();
    let try_with = |smtp: Value| {
        patch(&server, "/api/settings", &json!({"smtp": smtp}));
        let body = json!({"email": "to@example.com", "template": "otp"});
        let answer = server.send("POST", "/api/settings/test/email", &root, &body);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!body.contains("s3cret"), "{body}");
        (answer.status, body)
    };
    assert_eq!(try_with(json!({"username": "user", "password": "pass"})).0, 204);
    let raw = "Failed to send the test email. Raw error: ";
    let (status, body) = try_with(json!({"username": "user", "password": "s3cret"}));
    assert!(status == 400 && body.contains(raw) && body.contains("535"), "{body}");
    let (status, body) = try_with(json!({"authMethod": "LOGIN"}));
    assert!(status == 400 && body.contains("535"), "{body}");
    let (status, body) = try_with(json!({"tls": true}));
    assert!(status == 400 && body.contains(raw), "{body}");
    let (status, body) = try_with(json!({"tls": false, "port": 1}));
    assert!(status == 400 && body.contains(raw), "{body}");
    let refusing = Sink::with(Manner { refuses: true, ..Manner::default() });
    let (status, body) = try_with(json!({"port": refusing.port, "username": "", "password": ""}));
    assert!(status == 400 && body.contains("550"), "{body}");
    let mute = Sink::with(Manner { mute: true, ..Manner::default() });
    patch(&server, "/api/settings", &json!({"smtp": {"port": mute.port}}));
    let asked = post(&server, "/request-verification", "", &json!({"email": USER}));
    assert_eq!(asked.status, 204, "the mail is not waited for");
    assert_eq!(server.send("GET", "/api/health", "", &Value::Null).status, 200);
}

/// Servers that know no extensions, or do not name the way to sign in that they take.
#[test]
fn old_and_silent_mail_servers() {
    let server = Server::fresh(&[]);
    let root = server.superuser();
    for (ehlo, named, login, said) in [
        (0, "", false, &["EHLO", "MAIL BODY"][..]),
        (502, "", false, &["EHLO", "HELO", "MAIL"]),
        (550, "", false, &["EHLO", "HELO", "MAIL"]),
        (502, "", true, &["EHLO", "HELO", "AUTH", "MAIL"]),
        (0, "", true, &["EHLO", "AUTH", "MAIL BODY"]),
        (0, "PLAIN", true, &["EHLO", "AUTH", "MAIL BODY"]),
        (0, "CRAM-MD5", true, &["EHLO", "AUTH", "MAIL BODY"]),
    ] {
        for mechanism in ["PLAIN", "LOGIN"] {
            let auth = if login { "AHVzZXIAcGFzcw==".into() } else { String::new() };
            let sink = Sink::with(Manner { auth, ehlo, named, ..Manner::default() });
            let mut smtp = sink.settings();
            let (user, password) = if login { ("user", "pass") } else { ("", "") };
            (smtp["username"], smtp["password"]) = (user.into(), password.into());
            smtp["authMethod"] = mechanism.into();
            patch(&server, "/api/settings", &json!({"smtp": smtp}));
            let body = json!({"email": "to@example.com", "template": "otp"});
            let answer = server.send("POST", "/api/settings/test/email", &root, &body);
            let case = format!("{ehlo} {named:?} {mechanism}");
            assert_eq!(answer.status, 204, "{case}: {}", String::from_utf8_lossy(&answer.body));
            assert_eq!(sink.last(1).to, ["to@example.com"]);
            let heard: Vec<String> = sink
                .commands()
                .iter()
                .take(said.len())
                .map(|line| {
                    line[..4].to_owned() + if line.contains(" BODY=") { " BODY" } else { "" }
                })
                .collect();
            assert_eq!(heard, said, "{case}");
        }
    }
}
