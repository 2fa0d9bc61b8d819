//! Every built-in route. To add a group: one file with a `ROUTES` table, one line in `routes!`.

use futures_util::future::BoxFuture;

use crate::{
    error::{ApiError, Result},
    pipeline::Row,
    request::Req,
    response::Response,
    router::decode,
};

macro_rules! routes {
    ($($group:ident),* $(,)?) => {
        $(pub(crate) mod $group;)*
        const GROUPS: &[&[Row]] = &[$($group::ROUTES),*];
    };
}

routes! {
    health,
    settings,
    sql,
    collections,
    records,
    batch,
    auth_password,
    auth_refresh,
    explain,
}

/// A boxed handler from an async function: `h!(list)`.
macro_rules! h {
    ($handler:path) => {
        |req| Box::pin($handler(req))
    };
}
pub(crate) use h;

/// Answers any method and path that nothing else answers.
const CATCH_ALL: Row = Row::new("/", unknown);
/// Files of the public directory.
const STATIC: Row = Row::new("GET /{path...}", h!(public)).quiet();

/// All rows.
pub(crate) fn all(public: bool) -> impl Iterator<Item = Row> {
    let rest = [Some(CATCH_ALL), public.then_some(STATIC)];
    GROUPS.iter().flat_map(|rows| rows.iter().copied()).chain(rest.into_iter().flatten())
}

/// True for rows that a user's route of the same pattern replaces.
pub(crate) fn is_catch_all(row: &Row) -> bool {
    row.pattern == CATCH_ALL.pattern || row.pattern == STATIC.pattern
}

/// 404 for everything.
pub(crate) fn unknown(_: &mut Req) -> BoxFuture<'_, Result<Response>> {
    Box::pin(std::future::ready(Err(ApiError::not_found(""))))
}

async fn public(req: &mut Req) -> Result<Response> {
    let api = req.api.clone();
    let Some(files) = api.public() else {
        return Err(ApiError::not_found("File not found."));
    };
    let raw = req.path();
    files.serve(&decode(raw.trim_start_matches('/')), raw, &req.head.headers).await
}
