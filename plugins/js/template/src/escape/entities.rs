//! Character references of HTML, as far as values of attributes in templates use them.

use std::borrow::Cow;

/// The names that matter for the structure of scripts, styles and addresses.
const NAMES: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
];

/// The text that a browser sees.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match reference(rest) {
            Some((c, n)) => {
                out.push(c);
                rest = &rest[n..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn reference(text: &str) -> Option<(char, usize)> {
    let body = &text[1..];
    if let Some(number) = body.strip_prefix('#') {
        let (digits, radix, skipped) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 3),
            None => (number, 10, 2),
        };
        let n = digits.len() - digits.trim_start_matches(|c: char| c.is_digit(radix)).len();
        let code = u32::from_str_radix(digits.get(..n).filter(|d| !d.is_empty())?, radix);
        let c = code.ok().and_then(char::from_u32).filter(|c| *c != '\0').unwrap_or('\u{fffd}');
        let semicolon = usize::from(digits[n..].starts_with(';'));
        return Some((c, skipped + n + semicolon));
    }
    let (name, c) = NAMES.iter().find(|(name, _)| {
        let behind = body.strip_prefix(name);
        let old = matches!(*name, "amp" | "lt" | "gt" | "quot" | "nbsp");
        behind.is_some_and(|rest| rest.starts_with(';') || old)
    })?;
    let semicolon = usize::from(body[name.len()..].starts_with(';'));
    Some((*c, 1 + name.len() + semicolon))
}
