//! The functions of the language. A new one is a file here and its line in `functions!`; a dialect that cannot spell
//! it does not compile.

use crate::{ast::Term, error::ErrorKind, plan::Operand, value::Value};

/// Resolves the arguments of a call.
pub(crate) trait Arguments {
    /// An identifier, number or text as an operand.
    fn argument(&mut self, term: &Term) -> Result<Operand, ErrorKind>;
    /// The same; rows whose e-mail address this is and that hide it will not match.
    fn guarded(&mut self, term: &Term) -> Result<Operand, ErrorKind>;
}

/// One function.
struct Function {
    /// Its name, case-sensitive.
    name: &'static str,
    /// Parameters, what it gives, and what it is for.
    help: [&'static str; 3],
    /// Checks the arguments and builds the operand.
    build: fn(&mut dyn Arguments, &[Term]) -> Result<Operand, ErrorKind>,
    /// Its value, given those of its arguments and the clock.
    eval: fn(&[Value], i64) -> Value,
    /// Rough cost of a call beside 1 for a column, for ordering only.
    cost: u32,
    /// NULL if an argument is.
    strict: bool,
    /// Bound arguments count as parameters of the result (spec §4.2, §4.3).
    params: bool,
}

macro_rules! functions {
    ($($func:ident => $module:ident,)*) => {
        $(pub mod $module;)*

        /// A function by its file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Func {
            $(#[doc = concat!("See `func/", stringify!($module), ".rs`.")] $func,)*
        }

        const FUNCTIONS: &[Function] = &[$($module::FUNCTION),*];

        impl Func {
            fn function(self) -> &'static Function {
                match self {
                    $(Self::$func => const { &$module::FUNCTION },)*
                }
            }
        }
    };
}

functions! {
    GeoDistance => geo_distance,
    Strftime => strftime,
    Fts => fts,
}

impl Func {
    /// Its name in the language.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.function().name
    }

    pub(crate) fn eval(self, args: &[Value], now_ms: i64) -> Value {
        (self.function().eval)(args, now_ms)
    }

    pub(crate) fn cost(self) -> u32 {
        self.function().cost
    }

    pub(crate) fn is_strict(self) -> bool {
        self.function().strict
    }

    pub(crate) fn has_params(self) -> bool {
        self.function().params
    }
}

/// Names of all functions, for completion and documentation.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|function| function.name)
}

/// Name, parameters, result and use of all functions.
pub(crate) fn help() -> Vec<[&'static str; 4]> {
    let one = |function: &Function| {
        let [params, result, doc] = function.help;
        [function.name, params, result, doc]
    };
    FUNCTIONS.iter().map(one).collect()
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
