//! `POST /api/collections/{collection}/try` (superusers): what somebody else's request would be answered, and why.
//!
//! The answer is that of the functions which serve requests, asked in the name of another caller; nothing is written and no
//! hook runs. Not part of the reference. Source: spec dashboard §8 A2.

use std::{collections::BTreeMap, sync::Arc};

use engine::{
    Error, FieldError, FieldErrors,
    auth::login,
    ctx::{Caller, Ctx, header_key},
    record::{Submission, expand::Paths, find, read},
    rule,
    schema::Loaded,
    trial::{self, JudgedPart, Subject},
};
use serde_json::{Map, Value, json};

use crate::{
    describe::operations::op,
    error::{ApiError, Data, Result, write_fields},
    guard,
    request::{Exchange, Req},
    response::Response,
    route::Endpoint,
    routes::{
        collection_of, h,
        records::{self, Write},
        text_place::Utf16,
    },
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("POST /api/collections/{collection}/try", h!(run))
        .op(op("tryRule", "Rules", "What somebody else would be answered, and why")
            .takes("Trial")
            .gives("Verdict"))
        .quiet()];

/// Ids that are listed where nothing else is said, and at most.
const PER_PAGE: (u32, u32) = (100, 1000);

/// Most cases of one call.
const MAX_CASES: usize = 200;

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    List,
    View,
    Create,
    Update,
    Delete,
    Auth,
    Manage,
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "list" => Self::List,
            "view" => Self::View,
            "create" => Self::Create,
            "update" => Self::Update,
            "delete" => Self::Delete,
            "auth" => Self::Auth,
            "manage" => Self::Manage,
            _ => return None,
        })
    }

    fn method(self) -> &'static str {
        match self {
            Self::List | Self::View => "GET",
            Self::Create | Self::Auth => "POST",
            Self::Update | Self::Manage => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Its rule's key in a collection.
    fn key(self) -> &'static str {
        match self {
            Self::List => "listRule",
            Self::View => "viewRule",
            Self::Create => "createRule",
            Self::Update => "updateRule",
            Self::Delete => "deleteRule",
            Self::Auth => "authRule",
            Self::Manage => "manageRule",
        }
    }

    fn rule(self, collection: &Loaded) -> Option<&str> {
        match self {
            Self::List => &collection.list_rule,
            Self::View => &collection.view_rule,
            Self::Create => &collection.create_rule,
            Self::Update => &collection.update_rule,
            Self::Delete => &collection.delete_rule,
            Self::Auth => &collection.auth.auth_rule,
            Self::Manage => &collection.auth.manage_rule,
        }
        .as_deref()
    }

    fn set_rule(self, collection: &mut engine::schema::Collection, rule: Option<String>) {
        *match self {
            Self::List => &mut collection.list_rule,
            Self::View => &mut collection.view_rule,
            Self::Create => &mut collection.create_rule,
            Self::Update => &mut collection.update_rule,
            Self::Delete => &mut collection.delete_rule,
            Self::Auth => &mut collection.auth.auth_rule,
            Self::Manage => &mut collection.auth.manage_rule,
        } = rule;
    }
}

/// A request that nobody makes.
struct Trial {
    action: Action,
    /// Names a record of an auth collection; `None` for a guest.
    caller: Option<(String, String)>,
    record: String,
    body: Map<String, Value>,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    context: String,
    /// Tried instead of the stored one.
    rule: Option<Option<String>>,
}

fn invalid(field: &str, message: &'static str) -> ApiError {
    let mut errors = FieldErrors::default();
    errors.set(field, FieldError::new("validation_invalid_value", message));
    ApiError::bad_request("").with_fields(errors)
}

