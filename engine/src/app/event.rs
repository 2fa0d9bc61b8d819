//! What hooks carry: the complete event table of the reference (spec server-settings-operations §8.3).
//!
//! Request events are here too, but know no HTTP: whoever triggers them passes its request as [`Ext`].

use std::{any::Any, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    Error,
    app::{App, Client, CollectionRef, life::LifeCycle, record::RecordRef},
    ctx::Ctx,
    hook::{Hook, Payload, Slot, Tagged},
    schema::{Collection, Loaded},
    settings::Settings,
};

/// Something of the layer above (the request behind an event, a router), opaque here.
#[derive(Clone, Default)]
pub struct Ext(Option<Arc<dyn Any + Send + Sync>>);

impl Ext {
    /// What was put in, if it is of this type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.clone()?.downcast().ok()
    }
}

impl<T: Any + Send + Sync> From<Arc<T>> for Ext {
    fn from(value: Arc<T>) -> Self {
        Self(Some(value))
    }
}

impl fmt::Debug for Ext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Ext(..)" } else { "Ext" })
    }
}

/// An [`Ext`] for events that no request caused.
#[must_use]
pub fn no_ext() -> Ext {
    Ext::default()
}

/// An event that a request caused. Who puts the request through a hook fills in `ext`.
pub trait Requested: Payload {
    /// The context of the request.
    fn ctx(&self) -> &Ctx;
    /// The request, as the layer above knows it.
    fn ext(&self) -> &Ext;
    /// Fills in the request.
    fn set_ext(&mut self, ext: Ext);
}

/// What is being done to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Create,
    Update,
    Delete,
    Validate,
}

impl Action {
    /// Its name: `create`, `update`, `delete`, `validate`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Validate => "validate",
        }
    }
}

impl Action {
    /// The `type` of the reference's events.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Validate => "validate",
        }
    }
}

/// Anything that is saved.
#[derive(Debug, Clone)]
pub enum Model {
    /// A record; tags: collection name and id.
    Record(RecordRef),
    /// A collection; tag `_collections`.
    Collection(CollectionRef),
    /// The settings (`_params`), a log and so on; tag: the table.
    Other { table: String, id: String },
}

/// Model hooks.
#[derive(Debug)]
pub struct ModelEvent {
    /// What the rest of the chain acts in; handlers may put a transaction of theirs here.
    pub ctx: Slot<Ctx>,
    pub model: Model,
    pub action: Action,
    /// Set for the `*Error` hooks.
    pub error: Option<Arc<Error>>,
}

impl Payload for ModelEvent {
    fn has_tag(&self, tag: &str) -> bool {
        match &self.model {
            Model::Record(record) => record.collection().is_tagged(tag),
            Model::Collection(_) => tag == "_collections",
            Model::Other { table, .. } => tag == table,
        }
    }
}

/// Record hooks.
#[derive(Debug)]
pub struct RecordEvent {
    /// What the rest of the chain acts in; handlers may put a transaction of theirs here.
    pub ctx: Slot<Ctx>,
    pub collection: Arc<Loaded>,
    pub record: RecordRef,
    pub action: Action,
    /// Set for the `*Error` hooks.
    pub error: Option<Arc<Error>>,
}

impl Payload for RecordEvent {
    fn has_tag(&self, tag: &str) -> bool {
        self.collection.is_tagged(tag)
    }
}

/// `OnRecordEnrich`; the request is in `ctx`.
#[derive(Debug, Clone)]
pub struct EnrichEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: RecordRef,
}

impl Payload for EnrichEvent {
    fn has_tag(&self, tag: &str) -> bool {
        self.collection.is_tagged(tag)
    }
}

/// Collection hooks; tags are the current id and name.
#[derive(Debug)]
pub struct CollectionEvent {
    /// What the rest of the chain acts in; handlers may put a transaction of theirs here.
    pub ctx: Slot<Ctx>,
    pub collection: CollectionRef,
    pub action: Action,
    /// Set for the `*Error` hooks.
    pub error: Option<Arc<Error>>,
}

impl Payload for CollectionEvent {
    fn has_tag(&self, tag: &str) -> bool {
        self.collection.has_tag(tag)
    }
}

/// `OnBootstrap`, `OnSettingsReload`.
#[derive(Debug, Clone)]
pub struct AppEvent {
    pub app: App,
}
impl Payload for AppEvent {}

