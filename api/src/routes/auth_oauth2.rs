//! `POST …/auth-with-oauth2`. Source: spec auth §3.3; `nonce` is our addition: a client that puts one into the
//! authorization URL names it in the body, and the id token must carry it, whatever the provider.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    App, Error, FieldError,
    auth::new_auth_token,
    check,
    ctx::{Ctx, RequestInfo},
    event::{AuthWithOAuth2Event, no_ext},
    hook::Slot,
    oauth2::{self, Client, User, sign_in},
    record::{Record, RecordRef, Submission, expand::Paths},
    schema::Loaded,
};
use serde_json::{Map, Value};

use super::{
    auth_form::auth_collection,
    auth_response::{Login, answer},
    records::{self, Call, Submitted, Write},
};
use crate::{
    api::Api,
    bind::Members,
    describe::operations::op,
    error::{ApiError, Result},
    rate_limit::{Action, Who},
    request::{Exchange, Req},
    response::Response,
    route::{Endpoint, Rate},
    routes::{UNREADABLE, h},
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("POST /api/collections/{collection}/auth-with-oauth2", h!(sign_in))
        .op(op("oauth2AuthOf", "Auth", "Sign in with another service")
            .everybody()
            .for_auth()
            .shown()
            .takes("OAuth2Login")
            .gives("@Auth"))
        .rate(Rate::Collection(&["authWithOAuth2", "auth"]))];

const MAX_PROVIDER: usize = 100;
/// Time for all requests to the provider.
const TIME: Duration = Duration::from_secs(30);

/// A decoded login form.
pub(crate) struct Form {
    provider: String,
    code: String,
    code_verifier: String,
    redirect_url: String,
    /// Empty if the client began without one.
    nonce: String,
    create_data: Map<String, Value>,
}

impl Form {
    pub(crate) fn read(body: &Members) -> Result<Self> {
        let redirect_url = body.twin_text(["redirectURL", "redirectUrl"])?;
        let create_data = body.object("createData")?;
        Ok(Self {
            provider: body.text("provider")?,
            code: body.text("code")?,
            code_verifier: body.text("codeVerifier")?,
            redirect_url,
            nonce: body.text("nonce")?,
            create_data,
        })
    }

    /// The provider that is asked for, if the form is complete.
    pub(crate) fn client(&self, app: &App, collection: &Loaded) -> Result<Client> {
        let name = &self.provider;
        let configured = collection.auth.oauth2.providers.iter().find(|p| p.name == *name);
        let unknown = || {
            let message = "Provider with name {{.name}} is missing or is not enabled.";
            FieldError::new("validation_invalid_provider", message).param("name", name.as_str())
        };
        let finding = check::required(name.is_empty())
            .or_else(|| check::length(name, 0, MAX_PROVIDER))
            .or_else(|| configured.is_none().then(unknown));
        let mut errors = engine::FieldErrors::default();
        for (key, finding) in
            [("provider", finding), ("code", check::required(self.code.is_empty()))]
        {
            if let Some(error) = finding {
                errors.set(key, error);
            }
        }
        if !errors.is_empty() {
            // spec auth §14.10: "loading", not "validating"
            return Err(ApiError::bad_request(UNREADABLE).with_fields(errors));
        }
        configured
            .and_then(|config| oauth2::client(app, config))
            .ok_or_else(|| ApiError::internal("the provider is not registered"))
    }
}

async fn sign_in(req: &mut Req) -> Result<Response> {
    let collection = auth_collection(req)?;
    if !collection.auth.oauth2.enabled {
        return Err(ApiError::forbidden(
            "The collection is not configured to allow OAuth2 authentication.",
        ));
    }
    let body = Members::of(req).await?;
    let form = Form::read(&body)?;
    let client = form.client(req.app(), &collection)?;
    let user = Box::pin(fetch(req.app(), &client, &form)).await?;
    let ctx = req.ctx(body.into_map()).in_context("oauth2");
    let provider = client.provider().name;
    let located = sign_in::locate(&ctx, &collection, provider, &user).await?;
    let work = Work {
        api: req.api.clone(),
        exchange: req.exchange(),
        provider,
        is_linked: located.is_linked,
    };
    let event = AuthWithOAuth2Event {
        ctx,
        collection,
        is_new_record: Slot::new(located.record.is_none()),
        record: Slot::new(located.record.map(RecordRef::from)),
        provider_name: Slot::new(provider.to_owned()),
        provider_client: Arc::new(client),
        oauth2_user: Slot::new(Value::Object(user.to_json())),
        create_data: Slot::new(form.create_data),
        ext: no_ext(),
    };
    let (hook, asked) = (&req.app().hooks().record_auth_with_oauth2_request, req.exchange());
    let inside = asked.clone();
    let answered = asked.through(hook, event, move |event| async move {
        let login = Box::pin(complete(&event, work)).await?;
        Ok(answer(&inside, &event.ctx, login).await?)
    });
    Ok(answered.await?)
}

