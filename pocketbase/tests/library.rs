//! The library from outside: what programs rely on, and what happens when they go wrong.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pocketbase::{
    ApiError, App, Collection, Error, Field, File, Form, Headers, Middleware, Plugin, Query,
    Record, RequestEvent, Result, Setup, UploadedFiles, middleware,
    testing::{Answer, TestApp},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;

async fn with_posts() -> Result<TestApp> {
    let test = TestApp::new().await?;
    let posts = Collection::base("posts")
        .field(Field::text("title").required(true))
        .field(Field::number("views"))
        .field(Field::file("pictures").max_select(3))
        .list_rule(Some(""))
        .view_rule(Some(""))
        .create_rule(Some(""));
    test.app().save(&posts).await?;
    Ok(test)
}

async fn add_post(app: &App, title: &str) -> Result<Record> {
    let post = Record::new(&app.find_collection("posts").await?);
    app.save(post.set("title", title)).await?;
    Ok(post)
}

async fn create(test: &TestApp, title: &str) -> Answer {
    test.post("/api/collections/posts/records").json(&json!({ "title": title })).send().await
}

const GENERAL: &str = "Something went wrong while processing your request.";

#[tokio::test]
async fn panics_are_caught_where_they_happen() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app();
    app.router().get("/handler", || async {
        if true {
            panic!("oops")
        }
    });
    app.router()
        .get("/middleware", || async {})
        .bind(Middleware::new(|_| async { panic!("oops") }));
    app.on_record_create("posts").bind(|e| async move {
        match e.record().get_str("title").as_str() {
            "before" => panic!("before next"),
            "after" => {
                e.next().await?;
                panic!("after next")
            }
            _ => e.next().await,
        }
    });
    for answer in [
        test.get("/handler").send().await,
        test.get("/middleware").send().await,
        create(&test, "before").await,
        create(&test, "after").await,
    ] {
        assert_eq!((answer.status, answer.json()["message"].as_str()), (500, Some(GENERAL)));
        assert_eq!(answer.json()["status"], 500);
    }
    // as with an error: what comes before next() keeps the row from being written, what comes after is too late
    assert_eq!(app.count_records("posts", ()).await?, 1);

    let error = app
        .run_in_transaction(|tx| async move {
            add_post(&tx, "lost").await?;
            if true {
                panic!("in the middle")
            }
            Ok(())
        })
        .await
        .expect_err("panicked");
    assert!(error.to_string().contains("a transaction panicked: in the middle"), "{error}");
    assert_eq!(create(&test, "fine").await.status, 200);
    assert_eq!(app.count_records("posts", ()).await?, 2, "what was open is rolled back");

    app.cron().add("bad", "@daily", |_| async {
        if true {
            panic!("tick")
        }
        Ok(())
    })?;
    assert!(app.cron().run("bad"));
    let engine = app.engine()?;
    let mut logged: Vec<String> = Vec::new();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        engine.log().flush().await;
        let query = app.aux_db().query("SELECT data FROM _logs WHERE message = '[Cron] failed'");
        logged = query.column().await?;
        if !logged.is_empty() {
            break;
        }
    }
    assert!(
        logged.iter().any(|data| data.contains("cron \\\"bad\\\" panicked: tick")),
        "{logged:?}"
    );
    Ok(())
}

#[tokio::test]
async fn errors_are_answered_as_the_reference_does() -> Result<()> {
    let test = with_posts().await?;
    let router = test.app().router();
    router.get("/foreign", || async { Ok::<_, Error>("x".parse::<i32>()?.to_string()) });
    router
        .get("/missing", |app: App| async move { app.find_record_by_id("posts", "nothing").await });
    router.get("/invalid", |app: App| async move {
        let post = Record::new(&app.find_collection("posts").await?);
        app.save(&post).await
    });
    router.get("/own", |e: RequestEvent| async move {
        Err::<(), _>(e.error(409, "taken by another", json!({"by": "ann"})))
    });
    for (path, status, message) in [
        ("/foreign", 400, GENERAL),
        ("/missing", 404, "The requested resource wasn't found."),
        ("/invalid", 400, GENERAL),
        ("/own", 409, "Taken by another."),
    ] {
        let answer = test.get(path).send().await;
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (status, Some(message)),
            "{path}"
        );
    }
    let data = test.get("/invalid").send().await.json()["data"].clone();
    assert_eq!(data["title"]["code"], "validation_required");
    assert_eq!(test.get("/own").send().await.json()["data"]["by"], "ann");
    Ok(())
}

