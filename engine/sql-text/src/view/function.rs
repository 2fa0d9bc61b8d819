//! Functions: what they give, and PostgreSQL's words for SQLite's.
//!
//! What is not in these tables is called as it stands. The `pb_…` functions are those of
//! `dialects/src/postgres/helpers_views.sql` and `helpers.sql`.

use sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, ObjectNamePart, Value,
};

use super::{Ty, adapt, build, pass::Pass};

/// The name of a function in lower case, unless it is quoted or has a schema.
pub(super) fn name(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(Ident { value, quote_style: None, .. })] => {
            Some(value.to_ascii_lowercase())
        }
        _ => None,
    }
}

/// The plain arguments.
pub(super) fn args(function: &mut Function) -> Vec<&mut Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return Vec::new() };
    let args = list.args.iter_mut().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    args.collect()
}

fn take_args(function: &mut Function) -> Vec<Expr> {
    args(function).into_iter().map(build::take).collect()
}

/// True for functions that make one value of many rows.
pub(super) fn is_aggregate(name: &str, n_args: usize) -> bool {
    match name {
        "min" | "max" => n_args == 1,
        "count" | "sum" | "total" | "avg" | "group_concat" | "string_agg" | "json_group_array"
        | "json_group_object" | "array_agg" | "json_agg" | "jsonb_agg" | "json_object_agg"
        | "jsonb_object_agg" | "bool_and" | "bool_or" | "every" | "any_value" | "median" => true,
        _ => false,
    }
}

/// What a function gives, as far as its name says it.
fn returns(name: &str, tys: &[Ty]) -> Ty {
    let first = tys.first().copied().unwrap_or(Ty::Unknown);
    match name {
        "count" | "row_number" | "rank" | "dense_rank" | "ntile" | "length" | "char_length"
        | "octet_length" | "instr" | "unicode" | "unixepoch" | "json_array_length" | "sign"
        | "changes" | "json_valid" => Ty::Int,
        "total" | "avg" | "round" | "julianday" | "percent_rank" | "cume_dist" | "sqrt" | "exp"
        | "ln" | "log" | "log10" | "log2" | "pow" | "power" | "sin" | "cos" | "tan" | "asin"
        | "acos" | "atan" | "atan2" | "pi" | "radians" | "degrees" | "median" => Ty::Real,
        "sum" if first == Ty::Int => Ty::Int,
        "sum" | "ceil" | "ceiling" | "floor" | "trunc" | "mod" => Ty::Number,
        "abs" => {
            if matches!(first, Ty::Int | Ty::Real | Ty::Number) {
                first
            } else {
                Ty::Number
            }
        }
        "lower" | "upper" | "trim" | "ltrim" | "rtrim" | "replace" | "substr" | "substring"
        | "printf" | "format" | "hex" | "char" | "quote" | "typeof" | "strftime" | "date"
        | "time" | "datetime" | "group_concat" | "string_agg" | "concat" | "concat_ws"
        | "timediff" | "sqlite_version" | "json_type" => Ty::Text,
        "json_extract" => Ty::Value,
        "json" | "json_array" | "json_object" | "json_group_array" | "json_group_object"
        | "json_set" | "json_insert" | "json_replace" | "json_remove" | "json_patch" => Ty::Json,
        "min" | "max" if tys.len() == 1 => {
            if first == Ty::Bool {
                Ty::Int
            } else {
                first
            }
        }
        "lag" | "lead" | "first_value" | "last_value" | "nth_value" | "nullif" | "likely"
        | "unlikely" | "any_value" => first,
        _ => Ty::Unknown,
    }
}

