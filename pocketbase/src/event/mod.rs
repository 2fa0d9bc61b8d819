//! Events as handlers see them: [`Event`] with accessors for what each kind carries.
//!
//! A handler gets one and calls [`Event::next`]. Events of requests know the request and can answer it. The values behind
//! are the engine's and `api`'s; nothing is decided here.

use std::{fmt, sync::Arc};

use api::request::Exchange;
use engine::{
    Ctx,
    event::{self, Model as EngineModel},
    hook::{self, Payload},
};
use serde_json::{Map, Value};

pub use engine::event::Action;
/// The events that a request causes, given to a macro of one's own: `request_events!(name)` is `name! { A, B, … }`.
pub use engine::request_events;

use crate::{
    app::App,
    collection::Collection,
    error::{Error, Result},
    mail::Message,
    record::Record,
    settings::Settings,
    web::{Incoming, IntoResponse, RequestInfo, Router, Serving},
};

/// One event on its way through a hook's chain. Cheap to clone.
pub struct Event<P: 'static> {
    app: App,
    inner: hook::Event<P>,
}

impl<P> Clone for Event<P> {
    fn clone(&self) -> Self {
        Self { app: self.app.clone(), inner: self.inner.clone() }
    }
}

impl<P> fmt::Debug for Event<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }
}

/// How an event's app is found: that of its context, or of its engine.
pub trait IntoApp {
    #[doc(hidden)]
    fn acting(&self, app: &App) -> App;
}

impl<P: Payload + IntoApp> Event<P> {
    pub(crate) fn new(app: &App, inner: hook::Event<P>) -> Self {
        let app = inner.acting(app);
        Self { app, inner }
    }
}

impl<P: Payload> Event<P> {
    /// The app to use in the handler: inside a transaction it is the transaction's.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }
    /// Continues with the next handler, at the end with the action itself. A handler that returns without calling it
    /// skips both, and the operation counts as done. A second call does nothing.
    ///
    /// # Errors
    /// What the rest of the chain reports.
    pub async fn next(&self) -> Result<()> {
        self.inner.next().await?;
        Ok(())
    }
}

macro_rules! aliases {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])* pub type $name = Event<event::$name>;)*
    };
}

aliases! {
    /// Of `on_bootstrap` and `on_settings_reload`.
    AppEvent;
    /// Of `on_serve`.
    ServeEvent;
    /// Of `on_terminate`.
    TerminateEvent;
    /// Of `on_backup_create` and `on_backup_restore`.
    BackupEvent;
    /// Of `on_settings_list_request`.
    SettingsListEvent;
    /// Of `on_settings_update_request`.
    SettingsUpdateEvent;
    /// Of `on_model_…`.
    ModelEvent;
    /// Of `on_record_validate`, `on_record_create` and the like.
    RecordEvent;
    /// Of `on_record_enrich`.
    EnrichEvent;
    /// Of `on_collection_validate`, `on_collection_create` and the like.
    CollectionEvent;
    /// Of `on_mailer_send`.
    MailEvent;
    /// Of `on_mailer_record_…_send`.
    RecordMailEvent;
    /// Of `on_realtime_connect_request`.
    RealtimeConnectEvent;
    /// Of `on_realtime_message_send`.
    RealtimeMessageEvent;
    /// Of `on_realtime_subscribe_request`.
    RealtimeSubscribeEvent;
    /// Of `on_file_download_request`.
    FileDownloadEvent;
    /// Of `on_file_token_request`.
    FileTokenEvent;
    /// Of requests about one record.
    RecordRequestEvent;
    /// Of `on_records_list_request`.
    RecordsListEvent;
    /// Of `on_record_auth_request`.
    RecordAuthEvent;
    /// Of `on_record_auth_with_password_request`.
    AuthWithPasswordEvent;
    /// Of `on_record_auth_with_oauth2_request`.
    AuthWithOAuth2Event;
    /// Of `on_record_request_email_change_request` and `on_record_confirm_email_change_request`.
    EmailChangeEvent;
    /// Of `on_record_request_otp_request`.
    RequestOtpEvent;
    /// Of `on_record_auth_with_otp_request`.
    AuthWithOtpEvent;
    /// Of `on_collections_list_request`.
    CollectionsListEvent;
    /// Of requests about one collection.
    CollectionRequestEvent;
    /// Of `on_collections_import_request`.
    CollectionsImportEvent;
    /// Of `on_batch_request`.
    BatchEvent;
}