#[tokio::test]
async fn hooks_that_misbehave() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    app.on_record_create_execute("posts").bind(move |e| {
        counted.fetch_add(1, Relaxed);
        async move { e.next().await }
    });
    app.on_record_create("posts").bind(|e| async move {
        match e.record().get_str("title").as_str() {
            "never" => Ok(()),
            "twice" => {
                e.next().await?;
                e.next().await
            }
            _ => e.next().await,
        }
    });
    // the same record again, after it was saved
    app.on_record_after_create_success("posts").bind(|e| async move {
        e.next().await?;
        e.app().save(e.record().set("views", 7)).await
    });
    add_post(app, "twice").await?;
    assert_eq!(runs.load(Relaxed), 1, "a second next() does nothing");
    assert_eq!(app.find_first_record_by_data("posts", "title", "twice").await?.get_int("views"), 7);

    app.on_record_after_create_success(()).unbind_all();
    let never = add_post(app, "never").await;
    assert!(never.is_ok() && runs.load(Relaxed) == 1, "without next() it counts as done");
    assert_eq!(app.count_records("posts", ()).await?, 1);
    Ok(())
}

#[tokio::test]
async fn the_outer_app_inside_a_transaction_is_an_error() -> Result<()> {
    let test = with_posts().await?;
    let outer = test.app().clone();
    let started = Instant::now();
    let done = test
        .app()
        .run_in_transaction(|tx| async move {
            add_post(&tx, "inner").await?;
            add_post(&outer, "outer").await?;
            Ok(())
        })
        .await;
    let error = done.expect_err("held").to_string();
    assert!(error.contains("use that transaction instead of the outer app"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(test.app().count_records("posts", ()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn transactions_nest_and_hooks_wait_for_the_commit() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app();
    app.on_record_after_create_success("posts").bind(|e| async move {
        let is_outside = !e.app().is_transactional();
        e.app().store().set("after", is_outside);
        e.next().await
    });
    app.on_record_after_create_error("posts").bind(|e| async move {
        e.app().store().set("failed", e.error().map(|error| error.to_string()).unwrap_or_default());
        e.next().await
    });
    app.run_in_transaction(|tx| async move {
        tx.after_transaction(|app, outcome| async move {
            app.store().set("ended", outcome.is_ok() && !app.is_transactional());
            Ok(())
        })
        .await?;
        tx.run_in_transaction(|tx| async move { add_post(&tx, "a").await }).await?;
        // the query sees what is not committed yet
        let n: i64 = tx.db().query("SELECT count(*) FROM posts").scalar().await?;
        assert_eq!((n, tx.store().has("after")), (1, false));
        tx.db().update("posts").set("views", 3).execute().await?;
        Ok(())
    })
    .await?;
    assert_eq!(app.store().get::<bool>("after"), Some(true));
    assert_eq!(app.store().get::<bool>("ended"), Some(true));
    assert_eq!(app.find_first_record_by_data("posts", "title", "a").await?.get_int("views"), 3);

    let undone = app.run_in_transaction(|tx| async move {
        add_post(&tx, "b").await?;
        Err::<(), _>(ApiError::bad_request("no").into())
    });
    assert_eq!(undone.await.expect_err("refused").api().map(|api| api.status), Some(400));
    assert_eq!(app.store().get::<String>("failed").as_deref(), Some("No."));
    assert_eq!(app.count_records("posts", ()).await?, 1);
    Ok(())
}

struct Twin(&'static str);

impl Plugin for Twin {
    fn name(&self) -> &str {
        self.0
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        setup.router().get("/twin", || async { "twin" });
        if self.0 == "late" {
            setup.cron().add("twin", "@daily", |_| async { Ok(()) })?;
            return setup.app().cron().add("twin", "@daily", |_| async { Ok(()) });
        }
        if self.0 != "quiet" {
            setup.command(pocketbase::clap::Command::new("twin"), |_, _| async { Ok(()) })?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn two_plugins_with_one_name_are_told_apart() -> Result<()> {
    let error =
        App::builder().plugin(Twin("a")).plugin(Twin("b")).build().expect_err("one command");
    assert_eq!(
        error.to_string(),
        r#"plugin "b": plugin "a" and plugin "b" both have the command "twin""#
    );
    let error = App::builder().plugin(Twin("late")).build().expect_err("one job");
    assert!(
        error.to_string().ends_with(r#"plugin "late" and the app both have the cron job "twin""#)
    );
    let test = TestApp::with(App::builder().plugin(Twin("a")).plugin(Twin("quiet"))).await?;
    let answer = test.get("/twin").send().await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (0, r#"plugin "a" and plugin "quiet" both have the route "GET /twin""#)
    );
    Ok(())
}

struct Careful;

impl Plugin for Careful {
    fn name(&self) -> &'static str {
        "careful"
    }
    fn register(&self, setup: &mut Setup) -> Result<()> {
        setup.check_settings(|settings| {
            let mut errors = pocketbase::FieldErrors::default();
            if settings.meta.app_name == "bad" {
                errors.set("meta", pocketbase::FieldError::new("validation_bad", "is bad"));
            }
            if errors.is_empty() { Ok(()) } else { Err(errors) }
        });
        setup.native(pocketbase::Native::new("$x.len").run_sync(|_, args| Ok(args.len().into())))
    }
}

#[tokio::test]
async fn plugins_check_settings_and_commands_panic_by_name() -> Result<()> {
    let test = TestApp::with(App::builder().plugin(Careful)).await?;
    let app = test.app();
    let root = test.superuser("root@example.com").await?;
    let save = |name: &str| {
        test.patch("/api/settings").json(&json!({"meta": {"appName": name}})).auth(&root)
    };
    assert_eq!(save("good")?.send().await.status, 200);
    let refused = save("bad")?.send().await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(refused.json()["data"]["meta"]["code"], "validation_bad");
    assert_eq!(app.settings()?.meta.app_name, "good");
    assert_eq!(app.natives().call(app, "$x.len", vec![1.into(), 2.into()]).await?, json!(2));

    app.command(pocketbase::clap::Command::new("bad"), |_, _| async {
        if true {
            panic!("no")
        }
        Ok(())
    });
    let dir = tempfile::tempdir()?;
    let dir = dir.path().join("pb_data").to_string_lossy().into_owned();
    app.shutdown().await?;
    let error = app.run(["shop", "bad", "--dir", &dir]).await.expect_err("panicked");
    assert_eq!(error.to_string(), "the command \"bad\" panicked: no");
    assert!(!app.is_bootstrapped());
    Ok(())
}

#[derive(Deserialize)]
struct Filled {
    title: String,
    n: Option<u8>,
}

#[tokio::test]
async fn what_request_hooks_raise_has_no_sentence_of_the_operation() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app();
    app.on_record_create_request("posts").bind(|e| async move {
        match e.record().get_str("title").as_str() {
            "row" => {
                e.app().find_record_by_id("posts", "nope").await?;
            }
            "record" => {
                let post = Record::new(&e.app().find_collection("posts").await?);
                e.app().save(&post).await?;
            }
            _ => {}
        }
        e.next().await
    });
    for (title, status, message) in [
        ("row", 404, "The requested resource wasn't found."),
        ("record", 400, "Something went wrong while processing your request."),
        ("", 400, "Failed to create record."),
        ("other", 200, ""),
    ] {
        let answer = create(&test, title).await;
        let told = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.status, told.as_str()), (status, message), "{title}");
    }
    Ok(())
}

#[tokio::test]
async fn forms_files_and_limits() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app();
    let upload = |app: App, Form(form): Form<Filled>, files: UploadedFiles| async move {
        let post = Record::new(&app.find_collection("posts").await?);
        post.set("title", form.title).set("views", form.n.unwrap_or_default());
        post.set_files("pictures", files.of("file").cloned());
        app.save(&post).await?;
        Ok::<_, Error>(post)
    };
    app.router().post("/upload", upload).bind(middleware::body_limit(600));
    app.router().get("/file/{id}", |e: RequestEvent| async move {
        let post = e.app().find_record_by_id("posts", e.path_value("id")).await?;
        let name = post.get_string_slice("pictures").remove(0);
        let key = format!("{}/{name}", post.base_files_path());
        e.file_fs(&e.app().new_filesystem()?, &key).await
    });
    let form = "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHi\r\n--x\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n5\r\n\
                --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--x--\r\n";
    let send =
        |body: &str| test.post("/upload").body("multipart/form-data; boundary=x", body).send();
    let stored = send(form).await.json();
    assert_eq!((&stored["title"], &stored["views"]), (&json!("Hi"), &json!(5)));
    let id = stored["id"].as_str().unwrap_or_default();
    assert_eq!(test.get(&format!("/file/{id}")).send().await.text(), "hello");
    let ranged = test.get(&format!("/file/{id}")).header("range", "bytes=1-2").send().await;
    assert_eq!((ranged.status, ranged.text().as_str()), (206, "el"));
    assert_eq!(send(&form.replace("hello", &"x".repeat(700))).await.status, 413);

    let post = app.find_record_by_id("posts", id).await?;
    app.save(post.set_files("pictures+", [File::from_bytes("b.txt", "b")])).await?;
    assert_eq!(post.get_string_slice("pictures").len(), 2);
    Ok(())
}

#[derive(Deserialize)]
struct Wanted {
    tags: Vec<String>,
}

#[tokio::test]
async fn routes_middlewares_and_answers() -> Result<()> {
    let test = TestApp::new().await?;
    let app = test.app();
    let router = app.router();
    router.bind(Middleware::new(|e| async move {
        e.set("n", e.get("n").as_i64().unwrap_or(0) + 1);
        e.next().await
    }));
    const SITE: &[(&str, &[u8])] = &[("index.html", b"<h1>home</h1>"), ("js/app.js", b"let a = 1")];
    router.get("/site/{path...}", middleware::embedded_files(SITE, true));
    let group = router.group("/g").group("/h");
    group.bind(Middleware::new(|e| async move {
        let answer = e.next().await;
        e.set_header("x-after", "yes");
        answer
    }));
    group.get("/n", |e: RequestEvent| async move {
        e.json(200, &json!({"n": e.get("n"), "m": e.method()}))
    });
    router.get("/tags", |Query(wanted): Query<Wanted>, headers: Headers| async move {
        format!("{} {}", wanted.tags.join("+"), headers.0.len())
    });
    router.any("/any/{rest...}", |e: RequestEvent| async move {
        format!("{} {}", e.method(), e.path_value("rest"))
    });
    router.get("/large", || async { "a".repeat(5000) }).bind(middleware::gzip());
    router.get("/picked", || async { json!({"a": 1, "b": 2}) });

    let counted = test.get("/g/h/n").send().await;
    assert_eq!((counted.json()["n"].as_i64(), counted.header("x-after")), (Some(1), "yes"));
    assert_eq!(test.get("/tags?tags=a&tags=b").send().await.text(), "a+b 0");
    assert_eq!(test.request("PURGE", "/any/a/b").send().await.text(), "PURGE a/b");
    let large = test.get("/large").header("accept-encoding", "gzip").send().await;
    assert!(large.header("content-encoding") == "gzip" && large.body.len() < 200);
    assert_eq!(test.get("/picked?fields=b").send().await.text().trim(), "{\"b\":2}");
    for (path, status, kind) in [
        ("/site/", 200, "text/html; charset=utf-8"),
        ("/site/js/app.js", 200, "text/javascript; charset=utf-8"),
        ("/site/some/page", 200, "text/html; charset=utf-8"),
    ] {
        let answer = test.get(path).send().await;
        assert_eq!((answer.status, answer.header("content-type")), (status, kind), "{path}");
    }
    // built-in routes run global middlewares, too, and unknown paths stay unknown
    assert_eq!(test.get("/api/health").send().await.status, 200);
    assert_eq!(test.get("/nowhere").send().await.status, 404);
    Ok(())
}

#[tokio::test]
async fn request_hooks_can_answer() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app();
    let post = add_post(app, "a").await?;
    app.on_record_view_request("posts").bind(|e| async move {
        if e.query("plain") == "1" && e.header("x-key") == "k" {
            return e.json(203, &json!({ "only": e.record().get_str("title"), "at": e.path() }));
        }
        e.next().await
    });
    app.on_records_list_request("posts").bind(|e| async move {
        assert_eq!((e.total_items(), e.page(), e.auth()), (1, 1, None));
        let info = e.request_info();
        e.records()[0].set("title", info.headers["x_key"].clone());
        e.next().await
    });
    let url = format!("/api/collections/posts/records/{}", post.id());
    let own = test.get(&format!("{url}?plain=1")).header("x-key", "k").send().await;
    assert_eq!((own.status, &own.json()["only"]), (203, &json!("a")));
    assert_eq!(test.get(&url).send().await.json()["title"], "a");
    let listed =
        test.get("/api/collections/posts/records").header("x-key", "from the request").send().await;
    assert_eq!(listed.json()["items"][0]["title"], "from the request");
    assert_eq!(test.events()["RecordViewRequest"], 2);
    Ok(())
}

/// Hooks of logins stand around the answer, which is made inside them (spec server-settings-operations §8.3).
#[tokio::test]
async fn hooks_of_logins_stand_around_the_answer() -> Result<()> {
    let test = TestApp::new().await?;
    let app = test.app();
    let ann = Record::new(&app.find_collection("users").await?);
    ann.set_email("ann@example.com").set_password("1234567890");
    app.save(&ann).await?;
    let steps = Arc::new(Mutex::new(Vec::new()));
    let (outer, inner) = (steps.clone(), steps.clone());
    app.on_record_auth_with_password_request("users").bind(move |e| {
        let steps = outer.clone();
        async move {
            if e.password() == "let me guess" {
                return e.json(418, &json!({ "who": e.identity() }));
            }
            steps.lock().expect("a lock").push("password >");
            e.next().await?;
            steps.lock().expect("a lock").push("< password");
            Ok(())
        }
    });
    app.on_record_auth_request("users").bind(move |e| {
        let steps = inner.clone();
        async move {
            e.set_meta(json!("by hand"));
            steps.lock().expect("a lock").push("auth >");
            e.next().await?;
            steps.lock().expect("a lock").push("< auth");
            Ok(())
        }
    });
    let login = async |password: &str| {
        let form = json!({ "identity": "ann@example.com", "password": password });
        test.post("/api/collections/users/auth-with-password").json(&form).send().await
    };
    assert_eq!(login("1234567890").await.json()["meta"], "by hand");
    assert_eq!(steps.lock().expect("a lock").join(" "), "password > auth > < auth < password");
    let refused = login("let me guess").await;
    assert_eq!((refused.status, &refused.json()["who"]), (418, &json!("ann@example.com")));
    assert_eq!(login("wrong").await.status, 400);
    Ok(())
}

#[tokio::test]
async fn rules_can_be_asked_and_relations_expanded() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app();
    let posts = app.find_collection("posts").await?;
    let users = app.find_collection("users").await?;
    posts.fields_add(Field::relation("author", &users));
    app.save(&posts).await?;
    let ann = Record::new(&users);
    app.save(ann.set_email("ann@example.com").set_password("1234567890").set("name", "Ann"))
        .await?;
    let post = Record::new(&posts);
    app.save(post.set("title", "t").set("author", ann.id())).await?;

    app.expand_record(&post, ["author"]).await?;
    assert_eq!(
        post.expanded_one("author").map(|author| author.get_str("name")).as_deref(),
        Some("Ann")
    );
    assert_eq!(post.public_export()["expand"]["author"]["name"], "Ann");

    let mut info = pocketbase::RequestInfo::default();
    let rule = Some("author = @request.auth.id");
    assert!(!app.can_access_record(&post, &info, rule).await?);
    info.auth = Some(ann.clone());
    assert!(app.can_access_record(&post, &info, rule).await?);
    assert!(!app.can_access_record(&post, &info, None).await?);
    assert!(!ann.public_export().contains_key("email"), "hidden from others");
    ann.ignore_email_visibility(true);
    assert_eq!(ann.public_export()["email"], "ann@example.com");
    Ok(())
}

#[tokio::test]
async fn an_app_is_served_again_with_the_same_routes() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let app = App::builder().data_dir(dir.path()).build()?;
    app.router().get("/before", || async { "before" });
    app.on_serve().bind(|e| async move {
        e.router().bind(Middleware::new(|e| async move { e.next().await }));
        e.router().group("/g").get("/during", || async { "during" });
        e.next().await
    });
    for _ in 0..2 {
        let options = pocketbase::ServeOptions::at("127.0.0.1:0");
        let mut url = String::new();
        let ended = app.serve(options, std::future::ready(()), |started| url = started.base_url);
        assert_eq!(ended.await?, pocketbase::Ended::Stopped);
        assert!(url.starts_with("http://"));
    }
    app.router().get("/before", || async { "again" });
    let options = pocketbase::ServeOptions::at("127.0.0.1:0");
    let error = app.serve(options, std::future::ready(()), |_| ()).await.expect_err("twice");
    assert_eq!(error.to_string(), "the app has the route \"GET /before\" twice");
    assert!(!app.is_bootstrapped(), "closed in any case");
    Ok(())
}

#[tokio::test]
async fn an_app_opens_again_after_its_end() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let app = App::builder().data_dir(dir.path()).build()?;
    assert!(app.find_collection("users").await.is_err() && !app.is_bootstrapped());
    app.on_bootstrap().bind(|e| async move {
        // data can be used before next(), with the app of the event and with any other handle
        e.app().find_collection("users").await?;
        e.next().await
    });
    for _ in 0..2 {
        app.bootstrap().await?;
        app.find_collection("users").await?;
        app.shutdown().await?;
    }
    app.on_bootstrap().bind(|_| async { Err(Error::other("not today")) });
    assert_eq!(app.bootstrap().await.expect_err("refused").to_string(), "not today");
    assert!(!app.is_bootstrapped());
    Ok(())
}

