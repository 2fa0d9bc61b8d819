//! Lists and views with `expand`, straight from rows to JSON: what `expand` does, for when nobody needs records.
//!
//! Rows are written with a gap where their relations belong; once a level's relations are read (one read per distinct
//! set of ids) and written the same way, the pieces are put together. Must give the bytes that `expand` and `export` give.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use dialects::statement::{self, Only, Select};

use super::{
    expand::{Paths, Step, step, view_rule},
    export::{Gap, Viewer, write_row_with_gap},
    find::corrupt,
    read::is_shown_plainly,
};
use crate::{
    Error, Result,
    ctx::Ctx,
    hook::BoxFuture,
    json,
    rule::{self, Parts},
    schema::Loaded,
    store::Rows,
};

/// True if no hook and no manage rule asks for records anywhere below.
pub(super) fn is_possible(ctx: &Ctx, collection: &Loaded, paths: &Paths) -> bool {
    is_shown_plainly(ctx, collection)
        && paths.iter().all(|(segment, below)| {
            step(ctx, collection, segment).is_none_or(|step| is_possible(ctx, step.target(), below))
        })
}

/// One wanted relation.
struct Wish {
    key: String,
    step: Option<Step>,
    below: Paths,
}

/// The wanted relations of one level.
pub(super) struct Wishes(Vec<Wish>);

impl Wishes {
    pub(super) fn of(ctx: &Ctx, collection: &Loaded, paths: &Paths) -> Self {
        let wish = |(key, below): (&String, &Paths)| Wish {
            key: key.clone(),
            step: step(ctx, collection, key),
            below: below.clone(),
        };
        Self(paths.iter().map(wish).collect())
    }

    /// The relation fields whose values are needed.
    pub(super) fn fields(&self) -> Vec<usize> {
        let field = |wish: &Wish| match wish.step {
            Some(Step::Forward { field, .. }) => Some(field),
            Some(Step::Back { .. }) | None => None,
        };
        self.0.iter().filter_map(field).collect()
    }
}

/// Rows as JSON with gaps.
#[derive(Default)]
pub(super) struct Sheet {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// The lines of a parent, for back relations.
    by_parent: HashMap<String, Vec<usize>>,
}

struct Line {
    id: String,
    gap: Gap,
    end: usize,
    /// Related ids, per wanted relation field.
    links: Vec<Vec<String>>,
}

