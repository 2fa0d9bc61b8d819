//! SQLite spelling: comparison for comparison what the reference sends (spec filter-language §4.1, §4.2, §5).
//!
//! Affinity comes from real columns; nothing here may wrap one where the reference does not.

use filter_lang::{
    form::{self, EqForm, LikeForm, Side},
    plan::{Expr, JsonSeg, Literal, NodeId, NodeKind, Op, RowMode},
    prim::{Prim, words},
    schema::Class,
    semijoin::{Holds, Row, What, is_list},
    value::{Affinity, Value},
};

use super::{Sqlite, row_id};
use crate::{
    emit::{
        Alias, Half, Spell, Walk,
        shared::{json_items, plain_text, wanted_words},
    },
    full_text::full_text_name,
    quote::{ident, push_json_text, push_literal},
};

impl Spell for Sqlite {
    fn sign(&self) -> char {
        '?'
    }

    fn row_id(&self, is_column: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        row_id::visible(is_column)
    }

    fn plans_by_rows(&self) -> bool {
        false
    }

    fn no_limit(&self) -> &'static str {
        " LIMIT -1"
    }

    fn value(&self, w: &mut Walk<'_>, value: &Value) {
        match value {
            Value::Null => w.push("NULL"),
            other => w.param(other.clone()),
        }
    }

    fn compare(&self, w: &mut Walk<'_>, op: Op, left: Side<'_>, right: Side<'_>, fails: bool) {
        if fails {
            w.push("NOT (");
        }
        match op {
            Op::Eq => self.equality(w, left, right, true, fails),
            Op::Ne => self.equality(w, left, right, false, fails),
            Op::Like => self.like(w, left, right, " LIKE "),
            Op::NotLike => self.like(w, left, right, " NOT LIKE "),
            Op::Gt => self.pair(w, left, " > ", right),
            Op::Ge => self.pair(w, left, " >= ", right),
            Op::Lt => self.pair(w, left, " < ", right),
            Op::Le => self.pair(w, left, " <= ", right),
        }
        if fails {
            w.push(")");
        }
    }

    /// No index helps, but looking for the text of an element is cheaper than listing all of them.
    fn holds(&self, w: &mut Walk<'_>, holds: &Holds<'_>) {
        if let What::Element(element) = holds.what {
            w.push("instr(");
            if !w.column(w.alias(holds.node, Half::Left), holds.column) {
                w.push("NULL");
            }
            w.push(", ");
            w.param(Value::Text(needle(element).into()));
            w.push(") > 0 AND ");
        }
        w.test(&holds.test, true);
    }

    fn may_match(&self, w: &mut Walk<'_>, node: NodeId, query: &str) {
        let index = w.collection(node).map(|c| full_text_name(&c.id)).unwrap_or_default();
        if !w.column(w.alias(node, Half::Left), "id") {
            w.push("NULL");
        }
        let (index, ids) = (ident(&index), ident(&format!("{index}_ids")));
        w.push(&format!(
            " IN (SELECT k.\"id\" FROM {index} AS f JOIN {ids} AS k ON k.\"n\" = f.rowid WHERE f.{index} MATCH "
        ));
        let alternatives = words::needed(query).unwrap_or_default();
        w.param(Value::from(wanted_words(&alternatives, "\"", " AND ", " OR ")));
        w.push(")");
    }

    fn null_text(&self) -> &'static str {
        "NULL"
    }

    fn elements(&self, w: &mut Walk<'_>, row: Row, alias: Alias) {
        w.push("json_each(");
        match &w.node(row.node).kind {
            NodeKind::RelMany { parent, column } | NodeKind::Each { parent, column } => {
                let sure = is_list(w.plan, *parent, column);
                list(w, w.parent(row), column, sure);
            }
            NodeKind::BackMany { column, .. } => {
                let sure = is_list(w.plan, row.node, column);
                list(w, alias, column, sure);
            }
            NodeKind::BodyEach { items, .. } => w.param(Value::Text(json_items(items).into())),
            _ => w.push("'[]'"),
        }
        w.push(") AS ");
        w.number('e', alias);
    }

    fn names(&self, w: &mut Walk<'_>, row: Row, alias: Alias, column: &str) {
        w.text_column(w.parent(row), "id");
        w.push(" IN (SELECT value FROM json_each(");
        let sure = is_list(w.plan, row.node, column);
        list(w, alias, column, sure);
        w.push("))");
    }

    fn order(&self, w: &mut Walk<'_>, _expr: &Expr, desc: bool, write: &dyn Fn(&mut Walk<'_>)) {
        write(w);
        if desc {
            w.push(" DESC");
        }
    }

    fn scalar(&self, w: &mut Walk<'_>, expr: &Expr, half: Half) {
        self.expr(w, expr, half);
    }

    fn random(&self, w: &mut Walk<'_>) {
        w.push("RANDOM()");
    }

    fn last_order(&self, w: &mut Walk<'_>, needed: bool) -> bool {
        // The reference's plans walk the base table; ours may walk a set of related rows.
        if needed {
            w.row_id();
        }
        needed
    }

    fn element_id(&self, w: &mut Walk<'_>, _node: NodeId, alias: Alias, _column: &str) {
        w.element(alias, "value");
    }

    fn in_list(&self, mark: &str) -> String {
        format!("IN (SELECT value FROM json_each({mark}))")
    }

    fn linked(&self, w: &mut Walk<'_>, column: &str, multiple: bool, parents: Value) {
        let sure = multiple && is_list(w.plan, NodeId::BASE, column);
        let table = ident(&w.plan.base.name);
        w.push("json_each(");
        w.param(parents);
        w.push(") AS p CROSS JOIN ");
        w.push(&table);
        w.push(" AS b ON b.\"id\" IN (SELECT x.\"id\" FROM ");
        w.push(&table);
        w.push(" AS x WHERE ");
        let name = format!("x.{}", ident(column));
        if multiple {
            w.push("p.value IN (SELECT value FROM json_each(");
            w.push(&guarded(&name, sure));
            w.push("))");
        } else {
            w.push(&name);
            w.push(" = p.value");
        }
        w.push(" LIMIT 1000)");
    }

    fn draft_column(&self, w: &mut Walk<'_>, column: &str, value: &Value) {
        let field = w.plan.base.field(column).filter(|_| w.plan.row == RowMode::Stored);
        let ty = match field.map(|field| (field.affinity, field.class, field.multiple)) {
            Some((Affinity::Text, ..)) => " AS TEXT)",
            Some((Affinity::Num, Class::Number | Class::Bool, false)) => " AS NUMERIC)",
            // Anything else is text that is no number.
            _ => return self.value(w, value),
        };
        w.push("CAST(");
        self.value(w, value);
        w.push(ty);
    }

    fn hour(&self, column: &str) -> [String; 2] {
        let hour = format!("strftime('%Y-%m-%d %H:00:00', {column})");
        [hour.clone(), hour]
    }
}

