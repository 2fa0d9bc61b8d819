//! Hook files: found, run once in the loader's context, and what they register (spec extending §1.2, §3.1).

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use pocketbase::{App, Error, Middleware, Result};
use rquickjs::{Ctx, Function, Value, context::EvalOptions, object::Property};

use crate::{
    Js,
    bind::{Args, Fail, Held, Res, Thrown, as_host, globals, text},
    cli::Cmd,
    host::{Files, HOOKS, Request, Step, bind_hook, respond},
    run::{Executor, Local, Pool, Program, Role, call, source_of, thrown_error},
    watch,
};

/// Loads the hook files of an app; without any, nothing is made.
pub(crate) async fn all(app: &App, n_failed: &AtomicUsize) -> Result<()> {
    let dir = app.hooks_dir();
    if app.flag("ignoreHooks").unwrap_or(false) || !dir.is_dir() {
        return Ok(());
    }
    if app.flag("hooksWatch").unwrap_or(true) {
        // before the files are read, so that no change is missed
        watch::start(app);
    }
    let files = files(&dir);
    if files.is_empty() {
        return Ok(());
    }
    let js = Js::new(app);
    if js.profile.is_some() {
        tell_profile(&js);
    }
    let watches = js.watches;
    // one thread, which keeps the context if there are commands in it
    let pool = Pool::new(1);
    let failed = pool.clone().run(move || load(&js, &pool, &dir, &files)).await?;
    n_failed.store(failed.len(), Ordering::Release);
    if watches {
        failed.iter().for_each(|(file, error)| tell(file, error));
        return Ok(());
    }
    // DIFFERENCE: the reference panics at the first
    // a command that fails has one line to say it
    let texts: Vec<String> =
        failed.iter().map(|(file, error)| format!("failed to execute {file}: {error}")).collect();
    if texts.is_empty() { Ok(()) } else { Err(Error::Message(texts.join("; "))) }
}

#[allow(clippy::print_stdout, reason = "asked for with a flag")]
fn tell_profile(js: &Arc<Js>) {
    let app = js.app.clone();
    let js = js.clone();
    app.on_terminate().bind(move |e| {
        let js = js.clone();
        async move {
            let done = e.next().await;
            if let Some(profile) = &js.profile {
                print!("{}", profile.table());
            }
            done
        }
    });
}

// DIFFERENCE: the reference loads them in random order, and writes a line into empty ones
/// The hook files, sorted by name.
fn files(dir: &Path) -> Vec<String> {
    let is_hook = |name: &String| name.ends_with(".pb.js") || name.ends_with(".pb.ts");
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(is_hook)
        .collect();
    names.sort();
    names
}

/// Runs the files; gives what has failed.
fn load(
    js: &Arc<Js>,
    pool: &Arc<Pool>,
    dir: &Path,
    files: &[String],
) -> Result<Vec<(String, Error)>> {
    let mut failed = Vec::new();
    let loader = Executor::new(js, Role::Loader)?;
    let exe = std::env::args().next().unwrap_or_default();
    let root =
        Cmd::root(Path::new(&exe).file_name().and_then(|name| name.to_str()).unwrap_or(&exe));
    loader.with(|cx| *Local::of(cx).root.borrow_mut() = Some(root.clone()));
    for name in files {
        let path = dir.join(name);
        let done = std::fs::read(&path).map_err(Error::from).and_then(|bytes| {
            let text = source_text(&bytes);
            js.knows(&path.display().to_string(), &text);
            loader.with(|cx| evaluated(cx, &text, &path.display().to_string()))
        });
        if let Err(error) = done {
            failed.push((name.clone(), error));
        }
    }
    crate::cli::register(&js.app, pool, loader, &root);
    Ok(failed)
}

/// The text of a file: no byte order mark, no `#!` line.
pub(crate) fn source_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // still a line, so that the others keep their numbers
    if text.starts_with("#!") { format!("//{text}") } else { text.to_owned() }
}

pub(crate) fn evaluated(cx: &Ctx<'_>, text: &str, file: &str) -> Result<()> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(file.to_owned());
    let done: rquickjs::Result<Value<'_>> = cx.eval_with_options(text, options);
    done.map(drop).map_err(|error| thrown_error(cx, Fail::Js(error)))
}

/// Tells on the terminal why a file does not load.
#[allow(clippy::print_stdout, reason = "for whoever started the server")]
pub(crate) fn tell(file: &str, error: &Error) {
    println!("\u{1b}[31m{}\u{1b}[0m", shown(file, error));
}

/// Why a file does not load, with the line where it fails.
fn shown(file: &str, error: &Error) -> String {
    let mut text = format!("failed to execute {file}:\n - {error}");
    let thrown = error.downcast_ref::<Thrown>();
    if let Some(excerpt) = thrown.and_then(Thrown::spot).and_then(|spot| excerpt(&spot)) {
        text.push_str(&excerpt);
    }
    text
}

