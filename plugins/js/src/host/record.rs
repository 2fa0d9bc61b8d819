//! Records (spec extending §7.1).

use pocketbase::{App, Collection, File, Record};
use rquickjs::{Ctx, Value};

use super::{hosted, services::trees, time::DateTimeValue};
use crate::bind::{
    Args, Dynamic, MapRef, Native, Own, Res, Shared, ToJs as _, Type, Val, live_list, native_at,
    new_map, table, text,
};

native_at!(Record = RECORD, |record| Some(record.address()));
hosted!(Record);

table! {
    pub(crate) static RECORD: Record = "core.Record", "A record: its values are read with `get` and changed with `set`." {
        prop "id": "string", "The id." => |cx, r| r.id(), set |cx, r, v| r.set("id", text(cx, &v)?);
        prop "baseModel": "core.BaseModel", "The record as a model." => |cx, r| r.clone();
        fn "get" "(key: string): any" "The value of a field, normalized; `null` for an unknown one." => |cx, r, a| Own(live(cx, r, &a.str(0)?)?);
        fn "getRaw" "(key: string): any" "The value as it is kept." => |cx, r, a| match a.str(0)?.as_str() {
            "expand" if r.expand().is_empty() => Val::Null,
            key => value(r, key),
        };
        fn "getString" "(key: string): string" "The value as a text." => |cx, r, a| string(r, &a.str(0)?);
        fn "getInt" "(key: string): number" "The value as a whole number." => |cx, r, a| r.get_int(&a.str(0)?);
        fn "getInt64" "(key: string): number" "The value as a whole number." => |cx, r, a| r.get_int(&a.str(0)?);
        fn "getFloat" "(key: string): number" "The value as a number." => |cx, r, a| r.get_float(&a.str(0)?);
        fn "getBool" "(key: string): boolean" "The value as a switch." => |cx, r, a| r.get_bool(&a.str(0)?);
        fn "getStringSlice" "(key: string): string[]" "The values, each once, none empty." => |cx, r, a| slice(r, &a.str(0)?);
        fn "getDateTime" "(key: string): types.DateTime" "The value as a point in time." => |cx, r, a| DateTimeValue(r.get_date_time(&a.str(0)?));
        fn "getGeoPoint" "(key: string): types.GeoPoint" "The value as a place." => |cx, r, a| std::sync::Arc::new(Geo::of(r, &a.str(0)?)) as Shared;
        fn "getUnsavedFiles" "(key: string): filesystem.File[]" "Files that will be stored with the record." => |cx, r, a| r.unsaved_files(&a.str(0)?);
        fn "getUploadedFiles" "(key: string): filesystem.File[]" "Old name of getUnsavedFiles." => |cx, r, a| r.unsaved_files(&a.str(0)?);
        fn "set" "(key: string, value: any): void" "Changes a value; `+key`, `key+`, `key-` add and remove." => |cx, r, a| set_value(r, &a.str(0)?, a.val(1)?)?;
        fn "setRaw" "(key: string, value: any): void" "Changes a value as it is." => |cx, r, a| set_value(r, &a.str(0)?, a.val(1)?)?;
        fn "setIfFieldExists" "(key: string, value: any): any" "The same for fields that exist; gives the field." => |cx, r, a| {
            let key = a.str(0)?;
            let field = field_of(r, &key);
            if field.is_some() {
                set_value(r, &key, a.val(1)?)?;
            }
            field
        };
        fn "load" "(data: { [key: string]: any }): void" "Changes several values." => |cx, r, a| load(r, given(a)?)?;
        fn "original" "(): core.Record" "The record as it was loaded or made." => |cx, r, a| r.original();
        fn "fresh" "(): core.Record" "A copy of the values of its fields." => |cx, r, a| r.fresh();
        fn "clone" "(): core.Record" "A copy of everything." => |cx, r, a| r.duplicate();
        fn "isNew" "(): boolean" "True before it is stored." => |cx, r, a| r.is_new();
        fn "markAsNew" "(): void" "The next save creates." => |cx, r, a| r.mark_as_new();
        fn "markAsNotNew" "(): void" "The next save updates." => |cx, r, a| if !r.id().is_empty() { r.mark_as_not_new() };
        fn "pk" "(): any" "The id." => |cx, r, a| r.id();
        fn "lastSavedPK" "(): any" "The id it is stored under." => |cx, r, a| r.stored_id();
        fn "postScan" "(): void" "Counts as read from the database." => |cx, r, a| r.mark_as_not_new();
        fn "collection" "(): core.Collection" "Its collection." => |cx, r, a| r.collection();
        fn "tableName" "(): string" "The table." => |cx, r, a| r.collection_name();
        fn "hookTags" "(): string[]" "What hooks match it by." => |cx, r, a| vec![r.collection_name(), r.collection().id()];
        fn "baseFilesPath" "(): string" "Where its files are." => |cx, r, a| r.base_files_path();
        fn "findFileFieldByFile" "(name: string): core.Field" "The field that has a file; `null` if none has." => |cx, r, a| {
            let name = a.str(0)?;
            let fields = r.collection().fields().into_iter().filter(|field| field.type_name() == "file");
            let mut having = fields.filter(|field| r.get_string_slice(field.name()).contains(&name));
            having.next().map(|field| Val::Host(super::field::own(field)))
        };
        fn "expand" "(): { [key: string]: any }" "The expanded relations." => |cx, r, a| expand(r);
        fn "setExpand" "(expand: { [key: string]: any }): void" "Replaces the expanded relations." => |cx, r, a| {
            r.clear_expand();
            merge_expand(r, given(a)?);
        };
        fn "mergeExpand" "(expand: { [key: string]: any }): void" "Adds expanded relations." => |cx, r, a| merge_expand(r, a.val(0)?);
        fn "expandedOne" "(key: string): core.Record" "The first expanded record, or `null`." => |cx, r, a| r.expanded_one(&a.str(0)?);
        fn "expandedAll" "(key: string): core.Record[]" "The expanded records." => |cx, r, a| r.expanded_all(&a.str(0)?);
        fn "hide" "(...fields: string[]): core.Record" "Leaves fields out of the export." => |cx, r, a| r.hide(a.texts(0)?).clone();
        fn "unhide" "(...fields: string[]): core.Record" "Puts hidden fields into the export." => |cx, r, a| r.unhide(a.texts(0)?).clone();
        fn "withCustomData" "(on: boolean): core.Record" "Whether values without a field are exported." => |cx, r, a| r.with_custom_data(a.bool(0)?).clone();
        fn "ignoreEmailVisibility" "(on: boolean): core.Record" "Whether the email is always exported." => |cx, r, a| r.ignore_email_visibility(a.bool(0)?).clone();
        fn "ignoreUnchangedFields" "(on: boolean): core.Record" "Whether unchanged fields are left out of updates." => |cx, r, a| r.clone();
        fn "publicExport" "(): { [key: string]: any }" "What clients may see." => |cx, r, a| Val::from(r.public_export());
        fn "fieldsData" "(): { [key: string]: any }" "The values of its fields." => |cx, r, a| fields(r);
        fn "customData" "(): { [key: string]: any }" "The values without a field." => |cx, r, a| Val::from(r.custom_data());
        fn "replaceModifiers" "(data: { [key: string]: any }): { [key: string]: any }" "Data with its modifiers applied." => |cx, r, a| if a.is_nil(0) { Val::Null } else { replace_modifiers(r, given(a)?)? };
        fn "marshalJSON" "(): number[]" "The export as JSON." => |cx, r, a| Val::Bytes(serde_json::to_vec(r).unwrap_or_default());
        fn "unmarshalJSON" "(json: string | number[]): void" "Changes values from JSON." => |cx, r, a| {
            let data: serde_json::Value = super::fault::parsed(&a.bytes(0)?)?;
            load(r, data.into())?;
        };
        fn "unmarshalJSONField" "(key: string, result: any): void" "Reads a JSON value into a model." => |cx, r, a| {
            let text = r.get_str(&a.str(0)?);
            crate::space::unmarshal(cx, text.as_bytes(), &a.at(1))?;
        };
        fn "email" "(): string" "The email." => |cx, r, a| r.email();
        fn "setEmail" "(email: string): void" "Changes the email." => |cx, r, a| { r.set_email(&a.str(0)?); };
        fn "emailVisibility" "(): boolean" "Whether others see the email." => |cx, r, a| r.email_visibility();
        fn "setEmailVisibility" "(on: boolean): void" "Changes who sees the email." => |cx, r, a| { r.set_email_visibility(a.bool(0)?); };
        fn "verified" "(): boolean" "Whether the email is verified." => |cx, r, a| r.verified();
        fn "setVerified" "(on: boolean): void" "Changes whether the email is verified." => |cx, r, a| { r.set_verified(a.bool(0)?); };
        fn "tokenKey" "(): string" "What its tokens are signed with." => |cx, r, a| r.token_key();
        fn "setTokenKey" "(key: string): void" "Changes the key: all its tokens end." => |cx, r, a| { r.set_token_key(&a.str(0)?); };
        fn "refreshTokenKey" "(): void" "A new key: all its tokens end." => |cx, r, a| { r.refresh_token_key(); };
        fn "setPassword" "(password: string): void" "Changes the password." => |cx, r, a| { r.set_password(&a.str(0)?); };
        fn "setRandomPassword" "(): string" "Sets a random password and tells it." => |cx, r, a| r.set_random_password();
        fn "validatePassword" "(password: string): boolean" "True if that is the password." => |cx, r, a| r.validate_password(&a.str(0)?);
        fn "isSuperuser" "(): boolean" "True for records of _superusers." => |cx, r, a| r.is_superuser();
        fn "newAuthToken" "(): string" "A token to log in with." => |cx, r, a| r.new_auth_token()?;
        fn "newStaticAuthToken" "(duration: number): string" "One that cannot be renewed; nanoseconds, 0 for the collection's." => |cx, r, a| {
            r.new_static_auth_token(a.int(0)? / 1_000_000_000)?
        };
        fn "newVerificationToken" "(): string" "A token for verifying the email." => |cx, r, a| r.new_verification_token()?;
        fn "newPasswordResetToken" "(): string" "A token for a new password." => |cx, r, a| r.new_password_reset_token()?;
        fn "newEmailChangeToken" "(email: string): string" "A token for a new email." => |cx, r, a| r.new_email_change_token(&a.str(0)?)?;
        fn "newFileToken" "(): string" "A token for protected files." => |cx, r, a| r.new_file_token()?;
        fn "dbExport" "(app: core.App): { [key: string]: any }" "The values as columns." => |cx, r, a| {
            a.known::<App>(0, "core.App")?;
            fields(r)
        };
    }
    json |r| Val::Raw(json(r));
}

