//! `GET /api/system` and `GET /api/collections/meta/stats` (superusers): what this server is and can do, and what it holds.
//!
//! Not part of the reference. Source: spec dashboard §8 A4, A10.

use engine::{
    ctx::Ctx,
    preferences, statistics,
    store::{Rows, sizes, system},
};
use serde_json::{Map, Value, json};

use crate::{
    describe::operations::op, error::Result, guard, request::Req, response::Response,
    route::Endpoint, routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[
    Endpoint::new("GET /api/system", h!(show))
        .op(op("system", "Server", "What this server is and can do").gives("Any"))
        .quiet(),
    Endpoint::new("GET /api/system/migrations", h!(migrations))
        .op(op("migrations", "Server", "The migrations that were applied").gives("Any"))
        .quiet(),
    Endpoint::new("GET /api/collections/meta/stats", h!(stats))
        .op(op("statistics", "Collections", "Rows and bytes of all collections").gives("Any"))
        .quiet(),
];

/// What the dashboard may use here, beyond the reference.
const FEATURES: &[&str] = &[
    "bulk",
    "dashboardState",
    "descriptions",
    "explain",
    "export",
    "filterLanguage",
    "history",
    "import",
    "stats",
    "try",
];

async fn show(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let ctx = req.ctx(Map::new());
    let (app, instance) = (req.app(), req.api.instance());
    let version = sizes::engine_version(&ctx.db).await.map_err(engine::Error::Store)?;
    let warnings = warnings(&ctx);
    let named = |name: &String| json!({"name": name, "enabled": true});
    let plugins: Vec<Value> = req.api.plugins().iter().map(named).collect();
    Response::of(
        200,
        &json!({
            "version": env!("CARGO_PKG_VERSION"),
            "engine": app.dialect().product(),
            "engineVersion": version,
            "nodeId": engine::cluster::node_id(app),
            "instanceId": instance.id,
            "startedAt": instance.started.to_string(),
            "dev": app.config().dev,
            "plugins": plugins,
            "features": FEATURES,
            "limits": {"perPage": 1000, "sqlRows": 1000, "sqlChars": 5000, "bulkRows": 10_000,
                "stateBytes": preferences::MAX_BYTES},
            "paths": {"data": app.config().data_dir.display().to_string()},
            "warnings": warnings,
        }),
    )
}

/// What somebody should look at.
fn warnings(ctx: &Ctx) -> Vec<Value> {
    let settings = ctx.app.settings();
    let mut out = Vec::new();
    let mut warn =
        |code: &str, message: String| out.push(json!({"code": code, "message": message}));
    if !settings.smtp.enabled {
        warn("no_smtp", "Mails are given to the sendmail of this machine.".into());
    }
    if settings.backups.cron.is_empty() {
        warn("no_backups", "No backups are made at times.".into());
    }
    if settings.superuser_ips.is_empty() {
        warn("any_address", "Superusers may sign in from everywhere.".into());
    }
    let snapshot = ctx.snapshot();
    for collection in snapshot.iter().filter(|collection| !collection.system) {
        let open: Vec<&str> = collection
            .rules()
            .into_iter()
            .filter(|(name, rule)| {
                matches!(*name, "updateRule" | "deleteRule") && rule.is_some_and(String::is_empty)
            })
            .map(|(name, _)| name)
            .collect();
        if !open.is_empty() {
            let message = format!("{}: {} is open to everybody.", collection.name, open.join(", "));
            warn("open_rule", message);
        }
    }
    out
}

/// The files of migrations that were applied, in their order.
async fn migrations(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let ctx = req.ctx(Map::new());
    let read = |rows: &mut Rows<'_>| {
        let mut files = Vec::new();
        while let Some(row) = rows.next()? {
            files.push(row.text(0).to_owned());
        }
        Ok(files)
    };
    let found = ctx.db.query(system::migrations(ctx.app.dialect()), read).await;
    let files = found.and_then(|files| files).map_err(engine::Error::Store)?;
    Response::of(200, &json!({"applied": files}))
}

async fn stats(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let ctx = req.ctx(Map::new());
    let found = statistics::all(&ctx).await?;
    let items: Vec<Value> = found
        .into_iter()
        .map(|(id, name, found)| {
            json!({"id": id, "name": name, "rows": found.rows, "tableBytes": found.table_bytes,
                "indexBytes": found.index_bytes, "lastWrite": found.last_write,
                "files": found.files.map(|(files, _)| files), "fileBytes": found.files.map(|(_, bytes)| bytes),
                "fullText": (!found.full_text.is_empty()).then(|| json!({"fields": found.full_text, "bytes": found.full_text_bytes}))})
        })
        .collect();
    Response::of(200, &json!({ "items": items }))
}
