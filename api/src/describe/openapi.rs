//! The OpenAPI 3.1 document: what endpoints say of themselves with the paths and schemas of the live collections.
//! Source: spec dashboard §8 A9.

use engine::{field::ValueShape, settings::Settings};
use serde_json::{Map, Value, json};

use super::{
    Described, Member,
    added::{Description, plain},
    operations::{Access, Each, Op},
    typescript::steps,
};
use crate::error::{ApiError, Result};

/// Schemas that are the same everywhere.
const SCHEMAS: &str = include_str!("schemas.json");

/// Query parameters by name: type and description.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("page", "integer", "From 1."),
    ("perPage", "integer", "1 to 1000."),
    ("sort", "string", "Names, descending with `-`: `-created,id`."),
    ("filter", "string", "An expression: `title ~ 'x' && views > 5`."),
    ("expand", "string", "Relations to follow: `author,comments_via_post`."),
    ("fields", "string", "Keys to answer: `id,title,text:excerpt(200,true)`."),
    ("skipTotal", "boolean", "Do not count."),
    ("token", "string", "A file token."),
    ("thumb", "string", "The size of a picture: `100x100`."),
    ("download", "boolean", "As an attachment."),
    ("lang", "string", "`ts`, `rust` or `dart`."),
    ("by", "string", "`path`, `status` or `user`."),
    ("format", "string", "`csv`, `ndjson` or `json`."),
    ("guard", "boolean", "Keep spreadsheets from running texts as formulas."),
    ("mode", "string", "`create`, `update` or `upsert`."),
    ("match", "string", "The field that tells which record a row is."),
    ("dryRun", "boolean", "Only check."),
    ("collections", "string", "Names of collections; all without it."),
];

/// The whole document.
///
/// # Errors
/// 500 when the built-in schemas cannot be read.
pub(crate) fn write(
    all: &[Described],
    endpoints: impl Iterator<Item = (&'static str, Op)>,
    added: &[(String, Description)],
    settings: &Settings,
) -> Result<Value> {
    let schemas = serde_json::from_str(SCHEMAS).map_err(|e| ApiError::internal(e.to_string()))?;
    let mut schemas: Map<String, Value> = schemas;
    // A collection may be called as one of ours.
    let names: Vec<String> = all.iter().map(|described| schema_name(described, &schemas)).collect();
    for (described, name) in all.iter().zip(&names) {
        add_schemas(described, name, &|target| target_name(all, &names, target), &mut schemas);
    }
    let mut paths = Map::new();
    for (pattern, op) in endpoints {
        add(pattern, &op, all, &names, &mut paths);
    }
    for (pattern, description) in added {
        // a route for every method has no method to stand under
        let Some((method, path)) = pattern.split_once(' ') else { continue };
        put(&mut paths, &plain(path), method, description.operation(method, path));
    }
    let parameters: Map<String, Value> = PARAMETERS
        .iter()
        .map(|(name, kind, text)| {
            let value =
                json!({"name": name, "in": "query", "description": text, "schema": {"type": kind}});
            ((*name).to_owned(), value)
        })
        .collect();
    let title = if settings.meta.app_name.is_empty() { "API" } else { &settings.meta.app_name };
    let url = if settings.meta.app_url.is_empty() { "/" } else { settings.meta.app_url.as_str() };
    Ok(json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": env!("CARGO_PKG_VERSION")},
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parameters,
            "responses": {"Error": {"description": "What went wrong",
                "content": {"application/json": {"schema": reference("Error")}}}},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "Authorization",
                "description": "The token of an auth record."}},
        },
    }))
}

fn schema_name(described: &Described, ours: &Map<String, Value>) -> String {
    let clashes =
        super::RELATIVES.iter().any(|s| ours.contains_key(&format!("{}{s}", described.name)));
    if clashes { format!("{}Record", described.name) } else { described.name.clone() }
}