/// A value as `get` gives it: dates and JSON as host values.
pub(crate) fn value(record: &Record, key: &str) -> Val {
    match record.field_type(key) {
        Some("date" | "autodate") => {
            Val::Host(std::sync::Arc::new(DateTimeValue(record.get_date_time(key))))
        }
        Some("json") => Val::Raw(json_text(record, key)),
        Some("geoPoint") => Val::Host(std::sync::Arc::new(Geo::of(record, key))),
        Some("password") => Val::Str(password(record, key)),
        Some("file") => files(record, key),
        Some(_) => record.get_value(key).map_or(Val::Null, Val::from),
        None if key == "expand" => expand(record),
        None if matches!(key, "collectionId" | "collectionName") => Val::Null,
        None => match hashed(record, key) {
            Some(hash) => Val::Str(hash),
            None => record.get_value(key).map_or(Val::Null, Val::from),
        },
    }
}

/// Names of files, and files that are not stored yet.
fn files(record: &Record, key: &str) -> Val {
    let unsaved = record.unsaved_files(key);
    let one = |value: serde_json::Value| match unsaved.iter().find(|file| is_named(file, &value)) {
        Some(file) => Val::Host(std::sync::Arc::new(file.clone())),
        None => Val::from(value),
    };
    match record.get_value(key) {
        Some(serde_json::Value::Array(all)) => Val::List(all.into_iter().map(one).collect()),
        Some(value) => one(value),
        None => Val::Null,
    }
}

