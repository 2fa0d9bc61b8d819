//! `$template` (spec extending §3.3): Go's `html/template` over files and texts. Templates are kept for the process.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, LazyLock},
};

use go_template::{Function, Host, Template, Value};
use parking_lot::Mutex;
use pocketbase::{Collection, Record};

use super::{Space, gopath, os};
use crate::{
    bind::{Fail, Shared, Val, encode, native, table},
    host::date_time,
};

/// A parsed template, or why it is none: that is told when it is rendered.
pub(crate) struct Renderer(Result<Template, String>);

native!(Renderer = RENDERER);

table! {
    pub(crate) static TEMPLATE: Space = "template.Registry", "HTML templates in Go's language." {
        fn "loadFiles" "(...paths: string[]): template.Renderer" "The template of the first file, which may use those of the others." => |cx, t, a| {
            let paths = a.texts(0)?;
            kept(&paths.join(","), || files(&paths, |path| std::fs::read(path).map_err(|error| error_text("open", path, &error))))
        };
        fn "loadString" "(text: string): template.Renderer" "The template of a text." => |cx, t, a| {
            let text = a.str(0)?;
            kept(&format!("@{text}"), || empty("").parse("", &text).map_err(|error| error.to_string()))
        };
        fn "loadFS" "(fs: fs.FS, ...globs: string[]): template.Renderer" "The templates of a file system." => |cx, t, a| {
            let dir = a.host::<crate::host::Dir>(0)?.0.clone();
            let globs = a.texts(1)?;
            kept(&format!("{}:{}", dir.display(), globs.join(",")), || of_dir(&dir, &globs))
        };
        fn "addFuncs" "(functions: { [name: string]: any }): template.Registry" "Functions of scripts cannot be called from templates." => |cx, t, a| {
            // As on the reference, templates that call them fail.
            Arc::new(Space(&TEMPLATE)) as Shared
        };
    }
}

table! {
    pub(crate) static RENDERER: Renderer = "template.Renderer", "A template." {
        fn "render" "(data?: any): string" "The page." => |cx, r, a| {
            let template = r.0.as_ref().map_err(|error| Fail::other(error.clone()))?;
            template.render(&value(a.val(0)?)).map_err(|error| Fail::other(error.to_string()))?
        };
    }
}

static KEPT: LazyLock<Mutex<HashMap<String, Shared>>> = LazyLock::new(Mutex::default);
/// Texts are made up by scripts: no more than so many are kept.
const MOST: usize = 1000;

fn kept(key: &str, make: impl FnOnce() -> Result<Template, String>) -> Shared {
    let mut all = KEPT.lock();
    if let Some(known) = all.get(key) {
        return known.clone();
    }
    if all.len() >= MOST {
        all.clear();
    }
    let made: Shared = Arc::new(Renderer(make()));
    all.insert(key.to_owned(), made.clone());
    made
}

fn empty(name: &str) -> Template {
    let raw = Function::new(1, |args| match &args[0] {
        Value::String(text) => Ok(Value::html(text.clone())),
        _ => Ok(Value::Nil),
    });
    Template::new(name).function("raw", raw.texts(1))
}

