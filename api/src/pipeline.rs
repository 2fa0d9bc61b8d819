//! The order of middlewares as one table, and the walk through them to the handler.
//!
//! Built-in and user middlewares of a route are merged and sorted by priority once, when the router is built.
//! Source: spec server-settings-operations §2.1.

use std::{panic::AssertUnwindSafe, sync::Arc};

use engine::{App, auth::token::TokenType, ctx::Caller, log::Level, schema::Loaded};
use futures_util::FutureExt as _;
use http::{HeaderValue, Method, header};

use crate::{
    activity,
    body::{self, BodyLimits},
    compress,
    error::{ApiError, Result},
    fields::Picker,
    guard,
    metrics::RouteStats,
    rate_limit,
    request::{
        Head, Req,
        route::{Builtin, Endpoint, Handler, Limit, Middleware, Next, Rate, Route, Step},
    },
    response::{Body, Response},
};

/// Every built-in middleware: id, priority, step. The only place that knows the order.
const BUILTINS: &[(&str, i32, Builtin)] = &[
    ("pbCors", -1041, Builtin::Cors),
    ("pbActivityLogger", -1040, Builtin::Log),
    ("pbPanicRecover", -1030, Builtin::Recover),
    ("pbLoadAuthToken", -1020, Builtin::LoadAuth),
    ("pbSuperuserIPsWhitelist", -1015, Builtin::SuperuserIps),
    ("pbSecurityHeaders", -1010, Builtin::SecurityHeaders),
    ("pbRateLimit", -1000, Builtin::RateLimit),
    ("pbBodyLimit", -990, Builtin::BodyLimit),
];

impl Route {
    /// Merges built-in and user middlewares; `unbound` ids are left out.
    #[must_use]
    pub(crate) fn new(
        row: Endpoint,
        handler: Handler,
        names: Vec<Box<str>>,
        pattern: &str,
        user: &[Middleware],
        unbound: &[String],
        stats: Arc<RouteStats>,
    ) -> Self {
        let mut steps: Vec<(i32, &str, Step)> = BUILTINS
            .iter()
            .map(|(id, priority, step)| (*priority, *id, Step::Builtin(*step)))
            .collect();
        for middleware in user {
            let step =
                (middleware.priority, middleware.id.as_str(), Step::User(middleware.run.clone()));
            match steps.iter_mut().find(|(_, id, _)| !id.is_empty() && *id == middleware.id) {
                Some(slot) => *slot = step,
                None => steps.push(step),
            }
        }
        steps.retain(|(_, id, _)| !unbound.iter().any(|out| out == id));
        steps.sort_by_key(|(priority, ..)| *priority);
        Self {
            pattern: pattern.to_owned(),
            names,
            handler,
            rate: row.rate,
            limit: row.limit,
            quiet: row.quiet,
            compress: row.compress,
            long_running: row.long_running,
            stats,
            is_last: row.is_last,
            steps: steps.into_iter().map(|(.., step)| step).collect(),
            walk: |next, req| Box::pin(walk(next, req)),
        }
    }
}

async fn walk(chain: Next<'_>, req: &mut Req) -> Result<Response> {
    let mut steps = chain.steps;
    while let Some((step, rest)) = steps.split_first() {
        steps = rest;
        let next = Next { steps, ..chain };
        match step {
            Step::User(middleware) => return middleware(req, next).await,
            Step::Builtin(Builtin::Log) => return log(req, next).await,
            Step::Builtin(Builtin::Recover) => return recover(req, next).await,
            Step::Builtin(Builtin::Cors) => {
                if let Some(response) = cors(req) {
                    return Ok(response);
                }
            }
            Step::Builtin(Builtin::LoadAuth) => {
                load_auth(req).await?;
                guard::expected(req)?;
            }
            Step::Builtin(Builtin::SuperuserIps) => superuser_ips(req).await?,
            Step::Builtin(Builtin::SecurityHeaders) => req.standard.security = true,
            Step::Builtin(Builtin::RateLimit) => check_rate(req)?,
            Step::Builtin(Builtin::BodyLimit) => body_limit(req)?,
        }
    }
    // Nobody else: who is refused would keep a connection open for as long as it does not read the answer.
    if req.route.as_ref().is_some_and(|route| route.long_running) && req.caller.is_superuser() {
        req.set_time_limit(None);
    }
    match &chain.route.handler {
        Handler::Builtin(handler) => handler(req).await,
        Handler::User(handler) => handler(req).await,
    }
}

