//! `types.d.ts`: what editors know of the runtime, written from the tables that the runtime itself is made of.
//!
//! Source: spec extending §10.6. Must not know any member by name: names, signatures and sentences stand in the tables.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use pocketbase::{App, Native, Result};

use crate::{
    bind::{Global, Make, Type, What},
    cli, host, space,
};

/// What no table has: values that are neither functions nor host values.
const PRELUDE: &str = include_str!("prelude.d.ts");

/// Types whose values have further members that only the values know.
const OPEN: &[&str] = &[
    "DynamicModel",
    "Options",
    "core.Field",
    "core.Settings",
    "http.Cookie",
    "mailer.Message",
    "types.GeoPoint",
    "types.Map",
];

/// Types that are something of the language, too.
const EXTENDS: &[(&str, &str)] = &[("core.FieldsList", " extends Array<core.Field>")];

/// What constructors make, where it is not a type of the same name without or within a namespace.
const MADE: &[(&str, &str)] = &[
    ("DateTime", "types.DateTime"),
    ("MailerMessage", "mailer.Message"),
    ("SubscriptionMessage", "subscriptions.Message"),
    ("RecordUpsertForm", "forms.RecordUpsert"),
    ("ValidationError", "ozzo_validation.ErrorObject"),
];

/// How many bytes of the file tell whether it is the present one: `// ` and ten digits.
const HEADER: usize = 13;

/// Writes the file into the data directory unless it is there.
pub(crate) fn write(app: &App) -> Result<()> {
    write_to(&app.data_dir().join("types.d.ts"), &text(app))
}

fn write_to(path: &Path, text: &str) -> Result<()> {
    use std::io::Read as _;
    let mut header = [0; HEADER];
    let known = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    if known.is_ok() && text.as_bytes().starts_with(&header) {
        return Ok(());
    }
    Ok(std::fs::write(path, text)?)
}

/// The whole file.
pub(crate) fn text(app: &App) -> String {
    let mut out = Out::default();
    out.text.push_str(PRELUDE);
    for (name, kind) in space::tables() {
        out.kind(kind, "");
        out.doc("", kind.doc);
        let _ = writeln!(out.text, "declare var {name}: {}", kind.name);
    }
    for global in space::globals() {
        out.global(global);
    }
    for kind in host::TYPES.iter().chain(space::TYPES).chain(cli::TYPES) {
        out.kind(kind, "");
    }
    out.hooks(app);
    out.natives(&app.natives().list());
    out.missing();
    format!(
        "// {:010}\n// Types of what JavaScript hooks and migrations may use. Written by the server: changes are lost.\n\n{}",
        digest(&out.text),
        out.text
    )
}

// DIFFERENCE: the reference puts the time of generating there; the text is its own, too
/// Ten digits that differ when the text differs (FNV-1a).
fn digest(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step) % 10_000_000_000
}

#[derive(Default)]
struct Out {
    text: String,
    /// The tables that are written; two of one name are one type.
    written: BTreeSet<usize>,
    /// What is declared, and what is referred to.
    declared: BTreeSet<String>,
    named: BTreeSet<String>,
}

impl Out {
    fn doc(&mut self, indent: &str, doc: &str) {
        let _ = writeln!(self.text, "{indent}/** {} */", doc.replace("*/", "* /"));
    }
    /// Opens an interface, within its namespace.
    fn open(&mut self, name: &str, extends: &str) -> &'static str {
        match name.rsplit_once('.') {
            Some((space, name)) => {
                let _ = writeln!(self.text, "declare namespace {space} {{");
                let _ = writeln!(self.text, "interface {name}{extends} {{");
                "}\n}\n\n"
            }
            None => {
                let _ = writeln!(self.text, "interface {name}{extends} {{");
                "}\n\n"
            }
        }
    }
    fn kind(&mut self, kind: &Type, extends: &str) {
        // the language has this one
        if kind.name == "Error" || !self.written.insert(std::ptr::from_ref(kind) as usize) {
            return;
        }
        self.declared.insert(kind.name.to_owned());
        let own = EXTENDS.iter().find(|(name, _)| *name == kind.name);
        let extends = own.map_or(extends, |(_, extends)| extends);
        self.doc("", kind.doc);
        let close = self.open(kind.name, extends);
        if OPEN.contains(&kind.name) {
            self.text.push_str("  [member: string]: any\n");
        }
        for member in kind.members {
            self.mention(member.sign);
            self.doc("  ", member.doc);
            let colon = if matches!(member.what, What::Call(_)) { "" } else { ": " };
            let _ = writeln!(self.text, "  {}{colon}{}", member.name, member.sign);
        }
        self.text.push_str(close);
    }
    fn global(&mut self, global: &Global) {
        self.mention(global.sign);
        self.doc("", global.doc);
        let (name, sign) = (global.name, global.sign);
        let _ = match global.make {
            Make::Function(_) => writeln!(self.text, "declare function {name}{sign}\n"),
            Make::Constructor(_) => {
                let made = made(name);
                writeln!(
                    self.text,
                    "declare var {name}: {{ new {sign}: {made}; {sign}: {made} }}\n"
                )
            }
        };
    }
    fn hooks(&mut self, app: &App) {
        for (name, is_tagged, kind) in host::hook_tables(app) {
            // events of requests have all that requests have
            let extends = if name.ends_with("Request") { " extends core.RequestEvent" } else { "" };
            self.kind(kind, extends);
            let tags = if is_tagged { ", ...tags: string[]" } else { "" };
            let _ = writeln!(
                self.text,
                "declare function {name}(handler: ((e: {}) => void) | string{tags}): void\n",
                kind.name
            );
        }
    }
    /// What plugins offer.
    fn natives(&mut self, all: &[Native]) {
        let mut spaces: BTreeMap<&str, Vec<(&str, &Native)>> = BTreeMap::new();
        for native in all {
            if let Some((space, name)) = native.name.split_once('.') {
                spaces.entry(space).or_default().push((name, native));
            }
        }
        for (space, natives) in spaces {
            let known = space::tables().find(|(name, _)| *name == space).map(|(_, kind)| kind.name);
            let close = self.open(known.unwrap_or(space), "");
            for (name, native) in natives {
                self.doc("  ", &native.doc);
                let params: Vec<String> = native
                    .params
                    .iter()
                    .map(|param| format!("{}: {}", parameter(&param.name), param.kind))
                    .collect();
                let _ = writeln!(self.text, "  {name}({}): {}", params.join(", "), native.returns);
            }
            self.text.push_str(close);
            if known.is_none() {
                let _ = writeln!(self.text, "declare var {space}: {space}\n");
            }
        }
    }
    /// Notes the types that a signature names.
    fn mention(&mut self, sign: &str) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        for word in sign.split(|c| !is_part(c)) {
            let word = word.trim_start_matches('.');
            if word
                .split_once('.')
                .is_some_and(|(space, name)| !space.is_empty() && !name.is_empty())
            {
                self.named.insert(word.to_owned());
            }
        }
    }
    /// Types that are named but have no table could be anything.
    fn missing(&mut self) {
        for name in self.named.difference(&self.declared) {
            if let Some((space, name)) = name.rsplit_once('.') {
                let _ = writeln!(self.text, "declare namespace {space} {{ type {name} = any }}");
            }
        }
    }
}

