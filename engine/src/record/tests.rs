//! The life cycle on a real data directory: hook order, transactions, cascades, rules, visibility, tokens.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, atomic::AtomicU32},
};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::{
    RecordRef, Submission, delete, enrich,
    expand::Paths,
    export, find,
    read::{self, ListOutcome, ListQuery, ViewOutcome},
    save,
};
use crate::{
    App, Caller, Ctx, Error, FieldError,
    app::Config,
    auth,
    auth::token::TokenType,
    collections,
    event::{Hooks, ModelEvent, RecordEvent},
    hook::{Event, Handler},
};

pub(super) struct Room {
    pub(super) app: App,
    dir: PathBuf,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.app.store().close();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A fresh installation with authors, posts (required author, cascading editor) and notes (cascade).
pub(super) async fn room(hooks: Hooks) -> Room {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("engine-records-{}-{n}", std::process::id()));
    let app = App::bootstrap(Config::new(&dir), hooks).await.expect("bootstrap");
    let ctx = Ctx::system(&app);
    let make = async |body: Value| {
        let made = collections::create(&ctx, &body).await.unwrap_or_else(|e| panic!("{body}: {e}"));
        made.snapshot().id
    };
    let authors = make(json!({
        "name": "authors", "type": "base", "listRule": "", "viewRule": "", "createRule": "", "updateRule": "name != 'locked'",
        "fields": [{"name": "name", "type": "text"}, {"name": "secret", "type": "text", "hidden": true}],
        "indexes": ["CREATE UNIQUE INDEX authors_name ON authors (name)"],
    }))
    .await;
    make(json!({
        "name": "posts", "type": "base", "listRule": "title != 'draft'", "viewRule": "author.name != ''",
        "createRule": "@request.body.title != 'no' && title != ''", "updateRule": null, "deleteRule": "",
        "fields": [
            {"name": "title", "type": "text", "required": true},
            {"name": "views", "type": "number"},
            {"name": "tags", "type": "select", "maxSelect": 3, "values": ["a", "b", "c"]},
            {"name": "author", "type": "relation", "collectionId": authors, "maxSelect": 1, "required": true},
            {"name": "updated", "type": "autodate", "onCreate": true, "onUpdate": true},
        ],
    }))
    .await;
    make(json!({
        "name": "notes", "type": "base", "viewRule": "",
        "fields": [
            {"name": "text", "type": "text"},
            {"name": "author", "type": "relation", "collectionId": authors, "maxSelect": 1, "cascadeDelete": true},
            {"name": "readers", "type": "relation", "collectionId": authors, "maxSelect": 9},
        ],
    }))
    .await;
    Room { app, dir }
}

impl Room {
    pub(super) fn system(&self) -> Ctx {
        Ctx::system(&self.app)
    }
    pub(super) fn guest(&self) -> Ctx {
        let request = crate::ctx::RequestInfo::lazy(Default::default);
        Ctx::new(&self.app, Caller::Guest, Some(Arc::new(request)))
    }
    pub(super) fn coll(&self, name: &str) -> Arc<crate::schema::Loaded> {
        self.app.snapshot().find(name).expect("collection").clone()
    }
    pub(super) async fn put(&self, name: &str, values: Value) -> RecordRef {
        let record = RecordRef::new(&self.coll(name));
        fill(&record, &values);
        save::save(&self.system(), &record).await.unwrap_or_else(|e| panic!("{values}: {e:?}"));
        record
    }
    async fn create(&self, ctx: &Ctx, name: &str, body: Value) -> crate::Result<RecordRef> {
        save::create(ctx, &self.coll(name), &submission(body)).await
    }
    pub(super) async fn ids(&self, name: &str) -> Vec<String> {
        let rows =
            crate::rule::first_rows(&self.system(), &self.coll(name), 100).await.expect("rows");
        rows.iter().map(|r| r.id().to_owned()).collect()
    }
    async fn list(&self, ctx: &Ctx, name: &str, query: ListQuery) -> Value {
        let collection = self.coll(name);
        let body = match read::list(ctx, &collection, &query).await.expect("list") {
            ListOutcome::Json { body, .. } => body,
            ListOutcome::Page(page) => {
                enrich(ctx, &collection, &page.records, &query.expand).await.expect("enrich");
                page.to_json()
            }
        };
        serde_json::from_slice(&body).expect("json")
    }
}

