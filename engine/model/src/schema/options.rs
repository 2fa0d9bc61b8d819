//! Options of auth collections: tokens, methods, providers and mail templates, with their defaults.
//!
//! Source: spec collections-and-fields §2.3, §2.4 and auth §7. Must not validate (see `validate.rs`).

use serde_json::{Map, Value};

use crate::{
    id, wire,
    wire::{Audience, DecodeError, Shape, Shaped, Wire},
};

wire! {
    /// Secret and life time of one kind of token.
    #[derive(Default)]
    pub struct Token {
        /// Signs together with the record's token key; never shown.
        secret: String = "secret" [Secret],
        /// Seconds.
        duration: i64 = "duration",
    }

    /// A mail.
    #[derive(Default)]
    pub struct Template {
        /// Subject with placeholders.
        subject: String = "subject",
        /// HTML body with placeholders.
        body: String = "body",
    }

    /// Mail about logins from new places.
    #[derive(Default)]
    pub struct AuthAlert {
        /// Whether it is sent.
        enabled: bool = "enabled",
        /// The mail.
        email_template: Template = "emailTemplate",
    }

    /// One configured OAuth2 provider.
    #[derive(Default)]
    pub struct Provider {
        /// Use PKCE; `None` is the provider's default.
        pkce: Option<bool> = "pkce",
        /// Registered name.
        name: String = "name",
        /// Client id.
        client_id: String = "clientId",
        /// Client secret; never shown.
        client_secret: String = "clientSecret" [SecretUnlessBlank],
        /// Empty for the provider's default.
        auth_url: String = "authURL",
        /// Empty for the provider's default.
        token_url: String = "tokenURL",
        /// Empty for the provider's default.
        user_info_url: String = "userInfoURL",
        /// Empty for the provider's default.
        display_name: String = "displayName",
        /// Provider specific settings.
        extra: Map<String, Value> = "extra",
    }

    /// Record fields that take values of the OAuth2 user.
    #[derive(Default)]
    pub struct MappedFields {
        /// Field for the user's id.
        id: String = "id",
        /// Field for the user's name.
        name: String = "name",
        /// Field for the user's nick name.
        username: String = "username",
        /// Field for the user's picture.
        avatar_url: String = "avatarURL",
    }

    /// OAuth2 logins.
    #[derive(Default)]
    pub struct OAuth2 {
        /// The providers, in order.
        providers: Providers = "providers",
        /// Where the user's data goes.
        mapped_fields: MappedFields = "mappedFields",
        /// Whether OAuth2 logins are allowed.
        enabled: bool = "enabled",
    }

    /// Password logins.
    #[derive(Default)]
    pub struct PasswordAuth {
        /// Whether password logins are allowed.
        enabled: bool = "enabled",
        /// Unique fields an identity may be found by.
        identity_fields: Vec<String> = "identityFields",
    }

    /// Second factors.
    #[derive(Default)]
    pub struct Mfa {
        /// Whether a second method is asked for.
        enabled: bool = "enabled",
        /// Seconds between the two.
        duration: i64 = "duration",
        /// Which records need it; empty for all.
        rule: String = "rule",
    }

    /// One-time passwords.
    #[derive(Default)]
    pub struct Otp {
        /// Whether they are allowed.
        enabled: bool = "enabled",
        /// Seconds of validity.
        duration: i64 = "duration",
        /// Digits.
        length: i64 = "length",
        /// The mail.
        email_template: Template = "emailTemplate",
    }

    /// Everything an auth collection has beside a base one.
    #[derive(Default)]
    pub struct AuthOptions {
        /// Who may authenticate; `None` is nobody.
        auth_rule: Option<String> = "authRule",
        /// Who manages the records of others.
        manage_rule: Option<String> = "manageRule",
        /// Login alerts.
        auth_alert: AuthAlert = "authAlert",
        /// OAuth2.
        oauth2: OAuth2 = "oauth2",
        /// Passwords.
        password_auth: PasswordAuth = "passwordAuth",
        /// Second factors.
        mfa: Mfa = "mfa",
        /// One-time passwords.
        otp: Otp = "otp",
        /// Logins.
        auth_token: Token = "authToken",
        /// Password resets.
        password_reset_token: Token = "passwordResetToken",
        /// E-mail changes.
        email_change_token: Token = "emailChangeToken",
        /// E-mail verification.
        verification_token: Token = "verificationToken",
        /// Protected files.
        file_token: Token = "fileToken",
        /// Verification mail.
        verification_template: Template = "verificationTemplate",
        /// Password reset mail.
        reset_password_template: Template = "resetPasswordTemplate",
        /// E-mail change mail.
        confirm_email_change_template: Template = "confirmEmailChangeTemplate",
    }
}

