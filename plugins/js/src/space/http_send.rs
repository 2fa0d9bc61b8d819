//! `$http` (spec extending §3.3): requests to other servers.

use std::{collections::BTreeMap, time::Duration};

use pocketbase::web::{Fetched, Outgoing};
use rquickjs::{Ctx, Object, Value};

use super::{Space, form_data::FormData};
use crate::{
    bind::{
        Args, Fail, Held, MapRef, Res, Shared, Val, as_host, encode, export, is_nil, native,
        new_map, number, table, text,
    },
    host::{Reader, canonical},
    run::{Local, wait},
};

table! {
    pub(crate) static HTTP: Space = "Http", "Requests to other servers." {
        fn "send" "(config: { url: string; method?: string; body?: any; data?: { [key: string]: any }; headers?: { [key: string]: string }; timeout?: number }): http.Result" "Sends a request and waits for the answer." => |cx, h, a| {
            let outgoing = outgoing(a)?;
            let app = Local::of(cx).js.app.clone();
            let (method, url) = (outgoing.method.clone(), outgoing.url.clone());
            let fetched = wait(app.fetch(outgoing));
            let fetched = fetched.map_err(|error| Fail::other(worded(&method, &url, &error.to_string())))?;
            std::sync::Arc::new(answer(fetched)) as Shared
        };
    }
}

fn outgoing(args: &Args<'_, '_>) -> Res<Outgoing> {
    let cx = args.cx();
    let given = args.at(0);
    let config = given.as_object().ok_or_else(|| Fail::Type("a request is expected".into()))?;
    let member = |name: &str| -> Res<Value<'_>> { Ok(config.get::<_, Value<'_>>(name)?) };
    let (mut body, forced) = body(cx, &member("body")?)?;
    let mut headers = headers(cx, &member("headers")?)?;
    let data = export(cx, &member("data")?)?.into_object();
    if !data.is_empty() {
        body = encode(&Val::from(data))?;
        while body.last() == Some(&b'\n') {
            body.pop();
        }
    }
    if let Some(kind) = forced {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        headers.push(("content-type".to_owned(), kind));
    }
    let seconds = number(cx, &member("timeout")?)?;
    Ok(Outgoing {
        method: text(cx, &member("method")?)?.to_uppercase(),
        url: text(cx, &member("url")?)?,
        headers,
        body,
        timeout: Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero()),
    })
}

/// What has gone wrong on the way, in the words of Go's client.
fn worded(method: &str, url: &str, why: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let place = match has_port {
        true => host.to_owned(),
        false => format!("{host}:{}", if scheme == "https" { 443 } else { 80 }),
    };
    let why = match why {
        _ if why.contains("invalid HTTP method") => {
            return format!("net/http: invalid method {method:?}");
        }
        _ if url.is_empty() => "unsupported protocol scheme \"\"".to_owned(),
        _ if why.contains("Connection refused") => {
            format!("dial tcp {place}: connect: connection refused")
        }
        _ if why.contains("failed to lookup address") => {
            let name = place.rsplit_once(':').map_or(place.as_str(), |(name, _)| name);
            format!("dial tcp: lookup {name}: no such host")
        }
        _ => why.to_owned(),
    };
    let method = if method.is_empty() { "GET" } else { method };
    format!("{}{} {url:?}: {why}", &method[..1], method[1..].to_lowercase())
}

/// The body, and the type that it must have.
fn body<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<(Vec<u8>, Option<String>)> {
    if is_nil(given) {
        return Ok((Vec::new(), None));
    }
    if let Some(host) = as_host(given) {
        if let Some(form) = Held::<FormData>::of(host.clone()) {
            let (body, kind) = form.encoded()?;
            return Ok((body, Some(kind)));
        }
        if let Some(reader) = Held::<Reader>::of(host) {
            return Ok((reader.take(0)?, None));
        }
    }
    Ok(match export(cx, given)? {
        Val::Str(text) | Val::Raw(text) => (text.into_bytes(), None),
        Val::Bytes(bytes) => (bytes, None),
        Val::Bool(_) | Val::Int(_) | Val::Float(_) => (text(cx, given)?.into_bytes(), None),
        // objects and lists are no bodies
        _ => (Vec::new(), None),
    })
}

fn headers<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<Vec<(String, String)>> {
    let Some(object) = given.as_object() else { return Ok(Vec::new()) };
    let object: &Object<'js> = object;
    object
        .props::<String, Value<'js>>()
        .map(|entry| {
            let (name, value) = entry?;
            Ok((name, text(cx, &value)?))
        })
        .collect()
}

