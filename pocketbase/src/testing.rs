//! Testing apps: a directory that goes away, requests without a socket, caught mails, counted hooks.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

pub use api::testing::Answer;
use api::{api::Api, testing};
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    app::{App, Builder},
    error::Result,
    hooks::{self, Counts, Handler},
    mail::Message,
    moment::DateTime,
    record::Record,
    serve::ServeOptions,
    web::Serving,
};

/// An app on a directory of its own, which is removed when this is dropped. Mails are caught, and events are counted.
///
/// ```
/// use pocketbase::{Record, testing::TestApp};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let test = TestApp::new().await?;
/// let app = test.app();
/// app.router().get("/hello/{name}", |e: pocketbase::RequestEvent| async move {
///     format!("Hello {}", e.path_value("name"))
/// });
/// assert_eq!(test.get("/hello/Ann").send().await.text(), "Hello Ann");
///
/// let root = test.superuser("root@example.com").await?;
/// let answer = test.get("/api/collections/users/records").auth(&root)?.send().await;
/// assert_eq!((answer.status, answer.json()["totalItems"].as_i64()), (200, Some(0)));
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct TestApp {
    app: App,
    api: tokio::sync::Mutex<Option<Api>>,
    mails: Arc<Mutex<Vec<Message>>>,
    counts: Counts,
    moved_ms: AtomicI64,
    _dir: TempDir,
}

impl TestApp {
    /// An app on an empty directory.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub async fn new() -> Result<Self> {
        Self::build(tempfile::tempdir()?, App::builder()).await
    }
    /// An app on a copy of a data directory.
    ///
    /// # Errors
    /// When it cannot be copied or opened.
    pub async fn from_dir(dir: impl AsRef<Path>) -> Result<Self> {
        let copy = tempfile::tempdir()?;
        copy_dir(dir.as_ref(), copy.path())?;
        Self::build(copy, App::builder()).await
    }
    /// An app of one's own (plugins, options) on an empty directory.
    ///
    /// # Errors
    /// What plugins report; when it cannot be made or opened.
    pub async fn with(builder: Builder) -> Result<Self> {
        Self::build(tempfile::tempdir()?, builder).await
    }
    async fn build(dir: TempDir, builder: Builder) -> Result<Self> {
        let app = builder.data_dir(dir.path()).build()?;
        let mails = Arc::<Mutex<Vec<Message>>>::default();
        let caught = mails.clone();
        let catch = Handler::new(move |e: crate::event::MailEvent| {
            caught.lock().push(e.message());
            async { Ok(()) }
        });
        // the innermost: handlers of the app see the mail first
        app.on_mailer_send().bind_handler(catch.id("pbCatch").priority(i32::MAX));
        let counts = Counts::default();
        hooks::count(&app.shared.hooks, &counts);
        app.bootstrap().await?;
        Ok(Self {
            app,
            api: tokio::sync::Mutex::default(),
            mails,
            counts,
            moved_ms: AtomicI64::new(0),
            _dir: dir,
        })
    }

    /// The app. Routes added after the first request are served from the next on.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }
    /// The mails that were sent so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Message> {
        self.mails.lock().clone()
    }
    /// How often each hook was triggered so far, by the reference's name without `on` (`RecordCreate`).
    #[must_use]
    pub fn events(&self) -> BTreeMap<&'static str, usize> {
        self.counts.lock().clone()
    }
    /// Forgets mails and counts.
    pub fn reset(&self) {
        self.mails.lock().clear();
        self.counts.lock().clear();
    }
    /// A new superuser.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn superuser(&self, email: &str) -> Result<Record> {
        let record = Record::new(&self.app.find_collection("_superusers").await?);
        record.set_email(email).set_password("1234567890");
        self.app.save(&record).await?;
        Ok(record)
    }
    /// Lets time pass: expiry of tokens, `@now`, dates of records and logs, [`now`](crate::now). What waits for a while
    /// (deadlines, pauses) does not notice, and jobs are started with [`TestApp::run_crons_at`].
    ///
    /// The clock belongs to the process: tests that move it stand in a file of `tests/` of their own. It is set back when
    /// this is dropped.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use pocketbase::testing::TestApp;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let test = TestApp::new().await?;
    /// let token = test.superuser("root@example.com").await?.new_auth_token()?;
    /// let ask = || test.get("/api/settings").header("authorization", &token).send();
    /// assert_eq!(ask().await.status, 200);
    /// test.advance(Duration::from_secs(400 * 86_400));
    /// assert_eq!(ask().await.status, 401);
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.moved_ms.fetch_add(millis, Relaxed);
        engine::time::move_clock(millis);
    }
    /// Runs the jobs that are due at a time, as the clock would, in the background.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub fn run_crons_at(&self, time: DateTime) -> Result<()> {
        let engine = self.app.engine()?;
        engine.crons().run_due(&engine, time);
        Ok(())
    }
    /// The opened app, its routes as they are now.
    async fn api(&self) -> Result<Api> {
        let mut slot = self.api.lock().await;
        if let Some(api) = &*slot {
            api.set_routes(&self.app.router().build()?).map_err(crate::Error::other)?;
            return Ok(api.clone());
        }
        let serving = Serving { base_url: "http://localhost".into(), local: None };
        let api = self.app.api(ServeOptions::default(), &[], false, serving).await?;
        *slot = Some(api.clone());
        Ok(api)
    }

    /// A request to be sent.
    pub fn request(&self, method: &str, url: &str) -> TestRequest<'_> {
        TestRequest {
            test: self,
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }
    /// A GET.
    pub fn get(&self, url: &str) -> TestRequest<'_> {
        self.request("GET", url)
    }
    /// A POST.
    pub fn post(&self, url: &str) -> TestRequest<'_> {
        self.request("POST", url)
    }
    /// A PATCH.
    pub fn patch(&self, url: &str) -> TestRequest<'_> {
        self.request("PATCH", url)
    }
    /// A DELETE.
    pub fn delete(&self, url: &str) -> TestRequest<'_> {
        self.request("DELETE", url)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        engine::time::move_clock(-self.moved_ms.load(Relaxed));
    }
}

fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A request on its way into a [`TestApp`].
#[derive(Debug)]
#[must_use]
pub struct TestRequest<'t> {
    test: &'t TestApp,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl TestRequest<'_> {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    /// Signs it with a token of a record.
    ///
    /// # Errors
    /// For records of collections without logins.
    pub fn auth(self, record: &Record) -> Result<Self> {
        let token = record.new_auth_token()?;
        Ok(self.header("authorization", &token))
    }
    /// A JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("content-type", "application/json")
    }
    /// A body of another type.
    pub fn body(mut self, content_type: &str, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self.header("content-type", content_type)
    }
    /// Sends it through the whole pipeline. An app that cannot be served answers status 0 with the reason.
    pub async fn send(self) -> Answer {
        let api = match self.test.api().await {
            Ok(api) => api,
            Err(error) => return Answer::unsent(&error.to_string()),
        };
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        testing::send(&api, &self.method, &self.url, &headers, &self.body).await
    }
}

/// One request and everything that is expected of it.
///
/// ```
/// use pocketbase::testing::{Scenario, TestApp};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let test = TestApp::new().await?;
/// Scenario::new("guests see no superusers", "GET", "/api/collections/_superusers/records")
///     .expect_status(403)
///     .expect_content("Only superusers can perform this action.")
///     .expect_no_content("items")
///     .expect_events([("RecordsListRequest", 0)])
///     .run(&test)
///     .await;
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Scenario {
    name: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    content: Vec<String>,
    no_content: Vec<String>,
    events: BTreeMap<String, usize>,
}

impl Scenario {
    /// A request; a 200 is expected.
    pub fn new(name: &str, method: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: String::new(),
            status: 200,
            content: Vec::new(),
            no_content: Vec::new(),
            events: BTreeMap::new(),
        }
    }
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
    /// A JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("content-type", "application/json")
    }
    /// The status.
    pub fn expect_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
    /// Text that the answer must hold.
    pub fn expect_content(mut self, text: &str) -> Self {
        self.content.push(text.to_owned());
        self
    }
    /// Text that the answer must not hold.
    pub fn expect_no_content(mut self, text: &str) -> Self {
        self.no_content.push(text.to_owned());
        self
    }
    /// How often hooks are triggered by the request. `("*", 0)` means: no other hook.
    pub fn expect_events<const N: usize>(mut self, events: [(&str, usize); N]) -> Self {
        self.events.extend(events.into_iter().map(|(name, n)| (name.to_owned(), n)));
        self
    }

    /// What is not as expected, a line each.
    pub async fn differences(&self, test: &TestApp) -> Vec<String> {
        test.reset();
        let mut request = test.request(&self.method, &self.url);
        request.headers.clone_from(&self.headers);
        request.body.clone_from(&self.body);
        let answer = request.send().await;
        let (text, seen) = (answer.text(), test.events());
        let mut wrong = Vec::new();
        if answer.status != self.status {
            wrong.push(format!("status {} instead of {}: {text}", answer.status, self.status));
        }
        let missing = self.content.iter().filter(|want| !text.contains(want.as_str()));
        wrong.extend(missing.map(|want| format!("{want:?} is missing in {text}")));
        let unwanted = self.no_content.iter().filter(|not| text.contains(not.as_str()));
        wrong.extend(unwanted.map(|not| format!("{not:?} should not be in {text}")));
        for (name, want) in self.events.iter().filter(|(name, _)| *name != "*") {
            let n = seen.get(name.as_str()).copied().unwrap_or_default();
            if n != *want {
                wrong.push(format!("{name} was triggered {n} times instead of {want}"));
            }
        }
        if self.events.contains_key("*") {
            let others = seen.iter().filter(|(name, _)| !self.events.contains_key(**name));
            wrong.extend(others.map(|(name, n)| format!("{name} was triggered {n} times")));
        }
        wrong
    }

    /// Sends the request.
    ///
    /// # Panics
    /// When something is not as expected.
    pub async fn run(&self, test: &TestApp) {
        let wrong = self.differences(test).await;
        assert!(wrong.is_empty(), "{}: {wrong:#?}", self.name);
    }
}
