//! From a submitted body to a draft: modifiers, uploads, hidden keys, `@request.body` (spec records-files §1.9).
//!
//! Pure: no database, no rules. The draft's record has the submitted data loaded; `request_body` is what rules read.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use filter_lang::scope::Datum;
use serde_json::{Map, Value};

use super::Record;
use crate::{
    app::record::Modification,
    ctx::datum,
    field::{Field, Modifier, Val},
    files::Upload,
    schema::Loaded,
};

/// What a client sends to create or update a record.
#[derive(Debug, Default)]
pub struct Submission {
    /// The decoded body.
    pub body: Map<String, Value>,
    /// Uploaded files by their form key (`avatar`, `docs+`, `+docs`).
    pub files: BTreeMap<String, Vec<Arc<Upload>>>,
}

/// A body resolved against a record.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// New values by field index, in the order they were resolved.
    pub(crate) values: Vec<(usize, Val)>,
    /// Keys that name no field (`passwordConfirm`, `oldPassword`, custom data).
    pub(crate) rest: Map<String, Value>,
    /// Uploads named in the values.
    pub(crate) uploads: Vec<(usize, Arc<Upload>)>,
    /// Values that were made out of stored ones.
    steps: Vec<Modification>,
}

/// One body value: as submitted, or resolved to a field's type.
#[derive(Clone)]
enum Item {
    Raw(Value),
    Typed(usize, Val),
}

/// Resolves a submission against the current record. `sees_hidden` is true for superusers.
pub(crate) fn prepare(current: &Record, submission: &Submission, sees_hidden: bool) -> Prepared {
    let collection = current.collection().clone();
    let items = submission.body.iter().map(|(k, v)| (k.clone(), Item::Raw(v.clone()))).collect();
    let mut items = resolve(current, items);
    let mut uploads = Vec::new();
    if !submission.files.is_empty() {
        add_files(&collection, &mut items, &submission.files, &mut uploads);
        items = resolve(current, items);
    }
    let mut out =
        Prepared { values: Vec::new(), rest: Map::new(), uploads: Vec::new(), steps: Vec::new() };
    for (key, item) in items {
        match item {
            Item::Typed(index, val) => {
                let field = &collection.fields[index];
                if field.hidden
                    && !sees_hidden
                    && !(collection.is_auth() && field.name == "password")
                {
                    continue;
                }
                out.values.push((index, val));
            }
            Item::Raw(value) => {
                out.rest.insert(key, value);
            }
        }
    }
    uploads.retain(|(index, upload): &(usize, Arc<Upload>)| {
        out.values
            .iter()
            .any(|(i, val)| i == index && val.items().iter().any(|name| name == upload.name()))
    });
    out.uploads = uploads;
    out.steps = Modification::all_of(current, submission, &out.values);
    out
}

/// Applies keys from the shortest to the longest on top of each other; each becomes its field's new value.
fn resolve(current: &Record, items: Vec<(String, Item)>) -> Vec<(String, Item)> {
    let mut items = items;
    items.sort_by_key(|(key, _)| key.len());
    // Only modifiers ask what the keys before them made of a field.
    let modifies = |key: &str| Modifier::split(key).1.is_some();
    let builds_up = items.len() > 1 && items.iter().any(|(key, _)| modifies(key));
    let mut working = Cow::Borrowed(current);
    let mut out: Vec<(String, Item)> = Vec::with_capacity(items.len());
    for (key, item) in items {
        let typed = match &item {
            Item::Typed(index, val) => Some((*index, val.clone())),
            Item::Raw(value) => working.resolve(&key, value),
        };
        let Some((index, val)) = typed else {
            out.push((key, item));
            continue;
        };
        let field = &working.collection().fields[index];
        let val = if field.type_name() == "autodate" { working.value(index).clone() } else { val };
        let name = field.name.clone();
        if builds_up {
            working.to_mut().set_at(index, val.clone());
        }
        match out.iter_mut().find(|(_, item)| matches!(item, Item::Typed(i, _) if *i == index)) {
            Some(slot) => slot.1 = Item::Typed(index, val),
            None => out.push((name, Item::Typed(index, val))),
        }
    }
    out
}

