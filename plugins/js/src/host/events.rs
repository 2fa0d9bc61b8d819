//! Events of hooks (spec extending §5), and how a script's handler is bound to one.
//!
//! One `event!` per kind of event: its table has what the kind carries; `app`, `next` and, for requests, everything of
//! [`Request`] come with it. One line of `bind_hook!` per hook.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use pocketbase::{App, Error, Record, RequestInfo, Response, event};

use super::{
    CurrentApp,
    request::{Asked, Request, answer_hook},
};
use crate::{
    Js,
    bind::{Fail, Res, Shared, Val, as_host, errors, native, table},
    run::{Program, call, wait},
};

/// An event in the hands of one handler.
pub(crate) struct Hooked<E> {
    event: E,
    request: Option<Request>,
    is_continued: AtomicBool,
}

impl<E> Hooked<E> {
    fn new(event: E, request: Option<Request>) -> Self {
        Self { event, request, is_continued: AtomicBool::new(false) }
    }
    /// True the first time: a second `e.next()` does nothing.
    fn goes_on(&self) -> bool {
        !self.is_continued.swap(true, Ordering::AcqRel)
    }
    fn request(&self) -> Option<Shared> {
        self.request.clone().map(|request| Arc::new(request) as Shared)
    }
}

macro_rules! event {
    ($table:ident: $event:ident = $js:literal, $doc:literal { $($body:tt)* }) => {
        native!(Hooked<event::$event> = $table);
        table! {
            pub(crate) static $table: Hooked<event::$event> = $js, $doc {
                $($body)*
                prop "app": "core.App", "The app." => |cx, e| CurrentApp;
                fn "next" "(): void" "Runs the rest of the chain." => |cx, e, a| if e.goes_on() { wait(e.event.next())? };
                prop "requestEvent": "core.RequestEvent", "The request behind it." => |cx, e| e.request();
            }
            base |e| e.request();
        }
    };
}

/// Events that a request has caused.
macro_rules! asked {
    ($($event:ident),* $(,)?) => {$(
        impl Asked for event::$event {
            fn info(&self) -> RequestInfo {
                self.request_info()
            }
            fn auth(&self) -> Option<Record> {
                self.auth()
            }
            fn incoming(&self) -> Option<pocketbase::Incoming> {
                self.incoming()
            }
            fn respond(&self, response: Response) -> pocketbase::Result<()> {
                self.respond(response)
            }
            fn is_answered(&self) -> bool {
                self.is_answered()
            }
        }
        impl From<event::$event> for Hooked<event::$event> {
            fn from(event: event::$event) -> Self {
                let request = Request::of_hook(event.clone());
                Self::new(event, Some(request))
            }
        }
    )*};
}
macro_rules! unasked {
    ($($event:ident),* $(,)?) => {$(
        impl From<event::$event> for Hooked<event::$event> {
            fn from(event: event::$event) -> Self {
                Self::new(event, None)
            }
        }
    )*};
}
asked!(
    RecordRequestEvent,
    RecordsListEvent,
);
unasked!(AppEvent, TerminateEvent, ModelEvent, RecordEvent, EnrichEvent, CollectionEvent);

fn tags(collection: &pocketbase::Collection) -> Vec<String> {
    vec![collection.id(), collection.name()]
}

