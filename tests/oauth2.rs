//! Logins with accounts of another service, against a service that can lie.

use serde_json::{Value, json};

use crate::realtime::Stream;
use crate::support::{
    Answer, Client, PASSWORD, Server,
    oidc::{CLIENT, Fault, Idp, now},
};

const USERS: &str = "/api/collections/users";

/// A server whose `users` trust one service.
struct World {
    server: Server,
    root: String,
    idp: Idp,
}

impl World {
    fn new(provider: &Value, options: &Value) -> Self {
        let (server, idp) = (Server::fresh(&[]), Idp::start());
        let root = server.superuser();
        let world = Self { server, root, idp };
        world.configure(provider, options);
        world
    }

    fn configure(&self, provider: &Value, options: &Value) {
        let mut oauth2 = json!({"enabled": true, "providers": [self.idp.config(provider)]});
        for (key, value) in options.as_object().expect("an object") {
            oauth2[key] = value.clone();
        }
        let answer = self.server.send("PATCH", USERS, &self.root, &json!({"oauth2": oauth2}));
        assert_eq!(answer.status, 200, "{}", text(&answer));
    }

    fn post(&self, token: &str, body: &Value) -> Answer {
        self.server.send("POST", &format!("{USERS}/auth-with-oauth2"), token, body)
    }

    /// A login with a fresh code.
    fn log_in(&self, token: &str, more: &Value) -> Answer {
        let mut body = json!({"provider": "oidc", "code": self.idp.code(""),
            "redirectURL": "http://localhost/r"});
        for (key, value) in more.as_object().expect("an object") {
            body[key] = value.clone();
        }
        self.post(token, &body)
    }

    fn records(&self, collection: &str) -> Vec<Value> {
        let path = format!("/api/collections/{collection}/records");
        let answer = self.server.send("GET", &path, &self.root, &Value::Null);
        answer.json()["items"].as_array().cloned().unwrap_or_default()
    }

    fn make_user(&self, email: &str, verified: bool) -> Value {
        let body = json!({"email": email, "password": PASSWORD, "passwordConfirm": PASSWORD,
            "verified": verified});
        let answer = self.server.send("POST", &format!("{USERS}/records"), &self.root, &body);
        assert_eq!(answer.status, 200, "{}", text(&answer));
        answer.json()
    }

    fn password_works(&self, email: &str) -> Option<String> {
        let body = json!({"identity": email, "password": PASSWORD});
        let path = format!("{USERS}/auth-with-password");
        let answer = self.server.send("POST", &path, "", &body);
        (answer.status == 200).then(|| answer.json()["token"].as_str().unwrap_or("").to_owned())
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", text(answer));
    answer.json()
}

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", text(answer));
    assert_eq!(answer.json()["message"], message);
}

#[test]
fn the_whole_way_with_pkce() {
    let world = World::new(&json!({}), &json!({}));
    let path = format!("{USERS}/auth-methods");
    let methods = ok(&world.server.send("GET", &path, "", &Value::Null));
    let provider = &methods["oauth2"]["providers"][0];
    let url = provider["authURL"].as_str().expect("a URL");
    assert!(url.contains("&scope=openid+email+profile&") && url.ends_with("&redirect_uri="));
    assert_eq!(provider["displayName"], "OIDC");

    let code = world.idp.authorize(url);
    let body = |verifier: &Value| {
        json!({"provider": "oidc", "code": code, "codeVerifier": verifier,
            "redirectURL": "http://localhost/r", "createData": {"name": "Own name"}})
    };
    let stolen = world.post("", &body(&json!("somebody else's verifier")));
    refused(&stolen, 400, "Failed to fetch OAuth2 token.");
    let first = ok(&world.post("", &body(&provider["codeVerifier"])));
    assert_eq!(first["meta"]["isNew"], true);
    assert_eq!(first["meta"]["rawUser"]["sub"], "u1");
    assert_eq!(first["meta"]["accessToken"], "at");
    assert!(first["meta"].as_object().expect("an object").keys().is_sorted());
    assert_eq!(first["record"]["email"], "ann@example.com");
    assert_eq!(first["record"]["verified"], true);
    assert_eq!(first["record"]["name"], "Own name");
    let replayed = world.post("", &body(&provider["codeVerifier"]));
    refused(&replayed, 400, "Failed to fetch OAuth2 token.");

    let second = ok(&world.log_in("", &json!({})));
    assert_eq!(second["meta"]["isNew"], false);
    assert_eq!(second["record"]["id"], first["record"]["id"]);
    assert_eq!((world.records("users").len(), world.records("_externalAuths").len()), (1, 1));
    let token = second["token"].as_str().expect("a token");
    assert_eq!(
        world.server.send("POST", &format!("{USERS}/auth-refresh"), token, &json!({})).status,
        200
    );
}

