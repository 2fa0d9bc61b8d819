//! `@request.*`: values of the request become bound values, literals or joins (spec filter-language §6.5–§6.7).

use std::sync::Arc;

use super::{
    Frame, Resolved, Resolver, modifier,
    modifier::Modifier,
    path::{Place, check_visible, is_list, lower, split_back},
};
use crate::{
    error::ErrorKind,
    fold, json,
    plan::{Cond, Expr, JsonSeg, Literal, NodeKind, NullPref, Op},
    schema::{Class, Collection, Field},
    scope::{Auth, Datum, Request},
    value::{Affinity, Value},
};

impl Resolver<'_> {
    /// `rest` is what follows `@request.`; characters are already checked.
    pub(super) fn request(
        &mut self,
        frame: &Frame,
        name: &str,
        rest: &str,
    ) -> Result<Resolved, ErrorKind> {
        let unresolved = || ErrorKind::UnresolvedField(name.to_owned());
        let request = self.scope.request.clone();
        let text = |pick: fn(&Request) -> &str| match &request {
            Some(request) => Resolved::constant(Expr::Bound(Value::from(pick(request)))),
            None => Resolved::null(),
        };
        match rest {
            "context" => return Ok(text(|request| &request.context)),
            "method" => return Ok(text(|request| &request.method)),
            _ => {}
        }
        let (area, path) = rest.split_once('.').ok_or_else(unresolved)?;
        if path.is_empty() || !matches!(area, "auth" | "body" | "query" | "headers") {
            return Err(unresolved());
        }
        let Some(request) = request else { return Ok(Resolved::null()) };
        let segments: Vec<&str> = path.split('.').collect();
        match area {
            "auth" => match &request.auth {
                Some(auth) => self.auth(frame, auth, &segments),
                None => Ok(Resolved::null()),
            },
            "body" => self.body(frame, &request, &segments),
            _ => {
                let map = if area == "query" { &request.query } else { &request.headers };
                let find = |segments: &[&str]| match segments {
                    [key] => map.get(*key).map(|value| Datum::Text(value.clone())),
                    _ => None,
                };
                plain(frame, &segments, &find)
            }
        }
    }

    /// spec §6.7.
    fn auth(
        &mut self,
        frame: &Frame,
        auth: &Auth,
        segments: &[&str],
    ) -> Result<Resolved, ErrorKind> {
        if let [name] = segments
            && let Some(expr) = loaded(auth, name)
        {
            return Ok(Resolved::constant(expr));
        }
        let Some(collection) = self.collection(&auth.collection_id) else {
            return Ok(Resolved::null());
        };
        if let Some(resolved) = self.auth_column(frame, auth, &collection, segments)? {
            self.plan.joined = true;
            return Ok(resolved);
        }
        let named = segments.first().and_then(|segment| segment.split(':').next()).unwrap_or("");
        if collection.field(named).is_none() && split_back(named).is_none() {
            return Ok(Resolved::null());
        }
        let kind = NodeKind::Auth { id: Arc::clone(&auth.id) };
        let node = self.join(frame, kind, Some(Arc::clone(&collection)), false)?;
        self.walk(frame, Place { node, collection, nullify: true }, segments)
    }

    /// spec §6.6.
    fn body(
        &mut self,
        frame: &Frame,
        request: &Request,
        segments: &[&str],
    ) -> Result<Resolved, ErrorKind> {
        let find = |segments: &[&str]| {
            let (key, rest) = segments.split_first()?;
            reach(request.body.get(*key)?, rest)
        };
        let base = Arc::clone(&frame.base);
        let Some((first, rest)) = segments.split_first() else { return Ok(Resolved::null()) };
        if !rest.is_empty() {
            if let Some(field) = base.field(first).filter(|field| field.class == Class::Relation) {
                return self.body_relation(frame, request, field, rest);
            }
            return plain(frame, segments, &find);
        }
        let (name, modifier) = modifier::split(first)?;
        let Some(field) = base.field(name) else { return plain(frame, segments, &find) };
        let submitted = request.body.get(name);
        match modifier {
            None | Some(Modifier::Isset) => plain(frame, segments, &find),
            Some(Modifier::Lower) => {
                let text = submitted.map(as_text).unwrap_or_default();
                Ok(lower(Resolved::constant(Expr::Bound(Value::from(text)))))
            }
            Some(Modifier::Changed) => self.changed(frame, name, submitted.is_some()),
            Some(Modifier::Length | Modifier::Each) if !is_list(field.class) => {
                Err(ErrorKind::NotMultivalue(name.to_owned()))
            }
            Some(Modifier::Length) => {
                let n = i64::try_from(submitted.map_or(0, |datum| as_list(datum).len()));
                Ok(Resolved::constant(Expr::Literal(Literal::Int(n.unwrap_or(i64::MAX)))))
            }
            Some(Modifier::Each) => self.body_each(frame, field, submitted),
        }
    }

    fn body_each(
        &mut self,
        frame: &Frame,
        field: &Field,
        submitted: Option<&Datum>,
    ) -> Result<Resolved, ErrorKind> {
        let items = submitted.map(as_list).unwrap_or_default().iter().map(element).collect();
        let kind = NodeKind::BodyEach { field: field.name.clone(), items };
        let node = self.join(frame, kind, None, field.multiple)?;
        let resolved = Resolved::of(Expr::BodyElement { node }, NullPref::Auto, Affinity::None);
        Ok(resolved.multi(field.multiple))
    }

    fn body_relation(
        &mut self,
        frame: &Frame,
        request: &Request,
        field: &Field,
        rest: &[&str],
    ) -> Result<Resolved, ErrorKind> {
        let target = field.target.as_deref().unwrap_or_default();
        let collection = self
            .collection(target)
            .ok_or_else(|| ErrorKind::MissingBodyTarget(target.to_owned(), field.name.clone()))?;
        let mut ids: Vec<Arc<str>> = Vec::new();
        for datum in request.body.get(&field.name).map(as_list).unwrap_or_default() {
            let id = as_text(&datum);
            if !id.is_empty() && !ids.iter().any(|known| **known == *id) {
                ids.push(Arc::from(id));
            }
        }
        if ids.is_empty() {
            return Ok(Resolved::null());
        }
        let kind = NodeKind::Body { field: field.name.clone(), ids };
        let node = self.join(frame, kind, Some(Arc::clone(&collection)), field.multiple)?;
        self.walk(frame, Place { node, collection, nullify: true }, rest)
    }

    /// spec §7: `(F:isset = true && body.F != F)`, compared with IS.
    fn changed(&mut self, frame: &Frame, name: &str, is_set: bool) -> Result<Resolved, ErrorKind> {
        let column = self.identifier(frame, name)?;
        let submitted = self.identifier(frame, &format!("@request.body.{name}"))?;
        let differs = self.compare(Op::Ne, false, submitted, column);
        let cond = fold::and(vec![Cond::Const(is_set), differs]);
        Ok(Resolved::of(Expr::Changed(Box::new(cond)), NullPref::Disabled, Affinity::None))
    }

    /// A plain column of the caller's record that needs no join. It must mean what the joined column means, so the
    /// stored value has to fit the affinity, and list rules must not be at stake.
    fn auth_column(
        &self,
        frame: &Frame,
        auth: &Auth,
        collection: &Collection,
        segments: &[&str],
    ) -> Result<Option<Resolved>, ErrorKind> {
        let (segment, via_id) = match segments {
            [segment] => (*segment, false),
            [segment, "id"] => (*segment, true),
            _ => return Ok(None),
        };
        let (name, modifier) = modifier::split(segment)?;
        let Some(field) = collection.field(name) else { return Ok(None) };
        let is_relation = field.class == Class::Relation && !field.multiple;
        let is_plain =
            !matches!(field.class, Class::Json) && (!via_id || (is_relation && modifier.is_none()));
        let is_listed =
            is_list(field.class) && matches!(modifier, Some(Modifier::Each | Modifier::Length));
        let is_guarded = name == "email" && !frame.flags.hidden_allowed;
        if !is_plain || is_listed || is_guarded || frame.flags.enforce_list_rules {
            return Ok(None);
        }
        check_visible(frame, field)?;
        let is_lost = || field.target.as_deref().and_then(|id| self.collection(id)).is_none();
        if via_id && is_lost() {
            return Ok(None);
        }
        let Some(value) = auth.columns.get(name) else { return Ok(None) };
        let fits = match field.affinity {
            Affinity::Text => matches!(value, Value::Null | Value::Text(_)),
            Affinity::Num => !matches!(value, Value::Text(_)),
            Affinity::None => true,
        };
        if !fits {
            return Ok(None);
        }
        let resolved =
            Resolved::of(Expr::AuthColumn(value.clone()), NullPref::Auto, field.affinity);
        Ok(Some(if modifier == Some(Modifier::Lower) { lower(resolved) } else { resolved }))
    }
}

