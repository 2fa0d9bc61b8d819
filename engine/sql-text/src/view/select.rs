//! Queries: common tables, what stands behind FROM, the select list, joins of queries.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator,
    LimitClause, ObjectName, ObjectNamePart, Offset, OffsetRows, OrderBy, OrderByKind, Query,
    Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor,
    TableWithJoins, UnaryOperator, Value,
};

use super::{
    Ty, adapt, bare, build,
    names::{self, Alias, Known, Level, Source},
    pass::{Pass, requote},
};

const WILDCARD: &str = "wildcard columns (*) are not supported - manually type the collection field names you want the view query to have";

/// The columns of SQLite's `json_each`.
const JSON_EACH: [(&str, Ty); 8] = [
    ("key", Ty::Value),
    ("value", Ty::Value),
    ("type", Ty::Text),
    ("atom", Ty::Value),
    ("id", Ty::Int),
    ("parent", Ty::Int),
    ("fullkey", Ty::Text),
    ("path", Ty::Text),
];

impl Pass<'_> {
    /// The query of a view.
    pub(super) fn top_level(
        &mut self,
        query: &mut Query,
        is_bool: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Known>, String> {
        if has_wildcard(&query.body) {
            return Err(WILDCARD.into());
        }
        let columns = self.query(query);
        if self.postgres {
            let numbers: Vec<bool> = columns
                .iter()
                .map(|known| known.ty == Ty::Bool && known.is_computed && !is_bool(&known.name))
                .collect();
            truth_as_numbers(&mut query.body, &numbers);
        }
        Ok(columns)
    }

    /// The columns of a query.
    pub(super) fn query(&mut self, query: &mut Query) -> Vec<Known> {
        let n_ctes = self.ctes.len();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                self.common_table(&mut cte.alias, &mut cte.query, with.recursive);
            }
        }
        let mut order = query.order_by.take();
        let columns = self.set(&mut query.body, order.as_mut());
        query.order_by = order;
        if self.postgres {
            query.limit_clause = query.limit_clause.take().and_then(limit);
        }
        self.ctes.truncate(n_ctes);
        columns
    }

    fn common_table(&mut self, alias: &mut TableAlias, query: &mut Query, recursive: bool) {
        let name = alias.name.value.clone();
        if recursive {
            // Its own rows are those of its first part.
            let mut first = query.clone();
            if let SetExpr::SetOperation { left, .. } = *first.body {
                first.body = left;
                first.order_by = None;
            }
            let tables = self.tables.len();
            let columns = self.query(&mut first);
            self.tables.truncate(tables);
            self.ctes.push((name.clone(), renamed(columns, alias)));
        }
        let columns = self.query(query);
        if recursive {
            self.ctes.pop();
        }
        self.ctes.push((name, renamed(columns, alias)));
        if self.postgres {
            quote_alias(alias);
        }
    }

    fn set(&mut self, body: &mut SetExpr, order: Option<&mut OrderBy>) -> Vec<Known> {
        match body {
            SetExpr::Select(select) => self.select(select, order),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let (left, right) = (self.set(left, None), self.set(right, None));
                let columns: Vec<Known> = left
                    .into_iter()
                    .enumerate()
                    .map(|(at, known)| match right.get(at) {
                        Some(other) => both(known, other),
                        None => known,
                    })
                    .collect();
                if let Some(order) = order {
                    self.result_order(&mut order.kind, &columns);
                }
                columns
            }
            SetExpr::Values(values) => {
                let mut columns = Vec::new();
                for row in &mut values.rows {
                    for (at, cell) in row.content.iter_mut().enumerate() {
                        let ty = self.expr(cell);
                        if columns.len() <= at {
                            columns.push(Known::computed(format!("column{}", at + 1), ty));
                        }
                    }
                }
                columns
            }
            _ => Vec::new(),
        }
    }

    fn select(&mut self, select: &mut Select, order: Option<&mut OrderBy>) -> Vec<Known> {
        self.levels.push(Level::default());
        for from in &mut select.from {
            self.from(from);
        }
        let mut columns = Vec::new();
        for item in &mut select.projection {
            self.item(item, &mut columns);
        }
        self.name_aliases(select);
        if let Some(condition) = &mut select.selection {
            self.truth(condition);
        }
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            keys.iter_mut().for_each(|key| self.group_key(key));
        }
        if let Some(condition) = &mut select.having {
            self.truth(condition);
        }
        for window in &mut select.named_window {
            if let sqlparser::ast::NamedWindowExpr::WindowSpec(spec) = &mut window.1 {
                self.window_spec(spec);
            }
        }
        let mut order = order;
        if let Some(order) = order.as_deref_mut() {
            self.result_order(&mut order.kind, &columns);
        }
        if self.postgres {
            let items = order.and_then(|order| match &mut order.kind {
                OrderByKind::Expressions(items) => Some(items),
                OrderByKind::All(_) => None,
            });
            bare::beside_aggregates(self, select, items);
        }
        self.levels.pop();
        columns
    }

    /// One item of the select list.
    fn item(&mut self, item: &mut SelectItem, columns: &mut Vec<Known>) {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let known = self.column(expr, None);
                columns.push(known);
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let known = self.column(expr, Some(&alias.value));
                columns.push(known);
                if self.postgres {
                    *alias = build::ident(&alias.value);
                }
            }
            SelectItem::Wildcard(_) => {
                let sources = self.levels.last().into_iter().flat_map(|level| &level.sources);
                columns.extend(sources.flat_map(|source| source.columns.iter().flatten().cloned()));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let table = last_part(name).map(|part| part.value.clone()).unwrap_or_default();
                let sources = self.levels.last().into_iter().flat_map(|level| &level.sources);
                let source =
                    sources.clone().find(|s| s.alias.eq_ignore_ascii_case(&table)).cloned();
                if let Some(Source { alias, columns: Some(found), .. }) = source {
                    columns.extend(found);
                    if self.postgres {
                        *name = ObjectName(vec![ObjectNamePart::Identifier(build::ident(alias))]);
                    }
                }
            }
            _ => {}
        }
    }

    fn column(&mut self, expr: &mut Expr, alias: Option<&str>) -> Known {
        let meaning = self.meaning(expr);
        let written = match (alias, &*expr) {
            (Some(alias), _) => alias.to_owned(),
            (None, Expr::Identifier(name)) => name.value.clone(),
            (None, Expr::CompoundIdentifier(parts)) => {
                parts.last().map(|part| part.value.clone()).unwrap_or_default()
            }
            (None, expr) => expr.to_string(),
        };
        let is_computed =
            !matches!(expr, Expr::Cast { .. }) && !matches!(meaning, names::Meaning::Unknown);
        let ty = self.expr(expr);
        match meaning {
            names::Meaning::Column { known, .. } => {
                let name = alias.map_or_else(|| known.name.clone(), str::to_owned);
                Known { name, ..known }
            }
            _ => Known { is_computed, ..Known::computed(written, ty) },
        }
    }

    fn name_aliases(&mut self, select: &Select) {
        let aliases = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.clone(), expr.clone())),
            _ => None,
        });
        let mut found = Vec::new();
        for (name, expr) in aliases {
            let ty = Pass { postgres: false, ..self.beside() }.expr(&mut expr.clone());
            found.push(Alias { name, ty, expr });
        }
        if let Some(level) = self.levels.last_mut() {
            level.aliases = found;
        }
    }

    /// A walk of its own at the same place.
    fn beside(&self) -> Pass<'_> {
        Pass {
            levels: self
                .levels
                .iter()
                .map(|level| Level {
                    sources: level.sources.clone(),
                    aliases: level.aliases.clone(),
                })
                .collect(),
            ctes: self.ctes.clone(),
            ..Pass::new(self.catalog, false)
        }
    }

    /// GROUP BY may name a column of the result.
    fn group_key(&mut self, key: &mut Expr) {
        match (&*key, self.meaning(key)) {
            (Expr::Identifier(_), names::Meaning::Alias(alias)) => {
                if self.postgres {
                    *key = Expr::Identifier(build::ident(alias.name));
                }
            }
            _ => {
                self.expr(key);
            }
        }
    }

    fn from(&mut self, from: &mut TableWithJoins) {
        self.factor(&mut from.relation);
        for join in &mut from.joins {
            self.factor(&mut join.relation);
            self.join(join);
        }
    }

    fn join(&mut self, join: &mut Join) {
        let constraint = match &mut join.join_operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => constraint,
            _ => return,
        };
        match constraint {
            JoinConstraint::On(condition) => self.truth(condition),
            JoinConstraint::Using(names) if self.postgres => {
                for name in names {
                    if let Some(part) = last_part_mut(name) {
                        let known = names::bare(&self.levels, &part.value);
                        match known {
                            names::Meaning::Column { known, .. } => {
                                *part = build::ident(known.name)
                            }
                            _ => requote(part),
                        }
                    }
                }
            }
            _ => {}
        }
        if self.postgres {
            join_without_condition(&mut join.join_operator);
        }
    }

    fn factor(&mut self, factor: &mut TableFactor) {
        match factor {
            TableFactor::Table { name, alias, args, .. } => match args {
                None => self.table(name, alias),
                Some(args) => {
                    let args = &mut args.args;
                    self.table_function(name, alias, args);
                }
            },
            TableFactor::Derived { subquery, alias, .. } => {
                let columns = self.query(subquery);
                let columns = match alias {
                    Some(alias) => renamed(columns, alias),
                    None => columns,
                };
                if self.postgres && alias.is_none() {
                    self.unnamed += 1;
                    *alias = Some(table_alias(&format!("_q{}", self.unnamed)));
                }
                let name = alias.as_ref().map(|alias| alias.name.value.clone());
                self.push(Source {
                    alias: name.unwrap_or_default(),
                    columns: Some(columns),
                    has_key: false,
                });
                if let Some(alias) = alias.as_mut().filter(|_| self.postgres) {
                    quote_alias(alias);
                }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.from(table_with_joins),
            _ => self.push(Source { alias: String::new(), columns: None, has_key: false }),
        }
    }

    fn table(&mut self, name: &mut ObjectName, alias: &mut Option<TableAlias>) {
        let n_parts = name.0.len();
        let Some(part) = last_part_mut(name) else { return };
        let called = alias.as_ref().map(|alias| alias.name.value.clone());
        let cte = self.ctes.iter().rev().find(|(cte, _)| cte.eq_ignore_ascii_case(&part.value));
        let source = if let Some((cte, columns)) = cte.filter(|_| n_parts == 1).cloned() {
            let alias = called.unwrap_or_else(|| cte.clone());
            part.value = cte;
            Some(Source { alias, columns: Some(columns), has_key: false })
        } else {
            self.tables.push(part.value.clone());
            self.catalog.table(&part.value).map(|table| {
                part.value.clone_from(&table.name);
                Source::of_table(called.as_deref().unwrap_or(&table.name), &table)
            })
        };
        if self.postgres {
            match &source {
                Some(_) => *part = build::ident(&part.value),
                None => requote(part),
            }
            alias.iter_mut().for_each(quote_alias);
        }
        let unknown = || Source {
            alias: alias.as_ref().map_or(&part.value, |alias| &alias.name.value).clone(),
            columns: None,
            has_key: false,
        };
        let source = source.unwrap_or_else(unknown);
        self.push(source);
    }

    /// `json_each(x)`; others stay as they are.
    fn table_function(
        &mut self,
        name: &mut ObjectName,
        alias: &mut Option<TableAlias>,
        args: &mut [FunctionArg],
    ) {
        let function =
            last_part(name).map(|part| part.value.to_ascii_lowercase()).unwrap_or_default();
        let mut tys = Vec::new();
        for arg in args.iter_mut() {
            if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
                let ty = self.expr(expr);
                if self.postgres && ty == Ty::Text && function == "json_each" {
                    build::wrap(expr, |e| build::call("pb_parse", vec![e]));
                }
                tys.push(ty);
            }
        }
        let called = alias.as_ref().map_or(&function, |alias| &alias.name.value).clone();
        let is_ours = function == "json_each" && tys.len() == 1;
        let columns = JSON_EACH.iter().map(|(name, ty)| Known::computed(*name, *ty));
        if self.postgres && is_ours {
            *name = ObjectName(vec![ObjectNamePart::Identifier(build::plain("pb_json_each"))]);
            *alias = Some(table_alias(&called));
        }
        self.push(Source {
            alias: called,
            columns: (is_ours || !self.postgres && function == "json_each")
                .then(|| columns.collect()),
            has_key: false,
        });
    }

    fn push(&mut self, source: Source) {
        if let Some(level) = self.levels.last_mut() {
            level.sources.push(source);
        }
    }
}

