//! Identifiers, literals and JSON texts in SQL. The only place that knows how to escape them.

/// Double-quotes a name; both dialects read it. `b."x"` with a missing column is an error on SQLite too,
/// unlike a bare `"x"`.
#[must_use]
pub fn ident(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    push_ident(&mut out, name);
    out
}

/// Appends a double-quoted name.
pub(crate) fn push_ident(out: &mut String, name: &str) {
    out.push('"');
    for c in name.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

/// Appends a single-quoted literal. Only for shape (JSON paths), never for values of a request.
pub(crate) fn push_literal(out: &mut String, text: &str) {
    out.push('\'');
    for c in text.chars() {
        if c == '\'' {
            out.push('\'');
        }
        out.push(c);
    }
    out.push('\'');
}

/// Back-quotes a name, as the reference writes DDL into `sqlite_master`.
pub(crate) fn tick(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A JSON list of strings.
pub(crate) fn json_list<S: AsRef<str>>(items: &[S]) -> String {
    let mut out = String::with_capacity(2 + items.len() * 20);
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_json_text(&mut out, item.as_ref());
    }
    out.push(']');
    out
}

/// A JSON string.
pub(crate) fn push_json_text(out: &mut String, text: &str) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(ident(r#"a"b"#), r#""a""b""#);
        assert_eq!(tick("a`b"), "`a``b`");
        let mut s = String::new();
        push_literal(&mut s, "it's");
        assert_eq!(s, "'it''s'");
    }
}
