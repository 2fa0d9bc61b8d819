//! PocketBase as a library: hooks, routes, records, queries, commands, jobs and migrations of one's own around the server.
//!
//! ```no_run
//! use pocketbase::prelude::*;
//!
//! #[tokio::main]
//! async fn main() -> pocketbase::Result<()> {
//!     let app = App::new();
//!
//!     app.on_serve().bind(|e| async move {
//!         e.router().get("/hello/{name}", hello);
//!         e.next().await
//!     });
//!     app.on_record_create_request(["posts"]).bind(|e| async move {
//!         if !e.has_superuser_auth() {
//!             e.record().set("status", "pending");
//!         }
//!         e.next().await
//!     });
//!
//!     app.start().await // the whole executable: serve, superuser, migrate, …
//! }
//!
//! async fn hello(Path(name): Path<String>) -> String {
//!     format!("Hello {name}!")
//! }
//! ```
//!
//! | to | see |
//! |---|---|
//! | start | [`App`], [`Builder`], [`App::start`], [`App::serve`], [`App::service`] |
//! | take part in what happens | [`App`]`::on_…`, [`TaggedHook`], [`event`] |
//! | answer requests | [`Router`], [`Handler`](web::Handler), [`Middleware`], [`middleware`], [`RequestEvent`] |
//! | work with data | [`Record`], [`Collection`], [`Field`], [`App::find_record_by_id`] …, [`App::save`], [`App::run_in_transaction`] |
//! | write SQL | [`App::db`], [`db`] |
//! | add commands, jobs, migrations, plugins | [`App::command`], [`App::cron`], [`Migrations`], [`Plugin`] |
//! | test all that | [`testing`] |
//!
//! Everything is `async`, cheap to clone, `Send` and `Sync`. Code of users that panics is caught where it was called: the
//! request gets a 500, the transaction is rolled back, the log has the name of the handler.
//!
//! Must not know how things are done: it is a face over `engine` (data) and `api` (HTTP).

#![deny(missing_docs)]

mod app;
mod cli;
mod collection;
mod command;
mod cron;
pub mod db;
pub mod durations;
pub mod environment;
mod error;
pub mod event;
mod files;
mod forms;
mod hooks;
mod mail;
mod migration;
mod moment;
mod plugin;
mod proxy;
mod record;
pub mod security;
mod serve;
mod settings;
mod store;
pub mod testing;
pub mod text;
pub mod web;

/// Encryption with the master key; see [`App::crypto`].
pub mod crypto {
    pub use engine::keyring::{Error, Keyring, Place, secure_zero};
}

/// Realtime clients and what is sent to them; see [`App::subscriptions_broker`].
pub mod realtime {
    pub use engine::realtime::{Broker, Client, Message};
}

pub use api::{ApiError, Body, Description, MetricKind, Response, Sample};
pub use app::{
    Announced, App, Builder, FetchRecords, FileSystem, FilterQuery, IntoCollection, LogAttrs,
    Logger, MailClient, Model,
};
pub use clap;
pub use collection::field::{
    AutodateField, BoolField, DateField, EditorField, EmailField, Field, FileField, GeoPointField,
    JsonField, NumberField, PasswordField, RelationField, SecretField, SelectField, TextField,
    UrlField,
};
pub use collection::{AuthOptions, Collection};
pub use cron::{Cron, Job};
pub use error::{BoxError, DbError, Error, FieldError, FieldErrors, Result, SharedError};
pub use files::File;
pub use forms::{
    AppleClientSecretCreateForm, RecordUpsertForm, TestEmailSendForm, TestS3FilesystemForm,
};
pub use hooks::{CustomHook, Handler, Next, Slot, TaggedHook, Tags};
pub use mail::{Address, Message};
pub use migration::{Migration, MigrationSource, Migrations, Template};
pub use moment::{DateTime, now, parse_date_time, parse_rfc3339};
pub use plugin::{Column, Native, NativeParam, Natives, Plugin, ScriptFunction, Setup, Table};
pub use proxy::{FieldValue, RecordProxy};
pub use record::{Record, TokenType};
pub use serve::{Authority, Ended, Limits, ServeOptions, Service, Started, Times};
pub use settings::{S3, Settings};
pub use store::AppStore;
pub use web::{
    AuthRecord, Bytes, Form, FromRequest, Headers, Html, Incoming, IntoResponse, Json, Middleware,
    NoContent, Path, Query, Redirect, RequestEvent, RequestInfo, RouteRef, Router, Stream,
    SuperuserAuth, UploadedFiles, Xml, middleware, read_json, unreadable,
};

/// What most programs want: `use pocketbase::prelude::*;`.
pub mod prelude {
    pub use crate::{
        ApiError, App, AuthRecord, Collection, DateTime, Error, Field, File, FilterQuery, Form,
        Handler, Html, IntoResponse, Json, Message, Middleware, Path, Plugin, Query, Record,
        RecordProxy, Redirect, RequestEvent, Response, Setup, SuperuserAuth, TokenType,
        UploadedFiles, middleware,
    };
}