/// The provider list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Providers(Vec<Provider>);

impl std::ops::Deref for Providers {
    type Target = Vec<Provider>;
    fn deref(&self) -> &Vec<Provider> {
        &self.0
    }
}

impl std::ops::DerefMut for Providers {
    fn deref_mut(&mut self) -> &mut Vec<Provider> {
        &mut self.0
    }
}

impl Shaped for Providers {
    const SHAPE: &'static Shape = Vec::<Provider>::SHAPE;
}

impl Wire for Providers {
    /// Lays each object over the present provider of its name, so that a secret that is left out never comes from
    /// another provider (spec upstream-0.40 §2.15).
    fn decode(&mut self, json: &Value) -> Result<(), DecodeError> {
        let present = |item: &Value| {
            let name = item.get("name")?.as_str()?;
            self.0.iter().find(|provider| provider.name == name).cloned()
        };
        self.0 = wire::decode_list(json, |item| present(item).unwrap_or_default())?;
        Ok(())
    }
    fn clear(&mut self) {
        self.0.clear();
    }
    fn encode(&self, out: &mut Vec<u8>, audience: Audience) {
        self.0.encode(out, audience);
    }
}

impl Token {
    /// A token with a fresh secret.
    #[must_use]
    pub fn fresh(duration: i64) -> Self {
        Self { secret: fresh_secret(), duration }
    }
}

/// A fresh token secret: 50 random letters and digits.
#[must_use]
pub fn fresh_secret() -> String {
    id::random(50, id::ALNUM)
}

impl AuthOptions {
    /// The defaults of a new auth collection, with fresh secrets.
    #[must_use]
    pub fn fresh() -> Self {
        Self {
            auth_rule: Some(String::new()),
            manage_rule: None,
            auth_alert: AuthAlert { enabled: true, email_template: auth_alert_template() },
            oauth2: OAuth2::default(),
            password_auth: PasswordAuth { enabled: true, identity_fields: vec!["email".into()] },
            mfa: Mfa { enabled: false, duration: 600, rule: String::new() },
            otp: Otp { enabled: false, duration: 180, length: 8, email_template: otp_template() },
            auth_token: Token::fresh(432_000),
            password_reset_token: Token::fresh(1800),
            email_change_token: Token::fresh(1800),
            verification_token: Token::fresh(86_400),
            file_token: Token::fresh(180),
            verification_template: button_template(
                "Verify your {APP_NAME} email",
                "<p>Thank you for joining us at {APP_NAME}.</p>\n<p>Click on the button below to verify your email address.</p>",
                ("confirm-verification", "Verify"),
                "If you didn't recently register, please ignore this email.",
            ),
            reset_password_template: button_template(
                "Reset your {APP_NAME} password",
                "<p>Click on the button below to reset your password.</p>",
                ("confirm-password-reset", "Reset password"),
                "If you didn't ask to reset your password, please ignore this email.",
            ),
            confirm_email_change_template: button_template(
                "Confirm your {APP_NAME} new email address",
                "<p>Click on the button below to confirm your new email address.</p>",
                ("confirm-email-change", "Confirm new email"),
                "If you didn't ask to change your email address, please ignore this email.",
            ),
        }
    }

