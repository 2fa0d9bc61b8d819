//! What functions take: parameters as data, and the arguments of a call checked against them.

use std::fmt;

use crate::{
    ast::{Term, TermKind},
    error::ErrorKind,
    plan::{Expr, NullPref, Operand},
    value::{Affinity, Value},
};

/// Resolves the arguments of a call.
pub(crate) trait Arguments {
    /// An identifier, number or text as an operand.
    fn argument(&mut self, term: &Term) -> Result<Operand, ErrorKind>;
    /// The same; rows whose e-mail address this is and that hide it will not match.
    fn guarded(&mut self, term: &Term) -> Result<Operand, ErrorKind>;
}

/// One parameter of a function.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name, for people.
    pub name: &'static str,
    /// What an argument may be.
    pub takes: Takes,
    /// How often it stands in a call.
    pub times: Times,
    /// Texts that make sense here, for completion, documentation and random calls.
    pub examples: &'static [&'static str],
    /// What to say of an argument of another kind; `{}` is its position.
    refusal: Option<&'static str>,
    /// What to say before the reason why an argument cannot be resolved; `{}` is its position.
    failure: Option<&'static str>,
    /// Whether a multi-valued argument makes the call multi-valued.
    spreads: bool,
    /// Whether hidden e-mail addresses stay hidden.
    guards: bool,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Takes {
    /// A text in quotes.
    Literal,
    /// A path or a number.
    Number,
    /// A moment: a path, a number or a text.
    Time,
    /// A path that ends in a field; all of one call are fields of the same record.
    Field,
    /// What is searched for: a text or a value of the request.
    Query,
}

/// How often a parameter stands in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Times {
    /// Once.
    Once,
    /// Once or not at all.
    Optional,
    /// At least once; the others of the call stand around it.
    Many,
    /// As often as wanted, up to so many arguments in the call.
    UpTo(usize),
}

/// As documentation spells it: `name`, `name?` or `name…`.
impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        f.write_str(match self.times {
            Times::Once => "",
            Times::Optional => "?",
            Times::Many | Times::UpTo(_) => "…",
        })
    }
}

impl Parameter {
    pub(super) const fn new(name: &'static str, takes: Takes) -> Self {
        Self {
            name,
            takes,
            times: Times::Once,
            examples: &[],
            refusal: None,
            failure: None,
            spreads: true,
            guards: true,
        }
    }

    pub(super) const fn times(self, times: Times) -> Self {
        Self { times, ..self }
    }

    pub(super) const fn examples(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }

    /// What is said of arguments of another kind.
    pub(super) const fn refusal(self, sentence: &'static str) -> Self {
        Self { refusal: Some(sentence), ..self }
    }

    /// What is said before the reason why an argument cannot be resolved.
    pub(super) const fn failure(self, sentence: &'static str) -> Self {
        Self { failure: Some(sentence), ..self }
    }

    /// Reads e-mail addresses whether they are hidden or not, as the reference does in its functions.
    pub(super) const fn unguarded(self) -> Self {
        Self { guards: false, ..self }
    }

    /// Never makes the call multi-valued, whatever its path leads to.
    pub(super) const fn alone(self) -> Self {
        Self { spreads: false, ..self }
    }

    fn accepts(&self, kind: &TermKind) -> bool {
        match (self.takes, kind) {
            (_, TermKind::Function { .. }) => false,
            (Takes::Literal, kind) => matches!(kind, TermKind::Text(_)),
            (Takes::Number, kind) => matches!(kind, TermKind::Identifier(_) | TermKind::Number(_)),
            (Takes::Field, kind) => matches!(kind, TermKind::Identifier(_)),
            (Takes::Time | Takes::Query, _) => true,
        }
    }
}

/// A call being checked.
pub(crate) struct Call {
    pub(crate) function: &'static str,
    pub(crate) parameters: &'static [Parameter],
}