impl Pass<'_> {
    pub(super) fn function(&mut self, expr: &mut Expr) -> Ty {
        let Expr::Function(function) = expr else { return Ty::Unknown };
        let name = name(function);
        let tys = self.arguments(function, name.as_deref().unwrap_or_default());
        if let FunctionArguments::List(list) = &mut function.args {
            for clause in &mut list.clauses {
                if let sqlparser::ast::FunctionArgumentClause::OrderBy(items) = clause {
                    items.iter_mut().for_each(|by| self.order_by(by));
                }
            }
        }
        if let Some(filter) = &mut function.filter {
            self.truth(filter);
        }
        if let Some(window) = &mut function.over {
            self.window(window);
        }
        let Some(name) = name else { return Ty::Unknown };
        let alternatives = match name.as_str() {
            "coalesce" | "ifnull" => Some(0),
            "iif" | "if" => Some(1),
            "max" | "min" if tys.len() > 1 => Some(0),
            _ => None,
        };
        let mut ty = returns(&name, &tys);
        if let Some(from) = alternatives.filter(|from| *from <= tys.len()) {
            let mut results = args(function);
            ty = adapt::unify(&mut results[from..], &tys[from..], self.postgres);
        }
        if self.postgres {
            self.in_postgres(expr, &name, &tys);
        }
        ty
    }

    fn arguments(&mut self, function: &mut Function, name: &str) -> Vec<Ty> {
        let condition = matches!(name, "iif" | "if");
        let mut tys = Vec::new();
        for (at, arg) in args(function).into_iter().enumerate() {
            if condition && at == 0 {
                self.truth(arg);
                tys.push(Ty::Bool);
            } else {
                tys.push(self.expr(arg));
            }
        }
        tys
    }

    /// Replaces a call of SQLite's by PostgreSQL's.
    fn in_postgres(&mut self, expr: &mut Expr, name: &str, tys: &[Ty]) {
        let Expr::Function(function) = expr else { return };
        let first = tys.first().copied().unwrap_or(Ty::Unknown);
        match name {
            "ifnull" => rename(function, "coalesce"),
            "iif" | "if" => *expr = iif(take_args(function)),
            "max" | "min" if tys.len() > 1 => {
                *expr = extreme(name, take_args(function));
            }
            "nullif" => {
                if let ([left, right], [left_ty, right_ty]) = (args(function).as_mut_slice(), tys) {
                    adapt::fit(adapt::Side(left, *left_ty), adapt::Side(right, *right_ty));
                }
            }
            "max" | "min" if first == Ty::Bool => numbers(function, tys),
            "sum" | "avg" | "total" => *expr = sum(function, name, tys),
            "group_concat" => concat(function, tys),
            "lower" | "upper" | "ltrim" | "rtrim" | "replace" | "length" | "substr" => {
                texts(function, tys);
            }
            "instr" => {
                texts(function, tys);
                rename(function, "strpos");
            }
            "char" if tys.len() == 1 => rename(function, "chr"),
            "unicode" => rename(function, "ascii"),
            "hex" => {
                texts(function, tys);
                rename(function, "pb_hex");
            }
            "round" => *expr = round(function, tys),
            "abs" | "sqrt" | "ceil" | "ceiling" | "floor" => numbers(function, tys),
            "json_extract" => extract(expr, first),
            "json_array_length" => json_length(expr, first),
            "json" if first == Ty::Text => rename(function, "pb_parse"),
            "json_object" => rename(function, "jsonb_build_object"),
            "json_array" => rename(function, "jsonb_build_array"),
            "json_group_object" => rename(function, "jsonb_object_agg"),
            "json_group_array" => {
                rename(function, "jsonb_agg");
                build::wrap(expr, |e| build::call("coalesce", vec![e, build::text("[]")]));
            }
            "strftime" | "date" | "time" | "datetime" | "julianday" | "unixepoch" => {
                moment(expr, name, tys);
            }
            _ => {}
        }
    }
}

fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName(vec![ObjectNamePart::Identifier(build::plain(name))]);
}

fn texts(function: &mut Function, tys: &[Ty]) {
    let n_texts = match name(function).as_deref() {
        Some("substr") => 1,
        _ => tys.len(),
    };
    args(function).into_iter().zip(tys).take(n_texts).for_each(|(arg, ty)| adapt::text(arg, *ty));
}

fn numbers(function: &mut Function, tys: &[Ty]) {
    args(function).into_iter().zip(tys).for_each(|(arg, ty)| {
        adapt::number(arg, *ty, true);
    });
}

fn iif(args: Vec<Expr>) -> Expr {
    let mut args = args.into_iter();
    let mut conditions = Vec::new();
    let mut otherwise = None;
    while let Some(condition) = args.next() {
        match args.next() {
            Some(result) => conditions.push((condition, result)),
            None => otherwise = Some(condition),
        }
    }
    build::case(conditions, otherwise)
}

/// The greatest or least of several; SQLite says NULL if one of them is.
fn extreme(name: &str, args: Vec<Expr>) -> Expr {
    let is_null = |arg: &Expr| Expr::IsNull(Box::new(build::operand(arg.clone())));
    let any = args.iter().map(is_null).reduce(|a, b| build::binary(a, BinaryOperator::Or, b));
    let chosen = build::call(if name == "max" { "greatest" } else { "least" }, args);
    build::case(any.map(|any| (build::not(build::nested(any)), chosen)).into_iter().collect(), None)
}

