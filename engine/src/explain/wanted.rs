//! Which indexes a plan would use if they were there, as statements to put into the collection.
//!
//! A conjunction is served by one index: the columns that must be equal first, then the one that sorts or bounds.

use std::collections::BTreeMap;

use dialects::ident;
use filter_lang::{
    plan::{Cmp, Cond, Expr, Literal, NodeId, NodeKind, Op, Plan, SortBy},
    schema::CollectionKind,
    value::Value,
};

use crate::schema::{Loaded, Snapshot, index::Index};

/// `CREATE INDEX` statements for what no index serves yet.
pub(super) fn indexes(plan: &Plan, snapshot: &Snapshot) -> Vec<String> {
    let mut needs: BTreeMap<NodeId, Need<'_>> = BTreeMap::new();
    conjuncts(&plan.cond, &mut |cmp| compared(plan, cmp, &mut needs));
    if let Some(key) = plan.sort.first()
        && let SortBy::Expr(Expr::Column { node: NodeId::BASE, column }) = &key.by
    {
        needs.entry(NodeId::BASE).or_default().sorted = Some(column);
    }
    let mut out = Vec::new();
    for (node, need) in needs {
        let collection = plan.node(node).collection.as_ref().and_then(|c| snapshot.by_id(&c.id));
        let Some(collection) = collection else { continue };
        // A view has no indexes; an id has one.
        if plan.node(node).collection.as_ref().is_some_and(|c| c.kind == CollectionKind::View)
            || need.equal.contains(&"id")
        {
            continue;
        }
        let columns = need.columns();
        if !columns.is_empty() && !serves(collection, &need) {
            out.push(statement(&collection.name, &columns));
        }
    }
    out.sort();
    out.dedup();
    out
}

/// What is asked of the rows of one table.
#[derive(Default)]
struct Need<'p> {
    equal: Vec<&'p str>,
    bounded: Option<&'p str>,
    sorted: Option<&'p str>,
}

impl<'p> Need<'p> {
    fn equals(&mut self, column: &'p str) {
        if !self.equal.contains(&column) {
            self.equal.push(column);
        }
    }
    /// What comes after the equal ones: an order, so that a page ends early, before a bound.
    fn last(&self) -> Option<&'p str> {
        self.sorted.or(self.bounded).filter(|column| !self.equal.contains(column))
    }
    fn columns(&self) -> Vec<&'p str> {
        match self.last() {
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
    if !is_constant(other) {
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
            NodeKind::RelOne { column, .. } => needs.entry(parent).or_default().equals(column),
            NodeKind::BackOne { column, .. } => needs.entry(at).or_default().equals(column),
            _ => {}
        }
        at = parent;
    }
}

/// A value that an index can be asked for; what is empty may also be missing, which is another question.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Bound(value) | Expr::AuthColumn(value) => match value {
            Value::Null => false,
            Value::Text(text) => !text.is_empty(),
            Value::Int(_) | Value::Real(_) => true,
        },
        Expr::Literal(literal) => *literal != Literal::Null,
        Expr::Bool(_) => true,
        _ => false,
    }
}

/// True if an index begins with the equal columns, in any order, and goes on with what comes after them.
fn serves(collection: &Loaded, need: &Need<'_>) -> bool {
    collection.indexes.iter().any(|text| {
        let index = Index::parse(text);
        let plain = index.condition.is_empty() && index.method.is_empty();
        let names: Vec<&str> = index.columns.iter().map(|column| column.name.as_str()).collect();
        let is_equal = |name: &&str| need.equal.iter().any(|c| c.eq_ignore_ascii_case(name));
        let known = names.iter().take_while(|name| is_equal(name)).count();
        let all = known >= need.equal.len();
        let unique = index.unique && known == names.len();
        let goes_on = need.last().is_none_or(|last| {
            names.get(known).is_some_and(|name| name.eq_ignore_ascii_case(last))
        });
        plain && (unique || all && goes_on)
    })
}

fn statement(table: &str, columns: &[&str]) -> String {
    let name = format!("idx_{table}_{}", columns.join("_"));
    let columns: Vec<String> = columns.iter().map(|column| ident(column)).collect();
    format!("CREATE INDEX {} ON {} ({})", ident(&name), ident(table), columns.join(", "))
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
            explain(&self.ctx, &self.collection(collection), &question, Dialect::Sqlite)
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
            ("orders", "kind='' || total=1", "", &[]),
            ("orders", "kind='a' || total=1", "-id", &[]),
            ("orders", "kind~'a' && total!=1", "", &[]),
            ("orders", "id='abc' && total=1", "-created", &[]),
            ("orders", "shop.town='here'", "", &["orders (shop)", "shops (town)"]),
            ("orders", "shop.name='one'", "", &["orders (shop)"]),
            ("shops", "orders_via_shop.total ?> 5", "", &["orders (shop, total)"]),
            ("shops", "name='a' && town='b'", "", &[]),
        ] {
            let got: Vec<String> = shop
                .explain(collection, filter, sort)
                .indexes
                .iter()
                .map(|text| text.split(" ON ").nth(1).unwrap_or_default().replace('"', ""))
                .collect();
            assert_eq!(got, want, "{collection}: {filter:?} {sort:?}");
        }
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
            let steps = steps(&shop.ctx, explained.sql).await.expect("steps").join("\n");
            let name = statement.split('"').nth(1).expect("a name");
            assert!(steps.contains(&format!("INDEX {name}")), "{statement}\n{steps}");
            assert!(!steps.contains("TEMP B-TREE"), "{statement}\n{steps}");
        }
    }
}