#[test]
fn forms() {
    let world = World::new(&json!({}), &json!({}));
    let answer = world.post("", &json!({"provider": "github"}));
    refused(&answer, 400, "An error occurred while loading the submitted data.");
    let data = &answer.json()["data"];
    assert_eq!(data["provider"]["code"], "validation_invalid_provider");
    assert_eq!(data["code"]["code"], "validation_required");
    for body in [json!({"provider": 1}), json!({"provider": "oidc", "code": "a", "createData": []})]
    {
        let answer = world.post("", &body);
        refused(&answer, 400, "An error occurred while loading the submitted data.");
        assert_eq!(answer.json()["data"], json!({}));
    }
    world.configure(&json!({}), &json!({"enabled": false}));
    refused(
        &world.log_in("", &json!({})),
        403,
        "The collection is not configured to allow OAuth2 authentication.",
    );
}

#[test]
fn sign_up_obeys_the_create_rule_and_maps_fields() {
    let mapped = json!({"mappedFields": {"name": "name", "avatarURL": "avatar"}});
    let world = World::new(&json!({}), &mapped);
    // A private address: the avatar stays away, the login does not.
    world.idp.state().user["picture"] = format!("{}/a.png", world.idp.url).into();
    let bad = world.log_in("", &json!({"createData": {"verified": true}}));
    refused(&bad, 400, "Failed to create record.");
    assert_eq!(bad.json()["data"]["verified"]["code"], "validation_values_mismatch");
    assert!(world.records("users").is_empty() && world.records("_externalAuths").is_empty());

    let made = ok(&world.log_in("", &json!({})));
    assert_eq!(
        (&made["record"]["name"], &made["record"]["avatar"]),
        (&json!("Ann Lee"), &json!(""))
    );

    world.idp.state().user["sub"] = "u2".into();
    world.idp.state().user["email"] = "second@example.com".into();
    let own = ok(&world.log_in("", &json!({"createData": {"email": "own@example.com"}})));
    assert_eq!(own["record"]["email"], "own@example.com");
    assert_eq!(own["record"]["verified"], false, "the service does not know this address");

    world.idp.state().user["sub"] = "u3".into();
    world.idp.state().user["email"] = "third@example.com".into();
    let locked = json!({"createRule": null});
    assert_eq!(world.server.send("PATCH", USERS, &world.root, &locked).status, 200);
    refused(&world.log_in("", &json!({})), 403, "Only superusers can perform this action.");

    world.idp.state().user["sub"] = "".into();
    world.idp.state().user["email"] = "own@example.com".into();
    let nameless = world.log_in("", &json!({}));
    refused(&nameless, 400, "Failed to authenticate.");
    assert_eq!(nameless.json()["data"]["providerId"]["code"], "validation_required");
}

#[test]
fn an_unproven_account_is_taken_from_its_maker() {
    let world = World::new(&json!({}), &json!({}));
    let squatter = world.make_user("ann@example.com", false);
    let session = world.password_works("ann@example.com").expect("the maker signs in");
    let login = ok(&world.log_in("", &json!({})));
    assert_eq!(
        (&login["record"]["id"], &login["record"]["verified"]),
        (&squatter["id"], &json!(true))
    );
    assert_eq!(login["meta"]["isNew"], false);
    assert!(world.password_works("ann@example.com").is_none(), "the maker's password is gone");
    let refresh = format!("{USERS}/auth-refresh");
    assert_eq!(world.server.send("POST", &refresh, &session, &json!({})).status, 401);

    let proven = world.make_user("bob@example.com", true);
    world.idp.state().user["sub"] = "u2".into();
    world.idp.state().user["email"] = "bob@example.com".into();
    world.idp.state().user["email_verified"] = false.into();
    let untrusted = world.log_in("", &json!({}));
    refused(&untrusted, 400, "Failed to create record.");
    assert_eq!(untrusted.json()["data"]["email"]["code"], "validation_required");
    world.idp.state().user["email_verified"] = "true".into();
    assert_eq!(ok(&world.log_in("", &json!({})))["record"]["id"], proven["id"]);
    assert!(
        world.password_works("bob@example.com").is_some(),
        "a proven account keeps its password"
    );
}

