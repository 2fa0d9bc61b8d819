//! Which record an OAuth2 user is, and what a login changes on it (spec auth §3.3 steps 5 and 7).
//!
//! The caller opens the transaction and runs the creation itself, with its rule and hooks; here are the steps around it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use dialects::statement::{self, Case, Test};
use http::Request;
use serde_json::{Map, Value};

use crate::{
    Error, Result,
    auth::random_alnum,
    ctx::Ctx,
    field::{RecordCheck, Val, file, password::Password, text},
    files::Upload,
    outbound::{Excess, Limits},
    record::{Draft, Record, RecordRef, Submission, find, refs, save},
    schema::{Loaded, index::find_single_unique, system::EXTERNAL_AUTHS},
};
use ::oauth2::User;

/// Most bytes of an avatar; the rest is cut.
const MAX_AVATAR: usize = 32 << 20;
const AVATAR_TIME: Duration = Duration::from_secs(10);

/// The record behind a user, if there is one.
#[derive(Debug, Default)]
pub struct Located {
    pub record: Option<Record>,
    /// The two are linked already.
    pub is_linked: bool,
}

/// Finds the record: by link, else the caller of this collection, else by the trusted email.
///
/// # Errors
/// [`Error::NotFound`] when the linked record is gone; database errors.
pub async fn locate(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    provider: &str,
    user: &User,
) -> Result<Located> {
    if let Some(link) = link_of(ctx, collection, provider, &user.id).await? {
        let record = find::by_id_or_404(ctx, collection, link.get_str("recordRef")).await?;
        return Ok(Located { record: Some(record), is_linked: true });
    }
    let caller = ctx.caller.record().filter(|record| record.collection().id == collection.id);
    let record = if let Some(caller) = caller {
        find::by_id(ctx, collection, caller.id()).await?
    } else if user.email.is_empty() {
        None
    } else {
        let email = dialects::Value::Text(user.email.as_str().into());
        find::by_value(ctx, collection, "email", email, Case::Sensitive).await?
    };
    Ok(Located { record, is_linked: false })
}

async fn link_of(
    ctx: &Ctx,
    collection: &Loaded,
    provider: &str,
    provider_id: &str,
) -> Result<Option<Record>> {
    let links = ctx.snapshot().find(EXTERNAL_AUTHS).cloned();
    let Some(links) = links.filter(|_| !provider_id.is_empty()) else { return Ok(None) };
    let tests = [
        Test::Is("collectionRef", &collection.id),
        Test::Is("provider", provider),
        Test::Is("providerId", provider_id),
    ];
    let (dialect, newest) = (ctx.app.dialect(), Some("created"));
    let sql = statement::select_where(dialect, &links.name, &links.select, &tests, newest, 1);
    find::one(ctx, &links, sql).await
}

/// Links a record with a user of a service.
///
/// # Errors
/// [`Error::Invalid`] without a provider id or when either is linked otherwise; database errors.
pub async fn link(ctx: &Ctx, record: &RecordRef, provider: &str, provider_id: &str) -> Result<()> {
    let links = ctx.snapshot().find(EXTERNAL_AUTHS).cloned().ok_or(Error::NotFound)?;
    let row = RecordRef::new(&links);
    row.set("collectionRef", record.collection().id.as_str())
        .set("recordRef", record.id())
        .set("provider", provider)
        .set("providerId", provider_id);
    save::save(ctx, &row).await
}

/// A password that nobody knows.
#[derive(Clone)]
pub struct Unknown {
    plain: String,
    hash: String,
}

impl std::fmt::Debug for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unknown")
    }
}

impl Unknown {
    /// Makes and hashes one; before a transaction is open, because it takes long.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub async fn new(ctx: &Ctx, collection: &Loaded) -> Result<Self> {
        let options = collection.field_at("password").and_then(|(_, f)| f.options::<Password>());
        let cost = options.map_or(0, |options| u32::try_from(options.cost).unwrap_or(0));
        let plain = random_alnum(30);
        let hash = ctx.app.hash_password(plain.clone(), cost).await?;
        let hash = hash.map_err(|error| Error::Message(error.to_string()))?;
        Ok(Self { plain, hash })
    }

    /// As a value that passes every check of the field: its rules are for people.
    fn val(&self) -> Val {
        Val::Password { hash: self.hash.clone(), plain: None }
    }
}

/// A new record as it is submitted.
#[derive(Debug)]
pub struct SignUp {
    pub submission: Submission,
    password: Option<Unknown>,
}

