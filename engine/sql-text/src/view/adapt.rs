//! Values of one type where another is wanted: SQLite converts by itself, PostgreSQL has to be told how.
//!
//! The `pb_…` functions are those of `dialects/src/postgres/helpers_views.sql` and `helpers.sql`.

use sqlparser::ast::{
    BinaryOperator, DataType, Expr, Ident, ObjectNamePart, OrderByExpr, OrderBySort, Value,
};

use super::{Ty, build};

/// One side of a comparison.
pub(super) struct Side<'e>(pub(super) &'e mut Expr, pub(super) Ty);

fn double_precision(expr: Expr) -> Expr {
    build::cast(expr, DataType::DoublePrecision)
}

fn is_number(ty: Ty) -> bool {
    matches!(ty, Ty::Int | Ty::Real | Ty::Number)
}

/// The digits of a number that stands there itself.
fn literal_number(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(found) => match &found.value {
            Value::Number(digits, _) => Some(digits),
            _ => None,
        },
        Expr::Nested(inner) => literal_number(inner),
        _ => None,
    }
}

fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(found) => match &found.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// A condition.
pub(super) fn truth(expr: &mut Expr, ty: Ty) {
    let number = match ty {
        Ty::Int | Ty::Real | Ty::Number => build::operand(build::take(expr)),
        Ty::Text => build::call("pb_to_real", vec![build::take(expr)]),
        Ty::Json | Ty::Value => build::call("pb_real", vec![build::take(expr)]),
        Ty::Bool | Ty::Null | Ty::Unknown => return,
    };
    *expr = build::nested(build::binary(number, BinaryOperator::NotEq, build::number("0")));
}

/// A number; gives its type.
pub(super) fn number(expr: &mut Expr, ty: Ty, postgres: bool) -> Ty {
    let (made, ty): (fn(Expr) -> Expr, Ty) = match ty {
        Ty::Bool => (|e| build::cast(e, DataType::Int(None)), Ty::Int),
        Ty::Text => (|e| build::call("pb_to_real", vec![e]), Ty::Number),
        Ty::Json | Ty::Value => (|e| build::call("pb_real", vec![e]), Ty::Number),
        other => return other,
    };
    if postgres {
        build::wrap(expr, made);
    }
    ty
}

/// A text.
pub(super) fn text(expr: &mut Expr, ty: Ty) {
    let made: fn(Expr) -> Expr = match ty {
        Ty::Int => |e| build::cast(e, DataType::Text),
        Ty::Number => |e| build::call("pb_number_text", vec![double_precision(e)]),
        Ty::Real => |e| build::call("pb_real_text", vec![double_precision(e)]),
        Ty::Bool => |e| build::cast(build::cast(e, DataType::Int(None)), DataType::Text),
        Ty::Json => |e| build::call("pb_json", vec![e]),
        Ty::Value => |e| build::call("pb_text", vec![e]),
        Ty::Text | Ty::Null | Ty::Unknown => return,
    };
    if let Some(digits) = literal_number(expr).filter(|_| ty == Ty::Int) {
        *expr = build::text(digits.to_owned());
        return;
    }
    build::wrap(expr, made);
}

/// A value as one out of JSON, for places that may give several types.
fn json(expr: &mut Expr, ty: Ty) {
    let made: fn(Expr) -> Expr = match ty {
        Ty::Text => |e| build::cast(e, DataType::Text),
        Ty::Bool => |e| build::cast(e, DataType::Int(None)),
        Ty::Int | Ty::Real | Ty::Number => |e| e,
        Ty::Json | Ty::Value | Ty::Null | Ty::Unknown => return,
    };
    build::wrap(expr, |e| build::call("pb_value", vec![made(e)]));
}