/// GHSA-pq7p-mc74-g65w: an account that somebody prepared for a victim's address, with a link of his own.
#[test]
fn a_prepared_account_keeps_no_link_of_its_maker() {
    let world = World::new(&json!({}), &json!({}));
    let providers =
        json!([world.idp.config(&json!({})), world.idp.config(&json!({"name": "oidc2"}))]);
    let change = json!({"createRule": "", "oauth2": {"enabled": true, "providers": providers}});
    ok(&world.server.send("PATCH", USERS, &world.root, &change));
    world.idp.state().user = json!({"sub": "attacker", "name": "Mallory"});
    let prepared = json!({"createData": {"email": "ann@example.com"}});
    let attacker = ok(&world.log_in("", &prepared));
    assert_eq!(attacker["record"]["verified"], false);
    let session = attacker["token"].as_str().expect("a token");
    // also with a second link, made while signed in
    let second = ok(&world.log_in(session, &json!({"provider": "oidc2"})));
    assert_eq!(world.records("_externalAuths").len(), 1, "an unverified record has one link");
    let session = second["token"].as_str().expect("a token");

    world.idp.state().user =
        json!({"sub": "victim", "email": "ann@example.com", "email_verified": true});
    let victim = ok(&world.log_in("", &json!({"provider": "oidc2"})));
    assert_eq!(victim["record"]["id"], attacker["record"]["id"]);
    assert_eq!(victim["record"]["verified"], true);
    let links = world.records("_externalAuths");
    assert_eq!((links.len(), &links[0]["providerId"]), (1, &json!("victim")));
    let refresh = format!("{USERS}/auth-refresh");
    assert_eq!(world.server.send("POST", &refresh, session, &json!({})).status, 401);
    world.idp.state().user = json!({"sub": "attacker", "name": "Mallory"});
    for provider in ["oidc", "oidc2"] {
        let own = json!({"email": format!("{provider}@example.com")});
        let again = world.log_in("", &json!({"provider": provider, "createData": own}));
        assert_ne!(ok(&again)["record"]["id"], victim["record"]["id"], "a stranger now");
    }
}

#[test]
fn callers_link_their_own_record() {
    let world = World::new(&json!({}), &json!({}));
    let user = world.make_user("me@example.com", true);
    let session = world.password_works("me@example.com").expect("a token");
    let linked = ok(&world.log_in(&session, &json!({})));
    assert_eq!(linked["record"]["id"], user["id"]);
    assert_eq!(linked["record"]["email"], "me@example.com");
    let other = world.make_user("other@example.com", true);
    let session = world.password_works("other@example.com").expect("a token");
    let again = ok(&world.log_in(&session, &json!({})));
    assert_ne!(again["record"]["id"], other["id"], "an existing link wins over the caller");
    world.idp.state().user["sub"] = "u2".into();
    let mine = world.password_works("me@example.com").expect("a token");
    let twice = world.log_in(&mine, &json!({}));
    refused(&twice, 400, "Failed to authenticate.");
    assert_eq!(world.records("_externalAuths").len(), 1);
}

#[test]
fn id_tokens() {
    let issuer = json!({"issuers": ["https://idp.example"]});
    let mut extra = issuer.clone();
    let world = World::new(&json!({"userInfoURL": "", "extra": issuer}), &json!({}));
    extra["jwksURL"] = format!("{}/keys", world.idp.url).into();
    world.configure(&json!({"userInfoURL": "", "extra": extra}), &json!({}));
    let claims = |changes: Value| {
        let mut claims = json!({"iss": "https://idp.example", "aud": CLIENT, "exp": now() + 600,
            "iat": now(), "sub": "u1", "email": "ann@example.com", "email_verified": true});
        for (key, value) in changes.as_object().expect("an object") {
            claims[key] = value.clone();
        }
        claims
    };
    let log_in = |claims: &Value| {
        let token = world.idp.id_token(claims);
        world.idp.state().token = json!({"id_token": token});
        world.log_in("", &json!({}))
    };
    let user = "Failed to fetch OAuth2 user.";
    assert_eq!(ok(&log_in(&claims(json!({}))))["meta"]["rawUser"]["aud"], CLIENT);
    for bad in [
        json!({"exp": now() - 1}),
        json!({"exp": "soon"}),
        json!({"exp": null}),
        json!({"iat": null}),
        json!({"aud": [CLIENT, 5]}),
        json!({"nbf": now() + 900}),
        json!({"iat": now() + 900}),
        json!({"aud": "somebody"}),
        json!({"iss": "https://evil.example"}),
    ] {
        refused(&log_in(&claims(bad)), 400, user);
    }
    world.idp.state().kid = "k2".into();
    refused(&log_in(&claims(json!({}))), 400, user);
    world.idp.state().published_kid = "k2".into();
    ok(&log_in(&claims(json!({"aud": ["x", CLIENT]}))));
    world.idp.state().token = json!({"id_token": "a.b.c"});
    refused(&world.log_in("", &json!({})), 400, user);
    for none in [json!({}), json!({"id_token": null}), json!({"ID_token": "x"})] {
        world.idp.state().token = none;
        refused(&world.log_in("", &json!({})), 400, user);
    }
}