fn fill(record: &RecordRef, values: &Value) {
    for (key, value) in values.as_object().into_iter().flatten() {
        record.set(key, value.clone());
    }
}

fn submission(body: Value) -> Submission {
    let Value::Object(body) = body else { panic!("object") };
    Submission { body, files: BTreeMap::new() }
}

fn codes(error: &Error) -> String {
    let Error::Invalid(errors) = error else { return format!("{error:?}") };
    let code = |e: &FieldError| match e {
        FieldError::Item { code, .. } => code.trim_start_matches("validation_").to_owned(),
        other => format!("{other:?}"),
    };
    errors.0.iter().map(|(k, e)| format!("{k}:{}", code(e))).collect::<Vec<_>>().join(" ")
}

type Log = Arc<Mutex<Vec<String>>>;

/// Binds a handler to some record and model hooks that writes down its name on the way in and out.
fn spies(log: &Log, tag: &'static str) -> Hooks {
    let hooks = Hooks::default();
    macro_rules! spy {
        ($event:ty: $($hook:literal $($path:ident).+),* $(,)?) => {$({
            let log = log.clone();
            let handler = Handler::new(move |e: Event<$event>| {
                let log = log.clone();
                async move {
                    log.lock().push(concat!($hook, ">").into());
                    e.next().await?;
                    log.lock().push(concat!("<", $hook).into());
                    Ok(())
                }
            });
            hooks.$($path).+.bind_handler(handler.tags([tag]));
        })*};
    }
    spy!(RecordEvent:
        "record_create" records.create.around,
        "record_validate" records.validate,
        "record_create_execute" records.create.execute,
        "record_after_create_success" records.create.after_success,
        "record_after_create_error" records.create.after_error,
    );
    spy!(ModelEvent:
        "model_create" models.create.around,
        "model_validate" models.validate,
        "model_create_execute" models.create.execute,
        "model_after_create_success" models.create.after_success,
        "model_after_create_error" models.create.after_error,
    );
    hooks
}

#[tokio::test]
async fn hooks_run_in_the_order_of_the_reference() {
    let log = Log::default();
    let room = room(spies(&log, "authors")).await;
    room.put("authors", json!({"name": "a"})).await;
    let order = std::mem::take(&mut *log.lock()).join(" ");
    assert_eq!(
        order,
        "record_create> model_create> record_validate> model_validate> <model_validate <record_validate \
         record_create_execute> model_create_execute> <model_create_execute <record_create_execute <model_create \
         <record_create record_after_create_success> model_after_create_success> <model_after_create_success \
         <record_after_create_success"
    );
    let twice = RecordRef::new(&room.coll("authors"));
    twice.set("name", "a");
    let error = save::save(&room.system(), &twice).await.expect_err("unique");
    assert_eq!(codes(&error), "name:not_unique");
    let order = std::mem::take(&mut *log.lock()).join(" ");
    assert!(
        order.ends_with(
            "model_create_execute> record_after_create_error> model_after_create_error> <model_after_create_error \
             <record_after_create_error"
        ),
        "{order}"
    );
}

#[tokio::test]
async fn after_hooks_wait_for_the_outermost_transaction() {
    let log = Log::default();
    let room = room(spies(&log, "authors")).await;
    let collection = room.coll("authors");
    let run = async |fail: bool| {
        let (collection, inside) = (collection.clone(), log.clone());
        let system = room.system();
        let out = Box::pin(system.run_in_transaction(move |tx| async move {
            let record = RecordRef::new(&collection);
            record.set("name", "t");
            let copy = record.clone();
            tx.run_in_transaction(move |inner| async move { save::save(&inner, &copy).await })
                .await?;
            inside.lock().push("work done".into());
            if fail { Err(Error::NotFound) } else { Ok(record) }
        }))
        .await;
        (out, std::mem::take(&mut *log.lock()).join(" "))
    };
    let (out, order) = Box::pin(run(true)).await;
    assert!(matches!(out, Err(Error::NotFound)));
    assert!(order.contains("work done record_after_create_error>"), "{order}");
    assert!(room.ids("authors").await.is_empty());
    let (out, order) = Box::pin(run(false)).await;
    assert!(!out.expect("record").lock().is_new());
    assert!(order.contains("work done record_after_create_success>"), "{order}");
    assert_eq!(room.ids("authors").await.len(), 1);
}

