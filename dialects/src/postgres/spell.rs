//! PostgreSQL spelling. Affinities are decided here, statically, per pair of operands; JSON values and mixed pairs
//! become `jsonb` scalars compared by the helpers of `helpers.sql` (spec filter-language §5, §13.4).

use filter_lang::{
    form::{self, EqForm, LikeForm, Side},
    plan::{Expr, JsonSeg, Literal, NodeId, NodeKind, Op, RowMode},
    prim::{Prim, Type, words},
    schema::{Class, CollectionKind},
    semijoin::{Holds, Row, is_list},
    value::{Affinity, Value, real_text},
};

use super::{Postgres, contents, full_text::indexed};
use crate::{
    emit::{
        Alias, Half, Spell, Walk,
        shared::{json_items, plain_text, wanted_words},
    },
    quote::{ident, push_literal},
};

/// Static type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `text`.
    Text,
    /// `float8` of a number column: integral values print without a fraction.
    Num,
    /// `float8` that prints as a real.
    Real,
    /// `int8`.
    Int,
    /// `boolean`, a number 0 or 1.
    Bool,
    /// A `jsonb` number or string, or NULL.
    Dyn,
    /// Always NULL.
    Null,
}

impl Kind {
    fn is_number(self) -> bool {
        matches!(self, Self::Num | Self::Real | Self::Int | Self::Bool)
    }
}

/// One side of a comparison with its type.
#[derive(Debug, Clone, Copy)]
struct Term<'a> {
    /// `None`: the text `''`.
    expr: Option<&'a Expr>,
    kind: Kind,
    affinity: Affinity,
    half: Half,
}

impl Term<'_> {
    fn empty(half: Half) -> Self {
        Self { expr: None, kind: Kind::Text, affinity: Affinity::None, half }
    }
}

/// How two sides are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Text,
    Number,
    /// As `jsonb` scalars; a marked side is text that becomes a number if it reads as one.
    Dyn {
        left: bool,
        right: bool,
    },
    /// One side is always NULL.
    Null,
}

fn mode(left: Term<'_>, right: Term<'_>) -> Mode {
    if left.kind == Kind::Null || right.kind == Kind::Null {
        return Mode::Null;
    }
    let text = |t: Term<'_>| t.kind == Kind::Text;
    let numeric_column = |t: Term<'_>| t.affinity == Affinity::Num && t.kind.is_number();
    if left.kind.is_number() && right.kind.is_number() {
        return Mode::Number;
    }
    if numeric_column(left) {
        return Mode::Dyn { left: false, right: true };
    }
    if numeric_column(right) {
        return Mode::Dyn { left: true, right: false };
    }
    // The text of a list or a point never reads as a number, so its affinity changes nothing.
    if (text(left) && text(right))
        || (left.affinity == Affinity::Text && right.affinity != Affinity::Text)
        || (right.affinity == Affinity::Text && left.affinity != Affinity::Text)
    {
        return Mode::Text;
    }
    Mode::Dyn { left: false, right: false }
}

impl Spell for Postgres {
    fn sign(&self) -> char {
        '$'
    }

    fn row_id(&self, _is_column: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        Some("_rowid_")
    }

    fn plans_by_rows(&self) -> bool {
        true
    }

