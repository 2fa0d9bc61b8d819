//! Mail: one door for everything that leaves by SMTP or sendmail (spec auth §10).
//!
//! | what | file |
//! |---|---|
//! | the five mails about auth records | `templates` |
//! | placeholders and the page around a body | `layout` |
//! | HTML to its plain text alternative | `text` |
//! | [`Mail`] to bytes | `message` |
//! | the two ways out | `smtp` (a feature), `sendmail` |
//! | what was sent to whom lately | `throttle` |
//!
//! Must not know requests; what a client is told about a failed mail is the caller's decision.

mod layout;
mod message;
mod sendmail;
pub mod smtp;
pub mod templates;
pub mod test_mail;
mod text;
mod throttle;

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::sync::Semaphore;

pub use throttle::Throttle;

/// A name and an address.
pub use crate::event::Address;
/// A mail before it is sent.
pub use crate::event::Message as Mail;

use crate::{
    Error, Result,
    app::App,
    ctx::Ctx,
    event::MailEvent,
    hook::Slot,
    log::{Entry, Level},
};
use primitives::future::BoxFutureRef;

/// Mails on their way in the background; more are refused.
const MAX_BACKGROUND: u32 = 256;

/// How long a delivery may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimits {
    /// One attempt to reach an address of the server.
    pub(crate) connect: Duration,
    /// The whole delivery, names looked up, mail accepted.
    pub(crate) overall: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), overall: Duration::from_secs(30) }
    }
}

impl App {
    /// What is kept for mails; see [`crate::mail`].
    #[must_use]
    pub fn mailer(&self) -> &Mailer {
        self.part()
    }
}

/// What the app keeps for mails: who waits, and who got one lately.
#[derive(Debug)]
pub struct Mailer {
    background: Arc<Semaphore>,
    /// Verification and reset mails of the last two minutes.
    pub throttle: Throttle,
}

impl Default for Mailer {
    fn default() -> Self {
        Self {
            background: Arc::new(Semaphore::new(MAX_BACKGROUND as usize)),
            throttle: Throttle::default(),
        }
    }
}

impl Mailer {
    /// Waits until the background is empty, but not longer than `limit`.
    pub(crate) async fn drain(&self, limit: Duration) {
        let all = self.background.acquire_many(MAX_BACKGROUND);
        // After the time limit what still waits is lost, as it would be in a crash.
        let _ = tokio::time::timeout(limit, all).await;
    }
}

/// The sender of the settings.
#[must_use]
pub fn sender(app: &App) -> Address {
    let meta = &app.settings().meta;
    Address { name: meta.sender_name.clone(), address: meta.sender_address.clone() }
}

/// Sends a mail now, within `OnMailerSend`: over SMTP when the settings say so, else with the local sendmail.
///
/// Takes at most 30 seconds. A hook that does not call `next()` makes it a success without a mail.
///
/// # Errors
/// [`Error::Message`] with the reason, which holds no credentials; what hooks report.
pub async fn send(ctx: &Ctx, mail: Mail) -> Result<()> {
    let app = ctx.app.clone();
    let hook = &app.hooks().mailer_send;
    if hook.is_empty() {
        return deliver(&app, mail).await;
    }
    let event = MailEvent { app: app.clone(), message: Slot::new(mail) };
    hook.trigger(event, |event| async move { deliver(&event.app, event.message.get()).await }).await
}

fn deliver(app: &App, mut mail: Mail) -> BoxFutureRef<'_, Result<()>> {
    Box::pin(async move {
        if mail.text.is_empty() && !mail.html.is_empty() {
            mail.text = text::from_html(&mail.html);
        }
        if app.config().dev {
            // --dev shows mails in the terminal, links and codes included.
            tracing::info!(to = ?mail.to, subject = mail.subject, "mail\n{}", mail.text);
        }
        let settings = app.settings();
        if !settings.smtp.enabled {
            return sendmail::deliver(&mail, TimeLimits::default()).await;
        }
        let ca_file = app.config().ca_file.as_deref();
        smtp::deliver(&settings.smtp, ca_file, &mail, TimeLimits::default()).await
    })
}

/// Runs the sending of a mail in the background; a failure or panic is logged as `failed to send …`.
///
/// False when too many wait already: then nothing is sent, and the log says so.
pub fn in_background<F>(app: &App, what: &'static str, work: F) -> bool
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let Ok(place) = app.mailer().background.clone().try_acquire_owned() else {
        log_failure(app, what, &Error::Busy);
        return false;
    };
    let app = app.clone();
    tokio::spawn(async move {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let done = done.unwrap_or_else(|_| Err(Error::Message("panicked".into())));
        if let Err(error) = done {
            log_failure(&app, what, &error);
        }
        drop(place);
    });
    true
}

/// Writes a failed mail to the activity log.
pub fn log_failure(app: &App, what: &str, error: &Error) {
    let message = format!("Failed to send {what}");
    tracing::warn!(%error, "{message}");
    let level = Level::Error as i64;
    if app.log().enabled(level) {
        let data = serde_json::json!({ "error": error.to_string() }).to_string();
        app.log().push(Entry {
            level,
            message: message.into(),
            data: data.into(),
            created: crate::time::now(),
        });
    }
}

/// A failure of the mailer.
fn failed(reason: impl std::fmt::Display) -> Error {
    Error::Message(reason.to_string())
}