/// The fields that are always bound from the loaded record.
fn loaded(auth: &Auth, name: &str) -> Option<Expr> {
    let text = |text: &str| Expr::Bound(Value::from(text));
    let column = || auth.columns.get(name).cloned().unwrap_or(Value::Null);
    Some(match name {
        "id" => text(&auth.id),
        "collectionId" => text(&auth.collection_id),
        "collectionName" => text(&auth.collection_name),
        "email" => match column() {
            Value::Null => Expr::Literal(Literal::Null),
            value => Expr::Bound(value),
        },
        "emailVisibility" | "verified" => match column() {
            Value::Null => Expr::Literal(Literal::Null),
            value => Expr::Bool(value.number().is_some_and(|number| number != 0.0)),
        },
        _ => return None,
    })
}

/// A value of the request without a field behind it: the last column of the table in spec §7.
fn plain(
    frame: &Frame,
    segments: &[&str],
    find: &dyn Fn(&[&str]) -> Option<Datum>,
) -> Result<Resolved, ErrorKind> {
    let Some((last, before)) = segments.split_last() else { return Ok(Resolved::null()) };
    let (name, modifier) = modifier::split(last)?;
    let mut path = before.to_vec();
    path.push(name);
    let found = find(&path);
    match modifier {
        None => Ok(bound(frame, name, found.as_ref())),
        Some(Modifier::Isset) => {
            let literal = if found.is_some() { Literal::True } else { Literal::False };
            Ok(Resolved::constant(Expr::Literal(literal)))
        }
        Some(Modifier::Lower) => {
            let resolved = bound(frame, name, found.as_ref());
            let is_null = matches!(resolved.operand.expr, Expr::Literal(Literal::Null));
            Ok(if is_null { resolved } else { lower(resolved) })
        }
        Some(other @ (Modifier::Changed | Modifier::Length | Modifier::Each)) => {
            Err(ErrorKind::ModifierSequence(name.to_owned(), other.name()))
        }
    }
}

