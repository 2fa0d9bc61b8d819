//! The walk over expressions: names are resolved, types found, and for PostgreSQL both are written out.
//!
//! Arms exist for what SQLite has. Everything else of sqlparser's tree is PostgreSQL's or nobody's and stays as it is.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Ident, InTarget, OrderByExpr, OrderByKind, Query,
    UnaryOperator, Value, WindowSpec, WindowType,
};

use super::{
    Catalog, Ty,
    adapt::{self, Side},
    build,
    names::{self, Known, Level, Meaning},
};

/// One walk over a query or expression.
pub(super) struct Pass<'c> {
    pub(super) catalog: &'c dyn Catalog,
    /// Writes PostgreSQL's words into the tree.
    pub(super) postgres: bool,
    /// The SELECTs around the present place.
    pub(super) levels: Vec<Level>,
    /// Common tables that can be named, the nearest last.
    pub(super) ctes: Vec<(String, Vec<Known>)>,
    /// Tables that are read.
    pub(super) tables: Vec<String>,
    /// Columns that are read.
    pub(super) reads: Vec<String>,
    /// Sub-selects that had no name.
    pub(super) unnamed: usize,
}

impl<'c> Pass<'c> {
    pub(super) fn new(catalog: &'c dyn Catalog, postgres: bool) -> Self {
        Self {
            catalog,
            postgres,
            levels: Vec::new(),
            ctes: Vec::new(),
            tables: Vec::new(),
            reads: Vec::new(),
            unnamed: 0,
        }
    }

