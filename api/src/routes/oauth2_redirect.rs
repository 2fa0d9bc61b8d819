//! `/api/oauth2-redirect`: where services send the user back; the waiting client is told over realtime.
//!
//! Source: spec auth §3.4.

use std::{sync::Arc, time::Instant};

use engine::realtime::Message;
use http::Method;
use serde_json::Value;

use crate::{
    bind::Members, describe::operations::op, error::Result, json, query::Query, request::Req,
    response::Response, route::Endpoint, routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/oauth2-redirect", h!(redirect))
        .op(op("oauth2Redirect", "Auth", "Where services send browsers back to")
            .everybody()
            .gives("Redirect"))
        .quiet(),
    Endpoint::new("POST /api/oauth2-redirect", h!(redirect))
        .op(op("oauth2RedirectPost", "Auth", "The same for services that post")
            .everybody()
            .gives("Redirect"))
        .quiet(),
];

const TOPIC: &str = "@oauth2";
const SUCCESS: &str = "../_/#/auth/oauth2-redirect-success";
const FAILURE: &str = "../_/#/auth/oauth2-redirect-failure";

/// What a service sends along.
#[derive(Debug, Default)]
struct Form {
    state: String,
    code: String,
    error: String,
    /// Apple's first answer: JSON with the user's name.
    user: String,
}

async fn redirect(req: &mut Req) -> Result<Response> {
    let status = if req.method() == Method::POST { 303 } else { 307 };
    let ok = match read(req).await {
        Ok(form) => deliver(req, &form),
        Err(_) => false,
    };
    Ok(Response::redirect(status, if ok { SUCCESS } else { FAILURE }))
}

async fn read(req: &mut Req) -> Result<Form> {
    if req.method() != Method::POST {
        return Ok(of_query(req.query()));
    }
    let body = Members::of(req).await?;
    Ok(Form {
        state: body.text("state")?,
        code: body.text("code")?,
        error: body.text("error")?,
        user: body.text("user")?,
    })
}

fn of_query(query: Query<'_>) -> Form {
    let text = |name: &str| query.get(name).unwrap_or_default().into_owned();
    Form { state: text("state"), code: text("code"), error: text("error"), user: text("user") }
}

/// Tells the client that waits; true if the login can go on.
fn deliver(req: &Req, form: &Form) -> bool {
    let client = req.app().realtime().client(&form.state);
    let Some(client) = client.filter(|c| !c.is_discarded() && c.has_subscription(TOPIC)) else {
        return false;
    };
    // single use, whatever comes next
    client.unsubscribe(&[TOPIC]);
    if client.ip() != req.real_ip() {
        return false;
    }
    let ok = form.error.is_empty() && !form.code.is_empty();
    if ok && let Some(name) = apple_name(&form.user) {
        req.app().oauth2_names().put(&form.code, &name, Instant::now());
    }
    client.send(Arc::new(Message::new(TOPIC, message(form))));
    ok
}

fn message(form: &Form) -> Vec<u8> {
    let mut out = b"{\"state\":".to_vec();
    json::write_str(&mut out, &form.state);
    out.extend_from_slice(b",\"code\":");
    json::write_str(&mut out, &form.code);
    if !form.error.is_empty() {
        out.extend_from_slice(b",\"error\":");
        json::write_str(&mut out, &form.error);
    }
    out.push(b'}');
    out
}

/// `first last` of `{"name":{"firstName","lastName"}}`.
fn apple_name(user: &str) -> Option<String> {
    let user: Value = serde_json::from_str(user).ok()?;
    let part = |key: &str| user["name"][key].as_str().unwrap_or("").to_owned();
    let name = format!("{} {}", part("firstName"), part("lastName"));
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_names() {
        let form = of_query(Query::new("state=a&code=0123&error=no%3C"));
        let sent = String::from_utf8(message(&form)).expect("text");
        assert_eq!(sent, r#"{"state":"a","code":"0123","error":"no<"}"#);
        let form = of_query(Query::new("state=a"));
        assert_eq!(message(&form), br#"{"state":"a","code":""}"#);
        for (user, want) in [
            (r#"{"name":{"firstName":"Ann","lastName":"Lee"}}"#, Some("Ann Lee")),
            (r#"{"name":{"firstName":"Ann"}}"#, Some("Ann")),
            (r#"{"name":{}}"#, None),
            ("", None),
            ("[]", None),
        ] {
            assert_eq!(apple_name(user).as_deref(), want, "{user}");
        }
    }
}
