//! Collections (spec extending §7.2).

use std::sync::Arc;

use pocketbase::{App, Collection, db::SelectQuery};
use rquickjs::{Ctx, Value};
use serde_json::{Value as Json, json};

use super::{field, hosted};
use crate::bind::{
    Args, Dynamic, Fail, Native, Own, Res, Shared, ToJs as _, Type, Val, export, items, live_list,
    native, table, text,
};

hosted!(Collection);

/// A group of options of a collection: what is written reaches the collection.
pub(crate) struct Options {
    collection: Collection,
    key: &'static str,
}

native!(Collection = COLLECTION);

impl Native for Options {
    fn kind(&self) -> &'static Type {
        &OPTIONS
    }
    fn any(&self) -> &dyn std::any::Any {
        self
    }
    fn dynamic(&self) -> Option<&dyn Dynamic> {
        Some(self)
    }
}

table! {
    pub(crate) static COLLECTION: Collection = "core.Collection", "A collection." {
        prop "id": "string", "The id." => |cx, c| c.id(), set |cx, c, v| put(c, "id", export(cx, &v)?)?;
        prop "name": "string", "The name." => |cx, c| c.name(), set |cx, c, v| c.set_name(&text(cx, &v)?);
        prop "type": "string", "`base`, `auth` or `view`." => |cx, c| c.type_name(), set |cx, c, v| put(c, "type", export(cx, &v)?)?;
        prop "system": "boolean", "Whether it belongs to the system." => |cx, c| c.is_system(), set |cx, c, v| put(c, "system", export(cx, &v)?)?;
        prop "created": "types.DateTime", "When it was made." => |cx, c| time(c, "created");
        prop "updated": "types.DateTime", "When it was changed." => |cx, c| time(c, "updated");
        prop "fields": "core.FieldsList", "The fields." => |cx, c| Own(field::list(cx, c)?), set |cx, c, v| field::set_list(cx, c, &v)?;
        prop "indexes": "string[]", "The indexes, as SQL." => |cx, c| Own(indexes(cx, c)?), set |cx, c, v| set_indexes(cx, c, &v)?;
        prop "listRule": "string | null", "Who may list." => |cx, c| rule(c, "listRule"), set |cx, c, v| put(c, "listRule", export(cx, &v)?)?;
        prop "viewRule": "string | null", "Who may view." => |cx, c| rule(c, "viewRule"), set |cx, c, v| put(c, "viewRule", export(cx, &v)?)?;
        prop "createRule": "string | null", "Who may create." => |cx, c| rule(c, "createRule"), set |cx, c, v| put(c, "createRule", export(cx, &v)?)?;
        prop "updateRule": "string | null", "Who may update." => |cx, c| rule(c, "updateRule"), set |cx, c, v| put(c, "updateRule", export(cx, &v)?)?;
        prop "deleteRule": "string | null", "Who may delete." => |cx, c| rule(c, "deleteRule"), set |cx, c, v| put(c, "deleteRule", export(cx, &v)?)?;
        prop "authRule": "string | null", "Who may log in." => |cx, c| rule(c, "authRule"), set |cx, c, v| put(c, "authRule", export(cx, &v)?)?;
        prop "manageRule": "string | null", "Who may manage." => |cx, c| rule(c, "manageRule"), set |cx, c, v| put(c, "manageRule", export(cx, &v)?)?;
        prop "authAlert": "any", "The alert about logins." => |cx, c| group(c, "authAlert"), set |cx, c, v| put(c, "authAlert", export(cx, &v)?)?;
        prop "oauth2": "any", "Logins with other services." => |cx, c| group(c, "oauth2"), set |cx, c, v| put(c, "oauth2", export(cx, &v)?)?;
        prop "passwordAuth": "any", "Logins with passwords." => |cx, c| group(c, "passwordAuth"), set |cx, c, v| put(c, "passwordAuth", export(cx, &v)?)?;
        prop "mfa": "any", "Logins in two steps." => |cx, c| group(c, "mfa"), set |cx, c, v| put(c, "mfa", export(cx, &v)?)?;
        prop "otp": "any", "Logins with one-time passwords." => |cx, c| group(c, "otp"), set |cx, c, v| put(c, "otp", export(cx, &v)?)?;
        prop "authToken": "any", "Tokens of logins." => |cx, c| group(c, "authToken"), set |cx, c, v| put(c, "authToken", export(cx, &v)?)?;
        prop "passwordResetToken": "any", "Tokens for new passwords." => |cx, c| group(c, "passwordResetToken"), set |cx, c, v| put(c, "passwordResetToken", export(cx, &v)?)?;
        prop "emailChangeToken": "any", "Tokens for new emails." => |cx, c| group(c, "emailChangeToken"), set |cx, c, v| put(c, "emailChangeToken", export(cx, &v)?)?;
        prop "verificationToken": "any", "Tokens for verifying emails." => |cx, c| group(c, "verificationToken"), set |cx, c, v| put(c, "verificationToken", export(cx, &v)?)?;
        prop "fileToken": "any", "Tokens for files." => |cx, c| group(c, "fileToken"), set |cx, c, v| put(c, "fileToken", export(cx, &v)?)?;
        prop "verificationTemplate": "any", "The mail for verifying an email." => |cx, c| group(c, "verificationTemplate"), set |cx, c, v| put(c, "verificationTemplate", export(cx, &v)?)?;
        prop "resetPasswordTemplate": "any", "The mail for a new password." => |cx, c| group(c, "resetPasswordTemplate"), set |cx, c, v| put(c, "resetPasswordTemplate", export(cx, &v)?)?;
        prop "confirmEmailChangeTemplate": "any", "The mail for a new email." => |cx, c| group(c, "confirmEmailChangeTemplate"), set |cx, c, v| put(c, "confirmEmailChangeTemplate", export(cx, &v)?)?;
        prop "viewQuery": "string", "The query of a view." => |cx, c| c.view_query(), set |cx, c, v| c.set_view_query(&text(cx, &v)?);
        fn "isNew" "(): boolean" "True before it is stored." => |cx, c, a| c.is_new();
        fn "isBase" "(): boolean" "True for base collections." => |cx, c, a| !c.is_auth() && !c.is_view();
        fn "isAuth" "(): boolean" "True for auth collections." => |cx, c, a| c.is_auth();
        fn "isView" "(): boolean" "True for views." => |cx, c, a| c.is_view();
        fn "addIndex" "(name: string, unique: boolean, columns: string, where: string): void" "Adds an index or replaces the one of that name." => |cx, c, a| {
            c.add_index(&a.str(0)?, a.bool(1)?, &a.str(2)?, &a.str(3)?);
        };
        fn "getIndex" "(name: string): string" "An index, as SQL." => |cx, c, a| c.index_of(&a.str(0)?).unwrap_or_default();
        fn "removeIndex" "(name: string): void" "Removes an index." => |cx, c, a| c.remove_index(&a.str(0)?);
        fn "tableName" "(): string" "Where collections are stored." => |cx, c, a| "_collections";
        fn "baseFilesPath" "(): string" "Where the files of its records are." => |cx, c, a| c.id();
        fn "pk" "(): any" "The id." => |cx, c, a| c.id();
        fn "string" "(): string" "As JSON." => |cx, c, a| c.to_json().to_string();
        fn "marshalJSON" "(): number[]" "As JSON." => |cx, c, a| Val::Bytes(c.to_json().to_string().into_bytes());
        fn "unmarshalJSON" "(json: string | number[]): void" "Takes members from JSON." => |cx, c, a| {
            let json: Json = super::fault::parsed(&a.bytes(0)?)?;
            c.unmarshal(&json)?;
        };
    }
    text |c| c.to_json().to_string();
    json |c| Val::Raw(c.to_json().to_string());
}

