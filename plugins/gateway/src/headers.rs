//! Which headers of a client an upstream sees, and which of an upstream a client sees. Source: spec extensions 4.7.
//!
//! Must not know templates: what they give is put in afterwards.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use pocketbase::security;
use serde_json::Value;

/// Headers of one connection, in both directions.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
const HOP_BY_HOP_NAMES: [&str; 3] = ["keep-alive", "proxy-connection", "http2-settings"];

/// What this server itself says of a client: nobody else may.
const OURS: [&str; 4] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// What upstreams believe because only a proxy in front of them says it: who asks, from where, for what.
const OF_PROXIES: [&str; 29] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "proxy",
    "remote-addr",
    "remote-email",
    "remote-groups",
    "remote-name",
    "remote-user",
    "true-client-ip",
    "x-authenticated-user",
    "x-azure-clientip",
    "x-client-cert",
    "x-client-ip",
    "x-client-verify",
    "x-cluster-client-ip",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-override-url",
    "x-proxy-user",
    "x-real-user",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
    "x-webauth-user",
];
const OF_PROXIES_PREFIXES: [&str; 12] = [
    "cf-access-",
    "ssl-client-",
    "tailscale-user-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-forwarded-",
    "x-goog-authenticated-user-",
    "x-ms-client-principal",
    "x-original-",
    "x-remote-user",
    "x-ssl-",
    "x-webauth-",
];

/// The cookie that the official client keeps its token in.
const AUTH_COOKIE: &str = "pb_auth";
const HEX: &str = "0123456789abcdef";

/// True for headers that templates cannot set.
pub(crate) fn is_connection_bound(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
        || HOP_BY_HOP_NAMES.contains(&name.as_str())
        || name == header::CONTENT_LENGTH
}

/// True for headers that the gateway itself sets.
pub(crate) fn is_said_here(name: &HeaderName) -> bool {
    OURS.contains(&name.as_str().replace('_', "-").as_str())
}

fn is_of_proxies(name: &str) -> bool {
    OURS.contains(&name)
        || OF_PROXIES.contains(&name)
        || OF_PROXIES_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// True if a list of tokens in (any of the lines of) a header has one.
pub(crate) fn has_token(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let lines = headers.get_all(name);
    lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case(wanted))
}

/// The headers that are said to be of the connection only.
pub(crate) fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(header::CONNECTION);
    let tokens = lines
        .iter()
        // a byte that is no text must not save the names beside it
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    tokens.filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok()).collect()
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP_NAMES {
        headers.remove(name);
    }
}

/// What is known of the client besides its headers.
#[derive(Debug)]
pub(crate) struct Peer<'a> {
    /// The other end of the socket.
    pub(crate) socket_ip: &'a str,
    /// What the trusted proxy says, if there is one.
    pub(crate) forwarded_ip: Option<String>,
    pub(crate) is_tls: bool,
    /// What it has asked for.
    pub(crate) host: &'a str,
}

/// What a proxy lets through although it is not for clients to say.
#[derive(Debug, Default)]
pub(crate) struct Passed<'a> {
    pub(crate) names: &'a [HeaderName],
    /// This server knows the caller: the token is its own.
    pub(crate) is_known: bool,
}

