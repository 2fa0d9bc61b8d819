//! Global functions (spec extending §3.1).

use std::time::Duration;

use rquickjs::{Ctx, Value};

use crate::{
    bind::{Own, Res, Val, as_host, encode, globals},
    host::{self, Kind, null_cell},
};

globals! {
    pub(crate) static FUNCTIONS {
        fn "toString" "(value: any, maxBytes?: number): string" "A value as a text." => |cx, a| to_text(a.val(0)?, most(a)?)?;
        fn "toBytes" "(value: any, maxBytes?: number): number[]" "A value as bytes." => |cx, a| Val::Bytes(to_bytes(a.val(0)?, most(a)?)?);
        fn "readerToString" "(reader: any, maxBytes?: number): string" "The content of a reader." => |cx, a| to_text(a.val(0)?, most(a)?)?;
        fn "sleep" "(milliseconds: number): void" "Waits." => |cx, a| crate::run::sleep(Duration::from_millis(u64::try_from(a.int(0)?).unwrap_or_default()));
        fn "arrayOf" "(model: any): any[]" "A list to read rows into." => |cx, a| Own(host::array_of(cx, &a.at(0))?);
        fn "nullString" "(): any" "A text or null." => |cx, a| null_cell(Kind::Text);
        fn "nullInt" "(): any" "A whole number or null." => |cx, a| null_cell(Kind::Int);
        fn "nullFloat" "(): any" "A number or null." => |cx, a| null_cell(Kind::Float);
        fn "nullBool" "(): any" "A switch or null." => |cx, a| null_cell(Kind::Bool);
        fn "nullArray" "(): any" "A list or null." => |cx, a| null_cell(Kind::List);
        fn "nullObject" "(): any" "An object or null." => |cx, a| null_cell(Kind::Map);
        fn "unmarshal" "(data: any, target: any): void" "Sets the members of a host value." => |cx, a| {
            let text = encode(&a.val(0)?)?;
            unmarshal(cx, &text, &a.at(1))?;
        };
    }
}

/// How many bytes of a reader are wanted; 0 for all.
fn most(args: &crate::bind::Args<'_, '_>) -> Res<usize> {
    Ok(usize::try_from(args.int(1)?).unwrap_or_default())
}

fn json_text(value: &Val) -> Res<String> {
    Ok(String::from_utf8(encode(value)?).unwrap_or_default())
}

fn to_text(value: Val, most: usize) -> Res<String> {
    Ok(match value {
        Val::Null | Val::Opaque => String::new(),
        Val::Str(text) | Val::Raw(text) => text,
        Val::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Val::Bool(on) => on.to_string(),
        Val::Int(int) => int.to_string(),
        Val::Float(n) => n.to_string(),
        Val::Time(millis) => host::moment_of(millis).text(),
        Val::Host(host) if host.get::<crate::host::Reader>().is_some() => {
            String::from_utf8_lossy(&to_bytes(Val::Host(host), most)?).into_owned()
        }
        Val::Host(host) => match (host.kind().text, host.kind().json) {
            (Some(text), _) => text(&host),
            _ => json_text(&Val::Host(host))?,
        },
        other => json_text(&other)?,
    })
}

fn to_bytes(value: Val, most: usize) -> Res<Vec<u8>> {
    match value {
        Val::List(items) => {
            let all: Option<Vec<u8>> = items.iter().map(byte).collect();
            match all {
                Some(bytes) => Ok(bytes),
                None => Ok(encode(&Val::List(items))?),
            }
        }
        Val::Bytes(bytes) => Ok(bytes),
        Val::Host(host) => match host.get::<crate::host::Reader>() {
            Some(reader) => reader.take(most),
            None => Ok(to_text(Val::Host(host), most)?.into_bytes()),
        },
        other => Ok(to_text(other, most)?.into_bytes()),
    }
}

/// A number that is one byte; lists of anything else are written as JSON.
fn byte(value: &Val) -> Option<u8> {
    match value {
        Val::Int(n) => u8::try_from(*n).ok(),
        _ => None,
    }
}

/// Reads JSON into a host value; plain objects of scripts stay as they are.
pub(crate) fn unmarshal<'js>(cx: &Ctx<'js>, json: &[u8], target: &Value<'js>) -> Res<()> {
    let data = host::parsed_json(json)?;
    let Some(host) = as_host(target) else { return Ok(()) };
    if let Some(collection) = host.get::<pocketbase::Collection>() {
        collection.unmarshal(&data)?;
    }
    if let Some(model) = host.get::<host::Model>() {
        let serde_json::Value::Object(map) = data else { return Ok(()) };
        return model.fill(map, false);
    }
    if let Some(field) = host.get::<host::FieldValue>() {
        let serde_json::Value::Object(map) = data else { return Ok(()) };
        return field.unmarshal(map);
    }
    if let Some(record) = host.get::<pocketbase::Record>() {
        return host::load_record(record, Val::from(data));
    }
    let _ = cx;
    Ok(())
}
