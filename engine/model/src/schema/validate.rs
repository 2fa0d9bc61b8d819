//! Everything that must hold before a collection is saved (spec collections-and-fields §4.6, §4.8).
//!
//! Reads the database only for names of tables and indexes and for the dry run of a view query.
//! Must not change anything; the draft is already normalized.

use std::collections::HashSet;

use dialects::{catalog, names};

use super::{
    Collection, Kind, Snapshot,
    index::{Index, is_understood},
    rules::RuleCheck,
    validate_auth, view,
};
use crate::{
    check::{self, Check, pattern},
    error::{FieldError, FieldErrors},
    field::{Field, SettingsCheck, text::Text},
    store::Db,
};
use primitives::future::BoxFutureRef;

/// What validation asks besides the draft.
#[derive(Debug, Clone, Copy)]
pub struct Validation<'a> {
    /// The stored collection, on update.
    pub old: Option<&'a Collection>,
    /// All stored collections.
    pub snapshot: &'a Snapshot,
    /// For names in use and view queries.
    pub db: &'a Db,
    /// Whether an OAuth2 provider of this name exists.
    pub is_provider: fn(&str) -> bool,
    /// The draft is stored by now, in an import: a table of its name is its own.
    pub is_stored: bool,
}

impl Validation<'_> {
    fn is_update(&self) -> bool {
        self.old.is_some()
    }
    /// True if the stored collection is frozen by its system flag.
    fn is_frozen(&self) -> bool {
        self.old.is_some_and(|old| old.system)
    }
}

/// Validates a normalized draft.
///
/// # Errors
/// [`crate::Error::Invalid`] with all findings, or what the store reports.
pub fn validate<'a>(
    draft: &'a Collection,
    cx: &'a Validation<'a>,
) -> BoxFutureRef<'a, crate::Result<()>> {
    Box::pin(async move {
        let mut errors = FieldErrors::default();
        let mut put = |key: &str, check: Check| {
            if let Some(error) = check {
                errors.set(key, error);
            }
        };
        put("id", check_id(draft, cx));
        put("system", check_system(draft, cx));
        put("type", check_type(draft, cx));
        let name = match check_name(draft, cx) {
            None => check_free_table(draft, cx).await?,
            failed => failed,
        };
        put("name", name);
        check_fields(draft, cx, &mut errors);
        check_rules(draft, cx, &mut errors);
        check_indexes(draft, cx, &mut errors).await?;
        if draft.is_view()
            && let Some(error) = check_view_query(draft, cx).await?
        {
            errors.set("viewQuery", error);
        }
        if draft.is_auth() {
            let rules = RuleCheck::new(cx.snapshot, draft);
            validate_auth::check(draft, cx, &rules, &mut errors);
        }
        errors.into_result()
    })
}

fn fail(code: &str, message: &str) -> Check {
    Some(FieldError::new(code, message))
}

fn check_id(draft: &Collection, cx: &Validation<'_>) -> Check {
    check::required(draft.id.is_empty()).or_else(|| match cx.old {
        Some(old) => check::same(old.id == draft.id),
        None => check::length(&draft.id, 1, 100).or_else(|| check::word(&draft.id)).or_else(|| {
            let taken = cx.snapshot.by_id(&draft.id).is_some();
            let message = "The model id is invalid or already exists.";
            if taken { fail("validation_invalid_or_existing_id", message) } else { None }
        }),
    })
}

fn check_system(draft: &Collection, cx: &Validation<'_>) -> Check {
    if cx.old.is_none_or(|old| old.system == draft.system) {
        return None;
    }
    fail("validation_collection_system_flag_change", "System collection state cannot be changed.")
}

fn check_type(draft: &Collection, cx: &Validation<'_>) -> Check {
    if let Kind::Other(name) = &draft.kind {
        return check::one_of(name, &["base", "auth", "view"]);
    }
    if cx.old.is_none_or(|old| old.kind == draft.kind) {
        return None;
    }
    fail("validation_collection_type_change", "Collection type cannot be changed.")
}

