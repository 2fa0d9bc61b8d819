//! What the plugin needs to know: code says it, the environment wins. Source: spec extensions 6.1.

use std::fmt;

use pocketbase::{Result, environment};

/// How identities are read and what is done with them. What is `None` or empty has the default.
#[derive(Clone, Default)]
pub struct TofConfig {
    /// Named in addresses of the passport service (`TOF_APP_KEY`).
    pub app_key: String,
    /// Opens identities and signs requests (`TOF_APP_TOKEN`); without it there is nothing.
    pub app_token: String,
    /// Only encrypted identities count (`TOF_SAFE_MODE`); on by default.
    pub safe_mode: Option<bool>,
    /// Requests must not be older or newer than three minutes (`TOF_CHECK_TIMESTAMP`); on by default.
    pub check_timestamp: Option<bool>,
    /// Where the routes are; `/api/tof` by default.
    pub route_prefix: String,
    /// Who is signed in without headers, with `--dev` and from this machine only (`TOF_DEV_MOCK_USER`).
    pub dev_mock_user: String,
    /// The domain of addresses of accounts (`TOF_EMAIL_DOMAIN`); `tencent.com` by default.
    pub email_domain: String,
    /// Where the passport service is (`TOF_PASSPORT_URL`); `https://passport.woa.com` by default.
    pub passport_url: String,
    /// Where redirects may lead (`TOF_ALLOWED_REDIRECTS`): origins, and `/` for paths of this server. The origin of the
    /// app's URL and `/` by default.
    pub allowed_redirects: Vec<String>,
    /// Identities that never end count in safe mode, too (`TOF_ALLOW_NO_EXP`).
    pub allow_no_exp: bool,
    /// The same request may sign in many times (`TOF_ALLOW_REPLAY`).
    pub allow_replay: bool,
    /// The collections that identities may sign in to, by name (`TOF_COLLECTIONS`); none named: all auth collections.
    pub collections: Vec<String>,
}

impl fmt::Debug for TofConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TofConfig")
            .field("route_prefix", &self.route_prefix)
            .field("email_domain", &self.email_domain)
            .finish_non_exhaustive()
    }
}

impl TofConfig {
    /// With what the environment says, and the defaults.
    pub(crate) fn resolved(mut self) -> Result<Self> {
        for (name, field, default) in [
            ("TOF_APP_KEY", &mut self.app_key, ""),
            ("TOF_APP_TOKEN", &mut self.app_token, ""),
            ("TOF_DEV_MOCK_USER", &mut self.dev_mock_user, ""),
            ("TOF_EMAIL_DOMAIN", &mut self.email_domain, "tencent.com"),
            ("TOF_PASSPORT_URL", &mut self.passport_url, "https://passport.woa.com"),
        ] {
            if let Some(value) = environment::text(name) {
                *field = value;
            }
            if field.is_empty() {
                default.clone_into(field);
            }
        }
        if self.app_token.is_empty() {
            // nothing else matters
            return Ok(self);
        }
        let on = |name, code: Option<bool>, default| {
            environment::switch(name).map(|given| given.or(code).unwrap_or(default))
        };
        self.safe_mode = Some(on("TOF_SAFE_MODE", self.safe_mode, true)?);
        self.check_timestamp = Some(on("TOF_CHECK_TIMESTAMP", self.check_timestamp, true)?);
        self.allow_no_exp = on("TOF_ALLOW_NO_EXP", Some(self.allow_no_exp), false)?;
        self.allow_replay = on("TOF_ALLOW_REPLAY", Some(self.allow_replay), false)?;
        for (name, list) in [
            ("TOF_ALLOWED_REDIRECTS", &mut self.allowed_redirects),
            ("TOF_COLLECTIONS", &mut self.collections),
        ] {
            if let Some(given) = environment::list(name) {
                *list = given;
            }
            list.retain(|one| !one.is_empty());
        }
        while self.passport_url.ends_with('/') {
            self.passport_url.pop();
        }
        let prefix = self.route_prefix.trim_matches('/');
        self.route_prefix =
            if prefix.is_empty() { "/api/tof".into() } else { format!("/{prefix}") };
        Ok(self)
    }
    pub(crate) fn is_safe(&self) -> bool {
        self.safe_mode.unwrap_or(true)
    }
    /// True if identities may sign in to a collection.
    pub(crate) fn is_for(&self, collection: &str) -> bool {
        self.collections.is_empty() || self.collections.iter().any(|name| name == collection)
    }
    pub(crate) fn checks_timestamp(&self) -> bool {
        self.check_timestamp.unwrap_or(true)
    }
}
