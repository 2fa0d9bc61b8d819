//! What routes that are not built in say of themselves, for the OpenAPI document.
//!
//! Knows no route table: a description belongs to the pattern that it was given for.

use serde_json::{Map, Value, json};

use super::operations::Access;

/// What a route is for, who may ask, what it takes and gives. See [`crate::api::RouteRef::describe`].
#[derive(Debug, Clone)]
pub struct Description {
    id: Option<String>,
    tag: String,
    summary: String,
    access: Access,
    query: Vec<(String, String)>,
    body: Option<Value>,
    status: u16,
    answer: Option<Value>,
    content_type: String,
}

impl Description {
    /// A route for superusers that answers 204; `tag` is the heading that it stands under, `summary` one sentence.
    #[must_use]
    pub fn new(tag: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            id: None,
            tag: tag.into(),
            summary: summary.into(),
            access: Access::Superusers,
            query: Vec::new(),
            body: None,
            status: 204,
            answer: None,
            content_type: "application/json".to_owned(),
        }
    }
    /// Its name in generated clients; without one it is made of method and path.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
    /// For guests, too.
    #[must_use]
    pub fn for_everybody(mut self) -> Self {
        self.access = Access::Everybody;
        self
    }
    /// For whoever is signed in.
    #[must_use]
    pub fn for_signed_in(mut self) -> Self {
        self.access = Access::SignedIn;
        self
    }
    /// A parameter behind `?`, and what it is.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.query.push((name.into(), text.into()));
        self
    }
    /// The JSON schema of the body.
    #[must_use]
    pub fn takes(mut self, schema: Value) -> Self {
        self.body = Some(schema);
        self
    }
    /// The JSON schema of the answer, which has status 200.
    #[must_use]
    pub fn gives(mut self, schema: Value) -> Self {
        (self.status, self.answer) = (200, Some(schema));
        self
    }
    /// Another status of success.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
    /// Of an answer that is no JSON.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// The operation object of a route (`GET /hello/{name}`).
    pub(super) fn operation(&self, method: &str, path: &str) -> Value {
        let id = self.id.clone().unwrap_or_else(|| name_of(method, path));
        let mut parameters: Vec<Value> = parameters(path)
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        parameters.extend(self.query.iter().map(|(name, text)| {
            json!({"name": name, "in": "query", "description": text, "schema": {"type": "string"}})
        }));
        let content = |schema: &Value, kind: &str| -> Value {
            Map::from_iter([(kind.to_owned(), json!({"schema": schema}))]).into()
        };
        let mut out = json!({
            "operationId": id,
            "tags": [self.tag],
            "summary": self.summary,
            "parameters": parameters,
            "responses": {"default": {"$ref": "#/components/responses/Error"}},
            "security": super::openapi::security(self.access, None),
        });
        if let Some(text) = super::openapi::rule_text(self.access, None) {
            out["description"] = text.into();
        }
        if let Some(body) = &self.body {
            out["requestBody"] = json!({"content": content(body, "application/json")});
        }
        out["responses"][self.status.to_string()] = match &self.answer {
            None => json!({"description": "Done"}),
            Some(schema) => {
                json!({"description": "The answer", "content": content(schema, &self.content_type)})
            }
        };
        out
    }
}

/// The names of a path's parameters: `{id}`, `{path...}`.
fn parameters(path: &str) -> impl Iterator<Item = &str> {
    let inner = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    inner.map(|name| name.trim_end_matches("...")).filter(|name| *name != "$")
}

/// A path as OpenAPI writes it.
pub(super) fn plain(path: &str) -> String {
    path.replace("...}", "}").replace("{$}", "")
}

/// `getApiJobsId` for `GET /api/jobs/{id}`.
fn name_of(method: &str, path: &str) -> String {
    let mut name = method.to_ascii_lowercase();
    for word in path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations() {
        let it = Description::new("Jobs", "One job").query("full", "All of it.");
        let it = it.gives(json!({"type": "object"})).operation("GET", "/api/jobs/{id}/{rest...}");
        assert_eq!(it["operationId"], "getApiJobsIdRest");
        assert_eq!(it["parameters"][1]["name"], "rest");
        assert_eq!(it["parameters"][2]["in"], "query");
        assert_eq!(
            it["responses"]["200"]["content"]["application/json"]["schema"]["type"],
            "object"
        );
        assert_eq!(it["security"], json!([{"token": []}]));
        assert_eq!(plain("/-/{path...}"), "/-/{path}");
        assert_eq!(plain("/a/{$}"), "/a/");
    }
}