macro_rules! with_app {
    ($($name:ident),* $(,)?) => {$(
        impl IntoApp for event::$name {
            fn acting(&self, app: &App) -> App {
                app.acting_in(&Ctx::system(&self.app))
            }
        }
    )*};
}
macro_rules! with_ctx {
    ($($name:ident),* $(,)?) => {$(
        impl IntoApp for event::$name {
            fn acting(&self, app: &App) -> App {
                app.acting_in(&self.ctx)
            }
        }
    )*};
}
with_app!(AppEvent, ServeEvent, TerminateEvent, BackupEvent, MailEvent, RecordMailEvent);
with_ctx!(EnrichEvent);

macro_rules! with_slot {
    ($($name:ident),* $(,)?) => {$(
        impl IntoApp for event::$name {
            fn acting(&self, app: &App) -> App {
                app.acting_in(&self.ctx.get())
            }
        }
        impl Event<event::$name> {
            /// Goes on with another handle of the app, a transaction's above all: what [`Event::next`] does, further
            /// handlers included, is part of it.
            ///
            /// ```
            /// # let app = pocketbase::App::new();
            /// app.on_record_create("posts").bind(|e| async move {
            ///     let event = e.clone();
            ///     let work = move |tx| async move {
            ///         event.set_app(&tx)?;
            ///         event.next().await
            ///     };
            ///     e.app().run_in_transaction(work).await
            /// });
            /// ```
            ///
            /// # Errors
            /// Before [`App::bootstrap`].
            pub fn set_app(&self, app: &App) -> Result<()> {
                let mut ctx = app.ctx()?;
                self.inner.ctx.with(|present| {
                    ctx.caller = present.caller.clone();
                    ctx.request.clone_from(&present.request);
                    *present = ctx;
                });
                Ok(())
            }
        }
    )*};
}
with_slot!(ModelEvent, RecordEvent, CollectionEvent);

/// Events that a request caused.
pub trait Requested: event::Requested {}

macro_rules! requested {
    ($($name:ident),* $(,)?) => {
        with_ctx!($($name),*);
        $(impl Requested for event::$name {})*
    };
}
engine::request_events!(requested);

/// Every event of a request knows who asks and what, and can answer it.
///
/// ```
/// # use pocketbase::{App, ApiError};
/// let app = App::new();
/// app.on_record_create_request("posts").bind(|e| async move {
///     if e.auth().is_none() {
///         return Err(ApiError::forbidden("sign in first").into());
///     }
///     if !e.has_superuser_auth() {
///         e.record().set("status", "pending");
///     }
///     e.next().await
/// });
/// ```
impl<P: Requested> Event<P> {
    /// The record that signed the request; `None` for guests.
    #[must_use]
    pub fn auth(&self) -> Option<Record> {
        self.inner.ctx().caller.record().map(Record::of_arc)
    }
    /// True if a superuser asks.
    #[must_use]
    pub fn has_superuser_auth(&self) -> bool {
        self.inner.ctx().caller.is_superuser()
    }
    /// The facts that rules see as `@request.*`.
    #[must_use]
    pub fn request_info(&self) -> RequestInfo {
        RequestInfo::of(self.inner.ctx())
    }
    /// The request and the headers of its answer as texts; `None` where no client asked.
    #[must_use]
    pub fn incoming(&self) -> Option<Incoming> {
        self.exchange().map(|exchange| Incoming::of_hook(&self.app, &exchange))
    }
    /// True if there is an answer already.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.exchange().is_some_and(|exchange| exchange.is_answered())
    }
    fn exchange(&self) -> Option<Arc<Exchange>> {
        Exchange::of(self.inner.ext())
    }
    /// A header of the request; `""` when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let exchange = self.exchange();
        let value = exchange.as_ref().and_then(|exchange| exchange.head.headers.get(name));
        value.and_then(|value| value.to_str().ok()).unwrap_or("").to_owned()
    }
    /// A query parameter; `""` when it is missing.
    #[must_use]
    pub fn query(&self, name: &str) -> String {
        let exchange = self.exchange();
        let found = exchange.as_ref().and_then(|exchange| exchange.head.query().get(name));
        found.map(std::borrow::Cow::into_owned).unwrap_or_default()
    }
    /// The method; `""` where no request over HTTP is at hand.
    #[must_use]
    pub fn method(&self) -> String {
        self.exchange().map(|exchange| exchange.head.method.to_string()).unwrap_or_default()
    }
    /// The path as sent.
    #[must_use]
    pub fn path(&self) -> String {
        self.exchange().map(|exchange| exchange.head.uri.path().to_owned()).unwrap_or_default()
    }
    /// The address of the client, trusted proxies considered.
    #[must_use]
    pub fn real_ip(&self) -> String {
        let settings = self.inner.ctx().app.settings();
        let ip = self.exchange().map(|exchange| exchange.head.real_ip(&settings));
        ip.map(api::request::ip_text).unwrap_or_default()
    }
    /// Answers the request. The first answer counts; return without [`Event::next`] to make it this one.
    ///
    /// # Errors
    /// When the value cannot be made an answer.
    pub fn respond(&self, answer: impl IntoResponse) -> Result<()> {
        let response = answer.into_response()?;
        if let Some(exchange) = self.exchange() {
            exchange.respond(response);
        }
        Ok(())
    }
    /// Answers with JSON; see [`Event::respond`].
    ///
    /// # Errors
    /// When the value cannot be serialized.
    pub fn json<T: serde::Serialize + ?Sized>(&self, status: u16, value: &T) -> Result<()> {
        self.respond(api::Response::of(status, value)?)
    }
}