    fn no_limit(&self) -> &'static str {
        ""
    }

    fn value(&self, w: &mut Walk<'_>, value: &Value) {
        let ty = match value {
            Value::Null => return w.push("NULL::text"),
            Value::Int(_) => "::int8",
            Value::Real(_) => "::float8",
            Value::Text(_) => "::text",
        };
        w.param(value.clone());
        w.push(ty);
    }

    fn compare(&self, w: &mut Walk<'_>, op: Op, left: Side<'_>, right: Side<'_>, fails: bool) {
        w.push(if fails { "NOT (" } else { "" });
        let (l, r) = (term(w, left, Half::Left), term(w, right, Half::Right));
        match op {
            Op::Eq | Op::Ne if plain_text(left, right) => {
                let sign = match (op == Op::Eq, fails) {
                    (true, false) => " = ",
                    (true, true) => " IS NOT DISTINCT FROM ",
                    (false, _) => " IS DISTINCT FROM ",
                };
                self.pair(w, l, sign, r);
            }
            Op::Eq => self.equality(w, form::equality_form(left, right), l, r, true),
            Op::Ne => self.equality(w, form::equality_form(left, right), l, r, false),
            Op::Like => self.like(w, l, right, false),
            Op::NotLike => self.like(w, l, right, true),
            Op::Gt => self.ordering(w, l, " > ", r),
            Op::Ge => self.ordering(w, l, " >= ", r),
            Op::Lt => self.ordering(w, l, " < ", r),
            Op::Le => self.ordering(w, l, " <= ", r),
        }
        w.push(if fails { ")" } else { "" });
    }

    fn holds(&self, w: &mut Walk<'_>, holds: &Holds<'_>) {
        contents::holds(self, w, holds);
    }

    fn may_match(&self, w: &mut Walk<'_>, node: NodeId, query: &str) {
        let columns = w.collection(node).map(|c| c.full_text.clone()).unwrap_or_default();
        let alias = w.alias(node, Half::Left);
        let start = w.text.len();
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                w.push("\n");
            }
            w.text_column(alias, column);
        }
        let columns = w.text.split_off(start);
        w.push(&indexed(&columns.split('\n').collect::<Vec<_>>()));
        w.push(" @@ (");
        let alternatives = words::needed(query).unwrap_or_default();
        let query = wanted_words(&alternatives, "'", " & ", " | ");
        self.value(w, &Value::from(format!("{query} | '*'")));
        w.push(")::tsquery");
    }

    fn null_text(&self) -> &'static str {
        "NULL::text"
    }

    fn elements(&self, w: &mut Walk<'_>, row: Row, alias: Alias) {
        match &w.node(row.node).kind {
            NodeKind::RelMany { parent, column } | NodeKind::Each { parent, column } => {
                let at = w.parent(row);
                elements(w, *parent, at, column);
            }
            NodeKind::BackMany { column, .. } => elements(w, row.node, alias, column),
            NodeKind::BodyEach { items, .. } => {
                w.push("jsonb_array_elements((");
                w.param(Value::Text(json_items(items).into()));
                w.push("::text)::jsonb) WITH ORDINALITY");
            }
            _ => w.push("jsonb_array_elements('[]'::jsonb) WITH ORDINALITY"),
        }
        w.push(" AS ");
        w.number('e', alias);
        w.push("(value, key)");
    }

    fn names(&self, w: &mut Walk<'_>, row: Row, alias: Alias, column: &str) {
        let parent = w.parent(row);
        if is_list(w.plan, row.node, column) {
            w.column(alias, column);
            w.push(" @> to_jsonb(");
            w.text_column(parent, "id");
            w.push("::text)");
        } else {
            w.text_column(parent, "id");
            w.push(" IN (SELECT x.value #>> '{}' FROM ");
            elements(w, row.node, alias, column);
            w.push(" AS x(value, key))");
        }
    }

    fn order(&self, w: &mut Walk<'_>, expr: &Expr, desc: bool, write: &dyn Fn(&mut Walk<'_>)) {
        // An index without NULLS of its own gives the order only if the statement has none either.
        let direction = match (desc, is_never_null(w, expr)) {
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
            (false, true) => "",
            (false, false) => " NULLS FIRST",
        };
        match kind(w, expr) {
            Kind::Dyn => {
                // Numbers before text, each in its own order.
                for (head, tail) in [
                    ("pb_rank(", ")"),
                    ("pb_sort_number(", ")"),
                    ("pb_sort_text(", ") COLLATE \"C\""),
                ] {
                    if head != "pb_rank(" {
                        w.push(", ");
                    }
                    w.push(head);
                    write(w);
                    w.push(tail);
                    w.push(direction);
                }
            }
            Kind::Text => {
                write(w);
                w.push(" COLLATE \"C\"");
                w.push(direction);
            }
            Kind::Num | Kind::Real | Kind::Int | Kind::Bool | Kind::Null => {
                write(w);
                w.push(direction);
            }
        }
    }

    fn scalar(&self, w: &mut Walk<'_>, expr: &Expr, half: Half) {
        self.expr(w, expr, half);
    }

    fn random(&self, w: &mut Walk<'_>) {
        w.push("random()");
    }

    fn last_order(&self, w: &mut Walk<'_>, _needed: bool) -> bool {
        // Rows move when they are updated: insertion order must be asked for.
        w.row_id();
        true
    }

    fn element_id(&self, w: &mut Walk<'_>, node: NodeId, alias: Alias, column: &str) {
        element_id(w, node, alias, column);
    }

    fn in_list(&self, mark: &str) -> String {
        format!("= ANY(ARRAY(SELECT jsonb_array_elements_text(({mark}::text)::jsonb)))")
    }

    fn linked(&self, w: &mut Walk<'_>, column: &str, multiple: bool, parents: Value) {
        let table = ident(&w.plan.base.name);
        let name = format!("x.{}", ident(column));
        let order = match &w.plan.base.tie_break {
            _ if w.plan.base.kind == CollectionKind::View => String::new(),
            Some(column) => format!(" ORDER BY x.{}", ident(column)),
            None => " ORDER BY x._rowid_".to_owned(),
        };
        w.push("jsonb_array_elements_text((");
        w.param(parents);
        w.push("::text)::jsonb) AS p(value) CROSS JOIN LATERAL (SELECT x.\"id\" FROM ");
        w.push(&table);
        w.push(" AS x WHERE ");
        w.push(&name);
        w.push(if multiple { " @> to_jsonb(p.value)" } else { " = p.value" });
        w.push(&order);
        w.push(" LIMIT 1000) AS k JOIN ");
        w.push(&table);
        w.push(" AS b ON b.\"id\" = k.\"id\"");
    }

    fn draft_column(&self, w: &mut Walk<'_>, column: &str, value: &Value) {
        let shape = Shape::of(w, NodeId::BASE, column);
        let is_json = matches!(shape.class, Class::Json | Class::GeoPoint) || shape.multiple;
        let (ty, stored) = match kind_of_column(w, NodeId::BASE, column) {
            Kind::Num | Kind::Real => ("::float8", ""),
            Kind::Int => ("::int8", ""),
            Kind::Bool => ("::int8", " <> 0"),
            Kind::Text | Kind::Dyn | Kind::Null if shape.origin == Origin::Draft => ("::text", ""),
            Kind::Text | Kind::Dyn | Kind::Null if is_json => ("::text", "::jsonb"),
            Kind::Text | Kind::Dyn | Kind::Null => ("::text", " COLLATE \"C\""),
        };
        match value {
            Value::Null => w.push("NULL"),
            Value::Int(_) | Value::Real(_) if ty == "::text" => {
                let text = value.text().unwrap_or_default();
                w.param(Value::Text(text.into()));
            }
            other => w.param(other.clone()),
        }
        w.push(ty);
        w.push(stored);
    }

    fn hour(&self, column: &str) -> [String; 2] {
        let hour = format!("(substr({column}, 1, 13))");
        let shown = format!("{hour} || ':00:00'");
        [hour, shown]
    }
}

