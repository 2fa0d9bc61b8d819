//! Services that an app has beside its data: log, mail, files, realtime, backups.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use engine::{
    backup,
    files::{
        Labels, Source, Storage, ThumbLimits, Thumbs,
        image::{Format, Size},
        storage::read_all,
        thumb::Wanted,
    },
    log::Level,
    mail,
    realtime::Broker,
};
use serde_json::{Map, Value};

use super::App;
use crate::{
    error::{Error, Result},
    files::File,
    mail::{Address, Message},
    settings::S3,
};

/// The log of the app, which the dashboard shows. See [`App::logger`].
#[derive(Clone)]
pub struct Logger {
    app: App,
    group: Map<String, Value>,
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logger")
    }
}

/// What is logged with a message.
pub type LogAttrs<'a> = [(&'a str, Value)];

impl Logger {
    /// Something for those who look for a fault.
    pub fn debug(&self, message: &str, attrs: &LogAttrs<'_>) {
        self.write(Level::Debug, message, attrs);
    }
    /// Something that happened.
    pub fn info(&self, message: &str, attrs: &LogAttrs<'_>) {
        self.write(Level::Info, message, attrs);
    }
    /// Something that should not happen often.
    pub fn warn(&self, message: &str, attrs: &LogAttrs<'_>) {
        self.write(Level::Warn, message, attrs);
    }
    /// Something that somebody has to look at.
    pub fn error(&self, message: &str, attrs: &LogAttrs<'_>) {
        self.write(Level::Error, message, attrs);
    }
    /// The same log with something that every message gets.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.group.insert(key.to_owned(), value.into());
        self
    }
    fn write(&self, level: Level, message: &str, attrs: &LogAttrs<'_>) {
        let Ok(engine) = self.app.engine() else {
            tracing::info!(message, "before the app is bootstrapped");
            return;
        };
        let mut data = self.group.clone();
        data.extend(attrs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        engine.log().write(level, message, &Value::Object(data));
    }
}

/// Sends mails. See [`App::new_mail_client`].
#[derive(Debug, Clone)]
pub struct MailClient(App);

impl MailClient {
    /// Sends a mail now, within `on_mailer_send`: over SMTP when the settings say so, else with the local sendmail. An
    /// empty sender is that of the settings; an empty text is made from the HTML.
    ///
    /// # Errors
    /// The reason, which holds no credentials; what hooks report.
    pub async fn send(&self, mut message: Message) -> Result<()> {
        let ctx = self.0.ctx()?;
        if message.from == Address::default() {
            message.from = mail::sender(&ctx.app);
        }
        Ok(mail::send(&ctx, message).await?)
    }
}

/// Stored files: those of records, or those of backups. See [`App::new_filesystem`].
#[derive(Clone)]
pub struct FileSystem(Arc<dyn Storage>);

impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is known about a stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileFacts {
    /// Its type, `application/octet-stream` if unknown.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified: i64,
}

/// Most bytes that [`FileSystem::read`] reads into memory.
const MOST: usize = 1 << 30;

impl FileSystem {
    /// The files of a directory, which need not exist yet.
    #[must_use]
    pub fn local(dir: impl Into<std::path::PathBuf>) -> Self {
        Self(Arc::new(engine::files::Local::new(dir.into())))
    }
    /// The files of a bucket.
    ///
    /// # Errors
    /// Settings that cannot be those of a bucket; a build without S3.
    pub fn s3(bucket: &S3) -> Result<Self> {
        Ok(Self(engine::files::s3::open(bucket)?))
    }
    /// Stores a smaller copy of a picture: `100x100`, also with `t`, `b` or `f` behind it, `0x100`, `100x0`.
    ///
    /// # Errors
    /// Other sizes, what is no picture, what the storage says.
    pub async fn create_thumb(&self, original: &str, thumb: &str, size: &str) -> Result<()> {
        static SHOP: LazyLock<Thumbs> = LazyLock::new(|| Thumbs::new(ThumbLimits::default()));
        let invalid = || Error::other("thumb size must be in WxH, WxHt, WxHb or WxHf format");
        let size = Size::parse(size).ok_or_else(invalid)?;
        let kind = self.attributes(original).await?.content_type;
        let format = Format::of_source(&kind, false).unwrap_or(Format::Png);
        let (original, thumb) = (original.to_owned(), thumb.to_owned());
        let made = SHOP.ensure(&self.0, Wanted { original, thumb, size, format }).await;
        made.map_err(|why| Error::other(why.to_string()))
    }
    /// True if there is a file under a key.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.0.head(key).await?.is_some())
    }
    /// The whole content of a file; at most 1 GiB.
    ///
    /// # Errors
    /// [`Error::Io`] with `NotFound`, and what the storage says.
    pub async fn read(&self, key: &str) -> Result<Vec<u8>> {
        Ok(read_all(&*self.0, key, MOST).await?)
    }
    /// What is known about a file.
    ///
    /// # Errors
    /// [`Error::Io`] with `NotFound`, and what the storage says.
    pub async fn attributes(&self, key: &str) -> Result<FileFacts> {
        let found = self.0.head(key).await?;
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let facts = found.ok_or_else(missing)?;
        let (content_type, size) = (facts.content_type, facts.size);
        Ok(FileFacts { content_type, size, modified: facts.modified_ms })
    }
    /// Stores a file under a key.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn upload(&self, key: &str, file: &File) -> Result<()> {
        Ok(self.0.put(key, file.upload().labels(), file.upload().source()).await?)
    }
    /// Stores bytes under a key.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn upload_bytes(&self, key: &str, content: impl Into<bytes::Bytes>) -> Result<()> {
        let content = content.into();
        let kind = engine::files::mime::detect(&content).name.to_string();
        Ok(self.0.put(key, Labels::of_type(kind), Source::Bytes(content)).await?)
    }
    /// Removes a file; a missing one is fine.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn delete(&self, key: &str) -> Result<()> {
        Ok(self.0.delete(key).await?)
    }
    /// Removes everything below a directory, which must be named.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn delete_prefix(&self, dir: &str) -> Result<()> {
        Ok(self.0.delete_prefix(dir).await?)
    }
    /// The keys below a directory (`""` for all), sorted.
    ///
    /// # Errors
    /// What the storage says.
    pub async fn list(&self, dir: &str) -> Result<Vec<String>> {
        Ok(self.0.list(dir).await?.into_iter().map(|entry| entry.key).collect())
    }
    /// The storage itself.
    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        &self.0
    }
}

