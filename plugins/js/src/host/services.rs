//! Services of the app: log, settings, mail, jobs (spec extending §9).

use std::sync::Arc;

use pocketbase::{Address, App, LogAttrs, Logger, Message, Settings};
use serde_json::Value as Json;

use crate::{
    bind::{
        Args, Dynamic, Fail, MapRef, Native, Order, Res, Shared, Type, Val, native, new_map, table,
    },
    run::wait,
};

/// The app's log.
pub(crate) struct Log {
    logger: Logger,
    /// The groups that attributes lie in, the outermost first.
    groups: Vec<String>,
}
/// The members of settings and of the options of collections.
pub(super) const ORDER: Order = &[
    "superuserIPs",
    "smtp",
    "backups",
    "cron",
    "cronMaxKeep",
    "s3",
    "meta",
    "rateLimits",
    "trustedProxy",
    "batch",
    "logs",
    "providers",
    "mappedFields",
    "rules",
    "excludedIPs",
    "label",
    "audience",
    "enabled",
    "identityFields",
    "id",
    "name",
    "port",
    "host",
    "username",
    "password",
    "authMethod",
    "tls",
    "localName",
    "avatarURL",
    "bucket",
    "region",
    "endpoint",
    "accessKey",
    "secret",
    "forcePathStyle",
    "duration",
    "length",
    "rule",
    "maxRequests",
    "timeout",
    "maxBodySize",
    "emailTemplate",
    "subject",
    "body",
    "accentColor",
    "appName",
    "appURL",
    "senderName",
    "senderAddress",
    "hideControls",
    "headers",
    "useLeftmostIP",
    "maxDataSize",
    "maxDays",
    "minLevel",
    "logIP",
    "logAuthId",
];
const MAIL_ORDER: Order = &[
    "from",
    "to",
    "bcc",
    "cc",
    "subject",
    "html",
    "text",
    "headers",
    "attachments",
    "inlineAttachments",
    "name",
    "address",
];
/// The app's settings as scripts see them: a tree of maps.
pub(crate) struct SettingsTree(pub(crate) MapRef);
/// What sends mail.
pub(crate) struct Mailer(App);
/// A message to send: a tree of maps, too.
pub(crate) struct MailMessage(pub(crate) MapRef);
/// The jobs.
pub(crate) struct Jobs(App);
/// A job.
pub(crate) struct OneJob(App, pocketbase::Job);

native!(Log = LOGGER, Mailer = MAILER, Jobs = CRON, OneJob = JOB);

table! {
    pub(crate) static LOGGER: Log = "slog.Logger", "The app's log." {
        fn "debug" "(message: string, ...attributes: any[]): void" "Notes a detail." => |cx, l, a| l.write(a, Logger::debug)?;
        fn "info" "(message: string, ...attributes: any[]): void" "Notes something." => |cx, l, a| l.write(a, Logger::info)?;
        fn "warn" "(message: string, ...attributes: any[]): void" "Notes a warning." => |cx, l, a| l.write(a, Logger::warn)?;
        fn "error" "(message: string, ...attributes: any[]): void" "Notes an error." => |cx, l, a| l.write(a, Logger::error)?;
        fn "with" "(...attributes: any[]): slog.Logger" "A log whose entries have these attributes." => |cx, l, a| {
            let logger = l.attributes(a, 0)?.into_iter().fold(l.logger.clone(), |logger, (key, value)| logger.with(&key, value));
            Arc::new(Log { logger, groups: l.groups.clone() }) as Shared
        };
        fn "withGroup" "(name: string): slog.Logger" "A log whose attributes lie in a group." => |cx, l, a| {
            let mut groups = l.groups.clone();
            groups.push(a.str(0)?);
            Arc::new(Log { logger: l.logger.clone(), groups }) as Shared
        };
    }
}

impl Log {
    pub(crate) fn of(app: &App) -> Self {
        Self { logger: app.logger(), groups: Vec::new() }
    }
    /// Names and values from an argument on, within the groups.
    fn attributes(&self, args: &Args<'_, '_>, from: usize) -> Res<Vec<(String, Json)>> {
        let mut found = Vec::new();
        let mut at = from;
        while at < args.len() {
            found.push((args.str(at)?, args.json(at + 1)?));
            at += 2;
        }
        for group in self.groups.iter().rev() {
            if !found.is_empty() {
                let inner: serde_json::Map<String, Json> =
                    std::mem::take(&mut found).into_iter().collect();
                found.push((group.clone(), Json::Object(inner)));
            }
        }
        Ok(found)
    }
    fn write(&self, args: &Args<'_, '_>, write: fn(&Logger, &str, &LogAttrs<'_>)) -> Res<()> {
        let pairs = self.attributes(args, 1)?;
        let attrs: Vec<(&str, Json)> =
            pairs.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        write(&self.logger, &args.str(0)?, &attrs);
        Ok(())
    }
}

/// A host object whose members are those of a map that it owns.
macro_rules! trees {
    ($($ty:ident = $table:ident),*) => {$(
        impl $crate::bind::Tabled for $ty {
            fn table() -> &'static Type {
                &$table
            }
        }
        impl Native for $ty {
            fn kind(&self) -> &'static Type {
                &$table
            }
            fn any(&self) -> &dyn std::any::Any {
                self
            }
            fn dynamic(&self) -> Option<&dyn Dynamic> {
                Some(self)
            }
        }
        impl Dynamic for $ty {
            fn names(&self) -> Vec<String> {
                self.0.lock().keys().cloned().collect()
            }
            fn read(&self, name: &str) -> Option<Val> {
                self.0.lock().get(name).cloned()
            }
            fn write(&self, name: &str, value: Val) -> Res<bool> {
                let mut map = self.0.lock();
                let known = map.contains_key(name);
                if known {
                    map.insert(name.to_owned(), value);
                }
                Ok(known)
            }
        }
    )*};
}
pub(crate) use trees;
/// A map that an event carries.
pub(crate) struct Tree(pub(crate) MapRef);
trees!(Tree = TREE, SettingsTree = SETTINGS, MailMessage = MESSAGE);