impl Postgres {
    /// The ordered decision of spec §4.2, on typed sides.
    fn equality(&self, w: &mut Walk<'_>, form: EqForm, l: Term<'_>, r: Term<'_>, equal: bool) {
        let same = if equal { " IS NOT DISTINCT FROM " } else { " IS DISTINCT FROM " };
        match form {
            EqForm::Is => self.pair(w, l, same, r),
            EqForm::BothEmpty => w.truth(equal),
            EqForm::Plain { left_empty, right_empty } => {
                let l = if left_empty { Term::empty(l.half) } else { l };
                let r = if right_empty { Term::empty(r.half) } else { r };
                self.pair(w, l, if equal { " = " } else { " IS DISTINCT FROM " }, r);
            }
            EqForm::LeftEmpty => self.empty(w, r, equal),
            EqForm::RightEmpty => self.empty(w, l, equal),
            EqForm::Coalesce => self.coalesce(w, l, r, equal),
        }
    }

    /// `x` is `''` or NULL.
    fn empty(&self, w: &mut Walk<'_>, x: Term<'_>, equal: bool) {
        w.push(if equal { "(" } else { "NOT (" });
        match x.kind {
            Kind::Text => {
                self.text(w, x);
                w.push(" = '' OR ");
            }
            Kind::Dyn => {
                self.raw(w, x);
                w.push(" = '\"\"'::jsonb OR ");
            }
            Kind::Num | Kind::Real | Kind::Int | Kind::Bool | Kind::Null => {}
        }
        self.raw(w, x);
        w.push(" IS NULL)");
    }