table! {
    pub(crate) static OPTIONS: Options = "Options", "Options of a collection." {
        fn "durationTime" "(): time.Duration" "How long a token lives." => |cx, o, a| match o.read("duration") {
            Some(Val::Int(seconds)) => super::time::Span(seconds * 1000),
            _ => super::time::Span(0),
        };
    }
    json |o| Val::from(o.json());
    order super::services::ORDER;
}

impl Options {
    fn json(&self) -> Json {
        self.collection.auth_options_json().get(self.key).cloned().unwrap_or_default()
    }
}
impl Dynamic for Options {
    fn names(&self) -> Vec<String> {
        self.json().as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }
    fn read(&self, name: &str) -> Option<Val> {
        self.json().get(name).cloned().map(Val::from)
    }
    fn write(&self, name: &str, value: Val) -> Res<bool> {
        put(&self.collection, self.key, Val::from(json!({ name: value.into_json() })))?;
        Ok(true)
    }
}

fn group(collection: &Collection, key: &'static str) -> Shared {
    Arc::new(Options { collection: collection.clone(), key })
}
fn rule(collection: &Collection, key: &str) -> Val {
    match collection.to_json().get(key) {
        Some(Json::String(rule)) => Val::Boxed(Box::new(Val::Str(rule.clone()))),
        _ => Val::Null,
    }
}
fn time(collection: &Collection, key: &str) -> Val {
    let text = collection.to_json().get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    super::date_time(super::time::parsed(&text))
}
fn put(collection: &Collection, key: &str, value: Val) -> Res<()> {
    let done = collection.unmarshal(&json!({ key: value.into_json() }));
    done.map_err(|error| Fail::Type(error.to_string()))
}

