//! What handlers may return: [`IntoResponse`].

use api::{ApiError, Body, Response};
use bytes::Bytes;
use http::header;
use serde::Serialize;
use tokio::sync::mpsc;

use super::extract::Json;
use crate::{
    collection::Collection,
    error::{Error, Result},
    record::Record,
};

/// Anything that can be the answer to a request.
///
/// ```
/// use pocketbase::{Html, IntoResponse, Json, Redirect};
///
/// # fn main() -> pocketbase::Result<()> {
/// assert_eq!("hello".into_response()?.status, 200);
/// assert_eq!((201, Json([1, 2])).into_response()?.status, 201);
/// assert_eq!(Redirect::to("/login").into_response()?.status, 307);
/// assert_eq!(Html("<b>hi</b>").into_response()?.status, 200);
/// assert_eq!(().into_response()?.status, 200);
/// assert!(Err::<(), _>(pocketbase::Error::NotFound).into_response().is_err());
/// # Ok(()) }
/// ```
pub trait IntoResponse {
    /// The answer.
    ///
    /// # Errors
    /// The error that is answered instead.
    fn into_response(self) -> Result<Response>;
}

impl IntoResponse for Response {
    fn into_response(self) -> Result<Response> {
        Ok(self)
    }
}

/// An empty 200, as the reference answers for handlers that write nothing.
impl IntoResponse for () {
    fn into_response(self) -> Result<Response> {
        Ok(Response::empty(200))
    }
}

fn text(content_type: &'static str, text: impl Into<Bytes>) -> Response {
    Response::text(200, content_type, text)
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Result<Response> {
        Ok(text("text/plain; charset=utf-8", self))
    }
}
impl IntoResponse for String {
    fn into_response(self) -> Result<Response> {
        Ok(text("text/plain; charset=utf-8", self))
    }
}
impl IntoResponse for Bytes {
    fn into_response(self) -> Result<Response> {
        Ok(text("application/octet-stream", self))
    }
}
impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Result<Response> {
        Ok(text("application/octet-stream", self))
    }
}
impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Result<Response> {
        Ok(Response::of(200, &self.0)?)
    }
}
impl IntoResponse for serde_json::Value {
    fn into_response(self) -> Result<Response> {
        Ok(Response::of(200, &self)?)
    }
}
impl IntoResponse for Record {
    fn into_response(self) -> Result<Response> {
        Ok(Response::of(200, &self)?)
    }
}
impl IntoResponse for Vec<Record> {
    fn into_response(self) -> Result<Response> {
        Ok(Response::of(200, &self)?)
    }
}
impl IntoResponse for Collection {
    fn into_response(self) -> Result<Response> {
        Ok(Response::of(200, &self)?)
    }
}
/// The same with another status.
impl<T: IntoResponse> IntoResponse for (u16, T) {
    fn into_response(self) -> Result<Response> {
        let mut response = self.1.into_response()?;
        response.status = self.0;
        Ok(response)
    }
}
/// The same with headers.
impl<T: IntoResponse, const N: usize> IntoResponse for ([(&str, &str); N], T) {
    fn into_response(self) -> Result<Response> {
        let mut response = self.1.into_response()?;
        for (name, value) in self.0 {
            let name = header::HeaderName::try_from(name)?;
            response.headers.insert(name, header::HeaderValue::from_str(value)?);
        }
        Ok(response)
    }
}
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Result<Response> {
        self.ok_or(Error::NotFound)?.into_response()
    }
}
impl<T: IntoResponse, E: Into<Error>> IntoResponse for Result<T, E> {
    fn into_response(self) -> Result<Response> {
        self.map_err(Into::into)?.into_response()
    }
}

/// HTML text.
#[derive(Debug, Clone)]
pub struct Html<T>(pub T);
impl<T: Into<Bytes>> IntoResponse for Html<T> {
    fn into_response(self) -> Result<Response> {
        Ok(text("text/html; charset=utf-8", self.0))
    }
}

/// XML text.
#[derive(Debug, Clone)]
pub struct Xml<T>(pub T);
impl<T: Into<Bytes>> IntoResponse for Xml<T> {
    fn into_response(self) -> Result<Response> {
        Ok(text("application/xml; charset=utf-8", self.0))
    }
}

/// 204.
#[derive(Debug, Clone, Copy)]
pub struct NoContent;
impl IntoResponse for NoContent {
    fn into_response(self) -> Result<Response> {
        Ok(Response::no_content())
    }
}

/// A redirect.
#[derive(Debug, Clone)]
pub struct Redirect {
    status: u16,
    to: String,
}

impl Redirect {
    /// 307: the same request again, elsewhere.
    #[must_use]
    pub fn to(to: impl Into<String>) -> Self {
        Self { status: 307, to: to.into() }
    }
    /// 303: a GET elsewhere.
    #[must_use]
    pub fn see_other(to: impl Into<String>) -> Self {
        Self { status: 303, to: to.into() }
    }
    /// Another status of the 3xx.
    #[must_use]
    pub fn with_status(status: u16, to: impl Into<String>) -> Self {
        Self { status, to: to.into() }
    }
}
impl IntoResponse for Redirect {
    fn into_response(self) -> Result<Response> {
        if !(300..400).contains(&self.status) {
            return Err(ApiError::internal("invalid redirect status code").into());
        }
        Ok(Response::redirect(self.status, &self.to))
    }
}

/// Pieces that are sent as they come: whoever holds the sender writes, and ends the answer by dropping it.
///
/// ```
/// use pocketbase::{IntoResponse, Stream};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (sender, stream) = Stream::new("text/csv");
/// tokio::spawn(async move {
///     for line in ["a,b\n", "1,2\n"] {
///         if sender.send(Ok(line.into())).await.is_err() { break }
///     }
/// });
/// assert_eq!(stream.into_response()?.status, 200);
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Stream {
    content_type: &'static str,
    pieces: mpsc::Receiver<std::io::Result<Bytes>>,
}

impl Stream {
    /// A stream and its other end. An `Err` cuts the connection.
    #[must_use]
    pub fn new(content_type: &'static str) -> (mpsc::Sender<std::io::Result<Bytes>>, Self) {
        let (sender, pieces) = mpsc::channel(8);
        (sender, Self { content_type, pieces })
    }
}
impl IntoResponse for Stream {
    fn into_response(self) -> Result<Response> {
        let mut response = text(self.content_type, Bytes::new());
        response.body = Body::Stream(self.pieces);
        Ok(response)
    }
}