#[tokio::test]
async fn a_handler_without_next_skips_with_success() {
    let hooks = Hooks::default();
    hooks.records.create.around.bind_handler(Handler::new(|_| async { Ok(()) }).tags(["authors"]));
    let room = room(hooks).await;
    room.put("authors", json!({"name": "a"})).await;
    assert!(room.ids("authors").await.is_empty(), "nothing was stored");
}

#[tokio::test]
async fn rules_bodies_and_modifiers() {
    let room = room(Hooks::default()).await;
    let author = room.put("authors", json!({"name": "a"})).await.id();
    let guest = room.guest();
    for (body, want) in [
        (json!({"title": "no", "author": author}), "Refused { locked: false }"),
        (json!({"author": author}), "Refused { locked: false }"),
        (json!({"title": "x"}), "author:required"),
        (json!({"title": "x", "author": "missing"}), "author:missing_rel_records"),
        (json!({"title": "x", "author": author, "tags": ["z"]}), "tags:invalid_value"),
    ] {
        let error = room.create(&guest, "posts", body.clone()).await.expect_err("refused");
        assert_eq!(codes(&error), want, "{body}");
    }
    let body = json!({"title": "x", "author": author, "views": 1, "views+": 5, "views-": 2, "tags": ["a"], "tags+": "b"});
    let post = room.create(&guest, "posts", body).await.expect("created");
    assert_eq!(post.get_value("views"), Some(json!(4)));
    assert_eq!(post.get_value("tags"), Some(json!(["a", "b"])));
    let locked =
        save::update(&guest, &room.coll("posts"), &post.id(), &submission(json!({}))).await;
    assert!(matches!(locked, Err(Error::Refused { locked: true })));
    room.put("authors", json!({"name": "locked"})).await;
    let other = room.put("authors", json!({"name": "b", "secret": "s"})).await;
    let rename = submission(json!({"name": "c", "secret": "stolen", "id": other.id()}));
    let done =
        save::update(&guest, &room.coll("authors"), &other.id(), &rename).await.expect("updated");
    assert_eq!(
        (done.get_str("name"), done.get_str("secret")),
        ("c".into(), "s".into()),
        "hidden keys are dropped"
    );
    let exact = dialects::statement::Case::Sensitive;
    let found =
        find::by_value(&room.system(), &room.coll("authors"), "name", "locked", exact).await;
    let id = found.expect("query").expect("record").id().to_owned();
    let refused = save::update(&guest, &room.coll("authors"), &id, &rename).await;
    assert!(matches!(refused, Err(Error::NotFound)));
}

#[tokio::test]
async fn deletes_cascade_or_refuse() {
    let room = room(Hooks::default()).await;
    let (a, b) = (
        room.put("authors", json!({"name": "a"})).await,
        room.put("authors", json!({"name": "b"})).await,
    );
    room.put("notes", json!({"text": "gone", "author": a.id()})).await;
    let kept = room
        .put("notes", json!({"text": "kept", "author": b.id(), "readers": [a.id(), b.id()]}))
        .await;
    delete::delete_record(&room.system(), &a).await.expect("deleted");
    assert_eq!(room.ids("notes").await, [kept.id()]);
    let kept = find::by_id(&room.system(), &room.coll("notes"), &kept.id())
        .await
        .expect("query")
        .expect("note");
    assert_eq!(kept.get_string_slice("readers"), [b.id()]);
    room.put("posts", json!({"title": "p", "author": b.id()})).await;
    let refused = delete::delete_record(&room.system(), &b).await;
    assert!(matches!(refused, Err(Error::Message(_))), "a required reference refuses");
    assert_eq!(room.ids("authors").await, [b.id()]);
    assert_eq!(room.ids("notes").await.len(), 1, "all or nothing");
    delete::truncate(&room.system(), &room.coll("posts")).await.expect("truncated");
    assert!(room.ids("posts").await.is_empty());
}

