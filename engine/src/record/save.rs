//! Creating and updating records, in the reference's order (spec server-settings §8.2, records-files §1.9, §1.10).
//!
//! Without a bound hook no event, boxed future or interactive transaction is made: checks, then one write job.

use std::sync::{Arc, atomic::Ordering};

use dialects::{
    Dialect, names,
    statement::{self, Case},
};
use serde_json::Value;

use super::{
    Record, RecordRef,
    auth_form::{Access, AuthForm, Facts},
    body::{self, Submission},
    chain, enrich, find, modify, refs, storable, unread,
};
use crate::{
    Error, FieldError, FieldErrors, Result,
    app::{
        Write,
        life::{self, Phase},
        record::{Modification, Recheck},
    },
    ctx::{Ctx, Outcome, Writes},
    event::Action,
    field::{DbCheck, Fill, Modifier, Moment, RecordCheck, Val, password::Password},
    files::Upload,
    hook::BoxFutureRef,
    rule,
    schema::{
        Loaded,
        index::{self, Index},
    },
    sealed,
    store::{self, Job},
};

/// A submitted record that passed its rule; [`Draft::commit`] validates and saves it.
#[derive(Debug)]
pub struct Draft {
    /// The record with the submitted data loaded; request hooks may change it.
    pub record: RecordRef,
    /// What the submitter may do.
    pub access: Access,
    /// `passwordConfirm` and `oldPassword` of auth collections.
    pub form: Option<AuthForm>,
}

/// Decodes and checks a creation up to the request hook.
///
/// # Errors
/// [`Error::Refused`] when the create rule does not let it through; database errors.
pub async fn prepare_create(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    submission: &Submission,
) -> Result<Draft> {
    let superuser = ctx.caller.is_superuser();
    let Some(create_rule) = rule_for(superuser, collection.create_rule.as_deref()) else {
        return Err(Error::Refused { locked: true });
    };
    let mut record = Record::new(collection);
    record.recheck.begin(ctx);
    let prepared = body::prepare(&record, submission, superuser);
    prepared.load(&mut record);
    if !superuser && has_unhashable(&record) {
        // The reference serializes the would-be row for its rule even if that is empty, and fails there.
        return Err(Error::Refused { locked: false });
    }
    let mut access = if superuser { Access::Superuser } else { Access::Default };
    let manage_rule = manage_rule(ctx, collection);
    if !create_rule.is_empty() || manage_rule.is_some() {
        let ctx = with_body(ctx, prepared.request_body(collection));
        if !create_rule.is_empty() {
            let verdict = rule::judge_draft(&ctx, collection, create_rule, &record).await?;
            if !verdict.matches {
                return Err(Error::Refused { locked: false });
            }
            if let Some(asked) = verdict.asked {
                record.recheck.statement(asked);
            }
        }
        if let Some(manage) = manage_rule
            && let Ok(verdict) = rule::judge_draft(&ctx, collection, manage, &record).await
            && verdict.matches
        {
            access = Access::Manager;
        }
    }
    unread::note(&ctx.app, collection, submission, &prepared);
    Ok(Draft { form: form_of(collection, &prepared), record: record.into(), access })
}

/// Decodes and checks an update up to the request hook.
///
/// # Errors
/// [`Error::Refused`] when the rule is locked, [`Error::NotFound`] when the row is missing or refused; database errors.
pub async fn prepare_update(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    id: &str,
    submission: &Submission,
) -> Result<Draft> {
    let superuser = ctx.caller.is_superuser();
    let Some(update_rule) = rule_for(superuser, collection.update_rule.as_deref()) else {
        return Err(Error::Refused { locked: true });
    };
    let mut recheck = Recheck::default();
    recheck.begin(ctx);
    let mut record = find::by_id_or_404(ctx, collection, id).await?;
    record.recheck = recheck;
    let prepared = body::prepare(&record, submission, superuser);
    let mut access = if superuser { Access::Superuser } else { Access::Default };
    let manage_rule = manage_rule(ctx, collection);
    if !update_rule.is_empty() || manage_rule.is_some() {
        let ctx = with_body(ctx, prepared.request_body(collection));
        if !update_rule.is_empty() {
            if !Error::false_unless_outage(rule::row_matches(&ctx, update_rule, &record).await)? {
                return Err(Error::NotFound);
            }
            record.recheck.rule(&ctx, update_rule);
        }
        if let Some(manage) = manage_rule
            && rule::row_matches(&ctx, manage, &record).await.unwrap_or(false)
        {
            access = Access::Manager;
        }
    }
    prepared.load(&mut record);
    unread::note(&ctx.app, collection, submission, &prepared);
    Ok(Draft { form: form_of(collection, &prepared), record: record.into(), access })
}

