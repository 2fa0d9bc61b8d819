//! Which indexes a plan would use if they were there, as statements to put into the collection.
//!
//! A conjunction is served by one index: the columns that must be equal first, then the one that sorts or bounds.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use filter_lang::{
    plan::{Cmp, Cond, Expr, Literal, NodeId, NodeKind, Op, Plan, SortBy},
    schema::Class,
    value::Value,
};

use crate::schema::{
    Loaded, Snapshot,
    index::{Index, IndexColumn},
};

/// `CREATE INDEX` statements for what no index serves yet.
pub(super) fn indexes(plan: &Plan, snapshot: &Snapshot) -> Vec<String> {
    let mut needs: BTreeMap<NodeId, Need<'_>> = BTreeMap::new();
    conjuncts(&plan.cond, &mut |cmp| compared(plan, cmp, &mut needs));
    if let Some(key) = plan.sort.first()
        && let SortBy::Expr(Expr::Column { node: NodeId::BASE, column }) = &key.by
        && holds_one_value(plan, NodeId::BASE, column)
    {
        needs.entry(NodeId::BASE).or_default().sorted = Some(column);
    }
    let mut wanted = BTreeSet::new();
    for (node, need) in needs {
        let collection = plan.node(node).collection.as_ref().and_then(|c| snapshot.by_id(&c.id));
        let Some(collection) = collection else { continue };
        // A view has no indexes; an id has one.
        if collection.is_view() || need.equal.contains(&"id") {
            continue;
        }
        let columns = need.columns();
        if !columns.is_empty() && !serves(collection, &columns, need.equal.len()) {
            wanted.insert((collection.name.as_str(), columns));
        }
    }
    let mut names = Names::of(snapshot);
    let statements = wanted.iter().map(|(table, columns)| statement(table, columns, &mut names));
    let mut out: Vec<String> = statements.collect();
    out.sort();
    out
}

/// The names of indexes, which a database has once for all tables, in small letters.
struct Names(HashSet<String>);

impl Names {
    fn of(snapshot: &Snapshot) -> Self {
        let all = snapshot.iter().flat_map(|collection| &collection.indexes);
        Self(all.map(|text| Index::parse(text).name.to_ascii_lowercase()).collect())
    }
    /// A name of this beginning that no index has.
    fn free(&mut self, name: String) -> String {
        let numbered = (2..).map(|n: u32| format!("{name}_{n}"));
        let mut all = std::iter::once(name.clone()).chain(numbered);
        let free = all.find(|name| self.0.insert(name.to_ascii_lowercase()));
        free.unwrap_or(name)
    }
}

/// What is asked of the rows of one table.
#[derive(Default)]
struct Need<'p> {
    equal: Vec<&'p str>,
    /// Names a row of another table that has to pass.
    named: Option<&'p str>,
    bounded: Option<&'p str>,
    sorted: Option<&'p str>,
}

impl<'p> Need<'p> {
    fn equals(&mut self, column: &'p str) {
        if !self.equal.contains(&column) {
            self.equal.push(column);
        }
    }
    /// The equal columns and what may come after them: an order, so that a page ends early; else a set of names, else a
    /// bound.
    fn columns(&self) -> Vec<&'p str> {
        let fresh = |column: &&str| !self.equal.contains(column);
        let last = [self.sorted, self.named, self.bounded];
        let last = last.into_iter().flatten().find(fresh);
        match last {
            // The ids of a table are in order anyway.
            Some("id") if self.equal.is_empty() => Vec::new(),
            last => self.equal.iter().copied().chain(last).collect(),
        }
    }
}

fn conjuncts<'p>(cond: &'p Cond, see: &mut impl FnMut(&'p Cmp)) {
    match cond {
        Cond::And(parts) => parts.iter().for_each(|part| conjuncts(part, see)),
        Cond::Cmp(cmp) => see(cmp),
        // An index serves alternatives only if it serves each of them.
        Cond::Or(_) | Cond::Const(_) => {}
    }
}

fn compared<'p>(plan: &'p Plan, cmp: &'p Cmp, needs: &mut BTreeMap<NodeId, Need<'p>>) {
    let ((Expr::Column { node, column }, other) | (other, Expr::Column { node, column })) =
        (&cmp.left.expr, &cmp.right.expr)
    else {
        return;
    };
    if !is_constant(other) || !holds_one_value(plan, *node, column) || !is_searched(plan, *node) {
        return;
    }
    let need = needs.entry(*node).or_default();
    match cmp.op {
        Op::Eq => need.equals(column),
        Op::Gt | Op::Ge | Op::Lt | Op::Le => need.bounded = need.bounded.or(Some(column)),
        Op::Ne | Op::Like | Op::NotLike => return,
    }
    // The way from the base row to the one that is compared.
    let mut at = *node;
    while let Some(parent) = plan.node(at).kind.parent() {
        match &plan.node(at).kind {
            NodeKind::RelOne { column, .. } => {
                let need = needs.entry(parent).or_default();
                need.named = need.named.or(Some(column));
            }
            NodeKind::BackOne { column, .. } => needs.entry(at).or_default().equals(column),
            _ => {}
        }
        at = parent;
    }
}

