//! Fields of collections (spec extending §7.3, §7.4): one host type for all kinds, its members those of its JSON.

use std::sync::Arc;

use parking_lot::Mutex;
use pocketbase::{Collection, Field};
use rquickjs::{Array, Ctx, Object, Value, object::Property};
use serde_json::{Map, Value as Json, json};

use crate::bind::{
    Args, Dynamic, Fail, Native, Order, Res, Shared, ToJs, Type, Val, as_host, is_nil, items,
    native, new_map, object, table,
};

/// A field, of its own or in a collection: there changes reach the collection.
pub(crate) struct FieldValue(Mutex<Place>);

#[derive(Clone)]
enum Place {
    Own(Field),
    In(Collection, String),
}

/// The methods of a collection's list of fields.
pub(crate) struct Fields(Collection);
native!(Fields = FIELDS);

impl Native for FieldValue {
    fn kind(&self) -> &'static Type {
        &FIELD
    }
    fn any(&self) -> &dyn std::any::Any {
        self
    }
    fn dynamic(&self) -> Option<&dyn Dynamic> {
        Some(self)
    }
    fn library_json(&self) -> Option<Json> {
        self.json().map(Json::Object)
    }
}
impl ToJs for Field {
    fn to_js<'js>(self, cx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        object(cx, Arc::new(FieldValue(Mutex::new(Place::Own(self)))))
    }
}

table! {
    pub(crate) static FIELD: FieldValue = "core.Field", "A field of a collection." {
        fn "type" "(): string" "Its type." => |cx, f, a| f.field().map(|field| field.type_name());
        fn "getId" "(): string" "Its id." => |cx, f, a| f.member("id");
        fn "setId" "(id: string): void" "Changes the id." => |cx, f, a| { f.write("id", Val::Str(a.str(0)?))?; };
        fn "getName" "(): string" "Its name." => |cx, f, a| f.member("name");
        fn "setName" "(name: string): void" "Changes the name." => |cx, f, a| { f.write("name", Val::Str(a.str(0)?))?; };
        fn "getSystem" "(): boolean" "Whether it belongs to the system." => |cx, f, a| f.member("system");
        fn "setSystem" "(on: boolean): void" "Changes whether it belongs to the system." => |cx, f, a| { f.write("system", Val::Bool(a.bool(0)?))?; };
        fn "getHidden" "(): boolean" "Whether only superusers see it." => |cx, f, a| f.member("hidden");
        fn "setHidden" "(on: boolean): void" "Changes whether only superusers see it." => |cx, f, a| { f.write("hidden", Val::Bool(a.bool(0)?))?; };
        fn "isMultiple" "(): boolean" "Whether it holds several values." => |cx, f, a| matches!(f.member("maxSelect"), Val::Int(n) if n > 1);
    }
    json |f| f.shown();
    order ORDER;
}

/// The members of all kinds of fields.
const ORDER: Order = &[
    "name",
    "id",
    "system",
    "hidden",
    "presentable",
    "help",
    "collectionId",
    "cascadeDelete",
    "values",
    "minSelect",
    "maxSize",
    "maxSelect",
    "convertURLs",
    "mimeTypes",
    "thumbs",
    "protected",
    "exceptDomains",
    "onlyDomains",
    "onCreate",
    "onUpdate",
    "min",
    "max",
    "pattern",
    "autogeneratePattern",
    "onlyInt",
    "cost",
    "required",
    "primaryKey",
];

impl FieldValue {
    /// Its members: the type is none of them.
    fn shown(&self) -> Val {
        let Some(mut json) = self.json() else { return Val::Null };
        json.remove("type");
        Val::from(json)
    }
    pub(crate) fn own(field: Field) -> Self {
        Self(Mutex::new(Place::Own(field)))
    }
    pub(crate) fn field(&self) -> Option<Field> {
        match self.0.lock().clone() {
            Place::Own(field) => Some(field),
            Place::In(collection, id) => collection.field_by_id(&id),
        }
    }
    fn json(&self) -> Option<Map<String, Json>> {
        match self.field()?.to_json() {
            Json::Object(map) => Some(map),
            _ => None,
        }
    }
    fn member(&self, name: &str) -> Val {
        self.json().and_then(|mut json| json.remove(name)).map_or(Val::Null, Val::from)
    }
}

impl FieldValue {
    /// Takes known members from JSON.
    pub(crate) fn unmarshal(&self, data: Map<String, Json>) -> Res<()> {
        for (name, value) in data {
            self.write(&name, Val::from(value))?;
        }
        Ok(())
    }
}