    /// The five tokens with their keys, in wire order.
    #[must_use]
    pub fn tokens(&self) -> [(&'static str, &Token); 5] {
        [
            ("authToken", &self.auth_token),
            ("passwordResetToken", &self.password_reset_token),
            ("emailChangeToken", &self.email_change_token),
            ("verificationToken", &self.verification_token),
            ("fileToken", &self.file_token),
        ]
    }
}

fn template(subject: &str, middle: &str) -> Template {
    Template {
        subject: subject.to_owned(),
        body: format!("<p>Hello,</p>\n{middle}\n<p>\n  Thanks,<br/>\n  {{APP_NAME}} team\n</p>"),
    }
}

fn button_template(subject: &str, intro: &str, button: (&str, &str), outro: &str) -> Template {
    let (path, label) = button;
    template(
        subject,
        &format!(
            "{intro}\n<p>\n  <a class=\"btn\" href=\"{{APP_URL}}/_/#/auth/{path}/{{TOKEN}}\" target=\"_blank\" rel=\"noopener\">{label}</a>\n</p>\n<p><i>{outro}</i></p>"
        ),
    )
}

/// The default mail with a one-time password.
#[must_use]
pub fn otp_template() -> Template {
    template(
        "OTP for {APP_NAME}",
        "<p>Your one-time password is: <strong>{OTP}</strong></p>\n<p><i>If you didn't ask for the one-time password, you can ignore this email.</i></p>",
    )
}

const ALERT_WARNING: &str = "<p><strong>If this wasn't you, you should immediately change your {APP_NAME} account password to revoke access from all other locations.</strong></p>";
const ALERT_CALM: &str = "<p>If this was you, you may disregard this email.</p>";

/// The default mail about a login from a new place.
#[must_use]
pub fn auth_alert_template() -> Template {
    template(
        "Login from a new location",
        &format!(
            "<p>We noticed a login to your {{APP_NAME}} account from a new location:</p>\n<p><em>{{ALERT_INFO}}</em></p>\n{ALERT_WARNING}\n{ALERT_CALM}"
        ),
    )
}

/// The same mail before migration `1763020353` (spec §1.8).
#[must_use]
pub fn old_auth_alert_body() -> String {
    template(
        "",
        &format!(
            "<p>We noticed a login to your {{APP_NAME}} account from a new location.</p>\n{ALERT_CALM}\n{ALERT_WARNING}"
        ),
    )
    .body
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Spec upstream-0.40 §2.15: what is left out is taken from the provider of the same name and from no other.
    #[test]
    fn providers_are_laid_over_by_name() {
        let stored = json!([
            {"name":"gitlab","clientId":"gl","clientSecret":"gls","displayName":"GL","pkce":false,"extra":{"a":1}},
            {"name":"google","clientId":"go","clientSecret":"gos","pkce":true},
        ]);
        let show = |provider: &Provider| {
            let Provider { name, client_id, client_secret, display_name, pkce, extra, .. } =
                provider;
            let extra = Value::Object(extra.clone());
            format!("{name} {client_id}/{client_secret} {display_name:?} {pkce:?} {extra}")
        };
        for (sent, want) in [
            (
                json!([{"name":"apple","clientId":"a","clientSecret":"b"},{"name":"google","displayName":"existing","extra":{}}]),
                &[r#"apple a/b "" None {}"#, r#"google go/gos "existing" Some(true) {}"#][..],
            ),
            (json!([{"name":"google","clientId":"new"}]), &[r#"google new/gos "" Some(true) {}"#]),
            (
                json!([{"name":"google"},{"name":"gitlab"}]),
                &[r#"google go/gos "" Some(true) {}"#, r#"gitlab gl/gls "GL" Some(false) {"a":1}"#],
            ),
            (json!([{"name":"apple","clientId":"a"}]), &[r#"apple a/ "" None {}"#]),
            (
                json!([{"name":"gitlab","clientSecret":null}]),
                &[r#"gitlab gl/ "GL" Some(false) {"a":1}"#],
            ),
            (
                json!([{"name":"gitlab","extra":{"z":2}}]),
                &[r#"gitlab gl/gls "GL" Some(false) {"a":1,"z":2}"#],
            ),
            (json!([{"name":"gitlab","extra":null}]), &[r#"gitlab gl/gls "GL" Some(false) {}"#]),
            (json!([{"Name":"gitlab","clientId":"a"}]), &[r#" a/ "" None {}"#]),
            (json!([null]), &[r#" / "" None {}"#]),
            (json!([]), &[]),
            (Value::Null, &[]),
        ] {
            let mut providers = Providers::default();
            providers.decode(&stored).unwrap();
            providers.decode(&sent).unwrap();
            let got: Vec<String> = providers.iter().map(show).collect();
            assert_eq!(got, want, "{sent}");
        }
        assert!(Providers::default().decode(&json!([{"name":1}])).is_err());
    }
}