macro_rules! slots {
    ($event:ident: $($(#[$doc:meta])* $get:ident / $set:ident: $ty:ty = $field:ident;)*) => {
        impl Event<event::$event> {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $get(&self) -> $ty {
                    self.inner.$field.get()
                }
                /// Replaces it.
                pub fn $set(&self, value: impl Into<$ty>) {
                    self.inner.$field.set(value.into());
                }
            )*
        }
    };
}

macro_rules! record_slots {
    ($($event:ident),* $(,)?) => {$(
        impl Event<event::$event> {
            /// The record.
            #[must_use]
            pub fn record(&self) -> Record {
                self.inner.record.get().into()
            }
            /// Continues with another record.
            pub fn set_record(&self, record: &Record) {
                self.inner.record.set(record.handle().clone());
            }
        }
    )*};
}
record_slots!(RecordRequestEvent, RecordAuthEvent, EmailChangeEvent, AuthWithOtpEvent);

macro_rules! maybe_records {
    ($($event:ident),* $(,)?) => {$(
        impl Event<event::$event> {
            /// The record, if one was found.
            #[must_use]
            pub fn record(&self) -> Option<Record> {
                self.inner.record.get().map(Into::into)
            }
            /// Continues with another record, or with none.
            pub fn set_record(&self, record: Option<&Record>) {
                self.inner.record.set(record.map(|record| record.handle().clone()));
            }
        }
    )*};
}
maybe_records!(AuthWithPasswordEvent, AuthWithOAuth2Event, RequestOtpEvent);

macro_rules! records {
    ($($event:ident),* $(,)?) => {$(
        impl Event<event::$event> {
            /// The record.
            #[must_use]
            pub fn record(&self) -> Record {
                self.inner.record.clone().into()
            }
        }
    )*};
}
records!(RecordEvent, EnrichEvent, RecordMailEvent, FileDownloadEvent, FileTokenEvent);

macro_rules! collections {
    ($($event:ident),* $(,)?) => {$(
        impl Event<event::$event> {
            /// The collection.
            #[must_use]
            pub fn collection(&self) -> Collection {
                Collection::loaded(&self.inner.collection)
            }
        }
    )*};
}
collections!(
    RecordEvent,
    EnrichEvent,
    RecordMailEvent,
    FileDownloadEvent,
    FileTokenEvent,
    RecordRequestEvent,
    RecordsListEvent,
    RecordAuthEvent,
    AuthWithPasswordEvent,
    AuthWithOAuth2Event,
    EmailChangeEvent,
    RequestOtpEvent,
    AuthWithOtpEvent,
);

macro_rules! actions {
    ($($event:ident),* $(,)?) => {$(
        impl Event<event::$event> {
            /// What is being done.
            #[must_use]
            pub fn action(&self) -> Action {
                self.inner.action
            }
            /// Why it failed: for the `…_error` hooks.
            #[must_use]
            pub fn error(&self) -> Option<Error> {
                self.inner.error.as_ref().map(|error| error.duplicate().into())
            }
        }
    )*};
}
actions!(ModelEvent, RecordEvent, CollectionEvent);

/// Anything that is saved.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Model {
    /// A record.
    Record(Record),
    /// A collection.
    Collection(Collection),
    /// A row of a system table.
    Other {
        /// Its table.
        table: String,
        /// Its id.
        id: String,
    },
}

impl Event<event::ModelEvent> {
    /// What is saved or deleted.
    #[must_use]
    pub fn model(&self) -> Model {
        match &self.inner.model {
            EngineModel::Record(record) => Model::Record(record.clone().into()),
            EngineModel::Collection(handle) => Model::Collection(Collection::draft(handle)),
            EngineModel::Other { table, id } => {
                Model::Other { table: table.clone(), id: id.clone() }
            }
        }
    }
}

