//! What belongs to accounts: links to other services, waiting second factors, one-time passwords, places of logins.

use engine::{auth, record::refs};

use super::{App, IntoCollection};
use crate::{
    db::{IntoExprs, hash},
    error::{Error, Result},
    record::Record,
};

const NEWEST_FIRST: [&str; 1] = ["created DESC"];

/// What belongs to accounts. Finders give the newest first.
///
/// ```
/// # use pocketbase::{Error, Record, testing::TestApp};
/// # use serde_json::json;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let users = app.find_collection("users").await?;
/// let ann = Record::new(&users);
/// ann.set_email("ann@example.com").set_password("1234567890");
/// app.save(&ann).await?;
///
/// let origin = Record::new(&app.find_collection("_authOrigins").await?);
/// origin.set("collectionRef", users.id()).set("recordRef", ann.id()).set("fingerprint", "abc");
/// app.save(&origin).await?;
///
/// assert_eq!(app.find_all_auth_origins_by_record(&ann).await?.len(), 1);
/// assert_eq!(app.find_all_auth_origins_by_collection("users").await?.len(), 1);
/// let found = app.find_auth_origin_by_record_and_fingerprint(&ann, "abc").await?;
/// assert_eq!(app.find_auth_origin_by_id(&found.id()).await?.id(), origin.id());
/// app.delete_all_auth_origins_by_record(&ann).await?;
/// assert!(app.find_all_auth_origins_by_record(&ann).await?.is_empty());
///
/// assert!(app.find_all_mfas_by_record(&ann).await?.is_empty());
/// app.delete_expired_otps().await?;
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
impl App {
    async fn of_record(&self, table: &str, record: &Record) -> Result<Vec<Record>> {
        let owner = hash([("collectionRef", record.collection().id()), ("recordRef", record.id())]);
        self.record_query(table).where_(owner).order_by(NEWEST_FIRST).records().await
    }
    async fn of_collection(
        &self,
        table: &str,
        collection: &impl IntoCollection,
    ) -> Result<Vec<Record>> {
        let (_, owner) = self.load(collection)?;
        let owner = hash([("collectionRef", owner.id.clone())]);
        self.record_query(table).where_(owner).order_by(NEWEST_FIRST).records().await
    }
    async fn delete_of_record(&self, table: &str, record: &Record) -> Result<()> {
        refs::delete_all(&self.ctx()?, table, record.handle()).await?;
        Ok(())
    }

