//! Collections, settings and superusers through the engine's operations, on a directory of its own.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use engine::{
    App, Ctx, Error,
    app::Config,
    collections::{self, CollectionRef, Query},
    event::{EnrichEvent, Hooks},
    hook::{Event, Handler, Payload},
    installer,
    record::{self, RecordRef, save},
    settings_ops,
    store::{Sql, raw},
    superusers,
};
use serde_json::{Value, json};

async fn boot_with(hooks: Hooks) -> (App, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let app = App::bootstrap(Config::new(dir.path()), hooks).await.unwrap();
    (app, dir)
}

async fn boot() -> (App, tempfile::TempDir) {
    boot_with(Hooks::default()).await
}

/// Rows as text, cells joined by `|`.
async fn rows(app: &App, text: &str) -> Vec<String> {
    let limit = std::time::Duration::from_secs(5);
    let rows = raw::read(&app.db(), Sql::plain(text.to_owned()), 100, limit).await.unwrap();
    let line = |row: Vec<Option<String>>| -> String {
        row.into_iter().map(|c| c.unwrap_or_else(|| "NULL".into())).collect::<Vec<_>>().join("|")
    };
    rows.rows.into_iter().map(line).collect()
}

async fn columns(app: &App, table: &str) -> Vec<String> {
    rows(app, &format!("SELECT name||' '||type FROM pragma_table_info('{table}') ORDER BY name"))
        .await
}

fn id_of(handle: &CollectionRef) -> String {
    handle.lock().id.clone()
}

fn field_ids(handle: &CollectionRef) -> Vec<(String, String)> {
    handle.lock().fields.iter().map(|f| (f.name.clone(), f.id.clone())).collect()
}