/// Makes two sides comparable; gives the types that they have then.
pub(super) fn fit(left: Side<'_>, right: Side<'_>) -> (Ty, Ty) {
    let (Side(left, left_ty), Side(right, right_ty)) = (left, right);
    let is_plain = |ty| is_number(ty) || ty == Ty::Bool;
    let swapped = |(right, left)| (left, right);
    match (left_ty, right_ty) {
        (Ty::Bool, ty) if is_number(ty) => fit_bool(left, right, ty),
        (ty, Ty::Bool) if is_number(ty) => swapped(fit_bool(right, left, ty)),
        (Ty::Value, Ty::Text) => fit_value_text(left, right),
        (Ty::Text, Ty::Value) => swapped(fit_value_text(right, left)),
        (Ty::Json, Ty::Text) => fit_json_text(left, right),
        (Ty::Text, Ty::Json) => swapped(fit_json_text(right, left)),
        (json_ty @ (Ty::Json | Ty::Value), ty) if is_plain(ty) => {
            json(right, ty);
            (json_ty, Ty::Value)
        }
        (ty, json_ty @ (Ty::Json | Ty::Value)) if is_plain(ty) => {
            json(left, ty);
            (Ty::Value, json_ty)
        }
        (Ty::Text, ty) if is_plain(ty) => fit_text(left, right, ty),
        (ty, Ty::Text) if is_plain(ty) => swapped(fit_text(right, left, ty)),
        same => same,
    }
}

/// A document is compared by its text. PostgreSQL reads a literal beside one as JSON, which is the same where it is JSON
/// as documents are kept.
fn fit_json_text(document: &mut Expr, other: &mut Expr) -> (Ty, Ty) {
    if literal_text(other).is_some_and(is_short_json) {
        return (Ty::Json, Ty::Json);
    }
    text(document, Ty::Json);
    (Ty::Text, Ty::Text)
}

/// True for the JSON that rows are compared with: nothing, empty containers, numbers, words.
fn is_short_json(text: &str) -> bool {
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    matches!(text, "[]" | "{}" | "null" | "true" | "false" | "\"\"")
        || text.parse::<i64>().is_ok()
        || quoted.is_some_and(is_word)
}

fn fit_bool(truth: &mut Expr, number: &mut Expr, ty: Ty) -> (Ty, Ty) {
    if let Some(digits @ ("0" | "1")) = literal_number(number) {
        *number = build::boolean(digits == "1");
        return (Ty::Bool, Ty::Bool);
    }
    build::wrap(truth, |e| build::cast(e, DataType::Int(None)));
    (Ty::Int, ty)
}

/// A value out of JSON has no type of its own: beside a column of texts it becomes one, beside a literal it does not.
fn fit_value_text(value: &mut Expr, other: &mut Expr) -> (Ty, Ty) {
    if literal_text(other).is_some() {
        json(other, Ty::Text);
        return (Ty::Value, Ty::Value);
    }
    text(value, Ty::Value);
    (Ty::Text, Ty::Text)
}

fn fit_text(words: &mut Expr, number: &mut Expr, ty: Ty) -> (Ty, Ty) {
    // PostgreSQL reads a literal as a number where it stands beside one.
    let reads_as_number =
        literal_text(words).is_some_and(|text| text.trim().parse::<f64>().is_ok());
    if reads_as_number && ty != Ty::Bool {
        return (ty, ty);
    }
    text(number, ty);
    (Ty::Text, Ty::Text)
}

/// One type for results that may come instead of each other; those of several become JSON.
pub(super) fn unify(results: &mut [&mut Expr], tys: &[Ty], postgres: bool) -> Ty {
    let mut known = tys.iter().copied().filter(|ty| *ty != Ty::Null);
    let Some(first) = known.next() else { return Ty::Null };
    let ty = known.fold(first, either);
    if postgres && ty == Ty::Value {
        for (result, ty) in results.iter_mut().zip(tys) {
            json(result, *ty);
        }
    }
    ty
}