impl Trial {
    fn read(body: &Map<String, Value>) -> Result<Self> {
        let text = |name: &'static str| match body.get(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(invalid(name, "must be a text")),
        };
        let object = |name: &'static str| match body.get(name) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(_) => Err(invalid(name, "must be an object")),
        };
        let texts = |name: &'static str| -> Result<Vec<(String, String)>> {
            object(name)?
                .into_iter()
                .map(|(key, value)| match value {
                    Value::String(text) => Ok((key, text)),
                    Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
                    _ => Err(invalid(name, "must hold texts")),
                })
                .collect()
        };
        let action = Action::parse(&text("action")?).ok_or_else(|| {
            invalid("action", "must be list, view, create, update, delete, auth or manage")
        })?;
        let caller = object("as")?;
        let part = |name: &str| caller.get(name).and_then(Value::as_str).map(str::to_owned);
        let caller = match (part("collection"), part("id")) {
            (Some(collection), Some(id)) => Some((collection, id)),
            _ if caller.is_empty() => None,
            _ => return Err(invalid("as", "must name a collection and an id")),
        };
        let rule = match body.get("rule") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(rule)) => Some(Some(rule.clone())),
            Some(_) => return Err(invalid("rule", "must be a text or null")),
        };
        let context = Some(text("context")?).filter(|context| !context.is_empty());
        let headers = texts("headers")?.into_iter();
        Ok(Self {
            action,
            caller,
            record: text("record")?,
            body: object("body")?,
            query: texts("query")?.into_iter().collect(),
            headers: headers.map(|(name, value)| (header_key(&name), value)).collect(),
            context: context.unwrap_or_else(|| "default".into()),
            rule,
        })
    }

    fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

async fn run(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    let body = req.payload().await?.into_map()?;
    if let Some(Value::Array(cases)) = body.get("cases") {
        return many(req, &collection, cases, body.get("rules")).await;
    }
    let trial = Trial::read(&body)?;
    Response::of(200, &tried(req, collection, trial).await?)
}

/// Cases with what they are expected to be: the tests of a collection's rules. `rules` are tried instead of the stored ones.
async fn many(
    req: &Req,
    collection: &Arc<Loaded>,
    cases: &[Value],
    rules: Option<&Value>,
) -> Result<Response> {
    if cases.len() > MAX_CASES {
        return Err(invalid("cases", "are too many"));
    }
    let mut results = Vec::with_capacity(cases.len());
    for case in cases {
        let mut case = match case {
            Value::Object(case) => case.clone(),
            _ => return Err(invalid("cases", "must be objects")),
        };
        let (name, expect) = (case.remove("name"), case.remove("expect").unwrap_or_default());
        let mut trial = Trial::read(&case)?;
        let rule = rules.and_then(|rules| rules.get(trial.action.key()));
        match rule {
            Some(Value::Null) if trial.rule.is_none() => trial.rule = Some(None),
            Some(Value::String(rule)) if trial.rule.is_none() => {
                trial.rule = Some(Some(rule.clone()))
            }
            _ => {}
        }
        let verdict = tried(req, collection.clone(), trial).await?;
        let agrees = |key: &str| expect.get(key).is_none_or(|wanted| *wanted == verdict[key]);
        let passed = agrees("allowed") && agrees("status") && agrees("total");
        results.push(json!({"name": name, "passed": passed, "allowed": verdict["allowed"],
            "status": verdict["status"], "reason": verdict["reason"], "total": verdict["total"]}));
    }
    let passed = results.iter().all(|result| result["passed"] == true);
    Response::of(200, &json!({"passed": passed, "results": results}))
}

async fn tried(req: &Req, collection: Arc<Loaded>, trial: Trial) -> Result<Value> {
    if matches!(trial.action, Action::Auth | Action::Manage) && !collection.is_auth() {
        return Err(invalid("action", "needs an auth collection"));
    }
    let own = req.ctx(Map::new());
    let collection = match &trial.rule {
        None => collection,
        Some(rule) => trial::with_changed(&own, &collection, |changed| {
            trial.action.set_rule(changed, rule.clone());
        }),
    };
    let ctx = context(req, &own, &collection, &trial).await?;
    let exchange = Arc::new(Exchange::new(req.head.clone(), ctx.caller.clone()));
    let tried = Tried { ctx, collection, trial, exchange };
    tried.answer().await
}

