//! The settings object: defaults, JSON, merging, validation, storage.
//!
//! Key order and rules are those of spec server-settings-operations §3 and collections-and-fields §1.6. Must not
//! apply the settings; that is the work of whoever is told that they changed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    check::{self, Check, pattern},
    crypto,
    error::{FieldError, FieldErrors},
    store::{self, Db, Dialect, Job, system},
    wire,
    wire::{Audience, DecodeError, Wire},
};
use primitives::future::BoxFutureRef;

/// Id of the row in `_params`.
pub const PARAMS_ID: &str = "settings";

wire! {
    /// Outgoing mail.
    pub struct Smtp {
        /// Use SMTP instead of sendmail.
        enabled: bool = "enabled",
        /// TCP port.
        port: i64 = "port",
        /// DNS name or address.
        host: String = "host",
        /// User name.
        username: String = "username",
        /// Password; never shown.
        password: String = "password" [Secret],
        /// `PLAIN`, `LOGIN` or empty.
        auth_method: String = "authMethod",
        /// Implicit TLS.
        tls: bool = "tls",
        /// Name given in EHLO.
        local_name: String = "localName",
    }

    /// An S3 bucket.
    #[derive(Default)]
    pub struct S3 {
        /// Use it instead of the local disk.
        enabled: bool = "enabled",
        /// Bucket name.
        bucket: String = "bucket",
        /// Region.
        region: String = "region",
        /// URL of the service.
        endpoint: String = "endpoint",
        /// Access key.
        access_key: String = "accessKey",
        /// Secret; never shown.
        secret: String = "secret" [SecretUnlessBlank],
        /// Bucket in the path instead of the host.
        force_path_style: bool = "forcePathStyle",
    }

    /// Backups.
    pub struct Backups {
        /// When to make one; empty for never.
        cron: String = "cron",
        /// Number of automatic backups to keep.
        cron_max_keep: i64 = "cronMaxKeep",
        /// Where they are kept.
        s3: S3 = "s3",
    }

    /// Names and addresses.
    pub struct Meta {
        /// Color of the dashboard.
        accent_color: String = "accentColor",
        /// Application name.
        app_name: String = "appName",
        /// Public URL.
        app_url: String = "appURL",
        /// Sender of mails.
        sender_name: String = "senderName",
        /// Address of the sender.
        sender_address: String = "senderAddress",
        /// The dashboard hides schema controls.
        hide_controls: bool = "hideControls",
    }

    /// One rate limit.
    #[derive(Default)]
    pub struct RateLimitRule {
        /// What it applies to.
        label: String = "label",
        /// `""`, `@guest` or `@auth`.
        audience: String = "audience",
        /// Seconds.
        duration: i64 = "duration",
        /// Requests in that time.
        max_requests: i64 = "maxRequests",
    }

    /// Rate limits.
    pub struct RateLimits {
        /// The rules.
        rules: Vec<RateLimitRule> = "rules",
        /// Addresses without limits.
        excluded_ips: Vec<String> = "excludedIPs",
        /// Whether they are enforced.
        enabled: bool = "enabled",
    }

    /// Where the client's address is found behind a proxy.
    #[derive(Default)]
    pub struct TrustedProxy {
        /// Headers to look at, in order.
        headers: Vec<String> = "headers",
        /// Take the first address of a list instead of the last.
        use_leftmost_ip: bool = "useLeftmostIP",
    }

    /// The batch API.
    pub struct Batch {
        /// Whether it may be used.
        enabled: bool = "enabled",
        /// Requests per batch.
        max_requests: i64 = "maxRequests",
        /// Seconds.
        timeout: i64 = "timeout",
        /// Bytes, 0 for the default.
        max_body_size: i64 = "maxBodySize",
    }

    /// The activity log.
    pub struct Logs {
        /// Bytes of a line's data, 0 for the default.
        max_data_size: i64 = "maxDataSize",
        /// Days to keep, 0 for none at all.
        max_days: i64 = "maxDays",
        /// Least level.
        min_level: i64 = "minLevel",
        /// Whether addresses are written.
        log_ip: bool = "logIP",
        /// Whether the caller's id is written.
        log_auth_id: bool = "logAuthId",
    }

    /// All settings.
    pub struct Settings {
        /// Addresses superusers may come from; empty for all.
        superuser_ips: Vec<String> = "superuserIPs",
        /// Outgoing mail.
        smtp: Smtp = "smtp",
        /// Backups.
        backups: Backups = "backups",
        /// Storage of record files.
        s3: S3 = "s3",
        /// Names and addresses.
        meta: Meta = "meta",
        /// Rate limits.
        rate_limits: RateLimits = "rateLimits",
        /// Proxies.
        trusted_proxy: TrustedProxy = "trustedProxy",
        /// The batch API.
        batch: Batch = "batch",
        /// The activity log.
        logs: Logs = "logs",
    }
}