/// The answer of another server.
pub(crate) struct Answer {
    status: u16,
    headers: MapRef,
    cookies: MapRef,
    body: Vec<u8>,
    json: Val,
}

native!(Answer = ANSWER);

table! {
    pub(crate) static ANSWER: Answer = "http.Result", "The answer of another server." {
        prop "json": "any", "The body, if it is an object or a list of JSON." => |cx, r| r.json.clone();
        prop "headers": "{ [name: string]: string[] }", "The headers." => |cx, r| r.headers.clone();
        prop "cookies": "{ [name: string]: http.Cookie }", "The cookies that were set." => |cx, r| r.cookies.clone();
        prop "raw": "string", "The body as a text." => |cx, r| String::from_utf8_lossy(&r.body).into_owned();
        prop "body": "number[]", "The body." => |cx, r| Val::Bytes(r.body.clone());
        prop "statusCode": "number", "The HTTP status." => |cx, r| r.status;
    }
}

fn answer(fetched: Fetched) -> Answer {
    let mut headers: BTreeMap<String, Vec<Val>> = BTreeMap::new();
    let mut cookies = BTreeMap::new();
    for (name, value) in canonical(fetched.headers) {
        if name == "Set-Cookie" {
            let cookie = cookie(&value);
            cookies.insert(cookie.0, cookie.1);
        }
        headers.entry(name).or_default().push(value.into());
    }
    let json = serde_json::from_slice::<serde_json::Value>(&fetched.body).ok();
    let json = json.filter(|json| json.is_object() || json.is_array());
    Answer {
        status: fetched.status,
        headers: new_map(headers.into_iter().map(|(key, values)| (key, Val::List(values)))),
        cookies: new_map(cookies),
        body: fetched.body,
        json: json.map_or(Val::Null, Val::from),
    }
}

/// A cookie that was set: its name and what is known about it.
fn cookie(line: &str) -> (String, Val) {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap_or_default();
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    let mut facts: BTreeMap<String, Val> = BTreeMap::from([
        ("name".to_owned(), name.into()),
        ("value".to_owned(), value.into()),
        ("path".to_owned(), "".into()),
        ("domain".to_owned(), "".into()),
        ("maxAge".to_owned(), Val::Int(0)),
        ("secure".to_owned(), false.into()),
        ("httpOnly".to_owned(), false.into()),
        ("partitioned".to_owned(), false.into()),
        ("sameSite".to_owned(), Val::Int(0)),
    ]);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value): (&str, Val) = match key.to_ascii_lowercase().as_str() {
            "path" => ("path", value.into()),
            "domain" => ("domain", value.into()),
            "max-age" => ("maxAge", Val::Int(value.parse().unwrap_or_default())),
            "secure" => ("secure", true.into()),
            "httponly" => ("httpOnly", true.into()),
            "partitioned" => ("partitioned", true.into()),
            "samesite" => {
                let kind = match value.to_ascii_lowercase().as_str() {
                    "lax" => 2,
                    "strict" => 3,
                    "none" => 4,
                    _ => 1,
                };
                ("sameSite", Val::Int(kind))
            }
            _ => continue,
        };
        facts.insert(key.to_owned(), value);
    }
    (name.to_owned(), Val::Map(new_map(facts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_failures() {
        for (method, url, why, want) in [
            (
                "GET",
                "http://127.0.0.1:1/x",
                "a: Connection refused (os error 111)",
                "Get \"http://127.0.0.1:1/x\": dial tcp 127.0.0.1:1: connect: connection refused",
            ),
            (
                "POST",
                "https://u:p@a.b/x?y",
                "Connection refused",
                "Post \"https://u:p@a.b/x?y\": dial tcp a.b:443: connect: connection refused",
            ),
            ("", "", "empty string", "Get \"\": unsupported protocol scheme \"\""),
            ("A B", "http://a", "invalid HTTP method", "net/http: invalid method \"A B\""),
            (
                "GET",
                "http://a.b",
                "failed to lookup address information",
                "Get \"http://a.b\": dial tcp: lookup a.b: no such host",
            ),
            ("GET", "http://a.b", "another one", "Get \"http://a.b\": another one"),
        ] {
            assert_eq!(worded(method, url, why), want);
        }
    }
}