fn has_unhashable(record: &Record) -> bool {
    let too_long = |plain: &String| plain.len() > primitives::password::MAX_BYTES;
    record
        .values()
        .iter()
        .any(|v| matches!(v, Val::Password { plain: Some(plain), .. } if too_long(plain)))
}

fn rule_for(superuser: bool, rule: Option<&str>) -> Option<&str> {
    if superuser { Some("") } else { rule }
}

fn manage_rule<'c>(ctx: &Ctx, collection: &'c Loaded) -> Option<&'c str> {
    let asks = !ctx.caller.is_superuser() && ctx.caller.record().is_some();
    enrich::manage_rule_of(collection).filter(|_| asks)
}

fn with_body(
    ctx: &Ctx,
    body: std::collections::BTreeMap<String, filter_lang::scope::Datum>,
) -> Ctx {
    match &ctx.request {
        Some(request) => ctx.with_request(request.with_body(body)),
        None => ctx.clone(),
    }
}

fn form_of(collection: &Loaded, prepared: &body::Prepared) -> Option<AuthForm> {
    collection.is_auth().then(|| AuthForm {
        password: String::new(),
        confirm: prepared.form_text("passwordConfirm"),
        old: prepared.form_text("oldPassword"),
    })
}

/// Creates a record from a submission, without request hooks.
///
/// # Errors
/// As [`prepare_create`] and [`Draft::commit`].
pub async fn create(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    submission: &Submission,
) -> Result<RecordRef> {
    let draft = prepare_create(ctx, collection, submission).await?;
    draft.commit(ctx).await?;
    Ok(draft.record)
}

/// Updates a record from a submission, without request hooks.
///
/// # Errors
/// As [`prepare_update`] and [`Draft::commit`].
pub async fn update(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    id: &str,
    submission: &Submission,
) -> Result<RecordRef> {
    let draft = prepare_update(ctx, collection, id, submission).await?;
    draft.commit(ctx).await?;
    Ok(draft.record)
}

impl Draft {
    /// Checks the auth form, then validates and saves.
    ///
    /// # Errors
    /// [`Error::Invalid`] with field errors; what hooks report; database errors.
    pub async fn commit(&self, ctx: &Ctx) -> Result<()> {
        if let Some(form) = &self.form {
            self.check_form(ctx, form).await?;
        }
        save(ctx, &self.record).await
    }

    /// What [`Draft::commit`] checks before it writes, without hooks.
    ///
    /// # Errors
    /// [`Error::Invalid`] with field errors; database errors.
    pub(crate) async fn check(&self, ctx: &Ctx) -> Result<()> {
        if let Some(form) = &self.form {
            self.check_form(ctx, form).await?;
        }
        validate_fields(ctx, &self.record).await
    }

    async fn check_form(&self, ctx: &Ctx, form: &AuthForm) -> Result<()> {
        let record = self.record.snapshot();
        let mut form = form.clone();
        if let Some(Val::Password { plain: Some(plain), .. }) = record.get("password") {
            form.password.clone_from(plain);
        }
        let mut old_matches = false;
        if form.needs_old(record.is_new(), self.access) && !form.old.is_empty() {
            let hash = match record.original("password") {
                Some(Val::Password { hash, .. }) => hash.clone(),
                _ => String::new(),
            };
            old_matches = ctx.app.verify_password(form.old.clone(), hash).await?;
        }
        let original = |name: &str| record.original(name);
        let facts = Facts {
            is_new: record.is_new(),
            access: self.access,
            email: (record.email(), original("email").map_or("", Val::as_str)),
            verified: (record.verified(), matches!(original("verified"), Some(Val::Bool(true)))),
            old_matches,
        };
        form.check(&facts).into_result()
    }
}