/// A line of a file and a mark below the column.
fn excerpt((path, line, column): &(&str, usize, usize)) -> Option<String> {
    const WIDTH: usize = 160;
    let bytes = std::fs::read(path).ok()?;
    let text = source_text(&bytes);
    let whole = text.lines().nth(line.checked_sub(1)?)?;
    let gutter = format!("{line:>5} | ");
    // a bundle may be one line of megabytes
    let skipped = column.saturating_sub(WIDTH / 2);
    let part: String =
        whole.chars().skip(skipped).take(WIDTH).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let blank =
        " ".repeat(gutter.len() + column.saturating_sub(1) - skipped.min(column.saturating_sub(1)));
    Some(format!("\n{gutter}{part}\n{blank}^"))
}

globals! {
    pub(crate) static FUNCTIONS {
        fn "routerAdd" "(method: string, path: string, handler: ((e: core.RequestEvent) => any) | Handler | string, ...middlewares: any[]): void" "Adds a route." => |cx, a| router_add(cx, a)?;
        fn "routerUse" "(...middlewares: any[]): void" "Adds middlewares to every route." => |cx, a| router_use(cx, a)?;
    }
}

globals! {
    pub(crate) static CRON {
        fn "cronAdd" "(id: string, expression: string, handler: (() => void) | string): void" "Adds a job." => |cx, a| cron_add(cx, a, true)?;
        fn "cronRemove" "(id: string): void" "Ends a job." => |cx, a| Local::of(cx).js.app.cron().remove(&a.str(0)?);
    }
}

/// Defines a function for every hook.
pub(crate) fn define_hooks<'js>(cx: &Ctx<'js>) -> rquickjs::Result<()> {
    let globals = cx.globals();
    for (name, tagged) in HOOKS {
        let function = Function::new(
            cx.clone(),
            move |cx: Ctx<'js>, args: rquickjs::function::Rest<Value<'js>>| {
                on_hook(&cx, name, *tagged, &args.0).map_err(|fail| crate::bind::throw(&cx, fail))
            },
        )?;
        globals.prop(*name, Property::from(function).writable().configurable())?;
    }
    Ok(())
}

fn on_hook<'js>(cx: &Ctx<'js>, name: &'static str, tagged: bool, args: &[Value<'js>]) -> Res<()> {
    let js = Local::of(cx).js.clone();
    let handler = args.first().cloned().unwrap_or_else(|| Value::new_undefined(cx.clone()));
    let tags: Res<Vec<String>> = args.iter().skip(1).map(|tag| text(cx, tag)).collect();
    let tags = tags?;
    if !tagged && !tags.is_empty() {
        return Err(Fail::Type("reflect: Call with too many input arguments".into()));
    }
    let program = program(cx, &js, &handler, name.to_owned())?.ok_or_else(|| {
        Fail::Type(format!("[{name}] failed to wrap handler: a function is expected"))
    })?;
    bind_hook(&js, name, tags, program);
    Ok(())
}

/// A handler with its place in its file.
pub(crate) fn program<'js>(
    cx: &Ctx<'js>,
    js: &Arc<Js>,
    handler: &Value<'js>,
    label: String,
) -> Res<Option<Arc<Program>>> {
    let Some(source) = source_of(cx, handler)? else { return Ok(None) };
    let place = place(js, handler, &source);
    let program = js.program(source, place, label);
    // what cannot be compiled is told where it is registered
    program.compile(cx)?;
    Ok(Some(program))
}

/// Where a function stands: the text is looked for in its file, nearest to the line that the engine names.
fn place(js: &Js, handler: &Value<'_>, source: &str) -> (String, usize, usize) {
    let function = handler.as_function();
    let file: Option<String> = function.and_then(|function| function.get("fileName").ok());
    let line: Option<usize> = function.and_then(|function| function.get("lineNumber").ok());
    place_in(js, source, file.zip(line))
}

fn place_in(js: &Js, source: &str, at: Option<(String, usize)>) -> (String, usize, usize) {
    let Some((file, line)) = at else { return ("handler".into(), 1, 1) };
    let texts = js.texts.lock();
    let Some((_, text)) = texts.iter().find(|(known, _)| *known == file) else {
        return (file, line, 1);
    };
    let places = text.match_indices(source).map(|(at, _)| {
        let before = &text[..at];
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
    });
    match places.min_by_key(|(found, _)| found.abs_diff(line)) {
        Some((line, column)) => (file, line, column),
        None => (file, line, 1),
    }
}

