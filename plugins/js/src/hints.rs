//! What to do about errors that many scripts run into: names of PocketBase before 0.23, and handlers that use what their file
//! declares outside of them. Texts only; must not know the engine.
//!
//! Source: design reports, part 1, no. 4, 17, 23.

/// Names that were there before 0.23, and what to write today.
const GONE: &[(&str, &str)] = &[
    (
        "Dao",
        "there is no Dao since PocketBase 0.23: use the app that the handler or migration gets (app.save(record))",
    ),
    (
        "SchemaField",
        "SchemaField is gone since PocketBase 0.23: use TextField, NumberField … or plain objects in `fields`",
    ),
    ("$tokens", "$tokens is gone since PocketBase 0.23: use record.newAuthToken() and its like"),
    ("onServe", "onServe is for Go: use routerAdd() and routerUse()"),
    (
        "onBeforeServe",
        "onBeforeServe is gone since PocketBase 0.23: use routerAdd() and routerUse()",
    ),
    ("onAfterBootstrap", "use onBootstrap, and put what comes after behind e.next()"),
    ("onBeforeBootstrap", "use onBootstrap, and put what comes before in front of e.next()"),
    ("onBeforeApiError", "use routerUse() with a handler that catches what e.next() throws"),
    ("onAfterApiError", "use routerUse() with a handler that catches what e.next() throws"),
    ("onlyOnce", "onlyOnce is gone since PocketBase 0.23"),
];

/// Members that were there before 0.23, as they stand in a line.
const GONE_MEMBERS: &[(&str, &str)] = &[
    (
        ".dao()",
        "dao() is gone since PocketBase 0.23: call its methods on the app itself ($app.findRecordById(…), $app.save(record))",
    ),
    (
        "$apis.requireRecordAuth",
        "requireRecordAuth is gone since PocketBase 0.23: use $apis.requireAuth()",
    ),
    (
        "$apis.requireAdminAuth",
        "requireAdminAuth is gone since PocketBase 0.23: use $apis.requireSuperuserAuth()",
    ),
    ("$apis.requireAdminOrRecordAuth", "use $apis.requireAuth()"),
    ("$apis.requireAdminOrOwnerAuth", "use $apis.requireSuperuserOrOwnerAuth()"),
    ("$apis.activityLogger", "requests are logged without it since PocketBase 0.23"),
    ("$apis.requestInfo", "use e.requestInfo()"),
    ("c.get(\"authRecord\")", "use e.auth"),
    (".saveRecord(", "use $app.save(record)"),
    (".deleteRecord(", "use $app.delete(record)"),
    (".saveCollection(", "use app.save(collection)"),
    (".deleteCollection(", "use app.delete(collection)"),
    (
        ".schema.",
        "the schema of a collection is `fields` since PocketBase 0.23: collection.fields.add(new TextField({…}))",
    ),
    (".pathParam(", "use e.request.pathValue(name)"),
    (".queryParam(", "use e.request.url.query().get(name)"),
];

/// What to write for a data key of the old kind.
pub(crate) const SCHEMA: &str = "the key `schema` of collections is gone since PocketBase 0.23: name it `fields`, with the options of each field beside its name and type";

/// What helps with an error, if it is a common one. `file` is the text of the file it was thrown in, `line` counts from 1.
pub(crate) fn hint(message: &str, file: &str, line: usize) -> Option<String> {
    if let Some(name) = undefined(message) {
        return of_name(name).or_else(|| is_declared(file, name).then(|| of_constant(name)));
    }
    if message.starts_with("TypeError") {
        let line = file.lines().nth(line.checked_sub(1)?)?;
        let known = GONE_MEMBERS.iter().find(|(member, _)| line.contains(member));
        return known.map(|(_, text)| (*text).to_owned());
    }
    None
}

/// The name that a ReferenceError is about.
fn undefined(message: &str) -> Option<&str> {
    let name = message.strip_prefix("ReferenceError: ")?.strip_suffix(" is not defined")?;
    Some(name.trim_matches('\''))
}