fn either(a: Ty, b: Ty) -> Ty {
    match (a, b) {
        (a, b) if a == b => a,
        (Ty::Unknown, _) | (_, Ty::Unknown) => Ty::Unknown,
        (a, b) if is_number(a) && is_number(b) => Ty::Number,
        (Ty::Null, other) | (other, Ty::Null) => other,
        _ => Ty::Value,
    }
}

/// What may come out of either of two queries that are joined.
pub(super) fn union(a: Ty, b: Ty) -> Ty {
    match either(a, b) {
        Ty::Value if a != b => Ty::Unknown,
        ty => ty,
    }
}

/// What a calculation gives.
pub(super) fn arithmetic(op: &BinaryOperator, left: Ty, right: Ty) -> Ty {
    match (op, left, right) {
        (BinaryOperator::Modulo, _, _) => Ty::Int,
        (_, Ty::Int, Ty::Int) => Ty::Int,
        (_, Ty::Real, _) | (_, _, Ty::Real) => Ty::Real,
        (_, Ty::Unknown, _) | (_, _, Ty::Unknown) => Ty::Unknown,
        _ => Ty::Number,
    }
}

/// Division by zero is NULL on SQLite, integers give integers, and a remainder is one of integers.
pub(super) fn divide(expr: &mut Expr, left_ty: Ty, right_ty: Ty) {
    let Expr::BinaryOp { left, op, right } = expr else { return };
    let known = |ty| is_number(ty) || ty == Ty::Null;
    if !known(left_ty) || !known(right_ty) {
        return;
    }
    let helper = match (&*op, left_ty, right_ty) {
        (BinaryOperator::Modulo, _, _) => "pb_mod",
        (BinaryOperator::Divide, Ty::Real, _) | (BinaryOperator::Divide, _, Ty::Real) => {
            if literal_number(right).is_none_or(|digits| digits.parse() == Ok(0.0)) {
                build::wrap(right, |e| build::call("nullif", vec![e, build::number("0")]));
            }
            return;
        }
        (BinaryOperator::Divide, _, _) => "pb_div",
        _ => return,
    };
    let both = [left, right].map(|side| double_precision(build::take(side)));
    *expr = build::call(helper, both.into());
}

/// `->` and `->>` with a path; PostgreSQL's own have a key, and then the second gives a text. Gives the type.
pub(super) fn json_arrow(expr: &mut Expr) -> Ty {
    let Expr::BinaryOp { left, op, right } = expr else { return Ty::Unknown };
    let is_plain = *op == BinaryOperator::LongArrow;
    let Some(path) = literal_text(right).and_then(json_path) else {
        return if is_plain { Ty::Text } else { Ty::Json };
    };
    let value = build::operand(build::take(left));
    let found = build::binary(value, BinaryOperator::HashArrow, build::text(path));
    *expr = if is_plain { build::call("pb_plain", vec![found]) } else { build::nested(found) };
    if is_plain { Ty::Value } else { Ty::Json }
}

/// `$.a[0]."b c"` as the text of an array of keys.
pub(super) fn json_path(path: &str) -> Option<String> {
    let mut rest = path.strip_prefix('$')?;
    let mut keys: Vec<String> = Vec::new();
    while let Some(c) = rest.chars().next() {
        let (key, length) = match c {
            '.' if rest[1..].starts_with('"') => {
                let end = rest[2..].find('"')?;
                (rest[2..2 + end].to_owned(), end + 3)
            }
            '.' => {
                let end = rest[1..].find(['.', '[']).unwrap_or(rest.len() - 1);
                (rest[1..=end].to_owned(), end + 1)
            }
            '[' => {
                let end = rest.find(']')?;
                let index = &rest[1..end];
                let from_end = index.strip_prefix("#-").map(|n| format!("-{n}"));
                (from_end.unwrap_or_else(|| index.to_owned()), end + 1)
            }
            _ => return None,
        };
        let key_is_plain =
            !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-$".contains(c));
        let escaped = key.replace('\\', "\\\\").replace('"', "\\\"");
        keys.push(if key_is_plain { key } else { format!("\"{escaped}\"") });
        rest = &rest[length..];
    }
    Some(format!("{{{}}}", keys.join(",")))
}