fn router_add<'js>(cx: &Ctx<'js>, args: &Args<'_, 'js>) -> Res<()> {
    let js = Local::of(cx).js.clone();
    let (method, path) = (args.str(0)?.to_uppercase(), args.str(1)?);
    if args.is_nil(2) {
        return Err(Fail::Type(
            "[routerAdd] failed to wrap handler: handler must be non-nil".into(),
        ));
    }
    let label = format!("{method} {path}").trim().to_owned();
    let middlewares = middlewares(cx, &js, args, 3, "routerAdd")?;
    let files = args.opt_host::<Files>(2)?;
    if let Some(files) = files {
        let handler = pocketbase::middleware::static_files(files.dir.clone(), files.index_fallback);
        let route = js.app.router().route(&method, &path, handler);
        middlewares.into_iter().fold(route, pocketbase::RouteRef::bind);
        return Ok(());
    }
    let program = program(cx, &js, &args.at(2), label)?.ok_or_else(|| {
        Fail::Type("[routerAdd] failed to wrap handler: unsupported goja handler type".into())
    })?;
    let runtime = js.clone();
    let mut route = js.app.router().route(&method, &path, move |e: pocketbase::RequestEvent| {
        let (js, program) = (runtime.clone(), program.clone());
        async move { answered(js, program, e, false).await }
    });
    for middleware in middlewares {
        route = route.bind(middleware);
    }
    Ok(())
}

pub(crate) fn cron_add<'js>(cx: &Ctx<'js>, args: &Args<'_, 'js>, is_global: bool) -> Res<()> {
    let js = Local::of(cx).js.clone();
    let (id, expression) = (args.str(0)?, args.str(1)?);
    let program = program(cx, &js, &args.at(2), format!("cron {id}"))?.ok_or_else(|| {
        Fail::Type("[cronAdd] failed to wrap handler: a function is expected".into())
    })?;
    let runtime = js.clone();
    let added = js.app.cron().add(&id, &expression, move |app| {
        let (js, program) = (runtime.clone(), program.clone());
        async move {
            let pool = js.pool.clone();
            pool.run(move || call(&js, &program, &app, None)).await
        }
    });
    added.map_err(|_| {
        let text = "failed to add new cron job: invalid cron expression - must be a valid macro or to have exactly 5 space separated segments";
        match is_global {
            true => Fail::Type(format!("[cronAdd] failed to register cron job {id}: {text}")),
            false => Fail::other(text),
        }
    })
}

fn router_use<'js>(cx: &Ctx<'js>, args: &Args<'_, 'js>) -> Res<()> {
    let js = Local::of(cx).js.clone();
    for middleware in middlewares(cx, &js, args, 0, "routerUse")? {
        js.app.router().bind(middleware);
    }
    Ok(())
}

fn middlewares<'js>(
    cx: &Ctx<'js>,
    js: &Arc<Js>,
    args: &Args<'_, 'js>,
    from: usize,
    by: &str,
) -> Res<Vec<Middleware>> {
    let fail = |text: &str| Fail::Type(format!("[{by}] failed to wrap middlewares: {text}"));
    let mut made = Vec::new();
    for given in args.rest(from) {
        if given.is_null() || given.is_undefined() {
            return Err(fail("middleware must be non-nil"));
        }
        let label = format!("a middleware of {by}");
        if let Some(step) = as_host(&given).and_then(Held::<Step>::of) {
            made.push(match &*step {
                Step::Ready(middleware) => middleware.clone(),
                Step::Script { source, place, priority, id } => {
                    let place = place_in(js, source, place.clone());
                    let program = js.program(source.clone(), place, label);
                    program.compile(cx)?;
                    middleware(js, program, *priority, id)
                }
            });
            continue;
        }
        let program = program(cx, js, &given, label)?
            .ok_or_else(|| fail("unsupported goja middleware type"))?;
        made.push(middleware(js, program, 0, ""));
    }
    Ok(made)
}

fn middleware(js: &Arc<Js>, program: Arc<Program>, priority: i32, id: &str) -> Middleware {
    let js = js.clone();
    let made = Middleware::new(move |e| {
        let (js, program) = (js.clone(), program.clone());
        async move { answered(js, program, e, true).await }
    });
    made.priority(priority).id(id)
}

/// Runs a handler of a route or a middleware and gives its answer.
async fn answered(
    js: Arc<Js>,
    program: Arc<Program>,
    event: pocketbase::RequestEvent,
    has_next: bool,
) -> Result<pocketbase::Response> {
    let pool = js.pool.clone();
    let work = move || {
        let app = event.app().clone();
        let request = Request::of_route(event, has_next);
        let done = call(&js, &program, &app, Some(Arc::new(request.clone())));
        respond(&request, done)
    };
    pool.run(work).await
}
