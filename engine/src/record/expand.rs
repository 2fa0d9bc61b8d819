//! Loading relations into records (spec records-files §1.7): six levels, back relations, view rules, one read per
//! distinct set of ids.
//!
//! Paths form a tree, so a shared beginning is read once. A failing path is left out as a whole, silently but for a log
//! line, unless it is the database that failed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use dialects::statement::Only;

use super::{Expanded, RecordRef, enrich, read};
use crate::{Error, Result, ctx::Ctx, hook::BoxFuture, schema::Loaded};

/// Deeper segments are ignored.
const MAX_DEPTH: usize = 6;

/// The wanted relations, as a tree of segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths(BTreeMap<String, Paths>);

impl Paths {
    /// Reads an `expand` parameter.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut root = Self::default();
        for path in text.split(',') {
            let path: String = path.chars().filter(|c| *c != ' ').collect();
            let path = path.trim_matches('.');
            if path.is_empty() {
                continue;
            }
            let mut at = &mut root;
            for segment in path.split('.').take(MAX_DEPTH) {
                at = at.0.entry(segment.to_owned()).or_default();
            }
        }
        root
    }
    /// The wanted relations of this level, with what is wanted below.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Self)> {
        self.0.iter()
    }
    /// True if nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Gives the records of a collection with these ids, in place of the database.
pub type Fetch =
    Arc<dyn Fn(Arc<Loaded>, Vec<String>) -> BoxFuture<Result<Vec<RecordRef>>> + Send + Sync>;

/// For whom relations are loaded.
#[derive(Clone)]
enum For {
    /// Somebody who asks: rules, flags and hooks apply.
    Caller,
    /// Code: nothing of that applies.
    Code(Option<Fetch>),
}

/// Loads one relation path of records of one collection for code: no rules, no hooks, records as they are read.
///
/// # Errors
/// A path that does not exist, what the database or `fetch` reports. Then nothing of the path is set.
pub async fn expand_for_code(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    records: &[RecordRef],
    path: &str,
    fetch: Option<Fetch>,
) -> Result<()> {
    let paths = Paths::parse(path);
    level(ctx, collection.clone(), records.to_vec(), paths, For::Code(fetch)).await
}

/// Expands records of one collection in place. Paths that rules or the schema do not allow are left out.
///
/// # Errors
/// [`Error::Unexpanded`]
pub async fn expand(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    records: &[RecordRef],
    paths: &Paths,
) -> Result<()> {
    let ctx = ctx.in_context("expand");
    match level(&ctx, collection.clone(), records.to_vec(), paths.clone(), For::Caller).await {
        Err(error @ Error::Unexpanded { .. }) => Err(error),
        // Others concern single paths and are logged where they happen.
        _ => Ok(()),
    }
}

/// Expands one level; fails if no path could be processed.
fn level(
    ctx: &Ctx,
    collection: Arc<Loaded>,
    records: Vec<RecordRef>,
    paths: Paths,
    whom: For,
) -> BoxFuture<Result<()>> {
    let ctx = ctx.clone();
    Box::pin(async move {
        if records.is_empty() {
            return Ok(());
        }
        let mut last = Ok(());
        let mut any = paths.is_empty();
        for (segment, below) in paths.0 {
            match one(&ctx, &collection, &records, &segment, below, &whom).await {
                Ok(()) => any = true,
                // code is told what failed
                Err(error) if matches!(whom, For::Code(_)) => last = Err(error),
                Err(error) => {
                    // DIFFERENCE: what the database refuses is no relation without records: the request fails.
                    let error = match error.unexpanded(&segment) {
                        Ok(unexpanded) => return Err(unexpanded),
                        Err(error) => error,
                    };
                    tracing::warn!(collection = %collection.name, path = %segment, %error, "failed to expand");
                    last = Err(error);
                }
            }
        }
        if any { Ok(()) } else { last }
    })
}

/// What a segment means on a collection.
pub(super) enum Hop {
    /// A relation field, by index.
    Forward { field: usize, target: Arc<Loaded>, multiple: bool },
    /// Records of another collection that point here.
    Back { source: Arc<Loaded>, column: String, multiple: bool, unique: bool },
}

impl Hop {
    /// The collection of the related records.
    pub(super) fn target(&self) -> &Arc<Loaded> {
        match self {
            Self::Forward { target, .. } => target,
            Self::Back { source, .. } => source,
        }
    }
}

pub(super) fn step(ctx: &Ctx, collection: &Loaded, segment: &str) -> Option<Hop> {
    if let Some(field) = collection.field_at(segment).map(|(i, _)| i) {
        let kind = &collection.fields[field].kind;
        let target = ctx.snapshot().by_id(kind.target()?)?.clone();
        return Some(Hop::Forward { field, target, multiple: kind.multiple() });
    }
    let (name, column) = match segment.split_once("_via_") {
        Some(parts) => parts,
        None => segment.strip_suffix(')')?.split_once('(')?,
    };
    let source = ctx.snapshot().find(name)?.clone();
    let (_, field) = source.field_at(column)?;
    if field.kind.target() != Some(collection.id.as_str()) {
        return None;
    }
    Some(Hop::Back {
        column: field.name.clone(),
        multiple: field.kind.multiple(),
        unique: source.plan.unique_fields.contains(&field.name.to_ascii_lowercase()),
        source,
    })
}

