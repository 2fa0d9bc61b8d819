//! Checking API rules when a collection is saved.
//!
//! A rule is compiled against the new collection with an empty request and hidden fields allowed; what it would
//! select is of no interest here. Source: spec filter-language §11.1.

use std::sync::Arc;

use filter_lang::{schema, scope::Scope};

use super::{Collection, Snapshot, snapshot::to_plan};
use crate::{check::Check, error::FieldError};

/// Checks the rules of one draft.
#[derive(Debug)]
pub struct RuleCheck<'a> {
    snapshot: &'a Snapshot,
    base: Arc<schema::Collection>,
}

impl<'a> RuleCheck<'a> {
    /// For the rules of `draft`, seen beside the stored collections.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, draft: &Collection) -> Self {
        Self { snapshot, base: Arc::new(to_plan(draft)) }
    }

    /// Null and empty rules pass.
    #[must_use]
    pub fn check(&self, rule: Option<&str>) -> Check {
        let text = rule.filter(|text| !text.is_empty())?;
        let error = self.compile(text).err()?;
        Some(FieldError::new(
            "validation_invalid_rule",
            format!("Invalid rule. Raw error: {error}"),
        ))
    }

    fn compile(&self, text: &str) -> Result<(), filter_lang::Error> {
        let scope = Scope {
            hidden_allowed: true,
            request: Some(Arc::default()),
            now_ms: crate::time::now().millis(),
            ..Scope::default()
        };
        let ast = filter_lang::parse(text)?;
        filter_lang::resolve(self.snapshot, self.base.clone(), &ast, &scope).map(|_| ())
    }
}