    fn coalesce(&self, w: &mut Walk<'_>, l: Term<'_>, r: Term<'_>, equal: bool) {
        let same = if equal { " IS NOT DISTINCT FROM " } else { " IS DISTINCT FROM " };
        if l.kind.is_number() && r.kind.is_number() {
            return self.pair(w, l, same, r);
        }
        let textual = |t: Term<'_>| matches!(t.kind, Kind::Text | Kind::Null);
        let sign = if equal { " = " } else { " <> " };
        if textual(l) && textual(r) {
            for (at, x) in [l, r].into_iter().enumerate() {
                w.push(if at == 0 { "COALESCE(" } else { sign });
                w.push(if at == 0 { "" } else { "COALESCE(" });
                self.text(w, x);
                w.push(", '')");
            }
            return;
        }
        for (at, x) in [l, r].into_iter().enumerate() {
            w.push(if at == 0 { "" } else { sign });
            w.push("COALESCE(");
            self.json(w, x, false);
            w.push(", '\"\"'::jsonb)");
        }
    }

    fn pair(&self, w: &mut Walk<'_>, l: Term<'_>, sign: &str, r: Term<'_>) {
        match mode(l, r) {
            Mode::Null => self.with_null(w, l, sign, r),
            Mode::Text => {
                self.text(w, l);
                w.push(sign);
                self.text(w, r);
            }
            Mode::Number => self.numbers(w, l, sign, r),
            Mode::Dyn { left, right } => {
                self.json(w, l, left);
                w.push(sign);
                self.json(w, r, right);
            }
        }
    }

    fn with_null(&self, w: &mut Walk<'_>, l: Term<'_>, sign: &str, r: Term<'_>) {
        if !sign.contains("DISTINCT") {
            return w.push("NULL::boolean");
        }
        let is = sign.contains("NOT");
        let other = if l.kind == Kind::Null { r } else { l };
        self.raw(w, other);
        w.push(if is { " IS NULL" } else { " IS NOT NULL" });
    }

    fn numbers(&self, w: &mut Walk<'_>, l: Term<'_>, sign: &str, r: Term<'_>) {
        let literal =
            |t: Term<'_>| matches!(t.expr, Some(Expr::Literal(Literal::True | Literal::False)));
        // A bool column beside `true` or `false` stays a bool: indexes.
        let native = (l.kind == Kind::Bool && literal(r)) || (r.kind == Kind::Bool && literal(l));
        for (at, x) in [l, r].into_iter().enumerate() {
            w.push(if at == 0 { "" } else { sign });
            match x.expr {
                Some(Expr::Literal(Literal::True)) if native => w.push("TRUE"),
                Some(Expr::Literal(Literal::False)) if native => w.push("FALSE"),
                _ if x.kind == Kind::Bool && !native => {
                    w.push("(");
                    self.raw(w, x);
                    w.push(")::int");
                }
                _ => self.raw(w, x),
            }
        }
    }

    fn ordering(&self, w: &mut Walk<'_>, l: Term<'_>, sign: &str, r: Term<'_>) {
        match mode(l, r) {
            Mode::Text => {
                self.text(w, l);
                w.push(" COLLATE \"C\"");
                w.push(sign);
                self.text(w, r);
            }
            Mode::Dyn { left, right } => {
                w.push("pb_cmp(");
                self.json(w, l, left);
                w.push(", ");
                self.json(w, r, right);
                w.push(")");
                w.push(sign);
                w.push("0");
            }
            Mode::Number | Mode::Null => self.pair(w, l, sign, r),
        }
    }

    fn like(&self, w: &mut Walk<'_>, l: Term<'_>, right: Side<'_>, not: bool) {
        let op = if not { " COLLATE \"C\" NOT ILIKE " } else { " COLLATE \"C\" ILIKE " };
        match form::like_form(right) {
            LikeForm::Contains(expr) => {
                let kind = kind(w, expr);
                let r =
                    Term { expr: Some(expr), kind, affinity: Affinity::None, half: Half::Right };
                self.text(w, l);
                w.push(op);
                w.push("('%' || ");
                self.text(w, r);
                w.push(" || '%') ESCAPE '\\'");
            }
            LikeForm::Pattern(pattern) => match &*pattern {
                // PostgreSQL raises an error where SQLite just never matches.
                Expr::Bound(Value::Text(text)) if ends_in_lone_escape(text) => {
                    w.push("CASE WHEN ");
                    self.text(w, l);
                    w.push(" IS NULL THEN NULL ELSE ");
                    w.truth(not);
                    w.push(" END");
                }
                Expr::Bound(value @ Value::Text(_)) => {
                    self.text(w, l);
                    w.push(op);
                    self.value(w, value);
                    w.push(" ESCAPE '\\'");
                }
                expr => {
                    let kind = kind(w, expr);
                    let r = Term {
                        expr: Some(expr),
                        kind,
                        affinity: Affinity::None,
                        half: Half::Right,
                    };
                    w.push(if not { "NOT pb_like(" } else { "pb_like(" });
                    self.text(w, l);
                    w.push(", ");
                    self.text(w, r);
                    w.push(")");
                }
            },
        }
    }