impl Dynamic for FieldValue {
    fn names(&self) -> Vec<String> {
        let keys = self.json().map(|json| json.keys().cloned().collect::<Vec<_>>());
        keys.unwrap_or_default().into_iter().filter(|key| key != "type").collect()
    }
    fn has_json(&self) -> bool {
        false
    }
    fn read(&self, name: &str) -> Option<Val> {
        let field = self.field()?;
        let value = self.json()?.remove(name).filter(|_| name != "type").map(Val::from)?;
        if let ("date", "min" | "max", Val::Str(text)) = (field.type_name(), name, &value) {
            return Some(super::date_time(super::time::parsed(text)));
        }
        let is_pointer = field.type_name() == "number" && matches!(name, "min" | "max");
        Some(if is_pointer && !value.is_null() { Val::Boxed(Box::new(value)) } else { value })
    }
    fn write(&self, name: &str, value: Val) -> Res<bool> {
        let Some(mut json) = self.json() else { return Ok(false) };
        if !json.contains_key(name) || name == "type" {
            return Ok(false);
        }
        let value = fitting(json.get(name), value.into_json());
        json.insert(name.to_owned(), value);
        let field =
            Field::from_json(&Json::Object(json)).map_err(|error| Fail::Type(error.to_string()))?;
        let mut place = self.0.lock();
        *place = match &*place {
            Place::Own(_) => Place::Own(field),
            Place::In(collection, old) => {
                let id = field.id().to_owned();
                if id != *old {
                    collection.fields_remove_by_id(old);
                }
                collection.fields_add(field);
                Place::In(collection.clone(), id)
            }
        };
        Ok(true)
    }
}

/// A value as the one before it was: `"7"` becomes 7 where a number stands.
fn fitting(old: Option<&Json>, new: Json) -> Json {
    match (old, new) {
        (Some(Json::Number(_)), Json::String(text)) => text
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or(Json::String(text), Json::Number),
        // pointers to numbers
        (Some(Json::Null), Json::String(text)) => match text.trim().parse::<f64>() {
            Ok(n) => json!(n),
            Err(_) => Json::String(text),
        },
        (Some(Json::Number(_)), Json::Null) => json!(0),
        (Some(Json::Number(_)), Json::Bool(on)) => json!(i64::from(on)),
        (Some(Json::String(_)), Json::Number(n)) => Json::String(n.to_string()),
        (Some(Json::String(_)), Json::Bool(on)) => Json::String(on.to_string()),
        (Some(Json::String(_)), Json::Null) => json!(""),
        (Some(Json::Bool(_)), other) => Json::Bool(is_truthy(&other)),
        (_, new) => new,
    }
}

/// Whether JavaScript takes a value for true.
fn is_truthy(json: &Json) -> bool {
    match json {
        Json::Null => false,
        Json::Bool(on) => *on,
        Json::Number(n) => n.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(_) | Json::Object(_) => true,
    }
}

/// `new Field({type, …})` and the constructors of the types.
pub(crate) fn new_field(args: &Args<'_, '_>, kind: Option<&str>) -> Res<FieldValue> {
    let mut data = args.val(0)?.into_object();
    if let Some(kind) = kind {
        data.insert("type".to_owned(), kind.into());
    }
    let made = Field::from_json(&Json::Object(data));
    let made = match (made, kind) {
        (Ok(field), _) => field,
        // as the reference: what does not fit leaves the defaults
        (Err(_), Some(kind)) => Field::from_json(&json!({ "type": kind }))?,
        (Err(error), None) => return Err(error.into()),
    };
    if kind.is_none() {
        return Ok(FieldValue::own(with_id(made)));
    }
    Ok(FieldValue::own(made))
}

/// A field as a collection takes it: without an id it gets one.
fn with_id(field: Field) -> Field {
    let (collection, name) = (Collection::base(""), field.name().to_owned());
    collection.fields_add(field.clone());
    collection.field_by_name(&name).unwrap_or(field)
}

/// A field given as an object of either kind.
fn field_of<'js>(cx: &Ctx<'js>, value: &Value<'js>) -> Res<Field> {
    if let Some(host) = as_host(value)
        && let Some(field) = host.get::<FieldValue>().and_then(FieldValue::field)
    {
        return Ok(field);
    }
    let json = crate::bind::export(cx, value)?.into_json();
    Field::from_json(&json)
        .map_err(|error| Fail::Type(format!("could not convert to a field: {error}")))
}

