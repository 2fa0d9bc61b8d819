//! The form rules of auth records, checked alone before any field validation (spec records-files §1.10, auth §12).
//!
//! Pure apart from the old password's hash, which the caller verifies on the password lane.

use crate::{FieldError, FieldErrors};

/// What the submitter may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Access {
    /// The create or update rule let it through.
    #[default]
    Default,
    /// The manage rule matched.
    Manager,
    /// A superuser.
    Superuser,
}

/// The password keys of a body, and which access they come with.
#[derive(Debug, Clone, Default)]
pub struct AuthForm {
    /// The plain text in `password`.
    pub password: String,
    /// `passwordConfirm`
    pub confirm: String,
    /// `oldPassword`
    pub old: String,
}

/// The record's side of the form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) is_new: bool,
    pub(crate) access: Access,
    /// Submitted and stored email.
    pub(crate) email: (&'a str, &'a str),
    /// Submitted and stored `verified`.
    pub(crate) verified: (bool, bool),
    /// Whether `oldPassword` is the stored one; only asked when it matters.
    pub(crate) old_matches: bool,
}

impl AuthForm {
    /// True if `oldPassword` has to be verified for [`AuthForm::check`].
    pub(crate) fn needs_old(&self, is_new: bool, access: Access) -> bool {
        !is_new
            && access < Access::Manager
            && !(self.password.is_empty() && self.confirm.is_empty())
    }

    /// All violations together.
    pub(crate) fn check(&self, facts: &Facts<'_>) -> FieldErrors {
        let mut errors = FieldErrors::default();
        let required = || FieldError::new("validation_required", "cannot be blank");
        let mismatch = || FieldError::new("validation_values_mismatch", "Values don't match");
        let below_manager = facts.access < Access::Manager;
        if below_manager && !facts.is_new && facts.email.0 != facts.email.1 {
            errors.set("email", mismatch());
        }
        if below_manager && facts.verified.0 != (!facts.is_new && facts.verified.1) {
            errors.set("verified", mismatch());
        }
        if self.password.is_empty()
            && (facts.is_new || !self.confirm.is_empty() || !self.old.is_empty())
        {
            errors.set("password", required());
        }
        if self.confirm.is_empty() {
            if facts.is_new || !self.password.is_empty() || !self.old.is_empty() {
                errors.set("passwordConfirm", required());
            }
        } else if self.confirm != self.password {
            errors.set("passwordConfirm", mismatch());
        }
        if self.needs_old(facts.is_new, facts.access) {
            if self.old.is_empty() {
                errors.set("oldPassword", required());
            } else if !facts.old_matches {
                errors.set(
                    "oldPassword",
                    FieldError::new(
                        "validation_invalid_old_password",
                        "Missing or invalid old password",
                    ),
                );
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(form: [&str; 3], is_new: bool, access: Access, old_matches: bool) -> String {
        let [password, confirm, old] = form.map(str::to_owned);
        let facts =
            Facts { is_new, access, email: ("a", "b"), verified: (true, false), old_matches };
        let errors = AuthForm { password, confirm, old }.check(&facts);
        errors
            .0
            .iter()
            .map(|(key, error)| match error {
                FieldError::Item { code, .. } => {
                    format!("{key}:{}", code.trim_start_matches("validation_"))
                }
                FieldError::Nested(_) | FieldError::Other(_) => key.clone(),
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn table() {
        use Access::{Default, Manager, Superuser};
        for (form, is_new, access, old_ok, want) in [
            (
                ["", "", ""],
                true,
                Default,
                false,
                "password:required passwordConfirm:required verified:values_mismatch",
            ),
            (["", "", ""], true, Superuser, false, "password:required passwordConfirm:required"),
            (["a", "a", ""], true, Manager, false, ""),
            (["", "", ""], false, Default, false, "email:values_mismatch verified:values_mismatch"),
            (["", "", ""], false, Manager, false, ""),
            (["a", "b", ""], false, Manager, false, "passwordConfirm:values_mismatch"),
            (["a", "", ""], false, Superuser, false, "passwordConfirm:required"),
            (["", "", "x"], false, Manager, false, "password:required passwordConfirm:required"),
            (
                ["a", "a", ""],
                false,
                Default,
                false,
                "email:values_mismatch oldPassword:required verified:values_mismatch",
            ),
            (
                ["a", "a", "x"],
                false,
                Default,
                false,
                "email:values_mismatch oldPassword:invalid_old_password verified:values_mismatch",
            ),
            (
                ["a", "a", "x"],
                false,
                Default,
                true,
                "email:values_mismatch verified:values_mismatch",
            ),
        ] {
            assert_eq!(codes(form, is_new, access, old_ok), want, "{form:?} {is_new} {access:?}");
        }
    }
}