event! { APP_EVENT: AppEvent = "core.BootstrapEvent", "The app starts or has new settings." {} }
event! { TERMINATE_EVENT: TerminateEvent = "core.TerminateEvent", "The app ends." {
    prop "isRestart": "boolean", "Whether it starts again." => |cx, e| e.event.is_restart();
} }
event! { MODEL_EVENT: ModelEvent = "core.ModelEvent", "Something is stored or deleted." {
    prop "model": "core.Model", "What it is about." => |cx, e| model(e.event.model());
    prop "type": "string", "`create`, `update`, `delete` or `validate`." => |cx, e| e.event.action().as_str();
    prop "error": "Error", "Why it failed." => |cx, e| e.event.error().map(errors::of_error);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| match e.event.model() {
        event::Model::Record(record) => vec![record.collection().id(), record.collection_name()],
        event::Model::Collection(collection) => tags(&collection),
        event::Model::Other { table, .. } => vec![table],
        _ => Vec::new(),
    };
} }
event! { RECORD_EVENT: RecordEvent = "core.RecordEvent", "A record is stored or deleted." {
    prop "record": "core.Record", "The record." => |cx, e| e.event.record();
    prop "type": "string", "`create`, `update`, `delete` or `validate`." => |cx, e| e.event.action().as_str();
    prop "error": "Error", "Why it failed." => |cx, e| e.event.error().map(errors::of_error);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { ENRICH_EVENT: EnrichEvent = "core.RecordEnrichEvent", "A record is made ready for a client." {
    prop "record": "core.Record", "The record." => |cx, e| e.event.record();
    prop "requestInfo": "core.RequestInfo", "The facts of the request." => |cx, e| super::request::info_of(e.event.request_info());
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { COLLECTION_EVENT: CollectionEvent = "core.CollectionEvent", "A collection is stored or deleted." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "type": "string", "`create`, `update`, `delete` or `validate`." => |cx, e| e.event.action().as_str();
    prop "error": "Error", "Why it failed." => |cx, e| e.event.error().map(errors::of_error);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { RECORD_REQUEST_EVENT: RecordRequestEvent = "core.RecordRequestEvent", "A request about a record." {
    prop "collection": "core.Collection", "Its collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record." => |cx, e| e.event.record(), set |cx, e, v| e.event.set_record(&record(&v)?);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { RECORDS_LIST_EVENT: RecordsListEvent = "core.RecordsListRequestEvent", "A request for a list of records." {
    prop "collection": "core.Collection", "Their collection." => |cx, e| e.event.collection();
    prop "records": "core.Record[]", "The records." => |cx, e| e.event.records();
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }

fn model(model: event::Model) -> Val {
    match model {
        event::Model::Record(record) => Val::Host(Arc::new(record)),
        event::Model::Collection(collection) => Val::Host(Arc::new(collection)),
        _ => Val::Null,
    }
}

fn record(value: &rquickjs::Value<'_>) -> Res<Record> {
    let found = as_host(value).and_then(|host| host.get::<Record>().cloned());
    found.ok_or_else(|| Fail::Type("a record is expected".into()))
}

/// Runs a script's handler for an event.
async fn run<E>(js: Arc<Js>, program: Arc<Program>, app: App, event: E) -> Result<(), Error>
where
    E: Send + Sync + 'static,
    Hooked<E>: crate::bind::Native + From<E>,
{
    let pool = js.pool.clone();
    let work = move || {
        let hooked = Hooked::from(event);
        let request = hooked.request.clone();
        let done = call(&js, &program, &app, Some(Arc::new(hooked)));
        if let Some(request) = request {
            answer_hook(&request);
        }
        done
    };
    pool.run(work).await
}

macro_rules! bind_hooks {
    ($($name:literal => $method:ident $(($tags:ident))?;)*) => {
        /// All hooks, as scripts call them, and whether they take tags.
        pub(crate) const HOOKS: &[(&str, bool)] = &[$(($name, bind_hooks!(@tagged $($tags)?))),*];

        /// Binds a handler to a hook.
        pub(crate) fn bind_hook(js: &Arc<Js>, name: &str, tags: Vec<String>, program: Arc<Program>) {
            let (app, js) = (js.app.clone(), js.clone());
            match name {
                $($name => {
                    $(let $tags = tags;)?
                    app.$method($($tags)?).bind(move |e| {
                        let app = e.app().clone();
                        run(js.clone(), program.clone(), app, e)
                    });
                })*
                _ => {}
            }
        }
    };
    (@tagged) => { false };
    (@tagged $tags:ident) => { true };
}

bind_hooks! {
    "onBootstrap" => on_bootstrap;
    "onTerminate" => on_terminate;
    "onSettingsReload" => on_settings_reload;
    "onModelValidate" => on_model_validate(tags);
    "onModelCreate" => on_model_create(tags);
    "onModelCreateExecute" => on_model_create_execute(tags);
    "onModelAfterCreateSuccess" => on_model_after_create_success(tags);
    "onModelAfterCreateError" => on_model_after_create_error(tags);
    "onModelUpdate" => on_model_update(tags);
    "onModelUpdateExecute" => on_model_update_execute(tags);
    "onModelAfterUpdateSuccess" => on_model_after_update_success(tags);
    "onModelAfterUpdateError" => on_model_after_update_error(tags);
    "onModelDelete" => on_model_delete(tags);
    "onModelDeleteExecute" => on_model_delete_execute(tags);
    "onModelAfterDeleteSuccess" => on_model_after_delete_success(tags);
    "onModelAfterDeleteError" => on_model_after_delete_error(tags);
    "onRecordEnrich" => on_record_enrich(tags);
    "onRecordValidate" => on_record_validate(tags);
    "onRecordCreate" => on_record_create(tags);
    "onRecordCreateExecute" => on_record_create_execute(tags);
    "onRecordAfterCreateSuccess" => on_record_after_create_success(tags);
    "onRecordAfterCreateError" => on_record_after_create_error(tags);
    "onRecordUpdate" => on_record_update(tags);
    "onRecordUpdateExecute" => on_record_update_execute(tags);
    "onRecordAfterUpdateSuccess" => on_record_after_update_success(tags);
    "onRecordAfterUpdateError" => on_record_after_update_error(tags);
    "onRecordDelete" => on_record_delete(tags);
    "onRecordDeleteExecute" => on_record_delete_execute(tags);
    "onRecordAfterDeleteSuccess" => on_record_after_delete_success(tags);
    "onRecordAfterDeleteError" => on_record_after_delete_error(tags);
    "onCollectionValidate" => on_collection_validate(tags);
    "onCollectionCreate" => on_collection_create(tags);
    "onCollectionCreateExecute" => on_collection_create_execute(tags);
    "onCollectionAfterCreateSuccess" => on_collection_after_create_success(tags);
    "onCollectionAfterCreateError" => on_collection_after_create_error(tags);
    "onCollectionUpdate" => on_collection_update(tags);
    "onCollectionUpdateExecute" => on_collection_update_execute(tags);
    "onCollectionAfterUpdateSuccess" => on_collection_after_update_success(tags);
    "onCollectionAfterUpdateError" => on_collection_after_update_error(tags);
    "onCollectionDelete" => on_collection_delete(tags);
    "onCollectionDeleteExecute" => on_collection_delete_execute(tags);
    "onCollectionAfterDeleteSuccess" => on_collection_after_delete_success(tags);
    "onCollectionAfterDeleteError" => on_collection_after_delete_error(tags);
    "onRecordAuthRefreshRequest" => on_record_auth_refresh_request(tags);
    "onRecordRequestPasswordResetRequest" => on_record_request_password_reset_request(tags);
    "onRecordConfirmPasswordResetRequest" => on_record_confirm_password_reset_request(tags);
    "onRecordRequestVerificationRequest" => on_record_request_verification_request(tags);
    "onRecordConfirmVerificationRequest" => on_record_confirm_verification_request(tags);
    "onRecordsListRequest" => on_records_list_request(tags);
    "onRecordViewRequest" => on_record_view_request(tags);
    "onRecordCreateRequest" => on_record_create_request(tags);
    "onRecordUpdateRequest" => on_record_update_request(tags);
    "onRecordDeleteRequest" => on_record_delete_request(tags);
}

