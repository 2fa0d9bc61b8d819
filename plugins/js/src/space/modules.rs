//! `require`, `process` and `Buffer` (spec extending §1.11, §1.12): CommonJS, one instance of a module per context.

use std::path::{Path, PathBuf};

use rquickjs::{
    Ctx, Function, Object, Value,
    context::EvalOptions,
    function::This,
    object::{Accessor, Property},
};

use crate::{
    bind::{Fail, Res, ToJs as _, Val, new_map, text, throw},
    run::Local,
};

/// The built-in modules.
const BUILT_IN: &[&str] = &["util", "console", "process", "buffer"];

/// Defines the globals.
pub(crate) fn define<'js>(cx: &Ctx<'js>) -> rquickjs::Result<()> {
    let globals = cx.globals();
    let here = std::env::current_dir().unwrap_or_default();
    let require = require(cx, here)?;
    globals.prop("require", Property::from(require).writable().configurable())?;
    let process = Accessor::from(|cx: Ctx<'js>| process(&cx)).configurable();
    globals.prop("process", process)?;
    let buffer = Accessor::from(|cx: Ctx<'js>| buffer(&cx)).configurable();
    globals.prop("Buffer", buffer)
}

/// `process`, made when it is first asked for.
fn process<'js>(cx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
    let process = Object::new(cx.clone())?;
    let env = new_map(std::env::vars().map(|(key, value)| (key, Val::Str(value))));
    process.set("env", env.to_js(cx)?)?;
    cx.globals().prop("process", Property::from(process.clone()).writable().configurable())?;
    Ok(process)
}

/// `Buffer`, compiled when it is first asked for.
fn buffer<'js>(cx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
    let mut options = EvalOptions::default();
    options.filename = Some("buffer.js".to_owned());
    let class: Value<'js> = cx.eval_with_options(include_str!("buffer.js"), options)?;
    cx.globals().prop("Buffer", Property::from(class.clone()).writable().configurable())?;
    Ok(class)
}

/// A `require` whose relative names begin in a directory.
fn require<'js>(cx: &Ctx<'js>, dir: PathBuf) -> rquickjs::Result<Function<'js>> {
    Function::new(cx.clone(), move |cx: Ctx<'js>, name: Value<'js>| {
        let found = text(&cx, &name).and_then(|name| load(&cx, &dir, &name));
        found.map_err(|fail| throw(&cx, fail))
    })
}

fn load<'js>(cx: &Ctx<'js>, dir: &Path, name: &str) -> Res<Value<'js>> {
    if let Some(built_in) = built_in(cx, name)? {
        return Ok(built_in);
    }
    let path = resolve(dir, name).ok_or_else(|| Fail::other("Invalid module"))?;
    let path = path.canonicalize().unwrap_or(path);
    let key = path.display().to_string();
    let known = Local::of(cx).modules.borrow().get(&key).cloned();
    if let Some(module) = known {
        return Ok(module.get("exports")?);
    }
    let bytes = std::fs::read(&path)?;
    let source = crate::load::source_text(&bytes);
    if path.extension().is_some_and(|extension| extension == "json") {
        return Ok(cx.json_parse(source)?);
    }
    let module = Object::new(cx.clone())?;
    let exports = Object::new(cx.clone())?;
    module.set("exports", exports.clone())?;
    Local::of(cx).modules.borrow_mut().insert(key.clone(), module.clone());
    let done = run(cx, &path, &source, &module, exports);
    if done.is_err() {
        // not kept: it is tried again the next time
        Local::of(cx).modules.borrow_mut().remove(&key);
    }
    done?;
    Ok(module.get("exports")?)
}

fn run<'js>(
    cx: &Ctx<'js>,
    path: &Path,
    source: &str,
    module: &Object<'js>,
    exports: Object<'js>,
) -> Res<()> {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(path.display().to_string());
    // on one line with the first of the module, so that lines keep their numbers
    let wrapped =
        format!("(function (exports, require, module, __filename, __dirname) {{{source}\n}})");
    let compiled: rquickjs::Result<Function<'js>> = cx.eval_with_options(wrapped, options);
    let function = match compiled {
        Ok(function) => function,
        Err(error) if error.is_exception() => {
            let thrown = cx.catch();
            // of the module, not of the handler that wants it: told as what a call reports
            let error = crate::bind::error_of(cx, &thrown);
            return Err(Fail::other(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let (file, folder) = (path.display().to_string(), dir.display().to_string());
    let require = require(cx, dir)?;
    let _: Value<'js> =
        function.call((This(exports.clone()), exports, require, module.clone(), file, folder))?;
    Ok(())
}

fn built_in<'js>(cx: &Ctx<'js>, name: &str) -> Res<Option<Value<'js>>> {
    let bare = name.strip_prefix("node:").unwrap_or(name);
    if !BUILT_IN.contains(&bare) {
        return if bare == name { Ok(None) } else { Err(Fail::other("No such built-in module")) };
    }
    let globals = cx.globals();
    Ok(Some(match bare {
        "console" | "process" => globals.get(bare)?,
        "buffer" => {
            let module = Object::new(cx.clone())?;
            module.set("Buffer", globals.get::<_, Value<'js>>("Buffer")?)?;
            module.into_value()
        }
        _ => {
            let module = Object::new(cx.clone())?;
            let format = Function::new(
                cx.clone(),
                |cx: Ctx<'js>, values: rquickjs::function::Rest<Value<'js>>| {
                    super::console::formatted(&cx, &values.0).map_err(|fail| throw(&cx, fail))
                },
            )?;
            module.set("format", format)?;
            module.into_value()
        }
    }))
}

/// The file that a name stands for.
fn resolve(dir: &Path, name: &str) -> Option<PathBuf> {
    let is_path = name.starts_with(['/', '.'])
        && (name.starts_with('/')
            || name.starts_with("./")
            || name.starts_with("../")
            || name == "."
            || name == "..");
    if is_path {
        return candidate(&dir.join(name));
    }
    dir.ancestors().find_map(|up| candidate(&up.join("node_modules").join(name)))
}

fn candidate(path: &Path) -> Option<PathBuf> {
    as_file(path).or_else(|| as_folder(path))
}
fn as_file(path: &Path) -> Option<PathBuf> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    [path.to_path_buf(), with(".js"), with(".json")].into_iter().find(|path| path.is_file())
}
fn as_folder(path: &Path) -> Option<PathBuf> {
    let main = || {
        let text = std::fs::read_to_string(path.join("package.json")).ok()?;
        let package: serde_json::Value = serde_json::from_str(&text).ok()?;
        let main = path.join(package.get("main")?.as_str()?);
        as_file(&main).or_else(|| index(&main))
    };
    main().or_else(|| index(path))
}
fn index(path: &Path) -> Option<PathBuf> {
    ["index.js", "index.json"].iter().map(|name| path.join(name)).find(|path| path.is_file())
}