/// Validates and saves a record, with all hooks.
///
/// # Errors
/// [`Error::Invalid`] with field errors; what hooks report; database errors.
pub async fn save(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    run(ctx, record, true).await
}

/// Saves a record without validation, with all hooks but the validating ones.
///
/// # Errors
/// What hooks report; database errors.
pub async fn save_no_validate(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    run(ctx, record, false).await
}

/// Validates a record without saving it.
///
/// # Errors
/// [`Error::Invalid`] with field errors; what hooks report; database errors.
pub fn validate<'a>(ctx: &'a Ctx, record: &'a RecordRef) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move { validate_stage(ctx, record).await })
}

/// [`save_no_validate`] for cascades, which come back to it.
pub(crate) fn save_again<'a>(ctx: &'a Ctx, record: &'a RecordRef) -> BoxFutureRef<'a, Result<()>> {
    run(ctx, record, false)
}

fn run<'a>(ctx: &'a Ctx, record: &'a RecordRef, validated: bool) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        let (collection, is_new) = {
            let record = record.lock();
            (record.collection().clone(), record.is_new())
        };
        if collection.is_view() {
            return Err(Error::Message("view records cannot be saved".into()));
        }
        let action = if is_new { Action::Create } else { Action::Update };
        let before = record.lock().original_arc();
        if is_new && has_hooks(ctx, &collection, validated) {
            // as the reference: what hooks see of a new record has its id already
            fill(&mut record.lock(), Moment::Validate);
        }
        let result = if chain::is_bound(ctx, &collection, action, Phase::Around) {
            hooked(ctx, record, action, validated).await
        } else {
            inner(ctx, record, validated).await
        };
        match result {
            Ok(()) => succeeded(ctx, record, action, before).await,
            Err(error) => {
                life::failed(ctx, record, action, &error).await?;
                Err(error)
            }
        }
    })
}

/// True if somebody sees a new record before it is stored.
fn has_hooks(ctx: &Ctx, collection: &Loaded, validated: bool) -> bool {
    let is_bound = |action, phase| chain::is_bound(ctx, collection, action, phase);
    is_bound(Action::Create, Phase::Around)
        || is_bound(Action::Create, Phase::Execute)
        || validated && is_bound(Action::Validate, Phase::Around)
}

/// The whole chain: save hooks around validation and execution.
async fn hooked(ctx: &Ctx, record: &RecordRef, action: Action, validated: bool) -> Result<()> {
    life::around(ctx, record, action, move |ctx, record| async move {
        inner(&ctx, &record, validated).await
    })
    .await
}

async fn inner(ctx: &Ctx, record: &RecordRef, validated: bool) -> Result<()> {
    if validated {
        validate_stage(ctx, record).await?;
    }
    execute_stage(ctx, record).await
}

async fn validate_stage(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let collection = record.collection();
    if !chain::is_bound(ctx, &collection, Action::Validate, Phase::Around) {
        return validate_fields(ctx, record).await;
    }
    life::validating(ctx, record, |ctx, record| async move { validate_fields(&ctx, &record).await })
        .await
}

/// Fills what fills itself, then checks every field, then what needs the database.
async fn validate_fields(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let (errors, checks) = {
        let mut record = record.lock();
        record.settle_uploads();
        record.recheck.begin(ctx);
        record.recheck.forget_fields();
        fill(&mut record, Moment::Validate);
        if record.is_superuser() {
            record.set_val("verified", Val::Bool(true));
        }
        check_values(&record)
    };
    let mut errors = errors;
    let collection = record.collection();
    for (field, check) in checks {
        if let Some(error) = run_check(ctx, record, &collection, &field, &check).await? {
            errors.set(field, error);
        }
    }
    errors.into_result()?;
    refs::validate(ctx, record).await
}

