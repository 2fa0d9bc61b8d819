//! `POST …/explain` (superusers): how a filter, sort or rule runs, what would help, and where it is wrong.
//!
//! For collections, for the list of collections and for the log. Not part of the reference. Source: spec dashboard §8 A1.

use std::sync::Arc;

use engine::{
    Error, FieldError, FieldErrors,
    collections::{self, list},
    ctx::Ctx,
    explain::{self, Question, Refused},
    log_reading,
    schema::Loaded,
    store::{Sql, Value as Param, raw::PlanStep},
};
use serde_json::{Map, Value, json};

use crate::{
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::{collection_of, h, text_place::Utf16},
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("POST /api/collections/{collection}/explain", h!(run))
        .op(op("explain", "Rules", "How a rule, filter or sort runs, or where it is wrong")
            .takes("ExplainQuestion")
            .gives("Explained"))
        .quiet(),
    Endpoint::new("POST /api/collections/meta/explain", h!(of_collections))
        .op(op(
            "explainCollections",
            "Collections",
            "How a filter of collections runs, or where it is wrong",
        )
        .takes("ExplainQuestion")
        .gives("Explained"))
        .quiet(),
    Endpoint::new("POST /api/logs/explain", h!(of_logs))
        .op(op("explainLogs", "Logs", "How a filter of the log runs, or where it is wrong")
            .takes("ExplainQuestion")
            .gives("Explained"))
        .quiet(),
];

const FAILED: &str = "Failed to compile. Raw error:\n";

/// What is asked.
struct Asked {
    rule: String,
    filter: String,
    sort: String,
    /// The database's plan is wanted.
    plan: bool,
    /// A real run is wanted.
    run: bool,
    /// An unsaved collection.
    draft: Option<Value>,
}

impl Asked {
    async fn of(req: &mut Req) -> Result<Self> {
        let body = Members::of(req).await?;
        let (rule, filter, sort) = (body.text("rule")?, body.text("filter")?, body.text("sort")?);
        let mut map = body.into_map();
        Ok(Self {
            rule,
            filter,
            sort,
            plan: map.get("plan") != Some(&Value::Bool(false)),
            run: map.get("run") == Some(&Value::Bool(true)),
            draft: map.remove("collection").filter(Value::is_object),
        })
    }

    fn question(&self) -> Question<'_> {
        Question { rule: &self.rule, filter: &self.filter, sort: &self.sort }
    }

    fn text(&self, part: &str) -> &str {
        match part {
            "rule" => &self.rule,
            "filter" => &self.filter,
            _ => &self.sort,
        }
    }

    /// The answer to what cannot be compiled, with the place where it is known.
    fn refused(&self, message: String, refused: Option<Refused>) -> ApiError {
        let answer = ApiError::bad_request(message);
        let Some(Refused { part, message, place, hint }) = refused else { return answer };
        let is_sort = part == "sort";
        let code = if is_sort { "validation_invalid_sort" } else { "validation_invalid_filter" };
        let mut field = FieldError::new(code, message);
        for (name, value) in Utf16::of(self.text(part)).range(place.start, place.end) {
            field = field.param(&name, value);
        }
        if let Some(hint) = hint {
            field = field.param("hint", hint);
        }
        let mut errors = FieldErrors::default();
        errors.set(part, field);
        answer.with_fields(errors)
    }
}