    /// The links to accounts of other services of an account (`_externalAuths`).
    ///
    /// # Errors
    /// Database errors.
    pub async fn find_all_external_auths_by_record(&self, record: &Record) -> Result<Vec<Record>> {
        self.of_record("_externalAuths", record).await
    }
    /// The links to accounts of other services of all accounts of a collection (`_externalAuths`).
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; database errors.
    pub async fn find_all_external_auths_by_collection(
        &self,
        collection: impl IntoCollection,
    ) -> Result<Vec<Record>> {
        self.of_collection("_externalAuths", &collection).await
    }
    /// Deletes the links to accounts of other services of an account, with all hooks.
    ///
    /// # Errors
    /// What hooks report; database errors.
    pub async fn delete_all_external_auths_by_record(&self, record: &Record) -> Result<()> {
        self.delete_of_record("_externalAuths", record).await
    }
    /// The sessions that wait for a second factor of an account (`_mfas`).
    ///
    /// # Errors
    /// Database errors.
    pub async fn find_all_mfas_by_record(&self, record: &Record) -> Result<Vec<Record>> {
        self.of_record("_mfas", record).await
    }
    /// The sessions that wait for a second factor of all accounts of a collection (`_mfas`).
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; database errors.
    pub async fn find_all_mfas_by_collection(
        &self,
        collection: impl IntoCollection,
    ) -> Result<Vec<Record>> {
        self.of_collection("_mfas", &collection).await
    }
    /// Deletes the sessions that wait for a second factor of an account, with all hooks.
    ///
    /// # Errors
    /// What hooks report; database errors.
    pub async fn delete_all_mfas_by_record(&self, record: &Record) -> Result<()> {
        self.delete_of_record("_mfas", record).await
    }
    /// The one-time passwords of an account (`_otps`).
    ///
    /// # Errors
    /// Database errors.
    pub async fn find_all_otps_by_record(&self, record: &Record) -> Result<Vec<Record>> {
        self.of_record("_otps", record).await
    }
    /// The one-time passwords of all accounts of a collection (`_otps`).
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; database errors.
    pub async fn find_all_otps_by_collection(
        &self,
        collection: impl IntoCollection,
    ) -> Result<Vec<Record>> {
        self.of_collection("_otps", &collection).await
    }
    /// Deletes the one-time passwords of an account, with all hooks.
    ///
    /// # Errors
    /// What hooks report; database errors.
    pub async fn delete_all_otps_by_record(&self, record: &Record) -> Result<()> {
        self.delete_of_record("_otps", record).await
    }
    /// The places of logins of an account (`_authOrigins`).
    ///
    /// # Errors
    /// Database errors.
    pub async fn find_all_auth_origins_by_record(&self, record: &Record) -> Result<Vec<Record>> {
        self.of_record("_authOrigins", record).await
    }
    /// The places of logins of all accounts of a collection (`_authOrigins`).
    ///
    /// # Errors
    /// [`Error::NotFound`] without the collection; database errors.
    pub async fn find_all_auth_origins_by_collection(
        &self,
        collection: impl IntoCollection,
    ) -> Result<Vec<Record>> {
        self.of_collection("_authOrigins", &collection).await
    }
    /// Deletes the places of logins of an account, with all hooks.
    ///
    /// # Errors
    /// What hooks report; database errors.
    pub async fn delete_all_auth_origins_by_record(&self, record: &Record) -> Result<()> {
        self.delete_of_record("_authOrigins", record).await
    }
    /// One session that waits for a second factor.
    ///
    /// # Errors
    /// [`Error::NotFound`]; database errors.
    pub async fn find_mfa_by_id(&self, id: &str) -> Result<Record> {
        self.find_record_by_id("_mfas", id).await
    }
    /// One one-time password.
    ///
    /// # Errors
    /// [`Error::NotFound`]; database errors.
    pub async fn find_otp_by_id(&self, id: &str) -> Result<Record> {
        self.find_record_by_id("_otps", id).await
    }
    /// One place of logins.
    ///
    /// # Errors
    /// [`Error::NotFound`]; database errors.
    pub async fn find_auth_origin_by_id(&self, id: &str) -> Result<Record> {
        self.find_record_by_id("_authOrigins", id).await
    }
    /// The place of logins of an account that has a fingerprint.
    ///
    /// # Errors
    /// [`Error::NotFound`]; database errors.
    pub async fn find_auth_origin_by_record_and_fingerprint(
        &self,
        record: &Record,
        fingerprint: &str,
    ) -> Result<Record> {
        let wanted = hash([
            ("collectionRef", record.collection().id()),
            ("recordRef", record.id()),
            ("fingerprint", fingerprint.to_owned()),
        ]);
        let query = self.record_query("_authOrigins").where_(wanted).limit(1);
        query.records().await?.pop().ok_or(Error::NotFound)
    }
    /// The first link to an account of another service that satisfies conditions on its columns (`provider`, `providerId`,
    /// `recordRef`, …).
    ///
    /// # Errors
    /// [`Error::NotFound`]; database errors.
    pub async fn find_first_external_auth_by_expr(
        &self,
        conditions: impl IntoExprs + Send,
    ) -> Result<Record> {
        let query = self.record_query("_externalAuths").where_(conditions.into_expr()).limit(1);
        query.records().await?.pop().ok_or(Error::NotFound)
    }
    /// Deletes sessions whose second factor did not come in time.
    ///
    /// # Errors
    /// What hooks report; database errors.
    pub async fn delete_expired_mfas(&self) -> Result<()> {
        Ok(auth::mfa::clean_up(&self.ctx()?).await?)
    }
    /// Deletes one-time passwords that are no longer valid.
    ///
    /// # Errors
    /// What hooks report; database errors.
    pub async fn delete_expired_otps(&self) -> Result<()> {
        Ok(auth::otp::clean_up(&self.ctx()?).await?)
    }
}