fn target_name(all: &[Described], names: &[String], target: &str) -> String {
    let found = all.iter().zip(names).find(|(described, _)| described.name == target);
    found.map_or_else(|| "Any".into(), |(_, name)| name.clone())
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn add(
    pattern: &str,
    op: &Op,
    all: &[Described],
    names: &[String],
    paths: &mut Map<String, Value>,
) {
    let Some((method, path)) = pattern.split_once(' ') else { return };
    let is_meant = |described: &Described| match op.each {
        Each::Never => false,
        Each::All => true,
        Each::Writable => !described.collection.is_view(),
        Each::Auth => described.collection.is_auth(),
    };
    if op.each == Each::Never {
        put(paths, path, method, operation(op, path, None));
        return;
    }
    for (described, name) in all.iter().zip(names).filter(|(described, _)| is_meant(described)) {
        let path = path.replace("{collection}", &described.collection.name);
        let operation = operation(op, &path, Some((described, name)));
        put(paths, &path, method, operation);
    }
}

fn put(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Value) {
    let slot = paths.entry(path).or_insert_with(|| json!({}));
    slot[method.to_ascii_lowercase()] = operation;
}

fn operation(op: &Op, path: &str, of: Option<(&Described, &String)>) -> Value {
    let schema = |name: &'static str| match (name.strip_prefix('@'), of) {
        (Some(suffix), Some((_, own))) => reference(&format!("{own}{suffix}")),
        _ => reference(name),
    };
    let mut parameters: Vec<Value> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let shared = |name: &&str| json!({"$ref": format!("#/components/parameters/{name}")});
    parameters.extend(op.query.iter().map(shared));
    let id = of.map_or_else(|| op.id.to_owned(), |(_, own)| format!("{}{own}", op.id));
    let mut out = json!({
        "operationId": id,
        "tags": [of.map_or(op.tag, |(described, _)| &described.collection.name)],
        "summary": op.summary,
        "parameters": parameters,
        "responses": {"default": {"$ref": "#/components/responses/Error"}},
        "security": security(op.access, of.map(|(described, _)| described)),
    });
    if let Some(text) = rule_text(op.access, of.map(|(described, _)| described)) {
        out["description"] = text.into();
    }
    if let Some(body) = op.body {
        let mut content = json!({"application/json": {"schema": schema(body)}});
        if op.form {
            content["multipart/form-data"] = json!({"schema": schema(body)});
        }
        out["requestBody"] = json!({"content": content});
    }
    let content_type = op.content_type.unwrap_or("application/json");
    let (status, answer) = match op.answer {
        None => ("204", json!({"description": "Done"})),
        Some("Redirect") => ("307", json!({"description": "To a page of the dashboard"})),
        Some(name) => (
            "200",
            json!({"description": "The answer", "content": {content_type: {"schema": schema(name)}}}),
        ),
    };
    out["responses"][status] = answer;
    out
}

fn rule_of(access: Access, described: Option<&Described>) -> Option<Option<&str>> {
    let Access::Rule(name) = access else { return None };
    let (_, rule) = described?.collection.rules().into_iter().find(|(key, _)| *key == name)?;
    Some(rule.map(String::as_str))
}

pub(super) fn security(access: Access, described: Option<&Described>) -> Value {
    let (guests, token) = (json!({}), json!({"token": []}));
    match (access, rule_of(access, described)) {
        (Access::SignedIn | Access::Superusers, _) | (_, Some(None)) => json!([token]),
        _ => json!([guests, token]),
    }
}

pub(super) fn rule_text(access: Access, described: Option<&Described>) -> Option<String> {
    match (access, rule_of(access, described)) {
        (Access::Superusers, _) | (_, Some(None)) => Some("Superusers only.".into()),
        (Access::SignedIn, _) => Some("Signed in only.".into()),
        (_, Some(Some(""))) => Some("For everybody.".into()),
        (_, Some(Some(rule))) => Some(format!("Rule: `{rule}`")),
        _ => None,
    }
}