fn is_named(file: &File, name: &serde_json::Value) -> bool {
    name.as_str().is_some_and(|name| file.name() == name || file.stored_as() == name)
}

/// A file of a record as Go writes it.
fn encoded(one: Val) -> serde_json::Value {
    let file = match &one {
        Val::Host(host) => host.get::<File>(),
        _ => None,
    };
    match file {
        Some(file) => Val::Map(new_map(super::file::facts(file))).into_json(),
        None => one.into_json(),
    }
}

/// A record as JSON; files that are not stored yet are objects.
fn json(record: &Record) -> String {
    let fields = record.collection().fields();
    let mut unsaved =
        fields.iter().filter(|field| field.type_name() == "file").map(|field| field.name());
    let unsaved: Vec<&str> =
        unsaved.by_ref().filter(|name| !record.unsaved_files(name).is_empty()).collect();
    if unsaved.is_empty() {
        return serde_json::to_string(record).unwrap_or_default();
    }
    let mut all = serde_json::to_value(record).unwrap_or_default();
    for name in unsaved {
        if let Some(shown) = all.get_mut(name) {
            *shown = match files(record, name) {
                Val::List(all) => all.into_iter().map(encoded).collect(),
                one => encoded(one),
            };
        }
    }
    all.to_string()
}

/// The same for a script: who assigns an item of a list changes the record.
fn live<'js>(cx: &Ctx<'js>, record: &Record, key: &str) -> Res<Value<'js>> {
    let value = value(record, key);
    let is_list = matches!(&value, Val::List(items) if !items.is_empty());
    let list = value.to_js(cx)?;
    if !is_list || !matches!(record.field_type(key), Some("select" | "relation" | "file")) {
        return Ok(list);
    }
    let (record, key) = (record.clone(), key.to_owned());
    Ok(live_list(cx, list, false, move |_, list| set_value(&record, &key, list))?)
}