/// Compresses an answer as the client likes it, however small it is.
pub fn compress(req: &Req, response: &mut Response) {
    compress::apply(compress::Scope::Always, &req.head.headers, response);
}

/// Runs a routed request to its final answer.
pub(crate) async fn serve(req: &mut Req, route: Arc<Route>) -> http::Response<Body> {
    req.skip_log = route.quiet;
    req.route = Some(route.clone());
    if route.names.iter().any(|name| &**name == "collection") {
        look_again(req).await;
    }
    let result = walk(Next { route: &route, steps: &route.steps }, req).await;
    let response = match result {
        Ok(response) => compressed(req, &route, pick(req, response)),
        Err(error) => {
            let mut response = Response::error(&error);
            if route.compress {
                response.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            }
            response
        }
    };
    route.stats.record(response.status, req.started.elapsed());
    finish(req, response)
}

/// The collection in the path may be one that another node has just made, or that is made when somebody asks for it.
async fn look_again(req: &Req) {
    let app = req.app();
    if engine::cluster::has_others(app) {
        let name = req.param("collection");
        if app.snapshot().find(&name).is_none()
            && let Err(error) = engine::cluster::find_unknown(app, &name).await
        {
            tracing::warn!(%error, "the collections could not be read again");
        }
        req.seen.catch_up(app);
    }
    // guests never are the first who need one
    if req.head.uri.path().starts_with("/api/collections/_")
        && req.head.headers.contains_key(header::AUTHORIZATION)
    {
        match app.make_on_demand(&req.param("collection")).await {
            Ok(true) => req.seen.catch_up(app),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "a collection could not be made"),
        }
    }
}

/// Successful answers, smaller where route, server and client want that.
fn compressed(req: &Req, route: &Route, mut response: Response) -> Response {
    let scope = if route.compress {
        compress::Scope::Always
    } else if req.api.compresses() {
        compress::Scope::Worthwhile
    } else {
        return response;
    };
    compress::apply(scope, &req.head.headers, &mut response);
    response
}

/// Applies `?fields=`. What the request did stays done when they cannot be read.
fn pick(req: &Req, mut response: Response) -> Response {
    if !response.pick || !(200..300).contains(&response.status) {
        return response;
    }
    let Some(fields) = req.query().get("fields").filter(|fields| !fields.is_empty()) else {
        return response;
    };
    let Body::Full(bytes) = &response.body else {
        return response;
    };
    let picker = match Picker::parse(&fields) {
        Ok(picker) => picker,
        Err(error) => {
            return Response::error(&ApiError::bad_request("").with_detail(error.to_string()));
        }
    };
    if let Some(text) = picker.apply(bytes) {
        response.body = Body::Full(text.into());
    }
    response
}

/// Adds the headers of the pipeline.
fn finish(req: &mut Req, mut response: Response) -> http::Response<Body> {
    let headers = &mut response.headers;
    if req.standard.vary_origin {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = req.allow_origin.take() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    if req.standard.security {
        headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        if !req.standard.framable {
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        }
    }
    if !req.response_headers.is_empty() {
        let own = std::mem::take(&mut req.response_headers);
        let mut last = None;
        for (name, value) in own {
            if let Some(name) = name.or_else(|| last.clone()) {
                headers.append(name.clone(), value);
                last = Some(name);
            }
        }
    }
    let status = http::StatusCode::from_u16(response.status)
        .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if status == http::StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_TYPE);
        response.body = Body::Empty;
    }
    if req.head.method == Method::HEAD && response.status >= 400 {
        response.body = Body::Empty;
    }
    let mut out = http::Response::new(response.body);
    *out.status_mut() = status;
    *out.headers_mut() = response.headers;
    out
}

fn cors(req: &mut Req) -> Option<Response> {
    req.standard.vary_origin = true;
    req.allow_origin = req.api.cors().allow(req.head.headers.get(header::ORIGIN));
    if req.head.method != Method::OPTIONS {
        return None;
    }
    let mut response = Response::no_content();
    if req.allow_origin.is_some() {
        req.api.cors().preflight(&req.head.headers, &mut response.headers);
    }
    Some(response)
}

async fn log(req: &mut Req, next: Next<'_>) -> Result<Response> {
    let started = req.started;
    let result = next.run(req).await;
    activity::record(req, started, &result);
    result
}