/// The type of what a constructor makes.
fn made(name: &str) -> String {
    if let Some((_, made)) = MADE.iter().find(|(known, _)| *known == name) {
        return (*made).to_owned();
    }
    let is_in =
        |kind: &&&Type| kind.name.rsplit_once('.').map_or(kind.name, |(_, short)| short) == name;
    if let Some(kind) = host::TYPES.iter().chain(space::TYPES).chain(cli::TYPES).find(is_in) {
        return kind.name.to_owned();
    }
    let ends = |end| name.ends_with(end);
    match () {
        () if ends("Field") => "core.Field".to_owned(),
        () if ends("Error") => "router.ApiError".to_owned(),
        () => "any".to_owned(),
    }
}

/// Words that TypeScript takes for no name of a parameter.
const RESERVED: &[&str] = &[
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "import",
    "in",
    "instanceof",
    "new",
    "null",
    "return",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
];

/// The name of a parameter as TypeScript takes it.
fn parameter(name: &str) -> String {
    if RESERVED.contains(&name) { format!("{name}_") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parameter_has_a_name_that_typescript_reserves() {
        assert_eq!((parameter("default"), parameter("value")), ("default_".into(), "value".into()));
        let app = App::builder().build().expect("an app");
        let names = text(&app);
        let names = names.split(['(', ',']).filter_map(|part| Some(part.split_once(':')?.0.trim()));
        for name in names.map(|name| name.trim_start_matches("...").trim_end_matches('?')) {
            assert!(!RESERVED.contains(&name), "{name}");
        }
    }

    #[test]
    fn every_table_is_declared() {
        let app = App::builder().build().expect("an app");
        let text = text(&app);
        assert!(
            text.starts_with("// ") && text.as_bytes()[3..HEADER].iter().all(u8::is_ascii_digit)
        );
        for part in [
            "declare var $app: core.App",
            "declare function onRecordCreate(handler: ((e: core.RecordEvent) => void) | string, ...tags: string[]): void",
            "declare function routerAdd(method: string",
            "declare var Record: { new (collection?: core.Collection",
            "interface RecordRequestEvent extends core.RequestEvent {",
            "declare var $security: Security",
        ] {
            assert!(text.contains(part), "{part}");
        }
        // tables that the lists of types do not know
        let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(&path).expect("a room").flatten().map(|e| e.path()));
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            for line in
                source.lines().filter(|line| line.trim_start().starts_with("pub(crate) static"))
            {
                let Some((_, rest)) = line.split_once(" = \"") else { continue };
                let Some((name, _)) = rest.split_once('"') else { continue };
                let short = name.rsplit_once('.').map_or(name, |(_, short)| short);
                let is_declared = name == "Error" || text.contains(&format!("interface {short} "));
                assert!(is_declared, "{name} of {} is not in a list of types", path.display());
            }
        }
    }

    #[test]
    fn file_is_written_when_it_differs() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("types.d.ts");
        let read = || std::fs::read_to_string(&path).expect("a file");
        write_to(&path, "// 0000000001\nfirst").expect("written");
        write_to(&path, "// 0000000001\nsecond").expect("kept");
        assert_eq!(read(), "// 0000000001\nfirst");
        write_to(&path, "// 0000000002\nthird").expect("written");
        assert_eq!(read(), "// 0000000002\nthird");
    }
}
