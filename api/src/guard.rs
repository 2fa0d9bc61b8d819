//! Who may pass: functions that return a witness or the error answer.
//!
//! Source: spec server-settings-operations §0 (guard failures); auth §3.0.

use std::sync::Arc;

use engine::{ctx::Caller, record::Record};

use crate::{
    error::{ApiError, Result},
    request::Req,
};

const NO_TOKEN: &str = "The request requires valid record authorization token.";

/// Proof that a superuser asks.
#[derive(Debug, Clone)]
pub struct Superuser(pub Arc<Record>);

/// Proof that some auth record asks.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Arc<Record>);

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

/// A request may say that it is a superuser's: then it is not answered as somebody else's. Not part of the reference.
///
/// # Errors
/// 401 for `x-expect: superuser` from anybody else.
pub(crate) fn expected(req: &Req) -> Result<()> {
    if req.caller.is_superuser() {
        return Ok(());
    }
    match req.head.headers.get("x-expect") {
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
pub fn same_collection(req: &Req) -> Result<SignedIn> {
    let caller = signed_in(req)?;
    let wanted = req.app().snapshot().find(&req.param("collection")).map(|c| c.id.clone());
    if wanted.as_ref() == Some(&caller.0.collection().id) {
        return Ok(caller);
    }
    Err(ApiError::forbidden(format!(
        "The request requires auth record from {} collection.",
        caller.0.collection().name
    )))
}
