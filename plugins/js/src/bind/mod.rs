//! The binding mechanism: tables of members → JavaScript objects.
//!
//! A host type (or namespace) is one [`Type`]: names as JavaScript sees them, signatures and sentences for editors, and what
//! each member does. The order in the table is the order of `Object.keys`. See [`table!`]. Must not know any type.

mod args;
pub(crate) mod errors;
mod fail;
mod json;
mod object;
mod order;
mod table;
mod value;

pub(crate) use self::{
    args::{Args, is_nil, items, number, text},
    fail::{Fail, GoError, Res, Thrown, error_of, throw},
    json::encode,
    object::{
        Callable, Held, Host, Method, as_host, define, live_list, live_map, no_result, object,
        shared, table_me, table_out,
    },
    order::Order,
    table::{
        Dynamic, Global, Make, Member, Native, Shared, Tabled, Type, What, globals, native,
        native_at, native_bare, table,
    },
    value::{MapRef, Own, ToJs, Val, export, new_map},
};