impl Call {
    /// The arguments, and whether the call has several values.
    pub(crate) fn resolve(
        &self,
        arguments: &mut dyn Arguments,
        terms: &[Term],
    ) -> Result<(Vec<Operand>, bool), ErrorKind> {
        self.check_count(terms.len())?;
        let mut operands = Vec::with_capacity(terms.len());
        let mut multi = false;
        for (at, term) in terms.iter().enumerate() {
            let (parameter, nth) = self.parameter(at, terms);
            // Positions in sentences: among all arguments, or among those of a repeated parameter.
            let say = |sentence: &str| sentence.replace("{}", &nth.to_string());
            if !parameter.accepts(&term.kind) {
                let problem = parameter.refusal.unwrap_or(refusal(parameter.takes));
                return Err(ErrorKind::call(self.function, say(problem)));
            }
            let found = match (&term.kind, parameter.takes) {
                (TermKind::Text(text), Takes::Literal) => Ok(bound(Value::from(text.as_str()))),
                _ if parameter.guards => arguments.guarded(term),
                _ => arguments.argument(term),
            };
            let operand = found.map_err(|cause| match parameter.failure {
                Some(failure) => ErrorKind::Argument {
                    function: self.function,
                    problem: say(failure),
                    cause: Box::new(cause),
                },
                None => cause,
            })?;
            multi |= operand.multi && parameter.spreads;
            operands.push(operand);
        }
        Ok((operands, multi))
    }

    fn check_count(&self, found: usize) -> Result<(), ErrorKind> {
        let least = self
            .parameters
            .iter()
            .filter(|parameter| matches!(parameter.times, Times::Once | Times::Many))
            .count();
        let most = self.parameters.iter().try_fold(0, |sum, parameter| match parameter.times {
            Times::Once | Times::Optional => Ok(sum + 1),
            Times::UpTo(most) => Err(most),
            Times::Many => Err(usize::MAX),
        });
        let most = most.unwrap_or_else(|most| most);
        let problem = if found != least && least == most {
            format!("expected {least} arguments, got {found}")
        } else if found < least {
            format!("expected at least {least} arguments, got {found}")
        } else if found > most {
            format!("too many arguments (max allowed {most}, got {found})")
        } else {
            return Ok(());
        };
        Err(ErrorKind::call(self.function, problem))
    }

    /// The parameter of an argument, and its position among those of the same repeated one.
    fn parameter(&self, at: usize, terms: &[Term]) -> (&'static Parameter, usize) {
        let repeated = self
            .parameters
            .iter()
            .position(|p| matches!(p.times, Times::Many | Times::UpTo(_)))
            .filter(|start| at >= *start);
        let Some(start) = repeated else { return (&self.parameters[at], at) };
        let after = &self.parameters[start + 1..];
        let left_out = after.iter().filter(|p| p.times == Times::Optional).count();
        let is_full = terms.len() > start + after.len() && self.is_full(after, terms);
        let behind = after.len() - if is_full { 0 } else { left_out };
        let end = terms.len().saturating_sub(behind);
        if at < end { (&self.parameters[start], at - start) } else { (&after[at - end], at) }
    }

    /// Whether what may be left out behind a repeated parameter is there: one of its texts, or a text behind a text.
    fn is_full(&self, after: &[Parameter], terms: &[Term]) -> bool {
        let first = terms.len() - after.len();
        after.iter().zip(first..).filter(|(p, _)| p.times == Times::Optional).all(|(p, at)| {
            let is_text = |at: usize| matches!(terms[at].kind, TermKind::Text(_));
            is_text(at) && (p.examples.contains(&terms[at].literal()) || is_text(at - 1))
        })
    }
}

fn refusal(takes: Takes) -> &'static str {
    match takes {
        Takes::Literal => "argument {} must be a text",
        Takes::Number => "argument {} must be an identifier or number",
        Takes::Time | Takes::Query => "argument {} must be an identifier, number or text",
        Takes::Field => "only fields can be searched",
    }
}

pub(super) fn bound(value: Value) -> Operand {
    let expr = Expr::Bound(value);
    Operand { expr, pref: NullPref::Auto, affinity: Affinity::None, multi: false }
}
