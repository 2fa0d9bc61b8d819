//! `GET` and `POST /api/realtime`. Source: spec records-files-realtime-batch §5.1, §5.2.

use std::sync::Arc;

use engine::{
    FieldError, FieldErrors,
    ctx::Ctx,
    event::{RealtimeConnectEvent, RealtimeSubscribeEvent, no_ext},
    hook::Slot,
    realtime::Client,
};
use http::{HeaderName, Method, header};
use serde_json::Map;
use tokio::sync::oneshot;

use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    request::{Exchange, Req},
    response::{Body, Response},
    route::Endpoint,
    routes::h,
    sse::{EventStream, StreamLimits},
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/realtime", h!(connect))
        .op(op("listen", "Realtime", "The stream of events")
            .everybody()
            .gives("Text")
            .as_type("text/event-stream"))
        .quiet(),
    Endpoint::new("POST /api/realtime", h!(subscribe)).op(op(
        "subscribe",
        "Realtime",
        "What a stream tells of",
    )
    .everybody()
    .takes("Subscriptions")),
];

const MAX_ID: usize = 255;
const MAX_TOPICS: usize = 1000;
const MAX_TOPIC: usize = 2500;

fn stream(body: Body) -> Response {
    let mut response = Response::empty(200)
        .with_header(header::CONTENT_TYPE, "text/event-stream")
        .with_header(header::CACHE_CONTROL, "no-store")
        .with_header(HeaderName::from_static("x-accel-buffering"), "no");
    response.body = body;
    response
}

async fn connect(req: &mut Req) -> Result<Response> {
    if req.method() == Method::HEAD {
        return Ok(stream(Body::Empty));
    }
    req.head = Arc::new(req.head.detached());
    let ctx = req.ctx(Map::new());
    let client = ctx.app.realtime().new_client(req.real_ip());
    let exchange = req.exchange();
    let limits = StreamLimits::default();
    if ctx.app.hooks().realtime_connect_request.is_empty() {
        let events = EventStream::open(ctx, client, exchange, limits);
        return Ok(stream(Body::Events(Box::new(events))));
    }
    hooked_connect(ctx, client, exchange, limits).await
}

/// The hooks stand around the whole life of the connection, so they run beside it.
async fn hooked_connect(
    ctx: Ctx,
    client: Arc<Client>,
    exchange: Arc<Exchange>,
    limits: StreamLimits,
) -> Result<Response> {
    let (opened, response) = oneshot::channel();
    let event = RealtimeConnectEvent {
        ctx: ctx.clone(),
        client: client.clone(),
        idle_timeout: Slot::new(limits.idle),
        max_timeout: Slot::new(limits.max),
        ext: exchange.clone().into(),
    };
    let ext = exchange.clone();
    let task = tokio::spawn(async move {
        let app = ctx.app.clone();
        let hook = &app.hooks().realtime_connect_request;
        hook.trigger(event, move |event| async move {
            let limits =
                StreamLimits { idle: event.idle_timeout.get(), max: event.max_timeout.get() };
            let events = EventStream::open(ctx, client.clone(), ext, limits);
            // if the request was given up, the stream ends with the answer
            let _ = opened.send(stream(Body::Events(Box::new(events))));
            client.ended().await;
            Ok(())
        })
        .await
        .inspect_err(|error| tracing::debug!(%error, "realtime: a connect hook failed"))
    });
    if let Ok(response) = response.await {
        return Ok(response);
    }
    match task.await {
        Ok(result) => result?,
        Err(error) => return Err(ApiError::internal(error.to_string())),
    }
    Ok(exchange.take())
}

/// What a client sends.
#[derive(Debug, Default, PartialEq)]
struct Form {
    client_id: String,
    topics: Vec<String>,
}

impl Form {
    fn of(body: &Members) -> Result<Self> {
        Ok(Self { client_id: body.text("clientId")?, topics: body.texts("subscriptions")? })
    }

