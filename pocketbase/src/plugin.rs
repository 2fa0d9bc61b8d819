//! Plugins: code that sets up an app, and what they may set up, each thing with its owner's name.
//!
//! Two plugins with one route, command, table or function are an error that names both. Must not know any plugin.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc};

use api::{MetricKind, Sample};
use clap::{ArgMatches, Command};
use engine::{app::OnDemand, hook::BoxFuture, store::tables};
use parking_lot::Mutex;
use serde_json::Value;

pub use engine::store::tables::{Column, Table};

use crate::{
    app::{App, caught},
    error::{Error, FieldErrors, Result},
    settings::Settings,
    web::{Middleware, Router},
};

/// Code that adds to an app: hooks, routes, commands, jobs, tables, functions for scripts.
///
/// ```
/// use pocketbase::{App, Plugin, Result, Setup};
///
/// struct Greeter { greeting: String }
///
/// impl Plugin for Greeter {
///     fn name(&self) -> &str { "greeter" }
///     fn register(&self, setup: &mut Setup) -> Result<()> {
///         let greeting = self.greeting.clone();
///         setup.router().get("/greet", move || {
///             let greeting = greeting.clone();
///             async move { greeting }
///         });
///         setup.app().on_bootstrap().bind(|e| async move { e.next().await });
///         setup.cron().add("greet", "@daily", |_| async { Ok(()) })
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let app = App::builder().plugin(Greeter { greeting: "Hi".into() }).build()?;
/// assert_eq!(app.bound_hooks()["Bootstrap"], 1);
/// # Ok(()) }
/// ```
pub trait Plugin: Send + Sync + 'static {
    /// Its name, for messages.
    fn name(&self) -> &str;
    /// Sets up the app. Called once, before anything is opened.
    ///
    /// # Errors
    /// Whatever keeps the app from working; [`Builder::build`](crate::Builder::build) fails with it.
    fn register(&self, setup: &mut Setup) -> Result<()>;
}

/// What a plugin sets up. See [`Plugin::register`].
#[derive(Debug)]
pub struct Setup {
    app: App,
    owner: String,
}

/// What plugins have declared.
#[derive(Default)]
pub(crate) struct Registered {
    tables: Vec<(String, Table)>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) prepare: Vec<Prepare>,
    pub(crate) runs_scripts: bool,
    /// Their names, in the order they registered.
    pub(crate) names: Vec<String>,
}

pub(crate) type Prepare = Arc<dyn Fn(&App) -> BoxFuture<Result<()>> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: MetricKind,
    pub(crate) read: Arc<dyn Fn() -> Vec<Sample> + Send + Sync>,
}