fn of_name(name: &str) -> Option<String> {
    if let Some((_, text)) = GONE.iter().find(|(gone, _)| *gone == name) {
        return Some((*text).to_owned());
    }
    let new = renamed(name)?;
    Some(format!("{name} is gone since PocketBase 0.23: use {new}"))
}

/// The present name of a hook of before 0.23: `onRecordBeforeCreateRequest` → `onRecordCreateRequest`.
fn renamed(name: &str) -> Option<String> {
    let (subject, rest, when) = ["Before", "After"].iter().find_map(|when| {
        let (subject, rest) = name.strip_prefix("on")?.split_once(when)?;
        Some((subject, rest, *when))
    })?;
    let side = if when == "After" { "behind" } else { "in front of" };
    let subject = if subject == "Admin" { "Record" } else { subject };
    // events of models: what comes after is known to be committed
    if subject == "Model" && !rest.ends_with("Request") {
        return Some(match when {
            "After" => format!("onModelAfter{rest}Success"),
            _ => format!("onModel{rest}, with what comes before in front of e.next()"),
        });
    }
    Some(format!("on{subject}{rest}, with what came {} {side} e.next()", when.to_lowercase()))
}

/// Whether a file declares a name of its own.
fn is_declared(file: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    file.match_indices(name).any(|(at, _)| {
        let (before, after) = (&file[..at], &file[at + name.len()..]);
        if after.starts_with(is_name) {
            return false;
        }
        let line = &before[before.rfind('\n').map_or(0, |at| at + 1)..];
        // at the outermost level a declaration begins its line
        let rest = ["const", "let", "var", "function", "async function", "class"]
            .iter()
            .find_map(|word| line.strip_prefix(word));
        // `const a = 1, b = 2` and `const { a, b } = …` declare b, too
        rest.is_some_and(|rest| {
            rest.trim().is_empty()
                || (rest.starts_with(' ') && rest.trim_end().ends_with([',', '{', '[']))
        })
    })
}

fn of_constant(name: &str) -> String {
    format!(
        "handlers run in contexts of their own and see nothing that their file declares outside of them: move {name} into the handler, or into a module that the handler loads with require(`${{__hooks}}/…`)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_errors() {
        const FILE: &str = "const LIMIT = 5, OTHER = 6\nconst { a, b } = require('x')\nfunction help() {}\n  const inner = 1\nx.dao().find()\n$apis.requireRecordAuth()\n";
        let cases: &[(&str, usize, &str)] = &[
            ("ReferenceError: LIMIT is not defined", 9, "move LIMIT into the handler"),
            ("ReferenceError: OTHER is not defined", 9, "move OTHER into"),
            ("ReferenceError: b is not defined", 9, "move b into"),
            ("ReferenceError: 'help' is not defined", 9, "move help into"),
            ("ReferenceError: inner is not defined", 9, ""),
            ("ReferenceError: LIM is not defined", 9, ""),
            ("ReferenceError: Dao is not defined", 1, "there is no Dao"),
            (
                "ReferenceError: onRecordBeforeCreateRequest is not defined",
                1,
                "use onRecordCreateRequest, with what came before in front of e.next()",
            ),
            (
                "ReferenceError: onRecordAfterUpdateRequest is not defined",
                1,
                "use onRecordUpdateRequest, with what came after behind e.next()",
            ),
            (
                "ReferenceError: onModelAfterCreate is not defined",
                1,
                "use onModelAfterCreateSuccess",
            ),
            (
                "ReferenceError: onAdminBeforeAuthRefreshRequest is not defined",
                1,
                "use onRecordAuthRefreshRequest",
            ),
            ("TypeError: not a function", 5, "dao() is gone"),
            ("TypeError: not a function", 6, "use $apis.requireAuth()"),
            ("TypeError: not a function", 1, ""),
            ("TypeError: not a function", 0, ""),
            ("Error: boom", 5, ""),
        ];
        for (message, line, expected) in cases {
            let given = hint(message, FILE, *line).unwrap_or_default();
            assert!(
                given.contains(expected) && given.is_empty() == expected.is_empty(),
                "{message}: {given}"
            );
        }
    }
}