/// What is in a column of two queries that are joined.
fn both(known: Known, other: &Known) -> Known {
    Known {
        ty: adapt::union(known.ty, other.ty),
        source: known.source.filter(|source| other.source.as_ref() == Some(source)),
        is_computed: known.is_computed || other.is_computed,
        name: known.name,
    }
}

/// Columns under the names that an alias gives them.
fn renamed(mut columns: Vec<Known>, alias: &TableAlias) -> Vec<Known> {
    for (known, column) in columns.iter_mut().zip(&alias.columns) {
        known.name.clone_from(&column.name.value);
    }
    columns
}

fn quote_alias(alias: &mut TableAlias) {
    alias.name = build::ident(&alias.name.value);
    for column in &mut alias.columns {
        column.name = build::ident(&column.name.value);
    }
}

fn table_alias(name: &str) -> TableAlias {
    TableAlias { explicit: true, name: build::ident(name), columns: Vec::new(), at: None }
}

fn last_part(name: &ObjectName) -> Option<&Ident> {
    match name.0.last() {
        Some(ObjectNamePart::Identifier(part)) => Some(part),
        _ => None,
    }
}

fn last_part_mut(name: &mut ObjectName) -> Option<&mut Ident> {
    match name.0.last_mut() {
        Some(ObjectNamePart::Identifier(part)) => Some(part),
        _ => None,
    }
}

