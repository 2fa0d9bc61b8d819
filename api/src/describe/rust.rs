//! Rust: types with `serde` and `serde_json`. Spec dashboard §8 A9.

use std::collections::HashSet;

use engine::field::ValueShape;

use super::{
    Described, Member,
    words::{comment, pascal, snake, unique},
};

const HEAD: &str = "\
//! Types of the records of this server. Generated: do not edit.
//! Needs `serde` with `derive`, and `serde_json`.

#![allow(dead_code)]

use serde::{Deserialize, Serialize};

/// `2026-01-31 10:00:00.000Z`, or empty.
pub type DateText = String;
/// The id of a record; empty for none.
pub type RecordId = String;

/// A place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GeoPoint {
    pub lon: f64,
    pub lat: f64,
}
";

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// All types.
pub(crate) fn write(all: &[Described]) -> String {
    let mut out = HEAD.to_owned();
    let mut taken: HashSet<String> =
        super::RESERVED.iter().map(|name| (*name).to_owned()).collect();
    for described in all {
        taken.extend(super::RELATIVES.iter().map(|suffix| format!("{}{suffix}", described.name)));
    }
    for described in all {
        one(described, &mut taken, &mut out);
    }
    out
}

fn one(described: &Described, taken: &mut HashSet<String>, out: &mut String) {
    let Described { name, collection, members, relations } = described;
    let mut enums = String::new();
    let mut fields: HashSet<String> = HashSet::new();
    let mut body = String::new();
    let mut add = |wire: &str, kind: &str, help: &str| {
        let mut field = snake(wire);
        if KEYWORDS.contains(&field.as_str()) {
            field.push('_');
        }
        let field = unique(&field, &mut fields);
        if !help.is_empty() {
            body.push_str(&format!("    /// {help}\n"));
        }
        if field != wire {
            body.push_str(&format!("    #[serde(rename = {wire:?})]\n"));
        }
        body.push_str(&format!("    #[serde(default)]\n    pub {field}: {kind},\n"));
    };
    for wire in ["id", "collectionId", "collectionName"] {
        add(wire, "String", "");
    }
    for member in members.iter().filter(|member| member.shown && member.name != "id") {
        let kind = kind_of(described, member, taken, &mut enums);
        add(&member.name, &kind, &comment(&member.help));
    }
    let expand = format!("{name}Expand");
    if !relations.is_empty() {
        add("expand", &format!("Option<{expand}>"), "What `expand` asked for.");
    }
    out.push_str(&format!(
        "\n/// A record of `{}` ({}).\n#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]\npub struct {name} {{\n{body}}}\n",
        collection.name,
        collection.kind.as_str()
    ));
    out.push_str(&enums);
    if relations.is_empty() {
        return;
    }
    out.push_str(&format!(
        "\n/// Relations of `{}`.\n#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]\npub struct {expand} {{\n",
        collection.name
    ));
    let mut fields = HashSet::new();
    for relation in relations {
        let mut field = snake(&relation.name);
        if KEYWORDS.contains(&field.as_str()) {
            field.push('_');
        }
        let field = unique(&field, &mut fields);
        let kind = match relation.many {
            true => format!("Vec<{}>", relation.target),
            false => format!("Option<Box<{}>>", relation.target),
        };
        if field != relation.name {
            out.push_str(&format!("    #[serde(rename = {:?})]\n", relation.name));
        }
        out.push_str(&format!("    #[serde(default)]\n    pub {field}: {kind},\n"));
    }
    out.push_str("}\n");
}

fn kind_of(
    described: &Described,
    member: &Member,
    taken: &mut HashSet<String>,
    enums: &mut String,
) -> String {
    let one = match &member.shape {
        ValueShape::Text
        | ValueShape::Email
        | ValueShape::Url
        | ValueShape::Secret
        | ValueShape::File => "String".to_owned(),
        ValueShape::Number => "f64".into(),
        ValueShape::Bool => "bool".into(),
        ValueShape::Json => "serde_json::Value".into(),
        ValueShape::Point => "GeoPoint".into(),
        ValueShape::Id => "RecordId".into(),
        ValueShape::Date => "DateText".into(),
        ValueShape::Choice(values) => {
            let name = unique(&format!("{}{}", described.name, pascal(&member.name)), taken);
            choice(&name, values, enums);
            name
        }
    };
    let kind = if member.many { format!("Vec<{one}>") } else { one };
    if member.optional && !member.many { format!("Option<{kind}>") } else { kind }
}

/// A choice may be none, and rows keep choices that are no longer offered.
fn choice(name: &str, values: &[String], out: &mut String) {
    out.push_str(&format!(
        "\n/// A choice.\n#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]\npub enum {name} {{\n    \
         /// None.\n    #[default]\n    #[serde(rename = \"\")]\n    None,\n"
    ));
    let mut variants: HashSet<String> = ["None", "Other", "Self"].map(str::to_owned).into();
    for value in values.iter().filter(|value| !value.is_empty()) {
        let variant = unique(&pascal(value), &mut variants);
        out.push_str(&format!("    #[serde(rename = {value:?})]\n    {variant},\n"));
    }
    out.push_str("    /// Not offered any more.\n    #[serde(untagged)]\n    Other(String),\n}\n");
}