/// CAST as SQLite does it: numbers are cut, texts are read as far as they are numbers.
pub(super) fn cast(inner: Expr, from: Ty, to: Ty) -> Expr {
    let call = |name: &str, e| build::call(name, vec![e]);
    match (to, from) {
        (Ty::Int, Ty::Text) => call("pb_to_int", inner),
        (Ty::Int, Ty::Json | Ty::Value) => call("pb_to_int", build::call("pb_text", vec![inner])),
        (Ty::Int, Ty::Real | Ty::Number) => {
            build::cast(call("trunc", inner), DataType::BigInt(None))
        }
        (Ty::Int, Ty::Bool) => build::cast(inner, DataType::Int(None)),
        (Ty::Int, _) => build::cast(inner, DataType::BigInt(None)),
        (Ty::Real | Ty::Number, Ty::Text) => call("pb_to_real", inner),
        (Ty::Real | Ty::Number, Ty::Json | Ty::Value) => call("pb_real", inner),
        (Ty::Real | Ty::Number, Ty::Bool) => {
            double_precision(build::cast(inner, DataType::Int(None)))
        }
        (Ty::Real | Ty::Number, _) => double_precision(inner),
        (Ty::Text, Ty::Text | Ty::Null | Ty::Unknown) => build::cast(inner, DataType::Text),
        (Ty::Text, from) => {
            let mut inner = inner;
            text(&mut inner, from);
            inner
        }
        (Ty::Bool, Ty::Unknown | Ty::Null | Ty::Bool) => build::cast(inner, DataType::Boolean),
        (Ty::Bool, from) => {
            let mut inner = inner;
            truth(&mut inner, from);
            inner
        }
        (Ty::Json | Ty::Value | Ty::Null | Ty::Unknown, _) => inner,
    }
}

/// True for `x COLLATE NOCASE`.
pub(super) fn is_nocase(expr: &Expr) -> bool {
    collation(expr).is_some_and(|name| name.eq_ignore_ascii_case("nocase"))
}

/// True for `x COLLATE c` with a collation that only SQLite has.
pub(super) fn is_sqlite_collation(expr: &Expr) -> bool {
    collation(expr).is_some_and(|name| {
        ["nocase", "binary", "rtrim"].iter().any(|own| name.eq_ignore_ascii_case(own))
    })
}

fn collation(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Collate { collation, .. } => match collation.0.as_slice() {
            [ObjectNamePart::Identifier(Ident { value, .. })] => Some(value),
            _ => None,
        },
        Expr::Nested(inner) => collation(inner),
        _ => None,
    }
}

pub(super) fn lower(expr: &mut Expr) {
    build::wrap(expr, |e| build::call("lower", vec![e]));
}

/// Nulls where SQLite has them, unless the query says where.
pub(super) fn nulls_first(by: &mut OrderByExpr) {
    let is_descending = matches!(by.options.sort, Some(OrderBySort::Desc));
    if by.options.nulls_first.is_none() && !matches!(by.options.sort, Some(OrderBySort::Using(_))) {
        by.options.nulls_first = Some(!is_descending);
    }
}

#[cfg(test)]
mod tests {
    use super::json_path;

    #[test]
    fn paths() {
        for (path, want) in [
            ("$", Some("{}")),
            ("$.a", Some("{a}")),
            ("$.a.b[0][#-1].c", Some("{a,b,0,-1,c}")),
            ("$.\"x y\".z", Some("{\"x y\",z}")),
            ("$.a,b", Some("{\"a,b\"}")),
            ("a", None),
            ("$a", None),
            ("$[0", None),
        ] {
            assert_eq!(json_path(path).as_deref(), want, "{path}");
        }
    }
}
