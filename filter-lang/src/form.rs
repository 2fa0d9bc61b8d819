//! The decision tables of `=`, `!=` and LIKE (spec filter-language §4.1–§4.3, §8): which form a comparison takes.
//!
//! Every back end asks here, so the meaning exists once. The answer depends on the plan only (on the class
//! {null, empty, set} of bound values, and for LIKE on their text), never on a row.

use std::{borrow::Cow, sync::Arc};

use crate::{
    plan::{Cmp, Expr, Literal, NullPref, Operand},
    value::{Value, like_pattern, like_source},
};

/// Where an operand stands when a comparison is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seat {
    /// In the comparison on the outer tuple.
    Tuple,
    /// It is the value column of its own value list: keeps its pref, has no parameters any more.
    Value,
    /// It is the single operand that a value list is checked against: re-evaluated with pref Auto.
    Fixed,
}

/// One operand in one seat.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The operand.
    pub operand: &'a Operand,
    /// How it takes part.
    pub seat: Seat,
}

impl<'a> From<&'a Operand> for Side<'a> {
    fn from(operand: &'a Operand) -> Self {
        Self { operand, seat: Seat::Tuple }
    }
}

impl Side<'_> {
    /// The NULL handling in this seat.
    #[must_use]
    pub fn pref(&self) -> NullPref {
        match self.seat {
            Seat::Tuple | Seat::Value => self.operand.pref,
            Seat::Fixed => NullPref::Auto,
        }
    }

    fn params(&self) -> Params {
        match self.seat {
            Seat::Value => Params::default(),
            Seat::Tuple | Seat::Fixed => params(&self.operand.expr),
        }
    }

    /// *empty(x)* of spec §4.2.
    fn is_empty(&self) -> bool {
        if self.seat == Seat::Value {
            return false;
        }
        if matches!(self.operand.expr, Expr::Literal(Literal::Null)) {
            return true;
        }
        let params = self.params();
        self.pref() == NullPref::Auto && params.count == 1 && params.empty == 1
    }

    /// *known(x)* of spec §4.2.
    fn is_known(&self) -> bool {
        if self.pref() == NullPref::Enforced || self.seat == Seat::Value {
            return false;
        }
        if let Expr::Literal(literal) = &self.operand.expr {
            return matches!(
                literal,
                Literal::True | Literal::False | Literal::Int(0) | Literal::Int(1)
            );
        }
        let params = self.params();
        params.count > 0 && params.empty == 0
    }
}

/// How `=` and `!=` are evaluated. `L`, `R` are the operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EqForm {
    /// `L IS R` / `L IS NOT R`.
    Is,
    /// Both sides are empty: `=` is true, `!=` is false.
    BothEmpty,
    /// `L = R` / `L IS NOT R`; a side marked empty is the text `''` instead (no affinity).
    Plain {
        /// The left side is `''`.
        left_empty: bool,
        /// The right side is `''`.
        right_empty: bool,
    },
    /// The left side is empty: `('' = R OR R IS NULL)` / `('' IS NOT R AND R IS NOT NULL)`.
    LeftEmpty,
    /// The right side is empty: `(L = '' OR L IS NULL)` / `(L IS NOT '' AND L IS NOT NULL)`.
    RightEmpty,
    /// `COALESCE(L,'') = COALESCE(R,'')` / `… IS NOT …`: both sides lose their affinity.
    Coalesce,
}

/// The ordered decision of spec §4.2.
///
/// On the outer tuple pass `&Operand` for both; inside a value list pass the sides of [`value_check`].
#[must_use]
pub fn equality_form<'a>(left: impl Into<Side<'a>>, right: impl Into<Side<'a>>) -> EqForm {
    let (left, right) = (left.into(), right.into());
    if left.pref() == NullPref::Disabled || right.pref() == NullPref::Disabled {
        return EqForm::Is;
    }
    match (left.is_empty(), right.is_empty()) {
        (true, true) => EqForm::BothEmpty,
        (left_empty, right_empty) if left.is_known() || right.is_known() => {
            EqForm::Plain { left_empty, right_empty }
        }
        (true, false) => EqForm::LeftEmpty,
        (false, true) => EqForm::RightEmpty,
        (false, false) => EqForm::Coalesce,
    }
}