table! {
    pub(crate) static FIELDS: Fields = "core.FieldsList", "The fields of a collection; an array with these methods." {
        fn "add" "(...fields: core.Field[]): void" "Adds fields or replaces those of the same id or name." => |cx, l, a| {
            for field in a.rest(0) {
                l.0.fields_add(field_of(cx, &field)?);
            }
        };
        fn "push" "(...fields: core.Field[]): number" "Adds fields." => |cx, l, a| {
            for field in a.rest(0) {
                l.0.fields_add(field_of(cx, &field)?);
            }
            l.0.fields().len()
        };
        fn "addAt" "(position: number, ...fields: core.Field[]): void" "Adds fields at a place or moves them there." => |cx, l, a| {
            let at = usize::try_from(a.int(0)?).unwrap_or_default();
            for (n, field) in a.rest(1).iter().enumerate() {
                l.0.fields_add_at(at + n, field_of(cx, field)?);
            }
        };
        fn "getByName" "(name: string): core.Field" "The field of a name, or `null`." => |cx, l, a| {
            l.0.field_by_name(&a.str(0)?).map(|field| within(&l.0, &field))
        };
        fn "getById" "(id: string): core.Field" "The field of an id, or `null`." => |cx, l, a| {
            l.0.field_by_id(&a.str(0)?).map(|field| within(&l.0, &field))
        };
        fn "removeByName" "(name: string): void" "Removes a field." => |cx, l, a| l.0.fields_remove_by_name(&a.str(0)?);
        fn "removeById" "(id: string): void" "Removes a field." => |cx, l, a| l.0.fields_remove_by_id(&a.str(0)?);
        fn "fieldNames" "(): string[]" "All names." => |cx, l, a| l.0.field_names();
        fn "asMap" "(): { [key: string]: core.Field }" "The fields by name." => |cx, l, a| {
            let all = l.0.fields().into_iter().map(|field| (field.name().to_owned(), Val::Host(within(&l.0, &field))));
            Val::Map(new_map(all.collect::<Vec<_>>()))
        };
        fn "addMarshaledJSON" "(json: string | number[]): void" "Adds fields from JSON." => |cx, l, a| {
            let json: Json = super::fault::parsed(&a.bytes(0)?)?;
            let list = match json { Json::Array(list) => list, one => vec![one] };
            for one in list {
                l.0.fields_add(Field::from_json(&one)?);
            }
        };
        fn "string" "(): string" "As JSON." => |cx, l, a| l.0.to_json()["fields"].to_string();
    }
}

/// A field of no collection.
pub(crate) fn own(field: Field) -> Shared {
    Arc::new(FieldValue::own(field))
}

fn within(collection: &Collection, field: &Field) -> Shared {
    Arc::new(FieldValue(Mutex::new(Place::In(collection.clone(), field.id().to_owned()))))
}

/// The fields of a collection: an array with the methods of [`FIELDS`].
pub(crate) fn list<'js>(cx: &Ctx<'js>, collection: &Collection) -> Res<Value<'js>> {
    let array = Array::new(cx.clone())?;
    for (at, field) in collection.fields().iter().enumerate() {
        array.set(at, object(cx, within(collection, field))?)?;
    }
    let methods = object(cx, Arc::new(Fields(collection.clone())))?;
    let methods: Object<'js> = methods.into_object().ok_or_else(|| Fail::other("no methods"))?;
    let mut members: Vec<&str> = FIELDS.members.iter().map(|member| member.name).collect();
    members.sort_unstable();
    for name in members {
        let method: Value<'js> = methods.get(name)?;
        let method = Property::from(method).writable().configurable();
        // `push` is one of every list
        match name {
            "push" => array.as_object().prop(name, method)?,
            _ => array.as_object().prop(name, method.enumerable())?,
        }
    }
    Ok(array.into_value())
}

/// Replaces the fields of a collection.
pub(crate) fn set_list<'js>(cx: &Ctx<'js>, collection: &Collection, value: &Value<'js>) -> Res<()> {
    let mut fields = Vec::new();
    if !is_nil(value) && !value.is_array() {
        let text = crate::bind::text(cx, value)?;
        return Err(Fail::Type(format!(
            "Go struct conversion error: cannot convert {text} to core.FieldsList: not an array or iterable"
        )));
    }
    for (at, item) in items(cx, value)?.iter().enumerate() {
        let field =
            as_host(item).and_then(|host| host.get::<FieldValue>().and_then(FieldValue::field));
        let Some(field) = field else {
            let text = crate::bind::text(cx, item)?;
            return Err(Fail::Type(format!(
                "Go struct conversion error: could not convert array element {text} to core.FieldsList at {at}: could not convert {text} to core.Field"
            )));
        };
        fields.push(field);
    }
    for field in collection.fields() {
        collection.fields_remove_by_id(field.id());
    }
    for field in fields {
        collection.fields_add(field);
    }
    Ok(())
}