/// True if the rows of a node are looked for by what they hold, all the way from the base row; elements of a list and the
/// caller are looked up by their ids.
fn is_searched(plan: &Plan, node: NodeId) -> bool {
    let mut at = Some(node);
    while let Some(id) = at {
        let kind = &plan.node(id).kind;
        match kind {
            NodeKind::Base | NodeKind::RelOne { .. } | NodeKind::BackOne { .. } => {}
            _ => return false,
        }
        at = kind.parent();
    }
    true
}

/// True if a column holds one plain value, which indexes find by equality and order.
fn holds_one_value(plan: &Plan, node: NodeId, column: &str) -> bool {
    let field = plan.node(node).collection.as_ref().and_then(|c| c.field(column));
    field.is_some_and(|f| !f.multiple && !matches!(f.class, Class::Json | Class::GeoPoint))
}

/// A value that an index can be asked for; what is empty may also be missing, which is another question. What the request
/// does not have (`@request.auth.org` of a superuser) stands for what others have.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Bound(value) | Expr::AuthColumn(value) => match value {
            Value::Null => true,
            Value::Text(text) => !text.is_empty(),
            Value::Int(_) | Value::Real(_) => true,
        },
        Expr::Literal(literal) => *literal != Literal::Null,
        Expr::Bool(_) => true,
        _ => false,
    }
}

/// True if an index begins with these columns, the first `equal` of them in any order, or if the rows are known to be few.
fn serves(collection: &Loaded, columns: &[&str], equal: usize) -> bool {
    let (equal, rest) = columns.split_at(equal);
    let is = |name: &str, column: &str| name.eq_ignore_ascii_case(column);
    collection.indexes.iter().any(|text| {
        let index = Index::parse(text);
        let plain = index.condition.is_empty()
            && index.is_ordered()
            && index.columns.iter().all(|column| column.collate.is_empty());
        let names: Vec<&str> = index.columns.iter().map(|column| column.name.as_str()).collect();
        let known = names.iter().take_while(|name| equal.iter().any(|c| is(name, c))).count();
        let goes_on =
            || names[known..].iter().zip(rest).filter(|(a, b)| is(a, b)).count() == rest.len();
        plain && (index.unique && known == names.len() || known == equal.len() && goes_on())
    })
}

