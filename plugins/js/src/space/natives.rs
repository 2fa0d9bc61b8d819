//! Functions that plugins offer to scripts in the library's neutral table: `$namespace.name`, values as JSON, functions of
//! the script as handlers that run in an executor of their own.

use std::sync::Arc;

use pocketbase::{App, Native, ScriptFunction};
use rquickjs::{Ctx, Function, Object, Result, Value, function::Rest, object::Property};
use serde_json::Value as Json;

use crate::{
    bind::{Fail, Held, Res, ToJs as _, Val, as_host, export, throw},
    load::program,
    run::{Local, invoke, wait},
};

/// Mounts all of them.
pub(crate) fn define<'js>(cx: &Ctx<'js>) -> Result<()> {
    let app = Local::of(cx).js.app.clone();
    for native in app.natives().list() {
        let Some((space, name)) = native.name.split_once('.') else { continue };
        let globals = cx.globals();
        let known: Option<Object<'js>> = globals.get(space)?;
        let object = match known {
            Some(object) => object,
            None => {
                let object = Object::new(cx.clone())?;
                globals.prop(space, Property::from(object.clone()).writable().configurable())?;
                object
            }
        };
        let name = name.to_owned();
        let function = Function::new(cx.clone(), move |cx: Ctx<'js>, args: Rest<Value<'js>>| {
            call(&cx, &native, &args.0).map_err(|fail| throw(&cx, fail))
        })?;
        object.prop(name, Property::from(function).writable().configurable().enumerable())?;
    }
    Ok(())
}

fn call<'js>(cx: &Ctx<'js>, native: &Native, args: &[Value<'js>]) -> Res<Value<'js>> {
    let (mut values, mut functions) = (Vec::with_capacity(args.len()), Vec::new());
    for (at, value) in args.iter().enumerate() {
        if native.params.get(at).is_some_and(|param| param.is_function) {
            functions.push(handler(cx, native, value)?);
            values.push(Json::Null);
        } else {
            values.push(export(cx, value)?.into_json());
        }
    }
    let app = acting(cx);
    let given = wait(app.natives().call_with(&app, &native.name, values, functions));
    Ok(plain(cx, given.map_err(Fail::Host)?)?)
}

/// The app that a call acts in: the innermost open transaction of the context, or else what `$app` is.
fn acting(cx: &Ctx<'_>) -> App {
    let local = Local::of(cx);
    let open = local.transactions.borrow().last().and_then(|(tx, _)| as_host(tx));
    let open = open.and_then(Held::<App>::of).map(|app| App::clone(&app));
    open.unwrap_or_else(|| local.app.borrow().clone())
}

/// A value of JSON as a plain one of the script.
fn plain<'js>(cx: &Ctx<'js>, value: Json) -> Result<Value<'js>> {
    match value {
        Json::Array(_) | Json::Object(_) => cx.json_parse(value.to_string()),
        simple => Val::from(simple).to_js(cx),
    }
}

/// A function of the script as one that anybody may call later.
fn handler<'js>(cx: &Ctx<'js>, native: &Native, given: &Value<'js>) -> Res<ScriptFunction> {
    let js = Local::of(cx).js.clone();
    let made = program(cx, &js, given, native.name.clone())?;
    let program = made.ok_or_else(|| {
        Fail::Type(format!("[{}] failed to wrap handler: a function is expected", native.name))
    })?;
    let place = program.place();
    Ok(ScriptFunction::new(&place, move |app, mut args, methods| {
        let (js, program) = (js.clone(), program.clone());
        async move {
            let pool = js.pool.clone();
            let argument = if args.is_empty() { None } else { Some(args.swap_remove(0)) };
            let work = move || {
                invoke(&js, &program, &app, |cx| {
                    Ok(argument.map(|value| with_methods(cx, value, methods)).transpose()?)
                })
            };
            // what a deadline ends must not keep its thread
            pool.run_wanted(work).await.map(|()| Json::Null)
        }
    }))
}

/// A value, with functions as its methods if it is an object.
fn with_methods<'js>(cx: &Ctx<'js>, value: Json, methods: Vec<Native>) -> Result<Value<'js>> {
    let value = plain(cx, value)?;
    let Some(object) = value.as_object() else { return Ok(value) };
    for native in methods {
        let name = native.name.clone();
        let native = Arc::new(native);
        let function = Function::new(cx.clone(), move |cx: Ctx<'js>, args: Rest<Value<'js>>| {
            call_method(&cx, &native, &args.0).map_err(|fail| throw(&cx, fail))
        })?;
        object.prop(name, Property::from(function).writable().configurable())?;
    }
    Ok(value)
}

fn call_method<'js>(cx: &Ctx<'js>, native: &Native, args: &[Value<'js>]) -> Res<Value<'js>> {
    let args: Res<Vec<_>> = args.iter().map(|value| Ok(export(cx, value)?.into_json())).collect();
    let app = acting(cx);
    let given = wait(native.call(&app, args?)).map_err(Fail::Host)?;
    Ok(plain(cx, given)?)
}
