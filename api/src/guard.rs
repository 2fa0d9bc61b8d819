//! Who may pass: functions that return a witness or the error answer. Only they can make a witness, so whatever asks for
//! one cannot be reached around them.
//!
//! Source: spec server-settings-operations §0 (guard failures); auth §3.0.

use std::sync::Arc;

use engine::{ctx::Caller, record::Record, schema::Loaded};
use http::HeaderName;

use crate::{
    error::{ApiError, Result},
    request::Req,
};

const NO_TOKEN: &str = "The request requires valid record authorization token.";

/// Proof that a superuser asks.
#[derive(Debug, Clone)]
pub struct Superuser(Arc<Record>);

/// Proof that some auth record asks.
#[derive(Debug, Clone)]
pub struct SignedIn(Arc<Record>);

/// Proof that an auth record of the collection in the path asks.
#[derive(Debug, Clone)]
pub struct Member {
    record: Arc<Record>,
    collection: Arc<Loaded>,
}

impl Superuser {
    /// The record of the superuser.
    #[must_use]
    pub fn record(&self) -> &Arc<Record> {
        &self.0
    }
}

impl SignedIn {
    /// The auth record.
    #[must_use]
    pub fn record(&self) -> &Arc<Record> {
        &self.0
    }
}

impl Member {
    /// The auth record.
    #[must_use]
    pub fn record(&self) -> &Arc<Record> {
        &self.record
    }
    /// The collection in the path.
    #[must_use]
    pub fn collection(&self) -> &Arc<Loaded> {
        &self.collection
    }
}

/// Only superusers.
///
/// # Errors
/// 401 for guests, 403 for others.
pub fn superuser(req: &Req) -> Result<Superuser> {
    match &req.caller {
        Caller::Superuser(record) => Ok(Superuser(record.clone())),
        Caller::Record(_) => {
            Err(ApiError::forbidden("The authorized record is not allowed to perform this action."))
        }
        Caller::Guest => Err(ApiError::unauthorized(NO_TOKEN)),
    }
}

/// Read once, not at each request.
static EXPECT: HeaderName = HeaderName::from_static("x-expect");

/// A request may say that it is a superuser's: then it is not answered as somebody else's. Not part of the reference.
///
/// # Errors
/// 401 for `x-expect: superuser` from anybody else.
pub(crate) fn expected(req: &Req) -> Result<()> {
    if req.caller.is_superuser() {
        return Ok(());
    }
    match req.head.headers.get(&EXPECT) {
        Some(value) if value == "superuser" => Err(ApiError::unauthorized(NO_TOKEN)),
        _ => Ok(()),
    }
}

/// Any auth record.
///
/// # Errors
/// 401 for guests.
pub fn signed_in(req: &Req) -> Result<SignedIn> {
    match req.caller.record() {
        Some(record) => Ok(SignedIn(record.clone())),
        None => Err(ApiError::unauthorized(NO_TOKEN)),
    }
}

/// An auth record of the collection in the path.
///
/// # Errors
/// 401 for guests, 403 for records of other collections.
pub fn same_collection(req: &Req) -> Result<Member> {
    let SignedIn(record) = signed_in(req)?;
    let named = req.named_collection();
    match named.filter(|collection| collection.id == record.collection().id) {
        Some(collection) => Ok(Member { record, collection }),
        None => Err(ApiError::forbidden(format!(
            "The request requires auth record from {} collection.",
            record.collection().name
        ))),
    }
}