fn code(error: &Error, path: &[&str]) -> String {
    let Error::Invalid(errors) = error else { panic!("not a validation error: {error}") };
    let mut errors = errors;
    let (last, above) = path.split_last().unwrap();
    for key in above {
        let Some(engine::FieldError::Nested(inner)) = errors.0.get(*key) else {
            panic!("{errors}")
        };
        errors = inner;
    }
    match errors.0.get(*last) {
        Some(engine::FieldError::Item { code, .. }) => code.clone(),
        other => panic!("{path:?}: {other:?} in {errors}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_from_birth_to_death() {
    let (app, _dir) = boot().await;
    let ctx = Ctx::system(&app);
    let body = json!({"name": "posts", "fields": [
        {"name": "title", "type": "text"}, {"name": "n", "type": "number"},
        {"name": "tags", "type": "select", "values": ["a", "b"], "maxSelect": 1},
    ], "indexes": ["create index idx_posts on posts (title)"]});
    let made = collections::create(&ctx, &body).await.unwrap();
    assert!(!made.is_new());
    assert_eq!(columns(&app, "posts").await, ["id TEXT", "n NUMERIC", "tags TEXT", "title TEXT"]);
    let version = app.schema().version();
    raw::write(
        &app.db(),
        Sql::plain("INSERT INTO posts (id, title, n, tags) VALUES ('r1', 't', 5, 'a')".to_owned()),
        std::time::Duration::from_secs(5),
    )
    .await
    .unwrap();

    // Rename the collection and a field, drop one, add one, make one multiple.
    let ids = field_ids(&made);
    let id = |name: &str| ids.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let body = json!({"name": "articles", "fields": [
        {"id": id("id"), "name": "id", "type": "text"},
        {"id": id("title"), "name": "heading", "type": "text"},
        {"id": id("tags"), "name": "tags", "type": "select", "values": ["a", "b"], "maxSelect": 2},
        {"name": "done", "type": "bool"},
    ], "indexes": ["create index idx_posts on articles (heading)"]});
    let moved = collections::update(&ctx, "posts", &body).await.unwrap();
    assert_eq!(id_of(&moved), id_of(&made));
    assert!(app.schema().version() > version);
    assert!(app.schema().find("posts").is_none());
    assert_eq!(
        columns(&app, "articles").await,
        ["done BOOLEAN", "heading TEXT", "id TEXT", "tags JSON"]
    );
    assert_eq!(rows(&app, "SELECT id, heading, tags FROM articles").await, ["r1|t|[\"a\"]"]);
    assert_eq!(
        rows(&app, "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'articles' AND sql != ''").await,
        ["idx_posts"]
    );

    // Back to one value.
    let mut fields: Value = serde_json::from_str(&moved.lock().fields_json()).unwrap();
    fields[2]["maxSelect"] = json!(1);
    collections::update(&ctx, &id_of(&made), &json!({"fields": fields})).await.unwrap();
    assert_eq!(rows(&app, "SELECT tags FROM articles").await, ["a"]);

    // A failed index undoes everything.
    let error = collections::update(
        &ctx,
        "articles",
        &json!({"indexes": ["create index x on articles (nope)"]}),
    )
    .await
    .unwrap_err();
    assert_eq!(code(&error, &["indexes", "0"]), "validation_invalid_index_expression");
    assert_eq!(app.schema().find("articles").unwrap().indexes.len(), 1);

    let stored = collections::find(&ctx, "ARTICLES").unwrap();
    collections::truncate(&ctx, &stored).await.unwrap();
    assert_eq!(rows(&app, "SELECT count(*) FROM articles").await, ["0"]);
    collections::delete(&ctx, &CollectionRef::stored(&stored)).await.unwrap();
    assert!(matches!(collections::find(&ctx, "articles"), Err(Error::NotFound)));
    assert!(columns(&app, "articles").await.is_empty());
    assert_eq!(
        rows(&app, "SELECT count(*) FROM _collections WHERE name = 'articles'").await,
        ["0"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals() {
    let (app, _dir) = boot().await;
    let ctx = Ctx::system(&app);
    let target = collections::create(&ctx, &json!({"name": "target"})).await.unwrap();
    let relation =
        json!({"name": "rel", "type": "relation", "collectionId": id_of(&target), "maxSelect": 1});
    collections::create(&ctx, &json!({"name": "source", "fields": [relation]})).await.unwrap();
    let stored = collections::find(&ctx, "target").unwrap();
    assert!(collections::delete(&ctx, &CollectionRef::stored(&stored)).await.is_err());
    assert_eq!(
        collections::refusal(&ctx, &stored),
        "Failed to delete collection probably due to existing reference in source"
    );
    let system = collections::find(&ctx, "_mfas").unwrap();
    assert!(collections::delete(&ctx, &CollectionRef::stored(&system)).await.is_err());
    assert_eq!(collections::refusal(&ctx, &system), "Failed to delete collection");

    let error = collections::create(&ctx, &json!({"name": "TARGET"})).await.unwrap_err();
    assert_eq!(code(&error, &["name"]), "validation_collection_name_exists");
    let error = collections::update(&ctx, "target", &json!({"id": "other"})).await.unwrap_err();
    assert!(matches!(error, Error::NotFound));
    let error =
        collections::update(&ctx, "target", &json!({"id": "_pb_users_auth_"})).await.unwrap_err();
    assert_eq!(code(&error, &["id"]), "validation_values_mismatch");
    assert!(collections::dry_run_view(&ctx, "").await.is_err());
    assert!(
        collections::dry_run_view(&ctx, "select 1 as id")
            .await
            .unwrap()
            .sample
            .contains("temp_view_")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn views_follow_their_tables() {
    let (app, _dir) = boot().await;
    let ctx = Ctx::system(&app);
    let base = json!({"name": "base", "fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]});
    let base = collections::create(&ctx, &base).await.unwrap();
    collections::create(
        &ctx,
        &json!({"name": "v", "type": "view", "viewQuery": "select id, a from base;"}),
    )
    .await
    .unwrap();
    let view = |app: &App| app.schema().find("v").unwrap().clone();
    assert_eq!(view(&app).fields.len(), 2);
    assert_eq!(rows(&app, "SELECT count(*) FROM v").await, ["0"]);

    // A changed option of the field is seen in the view.
    let mut fields: Value = serde_json::from_str(&base.lock().fields_json()).unwrap();
    fields[1]["max"] = json!(7);
    collections::update(&ctx, "base", &json!({"fields": fields})).await.unwrap();
    assert!(view(&app).fields_json().contains("\"max\":7"));

    // The same in views of the view, wherever they stand; and when they read something else.
    for (name, query) in [
        ("far", "select id, a from v"),
        ("end", "select id, a from far"),
        ("z", "select id, a from base"),
    ] {
        let body = json!({"name": name, "type": "view", "viewQuery": query});
        collections::create(&ctx, &body).await.unwrap();
    }
    collections::update(&ctx, "v", &json!({"viewQuery": "select id, a from z"})).await.unwrap();
    fields[1]["hidden"] = json!(true);
    collections::update(&ctx, "base", &json!({"fields": fields})).await.unwrap();
    for name in ["z", "v", "far", "end"] {
        assert!(app.schema().find(name).unwrap().fields[1].hidden, "{name}");
    }
    collections::update(&ctx, "v", &json!({"viewQuery": "select id, cast(a as int) as a from z"}))
        .await
        .unwrap();
    for name in ["v", "far", "end"] {
        assert_eq!(app.schema().find(name).unwrap().fields[1].type_name(), "number", "{name}");
    }

    // A view stands in the way of its table.
    let stored = collections::find(&ctx, "base").unwrap();
    assert!(collections::delete(&ctx, &CollectionRef::stored(&stored)).await.is_err());
    assert!(collections::find(&ctx, "base").is_ok());
    let error = collections::truncate(&ctx, &view(&app)).await.unwrap_err();
    assert!(error.to_string().starts_with("View collections cannot be truncated"));

    let bad = json!({"name": "w", "type": "view", "viewQuery": "select 1 as x"});
    let error = collections::create(&ctx, &bad).await.unwrap_err();
    assert_eq!(code(&error, &["viewQuery"]), "validation_invalid_view_query");
    assert_eq!(code(&error, &["fields"]), "validation_missing_primary_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_all_or_nothing() {
    let (app, _dir) = boot().await;
    let ctx = Ctx::system(&app);
    collections::create(&ctx, &json!({"name": "old"})).await.unwrap();
    let one = json!({"id": "id1", "name": "one", "fields": [{"name": "r", "type": "relation", "collectionId": "id2", "maxSelect": 1}]});
    let two = json!({"id": "id2", "name": "two", "fields": [{"name": "r", "type": "relation", "collectionId": "id1", "maxSelect": 1}]});
    let view = json!({"name": "seen", "type": "view", "viewQuery": "select id, r from one"});
    collections::import(&ctx, &[view, one.clone(), two], false).await.unwrap();
    for name in ["old", "one", "two", "seen"] {
        assert!(app.schema().find(name).is_some(), "{name}");
    }
    assert_eq!(columns(&app, "seen").await.len(), 2);

    let broken = json!({"name": "three", "listRule": "nope = 1"});
    let error =
        collections::import(&ctx, &[json!({"name": "four"}), broken], false).await.unwrap_err();
    assert_eq!(code(&error, &["collections"]), "validation_collections_import_failure");
    assert!(
        error.to_string().contains("Data validations failed for collection \"three\" ("),
        "{error}"
    );
    assert!(app.schema().find("four").is_none());
    assert!(columns(&app, "four").await.is_empty());

    let error = collections::import(&ctx, &[], true).await.unwrap_err();
    assert_eq!(code(&error, &["collections"]), "validation_required");
    let renamed = json!({"id": "x", "name": "old"});
    let error = collections::import(&ctx, &[renamed], false).await.unwrap_err();
    assert!(
        error.to_string().contains("UNIQUE constraint failed: _collections.name (2067)"),
        "{error}"
    );

    let alone = json!({"id": "id1", "name": "one", "fields": [{"name": "id", "type": "text"}]});
    collections::import(&ctx, &[alone], true).await.unwrap();
    let names: Vec<String> = app.schema().iter().map(|c| c.name.clone()).collect();
    assert_eq!(names, ["_mfas", "_otps", "_externalAuths", "_authOrigins", "_superusers", "one"]);
    assert!(columns(&app, "users").await.is_empty());
    assert_eq!(columns(&app, "one").await, ["id TEXT"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists() {
    let (app, _dir) = boot().await;
    let ctx = Ctx::system(&app);
    let query = |filter: &str, sort: &str, per_page: i64| Query {
        filter: filter.into(),
        sort: sort.into(),
        per_page,
        ..Query::default()
    };
    let names =
        |page: &collections::Page| page.items.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let all = collections::list(&ctx, &query("", "", 0)).await.unwrap();
    assert_eq!(names(&all)[0], "_mfas");
    assert_eq!((all.page, all.per_page, all.total_items, all.total_pages), (1, 30, 6, 1));
    let some = collections::list(&ctx, &query("system = true && type = 'base'", "-name", 3))
        .await
        .unwrap();
    assert_eq!(names(&some), ["_otps", "_mfas", "_externalAuths"]);
    assert_eq!((some.total_items, some.total_pages), (4, 2));
    assert!(matches!(
        collections::list(&ctx, &query("fields = 1", "", 0)).await,
        Err(Error::Filter(_))
    ));
}

/// Notes the name of a hook before and after the rest of its chain.
fn note<P: Payload>(notes: &Arc<Mutex<Vec<String>>>, name: &'static str) -> Handler<P> {
    let notes = notes.clone();
    Handler::new(move |e: Event<P>| {
        let notes = notes.clone();
        async move {
            notes.lock().unwrap().push(format!("{name}>"));
            e.next().await?;
            notes.lock().unwrap().push(format!("<{name}"));
            Ok(())
        }
    })
}

/// GHSA-84vh-m24q-wjjx: what runs beside a request outlives code that panics, and so does the process.
#[tokio::test(flavor = "multi_thread")]
async fn workers_outlive_hooks_that_panic() {
    let hooks = Hooks::default();
    hooks.record_enrich.bind_handler(Handler::new(|e: Event<EnrichEvent>| async move {
        assert_ne!(e.record.get_str("title"), "boom", "a hook that panics");
        e.next().await
    }));
    let (app, _dir) = boot_with(hooks).await;
    let ctx = Ctx::system(&app);
    let posts =
        json!({"name": "posts", "listRule": "", "fields": [{"name": "title", "type": "text"}]});
    collections::create(&ctx, &posts).await.unwrap();
    let posts = app.snapshot().find("posts").unwrap().clone();
    let client = app.realtime().new_client(std::net::Ipv4Addr::LOCALHOST.into());
    app.realtime().register(&client);
    client.set_subscriptions(&["posts"]);
    let save = |title: &'static str| {
        let (ctx, record) = (ctx.clone(), RecordRef::new(&posts));
        record.set("title", title);
        async move {
            save::save(&ctx, &record).await.unwrap();
            record
        }
    };
    let boom = save("boom").await;
    save("fine").await;
    record::delete::delete_record(&ctx, &boom).await.unwrap();
    save("last").await;
    app.realtime().settled().await;
    let taken = std::future::poll_fn(|cx| client.poll_take(cx, 100, 1 << 20)).await.unwrap();
    let told =
        taken.iter().map(|m| String::from_utf8_lossy(m.data()).into_owned()).collect::<Vec<_>>();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("fine") && told[1].contains("last"), "{told:?}");

    let ran = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = ran.clone();
    app.crons()
        .add("boom", "* * * * *", |_| async {
            assert!(std::hint::black_box(false), "a job that panics");
            Ok(())
        })
        .unwrap();
    app.crons()
        .add("fine", "* * * * *", move |_| {
            let count = count.clone();
            async move {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(())
            }
        })
        .unwrap();
    for id in ["boom", "fine", "boom", "fine"] {
        assert!(app.crons().run(&app, id));
    }
    while ran.load(std::sync::atomic::Ordering::Relaxed) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_in_the_order_of_the_reference() {
    let hooks = Hooks::default();
    let notes = Arc::new(Mutex::new(Vec::new()));
    hooks.collections.create.around.bind_handler(note(&notes, "C"));
    hooks.models.create.around.bind_handler(note(&notes, "M").tags(["_collections"]));
    hooks.collections.validate.bind_handler(note(&notes, "CV"));
    hooks.models.validate.bind_handler(note(&notes, "MV").tags(["_collections"]));
    hooks.collections.create.execute.bind_handler(note(&notes, "CE"));
    hooks.models.create.execute.bind_handler(note(&notes, "ME").tags(["_collections"]));
    hooks.collections.create.after_success.bind_handler(note(&notes, "CA"));
    hooks.models.create.after_success.bind_handler(note(&notes, "MA").tags(["_collections"]));
    hooks.collections.create.after_error.bind_handler(note(&notes, "CX"));
    hooks.models.create.after_error.bind_handler(note(&notes, "MX").tags(["_collections"]));
    let (app, _dir) = boot_with(hooks).await;
    let ctx = Ctx::system(&app);
    let taken = || std::mem::take(&mut *notes.lock().unwrap()).join(" ");
    taken();
    collections::create(&ctx, &json!({"name": "a"})).await.unwrap();
    assert_eq!(taken(), "C> M> CV> MV> <MV <CV CE> ME> <ME <CE <M <C CA> MA> <MA <CA");
    collections::create(&ctx, &json!({"name": "a"})).await.unwrap_err();
    assert_eq!(taken(), "C> M> CV> CX> MX> <MX <CX");

    // After hooks wait for the outermost transaction; a rollback makes collections new again.
    let handle = collections::draft(&json!({"name": "b"})).unwrap();
    let inner = handle.clone();
    let done: Result<(), Error> = ctx
        .run_in_transaction(|ctx| async move {
            collections::save(&ctx, &inner).await?;
            assert!(ctx.snapshot().find("b").is_some());
            assert!(ctx.app.schema().find("b").is_none());
            Err(Error::Busy)
        })
        .await;
    assert!(done.is_err() && handle.is_new() && app.schema().find("b").is_none());
    assert_eq!(taken(), "C> M> CV> MV> <MV <CV CE> ME> <ME <CE <M <C CX> MX> <MX <CX");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_saved_and_applied() {
    let (app, _dir) = boot().await;
    let ctx = Ctx::system(&app);
    assert_eq!(rows(&app, "SELECT id, typeof(value) FROM _params").await, ["settings|blob"]);
    let reloads = Arc::new(Mutex::new(Vec::new()));
    app.hooks().settings_reload.bind_handler(note(&reloads, "R"));
    let body = json!({"meta": {"appName": "Mine"}, "rateLimits": {"rules": [{"label": "posts:create", "maxRequests": 9, "duration": 3}]}});
    let saved = settings_ops::update(&ctx, &body).await.unwrap();
    assert_eq!(saved.meta.app_name, "Mine");
    assert_eq!(saved.rate_limits.rules.len(), 1);
    // What is left out is not taken from the rule that stood there.
    let partial = json!({"rateLimits": {"rules": [{"label": "posts:create", "maxRequests": 9}]}});
    let error = settings_ops::update(&ctx, &partial).await.unwrap_err();
    assert_eq!(code(&error, &["rateLimits", "rules", "0", "duration"]), "validation_required");
    assert_eq!(*reloads.lock().unwrap(), ["R>", "<R"]);
    let error =
        settings_ops::update(&ctx, &json!({"backups": {"cron": "nope"}})).await.unwrap_err();
    assert_eq!(code(&error, &["backups", "cron"]), "validation_invalid_cron");
    assert_eq!(settings_ops::get(&app).backups.cron, "");

    // Labels follow a renamed collection.
    collections::create(&ctx, &json!({"name": "posts"})).await.unwrap();
    collections::update(&ctx, "posts", &json!({"name": "news"})).await.unwrap();
    assert_eq!(settings_ops::get(&app).rate_limits.rules[0].label, "news:create");
}

#[tokio::test(flavor = "multi_thread")]
async fn superusers_and_the_installer() {
    let (app, _dir) = boot().await;
    let ctx = Ctx::system(&app);
    let link = installer::link(&ctx, "http://x/").await.unwrap().unwrap();
    assert!(link.starts_with("http://x/_/#/pbinstall/ey"), "{link}");
    let error = |r: Result<String, Error>| r.unwrap_err().to_string();
    assert_eq!(
        superusers::create(&ctx, "a@b.co", "12345678").await.unwrap(),
        "Successfully created new superuser \"a@b.co\"!"
    );
    assert_eq!(rows(&app, "SELECT email FROM _superusers").await, ["a@b.co"]);
    assert!(installer::link(&ctx, "http://x").await.unwrap().is_none());
    assert_eq!(
        error(superusers::create(&ctx, "b@b.co", "1").await),
        "failed to create new superuser account: password: Must be at least 8 character(s)."
    );
    assert_eq!(
        error(superusers::create(&ctx, "a@b.co", "12345678").await),
        "failed to create new superuser account: email: Value must be unique."
    );
    assert_eq!(
        error(superusers::make_otp(&ctx, "a@b.co").await),
        "OTP auth is not enabled for the _superusers collection"
    );
    assert_eq!(error(superusers::make_otp(&ctx, "").await), "invalid or missing email address");
    collections::update(&ctx, "_superusers", &json!({"otp": {"enabled": true}})).await.unwrap();
    assert!(app.schema().find("_superusers").unwrap().auth.mfa.enabled);
    let text = superusers::make_otp(&ctx, "a@b.co").await.unwrap();
    assert!(text.ends_with("└─ Valid: 180s\n"), "{text}");
    assert_eq!(
        error(superusers::delete(&ctx, "a@b.co").await),
        "failed to delete superuser \"a@b.co\": You can't delete the only existing superuser."
    );
    assert_eq!(
        error(superusers::set_ips(&ctx, &["1.2.3.4".into(), "x".into()]).await),
        "superuserIPs: (1: invalid IP or CIDR subnet.)."
    );
    assert_eq!(
        superusers::set_ips(&ctx, &["1.2.3.4".into(), "10.0.0.0/8".into()]).await.unwrap(),
        "Successfully updated SuperuserIPs setting:\n├─ 1.2.3.4\n└─ 10.0.0.0/8"
    );
    assert_eq!(
        superusers::set_ips(&ctx, &[]).await.unwrap(),
        "Successfully cleared SuperuserIPs setting!"
    );
}
