//! Typed arguments of handlers: [`FromRequest`] and what implements it. Each says how it can fail.

use std::{future::Future, ops::Deref};

use http::HeaderMap;
use serde::de::{Deserialize, DeserializeOwned};

use super::{
    RequestInfo,
    event::{RequestEvent, unfit},
    texts,
};
use crate::{
    app::App,
    error::{Error, Result},
    files::File,
    record::Record,
};

/// What a handler may take as an argument.
pub trait FromRequest: Sized + Send {
    /// Reads it off a request.
    ///
    /// # Errors
    /// The answer when it is not there or does not fit.
    fn from_request(e: &RequestEvent) -> impl Future<Output = Result<Self>> + Send;
}

impl FromRequest for RequestEvent {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        Ok(e.clone())
    }
}

impl FromRequest for App {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        Ok(e.app().clone())
    }
}

/// The wildcards of the route: one value, a tuple in their order, or a struct by their names. 404 when they do not fit.
#[derive(Debug, Clone)]
pub struct Path<T>(pub T);
impl<T: DeserializeOwned + Send> FromRequest for Path<T> {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        let read = texts::read(e.path_values());
        read.map(Self)
            .map_err(|error| api::ApiError::not_found("").with_detail(error.to_string()).into())
    }
}

/// The query as a struct or map. 400 when it does not fit.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);
impl<T: DeserializeOwned + Send> FromRequest for Query<T> {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        texts::read(&e.query_values()).map(Self).map_err(|error| unfit(&error).into())
    }
}

/// The body as JSON, of whatever type it says it is; as an answer, a value as JSON. 400 when it does not fit.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);
impl<T: DeserializeOwned + Send> FromRequest for Json<T> {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        let body = e.json_body().await?;
        engine::json::read::typed(&body).map(Self).map_err(|error| unfit(&error).into())
    }
}

/// A body as JSON, for routes that say no more than that it cannot be read: 400 "Invalid request body."
///
/// # Errors
/// When it is no JSON of this shape, or of more values than bodies may have.
pub fn read_json<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T> {
    engine::json::read::typed(body).map_err(|_| unreadable())
}

/// The error of [`read_json`], for a body whose values are not what they should be.
#[must_use]
pub fn unreadable() -> crate::Error {
    api::ApiError::bad_request("Invalid request body.").into()
}

/// The body as a form, urlencoded or multipart, without its files. 400 when it does not fit.
#[derive(Debug, Clone)]
pub struct Form<T>(pub T);
impl<T: DeserializeOwned + Send> FromRequest for Form<T> {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        let pairs = e.form().await?;
        texts::read(&pairs).map(Self).map_err(|error| unfit(&error).into())
    }
}

/// The raw body.
#[derive(Debug, Clone)]
pub struct Bytes(pub bytes::Bytes);
impl FromRequest for Bytes {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        Ok(Self(e.bytes().await?))
    }
}

/// All headers.
#[derive(Debug, Clone)]
pub struct Headers(pub HeaderMap);
impl FromRequest for Headers {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        Ok(Self(e.headers().clone()))
    }
}

/// The record that signed the request; 401 for guests. `Option<AuthRecord>` lets guests in.
#[derive(Debug, Clone)]
pub struct AuthRecord(pub Record);
impl Deref for AuthRecord {
    type Target = Record;
    fn deref(&self) -> &Record {
        &self.0
    }
}
impl FromRequest for AuthRecord {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        e.auth().map(Self).ok_or_else(super::middleware::no_token)
    }
}
impl FromRequest for Option<AuthRecord> {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        Ok(e.auth().map(AuthRecord))
    }
}

/// The superuser that signed the request; 401 for guests, 403 for others.
#[derive(Debug, Clone)]
pub struct SuperuserAuth(pub Record);
impl Deref for SuperuserAuth {
    type Target = Record;
    fn deref(&self) -> &Record {
        &self.0
    }
}
impl FromRequest for SuperuserAuth {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        super::middleware::superuser(e).map(Self)
    }
}

impl FromRequest for RequestInfo {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        e.request_info().await
    }
}

/// The uploaded files with their keys, in order.
#[derive(Debug, Clone)]
pub struct UploadedFiles(pub Vec<(String, File)>);
impl FromRequest for UploadedFiles {
    async fn from_request(e: &RequestEvent) -> Result<Self> {
        Ok(Self(e.uploaded_files().await?))
    }
}
impl UploadedFiles {
    /// The files of a key.
    pub fn of(&self, key: &str) -> impl Iterator<Item = &File> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, file)| file)
    }
    /// The first file of a key.
    ///
    /// # Errors
    /// 400 without one.
    pub fn first(&self, key: &str) -> Result<&File> {
        let missing = || Error::from(unfit(&format!("no file {key:?}")));
        self.of(key).next().ok_or_else(missing)
    }
}