impl Sqlite {
    /// The ordered decision of spec §4.2.
    fn equality(
        &self,
        w: &mut Walk<'_>,
        left: Side<'_>,
        right: Side<'_>,
        equal: bool,
        fails: bool,
    ) {
        let is = if equal { " IS " } else { " IS NOT " };
        match form::equality_form(left, right) {
            EqForm::Is => self.pair(w, left, is, right),
            EqForm::BothEmpty => w.truth(equal),
            EqForm::Plain { left_empty, right_empty } => {
                self.or_empty(w, left, Half::Left, left_empty);
                w.push(if equal { " = " } else { " IS NOT " });
                self.or_empty(w, right, Half::Right, right_empty);
            }
            EqForm::LeftEmpty => self.empty(w, right, Half::Right, equal),
            EqForm::RightEmpty => self.empty(w, left, Half::Left, equal),
            EqForm::Coalesce if plain_text(left, right) => {
                // COALESCE(c,'') = 'x' is c = 'x' when both are text; it keeps indexes usable.
                let eq = if fails { " IS " } else { " = " };
                self.pair(w, left, if equal { eq } else { is }, right);
            }
            EqForm::Coalesce => {
                w.push("COALESCE(");
                self.operand(w, left, Half::Left);
                w.push(if equal { ", '') = COALESCE(" } else { ", '') IS NOT COALESCE(" });
                self.operand(w, right, Half::Right);
                w.push(", '')");
            }
        }
    }