    fn validate(&self) -> Result<()> {
        let too_long = |max: usize| {
            FieldError::new(
                "validation_length_too_long",
                format!("the length must be no more than {max}"),
            )
            .param("max", max)
            .param("min", 0)
        };
        let mut errors = FieldErrors::default();
        if self.client_id.is_empty() {
            errors.set("clientId", FieldError::new("validation_required", "cannot be blank"));
        } else if self.client_id.len() > MAX_ID {
            let message = format!("the length must be between 1 and {MAX_ID}");
            let error = FieldError::new("validation_length_out_of_range", message)
                .param("max", MAX_ID)
                .param("min", 1);
            errors.set("clientId", error);
        }
        if self.topics.len() > MAX_TOPICS {
            errors.set("subscriptions", too_long(MAX_TOPICS));
        } else {
            for (at, _) in self.topics.iter().enumerate().filter(|(_, t)| t.len() > MAX_TOPIC) {
                errors.set_at(&["subscriptions", &at.to_string()], too_long(MAX_TOPIC));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(ApiError::bad_request("").with_fields(errors)) }
    }
}

async fn form_of(req: &mut Req) -> Result<Form> {
    // spec records-files §5.2: this endpoint says no more than that the request is bad
    let unreadable = |error: ApiError| ApiError::bad_request("").with_detail(error.to_string());
    Form::of(&Members::of(req).await.map_err(unreadable)?).map_err(unreadable)
}

async fn subscribe(req: &mut Req) -> Result<Response> {
    let form = form_of(req).await?;
    form.validate()?;
    let client = req.app().realtime().client(&form.client_id);
    let client = client.filter(|client| !client.is_discarded());
    let client = client.ok_or_else(|| ApiError::not_found("Missing or invalid client id."))?;
    if client.ip() != req.real_ip() {
        return Err(ApiError::bad_request("Invalid realtime client."));
    }
    if let Some(auth) = client.auth()
        && !req.caller.is(&auth.collection().id, auth.id())
    {
        let message = "The current and the previous request authorization don't match.";
        return Err(ApiError::forbidden(message));
    }
    // what was written before this request is judged for what the client was before it
    req.app().realtime().settled().await;
    let hook = &req.app().hooks().realtime_subscribe_request;
    let event = RealtimeSubscribeEvent {
        ctx: req.ctx(Map::new()),
        client,
        subscriptions: Slot::new(form.topics),
        ext: no_ext(),
    };
    let answered = req.through(hook, event, |event| async move {
        event.client.set_auth(event.ctx.caller.record().cloned());
        event.subscriptions.with(|topics| event.client.set_subscriptions(topics));
        Ok(Response::no_content())
    });
    Ok(answered.await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::body::Payload;

    fn form(data: serde_json::Value) -> Option<(String, Vec<String>)> {
        let payload = Payload { data, ..Payload::default() };
        let form = Form::of(&Members::of_payload(payload).ok()?).ok()?;
        Some((form.client_id, form.topics))
    }

    #[test]
    fn bodies() {
        for (body, want) in [
            (json!({}), Some(("", vec![]))),
            (json!({"clientId": null, "subscriptions": null}), Some(("", vec![]))),
            (json!({"CLIENTID": "a", "Subscriptions": ["x", null]}), Some(("a", vec!["x", ""]))),
            (json!({"clientId": 5}), None),
            (json!({"clientId": "a", "subscriptions": "x"}), None),
            (json!({"clientId": "a", "subscriptions": [1]}), None),
        ] {
            let want = want.map(|(id, topics): (&str, Vec<&str>)| {
                (id.to_owned(), topics.into_iter().map(str::to_owned).collect())
            });
            assert_eq!(form(body.clone()), want, "{body}");
        }
    }

    #[test]
    fn limits() {
        let check = |id: usize, topics: &[usize]| {
            let form = Form {
                client_id: "x".repeat(id),
                topics: topics.iter().map(|len| "x".repeat(*len)).collect(),
            };
            form.validate().map_err(|error| {
                let mut out = Vec::new();
                error.write(&mut out);
                String::from_utf8(out).expect("utf-8")
            })
        };
        assert!(check(255, &[2500; 1000]).is_ok());
        for (id, topics, want) in [
            (
                0,
                &[][..],
                r#"{"clientId":{"code":"validation_required","message":"Cannot be blank."}}"#,
            ),
            (
                256,
                &[],
                r#"{"clientId":{"code":"validation_length_out_of_range","message":"The length must be between 1 and 255.","params":{"max":255,"min":1}}}"#,
            ),
            (
                1,
                &[0; 1001],
                r#"{"subscriptions":{"code":"validation_length_too_long","message":"The length must be no more than 1000.","params":{"max":1000,"min":0}}}"#,
            ),
            (
                1,
                &[1, 2501],
                r#"{"subscriptions":{"1":{"code":"validation_length_too_long","message":"The length must be no more than 2500.","params":{"max":2500,"min":0}}}}"#,
            ),
        ] {
            let error = check(id, topics).expect_err(want);
            assert!(
                error.starts_with(&format!("{{\"data\":{want},\"message\":\"Something went wrong")),
                "{error}"
            );
        }
    }
}