    /// The type of an expression.
    pub(super) fn expr(&mut self, expr: &mut Expr) -> Ty {
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.name(expr),
            Expr::Value(found) => literal(&found.value),
            Expr::Nested(inner) => self.expr(inner),
            Expr::UnaryOp { op, expr: inner } => self.unary(*op, inner),
            Expr::BinaryOp { .. } => self.binary(expr),
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                self.expr(inner);
                Ty::Bool
            }
            Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner) => {
                self.truth(inner);
                Ty::Bool
            }
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.compared(left, right)
            }
            Expr::In { expr: left, target, .. } => self.is_in(left, target),
            Expr::Between { expr: inner, low, high, .. } => {
                let mut ty = self.expr(inner);
                for bound in [low, high] {
                    ty = self.fit_one(inner, ty, bound);
                }
                Ty::Bool
            }
            Expr::Like { .. } => self.like(expr),
            Expr::Case { .. } => self.case(expr),
            Expr::Cast { .. } => self.cast(expr),
            Expr::Function(_) => self.function(expr),
            Expr::Exists { subquery, .. } => {
                self.subquery(subquery);
                Ty::Bool
            }
            Expr::Subquery(query) => self.subquery(query),
            Expr::Collate { .. } => self.collate(expr),
            Expr::Tuple(items) => {
                for item in items {
                    self.expr(item);
                }
                Ty::Unknown
            }
            _ => self.spelled_out(expr),
        }
    }

    /// Functions with a grammar of their own.
    fn spelled_out(&mut self, expr: &mut Expr) -> Ty {
        match expr {
            Expr::Trim { expr: inner, trim_what, trim_characters, .. } => {
                self.text(inner);
                trim_what.iter_mut().for_each(|what| self.text(what));
                trim_characters.iter_mut().flatten().for_each(|what| self.text(what));
                Ty::Text
            }
            Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
                self.text(inner);
                for part in [substring_from, substring_for].into_iter().flatten() {
                    self.expr(part);
                }
                Ty::Text
            }
            Expr::Ceil { expr: inner, .. } | Expr::Floor { expr: inner, .. } => {
                self.number(inner);
                Ty::Number
            }
            Expr::Position { expr: inner, r#in } => {
                self.text(inner);
                self.text(r#in);
                Ty::Int
            }
            Expr::CompoundFieldAccess { root, .. } => {
                self.expr(root);
                Ty::Unknown
            }
            Expr::AtTimeZone { timestamp: inner, .. } | Expr::Extract { expr: inner, .. } => {
                self.expr(inner);
                Ty::Unknown
            }
            _ => Ty::Unknown,
        }
    }

    /// A column, an alias, or a string in double quotes.
    fn name(&mut self, expr: &mut Expr) -> Ty {
        match self.meaning(expr) {
            Meaning::Column { known, alias, .. } => {
                if let Some((_, column)) = &known.source
                    && !self.reads.contains(column)
                {
                    self.reads.push(column.clone());
                }
                if self.postgres {
                    match expr {
                        Expr::CompoundIdentifier(parts) => {
                            *parts = vec![build::ident(alias), build::ident(known.name)];
                        }
                        _ => *expr = Expr::Identifier(build::ident(known.name)),
                    }
                }
                known.ty
            }
            Meaning::Alias(alias) => {
                if self.postgres {
                    *expr = build::operand(alias.expr);
                }
                alias.ty
            }
            Meaning::Unknown => {
                if self.postgres {
                    self.unknown(expr);
                }
                Ty::Unknown
            }
            Meaning::Nothing => self.nothing(expr),
        }
    }

    pub(super) fn meaning(&self, expr: &Expr) -> Meaning {
        match expr {
            Expr::Identifier(name) => names::bare(&self.levels, &name.value),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, name] => names::qualified(&self.levels, &table.value, &name.value),
                _ => Meaning::Nothing,
            },
            _ => Meaning::Nothing,
        }
    }

    /// A name of a table that is not known keeps its letters; its quotes become PostgreSQL's.
    fn unknown(&self, expr: &mut Expr) {
        match expr {
            Expr::Identifier(name) => requote(name),
            Expr::CompoundIdentifier(parts) => {
                parts.iter_mut().for_each(requote);
                let [.., table, _] = parts.as_mut_slice() else { return };
                let sources = self.levels.iter().rev().flat_map(|level| &level.sources);
                let mut sources = sources.filter(|s| s.alias.eq_ignore_ascii_case(&table.value));
                if let Some(source) = sources.next().filter(|source| source.columns.is_some()) {
                    *table = build::ident(&source.alias);
                }
            }
            _ => {}
        }
    }

    /// What names nothing: SQLite takes it as a text if it stands in double quotes.
    fn nothing(&self, expr: &mut Expr) -> Ty {
        match expr {
            Expr::Identifier(name) if name.quote_style == Some('"') => {
                if self.postgres {
                    *expr = build::text(std::mem::take(&mut name.value));
                }
                Ty::Text
            }
            _ => {
                if self.postgres {
                    self.unknown(expr);
                }
                Ty::Unknown
            }
        }
    }

    fn unary(&mut self, op: UnaryOperator, inner: &mut Expr) -> Ty {
        match op {
            UnaryOperator::Not => {
                self.truth(inner);
                Ty::Bool
            }
            UnaryOperator::Minus | UnaryOperator::Plus => self.number(inner),
            _ => {
                self.expr(inner);
                Ty::Unknown
            }
        }
    }

    fn binary(&mut self, expr: &mut Expr) -> Ty {
        use BinaryOperator as Op;
        let Expr::BinaryOp { left, op, right } = expr else { return Ty::Unknown };
        match op {
            Op::And | Op::Or => {
                self.truth(left);
                self.truth(right);
                Ty::Bool
            }
            Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
                self.compared(left, right)
            }
            Op::Is | Op::IsNot => {
                self.compared(left, right);
                if self.postgres {
                    let is = *op == Op::Is;
                    let (left, right) = (Box::new(build::take(left)), Box::new(build::take(right)));
                    *expr = match is {
                        true => Expr::IsNotDistinctFrom(left, right),
                        false => Expr::IsDistinctFrom(left, right),
                    };
                }
                Ty::Bool
            }
            Op::StringConcat => {
                self.text(left);
                self.text(right);
                Ty::Text
            }
            Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo => {
                let (left_ty, right_ty) = (self.number(left), self.number(right));
                let ty = adapt::arithmetic(op, left_ty, right_ty);
                if self.postgres {
                    adapt::divide(expr, left_ty, right_ty);
                }
                ty
            }
            Op::Arrow | Op::LongArrow => {
                self.expr(left);
                self.expr(right);
                let ty = if *op == Op::Arrow { Ty::Json } else { Ty::Value };
                if self.postgres { adapt::json_arrow(expr) } else { ty }
            }
            Op::BitwiseAnd | Op::BitwiseOr | Op::PGBitwiseShiftLeft | Op::PGBitwiseShiftRight => {
                self.expr(left);
                self.expr(right);
                Ty::Int
            }
            _ => {
                self.expr(left);
                self.expr(right);
                Ty::Unknown
            }
        }
    }

    /// Both sides of a comparison.
    fn compared(&mut self, left: &mut Expr, right: &mut Expr) -> Ty {
        let ignores_case = adapt::is_nocase(left) || adapt::is_nocase(right);
        let (left_ty, right_ty) = (self.expr(left), self.expr(right));
        if self.postgres {
            adapt::fit(Side(left, left_ty), Side(right, right_ty));
            if ignores_case {
                adapt::lower(left);
                adapt::lower(right);
            }
        }
        Ty::Bool
    }

    /// One of several that an expression is compared with; gives the type that it has then.
    fn fit_one(&mut self, expr: &mut Expr, ty: Ty, other: &mut Expr) -> Ty {
        let other_ty = self.expr(other);
        if self.postgres { adapt::fit(Side(expr, ty), Side(other, other_ty)).0 } else { ty }
    }

    fn is_in(&mut self, left: &mut Expr, target: &mut InTarget) -> Ty {
        let mut ty = self.expr(left);
        match target {
            InTarget::List(items) => {
                for item in items {
                    ty = self.fit_one(left, ty, item);
                }
            }
            InTarget::Subquery(query) => {
                self.subquery(query);
            }
            InTarget::Unnest(inner) => {
                self.expr(inner);
            }
            InTarget::Table { .. } => {}
        }
        Ty::Bool
    }

    /// SQLite's LIKE ignores the case of ASCII letters and has no escape unless one is given.
    fn like(&mut self, expr: &mut Expr) -> Ty {
        let Expr::Like { negated, any, expr: inner, pattern, escape_char } = expr else {
            return Ty::Unknown;
        };
        self.text(inner);
        self.text(pattern);
        if self.postgres {
            let escape = escape_char.take().unwrap_or_else(|| Box::new(build::text("")));
            *expr = Expr::ILike {
                negated: *negated,
                any: *any,
                expr: Box::new(build::take(inner)),
                pattern: Box::new(build::take(pattern)),
                escape_char: Some(escape),
            };
        }
        Ty::Bool
    }

    fn case(&mut self, expr: &mut Expr) -> Ty {
        let Expr::Case { operand, conditions, else_result, .. } = expr else { return Ty::Unknown };
        match operand {
            Some(operand) => {
                let mut ty = self.expr(operand);
                for when in conditions.iter_mut() {
                    ty = self.fit_one(operand, ty, &mut when.condition);
                }
            }
            None => conditions.iter_mut().for_each(|when| self.truth(&mut when.condition)),
        }
        let results = conditions.iter_mut().map(|when| &mut when.result);
        let mut results: Vec<&mut Expr> = results.chain(else_result.as_deref_mut()).collect();
        let tys: Vec<Ty> = results.iter_mut().map(|result| self.expr(result)).collect();
        adapt::unify(&mut results, &tys, self.postgres)
    }

    fn cast(&mut self, expr: &mut Expr) -> Ty {
        let Expr::Cast { kind, expr: inner, data_type, .. } = expr else { return Ty::Unknown };
        let from = self.expr(inner);
        let to = cast_type(data_type);
        if self.postgres && *kind == CastKind::Cast && to != Ty::Unknown {
            let inner = build::take(inner);
            *expr = adapt::cast(inner, from, to);
        }
        to
    }

    /// Collations of SQLite mean something only where values are compared.
    fn collate(&mut self, expr: &mut Expr) -> Ty {
        let is_sqlite = adapt::is_sqlite_collation(expr);
        let Expr::Collate { expr: inner, .. } = expr else { return Ty::Unknown };
        let ty = self.expr(inner);
        if self.postgres && is_sqlite {
            *expr = build::take(inner);
        }
        ty
    }

    pub(super) fn subquery(&mut self, query: &mut Query) -> Ty {
        let columns = self.query(query);
        match columns.as_slice() {
            [one] => one.ty,
            _ => Ty::Unknown,
        }
    }

    /// An expression where a condition is wanted.
    pub(super) fn truth(&mut self, expr: &mut Expr) {
        let ty = self.expr(expr);
        if self.postgres {
            adapt::truth(expr, ty);
        }
    }

    /// An expression where a number is wanted.
    pub(super) fn number(&mut self, expr: &mut Expr) -> Ty {
        let ty = self.expr(expr);
        adapt::number(expr, ty, self.postgres)
    }

    /// An expression where a text is wanted.
    pub(super) fn text(&mut self, expr: &mut Expr) {
        let ty = self.expr(expr);
        if self.postgres {
            adapt::text(expr, ty);
        }
    }

    pub(super) fn window(&mut self, window: &mut WindowType) {
        match window {
            WindowType::WindowSpec(spec) => self.window_spec(spec),
            WindowType::NamedWindow(_) => {}
        }
    }

    pub(super) fn window_spec(&mut self, spec: &mut WindowSpec) {
        for part in &mut spec.partition_by {
            self.expr(part);
        }
        for by in &mut spec.order_by {
            self.order_by(by);
        }
    }

    /// One item of ORDER BY. SQLite takes nulls for the least.
    pub(super) fn order_by(&mut self, by: &mut OrderByExpr) {
        let ignores_case = adapt::is_nocase(&by.expr);
        self.expr(&mut by.expr);
        if self.postgres {
            if ignores_case {
                adapt::lower(&mut by.expr);
            }
            adapt::nulls_first(by);
        }
    }

    /// The ORDER BY of a query, whose items may be names of its result or numbers of its columns.
    pub(super) fn result_order(&mut self, kind: &mut OrderByKind, results: &[Known]) {
        let OrderByKind::Expressions(items) = kind else { return };
        for by in items {
            let result = match &by.expr {
                Expr::Identifier(name) => names::find(results, &name.value),
                _ => None,
            };
            match result {
                Some(known) if self.postgres => {
                    by.expr = Expr::Identifier(build::ident(&known.name));
                    adapt::nulls_first(by);
                }
                Some(_) => {}
                None => self.order_by(by),
            }
        }
    }
}