fn has_wildcard(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.projection.iter().any(|item| {
            matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
        }),
        SetExpr::Query(query) => has_wildcard(&query.body),
        SetExpr::SetOperation { left, right, .. } => has_wildcard(left) || has_wildcard(right),
        _ => false,
    }
}

/// Truth values of these columns as 1 and 0.
fn truth_as_numbers(body: &mut SetExpr, numbers: &[bool]) {
    match body {
        SetExpr::Select(select) => {
            for (item, _) in select.projection.iter_mut().zip(numbers).filter(|(_, yes)| **yes) {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                {
                    adapt::number(expr, Ty::Bool, true);
                }
            }
        }
        SetExpr::Query(query) => truth_as_numbers(&mut query.body, numbers),
        SetExpr::SetOperation { left, right, .. } => {
            truth_as_numbers(left, numbers);
            truth_as_numbers(right, numbers);
        }
        _ => {}
    }
}

/// SQLite's `JOIN` without a condition.
fn join_without_condition(operator: &mut JoinOperator) {
    match operator {
        JoinOperator::Join(JoinConstraint::None) | JoinOperator::Inner(JoinConstraint::None) => {
            *operator = JoinOperator::CrossJoin(JoinConstraint::None);
        }
        JoinOperator::CrossJoin(constraint @ JoinConstraint::On(_)) => {
            let constraint = std::mem::replace(constraint, JoinConstraint::None);
            *operator = JoinOperator::Inner(constraint);
        }
        JoinOperator::Left(constraint @ JoinConstraint::None)
        | JoinOperator::LeftOuter(constraint @ JoinConstraint::None) => {
            *constraint = JoinConstraint::On(build::boolean(true));
        }
        _ => {}
    }
}

/// `LIMIT skip, n` as PostgreSQL writes it; a negative limit is none.
fn limit(clause: LimitClause) -> Option<LimitClause> {
    let is_negative = |expr: &Expr| {
        matches!(expr, Expr::UnaryOp { op: UnaryOperator::Minus, expr }
        if matches!(&**expr, Expr::Value(found) if matches!(found.value, Value::Number(..))))
    };
    let (limit, offset, limit_by) = match clause {
        LimitClause::OffsetCommaLimit { offset, limit } => {
            (Some(limit), Some(Offset { value: offset, rows: OffsetRows::None }), Vec::new())
        }
        LimitClause::LimitOffset { limit, offset, limit_by } => (limit, offset, limit_by),
    };
    let limit = limit.filter(|limit| !is_negative(limit));
    let offset = offset.filter(|offset| !is_negative(&offset.value));
    (limit.is_some() || offset.is_some()).then_some(LimitClause::LimitOffset {
        limit,
        offset,
        limit_by,
    })
}