#[test]
fn an_id_token_carries_the_nonce_of_its_sign_in() {
    let world = World::new(&json!({}), &json!({}));
    let time = json!({"aud": CLIENT, "exp": now() + 600, "sub": "u1"});
    let answer = |nonce: Value| {
        let mut claims = time.clone();
        claims["nonce"] = nonce;
        json!({"id_token": world.idp.id_token(&claims)})
    };
    let user = "Failed to fetch OAuth2 user.";
    for user_info in [format!("{}/userinfo", world.idp.url), String::new()] {
        world.configure(&json!({"userInfoURL": user_info}), &json!({}));
        world.idp.state().token = answer(json!("n-1"));
        ok(&world.log_in("", &json!({"nonce": "n-1"})));
        ok(&world.log_in("", &json!({})));
        refused(&world.log_in("", &json!({"nonce": "n-2"})), 400, user);
        for wrong in [json!(null), json!(""), json!(["n-1"])] {
            world.idp.state().token = answer(wrong);
            refused(&world.log_in("", &json!({"nonce": "n-1"})), 400, user);
        }
        for bad in [json!({}), json!({"id_token": "n-1"})] {
            world.idp.state().token = bad;
            refused(&world.log_in("", &json!({"nonce": "n-1"})), 400, user);
        }
    }
}

#[test]
fn bad_answers_are_plain_refusals() {
    let world = World::new(&json!({}), &json!({}));
    for fault in
        [Fault::Html, Fault::Broken, Fault::Huge, Fault::Silent, Fault::Denied, Fault::List]
    {
        world.idp.state().token_fault = Some(fault);
        let answer = world.log_in("", &json!({}));
        refused(&answer, 400, "Failed to fetch OAuth2 token.");
        assert_eq!(answer.json()["data"], json!({}), "{fault:?}");
        world.idp.state().token_fault = None;
        world.idp.state().user_fault = Some(fault);
        if fault != Fault::Denied {
            refused(&world.log_in("", &json!({})), 400, "Failed to fetch OAuth2 user.");
        }
        world.idp.state().user_fault = None;
    }
    for lie in [json!({"sub": 5}), json!({"email": ["x"]}), json!({"name": {}})] {
        let honest = world.idp.state().user.clone();
        for (key, value) in lie.as_object().expect("an object") {
            world.idp.state().user[key] = value.clone();
        }
        refused(&world.log_in("", &json!({})), 400, "Failed to fetch OAuth2 user.");
        world.idp.state().user = honest;
    }
    assert!(world.records("users").is_empty());

    world.idp.state().token_fault = Some(Fault::NoBasic);
    let before = world.idp.state().n_token_requests;
    ok(&world.log_in("", &json!({})));
    assert_eq!(world.idp.state().n_token_requests, before + 2, "a header first, then the body");
}

#[test]
fn the_redirect_tells_the_client_that_waits() {
    let server = Server::fresh(&[]);
    let get = |query: &str| {
        let answer = server.send("GET", &format!("/api/oauth2-redirect?{query}"), "", &Value::Null);
        assert_eq!((answer.status, answer.body.len()), (307, 0));
        answer.header("location").unwrap_or("").rsplit('-').next().unwrap_or("").to_owned()
    };
    assert_eq!(get("code=1"), "failure");
    assert_eq!(get("state=nobody&code=1"), "failure");
    let mut stream = Stream::open(&server);
    stream.subscribe(&server, "", &["@oauth2?options=%7B%7D"]);
    assert_eq!(get(&format!("state={}&code=1", stream.id)), "failure");
    stream.subscribe(&server, "", &["@oauth2"]);
    assert_eq!(get(&format!("state={}&code=0123", stream.id)), "success");
    let event = stream.next().expect("a message");
    assert_eq!(event.name, "@oauth2");
    assert_eq!(event.data, json!({"state": stream.id, "code": "0123"}));
    assert_eq!(get(&format!("state={}&code=0123", stream.id)), "failure", "a single use");

    stream.subscribe(&server, "", &["@oauth2"]);
    let body = format!("state={}&error=access_denied", stream.id);
    let mut client = Client::connect(server.port).expect("a connection");
    let kind = "application/x-www-form-urlencoded";
    let answer =
        client.send("POST", "/api/oauth2-redirect", "", kind, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), Some("../_/#/auth/oauth2-redirect-failure"));
    let event = stream.next().expect("a message");
    assert_eq!(event.data, json!({"state": stream.id, "code": "", "error": "access_denied"}));
}