fn add_schemas(
    described: &Described,
    name: &str,
    target: &dyn Fn(&str) -> String,
    schemas: &mut Map<String, Value>,
) {
    let Described { collection, members, relations, .. } = described;
    let mut properties = Map::new();
    let mut required = vec![json!("id"), json!("collectionId"), json!("collectionName")];
    properties.insert("collectionId".into(), json!({"type": "string", "const": collection.id}));
    properties.insert("collectionName".into(), json!({"type": "string", "const": collection.name}));
    for member in members.iter().filter(|member| member.shown) {
        properties.insert(member.name.clone(), shown(member));
        if !member.optional && member.name != "id" {
            required.push(member.name.clone().into());
        }
    }
    if !relations.is_empty() {
        let expanded = relations.iter().map(|relation| {
            let one = reference(&target(&relation.target));
            let value = if relation.many { json!({"type": "array", "items": one}) } else { one };
            (relation.name.clone(), value)
        });
        let expanded: Map<String, Value> = expanded.collect();
        properties.insert("expand".into(), json!({"type": "object", "properties": expanded}));
    }
    schemas.insert(
        name.to_owned(),
        json!({"type": "object", "properties": properties, "required": required}),
    );
    let items = json!({"type": "object", "properties": {"items": {"type": "array", "items": reference(name)}}});
    schemas.insert(format!("{name}List"), json!({"allOf": [reference("Page"), items]}));
    if collection.is_auth() {
        let auth = json!({"type": "object", "required": ["token", "record"],
            "properties": {"token": {"type": "string"}, "record": reference(name), "meta": {"type": "object"}}});
        schemas.insert(format!("{name}Auth"), auth);
    }
    if !collection.is_view() {
        schemas.insert(format!("{name}Create"), sent(described, true));
        schemas.insert(format!("{name}Update"), sent(described, false));
    }
}

fn value(shape: &ValueShape) -> Value {
    match shape {
        ValueShape::Text | ValueShape::Secret => json!({"type": "string"}),
        ValueShape::Id => json!({"type": "string", "description": "The id of a record."}),
        ValueShape::File => json!({"type": "string", "description": "The name of a file."}),
        ValueShape::Number => json!({"type": "number"}),
        ValueShape::Bool => json!({"type": "boolean"}),
        ValueShape::Json => json!({}),
        ValueShape::Point => reference("GeoPoint"),
        ValueShape::Date => json!({"type": "string", "examples": ["2026-01-31 10:00:00.000Z"]}),
        // No formats: an empty text is one of neither.
        ValueShape::Email | ValueShape::Url => json!({"type": "string"}),
        ValueShape::Choice(values) => json!({"type": "string", "examples": values}),
    }
}

fn shown(member: &Member) -> Value {
    let one = value(&member.shape);
    let mut out = if member.many { json!({"type": "array", "items": one}) } else { one };
    if !member.help.is_empty() && !out["$ref"].is_string() {
        out["description"] = member.help.clone().into();
    }
    out
}

fn sent(described: &Described, is_new: bool) -> Value {
    let mut properties = Map::new();
    let mut required: Vec<Value> = Vec::new();
    for member in described.members.iter().filter(|member| member.writable) {
        let one = match &member.shape {
            ValueShape::File => {
                json!({"type": "string", "contentMediaType": "application/octet-stream"})
            }
            ValueShape::Choice(values) if !values.is_empty() => {
                let mut values = values.clone();
                if !member.required && !values.iter().any(String::is_empty) {
                    values.push(String::new());
                }
                json!({"type": "string", "enum": values})
            }
            shape => value(shape),
        };
        let value = if member.many { json!({"type": "array", "items": one}) } else { one };
        if is_new && member.required {
            required.push(member.name.clone().into());
        }
        if !is_new {
            properties.extend(steps(member).into_iter().map(|key| (key, value.clone())));
        }
        properties.insert(member.name.clone(), value);
    }
    if described.collection.is_auth() {
        properties.insert("passwordConfirm".into(), json!({"type": "string"}));
        if is_new {
            required.push("passwordConfirm".into());
        } else {
            properties.insert("oldPassword".into(), json!({"type": "string"}));
        }
    }
    let mut out = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        out["required"] = required.into();
    }
    out
}