/// `OnServe`: router, server and so on are in `ext`.
#[derive(Debug, Clone)]
pub struct ServeEvent {
    pub app: App,
    pub ext: Ext,
}
impl Payload for ServeEvent {}

/// `OnTerminate`.
#[derive(Debug, Clone)]
pub struct TerminateEvent {
    pub app: App,
    pub is_restart: bool,
}
impl Payload for TerminateEvent {}

/// `OnBackupCreate`, `OnBackupRestore`.
#[derive(Debug)]
pub struct BackupEvent {
    pub app: App,
    pub name: Slot<String>,
    /// Names in the data directory that stay out.
    pub exclude: Slot<Vec<String>>,
}
impl Payload for BackupEvent {}

/// `OnSettingsListRequest`.
#[derive(Debug)]
pub struct SettingsListEvent {
    pub ctx: Ctx,
    pub settings: Slot<Settings>,
    pub ext: Ext,
}
impl Payload for SettingsListEvent {}

/// `OnSettingsUpdateRequest`.
#[derive(Debug)]
pub struct SettingsUpdateEvent {
    pub ctx: Ctx,
    pub old: Arc<Settings>,
    pub new: Slot<Settings>,
    pub ext: Ext,
}
impl Payload for SettingsUpdateEvent {}

/// A mail address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    pub name: String,
    pub address: String,
}

/// A mail before it is sent.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub from: Address,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub subject: String,
    pub html: String,
    pub text: String,
    pub headers: Vec<(String, String)>,
    /// Attachments by name.
    pub attachments: Vec<(String, Bytes)>,
    /// Inline attachments by content id.
    pub inline_attachments: Vec<(String, Bytes)>,
}

/// `OnMailerSend`.
#[derive(Debug)]
pub struct MailEvent {
    pub app: App,
    pub message: Slot<Message>,
}
impl Payload for MailEvent {}

/// `OnMailerRecord*Send`; `meta` as in the spec's table.
#[derive(Debug)]
pub struct RecordMailEvent {
    pub app: App,
    pub collection: Arc<Loaded>,
    pub record: RecordRef,
    pub message: Slot<Message>,
    pub meta: Slot<Map<String, Value>>,
}
impl Payload for RecordMailEvent {
    fn has_tag(&self, tag: &str) -> bool {
        self.collection.is_tagged(tag)
    }
}

/// `OnRealtimeConnectRequest`.
#[derive(Debug)]
pub struct RealtimeConnectEvent {
    pub ctx: Ctx,
    pub client: Arc<Client>,
    pub idle_timeout: Slot<Duration>,
    pub max_timeout: Slot<Duration>,
    pub ext: Ext,
}
impl Payload for RealtimeConnectEvent {}

/// `OnRealtimeMessageSend`.
#[derive(Debug)]
pub struct RealtimeMessageEvent {
    pub ctx: Ctx,
    pub client: Arc<Client>,
    pub name: Slot<String>,
    pub data: Slot<Bytes>,
    pub ext: Ext,
}
impl Payload for RealtimeMessageEvent {}

/// `OnRealtimeSubscribeRequest`.
#[derive(Debug)]
pub struct RealtimeSubscribeEvent {
    pub ctx: Ctx,
    pub client: Arc<Client>,
    pub subscriptions: Slot<Vec<String>>,
    pub ext: Ext,
}
impl Payload for RealtimeSubscribeEvent {}

/// `OnFileDownloadRequest`.
#[derive(Debug)]
pub struct FileDownloadEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: RecordRef,
    pub field: String,
    pub served_path: Slot<String>,
    pub served_name: Slot<String>,
    pub thumb_error: Option<String>,
    pub ext: Ext,
}

/// `OnFileTokenRequest`.
#[derive(Debug)]
pub struct FileTokenEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: RecordRef,
    pub token: Slot<String>,
    pub ext: Ext,
}

/// A request about one record: CRUD, refresh, reset, verification.
#[derive(Debug)]
pub struct RecordRequestEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: Slot<RecordRef>,
    pub ext: Ext,
}

/// `OnRecordsListRequest`.
#[derive(Debug)]
pub struct RecordsListEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub records: Slot<Vec<RecordRef>>,
    pub page: Slot<i64>,
    pub per_page: Slot<u32>,
    /// −1 without a count.
    pub total_items: Slot<i64>,
    /// −1 without a count.
    pub total_pages: Slot<i64>,
    pub ext: Ext,
}