/// Code for token, token for user.
pub(crate) async fn fetch(app: &App, client: &Client, form: &Form) -> Result<User> {
    let failed = |message: &'static str, error: &dyn std::fmt::Display| {
        ApiError::bad_request(message).with_detail(error.to_string())
    };
    let start = Instant::now();
    let no_token = "Failed to fetch OAuth2 token.";
    let exchange = client.exchange(&form.code, &form.redirect_url, &form.code_verifier);
    let token = tokio::time::timeout(TIME, exchange)
        .await
        .map_err(|late| failed(no_token, &late))?
        .map_err(|error| failed(no_token, &error))?;
    let no_user = "Failed to fetch OAuth2 user.";
    if !form.nonce.is_empty() {
        client.check_nonce(&token, &form.nonce).map_err(|error| failed(no_user, &error))?;
    }
    let left = TIME.saturating_sub(start.elapsed());
    let user = tokio::time::timeout(left, client.user(&token))
        .await
        .map_err(|late| failed(no_user, &late))?;
    let mut user = user.map_err(|error| failed(no_user, &error))?;
    if client.provider().name == "apple" && user.name.is_empty() {
        user.name = app.oauth2_names().take(&form.code, Instant::now()).unwrap_or_default();
    }
    Ok(user)
}

/// What completing needs of the request.
struct Work {
    api: Api,
    exchange: Arc<Exchange>,
    provider: &'static str,
    is_linked: bool,
}

/// Creates or updates the record and its link, in one transaction.
async fn complete(event: &AuthWithOAuth2Event, work: Work) -> Result<Login, Error> {
    let user = event.oauth2_user.with(|json| User::from_json(json));
    let (record, is_new) = match event.record.get() {
        Some(record) => {
            (update(event, &work, record, &user).await.map_err(ApiError::no_login_because)?, false)
        }
        None => (create(event, &work, &user).await.map_err(ApiError::no_login_because)?, true),
    };
    let record: Record = record.snapshot();
    let mut meta = user.to_json();
    meta.insert("isNew".to_owned(), Value::Bool(is_new));
    meta.sort_keys();
    if let Some(raw) = meta.get_mut("rawUser") {
        raw.sort_all_objects();
    }
    let token = new_auth_token(&record, 0, true)?;
    Ok(Login { record, token, method: "oauth2", meta: Value::Object(meta) })
}

async fn update(
    event: &AuthWithOAuth2Event,
    work: &Work,
    record: RecordRef,
    user: &User,
) -> Result<RecordRef, Error> {
    let ctx = &event.ctx;
    let collection = record.collection();
    let is_logged = ctx.caller.is(&collection.id, &record.id());
    let password = if is_logged || record.get_bool("verified") {
        None
    } else {
        Some(sign_in::Unknown::new(ctx, &collection).await?)
    };
    let (provider, is_linked) = (work.provider, work.is_linked);
    ctx.run_in_transaction(move |ctx| async move {
        let is_unlinked = sign_in::settle_old(&ctx, &record, user, password).await?;
        if is_unlinked || !is_linked {
            sign_in::link(&ctx, &record, provider, &user.id).await?;
        }
        Ok(record)
    })
    .await
}

/// The normal creation of a record, with its rule, limits and hooks.
async fn create(event: &AuthWithOAuth2Event, work: &Work, user: &User) -> Result<RecordRef, Error> {
    let (ctx, collection) = (&event.ctx, event.collection.clone());
    let mut sign_up = sign_in::sign_up(ctx, &collection, user, &event.create_data.get()).await?;
    let (head, caller) = (work.exchange.head.clone(), ctx.caller.clone());
    let path = format!("/api/collections/{}/records", collection.name);
    let route = "POST /api/collections/{collection}/records";
    let action = Action { tags: &["create"], method: "POST", path: &path, route };
    Who { limiter: work.api.limiter(), app: work.api.app(), head: &head, caller: &caller }
        .check(&collection, &action)?;
    let submission: Submission = std::mem::take(&mut sign_up.submission);
    let (facts, body) = (head.clone(), submission.body.clone());
    let request = RequestInfo::lazy(move || facts.facts(body.clone())).in_context("oauth2");
    let exchange = Arc::new(Exchange::part(head, caller));
    let provider = work.provider;
    ctx.run_in_transaction(move |tx: Ctx| async move {
        let call = Call {
            ctx: tx.with_request(request),
            collection: collection.clone(),
            submission,
            expand: Paths::default(),
            exchange,
        };
        let mut step = Box::pin(records::prepare(&call, &Write::Create)).await?;
        let Submitted::Save(draft) = &mut step else { return Err(Error::NotFound) };
        sign_up.seal(draft);
        let record = draft.record.clone();
        Box::pin(records::proceed(call, Write::Create, step, None)).await?;
        let record = sign_in::settle_new(&tx, &collection, &record.id(), user).await?;
        sign_in::link(&tx, &record, provider, &user.id).await?;
        Ok(record)
    })
    .await
}