    /// The value in its own type.
    fn raw(&self, w: &mut Walk<'_>, x: Term<'_>) {
        match x.expr {
            Some(expr) => self.expr(w, expr, x.half),
            None => w.push("''"),
        }
    }

    /// The value as text (spec §5.2).
    fn text(&self, w: &mut Walk<'_>, x: Term<'_>) {
        let (head, tail) = match (x.expr, x.kind) {
            (None, _) => return w.push("''"),
            (Some(Expr::Bound(v) | Expr::AuthColumn(v)), Kind::Real | Kind::Int) => {
                let text = match v {
                    Value::Real(number) => real_text(*number),
                    Value::Int(number) => number.to_string(),
                    Value::Null | Value::Text(_) => String::new(),
                };
                return self.value(w, &Value::Text(text.into()));
            }
            (_, Kind::Text | Kind::Null) => ("", ""),
            (_, Kind::Num) => ("pb_number_text(", ")"),
            (_, Kind::Real) => ("pb_real_text(", ")"),
            (_, Kind::Int) => ("(", ")::text"),
            (_, Kind::Bool) => ("((", ")::int)::text"),
            (_, Kind::Dyn) => ("pb_text(", ")"),
        };
        w.push(head);
        self.raw(w, x);
        w.push(tail);
    }

    /// The value as a `jsonb` scalar; `number`: text that reads as a number becomes one.
    fn json(&self, w: &mut Walk<'_>, x: Term<'_>, number: bool) {
        let convert = number && matches!(x.kind, Kind::Text | Kind::Dyn);
        w.push(if convert { "pb_numeric(" } else { "" });
        match x.kind {
            Kind::Dyn => self.raw(w, x),
            Kind::Text => {
                w.push("to_jsonb((");
                self.raw(w, x);
                w.push(")::text)");
            }
            Kind::Bool => {
                w.push("to_jsonb((");
                self.raw(w, x);
                w.push(")::int)");
            }
            Kind::Num | Kind::Real => {
                w.push("pb_exact(");
                self.raw(w, x);
                w.push(")");
            }
            Kind::Int => {
                w.push("to_jsonb(");
                self.raw(w, x);
                w.push(")");
            }
            Kind::Null => w.push("NULL::jsonb"),
        }
        w.push(if convert { ")" } else { "" });
    }

    fn expr(&self, w: &mut Walk<'_>, expr: &Expr, half: Half) {
        match expr {
            Expr::Bound(value) | Expr::AuthColumn(value) => self.value(w, value),
            Expr::Bool(value) => self.value(w, &Value::Int(i64::from(*value))),
            Expr::Literal(Literal::Null) => w.push("NULL::text"),
            Expr::Literal(Literal::True) => w.push("1"),
            Expr::Literal(Literal::False) => w.push("0"),
            Expr::Literal(Literal::Int(number)) => w.push(&number.to_string()),
            Expr::Column { node, column } => self.column(w, *node, column, half),
            Expr::Json { node, column, path } => self.extract(w, *node, column, path, half),
            Expr::Length { node, column } => self.length(w, *node, column, half),
            Expr::Element { node } | Expr::BodyElement { node } => {
                let alias = w.alias(*node, half);
                let text = kind(w, expr) == Kind::Text;
                w.push(if text { "" } else { "pb_scalar(" });
                if !w.element(alias, "value") {
                    w.push(if text { "NULL::text" } else { "NULL::jsonb" });
                }
                w.push(if text { "" } else { ")" });
            }
            Expr::Lower(inner) => {
                let kind = kind(w, inner);
                w.push("lower((");
                self.text(w, Term { expr: Some(inner), kind, affinity: Affinity::None, half });
                w.push(") COLLATE \"C\")");
            }
            Expr::Changed(cond) => {
                w.push("(CASE WHEN ");
                w.cond(cond);
                w.push(" THEN 1 ELSE 0 END)");
            }
            Expr::Call { func, args } => match func.as_prim() {
                Some(prim) => self.apply(w, prim, args, half),
                None => self.expr(w, &func.lower(args, w.plan.now_ms), half),
            },
            Expr::Apply { prim, args } => self.apply(w, *prim, args, half),
        }
    }

