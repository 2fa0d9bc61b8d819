//! The user as a service describes it, and its JSON form for hooks and answers (spec auth §3.3 step 8).

use std::fmt;

use serde_json::{Map, Value};

use super::token::Token;

/// What a service says about who signed in. `email` is empty unless the service vouches for it.
#[derive(Clone, Default, PartialEq)]
pub struct User {
    pub id: String,
    pub name: String,
    pub username: String,
    pub email: String,
    pub avatar_url: String,
    /// The service's answer.
    pub raw: Map<String, Value>,
    pub access_token: String,
    pub refresh_token: String,
    /// In the wire's date format; `""` if the token does not expire.
    pub expiry: String,
}

impl fmt::Debug for User {
    /// Never prints tokens or personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).finish_non_exhaustive()
    }
}

impl User {
    pub(super) fn with_token(mut self, token: &Token) -> Self {
        self.access_token.clone_from(&token.access_token);
        self.refresh_token.clone_from(&token.refresh_token);
        self.expiry = primitives::time::to_text(token.expiry);
        self
    }

    /// As hooks and clients see it; `isNew` is the caller's to add. Keys are sorted.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let text = |text: &str| Value::String(text.to_owned());
        Map::from_iter([
            ("accessToken".to_owned(), text(&self.access_token)),
            ("avatarURL".to_owned(), text(&self.avatar_url)),
            ("avatarUrl".to_owned(), text(&self.avatar_url)),
            ("email".to_owned(), text(&self.email)),
            ("expiry".to_owned(), text(&self.expiry)),
            ("id".to_owned(), text(&self.id)),
            ("name".to_owned(), text(&self.name)),
            ("rawUser".to_owned(), Value::Object(self.raw.clone())),
            ("refreshToken".to_owned(), text(&self.refresh_token)),
            ("username".to_owned(), text(&self.username)),
        ])
    }

    /// Takes back what hooks made of [`User::to_json`]; members of another type are empty.
    #[must_use]
    pub fn from_json(json: &Value) -> Self {
        let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        Self {
            id: text("id"),
            name: text("name"),
            username: text("username"),
            email: text("email"),
            avatar_url: text("avatarURL"),
            raw: json.get("rawUser").and_then(Value::as_object).cloned().unwrap_or_default(),
            access_token: text("accessToken"),
            refresh_token: text("refreshToken"),
            expiry: text("expiry"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let user = User { id: "1".into(), avatar_url: "u".into(), ..User::default() };
        let json = Value::Object(user.to_json());
        assert_eq!(json["avatarURL"], json["avatarUrl"]);
        assert_eq!(User::from_json(&json), user);
        assert!(json.as_object().unwrap().keys().is_sorted());
    }
}
