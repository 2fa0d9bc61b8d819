//! Hints at usual mistakes, for people who look at an expression. Never part of a compatible message.
//!
//! They follow paths as resolving does (spec filter-language §6.1), without its errors: what cannot be followed gets none.

use std::{fmt, sync::Arc};

use crate::{
    ast::{Ast, Comparison, Join, Node, Span, Term, TermKind},
    error::{Error, ErrorKind},
    plan::Op,
    schema::{Class, Collection, Field, Schema},
};

/// One hint, about a place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// What it is about.
    pub span: Span,
    /// One sentence.
    pub text: String,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What may have been meant by an expression that is refused.
#[must_use]
pub fn of_error(error: &Error) -> Option<String> {
    of_kind(&error.kind)
}

fn of_kind(kind: &ErrorKind) -> Option<String> {
    let text = match kind {
        ErrorKind::InvalidSign(sign) => match sign.as_str() {
            "==" | "===" => "`=` compares".into(),
            "<>" | "!==" => "`!=` is the opposite of `=`".into(),
            "=~" | "~=" => "`~` asks whether a text is contained".into(),
            "=?" | "=!" | "!?=" => "the question mark comes first: `?=`, `?!=`".into(),
            _ => return None,
        },
        ErrorKind::InvalidJoin(_) => "conditions are joined by `&&` and `||`".into(),
        ErrorKind::ExpectedJoin(word, _) if is_one(word, &["and", "or"]) => {
            "conditions are joined by `&&` and `||`".into()
        }
        ErrorKind::ExpectedSign(word, _) if is_one(word, &["like", "ilike", "contains"]) => {
            "`~` asks whether a text is contained, or matches where it has a `%`".into()
        }
        ErrorKind::ExpectedSign(word, _) if is_one(word, &["in", "is", "not"]) => {
            "there are comparisons only: `a = 'x' || a = 'y'`, `a = null`, `a != 'x'`".into()
        }
        ErrorKind::Operand { literal, cause, .. } => match &**cause {
            ErrorKind::UnknownField(_) | ErrorKind::UnresolvedField(_) if is_word(literal) => {
                format!("a text stands in quotes: `'{literal}'`")
            }
            cause => return of_kind(cause),
        },
        ErrorKind::NotARelation(field) => {
            format!(
                "only relations, JSON fields and geo points go on after a dot, `{field}` does not"
            )
        }
        ErrorKind::UnknownModifier(_) => {
            "the modifiers are `:each`, `:length`, `:lower`, `:isset` and `:changed`".into()
        }
        _ => return None,
    };
    Some(text)
}

fn is_one(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What may not be meant by an expression that is accepted.
#[must_use]
pub fn of_filter(schema: &dyn Schema, base: &Arc<Collection>, ast: &Ast) -> Vec<Hint> {
    let mut hints = Vec::new();
    let look = Look { schema, base };
    for group in &ast.groups {
        let comparisons = group.items.iter().map(|item| match &item.node {
            Node::Compare(cmp) => (item.join, Some(&**cmp)),
            Node::Group(_) => (item.join, None),
        });
        let comparisons: Vec<_> = comparisons.collect();
        for cmp in comparisons.iter().filter_map(|(_, cmp)| *cmp) {
            hints.extend(look.whole_list(cmp).or_else(|| look.all_of_many(cmp)));
        }
        let mut run: Vec<&Comparison> = Vec::new();
        for (join, cmp) in comparisons {
            if join == Join::Or {
                run.clear();
            }
            let Some(cmp) = cmp else { continue };
            hints.extend(run.iter().find_map(|other| look.same_element(other, cmp)));
            run.push(cmp);
        }
    }
    hints.sort_by_key(|hint| hint.span.start);
    hints
}

struct Look<'a> {
    schema: &'a dyn Schema,
    base: &'a Arc<Collection>,
}

/// Where a path leads.
struct End {
    field: Field,
    modifier: String,
    /// It crosses a list on the way.
    is_many: bool,
}

impl End {
    fn is_list(&self) -> bool {
        self.field.multiple
            && matches!(self.field.class, Class::Select | Class::File | Class::Relation)
    }
}

