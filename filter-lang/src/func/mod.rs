//! The functions of the language. A new one is a file here and its line in `functions!`.

use crate::{ast::Term, error::ErrorKind, plan::Operand};

/// Resolves the arguments of a call.
pub(crate) trait Arguments {
    /// An identifier, number or text as an operand.
    fn argument(&mut self, term: &Term) -> Result<Operand, ErrorKind>;
}

/// One function.
#[derive(Debug)]
pub(crate) struct Function {
    /// Its name, case-sensitive.
    name: &'static str,
    /// Checks the arguments and builds the operand.
    build: fn(&mut dyn Arguments, &[Term]) -> Result<Operand, ErrorKind>,
}

macro_rules! functions {
    ($($module:ident,)*) => {
        $(pub(crate) mod $module;)*
        const FUNCTIONS: &[Function] = &[$($module::FUNCTION),*];
    };
}

functions! {
    geo_distance,
    strftime,
}

/// Names of all functions, for completion and documentation.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

pub(crate) fn call(
    arguments: &mut dyn Arguments,
    name: &str,
    args: &[Term],
) -> Result<Operand, ErrorKind> {
    match FUNCTIONS.iter().find(|function| function.name == name) {
        Some(function) => (function.build)(arguments, args),
        None => Err(ErrorKind::UnknownFunction(name.to_owned())),
    }
}