#[tokio::test]
async fn lists_views_and_expand() {
    let room = room(Hooks::default()).await;
    let author = room.put("authors", json!({"name": "a", "secret": "s"})).await;
    for title in ["one", "two", "draft"] {
        room.put("posts", json!({"title": title, "author": author.id()})).await;
    }
    let guest = room.guest();
    let page = |per_page, skip_total| ListQuery {
        per_page,
        skip_total,
        sort: "-title".into(),
        ..ListQuery::default()
    };
    let all = room.list(&guest, "posts", page(30, false)).await;
    assert_eq!((&all["totalItems"], &all["items"][0]["title"]), (&json!(2), &json!("two")));
    let one = room.list(&guest, "posts", page(1, false)).await;
    assert_eq!((&one["totalItems"], &one["totalPages"]), (&json!(2), &json!(2)));
    assert_eq!(room.list(&guest, "posts", page(1, true)).await["totalItems"], json!(-1));
    let expand = Paths::parse("author.notes_via_author,author.posts_via_author,nope");
    let query = ListQuery { filter: "title = 'one'".into(), expand, ..ListQuery::default() };
    let item = &room.list(&guest, "posts", query).await["items"][0];
    assert_eq!(item["expand"]["author"]["name"], json!("a"));
    assert_eq!(item["expand"]["author"].get("secret"), None);
    let back = &item["expand"]["author"]["expand"]["posts_via_author"];
    assert_eq!(back.as_array().map(Vec::len), Some(3), "the view rule, not the list rule");
    let id = item["id"].as_str().expect("id");
    let ViewOutcome::Json(plain) =
        read::view(&guest, &room.coll("posts"), id, &Paths::default()).await.expect("view")
    else {
        panic!("the fast path")
    };
    let slow = find::by_id(&guest, &room.coll("posts"), id).await.expect("query").expect("post");
    assert_eq!(plain, export::to_json(&slow.into()), "rows and records are written alike");
    let bad = ListQuery { filter: "author.secret = 's'".into(), ..ListQuery::default() };
    assert!(matches!(read::list(&guest, &room.coll("posts"), &bad).await, Err(Error::Filter(_))));
    let missing = read::view(&guest, &room.coll("posts"), "nope", &Paths::default()).await;
    assert!(matches!(missing, Err(Error::NotFound)));
}

#[tokio::test]
async fn tokens_end_with_the_password() {
    let room = room(Hooks::default()).await;
    let ctx = room.system();
    let user = room.put("users", json!({"email": "a@example.com", "password": "12345678"})).await;
    let token = auth::new_auth_token(&user.snapshot(), 0, true).expect("token");
    let who = async |text: &str| {
        let found = auth::find_by_token(&ctx, text, &[TokenType::Auth]).await.expect("query");
        found.map(|f| f.record.id().to_owned())
    };
    assert_eq!(who(&token).await, Some(user.id()));
    assert_eq!(who(&token).await, Some(user.id()), "from the cache");
    let file = auth::new_file_token(&user.snapshot()).expect("token");
    assert_eq!(who(&file).await, None, "kinds are not interchangeable");
    user.set("password", "87654321");
    save::save(&ctx, &user).await.expect("saved");
    assert_eq!(who(&token).await, None);
    let users = room.coll("users");
    let found = auth::login::find_identity(&ctx, &users, "a@example.com", "")
        .await
        .expect("query")
        .expect("user");
    assert!(auth::login::verify(&ctx, &users, Some(&found), "87654321").await.expect("verify"));
    assert!(!auth::login::verify(&ctx, &users, Some(&found), "12345678").await.expect("verify"));
    assert!(!auth::login::verify(&ctx, &users, None, "12345678").await.expect("verify"));
    let form = submission(json!({"password": "11111111", "passwordConfirm": "11111111"}));
    let refused = save::update(&room.guest(), &users, &user.id(), &form).await;
    assert!(matches!(refused, Err(Error::NotFound)), "the update rule wants the owner");
}

