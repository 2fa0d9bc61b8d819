//! Tokens of records: which secret signs them, how long they hold (spec auth.md §1). Whose token a text is, `auth` finds.

use primitives::{
    time::now_seconds,
    token::{self, Claims, TokenType},
};
use serde_json::{Map, Value};

use crate::{
    Result,
    app::record::Record,
    schema::{Collection, options::Token},
};

/// Secret and duration of one kind of token.
#[must_use]
pub fn token_options(collection: &Collection, kind: TokenType) -> &Token {
    let auth = &collection.auth;
    match kind {
        TokenType::Auth => &auth.auth_token,
        TokenType::File => &auth.file_token,
        TokenType::Verification => &auth.verification_token,
        TokenType::PasswordReset => &auth.password_reset_token,
        TokenType::EmailChange => &auth.email_change_token,
    }
}

pub(crate) fn signing_key(record: &Record, kind: TokenType) -> Vec<u8> {
    let secret = &token_options(record.collection(), kind).secret;
    [record.token_key().as_bytes(), secret.as_bytes()].concat()
}

/// Makes a token of a record. `duration` 0 is the collection's; `extra` are further claims.
///
/// # Errors
/// [`crate::Error::Message`] without a signing key.
pub fn new_token(
    record: &Record,
    kind: TokenType,
    duration: i64,
    extra: &[(&str, Value)],
) -> Result<String> {
    let options = token_options(record.collection(), kind);
    let key = signing_key(record, kind);
    if key.is_empty() {
        return Err(crate::Error::Message("missing or invalid signing key".into()));
    }
    let duration = if duration > 0 { duration } else { options.duration };
    let mut claims = Map::new();
    claims.insert("id".into(), record.id().into());
    claims.insert("collectionId".into(), record.collection().id.clone().into());
    claims.insert("type".into(), kind.name().into());
    #[allow(clippy::cast_possible_truncation)]
    claims.insert("exp".into(), (now_seconds() as i64).saturating_add(duration).into());
    for (name, value) in extra {
        claims.insert((*name).to_owned(), value.clone());
    }
    token::sign(&Claims(claims), &key).map_err(|e| crate::Error::Message(e.to_string()))
}

/// A token for the `Authorization` header. Static ones (impersonation, installer) are not refreshable.
///
/// # Errors
/// As [`new_token`].
pub fn new_auth_token(record: &Record, duration: i64, refreshable: bool) -> Result<String> {
    new_token(record, TokenType::Auth, duration, &[("refreshable", refreshable.into())])
}
