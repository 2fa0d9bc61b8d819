//! Names of one language as names of another. Pure.

use std::collections::HashSet;

/// `my_posts` is `MyPosts`; what begins with no letter gets one.
pub(super) fn pascal(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let mut chars = word.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    if !out.starts_with(|c: char| c.is_ascii_alphabetic()) {
        out.insert(0, 'X');
    }
    out
}

/// `orderNo` and `order-no` are `order_no`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
        before = c;
    }
    let out = out.trim_matches('_');
    if out.starts_with(|c: char| c.is_ascii_alphabetic()) { out.into() } else { format!("x{out}") }
}

/// `order_no` is `orderNo`.
pub(super) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let mut chars = pascal.chars();
    let first: String = chars.next().map(|c| c.to_ascii_lowercase()).into_iter().collect();
    first + chars.as_str()
}

/// The name, with a number where it is taken.
pub(super) fn unique(name: &str, taken: &mut HashSet<String>) -> String {
    let mut unique = name.to_owned();
    let mut number = 2;
    while !taken.insert(unique.clone()) {
        unique = format!("{name}{number}");
        number += 1;
    }
    unique
}

/// A text in double quotes as JavaScript, Rust (without controls) and JSON read it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    crate::json::write_str(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

/// A comment's text: one line, and none that ends the comment.
pub(super) fn comment(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace("*/", "* /").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, types, members, fields) in [
            ("posts", "Posts", "posts", "posts"),
            ("_superusers", "Superusers", "superusers", "superusers"),
            ("my_blogPosts", "MyBlogPosts", "my_blog_posts", "myBlogPosts"),
            ("2fa", "X2fa", "x2fa", "x2fa"),
            ("HTTPCode", "HTTPCode", "httpcode", "hTTPCode"),
            ("_", "X", "x", "x"),
        ] {
            assert_eq!(
                (pascal(name).as_str(), snake(name).as_str(), camel(name).as_str()),
                (types, members, fields)
            );
        }
        let mut taken = HashSet::new();
        let all = ["A", "A", "A2", "A"].map(|name| unique(name, &mut taken));
        assert_eq!(all, ["A", "A2", "A22", "A3"]);
        assert_eq!(comment("a\n*/ b"), "a * / b");
    }
}
