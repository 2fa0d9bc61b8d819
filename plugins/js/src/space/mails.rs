//! Mails (spec extending §3.2, §9.6): `new MailerMessage`, the client, `$mails`.

use parking_lot::Mutex;
use pocketbase::{Address, MailClient, Message, Record};
use rquickjs::{Ctx, Value};
use serde_json::json;

use super::Space;
use crate::{
    bind::{Args, Held, Res, Val, as_host, export, globals, is_nil, items, native, table, text},
    host::Reader,
    run::{Local, wait},
};

/// A mail that is being written.
pub(crate) struct Mail(pub(crate) Mutex<Message>);

native!(Mail = MESSAGE, MailClient = CLIENT);

globals! {
    pub(crate) static CONSTRUCTORS {
        new "MailerMessage" "(data?: { [key: string]: any })" "A mail." => |cx, a| new_mail(a)?;
    }
}

table! {
    pub(crate) static MAILS: Space = "Mails", "Mails to accounts." {
        fn "sendRecordVerification" "(app: core.App, record: core.Record): void" "Asks an account to confirm its address." => |cx, s, a| {
            wait(Local::of(cx).app.borrow().clone().send_record_verification(&*a.host::<Record>(1)?))?;
        };
        fn "sendRecordPasswordReset" "(app: core.App, record: core.Record): void" "Sends a link to a new password." => |cx, s, a| {
            wait(Local::of(cx).app.borrow().clone().send_record_password_reset(&*a.host::<Record>(1)?))?;
        };
        fn "sendRecordChangeEmail" "(app: core.App, record: core.Record, newEmail: string): void" "Asks to confirm a new address." => |cx, s, a| {
            wait(Local::of(cx).app.borrow().clone().send_record_change_email(&*a.host::<Record>(1)?, &a.str(2)?))?;
        };
    }
}

table! {
    pub(crate) static CLIENT: MailClient = "mailer.Mailer", "Sends mails." {
        fn "send" "(message: mailer.Message): void" "Sends a mail." => |cx, c, a| {
            let message = a.host::<Mail>(0)?.0.lock().clone();
            wait(c.send(message))?;
        };
    }
}

table! {
    pub(crate) static MESSAGE: Mail = "mailer.Message", "A mail." {
        prop "from": "mailer.Address", "Whom it is from." => |cx, m| shown(&m.0.lock().from), set |cx, m, v| m.0.lock().from = address(cx, &v)?;
        prop "to": "mailer.Address[]", "Whom it is for." => |cx, m| all(&m.0.lock().to), set |cx, m, v| m.0.lock().to = addresses(cx, &v)?;
        prop "cc": "mailer.Address[]", "Who gets it, too." => |cx, m| all(&m.0.lock().cc), set |cx, m, v| m.0.lock().cc = addresses(cx, &v)?;
        prop "bcc": "mailer.Address[]", "Who gets it without others knowing." => |cx, m| all(&m.0.lock().bcc), set |cx, m, v| m.0.lock().bcc = addresses(cx, &v)?;
        prop "subject": "string", "Its subject." => |cx, m| m.0.lock().subject.clone(), set |cx, m, v| m.0.lock().subject = text(cx, &v)?;
        prop "html": "string", "Its text as HTML." => |cx, m| m.0.lock().html.clone(), set |cx, m, v| m.0.lock().html = text(cx, &v)?;
        prop "text": "string", "Its text." => |cx, m| m.0.lock().text.clone(), set |cx, m, v| m.0.lock().text = text(cx, &v)?;
        prop "headers": "{ [key: string]: string }", "Its further headers." => |cx, m| {
            Val::Map(crate::bind::new_map(m.0.lock().headers.iter().map(|(k, v)| (k.clone(), Val::from(v.as_str())))))
        }, set |cx, m, v| m.0.lock().headers = headers(cx, &v)?;
        prop "attachments": "{ [name: string]: any }", "Its files." => |cx, m| files(&m.0.lock().attachments), set |cx, m, v| m.0.lock().attachments = attached(cx, &v)?;
        prop "inlineAttachments": "{ [name: string]: any }", "Files that its HTML shows." => |cx, m| files(&m.0.lock().inline_attachments), set |cx, m, v| m.0.lock().inline_attachments = attached(cx, &v)?;
    }
    json |m| {
        let m = m.0.lock();
        let list = |list: &[Address]| list.iter().map(|a| json!({"Name": a.name, "Address": a.address})).collect::<Vec<_>>();
        let headers: serde_json::Map<String, serde_json::Value> = m.headers.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
        Val::from(json!({
            "from": {"Name": m.from.name, "Address": m.from.address}, "to": list(&m.to), "bcc": list(&m.bcc), "cc": list(&m.cc),
            "subject": m.subject, "html": m.html, "text": m.text, "headers": headers, "attachments": {}, "inlineAttachments": {},
        }))
    };
}

fn new_mail(args: &Args<'_, '_>) -> Res<Mail> {
    let cx = args.cx();
    let mut message = Message::default();
    let given = args.at(0);
    if let Some(data) = given.as_object() {
        let member = |name: &str| -> Res<Value<'_>> { Ok(data.get::<_, Value<'_>>(name)?) };
        message.from = address(cx, &member("from")?)?;
        message.to = addresses(cx, &member("to")?)?;
        message.cc = addresses(cx, &member("cc")?)?;
        message.bcc = addresses(cx, &member("bcc")?)?;
        message.subject = text(cx, &member("subject")?)?;
        message.html = text(cx, &member("html")?)?;
        message.text = text(cx, &member("text")?)?;
        message.headers = headers(cx, &member("headers")?)?;
        message.attachments = attached(cx, &member("attachments")?)?;
        message.inline_attachments = attached(cx, &member("inlineAttachments")?)?;
    }
    Ok(Mail(Mutex::new(message)))
}

fn address<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<Address> {
    let Some(object) = given.as_object() else { return Ok(Address::default()) };
    let member = |name: &str| -> Res<String> { text(cx, &object.get::<_, Value<'js>>(name)?) };
    Ok(Address { name: member("name")?, address: member("address")? })
}
fn addresses<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<Vec<Address>> {
    items(cx, given)?.iter().map(|item| address(cx, item)).collect()
}
fn shown(address: &Address) -> Val {
    Val::from(json!({ "name": address.name, "address": address.address }))
}
fn all(list: &[Address]) -> Vec<Val> {
    list.iter().map(shown).collect()
}
fn headers<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (key, value) in export(cx, given)?.into_object() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        found.push((key, value));
    }
    Ok(found)
}

type Files = Vec<(String, bytes::Bytes)>;

/// The files of a mail: readers, texts or bytes by name.
fn attached<'js>(cx: &Ctx<'js>, given: &Value<'js>) -> Res<Files> {
    let Some(object) = given.as_object() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in object.props::<String, Value<'js>>() {
        let (name, value) = entry?;
        if is_nil(&value) {
            continue;
        }
        let reader = as_host(&value).and_then(Held::<Reader>::of);
        let bytes = match reader {
            Some(reader) => reader.0.clone(),
            None => export(cx, &value)?.into_bytes().unwrap_or_default(),
        };
        found.push((name, bytes.into()));
    }
    Ok(found)
}
fn files(list: &Files) -> Val {
    let reader = |bytes: &bytes::Bytes| {
        Val::Host(std::sync::Arc::new(Reader(bytes.to_vec())))
    };
    Val::Map(crate::bind::new_map(list.iter().map(|(name, bytes)| (name.clone(), reader(bytes)))))
}
