//! Events of hooks (spec extending §5), and how a script's handler is bound to one.
//!
//! One `event!` per kind of event: its table has what the kind carries; `app`, `next` and, for requests, everything of
//! [`Request`] come with it. One line of `bind_hook!` per hook.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use pocketbase::{App, Error, Message, Record, RequestInfo, Response, TaggedHook, event};

use super::{
    EventApp,
    request::{Asked, Request, answer_hook},
    services::{MailMessage, SettingsTree, mailer},
};
use crate::{
    Js,
    bind::{
        Fail, Native, Res, Shared, Tabled, Type, Val, as_host, errors, export, is_nil, items,
        native, new_map, number, table, text,
    },
    run::{Program, call, wait},
};

/// An event in the hands of one handler.
pub(crate) struct Hooked<E> {
    event: E,
    request: Option<Request>,
    is_continued: AtomicBool,
    kept: Mutex<Vec<Kept>>,
    /// What a script has put in the place of the app.
    app: Mutex<Option<App>>,
}

/// Events whose app scripts may replace; what the others do goes on with their own.
trait Acts {
    fn act_with(&self, _app: &App) -> pocketbase::Result<()> {
        Ok(())
    }
}
macro_rules! acts {
    ($($event:ident),*) => {$(
        impl Acts for event::$event {
            fn act_with(&self, app: &App) -> pocketbase::Result<()> {
                self.set_app(app)
            }
        }
    )*};
}
acts!(ModelEvent, RecordEvent, CollectionEvent);

/// A value that scripts change in place, and what takes the changes over.
struct Kept {
    name: &'static str,
    value: Shared,
    take: Box<dyn Fn() + Send + Sync>,
}

