//! Names → [`Plan`]: the only place that asks a [`Schema`].
//!
//! One [`Resolver`] builds one plan out of several expressions (rule, client filter, sort) that share one join
//! tree (spec filter-language §9). Every subtle rule becomes explicit here; nothing is executed.

mod modifier;
mod path;
mod request;
mod sides;
mod simple;

use std::{fmt, sync::Arc};

pub(crate) use modifier::NAMES as MODIFIERS;
pub use sides::{Sides, reached};

use crate::{
    ast::{Ast, Comparison, Join, Node as AstNode, Span, Term, TermKind},
    date_macro,
    error::{Error, ErrorKind, SideName},
    fold, form, func,
    plan::{
        Cmp, Cond, Expr, Literal, Node, NodeId, NodeKind, NullPref, Op, Operand, Plan, RowMode,
        SortBy, SortKey,
    },
    schema::{Collection, CollectionKind, Schema},
    scope::Scope,
    sort,
    value::{Affinity, Value},
};

/// What one expression may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// Hidden fields may be used (rules, superusers).
    pub hidden_allowed: bool,
    /// List rules of joined collections are enforced (client filters of non-superusers, realtime).
    pub enforce_list_rules: bool,
}

impl Flags {
    /// What rules may see: everything.
    pub const RULE: Self = Self { hidden_allowed: true, enforce_list_rules: false };
    /// What a client filter of a non-superuser may see.
    pub const CLIENT: Self = Self { hidden_allowed: false, enforce_list_rules: true };
}

impl From<&Scope> for Flags {
    fn from(scope: &Scope) -> Self {
        Self { hidden_allowed: scope.hidden_allowed, enforce_list_rules: scope.enforce_list_rules }
    }
}

/// Accumulates one [`Plan`]: filters and rules are AND-ed, joins are shared.
///
/// After an error the resolver must not be used any further.
pub struct Resolver<'a> {
    names: Names<'a>,
    scope: &'a Scope,
    plan: Plan,
    conds: Vec<Cond>,
    /// Joined nodes whose list rule has been taken care of.
    restricted: Vec<NodeId>,
    /// Joined nodes whose list rule must still be resolved.
    pending: Vec<NodeId>,
}

/// Where names come from.
#[derive(Clone, Copy)]
enum Names<'a> {
    Schema(&'a dyn Schema),
    /// spec §2.6: bare columns, and JSON paths into one of them.
    Simple {
        allowed: &'a [&'a str],
        json_field: Option<&'a str>,
    },
}

impl fmt::Debug for Resolver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// The row an expression is relative to, and what it may see.
#[derive(Debug, Clone)]
struct Frame {
    root: NodeId,
    base: Arc<Collection>,
    flags: Flags,
    draft: bool,
}

/// An operand with what must be added to its comparison.
#[derive(Debug)]
struct Resolved {
    operand: Operand,
    /// Only rows at this node with a visible email count (spec §10.2).
    guard: Option<NodeId>,
}

impl Resolved {
    fn constant(expr: Expr) -> Self {
        Self::of(expr, NullPref::Auto, Affinity::None)
    }

    fn null() -> Self {
        Self::constant(Expr::Literal(Literal::Null))
    }

    fn of(expr: Expr, pref: NullPref, affinity: Affinity) -> Self {
        Self { operand: Operand { expr, pref, affinity, multi: false }, guard: None }
    }

    fn multi(mut self, multi: bool) -> Self {
        self.operand.multi = multi;
        self
    }
}

impl<'a> Resolver<'a> {
    /// Starts a plan over the rows of `base`.
    #[must_use]
    pub fn new(schema: &'a dyn Schema, base: Arc<Collection>, scope: &'a Scope) -> Self {
        Self::with_names(Names::Schema(schema), base, scope)
    }