/// A password that was set and not stored yet; those that are stored are not shown.
fn password(record: &Record, key: &str) -> String {
    let now = record.get_str(key);
    if pocketbase::security::is_password_hash(&now) { String::new() } else { now }
}

/// The hash behind `password:hash`; empty while there is none.
fn hashed(record: &Record, key: &str) -> Option<String> {
    let name =
        key.strip_suffix(":hash").filter(|name| record.field_type(name) == Some("password"))?;
    let text = record.get_str(name);
    Some(if pocketbase::security::is_password_hash(&text) { text } else { String::new() })
}

/// JSON as it is stored; none is `null`.
fn json_text(record: &Record, key: &str) -> String {
    Some(record.get_str(key)).filter(|text| !text.is_empty()).unwrap_or_else(|| "null".to_owned())
}

/// A place on earth.
pub(crate) struct Geo(MapRef);
trees!(Geo = GEO);
table! {
    pub(crate) static GEO: Geo = "types.GeoPoint", "A place on earth." {
        fn "asMap" "(): { [key: string]: number }" "As a map." => |cx, g, a| Val::from(Val::Map(g.0.clone()).into_json());
        fn "string" "(): string" "As JSON." => |cx, g, a| g.text();
    }
    text |g| g.text();
    json |g| Val::Map(g.0.clone());
    order &["lon", "lat"];
}
impl Geo {
    fn of(record: &Record, key: &str) -> Self {
        let value = record.get_value(key).unwrap_or_default();
        let part = |name: &str| {
            Val::from(value.get(name).and_then(serde_json::Value::as_f64).unwrap_or_default())
        };
        Self(new_map([("lon".to_owned(), part("lon")), ("lat".to_owned(), part("lat"))]))
    }
    fn text(&self) -> String {
        let map = self.0.lock();
        let part = |name: &str| map.get(name).cloned().map(Val::into_json).unwrap_or_default();
        format!("{{\"lon\":{},\"lat\":{}}}", part("lon"), part("lat"))
    }
}

/// The field that a key with modifiers is about; none if its type has no such modifier.
fn field_of(record: &Record, key: &str) -> Option<pocketbase::Field> {
    let collection = record.collection();
    if let Some(field) = collection.field_by_name(key) {
        return Some(field);
    }
    let (name, kinds): (&str, &[&str]) = match key.split_once(':') {
        Some((name, "autogenerate")) => (name, &["text"]),
        Some(_) => return None,
        None if key.starts_with('+') => (&key[1..], &["select", "relation", "file"]),
        None => (key.strip_suffix(['+', '-'])?, &["number", "select", "relation", "file"]),
    };
    collection.field_by_name(name).filter(|field| kinds.contains(&field.type_name()))
}

/// What a record's data would be with modifiers applied.
fn replace_modifiers(record: &Record, data: Val) -> Res<Val> {
    let Val::Map(map) = data else { return Ok(Val::Map(new_map([]))) };
    let (copy, map) = (record.duplicate(), map.lock().clone());
    let replaced = new_map([]);
    for (key, given) in map {
        let name = field_of(record, &key).map(|field| field.name().to_owned());
        match name {
            Some(name) if name != key => {
                set_value(&copy, &key, given)?;
                replaced
                    .lock()
                    .insert(name.clone(), copy.get_value(&name).map_or(Val::Null, Val::from));
            }
            _ => {
                replaced.lock().insert(key, given);
            }
        }
    }
    Ok(Val::Map(replaced))
}

