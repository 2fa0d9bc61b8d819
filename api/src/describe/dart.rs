//! Dart: classes over the JSON of records, for the official SDK or none. Spec dashboard §8 A9.

use std::collections::HashSet;

use engine::field::ValueShape;

use super::{
    Described, Member,
    words::{camel, comment, unique},
};

const HEAD: &str = "\
// Types of the records of this server. Generated: do not edit.
// `Posts.of(record.toJson())` reads a `RecordModel` of the SDK; `json` holds what has no member here.
// ignore_for_file: constant_identifier_names, non_constant_identifier_names

class GeoPoint {
  const GeoPoint(this.lon, this.lat);
  final double lon;
  final double lat;
  static GeoPoint of(Object? json) {
    final map = json is Map ? json : const {};
    return GeoPoint(_number(map['lon']).toDouble(), _number(map['lat']).toDouble());
  }
}

String _text(Object? json) => json is String ? json : '';
num _number(Object? json) => json is num ? json : 0;
bool _bool(Object? json) => json == true;
DateTime? _date(Object? json) => json is String ? DateTime.tryParse(json) : null;
List<T> _list<T>(Object? json, T Function(Object?) one) => json is List ? json.map(one).toList() : <T>[];
Map<String, dynamic> _map(Object? json) => json is Map ? json.cast<String, dynamic>() : <String, dynamic>{};
T? _some<T>(Object? json, T Function(Map<String, dynamic>) one) => json is Map ? one(json.cast<String, dynamic>()) : null;
";

/// Words that are no names, and members that every class has.
const TAKEN: &[&str] = &[
    "assert",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "default",
    "do",
    "else",
    "enum",
    "extends",
    "false",
    "final",
    "finally",
    "for",
    "if",
    "in",
    "is",
    "new",
    "null",
    "rethrow",
    "return",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "var",
    "void",
    "while",
    "with",
    "await",
    "yield",
    "abstract",
    "as",
    "async",
    "covariant",
    "deferred",
    "dynamic",
    "export",
    "extension",
    "external",
    "factory",
    "function",
    "get",
    "hide",
    "implements",
    "import",
    "interface",
    "late",
    "library",
    "mixin",
    "on",
    "operator",
    "part",
    "required",
    "sealed",
    "set",
    "show",
    "static",
    "sync",
    "typedef",
    "json",
    "of",
    "expand",
    "hashCode",
    "runtimeType",
    "toString",
    "noSuchMethod",
    "collectionName",
];

/// All classes.
pub(crate) fn write(all: &[Described]) -> String {
    let mut out = HEAD.to_owned();
    for described in all {
        one(described, &mut out);
    }
    out
}

fn one(described: &Described, out: &mut String) {
    let Described { name, collection, members, relations } = described;
    let mut taken: HashSet<String> = TAKEN.iter().map(|word| (*word).to_owned()).collect();
    let mut member_name = |wire: &str| {
        let name = camel(wire);
        let name = if TAKEN.contains(&name.as_str()) { format!("{name}_") } else { name };
        unique(&name, &mut taken)
    };
    out.push_str(&format!(
        "\n/// A record of `{}` ({}).\nclass {name} {{\n  const {name}.of(this.json);\n  final Map<String, dynamic> json;\n  \
         static const collectionName = {};\n\n",
        collection.name,
        collection.kind.as_str(),
        text(&collection.name)
    ));
    out.push_str(&format!("  String get {} => _text(json['id']);\n", member_name("id")));
    for member in members.iter().filter(|member| member.shown && member.name != "id") {
        let (kind, read) = reader(member);
        let (name, key) = (member_name(&member.name), text(&member.name));
        let help = comment(&member.help);
        if !help.is_empty() {
            out.push_str(&format!("  /// {help}\n"));
        }
        let value = match member.many {
            true => format!("_list(json[{key}], {read})"),
            false => format!("{read}(json[{key}])"),
        };
        let value = if read.is_empty() && !member.many { format!("json[{key}]") } else { value };
        let kind = if member.many { format!("List<{kind}>") } else { kind.to_owned() };
        out.push_str(&format!("  {kind} get {name} => {value};\n"));
    }
    for relation in relations {
        let name = member_name(&format!("expanded_{}", relation.name));
        let (target, key) = (&relation.target, text(&relation.name));
        let value = format!("_map(json['expand'])[{key}]");
        let line = match relation.many {
            true => format!(
                "  List<{target}> get {name} => _list({value}, (one) => {target}.of(_map(one)));\n"
            ),
            false => format!("  {target}? get {name} => _some({value}, {target}.of);\n"),
        };
        out.push_str(&line);
    }
    out.push_str("}\n");
    for member in members.iter().filter(|member| member.shown) {
        if let ValueShape::Choice(values) = &member.shape {
            choices(described, member, values, out);
        }
    }
}

/// The offered choices as constants: rows may hold others.
fn choices(described: &Described, member: &Member, values: &[String], out: &mut String) {
    let class = format!("{}{}", described.name, super::words::pascal(&member.name));
    out.push_str(&format!("\nabstract final class {class}Choices {{\n"));
    let mut taken: HashSet<String> = TAKEN.iter().map(|word| (*word).to_owned()).collect();
    for value in values {
        let name = camel(value);
        let name = if TAKEN.contains(&name.as_str()) { format!("{name}_") } else { name };
        let name = unique(&name, &mut taken);
        out.push_str(&format!("  static const {name} = {};\n", text(value)));
    }
    out.push_str("}\n");
}

fn reader(member: &Member) -> (&'static str, &'static str) {
    match member.shape {
        ValueShape::Text
        | ValueShape::Email
        | ValueShape::Url
        | ValueShape::Secret
        | ValueShape::File
        | ValueShape::Id
        | ValueShape::Choice(_) => ("String", "_text"),
        ValueShape::Number => ("num", "_number"),
        ValueShape::Bool => ("bool", "_bool"),
        ValueShape::Json => ("Object?", ""),
        ValueShape::Point => ("GeoPoint", "GeoPoint.of"),
        ValueShape::Date => ("DateTime?", "_date"),
    }
}

/// A text as Dart reads it: `$` begins an expression there.
fn text(value: &str) -> String {
    let escaped: String = value
        .chars()
        .map(|c| match c {
            '\\' => "\\\\".to_owned(),
            '\'' => "\\'".to_owned(),
            '$' => "\\$".to_owned(),
            c if c.is_control() => format!("\\u{{{:x}}}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("'{escaped}'")
}
