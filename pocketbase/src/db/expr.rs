//! Conditions of queries: the reference's expressions, in Rust.

use engine::store::query::{self, Given, Hashed, Joined, Like, Params};
use serde_json::{Map, Value as Json};

/// A condition. Made by the functions of this module.
///
/// ```
/// use pocketbase::db::*;
///
/// let open = and([
///     hash([("status", "open")]),
///     or([is_in("kind", ["bug", "task"]), not(like("title", ["draft"]))]),
///     between("priority", 1, 5),
///     exp_with("created > {:since}", [("since", "2026-01-01")]),
///     not_exists("SELECT 1 FROM locks WHERE locks.post = posts.id"),
/// ]);
/// # let _ = (open, exists("SELECT 1"), not_in("a", [1]), not_between("a", 1, 2), or_like("a", ["x", "y"]), not_like("a", ["x"]), exp("a = b"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Expr(pub(crate) query::Expr);

/// Named values: an array of pairs, a JSON object, `()` for none.
pub trait IntoParams {
    /// The values by name.
    fn into_params(self) -> Vec<(String, Json)>;
}

impl IntoParams for () {
    fn into_params(self) -> Vec<(String, Json)> {
        Vec::new()
    }
}
impl<K: Into<String>, V: Into<Json>, const N: usize> IntoParams for [(K, V); N] {
    fn into_params(self) -> Vec<(String, Json)> {
        self.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
    }
}
impl<K: Into<String>, V: Into<Json>> IntoParams for Vec<(K, V)> {
    fn into_params(self) -> Vec<(String, Json)> {
        self.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
    }
}
impl IntoParams for Json {
    fn into_params(self) -> Vec<(String, Json)> {
        match self {
            Self::Object(map) => map.into_iter().collect(),
            _ => Vec::new(),
        }
    }
}
impl IntoParams for serde_json::Map<String, Json> {
    fn into_params(self) -> Vec<(String, Json)> {
        self.into_iter().collect()
    }
}

pub(super) fn params(given: impl IntoParams) -> Params {
    given.into_params().into_iter().map(|(key, json)| (key, query::value(&json))).collect()
}

pub(super) fn jsons(params: &Params) -> Map<String, Json> {
    let json = |given: &Given| match given {
        Given::Bool(on) => (*on).into(),
        Given::Value(value) => super::row::json(value),
    };
    params.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}

fn values<V: Into<Json>>(given: impl IntoIterator<Item = V>) -> Vec<Given> {
    given.into_iter().map(|value| query::value(&value.into())).collect()
}