/// The context that the request would have.
async fn context(req: &Req, own: &Ctx, collection: &Loaded, trial: &Trial) -> Result<Ctx> {
    let caller = match &trial.caller {
        None => None,
        Some((name, id)) => {
            let found = req.app().snapshot().find(name).filter(|c| c.is_auth()).cloned();
            let found = found.ok_or_else(|| invalid("as", "names no auth collection"))?;
            let record = find::by_id(own, &found, id).await?;
            Some(Arc::new(record.ok_or_else(|| invalid("as", "names no record"))?))
        }
    };
    let request = trial::request(
        trial.context.clone(),
        trial.action.method(),
        trial.query.clone(),
        trial.headers.clone(),
        trial.body.clone(),
    );
    let ctx = Ctx::new(req.app(), Caller::of(caller), Some(Arc::new(request)));
    Ok(ctx.about(&collection.id))
}

struct Tried {
    ctx: Ctx,
    collection: Arc<Loaded>,
    trial: Trial,
    exchange: Arc<Exchange>,
}

/// How a request ends.
struct Outcome {
    status: u16,
    /// The rule let it through.
    allowed: bool,
    message: Option<String>,
    data: Option<Value>,
    seen: Option<trial::Seen>,
}

impl Outcome {
    fn passed(status: u16) -> Self {
        Self { status, allowed: true, message: None, data: None, seen: None }
    }

    fn refused(error: &ApiError) -> Self {
        let message = error.sentence().into_owned();
        let data = match &error.data {
            Data::None => None,
            Data::Raw(value) => Some((**value).clone()),
            Data::Fields(fields) => {
                let mut out = Vec::new();
                write_fields(&mut out, fields);
                serde_json::from_slice(&out).ok()
            }
        };
        Self { status: error.status, allowed: false, message: Some(message), data, seen: None }
    }
}

impl Tried {
    async fn answer(&self) -> Result<Value> {
        let outcome = match self.outcome().await {
            Ok(outcome) => outcome,
            Err(error) if error.retry_after_s.is_some() => return Err(error),
            Err(error) => Outcome::refused(&error),
        };
        let rule = self.trial.action.rule(&self.collection);
        let (ctx, subject) = self.subject().await?;
        let text = rule.unwrap_or_default();
        let (steps, broken) = match trial::steps(&ctx, &self.collection, text, &subject).await {
            Ok(steps) => (steps, None),
            Err(error) if error.is_outage() => return Err(error.into()),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let sql = match &outcome.seen {
            Some(seen) => Some(seen.sql.text.clone()),
            None => trial::question(&ctx, text, &subject).map(|sql| sql.text),
        };
        let places = Utf16::of(text);
        let steps: Vec<Value> = steps.iter().map(|step| show(step, &places)).collect();
        Ok(json!({
            "allowed": outcome.allowed,
            "status": outcome.status,
            "reason": self.reason(rule, &subject),
            "rule": rule,
            "steps": steps,
            "error": broken,
            "message": outcome.message,
            "data": outcome.data,
            "total": outcome.seen.as_ref().map(|seen| seen.total),
            "ids": outcome.seen.map(|seen| seen.ids),
            "sql": sql,
        }))
    }

    /// What decides: not always the rule.
    fn reason(&self, rule: Option<&str>, subject: &Subject) -> &'static str {
        let needs_record = !matches!(self.trial.action, Action::List | Action::Create);
        match rule {
            _ if needs_record && matches!(subject, Subject::Nothing) => "missing",
            _ if self.ctx.caller.is_superuser() => "superuser",
            None => "locked",
            Some("") => "public",
            Some(_) => "rule",
        }
    }

    /// What the rule is asked about, and the facts it sees.
    async fn subject(&self) -> Result<(Ctx, Subject)> {
        let (ctx, collection, id) = (&self.ctx, &self.collection, self.trial.record.as_str());
        let found = match self.trial.action {
            Action::Create => trial::submitted(ctx, collection, None, &self.submission()).await,
            _ if id.is_empty() => return Ok((ctx.clone(), Subject::Nothing)),
            Action::Update => trial::submitted(ctx, collection, Some(id), &self.submission()).await,
            _ => trial::stored(ctx, collection, id).await.map(|subject| (ctx.clone(), subject)),
        };
        match found {
            Err(Error::NotFound) => Ok((ctx.clone(), Subject::Nothing)),
            other => Ok(other?),
        }
    }