    fn empty(&self, w: &mut Walk<'_>, side: Side<'_>, half: Half, equal: bool) {
        w.push("(");
        self.operand(w, side, half);
        w.push(if equal { " = '' OR " } else { " IS NOT '' AND " });
        self.operand(w, side, half);
        w.push(if equal { " IS NULL)" } else { " IS NOT NULL)" });
    }

    fn or_empty(&self, w: &mut Walk<'_>, side: Side<'_>, half: Half, empty: bool) {
        if empty {
            w.push("''");
        } else {
            self.operand(w, side, half);
        }
    }

    fn pair(&self, w: &mut Walk<'_>, left: Side<'_>, op: &str, right: Side<'_>) {
        self.operand(w, left, Half::Left);
        w.push(op);
        self.operand(w, right, Half::Right);
    }

    fn like(&self, w: &mut Walk<'_>, left: Side<'_>, right: Side<'_>, op: &str) {
        self.operand(w, left, Half::Left);
        w.push(op);
        match form::like_form(right) {
            LikeForm::Contains(expr) => {
                w.push("('%' || ");
                self.expr(w, expr, Half::Right);
                w.push(" || '%')");
            }
            LikeForm::Pattern(expr) => self.expr(w, &expr, Half::Right),
        }
        w.push(" ESCAPE '\\'");
    }

    fn operand(&self, w: &mut Walk<'_>, side: Side<'_>, half: Half) {
        let expr = &side.operand.expr;
        if let Expr::AuthColumn(value) = expr
            && *value != Value::Null
        {
            // Stands for a column: give the parameter a column's affinity.
            let ty = match side.operand.affinity {
                Affinity::Text => " AS TEXT)",
                Affinity::Num => " AS NUMERIC)",
                Affinity::None => return w.param(value.clone()),
            };
            w.push("CAST(");
            w.param(value.clone());
            return w.push(ty);
        }
        self.expr(w, expr, half);
    }