impl Event<event::CollectionEvent> {
    /// The collection; changes before [`Event::next`] are saved.
    #[must_use]
    pub fn collection(&self) -> Collection {
        Collection::draft(&self.inner.collection)
    }
}

impl Event<event::CollectionRequestEvent> {
    /// The collection; changes before [`Event::next`] are saved.
    #[must_use]
    pub fn collection(&self) -> Collection {
        Collection::draft(&self.inner.collection)
    }
}

impl Event<event::EnrichEvent> {
    /// Who will see the record; `None` for guests.
    #[must_use]
    pub fn auth(&self) -> Option<Record> {
        self.inner.ctx.caller.record().map(Record::of_arc)
    }
    /// True if a superuser will see it.
    #[must_use]
    pub fn has_superuser_auth(&self) -> bool {
        self.inner.ctx.caller.is_superuser()
    }
    /// The facts that rules see as `@request.*`.
    #[must_use]
    pub fn request_info(&self) -> RequestInfo {
        RequestInfo::of(&self.inner.ctx)
    }
}

impl Event<event::ServeEvent> {
    /// The router: routes added before [`Event::next`] are served.
    #[must_use]
    pub fn router(&self) -> Router {
        self.app.router()
    }
    /// Where the server will be found, as far as it is known before it listens.
    #[must_use]
    pub fn base_url(&self) -> String {
        let serving = self.inner.ext.get::<Serving>();
        serving.map(|serving| serving.base_url.clone()).unwrap_or_default()
    }
    /// The address of the socket that requests will come through, which is open already; `None` for [`App::service`].
    ///
    /// ```
    /// # use pocketbase::{App, ServeOptions};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let dir = tempfile::tempdir().unwrap();
    /// let app = App::builder().data_dir(dir.path()).build()?;
    /// app.on_serve().bind(|e| async move {
    ///     e.app().store().set("port", e.local_addr().map(|local| local.port()));
    ///     e.next().await
    /// });
    /// let seen = app.clone();
    /// let ended = app.serve(ServeOptions::at("127.0.0.1:0"), async {}, |started| {
    ///     assert_eq!(seen.store().get::<u16>("port"), Some(started.local.port()));
    /// }).await?;
    /// # assert_eq!(ended, pocketbase::Ended::Stopped);
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn local_addr(&self) -> Option<std::net::SocketAddr> {
        self.inner.ext.get::<Serving>()?.local
    }
}

impl Event<event::TerminateEvent> {
    /// True if the app is going to be started again.
    #[must_use]
    pub fn is_restart(&self) -> bool {
        self.inner.is_restart
    }
}

slots! { BackupEvent:
    /// The file name of the backup.
    name / set_name: String = name;
    /// Names in the data directory that stay out of it.
    exclude / set_exclude: Vec<String> = exclude;
}

impl Event<event::SettingsListEvent> {
    /// The settings that will be shown.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.inner.settings.get()
    }
    /// Shows other settings.
    pub fn set_settings(&self, settings: Settings) {
        self.inner.settings.set(settings);
    }
}

impl Event<event::SettingsUpdateEvent> {
    /// The settings as they are.
    #[must_use]
    pub fn old_settings(&self) -> Arc<Settings> {
        self.inner.old.clone()
    }
    /// The settings as they will be.
    #[must_use]
    pub fn new_settings(&self) -> Settings {
        self.inner.new.get()
    }
    /// Saves other settings.
    pub fn set_new_settings(&self, settings: Settings) {
        self.inner.new.set(settings);
    }
}

impl Event<event::MailEvent> {
    /// The mail.
    #[must_use]
    pub fn message(&self) -> Message {
        self.inner.message.get()
    }
    /// Changes the mail: `e.change_message(|m| m.subject = "Hi".into())`.
    pub fn change_message(&self, change: impl FnOnce(&mut Message)) {
        self.inner.message.with(change);
    }
}

impl Event<event::RecordMailEvent> {
    /// The mail.
    #[must_use]
    pub fn message(&self) -> Message {
        self.inner.message.get()
    }
    /// Changes the mail: `e.change_message(|m| m.subject = "Hi".into())`.
    pub fn change_message(&self, change: impl FnOnce(&mut Message)) {
        self.inner.message.with(change);
    }
    /// What the template was filled with: `token`, `newEmail`, `otpId`, `password` or `info`.
    #[must_use]
    pub fn meta(&self) -> Map<String, Value> {
        self.inner.meta.get()
    }
}

mod requests;
