//! Functions that plugins offer to scripts in the library's neutral table: `$namespace.name`, values as JSON.

use rquickjs::{Ctx, Function, Object, Result, Value, function::Rest, object::Property};

use crate::{
    bind::{Fail, Res, ToJs as _, Val, export, throw},
    run::{Local, wait},
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
        let full = native.name.clone();
        let function = Function::new(cx.clone(), move |cx: Ctx<'js>, args: Rest<Value<'js>>| {
            call(&cx, &full, &args.0).map_err(|fail| throw(&cx, fail))?.to_js(&cx)
        })?;
        object.prop(name, Property::from(function).writable().configurable().enumerable())?;
    }
    Ok(())
}

fn call<'js>(cx: &Ctx<'js>, name: &str, args: &[Value<'js>]) -> Res<Val> {
    let args: Res<Vec<_>> = args.iter().map(|value| Ok(export(cx, value)?.into_json())).collect();
    let app = Local::of(cx).app.borrow().clone();
    let given = wait(app.natives().call(&app, name, args?)).map_err(Fail::Host)?;
    Ok(given.into())
}