#[tokio::test]
async fn superusers_keep_one() {
    let room = room(Hooks::default()).await;
    let ctx = room.system();
    auth::superusers::installer_token(&ctx).await.expect("installer");
    assert!(auth::superusers::needs_installer(&ctx).await.expect("query"));
    auth::superusers::create(&ctx, "root@example.com", "1234567890").await.expect("created");
    assert!(!auth::superusers::needs_installer(&ctx).await.expect("query"));
    assert_eq!(room.ids("_superusers").await.len(), 1, "the installer went");
    for (run, want) in [
        (
            auth::superusers::create(&ctx, "x", "1234567890").await,
            "missing or invalid email address",
        ),
        (
            auth::superusers::create(&ctx, "x@example.com", "1").await,
            "failed to create new superuser account: password: Must be at least 8 character(s).",
        ),
        (
            auth::superusers::create(&ctx, "root@example.com", "1234567890").await,
            "failed to create new superuser account: email: Value must be unique.",
        ),
        (
            auth::superusers::delete(&ctx, "root@example.com").await,
            "failed to delete superuser \"root@example.com\": You can't delete the only existing superuser.",
        ),
    ] {
        assert_eq!(run.expect_err("fails").to_string(), want);
    }
}

#[test]
fn custom_data_and_overrides_are_exported_in_order() {
    let collection = crate::schema::normalize::new_collection(crate::schema::Kind::Base, "t");
    let snapshot = crate::schema::Snapshot::build(vec![collection]);
    let record = RecordRef::new(snapshot.iter().next().expect("collection"));
    record
        .set("id", "x")
        .set("zeta", 1)
        .set("alpha", Value::Object(Map::from_iter([("b".into(), json!(1))])));
    record.lock().show.custom = true;
    record.lock().show.overrides.insert("collectionId".into(), false);
    let json = String::from_utf8(export::to_json(&record)).expect("utf-8");
    assert_eq!(json, r#"{"alpha":{"b":1},"collectionName":"t","id":"x","zeta":1}"#);
}

#[tokio::test]
async fn what_a_write_relies_on_is_asked_again_when_somebody_wrote_in_between() {
    let room = room(Hooks::default()).await;
    let guest = room.guest();
    let authors = room.coll("authors");
    let author = room.put("authors", json!({"name": "a"})).await;
    let id = author.lock().id().to_owned();

    // nobody wrote; somebody wrote, but not what the rule looks at; somebody took the row out of the rule
    for (meanwhile, expected) in
        [(None, "ok"), (Some("b"), "ok"), (Some("locked"), "Refused { locked: false }")]
    {
        let body = submission(json!({"secret": "s"}));
        let draft = save::prepare_update(&guest, &authors, &id, &body).await.expect("draft");
        if let Some(name) = meanwhile {
            let other = find::by_id_or_404(&room.system(), &authors, &id).await.expect("row");
            let other = RecordRef::from(other);
            other.set("name", name);
            save::save(&room.system(), &other).await.expect("meanwhile");
        }
        let outcome = draft.commit(&guest).await;
        assert_eq!(
            outcome.map_or_else(|e| format!("{e:?}"), |()| "ok".into()),
            expected,
            "{meanwhile:?}"
        );
    }
    let stored = find::by_id_or_404(&room.system(), &authors, &id).await.expect("row");
    assert_eq!(stored.get_str("name"), "locked");
}

#[tokio::test]
async fn a_relation_whose_target_goes_before_the_write_is_refused() {
    let hooks = Hooks::default();
    let gone = Arc::new(Mutex::new(None::<RecordRef>));
    let next = gone.clone();
    hooks.records.create.execute.bind_handler(
        Handler::new(move |e: Event<RecordEvent>| {
            let target = next.lock().take();
            async move {
                if let Some(target) = target {
                    delete::delete_record(&Ctx::system(&e.ctx.get().app), &target).await?;
                }
                e.next().await
            }
        })
        .tags(["notes"]),
    );
    let room = room(hooks).await;
    let author = room.put("authors", json!({"name": "a"})).await;
    *gone.lock() = Some(author.clone());
    let note = RecordRef::new(&room.coll("notes"));
    fill(
        &note,
        &json!({"text": "t", "author": author.lock().id(), "readers": [author.lock().id()]}),
    );
    let error = save::save(&room.system(), &note).await.expect_err("dangling");
    assert_eq!(codes(&error), "author:missing_rel_records");
    assert!(room.ids("notes").await.is_empty());

    // the same record, mended, saves: nothing of the first try is held against it
    let other = room.put("authors", json!({"name": "b"})).await;
    fill(&note, &json!({"author": other.lock().id(), "readers": []}));
    save::save(&room.system(), &note).await.expect("mended");
    assert_eq!(room.ids("notes").await.len(), 1);
}
