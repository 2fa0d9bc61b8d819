//! The one promise to the JavaScript engine that its crate cannot check without its macro: which lifetime a type carries.

#![allow(
    unsafe_code,
    reason = "`JsLifetime` is an unsafe trait; its derive needs the `macro` feature, which builds QuickJS twice"
)]

use rquickjs::JsLifetime;

use crate::{
    bind::{Host, Method},
    run::Local,
};

macro_rules! without_js_values {
    ($($ty:ty),* $(,)?) => {$(
        // SAFETY: the type holds no value of a context, so there is no lifetime to change.
        unsafe impl<'js> JsLifetime<'js> for $ty {
            type Changed<'to> = $ty;
        }
    )*};
}
/// Gives the engine a reference of its own to a value. Forgetting a clone would keep the context, too, so that its runtime
/// could never be freed.
pub(crate) fn owned_once_more(value: &rquickjs::Value<'_>) {
    // SAFETY: the context and the value are alive; counting a reference up can only keep the value longer.
    unsafe {
        rquickjs::qjs::JS_DupValue(value.ctx().as_raw().as_ptr(), value.as_raw());
    }
}

without_js_values!(Host, Method);

// SAFETY: `'js` is the lifetime of the values within, and `Changed` differs in nothing else.
unsafe impl<'js> JsLifetime<'js> for Local<'js> {
    type Changed<'to> = Local<'to>;
}
