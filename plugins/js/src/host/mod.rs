//! Host types, one file each. To add one: a file with its table, one line here, and `native!` for the Rust type.

mod app;
mod collection;
mod cookie;
mod crypto;
mod dir;
mod events;
mod exchange;
mod expand;
mod fault;
mod field;
mod file;
mod forms;
mod info;
mod layout;
mod middleware;
mod model;
mod query;
mod realtime;
mod record;
mod request;
mod services;
mod store;
mod time;
mod url;
mod zone;

use std::sync::Arc;

use pocketbase::App;
use rquickjs::{Ctx, Result, Value};

pub(crate) use self::{
    collection::{
        UNKNOWN, collection_arg, invalid_failure, invalid_query, new_collection, queried_collection,
    },
    cookie::Cookie,
    dir::Dir,
    events::{HOOKS, bind_hook, hook_tables},
    exchange::{HttpRequest, Lasting, Reader, Source, Stream, Uploaded, canonical},
    fault::parsed as parsed_json,
    field::{FieldValue, new_field},
    forms::{AppleForm, EmailForm, StorageForm, UpsertForm},
    info::new_request_info,
    middleware::{Files, Step, new_middleware, ready},
    model::{Kind, Model, array_of, null_cell},
    query::{Condition, condition, conditions},
    realtime::Letter,
    record::{load as load_record, new_record, value as field_value},
    request::{Request, of as request_of, respond},
    services::MailMessage,
    time::{date_time, moment, moment_of, new_date_time},
    zone::new_zone,
};
use crate::{
    bind::{Res, ToJs, Type, errors, object},
    run::Local,
};

/// The tables of all host types but events and namespaces, for `types.d.ts`.
pub(crate) static TYPES: &[&Type] = &[
    &errors::API_ERROR,
    &errors::VALIDATION_ERROR,
    &errors::VALIDATION_ERRORS,
    &app::APP,
    &app::TX_INFO,
    &collection::COLLECTION,
    &collection::OPTIONS,
    &cookie::COOKIE,
    &crypto::CRYPTO,
    &dir::DIR,
    &field::FIELD,
    &field::FIELDS,
    &file::FILE,
    &file::OPENER,
    &forms::UPSERT_FORM,
    &forms::EMAIL_FORM,
    &forms::STORAGE_FORM,
    &forms::APPLE_FORM,
    &middleware::STEP,
    &middleware::FILES,
    &model::MODEL,
    &model::NULL_CELL,
    &model::JSON_MAP,
    &query::BUILDER,
    &query::QUERY,
    &query::SELECT,
    &query::ROWS,
    &query::CHANGED,
    &query::CONDITION,
    &realtime::BROKER,
    &realtime::CLIENT,
    &realtime::LETTER,
    &record::RECORD,
    &record::GEO,
    &request::REQUEST_EVENT,
    &info::REQUEST_INFO,
    &exchange::HTTP_REQUEST,
    &exchange::HTTP_RESPONSE,
    &url::URL,
    &url::VALUES,
    &exchange::REQUEST_HEADER,
    &exchange::RESPONSE_HEADER,
    &exchange::READER,
    &exchange::LASTING,
    &exchange::UPLOADED,
    &services::LOGGER,
    &services::TREE,
    &services::SETTINGS,
    &services::MAILER,
    &services::MESSAGE,
    &services::CRON,
    &services::JOB,
    &store::STORE,
    &time::DATE_TIME,
    &time::TIME,
    &time::DURATION,
    &time::MONTH,
    &time::WEEKDAY,
    &zone::LOCATION,
];

/// Gives values of the library to scripts as host objects.
macro_rules! hosted {
    ($($ty:ty),* $(,)?) => {$(
        impl crate::bind::ToJs for $ty {
            fn to_js<'js>(self, cx: &rquickjs::Ctx<'js>) -> rquickjs::Result<rquickjs::Value<'js>> {
                crate::bind::object(cx, std::sync::Arc::new(self))
            }
        }
    )*};
}
pub(crate) use hosted;

/// Makes `$app` the app that a handler acts in.
pub(crate) fn set_app(cx: &Ctx<'_>, app: &App) -> Res<()> {
    let value = object(cx, Arc::new(app.clone()))?;
    *Local::of(cx).app.borrow_mut() = app.clone();
    cx.globals().set("$app", value)?;
    Ok(())
}

/// `e.app`: the very object that `$app` is, unless a script has put another in its place.
pub(crate) struct EventApp(pub(crate) Option<App>);
/// The very object that `$app` is.
pub(crate) struct CurrentApp;

impl ToJs for EventApp {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        match self.0 {
            Some(app) => object(cx, Arc::new(app)),
            None => CurrentApp.to_js(cx),
        }
    }
}

impl ToJs for CurrentApp {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> Result<Value<'js>> {
        cx.globals().get("$app")
    }
}