impl<E> Hooked<E> {
    fn new(event: E, request: Option<Request>) -> Self {
        Self {
            event,
            request,
            is_continued: AtomicBool::new(false),
            kept: Mutex::default(),
            app: Mutex::default(),
        }
    }
    /// The value of a member that scripts change in place: made once; changes count when the handler goes on or ends.
    fn keep<T: Native>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> T,
        take: impl Fn(&T) + Send + Sync + 'static,
    ) -> Shared {
        let mut kept = self.kept.lock();
        if let Some(known) = kept.iter().find(|one| one.name == name) {
            return known.value.clone();
        }
        let value = Arc::new(make());
        let shared: Shared = value.clone();
        kept.push(Kept { name, value: shared.clone(), take: Box::new(move || take(&value)) });
        shared
    }
    /// Forgets a member that was replaced.
    fn forget(&self, name: &str) {
        self.kept.lock().retain(|one| one.name != name);
    }
    fn take_over(&self) {
        for kept in &*self.kept.lock() {
            (kept.take)();
        }
    }
    /// True the first time: a second `e.next()` does nothing.
    fn goes_on(&self) -> bool {
        self.take_over();
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
                prop "app": "core.App", "The app; a transaction that is put here is what `next()` acts in." => |cx, e| EventApp(e.app.lock().clone()), set |cx, e, v| {
                    let app = as_host(&v).and_then(|host| host.get::<App>().cloned()).ok_or_else(|| Fail::Type("an app is expected".into()))?;
                    e.event.act_with(&app)?;
                    *e.app.lock() = Some(app);
                };
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
        impl Acts for event::$event {}
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
event::request_events!(asked);
impl Acts for event::AppEvent {}
impl Acts for event::TerminateEvent {}
impl Acts for event::BackupEvent {}
impl Acts for event::EnrichEvent {}
impl Acts for event::MailEvent {}
impl Acts for event::RecordMailEvent {}
unasked!(
    AppEvent,
    TerminateEvent,
    BackupEvent,
    ModelEvent,
    RecordEvent,
    EnrichEvent,
    CollectionEvent,
    MailEvent,
    RecordMailEvent,
);

fn tags(collection: &pocketbase::Collection) -> Vec<String> {
    vec![collection.id(), collection.name()]
}
/// Events of records name the collection first.
fn record_tags(collection: &pocketbase::Collection) -> Vec<String> {
    vec![collection.name(), collection.id()]
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
        event::Model::Record(record) => record_tags(&record.collection()),
        event::Model::Collection(collection) => tags(&collection),
        event::Model::Other { table, .. } => vec![table],
        _ => Vec::new(),
    };
} }
event! { RECORD_EVENT: RecordEvent = "core.RecordEvent", "A record is stored or deleted." {
    prop "record": "core.Record", "The record." => |cx, e| e.event.record();
    prop "type": "string", "`create`, `update`, `delete` or `validate`." => |cx, e| e.event.action().as_str();
    prop "error": "Error", "Why it failed." => |cx, e| e.event.error().map(errors::of_error);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| record_tags(&e.event.collection());
} }
event! { ENRICH_EVENT: EnrichEvent = "core.RecordEnrichEvent", "A record is made ready for a client." {
    prop "record": "core.Record", "The record." => |cx, e| e.event.record();
    prop "requestInfo": "core.RequestInfo", "The facts of the request." => |cx, e| super::info::info_of(e.event.request_info());
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| record_tags(&e.event.collection());
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
    prop "records": "core.Record[]", "The records." => |cx, e| e.event.records(), set |cx, e, v| {
        let all: Res<Vec<Record>> = items(cx, &v)?.iter().map(record).collect();
        e.event.set_records(&all?);
    };
    prop "result": "search.Result", "The page; its numbers can be changed." => |cx, e| {
        let event = e.event.clone();
        let make = || {
            let items = e.event.records().into_iter().map(|record| Val::Host(Arc::new(record)));
            page_of([e.event.page(), i64::from(e.event.per_page()), e.event.total_items(), e.event.total_pages()], items.collect())
        };
        e.keep("result", make, move |tree| {
            let [page, per_page, total_items, total_pages] = numbers_of(tree);
            event.set_page(page);
            event.set_per_page(u32::try_from(per_page).unwrap_or_default());
            event.set_total_items(total_items);
            event.set_total_pages(total_pages);
        })
    };
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }

event! { BACKUP_EVENT: BackupEvent = "core.BackupEvent", "A backup is made or restored." {
    prop "name": "string", "Its name." => |cx, e| e.event.name(), set |cx, e, v| e.event.set_name(text(cx, &v)?);
    prop "exclude": "string[]", "What is left out." => |cx, e| e.event.exclude(), set |cx, e, v| e.event.set_exclude(texts(cx, &v)?);
} }
event! { SETTINGS_LIST_EVENT: SettingsListEvent = "core.SettingsListRequestEvent", "A request for the settings." {
    prop "settings": "core.Settings", "A copy of the settings." => |cx, e| {
        let event = e.event.clone();
        e.keep("settings", || SettingsTree::of(&e.event.settings()), move |tree| event.set_settings(tree.apply(event.settings())))
    };
} }
event! { SETTINGS_UPDATE_EVENT: SettingsUpdateEvent = "core.SettingsUpdateRequestEvent", "A request that changes the settings." {
    prop "oldSettings": "core.Settings", "What they were." => |cx, e| Arc::new(SettingsTree::of(&e.event.old_settings())) as Shared;
    prop "newSettings": "core.Settings", "What they will be." => |cx, e| {
        let event = e.event.clone();
        e.keep("newSettings", || SettingsTree::of(&e.event.new_settings()), move |tree| event.set_new_settings(tree.apply(event.new_settings())))
    };
} }
event! { MAIL_EVENT: MailEvent = "core.MailerEvent", "A mail is sent." {
    prop "mailer": "mailer.Mailer", "What sends it." => |cx, e| mailer(e.event.app());
    prop "message": "mailer.Message", "The mail." => |cx, e| {
        let event = e.event.clone();
        e.keep("message", || MailMessage::of(&e.event.message()), move |mail| event.change_message(|message| merge(message, mail)))
    };
} }
event! { RECORD_MAIL_EVENT: RecordMailEvent = "core.MailerRecordEvent", "A mail about a record is sent." {
    prop "mailer": "mailer.Mailer", "What sends it." => |cx, e| mailer(e.event.app());
    prop "record": "core.Record", "The record." => |cx, e| e.event.record();
    prop "meta": "{ [key: string]: any }", "What the mail is about." => |cx, e| Val::from(e.event.meta());
    prop "message": "mailer.Message", "The mail." => |cx, e| {
        let event = e.event.clone();
        e.keep("message", || MailMessage::of(&e.event.message()), move |mail| event.change_message(|message| merge(message, mail)))
    };
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| record_tags(&e.event.collection());
} }
event! { REALTIME_CONNECT_EVENT: RealtimeConnectEvent = "core.RealtimeConnectRequestEvent", "A realtime client connects." {
    prop "client": "subscriptions.Client", "The client." => |cx, e| e.event.client().map(super::realtime::client);
    prop "idleTimeout": "number", "How long it may be silent, in nanoseconds." => |cx, e| nanos(e.event.idle_timeout()), set |cx, e, v| e.event.set_idle_timeout(duration(cx, &v)?);
    prop "maxTimeout": "number", "How long it may stay, in nanoseconds." => |cx, e| nanos(e.event.max_timeout()), set |cx, e, v| e.event.set_max_timeout(duration(cx, &v)?);
} }
event! { REALTIME_MESSAGE_EVENT: RealtimeMessageEvent = "core.RealtimeMessageEvent", "A message goes to a realtime client." {
    prop "client": "subscriptions.Client", "The client." => |cx, e| e.event.client().map(super::realtime::client);
    prop "message": "subscriptions.Message", "The message." => |cx, e| {
        let event = e.event.clone();
        let make = || super::realtime::Letter::new(&e.event.name(), e.event.data().to_vec());
        e.keep("message", make, move |letter| {
            let (name, data) = letter.parts();
            event.set_name(name);
            event.set_data(data);
        })
    };
} }
event! { REALTIME_SUBSCRIBE_EVENT: RealtimeSubscribeEvent = "core.RealtimeSubscribeRequestEvent", "A realtime client subscribes." {
    prop "client": "subscriptions.Client", "The client." => |cx, e| e.event.client().map(super::realtime::client);
    prop "subscriptions": "string[]", "What it wants." => |cx, e| e.event.subscriptions(), set |cx, e, v| e.event.set_subscriptions(texts(cx, &v)?);
} }
event! { FILE_DOWNLOAD_EVENT: FileDownloadEvent = "core.FileDownloadRequestEvent", "A request for a file." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record." => |cx, e| e.event.record();
    prop "fileField": "core.FileField", "The field." => |cx, e| e.event.collection().field_by_name(e.event.field());
    prop "servedPath": "string", "Where the file is." => |cx, e| e.event.served_path(), set |cx, e, v| e.event.set_served_path(text(cx, &v)?);
    prop "servedName": "string", "The name it is given." => |cx, e| e.event.served_name(), set |cx, e, v| e.event.set_served_name(text(cx, &v)?);
    prop "thumbError": "Error", "Why there is no thumb." => |cx, e| e.event.thumb_error().map(|text| errors::of_error(Error::other(text.to_owned())));
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { FILE_TOKEN_EVENT: FileTokenEvent = "core.FileTokenRequestEvent", "A request for a file token." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record." => |cx, e| e.event.record();
    prop "token": "string", "The token." => |cx, e| e.event.token(), set |cx, e, v| e.event.set_token(text(cx, &v)?);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { RECORD_AUTH_EVENT: RecordAuthEvent = "core.RecordAuthRequestEvent", "A record logs in." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record." => |cx, e| e.event.record(), set |cx, e, v| e.event.set_record(&record(&v)?);
    prop "token": "string", "Its token." => |cx, e| e.event.token(), set |cx, e, v| e.event.set_token(text(cx, &v)?);
    prop "meta": "any", "What the answer carries, too." => |cx, e| meta(e), set |cx, e, v| {
        e.forget("meta");
        e.event.set_meta(export(cx, &v)?.into_json());
    };
    prop "authMethod": "string", "How it logs in." => |cx, e| e.event.auth_method(), set |cx, e, v| e.event.set_auth_method(text(cx, &v)?);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { AUTH_WITH_PASSWORD_EVENT: AuthWithPasswordEvent = "core.RecordAuthWithPasswordRequestEvent", "A login with a password." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record, if there is one." => |cx, e| e.event.record(), set |cx, e, v| e.event.set_record(maybe(&v)?.as_ref());
    prop "identity": "string", "Who it says to be." => |cx, e| e.event.identity(), set |cx, e, v| e.event.set_identity(text(cx, &v)?);
    prop "identityField": "string", "The field it is looked up by." => |cx, e| e.event.identity_field(), set |cx, e, v| e.event.set_identity_field(text(cx, &v)?);
    prop "password": "string", "The password." => |cx, e| e.event.password(), set |cx, e, v| e.event.set_password(text(cx, &v)?);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { AUTH_WITH_OAUTH2_EVENT: AuthWithOAuth2Event = "core.RecordAuthWithOAuth2RequestEvent", "A login with another service." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record, if there is one." => |cx, e| e.event.record(), set |cx, e, v| e.event.set_record(maybe(&v)?.as_ref());
    prop "providerName": "string", "The service." => |cx, e| e.event.provider_name(), set |cx, e, v| e.event.set_provider_name(text(cx, &v)?);
    prop "oAuth2User": "auth.AuthUser", "Who the service says it is." => |cx, e| e.event.oauth2_user(), set |cx, e, v| e.event.set_oauth2_user(export(cx, &v)?.into_json());
    prop "createData": "{ [key: string]: any }", "What a new record gets." => |cx, e| Val::from(e.event.create_data()), set |cx, e, v| e.event.set_create_data(export(cx, &v)?.into_object());
    prop "isNewRecord": "boolean", "Whether a record is made." => |cx, e| e.event.is_new_record();
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { EMAIL_CHANGE_EVENT: EmailChangeEvent = "core.RecordRequestEmailChangeRequestEvent", "A new email is asked for or confirmed." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record." => |cx, e| e.event.record(), set |cx, e, v| e.event.set_record(&record(&v)?);
    prop "newEmail": "string", "The new email." => |cx, e| e.event.new_email(), set |cx, e, v| e.event.set_new_email(text(cx, &v)?);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { REQUEST_OTP_EVENT: RequestOtpEvent = "core.RecordCreateOTPRequestEvent", "A one-time password is asked for." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record, if there is one." => |cx, e| e.event.record(), set |cx, e, v| e.event.set_record(maybe(&v)?.as_ref());
    prop "password": "string", "The password." => |cx, e| e.event.password(), set |cx, e, v| e.event.set_password(text(cx, &v)?);
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { AUTH_WITH_OTP_EVENT: AuthWithOtpEvent = "core.RecordAuthWithOTPRequestEvent", "A login with a one-time password." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    prop "record": "core.Record", "The record." => |cx, e| e.event.record(), set |cx, e, v| e.event.set_record(&record(&v)?);
    prop "otp": "core.OTP", "The one-time password." => |cx, e| e.event.otp();
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { COLLECTIONS_LIST_EVENT: CollectionsListEvent = "core.CollectionsListRequestEvent", "A request for a list of collections." {
    prop "collections": "core.Collection[]", "The collections." => |cx, e| e.event.collections();
    prop "result": "search.Result", "The page." => |cx, e| {
        let items = e.event.collections().into_iter().map(|collection| Val::Host(Arc::new(collection)));
        Arc::new(page_of([e.event.page(), e.event.per_page(), e.event.total_items(), e.event.total_pages()], items.collect())) as Shared
    };
} }
event! { COLLECTION_REQUEST_EVENT: CollectionRequestEvent = "core.CollectionRequestEvent", "A request about a collection." {
    prop "collection": "core.Collection", "The collection." => |cx, e| e.event.collection();
    fn "tags" "(): string[]" "What hooks match it by." => |cx, e, a| tags(&e.event.collection());
} }
event! { COLLECTIONS_IMPORT_EVENT: CollectionsImportEvent = "core.CollectionsImportRequestEvent", "Collections are imported." {
    prop "collectionsData": "{ [key: string]: any }[]", "The collections as they came." => |cx, e| {
        let all = e.event.collections().into_iter().map(Val::from);
        all.collect::<Vec<_>>()
    }, set |cx, e, v| {
        let all = items(cx, &v)?.iter().map(|item| Ok(export(cx, item)?.into_object())).collect::<Res<Vec<_>>>();
        e.event.set_collections(all?);
    };
    prop "deleteMissing": "boolean", "Whether collections that are not in the list are deleted." => |cx, e| e.event.delete_missing();
} }
event! { BATCH_EVENT: BatchEvent = "core.BatchRequestEvent", "Several requests at once." {
    prop "batch": "core.InternalRequest[]", "The requests." => |cx, e| {
        let event = e.event.clone();
        let make = || {
            let all = e.event.batch().into_iter().map(|item| {
                let headers: serde_json::Map<String, serde_json::Value> =
                    item.headers.into_iter().map(|(key, value)| (key, value.into())).collect();
                Val::from(serde_json::json!({ "method": item.method, "url": item.url, "headers": headers, "body": item.body }))
            });
            super::services::Tree(new_map([("all".to_owned(), Val::List(all.collect()))]))
        };
        let take = move |tree: &super::services::Tree| {
            let mut items = event.batch();
            let given = tree.all();
            for (item, given) in items.iter_mut().zip(given) {
                let mut given = given.into_object();
                if let Some(serde_json::Value::Object(body)) = given.remove("body") {
                    item.body = body;
                }
                for (key, place) in [("method", &mut item.method), ("url", &mut item.url)] {
                    if let Some(serde_json::Value::String(text)) = given.remove(key) {
                        *place = text;
                    }
                }
            }
            event.set_batch(items);
        };
        let kept = e.keep("batch", make, take);
        kept.get::<super::services::Tree>().map(super::services::Tree::all)
    };
} }

/// The names of a page's numbers.
const NUMBERS: [&str; 4] = ["page", "perPage", "totalItems", "totalPages"];

fn page_of(numbers: [i64; 4], items: Vec<Val>) -> super::services::Tree {
    let numbers = NUMBERS.into_iter().zip(numbers).map(|(name, n)| (name.to_owned(), Val::Int(n)));
    super::services::Tree(new_map(numbers.chain([("items".to_owned(), Val::List(items))])))
}
fn numbers_of(page: &super::services::Tree) -> [i64; 4] {
    let map = page.0.lock().clone();
    NUMBERS.map(|name| {
        let value = map.get(name).cloned().map(Val::into_json);
        value.and_then(|value| value.as_i64()).unwrap_or_default()
    })
}

fn texts<'js>(cx: &rquickjs::Ctx<'js>, value: &rquickjs::Value<'js>) -> Res<Vec<String>> {
    items(cx, value)?.iter().map(|item| text(cx, item)).collect()
}
fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds")]
fn duration<'js>(
    cx: &rquickjs::Ctx<'js>,
    value: &rquickjs::Value<'js>,
) -> Res<std::time::Duration> {
    Ok(std::time::Duration::from_nanos(number(cx, value)?.max(0.0) as u64))
}
fn maybe(value: &rquickjs::Value<'_>) -> Res<Option<Record>> {
    if is_nil(value) { Ok(None) } else { record(value).map(Some) }
}
/// What a script may change in place.
fn meta(hooked: &Hooked<event::RecordAuthEvent>) -> Val {
    let meta = hooked.event.meta();
    let serde_json::Value::Object(map) = meta else { return meta.into() };
    let event = hooked.event.clone();
    let tree = hooked.keep(
        "meta",
        || super::services::Tree::of(map),
        move |tree| event.set_meta(tree.json()),
    );
    match tree.get::<super::services::Tree>() {
        Some(tree) => Val::Map(tree.0.clone()),
        None => Val::Null,
    }
}
fn merge(message: &mut Message, mail: &MailMessage) {
    *message = mail.message();
}

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

/// Notes that a handler has ended the chain.
fn skipped(app: &App, program: &Program) {
    let attrs = [("handler", program.label.clone().into()), ("place", program.place().into())];
    let text = "A JavaScript handler did not call e.next(): the rest was skipped.";
    app.logger().info(text, &attrs);
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
        let hooked = Arc::new(hooked);
        let done = call(&js, &program, &app, Some(hooked.clone()));
        hooked.take_over();
        let ends_here = done.is_ok() && !hooked.is_continued.load(Ordering::Acquire);
        match request {
            Some(request) => answer_hook(&request),
            // who answers a request need not go on; but what is not saved should not be a riddle
            None if ends_here => skipped(&app, &program),
            None => {}
        }
        done
    };
    pool.run(work).await
}

/// The table of a hook's events.
fn table_of<P>(_: &TaggedHook<P>) -> &'static Type
where
    Hooked<event::Event<P>>: Tabled,
{
    Hooked::<event::Event<P>>::table()
}

macro_rules! bind_hooks {
    ($($name:literal => $method:ident $(($tags:ident))?;)*) => {
        /// All hooks, as scripts call them, and whether they take tags.
        pub(crate) const HOOKS: &[(&str, bool)] = &[$(($name, bind_hooks!(@tagged $($tags)?))),*];

        /// The hooks with the tables of their events.
        pub(crate) fn hook_tables(app: &App) -> Vec<(&'static str, bool, &'static Type)> {
            vec![$({
                $(let $tags = Vec::<String>::new();)?
                ($name, bind_hooks!(@tagged $($tags)?), table_of(&app.$method($($tags)?)))
            }),*]
        }

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
    "onBootstrapClear" => on_bootstrap_clear;
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
    "onBackupCreate" => on_backup_create;
    "onBackupRestore" => on_backup_restore;
    "onSettingsListRequest" => on_settings_list_request;
    "onSettingsUpdateRequest" => on_settings_update_request;
    "onMailerSend" => on_mailer_send;
    "onMailerRecordAuthAlertSend" => on_mailer_record_auth_alert_send(tags);
    "onMailerRecordPasswordResetSend" => on_mailer_record_password_reset_send(tags);
    "onMailerRecordVerificationSend" => on_mailer_record_verification_send(tags);
    "onMailerRecordEmailChangeSend" => on_mailer_record_email_change_send(tags);
    "onMailerRecordOTPSend" => on_mailer_record_otp_send(tags);
    "onRealtimeConnectRequest" => on_realtime_connect_request;
    "onRealtimeMessageSend" => on_realtime_message_send;
    "onRealtimeSubscribeRequest" => on_realtime_subscribe_request;
    "onFileDownloadRequest" => on_file_download_request(tags);
    "onFileTokenRequest" => on_file_token_request(tags);
    "onRecordAuthRequest" => on_record_auth_request(tags);
    "onRecordAuthWithPasswordRequest" => on_record_auth_with_password_request(tags);
    "onRecordAuthWithOAuth2Request" => on_record_auth_with_oauth2_request(tags);
    "onRecordRequestEmailChangeRequest" => on_record_request_email_change_request(tags);
    "onRecordConfirmEmailChangeRequest" => on_record_confirm_email_change_request(tags);
    "onRecordRequestOTPRequest" => on_record_request_otp_request(tags);
    "onRecordAuthWithOTPRequest" => on_record_auth_with_otp_request(tags);
    "onCollectionsListRequest" => on_collections_list_request;
    "onCollectionViewRequest" => on_collection_view_request;
    "onCollectionCreateRequest" => on_collection_create_request;
    "onCollectionUpdateRequest" => on_collection_update_request;
    "onCollectionDeleteRequest" => on_collection_delete_request;
    "onCollectionsImportRequest" => on_collections_import_request;
    "onBatchRequest" => on_batch_request;
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