/// What a request sees of the collections is what there was at its start, whatever others change while it waits.
#[tokio::test(flavor = "multi_thread")]
async fn collections_change_in_the_middle_of_a_request() -> Result<()> {
    let test = with_posts().await?;
    let app = test.app().clone();
    let authors = Collection::base("authors").field(Field::text("name")).view_rule(Some(""));
    app.save(&authors).await?;
    let posts = app.find_collection("posts").await?;
    app.save(&posts.field(Field::relation("author", &authors))).await?;
    let author = Record::new(&authors);
    app.save(author.set("name", "ann")).await?;
    let post = Record::new(&app.find_collection("posts").await?);
    app.save(post.set("title", "first").set("author", author.id())).await?;

    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (here, on) = (arrived.clone(), go_on.clone());
    app.on_records_list_request("posts").bind(move |e| {
        let (here, on) = (here.clone(), on.clone());
        async move {
            here.notify_one();
            on.notified().await;
            e.next().await
        }
    });
    let (here, on) = (arrived.clone(), go_on.clone());
    app.on_record_create_request("posts").bind(move |e| {
        let (here, on) = (here.clone(), on.clone());
        async move {
            here.notify_one();
            on.notified().await;
            e.next().await
        }
    });

    // a rule that expanding asks for after the hook
    let list = test.get("/api/collections/posts/records?expand=author").send();
    let change = async {
        arrived.notified().await;
        app.save(&authors.clone().view_rule(None)).await?;
        go_on.notify_one();
        Ok::<_, Error>(())
    };
    let (answer, changed) = tokio::join!(list, change);
    changed?;
    let item = &answer.json()["items"][0];
    assert_eq!(item["expand"]["author"]["name"], "ann", "{answer:?}");
    go_on.notify_one();
    let answer = test.get("/api/collections/posts/records?expand=author").send().await;
    assert!(answer.json()["items"][0]["expand"]["author"].is_null(), "{answer:?}");
    arrived.notified().await;

    // a column that is gone when the row is written: the error of the operation, and no half of it
    let create = create(&test, "second");
    let change = async {
        arrived.notified().await;
        let posts = app.find_collection("posts").await?;
        posts.fields_remove_by_name("views");
        app.save(&posts).await?;
        go_on.notify_one();
        Ok::<_, Error>(())
    };
    let (answer, changed) = tokio::join!(create, change);
    changed?;
    assert_eq!(
        (answer.status, &answer.json()["message"]),
        (400, &json!("Failed to create record."))
    );
    assert_eq!(app.count_records("posts", ()).await?, 1);

    // what a request changes itself is seen by all of it, in a transaction and after it
    app.router().post("/grow", |e: RequestEvent| async move {
        let app = e.app();
        app.run_in_transaction(|tx| async move {
            tx.save(&Collection::base("grown").field(Field::text("name"))).await?;
            add(&tx, "grown").await
        })
        .await?;
        add(app, "grown").await?;
        Ok::<_, Error>(app.count_records("grown", ()).await?.to_string())
    });
    assert_eq!(test.post("/grow").send().await.text(), "2");
    Ok(())
}

async fn add(app: &App, collection: &str) -> Result<()> {
    app.save(Record::new(&app.find_collection(collection).await?).set("name", "x")).await
}
