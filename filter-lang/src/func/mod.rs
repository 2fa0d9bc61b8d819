//! The functions of the language. A new one is a file here and its line in `functions!`: the file says its name, what it
//! takes ([`Parameter`]s) and yields, its value in memory, and which primitives ([`crate::prim`]) databases compute it by.
//!
//! Nothing else names a function: dialects spell primitives, and the random tests draw calls from the parameters.

mod signature;

use std::fmt;

pub(crate) use self::signature::{Arguments, Call};
pub use self::signature::{Parameter, Takes, Times};
pub use crate::plan::Func;
use crate::{
    ast::Term,
    error::ErrorKind,
    plan::{Expr, NullPref, Operand},
    prim::{Arg, Prim, Type},
    value::{Affinity, Value},
};

macro_rules! functions {
    ($($module:ident,)*) => {
        $(mod $module;)*
        static FUNCTIONS: &[&Function] = &[$(&$module::FUNCTION),*];
    };
}

functions! {
    geo_distance,
    strftime,
    fts,
}

/// One function.
struct Function {
    /// Its name, case-sensitive.
    name: &'static str,
    /// What it is for.
    doc: &'static str,
    /// What it takes.
    parameters: &'static [Parameter],
    /// What it yields.
    returns: Type,
    meaning: Meaning,
    /// Checks what the parameters cannot say.
    check: Option<Check>,
    /// Bound arguments count as parameters of the result, and are patterns in a LIKE (spec §4.2, §4.3).
    params: bool,
}

/// Looks at the resolved arguments of a call and may change them; says what is wrong.
type Check = fn(&mut Vec<Operand>) -> Result<(), &'static str>;

/// How a function is computed.
enum Meaning {
    /// It is this primitive, of the arguments as they stand.
    Is(Prim),
    /// In its own way in memory, and by primitives in databases.
    Of {
        /// Its value, given those of its arguments and the clock.
        eval: fn(&[Value], i64) -> Value,
        /// The same in primitives, of the arguments and the clock.
        lower: fn(&[Expr], i64) -> Expr,
    },
}

impl Function {
    const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        returns: Type,
        meaning: Meaning,
    ) -> Self {
        Self { name, doc: "", parameters, returns, meaning, check: None, params: true }
    }

    /// What it is for, for people.
    const fn described(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// With arguments that are checked together.
    const fn checked(self, check: Check) -> Self {
        Self { check: Some(check), ..self }
    }

    /// With arguments that are no texts of the filter any more.
    const fn without_params(self) -> Self {
        Self { params: false, ..self }
    }

    fn build(
        &self,
        func: Func,
        arguments: &mut dyn Arguments,
        terms: &[Term],
    ) -> Result<Operand, ErrorKind> {
        let call = Call { function: self.name, parameters: self.parameters };
        let (mut args, multi) = call.resolve(arguments, terms)?;
        if let Some(check) = self.check {
            check(&mut args).map_err(|problem| ErrorKind::call(self.name, problem))?;
        }
        let args = args.into_iter().map(|operand| operand.expr).collect();
        // A text is compared as one; a number or an answer is what it is.
        let pref = match self.returns {
            Type::Text => NullPref::Enforced,
            Type::Real | Type::Truth => NullPref::Disabled,
        };
        Ok(Operand { expr: Expr::Call { func, args }, pref, affinity: Affinity::None, multi })
    }
}

impl Func {
    fn function(self) -> &'static Function {
        FUNCTIONS[usize::from(self.0)]
    }

    /// A function by its exact name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        all().find(|func| func.name() == name)
    }

    /// Its name in the language.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.function().name
    }

    /// What it is for, in a few words.
    #[must_use]
    pub fn doc(self) -> &'static str {
        self.function().doc
    }

    /// What it takes, in order.
    #[must_use]
    pub fn parameters(self) -> &'static [Parameter] {
        self.function().parameters
    }

    /// What it yields.
    #[must_use]
    pub fn returns(self) -> Type {
        self.function().returns
    }

    /// A call in primitives; `now_ms` is the clock of its plan.
    #[must_use]
    pub fn lower(self, args: &[Expr], now_ms: i64) -> Expr {
        match self.function().meaning {
            Meaning::Is(prim) => Expr::Apply { prim, args: args.to_vec() },
            Meaning::Of { lower, .. } => lower(args, now_ms),
        }
    }

    /// The primitive that a call is, of the same arguments, where it is one.
    #[must_use]
    pub fn as_prim(self) -> Option<Prim> {
        match self.function().meaning {
            Meaning::Is(prim) => Some(prim),
            Meaning::Of { .. } => None,
        }
    }

    pub(crate) fn eval(self, args: &[Value], now_ms: i64) -> Value {
        match self.function().meaning {
            Meaning::Is(prim) => prim.eval(&args.iter().map(Arg::from).collect::<Vec<_>>(), now_ms),
            Meaning::Of { eval, .. } => eval(args, now_ms),
        }
    }

    pub(crate) fn has_params(self) -> bool {
        self.function().params
    }
}

impl fmt::Debug for Func {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// All functions, for completion, documentation and tests.
pub fn all() -> impl Iterator<Item = Func> {
    (0..FUNCTIONS.len()).filter_map(|at| u8::try_from(at).ok()).map(Func)
}

pub(crate) fn call(
    arguments: &mut dyn Arguments,
    name: &str,
    args: &[Term],
) -> Result<Operand, ErrorKind> {
    match Func::named(name) {
        Some(func) => func.function().build(func, arguments, args),
        None => Err(ErrorKind::UnknownFunction(name.to_owned())),
    }
}