impl Look<'_> {
    fn end(&self, term: &Term) -> Option<End> {
        let TermKind::Identifier(path) = &term.kind else { return None };
        let (mut at, mut is_many, path) = match path.strip_prefix("@collection.") {
            Some(rest) => {
                let (name, path) = rest.split_once('.')?;
                let name = name.split(':').next().unwrap_or(name);
                (self.schema.collection(name)?, true, path)
            }
            None if path.starts_with('@') => return None,
            None => (Arc::clone(self.base), false, path.as_str()),
        };
        let mut segments = path.split('.').peekable();
        while let Some(segment) = segments.next() {
            if segments.peek().is_none() {
                let (name, modifier) = segment.split_once(':').unwrap_or((segment, ""));
                let field = at.field(name)?.clone();
                return Some(End { field, modifier: modifier.into(), is_many });
            }
            let next = match at.field(segment) {
                Some(field) if field.class == Class::Relation => {
                    is_many |= field.multiple;
                    self.schema.collection(field.target.as_deref()?)?
                }
                Some(_) => return None,
                None => {
                    let (name, back) = segment.rsplit_once("_via_")?;
                    let from = self.schema.collection(name)?;
                    let field = from.field(back)?;
                    let is_unique = from.unique_fields.contains(&back.to_ascii_lowercase());
                    is_many |= field.multiple || !is_unique;
                    from
                }
            };
            at = next;
        }
        None
    }

    /// `tags ?= 'a'` on a list: compares its JSON text.
    fn whole_list(&self, cmp: &Comparison) -> Option<Hint> {
        let sides = [(&cmp.left, &cmp.right), (&cmp.right, &cmp.left)];
        let (term, value, end) = sides.into_iter().find_map(|(term, value)| {
            let end = self.end(term)?;
            (end.is_list() && end.modifier.is_empty()).then_some((term, value, end))
        })?;
        if !matches!(cmp.op, Op::Eq | Op::Ne) {
            return None;
        }
        let path = term.literal();
        let wanted = match &value.kind {
            TermKind::Text(text) if text.starts_with('[') => return None,
            TermKind::Text(text) if text.is_empty() => {
                let text =
                    format!("`{path}` is a list; `{path}:length = 0` asks whether it is empty");
                return Some(Hint { span: term.span, text });
            }
            TermKind::Text(text) => format!("'{text}'"),
            TermKind::Identifier(name) if is_one(name, &["null", "true", "false"]) => return None,
            TermKind::Identifier(name) => name.clone(),
            TermKind::Number(_) | TermKind::Function { .. } => return None,
        };
        let element = match end.field.class {
            Class::Relation => format!("{path}.id"),
            _ => format!("{path}:each"),
        };
        let sign = if cmp.op == Op::Eq { "?=" } else { "!=" };
        let what = if cmp.op == Op::Eq { "is in it" } else { "is not in it" };
        let text = format!(
            "`{path}` is a list, and here its JSON text is compared; `{element} {sign} {wanted}` asks whether {wanted} {what}"
        );
        Some(Hint { span: term.span, text })
    }

    /// `members.id = x` over many: all of them must match.
    fn all_of_many(&self, cmp: &Comparison) -> Option<Hint> {
        // What none of them is is asked for so.
        if cmp.any || matches!(cmp.op, Op::Ne | Op::NotLike) {
            return None;
        }
        let is_many = |term: &Term| {
            let end = self.end(term);
            end.is_some_and(|end| end.is_many || end.is_list() && end.modifier == "each")
        };
        let term = [&cmp.left, &cmp.right].into_iter().find(|term| is_many(term))?;
        let sign = cmp.op.sign(false);
        let path = term.literal();
        let text = format!(
            "`{path} {sign} …` holds if all values of `{path}` match; with `?{sign}` one is enough"
        );
        Some(Hint { span: term.span, text })
    }

    /// `tags:each ?= 'a' && tags:each ?= 'b'`: no element is both.
    fn same_element(&self, a: &Comparison, b: &Comparison) -> Option<Hint> {
        let fixed = |cmp: &Comparison| match (&cmp.left.kind, &cmp.right.kind) {
            (TermKind::Identifier(path), TermKind::Text(text)) if cmp.any && cmp.op == Op::Eq => {
                Some((path.clone(), text.clone()))
            }
            _ => None,
        };
        let ((path, first), (other, second)) = (fixed(a)?, fixed(b)?);
        if path != other || first == second {
            return None;
        }
        let end = self.end(&b.left)?;
        let is_each = end.is_list() && end.modifier == "each";
        if !is_each && !end.is_many {
            return None;
        }
        let list = path.strip_suffix(":each").or_else(|| path.strip_suffix(".id"));
        let list = list.filter(|list| {
            let kind = TermKind::Identifier((*list).to_owned());
            self.end(&Term { kind, span: b.left.span }).is_some_and(|end| end.is_list())
        });
        let mut text =
            format!("one and the same value of `{path}` cannot be '{first}' and '{second}'");
        if let Some(list) = list {
            let quoted = |text: &str| format!("'\"{text}\"'");
            text.push_str(&format!(
                "; `{list} ~ {} && {list} ~ {}` asks whether the list has both",
                quoted(&first),
                quoted(&second)
            ));
        }
        Some(Hint { span: b.left.span, text })
    }
}