/// A condition as text.
#[must_use]
pub fn exp(text: &str) -> Expr {
    Expr(query::Expr::Raw(text.to_owned(), Params::new()))
}
/// A condition as text with values for its `{:name}`s.
#[must_use]
pub fn exp_with(text: &str, values: impl IntoParams) -> Expr {
    Expr(query::Expr::Raw(text.to_owned(), params(values)))
}
/// Columns with their values, all of them: `null` means missing, a list any of it.
#[must_use]
pub fn hash(columns: impl IntoParams) -> Expr {
    let hashed = |json: Json| match json {
        Json::Array(items) => Hashed::Any(values(items)),
        one => Hashed::One(query::value(&one)),
    };
    let columns = columns.into_params();
    Expr(query::Expr::Hash(columns.into_iter().map(|(key, json)| (key, hashed(json))).collect()))
}
/// The contrary.
#[must_use]
pub fn not(expr: Expr) -> Expr {
    Expr(query::Expr::Not(Box::new(expr.0)))
}
/// All of them.
#[must_use]
pub fn and(parts: impl IntoIterator<Item = Expr>) -> Expr {
    Expr(query::Expr::Join(Joined::And, parts.into_iter().map(|part| part.0).collect()))
}
/// Any of them.
#[must_use]
pub fn or(parts: impl IntoIterator<Item = Expr>) -> Expr {
    Expr(query::Expr::Join(Joined::Or, parts.into_iter().map(|part| part.0).collect()))
}
/// The column has one of the values; never, if there are none.
#[must_use]
pub fn is_in<V: Into<Json>>(column: &str, of: impl IntoIterator<Item = V>) -> Expr {
    Expr(query::Expr::In(column.to_owned(), values(of), false))
}
/// The column has none of the values.
#[must_use]
pub fn not_in<V: Into<Json>>(column: &str, of: impl IntoIterator<Item = V>) -> Expr {
    Expr(query::Expr::In(column.to_owned(), values(of), true))
}
fn searched<S: Into<String>>(
    column: &str,
    texts: impl IntoIterator<Item = S>,
    negated: bool,
    any: bool,
) -> Expr {
    Expr(query::Expr::Like(Like {
        column: column.to_owned(),
        texts: texts.into_iter().map(Into::into).collect(),
        open: (true, true),
        negated,
        any,
        escapes: None,
    }))
}
/// The column contains all of the texts, whatever their case; `%` and `_` are ordinary characters.
#[must_use]
pub fn like<S: Into<String>>(column: &str, texts: impl IntoIterator<Item = S>) -> Expr {
    searched(column, texts, false, false)
}
/// The column contains any of the texts.
#[must_use]
pub fn or_like<S: Into<String>>(column: &str, texts: impl IntoIterator<Item = S>) -> Expr {
    searched(column, texts, false, true)
}
/// The column contains none of the texts.
#[must_use]
pub fn not_like<S: Into<String>>(column: &str, texts: impl IntoIterator<Item = S>) -> Expr {
    searched(column, texts, true, false)
}
/// The column lies between two values, both included.
#[must_use]
pub fn between(column: &str, low: impl Into<Json>, high: impl Into<Json>) -> Expr {
    let (low, high) = (query::value(&low.into()), query::value(&high.into()));
    Expr(query::Expr::Between(column.to_owned(), low, high, false))
}
/// The column does not lie between two values.
#[must_use]
pub fn not_between(column: &str, low: impl Into<Json>, high: impl Into<Json>) -> Expr {
    let (low, high) = (query::value(&low.into()), query::value(&high.into()));
    Expr(query::Expr::Between(column.to_owned(), low, high, true))
}
/// A query gives a row.
#[must_use]
pub fn exists(query: impl Into<Expr>) -> Expr {
    Expr(query::Expr::Exists(Box::new(query.into().0), false))
}
/// A query gives no row.
#[must_use]
pub fn not_exists(query: impl Into<Expr>) -> Expr {
    Expr(query::Expr::Exists(Box::new(query.into().0), true))
}

impl From<&str> for Expr {
    fn from(text: &str) -> Self {
        exp(text)
    }
}

impl Expr {
    /// The condition as the reference prints it, and its values; they are counted from those that are given.
    #[must_use]
    pub fn shown(&self, given: impl IntoParams) -> (String, Map<String, Json>) {
        let shown = query::shown::condition(&self.0, params(given));
        (shown.text, jsons(&shown.params))
    }
    /// For [`like`] and its kin: what is replaced in the texts, without a clause that makes SQLite read escapes.
    #[must_use]
    pub fn escaped_with(mut self, pairs: Vec<(String, String)>) -> Self {
        if let query::Expr::Like(like) = &mut self.0 {
            like.escapes = Some(pairs);
        }
        self
    }
    /// For [`not_like`]: lacking one of the texts is enough.
    #[must_use]
    pub fn any(mut self) -> Self {
        if let query::Expr::Like(like) = &mut self.0 {
            like.any = true;
        }
        self
    }
    /// Holds always.
    #[must_use]
    pub fn always() -> Self {
        Self(query::Expr::Empty)
    }
    /// For [`like`] and its kin: whether anything may come before and after the text.
    #[must_use]
    pub fn open(mut self, before: bool, after: bool) -> Self {
        if let query::Expr::Like(like) = &mut self.0 {
            like.open = (before, after);
        }
        self
    }
}

/// Conditions of finders: one, several that must all hold, or `()` for none.
pub trait IntoExprs {
    /// All of them as one.
    fn into_expr(self) -> Expr;
}
impl IntoExprs for () {
    fn into_expr(self) -> Expr {
        Expr::always()
    }
}
impl IntoExprs for Expr {
    fn into_expr(self) -> Expr {
        self
    }
}
impl<const N: usize> IntoExprs for [Expr; N] {
    fn into_expr(self) -> Expr {
        and(self)
    }
}
impl IntoExprs for Vec<Expr> {
    fn into_expr(self) -> Expr {
        and(self)
    }
}