async fn recover(req: &mut Req, next: Next<'_>) -> Result<Response> {
    match AssertUnwindSafe(next.run(req)).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(ApiError::internal(format!("recovered from panic: {text}")))
        }
    }
}

/// The token of an `Authorization` header: as it is, or after `Bearer ` and one space.
pub(crate) fn token_of(value: &str) -> &str {
    match value.split_at_checked(7) {
        Some((scheme, token)) if !token.is_empty() && scheme.eq_ignore_ascii_case("bearer ") => {
            token
        }
        _ => value,
    }
}

/// A token that cannot be judged because the database is away makes nobody a guest.
async fn load_auth(req: &mut Req) -> Result<()> {
    let head = req.head.clone();
    let token = token_of(head.header(header::AUTHORIZATION));
    if token.is_empty() {
        return Ok(());
    }
    let ctx = req.system();
    match engine::auth::find_by_token(&ctx, token, &[TokenType::Auth]).await {
        Ok(Some(found)) => {
            req.caller = Caller::of(Some(found.record.clone()));
            req.auth = Some(found);
        }
        Ok(None) => log_bad_token(req.app(), "malformed, expired, foreign or unsigned token"),
        Err(error) if error.is_outage() => return Err(error.into()),
        Err(error) => log_bad_token(req.app(), &error.to_string()),
    }
    Ok(())
}

/// The request goes on as a guest's; the log may know why.
fn log_bad_token(app: &App, why: &str) {
    if app.log().enabled(Level::Debug as i64) {
        app.log().write(Level::Debug, "loadAuthToken failure", &serde_json::json!({"error": why}));
    }
}

async fn superuser_ips(req: &Req) -> Result<()> {
    if !req.caller.is_superuser() {
        return Ok(());
    }
    check_superuser_ip(req.app(), &req.head).await?;
    // superusers see at once what the command line has done
    req.seen.catch_up(req.app());
    Ok(())
}

/// 403 when superusers may not call from the request's address, by what the command line has just said, too.
///
/// # Errors
/// 403; when the settings cannot be read.
pub async fn check_superuser_ip(app: &App, head: &Head) -> Result<()> {
    engine::settings_ops::follow(app).await?;
    let settings = app.settings();
    if settings.superuser_ips.is_empty()
        || rate_limit::contains_ip(&settings.superuser_ips, head.real_ip(&settings))
    {
        return Ok(());
    }
    Err(ApiError::forbidden("").with_detail("superuser IP not allowed"))
}

fn body_limit(req: &mut Req) -> Result<()> {
    let route = req.route.clone();
    let limit = match route.map_or(Limit::Default, |route| route.limit) {
        Limit::Default => BodyLimits::of(body::LIMIT),
        Limit::None => BodyLimits { whole: u64::MAX, values: body::LIMIT },
        Limit::Batch => BodyLimits::of(match req.app().settings().batch.max_body_size {
            size if size > 0 => size.unsigned_abs(),
            _ => 128 << 20,
        }),
        Limit::Record => {
            let (values, files) = context_collection(req)?.max_body_bytes();
            let values = body::LIMIT.saturating_add(values);
            BodyLimits { whole: values.saturating_add(files), values }
        }
    };
    req.body_limits = limit;
    if req.body_len().is_some_and(|len| len > limit.whole) {
        return Err(ApiError::too_large());
    }
    Ok(())
}

fn check_rate(req: &Req) -> Result<()> {
    match req.route.as_ref().map_or(Rate::Path, |route| route.rate) {
        Rate::Handler => Ok(()),
        Rate::Collection(tags) => req.count(&*context_collection(req)?, tags),
        Rate::Path => req.who().check_path(),
    }
}

/// The collection a middleware works for.
///
/// # Errors
/// 404 when it does not exist.
pub(crate) fn context_collection(req: &Req) -> Result<Arc<Loaded>> {
    req.named_collection()
        .ok_or_else(|| ApiError::not_found("Missing or invalid collection context."))
}

#[cfg(test)]
mod tests {
    use super::token_of;

    #[test]
    fn tokens() {
        for (value, want) in [
            ("abc", "abc"),
            ("bEarer abc", "abc"),
            ("Bearer  abc", " abc"),
            ("Bearer ", "Bearer "),
            ("", ""),
        ] {
            assert_eq!(token_of(value), want);
        }
    }
}