fn check_name(draft: &Collection, cx: &Validation<'_>) -> Check {
    let name = draft.name.as_str();
    check::required(name.is_empty())
        .or_else(|| check::length(name, 1, 255))
        .or_else(|| check::no_via(name))
        .or_else(|| check::word(name))
        .or_else(|| {
            let renamed = cx.is_frozen() && cx.old.is_some_and(|old| old.name != name);
            let message = "System collection name cannot be changed.";
            if renamed { fail("validation_collection_system_name_change", message) } else { None }
        })
        .or_else(|| {
            let own = cx.old.map(|old| old.id.as_str());
            let taken = cx.snapshot.by_name(name).is_some_and(|other| own != Some(&*other.id));
            let message = "Collection name must be unique (case insensitive).";
            if taken { fail("validation_collection_name_exists", message) } else { None }
        })
        .or_else(|| {
            let taken = cx.snapshot.by_id(name).is_some();
            let message = "The name must not match an existing collection id.";
            if taken { fail("validation_collection_name_id_duplicate", message) } else { None }
        })
}

/// A changed name must not be that of a table or view outside of the collections.
async fn check_free_table(draft: &Collection, cx: &Validation<'_>) -> crate::Result<Check> {
    let kept = cx.old.is_some_and(|old| old.name.eq_ignore_ascii_case(&draft.name));
    if kept || cx.is_stored {
        return Ok(None);
    }
    let sql = catalog::has_table(cx.db.dialect(), &draft.name);
    let exists = cx.db.query(sql, |rows| rows.next().map(|row| row.is_some())).await??;
    let message = "The name shouldn't match with an existing internal table.";
    Ok(if exists { fail("validation_collection_name_invalid", message) } else { None })
}

/// The groups of field rules; the first failing one wins (spec §6.23).
fn check_fields(draft: &Collection, cx: &Validation<'_>, errors: &mut FieldErrors) {
    let groups: [fn(&Collection, &Validation<'_>, &mut FieldErrors); 5] = [
        check_duplicates,
        check_min_fields,
        check_kept_fields,
        check_reserved_names,
        check_field_settings,
    ];
    for group in groups {
        let mut found = FieldErrors::default();
        group(draft, cx, &mut found);
        match found.0.remove("") {
            Some(whole) => return errors.set("fields", whole),
            None if !found.is_empty() => return errors.set("fields", FieldError::Nested(found)),
            None => {}
        }
    }
}

fn check_duplicates(draft: &Collection, _: &Validation<'_>, errors: &mut FieldErrors) {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    for (index, field) in draft.fields.iter().enumerate() {
        let at = index.to_string();
        if !ids.insert(field.id.as_str()) {
            let message = format!("Duplicated or invalid field id {:?}", field.id);
            return errors
                .set_at(&[&at, "id"], FieldError::new("validation_duplicated_field_id", message));
        }
        if !names.insert(field.name.to_ascii_lowercase()) {
            let message = format!("Duplicated or invalid field name {}", field.name);
            let error = FieldError::new("validation_duplicated_field_name", message)
                .param("fieldName", field.name.as_str());
            return errors.set_at(&[&at, "name"], error);
        }
    }
}

fn check_min_fields(draft: &Collection, _: &Validation<'_>, errors: &mut FieldErrors) {
    // a type that does not exist needs no fields: its own error says enough
    if draft.fields.is_empty() && matches!(draft.kind, Kind::Other(_)) {
        return;
    }
    if let Some(error) = check::required(draft.fields.is_empty()) {
        return errors.set("", error);
    }
    let key = draft.field("id").and_then(|f| f.options::<Text>());
    if !key.is_some_and(|text| text.primary_key) {
        let message = "Missing or invalid \"id\" PK field.";
        return errors.set("", FieldError::new("validation_missing_primary_key", message));
    }
    if !draft.is_auth() {
        return;
    }
    for name in ["password", "tokenKey", "email", "emailVisibility", "verified"] {
        if draft.field(name).is_none() {
            let code = format!("validation_missing_{name}_field");
            let message = format!("System \"{name}\" field is required.");
            return errors.set("", FieldError::new(&code, message));
        }
    }
}

/// System fields stay and no field changes its type.
fn check_kept_fields(draft: &Collection, cx: &Validation<'_>, errors: &mut FieldErrors) {
    let Some(old) = cx.old.filter(|_| !draft.is_view()) else { return };
    for field in old.fields.iter().filter(|f| f.system) {
        if draft.field_by_id(&field.id).is_none_or(|kept| kept.name != field.name) {
            let message = "System fields cannot be deleted or renamed.";
            return errors.set("", FieldError::new("validation_system_field_change", message));
        }
    }
    for (index, field) in draft.fields.iter().enumerate() {
        if old.field_by_id(&field.id).is_some_and(|f| f.type_name() != field.type_name()) {
            let message = "Field type cannot be changed.";
            let error = FieldError::new("validation_field_type_change", message);
            errors.set(index.to_string(), error);
        }
    }
}