/// The indexes: an array whose changes reach the collection.
fn indexes<'js>(cx: &Ctx<'js>, collection: &Collection) -> Res<Value<'js>> {
    let owner = collection.clone();
    let array = collection.indexes().to_js(cx)?;
    Ok(live_list(cx, array, true, move |_, list| {
        let Json::Array(all) = list.into_json() else { return Ok(()) };
        let all: Vec<String> = all.iter().map(written).collect();
        put(&owner, "indexes", Val::from(json!(all)))
    })?)
}
/// An item of a list of texts: what is no text is the text of it.
fn written(item: &Json) -> String {
    item.as_str().map_or_else(|| item.to_string(), ToOwned::to_owned)
}
fn set_indexes<'js>(cx: &Ctx<'js>, collection: &Collection, value: &Value<'js>) -> Res<()> {
    let all: Res<Vec<String>> = items(cx, value)?.iter().map(|item| text(cx, item)).collect();
    put(collection, "indexes", Val::from(json!(all?)))
}

/// A collection given as an object, an id or a name: its name or id.
pub(crate) fn collection_arg(args: &Args<'_, '_>, at: usize) -> Res<String> {
    if let Some(collection) = args.opt_host::<Collection>(at)? {
        return Ok(collection.id());
    }
    if args.at(at).is_string() || args.is_nil(at) {
        return args.str(at);
    }
    Err(Fail::other(UNKNOWN))
}

pub(crate) const UNKNOWN: &str =
    "unknown collection identifier - must be collection model, id or name";
/// What the reference queries in the place of a collection that it does not find.
const INVALID: &str = "@@__invalidCollectionModelOrIdentifier";

/// A collection as [`collection_arg`]; none if it does not exist. Queries of such a one are made, and fail when they run.
pub(crate) fn queried_collection(app: &App, args: &Args<'_, '_>, at: usize) -> Option<String> {
    let name = collection_arg(args, at).ok()?;
    crate::run::wait(app.find_collection(&name)).is_ok().then_some(name)
}

/// A query of a collection that does not exist.
pub(crate) fn invalid_query(app: &App, columns: &str) -> SelectQuery {
    let columns = if columns == "*" { format!("{INVALID}.*") } else { columns.to_owned() };
    app.db().select([columns]).from(INVALID)
}
/// What such a query fails with.
pub(crate) fn invalid_failure(query: &SelectQuery) -> Fail {
    let text = query.shown().0.replace(INVALID, &format!("`{INVALID}`"));
    Fail::other(format!("context canceled; failed query: {text}"))
}

/// `new Collection(data)`: what does not fit leaves everything but type, name and id at its default.
pub(crate) fn new_collection(args: &Args<'_, '_>) -> Res<Collection> {
    let data = args.val(0)?.into_object();
    // DIFFERENCE: the reference ignores the key, so that the collection silently has no fields
    if data.contains_key("schema") && !data.contains_key("fields") {
        return Err(Fail::Type(crate::hints::SCHEMA.to_owned()));
    }
    let word = |key: &str| data.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let name = word("name");
    let collection = match word("type").as_str() {
        "auth" => Collection::auth(&name),
        "view" => Collection::view(&name, ""),
        _ => Collection::base(&name),
    };
    let id = word("id");
    if !id.is_empty() {
        let _ = collection.unmarshal(&json!({ "id": id }));
    }
    let before = collection.to_json();
    if collection.unmarshal(&Json::Object(data)).is_err() {
        let _ = collection.unmarshal(&before);
    }
    Ok(collection)
}
