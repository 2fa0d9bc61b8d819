//! The rows that a plan reads for one record, a few of each: what the sides of a comparison are shown with.

use std::{borrow::Cow, sync::Arc};

use dialects::statement;
use filter_lang::{
    eval::{Slots, last_node, value_on},
    plan::{Expr, Literal, NodeId, NodeKind, Operand, Plan, RowMode},
    schema::Class,
    value::Value,
};
use serde_json::Value as Json;

use crate::{Result, ctx::Ctx, field::password, find, record::Record, rule, schema::Loaded};

/// Most rows of one node.
const MAX_ROWS: usize = 20;
/// Longest text shown, in characters.
const MAX_TEXT: usize = 500;

enum Slot {
    Row(Arc<Record>),
    Draft(Arc<Record>),
    Element(Value),
}

/// What was found for each node of a plan.
pub(super) struct Evidence<'p> {
    plan: &'p Plan,
    nodes: Vec<Vec<Slot>>,
}

/// Looks up the rows of every node, parents first.
pub(super) async fn gather<'p>(ctx: &Ctx, plan: &'p Plan, record: &Record) -> Result<Evidence<'p>> {
    let mut found = Evidence { plan, nodes: Vec::with_capacity(plan.nodes.len()) };
    let snapshot = ctx.snapshot();
    for node in &plan.nodes {
        let slots = match &node.kind {
            NodeKind::Base if plan.row == RowMode::Draft => {
                vec![Slot::Draft(record.clone().into())]
            }
            NodeKind::Base => vec![Slot::Row(record.fresh_original().into())],
            NodeKind::Each { parent, column } => {
                found.listed(*parent, column).into_iter().map(Slot::Element).collect()
            }
            NodeKind::BodyEach { items, .. } => {
                items.iter().take(MAX_ROWS).cloned().map(Slot::Element).collect()
            }
            kind => {
                let collection = node.collection.as_ref().and_then(|c| snapshot.by_id(&c.id));
                match collection {
                    Some(collection) => found.rows(ctx, collection, kind).await?,
                    None => Vec::new(),
                }
            }
        };
        found.nodes.push(slots);
    }
    Ok(found)
}

