//! [`Handler`]: async functions with typed arguments, as one thing to call.
//!
//! The generic shell only reads arguments; everything else works on boxed futures and is compiled once.

use std::future::Future;

use api::Response;
use engine::hook::BoxFuture;

use super::{event::RequestEvent, extract::FromRequest, respond::IntoResponse};
use crate::error::Result;

/// An async function (or closure) that answers requests: up to 8 arguments that implement [`FromRequest`], and an answer
/// that implements [`IntoResponse`].
///
/// ```
/// # use pocketbase::{App, AuthRecord, Json, Path, Query, Record, Result, testing::TestApp};
/// # use serde::Deserialize;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// #[derive(Deserialize)]
/// struct Greeting { name: String, times: Option<u8> }
///
/// async fn hello(Path(word): Path<String>, Query(greeting): Query<Greeting>) -> String {
///     format!("{word} {}", greeting.name).repeat(greeting.times.unwrap_or(1).into())
/// }
/// async fn add(app: App, who: Option<AuthRecord>, Json(body): Json<Greeting>) -> Result<(u16, Json<String>)> {
///     let n = app.count_records("users", ()).await?;
///     Ok((201, Json(format!("{} {n} {}", body.name, who.is_some()))))
/// }
/// app.router().get("/say/{word}", hello);
/// app.router().post("/say", add);
/// app.router().get("/inline", || async { "inline" });
///
/// assert_eq!(test.get("/say/Hi?name=Ann").send().await.text(), "Hi Ann");
/// assert_eq!(test.get("/say/Hi").send().await.status, 400);
/// let added = test.post("/say").json(&serde_json::json!({"name": "Bo"})).send().await;
/// assert_eq!((added.status, added.text().trim()), (201, "\"Bo 0 false\""));
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
pub trait Handler<Args>: Clone + Send + Sync + 'static {
    /// Answers a request.
    fn call(self, e: RequestEvent) -> BoxFuture<Result<Response>>;
}

macro_rules! handlers {
    ($(($($arg:ident),*))*) => {$(
        impl<F, Fut, R, $($arg),*> Handler<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: IntoResponse,
            $($arg: FromRequest + 'static,)*
        {
            #[allow(non_snake_case, unused_variables)]
            fn call(self, e: RequestEvent) -> BoxFuture<Result<Response>> {
                Box::pin(async move {
                    $(let $arg = $arg::from_request(&e).await?;)*
                    drop(e);
                    self($($arg),*).await.into_response()
                })
            }
        }
    )*};
}

handlers! {
    ()
    (A)
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, G)
    (A, B, C, D, E, G, H)
    (A, B, C, D, E, G, H, I)
}