    fn submission(&self) -> Submission {
        Submission { body: self.trial.body.clone(), files: BTreeMap::new() }
    }

    async fn outcome(&self) -> Result<Outcome> {
        let id = self.trial.record.clone();
        match self.trial.action {
            Action::List => self.list().await,
            Action::View => self.view(&id).await,
            Action::Create => self.write(Write::Create).await,
            Action::Update => self.write(Write::Update { id }).await,
            Action::Delete => self.write(Write::Delete { id }).await,
            Action::Auth => self.auth(&id).await,
            Action::Manage => self.manage(&id).await,
        }
    }

    async fn list(&self) -> Result<Outcome> {
        let (filter, sort) = (self.trial.query("filter"), self.trial.query("sort"));
        let is_superuser = self.ctx.caller.is_superuser();
        if self.collection.list_rule.is_none() && !is_superuser {
            return Err(ApiError::superusers_only());
        }
        if !is_superuser {
            records::no_request_data(filter)?;
            records::no_request_data(sort)?;
        }
        let number = |name| self.trial.query(name).parse::<u32>().ok().filter(|n| *n > 0);
        let limit = number("perPage").unwrap_or(PER_PAGE.0).min(PER_PAGE.1);
        let offset = u64::from(number("page").unwrap_or(1) - 1) * u64::from(limit);
        let page = (offset, limit);
        let seen = trial::list(&self.ctx, &self.collection, (filter, sort), page).await?;
        Ok(Outcome { seen: Some(seen), ..Outcome::passed(200) })
    }

    async fn view(&self, id: &str) -> Result<Outcome> {
        if self.collection.view_rule.is_none() && !self.ctx.caller.is_superuser() {
            return Err(ApiError::superusers_only());
        }
        read::view(&self.ctx, &self.collection, id, &Paths::default())
            .await
            .map_err(records::not_found)?;
        Ok(Outcome::passed(200))
    }

    async fn write(&self, what: Write) -> Result<Outcome> {
        records::check_writable(&self.collection)?;
        let call = records::Call {
            ctx: self.ctx.clone(),
            collection: self.collection.clone(),
            submission: self.submission(),
            expand: Paths::default(),
            exchange: self.exchange.clone(),
        };
        match records::prepare(&call, &what).await? {
            records::Submitted::Delete(_) => Ok(Outcome::passed(204)),
            records::Submitted::Save(draft) => match trial::check(&self.ctx, &draft).await {
                Ok(()) => Ok(Outcome::passed(200)),
                // It may be sent, but what it says is not valid.
                Err(error) => {
                    let error = records::refused(&what, error);
                    Ok(Outcome { allowed: true, ..Outcome::refused(&error) })
                }
            },
        }
    }

    async fn auth(&self, id: &str) -> Result<Outcome> {
        let record = find::by_id(&self.ctx, &self.collection, id).await?;
        let record = record.ok_or_else(|| ApiError::not_found(""))?;
        if login::passes_auth_rule(&self.ctx, &record).await? {
            return Ok(Outcome::passed(200));
        }
        Err(ApiError::forbidden(super::auth_response::REFUSED))
    }

    /// The manage rule has no request of its own: 403 stands for what only managers may change.
    async fn manage(&self, id: &str) -> Result<Outcome> {
        let record = find::by_id(&self.ctx, &self.collection, id).await?;
        let record = record.ok_or_else(|| ApiError::not_found(""))?;
        let is_manager = match self.collection.auth.manage_rule.as_deref() {
            _ if self.ctx.caller.is_superuser() => true,
            Some(text) if !text.is_empty() && self.ctx.caller.record().is_some() => {
                rule::row_matches(&self.ctx, text, &record).await.unwrap_or(false)
            }
            _ => false,
        };
        if is_manager { Ok(Outcome::passed(200)) } else { Err(ApiError::forbidden("")) }
    }
}

fn show(step: &JudgedPart, places: &Utf16) -> Value {
    json!({
        "start": places.at(step.start),
        "end": places.at(step.end),
        "result": step.result,
        "reached": step.reached,
        "left": step.left,
        "right": step.right,
    })
}