/// The headers for the upstream.
pub(crate) fn for_upstream(client: &HeaderMap, peer: &Peer<'_>, may: &Passed<'_>) -> HeaderMap {
    let mut headers = client.clone();
    let wants_trailers = has_token(client, header::TE, "trailers");
    drop_hop_by_hop(&mut headers);
    for name in [header::HOST, header::CONTENT_LENGTH, header::EXPECT, header::ACCEPT_ENCODING] {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if may.is_known || !may.names.contains(&header::AUTHORIZATION) {
        drop_tokens(&mut headers);
    }
    drop_auth_cookie(&mut headers);
    // `X_Real_IP` is `X-Real-IP` to many servers
    let passes = |name: &HeaderName| may.names.contains(name);
    drop_all(&mut headers, |name, plain| is_of_proxies(plain) && !passes(name));
    add_forwarded(client, &mut headers, peer);
    if !headers.contains_key("x-request-id") {
        insert(&mut headers, "x-request-id", &security::random(32, HEX));
    }
    if !headers.contains_key("traceparent") {
        let trace = format!("00-{}-{}-01", security::random(32, HEX), security::random(16, HEX));
        insert(&mut headers, "traceparent", &trace);
    }
    headers
}

/// Drops what a server that does not tell `_` from `-` would take for one of these.
pub(crate) fn drop_spellings(headers: &mut HeaderMap, is_one: impl Fn(&str) -> bool) {
    drop_all(headers, |_, plain| is_one(plain));
}

/// Drops headers by their names, which are also given with `-` for each `_`.
fn drop_all(headers: &mut HeaderMap, is_meant: impl Fn(&HeaderName, &str) -> bool) {
    let is_meant = |name: &&HeaderName| {
        let text = name.as_str();
        if text.contains('_') {
            is_meant(name, &text.replace('_', "-"))
        } else {
            is_meant(name, text)
        }
    };
    let dropped: Vec<HeaderName> = headers.keys().filter(is_meant).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn add_forwarded(client: &HeaderMap, headers: &mut HeaderMap, peer: &Peer<'_>) {
    let lines = client.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let mut chain: Vec<&str> = Vec::new();
    if peer.forwarded_ip.is_some() {
        chain.extend(lines.map(str::trim).filter(|line| !line.is_empty()));
    }
    chain.push(peer.socket_ip);
    insert(headers, "x-forwarded-for", &chain.join(", "));
    insert(headers, "x-real-ip", peer.forwarded_ip.as_deref().unwrap_or(peer.socket_ip));
    if !peer.host.is_empty() {
        insert(headers, "x-forwarded-host", peer.host);
    }
    let said = client.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let said = said.filter(|said| peer.forwarded_ip.is_some() && matches!(*said, "http" | "https"));
    insert(
        headers,
        "x-forwarded-proto",
        said.unwrap_or(if peer.is_tls { "https" } else { "http" }),
    );
}

/// Removes tokens of this server, whatever they are good for still.
fn drop_tokens(headers: &mut HeaderMap) {
    let is_ours = |value: &HeaderValue| value.to_str().is_ok_and(carries_claims);
    if headers.get_all(header::AUTHORIZATION).iter().any(is_ours) {
        headers.remove(header::AUTHORIZATION);
    }
}

/// True if a value has the claims of a PocketBase token, signed well or not, expired or not.
fn carries_claims(value: &str) -> bool {
    value.split([' ', ',', '\t']).any(|word| {
        let mut parts = word.split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let Ok(claims) = BASE64_URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')) else {
            return false;
        };
        let claims: Value = serde_json::from_slice(&claims).unwrap_or_default();
        claims["collectionId"].is_string() && claims["type"].is_string()
    })
}

/// One line of cookies, without the token of this server.
fn drop_auth_cookie(headers: &mut HeaderMap) {
    let is_auth = |pair: &str| {
        pair.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(AUTH_COOKIE))
    };
    let lines: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
        .collect();
    if lines.len() < 2 && !lines.iter().any(|line| line.split(';').any(is_auth)) {
        return;
    }
    headers.remove(header::COOKIE);
    // HTTP/2 sends them one by one, and before it there is one line only (RFC 9113 8.2.3)
    let pairs = lines.iter().flat_map(|line| line.split(';')).map(str::trim);
    let kept: Vec<&str> = pairs.filter(|pair| !pair.is_empty() && !is_auth(pair)).collect();
    if let Ok(value) = HeaderValue::from_str(&kept.join("; "))
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// The headers for the client.
pub(crate) fn for_client(headers: &mut HeaderMap) {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // the length that counted was that of the chunks (RFC 9112 6.3)
        headers.remove(header::CONTENT_LENGTH);
    }
    drop_hop_by_hop(headers);
    // it would send browsers elsewhere for all of this server
    headers.remove(header::ALT_SVC);
    // this server has answered that already
    for name in [
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        header::ACCESS_CONTROL_MAX_AGE,
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        map
    }
    fn sent(lines: &[(&'static str, &str)], trusted: Option<&str>) -> HeaderMap {
        let forwarded_ip = trusted.map(str::to_owned);
        let host = lines.iter().find(|(name, _)| *name == "host").map_or("", |(_, host)| *host);
        let peer = Peer { socket_ip: "10.0.0.9", forwarded_ip, is_tls: false, host };
        for_upstream(&map(lines), &peer, &Passed::default())
    }
    fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
        headers.get(name).map_or("-", |value| value.to_str().expect("text"))
    }

    #[test]
    fn connections_end_here() {
        let got = sent(
            &[
                ("connection", "close, X-Secret"),
                ("connection", "keep-alive"),
                ("x-secret", "1"),
                ("keep-alive", "5"),
                ("proxy-connection", "x"),
                ("te", "gzip, trailers"),
                ("trailer", "x"),
                ("transfer-encoding", "chunked"),
                ("upgrade", "h2c"),
                ("accept-encoding", "br"),
                ("expect", "100-continue"),
                ("x-kept", "1"),
            ],
            None,
        );
        assert_eq!((text(&got, "te"), text(&got, "x-kept")), ("trailers", "1"));
        let mut names: Vec<&str> = got.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "te",
                "traceparent",
                "x-forwarded-for",
                "x-forwarded-proto",
                "x-kept",
                "x-real-ip",
                "x-request-id"
            ]
        );
    }

    #[test]
    fn nobody_else_says_who_asks() {
        let lines = [
            ("host", "pb.example.com"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x_real_ip", "9.9.9.9"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=9.9.9.9"),
        ];
        let got = sent(&lines, None);
        assert_eq!(text(&got, "x-forwarded-for"), "10.0.0.9");
        assert_eq!(text(&got, "x-real-ip"), "10.0.0.9");
        assert_eq!(text(&got, "x-forwarded-proto"), "http");
        assert_eq!(text(&got, "x-forwarded-host"), "pb.example.com");
        assert_eq!((text(&got, "forwarded"), text(&got, "x_real_ip")), ("-", "-"));
        let got = sent(&lines, Some("9.9.9.9"));
        assert_eq!(text(&got, "x-forwarded-for"), "9.9.9.9, 10.0.0.9");
        assert_eq!(text(&got, "x-real-ip"), "9.9.9.9");
        assert_eq!(text(&got, "x-forwarded-proto"), "https");
    }

    #[test]
    fn own_tokens_stay_here() {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"collectionId":"c","type":"auth","exp":1}"#);
        let other = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"c"}"#);
        for (value, stays) in [
            (format!("Bearer h.{claims}.s"), false),
            (format!("h.{claims}.s"), false),
            (format!("Bearer   h.{claims}.s"), false),
            (format!("Bearer h.{other}.s"), true),
            ("Bearer sk-123".to_owned(), true),
            ("Basic YTpi".to_owned(), true),
        ] {
            let got = sent(&[("authorization", &value)], None);
            assert_eq!(got.contains_key("authorization"), stays, "{value}");
        }
        let got = sent(&[("cookie", "a=1; pb_auth=x; b=2")], None);
        assert_eq!(text(&got, "cookie"), "a=1; b=2");
        assert_eq!(text(&sent(&[("cookie", "pb_auth=x")], None), "cookie"), "-");
        let got = sent(&[("cookie", "a=1"), ("cookie", "PB_AUTH=x"), ("cookie", "b=2")], None);
        assert_eq!(got.get_all("cookie").iter().count(), 1);
        assert_eq!(text(&got, "cookie"), "a=1; b=2");
        // only a proxy that is told so hands tokens on, and then those that mean nothing here
        let value = format!("Bearer h.{claims}.s");
        for (is_known, stays) in [(true, false), (false, true)] {
            let peer = Peer { socket_ip: "10.0.0.9", forwarded_ip: None, is_tls: false, host: "" };
            let may = Passed { names: &[header::AUTHORIZATION], is_known };
            let got = for_upstream(&map(&[("authorization", &value)]), &peer, &may);
            assert_eq!(got.contains_key("authorization"), stays);
        }
    }

    #[test]
    fn what_proxies_say_is_not_for_clients() {
        let names = [
            "x-forwarded-user",
            "x_forwarded_user",
            "remote-user",
            "x-remote-user",
            "x-original-url",
            "x-rewrite-url",
            "x-http-method-override",
            "x-auth-request-email",
            "proxy",
        ];
        let lines = names.map(|name| (name, "1"));
        let got = sent(&lines, None);
        assert_eq!(names.map(|name| text(&got, name)), ["-"; 9]);
        let peer = Peer { socket_ip: "10.0.0.9", forwarded_ip: None, is_tls: false, host: "" };
        let passed = [HeaderName::from_static("remote-user")];
        let may = Passed { names: &passed, is_known: false };
        let got = for_upstream(&map(&lines), &peer, &may);
        assert_eq!((text(&got, "remote-user"), text(&got, "x-remote-user")), ("1", "-"));
    }

    #[test]
    fn one_length_only() {
        let mut got = map(&[("content-length", "5"), ("transfer-encoding", "chunked")]);
        for_client(&mut got);
        assert!(got.is_empty());
    }
}