fn statement(table: &str, columns: &[&str], names: &mut Names) -> String {
    let column = |name: &&str| IndexColumn { name: (*name).to_owned(), ..IndexColumn::default() };
    Index {
        name: names.free(format!("idx_{table}_{}", columns.join("_"))),
        table: table.to_owned(),
        columns: columns.iter().map(column).collect(),
        ..Index::default()
    }
    .build()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dialects::{Dialect, Sql};
    use serde_json::json;

    use crate::{
        App, Ctx,
        app::Config,
        collections,
        event::Hooks,
        explain::{Explained, Question, explain, steps},
        schema::Loaded,
    };

    struct Shop {
        ctx: Ctx,
        _dir: tempfile::TempDir,
    }

    impl Shop {
        fn collection(&self, name: &str) -> Arc<Loaded> {
            self.ctx.app.snapshot().find(name).expect("collection").clone()
        }
        fn explain(&self, collection: &str, filter: &str, sort: &str) -> Explained {
            let question = Question { filter, sort, ..Question::default() };
            explain(&self.ctx, &self.collection(collection), &question, Dialect::SQLITE)
                .unwrap_or_else(|e| panic!("{filter}: {e}"))
        }
    }

    impl Drop for Shop {
        fn drop(&mut self) {
            self.ctx.app.store().close();
        }
    }

    async fn shop() -> Shop {
        let dir = tempfile::tempdir().expect("a directory");
        let app = App::bootstrap(Config::new(dir.path()), Hooks::default()).await.expect("an app");
        let ctx = Ctx::system(&app);
        let shops = json!({"name": "shops", "type": "base", "listRule": "",
            "fields": [{"name": "town", "type": "text"}, {"name": "name", "type": "text"}],
            "indexes": ["CREATE UNIQUE INDEX shops_name ON shops (name)"]});
        let made = collections::create(&ctx, &shops).await.expect("shops");
        let orders = json!({"name": "orders", "type": "base", "listRule": "",
            "fields": [
                {"name": "state", "type": "text"}, {"name": "kind", "type": "text"}, {"name": "total", "type": "number"},
                {"name": "shop", "type": "relation", "collectionId": made.snapshot().id, "maxSelect": 1},
                {"name": "gifts", "type": "relation", "collectionId": made.snapshot().id, "maxSelect": 9},
                {"name": "place", "type": "geoPoint"},
                {"name": "created", "type": "autodate", "onCreate": true}],
            "indexes": [
                "CREATE INDEX orders_state ON orders (state, created)",
                "CREATE INDEX orders_paid ON orders (total) WHERE kind = 'paid'"]});
        collections::create(&ctx, &orders).await.expect("orders");
        // SQLite scans tables that it knows to be small, whatever indexes they have.
        for (text, rows) in [
            ("INSERT INTO shops (id, town, name) SELECT 's' || i, 't' || (i % 50), 'n' || i", 1000),
            (
                "INSERT INTO orders (id, state, kind, total, created) \
                 SELECT 'o' || i, 's' || (i % 20), 'k' || (i % 50), i, '2022-01-01 00:00:00.' || i || 'Z'",
                2000,
            ),
        ] {
            let numbers =
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <";
            let text = format!("{numbers} {rows}) {text} FROM n");
            ctx.db.write(Sql::plain(text).into()).await.expect("rows");
        }
        Shop { ctx, _dir: dir }
    }

    #[tokio::test]
    async fn indexes_that_are_missing() {
        let shop = shop().await;
        for (collection, filter, sort, want) in [
            ("orders", "", "", &[][..]),
            ("orders", "", "-total", &["orders (total)"]),
            ("orders", "state='a'", "", &[]),
            ("orders", "state='a' && created>'2022'", "-created", &[]),
            ("orders", "state='a' && kind='b'", "-created", &["orders (state, kind, created)"]),
            ("orders", "state='a' && total>3", "", &["orders (state, total)"]),
            ("orders", "state='a' && total>3", "total", &["orders (state, total)"]),
            ("orders", "kind=state", "", &[]),
            ("orders", "kind=''", "", &[]),
            ("orders", "state='a' && total>3", "state", &["orders (state, total)"]),
            ("orders", "shop.town='here'", "-created", &["orders (created)", "shops (town)"]),
            ("orders", "gifts.town='here' && gifts='a' && place.lon>3", "gifts", &[]),
            ("orders", "kind='' || total=1", "", &[]),
            ("orders", "kind='a' || total=1", "-id", &[]),
            ("orders", "kind~'a' && total!=1", "", &[]),
            ("orders", "id='abc' && total=1", "-created", &[]),
            ("orders", "shop.town='here'", "", &["orders (shop)", "shops (town)"]),
            ("orders", "shop.name='one'", "", &["orders (shop)"]),
            ("shops", "orders_via_shop.total ?> 5", "", &["orders (shop, total)"]),
            ("shops", "name='a' && town='b'", "", &[]),
            // Two tables that are one, as a set of rows and as the base: one statement.
            (
                "shops",
                "town='a' && orders_via_shop.shop.town='b'",
                "",
                &["orders (shop)", "shops (town)"],
            ),
        ] {
            let got: Vec<String> = shop
                .explain(collection, filter, sort)
                .indexes
                .iter()
                .map(|text| {
                    let on = text.split(" ON ").nth(1).unwrap_or_default().replace('`', "");
                    on.replace("(\n  ", "(").replace("\n)", ")").replace(",\n  ", ", ")
                })
                .collect();
            assert_eq!(got, want, "{collection}: {filter:?} {sort:?}");
        }
    }

    #[tokio::test]
    async fn names_of_indexes_are_free() {
        let shop = shop().await;
        let taken = json!({"name": "taken", "type": "base",
            "fields": [{"name": "a", "type": "text"}],
            "indexes": ["CREATE INDEX IDX_orders_total ON taken (a)"]});
        collections::create(&shop.ctx, &taken).await.expect("taken");
        let statements = shop.explain("orders", "", "-total").indexes;
        let [statement] = &statements[..] else { panic!("{statements:?}") };
        assert_eq!(statement.split('`').nth(1), Some("idx_orders_total_2"));
        let mut indexes = shop.collection("orders").indexes.clone();
        indexes.push(statement.clone());
        let body = json!({"indexes": indexes});
        collections::update(&shop.ctx, "orders", &body).await.expect("a free name");
    }

    #[tokio::test]
    async fn what_is_wanted_is_used_and_then_no_longer_wanted() {
        let shop = shop().await;
        for (collection, filter, sort) in [
            ("orders", "", "-total"),
            ("orders", "kind='b'", "-created"),
            ("orders", "kind='b' && total>3", ""),
            ("shops", "town='b'", "name"),
        ] {
            let statements = shop.explain(collection, filter, sort).indexes;
            let [statement] = &statements[..] else { panic!("{filter}: {statements:?}") };
            let mut indexes = shop.collection(collection).indexes.clone();
            indexes.push(statement.clone());
            let body = json!({"indexes": indexes});
            collections::update(&shop.ctx, collection, &body).await.expect(statement);
            let explained = shop.explain(collection, filter, sort);
            assert_eq!(explained.indexes, Vec::<String>::new());
            let steps = steps(&shop.ctx, explained.sql).await.expect("steps");
            let steps: Vec<String> = steps.into_iter().map(|step| step.detail).collect();
            let steps = steps.join("\n");
            let name = statement.split('`').nth(1).expect("a name");
            assert!(steps.contains(&format!("INDEX {name}")), "{statement}\n{steps}");
            assert!(!steps.contains("TEMP B-TREE"), "{statement}\n{steps}");
        }
    }
}
