//! `POST /api/collections/{collection}/explain` (superusers): how a filter, sort or rule runs, and what would help.
//!
//! Not part of the reference.

use engine::{
    explain::{self, Question},
    store::Value as Param,
};
use serde_json::{Map, Value, json};

use crate::{
    bind::Members,
    error::{ApiError, Result},
    guard,
    pipeline::Row,
    request::Req,
    response::Response,
    routes::{collection_of, h},
};

pub(crate) const ROUTES: &[Row] =
    &[Row::new("POST /api/collections/{collection}/explain", h!(run))];

async fn run(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    let body = Members::of(req).await?;
    let (rule, filter, sort) = (body.text("rule")?, body.text("filter")?, body.text("sort")?);
    let ctx = req.ctx(Map::new());
    let question = Question { rule: &rule, filter: &filter, sort: &sort };
    let explained =
        explain::explain(&ctx, &collection, &question, ctx.app.dialect()).map_err(|error| {
            let hint = explain::hint(&ctx, &collection, &question);
            let hint = hint.map(|hint| format!("\nHint: {hint}")).unwrap_or_default();
            ApiError::bad_request(format!("Failed to compile. Raw error:\n{error}{hint}"))
        })?;
    let params: Vec<Value> = explained.sql.params.iter().map(param).collect();
    let steps = explain::steps(&ctx, explained.sql.clone()).await?;
    Response::of(
        200,
        &json!({
            "ast": explained.trees,
            "plan": explained.plan,
            "sql": explained.sql.text,
            "params": params,
            "queryPlan": steps,
            "advice": explained.advice,
            "indexes": explained.indexes,
            "hints": explained.hints,
        }),
    )
}

fn param(value: &Param) -> Value {
    match value {
        Param::Null => Value::Null,
        Param::Int(int) => Value::from(*int),
        Param::Real(real) => Value::from(*real),
        Param::Text(text) => Value::from(&**text),
    }
}
