//! [`RequestInfo`]: the facts of a request as rules see them.

use std::collections::BTreeMap;

pub use engine::ctx::header_key;
use engine::ctx::{Ctx, RequestFacts, RequestInfo as EngineInfo};
use serde_json::{Map, Value};

use crate::record::Record;

/// The facts that rules see as `@request.*`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RequestInfo {
    /// `default`, `expand`, `realtime`, `protectedFile`, `batch`, …
    pub context: String,
    /// The method in upper case.
    pub method: String,
    /// The first value of each query parameter.
    pub query: BTreeMap<String, String>,
    /// The first value of each header; names in snake case (`x_request_id`).
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Map<String, Value>,
    /// Who asks.
    pub auth: Option<Record>,
}

impl RequestInfo {
    pub(crate) fn of(ctx: &Ctx) -> Self {
        let auth = ctx.caller.record().map(Record::of_arc);
        let Some(request) = &ctx.request else { return Self { auth, ..Self::default() } };
        let facts = request.facts().clone();
        Self {
            context: request.context().to_owned(),
            method: facts.method,
            query: facts.query,
            headers: facts.headers,
            body: facts.body,
            auth,
        }
    }
    /// True if a superuser asks.
    #[must_use]
    pub fn has_superuser_auth(&self) -> bool {
        self.auth.as_ref().is_some_and(Record::is_superuser)
    }
    pub(crate) fn to_engine(&self) -> EngineInfo {
        let facts = RequestFacts {
            method: self.method.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        let context =
            if self.context.is_empty() { "default".to_owned() } else { self.context.clone() };
        EngineInfo::lazy(move || facts.clone()).in_context(context)
    }
}
