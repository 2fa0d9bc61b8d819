//! The comparisons of an expression one by one, with their operands unfolded: for whoever shows people what was compared.
//! Never on the way of a request.

use super::{Flags, Resolver};
use crate::{
    ast::{Ast, Comparison, Group, Join, Node, Span},
    error::{Error, SideName},
    plan::Operand,
};

/// One comparison as it was written and what its sides are.
#[derive(Debug, Clone, PartialEq)]
pub struct Sides {
    /// Where the comparison stands in the text: from its left operand to its right one.
    pub span: Span,
    /// What stands left.
    pub left: Operand,
    /// What stands right.
    pub right: Operand,
}

impl Resolver<'_> {
    /// The comparisons of an expression in source order. The nodes that their operands name are those of the plan that
    /// [`Resolver::finish`] gives.
    ///
    /// # Errors
    /// As [`Resolver::filter`].
    pub fn sides(&mut self, ast: &Ast, flags: Flags) -> Result<Vec<Sides>, Error> {
        let frame = self.base_frame(flags);
        comparisons(ast)
            .into_iter()
            .map(|cmp| {
                let left = self.side(&frame, SideName::Left, &cmp.left)?.operand;
                let right = self.side(&frame, SideName::Right, &cmp.right)?.operand;
                Ok(Sides { span: span_of(cmp), left, right })
            })
            .collect()
    }
}

fn span_of(cmp: &Comparison) -> Span {
    Span { start: cmp.left.span.start, end: cmp.right.span.end }
}

/// All comparisons in source order.
fn comparisons(ast: &Ast) -> Vec<&Comparison> {
    let mut found = Vec::with_capacity(ast.comparisons());
    let mut open = vec![(ast.root(), 0)];
    while let Some((group, at)) = open.pop() {
        let Some(item) = group.items.get(at) else { continue };
        open.push((group, at + 1));
        match &item.node {
            Node::Compare(cmp) => found.push(&**cmp),
            Node::Group(index) => open.push((ast.group(*index), 0)),
        }
    }
    found
}

/// Which comparisons (in source order) a reader from left to right has to look at, given which of them are true: what
/// follows a false one in a row of `&&`, or a true row of them before a `||`, decides nothing any more.
#[must_use]
pub fn reached(ast: &Ast, truth: &[bool]) -> Vec<bool> {
    let mut walk = Walk { ast, truth, reached: Vec::with_capacity(truth.len()) };
    walk.group(ast.root(), true);
    walk.reached
}

struct Walk<'a> {
    ast: &'a Ast,
    truth: &'a [bool],
    reached: Vec<bool>,
}

impl Walk<'_> {
    /// Groups hold two items at least, so that the number of comparisons bounds the depth.
    fn group(&mut self, group: &Group, is_reached: bool) -> bool {
        let (mut any, mut all) = (false, true);
        for (at, item) in group.items.iter().enumerate() {
            if at > 0 && item.join == Join::Or {
                any |= all;
                all = true;
            }
            let matters = is_reached && !any && all;
            let holds = match &item.node {
                Node::Compare(_) => {
                    let holds = self.truth.get(self.reached.len()).copied().unwrap_or(false);
                    self.reached.push(matters);
                    holds
                }
                Node::Group(index) => self.group(self.ast.group(*index), matters),
            };
            all &= holds;
        }
        any || all
    }
}

#[cfg(test)]
mod tests {
    use super::{comparisons, reached, span_of};
    use crate::parse;

    #[test]
    fn what_is_looked_at() {
        // T and F are the truth of the comparisons; what is not looked at stands in lower case.
        for (shape, want) in [
            ("T && T", "TT"),
            ("F && T", "Ft"),
            ("T || F", "Tf"),
            ("F || T", "FT"),
            ("F && T || T", "FtT"),
            ("T && T || F && T", "TTft"),
            ("F && (T || F) || T", "FtfT"),
            ("(F || T) && T", "FTT"),
            ("(T || T) && (F || (T && F))", "TtFTF"),
        ] {
            let truth: Vec<bool> =
                shape.chars().filter(|c| "TF".contains(*c)).map(|c| c == 'T').collect();
            let text = shape.replace(['T', 'F'], "a = 1");
            let ast = parse(&text).unwrap();
            let shown: String = reached(&ast, &truth)
                .into_iter()
                .zip(&truth)
                .map(|(is_reached, holds)| match (is_reached, holds) {
                    (true, true) => 'T',
                    (true, false) => 'F',
                    (false, true) => 't',
                    (false, false) => 'f',
                })
                .collect();
            assert_eq!(shown, want, "{shape}");
        }
    }

    #[test]
    fn places() {
        let text = "a = 'x y' && (geoDistance(a,b,1,2) > 5 || ((b.c:lower ?~ \"q\")))";
        let ast = parse(text).unwrap();
        let found: Vec<&str> = comparisons(&ast)
            .into_iter()
            .map(|cmp| &text[span_of(cmp).start..span_of(cmp).end])
            .collect();
        assert_eq!(found, ["a = 'x y'", "geoDistance(a,b,1,2) > 5", "b.c:lower ?~ \"q\""]);
    }
}
