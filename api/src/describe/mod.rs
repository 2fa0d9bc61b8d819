//! The collections as descriptions of the API need them: names of types, members, relations. What they are written as is
//! in the files beside this one. Knows no request.

pub(crate) mod added;
mod dart;
pub(crate) mod openapi;
pub(crate) mod operations;
mod rust;
mod typescript;
mod words;

use std::{collections::HashSet, sync::Arc};

use engine::{
    field::ValueShape,
    schema::{Loaded, Snapshot, WireSource},
};

pub(crate) use dart::write as dart;
pub(crate) use rust::write as rust;
pub(crate) use typescript::write as typescript;
use words::pascal;

/// A collection to be described.
#[derive(Debug)]
pub(crate) struct Described {
    /// The name of its type, unlike all others.
    pub(crate) name: String,
    pub(crate) collection: Arc<Loaded>,
    /// The keys of its records, in their order, without those that every record has.
    pub(crate) members: Vec<Member>,
    pub(crate) relations: Vec<Relation>,
}

/// A field of records.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) shape: ValueShape,
    /// A list of such values.
    pub(crate) many: bool,
    /// May be missing in answers: not everybody sees it.
    pub(crate) optional: bool,
    /// Is in answers.
    pub(crate) shown: bool,
    /// May be sent.
    pub(crate) writable: bool,
    /// Must be sent for a new record.
    pub(crate) required: bool,
    pub(crate) help: String,
}

/// What `expand` can follow.
#[derive(Debug)]
pub(crate) struct Relation {
    /// Its path: a field, or `posts_via_author`.
    pub(crate) name: String,
    /// The type of the records there.
    pub(crate) target: String,
    pub(crate) many: bool,
}

/// Names that mean something in one of the languages, or in what is written around the types.
const RESERVED: &[&str] = &[
    "Base",
    "GeoPoint",
    "DateText",
    "RecordId",
    "Collections",
    "TypedPocketBase",
    "PocketBase",
    "RecordService",
    "File",
    "Blob",
    "Date",
    "Object",
    "Function",
    "Map",
    "List",
    "String",
    "Option",
    "Vec",
    "Box",
    "Default",
    "Debug",
    "Clone",
    "Copy",
    "PartialEq",
    "Eq",
    "Serialize",
    "Deserialize",
    "None",
    "Some",
    "Ok",
    "Err",
    "Self",
    "DateTime",
    "Type",
    "Null",
    "Set",
    "Future",
    "Iterable",
    "Error",
    "Number",
    "Boolean",
    "Symbol",
    "Array",
    "Promise",
    "Record",
];
/// What is written behind the name of a type for its relatives.
const RELATIVES: [&str; 6] = ["", "Create", "Update", "Expand", "List", "Auth"];

/// A name that is free with all its relatives.
fn free(name: &str, taken: &mut HashSet<String>) -> String {
    let mut found = name.to_owned();
    let mut number = 2;
    while RELATIVES.iter().any(|suffix| taken.contains(&format!("{found}{suffix}"))) {
        found = format!("{name}{number}");
        number += 1;
    }
    taken.extend(RELATIVES.iter().map(|suffix| format!("{found}{suffix}")));
    found
}

/// All collections, in their order.
pub(crate) fn all(snapshot: &Snapshot) -> Vec<Described> {
    let mut taken: HashSet<String> = RESERVED.iter().map(|name| (*name).to_owned()).collect();
    let mut named: Vec<(String, Arc<Loaded>)> = Vec::new();
    for collection in snapshot.iter() {
        named.push((free(&pascal(&collection.name), &mut taken), collection.clone()));
    }
    let type_of = |id: &str| {
        let found = named.iter().find(|(_, collection)| collection.id == id);
        found.map(|(name, _)| name.clone())
    };
    named
        .iter()
        .map(|(name, collection)| Described {
            name: name.clone(),
            collection: collection.clone(),
            members: members(collection),
            relations: relations(collection, &type_of),
        })
        .collect()
}

fn members(collection: &Loaded) -> Vec<Member> {
    let shown =
        |index: usize| collection.keys.iter().find(|key| key.source == WireSource::Field(index));
    let fields = collection.fields.iter().enumerate();
    fields
        .map(|(index, field)| {
            let key = shown(index);
            let shape = field.kind.shape();
            let (is_auth, name) = (collection.is_auth(), field.name.as_str());
            let fills_itself = name == "id" || is_auth && name == "tokenKey";
            Member {
                name: name.to_owned(),
                many: field.kind.multiple(),
                optional: key.is_none_or(|key| key.hidden || key.email),
                shown: key.is_some(),
                writable: !collection.is_view()
                    && field.type_name() != engine::field::autodate::KIND,
                required: field.required && !fills_itself,
                help: field.help.clone(),
                shape,
            }
        })
        .collect()
}

fn relations(collection: &Loaded, type_of: &dyn Fn(&str) -> Option<String>) -> Vec<Relation> {
    let own = collection.fields.iter().filter_map(|field| {
        let target = type_of(field.kind.target()?)?;
        Some(Relation { name: field.name.clone(), target, many: field.kind.multiple() })
    });
    let back = collection.back_refs.iter().filter_map(|back| {
        let name = format!("{}_via_{}", back.collection_name, back.field);
        Some(Relation { name, target: type_of(&back.collection_id)?, many: true })
    });
    own.chain(back).collect()
}