fn fill(record: &mut Record, moment: Moment) {
    let now = crate::time::now().to_string();
    let collection = record.collection().clone();
    for (index, field) in collection.fields.iter().enumerate() {
        let fill =
            Fill { moment, is_new: record.is_new(), touched: record.is_touched(index), now: &now };
        if let Some(val) = field.kind.fill(record.value(index), &fill) {
            record.set_at(index, val);
        }
    }
}

fn check_values(record: &Record) -> (FieldErrors, Vec<(String, DbCheck)>) {
    let mut errors = FieldErrors::default();
    let mut checks = Vec::new();
    for (index, field) in record.collection().fields.iter().enumerate() {
        let uploads: Vec<_> = record.uploads_of(index).iter().map(|u| u.facts()).collect();
        let old = (!record.is_new()).then(|| &record.originals()[index]);
        // what does not decrypt is empty here, and stays as it is: it is no reason to keep other fields from being saved
        if field.kind.is_sealed() && old == Some(record.value(index)) {
            continue;
        }
        let facts = RecordCheck { is_new: record.is_new(), old, uploads: &uploads };
        match field.check(record.value(index), &facts) {
            Ok(None) => {}
            Ok(Some(check)) => checks.push((field.name.clone(), check)),
            Err(error) => errors.set(field.name.clone(), error),
        }
    }
    (errors, checks)
}

