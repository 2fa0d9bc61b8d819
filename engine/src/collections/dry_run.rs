//! What saving a collection would change and break, without saving it. Source: spec dashboard §8 A6.

use std::{collections::BTreeMap, sync::Arc};

use dialects::statement;

use super::{CollectionRef, completed};
use crate::{
    Error, Result,
    ctx::Ctx,
    explain::{self, Question},
    rule,
    schema::{
        Collection, Loaded, Snapshot,
        diff::{Change, diff},
        sync,
    },
};

/// What would happen.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The steps in the order they are taken.
    pub changes: Vec<Change>,
    /// What goes with it, in words.
    pub warnings: Vec<String>,
    /// Rules and queries that work now and would not any more.
    pub references: Vec<Reference>,
    /// How many records hold something in a field that goes, or whose list becomes one value.
    pub values: BTreeMap<String, i64>,
    /// The statements on the table or view, as [`sync::statements`] lists them.
    pub sql: Vec<String>,
}

/// A place that would break.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name of the collection.
    pub collection: String,
    /// `listRule`, `viewQuery`, …
    pub place: &'static str,
    /// The text there.
    pub text: String,
    /// Why it would not work.
    pub error: String,
}

/// Looks at a draft over its stored state.
///
/// # Errors
/// Database errors.
pub async fn dry_run(
    ctx: &Ctx,
    draft: &CollectionRef,
    stored: Option<&Arc<Loaded>>,
) -> Result<Outcome> {
    let new = completed(ctx, draft, stored.map(|stored| &**stored));
    let old = stored.map(|stored| &stored.collection);
    let mut out = Outcome { changes: diff(old, &new), ..Outcome::default() };
    let before = ctx.snapshot();
    let after = Arc::new(before.with(&new));
    out.references = references(ctx, &before, &after, old, &new);
    // a draft that cannot be saved runs nothing; why is said by its validation
    out.sql = Box::pin(sync::statements(&ctx.db, &before, &new, old)).await.unwrap_or_default();
    let Some(stored) = stored else { return Ok(out) };
    if !new.is_view() {
        for change in &out.changes {
            let (Change::DropColumn(field) | Change::ToSingle(field)) = change else { continue };
            if let Some(count) = filled(ctx, stored, field).await? {
                out.values.insert(field.clone(), count);
            }
        }
    }
    out.warnings = warnings(&out, &stored.collection, &new);
    Ok(out)
}

fn rules(collection: &Collection) -> Vec<(&'static str, &str)> {
    let own = collection.rules().into_iter();
    let auth = [
        ("authRule", collection.auth.auth_rule.as_ref()),
        ("manageRule", collection.auth.manage_rule.as_ref()),
    ];
    own.chain(auth.into_iter().filter(|_| collection.is_auth()))
        .filter_map(|(place, rule)| Some((place, rule?.as_str())))
        .filter(|(_, rule)| !rule.is_empty())
        .collect()
}

fn references(
    ctx: &Ctx,
    before: &Arc<Snapshot>,
    after: &Arc<Snapshot>,
    old: Option<&Collection>,
    new: &Collection,
) -> Vec<Reference> {
    let (now, then) = (ctx.with_schema(before.clone()), ctx.with_schema(after.clone()));
    let mut out = Vec::new();
    for collection in after.iter() {
        let was = before.by_id(&collection.id);
        for (place, rule) in rules(&collection.collection) {
            let question = Question { rule, ..Question::default() };
            let works = was.is_some_and(|was| explain::refused(&now, was, &question).is_none());
            let refused = explain::refused(&then, collection, &question);
            // what never worked is no news, unless it is the draft's own
            if let Some(refused) = refused.filter(|_| works || collection.id == new.id) {
                out.push(Reference {
                    collection: collection.name.clone(),
                    place,
                    text: rule.to_owned(),
                    error: refused.message,
                });
            }
        }
        if collection.is_view() && collection.id != new.id {
            out.extend(named(collection, old, new));
        }
    }
    out
}

/// A view that names what goes or is renamed.
fn named(view: &Loaded, old: Option<&Collection>, new: &Collection) -> Option<Reference> {
    let old = old?;
    let has = |word: &str| {
        let mut words = view.view_query.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.any(|found| found.eq_ignore_ascii_case(word))
    };
    if !has(&old.name) {
        return None;
    }
    let gone = old.fields.iter().find(|field| new.field(&field.name).is_none() && has(&field.name));
    let error = match gone {
        _ if !old.name.eq_ignore_ascii_case(&new.name) => format!("names {}", old.name),
        Some(field) => format!("names {}", field.name),
        None => return None,
    };
    let text = view.view_query.clone();
    Some(Reference { collection: view.name.clone(), place: "viewQuery", text, error })
}

/// How many records hold something in a field; `None` where that cannot be asked.
async fn filled(ctx: &Ctx, collection: &Arc<Loaded>, name: &str) -> Result<Option<i64>> {
    use filter_lang::schema::Class;
    let Some((_, field)) = collection.field_at(name) else { return Ok(None) };
    let filter = match field.kind.class() {
        Class::Select | Class::File | Class::Relation => format!("{name}:length > 0"),
        Class::Number => format!("{name} != 0"),
        Class::Bool => format!("{name} = true"),
        Class::Json => format!("{name} != null"),
        Class::GeoPoint => format!("{name}.lon != 0 || {name}.lat != 0"),
        Class::Text => format!("{name} != ''"),
    };
    let Ok(plan) = rule::compile_trusted(ctx, collection, &filter, "") else { return Ok(None) };
    let sql = statement::count(ctx.app.dialect(), &plan);
    let count = ctx.db.query(sql, |rows| rows.scalar_i64()).await;
    count.and_then(|count| count).map(Some).map_err(Error::Store)
}

fn warnings(out: &Outcome, old: &Collection, new: &Collection) -> Vec<String> {
    let mut warnings = Vec::new();
    for change in &out.changes {
        let held = |field: &String| out.values.get(field).copied().unwrap_or_default();
        match change {
            Change::DropColumn(field) if held(field) > 0 => {
                warnings.push(format!("{field} is lost in {} records.", held(field)));
            }
            Change::ToSingle(field) if held(field) > 0 => {
                warnings.push(format!("Of {field}, {} records keep the last value.", held(field)));
            }
            Change::Rename { from, to } => {
                warnings.push(format!("Clients that ask for {from} have to ask for {to}."));
            }
            Change::RenameColumn { from, to } => {
                warnings.push(format!("Clients that name {from} have to name {to}."));
            }
            _ => {}
        }
    }
    for ((place, was), (_, is)) in old.rules().into_iter().zip(new.rules()) {
        if was != is && is.is_some_and(String::is_empty) {
            warnings.push(format!("The {place} lets everybody."));
        }
    }
    warnings
}