fn check_reserved_names(draft: &Collection, _: &Validation<'_>, errors: &mut FieldErrors) {
    if !draft.is_auth() {
        return;
    }
    for (index, field) in draft.fields.iter().enumerate() {
        if matches!(field.name.as_str(), "passwordConfirm" | "oldPassword") {
            let message = "The field name is reserved and cannot be used.";
            let error = FieldError::new("validation_reserved_field_name", message);
            errors.set_at(&[&index.to_string(), "name"], error);
        }
    }
}

fn check_field_settings(draft: &Collection, cx: &Validation<'_>, errors: &mut FieldErrors) {
    let target_is_view = |id: &str| cx.snapshot.by_id(id).map(|c| c.is_view());
    for (index, field) in draft.fields.iter().enumerate() {
        let settings = SettingsCheck {
            old: cx.old.and_then(|old| old.field_by_id(&field.id)),
            fields: &draft.fields,
            is_view: draft.is_view(),
            can_seal: cx.snapshot.keys().is_enabled(),
            target_is_view: &target_is_view,
        };
        let mut found = field_errors(field, &settings);
        match found.0.remove("") {
            Some(whole) => errors.set(index.to_string(), whole),
            None if !found.is_empty() => {
                errors.set(index.to_string(), FieldError::Nested(found));
            }
            None => {}
        }
    }
}

/// All findings about one field's options.
#[must_use]
pub fn field_errors(field: &Field, cx: &SettingsCheck<'_>) -> FieldErrors {
    const RESERVED: [&str; 7] =
        ["null", "true", "false", "_rowid_", "collectionId", "collectionName", "expand"];
    let mut errors = FieldErrors::default();
    let id = check::required(field.id.is_empty()).or_else(|| check::length(&field.id, 1, 100));
    let name = check::required(field.name.is_empty())
        .or_else(|| check::length(&field.name, 1, 100))
        .or_else(|| check::matches(&field.name, pattern!(r"^[0-9A-Za-z_]+$")))
        .or_else(|| check::none_of(&field.name, &RESERVED))
        .or_else(|| check::no_via(&field.name));
    for (key, check) in [("id", id), ("name", name), ("help", check::length(&field.help, 1, 300))] {
        if let Some(error) = check {
            errors.set(key, error);
        }
    }
    field.kind.check_settings(field, cx, &mut errors);
    errors
}

fn check_rules(draft: &Collection, cx: &Validation<'_>, errors: &mut FieldErrors) {
    let rules = RuleCheck::new(cx.snapshot, draft);
    let stored = cx.old.map(Collection::rules);
    for (at, (key, rule)) in draft.rules().into_iter().enumerate() {
        let read_only = draft.is_view() && !matches!(key, "listRule" | "viewRule");
        let frozen = cx.is_frozen() && stored.is_some_and(|s| s[at].1 != rule);
        let check = if read_only { check::nil(rule) } else { None }
            .or_else(|| rules.check(rule.map(String::as_str)))
            .or_else(|| if frozen { Some(system_rule_error()) } else { None });
        if let Some(error) = check {
            errors.set(key, error);
        }
    }
}

/// The rules of a system collection are frozen.
pub(super) fn system_rule_error() -> FieldError {
    FieldError::new(
        "validation_collection_system_rule_change",
        "System collection API rule cannot be changed.",
    )
}

async fn check_indexes(
    draft: &Collection,
    cx: &Validation<'_>,
    errors: &mut FieldErrors,
) -> crate::Result<()> {
    if draft.is_view() {
        if !draft.indexes.is_empty() {
            let message = "View collections don't support indexes.";
            errors.set("indexes", FieldError::new("validation_indexes_not_supported", message));
        }
        return Ok(());
    }
    let parsed: Vec<Index> = draft.indexes.iter().map(|text| Index::parse(text)).collect();
    for (at, index) in parsed.iter().enumerate() {
        if let Some(error) = check_index(draft, &parsed[..at], index, cx).await? {
            // Only the first bad index is reported.
            errors.set_at(&["indexes", &at.to_string()], error);
            return Ok(());
        }
    }
    if let Some(error) = check_kept_indexes(draft, &parsed, cx) {
        errors.set("indexes", error);
    }
    Ok(())
}