    /// Starts a plan of the simple kind (spec §2.6: lists of collections and logs): only the columns named in
    /// `allowed`, and JSON paths into `json_field`; no modifiers, no joins.
    #[must_use]
    pub fn simple(
        base: Arc<Collection>,
        allowed: &'a [&'a str],
        json_field: Option<&'a str>,
        scope: &'a Scope,
    ) -> Self {
        Self::with_names(Names::Simple { allowed, json_field }, base, scope)
    }

    fn with_names(names: Names<'a>, base: Arc<Collection>, scope: &'a Scope) -> Self {
        let root = Node {
            kind: NodeKind::Base,
            collection: Some(Arc::clone(&base)),
            multi: false,
            root: NodeId::BASE,
        };
        let plan = Plan {
            base,
            row: if scope.draft { RowMode::Draft } else { RowMode::Stored },
            nodes: vec![root],
            joined: false,
            cond: Cond::Const(true),
            sort: Vec::new(),
            now_ms: scope.now_ms,
            broken: None,
        };
        Self { names, scope, plan, conds: Vec::new(), restricted: Vec::new(), pending: Vec::new() }
    }

    /// AND-s a filter or rule in.
    ///
    /// # Errors
    /// Unknown or forbidden names, wrong functions, more than [`crate::MAX_EXPRESSIONS`] comparisons.
    pub fn filter(&mut self, ast: &Ast, flags: Flags) -> Result<(), Error> {
        let frame = self.base_frame(flags);
        let cond = self.ast(&frame, ast)?;
        self.conds.push(cond);
        self.list_rules()
    }

    /// Adds the keys of a `sort` parameter.
    ///
    /// # Errors
    /// Too many or too long fields, or fields that cannot be sorted by.
    pub fn sort(&mut self, text: &str, flags: Flags) -> Result<(), Error> {
        let frame = self.base_frame(flags);
        for term in sort::parse(text)? {
            let key = self.sort_key(&frame, &term).ok_or_else(|| {
                Error::new(ErrorKind::InvalidSort(term.name.to_owned()), term.span)
            })?;
            self.plan.sort.extend(key);
        }
        self.list_rules()
    }

    /// The plan of everything added so far.
    #[must_use]
    pub fn finish(self) -> Plan {
        Plan { cond: fold::and(self.conds), ..self.plan }
    }

    fn base_frame(&self, flags: Flags) -> Frame {
        Frame {
            root: NodeId::BASE,
            base: Arc::clone(&self.plan.base),
            flags,
            draft: self.scope.draft,
        }
    }

    /// Resolves a whole expression in source order, without recursion.
    fn ast(&mut self, frame: &Frame, ast: &Ast) -> Result<Cond, Error> {
        let mut count = 0;
        let mut open = vec![(ast.root(), 0, Builder::default())];
        while let Some((group, at, builder)) = open.last_mut() {
            let Some(item) = group.items.get(*at) else {
                let done = std::mem::take(builder).finish();
                open.pop();
                match open.last_mut() {
                    None => return Ok(done),
                    Some((_, _, parent)) => parent.ands.push(done),
                }
                continue;
            };
            *at += 1;
            builder.join(item.join);
            match &item.node {
                AstNode::Group(index) => open.push((ast.group(*index), 0, Builder::default())),
                AstNode::Compare(cmp) => {
                    count += 1;
                    if count > crate::MAX_EXPRESSIONS {
                        return Err(Error::new(ErrorKind::TooManyExpressions, cmp.left.span));
                    }
                    builder.ands.push(self.comparison(frame, cmp)?);
                }
            }
        }
        Ok(Cond::Const(true))
    }

    fn comparison(&mut self, frame: &Frame, cmp: &Comparison) -> Result<Cond, Error> {
        let left = self.side(frame, SideName::Left, &cmp.left)?;
        let right = self.side(frame, SideName::Right, &cmp.right)?;
        Ok(self.compare(cmp.op, cmp.any, left, right))
    }

    fn side(&mut self, frame: &Frame, side: SideName, term: &Term) -> Result<Resolved, Error> {
        self.term(frame, term).map_err(|cause| {
            let literal = term.literal().to_owned();
            Error::new(ErrorKind::Operand { side, literal, cause: Box::new(cause) }, term.span)
        })
    }

    fn compare(&mut self, op: Op, any: bool, left: Resolved, right: Resolved) -> Cond {
        let guards = [left.guard, right.guard];
        if matches!(op, Op::Like | Op::NotLike)
            && matches!(right.operand.expr, Expr::BodyElement { .. })
        {
            // spec §4.3: the pattern conversion corrupts the bound list.
            self.plan.broken = Some("malformed JSON");
        }
        let cmp = Cmp { op, any, left: left.operand, right: right.operand };
        let mut all = vec![fold::cmp(cmp, self.plan.now_ms)];
        for node in guards.into_iter().flatten() {
            all.push(self.email_guard(node));
        }
        fold::and(all)
    }

    fn email_guard(&self, node: NodeId) -> Cond {
        let draft = node == NodeId::BASE && self.scope.draft;
        let affinity = if draft { Affinity::None } else { Affinity::Num };
        let column = "emailVisibility".to_owned();
        let left = Resolved::of(Expr::Column { node, column }, NullPref::Auto, affinity).operand;
        let right = Resolved::constant(Expr::Literal(Literal::True)).operand;
        Cond::Cmp(Box::new(Cmp { op: Op::Eq, any: false, left, right }))
    }

    /// spec §3.1.
    fn term(&mut self, frame: &Frame, term: &Term) -> Result<Resolved, ErrorKind> {
        match &term.kind {
            TermKind::Identifier(name) => {
                if let Some(value) = date_macro::value(name, self.plan.now_ms) {
                    return Ok(Resolved::constant(Expr::Bound(value)));
                }
                self.identifier(frame, name).or_else(|error| {
                    let literal = keyword(name).ok_or(error)?;
                    Ok(Resolved::constant(Expr::Literal(literal)))
                })
            }
            TermKind::Number(text) => {
                let number = text.parse().unwrap_or(0.0);
                Ok(Resolved::constant(Expr::Bound(Value::Real(number))))
            }
            TermKind::Text(text) => Ok(Resolved::constant(Expr::Bound(Value::from(text.as_str())))),
            TermKind::Function { name, args } => {
                let mut arguments = ArgumentsIn { resolver: self, frame, guard: None };
                let operand = func::call(&mut arguments, name, args)?;
                Ok(Resolved { operand, guard: arguments.guard })
            }
        }
    }

    /// `None`: invalid. `Some(None)`: valid, but a constant that sorts nothing.
    fn sort_key(&mut self, frame: &Frame, term: &sort::Term<'_>) -> Option<Option<SortKey>> {
        let desc = term.desc;
        let by = match term.name {
            "@random" => SortBy::Random,
            // spec §2.3: views have no rowid.
            "@rowid" if self.plan.base.kind == CollectionKind::View => return None,
            "@rowid" => SortBy::RowId,
            name => {
                let expr = self.identifier(frame, name).ok()?.operand.expr;
                match expr {
                    Expr::Literal(Literal::True | Literal::False) => return Some(None),
                    // `:length` and `:changed` of the body are no valid ORDER BY terms.
                    Expr::Literal(_) | Expr::Changed(_) => return None,
                    _ if form::has_params(&expr) => return None,
                    _ if fold::is_constant(&expr) => return Some(None),
                    expr => SortBy::Expr(expr),
                }
            }
        };
        Some(Some(SortKey { by, desc }))
    }

    /// Finds or adds a node. Structural keys: the same path is joined once (spec §9).
    fn join(
        &mut self,
        frame: &Frame,
        kind: NodeKind,
        collection: Option<Arc<Collection>>,
        is_many: bool,
    ) -> Result<NodeId, ErrorKind> {
        let id_of = |collection: &Option<Arc<Collection>>| {
            collection.as_ref().map(|collection| collection.id.clone())
        };
        let same = |node: &Node| {
            node.root == frame.root
                && node.kind == kind
                && id_of(&node.collection) == id_of(&collection)
        };
        let found = self.plan.nodes.iter().skip(1).position(same);
        self.plan.joined = true;
        let index = found.map_or(self.plan.nodes.len(), |at| at + 1);
        let id = NodeId(u32::try_from(index).unwrap_or(u32::MAX));
        if found.is_none() {
            let inherited = kind.parent().is_some_and(|parent| self.is_multi(frame, parent));
            let multi = is_many || inherited;
            self.plan.nodes.push(Node {
                kind,
                collection: collection.clone(),
                multi,
                root: frame.root,
            });
        }
        if let Some(collection) = collection
            && frame.flags.enforce_list_rules
            && !self.restricted.contains(&id)
        {
            match collection.list_rule.as_deref() {
                None => return Err(ErrorKind::LockedCollection(collection.name.clone())),
                Some("") => {}
                Some(_) => self.pending.push(id),
            }
            self.restricted.push(id);
        }
        Ok(id)
    }

    /// Whether a path that ends at `node` is multi-valued, seen from the frame's root.
    fn is_multi(&self, frame: &Frame, node: NodeId) -> bool {
        node != frame.root && self.node(node).is_some_and(|node| node.multi)
    }

    fn node(&self, node: NodeId) -> Option<&Node> {
        self.plan.nodes.get(usize::try_from(node.0).unwrap_or(usize::MAX))
    }

    /// Turns the list rules of newly joined collections into top-level conditions (spec §10.3).
    fn list_rules(&mut self) -> Result<(), Error> {
        for node in std::mem::take(&mut self.pending) {
            let Some(collection) = self.node(node).and_then(|node| node.collection.clone()) else {
                continue;
            };
            let rule = collection.list_rule.as_deref().unwrap_or("");
            let name = collection.name.clone();
            let frame = Frame {
                root: node,
                base: Arc::clone(&collection),
                flags: Flags::RULE,
                draft: false,
            };
            // spec §10.3: literally this text, so comments and the limit behave as in the reference.
            let cond = crate::parse(&format!("id='' || (\n{rule}\n)"))
                .and_then(|ast| self.ast(&frame, &ast))
                .map_err(|error| {
                    let cause = error.kind;
                    Error::new(ErrorKind::ListRule { collection: name, cause }, Span::default())
                })?;
            self.conds.push(cond);
        }
        Ok(())
    }
}