    fn column(&self, w: &mut Walk<'_>, node: NodeId, column: &str, half: Half) {
        let alias = w.alias(node, half);
        let shape = Shape::of(w, node, column);
        if alias == Alias::Missing {
            return w.push(match kind_of_column(w, node, column) {
                Kind::Num | Kind::Real => "NULL::float8",
                Kind::Int => "NULL::int8",
                Kind::Bool => "NULL::boolean",
                Kind::Dyn => "NULL::jsonb",
                Kind::Text | Kind::Null => "NULL::text",
            });
        }
        let json = shape.class == Class::Json || shape.multiple;
        let (head, tail) = match shape.origin {
            Origin::Draft => ("", ""),
            Origin::Table if shape.class == Class::GeoPoint => ("pb_point(", ")"),
            Origin::View if shape.class == Class::GeoPoint => ("pb_point(to_jsonb(", "))"),
            Origin::Table if json => ("pb_json(", ")"),
            Origin::Table => ("", ""),
            Origin::View if json => ("pb_text(pb_scalar(to_jsonb(", ")))"),
            Origin::View => match shape.class {
                Class::Number => ("(", ")::float8"),
                Class::Bool => ("(", ")::boolean"),
                _ => ("(", ")::text"),
            },
        };
        w.push(head);
        w.column(alias, column);
        w.push(tail);
    }

    fn extract(&self, w: &mut Walk<'_>, node: NodeId, column: &str, path: &[JsonSeg], half: Half) {
        w.push("pb_scalar(");
        for _ in path.iter().filter(|segment| matches!(segment, JsonSeg::Index(_))) {
            w.push("pb_at(");
        }
        json_column(w, node, w.alias(node, half), column);
        for segment in path {
            match segment {
                JsonSeg::Index(index) => {
                    w.push(&format!(", {})", i32::try_from(*index).unwrap_or(i32::MAX)));
                }
                JsonSeg::Key(key) => {
                    w.push(" -> ");
                    push_literal(&mut w.text, key);
                    w.push("::text");
                }
            }
        }
        w.push(")");
    }

    fn length(&self, w: &mut Walk<'_>, node: NodeId, column: &str, half: Half) {
        let alias = w.alias(node, half);
        if alias == Alias::Missing {
            return w.push("0::int8");
        }
        if is_list(w.plan, node, column) {
            w.push("COALESCE(jsonb_array_length(");
            w.column(alias, column);
            w.push("), 0)::int8");
        } else {
            w.push("pb_length(");
            w.column(alias, column);
            w.push(")");
        }
    }

    /// Helper functions, over numbers or over texts.
    fn apply(&self, w: &mut Walk<'_>, prim: Prim, args: &[Expr], half: Half) {
        let numeric = match prim {
            Prim::Calc(_) | Prim::Distance => true,
            Prim::FormatTime | Prim::HasWords => false,
        };
        w.helper(prim);
        for (at, arg) in args.iter().enumerate() {
            w.push(if at > 0 { ", " } else { "" });
            if numeric {
                self.number(w, arg, half);
            } else {
                let kind = kind(w, arg);
                self.text(w, Term { expr: Some(arg), kind, affinity: Affinity::None, half });
            }
        }
        w.push(")");
    }

    /// A double, NULL for text that does not read as one.
    fn number(&self, w: &mut Walk<'_>, arg: &Expr, half: Half) {
        let (head, tail) = match kind(w, arg) {
            Kind::Text => ("pb_float(", ")"),
            Kind::Dyn => ("pb_float(pb_text(", "))"),
            Kind::Bool => ("((", ")::int)::float8"),
            Kind::Num | Kind::Real | Kind::Int | Kind::Null => ("(", ")::float8"),
        };
        w.push(head);
        self.expr(w, arg, half);
        w.push(tail);
    }
}

/// Which table shape a column is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Table,
    View,
    Draft,
}

#[derive(Debug, Clone, Copy)]
struct Shape {
    origin: Origin,
    class: Class,
    multiple: bool,
}

