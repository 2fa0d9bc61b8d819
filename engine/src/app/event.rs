//! What hooks carry: the complete event table of the reference (spec server-settings-operations §8.3).
//!
//! Request events are here too, but know no HTTP: whoever triggers them passes its request as [`Ext`].

use std::{any::Any, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    Error,
    app::{App, CollectionRef, record::RecordRef},
    ctx::Ctx,
    hook::{Hook, Payload, Slot},
    schema::{Collection, Loaded},
    settings::Settings,
};

/// Something of the layer above (a request, a router, a client), opaque here; downcast it.
pub type Ext = Arc<dyn Any + Send + Sync>;

/// An [`Ext`] for events that no request caused.
#[must_use]
pub fn no_ext() -> Ext {
    Arc::new(())
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
#[derive(Debug, Clone)]
pub struct ModelEvent {
    pub ctx: Ctx,
    pub model: Model,
    pub action: Action,
    /// Set for the `*Error` hooks.
    pub error: Option<Arc<Error>>,
}

impl Payload for ModelEvent {
    fn has_tag(&self, tag: &str) -> bool {
        match &self.model {
            Model::Record(record) => is_collection(&record.collection(), tag),
            Model::Collection(_) => tag == "_collections",
            Model::Other { table, .. } => tag == table,
        }
    }
}

/// Record hooks.
#[derive(Debug, Clone)]
pub struct RecordEvent {
    pub ctx: Ctx,
    pub collection: Arc<Loaded>,
    pub record: RecordRef,
    pub action: Action,
    /// Set for the `*Error` hooks.
    pub error: Option<Arc<Error>>,
}

impl Payload for RecordEvent {
    fn has_tag(&self, tag: &str) -> bool {
        is_collection(&self.collection, tag)
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
        is_collection(&self.collection, tag)
    }
}

/// Collection hooks; tags are the current id and name.
#[derive(Debug, Clone)]
pub struct CollectionEvent {
    pub ctx: Ctx,
    pub collection: CollectionRef,
    pub action: Action,
    /// Set for the `*Error` hooks.
    pub error: Option<Arc<Error>>,
}

impl Payload for CollectionEvent {
    fn has_tag(&self, tag: &str) -> bool {
        {
            let collection = self.collection.lock();
            is_collection(&collection, tag)
        }
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
        is_collection(&self.collection, tag)
    }
}

/// `OnRealtimeConnectRequest`.
#[derive(Debug)]
pub struct RealtimeConnectEvent {
    pub ctx: Ctx,
    pub client: Ext,
    pub idle_timeout: Slot<Duration>,
    pub max_timeout: Slot<Duration>,
    pub ext: Ext,
}
impl Payload for RealtimeConnectEvent {}

/// `OnRealtimeMessageSend`.
#[derive(Debug)]
pub struct RealtimeMessageEvent {
    pub ctx: Ctx,
    pub client: Ext,
    pub name: Slot<String>,
    pub data: Slot<Bytes>,
    pub ext: Ext,
}
impl Payload for RealtimeMessageEvent {}

/// `OnRealtimeSubscribeRequest`.
#[derive(Debug)]
pub struct RealtimeSubscribeEvent {
    pub ctx: Ctx,
    pub client: Ext,
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
    pub page: i64,
    pub per_page: u32,
    /// −1 without a count.
    pub total_items: i64,
    /// −1 without a count.
    pub total_pages: i64,
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
    pub provider_client: Ext,
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

macro_rules! tagged_by_collection {
    ($($event:ty),* $(,)?) => {$(
        impl Payload for $event {
            fn has_tag(&self, tag: &str) -> bool {
                is_collection(&self.collection, tag)
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

fn is_collection(collection: &Collection, tag: &str) -> bool {
    tag == collection.name || tag == collection.id
}

macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident: $event:ty),* $(,)?) => {
        /// Every hook of the application.
        #[derive(Debug, Default)]
        pub struct Hooks {
            $($(#[$doc])* pub $name: Hook<$event>,)*
        }
        #[cfg(test)]
        const COUNT: usize = [$(stringify!($name)),*].len();
    };
}

hooks! {
    bootstrap: AppEvent,
    serve: ServeEvent,
    terminate: TerminateEvent,
    backup_create: BackupEvent,
    backup_restore: BackupEvent,

    settings_list_request: SettingsListEvent,
    settings_update_request: SettingsUpdateEvent,
    settings_reload: AppEvent,

    model_validate: ModelEvent,
    model_create: ModelEvent,
    model_create_execute: ModelEvent,
    model_after_create_success: ModelEvent,
    model_after_create_error: ModelEvent,
    model_update: ModelEvent,
    model_update_execute: ModelEvent,
    model_after_update_success: ModelEvent,
    model_after_update_error: ModelEvent,
    model_delete: ModelEvent,
    model_delete_execute: ModelEvent,
    model_after_delete_success: ModelEvent,
    model_after_delete_error: ModelEvent,

    record_enrich: EnrichEvent,
    record_validate: RecordEvent,
    record_create: RecordEvent,
    record_create_execute: RecordEvent,
    record_after_create_success: RecordEvent,
    record_after_create_error: RecordEvent,
    record_update: RecordEvent,
    record_update_execute: RecordEvent,
    record_after_update_success: RecordEvent,
    record_after_update_error: RecordEvent,
    record_delete: RecordEvent,
    record_delete_execute: RecordEvent,
    record_after_delete_success: RecordEvent,
    record_after_delete_error: RecordEvent,

    collection_validate: CollectionEvent,
    collection_create: CollectionEvent,
    collection_create_execute: CollectionEvent,
    collection_after_create_success: CollectionEvent,
    collection_after_create_error: CollectionEvent,
    collection_update: CollectionEvent,
    collection_update_execute: CollectionEvent,
    collection_after_update_success: CollectionEvent,
    collection_after_update_error: CollectionEvent,
    collection_delete: CollectionEvent,
    collection_delete_execute: CollectionEvent,
    collection_after_delete_success: CollectionEvent,
    collection_after_delete_error: CollectionEvent,

    mailer_send: MailEvent,
    mailer_record_auth_alert_send: RecordMailEvent,
    mailer_record_password_reset_send: RecordMailEvent,
    mailer_record_verification_send: RecordMailEvent,
    mailer_record_email_change_send: RecordMailEvent,
    mailer_record_otp_send: RecordMailEvent,

    realtime_connect_request: RealtimeConnectEvent,
    realtime_message_send: RealtimeMessageEvent,
    realtime_subscribe_request: RealtimeSubscribeEvent,

    file_download_request: FileDownloadEvent,
    file_token_request: FileTokenEvent,

    record_auth_request: RecordAuthEvent,
    record_auth_with_password_request: AuthWithPasswordEvent,
    record_auth_with_oauth2_request: AuthWithOAuth2Event,
    record_auth_refresh_request: RecordRequestEvent,
    record_request_password_reset_request: RecordRequestEvent,
    record_confirm_password_reset_request: RecordRequestEvent,
    record_request_verification_request: RecordRequestEvent,
    record_confirm_verification_request: RecordRequestEvent,
    record_request_email_change_request: EmailChangeEvent,
    record_confirm_email_change_request: EmailChangeEvent,
    record_request_otp_request: RequestOtpEvent,
    record_auth_with_otp_request: AuthWithOtpEvent,

    records_list_request: RecordsListEvent,
    record_view_request: RecordRequestEvent,
    record_create_request: RecordRequestEvent,
    record_update_request: RecordRequestEvent,
    record_delete_request: RecordRequestEvent,

    collections_list_request: CollectionsListEvent,
    collection_view_request: CollectionRequestEvent,
    collection_create_request: CollectionRequestEvent,
    collection_update_request: CollectionRequestEvent,
    collection_delete_request: CollectionRequestEvent,
    collections_import_request: CollectionsImportEvent,
    batch_request: BatchEvent,
}

impl Hooks {
    /// True if anybody has code that runs when records are written.
    #[must_use]
    pub fn watch_records(&self) -> bool {
        let models = [
            &self.model_validate,
            &self.model_create,
            &self.model_create_execute,
            &self.model_after_create_success,
            &self.model_after_create_error,
            &self.model_update,
            &self.model_update_execute,
            &self.model_after_update_success,
            &self.model_after_update_error,
            &self.model_delete,
            &self.model_delete_execute,
            &self.model_after_delete_success,
            &self.model_after_delete_error,
        ];
        let records = [
            &self.record_validate,
            &self.record_create,
            &self.record_create_execute,
            &self.record_after_create_success,
            &self.record_after_create_error,
            &self.record_update,
            &self.record_update_execute,
            &self.record_after_update_success,
            &self.record_after_update_error,
            &self.record_delete,
            &self.record_delete_execute,
            &self.record_after_delete_success,
            &self.record_after_delete_error,
        ];
        let requests =
            [&self.record_create_request, &self.record_update_request, &self.record_delete_request];
        models.iter().any(|hook| !hook.is_empty())
            || records.iter().any(|hook| !hook.is_empty())
            || requests.iter().any(|hook| !hook.is_empty())
            || !self.record_enrich.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_complete() {
        assert_eq!(super::COUNT, 83);
    }
}