/// `OnRecordAuthRequest`.
#[derive(Debug)]
pub struct RecordAuthEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: Slot<RecordRef>,
    pub token: Slot<String>,
    pub meta: Slot<Value>,
    pub auth_method: Slot<String>,
    pub ext: Ext,
}

/// `OnRecordAuthWithPasswordRequest`.
#[derive(Debug)]
pub struct AuthWithPasswordEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: Slot<Option<RecordRef>>,
    pub identity: Slot<String>,
    pub identity_field: Slot<String>,
    pub password: Slot<String>,
    pub ext: Ext,
}

/// `OnRecordAuthWithOAuth2Request`.
#[derive(Debug)]
pub struct AuthWithOAuth2Event {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: Slot<Option<RecordRef>>,
    pub provider_name: Slot<String>,
    pub provider_client: Arc<oauth2::Client>,
    pub oauth2_user: Slot<Value>,
    pub create_data: Slot<Map<String, Value>>,
    pub is_new_record: Slot<bool>,
    pub ext: Ext,
}

/// `OnRecordRequestEmailChangeRequest`, `OnRecordConfirmEmailChangeRequest`.
#[derive(Debug)]
pub struct EmailChangeEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: Slot<RecordRef>,
    pub new_email: Slot<String>,
    pub ext: Ext,
}

/// `OnRecordRequestOTPRequest`.
#[derive(Debug)]
pub struct RequestOtpEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: Slot<Option<RecordRef>>,
    pub password: Slot<String>,
    pub ext: Ext,
}

/// `OnRecordAuthWithOTPRequest`.
#[derive(Debug)]
pub struct AuthWithOtpEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: Slot<RecordRef>,
    pub otp: RecordRef,
    pub ext: Ext,
}

/// The events that a request causes, given to a macro: each layer says with it what such an event can do there, so
/// that they are written down once.
///
/// ```
/// macro_rules! named {
///     ($($event:ident),* $(,)?) => { [$(stringify!($event)),*] };
/// }
/// assert!(engine::request_events!(named).contains(&"BatchEvent"));
/// ```
#[macro_export]
macro_rules! request_events {
    ($then:ident) => {
        $then! {
            SettingsListEvent,
            SettingsUpdateEvent,
            RealtimeConnectEvent,
            RealtimeMessageEvent,
            RealtimeSubscribeEvent,
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
            CollectionsListEvent,
            CollectionRequestEvent,
            CollectionsImportEvent,
            BatchEvent,
        }
    };
}

macro_rules! requested {
    ($($event:ty),* $(,)?) => {$(
        impl Requested for $event {
            fn ctx(&self) -> &Ctx {
                &self.ctx
            }
            fn ext(&self) -> &Ext {
                &self.ext
            }
            fn set_ext(&mut self, ext: Ext) {
                self.ext = ext;
            }
        }
    )*};
}
request_events!(requested);