impl RateLimitRule {
    fn new(label: &str, max_requests: i64, duration: i64) -> Self {
        Self { label: label.into(), audience: String::new(), duration, max_requests }
    }
}

impl Default for Settings {
    /// The settings of a fresh installation.
    fn default() -> Self {
        Self {
            superuser_ips: Vec::new(),
            smtp: Smtp {
                enabled: false,
                port: 587,
                host: "smtp.example.com".into(),
                username: String::new(),
                password: String::new(),
                auth_method: String::new(),
                tls: false,
                local_name: String::new(),
            },
            backups: Backups { cron: String::new(), cron_max_keep: 3, s3: S3::default() },
            s3: S3::default(),
            meta: Meta {
                accent_color: "#1055c9".into(),
                app_name: "Acme".into(),
                app_url: "http://localhost:8090".into(),
                sender_name: "Support".into(),
                sender_address: "support@example.com".into(),
                hide_controls: false,
            },
            rate_limits: RateLimits {
                rules: vec![
                    RateLimitRule::new("*:auth", 2, 3),
                    RateLimitRule::new("*:create", 20, 5),
                    RateLimitRule::new("/api/batch", 3, 1),
                    RateLimitRule::new("/api/", 300, 10),
                ],
                excluded_ips: Vec::new(),
                enabled: false,
            },
            trusted_proxy: TrustedProxy::default(),
            batch: Batch { enabled: false, max_requests: 50, timeout: 3, max_body_size: 0 },
            logs: Logs {
                max_data_size: 0,
                max_days: 5,
                min_level: 0,
                log_ip: true,
                log_auth_id: false,
            },
        }
    }
}

/// Why settings could not be read; fatal at start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Neither JSON nor decryptable without a key.
    #[error("invalid settings db data or missing encryption key {0:?}")]
    MissingKey(String),
    /// The key does not fit.
    #[error("{0}")]
    Crypto(#[from] crypto::Error),
    /// Decrypted, but not a settings object.
    #[error("invalid settings: {0}")]
    Decode(String),
    /// What the database says.
    #[error("{0}")]
    Store(#[from] store::Error),
}

/// How settings are encrypted at rest.
#[derive(Clone, Default)]
pub struct Key {
    /// Name of the environment variable, for messages.
    pub env_name: String,
    /// Its value; empty for no encryption.
    pub secret: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("env_name", &self.env_name).finish_non_exhaustive()
    }
}

impl Settings {
    /// The JSON clients see: without secrets.
    #[must_use]
    pub fn to_json(&self) -> String {
        wire::to_string(self, Audience::Api)
    }

    /// The JSON the database keeps.
    #[must_use]
    pub fn to_db_json(&self) -> String {
        wire::to_string(self, Audience::Db)
    }

    /// Merges a PATCH body (spec §3.3): objects deeply, lists replaced. Names match exactly; bodies of clients are
    /// [folded](wire::fold) before.
    ///
    /// # Errors
    /// When a JSON type does not fit; the whole body is rejected.
    pub fn merge(&mut self, body: &Value) -> Result<(), DecodeError> {
        if body.is_object() { self.decode(body) } else { Err(DecodeError::new("object")) }
    }