table! {
    pub(crate) static TREE: Tree = "types.Map", "A map." {
    }
    json |t| Val::Map(t.0.clone());
}

impl Tree {
    pub(crate) fn of(map: serde_json::Map<String, Json>) -> Self {
        match Val::from(map) {
            Val::Map(map) => Self(map),
            _ => Self(new_map([])),
        }
    }
    /// The list that lies in it under `all`.
    pub(crate) fn all(&self) -> Vec<Val> {
        match self.0.lock().get("all") {
            Some(Val::List(list)) => list.clone(),
            _ => Vec::new(),
        }
    }
    pub(crate) fn json(&self) -> Json {
        Val::Map(self.0.clone()).into_json()
    }
}

table! {
    pub(crate) static SETTINGS: SettingsTree = "core.Settings", "The settings." {
        fn "clone" "(): core.Settings" "A copy." => |cx, s, a| Arc::new(SettingsTree(copied(&s.0))) as Shared;
    }
    json |s| Val::Map(s.0.clone());
    order ORDER;
}

fn copied(map: &MapRef) -> MapRef {
    match Val::from(Val::Map(map.clone()).into_json()) {
        Val::Map(map) => map,
        _ => new_map([]),
    }
}

impl SettingsTree {
    pub(crate) fn of(settings: &Settings) -> Self {
        let mut json: Json = serde_json::from_str(&settings.to_db_json()).unwrap_or_default();
        // left out where they are empty
        for at in ["/s3", "/backups/s3"] {
            if let Some(Json::Object(s3)) = json.pointer_mut(at) {
                s3.entry("secret").or_insert("".into());
            }
        }
        match Val::from(json) {
            Val::Map(map) => Self(map),
            _ => Self(new_map([])),
        }
    }
    /// Other settings with these members.
    pub(crate) fn apply(&self, mut settings: Settings) -> Settings {
        let _ = settings.merge(&Val::Map(self.0.clone()).into_json());
        settings
    }
    pub(crate) fn save(&self, app: &App) -> Res<()> {
        let json = Val::Map(self.0.clone()).into_json();
        let mut failed = None;
        wait(app.change_settings(|settings| {
            failed = settings.merge(&json).err();
        }))?;
        match failed {
            Some(error) => Err(Fail::other(error.to_string())),
            None => Ok(()),
        }
    }
}

table! {
    pub(crate) static MAILER: Mailer = "mailer.Mailer", "What sends mail." {
        fn "send" "(message: mailer.Message): void" "Sends a message." => |cx, m, a| {
            let message = a.host::<MailMessage>(0)?;
            wait(m.0.new_mail_client().send(message.message()))?;
        };
    }
}

table! {
    pub(crate) static MESSAGE: MailMessage = "mailer.Message", "A message to send." {
    }
    json |m| {
        let shown = m.0.lock().clone();
        // what is not set is an empty map as JSON
        let shown = shown.into_iter().map(|(key, value)| match value {
            Val::Null => (key, Val::Map(new_map([]))),
            value => (key, value),
        });
        Val::Map(new_map(shown))
    };
    order MAIL_ORDER;
}

/// The files of a mail for scripts: readers by name.
fn readers(files: &[(String, bytes::Bytes)]) -> Val {
    if files.is_empty() {
        return Val::Null;
    }
    let reader = |(name, content): &(String, bytes::Bytes)| {
        (name.clone(), Val::Host(Arc::new(super::Reader::new(content.to_vec()))))
    };
    Val::Map(new_map(files.iter().map(reader)))
}

/// The files of a mail: readers, texts or bytes by name.
fn attached(message: &MapRef, key: &str) -> Vec<(String, bytes::Bytes)> {
    let Some(Val::Map(files)) = message.lock().get(key).cloned() else { return Vec::new() };
    let content = |value: Val| match value {
        Val::Host(host) => host.get::<super::Reader>().and_then(|reader| reader.content().ok()),
        other => other.into_bytes(),
    };
    let files = files.lock().clone();
    files.into_iter().filter_map(|(name, value)| Some((name, content(value)?.into()))).collect()
}

