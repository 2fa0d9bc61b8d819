//! The options of auth collections (spec collections-and-fields §2.3, auth §7).

use std::collections::HashSet;

use super::{
    Collection,
    index::find_single_unique,
    options::{Provider, Template, Token},
    rules::RuleCheck,
    validate::{Validation, system_rule_error},
};
use crate::{
    check::{self, Check},
    error::{FieldError, FieldErrors},
};

/// Adds what is wrong with the options of an auth collection.
pub(super) fn check(
    draft: &Collection,
    cx: &Validation<'_>,
    rules: &RuleCheck<'_>,
    errors: &mut FieldErrors,
) {
    let old = cx.old;
    let mut found = FieldErrors::default();
    check_rules(draft, old, rules, &mut found);
    check_methods(draft, cx.is_provider, &mut found);
    for (key, token) in draft.auth.tokens() {
        check_token(key, token, &mut found);
    }
    check_templates(draft, &mut found);
    // what concerns several members is looked at one by one, once the members themselves are right
    if found.is_empty() {
        check_mfa_methods(draft, &mut found);
    }
    if found.is_empty() {
        check_mfa_rule(draft, old, rules, &mut found);
    }
    if found.is_empty() {
        check_identities(draft, &mut found);
    }
    for (key, error) in found.0 {
        errors.set(key, error);
    }
}

fn put(errors: &mut FieldErrors, path: &[&str], check: Check) {
    if let Some(error) = check {
        errors.set_at(path, error);
    }
}

fn check_rules(
    draft: &Collection,
    old: Option<&Collection>,
    rules: &RuleCheck<'_>,
    errors: &mut FieldErrors,
) {
    let auth = &draft.auth;
    let stored = old.filter(|old| old.system).map(|old| &old.auth);
    let frozen = |changed: bool| changed.then(system_rule_error);
    put(
        errors,
        &["authRule"],
        rules
            .check(auth.auth_rule.as_deref())
            .or_else(|| frozen(stored.is_some_and(|s| s.auth_rule != auth.auth_rule))),
    );
    put(
        errors,
        &["manageRule"],
        check::nil_or_not_empty(auth.manage_rule.as_deref())
            .or_else(|| rules.check(auth.manage_rule.as_deref()))
            .or_else(|| frozen(stored.is_some_and(|s| s.manage_rule != auth.manage_rule))),
    );
}

fn check_methods(draft: &Collection, is_provider: fn(&str) -> bool, errors: &mut FieldErrors) {
    let auth = &draft.auth;
    if auth.oauth2.enabled {
        check_providers(&auth.oauth2.providers, is_provider, errors);
    }
    if auth.password_auth.enabled {
        let missing = auth.password_auth.identity_fields.is_empty();
        put(errors, &["passwordAuth", "identityFields"], check::required(missing));
    }
    let duration =
        |value: i64| check::required(value == 0).or_else(|| check::range(value, 10, 86_400));
    if auth.mfa.enabled {
        put(errors, &["mfa", "duration"], duration(auth.mfa.duration));
    }
    if auth.otp.enabled {
        put(errors, &["otp", "duration"], duration(auth.otp.duration));
        let length = auth.otp.length;
        let check = check::required(length == 0).or_else(|| check::min(length, 4));
        put(errors, &["otp", "length"], check);
    }
}

fn check_providers(
    providers: &[Provider],
    is_provider: fn(&str) -> bool,
    errors: &mut FieldErrors,
) {
    let mut names = HashSet::new();
    for (index, provider) in providers.iter().enumerate() {
        if !names.insert(provider.name.as_str()) {
            let message = format!("The provider {} is already registered.", provider.name);
            let error = FieldError::new("validation_duplicated_provider", message)
                .param("name", provider.name.as_str());
            return errors.set_at(&["oauth2", "providers", &index.to_string(), "name"], error);
        }
    }
    for (index, provider) in providers.iter().enumerate() {
        let index = index.to_string();
        for (key, check) in [
            ("name", check_provider_name(&provider.name, is_provider)),
            ("clientId", check::required(provider.client_id.is_empty())),
            ("clientSecret", check::required(provider.client_secret.is_empty())),
            ("authURL", check::url(&provider.auth_url)),
            ("tokenURL", check::url(&provider.token_url)),
            ("userInfoURL", check::url(&provider.user_info_url)),
        ] {
            put(errors, &["oauth2", "providers", &index, key], check);
        }
    }
}

fn check_provider_name(name: &str, is_provider: fn(&str) -> bool) -> Check {
    check::required(name.is_empty()).or_else(|| {
        (!is_provider(name)).then(|| {
            let message = format!("Invalid or missing provider with name {name}.");
            FieldError::new("validation_missing_provider", message).param("name", name)
        })
    })
}

fn check_token(key: &str, token: &Token, errors: &mut FieldErrors) {
    let secret =
        check::required(token.secret.is_empty()).or_else(|| check::length(&token.secret, 30, 255));
    put(errors, &[key, "secret"], secret);
    let duration = check::required(token.duration == 0)
        .or_else(|| check::range(token.duration, 10, 94_670_856));
    put(errors, &[key, "duration"], duration);
}

fn check_templates(draft: &Collection, errors: &mut FieldErrors) {
    let auth = &draft.auth;
    let templates: [(&[&str], &Template); 5] = [
        (&["authAlert", "emailTemplate"], &auth.auth_alert.email_template),
        (&["otp", "emailTemplate"], &auth.otp.email_template),
        (&["verificationTemplate"], &auth.verification_template),
        (&["resetPasswordTemplate"], &auth.reset_password_template),
        (&["confirmEmailChangeTemplate"], &auth.confirm_email_change_template),
    ];
    for (path, template) in templates {
        for (key, text) in [("subject", &template.subject), ("body", &template.body)] {
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            put(errors, &path, check::required(text.is_empty()));
        }
    }
}

fn check_identities(draft: &Collection, errors: &mut FieldErrors) {
    if !draft.auth.password_auth.enabled {
        return;
    }
    for name in &draft.auth.password_auth.identity_fields {
        let error = if draft.field(name).is_none() {
            let message = format!("Invalid or missing field {name}");
            FieldError::new("validation_missing_field", message)
        } else if find_single_unique(&draft.indexes, name).is_none() {
            let message = format!("The field {name} doesn't have a UNIQUE constraint.");
            FieldError::new("validation_missing_unique_constraint", message)
        } else {
            continue;
        };
        let error = error.param("fieldName", name.as_str());
        return errors.set_at(&["passwordAuth", "identityFields"], error);
    }
}

fn check_mfa_rule(
    draft: &Collection,
    old: Option<&Collection>,
    rules: &RuleCheck<'_>,
    errors: &mut FieldErrors,
) {
    let mfa = &draft.auth.mfa;
    if mfa.enabled {
        let changed = old.is_some_and(|old| old.system && old.auth.mfa.rule != mfa.rule);
        let rule = rules.check(Some(&mfa.rule)).or_else(|| changed.then(system_rule_error));
        put(errors, &["mfa", "rule"], rule);
    }
}

fn check_mfa_methods(draft: &Collection, errors: &mut FieldErrors) {
    let auth = &draft.auth;
    let methods = [auth.password_auth.enabled, auth.oauth2.enabled, auth.otp.enabled];
    if auth.mfa.enabled && methods.into_iter().filter(|enabled| *enabled).count() < 2 {
        let message = "MFA requires at least 2 auth methods to be enabled.";
        let error = FieldError::new("validation_mfa_not_enough_auths", message);
        errors.set_at(&["mfa", "enabled"], error);
    }
}