/// Walks into a submitted value; `None` if the path leads nowhere.
fn reach(datum: &Datum, path: &[&str]) -> Option<Datum> {
    let Some((step, rest)) = path.split_first() else { return Some(datum.clone()) };
    match datum {
        Datum::Map(members) => reach(members.get(*step)?, rest),
        Datum::List(items) => reach(items.get(step.parse::<usize>().ok()?)?, rest),
        Datum::Json(text) => {
            let segment = |step: &&str| match step.parse() {
                Ok(index) => JsonSeg::Index(index),
                Err(_) => JsonSeg::Key((*step).to_owned()),
            };
            let path: Vec<JsonSeg> = path.iter().map(segment).collect();
            match json::datum(text, &path) {
                Datum::Null => None,
                found => Some(found),
            }
        }
        Datum::Null | Datum::Bool(_) | Datum::Number(_) | Datum::Text(_) => None,
    }
}

/// spec §6.5: how a request value is bound.
fn bound(frame: &Frame, name: &str, datum: Option<&Datum>) -> Resolved {
    Resolved::constant(match datum {
        None | Some(Datum::Null) => Expr::Literal(Literal::Null),
        Some(Datum::Bool(value)) => Expr::Bool(*value),
        Some(Datum::Number(number)) => Expr::Bound(Value::Real(*number)),
        Some(Datum::Text(text)) => {
            let is_number =
                frame.base.field(name).is_some_and(|field| field.class == Class::Number);
            match parse_float(text).filter(|_| is_number) {
                Some(number) if number.is_nan() => Expr::Literal(Literal::Null),
                Some(number) => Expr::Bound(Value::Real(number)),
                None => Expr::Bound(Value::from(text.as_str())),
            }
        }
        Some(Datum::Json(text)) => Expr::Bound(Value::from(text.as_str())),
        Some(other @ (Datum::List(_) | Datum::Map(_))) => {
            Expr::Bound(Value::from(json::encode(other)))
        }
    })
}