impl Setup {
    pub(crate) fn new(app: &App, owner: &str) -> Self {
        Self { app: app.clone(), owner: owner.to_owned() }
    }
    /// The app: its hooks, store, migrations. It is not opened yet.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }
    /// The router. A route that another plugin has is an error when the server starts.
    #[must_use]
    pub fn router(&self) -> Router {
        self.app.router().owned_by(&self.owner)
    }
    /// Adds a middleware to every route, built-in ones included.
    pub fn middleware(&self, middleware: Middleware) {
        self.app.router().bind(middleware);
    }
    /// The jobs that run at times. An id that another plugin has is an error.
    #[must_use]
    pub fn cron(&self) -> crate::cron::Cron<'_> {
        crate::cron::Cron::owned_by(&self.app, &self.owner)
    }
    /// Adds a command; see [`App::command`].
    ///
    /// # Errors
    /// When another plugin has it.
    pub fn command<F, Fut>(&self, command: Command, run: F) -> Result<()>
    where
        F: Fn(App, ArgMatches) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let run = Arc::new(move |app, args| Box::pin(run(app, args)) as BoxFuture<Result<()>>);
        self.app.shared.commands.add(&self.owner, command, run)
    }
    /// Declares a table that is made when it is missing, on SQLite and PostgreSQL, and gets columns that it lacks.
    ///
    /// # Errors
    /// When another plugin has it.
    pub fn table(&self, table: Table) -> Result<()> {
        let mut registered = self.app.shared.registered.lock();
        if let Some((other, _)) = registered.tables.iter().find(|(_, one)| one.name == table.name) {
            return Err(Error::other(format!(
                "{} and {} both have the table {:?}",
                shown(other),
                shown(&self.owner),
                table.name
            )));
        }
        registered.tables.push((self.owner.clone(), table));
        Ok(())
    }
    /// Allows links of accounts (`_externalAuths`) to a service that is no OAuth2 one: one that the plugin signs in with.
    ///
    /// ```
    /// # use pocketbase::{App, Plugin, Record, Result, Setup, testing::TestApp};
    /// struct Badges;
    ///
    /// impl Plugin for Badges {
    ///     fn name(&self) -> &str { "badges" }
    ///     fn register(&self, setup: &mut Setup) -> Result<()> {
    ///         setup.link_provider("badge");
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let test = TestApp::with(App::builder().plugin(Badges)).await?;
    /// let app = test.app();
    /// let users = app.find_collection("users").await?;
    /// let ann = Record::new(&users);
    /// ann.set_email("ann@example.com").set_password("1234567890");
    /// app.save(&ann).await?;
    /// for (provider, is_allowed) in [("badge", true), ("other", false)] {
    ///     let link = Record::new(&app.find_collection("_externalAuths").await?);
    ///     link.set("collectionRef", users.id()).set("recordRef", ann.id());
    ///     link.set("provider", provider).set("providerId", "7");
    ///     assert_eq!(app.save(&link).await.is_ok(), is_allowed);
    /// }
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn link_provider(&self, name: &str) {
        self.app.shared.settings.change(|given| given.engine.link_providers.push(name.to_owned()));
    }
    /// Tells how a collection is made when somebody first asks for it: directories of whoever does not stay as they
    /// were. Its name begins with `_`.
    pub fn collection_on_demand<F, Fut>(&self, name: &str, make: F)
    where
        F: Fn(App) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let (shared, make) = (Arc::downgrade(&self.app.shared), Arc::new(make));
        let made = OnDemand {
            name: name.to_owned(),
            make: Arc::new(move || {
                let (shared, make) = (shared.clone(), make.clone());
                Box::pin(
                    async move { make(App::upgrade(&shared)?).await.map_err(engine::Error::from) },
                )
            }),
            is_making: Arc::default(),
        };
        self.app.shared.settings.change(|given| given.engine.on_demand.push(made));
    }
    /// Adds a flag to every command; see [`App::flag`].
    pub fn flag(&self, arg: clap::Arg) {
        self.app.add_flag(arg);
    }
    /// Does something when the flags are known and before anything is opened: [`App::flag`] and the directories are those of
    /// the command line, and commands may still be added.
    pub fn on_configured(
        &self,
        work: impl Fn(&App) -> BoxFuture<Result<()>> + Send + Sync + 'static,
    ) {
        self.app.shared.registered.lock().prepare.push(Arc::new(work));
    }
    /// Tells that scripts are run, so that hook files and migrations do not stop the server from starting.
    pub fn runs_scripts(&self) {
        self.app.shared.registered.lock().runs_scripts = true;
    }
    /// Adds a number to `/api/metrics`, read whenever somebody asks. `pocketbase_` is put before its name.
    pub fn metric(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.metrics(name, help, MetricKind::Gauge, move || vec![Sample::new(read())]);
    }
    /// Adds numbers with labels to `/api/metrics`, read whenever somebody asks. `pocketbase_` is put before the name.
    pub fn metrics(
        &self,
        name: &'static str,
        help: &'static str,
        kind: MetricKind,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let metric = Metric { name, help, kind, read: Arc::new(read) };
        self.app.shared.registered.lock().metrics.push(metric);
    }
    /// Checks the settings before superusers may save them.
    pub fn check_settings(
        &self,
        check: impl Fn(&Settings) -> Result<(), FieldErrors> + Send + Sync + 'static,
    ) {
        let check = Arc::new(check);
        self.app.on_settings_update_request().bind(move |e| {
            let check = check.clone();
            async move {
                check(&e.new_settings()).map_err(Error::Validation)?;
                e.next().await
            }
        });
    }
    /// Offers a function to scripts.
    ///
    /// # Errors
    /// When another plugin has it.
    pub fn native(&self, function: Native) -> Result<()> {
        self.app.natives().add(&self.owner, function)
    }
}

impl App {
    /// Makes a table that is known only when the app is open; otherwise [`Setup::table`].
    ///
    /// # Errors
    /// Database errors.
    pub async fn ensure_table(&self, table: &Table) -> Result<()> {
        Ok(tables::ensure(&self.engine()?.db(), table).await?)
    }
}

pub(crate) fn shown(owner: &str) -> String {
    if owner.is_empty() { "the app".to_owned() } else { format!("plugin {owner:?}") }
}

