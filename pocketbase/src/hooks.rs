//! Every hook of the application as a method of [`App`], made from one table, and how handlers are bound to them.
//!
//! Must not know what events carry: that is in `event`.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Weak},
};

use engine::{
    event::Hooks,
    hook::{self, Payload},
};
use parking_lot::Mutex;

pub use engine::hook::Slot;

use crate::{
    app::{App, Shared, caught},
    error::Result,
    event::{Event, IntoApp},
};

/// Which events a handler is for: names or ids of collections, `()` for all.
///
/// ```
/// # use pocketbase::App;
/// let app = App::new();
/// app.on_record_create("posts").bind(|e| async move { e.next().await });
/// app.on_record_create(["posts", "pages"]).bind(|e| async move { e.next().await });
/// app.on_record_create(()).bind(|e| async move { e.next().await });
/// assert_eq!(app.bound_hooks()["RecordCreate"], 3);
/// ```
pub trait Tags {
    /// The tags; none means all events.
    fn into_tags(self) -> Vec<String>;
}

impl Tags for () {
    fn into_tags(self) -> Vec<String> {
        Vec::new()
    }
}
impl Tags for &str {
    fn into_tags(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}
impl Tags for String {
    fn into_tags(self) -> Vec<String> {
        vec![self]
    }
}
impl<S: Into<String>, const N: usize> Tags for [S; N] {
    fn into_tags(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}
impl<S: Into<String>> Tags for Vec<S> {
    fn into_tags(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}
impl<S: AsRef<str>> Tags for &[S] {
    fn into_tags(self) -> Vec<String> {
        self.iter().map(|tag| tag.as_ref().to_owned()).collect()
    }
}

/// A handler with a name and a place in the order; see [`TaggedHook::bind_handler`].
///
/// ```
/// # use pocketbase::{App, Handler};
/// let app = App::new();
/// let first = Handler::new(|e: pocketbase::event::RecordEvent| async move { e.next().await })
///     .id("stamp")
///     .priority(-10);
/// app.on_record_create("posts").bind_handler(first);
/// app.on_record_create("posts").unbind("stamp");
/// assert!(app.bound_hooks().get("RecordCreate").is_none());
/// ```
pub struct Handler<P: 'static> {
    id: String,
    priority: i32,
    func: Arc<Func<P>>,
}

type Func<P> = dyn Fn(Event<P>) -> hook::BoxFuture<Result<()>> + Send + Sync;

impl<P> fmt::Debug for Handler<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("id", &self.id)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl<P: Payload> Handler<P> {
    /// A handler of priority 0; its id is made up when bound.
    pub fn new<F, Fut>(func: F) -> Self
    where
        F: Fn(Event<P>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Self { id: String::new(), priority: 0, func: Arc::new(move |event| Box::pin(func(event))) }
    }
    /// Names it; a later handler of the same name replaces it.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }
    /// Lower runs first, further outside. Handlers of the same priority run in the order they were bound.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}

/// A hook of the app, for some of its events; what `app.on_…()` gives.
pub struct TaggedHook<P: 'static> {
    shared: Weak<Shared>,
    hooks: Arc<Hooks>,
    pick: fn(&Hooks) -> &hook::Hook<P>,
    name: &'static str,
    tags: Vec<String>,
}

impl<P> fmt::Debug for TaggedHook<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaggedHook").field("name", &self.name).field("tags", &self.tags).finish()
    }
}

impl<P: Payload + IntoApp> TaggedHook<P> {
    /// Adds a handler; returns its id. It must call [`Event::next`] for the rest of the chain and the action itself to
    /// happen; what it fails with stops the operation.
    pub fn bind<F, Fut>(&self, func: F) -> String
    where
        F: Fn(Event<P>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.bind_handler(Handler::new(func))
    }

