//! Templates beside what Go's `html/template` makes of them (Go 1.26): see `cases.json`, whose outputs were recorded.

use std::sync::Arc;

use go_template::{Function, Host, Template, Value};
use serde_json::Value as Json;

#[derive(Debug)]
struct Record(String);

impl Host for Record {
    fn type_name(&self) -> String {
        "*main.Rec".into()
    }
    fn field(&self, name: &str) -> Option<Value> {
        (name == "Id").then(|| self.0.as_str().into())
    }
    fn call(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        match (name, args) {
            ("GetString", [Value::String(name)]) => Some(Ok(format!("<{name}>").into())),
            ("GetString", args) => {
                Some(Err(format!("wrong number of args for GetString: want 1 got {}", args.len())))
            }
            ("Collection", []) => Some(Ok(Value::Host(Arc::new(Collection)))),
            ("Fail", []) => Some(Err("no luck".into())),
            _ => None,
        }
    }
    fn print(&self) -> String {
        format!("{{{}}}", self.0)
    }
    fn json(&self) -> Option<String> {
        Some(format!("{{\"Id\":{:?}}}", self.0))
    }
}

#[derive(Debug)]
struct Collection;

impl Host for Collection {
    fn type_name(&self) -> String {
        "*main.Coll".into()
    }
    fn field(&self, name: &str) -> Option<Value> {
        (name == "Name").then(|| "notes".into())
    }
    fn call(&self, _: &str, _: &[Value]) -> Option<Result<Value, String>> {
        None
    }
    fn print(&self) -> String {
        "collection".into()
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => (*b).into(),
        Json::Number(n) => {
            n.as_i64().map_or_else(|| n.as_f64().unwrap_or_default().into(), Value::from)
        }
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::list(items.iter().map(value)),
        Json::Object(entries) => match entries.get("$rec").and_then(Json::as_str) {
            Some(id) => Value::Host(Arc::new(Record(id.to_owned()))),
            None => Value::map(entries.iter().map(|(key, entry)| (key.as_str(), value(entry)))),
        },
    }
}

fn rendered(case: &Json, data: &Json) -> Result<String, go_template::Error> {
    let raw = Function::new(1, |args| match &args[0] {
        Value::String(text) => Ok(Value::html(text.clone())),
        _ => Ok(Value::Nil),
    });
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let files = match &case["template"] {
        Json::Array(files) => files.iter().map(|file| (text(&file[0]), text(&file[1]))).collect(),
        single => vec![(String::new(), text(single))],
    };
    let mut template = Template::new(files[0].0.clone()).function("raw", raw.texts(1));
    for (name, text) in &files {
        template = template.parse(name, text)?;
    }
    template.render(&value(data))
}

#[test]
fn as_go_renders() {
    let table: Json = serde_json::from_str(include_str!("cases.json")).expect("JSON");
    let cases = table["cases"].as_array().expect("a list");
    let mut wrong = Vec::new();
    for case in cases {
        let (key, got) = match rendered(case, case.get("data").unwrap_or(&table["shared"])) {
            Ok(text) => ("want", text),
            Err(error) => ("error", error.to_string()),
        };
        if case[key].as_str() != Some(&got) {
            let mut want = case.clone();
            let entries = want.as_object_mut().expect("an object");
            let (template, data) = (entries.remove("template"), entries.remove("data"));
            let (template, data) = (template.unwrap_or_default(), data.unwrap_or_default());
            wrong.push(format!("{template} with {data}\n  {want}\n  {key}: {got:?}"));
        }
    }
    assert!(cases.len() > 300, "only {} cases", cases.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
