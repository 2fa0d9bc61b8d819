//! Values of headers with variables: `{env.NAME}`, `{secret.NAME}`, `@request.auth.FIELD`.
//!
//! Values are resolved for each request and never shown: errors name the variable only.

use pocketbase::{App, Error, Record, crypto, environment};
use serde_json::Value;

/// A value, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Env(String),
    Secret(String),
    Auth(String),
}

/// What rules see of the caller.
const AUTH: &str = "@request.auth.";

/// Fields that no template gets.
const KEPT_BACK: [&str; 2] = ["password", "tokenKey"];

fn name_len(text: &str) -> usize {
    let is_start = |c: char| c == '_' || c.is_ascii_alphabetic();
    if !text.starts_with(is_start) {
        return 0;
    }
    text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric())).unwrap_or(text.len())
}

/// A variable at the beginning of a text, and its length.
fn variable(text: &str) -> Option<(Part, usize)> {
    let braced = |prefix: &str| {
        let name = text.strip_prefix(prefix)?;
        let len = name_len(name);
        (len > 0 && name[len..].starts_with('}'))
            .then(|| (name[..len].to_owned(), prefix.len() + len + 1))
    };
    if let Some((name, len)) = braced("{env.") {
        return Some((Part::Env(name), len));
    }
    if let Some((name, len)) = braced("{secret.") {
        return Some((Part::Secret(name), len));
    }
    let field = text.strip_prefix(AUTH)?;
    let len = name_len(field);
    (len > 0).then(|| (Part::Auth(field[..len].to_owned()), AUTH.len() + len))
}

impl Template {
    pub(crate) fn parse(text: &str) -> Self {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(c) = rest.chars().next() {
            if let Some((part, len)) = matches!(c, '{' | '@').then(|| variable(rest)).flatten() {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(part);
                rest = &rest[len..];
            } else {
                plain.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    /// The value for a caller.
    ///
    /// # Errors
    /// A sentence that names the variable that has no value, or one that cannot stand in a header.
    pub(crate) async fn resolve(&self, app: &App, auth: Option<&Record>) -> Result<String, String> {
        let mut all = String::new();
        for part in &self.0 {
            let (name, value) = match part {
                Part::Text(text) => {
                    all.push_str(text);
                    continue;
                }
                Part::Env(name) => {
                    let value = variable_of(app, name);
                    (format!("env.{name}"), value.ok_or_else(|| unset("env", name))?)
                }
                Part::Secret(name) => {
                    let value = match secret(app, name).await? {
                        Some(value) => Some(value),
                        None => variable_of(app, name),
                    };
                    (format!("secret.{name}"), value.ok_or_else(|| unset("secret", name))?)
                }
                Part::Auth(name) => (format!("{AUTH}{name}"), field(auth, name)),
            };
            if value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
                return Err(format!("The value of {name} cannot be part of a header."));
            }
            all.push_str(&value);
        }
        Ok(all)
    }
}

fn unset(kind: &str, name: &str) -> String {
    format!("The variable {kind}.{name} is not set.")
}

/// A variable of the environment, but for those that open the server itself.
fn variable_of(app: &App, name: &str) -> Option<String> {
    let is_guarded = environment::GUARDED.contains(&name)
        || app.flag::<String>("encryptionEnv").is_some_and(|guarded| guarded == name);
    if is_guarded { None } else { environment::text(name) }
}

/// A secret by the function that the secrets plugin offers; `None` if there is no such plugin, no master key, or no such
/// secret.
///
/// # Errors
/// If there is one that cannot be read: another value must not take its place.
async fn secret(app: &App, name: &str) -> Result<Option<String>, String> {
    match app.natives().call(app, "$secrets.get", vec![name.into()]).await {
        Ok(found) => Ok(found.as_str().map(str::to_owned)),
        Err(error) => match error.downcast_ref::<crypto::Error>() {
            None if !matches!(error, Error::Db(_) | Error::Busy) => Ok(None),
            Some(crypto::Error::Disabled) => Ok(None),
            _ => Err(format!("The variable secret.{name} cannot be read.")),
        },
    }
}

fn field(auth: Option<&Record>, name: &str) -> String {
    let Some(record) = auth.filter(|_| !KEPT_BACK.contains(&name)) else { return String::new() };
    match record.get_value(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_variables_mix() {
        let text = |t: &str| Part::Text(t.to_owned());
        for (given, want) in [
            ("plain", vec![text("plain")]),
            ("Bearer {env.KEY_1}", vec![text("Bearer "), Part::Env("KEY_1".into())]),
            (
                "{secret.A}-{env.B}",
                vec![Part::Secret("A".into()), text("-"), Part::Env("B".into())],
            ),
            ("@request.auth.email;", vec![Part::Auth("email".into()), text(";")]),
            (
                "{env.1X} {other.X} {env.X @request.auth.",
                vec![text("{env.1X} {other.X} {env.X @request.auth.")],
            ),
            ("ä{env.X}", vec![text("ä"), Part::Env("X".into())]),
        ] {
            assert_eq!(Template::parse(given), Template(want), "{given}");
        }
    }
}