/// A value as a list: arrays as they are, nothing for null, one element for anything else.
fn as_list(datum: &Datum) -> Vec<Datum> {
    match datum {
        Datum::Null => Vec::new(),
        Datum::List(items) => items.clone(),
        Datum::Json(text) => json::array(text).unwrap_or_else(|| vec![datum.clone()]),
        Datum::Bool(_) | Datum::Number(_) | Datum::Text(_) | Datum::Map(_) => vec![datum.clone()],
    }
}

/// A value as text; containers have none.
fn as_text(datum: &Datum) -> String {
    match datum {
        Datum::Null | Datum::List(_) | Datum::Map(_) => String::new(),
        Datum::Bool(value) => value.to_string(),
        Datum::Number(number) => number.to_string(),
        Datum::Text(text) | Datum::Json(text) => text.clone(),
    }
}

/// An element of a submitted list as json_each would return it.
fn element(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Bool(value) => Value::from(*value),
        Datum::Number(_) => json::extract(&Value::from(json::encode(datum)), &[]),
        Datum::Text(text) => Value::from(text.as_str()),
        Datum::Json(_) | Datum::List(_) | Datum::Map(_) => {
            json::extract(&Value::from(json::encode(datum)), &[])
        }
    }
}

/// Go's `strconv.ParseFloat`: decimal, exponent, hexadecimal, inf, nan; out of range is an error.
fn parse_float(text: &str) -> Option<f64> {
    let (sign, body) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if body.starts_with("0x") || body.starts_with("0X") {
        return parse_hex_float(&body[2..]).map(|number| sign * number);
    }
    let number: f64 = if body.starts_with(['+', '-']) { return None } else { body.parse().ok()? };
    let is_range_error = number.is_infinite() && body.bytes().any(|byte| byte.is_ascii_digit());
    (!is_range_error).then_some(sign * number)
}

fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut number = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        number = number * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let number = number * 2.0_f64.powi(exponent.checked_sub(shift)?);
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_floats() {
        for (text, number) in [
            ("5", Some(5.0)),
            ("-1.5e3", Some(-1500.0)),
            ("0x1p4", Some(16.0)),
            ("-0x.8p1", Some(-1.0)),
            ("inf", Some(f64::INFINITY)),
            ("1e999", None),
            (" 5", None),
            ("", None),
            ("x", None),
            ("--5", None),
        ] {
            assert_eq!(parse_float(text), number, "{text:?}");
        }
        assert!(parse_float("nan").is_some_and(f64::is_nan));
    }

    #[test]
    fn submitted_values_are_reached_by_path() {
        let datum = Datum::List(vec![Datum::Map(
            [
                ("size".to_owned(), Datum::Number(3.0)),
                ("j".to_owned(), Datum::Json("[1,{\"a\":true}]".into())),
            ]
            .into(),
        )]);
        for (path, expected) in [
            (&["0", "size"][..], Some(Datum::Number(3.0))),
            (&["0", "j", "1", "a"], Some(Datum::Bool(true))),
            (&["1"], None),
            (&["0", "size", "x"], None),
        ] {
            assert_eq!(reach(&datum, path), expected);
        }
    }
}