/// Makes the declared tables.
pub(crate) async fn make_tables(app: &App) -> Result<()> {
    let declared: Vec<Table> =
        app.shared.registered.lock().tables.iter().map(|(_, table)| table.clone()).collect();
    if declared.is_empty() {
        return Ok(());
    }
    let engine = app.engine()?;
    for table in &declared {
        tables::ensure(&engine.db(), table).await?;
    }
    Ok(())
}

type Call =
    Arc<dyn Fn(App, Vec<Value>, Vec<ScriptFunction>) -> BoxFuture<Result<Value>> + Send + Sync>;
type CallBack = Arc<dyn Fn(App, Vec<Value>, Vec<Native>) -> BoxFuture<Result<Value>> + Send + Sync>;

/// A function of a script that a [`Native`] was given ([`Native::handler`]): it can be kept and called at any time, from
/// anywhere. It runs in an isolated context of its language, like the handler of a route: what surrounds it in its file is
/// not there.
#[derive(Clone)]
pub struct ScriptFunction {
    place: Arc<str>,
    call: CallBack,
}

impl fmt::Debug for ScriptFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScriptFunction").field(&self.place).finish()
    }
}

impl ScriptFunction {
    /// For script runtimes: what calls it with an app, its arguments and the methods of the first of them, and where it
    /// stands (`file:line:column`).
    pub fn new<F, Fut>(place: &str, call: F) -> Self
    where
        F: Fn(App, Vec<Value>, Vec<Native>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value>> + Send + 'static,
    {
        let call: CallBack = Arc::new(move |app, args, methods| Box::pin(call(app, args, methods)));
        Self { place: place.into(), call }
    }
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
    /// Calls it; `$app` is the given app. What it returns comes back as JSON.
    ///
    /// # Errors
    /// What it throws.
    pub async fn call(&self, app: &App, args: Vec<Value>) -> Result<Value> {
        self.call_with(app, args, Vec::new()).await
    }
    /// The same with functions that the first argument, an object, has as methods; they go by the names of the natives.
    ///
    /// # Errors
    /// What it throws.
    pub async fn call_with(
        &self,
        app: &App,
        args: Vec<Value>,
        methods: Vec<Native>,
    ) -> Result<Value> {
        (self.call)(app.clone(), args, methods).await
    }
}

/// A function that scripts may call: its name, its parameters and what it does, in no language in particular. Values are
/// JSON. The script runtime mounts it and describes it to editors.
///
/// ```
/// use pocketbase::{App, Native};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let app = App::new();
/// let add = Native::new("$math.add")
///     .doc("Adds two numbers.")
///     .param("a", "number", "the first")
///     .param("b", "number", "the second")
///     .returns("number")
///     .run(|_, args| async move {
///         let n = |i: usize| args.get(i).and_then(|v| v.as_f64()).unwrap_or_default();
///         Ok((n(0) + n(1)).into())
///     });
/// app.natives().register(add)?;
/// let sum = app.natives().call(&app, "$math.add", vec![1.into(), 2.into()]).await?;
/// assert_eq!(sum, serde_json::json!(3.0));
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Native {
    /// `$namespace.name`.
    pub name: String,
    /// One sentence.
    pub doc: String,
    /// The parameters, in order.
    pub params: Vec<NativeParam>,
    /// The type of the result.
    pub returns: String,
    call: Call,
}

/// A parameter of a [`Native`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeParam {
    /// Its name; with a `?` at the end it may be left out.
    pub name: String,
    /// Its type, as TypeScript spells it.
    pub kind: String,
    /// What it is.
    pub doc: String,
    /// It is a function of the script; see [`Native::handler`].
    pub is_function: bool,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").field("name", &self.name).field("params", &self.params).finish()
    }
}

