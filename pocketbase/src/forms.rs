//! Forms: what a client would submit, filled and submitted by code, with the same checks.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use engine::{
    files,
    mail::test_mail,
    oauth2::apple_secret,
    record::{Access, Draft, Submission},
};
use serde_json::{Map, Value};

use crate::{
    app::App,
    error::{Error, Result},
    record::Record,
};

/// Creates or updates a record as a client does: accounts need `passwordConfirm`, and `oldPassword` where there is a
/// password; hidden fields are for superusers. No rule is asked.
///
/// ```
/// # use pocketbase::{Record, RecordUpsertForm, testing::TestApp};
/// # use serde_json::json;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let ann = Record::new(&app.find_collection("users").await?);
/// let mut form = RecordUpsertForm::new(app, &ann);
/// form.load(&json!({"email": "ann@example.com", "password": "1234567890"}));
/// assert_eq!(form.submit().await.unwrap_err().to_string(), "passwordConfirm: cannot be blank.");
///
/// form.load(&json!({"passwordConfirm": "1234567890"}));
/// form.dry_submit(|tx, ann| async move { tx.find_record_by_id("users", ann.id()).await.map(|_| ()) })
///     .await?;
/// assert!(ann.is_new());
/// form.submit().await?;
/// assert_eq!(app.count_records("users", ()).await?, 1);
///
/// // a manager changes addresses and passwords without knowing the old one
/// let mut form = RecordUpsertForm::new(app, &ann);
/// form.grant_manager_access();
/// form.load(&json!({"email": "new@example.com", "verified": true}));
/// form.submit().await?;
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct RecordUpsertForm {
    app: App,
    draft: Draft,
}

impl RecordUpsertForm {
    /// A form over a record: a new one is created, a stored one is updated.
    #[must_use]
    pub fn new(app: &App, record: &Record) -> Self {
        let draft = Draft::of(record.handle().clone(), Access::Default);
        Self { app: app.clone(), draft }
    }
    /// Goes on with another app, such as that of a transaction.
    pub fn set_app(&mut self, app: &App) {
        self.app = app.clone();
    }
    /// Goes on with another record; what was loaded stays with the one before.
    pub fn set_record(&mut self, record: &Record) {
        self.draft = Draft::of(record.handle().clone(), self.draft.access);
    }
    /// Addresses, passwords and `verified` may be changed without the old password.
    pub fn grant_manager_access(&mut self) {
        self.draft.access = Access::Manager;
    }
    /// As for a manager, and hidden fields may be set.
    pub fn grant_superuser_access(&mut self) {
        self.draft.access = Access::Superuser;
    }
    /// Takes back what was granted.
    pub fn reset_access(&mut self) {
        self.draft.access = Access::Default;
    }
    /// True after [`grant_manager_access`](Self::grant_manager_access) and
    /// [`grant_superuser_access`](Self::grant_superuser_access).
    #[must_use]
    pub fn has_manage_access(&self) -> bool {
        self.draft.access >= Access::Manager
    }
    /// Loads values: an object, with modifiers as in requests (`views+`). Anything else has no values.
    pub fn load(&mut self, data: &Value) {
        let body = data.as_object().cloned().unwrap_or_else(Map::new);
        self.draft.load(&Submission { body, ..Submission::default() });
    }
    /// Validates and saves, with all hooks.
    ///
    /// # Errors
    /// [`Error::Validation`]; what hooks report; database errors.
    pub async fn submit(&self) -> Result<()> {
        Ok(Box::pin(self.draft.commit(&self.app.ctx()?)).await?)
    }
    /// Submits a copy of the record in a transaction, shows both to `look`, and rolls back.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); what `look` reports; inside a transaction, which cannot be rolled back for it.
    pub async fn dry_submit<F, Fut>(&self, look: F) -> Result<()>
    where
        F: FnOnce(App, Record) -> Fut + Send,
        Fut: Future<Output = Result<()>> + Send,
    {
        if self.app.is_transactional() {
            return Err(Error::other("a form cannot be tried inside a transaction"));
        }
        let is_done = Arc::new(AtomicBool::new(false));
        // a copy is tried: what a save leaves in a record is not for the next one
        let record = self.draft.record.snapshot().into();
        let Draft { access, ref form, .. } = self.draft;
        let (done, draft) = (is_done.clone(), Draft { record, access, form: form.clone() });
        let work = |tx: App| async move {
            Box::pin(draft.commit(&tx.ctx()?)).await?;
            look(tx, draft.record.clone().into()).await?;
            done.store(true, Ordering::Release);
            Err::<(), _>(Error::other("a form was tried"))
        };
        match self.app.run_in_transaction(work).await {
            Err(_) if is_done.load(Ordering::Acquire) => Ok(()),
            result => result,
        }
    }
}