    /// Adds a handler, or replaces the one of the same id in its place; returns the id.
    pub fn bind_handler(&self, handler: Handler<P>) -> String {
        let (shared, func, name) = (self.shared.clone(), handler.func, self.name);
        let label: Arc<str> = match handler.id.as_str() {
            "" => format!("a handler of On{name}").into(),
            id => format!("handler {id:?} of On{name}").into(),
        };
        let run = move |event: hook::Event<P>| {
            let (shared, func, label) = (shared.clone(), func.clone(), label.clone());
            async move {
                let app = App::upgrade(&shared)?;
                let event = Event::new(&app, event);
                // called inside: a handler may panic before its first await, too
                let work = async move { func(event).await };
                Ok(caught(&label, work).await?)
            }
        };
        let bound = hook::Handler::new(run).priority(handler.priority).tags(self.tags.clone());
        (self.pick)(&self.hooks).bind_handler(bound.id(handler.id))
    }

    /// Removes a handler by id.
    pub fn unbind(&self, id: &str) {
        (self.pick)(&self.hooks).unbind(&[id]);
    }
    /// Removes every handler of the hook, whatever its tags.
    pub fn unbind_all(&self) {
        (self.pick)(&self.hooks).unbind_all();
    }
    /// Number of handlers of the hook, whatever their tags.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.pick)(&self.hooks).len()
    }
    /// True if nothing is bound.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Runs the handlers with an event of one's own around `last`.
    ///
    /// # Errors
    /// The first error of a handler or of `last`, as the outer handlers let it through.
    pub async fn trigger<F, Fut>(&self, payload: P, last: F) -> Result<()>
    where
        F: FnOnce(Event<P>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let shared = self.shared.clone();
        let last = move |event| async move {
            let app = App::upgrade(&shared)?;
            Ok(last(Event::new(&app, event)).await?)
        };
        (self.pick)(&self.hooks).trigger(payload, last).await?;
        Ok(())
    }
}

/// A hook of one's own, for events of plugins: the same order, ids and `next` as the app's.
///
/// ```
/// use pocketbase::{CustomHook, Slot};
///
/// struct Paid { cents: Slot<u32> }
///
/// # let rt = tokio::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let on_paid = CustomHook::<Paid>::default();
/// on_paid.bind(0, |e, next| async move {
///     e.cents.set(e.cents.get() - 1);
///     next.run().await
/// });
/// let paid = on_paid.trigger(Paid { cents: Slot::new(100) }, |_| async { Ok(()) }).await?;
/// assert_eq!(paid.cents.get(), 99);
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
pub struct CustomHook<T: Send + Sync + 'static>(hook::Hook<Own<T>>);

struct Own<T>(Arc<T>);

impl<T: Send + Sync + 'static> Payload for Own<T> {}

/// The rest of a [`CustomHook`]'s chain.
pub struct Next<T: Send + Sync + 'static>(hook::Event<Own<T>>);

impl<T: Send + Sync + 'static> fmt::Debug for Next<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}

impl<T: Send + Sync + 'static> Next<T> {
    /// Continues with the next handler, at the end with the action.
    ///
    /// # Errors
    /// What the rest of the chain reports.
    pub async fn run(self) -> Result<()> {
        self.0.next().await?;
        Ok(())
    }
}

impl<T: Send + Sync + 'static> Default for CustomHook<T> {
    fn default() -> Self {
        Self(hook::Hook::default())
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for CustomHook<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomHook").field("len", &self.0.len()).finish()
    }
}