impl Native {
    /// A function that does nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            doc: String::new(),
            params: Vec::new(),
            returns: "void".to_owned(),
            call: Arc::new(|_, _, _| Box::pin(std::future::ready(Ok(Value::Null)))),
        }
    }
    /// What it does, in one sentence.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        doc.clone_into(&mut self.doc);
        self
    }
    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, name: &str, kind: &str, doc: &str) -> Self {
        let (name, kind, doc) = (name.into(), kind.into(), doc.into());
        self.params.push(NativeParam { name, kind, doc, is_function: false });
        self
    }
    /// Adds a parameter that takes a function of the script. It arrives as a [`ScriptFunction`] ([`Native::run_with`]); its
    /// place among the values is null.
    #[must_use]
    pub fn handler(mut self, name: &str, kind: &str, doc: &str) -> Self {
        let (name, kind, doc) = (name.into(), kind.into(), doc.into());
        self.params.push(NativeParam { name, kind, doc, is_function: true });
        self
    }
    /// The type of the result.
    #[must_use]
    pub fn returns(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.returns);
        self
    }
    /// What it does.
    #[must_use]
    pub fn run<F, Fut>(mut self, run: F) -> Self
    where
        F: Fn(App, Vec<Value>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value>> + Send + 'static,
    {
        self.call = Arc::new(move |app, args, _| Box::pin(run(app, args)));
        self
    }
    /// What it does, with the functions that the script gave it ([`Native::handler`]), in their order.
    ///
    /// ```
    /// use pocketbase::{App, Native, ScriptFunction};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let app = App::new();
    /// let twice = Native::new("$math.twice")
    ///     .handler("f", "(n: number) => number", "what is done twice")
    ///     .run_with(|app, _args, functions| async move {
    ///         let once = functions[0].call(&app, vec![1.into()]).await?;
    ///         functions[0].call(&app, vec![once]).await
    ///     });
    /// app.natives().register(twice)?;
    /// // what a script runtime makes of a function of its language
    /// let double = ScriptFunction::new("x.js:1:1", |_app, args, _methods| async move {
    ///     Ok((args[0].as_i64().unwrap_or_default() * 2).into())
    /// });
    /// let done = app.natives().call_with(&app, "$math.twice", vec![().into()], vec![double]).await?;
    /// assert_eq!(done, 4);
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn run_with<F, Fut>(mut self, run: F) -> Self
    where
        F: Fn(App, Vec<Value>, Vec<ScriptFunction>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value>> + Send + 'static,
    {
        self.call = Arc::new(move |app, args, functions| Box::pin(run(app, args, functions)));
        self
    }
    /// Calls it.
    ///
    /// # Errors
    /// What it fails with, panics included.
    pub async fn call(&self, app: &App, args: Vec<Value>) -> Result<Value> {
        let (call, app) = (self.call.clone(), app.clone());
        caught(&self.name, async move { call(app, args, Vec::new()).await }).await
    }
    /// What it does, where nothing has to be waited for.
    #[must_use]
    pub fn run_sync<F>(mut self, run: F) -> Self
    where
        F: Fn(&App, &[Value]) -> Result<Value> + Send + Sync + 'static,
    {
        let run = Arc::new(run);
        self.call = Arc::new(move |app, args, _| {
            let run = run.clone();
            Box::pin(async move { run(&app, &args) })
        });
        self
    }
}

/// The functions that are offered to scripts. See [`App::natives`].
#[derive(Default)]
pub struct Natives(Mutex<BTreeMap<String, (String, Native)>>);

impl fmt::Debug for Natives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Natives").field("n", &self.0.lock().len()).finish()
    }
}

impl Natives {
    /// Offers a function.
    ///
    /// # Errors
    /// When a plugin has it.
    pub fn register(&self, function: Native) -> Result<()> {
        self.add("", function)
    }
    fn add(&self, owner: &str, function: Native) -> Result<()> {
        let mut all = self.0.lock();
        if let Some((other, _)) = all.get(&function.name)
            && other != owner
        {
            return Err(Error::other(format!(
                "{} and {} both have the function {:?}",
                shown(other),
                shown(owner),
                function.name
            )));
        }
        all.insert(function.name.clone(), (owner.to_owned(), function));
        Ok(())
    }
    /// All functions, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Native> {
        self.0.lock().values().map(|(_, function)| function.clone()).collect()
    }
    /// Calls a function.
    ///
    /// # Errors
    /// When there is none of that name; what it fails with, panics included.
    pub async fn call(&self, app: &App, name: &str, args: Vec<Value>) -> Result<Value> {
        self.call_with(app, name, args, Vec::new()).await
    }
    /// The same with the functions of a script that stand among the arguments.
    ///
    /// # Errors
    /// As [`Natives::call`].
    pub async fn call_with(
        &self,
        app: &App,
        name: &str,
        args: Vec<Value>,
        functions: Vec<ScriptFunction>,
    ) -> Result<Value> {
        let found = self.0.lock().get(name).map(|(_, function)| function.call.clone());
        let call = found.ok_or_else(|| Error::other(format!("there is no function {name:?}")))?;
        let app = app.clone();
        caught(name, async move { call(app, args, functions).await }).await
    }
}