/// How the right side of `~` and `!~` becomes a pattern (always with `ESCAPE '\'`).
#[derive(Debug, Clone, PartialEq)]
pub enum LikeForm<'a> {
    /// `L LIKE ('%' || R || '%')`: the right side has no parameters, its content is a live pattern.
    Contains(&'a Expr),
    /// `L LIKE R'`: every bound value inside has been converted (spec §4.3). For a plain bound value this is
    /// `Expr::Bound(Value::Text(pattern))`.
    Pattern(Cow<'a, Expr>),
}

/// The form of a LIKE comparison, from its right side.
#[must_use]
pub fn like_form<'a>(right: impl Into<Side<'a>>) -> LikeForm<'a> {
    let right = right.into();
    let expr = &right.operand.expr;
    if right.params().count == 0 || matches!(expr, Expr::BodyElement { .. }) {
        return LikeForm::Contains(expr);
    }
    LikeForm::Pattern(Cow::Owned(converted(expr)))
}

/// The sides of the check "no value of the path makes the comparison definitely false" (spec §8), `None` when
/// the comparison has none (`?` operators, single-valued operands).
///
/// Sides with [`Seat::Value`] run over their own value list (both: the cross product), [`Seat::Fixed`] is the
/// operand on the outer tuple.
#[must_use]
pub fn value_check(cmp: &Cmp) -> Option<(Side<'_>, Side<'_>)> {
    if cmp.any || !(cmp.left.multi || cmp.right.multi) {
        return None;
    }
    let seat = |multi: bool| if multi { Seat::Value } else { Seat::Fixed };
    Some((
        Side { operand: &cmp.left, seat: seat(cmp.left.multi) },
        Side { operand: &cmp.right, seat: seat(cmp.right.multi) },
    ))
}

/// Whether an expression carries at least one parameter (spec §3: "bound values inside expr").
#[must_use]
pub fn has_params(expr: &Expr) -> bool {
    params(expr).count > 0
}

#[derive(Debug, Clone, Copy, Default)]
struct Params {
    count: usize,
    empty: usize,
}

fn params(expr: &Expr) -> Params {
    let mut found = Params::default();
    visit_params(expr, &mut |empty| {
        found.count += 1;
        found.empty += usize::from(empty);
    });
    found
}

/// Calls `visit(is nil or empty text)` for each parameter.
fn visit_params(expr: &Expr, visit: &mut impl FnMut(bool)) {
    match expr {
        Expr::Bound(Value::Null) => visit(true),
        Expr::Bound(Value::Text(text)) => visit(text.is_empty()),
        Expr::Bound(Value::Int(_) | Value::Real(_)) | Expr::Bool(_) | Expr::BodyElement { .. } => {
            visit(false);
        }
        Expr::Lower(inner) => visit_params(inner, visit),
        Expr::Call { func, args } if func.has_params() => {
            args.iter().for_each(|arg| visit_params(arg, visit));
        }
        Expr::Apply { args, .. } => args.iter().for_each(|arg| visit_params(arg, visit)),
        Expr::Call { .. }
        | Expr::AuthColumn(_)
        | Expr::Literal(_)
        | Expr::Column { .. }
        | Expr::Json { .. }
        | Expr::Length { .. }
        | Expr::Element { .. }
        | Expr::Changed(_) => {}
    }
}

