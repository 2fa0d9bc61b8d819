//! `FormData` (spec extending §3.2): fields and files for a request.

use parking_lot::Mutex;
use pocketbase::{File, security};

use crate::{
    bind::{Args, Res, Shared, Val, globals, native, table},
    run::wait,
};

/// The fields of a form, in order.
#[derive(Default)]
pub(crate) struct FormData(Mutex<Vec<(String, Field)>>);

#[derive(Clone)]
enum Field {
    Text(Val, String),
    File(File),
}

native!(FormData = FORM_DATA);

globals! {
    pub(crate) static CONSTRUCTORS {
        new "FormData" "()" "Fields and files for a request." => |cx, a| FormData::default();
    }
}

table! {
    pub(crate) static FORM_DATA: FormData = "FormData", "Fields and files for a request." {
        fn "append" "(key: string, value: any): void" "Adds a value." => |cx, f, a| {
            let field = field(a)?;
            f.0.lock().push((a.str(0)?, field));
        };
        fn "set" "(key: string, value: any): void" "Sets the only value of a key." => |cx, f, a| {
            let (key, field) = (a.str(0)?, field(a)?);
            let mut all = f.0.lock();
            all.retain(|(known, _)| *known != key);
            all.push((key, field));
        };
        fn "get" "(key: string): any" "The first value of a key." => |cx, f, a| {
            f.of(&a.str(0)?).into_iter().next()
        };
        fn "getAll" "(key: string): any[]" "All values of a key." => |cx, f, a| f.of(&a.str(0)?);
        fn "has" "(key: string): boolean" "Whether a key has values." => |cx, f, a| !f.of(&a.str(0)?).is_empty();
        fn "delete" "(key: string): void" "Removes a key." => |cx, f, a| {
            let key = a.str(0)?;
            f.0.lock().retain(|(known, _)| *known != key);
        };
        fn "keys" "(): string[]" "The keys." => |cx, f, a| f.keys();
        fn "values" "(): any[]" "All values." => |cx, f, a| f.keys().iter().flat_map(|key| f.of(key)).collect::<Vec<_>>();
        fn "entries" "(): [string, any][]" "All keys with their values." => |cx, f, a| {
            let entry = |key: String| f.of(&key).into_iter().map(move |value| (key.clone(), value)).collect::<Vec<_>>();
            f.keys().into_iter().flat_map(entry).collect::<Vec<_>>()
        };
    }
}

fn field(args: &Args<'_, '_>) -> Res<Field> {
    if let Some(file) = args.opt_host::<File>(1)? {
        return Ok(Field::File(file.clone()));
    }
    Ok(Field::Text(args.val(1)?, args.str(1)?))
}

impl FormData {
    fn of(&self, key: &str) -> Vec<Val> {
        let all = self.0.lock();
        let found = all.iter().filter(|(known, _)| known == key);
        found
            .map(|(_, field)| match field {
                Field::Text(value, _) => value.clone(),
                Field::File(file) => Val::Host(std::sync::Arc::new(file.clone()) as Shared),
            })
            .collect()
    }
    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for (key, _) in self.0.lock().iter() {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }
    /// The body of a request, and its type.
    pub(crate) fn encoded(&self) -> Res<(Vec<u8>, String)> {
        let boundary = security::random(40, "abcdefghijklmnopqrstuvwxyz0123456789");
        let quoted =
            |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\r', '\n'], "");
        let mut body = Vec::new();
        let fields = self.0.lock().clone();
        for (key, field) in fields {
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
                quoted(&key)
            );
            body.extend(head.into_bytes());
            match field {
                Field::Text(_, text) => body.extend(format!("\r\n\r\n{text}").into_bytes()),
                Field::File(file) => {
                    let name = quoted(file.original_name());
                    let head = format!(
                        "; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
                    );
                    body.extend(head.into_bytes());
                    body.extend_from_slice(&wait(file.bytes())?);
                }
            }
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").into_bytes());
        Ok((body, format!("multipart/form-data; boundary={boundary}")))
    }
}