/// `null`, `true` and `false` in any letter case.
fn keyword(name: &str) -> Option<Literal> {
    [("null", Literal::Null), ("true", Literal::True), ("false", Literal::False)]
        .into_iter()
        .find(|(word, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, literal)| literal)
}

/// `x && y || z` of one group.
#[derive(Debug, Default)]
struct Builder {
    ors: Vec<Cond>,
    ands: Vec<Cond>,
}

impl Builder {
    fn join(&mut self, join: Join) {
        if join == Join::Or {
            self.ors.push(fold::and(std::mem::take(&mut self.ands)));
        }
    }

    fn finish(mut self) -> Cond {
        self.ors.push(fold::and(self.ands));
        fold::or(self.ors)
    }
}

struct ArgumentsIn<'r, 'a> {
    resolver: &'r mut Resolver<'a>,
    frame: &'r Frame,
    /// The row whose e-mail address the call reads, if that may be hidden and the function says so.
    guard: Option<NodeId>,
}

impl func::Arguments for ArgumentsIn<'_, '_> {
    fn argument(&mut self, term: &Term) -> Result<Operand, ErrorKind> {
        self.resolver.term(self.frame, term).map(|resolved| resolved.operand)
    }

    fn guarded(&mut self, term: &Term) -> Result<Operand, ErrorKind> {
        let resolved = self.resolver.term(self.frame, term)?;
        self.guard = self.guard.or(resolved.guard);
        Ok(resolved.operand)
    }
}

/// Resolves one filter with the flags of its scope.
///
/// # Errors
/// See [`Resolver::filter`].
pub fn resolve(
    schema: &dyn Schema,
    base: Arc<Collection>,
    ast: &Ast,
    scope: &Scope,
) -> Result<Plan, Error> {
    let mut resolver = Resolver::new(schema, base, scope);
    resolver.filter(ast, Flags::from(scope))?;
    Ok(resolver.finish())
}

/// Resolves one filter of the simple kind (spec §2.6), see [`Resolver::simple`].
///
/// # Errors
/// See [`Resolver::filter`].
pub fn resolve_simple(
    base: Arc<Collection>,
    ast: &Ast,
    allowed: &[&str],
    json_field: Option<&str>,
    scope: &Scope,
) -> Result<Plan, Error> {
    let mut resolver = Resolver::simple(base, allowed, json_field, scope);
    resolver.filter(ast, Flags::from(scope))?;
    Ok(resolver.finish())
}