/// Replaces every bound value by its LIKE conversion.
fn converted(expr: &Expr) -> Expr {
    let text = |text: String| Expr::Bound(Value::Text(Arc::from(text)));
    match expr {
        Expr::Bound(value) => text(like_pattern(&like_source(value))),
        Expr::Bool(value) => text(like_pattern(if *value { "true" } else { "false" })),
        Expr::Lower(inner) => Expr::Lower(Box::new(converted(inner))),
        Expr::Call { func, args } if func.has_params() => {
            Expr::Call { func: *func, args: args.iter().map(converted).collect() }
        }
        Expr::Apply { prim, args } => {
            Expr::Apply { prim: *prim, args: args.iter().map(converted).collect() }
        }
        Expr::Call { .. }
        | Expr::AuthColumn(_)
        | Expr::Literal(_)
        | Expr::Column { .. }
        | Expr::Json { .. }
        | Expr::Length { .. }
        | Expr::Element { .. }
        | Expr::BodyElement { .. }
        | Expr::Changed(_) => expr.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{func::Func, plan::NodeId, value::Affinity};

    fn operand(expr: Expr, pref: NullPref) -> Operand {
        Operand { expr, pref, affinity: Affinity::None, multi: false }
    }

    fn text(value: &str) -> Operand {
        operand(Expr::Bound(Value::Text(Arc::from(value))), NullPref::Auto)
    }

    fn column() -> Operand {
        operand(Expr::Column { node: NodeId::BASE, column: "c".into() }, NullPref::Auto)
    }

    #[test]
    fn the_ordered_decision() {
        let null = operand(Expr::Literal(Literal::Null), NullPref::Auto);
        let yes = operand(Expr::Literal(Literal::True), NullPref::Auto);
        let two = operand(Expr::Literal(Literal::Int(2)), NullPref::Auto);
        let json =
            operand(Expr::Column { node: NodeId::BASE, column: "j".into() }, NullPref::Disabled);
        let time = operand(
            Expr::Call {
                func: Func::named("strftime").unwrap(),
                args: vec![Expr::Bound(Value::Text(Arc::from("%Y")))],
            },
            NullPref::Enforced,
        );
        let plain = |left_empty, right_empty| EqForm::Plain { left_empty, right_empty };
        for (left, right, form) in [
            (&json, &null, EqForm::Is),
            (&text(""), &json, EqForm::Is),
            (&null, &text(""), EqForm::BothEmpty),
            (&text("a"), &null, plain(false, true)),
            (&text(""), &yes, plain(true, false)),
            (&column(), &text("x"), plain(false, false)),
            (&null, &column(), EqForm::LeftEmpty),
            (&column(), &text(""), EqForm::RightEmpty),
            (&column(), &column(), EqForm::Coalesce),
            (&time, &column(), EqForm::Coalesce),
            (&time, &text(""), EqForm::RightEmpty),
            (&time, &text("x"), plain(false, false)),
            (&column(), &two, EqForm::Coalesce),
        ] {
            assert_eq!(equality_form(left, right), form, "{left:?} = {right:?}");
        }
    }

    #[test]
    fn the_other_side_of_a_value_list_loses_its_pref() {
        let json =
            operand(Expr::Column { node: NodeId::BASE, column: "j".into() }, NullPref::Disabled);
        let many = Operand { multi: true, ..column() };
        let cmp = Cmp { op: crate::plan::Op::Eq, any: false, left: many, right: json };
        assert_eq!(equality_form(&cmp.left, &cmp.right), EqForm::Is);
        let (left, right) = value_check(&cmp).unwrap();
        assert_eq!((left.seat, right.seat), (Seat::Value, Seat::Fixed));
        assert_eq!(equality_form(left, right), EqForm::Coalesce);
        assert!(value_check(&Cmp { any: true, ..cmp }).is_none());
    }

    #[test]
    fn like_converts_every_bound_value() {
        let source = text("ab_c");
        let LikeForm::Pattern(pattern) = like_form(&source) else { panic!("no params") };
        assert_eq!(*pattern, text(r"%ab\_c%").expr);
        let yes = operand(Expr::Bool(true), NullPref::Auto);
        let LikeForm::Pattern(pattern) = like_form(&yes) else { panic!("no params") };
        assert_eq!(*pattern, text("%true%").expr);
        assert!(matches!(like_form(&column()), LikeForm::Contains(_)));
        assert!(matches!(
            like_form(&operand(Expr::Literal(Literal::True), NullPref::Auto)),
            LikeForm::Contains(_)
        ));
    }
}