    /// Moves rate limits of a renamed collection to its new name. True if there were any.
    pub fn rename_labels(&mut self, old: &str, new: &str) -> bool {
        let prefix = format!("{old}:");
        let mut changed = false;
        for rule in &mut self.rate_limits.rules {
            if let Some(action) = rule.label.strip_prefix(&prefix) {
                rule.label = format!("{new}:{action}");
                changed = true;
            }
        }
        changed
    }

    /// Reads the stored settings over `current`: keys missing from the database keep their value in memory.
    /// `None` when there is no row.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(db: &Db, current: &Self, key: &Key) -> Result<Option<Self>, LoadError> {
        Self::raw(db).await?.map(|raw| current.read(&raw, key)).transpose()
    }

    /// The stored text, which may be encrypted.
    ///
    /// # Errors
    /// Database errors.
    pub fn raw(db: &Db) -> BoxFutureRef<'_, store::Result<Option<String>>> {
        Box::pin(async move {
            db.query(system::params_value(db.dialect(), PARAMS_ID), |rows| {
                rows.next().map(|row| row.map(|r| crate::field::cell_text(r.get(0)).into_owned()))
            })
            .await?
        })
    }

    /// What a stored text says over these settings.
    ///
    /// # Errors
    /// When it cannot be decrypted or decoded.
    pub fn read(&self, raw: &str, key: &Key) -> Result<Self, LoadError> {
        let mut settings = self.clone();
        let json = match serde_json::from_str::<Value>(raw) {
            Ok(json) => json,
            Err(_) if key.secret.is_empty() => {
                return Err(LoadError::MissingKey(key.env_name.clone()));
            }
            Err(_) => serde_json::from_slice(&crypto::decrypt(raw, &key.secret)?)
                .map_err(|e| LoadError::Decode(e.to_string()))?,
        };
        settings.decode(&json).map_err(|e| LoadError::Decode(e.to_string()))?;
        Ok(settings)
    }

    /// The write that stores the settings: plain as BLOB, encrypted as TEXT.
    ///
    /// # Errors
    /// For keys of a wrong length.
    pub fn save_job(&self, dialect: Dialect, key: &Key) -> Result<Job, crypto::Error> {
        let json = self.to_db_json();
        let now = crate::time::to_text(Some(crate::time::now()));
        let sql = if key.secret.is_empty() {
            system::save_params_plain(dialect, PARAMS_ID, &json, &now)
        } else {
            let text = crypto::encrypt(json.as_bytes(), &key.secret)?;
            system::save_params_text(dialect, PARAMS_ID, &text, &now)
        };
        Ok(Job::from(sql))
    }

    /// Validates everything; `cron` parses a cron expression.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] with all findings.
    pub fn validate(&self, cron: &dyn Fn(&str) -> Result<(), String>) -> crate::Result<()> {
        let mut errors = Findings::default();
        ip_list(&self.superuser_ips, &["superuserIPs"], &mut errors);
        self.meta.validate(&mut errors);
        self.logs.validate(&mut errors);
        self.smtp.validate(&mut errors);
        self.s3.validate(&["s3"], &mut errors);
        self.backups.validate(cron, &mut errors);
        self.batch.validate(&mut errors);
        self.rate_limits.validate(&mut errors);
        errors.0.into_result()
    }
}

/// Errors at paths.
#[derive(Default)]
struct Findings(FieldErrors);

impl Findings {
    fn put(&mut self, path: &[&str], check: Check) {
        if let Some(error) = check {
            self.0.set_at(path, error);
        }
    }
}

fn ip_list(list: &[String], path: &[&str], errors: &mut Findings) {
    for (index, ip) in list.iter().enumerate() {
        let index = index.to_string();
        let path: Vec<&str> = path.iter().copied().chain([index.as_str()]).collect();
        errors.put(&path, check::required(ip.is_empty()).or_else(|| check::ip_or_subnet(ip)));
    }
}

fn required_name(text: &str) -> Check {
    check::required(text.is_empty()).or_else(|| check::length(text, 1, 255))
}