/// Puts uploads into the body under `f`, `+f` and `f+` of every file field, after the names given there.
fn add_files(
    collection: &Loaded,
    items: &mut Vec<(String, Item)>,
    files: &BTreeMap<String, Vec<Arc<Upload>>>,
    uploads: &mut Vec<(usize, Arc<Upload>)>,
) {
    for (index, field) in collection.fields.iter().enumerate() {
        if field.type_name() != "file" {
            continue;
        }
        for key in [field.name.clone(), format!("+{}", field.name), format!("{}+", field.name)] {
            let Some(given) = files.get(&key).filter(|g| !g.is_empty()) else { continue };
            let at = items.iter().position(|(k, _)| *k == key);
            let mut names: Vec<Value> = match at.map(|at| &items[at].1) {
                Some(Item::Typed(_, val)) => {
                    val.items().iter().map(|n| Value::String(n.clone())).collect()
                }
                Some(Item::Raw(Value::Array(list))) => list.clone(),
                Some(Item::Raw(Value::Null)) | None => Vec::new(),
                Some(Item::Raw(other)) => vec![other.clone()],
            };
            for upload in given {
                names.push(Value::String(upload.name().into()));
                uploads.push((index, upload.clone()));
            }
            let item = Item::Raw(Value::Array(names));
            match at {
                Some(at) => items[at].1 = item,
                None => items.push((key, item)),
            }
        }
    }
}

impl Prepared {
    /// Loads the values into a record. Keys without a field become custom data, except `expand` and the password form's.
    pub(crate) fn load(&self, record: &mut Record) {
        let is_auth = record.collection().is_auth();
        for (index, val) in &self.values {
            record.set_at(*index, val.clone());
        }
        record.steps.clone_from(&self.steps);
        for (index, upload) in &self.uploads {
            record.add_upload(*index, upload.clone());
        }
        for (key, value) in &self.rest {
            let form_only = is_auth && matches!(key.as_str(), "passwordConfirm" | "oldPassword");
            if key != "expand"
                && !form_only
                && !key.starts_with(['+', '@'])
                && !key.ends_with(['+', '-'])
            {
                record.custom_mut().insert(key.clone(), value.clone());
            }
        }
    }

    /// `@request.body` after normalizing.
    pub(crate) fn request_body(&self, collection: &Loaded) -> BTreeMap<String, Datum> {
        let uploads: HashMap<&str, &Arc<Upload>> =
            self.uploads.iter().map(|(_, u)| (u.name(), u)).collect();
        let mut body: BTreeMap<String, Datum> =
            self.rest.iter().map(|(k, v)| (k.clone(), datum(v))).collect();
        for (index, val) in &self.values {
            let field = &collection.fields[*index];
            body.insert(field.name.clone(), val_datum(field, val, &uploads));
        }
        body
    }

    /// A text of the password form, loosely cast.
    pub(crate) fn form_text(&self, key: &str) -> String {
        match self.rest.get(key) {
            Some(Value::String(s)) => s.clone(),
            Some(Value::Number(n)) => n.to_string(),
            Some(Value::Bool(b)) => b.to_string(),
            _ => String::new(),
        }
    }
}

/// A typed value as rules read it.
fn val_datum(field: &Field, val: &Val, uploads: &HashMap<&str, &Arc<Upload>>) -> Datum {
    let file = |name: &String| match uploads.get(name.as_str()) {
        Some(upload) => Datum::Map(BTreeMap::from([
            ("name".to_owned(), Datum::Text(name.clone())),
            ("originalName".to_owned(), Datum::Text(upload.original_name().into())),
            ("size".to_owned(), Datum::Number(f64_of(upload.size()))),
        ])),
        None => Datum::Text(name.clone()),
    };
    match val {
        Val::Text(text) => file(text),
        Val::Number(n) => Datum::Number(*n),
        Val::Bool(b) => Datum::Bool(*b),
        Val::List(items) => Datum::List(items.iter().map(file).collect()),
        Val::Json(json) => Datum::Json(json.clone().unwrap_or_else(|| "null".into())),
        Val::Geo { .. } => {
            let mut json = Vec::new();
            field.kind.write_val_json(val, &mut json);
            Datum::Json(String::from_utf8(json).unwrap_or_default())
        }
        Val::Password { plain, hash } => Datum::Text(plain.clone().unwrap_or_else(|| hash.clone())),
    }
}

#[allow(clippy::cast_precision_loss)]
fn f64_of(size: u64) -> f64 {
    size as f64
}
