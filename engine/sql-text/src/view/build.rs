//! Trees for what is written. Must not know what it is written for.

use sqlparser::{
    ast::{
        BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
        FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, UnaryOperator,
        Value, helpers::attached_token::AttachedToken,
    },
    tokenizer::Span,
};

/// Takes an expression out of its place; NULL stays there.
pub(super) fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, null())
}

/// Puts an expression into what is made of it.
pub(super) fn wrap(expr: &mut Expr, made: impl FnOnce(Expr) -> Expr) {
    let inner = take(expr);
    *expr = made(inner);
}

pub(super) fn null() -> Expr {
    value(Value::Null)
}

pub(super) fn value(value: Value) -> Expr {
    Expr::Value(value.with_empty_span())
}

pub(super) fn text(text: impl Into<String>) -> Expr {
    value(Value::SingleQuotedString(text.into()))
}

pub(super) fn number(digits: &str) -> Expr {
    value(Value::Number(digits.to_owned(), false))
}

pub(super) fn boolean(truth: bool) -> Expr {
    value(Value::Boolean(truth))
}

/// A name in double quotes.
pub(super) fn ident(name: impl Into<String>) -> Ident {
    Ident::with_quote('"', name)
}

pub(super) fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

pub(super) fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

/// What may stand beside an operator without parentheses.
pub(super) fn operand(expr: Expr) -> Expr {
    match expr {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Value(_)
        | Expr::Function(_)
        | Expr::Nested(_)
        | Expr::Subquery(_)
        | Expr::Case { .. }
        | Expr::Cast { .. } => expr,
        other => nested(other),
    }
}

pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, format: None }
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(function(name, args))
}

pub(super) fn function(name: &str, args: Vec<Expr>) -> Function {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    }
}

pub(super) fn case(conditions: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    let conditions =
        conditions.into_iter().map(|(condition, result)| CaseWhen { condition, result });
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: conditions.collect(),
        else_result: otherwise.map(Box::new),
    }
}

/// An identifier that has no place in a text.
pub(super) fn plain(name: &str) -> Ident {
    Ident { value: name.to_owned(), quote_style: None, span: Span::empty() }
}
