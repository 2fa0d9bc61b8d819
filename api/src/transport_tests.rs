//! The pipeline as a client sees it: health, errors, CORS, redirects, limits, middlewares.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Uri, header};

use crate::{
    ApiError, Response,
    api::{Api, Options, Routes},
    clock::Clock,
    request::Req,
    route::{DynHandler, Middleware},
    server::{Times, dispatch},
    static_files::StaticFiles,
    testing::{Answer, send},
};

async fn app(dir: &std::path::Path) -> engine::App {
    engine::App::bootstrap(engine::app::Config::new(dir), engine::event::Hooks::default())
        .await
        .expect("app")
}

async fn api(routes: Routes) -> (tempfile::TempDir, Api) {
    let dir = tempfile::tempdir().expect("dir");
    let public = Some(StaticFiles::new(dir.path().join("public"), true));
    let api = Api::new(&app(dir.path()).await, Options { public, routes, ..Options::default() })
        .expect("api");
    (dir, api)
}

fn short(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.text().trim_end())
}

#[tokio::test]
async fn answers_of_the_transport() {
    let (_dir, api) = api(Routes::default()).await;
    let not_found =
        r#"404 {"data":{},"message":"The requested resource wasn't found.","status":404}"#;
    let no_file = r#"404 {"data":{},"message":"File not found.","status":404}"#;
    for (method, url, want) in [
        ("GET", "/api/health", r#"200 {"message":"API is healthy.","code":200,"data":{}}"#),
        ("GET", "/api/health?fields=code", r#"200 {"code":200}"#),
        (
            "GET",
            "/api/health?fields=code:x",
            r#"400 {"data":{},"message":"Something went wrong while processing your request.","status":400}"#,
        ),
        ("GET", "/api/health?fields=code)", r#"200 {}"#),
        ("HEAD", "/nope", "404 "),
        ("POST", "/api/health", not_found),
        ("DELETE", "/nope", not_found),
        ("GET", "/api/health/", no_file),
        ("GET", "/nope", no_file),
        ("OPTIONS", "/nope", "204 "),
        (
            "GET",
            "//api/health?a=b&c",
            "307 <a href=\"/api/health?a=b&amp;c\">Temporary Redirect</a>.",
        ),
        ("GET", "//%5Cx.y'", "307 <a href=\"/%5Cx.y&#39;\">Temporary Redirect</a>."),
        ("GET", "/a/../{x}%5cb", "307 <a href=\"/%7Bx%7D%5Cb\">Temporary Redirect</a>."),
        ("POST", "/a/../b", "307 "),
    ] {
        let answer = send(&api, method, url, &[], "").await;
        assert_eq!(short(&answer), want, "{method} {url}");
    }
}

#[tokio::test]
async fn headers_of_the_pipeline() {
    let (_dir, api) = api(Routes::default()).await;
    let health = send(&api, "GET", "/api/health", &[("origin", "http://a.com")], "").await;
    for (name, want) in [
        ("content-type", "application/json"),
        ("vary", "Origin"),
        ("access-control-allow-origin", "*"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("x-xss-protection", "1; mode=block"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(health.header(name), want, "{name}");
    }
    let preflight = send(
        &api,
        "OPTIONS",
        "/x",
        &[("origin", "http://a.com"), ("access-control-request-headers", "a,b")],
        "",
    )
    .await;
    assert_eq!(preflight.header("access-control-allow-headers"), "a,b");
    assert_eq!(preflight.header("access-control-allow-methods"), "GET,HEAD,PUT,PATCH,POST,DELETE");
    assert_eq!(preflight.headers.get_all("vary").iter().count(), 3);
    assert_eq!(preflight.header("x-frame-options"), "");
    assert_eq!(preflight.header("cross-origin-opener-policy"), "");
    let redirect = send(&api, "GET", "//", &[], "").await;
    assert_eq!((redirect.header("location"), redirect.header("vary")), ("/", ""));
}

fn text(text: &'static str) -> DynHandler {
    Arc::new(move |_| Box::pin(std::future::ready(Ok(Response::text(200, "text/plain", text)))))
}

fn adds(id: &str, priority: i32, mark: &'static str) -> Middleware {
    Middleware { id: id.into(), priority, run: middleware(mark) }
}

async fn mark_and_go(
    req: &mut crate::request::Req,
    next: crate::route::Next<'_>,
    mark: &'static str,
) -> crate::Result<Response> {
    req.response_headers.append("x-mark", mark.parse().expect("value"));
    next.run(req).await
}

fn middleware(mark: &'static str) -> crate::route::DynMiddleware {
    Arc::new(move |req, next| Box::pin(mark_and_go(req, next, mark)))
}

#[tokio::test]
async fn user_routes_and_middlewares() {
    let mut routes = Routes::default();
    routes.route(
        "GET /hi/{name}",
        Arc::new(|req| {
            Box::pin(async move {
                Ok(Response::text(200, "text/plain", req.param("name").into_owned()))
            })
        }),
    );
    routes.route("GET /panic", Arc::new(|_| Box::pin(async { panic!("oh") })));
    routes.route(
        "GET /teapot",
        Arc::new(|_| Box::pin(std::future::ready(Err(ApiError::new(418, ""))))),
    );
    routes.route("GET /bare", text("bare")).unbind("pbSecurityHeaders").unbind("pbCors");
    routes.route("/", text("root"));
    routes.bind(adds("b", 1, "b")).bind(adds("a", -2000, "a")).bind(adds(
        "pbSecurityHeaders",
        -1010,
        "s",
    ));
    let (_dir, api) = api(routes).await;
    for (method, url, want) in [
        ("GET", "/hi/a%20b", "200 a b"),
        (
            "GET",
            "/panic",
            r#"500 {"data":{},"message":"Something went wrong while processing your request.","status":500}"#,
        ),
        ("GET", "/teapot", r#"418 {"data":{},"message":"I'm a teapot.","status":418}"#),
        ("POST", "/else", "200 root"),
        ("GET", "/bare", "200 bare"),
    ] {
        assert_eq!(short(&send(&api, method, url, &[], "").await), want, "{method} {url}");
    }
    let marks = |answer: &Answer| -> Vec<String> {
        answer
            .headers
            .get_all("x-mark")
            .iter()
            .map(|v| v.to_str().expect("text").to_owned())
            .collect()
    };
    let hi = send(&api, "GET", "/hi/x", &[], "").await;
    assert_eq!(marks(&hi), ["a", "s", "b"]);
    assert_eq!(hi.header("x-frame-options"), "");
    let bare = send(&api, "GET", "/bare", &[], "").await;
    assert_eq!((marks(&bare), bare.header("vary")), (vec!["a".to_owned(), "b".to_owned()], ""));
    let mut clash = Routes::default();
    clash.route("GET /api/{x}", text("x"));
    clash.route("GET /api/{y}", text("y"));
    assert!(api.set_routes(&clash).is_err());
    assert_eq!(send(&api, "GET", "/hi/x", &[], "").await.status, 200);
    assert!(api.set_routes(&Routes::default()).is_ok());
    assert_eq!(send(&api, "GET", "/hi/x", &[], "").await.status, 404);
}

#[tokio::test]
async fn declared_length_over_the_limit() {
    let (_dir, api) = api(Routes::default()).await;
    let body = "x".repeat((32 << 20) + 1);
    let answer = send(&api, "POST", "/nope", &[], &body).await;
    assert_eq!(
        short(&answer),
        r#"413 {"data":{},"message":"Request entity too large.","status":413}"#
    );
    assert_eq!(answer.header("x-frame-options"), "SAMEORIGIN");
}

#[tokio::test]
async fn only_superusers_on_long_running_routes_have_no_time_limit() {
    let (_dir, api) = api(Routes::default()).await;
    let ctx = engine::ctx::Ctx::system(api.app());
    let token = engine::auth::superusers::installer_token(&ctx).await.expect("token");
    for (method, token, want) in [
        (Method::DELETE, &*token, true),
        (Method::DELETE, "", false),
        (Method::GET, &*token, false),
    ] {
        let headers = [(header::AUTHORIZATION, token.parse().expect("value"))];
        let uri = Uri::from_static("/api/collections/nope");
        let (headers, body) = (headers.into_iter().collect(), Bytes::new());
        let mut req = Req::synthetic(&api, method.clone(), uri, headers, body);
        let clock = Clock::new(Times::default());
        req.clock = Some(clock.clone());
        let _open = clock.begin();
        dispatch(&mut req).await;
        assert_eq!(clock.is_unlimited(), want, "{method} {token}");
    }
}
