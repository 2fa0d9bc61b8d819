//! Rules that are about no record: what is asked of a request before something else is done for it.
//!
//! They are judged as rules of a collection without a field but `id`, for a record that is not stored.

use std::sync::{Arc, OnceLock};

use engine::{
    Caller, record as engine_record, rule,
    schema::{Loaded, rules::RuleCheck},
};

use super::App;
use crate::{
    collection::Collection,
    error::{Error, FieldErrors, Result},
    web::RequestInfo,
};

/// The collection that such rules are about.
fn nothing() -> &'static Arc<Loaded> {
    static NOTHING: OnceLock<Arc<Loaded>> = OnceLock::new();
    NOTHING.get_or_init(|| Collection::base("").prepared())
}

impl App {
    pub(crate) async fn judge_rule(&self, request: &RequestInfo, rule: &str) -> Result<bool> {
        let caller = Caller::of(request.auth.as_ref().map(|r| Arc::new(r.handle().snapshot())));
        let ctx = self.ctx()?.with_caller(caller).with_request(request.to_engine());
        let nobody = engine_record::Record::new(nothing());
        Ok(rule::judge_draft(&ctx, nothing(), rule, &nobody).await?.matches)
    }

    /// Checks a rule that is about no record ([`App::matches_rule`]) before it is stored in `field` of something.
    ///
    /// ```
    /// # use pocketbase::testing::TestApp;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let test = TestApp::new().await?;
    /// let app = test.app();
    /// assert!(app.check_rule("rule", "@request.auth.id != '' && @request.method = 'GET'").is_ok());
    /// let error = app.check_rule("rule", "title = 'x'").expect_err("there is no record");
    /// assert!(error.fields().is_some_and(|all| all.0.contains_key("rule")));
    /// # Ok::<(), pocketbase::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `validation_invalid_rule` under the name of the field.
    pub fn check_rule(&self, field: &str, rule: &str) -> Result<()> {
        let snapshot = self.ctx()?.snapshot();
        match RuleCheck::new(&snapshot, nothing()).check(Some(rule)) {
            None => Ok(()),
            Some(fault) => {
                let mut errors = FieldErrors::default();
                errors.set(field, fault);
                Err(Error::Validation(errors))
            }
        }
    }
}