impl Evidence<'_> {
    async fn rows(
        &self,
        ctx: &Ctx,
        collection: &Arc<Loaded>,
        kind: &NodeKind,
    ) -> Result<Vec<Slot>> {
        let records = match kind {
            NodeKind::RelOne { parent, column } | NodeKind::RelMany { parent, column } => {
                by_ids(ctx, collection, self.listed(*parent, column)).await?
            }
            NodeKind::Auth { id } => by_ids(ctx, collection, vec![Value::Text(id.clone())]).await?,
            NodeKind::Body { ids, .. } => {
                by_ids(ctx, collection, ids.iter().cloned().map(Value::Text).collect()).await?
            }
            NodeKind::BackOne { parent, column } | NodeKind::BackMany { parent, column } => {
                let is_many = matches!(kind, NodeKind::BackMany { .. });
                let mut found = Vec::new();
                for id in self.listed(*parent, "id") {
                    let Some(id) = id.text() else { continue };
                    let left = u32::try_from(MAX_ROWS - found.len()).unwrap_or(0);
                    let sql = statement::referencing(
                        ctx.app.dialect(),
                        &collection.name,
                        &collection.select,
                        column,
                        is_many,
                        &id,
                        left,
                    );
                    found.extend(find::many(ctx, collection, sql).await?);
                    if found.len() >= MAX_ROWS {
                        break;
                    }
                }
                found
            }
            NodeKind::Cross { .. } => {
                rule::first_rows(ctx, collection, u32::try_from(MAX_ROWS).unwrap_or(0)).await?
            }
            NodeKind::Base | NodeKind::Each { .. } | NodeKind::BodyEach { .. } => Vec::new(),
        };
        Ok(records.into_iter().map(|record| Slot::Row(record.into())).collect())
    }

    /// The values of a column over the rows of a node, lists taken apart.
    fn listed(&self, node: NodeId, column: &str) -> Vec<Value> {
        let mut out = Vec::new();
        for slot in self.slots(node) {
            let value = slot.column(column);
            match value.text().as_deref().map(serde_json::from_str::<Json>) {
                Some(Ok(Json::Array(items))) => {
                    out.extend(items.iter().map(|item| match item {
                        Json::String(text) => Value::from(text.as_str()),
                        Json::Number(number) => Value::Real(number.as_f64().unwrap_or_default()),
                        Json::Bool(is) => Value::from(*is),
                        Json::Null => Value::Null,
                        other => Value::from(other.to_string()),
                    }));
                }
                _ if value.is_null() => {}
                _ => out.push(value),
            }
        }
        out.truncate(MAX_ROWS);
        out
    }

    fn slots(&self, node: NodeId) -> &[Slot] {
        let at = usize::try_from(node.0).unwrap_or(usize::MAX);
        self.nodes.get(at).map_or(&[], Vec::as_slice)
    }

    /// What an operand is: one value, or a list where its path may have several.
    pub(super) fn show(&self, operand: &Operand) -> Json {
        let node = last_node(&operand.expr);
        let on = |at| {
            let tuple = Tuple { evidence: self, node, at };
            self.json(&operand.expr, &value_on(&operand.expr, &tuple, self.plan.now_ms))
        };
        let is_several = self.plan.nodes.get(usize::try_from(node.0).unwrap_or(0));
        if node != NodeId::BASE && is_several.is_some_and(|node| node.multi) {
            return (0..self.slots(node).len()).map(on).collect();
        }
        on(0)
    }

    fn json(&self, expr: &Expr, value: &Value) -> Json {
        let is_bool = match expr {
            Expr::Bool(_) | Expr::Literal(Literal::True | Literal::False) => true,
            Expr::Column { node, column } => {
                let node = self.plan.nodes.get(usize::try_from(node.0).unwrap_or(usize::MAX));
                let field = node.and_then(|n| n.collection.as_ref()).and_then(|c| c.field(column));
                field.is_some_and(|field| field.class == Class::Bool)
            }
            _ => false,
        };
        match value {
            Value::Null => Json::Null,
            Value::Int(number) if is_bool => Json::Bool(*number != 0),
            Value::Real(number) if is_bool => Json::Bool(*number != 0.0),
            Value::Int(number) => (*number).into(),
            Value::Real(_) => number_of(value),
            Value::Text(text) => short(text).into(),
        }
    }
}

/// A double as it is written in rules: 5, not 5.0.
fn number_of(value: &Value) -> Json {
    let text = value.text().unwrap_or(Cow::Borrowed("null"));
    let text = text.strip_suffix(".0").unwrap_or(&text);
    serde_json::from_str(text).unwrap_or(Json::Null)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

impl Slot {
    /// The value as a row holds it; credentials are not shown.
    fn column(&self, name: &str) -> Value {
        let (Self::Row(record) | Self::Draft(record)) = self else { return Value::Null };
        let collection = record.collection();
        let Some((index, field)) = collection.field_at(name) else { return Value::Null };
        let is_secret =
            field.type_name() == password::KIND || collection.is_auth() && field.name == "tokenKey";
        if is_secret {
            return Value::from("(secret)");
        }
        field.kind.to_db(record.value(index))
    }
}

/// One row of the node in question, and the first ones of all others.
struct Tuple<'e> {
    evidence: &'e Evidence<'e>,
    node: NodeId,
    at: usize,
}

impl Tuple<'_> {
    fn slot(&self, node: NodeId) -> Option<&Slot> {
        let at = if node == self.node { self.at } else { 0 };
        self.evidence.slots(node).get(at)
    }
}

impl Slots for Tuple<'_> {
    fn column(&self, node: NodeId, column: &str) -> Value {
        self.slot(node).map_or(Value::Null, |slot| slot.column(column))
    }

    fn element(&self, node: NodeId) -> Value {
        match self.slot(node) {
            Some(Slot::Element(value)) => value.clone(),
            _ => Value::Null,
        }
    }
}

async fn by_ids(ctx: &Ctx, collection: &Arc<Loaded>, ids: Vec<Value>) -> Result<Vec<Record>> {
    let ids: Vec<String> =
        ids.iter().take(MAX_ROWS).filter_map(|id| Some(id.text()?.into_owned())).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() { Ok(Vec::new()) } else { find::by_ids(ctx, collection, &ids).await }
}
