//! `email`: an address, optionally limited to or barred from some domains.

use serde_json::Value;

use super::{DbCheck, Field, FieldType, RecordCheck, SettingsCheck, Val, field_type_basics};
use crate::{
    check,
    error::{FieldError, FieldErrors},
    json, wire,
};

/// The wire name.
pub const KIND: &str = "email";

wire! {
    /// Options of `email`.
    #[derive(Default)]
    pub struct Email {
        /// Refused domains.
        except_domains: Vec<String> = "exceptDomains",
        /// The only accepted domains.
        only_domains: Vec<String> = "onlyDomains",
    }
}

pub(super) fn blank() -> Email {
    Email::default()
}

/// The settings rules of the two lists, shared with `url`.
pub(super) fn check_lists(except: &[String], only: &[String], errors: &mut FieldErrors) {
    let both = !except.is_empty() && !only.is_empty();
    for (key, list) in [("exceptDomains", except), ("onlyDomains", only)] {
        if both {
            if let Some(error) = check::empty(false) {
                errors.set(key, error);
            }
            continue;
        }
        for (index, domain) in list.iter().enumerate() {
            if let Some(error) = check::domain(domain) {
                errors.set_at(&[key, &index.to_string()], error);
            }
        }
    }
}

/// True if the lists accept a host; compared case-sensitively (spec §3.4).
pub(super) fn lists_allow(except: &[String], only: &[String], host: &str) -> bool {
    let within = |list: &[String]| list.iter().any(|d| d == host);
    !within(except) && (only.is_empty() || within(only))
}

impl FieldType for Email {
    field_type_basics!(KIND);

    fn shape(&self) -> super::ValueShape {
        super::ValueShape::Email
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
        if let Some(error) =
            check::required(field.required && text.is_empty()).or_else(|| check::email(text))
        {
            return Err(error);
        }
        let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain);
        if text.is_empty() || lists_allow(&self.except_domains, &self.only_domains, domain) {
            return Ok(None);
        }
        Err(FieldError::new("validation_email_domain_not_allowed", "Email domain is not allowed"))
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        check_lists(&self.except_domains, &self.only_domains, errors);
    }
}
