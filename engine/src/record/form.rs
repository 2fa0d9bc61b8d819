//! Drafts that code fills instead of a request: the checks of a submission, but nobody's rule.

use super::{
    Access, Draft, RecordRef,
    auth_form::AuthForm,
    body::{self, Submission},
};

impl Draft {
    /// A draft over a record, with what whoever fills it may do.
    #[must_use]
    pub fn of(record: RecordRef, access: Access) -> Self {
        let form = record.collection().is_auth().then(AuthForm::default);
        Self { record, access, form }
    }
    /// Loads values over the record, as a client's body is: modifiers apply, hidden fields are for superusers.
    pub fn load(&mut self, submission: &Submission) {
        let mut record = self.record.lock();
        let prepared = body::prepare(&record, submission, self.access == Access::Superuser);
        prepared.load(&mut record);
        if let Some(form) = &mut self.form {
            for (key, text) in
                [("passwordConfirm", &mut form.confirm), ("oldPassword", &mut form.old)]
            {
                if prepared.rest.contains_key(key) {
                    *text = prepared.form_text(key);
                }
            }
        }
    }
}