impl Meta {
    fn validate(&self, errors: &mut Findings) {
        let color = check::length(&self.accent_color, 7, 7)
            .or_else(|| check::hex_color(&self.accent_color));
        errors.put(&["meta", "accentColor"], color);
        errors.put(&["meta", "appName"], required_name(&self.app_name));
        let url = check::required(self.app_url.is_empty()).or_else(|| check::url(&self.app_url));
        errors.put(&["meta", "appURL"], url);
        errors.put(&["meta", "senderName"], required_name(&self.sender_name));
        let address = check::required(self.sender_address.is_empty())
            .or_else(|| check::email(&self.sender_address));
        errors.put(&["meta", "senderAddress"], address);
    }
}

impl Logs {
    fn validate(&self, errors: &mut Findings) {
        let size = check::range(self.max_data_size, 0, check::MAX_SAFE);
        errors.put(&["logs", "maxDataSize"], size);
        errors.put(&["logs", "maxDays"], check::range(self.max_days, 0, check::MAX_SAFE));
        errors.put(&["logs", "minLevel"], check::max(self.min_level, check::MAX_SAFE));
    }
}

impl Smtp {
    fn validate(&self, errors: &mut Findings) {
        let host = check::required(self.enabled && self.host.is_empty())
            .or_else(|| check::host(&self.host));
        errors.put(&["smtp", "host"], host);
        let port =
            check::required(self.enabled && self.port == 0).or_else(|| check::min(self.port, 0));
        errors.put(&["smtp", "port"], port);
        errors.put(&["smtp", "authMethod"], check::one_of(&self.auth_method, &["PLAIN", "LOGIN"]));
        errors.put(&["smtp", "localName"], check::host(&self.local_name));
    }
}

impl S3 {
    fn validate(&self, at: &[&str], errors: &mut Findings) {
        let mut put = |key: &'static str, check: Check| {
            let path: Vec<&str> = at.iter().copied().chain([key]).collect();
            errors.put(&path, check);
        };
        let needed = |text: &str| check::required(self.enabled && text.is_empty());
        put("endpoint", needed(&self.endpoint).or_else(|| check::url(&self.endpoint)));
        put("bucket", needed(&self.bucket));
        put("region", needed(&self.region));
        put("accessKey", needed(&self.access_key));
        put("secret", needed(&self.secret));
    }
}

impl Backups {
    fn validate(&self, cron: &dyn Fn(&str) -> Result<(), String>, errors: &mut Findings) {
        self.s3.validate(&["backups", "s3"], errors);
        if self.cron.is_empty() {
            errors.put(&["backups", "cronMaxKeep"], check::min(self.cron_max_keep, 1));
            return;
        }
        if let Err(message) = cron(&self.cron) {
            let error = FieldError::new("validation_invalid_cron", message);
            errors.put(&["backups", "cron"], Some(error));
        }
        let keep =
            check::required(self.cron_max_keep == 0).or_else(|| check::min(self.cron_max_keep, 1));
        errors.put(&["backups", "cronMaxKeep"], keep);
    }
}

impl Batch {
    fn validate(&self, errors: &mut Findings) {
        for (key, value) in [("maxRequests", self.max_requests), ("timeout", self.timeout)] {
            let check =
                check::required(self.enabled && value == 0).or_else(|| check::min(value, 0));
            errors.put(&["batch", key], check);
        }
        errors.put(&["batch", "maxBodySize"], check::min(self.max_body_size, 0));
    }
}

impl RateLimits {
    fn validate(&self, errors: &mut Findings) {
        ip_list(&self.excluded_ips, &["rateLimits", "excludedIPs"], errors);
        if let Some(error) = check::required(self.enabled && self.rules.is_empty()) {
            return errors.put(&["rateLimits", "rules"], Some(error));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let index = index.to_string();
            for (key, check) in rule.findings() {
                errors.put(&["rateLimits", "rules", &index, key], check);
            }
        }
        if !self.rules.iter().all(RateLimitRule::is_valid) {
            return;
        }
        if let Some((index, rule)) = self.first_conflict() {
            let message = format!(
                "Rate limit rule configuration with label {} already exists or conflicts with another rule.",
                rule.label
            );
            let error = FieldError::new("validation_conflicting_rate_limit_rule", message)
                .param("label", rule.label.as_str());
            errors.put(&["rateLimits", "rules", &index.to_string(), "label"], Some(error));
        }
    }

