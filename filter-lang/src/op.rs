//! The comparison operators. Must not know what is compared.

/// The plain operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `=`
    Eq,
    /// `!=`
    Ne,
    /// `~`: contains, or matches a pattern with `%`.
    Like,
    /// `!~`
    NotLike,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `<`
    Lt,
    /// `<=`
    Le,
}

impl Op {
    /// As it is written; `any`: with its `?`.
    #[must_use]
    pub fn sign(self, any: bool) -> &'static str {
        let sign = match self {
            Self::Eq => "?=",
            Self::Ne => "?!=",
            Self::Like => "?~",
            Self::NotLike => "?!~",
            Self::Gt => "?>",
            Self::Ge => "?>=",
            Self::Lt => "?<",
            Self::Le => "?<=",
        };
        if any { sign } else { &sign[1..] }
    }
}