/// Services.
///
/// ```
/// # use pocketbase::{Address, File, Message, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// app.logger().with("job", "digest").warn("slow", &[("ms", 1200.into())]);
///
/// let mut message = Message::default();
/// message.to = vec![Address { name: String::new(), address: "ann@example.com".into() }];
/// message.subject = "Hi".into();
/// message.html = "<p>Hello</p>".into();
/// app.new_mail_client().send(message).await?;
/// assert_eq!(test.mails()[0].subject, "Hi");
///
/// let files = app.new_filesystem()?;
/// files.upload_bytes("notes/a.txt", "hello").await?;
/// assert_eq!(files.read("notes/a.txt").await?, b"hello");
/// assert_eq!(files.list("notes").await?, ["notes/a.txt"]);
///
/// app.subscriptions_broker()?.publish("chat", r#"{"text":"hello"}"#);
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
impl App {
    /// The log that the dashboard shows.
    #[must_use]
    pub fn logger(&self) -> Logger {
        Logger { app: self.clone(), group: Map::new() }
    }
    /// Sends an account a link that confirms its address.
    ///
    /// # Errors
    /// What sending fails with.
    pub async fn send_record_verification(&self, record: &crate::Record) -> Result<()> {
        Ok(mail::templates::send_verification(&self.ctx()?, record.handle()).await?)
    }
    /// Sends an account a link to a new password.
    ///
    /// # Errors
    /// What sending fails with.
    pub async fn send_record_password_reset(&self, record: &crate::Record) -> Result<()> {
        Ok(mail::templates::send_password_reset(&self.ctx()?, record.handle()).await?)
    }
    /// Sends a new address a link that confirms it.
    ///
    /// # Errors
    /// What sending fails with.
    pub async fn send_record_change_email(
        &self,
        record: &crate::Record,
        new_email: &str,
    ) -> Result<()> {
        Ok(mail::templates::send_email_change(&self.ctx()?, record.handle(), new_email).await?)
    }
    /// Sends an account a one-time password and its id.
    ///
    /// # Errors
    /// What sending fails with.
    pub async fn send_record_otp(
        &self,
        record: &crate::Record,
        id: &str,
        password: &str,
    ) -> Result<()> {
        mail::templates::send_otp(&self.ctx()?, record.handle(), id, password).await?;
        Ok(())
    }
    /// Tells an account of a sign-in from a new place.
    ///
    /// # Errors
    /// What sending fails with.
    pub async fn send_record_auth_alert(&self, record: &crate::Record, info: &str) -> Result<()> {
        Ok(mail::templates::send_auth_alert(&self.ctx()?, record.handle(), info).await?)
    }
    /// What sends mails.
    #[must_use]
    pub fn new_mail_client(&self) -> MailClient {
        MailClient(self.clone())
    }
    /// Where files of records are kept: the local disk, or the bucket of the settings.
    ///
    /// # Errors
    /// Before the app is bootstrapped; a bucket that cannot be used.
    pub fn new_filesystem(&self) -> Result<FileSystem> {
        Ok(FileSystem(self.engine()?.files().records()?))
    }
    /// Where backups are kept.
    ///
    /// # Errors
    /// Before the app is bootstrapped; a bucket that cannot be used.
    pub fn new_backups_filesystem(&self) -> Result<FileSystem> {
        Ok(FileSystem(self.engine()?.files().backups()?))
    }
    /// The connected realtime clients: `publish(topic, json)` reaches those that subscribed to the topic.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub fn subscriptions_broker(&self) -> Result<Broker> {
        Ok(self.engine()?.realtime().clone())
    }
    /// Makes a backup and gives its name; an empty one is made up.
    ///
    /// # Errors
    /// When another one is being made; what hooks and the storage report.
    pub async fn create_backup(&self, name: &str) -> Result<String> {
        Ok(Box::pin(backup::create(&self.engine()?, name)).await?)
    }
    /// Restores a backup: [`App::serve`] then ends with [`Ended::Restart`](crate::Ended::Restart).
    ///
    /// # Errors
    /// A backup that cannot be served; what hooks and the storage report.
    pub async fn restore_backup(&self, name: &str) -> Result<()> {
        Ok(Box::pin(backup::restore(&self.engine()?, name)).await?)
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            other => Self::other(other.to_string()),
        }
    }
}
