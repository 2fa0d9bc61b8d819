//! PocketBase as a library: build an [`App`], bind hooks, add routes, serve.
//!
//! ```no_run
//! use pocketbase::{App, Response, ServeOptions};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut app = App::builder().data_dir("pb_data").build().await?;
//!
//! app.hooks().record_create.bind(|e| async move {
//!     // before the record is stored
//!     e.next().await
//!     // after it is stored, unless next() failed
//! });
//!
//! app.routes().route(
//!     "GET /hello/{name}",
//!     std::sync::Arc::new(|req| {
//!         Box::pin(async move {
//!             let text = format!("Hello {}!", req.param("name"));
//!             Ok(Response::text(200, "text/plain; charset=utf-8", text))
//!         })
//!     }),
//! );
//!
//! let _ended = app.serve(ServeOptions::default(), std::future::pending(), |_| ()).await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod plugin;

pub use api::{
    ApiError, Body, Response,
    api::{RouteRef, Routes},
    guard,
    pipeline::{Middleware, Next},
    request::{Exchange, Req},
};
pub use builder::{App, Builder, Ended, ServeError, ServeOptions, Started};
pub use engine::{
    Error, FieldError, FieldErrors, Result,
    ctx::{Caller, Ctx},
    event,
    hook::{Event, Handler, Hook},
};
pub use plugin::{Plugin, Setup};