fn distinct(ids: &[String]) -> Vec<&str> {
    let mut distinct: Vec<&str> = ids.iter().map(String::as_str).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// Runs one check against the database; `Some` is the field's error. What it asks about relations must still be so when
/// the row is written.
async fn run_check(
    ctx: &Ctx,
    record: &RecordRef,
    own: &Arc<Loaded>,
    field: &str,
    check: &DbCheck,
) -> Result<Option<FieldError>> {
    match check {
        DbCheck::Relation { collection_id, ids } => {
            let Some(target) = ctx.snapshot().by_id(collection_id).cloned() else {
                return Ok(Some(DbCheck::missing_collection()));
            };
            let sql = statement::ids_all_exist(ctx.app.dialect(), &target.name, &distinct(ids));
            let asked = ctx.db.query_now(sql.clone(), |rows| Ok(rows.next()?.is_some())).await;
            if !asked.and_then(|found| found).map_err(Error::Store)? {
                return Ok(Some(check.error()));
            }
            record.lock().recheck.field(field, sql, check.error());
            Ok(None)
        }
        DbCheck::FreshKey { id } => {
            let value = dialects::Value::Text(id.as_str().into());
            let found = find::by_value(ctx, own, "id", value, Case::Ignored).await?;
            Ok(found.map(|_| check.error()))
        }
    }
}

async fn execute_stage(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let (collection, is_new) = {
        let record = record.lock();
        (record.collection().clone(), record.is_new())
    };
    let action = if is_new { Action::Create } else { Action::Update };
    if chain::is_bound(ctx, &collection, action, Phase::Execute) {
        return life::executing(ctx, record, action, |ctx, record| async move {
            execute(&ctx, &record).await
        })
        .await;
    }
    execute(ctx, record).await
}

/// Field interceptors, files, the statement.
async fn execute(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let collection = record.collection();
    let is_new = record.lock().is_new();
    {
        let mut record = record.lock();
        let moment = if is_new { Moment::Create } else { Moment::Update };
        fill(&mut record, moment);
        record.settle_uploads();
        record.prune_uploads();
        if record.is_superuser() {
            record.set_val("verified", Val::Bool(true));
        }
    }
    hash_passwords(ctx, record).await?;
    if collection.is_auth() {
        auth_interceptors(ctx, record, &collection, is_new).await?;
    }
    let (uploads, prefix) = {
        let record = record.lock();
        let uploads: Vec<Arc<Upload>> = record.uploads().iter().map(|(_, u)| u.clone()).collect();
        (uploads, format!("{}/{}", collection.id, record.id()))
    };
    if !uploads.is_empty() {
        ctx.app.files().put_all(&prefix, &uploads).await?;
    }
    let cleanup = refs::Cleanup::of(&record.lock());
    let result = if cleanup.is_empty() {
        statement_stage(ctx, record, is_new).await
    } else {
        let record = record.clone();
        Box::pin(ctx.run_in_transaction(move |ctx| async move {
            cleanup.run(&ctx, &record).await?;
            statement_stage(&ctx, &record, is_new).await
        }))
        .await
    };
    if result.is_err() && !uploads.is_empty() {
        discard(ctx, &prefix, &uploads, is_new).await;
    }
    result
}

async fn statement_stage(ctx: &Ctx, record: &RecordRef, is_new: bool) -> Result<()> {
    let action = if is_new { Action::Create } else { Action::Update };
    if !chain::is_bound(ctx, &record.collection(), action, Phase::Execute) {
        return write(ctx, record).await;
    }
    life::around_statement(
        ctx,
        record,
        action,
        |ctx, record| async move { write(&ctx, &record).await },
    )
    .await
}

/// Removes files that were written for a record that was not.
async fn discard(ctx: &Ctx, prefix: &str, uploads: &[Arc<Upload>], is_new: bool) {
    let names: Vec<String> = uploads.iter().map(|u| u.name().to_owned()).collect();
    if let Err(error) = ctx.app.files().remove_all(prefix, &names).await {
        tracing::warn!(%error, prefix, "failed to remove new files");
    }
    if is_new {
        ctx.app.files().remove_empty(prefix).await;
    }
}

async fn hash_passwords(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let collection = record.collection();
    for (index, field) in collection.fields.iter().enumerate() {
        let plain = match record.lock().value(index) {
            Val::Password { plain: Some(plain), hash } if hash.is_empty() => plain.clone(),
            _ => continue,
        };
        let cost = field.options::<Password>().map_or(0, |o| u32::try_from(o.cost).unwrap_or(0));
        let copy = plain.clone();
        let hash = match ctx.app.hash_password(copy, cost).await? {
            Ok(hash) => hash,
            Err(primitives::password::Unhashable) => {
                let mut errors = FieldErrors::default();
                errors.set(
                    field.name.clone(),
                    FieldError::Other(primitives::password::Unhashable.to_string()),
                );
                return Err(Error::Invalid(errors));
            }
        };
        record.lock().set_at(index, Val::Password { hash, plain: Some(plain) });
    }
    Ok(())
}

/// Token key and the id's uniqueness over all auth collections.
async fn auth_interceptors(
    ctx: &Ctx,
    record: &RecordRef,
    collection: &Arc<Loaded>,
    is_new: bool,
) -> Result<()> {
    {
        let mut record = record.lock();
        let rotate = !is_new
            && !record.changed("tokenKey")
            && (refs::password_changed(&record) || record.changed("email"));
        if rotate || record.token_key().is_empty() {
            rotate_token_key(&mut record);
        }
    }
    if !is_new {
        return Ok(());
    }
    let (id, snapshot) = (record.id(), ctx.snapshot());
    let others = snapshot.iter().filter(|c| c.is_auth() && c.id != collection.id);
    let others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
    let error =
        FieldError::new("validation_invalid_auth_id", "Invalid or duplicated auth record id");
    record.lock().recheck.begin(ctx);
    let sql = statement::id_is_free(ctx.app.dialect(), &others, &id);
    let asked = ctx.db.query_now(sql.clone(), |rows| Ok(rows.next()?.is_some())).await;
    if asked.and_then(|is_free| is_free).map_err(Error::Store)? {
        record.lock().recheck.field("id", sql, error);
        return Ok(());
    }
    let mut errors = FieldErrors::default();
    errors.set("id", error);
    Err(Error::Invalid(errors))
}

/// Gives a record a new token key: all its tokens become invalid with the save.
pub fn rotate_token_key(record: &mut Record) {
    let Some(index) = record.collection().field_at("tokenKey").map(|(i, _)| i) else { return };
    let kind = &record.collection().fields[index].kind;
    let made =
        kind.modify(Modifier::Autogenerate, record.value(index), &Value::String(String::new()));
    let val = match made {
        Some(Val::Text(text)) if !text.is_empty() => Val::Text(text),
        _ => Val::Text(crate::id::random_alnum(50)),
    };
    record.set_at(index, val);
}

/// The tag of an update whose row is not as it was read.
const NOT_HELD: u32 = u32::MAX;

/// The statement. Where stored values were added to, it holds for the row as it was read; if somebody was faster, a
/// transaction looks at the row again first.
async fn write(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    let steps = std::mem::take(&mut record.lock().steps);
    if steps.is_empty() {
        return write_row(ctx, record, &[]).await;
    }
    if !ctx.in_transaction() {
        let recheck = record.lock().recheck.clone();
        match write_row(ctx, record, &steps).await {
            Err(Error::Store(store::Error::Expect(NOT_HELD))) => record.lock().recheck = recheck,
            result => return result,
        }
    }
    let record = record.clone();
    Box::pin(ctx.run_in_transaction(move |ctx| async move {
        modify::again(&ctx, &record, &steps).await?;
        write_row(&ctx, &record, &[]).await
    }))
    .await
}

/// The INSERT or UPDATE; unique violations become field errors. `held`: what the update relies on.
async fn write_row(ctx: &Ctx, record: &RecordRef, held: &[Modification]) -> Result<()> {
    let collection = record.collection();
    let (job, action) = {
        let record = record.lock();
        // DIFFERENCE: an update names changed columns only. SQLite then leaves the indexes of all others alone, and two
        // clients that change different fields of one record at the same time both keep what they wrote.
        // What changes nothing writes nothing; a key that stays is not written either, which distributed tables refuse.
        let all = record.is_new();
        let mut columns: Vec<(&str, dialects::Value)> = collection
            .fields
            .iter()
            .zip(record.values().iter().zip(record.originals()))
            .filter(|(_, (val, original))| all || val != original)
            .map(|(field, (val, _))| (field.name.as_str(), field.kind.to_db(val)))
            .collect();
        sealed::seal(&collection, &record, &mut columns)?;
        storable::check(ctx.app.dialect(), &collection, &columns)?;
        let (dialect, table) = (ctx.app.dialect(), &collection.name);
        if record.is_new() {
            (Job::from(statement::insert(dialect, table, &columns)), Action::Create)
        } else if columns.is_empty() {
            (Job::new(), Action::Update)
        } else if held.is_empty() {
            let sql = statement::update(dialect, table, record.stored_id(), &columns);
            (Job::from(sql), Action::Update)
        } else {
            let held: Vec<_> = held.iter().map(|step| step.held(&record)).collect();
            let sql = statement::update_held(dialect, table, record.stored_id(), &columns, &held);
            (Job::new().expect_changes(sql, NOT_HELD), Action::Update)
        }
    };
    let recheck = std::mem::take(&mut record.lock().recheck);
    match recheck.write(ctx, record, job, action).await {
        Ok(_) => {
            let mut record = record.lock();
            record.mark_inserted();
            if collection.is_auth() {
                ctx.app.forget_auth(&collection.id, record.id());
            }
            Ok(())
        }
        Err(Error::Store(store::Error::Unique { columns, index, message })) => {
            let errors = not_unique(ctx.app.dialect(), &collection, &columns, index.as_deref());
            if errors.is_empty() {
                return Err(Error::Store(store::Error::Unique { columns, index, message }));
            }
            Err(Error::Invalid(errors))
        }
        Err(error) => Err(error),
    }
}

/// The fields whose values are taken. An index over an expression names none: SQLite says only which index it is, and for
/// PostgreSQL, which keeps `COLLATE NOCASE` as an expression, too, the collection's own text decides.
fn not_unique(
    d: Dialect,
    collection: &Loaded,
    columns: &[String],
    index: Option<&str>,
) -> FieldErrors {
    let mut indexes = collection.indexes.iter().map(|text| Index::parse(text));
    let violated = index.and_then(|found| indexes.find(|i| names::is_stored_as(d, found, &i.name)));
    let calculated = violated.filter(|index| index.columns.iter().any(|c| c.is_expression));
    let columns = match &calculated {
        // DIFFERENCE: the fields that the expressions read are named; the reference names none. Where a condition has a say,
        // too, its recorded answer stays.
        Some(index) if index.condition.is_empty() => &index::fields_read(index, collection),
        Some(_) => &Vec::new(),
        None => columns,
    };
    let field =
        |found: &str| collection.fields.iter().find(|f| names::is_stored_as(d, found, &f.name));
    let mut errors = FieldErrors::default();
    for field in columns.iter().filter_map(|column| field(column)) {
        let error = FieldError::new("validation_not_unique", "Value must be unique");
        errors.set(field.name.clone(), error);
    }
    errors
}

/// What follows a successful save: at once, or after the commit.
async fn succeeded(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    before: Arc<Vec<Val>>,
) -> Result<()> {
    let collection = record.collection();
    let (uploads, removed, prefix) = {
        let mut record = record.lock();
        record.mark_stored();
        record.untouch();
        let removed =
            if action == Action::Update { dropped_files(&record, &before) } else { Vec::new() };
        (record.take_uploads(), removed, format!("{}/{}", collection.id, record.stored_id()))
    };
    if collection.is_auth() && !ctx.in_transaction() {
        // The save may have had a transaction of its own: what was cached before its commit is old.
        ctx.app.forget_auth(&collection.id, &record.id());
    }
    if !ctx.in_transaction()
        && removed.is_empty()
        && !chain::is_after_bound(ctx, &collection, action)
    {
        return Ok(());
    }
    let mut write = Write::default();
    let writes = watched(ctx, record, action, &before, &mut write);
    let record = record.clone();
    ctx.after(move |ctx, outcome: Outcome| async move {
        match &outcome {
            Ok(()) => {
                ctx.app.forget_auth(&collection.id, &record.id());
                if !removed.is_empty()
                    && let Err(error) = ctx.app.files().remove_all(&prefix, &removed).await
                {
                    tracing::warn!(%error, prefix, "failed to remove old files");
                }
            }
            Err(_) => {
                ctx.app.forget_auth(&collection.id, &record.id());
                let uploads: Vec<_> = uploads.into_iter().map(|(_, u)| u).collect();
                if !uploads.is_empty() {
                    discard(&ctx, &prefix, &uploads, action == Action::Create).await;
                }
                let mut record = record.lock();
                if action == Action::Create {
                    record.mark_new();
                } else {
                    record.restore_original(before);
                }
            }
        }
        write.is_one_of_several = writes.is_some_and(|writes| writes.load(Ordering::Acquire) > 1);
        chain::after(&ctx, &record, action, outcome, write).await
    })
    .await
}

/// For records that somebody watches: how often the transaction writes this one, and what it was before, if that is wanted.
fn watched(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    before: &Arc<Vec<Val>>,
    write: &mut Write,
) -> Option<Writes> {
    let collection = record.collection();
    let observer = ctx.app.observer().filter(|o| o.wants(&collection))?;
    let writes = ctx.count_write(&collection.id, &record.id());
    // What is in the middle of a transaction was never seen.
    let is_first = writes.as_ref().is_none_or(|writes| writes.load(Ordering::Acquire) == 1);
    if is_first && action == Action::Update && observer.wants_old(&collection) {
        write.old = Some(Arc::new(Record::stored(&collection, before.to_vec())));
    }
    writes
}

/// Names in file fields before that are not there now.
fn dropped_files(record: &Record, before: &[Val]) -> Vec<String> {
    let fields = &record.collection().fields;
    let mut dropped = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        if field.type_name() != crate::field::file::KIND {
            continue;
        }
        let now = record.value(index).items();
        dropped.extend(before[index].items().iter().filter(|name| !now.contains(name)).cloned());
    }
    dropped
}
