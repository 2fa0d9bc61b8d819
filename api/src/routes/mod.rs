//! Every built-in route. To add a group: one file with a `ROUTES` table, one line in `routes!`.

use std::sync::Arc;

use engine::{FieldError, FieldErrors, schema::Loaded};
use futures_util::future::BoxFuture;

use crate::{
    bind::Members,
    describe::operations::Op,
    error::{ApiError, Result},
    guard::Superuser,
    request::Req,
    response::Response,
    route::Endpoint,
    router::decode,
};

macro_rules! routes {
    ($($group:ident),* $(,)?; own: $($own:ident),* $(,)?) => {
        $(pub(crate) mod $group;)*
        $(pub(crate) mod $own;)*
        const GROUPS: &[&[Endpoint]] = &[$($group::ROUTES,)* $($own::ROUTES),*];
        /// Those that the reference does not have.
        const OWN: &[&[Endpoint]] = &[$($own::ROUTES),*];
    };
}

mod precondition;
mod text_place;

routes! {
    health,
    settings,
    settings_apple,
    sql,
    crons,
    logs,
    backups,
    collections,
    providers,
    records,
    record_events,
    batch,
    auth_response,
    auth_methods,
    auth_oauth2,
    oauth2_redirect,
    auth_otp,
    auth_password,
    auth_refresh,
    auth_impersonate,
    auth_form,
    auth_verification,
    auth_password_reset,
    auth_email_change,
    settings_test_email,
    realtime,
    files,
    settings_s3,
    dashboard,
    ;
    own:
    metrics,
    explain,
    trials,
    descriptions,
    preferences,
    bulk,
    export,
    language,
    system,
    realtime_clients,
    invite,
    logs_top,
    dry_run,
    running_sql,
    oauth2_tools,
    history,
}

pub(crate) use crate::error::{INVALID, UNREADABLE};

/// A boxed handler from an async function: `h!(list)`.
macro_rules! h {
    ($handler:path) => {
        |req| Box::pin($handler(req))
    };
}
pub(crate) use h;

/// Answers any method and path that nothing else answers.
const CATCH_ALL: Endpoint = Endpoint::new("/", unknown).last();
/// Files of the public directory.
const STATIC: Endpoint = Endpoint::new("GET /{path...}", h!(public)).quiet().last();

/// All rows.
pub(crate) fn all(public: bool) -> impl Iterator<Item = Endpoint> {
    let rest = [Some(CATCH_ALL), public.then_some(STATIC)];
    GROUPS.iter().flat_map(|rows| rows.iter().copied()).chain(rest.into_iter().flatten())
}

/// What endpoints say of themselves, by pattern.
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, Op)> {
    all(false).filter_map(|row| Some((row.pattern, row.op?)))
}

/// True for what the reference does not have: a user's route of the same pattern replaces it.
pub(crate) fn is_own(row: &Endpoint) -> bool {
    OWN.iter().flat_map(|rows| rows.iter()).any(|own| own.pattern == row.pattern)
}

/// 404 for everything.
pub(crate) fn unknown(_: &mut Req) -> BoxFuture<'_, Result<Response>> {
    Box::pin(std::future::ready(Err(ApiError::not_found(""))))
}

/// The collection in the path.
pub(crate) fn collection_of(req: &Req) -> Result<Arc<Loaded>> {
    req.named_collection().ok_or_else(ApiError::no_collection)
}

/// The `query` of a superuser's console request: required, at most 5000 characters.
pub(crate) async fn meta_query(req: &mut Req, _: &Superuser) -> Result<String> {
    let body = Members::of(req).await?;
    let query = body.text("query")?;
    let mut errors = FieldErrors::default();
    if query.is_empty() {
        errors.set("query", FieldError::new("validation_required", "cannot be blank"));
    } else if query.len() > MAX_QUERY {
        let message = format!("the length must be no more than {MAX_QUERY}");
        let error = FieldError::new("validation_length_too_long", message)
            .param("max", MAX_QUERY)
            .param("min", 0);
        errors.set("query", error);
    }
    if errors.is_empty() {
        Ok(query)
    } else {
        Err(ApiError::bad_request(INVALID).with_fields(errors))
    }
}

const MAX_QUERY: usize = 5000;

async fn public(req: &mut Req) -> Result<Response> {
    let api = req.api.clone();
    let Some(files) = api.public() else {
        return Err(ApiError::no_file());
    };
    let raw = req.path();
    files.serve(&decode(raw.trim_start_matches('/')), raw, &req.head).await
}
