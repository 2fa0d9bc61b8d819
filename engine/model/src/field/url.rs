//! `url`: a URL, optionally limited to or barred from some hosts.

use serde_json::Value;

use super::{
    DbCheck, Field, FieldType, RecordCheck, SettingsCheck, Val,
    email::{check_lists, lists_allow},
    field_type_basics,
};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    json, wire,
};

/// The wire name.
pub const KIND: &str = "url";

wire! {
    /// Options of `url`.
    #[derive(Default)]
    pub struct Url {
        /// Refused hosts.
        except_domains: Vec<String> = "exceptDomains",
        /// The only accepted hosts.
        only_domains: Vec<String> = "onlyDomains",
    }
}

pub(super) fn blank() -> Url {
    Url::default()
}

impl FieldType for Url {
    field_type_basics!(KIND);

    fn shape(&self) -> super::ValueShape {
        super::ValueShape::Url
    }

    fn is_empty(&self, val: &Val) -> bool {
        val.as_str().is_empty()
    }

    fn normalise(&self, json: &Value) -> Val {
        Val::Text(json::to_string(json).into_owned())
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        _: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let text = val.as_str();
        if text.is_empty() {
            return check::required(field.required).map_or(Ok(None), Err);
        }
        if !check::is_url(text) {
            return Err(FieldError::new("validation_invalid_url", "Must be a valid url"));
        }
        // The host includes the port; without a scheme there is none (spec §3.4).
        let (host, _) = check::url_parts(text);
        if lists_allow(&self.except_domains, &self.only_domains, host) {
            return Ok(None);
        }
        Err(FieldError::new("validation_url_domain_not_allowed", "Url domain is not allowed"))
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        check_lists(&self.except_domains, &self.only_domains, errors);
    }
}
