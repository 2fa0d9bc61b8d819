//! Downloads of record files with thumbnails, and file tokens. Source: spec records-files-realtime-batch §4.4–§4.7.

use std::sync::Arc;

use engine::{
    auth::{self, token::TokenType},
    ctx::{Caller, Ctx},
    event::{FileDownloadEvent, FileTokenEvent, no_ext},
    files::{
        self, Storage,
        image::{DEFAULT_SIZE, Format, Size},
        thumb::Wanted,
    },
    hook::Slot,
    log::Level,
    record::file::{self, Located},
};
use http::{HeaderValue, header};
use serde_json::{Map, json};

use crate::{
    describe::operations::op,
    downloads::Download,
    error::{ApiError, Result},
    guard, paging,
    pipeline::{check_superuser_ip, context_collection},
    request::Req,
    response::Response,
    route::{Endpoint, Rate},
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("POST /api/files/token", h!(token)).op(op(
        "fileToken",
        "Files",
        "A short-lived token for protected files",
    )
    .signed_in()
    .gives("Token")),
    Endpoint::new("GET /api/files/{collection}/{recordId}/{filename}", h!(download))
        .op(op("file", "Files", "A file of a record")
            .everybody()
            .query(&["thumb", "token", "download"])
            .gives("Binary")
            .as_type("application/octet-stream"))
        .rate(Rate::Collection(&["file"])),
];

async fn token(req: &mut Req) -> Result<Response> {
    let caller = guard::signed_in(req)?;
    let record = caller.record();
    let token =
        auth::new_file_token(record).map_err(|error| ApiError::internal(error.to_string()))?;
    let ctx = req.ctx(Map::new());
    let hook = &req.app().hooks().file_token_request;
    let event = FileTokenEvent {
        ctx,
        collection: record.collection().clone(),
        record: record.as_ref().clone().into(),
        token: Slot::new(token),
        ext: no_ext(),
    };
    let answered = req.through(hook, event, |event| async move {
        Ok(Response::of(200, &json!({ "token": event.token.get() }))?)
    });
    Ok(answered.await?)
}

async fn download(req: &mut Req) -> Result<Response> {
    let collection = context_collection(req)?;
    let ctx = req.ctx(Map::new());
    let name = req.param("filename").into_owned();
    let id = req.param("recordId").into_owned();
    let hidden = |error: engine::Error| ApiError::not_found("").with_detail(error.to_string());
    let located = file::locate(&ctx, &collection, &id, &name).await.map_err(hidden)?;
    if located.protected {
        let ctx = ctx.with_caller(bearer(req).await);
        if !file::may_read(&ctx, &located.record).await.map_err(hidden)? {
            return Err(ApiError::not_found("").with_detail("no access to the protected file"));
        }
    }
    req.standard.framable = true;
    let place = files::for_records(&ctx.app).map_err(|error| {
        ApiError::new(500, "Filesystem initialization failure.").with_detail(error.to_string())
    })?;
    let chosen = choose(req, &ctx, &place, &located, &name).await?;
    let attachment = paging::boolean(req.query().get("download").as_deref()).unwrap_or(false);
    let download = Download { place, key: chosen.key, name: chosen.name, attachment };
    let hook = &ctx.app.hooks().file_download_request;
    let event = FileDownloadEvent {
        ctx: ctx.clone(),
        collection,
        record: located.record.into(),
        field: located.field,
        served_path: Slot::new(download.key.clone()),
        served_name: Slot::new(download.name.clone()),
        thumb_error: chosen.error,
        ext: no_ext(),
    };
    let head = req.head.clone();
    let answered = req.through(hook, event, move |event| async move {
        let (key, name) = (event.served_path.get(), event.served_name.get());
        let download = Download { key, name, ..download };
        Ok(vary(download.answer(&head).await?, chosen.varies))
    });
    Ok(answered.await?)
}

/// The owner of the `token` parameter: the only thing that counts for protected files.
async fn bearer(req: &Req) -> Caller {
    let query = req.query();
    let token = query.get("token").unwrap_or_default();
    if token.is_empty() {
        return Caller::Guest;
    }
    let system = req.system();
    let found = match auth::find_by_token(&system, &token, &[TokenType::File]).await {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!(%error, "file token failure");
            None
        }
    };
    let caller = Caller::of(found.map(|found| found.record));
    if caller.is_superuser() && check_superuser_ip(req.app(), &req.head).await.is_err() {
        return Caller::Guest;
    }
    caller
}

/// What is sent.
struct Chosen {
    key: String,
    name: String,
    /// Why it is not the thumbnail that was asked for.
    error: Option<String>,
    /// Other clients get another format.
    varies: bool,
}

/// The original, or a thumbnail where one is asked for, allowed and possible.
async fn choose(
    req: &Req,
    ctx: &Ctx,
    place: &Arc<dyn Storage>,
    located: &Located,
    name: &str,
) -> Result<Chosen> {
    let dir = &located.dir;
    let original = format!("{dir}/{name}");
    let as_it_is =
        |error| Chosen { key: original.clone(), name: name.to_owned(), error, varies: false };
    let query = req.query();
    let wanted = query.get("thumb").unwrap_or_default();
    let allowed = wanted == DEFAULT_SIZE || located.thumbs.iter().any(|size| *size == wanted);
    let Some(size) = Size::parse(&wanted).filter(|_| allowed) else {
        return Ok(as_it_is(None));
    };
    let found = place.head(&original).await;
    let found = found.map_err(|e| ApiError::not_found("").with_detail(e.to_string()))?;
    let found = found.ok_or_else(|| ApiError::not_found(""))?;
    let accepted = req.head.header(header::ACCEPT).contains("image/webp");
    let Some(format) = Format::of_source(&found.content_type, accepted) else {
        return Ok(as_it_is(None));
    };
    // DIFFERENCE: a client that accepts WebP gets WebP for WebP; it is kept beside the PNG that others get.
    let mark = if format == Format::WebP { ".webp" } else { "" };
    let thumb = format!("{dir}/thumbs_{name}/{wanted}{mark}_{name}");
    let make = Wanted { original: original.clone(), thumb: thumb.clone(), size, format };
    match ctx.app.thumbs().ensure(place, make).await {
        Ok(()) => Ok(Chosen {
            key: thumb,
            name: format!("{wanted}_{name}"),
            error: None,
            varies: found.content_type == "image/webp",
        }),
        Err(error) => {
            let data = json!({ "error": error.to_string(), "original": original, "size": wanted });
            ctx.app.log().write(Level::Warn, "No thumbnail, the original is sent", &data);
            Ok(as_it_is(Some(error.to_string())))
        }
    }
}

fn vary(mut response: Response, varies: bool) -> Response {
    if varies {
        response.headers.append(header::VARY, HeaderValue::from_static("Accept"));
    }
    response
}