    /// The first rule whose label and audience overlap with an earlier one's.
    fn first_conflict(&self) -> Option<(usize, &RateLimitRule)> {
        let mut seen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let audiences = seen.entry(&rule.label).or_default();
            let clash = |a: &&str| a.is_empty() || rule.audience.is_empty() || **a == rule.audience;
            if audiences.iter().any(clash) {
                return Some((index, rule));
            }
            audiences.push(&rule.audience);
        }
        None
    }
}

impl RateLimitRule {
    fn findings(&self) -> [(&'static str, Check); 4] {
        let label_rule = pattern!(
            r"^([0-9A-Za-z_]+ /[0-9A-Za-z_/-]*|/[0-9A-Za-z_/-]*|[0-9A-Za-z_]+:[0-9A-Za-z_]+|\*:[0-9A-Za-z_]+|[0-9A-Za-z_]+)$"
        );
        let positive = |value: i64| check::required(value == 0).or_else(|| check::min(value, 1));
        let label = check::required(self.label.is_empty())
            .or_else(|| check::matches(&self.label, label_rule));
        [
            ("label", label),
            ("audience", check::one_of(&self.audience, &["@guest", "@auth"])),
            ("duration", positive(self.duration)),
            ("maxRequests", positive(self.max_requests)),
        ]
    }

    fn is_valid(&self) -> bool {
        self.findings().iter().all(|(_, check)| check.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FRESH: &str = r##"{"superuserIPs":[],"smtp":{"enabled":false,"port":587,"host":"smtp.example.com","username":"","authMethod":"","tls":false,"localName":""},"backups":{"cron":"","cronMaxKeep":3,"s3":{"enabled":false,"bucket":"","region":"","endpoint":"","accessKey":"","forcePathStyle":false}},"s3":{"enabled":false,"bucket":"","region":"","endpoint":"","accessKey":"","forcePathStyle":false},"meta":{"accentColor":"#1055c9","appName":"Acme","appURL":"http://localhost:8090","senderName":"Support","senderAddress":"support@example.com","hideControls":false},"rateLimits":{"rules":[{"label":"*:auth","audience":"","duration":3,"maxRequests":2},{"label":"*:create","audience":"","duration":5,"maxRequests":20},{"label":"/api/batch","audience":"","duration":1,"maxRequests":3},{"label":"/api/","audience":"","duration":10,"maxRequests":300}],"excludedIPs":[],"enabled":false},"trustedProxy":{"headers":[],"useLeftmostIP":false},"batch":{"enabled":false,"maxRequests":50,"timeout":3,"maxBodySize":0},"logs":{"maxDataSize":0,"maxDays":5,"minLevel":0,"logIP":true,"logAuthId":false}}"##;

    fn errors(patch: &Value) -> String {
        let mut settings = Settings::default();
        settings.merge(patch).unwrap();
        fn flat(errors: &FieldErrors, path: &str) -> Vec<String> {
            let mut out = Vec::new();
            for (key, error) in &errors.0 {
                let path = format!("{path}{key}");
                match error {
                    FieldError::Item { code, .. } => out.push(format!("{path}={code}")),
                    FieldError::Nested(inner) => out.extend(flat(inner, &format!("{path}."))),
                    FieldError::Other(text) => out.push(format!("{path}:{text}")),
                }
            }
            out
        }
        match settings.validate(&|_| Err("bad cron".into())) {
            Err(crate::Error::Invalid(errors)) => flat(&errors, "").join(" "),
            _ => String::new(),
        }
    }

    #[test]
    fn fresh_defaults() {
        assert_eq!(Settings::default().to_json(), FRESH);
        assert!(Settings::default().validate(&|_| Ok(())).is_ok());
    }

    #[test]
    fn patches_merge() {
        let mut settings = Settings::default();
        settings
            .merge(&json!({"meta":{"appName":"x"},"smtp":{"password":"p"},"s3":{"secret":"q"},"logs":null,
                "rateLimits":{"rules":[{"label":"users:auth"}],"excludedIPs":null},"nope":1,"META":{"appName":"y"}}))
            .unwrap();
        assert_eq!(settings.meta.app_name, "x");
        assert_eq!(settings.rate_limits.rules, [RateLimitRule::new("users:auth", 0, 0)]);
        assert!(settings.logs.max_days == 0 && !settings.logs.log_ip);
        assert!(!settings.to_json().contains("password") && !settings.to_json().contains("secret"));
        assert!(settings.to_db_json().contains(r#""password":"p""#));
        assert!(settings.to_db_json().contains(r#""secret":"q""#));
        assert!(settings.rename_labels("users", "people"));
        assert_eq!(settings.rate_limits.rules[0].label, "people:auth");
        for bad in
            [json!([]), json!({"smtp":1}), json!({"smtp":{"port":"1"}}), json!({"superuserIPs":{}})]
        {
            assert!(settings.merge(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn validation() {
        for (patch, want) in [
            (json!({}), ""),
            (json!({"meta":{"appName":""}}), "meta.appName=validation_required"),
            (
                json!({"meta":null}),
                "meta.appName=validation_required meta.appURL=validation_required meta.senderAddress=validation_required meta.senderName=validation_required",
            ),
            (
                json!({"logs":null,"rateLimits":null,"trustedProxy":null,"batch":null,"backups":null,"smtp":null}),
                "",
            ),
            (
                json!({"rateLimits":{"rules":[null,{"label":"*:auth"}]}}),
                "rateLimits.rules.0.duration=validation_required rateLimits.rules.0.label=validation_required rateLimits.rules.0.maxRequests=validation_required rateLimits.rules.1.duration=validation_required rateLimits.rules.1.maxRequests=validation_required",
            ),
            (json!({"meta":{"appURL":"localhost"}}), "meta.appURL=validation_is_url"),
            (json!({"meta":{"accentColor":"#123"}}), "meta.accentColor=validation_length_invalid"),
            (
                json!({"superuserIPs":["x",""]}),
                "superuserIPs.0=validation_invlaid_ip_or_subnet superuserIPs.1=validation_required",
            ),
            (
                json!({"backups":{"cron":"x","cronMaxKeep":0}}),
                "backups.cron=validation_invalid_cron backups.cronMaxKeep=validation_required",
            ),
            (
                json!({"batch":{"enabled":true,"maxRequests":0}}),
                "batch.maxRequests=validation_required",
            ),
            (
                json!({"logs":{"maxDays":-1}}),
                "logs.maxDays=validation_min_greater_equal_than_required",
            ),
            (
                json!({"smtp":{"authMethod":"X","host":"a:1"}}),
                "smtp.authMethod=validation_in_invalid smtp.host=validation_is_host",
            ),
            (
                json!({"rateLimits":{"enabled":true,"rules":[]}}),
                "rateLimits.rules=validation_required",
            ),
            (
                json!({"rateLimits":{"rules":[{"label":"a.b","duration":1,"maxRequests":1}]}}),
                "rateLimits.rules.0.label=validation_match_invalid",
            ),
            (
                json!({"rateLimits":{"rules":[{"label":"a","audience":"@guest","duration":1,"maxRequests":1},{"label":"a","audience":"@auth","duration":1,"maxRequests":1},{"label":"a","audience":"@auth","duration":1,"maxRequests":1}]}}),
                "rateLimits.rules.2.label=validation_conflicting_rate_limit_rule",
            ),
        ] {
            assert_eq!(errors(&patch), want, "{patch}");
        }
    }

    #[test]
    fn encryption_and_plain() {
        let key =
            Key { env_name: "PB_KEY".into(), secret: "0123456789abcdef0123456789abcdef".into() };
        let settings = Settings::default();
        let text = crypto::encrypt(settings.to_db_json().as_bytes(), &key.secret).unwrap();
        assert_eq!(settings.read(&text, &key).unwrap(), settings);
        assert_eq!(settings.read("{}", &key).unwrap(), settings);
        assert_eq!(
            settings
                .read(&text, &Key { env_name: "PB_KEY".into(), ..Key::default() })
                .unwrap_err()
                .to_string(),
            "invalid settings db data or missing encryption key \"PB_KEY\""
        );
    }
}