macro_rules! tagged_by_collection {
    ($($event:ty),* $(,)?) => {$(
        impl Payload for $event {
            fn has_tag(&self, tag: &str) -> bool {
                self.collection.is_tagged(tag)
            }
        }
    )*};
}
tagged_by_collection!(
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

/// `OnCollectionsListRequest`.
#[derive(Debug)]
pub struct CollectionsListEvent {
    pub ctx: Ctx,
    pub collections: Slot<Vec<Arc<Loaded>>>,
    /// Page, size of pages, number of collections and of pages.
    pub numbers: [i64; 4],
    pub ext: Ext,
}
impl Payload for CollectionsListEvent {}

/// `OnCollection{View,Create,Update,Delete}Request`.
#[derive(Debug)]
pub struct CollectionRequestEvent {
    pub ctx: Ctx,
    pub collection: CollectionRef,
    pub ext: Ext,
}
impl Payload for CollectionRequestEvent {}

/// `OnCollectionsImportRequest`.
#[derive(Debug)]
pub struct CollectionsImportEvent {
    pub ctx: Ctx,
    pub collections: Slot<Vec<Map<String, Value>>>,
    pub delete_missing: bool,
    pub ext: Ext,
}
impl Payload for CollectionsImportEvent {}

/// One item of a batch.
#[derive(Debug, Clone, Default)]
pub struct BatchItem {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Map<String, Value>,
}

/// `OnBatchRequest`.
#[derive(Debug)]
pub struct BatchEvent {
    pub ctx: Ctx,
    pub batch: Slot<Vec<BatchItem>>,
    pub ext: Ext,
}
impl Payload for BatchEvent {}

impl Tagged for Collection {
    fn is_tagged(&self, tag: &str) -> bool {
        tag == self.name || tag == self.id
    }
}
impl Tagged for Loaded {
    fn is_tagged(&self, tag: &str) -> bool {
        self.collection.is_tagged(tag)
    }
}

/// Every hook of the application.
#[derive(Debug, Default)]
pub struct Hooks {
    pub bootstrap: Hook<AppEvent>,
    pub serve: Hook<ServeEvent>,
    /// Around the closing of everything.
    pub bootstrap_clear: Hook<AppEvent>,
    pub terminate: Hook<TerminateEvent>,
    pub backup_create: Hook<BackupEvent>,
    pub backup_restore: Hook<BackupEvent>,

    pub settings_list_request: Hook<SettingsListEvent>,
    pub settings_update_request: Hook<SettingsUpdateEvent>,
    pub settings_reload: Hook<AppEvent>,

    pub models: LifeCycle<ModelEvent>,
    pub records: LifeCycle<RecordEvent>,
    pub record_enrich: Hook<EnrichEvent>,
    pub collections: LifeCycle<CollectionEvent>,

    pub mailer_send: Hook<MailEvent>,
    pub mailer_record_auth_alert_send: Hook<RecordMailEvent>,
    pub mailer_record_password_reset_send: Hook<RecordMailEvent>,
    pub mailer_record_verification_send: Hook<RecordMailEvent>,
    pub mailer_record_email_change_send: Hook<RecordMailEvent>,
    pub mailer_record_otp_send: Hook<RecordMailEvent>,

    pub realtime_connect_request: Hook<RealtimeConnectEvent>,
    pub realtime_message_send: Hook<RealtimeMessageEvent>,
    pub realtime_subscribe_request: Hook<RealtimeSubscribeEvent>,

    pub file_download_request: Hook<FileDownloadEvent>,
    pub file_token_request: Hook<FileTokenEvent>,

    pub record_auth_request: Hook<RecordAuthEvent>,
    pub record_auth_with_password_request: Hook<AuthWithPasswordEvent>,
    pub record_auth_with_oauth2_request: Hook<AuthWithOAuth2Event>,
    pub record_auth_refresh_request: Hook<RecordRequestEvent>,
    pub record_request_password_reset_request: Hook<RecordRequestEvent>,
    pub record_confirm_password_reset_request: Hook<RecordRequestEvent>,
    pub record_request_verification_request: Hook<RecordRequestEvent>,
    pub record_confirm_verification_request: Hook<RecordRequestEvent>,
    pub record_request_email_change_request: Hook<EmailChangeEvent>,
    pub record_confirm_email_change_request: Hook<EmailChangeEvent>,
    pub record_request_otp_request: Hook<RequestOtpEvent>,
    pub record_auth_with_otp_request: Hook<AuthWithOtpEvent>,

    pub records_list_request: Hook<RecordsListEvent>,
    pub record_view_request: Hook<RecordRequestEvent>,
    pub record_create_request: Hook<RecordRequestEvent>,
    pub record_update_request: Hook<RecordRequestEvent>,
    pub record_delete_request: Hook<RecordRequestEvent>,

    pub collections_list_request: Hook<CollectionsListEvent>,
    pub collection_view_request: Hook<CollectionRequestEvent>,
    pub collection_create_request: Hook<CollectionRequestEvent>,
    pub collection_update_request: Hook<CollectionRequestEvent>,
    pub collection_delete_request: Hook<CollectionRequestEvent>,
    pub collections_import_request: Hook<CollectionsImportEvent>,
    pub batch_request: Hook<BatchEvent>,
}

impl Hooks {
    /// True if anybody has code that runs when records are written, for all collections or for some that `concerns` knows.
    pub fn watch_records(&self, concerns: impl Fn(&str) -> bool + Copy) -> bool {
        let requests =
            [&self.record_create_request, &self.record_update_request, &self.record_delete_request];
        self.models.all().any(|hook| hook.has_for(concerns))
            || self.records.all().any(|hook| hook.has_for(concerns))
            || requests.iter().any(|hook| hook.has_for(concerns))
            || self.record_enrich.has_for(concerns)
    }
}