impl Shape {
    fn of(w: &Walk<'_>, node: NodeId, column: &str) -> Self {
        let collection = match &w.node(node).collection {
            Some(collection) if node != NodeId::BASE => collection,
            _ => &w.plan.base,
        };
        let field = collection.fields.iter().find(|f| f.name == column);
        let origin = if node == NodeId::BASE && w.plan.row == RowMode::Draft {
            Origin::Draft
        } else if collection.kind == CollectionKind::View {
            Origin::View
        } else {
            Origin::Table
        };
        Self {
            origin,
            class: field.map_or(Class::Text, |f| f.class),
            multiple: field.is_some_and(|f| f.multiple),
        }
    }
}

fn kind_of_column(w: &Walk<'_>, node: NodeId, column: &str) -> Kind {
    let shape = Shape::of(w, node, column);
    match (shape.class, shape.origin) {
        (Class::Number, Origin::Draft) => Kind::Real,
        (Class::Number, _) => Kind::Num,
        (Class::Bool, Origin::Draft) => Kind::Int,
        (Class::Bool, _) => Kind::Bool,
        _ => Kind::Text,
    }
}

fn kind(w: &Walk<'_>, expr: &Expr) -> Kind {
    match expr {
        Expr::Bound(value) | Expr::AuthColumn(value) => match value {
            Value::Null => Kind::Null,
            Value::Int(_) => Kind::Int,
            Value::Real(_) => Kind::Real,
            Value::Text(_) => Kind::Text,
        },
        Expr::Literal(Literal::Null) => Kind::Null,
        Expr::Bool(_) | Expr::Literal(_) | Expr::Length { .. } | Expr::Changed(_) => Kind::Int,
        Expr::Column { node, column } => kind_of_column(w, *node, column),
        Expr::Json { .. } | Expr::BodyElement { .. } => Kind::Dyn,
        Expr::Element { node } => match &w.node(*node).kind {
            NodeKind::Each { parent, column } if is_list(w.plan, *parent, column) => Kind::Text,
            _ => Kind::Dyn,
        },
        Expr::Lower(_) => Kind::Text,
        Expr::Call { func, .. } => kind_of(func.returns()),
        Expr::Apply { prim, .. } => kind_of(prim.returns()),
    }
}

fn kind_of(ty: Type) -> Kind {
    match ty {
        Type::Text => Kind::Text,
        Type::Real => Kind::Real,
        Type::Truth => Kind::Int,
    }
}

fn term<'a>(w: &Walk<'_>, side: Side<'a>, half: Half) -> Term<'a> {
    let expr = &side.operand.expr;
    Term { expr: Some(expr), kind: kind(w, expr), affinity: side.operand.affinity, half }
}

/// The elements of a list column as `(value, key)`: text where the list is sure, else `jsonb`.
fn elements(w: &mut Walk<'_>, node: NodeId, alias: Alias, column: &str) {
    let sure = is_list(w.plan, node, column);
    w.push(if sure { "jsonb_array_elements_text(" } else { "jsonb_array_elements(pb_list(" });
    if !w.column(alias, column) {
        w.push("NULL::jsonb");
    }
    w.push(if sure { ") WITH ORDINALITY" } else { ")) WITH ORDINALITY" });
}

/// An element as the text of an id.
fn element_id(w: &mut Walk<'_>, node: NodeId, alias: Alias, column: &str) {
    let sure = is_list(w.plan, node, column);
    if !w.element(alias, "value") {
        w.push("NULL::jsonb");
    }
    w.push(if sure { "" } else { " #>> '{}'" });
}

/// A JSON column as `jsonb`.
fn json_column(w: &mut Walk<'_>, node: NodeId, alias: Alias, column: &str) {
    if alias == Alias::Missing {
        return w.push("NULL::jsonb");
    }
    let shape = Shape::of(w, node, column);
    let json = matches!(shape.class, Class::Json | Class::GeoPoint) || shape.multiple;
    let (head, tail) = match shape.origin {
        Origin::Table if json => ("", ""),
        Origin::Table | Origin::View | Origin::Draft => ("pb_parse(", ")"),
    };
    w.push(head);
    w.column(alias, column);
    w.push(tail);
}

/// True for columns of the base table that are declared NOT NULL: all but JSON.
fn is_never_null(w: &Walk<'_>, expr: &Expr) -> bool {
    let Expr::Column { node: NodeId::BASE, column } = expr else { return false };
    let shape = Shape::of(w, NodeId::BASE, column);
    shape.origin == Origin::Table && shape.class != Class::Json
}

fn ends_in_lone_escape(pattern: &str) -> bool {
    pattern.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1
}