fn string(record: &Record, key: &str) -> String {
    match record.field_type(key) {
        Some("json") => json_text(record, key),
        Some("geoPoint") => Geo::of(record, key).text(),
        Some("password") => password(record, key),
        Some("file") if !record.unsaved_files(key).is_empty() => String::new(),
        Some(_) => record.get_str(key),
        None => hashed(record, key).unwrap_or_else(|| match record.get_value(key) {
            Some(serde_json::Value::String(text)) => text,
            Some(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => {
                value.to_string()
            }
            _ => String::new(),
        }),
    }
}

fn slice(record: &Record, key: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let items = match record.field_type(key) {
        Some("date" | "autodate") => Vec::new(),
        // as the reference, which turns lists of texts only into texts
        Some("file") if !record.unsaved_files(key).is_empty() => Vec::new(),
        Some("bool" | "number" | "geoPoint") => vec![string(record, key)],
        _ => record.get_string_slice(key),
    };
    for item in items {
        if !item.is_empty() && !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

fn fields(record: &Record) -> Val {
    let names = record.collection().field_names();
    Val::Map(new_map(names.into_iter().map(|name| {
        let value = value(record, &name);
        (name, value)
    })))
}

fn expand(record: &Record) -> Val {
    let one = |record: Record| Val::Host(std::sync::Arc::new(record) as Shared);
    let all = record.expand().into_iter().map(|(key, mut records)| {
        let value = match record.is_expand_many(&key) {
            false if !records.is_empty() => one(records.remove(0)),
            _ => Val::List(records.into_iter().map(one).collect()),
        };
        (key, value)
    });
    Val::Map(new_map(all))
}

fn merge_expand(record: &Record, given: Val) {
    let Val::Map(map) = given else { return };
    let map = map.lock().clone();
    let of = |value: &Val| match value {
        Val::Host(host) => host.get::<Record>().cloned(),
        _ => None,
    };
    for (key, value) in map {
        match &value {
            Val::List(items) => {
                record.set_expand(&key, &items.iter().filter_map(of).collect::<Vec<_>>())
            }
            one => {
                if let Some(one) = of(one) {
                    record.set_expand_one(&key, &one);
                }
            }
        }
    }
}

/// Changes a value of a record: files become uploads.
fn set_value(record: &Record, key: &str, value: Val) -> Res<()> {
    if key == "expand" {
        record.clear_expand();
        merge_expand(record, value);
        return Ok(());
    }
    let file = |value: &Val| match value {
        Val::Host(host) => host.get::<File>().cloned(),
        _ => None,
    };
    let files: Vec<File> = match &value {
        Val::List(items) => items.iter().filter_map(file).collect(),
        one => file(one).into_iter().collect(),
    };
    if files.is_empty() {
        let value = match (value, record.field_type(key)) {
            // seconds since 1970
            (Val::Int(seconds), Some("date")) => Val::Str(
                pocketbase::DateTime::from_millis(seconds.saturating_mul(1000)).to_string(),
            ),
            // as JSON has it: dates with a `T`
            (value @ (Val::Time(_) | Val::List(_) | Val::Map(_)), Some("json")) => {
                let text = crate::bind::encode(&value).unwrap_or_default();
                Val::from(serde_json::from_slice::<serde_json::Value>(&text).unwrap_or_default())
            }
            // as Go prints it
            (Val::Time(millis), Some("text" | "editor" | "email" | "url")) => {
                Val::Str(super::moment_of(millis).text())
            }
            (value, _) => value,
        };
        record.set(key, value.into_json());
        return Ok(());
    }
    if let Val::List(items) = value {
        let names: Vec<serde_json::Value> =
            items.into_iter().filter(|item| file(item).is_none()).map(Val::into_json).collect();
        if !names.is_empty() {
            record.set(key, names);
        }
    }
    record.set_files(key, files);
    Ok(())
}

pub(crate) fn load(record: &Record, data: Val) -> Res<()> {
    if let Val::Map(map) = data {
        let map = map.lock().clone();
        for (key, value) in map {
            set_value(record, &key, value)?;
        }
    }
    Ok(())
}

/// The object that a record takes values from.
fn given(args: &Args<'_, '_>) -> Res<Val> {
    args.object(0, "map[string]interface {}")?;
    args.val(0)
}

/// `new Record(collection, data)`.
pub(crate) fn new_record(args: &Args<'_, '_>) -> Res<Record> {
    let record = match args.opt_host::<Collection>(0)? {
        Some(collection) => Record::new(&collection),
        None => Record::new(&Collection::base("")),
    };
    load(&record, args.val(1)?)?;
    Ok(record)
}