impl<T: Send + Sync + 'static> CustomHook<T> {
    /// Adds a handler; lower priorities run first. Returns its id.
    pub fn bind<F, Fut>(&self, priority: i32, func: F) -> String
    where
        F: Fn(Arc<T>, Next<T>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let func = Arc::new(func);
        let run = move |event: hook::Event<Own<T>>| {
            let func = func.clone();
            async move {
                let work = async move { func(event.0.clone(), Next(event)).await };
                Ok(caught("a handler of a custom hook", work).await?)
            }
        };
        self.0.bind_handler(hook::Handler::new(run).priority(priority))
    }
    /// Removes a handler by id.
    pub fn unbind(&self, id: &str) {
        self.0.unbind(&[id]);
    }
    /// Runs the handlers around `last`; gives the event back.
    ///
    /// # Errors
    /// The first error of a handler or of `last`, as the outer handlers let it through.
    pub async fn trigger<F, Fut>(&self, event: T, last: F) -> Result<Arc<T>>
    where
        F: FnOnce(Arc<T>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let event = Arc::new(event);
        let last =
            move |event: hook::Event<Own<T>>| async move { Ok(last(event.0.clone()).await?) };
        self.0.trigger(Own(event.clone()), last).await?;
        Ok(event)
    }
}

/// Counts of events by the reference's name without `on`.
pub(crate) type Counts = Arc<Mutex<BTreeMap<&'static str, usize>>>;

macro_rules! hooks {
    ($( $(#[$doc:meta])* $method:ident $(($tags:ident))? => $name:literal $($path:ident).+: $payload:ident; )*) => {
        /// Hooks. Each gives a [`TaggedHook`] to bind handlers to.
        impl App {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $method(&self $(, $tags: impl Tags)?) -> TaggedHook<engine::event::$payload> {
                    #[allow(unused_mut, unused_assignments)]
                    let mut found = Vec::new();
                    $( found = $tags.into_tags(); )?
                    TaggedHook {
                        shared: Arc::downgrade(&self.shared),
                        hooks: self.shared.hooks.clone(),
                        pick: |hooks| &hooks.$($path).+,
                        name: $name,
                        tags: found,
                    }
                }
            )*
        }

        /// Handlers per hook; the server's own are not counted.
        pub(crate) fn bound(hooks: &Hooks) -> BTreeMap<&'static str, usize> {
            let own = |name: &str| if name == "Bootstrap" { 2 } else { 0 };
            [$(($name, hooks.$($path).+.len())),*]
                .into_iter()
                .map(|(name, n)| (name, n.saturating_sub(own(name))))
                .filter(|(_, n)| *n > 0)
                .collect()
        }

        /// Counts every event from now on, as the outermost handler.
        pub(crate) fn count(hooks: &Hooks, counts: &Counts) {
            $({
                let counts = counts.clone();
                let handler = hook::Handler::new(move |event: hook::Event<engine::event::$payload>| {
                    *counts.lock().entry($name).or_default() += 1;
                    async move { event.next().await }
                });
                hooks.$($path).+.bind_handler(handler.id("pbCount").priority(i32::MIN + 1));
            })*
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($name),*];
    };
}