/// What the record of a new user is created from; fetches its avatar.
///
/// # Errors
/// [`Error::Message`] for superusers; database errors.
pub async fn sign_up(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    user: &User,
    create_data: &Map<String, Value>,
) -> Result<SignUp> {
    if collection.name == refs::SUPERUSERS {
        return Err(Error::Message("superusers are not allowed to sign-up with OAuth2".into()));
    }
    let mut body = create_data.clone();
    if body.get("email").and_then(Value::as_str).unwrap_or("").is_empty() {
        body.insert("email".into(), user.email.as_str().into());
    }
    let mapped = &collection.auth.oauth2.mapped_fields;
    // what the client sends wins, then what comes first
    let free =
        |target: &str, body: &Map<String, Value>| !target.is_empty() && !body.contains_key(target);
    for (target, value) in [(&mapped.id, &user.id), (&mapped.name, &user.name)] {
        if free(target, &body) {
            body.insert(target.clone(), value.as_str().into());
        }
    }
    if free(&mapped.username, &body)
        && is_assignable(ctx, collection, &mapped.username, &user.username).await?
    {
        body.insert(mapped.username.clone(), user.username.as_str().into());
    }
    let mut submission = Submission::default();
    if free(&mapped.avatar_url, &body) && !user.avatar_url.is_empty() {
        let target = &mapped.avatar_url;
        if collection.field(target).is_some_and(|field| field.type_name() == file::KIND) {
            if let Some(upload) = avatar(ctx, &user.avatar_url).await {
                submission.files.insert(target.clone(), vec![Arc::new(upload)]);
            }
        } else {
            body.insert(target.clone(), user.avatar_url.as_str().into());
        }
    }
    let password = if body.contains_key("password") {
        None
    } else {
        let password = Unknown::new(ctx, collection).await?;
        for key in ["password", "passwordConfirm"] {
            body.insert(key.into(), password.plain.as_str().into());
        }
        Some(password)
    };
    submission.body = body;
    Ok(SignUp { submission, password })
}

impl SignUp {
    /// Replaces a password that we made up by its hash.
    pub fn seal(&self, draft: &mut Draft) {
        let Some(password) = &self.password else { return };
        draft.record.lock().set_val("password", password.val());
        if let Some(form) = &mut draft.form {
            form.password.clone_from(&password.plain);
        }
    }
}

/// True if a username may be taken over: the field accepts it and, if it is unique, nobody has it.
async fn is_assignable(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    target: &str,
    username: &str,
) -> Result<bool> {
    let Some(field) = collection.field(target) else { return Ok(false) };
    if field.type_name() == text::KIND {
        let val = field.kind.normalize(&Value::String(username.to_owned()));
        let facts = RecordCheck { is_new: true, old: None, uploads: &[] };
        if field.check(&val, &facts).is_err() {
            return Ok(false);
        }
    }
    let Some(index) = find_single_unique(&collection.indexes, target) else { return Ok(true) };
    let folds = index.columns.first().is_some_and(|c| c.collate.eq_ignore_ascii_case("nocase"));
    let case = if folds { Case::Ignored } else { Case::Sensitive };
    let value = dialects::Value::Text(username.into());
    Ok(find::by_value(ctx, collection, target, value, case).await?.is_none())
}

/// Fetches an avatar from a public address; failures only mean that there is none.
async fn avatar(ctx: &Ctx, url: &str) -> Option<Upload> {
    let limits = Limits {
        time: AVATAR_TIME,
        max_bytes: MAX_AVATAR,
        excess: Excess::Cut,
        ..Limits::default()
    };
    let request = Request::get(url).body(Bytes::new()).ok()?;
    match ctx.app.outbound().send(request, &limits).await {
        Ok(answer) if answer.status().as_u16() < 400 && !answer.body().is_empty() => {
            let path = url.split(['?', '#']).next().unwrap_or("");
            let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or("");
            Some(Upload::from_bytes(name, answer.into_body()))
        }
        Ok(answer) => {
            tracing::warn!(status = answer.status().as_u16(), "failed to fetch an OAuth2 avatar");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "failed to fetch an OAuth2 avatar");
            None
        }
    }
}

/// A record that was just created: its address is the service's, so it is verified.
///
/// # Errors
/// Database errors; what hooks report.
pub async fn settle_new(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    id: &str,
    user: &User,
) -> Result<RecordRef> {
    let record = RecordRef::from(find::by_id_or_404(ctx, collection, id).await?);
    let is_theirs = {
        let record = record.lock();
        record.email() == user.email && !record.verified()
    };
    if is_theirs {
        record.set("verified", true);
        save::save(ctx, &record).await?;
    }
    Ok(record)
}

/// A record that was there before. Whoever made it without proving its address loses password, sessions and links
/// (`password` is for that case); gives true if the links are gone.
///
/// # Errors
/// [`Error::Invalid`]; database errors; what hooks report.
pub async fn settle_old(
    ctx: &Ctx,
    record: &RecordRef,
    user: &User,
    password: Option<Unknown>,
) -> Result<bool> {
    let is_unverified = !record.lock().verified();
    if is_unverified {
        refs::delete_refs(ctx, EXTERNAL_AUTHS, record).await?;
    }
    let must_save = {
        let mut record = record.lock();
        let mut must_save = false;
        if let Some(password) = password.filter(|_| is_unverified) {
            record.set_val("password", password.val());
            save::rotate_token_key(&mut record);
            must_save = true;
        }
        if record.email().is_empty() && !user.email.is_empty() {
            record.set("email", user.email.as_str());
            must_save = true;
        }
        if is_unverified && (record.email().is_empty() || record.email() == user.email) {
            record.set("verified", true);
            must_save = true;
        }
        must_save
    };
    if must_save {
        save::save(ctx, record).await?;
    }
    Ok(is_unverified)
}