async fn one(
    ctx: &Ctx,
    collection: &Arc<Loaded>,
    records: &[RecordRef],
    segment: &str,
    below: Paths,
    whom: &For,
) -> Result<()> {
    let step = step(ctx, collection, segment)
        .ok_or_else(|| Error::Message(format!("invalid relation path {segment:?}")))?;
    match step {
        Hop::Forward { field, target, multiple } => {
            let rule = view_rule(ctx, &target)?;
            let wanted: Vec<Vec<String>> =
                records.iter().map(|r| r.lock().value(field).items().to_vec()).collect();
            let distinct: HashSet<&str> = wanted.iter().flatten().map(String::as_str).collect();
            let mut ids: Vec<&str> = distinct.into_iter().collect();
            ids.sort_unstable();
            let found: Vec<RecordRef> = if ids.is_empty() {
                Vec::new()
            } else if let For::Code(Some(fetch)) = whom {
                let ids = ids.iter().map(|id| (*id).to_owned()).collect();
                fetch(target.clone(), ids).await?
            } else {
                let only = Only::Ids(&ids);
                read::fetch(ctx, &target, rule, only)
                    .await?
                    .into_iter()
                    .map(|(_, r)| r.into())
                    .collect()
            };
            shown(ctx, &target, &found, whom).await?;
            level(ctx, target.clone(), found.clone(), below, whom.clone()).await?;
            let by_id: HashMap<String, RecordRef> =
                found.into_iter().map(|r| (r.id(), r)).collect();
            for (record, ids) in records.iter().zip(wanted) {
                attach(
                    record,
                    segment,
                    !multiple,
                    ids.iter().filter_map(|id| by_id.get(id).cloned()).collect(),
                );
            }
        }
        Hop::Back { source, column, multiple, unique } => {
            let rule = view_rule(ctx, &source)?;
            let ids: Vec<String> = records.iter().map(RecordRef::id).collect();
            let parents: Vec<&str> = ids.iter().map(String::as_str).collect();
            let only = Only::LinkedTo { column: &column, multiple, parents: &parents };
            let mut shared: HashMap<String, RecordRef> = HashMap::new();
            let mut order = Vec::new();
            let mut by_parent: HashMap<String, Vec<RecordRef>> = HashMap::new();
            for (parent, record) in read::fetch(ctx, &source, rule, only).await? {
                let id = record.id().to_owned();
                let record = shared.entry(id).or_insert_with(|| {
                    let record = RecordRef::from(record);
                    order.push(record.clone());
                    record
                });
                by_parent.entry(parent).or_default().push(record.clone());
            }
            if let For::Code(Some(fetch)) = whom {
                let ids = order.iter().map(RecordRef::id).collect();
                let given = fetch(source.clone(), ids).await?;
                let by_id: HashMap<String, RecordRef> =
                    given.iter().map(|record| (record.id(), record.clone())).collect();
                for found in by_parent.values_mut() {
                    *found = found
                        .iter()
                        .filter_map(|record| by_id.get(&record.id()).cloned())
                        .collect();
                }
                order = given;
            }
            shown(ctx, &source, &order, whom).await?;
            level(ctx, source.clone(), order, below, whom.clone()).await?;
            for (record, id) in records.iter().zip(&ids) {
                attach(record, segment, unique, by_parent.get(id).cloned().unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// Makes related records ready for whoever asks.
async fn shown(ctx: &Ctx, of: &Arc<Loaded>, found: &[RecordRef], whom: &For) -> Result<()> {
    match whom {
        For::Caller => enrich::flags_with_hooks(ctx, of, found).await,
        For::Code(_) => Ok(()),
    }
}

/// The rule to read related records with: `None` for superusers and public collections.
pub(super) fn view_rule<'c>(ctx: &Ctx, target: &'c Loaded) -> Result<Option<&'c str>> {
    if ctx.caller.is_superuser() {
        return Ok(None);
    }
    match target.view_rule.as_deref() {
        None => Err(Error::Refused { locked: true }),
        Some("") => Ok(None),
        Some(rule) => Ok(Some(rule)),
    }
}

/// Sets (or merges) the related records of one key.
fn attach(record: &RecordRef, key: &str, single: bool, mut found: Vec<RecordRef>) {
    let mut record = record.lock();
    let expand = record.expand_mut();
    if single {
        if let Some(first) = found.into_iter().next() {
            expand.insert(key.to_owned(), Expanded::One(first));
        }
    } else if !found.is_empty() {
        let mut seen = Vec::with_capacity(found.len());
        found.retain(|r| {
            let fresh = !seen.iter().any(|s: &RecordRef| s.same(r));
            seen.push(r.clone());
            fresh
        });
        expand.insert(key.to_owned(), Expanded::Many(found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(paths: &Paths) -> String {
        let inner: Vec<_> = paths
            .0
            .iter()
            .map(
                |(k, below)| {
                    if below.is_empty() { k.clone() } else { format!("{k}({})", show(below)) }
                },
            )
            .collect();
        inner.join(" ")
    }

    #[test]
    fn paths() {
        for (text, want) in [
            ("", ""),
            (" , ,.", ""),
            ("a", "a"),
            ("a,a.b , a . c", "a(b c)"),
            (".a.b.", "a(b)"),
            ("a.b.c.d.e.f.g.h", "a(b(c(d(e(f)))))"),
            ("posts_via_author,users(x)", "posts_via_author users(x)"),
        ] {
            assert_eq!(show(&Paths::parse(text)), want, "{text}");
        }
    }
}