/// Sends one of the server's mails to try it, to a made-up account.
///
/// ```
/// # use pocketbase::{TestEmailSendForm, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let mut form = TestEmailSendForm::new(app);
/// form.email = "ann@example.com".into();
/// assert!(form.validate().is_err(), "template: cannot be blank");
/// form.template = "verification".into(); // password-reset, email-change, otp, login-alert
/// form.collection = "users".into();
/// form.submit().await?;
/// assert_eq!(test.mails()[0].to[0].address, "ann@example.com");
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct TestEmailSendForm {
    app: App,
    /// To whom.
    pub email: String,
    /// `verification`, `password-reset`, `email-change`, `otp` or `login-alert`.
    pub template: String,
    /// A collection of accounts; empty for `_superusers`.
    pub collection: String,
}

impl TestEmailSendForm {
    /// An empty form.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let empty = String::new;
        Self { app: app.clone(), email: empty(), template: empty(), collection: empty() }
    }
    fn form(&self) -> test_mail::Form {
        test_mail::Form {
            email: self.email.clone(),
            template: self.template.clone(),
            collection: self.collection.clone(),
        }
    }
    /// Checks it without sending.
    ///
    /// # Errors
    /// [`Error::Validation`].
    pub fn validate(&self) -> Result<()> {
        self.form().check(&self.app.ctx()?)?;
        Ok(())
    }
    /// Sends the mail now.
    ///
    /// # Errors
    /// [`Error::Validation`]; what hooks and the mail server report.
    pub async fn submit(&self) -> Result<()> {
        Ok(self.form().submit(&self.app.ctx()?).await?)
    }
}

/// Tries whether the configured bucket can be used.
///
/// ```
/// # use pocketbase::{TestS3FilesystemForm, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let mut form = TestS3FilesystemForm::new(app);
/// form.filesystem = "backups".into(); // or storage
/// let error = form.submit().await.unwrap_err();
/// assert_eq!(error.to_string(), "S3 backups filesystem is not enabled");
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct TestS3FilesystemForm {
    app: App,
    /// `storage` or `backups`.
    pub filesystem: String,
}

impl TestS3FilesystemForm {
    /// An empty form.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self { app: app.clone(), filesystem: String::new() }
    }
    /// Writes, reads and deletes a file there.
    ///
    /// # Errors
    /// [`Error::Validation`] for another name; [`Error::Message`] with what went wrong.
    pub async fn submit(&self) -> Result<()> {
        Ok(files::try_out(&self.app.engine()?, &self.filesystem).await?)
    }
}

/// Makes the client secret that signing in with Apple needs.
///
/// ```
/// # use pocketbase::AppleClientSecretCreateForm;
/// let mut form = AppleClientSecretCreateForm::default();
/// form.client_id = "com.example.app".into();
/// form.team_id = "ABCDE12345".into();
/// form.key_id = "ABCDE12345".into();
/// form.duration = 86_400;
/// form.private_key = "no key".into();
/// assert_eq!(form.validate().unwrap_err().to_string(), "privateKey: must be in a valid format.");
/// ```
#[derive(Default)]
#[non_exhaustive]
pub struct AppleClientSecretCreateForm {
    /// The identifier of the app or service.
    pub client_id: String,
    /// Ten characters.
    pub team_id: String,
    /// Ten characters.
    pub key_id: String,
    /// PKCS #8 in PEM.
    pub private_key: String,
    /// Seconds, at most half a year.
    pub duration: i64,
}

/// Without the key.
impl fmt::Debug for AppleClientSecretCreateForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppleClientSecretCreateForm")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl AppleClientSecretCreateForm {
    /// An empty form.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    fn form(&self) -> apple_secret::Form {
        apple_secret::Form {
            client_id: self.client_id.clone(),
            team_id: self.team_id.clone(),
            key_id: self.key_id.clone(),
            private_key: self.private_key.clone(),
            duration: self.duration,
        }
    }
    /// Checks it.
    ///
    /// # Errors
    /// [`Error::Validation`].
    pub fn validate(&self) -> Result<()> {
        Ok(self.form().check()?)
    }
    /// The secret.
    ///
    /// # Errors
    /// [`Error::Validation`]; a key that cannot be used.
    pub fn submit(&self) -> Result<String> {
        self.validate()?;
        let secret = self.form().secret(crate::now().seconds());
        secret.map_err(|error| Error::Message(error.to_string()))
    }
}