/// Quotes that PostgreSQL does not know become those that it knows.
pub(super) fn requote(name: &mut Ident) {
    if matches!(name.quote_style, Some('`' | '[' | '\'')) {
        name.quote_style = Some('"');
    }
}

fn literal(value: &Value) -> Ty {
    match value {
        Value::Number(digits, _) => {
            let is_hex = digits.starts_with("0x") || digits.starts_with("0X");
            if !is_hex && digits.contains(['.', 'e', 'E']) { Ty::Real } else { Ty::Int }
        }
        Value::SingleQuotedString(_) | Value::DoubleQuotedString(_) => Ty::Text,
        Value::Boolean(_) => Ty::Bool,
        Value::Null => Ty::Null,
        _ => Ty::Unknown,
    }
}

/// What CAST gives; by the words that the reference knows and those of SQLite's affinities.
fn cast_type(data_type: &DataType) -> Ty {
    match data_type {
        DataType::Int(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::SmallInt(_)
        | DataType::TinyInt(_)
        | DataType::MediumInt(_)
        | DataType::Int2(_)
        | DataType::Int4(_)
        | DataType::Int8(_) => Ty::Int,
        DataType::Real
        | DataType::Float(_)
        | DataType::Double(_)
        | DataType::DoublePrecision
        | DataType::Float4
        | DataType::Float8 => Ty::Real,
        DataType::Numeric(_) | DataType::Decimal(_) | DataType::Dec(_) => Ty::Number,
        DataType::Text
        | DataType::Varchar(_)
        | DataType::Char(_)
        | DataType::Character(_)
        | DataType::CharacterVarying(_)
        | DataType::String(_)
        | DataType::Clob(_) => Ty::Text,
        DataType::Bool | DataType::Boolean => Ty::Bool,
        _ => Ty::Unknown,
    }
}