fn files(
    paths: &[String],
    read: impl Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<Template, String> {
    let first = paths.first().ok_or("html/template: no files named in call to ParseFiles")?;
    let mut template = empty(&gopath::base(first));
    for path in paths {
        let bytes = read(path)?;
        let text = String::from_utf8_lossy(&bytes);
        template = template.parse(&gopath::base(path), &text).map_err(|error| error.to_string())?;
    }
    Ok(template)
}

fn of_dir(dir: &Path, globs: &[String]) -> Result<Template, String> {
    let mut names = Vec::new();
    for glob in globs {
        let pattern = dir.join(glob).display().to_string();
        let found = gopath::glob(&pattern)?;
        if found.is_empty() {
            return Err(format!("template: pattern matches no files: {glob:?}"));
        }
        names.extend(found);
    }
    files(&names, |path| std::fs::read(path).map_err(|error| error_text("open", path, &error)))
}

fn error_text(what: &str, path: &str, error: &std::io::Error) -> String {
    match os::fail(what, path, error) {
        Fail::Host(error) => error.to_string(),
        _ => error.to_string(),
    }
}

/// A value of a script as templates see it.
fn value(given: Val) -> Value {
    match given {
        Val::Null | Val::Opaque => Value::Nil,
        Val::Bool(on) => on.into(),
        Val::Int(int) => int.into(),
        Val::Float(n) => n.into(),
        Val::Str(text) => text.into(),
        Val::Raw(json) => Value::Host(Arc::new(Raw(json))),
        Val::Bytes(bytes) => Value::Bytes(bytes.into()),
        Val::Time(millis) => value(Val::Host(crate::host::moment(millis))),
        Val::List(items) => Value::list(items.into_iter().map(value)),
        Val::Map(map) => Value::map(map.lock().clone().into_iter().map(|(k, v)| (k, value(v)))),
        Val::Boxed(inner) => value(*inner),
        Val::Host(host) => Value::Host(Arc::new(Seen(host))),
    }
}

/// JSON as it is stored: prints as its text.
#[derive(Debug)]
struct Raw(String);

impl Host for Raw {
    fn type_name(&self) -> String {
        "types.JSONRaw".into()
    }
    fn field(&self, _: &str) -> Option<Value> {
        None
    }
    fn call(&self, name: &str, _: &[Value]) -> Option<Result<Value, String>> {
        (name == "String").then(|| Ok(self.0.as_str().into()))
    }
    fn print(&self) -> String {
        self.0.clone()
    }
    fn json(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

/// A host value, whose members have Go's names here.
struct Seen(Shared);

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.kind().name)
    }
}

impl Host for Seen {
    fn type_name(&self) -> String {
        format!("*{}", self.0.kind().name)
    }
    fn field(&self, name: &str) -> Option<Value> {
        if let Some(record) = self.0.get::<Record>() {
            return (name == "Id").then(|| record.id().into());
        }
        let collection = self.0.get::<Collection>()?;
        Some(match name {
            "Id" => collection.id().into(),
            "Name" => collection.name().into(),
            "Type" => collection.type_name().into(),
            "System" => collection.is_system().into(),
            _ => return None,
        })
    }
    fn call(&self, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
        let record = self.0.get::<Record>()?;
        record_method(record, name, args)
    }
    fn print(&self) -> String {
        match (self.0.kind().text, self.json()) {
            (Some(text), _) => text(&self.0),
            (None, Some(json)) => json,
            (None, None) => String::new(),
        }
    }
    fn json(&self) -> Option<String> {
        let json = self.0.kind().json?;
        encode(&json(&self.0)).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    }
}

/// The methods of records that templates may call.
fn record_method(record: &Record, name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    let wanted = match name {
        "Get" | "GetString" | "GetInt" | "GetFloat" | "GetBool" | "GetStringSlice"
        | "GetDateTime" | "ExpandedOne" | "ExpandedAll" => 1,
        "Collection" | "Email" | "Verified" | "IsNew" | "PublicExport" | "BaseFilesPath" => 0,
        _ => return None,
    };
    if args.len() != wanted {
        let got = args.len();
        return Some(Err(format!("wrong number of args for {name}: want {wanted} got {got}")));
    }
    let key = match args.first() {
        Some(Value::String(key)) => key.to_string(),
        None => String::new(),
        Some(_) => return Some(Err("the name of a field is expected".to_owned())),
    };
    let host = |host: Shared| Value::Host(Arc::new(Seen(host)));
    Some(Ok(match name {
        "Get" => value(crate::host::field_value(record, &key)),
        "GetString" => record.get_str(&key).into(),
        "GetInt" => record.get_int(&key).into(),
        "GetFloat" => record.get_float(&key).into(),
        "GetBool" => record.get_bool(&key).into(),
        "GetStringSlice" => Value::list(record.get_string_slice(&key).into_iter().map(Value::from)),
        "GetDateTime" => value(date_time(record.get_date_time(&key))),
        "ExpandedOne" => record.expanded_one(&key).map_or(Value::Nil, |one| host(Arc::new(one))),
        "ExpandedAll" => {
            Value::list(record.expanded_all(&key).into_iter().map(|one| host(Arc::new(one))))
        }
        "Collection" => host(Arc::new(record.collection())),
        "Email" => record.email().into(),
        "Verified" => record.get_bool("verified").into(),
        "IsNew" => record.is_new().into(),
        "BaseFilesPath" => format!("{}/{}", record.collection().id(), record.id()).into(),
        _ => value(record.public_export().into()),
    }))
}
