//! What the OpenAPI document says of an endpoint: each says it in its own file, beside its pattern. Knows no routes.

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Everybody,
    SignedIn,
    Superusers,
    /// The rule of that name decides.
    Rule(&'static str),
}

/// For which collections a path with `{collection}` is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    /// Not: the path keeps its parameter.
    Never,
    All,
    /// All but views.
    Writable,
    Auth,
}

/// One endpoint. Names of schemas are those of `schemas.json`; with `@` they are those of the collection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Op {
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) each: Each,
    pub(crate) query: &'static [&'static str],
    /// The schema of the body.
    pub(crate) body: Option<&'static str>,
    /// Files may be sent along, as a form.
    pub(crate) form: bool,
    /// The schema of the answer; `None` for 204.
    pub(crate) answer: Option<&'static str>,
    /// Of an answer that is no JSON.
    pub(crate) content_type: Option<&'static str>,
}

/// What an endpoint is for, in a few words; superusers only, and a 204, unless more is said.
pub(crate) const fn op(id: &'static str, tag: &'static str, summary: &'static str) -> Op {
    Op {
        id,
        tag,
        summary,
        access: Access::Superusers,
        each: Each::Never,
        query: &[],
        body: None,
        form: false,
        answer: None,
        content_type: None,
    }
}

impl Op {
    /// Anybody may ask.
    pub(crate) const fn everybody(mut self) -> Self {
        self.access = Access::Everybody;
        self
    }
    /// Any auth record may ask.
    pub(crate) const fn signed_in(mut self) -> Self {
        self.access = Access::SignedIn;
        self
    }
    /// The rule of that name decides who may ask.
    pub(crate) const fn ruled_by(mut self, rule: &'static str) -> Self {
        self.access = Access::Rule(rule);
        self
    }
    /// Written out for every collection.
    pub(crate) const fn for_all(mut self) -> Self {
        self.each = Each::All;
        self
    }
    /// Written out for every collection but views.
    pub(crate) const fn for_writable(mut self) -> Self {
        self.each = Each::Writable;
        self
    }
    /// Written out for every auth collection.
    pub(crate) const fn for_auth(mut self) -> Self {
        self.each = Each::Auth;
        self
    }
    /// With the parameters of a list.
    pub(crate) const fn paged(self) -> Self {
        self.query(&["page", "perPage", "sort", "filter", "skipTotal", "fields"])
    }
    /// With the parameters of a list of records.
    pub(crate) const fn listed(self) -> Self {
        self.query(&["page", "perPage", "sort", "filter", "expand", "fields", "skipTotal"])
    }
    /// With the parameters of one record.
    pub(crate) const fn shown(self) -> Self {
        self.query(&["expand", "fields"])
    }
    pub(crate) const fn query(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }
    /// With a body of that schema.
    pub(crate) const fn takes(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }
    pub(crate) const fn form(mut self) -> Self {
        self.form = true;
        self
    }
    /// With an answer of that schema.
    pub(crate) const fn gives(mut self, schema: &'static str) -> Self {
        self.answer = Some(schema);
        self
    }
    pub(crate) const fn as_type(mut self, content_type: &'static str) -> Self {
        self.content_type = Some(content_type);
        self
    }
}