    fn expr(&self, w: &mut Walk<'_>, expr: &Expr, half: Half) {
        match expr {
            Expr::Bound(value) | Expr::AuthColumn(value) => self.value(w, value),
            Expr::Bool(value) => w.param(Value::Int(i64::from(*value))),
            Expr::Literal(Literal::Null) => w.push("NULL"),
            Expr::Literal(Literal::True) => w.push("1"),
            Expr::Literal(Literal::False) => w.push("0"),
            Expr::Literal(Literal::Int(number)) => w.push(&number.to_string()),
            Expr::Column { node, column } => w.text_column(w.alias(*node, half), column),
            Expr::Json { node, column, path } => json(w, w.alias(*node, half), column, path),
            Expr::Length { node, column } => {
                let sure = is_list(w.plan, *node, column);
                length(w, w.alias(*node, half), column, sure);
            }
            Expr::Element { node } | Expr::BodyElement { node } => {
                if !w.element(w.alias(*node, half), "value") {
                    w.push("NULL");
                }
            }
            Expr::Lower(inner) => {
                w.push("LOWER(");
                self.expr(w, inner, half);
                w.push(")");
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

    /// Registered functions ([`crate::sqlite::FUNCTIONS`]), but for times.
    fn apply(&self, w: &mut Walk<'_>, prim: Prim, args: &[Expr], half: Half) {
        if prim == Prim::FormatTime {
            return self.format_time(w, args, half);
        }
        w.helper(prim);
        self.arguments(w, args, half);
        w.push(")");
    }

    fn arguments(&self, w: &mut Walk<'_>, args: &[Expr], half: Half) {
        for (at, arg) in args.iter().enumerate() {
            w.push(if at == 0 { "" } else { ", " });
            self.expr(w, arg, half);
        }
    }

    /// SQLite's conversions between zones forget that a value is no time at all; so each is asked for only after what
    /// stands before it has been found to be one.
    fn format_time(&self, w: &mut Walk<'_>, args: &[Expr], half: Half) {
        let zones = (2..args.len()).filter(|at| {
            matches!(&args[*at], Expr::Bound(Value::Text(name))
            if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("localtime"))
        });
        let mut is_guarded = false;
        for at in zones {
            w.push(if is_guarded { " AND " } else { "(CASE WHEN " });
            w.push("strftime(");
            self.arguments(w, &args[..at], half);
            w.push(") IS NOT NULL");
            is_guarded = true;
        }
        if is_guarded {
            w.push(" THEN ");
        }
        w.push("strftime(");
        self.arguments(w, args, half);
        w.push(if is_guarded { ") END)" } else { ")" });
    }
}

/// JSON extraction; text that is not JSON counts as a JSON string (spec §6.4).
fn json(w: &mut Walk<'_>, alias: Alias, column: &str, path: &[JsonSeg]) {
    if alias == Alias::Missing {
        return w.push("NULL");
    }
    let mut text = String::from("$");
    for segment in path {
        match segment {
            JsonSeg::Index(index) => {
                text.push('[');
                text.push_str(&index.to_string());
                text.push(']');
            }
            JsonSeg::Key(key) => {
                text.push('.');
                let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if plain && !key.is_empty() {
                    text.push_str(key);
                } else {
                    push_json_text(&mut text, key);
                }
            }
        }
    }
    w.push("(CASE WHEN json_valid(");
    w.column(alias, column);
    w.push(") THEN json_extract(");
    w.column(alias, column);
    w.push(", ");
    push_literal(&mut w.text, &text);
    w.push(") ELSE json_extract(json_quote(");
    w.column(alias, column);
    w.push("), ");
    push_literal(&mut w.text, &text);
    w.push(") END)");
}

/// The argument of `json_each`: an array, or the scalar as its only element.
fn list(w: &mut Walk<'_>, alias: Alias, column: &str, sure: bool) {
    let start = w.text.len();
    w.text_column(alias, column);
    if !sure {
        let name = w.text.split_off(start);
        w.push(&guarded(&name, false));
    }
}

fn guarded(name: &str, sure: bool) -> String {
    if sure {
        return name.to_owned();
    }
    format!(
        "CASE WHEN iif(json_valid({name}), json_type({name}) = 'array', FALSE) THEN {name} ELSE json_array({name}) END"
    )
}

fn length(w: &mut Walk<'_>, alias: Alias, column: &str, sure: bool) {
    if alias == Alias::Missing {
        return w.push("0");
    }
    let start = w.text.len();
    w.column(alias, column);
    let name = w.text.split_off(start);
    let text = if sure {
        format!("COALESCE(json_array_length({name}), 0)")
    } else {
        format!(
            "(CASE WHEN iif(json_valid({name}), json_type({name}) = 'array', FALSE) THEN json_array_length({name}) \
             ELSE iif({name} = '' OR {name} IS NULL, 0, 1) END)"
        )
    };
    w.push(&text);
}

/// How the element stands in the JSON text; empty (matches all) where writers may escape differently.
fn needle(element: &Value) -> String {
    match element {
        Value::Text(text)
            if text.bytes().all(|b| {
                (0x20..0x7f).contains(&b) && !matches!(b, b'"' | b'\\' | b'<' | b'>' | b'&' | b'/')
            }) =>
        {
            format!("\"{text}\"")
        }
        _ => String::new(),
    }
}