async fn run(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let asked = Asked::of(req).await?;
    let ctx = req.ctx(Map::new());
    let is_draft = asked.draft.is_some();
    let (ctx, collection) = match &asked.draft {
        None => (ctx, collection_of(req)?),
        Some(draft) => drafted(&ctx, &req.param("collection"), draft)?,
    };
    let question = asked.question();
    let explained =
        explain::explain(&ctx, &collection, &question, ctx.app.dialect()).map_err(|error| {
            let refused = explain::refused(&ctx, &collection, &question);
            let hint = refused.as_ref().and_then(|refused| refused.hint.as_ref());
            let hint = hint.map(|hint| format!("\nHint: {hint}")).unwrap_or_default();
            asked.refused(format!("{FAILED}{error}{hint}"), refused)
        })?;
    // What is not saved has no table.
    let steps = match asked.plan && !is_draft {
        true => explain::steps(&ctx, explained.sql.clone()).await?,
        false => Vec::new(),
    };
    let ran = match asked.run && !is_draft {
        true => Some(explain::run(&ctx, &collection, &question).await?),
        false => None,
    };
    let millis = |time: std::time::Duration| (time.as_secs_f64() * 100_000.0).round() / 100.0;
    let ran = ran.map(|ran| {
        json!({"count": ran.count, "countMs": millis(ran.count_time), "rows": ran.rows, "pageMs": millis(ran.page_time)})
    });
    let mut answer = json!({
        "ast": explained.trees,
        "plan": explained.plan,
        "sql": explained.sql.text,
        "params": params(&explained.sql),
        "queryPlan": shown(&steps),
        "advice": explained.advice,
        "indexes": explained.indexes,
        "hints": explained.hints,
    });
    if let Some(ran) = ran {
        answer["run"] = ran;
    }
    Response::of(200, &answer)
}

/// A collection as an editor has it, among the stored ones.
pub(crate) fn drafted(ctx: &Ctx, name: &str, body: &Value) -> Result<(Ctx, Arc<Loaded>)> {
    let stored = ctx.app.snapshot().find(name).cloned();
    let draft = match &stored {
        Some(stored) => collections::draft_over(stored, body),
        None => collections::draft(body),
    };
    let draft = draft.map_err(|error| {
        let mut errors = FieldErrors::default();
        errors.set("collection", FieldError::new("validation_invalid_value", error.to_string()));
        ApiError::bad_request("").with_fields(errors)
    })?;
    let draft = collections::completed(ctx, &draft, stored.as_deref());
    let snapshot = Arc::new(ctx.snapshot().with(&draft));
    let collection = snapshot.by_id(&draft.id).cloned();
    let collection = collection.ok_or_else(|| ApiError::not_found(""))?;
    Ok((ctx.with_schema(snapshot), collection))
}

async fn of_collections(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let asked = Asked::of(req).await?;
    let parts = (&*asked.filter, &*asked.sort);
    let found = list::explain(&req.ctx(Map::new()), parts, asked.plan).await;
    plain(&asked, found, list::refused(&asked.filter, &asked.sort))
}

async fn of_logs(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let asked = Asked::of(req).await?;
    let parts = (&*asked.filter, &*asked.sort);
    let found = log_reading::explain(&req.ctx(Map::new()), parts, asked.plan).await;
    plain(&asked, found, log_reading::refused(&asked.filter, &asked.sort))
}

fn plain(
    asked: &Asked,
    found: engine::Result<(String, Sql, Vec<PlanStep>)>,
    refused: Option<Refused>,
) -> Result<Response> {
    let (plan, sql, steps) = found.map_err(|error| match error {
        Error::Filter(text) => asked.refused(format!("{FAILED}{text}"), refused),
        other => other.into(),
    })?;
    let answer =
        json!({"plan": plan, "sql": sql.text, "params": params(&sql), "queryPlan": shown(&steps)});
    Response::of(200, &answer)
}

fn shown(steps: &[PlanStep]) -> Vec<Value> {
    let step =
        |step: &PlanStep| json!({"id": step.id, "parent": step.parent, "detail": step.detail});
    steps.iter().map(step).collect()
}

fn params(sql: &Sql) -> Vec<Value> {
    sql.params.iter().map(param).collect()
}

fn param(value: &Param) -> Value {
    match value {
        Param::Null => Value::Null,
        Param::Int(int) => Value::from(*int),
        Param::Real(real) => Value::from(*real),
        Param::Text(text) => Value::from(&**text),
    }
}