impl Sheet {
    /// Reads rows to the end; with `parents` the first column is the parent's id, and a row may come once per parent.
    pub(super) fn read(
        collection: &Loaded,
        viewer: &Viewer,
        fields: &[usize],
        parents: bool,
        rows: &mut Rows<'_>,
    ) -> Result<Self> {
        let from = usize::from(parents);
        let id_at = from + collection.id_field.unwrap_or(0);
        let mut sheet = Self { bytes: Vec::with_capacity(8 << 10), ..Self::default() };
        let mut known: HashMap<String, usize> = HashMap::new();
        while let Some(row) = rows.next().map_err(Error::Store)? {
            let id = row.text(id_at).to_owned();
            if parents {
                let next = sheet.lines.len();
                let at = match known.entry(id.clone()) {
                    Entry::Occupied(old) => Some(*old.get()),
                    Entry::Vacant(slot) => {
                        slot.insert(next);
                        None
                    }
                };
                let list = sheet.by_parent.entry(row.text(0).to_owned()).or_default();
                list.push(at.unwrap_or(next));
                if at.is_some() {
                    continue;
                }
            }
            let gap = write_row_with_gap(collection, &row, from, viewer, &mut sheet.bytes)
                .map_err(|e| corrupt(&e))?;
            let links = fields
                .iter()
                .map(|at| {
                    let value = collection.fields[*at].kind.read(row.get(from + at))?;
                    Ok(value.items().to_vec())
                })
                .collect::<Result<_, _>>()
                .map_err(|e| corrupt(&e))?;
            sheet.lines.push(Line { id, gap, end: sheet.bytes.len(), links });
        }
        Ok(sheet)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

/// A relation of all rows of a level, written.
struct Branch {
    key: String,
    single: bool,
    /// Which of the wanted fields holds the ids; `None`: rows that point back.
    field: Option<usize>,
    rows: Written,
}

/// Complete rows.
#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    /// Start and end of every row.
    spans: Vec<(usize, usize)>,
    by_id: HashMap<String, usize>,
    by_parent: HashMap<String, Vec<usize>>,
}

/// Adds the rows of a list to `out`, comma separated, with their relations. Failing paths are left out.
pub(super) async fn write(ctx: &Ctx, sheet: Sheet, wishes: Wishes, out: &mut Vec<u8>) {
    let ctx = ctx.in_context("expand");
    let (sheet, branches) = branches(&ctx, sheet, wishes).await;
    // Errors concern single paths and were logged where they happened.
    let branches = branches.unwrap_or_default();
    for at in 0..sheet.lines.len() {
        if at > 0 {
            out.push(b',');
        }
        join(&sheet, at, &branches, out);
    }
}

/// The relations of one level; fails if no path could be processed.
fn branches(ctx: &Ctx, sheet: Sheet, wishes: Wishes) -> BoxFuture<(Sheet, Result<Vec<Branch>>)> {
    let ctx = ctx.clone();
    Box::pin(async move {
        let mut done = Vec::with_capacity(wishes.0.len());
        if sheet.lines.is_empty() {
            return (sheet, Ok(done));
        }
        let mut failed = None;
        let mut field = 0;
        for wish in wishes.0 {
            let nth = field;
            field += usize::from(matches!(wish.step, Some(Step::Forward { .. })));
            let key = wish.key.clone();
            match branch(&ctx, &sheet, wish, nth).await {
                Ok(branch) => done.push(branch),
                Err(error) => {
                    tracing::warn!(path = %key, %error, "failed to expand");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if done.is_empty() => (sheet, Err(error)),
            _ => (sheet, Ok(done)),
        }
    })
}

async fn branch(ctx: &Ctx, sheet: &Sheet, wish: Wish, nth: usize) -> Result<Branch> {
    let Wish { key, step, below } = wish;
    let step = step.ok_or_else(|| Error::Message(format!("invalid relation path {key:?}")))?;
    match step {
        Step::Forward { target, multiple, .. } => {
            let rule = view_rule(ctx, &target)?;
            let mut ids: Vec<&str> =
                sheet.lines.iter().flat_map(|l| &l.links[nth]).map(String::as_str).collect();
            ids.sort_unstable();
            ids.dedup();
            let rows = if ids.is_empty() {
                Written::default()
            } else {
                fetch(ctx, &target, rule, Only::Ids(&ids), &below).await?
            };
            Ok(Branch { key, single: !multiple, field: Some(nth), rows })
        }
        Step::Back { source, column, multiple, unique } => {
            let rule = view_rule(ctx, &source)?;
            let parents: Vec<&str> = sheet.lines.iter().map(|l| l.id.as_str()).collect();
            let only = Only::LinkedTo { column: &column, multiple, parents: &parents };
            let rows = fetch(ctx, &source, rule, only, &below).await?;
            Ok(Branch { key, single: unique, field: None, rows })
        }
    }
}

/// Reads and writes related rows with what they are related to.
async fn fetch(
    ctx: &Ctx,
    target: &Arc<Loaded>,
    rule: Option<&str>,
    only: Only<'_>,
    below: &Paths,
) -> Result<Written> {
    let dialect = ctx.app.dialect();
    let sql = match (rule, only) {
        (None, Only::Ids(ids)) => {
            statement::select_by_ids(dialect, &target.name, &target.select, ids)
        }
        _ => {
            let plan = rule::compile(ctx, target, &Parts::rule(rule.unwrap_or("")))?;
            statement::page(dialect, &plan, &Select { only, ..Select::all(&target.select) })
        }
    };
    let parents = matches!(only, Only::LinkedTo { .. });
    let wishes = Wishes::of(ctx, target, below);
    let (owned, viewer, fields) =
        (target.clone(), Viewer::of(&ctx.caller, target), wishes.fields());
    let read = move |rows: &mut Rows<'_>| Sheet::read(&owned, &viewer, &fields, parents, rows);
    let sheet = ctx.db.query(sql, read).await.map_err(Error::Store)??;
    if wishes.0.is_empty() {
        return Ok(complete(sheet));
    }
    let (sheet, branches) = branches(ctx, sheet, wishes).await;
    let branches = branches?;
    let mut out = Written {
        bytes: Vec::with_capacity(sheet.bytes.len() * 2),
        spans: Vec::with_capacity(sheet.lines.len()),
        ..Written::default()
    };
    for at in 0..sheet.lines.len() {
        let start = out.bytes.len();
        join(&sheet, at, &branches, &mut out.bytes);
        out.spans.push((start, out.bytes.len()));
    }
    index(&mut out, sheet);
    Ok(out)
}

/// Rows that nothing hangs on.
fn complete(mut sheet: Sheet) -> Written {
    let mut out = Written {
        bytes: std::mem::take(&mut sheet.bytes),
        spans: sheet.lines.iter().map(|l| (l.gap.start, l.end)).collect(),
        ..Written::default()
    };
    index(&mut out, sheet);
    out
}

fn index(out: &mut Written, sheet: Sheet) {
    out.by_parent = sheet.by_parent;
    out.by_id = sheet.lines.into_iter().enumerate().map(|(at, line)| (line.id, at)).collect();
}

/// Writes a row with its relations in the gap.
fn join(sheet: &Sheet, at: usize, branches: &[Branch], out: &mut Vec<u8>) {
    let line = &sheet.lines[at];
    out.extend_from_slice(&sheet.bytes[line.gap.start..line.gap.at]);
    if !branches.is_empty() {
        out.extend_from_slice(if line.gap.first { b"{\"expand\":{" } else { b",\"expand\":{" });
        let start = out.len();
        for branch in branches {
            put(branch, line, start, out);
        }
        out.push(b'}');
    }
    let rest = &sheet.bytes[line.gap.at..line.end];
    match rest.split_first() {
        // What was written as the first key is not the first any more.
        Some((b'{', rest)) if line.gap.first && !branches.is_empty() => {
            out.push(b',');
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(rest),
    }
}

/// Writes what one row is related to; nothing if there is none.
fn put(branch: &Branch, line: &Line, start: usize, out: &mut Vec<u8>) {
    let rows = &branch.rows;
    let mut found: Vec<usize> = Vec::new();
    let mut add = |at: usize| {
        if !found.contains(&at) {
            found.push(at);
        }
    };
    match branch.field {
        Some(nth) => {
            line.links[nth].iter().filter_map(|id| rows.by_id.get(id)).for_each(|at| add(*at));
        }
        None => rows.by_parent.get(&line.id).into_iter().flatten().for_each(|at| add(*at)),
    }
    if found.is_empty() {
        return;
    }
    if out.len() > start {
        out.push(b',');
    }
    json::write_str(out, &branch.key);
    out.push(b':');
    let span = |at: usize| {
        let (from, to) = rows.spans[at];
        &rows.bytes[from..to]
    };
    if branch.single {
        out.extend_from_slice(span(found[0]));
        return;
    }
    for (i, at) in found.into_iter().enumerate() {
        out.push(if i == 0 { b'[' } else { b',' });
        out.extend_from_slice(span(at));
    }
    out.push(b']');
}
