//! TypeScript: types for the official SDK (`pocketbase`). Spec dashboard §8 A9.

use engine::field::ValueShape;

use super::{
    Described, Member,
    words::{comment, quoted},
};

const HEAD: &str = "\
// Types of the records of this server. Generated: do not edit.
// `const pb = new PocketBase(url) as TypedPocketBase` knows the collections by name.

import type PocketBase from 'pocketbase';
import type { RecordService } from 'pocketbase';

/** `2026-01-31 10:00:00.000Z`, or empty. */
export type DateText = string;
/** The id of a record; empty for none. */
export type RecordId = string;
export interface GeoPoint { lon: number; lat: number }

interface Base { id: RecordId; collectionId: string; collectionName: string }
";

/// All types.
pub(crate) fn write(all: &[Described]) -> String {
    let mut out = HEAD.to_owned();
    for described in all {
        one(described, &mut out);
    }
    out.push_str("\n/** What records are by the name of their collection. */\nexport interface Collections {\n");
    for described in all {
        out.push_str(&format!("  {}: {};\n", quoted(&described.collection.name), described.name));
    }
    out.push_str("}\n\nexport type TypedPocketBase = PocketBase & {\n");
    for described in all {
        out.push_str(&format!(
            "  collection(idOrName: {}): RecordService<{}>;\n",
            quoted(&described.collection.name),
            described.name
        ));
    }
    out.push_str("};\n");
    out
}

fn one(described: &Described, out: &mut String) {
    let Described { name, collection, members, relations } = described;
    out.push_str(&format!(
        "\n/** A record of `{}` ({}). */\nexport interface {name} extends Base {{\n",
        collection.name,
        collection.kind.as_str()
    ));
    for member in members.iter().filter(|member| member.shown && member.name != "id") {
        let mark = if member.optional { "?" } else { "" };
        property(member, mark, &shown(member), out);
    }
    if !relations.is_empty() {
        out.push_str("  expand?: {\n");
        for relation in relations {
            let list = if relation.many { "[]" } else { "" };
            out.push_str(&format!("    {}?: {}{list};\n", quoted(&relation.name), relation.target));
        }
        out.push_str("  };\n");
    }
    out.push_str("}\n");
    if collection.is_view() {
        return;
    }
    for (suffix, is_new) in [("Create", true), ("Update", false)] {
        let what = if is_new { "A new record" } else { "Changes of a record" };
        out.push_str(&format!(
            "\n/** {what} of `{}`. */\nexport interface {name}{suffix} {{\n",
            collection.name
        ));
        for member in members.iter().filter(|member| member.writable) {
            let mark = if is_new && member.required { "" } else { "?" };
            property(member, mark, &sent(member), out);
            if !is_new {
                for key in steps(member) {
                    out.push_str(&format!("  {}?: {};\n", quoted(&key), sent(member)));
                }
            }
        }
        if collection.is_auth() {
            let mark = if is_new { "" } else { "?" };
            out.push_str(&format!("  passwordConfirm{mark}: string;\n"));
            if !is_new {
                out.push_str("  oldPassword?: string;\n");
            }
        }
        out.push_str("}\n");
    }
}

/// Keys that add to what is stored, or take away from it.
pub(super) fn steps(member: &Member) -> Vec<String> {
    let name = &member.name;
    match member.shape {
        ValueShape::Number => vec![format!("{name}+"), format!("{name}-")],
        _ if member.many => vec![format!("{name}+"), format!("+{name}"), format!("{name}-")],
        _ => Vec::new(),
    }
}

fn property(member: &Member, mark: &str, kind: &str, out: &mut String) {
    let help = comment(&member.help);
    if !help.is_empty() {
        out.push_str(&format!("  /** {help} */\n"));
    }
    out.push_str(&format!("  {}{mark}: {kind};\n", quoted(&member.name)));
}

fn value(shape: &ValueShape) -> String {
    match shape {
        ValueShape::Text | ValueShape::Email | ValueShape::Url | ValueShape::Secret => {
            "string".into()
        }
        ValueShape::File => "string".into(),
        ValueShape::Number => "number".into(),
        ValueShape::Bool => "boolean".into(),
        ValueShape::Json => "unknown".into(),
        ValueShape::Point => "GeoPoint".into(),
        ValueShape::Id => "RecordId".into(),
        ValueShape::Date => "DateText".into(),
        ValueShape::Choice(values) if values.is_empty() => "string".into(),
        ValueShape::Choice(values) => {
            values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(" | ")
        }
    }
}

fn shown(member: &Member) -> String {
    let value = value(&member.shape);
    match (member.many, &member.shape) {
        (true, _) => format!("({value})[]"),
        // A choice that is not made is an empty text.
        (false, ValueShape::Choice(values)) if !values.is_empty() && !member.required => {
            format!("{value} | \"\"")
        }
        (false, _) => value,
    }
}

fn sent(member: &Member) -> String {
    let value = match member.shape {
        ValueShape::File => "string | File | Blob".to_owned(),
        ValueShape::Date => "DateText | Date".to_owned(),
        _ => shown(&Member {
            many: false,
            help: String::new(),
            name: String::new(),
            shape: member.shape.clone(),
            ..*member
        }),
    };
    let null = if member.required { "" } else { " | null" };
    if member.many { format!("({value})[] | {value}{null}") } else { format!("{value}{null}") }
}