impl MailMessage {
    /// `new MailerMessage(data)`: known members are taken.
    pub(crate) fn new(args: &Args<'_, '_>) -> Res<Self> {
        let address = || {
            Val::Map(new_map([("address".to_owned(), "".into()), ("name".to_owned(), "".into())]))
        };
        let map = new_map([
            ("from".to_owned(), address()),
            ("to".to_owned(), Val::List(Vec::new())),
            ("cc".to_owned(), Val::List(Vec::new())),
            ("bcc".to_owned(), Val::List(Vec::new())),
            ("subject".to_owned(), "".into()),
            ("html".to_owned(), "".into()),
            ("text".to_owned(), "".into()),
            ("headers".to_owned(), Val::Null),
            ("attachments".to_owned(), Val::Null),
            ("inlineAttachments".to_owned(), Val::Null),
        ]);
        if let Val::Map(given) = args.val(0)? {
            let given = given.lock().clone();
            let mut map = map.lock();
            for (key, value) in given {
                if let Some(known) = map.get_mut(&key) {
                    *known = value;
                }
            }
        }
        Ok(Self(map))
    }
    /// What the library sends.
    pub(crate) fn message(&self) -> Message {
        let json = Val::Map(self.0.clone()).into_object();
        let text = |key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let all = |key: &str| -> Vec<Address> {
            json.get(key).and_then(Json::as_array).into_iter().flatten().map(address).collect()
        };
        let mut message = Message {
            from: json.get("from").map(address).unwrap_or_default(),
            to: all("to"),
            cc: all("cc"),
            bcc: all("bcc"),
            subject: text("subject"),
            html: text("html"),
            text: text("text"),
            ..Message::default()
        };
        message.attachments = attached(&self.0, "attachments");
        message.inline_attachments = attached(&self.0, "inlineAttachments");
        if let Some(headers) = json.get("headers").and_then(Json::as_object) {
            message.headers = headers
                .iter()
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
        }
        message
    }
    /// A message of the library, to change.
    pub(crate) fn of(message: &Message) -> Self {
        let one = |address: &Address| {
            Val::Map(new_map([
                ("address".to_owned(), address.address.clone().into()),
                ("name".to_owned(), address.name.clone().into()),
            ]))
        };
        let all = |list: &[Address]| Val::List(list.iter().map(one).collect());
        let headers =
            message.headers.iter().map(|(key, value)| (key.clone(), Val::Str(value.clone())));
        let headers =
            if message.headers.is_empty() { Val::Null } else { Val::Map(new_map(headers)) };
        Self(new_map([
            ("from".to_owned(), one(&message.from)),
            ("to".to_owned(), all(&message.to)),
            ("cc".to_owned(), all(&message.cc)),
            ("bcc".to_owned(), all(&message.bcc)),
            ("subject".to_owned(), message.subject.clone().into()),
            ("html".to_owned(), message.html.clone().into()),
            ("text".to_owned(), message.text.clone().into()),
            ("headers".to_owned(), headers),
            ("attachments".to_owned(), readers(&message.attachments)),
            ("inlineAttachments".to_owned(), readers(&message.inline_attachments)),
        ]))
    }
}

fn address(json: &Json) -> Address {
    let text = |key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    Address { address: text("address"), name: text("name") }
}

pub(crate) fn mailer(app: &App) -> Shared {
    Arc::new(Mailer(app.clone()))
}

table! {
    pub(crate) static CRON: Jobs = "cron.Cron", "The jobs that run at times." {
        fn "jobs" "(): cron.Job[]" "All jobs." => |cx, c, a| c.0.cron().jobs().into_iter().map(|job| Arc::new(OneJob(c.0.clone(), job)) as Shared).collect::<Vec<_>>();
        fn "total" "(): number" "How many there are." => |cx, c, a| c.0.cron().jobs().len();
        fn "add" "(id: string, expression: string, work: () => void): void" "Adds a job." => |cx, c, a| crate::load::cron_add(cx, a, false)?;
        fn "mustAdd" "(id: string, expression: string, work: () => void): void" "Adds a job." => |cx, c, a| crate::load::cron_add(cx, a, false)?;
        fn "remove" "(id: string): void" "Ends a job." => |cx, c, a| c.0.cron().remove(&a.str(0)?);
        fn "removeAll" "(): void" "Ends all jobs." => |cx, c, a| c.0.cron().remove_all();
        fn "hasStarted" "(): boolean" "Whether jobs run." => |cx, c, a| c.0.is_bootstrapped();
    }
}
table! {
    pub(crate) static JOB: OneJob = "cron.Job", "A job." {
        fn "id" "(): string" "Its id." => |cx, j, a| j.1.id.clone();
        fn "expression" "(): string" "When it runs." => |cx, j, a| j.1.expression.clone();
        fn "run" "(): void" "Runs it now." => |cx, j, a| { j.0.cron().run(&j.1.id); };
    }
    json |j| Val::Map(new_map([("id".to_owned(), j.1.id.clone().into()), ("expression".to_owned(), j.1.expression.clone().into())]));
}

pub(crate) fn jobs(app: &App) -> Shared {
    Arc::new(Jobs(app.clone()))
}