hooks! {
    /// The databases are open. What comes before `next()` runs before the app is ready; data can be used at once.
    on_bootstrap => "Bootstrap" bootstrap: AppEvent;
    /// The server is about to listen: add routes here, or to [`App::router`] before.
    on_serve => "Serve" serve: ServeEvent;
    /// Everything is about to be closed, after `on_terminate`; data can be used before `next()`.
    on_bootstrap_clear => "BootstrapClear" bootstrap_clear: AppEvent;
    /// The app is about to end.
    on_terminate => "Terminate" terminate: TerminateEvent;
    /// A backup is being made.
    on_backup_create => "BackupCreate" backup_create: BackupEvent;
    /// A backup is about to be restored.
    on_backup_restore => "BackupRestore" backup_restore: BackupEvent;
    /// Superusers read the settings.
    on_settings_list_request => "SettingsListRequest" settings_list_request: SettingsListEvent;
    /// Superusers change the settings.
    on_settings_update_request => "SettingsUpdateRequest" settings_update_request: SettingsUpdateEvent;
    /// The settings were read again.
    on_settings_reload => "SettingsReload" settings_reload: AppEvent;

    /// Anything is validated. Tags: tables.
    on_model_validate(tags) => "ModelValidate" models.validate: ModelEvent;
    /// Anything is created. Tags: tables.
    on_model_create(tags) => "ModelCreate" models.create.around: ModelEvent;
    /// A created row is about to be written.
    on_model_create_execute(tags) => "ModelCreateExecute" models.create.execute: ModelEvent;
    /// A created row is committed.
    on_model_after_create_success(tags) => "ModelAfterCreateSuccess" models.create.after_success: ModelEvent;
    /// A creation failed or was rolled back.
    on_model_after_create_error(tags) => "ModelAfterCreateError" models.create.after_error: ModelEvent;
    /// Anything is updated. Tags: tables.
    on_model_update(tags) => "ModelUpdate" models.update.around: ModelEvent;
    /// A changed row is about to be written.
    on_model_update_execute(tags) => "ModelUpdateExecute" models.update.execute: ModelEvent;
    /// A changed row is committed.
    on_model_after_update_success(tags) => "ModelAfterUpdateSuccess" models.update.after_success: ModelEvent;
    /// An update failed or was rolled back.
    on_model_after_update_error(tags) => "ModelAfterUpdateError" models.update.after_error: ModelEvent;
    /// Anything is deleted. Tags: tables.
    on_model_delete(tags) => "ModelDelete" models.delete.around: ModelEvent;
    /// A row is about to be deleted.
    on_model_delete_execute(tags) => "ModelDeleteExecute" models.delete.execute: ModelEvent;
    /// A deletion is committed.
    on_model_after_delete_success(tags) => "ModelAfterDeleteSuccess" models.delete.after_success: ModelEvent;
    /// A deletion failed or was rolled back.
    on_model_after_delete_error(tags) => "ModelAfterDeleteError" models.delete.after_error: ModelEvent;

    /// A record is about to be shown to somebody: hide fields, add values.
    on_record_enrich(tags) => "RecordEnrich" record_enrich: EnrichEvent;
    /// A record is validated.
    on_record_validate(tags) => "RecordValidate" records.validate: RecordEvent;
    /// A record is created: `next()` validates and writes it.
    on_record_create(tags) => "RecordCreate" records.create.around: RecordEvent;
    /// A valid new record is about to be written.
    on_record_create_execute(tags) => "RecordCreateExecute" records.create.execute: RecordEvent;
    /// A new record is committed.
    on_record_after_create_success(tags) => "RecordAfterCreateSuccess" records.create.after_success: RecordEvent;
    /// A creation failed or was rolled back; see `e.error()`.
    on_record_after_create_error(tags) => "RecordAfterCreateError" records.create.after_error: RecordEvent;
    /// A record is updated: `next()` validates and writes it.
    on_record_update(tags) => "RecordUpdate" records.update.around: RecordEvent;
    /// A valid changed record is about to be written.
    on_record_update_execute(tags) => "RecordUpdateExecute" records.update.execute: RecordEvent;
    /// A changed record is committed.
    on_record_after_update_success(tags) => "RecordAfterUpdateSuccess" records.update.after_success: RecordEvent;
    /// An update failed or was rolled back; see `e.error()`.
    on_record_after_update_error(tags) => "RecordAfterUpdateError" records.update.after_error: RecordEvent;
    /// A record is deleted: `next()` does it, with its references.
    on_record_delete(tags) => "RecordDelete" records.delete.around: RecordEvent;
    /// The row of a record is about to be deleted.
    on_record_delete_execute(tags) => "RecordDeleteExecute" records.delete.execute: RecordEvent;
    /// A deletion is committed.
    on_record_after_delete_success(tags) => "RecordAfterDeleteSuccess" records.delete.after_success: RecordEvent;
    /// A deletion failed or was rolled back; see `e.error()`.
    on_record_after_delete_error(tags) => "RecordAfterDeleteError" records.delete.after_error: RecordEvent;

    /// A collection is validated.
    on_collection_validate(tags) => "CollectionValidate" collections.validate: CollectionEvent;
    /// A collection is created.
    on_collection_create(tags) => "CollectionCreate" collections.create.around: CollectionEvent;
    /// A valid new collection is about to get its table.
    on_collection_create_execute(tags) => "CollectionCreateExecute" collections.create.execute: CollectionEvent;
    /// A new collection is committed.
    on_collection_after_create_success(tags) => "CollectionAfterCreateSuccess" collections.create.after_success: CollectionEvent;
    /// A creation failed or was rolled back.
    on_collection_after_create_error(tags) => "CollectionAfterCreateError" collections.create.after_error: CollectionEvent;
    /// A collection is changed.
    on_collection_update(tags) => "CollectionUpdate" collections.update.around: CollectionEvent;
    /// A valid changed collection is about to be applied to its table.
    on_collection_update_execute(tags) => "CollectionUpdateExecute" collections.update.execute: CollectionEvent;
    /// A changed collection is committed.
    on_collection_after_update_success(tags) => "CollectionAfterUpdateSuccess" collections.update.after_success: CollectionEvent;
    /// A change failed or was rolled back.
    on_collection_after_update_error(tags) => "CollectionAfterUpdateError" collections.update.after_error: CollectionEvent;
    /// A collection is deleted.
    on_collection_delete(tags) => "CollectionDelete" collections.delete.around: CollectionEvent;
    /// The table of a collection is about to be dropped.
    on_collection_delete_execute(tags) => "CollectionDeleteExecute" collections.delete.execute: CollectionEvent;
    /// The deletion of a collection is committed.
    on_collection_after_delete_success(tags) => "CollectionAfterDeleteSuccess" collections.delete.after_success: CollectionEvent;
    /// The deletion of a collection failed or was rolled back.
    on_collection_after_delete_error(tags) => "CollectionAfterDeleteError" collections.delete.after_error: CollectionEvent;

    /// A mail is about to be sent; without `next()` it is not.
    on_mailer_send => "MailerSend" mailer_send: MailEvent;
    /// A mail about a login from a new place.
    on_mailer_record_auth_alert_send(tags) => "MailerRecordAuthAlertSend" mailer_record_auth_alert_send: RecordMailEvent;
    /// A mail to reset a password.
    on_mailer_record_password_reset_send(tags) => "MailerRecordPasswordResetSend" mailer_record_password_reset_send: RecordMailEvent;
    /// A mail to verify an address.
    on_mailer_record_verification_send(tags) => "MailerRecordVerificationSend" mailer_record_verification_send: RecordMailEvent;
    /// A mail to confirm a new address.
    on_mailer_record_email_change_send(tags) => "MailerRecordEmailChangeSend" mailer_record_email_change_send: RecordMailEvent;
    /// A mail with a one-time password.
    on_mailer_record_otp_send(tags) => "MailerRecordOTPSend" mailer_record_otp_send: RecordMailEvent;

    /// A realtime client connects.
    on_realtime_connect_request => "RealtimeConnectRequest" realtime_connect_request: RealtimeConnectEvent;
    /// A realtime message is about to be sent to one client.
    on_realtime_message_send => "RealtimeMessageSend" realtime_message_send: RealtimeMessageEvent;
    /// A realtime client changes its subscriptions.
    on_realtime_subscribe_request => "RealtimeSubscribeRequest" realtime_subscribe_request: RealtimeSubscribeEvent;

    /// A file of a record is downloaded.
    on_file_download_request(tags) => "FileDownloadRequest" file_download_request: FileDownloadEvent;
    /// Somebody asks for a token for protected files.
    on_file_token_request(tags) => "FileTokenRequest" file_token_request: FileTokenEvent;

    /// A login, of any method, is about to be answered.
    on_record_auth_request(tags) => "RecordAuthRequest" record_auth_request: RecordAuthEvent;
    /// A login with a password.
    on_record_auth_with_password_request(tags) => "RecordAuthWithPasswordRequest" record_auth_with_password_request: AuthWithPasswordEvent;
    /// A login with OAuth2.
    on_record_auth_with_oauth2_request(tags) => "RecordAuthWithOAuth2Request" record_auth_with_oauth2_request: AuthWithOAuth2Event;
    /// A token is refreshed.
    on_record_auth_refresh_request(tags) => "RecordAuthRefreshRequest" record_auth_refresh_request: RecordRequestEvent;
    /// Somebody asks for a mail to reset a password.
    on_record_request_password_reset_request(tags) => "RecordRequestPasswordResetRequest" record_request_password_reset_request: RecordRequestEvent;
    /// Somebody resets a password.
    on_record_confirm_password_reset_request(tags) => "RecordConfirmPasswordResetRequest" record_confirm_password_reset_request: RecordRequestEvent;
    /// Somebody asks for a mail to verify an address.
    on_record_request_verification_request(tags) => "RecordRequestVerificationRequest" record_request_verification_request: RecordRequestEvent;
    /// Somebody verifies an address.
    on_record_confirm_verification_request(tags) => "RecordConfirmVerificationRequest" record_confirm_verification_request: RecordRequestEvent;
    /// Somebody asks to change an address.
    on_record_request_email_change_request(tags) => "RecordRequestEmailChangeRequest" record_request_email_change_request: EmailChangeEvent;
    /// Somebody confirms a new address.
    on_record_confirm_email_change_request(tags) => "RecordConfirmEmailChangeRequest" record_confirm_email_change_request: EmailChangeEvent;
    /// Somebody asks for a one-time password.
    on_record_request_otp_request(tags) => "RecordRequestOTPRequest" record_request_otp_request: RequestOtpEvent;
    /// A login with a one-time password.
    on_record_auth_with_otp_request(tags) => "RecordAuthWithOTPRequest" record_auth_with_otp_request: AuthWithOtpEvent;

    /// A page of records is about to be answered.
    on_records_list_request(tags) => "RecordsListRequest" records_list_request: RecordsListEvent;
    /// A record is about to be shown.
    on_record_view_request(tags) => "RecordViewRequest" record_view_request: RecordRequestEvent;
    /// A client creates a record: its data is loaded, its rule has let it through, nothing is written.
    on_record_create_request(tags) => "RecordCreateRequest" record_create_request: RecordRequestEvent;
    /// A client updates a record.
    on_record_update_request(tags) => "RecordUpdateRequest" record_update_request: RecordRequestEvent;
    /// A client deletes a record.
    on_record_delete_request(tags) => "RecordDeleteRequest" record_delete_request: RecordRequestEvent;

    /// Superusers list the collections.
    on_collections_list_request => "CollectionsListRequest" collections_list_request: CollectionsListEvent;
    /// Superusers view a collection.
    on_collection_view_request => "CollectionViewRequest" collection_view_request: CollectionRequestEvent;
    /// Superusers create a collection.
    on_collection_create_request => "CollectionCreateRequest" collection_create_request: CollectionRequestEvent;
    /// Superusers change a collection.
    on_collection_update_request => "CollectionUpdateRequest" collection_update_request: CollectionRequestEvent;
    /// Superusers delete a collection.
    on_collection_delete_request => "CollectionDeleteRequest" collection_delete_request: CollectionRequestEvent;
    /// Superusers import collections.
    on_collections_import_request => "CollectionsImportRequest" collections_import_request: CollectionsImportEvent;
    /// Somebody sends a batch.
    on_batch_request => "BatchRequest" batch_request: BatchEvent;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_a_method() {
        assert_eq!(NAMES.len(), 84);
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
    }

    #[test]
    fn handlers_are_counted_per_hook() {
        let app = App::new();
        assert!(app.bound_hooks().is_empty());
        app.on_bootstrap().bind(|e| async move { e.next().await });
        let id = app.on_record_create("a").bind(|e| async move { e.next().await });
        assert_eq!(app.bound_hooks(), BTreeMap::from([("Bootstrap", 1), ("RecordCreate", 1)]));
        app.on_record_create(()).unbind(&id);
        assert!(app.on_record_create(()).is_empty());
    }
}