/// Sums and averages: of truth values, texts and JSON, too; a total is never NULL.
fn sum(function: &mut Function, name: &str, tys: &[Ty]) -> Expr {
    let first = tys.first().copied().unwrap_or(Ty::Unknown);
    numbers(function, tys);
    if name != "sum" && matches!(first, Ty::Int | Ty::Bool | Ty::Number) {
        for arg in args(function) {
            build::wrap(arg, |e| build::cast(e, DataType::DoublePrecision));
        }
    }
    if name == "total" {
        rename(function, "sum");
    }
    let made = Expr::Function(function.clone());
    match name {
        "total" => build::call("coalesce", vec![made, build::number("0.0")]),
        "sum" if matches!(first, Ty::Int | Ty::Bool) => build::cast(made, DataType::BigInt(None)),
        _ => made,
    }
}

/// `string_agg` wants texts and says what stands between them.
fn concat(function: &mut Function, tys: &[Ty]) {
    texts(function, tys);
    rename(function, "string_agg");
    if tys.len() == 1
        && let FunctionArguments::List(list) = &mut function.args
    {
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(build::text(","))));
    }
    for arg in args(function).into_iter().take(1) {
        // A literal has no type yet.
        if matches!(arg, Expr::Value(_)) {
            build::wrap(arg, |e| build::cast(e, DataType::Text));
        }
    }
}

fn round(function: &mut Function, tys: &[Ty]) -> Expr {
    let first = tys.first().copied().unwrap_or(Ty::Unknown);
    if first == Ty::Unknown {
        return Expr::Function(function.clone());
    }
    numbers(function, tys);
    let mut args = take_args(function);
    if let Some(number) = args.first_mut() {
        build::wrap(number, |e| build::cast(e, DataType::DoublePrecision));
    }
    if let Some(digits) = args.get_mut(1)
        && tys.get(1) != Some(&Ty::Int)
    {
        build::wrap(digits, |e| build::cast(e, DataType::Int(None)));
    }
    build::call("pb_round", args)
}

/// JSON of what is JSON or a text of it.
fn as_json(value: Expr, ty: Ty) -> Expr {
    if ty == Ty::Text { build::call("pb_parse", vec![value]) } else { build::operand(value) }
}

fn extract(expr: &mut Expr, ty: Ty) {
    let Expr::Function(function) = expr else { return };
    let all = args(function);
    let [value, path] = all.as_slice() else { return };
    let Some(path) = path_of(path) else { return };
    let found =
        build::binary(as_json((**value).clone(), ty), BinaryOperator::HashArrow, build::text(path));
    *expr = build::call("pb_plain", vec![found]);
}

fn json_length(expr: &mut Expr, ty: Ty) {
    let Expr::Function(function) = expr else { return };
    let all = args(function);
    let value = match all.as_slice() {
        [value] => as_json((**value).clone(), ty),
        [value, path] => {
            let Some(path) = path_of(path) else { return };
            build::binary(
                as_json((**value).clone(), ty),
                BinaryOperator::HashArrow,
                build::text(path),
            )
        }
        _ => return,
    };
    *expr = build::call("pb_json_length", vec![value]);
}

fn path_of(path: &Expr) -> Option<String> {
    match path {
        Expr::Value(found) => match &found.value {
            Value::SingleQuotedString(path) => adapt::json_path(path),
            _ => None,
        },
        _ => None,
    }
}

/// The functions of dates and times are formats of one.
fn moment(expr: &mut Expr, name: &str, tys: &[Ty]) {
    let Expr::Function(function) = expr else { return };
    let format = match name {
        "strftime" => None,
        "date" => Some("%Y-%m-%d"),
        "time" => Some("%H:%M:%S"),
        "datetime" => Some("%Y-%m-%d %H:%M:%S"),
        // Of seconds with their fraction.
        "julianday" | "unixepoch" => Some("%s"),
        _ => return,
    };
    let at = usize::from(format.is_none());
    // What is neither a text nor a number is one of PostgreSQL's own.
    if tys.get(at) == Some(&Ty::Unknown) || tys.len() < at {
        return;
    }
    let mut args: Vec<Expr> = take_args(function);
    args.iter_mut().zip(tys).for_each(|(arg, ty)| adapt::text(arg, *ty));
    if args.len() == at {
        args.push(build::text("now"));
    }
    if let Some(value) = args.get_mut(at)
        && is_now(value)
    {
        *value = build::call("pb_now", Vec::new());
    }
    if let Some(format) = format {
        args.insert(0, build::text(format));
    }
    if name == "julianday" {
        args.push(build::text("subsec"));
    }
    let made = build::call("pb_strftime", args);
    *expr = match name {
        "julianday" => build::call("pb_julian", vec![made]),
        "unixepoch" => build::cast(made, DataType::BigInt(None)),
        _ => made,
    };
}

fn is_now(value: &Expr) -> bool {
    matches!(value, Expr::Value(found)
        if matches!(&found.value, Value::SingleQuotedString(text) if text.eq_ignore_ascii_case("now")))
}
