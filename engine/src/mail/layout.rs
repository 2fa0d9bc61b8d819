//! Placeholders of templates, and the page that a body is put into (spec auth §10.1).
//!
//! Pure. A template is read once from left to right: what a value brings along is never a placeholder again.

use crate::{
    field::{Val, autodate, bool, date, geo_point, json, number},
    record::Record,
    settings::Meta,
};

/// What placeholders mean.
pub(super) struct Values<'a> {
    pub(super) meta: &'a Meta,
    pub(super) record: &'a Record,
    /// Names without braces, and values ready for HTML.
    pub(super) own: &'a [(&'a str, &'a str)],
}

/// Replaces all known placeholders; others stay as they are.
pub(super) fn resolve(template: &str, values: &Values<'_>) -> String {
    let mut out = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // `{{X}}` holds `{X}`: only the text up to the next brace can be a name
        let name = rest[1..].find(['{', '}']).filter(|end| rest[1 + end..].starts_with('}'));
        let value = name.and_then(|end| value_of(&rest[1..=end], values).map(|v| (end, v)));
        match value {
            Some((end, value)) => {
                out.push_str(&value);
                rest = &rest[end + 2..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn value_of(name: &str, values: &Values<'_>) -> Option<String> {
    if let Some((_, value)) = values.own.iter().find(|(own, _)| *own == name) {
        return Some((*value).to_owned());
    }
    match name {
        "APP_NAME" => Some(values.meta.app_name.clone()),
        "APP_URL" => Some(values.meta.app_url.clone()),
        _ => field_of(values.record, name.strip_prefix("RECORD:")?),
    }
}

/// A visible field as text; markup in it is escaped.
fn field_of(record: &Record, name: &str) -> Option<String> {
    let (index, field) = record.collection().field_at(name).filter(|(_, field)| !field.hidden)?;
    let kind = field.type_name();
    let text = match record.value(index) {
        Val::Bool(b) => b.to_string(),
        Val::Number(n) => crate::json::format_plain(*n),
        value if [json::KIND, geo_point::KIND].contains(&kind) => {
            let mut out = Vec::new();
            field.kind.write_val_json(value, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
        // several values are nothing, as in the reference
        _ => match record.get_value(name) {
            Some(serde_json::Value::String(text)) => text,
            _ => String::new(),
        },
    };
    let plain = [autodate::KIND, bool::KIND, date::KIND, number::KIND].contains(&kind);
    Some(if plain { text } else { escape(&text) })
}

/// Text for HTML.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            other => out.push(other),
        }
    }
    out
}

/// A whole document around a body.
pub(super) fn page(body: &str) -> String {
    format!("{HEAD}{body}\n</body>\n</html>\n")
}

const HEAD: &str = r#"
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<style>
html, body { margin: 0; padding: 0; background: #ffffff; color: #1b1c22; font: 14px/1.45 system-ui, "Helvetica Neue", Arial, sans-serif; }
body { padding: 24px 32px; }
p { margin: 12px 0; }
a { color: inherit; }
small { font-size: 12px; }
hr { height: 1px; margin: 12px 0; border: 0; background: #dfe3e8; }
.btn { display: inline-block; box-sizing: border-box; min-width: 150px; margin: 6px 0; padding: 0 22px; border-radius: 6px; background: #1b1c22 !important; color: #ffffff !important; font-weight: bold; line-height: 42px; text-align: center; text-decoration: none !important; }
.hidden { display: none !important; }
</style>
</head>
<body>
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schema::{Snapshot, normalize::normalize, system},
        settings::Settings,
    };

    #[test]
    fn placeholders() {
        let mut collections = system::fresh();
        for collection in &mut collections {
            normalize(collection, None, &Snapshot::default(), "now");
        }
        let snapshot = Snapshot::build(collections);
        let mut record = Record::new(snapshot.find("users").expect("the default collection"));
        record
            .set("email", "a'b@example.com")
            .set("tokenKey", "secret")
            .set("verified", true)
            .set("name", "<b>{TOKEN}&\"x\"</b>");
        let mut meta = Settings::default().meta;
        meta.app_name = "A<b>&".into();
        meta.app_url = "http://localhost:8090/".into();
        let values = Values { meta: &meta, record: &record, own: &[("TOKEN", "t.o.k")] };
        for (template, want) in [
            ("", ""),
            ("{", "{"),
            ("{}", "{}"),
            ("a } b {", "a } b {"),
            ("{APP_NAME} {APP_NAME}", "A<b>& A<b>&"),
            ("{APP_URL}/_/#/x/{TOKEN}", "http://localhost:8090//_/#/x/t.o.k"),
            ("{{TOKEN}}", "{t.o.k}"),
            ("{TOKEN", "{TOKEN"),
            ("{token} {OTP} {RECORD:} {RECORD:nope}", "{token} {OTP} {RECORD:} {RECORD:nope}"),
            ("{RECORD:tokenKey}{RECORD:password}", "{RECORD:tokenKey}{RECORD:password}"),
            ("{RECORD:email}|{RECORD:verified}|{RECORD:avatar}", "a&#39;b@example.com|true|"),
            ("{RECORD:name}", "&lt;b&gt;{TOKEN}&amp;&#34;x&#34;&lt;/b&gt;"),
            ("{ö{TOKEN}ö}", "{öt.o.kö}"),
        ] {
            assert_eq!(resolve(template, &values), want, "{template}");
        }
    }

    #[test]
    fn a_page_holds_the_body() {
        let page = page("<p>x</p>");
        assert!(
            page.starts_with("\n<!DOCTYPE html PUBLIC")
                && page.contains("<body>\n<p>x</p>\n</body>")
        );
    }
}