async fn check_index(
    draft: &Collection,
    earlier: &[Index],
    index: &Index,
    cx: &Validation<'_>,
) -> crate::Result<Check> {
    // A blank table name is reported as the blank name of the collection only.
    let blank_table = draft.name.is_empty() && index.table.is_empty();
    if index.name.is_empty() || index.columns.is_empty() || (index.table.is_empty() && !blank_table)
    {
        return Ok(Some(invalid_index()));
    }
    if !is_understood(cx.db.dialect(), index) || uses_sealed(draft, index) {
        return Ok(Some(invalid_index()));
    }
    if earlier.iter().any(|other| other.name.eq_ignore_ascii_case(&index.name)) {
        return Ok(fail("validation_duplicated_index_name", "The index name already exists."));
    }
    let sql = catalog::has_index(cx.db.dialect(), &index.name);
    let table =
        cx.db.query(sql, |rows| rows.next().map(|row| row.map(|r| r.text(1).to_owned()))).await??;
    let own = |table: &str| {
        let is = |name: &str| names::is_stored_as(cx.db.dialect(), table, name);
        is(&draft.name) || cx.old.is_some_and(|old| is(&old.name))
    };
    if let Some(table) = table.filter(|table| !own(table)) {
        let whole =
            |c: &&std::sync::Arc<super::Loaded>| *names::stored(cx.db.dialect(), &c.name) == *table;
        let table = cx.snapshot.iter().find(whole).map_or(table.clone(), |c| c.name.clone());
        let message = format!("The index name is already used in {table} collection.");
        let error = FieldError::new("validation_existing_index_name", message)
            .param("usedTableName", table);
        return Ok(Some(error));
    }
    let definition = index.definition();
    if earlier.iter().any(|other| other.definition() == definition) {
        let message = "The index definition already exists.";
        return Ok(fail("validation_duplicated_index_definition", message));
    }
    Ok(None)
}

/// True if an index is over what is encrypted: equal values are stored differently.
fn uses_sealed(draft: &Collection, index: &Index) -> bool {
    let sealed = draft.fields.iter().filter(|field| field.kind.is_sealed());
    sealed.into_iter().any(|field| {
        index.columns.iter().any(|column| sql_text::names::has(&column.name, &field.name))
            || sql_text::names::has(&index.condition, &field.name)
    })
}

/// "Invalid CREATE INDEX expression."
pub(super) fn invalid_index() -> FieldError {
    FieldError::new("validation_invalid_index_expression", "Invalid CREATE INDEX expression.")
}

/// Unique indexes on system fields stay; auth collections keep theirs.
fn check_kept_indexes(draft: &Collection, parsed: &[Index], cx: &Validation<'_>) -> Check {
    if let Some(old) = cx.old.filter(|_| cx.is_update()) {
        for text in &old.indexes {
            let index = Index::parse(text);
            let touched = index.columns.iter().find_map(|column| {
                old.fields.iter().find(|f| f.system && f.name.eq_ignore_ascii_case(&column.name))
            });
            let Some(field) = touched.filter(|_| index.unique) else { continue };
            if !parsed.iter().any(|kept| kept.same_columns(&index)) {
                let message = format!(
                    "Unique index definition on system fields ({}) is invalid or missing.",
                    field.name
                );
                let code = "validation_invalid_unique_system_field_index";
                return Some(
                    FieldError::new(code, message).param("fieldName", field.name.as_str()),
                );
            }
        }
    }
    if !draft.is_auth() {
        return None;
    }
    let missing = ["tokenKey", "email"].into_iter().find(|name| {
        !parsed
            .iter()
            .any(|i| i.single_unique_column().is_some_and(|c| c.eq_ignore_ascii_case(name)))
    })?;
    let message = format!("Missing required unique index for field \"{missing}\".");
    Some(
        FieldError::new("validation_missing_required_unique_index", message)
            .param("fieldName", missing),
    )
}

async fn check_view_query(draft: &Collection, cx: &Validation<'_>) -> crate::Result<Check> {
    if let Some(error) = check::required(draft.view_query.is_empty()) {
        return Ok(Some(error));
    }
    match view::dry_run(cx.db, cx.snapshot, &draft.view_query, 10).await {
        Ok(_) => Ok(None),
        Err(message) => {
            let cut = check::cut(&message, 500);
            Ok(Some(FieldError::new(
                "validation_invalid_view_query",
                format!("Invalid query - {cut}"),
            )))
        }
    }
}
