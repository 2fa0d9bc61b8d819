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
    expand::{Hop, Paths, step, view_rule},
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
    step: Option<Hop>,
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
            Some(Hop::Forward { field, .. }) => Some(field),
            Some(Hop::Back { .. }) | None => None,
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

/// Adds the rows of a list to `out`, comma separated, with their relations. Paths that rules or the schema do not allow are
/// left out.
///
/// # Errors
/// [`Error::Unexpanded`]
pub(super) async fn write(
    ctx: &Ctx,
    sheet: Sheet,
    wishes: Wishes,
    out: &mut Vec<u8>,
) -> Result<()> {
    let ctx = ctx.in_context("expand");
    let (sheet, branches) = branches(&ctx, sheet, wishes).await;
    let branches = match branches {
        Err(error @ Error::Unexpanded { .. }) => return Err(error),
        // Others concern single paths and were logged where they happened.
        branches => branches.unwrap_or_default(),
    };
    for at in 0..sheet.lines.len() {
        if at > 0 {
            out.push(b',');
        }
        join(&sheet, at, &branches, out);
    }
    Ok(())
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
            field += usize::from(matches!(wish.step, Some(Hop::Forward { .. })));
            let key = wish.key.clone();
            match branch(&ctx, &sheet, wish, nth).await {
                Ok(branch) => done.push(branch),
                Err(error) => {
                    let error = match error.unexpanded(&key) {
                        Ok(unexpanded) => return (sheet, Err(unexpanded)),
                        Err(error) => error,
                    };
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
        Hop::Forward { target, multiple, .. } => {
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
        Hop::Back { source, column, multiple, unique } => {
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
        (None | Some(""), Only::Ids(ids)) => {
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
    let sheet = ctx.db.anywhere().query(sql, read).await.map_err(Error::Store)??;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Caller, auth, collections,
        event::Hooks,
        record::{
            Record, RecordRef, enrich, find,
            read::{self, ListOutcome, ListPage, ListQuery, ViewOutcome},
            tests::{Room, room},
        },
        store::Sql,
    };

    /// Posts with one author, many readers, a locked room, reviews (by rule) and one cover each.
    async fn library() -> (Room, RecordRef) {
        let room = room(Hooks::default()).await;
        let ctx = room.system();
        let make = async |body: Value| {
            let made = collections::create(&ctx, &body).await;
            made.unwrap_or_else(|e| panic!("{body}: {e}")).snapshot().id
        };
        let to = |name: &str, target: &str, most: u8| json!({"name": name, "type": "relation", "collectionId": target, "maxSelect": most});
        let text = |name: &str| json!({"name": name, "type": "text"});
        let teams = make(json!({"name": "teams", "type": "base", "viewRule": "",
            "fields": [text("name"), {"name": "secret", "type": "text", "hidden": true}]}))
        .await;
        let members = make(json!({"name": "members", "type": "auth", "viewRule": "",
            "fields": [text("nick"), to("team", &teams, 1)]}))
        .await;
        let cellars =
            make(json!({"name": "cellars", "type": "base", "fields": [text("name")]})).await;
        let books = make(json!({"name": "books", "type": "base", "listRule": "", "viewRule": "",
            "fields": [text("title"), to("author", &members, 1), to("readers", &members, 9), to("cellar", &cellars, 1)]}))
        .await;
        make(json!({"name": "reviews", "type": "base", "viewRule": "text != 'draft'",
            "fields": [text("text"), to("book", &books, 1)]}))
        .await;
        make(json!({"name": "covers", "type": "base", "viewRule": "",
            "fields": [text("name"), to("book", &books, 1)],
            "indexes": ["CREATE UNIQUE INDEX covers_book ON covers (book)"]}))
        .await;
        let red = room.put("teams", json!({"name": "red", "secret": "s"})).await.id();
        let member = async |nick: &str, shown: bool, team: &str| {
            room.put(
                "members",
                json!({"nick": nick, "email": format!("{nick}@example.com"), "emailVisibility": shown,
                    "password": "12345678", "team": team}),
            )
            .await
        };
        let ann = member("ann", true, &red).await;
        let ben = member("ben", false, "").await;
        let cellar = room.put("cellars", json!({"name": "deep"})).await.id();
        let one = room
            .put("books", json!({"title": "one", "author": ann.id(), "readers": [ben.id(), ann.id()], "cellar": cellar}))
            .await;
        let two = room.put("books", json!({"title": "two", "author": ben.id()})).await;
        room.put("books", json!({"title": "none"})).await;
        for (text, book) in [("good", &one), ("draft", &one), ("bad", &one), ("draft", &two)] {
            room.put("reviews", json!({"text": text, "book": book.id()})).await;
        }
        room.put("covers", json!({"name": "blue", "book": one.id()})).await;
        (room, ben)
    }

    fn as_caller(room: &Room, record: Record) -> Ctx {
        let request = crate::ctx::RequestInfo::lazy(Default::default);
        Ctx::new(&room.app, Caller::of(Some(Arc::new(record))), Some(Arc::new(request)))
    }

    async fn superuser(room: &Room) -> Ctx {
        auth::superusers::create(&room.system(), "root@example.com", "1234567890")
            .await
            .expect("created");
        let id = &room.ids("_superusers").await[0];
        let found = find::by_id(&room.system(), &room.coll("_superusers"), id).await;
        as_caller(room, found.expect("query").expect("superuser"))
    }

    async fn sql(room: &Room, text: &str) {
        let sql = Sql { text: text.to_owned(), params: vec![] };
        room.app.store().data().write(sql.into()).await.expect("statement");
    }

    fn query(paths: &str) -> ListQuery {
        ListQuery { expand: Paths::parse(paths), skip_total: true, ..ListQuery::default() }
    }

    /// What the rows-to-JSON way answers.
    async fn listed(ctx: &Ctx, room: &Room, paths: &str) -> Vec<u8> {
        match read::list(ctx, &room.coll("books"), &query(paths)).await.expect("list") {
            ListOutcome::Json { body, .. } => body,
            ListOutcome::Page(_) => panic!("{paths}: not from rows"),
        }
    }

    /// What records answer.
    async fn by_records(ctx: &Ctx, room: &Room, paths: &str) -> Vec<u8> {
        let books = room.coll("books");
        let mut records = Vec::new();
        for id in room.ids("books").await {
            let found = find::by_id(ctx, &books, &id).await.expect("query").expect("book");
            records.push(RecordRef::from(found));
        }
        enrich(ctx, &books, &records, &Paths::parse(paths)).await.expect("enrich");
        ListPage { records, page: 1, per_page: 30, total_items: -1 }.to_json()
    }

    /// `title{key=related,…}`; no braces without the key `expand`.
    fn tree(item: &Value) -> String {
        let label = ["title", "nick", "name", "text"].iter().find_map(|key| item[key].as_str());
        let mut out = label.unwrap_or("?").to_owned();
        if let Some(expand) = item["expand"].as_object() {
            let part = |(key, value): (&String, &Value)| match value {
                Value::Array(list) => {
                    let list: Vec<_> = list.iter().map(tree).collect();
                    format!("{key}=[{}]", list.join(" "))
                }
                one => format!("{key}={}", tree(one)),
            };
            let parts: Vec<_> = expand.iter().map(part).collect();
            out.push_str(&format!("{{{}}}", parts.join(",")));
        }
        out
    }

    fn trees(body: &[u8]) -> String {
        let body: Value = serde_json::from_slice(body).expect("json");
        let items: Vec<_> = body["items"].as_array().expect("items").iter().map(tree).collect();
        items.join(" ")
    }

    #[tokio::test]
    async fn shapes() {
        let (room, _) = library().await;
        let (guest, root) = (room.guest(), superuser(&room).await);
        for (ctx, paths, want) in [
            (&guest, "author", "one{author=ann} two{author=ben} none{}"),
            (&guest, "author.team", "one{author=ann{team=red}} two{author=ben{}} none{}"),
            (&guest, "readers", "one{readers=[ben ann]} two{} none{}"),
            (
                &guest,
                "readers.team,author,author.team",
                "one{author=ann{team=red},readers=[ben{} ann{team=red}]} two{author=ben{}} none{}",
            ),
            // A locked target, an unknown name and a plain field are left out.
            (&guest, "cellar", "one two none"),
            (&guest, "nope,title", "one two none"),
            (&guest, "nope,cellar,author", "one{author=ann} two{author=ben} none{}"),
            (&root, "cellar", "one{cellar=deep} two{} none{}"),
            // Back relations: by the view rule; a unique one is a single record.
            (&guest, "reviews_via_book", "one{reviews_via_book=[good bad]} two{} none{}"),
            (
                &root,
                "reviews_via_book",
                "one{reviews_via_book=[good draft bad]} two{reviews_via_book=[draft]} none{}",
            ),
            (&guest, "covers_via_book", "one{covers_via_book=blue} two{} none{}"),
            (&guest, "covers(book)", "one{covers(book)=blue} two{} none{}"),
            (
                &guest,
                "author.books_via_readers.covers_via_book",
                "one{author=ann{books_via_readers=[one{covers_via_book=blue}]}} \
                 two{author=ben{books_via_readers=[one{covers_via_book=blue}]}} none{}",
            ),
        ] {
            let got = listed(ctx, &room, paths).await;
            assert_eq!(trees(&got), want, "{paths}");
        }
    }

    #[tokio::test]
    async fn rows_and_records_give_the_same_bytes() {
        let (room, ben) = library().await;
        // Ids that lead nowhere, a repeated id, and a list where one id was expected.
        sql(&room, "UPDATE books SET author = 'gone' WHERE title = 'none'").await;
        sql(
            &room,
            "UPDATE books SET readers = json_array('gone', author, author) WHERE title = 'two'",
        )
        .await;
        let (member, root) = (as_caller(&room, ben.snapshot()), superuser(&room).await);
        for ctx in [&room.guest(), &root, &member] {
            for paths in [
                "author",
                "readers",
                "author.team,readers.team,cellar",
                "cellar",
                "nope",
                "nope,cellar.x,readers",
                "author.nope",
                "reviews_via_book.book.author,covers_via_book",
                "author.books_via_author.readers.books_via_readers.author.team",
                "readers.books_via_readers.reviews_via_book",
            ] {
                let (fast, slow) =
                    (listed(ctx, &room, paths).await, by_records(ctx, &room, paths).await);
                assert_eq!(
                    String::from_utf8_lossy(&fast),
                    String::from_utf8_lossy(&slow),
                    "{paths}"
                );
            }
        }
        let got = listed(&room.guest(), &room, "author,readers").await;
        assert_eq!(
            trees(&got),
            "one{author=ann,readers=[ben ann]} two{author=ben,readers=[ben]} none{}"
        );
    }

    #[tokio::test]
    async fn related_rows_hide_what_their_viewer_may_not_see() {
        let (room, ben) = library().await;
        let (member, root) = (as_caller(&room, ben.snapshot()), superuser(&room).await);
        for (ctx, ann, ben) in
            [(&room.guest(), true, false), (&member, true, true), (&root, true, true)]
        {
            let body = listed(ctx, &room, "readers.team").await;
            let text = String::from_utf8(body).expect("utf-8");
            assert_eq!(text.contains("ann@example.com"), ann, "{text}");
            assert_eq!(text.contains("ben@example.com"), ben, "{text}");
            assert_eq!(text.contains("\"secret\""), ctx.caller.is_superuser(), "{text}");
            for hidden in ["tokenKey", "password"] {
                assert!(!text.contains(hidden), "{hidden}: {text}");
            }
        }
    }

    #[tokio::test]
    async fn views_expand_like_lists() {
        let (room, _) = library().await;
        let (guest, books) = (room.guest(), room.coll("books"));
        let id = &room.ids("books").await[0];
        for (paths, want) in [
            ("author.team,readers", "one{author=ann{team=red},readers=[ben ann]}"),
            ("cellar", "one"),
        ] {
            let outcome = read::view(&guest, &books, id, &Paths::parse(paths)).await;
            let ViewOutcome::Json(body) = outcome.expect("view") else { panic!("not from rows") };
            assert_eq!(tree(&serde_json::from_slice(&body).expect("json")), want);
        }
        let missing = read::view(&guest, &books, "nope", &Paths::parse("author")).await;
        assert!(matches!(missing, Err(Error::NotFound)));
    }
}
