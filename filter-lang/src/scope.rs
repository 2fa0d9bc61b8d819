//! Who asks, when, and with what request: everything an expression may read besides rows.
//!
//! The clock is an argument. Must not know HTTP types: headers and query arrive as plain maps.
//! Source: spec filter-language §6.5–§6.7, §10.

use std::{collections::BTreeMap, sync::Arc};

use crate::value::Value;

/// What the caller knows while resolving. Build it once per request.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Hidden fields may be used (rules, superusers).
    pub hidden_allowed: bool,
    /// List rules of joined collections are enforced (client filters of non-superusers, realtime).
    pub enforce_list_rules: bool,
    /// The request, `None` for programmatic filters: then every `@request.*` is NULL.
    pub request: Option<Arc<Request>>,
    /// Milliseconds since the Unix epoch, UTC: what macros and `strftime` call now.
    pub now_ms: i64,
    /// The base row is a submitted draft (create rules).
    pub draft: bool,
}

/// The facts behind `@request.*`.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `default`, `expand`, `realtime`, …
    pub context: String,
    /// Upper-case HTTP method.
    pub method: String,
    /// First value per query parameter.
    pub query: BTreeMap<String, String>,
    /// First value per snake-cased header name.
    pub headers: BTreeMap<String, String>,
    /// The (normalised) body.
    pub body: BTreeMap<String, Datum>,
    /// The caller, `None` for guests.
    pub auth: Option<Auth>,
}

/// The signed-in record.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// Record id.
    pub id: Arc<str>,
    /// Id of its collection.
    pub collection_id: Arc<str>,
    /// Name of its collection.
    pub collection_name: Arc<str>,
    /// Values of `email`, `emailVisibility`, `verified` and the other plain columns, by field name;
    /// a field found here needs no join.
    pub columns: BTreeMap<String, Value>,
}

/// A JSON-like value of a request body, without a JSON library in the public API.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// JSON text of a typed value (a json field, a date, a geo point): walks like JSON, prints as itself.
    Json(String),
    /// A list.
    List(Vec<Datum>),
    /// An object.
    Map(BTreeMap<String, Datum>),
}
