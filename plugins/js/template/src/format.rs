//! How Go prints: quoted texts, numbers, and whole values the way `fmt` does.

use std::fmt::Write as _;

use crate::value::Value;

/// `U+0021 '!'`
pub(crate) fn code_point(c: char) -> String {
    let n = u32::from(c);
    if is_print(c) { format!("U+{n:04X} '{c}'") } else { format!("U+{n:04X}") }
}

/// Whether Go writes a letter as it is.
fn is_print(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_private(c))
}
fn is_private(c: char) -> bool {
    matches!(u32::from(c), 0xad | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xe0000..=0x10_ffff)
        && c != '\u{fffc}'
}

/// A text as a Go literal.
pub(crate) fn quote(text: &str) -> String {
    quoted(text, '"', false)
}

fn quoted(text: &str, mark: char, ascii: bool) -> String {
    let mut out = String::from(mark);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c == mark => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii() && is_print(c) || !ascii && is_print(c) => out.push(c),
            c if u32::from(c) < 0x80 => push(&mut out, format_args!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => push(&mut out, format_args!("\\u{:04x}", u32::from(c))),
            c => push(&mut out, format_args!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push(mark);
    out
}

fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(what);
}

/// The text of a Go literal in double quotes or back quotes.
pub(crate) fn unquote(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', ""));
    }
    let body = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        rest = one(rest, '"', &mut bytes)?;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The letter of a Go literal in single quotes.
pub(crate) fn unquote_char(literal: &str) -> Option<char> {
    let body = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut bytes = Vec::new();
    let rest = one(body, '\'', &mut bytes)?;
    if !rest.is_empty() {
        return None;
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => text.chars().next(),
        Err(_) => bytes.first().map(|b| char::from(*b)),
    }
}

/// One letter or escape; gives what is left.
fn one<'a>(text: &'a str, mark: char, into: &mut Vec<u8>) -> Option<&'a str> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        let mut buffer = [0; 4];
        into.extend_from_slice(first.encode_utf8(&mut buffer).as_bytes());
        return Some(chars.as_str());
    }
    let kind = chars.next()?;
    let rest = chars.as_str();
    let simple = match kind {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        c if c == mark => u8::try_from(c).ok()?,
        'x' => u8::from_str_radix(rest.get(..2)?, 16).ok()?,
        '0'..='7' => u8::from_str_radix(text.get(1..4)?, 8).ok()?,
        'u' | 'U' => {
            let n = if kind == 'u' { 4 } else { 8 };
            let c = char::from_u32(u32::from_str_radix(rest.get(..n)?, 16).ok()?)?;
            let mut buffer = [0; 4];
            into.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            return rest.get(n..);
        }
        _ => return None,
    };
    into.push(simple);
    match kind {
        'x' => rest.get(2..),
        '0'..='7' => rest.get(2..),
        _ => Some(rest),
    }
}

/// Values beside each other: a space between two of which neither is a text.
pub(crate) fn sprint(values: &[Value]) -> String {
    let mut out = String::new();
    for (i, value) in values.iter().enumerate() {
        let texts = |v: &Value| v.as_text().is_some();
        if i > 0 && !texts(value) && !texts(&values[i - 1]) {
            out.push(' ');
        }
        out.push_str(&plain(value));
    }
    out
}

/// Values with spaces between them and an end of line.
pub(crate) fn sprintln(values: &[Value]) -> String {
    let texts: Vec<String> = values.iter().map(plain).collect();
    texts.join(" ") + "\n"
}

/// `%v`
pub(crate) fn plain(value: &Value) -> String {
    sprintf("%v", std::slice::from_ref(value))
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Widths and precisions beyond it are ignored, as Go does.
const MAX_SIZE: usize = 1_000_000;

/// Go's `fmt.Sprintf`.
pub(crate) fn sprintf(format: &str, args: &[Value]) -> String {
    Printf { args, next: 0, reordered: false, good_index: true, out: String::new() }.run(format)
}

struct Printf<'a> {
    args: &'a [Value],
    next: usize,
    reordered: bool,
    good_index: bool,
    out: String,
}

impl Printf<'_> {
    fn run(mut self, format: &str) -> String {
        let mut rest = format;
        let mut any_reordered = false;
        while let Some(at) = rest.find('%') {
            self.out.push_str(&rest[..at]);
            self.reordered = false;
            self.good_index = true;
            rest = self.verb(&rest[at + 1..]);
            any_reordered |= self.reordered;
        }
        self.out.push_str(rest);
        if !any_reordered && self.next < self.args.len() {
            self.out.push_str("%!(EXTRA ");
            for (i, value) in self.args[self.next..].iter().enumerate() {
                if i > 0 {
                    self.out.push_str(", ");
                }
                match value {
                    Value::Nil => self.out.push_str("<nil>"),
                    value => {
                        push(&mut self.out, format_args!("{}={}", value.type_name(), plain(value)))
                    }
                }
            }
            self.out.push(')');
        }
        self.out
    }

    fn verb<'t>(&mut self, mut rest: &'t str) -> &'t str {
        let mut flags = Flags::default();
        while let Some(c) = rest.chars().next() {
            match c {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        rest = self.index(rest);
        let mut after_index = self.reordered;
        if let Some(behind) = rest.strip_prefix('*') {
            rest = behind;
            match self.star() {
                Some(n) => {
                    flags.minus |= n < 0;
                    flags.width = usize::try_from(n.unsigned_abs()).ok();
                }
                None => self.out.push_str("%!(BADWIDTH)"),
            }
            after_index = false;
        } else {
            let (n, behind) = digits(rest);
            if n.is_some() && after_index {
                self.good_index = false;
            }
            (flags.width, rest) = (n, behind);
        }
        if let Some(behind) = rest.strip_prefix('.') {
            if after_index {
                self.good_index = false;
            }
            rest = self.index(behind);
            if let Some(behind) = rest.strip_prefix('*') {
                rest = behind;
                match self.star() {
                    Some(n) => flags.precision = usize::try_from(n).ok(),
                    None => self.out.push_str("%!(BADPREC)"),
                }
                after_index = false;
            } else {
                let (n, behind) = digits(rest);
                (flags.precision, rest) = (Some(n.unwrap_or(0)), behind);
            }
        }
        if !after_index {
            rest = self.index(rest);
        }
        let Some(verb) = rest.chars().next() else {
            self.out.push_str("%!(NOVERB)");
            return rest;
        };
        rest = &rest[verb.len_utf8()..];
        match verb {
            '%' => self.out.push('%'),
            _ if !self.good_index => push(&mut self.out, format_args!("%!{verb}(BADINDEX)")),
            _ if self.next >= self.args.len() => {
                push(&mut self.out, format_args!("%!{verb}(MISSING)"));
            }
            _ => {
                let value = &self.args[self.next];
                self.next += 1;
                argument(&mut self.out, value, verb, flags);
            }
        }
        rest
    }

    /// `[3]`, which names the next argument.
    fn index<'t>(&mut self, rest: &'t str) -> &'t str {
        let Some(behind) = rest.strip_prefix('[') else { return rest };
        self.reordered = true;
        let Some(end) = behind.find(']') else {
            self.good_index = false;
            return behind;
        };
        match behind[..end].parse::<usize>() {
            Ok(n) if n >= 1 && n <= self.args.len() => self.next = n - 1,
            _ => self.good_index = false,
        }
        &behind[end + 1..]
    }

    fn star(&mut self) -> Option<i64> {
        let n = self.args.get(self.next).and_then(Value::as_int);
        self.next += usize::from(self.next < self.args.len());
        n.filter(|n| n.unsigned_abs() <= MAX_SIZE as u64)
    }
}

fn digits(text: &str) -> (Option<usize>, &str) {
    let n = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (text[..n].parse().ok().filter(|n| *n <= MAX_SIZE), &text[n..])
}

fn argument(out: &mut String, value: &Value, verb: char, flags: Flags) {
    match verb {
        'T' => pad(out, &value.type_name(), flags, false),
        'p' => bad(out, value, verb),
        // For whole values the sign asks for names of fields, which ours do not have.
        'v' => print(out, value, verb, Flags { plus: false, ..flags }, 0),
        _ => print(out, value, verb, flags, 0),
    }
}

/// `%!d(string=x)`
fn bad(out: &mut String, value: &Value, verb: char) {
    match value {
        Value::Nil => push(out, format_args!("%!{verb}(<nil>)")),
        value => {
            push(out, format_args!("%!{verb}({}=", value.type_name()));
            print(out, value, 'v', Flags::default(), 0);
            out.push(')');
        }
    }
}

fn print(out: &mut String, value: &Value, verb: char, flags: Flags, depth: usize) {
    let go_syntax = verb == 'v' && flags.sharp;
    match value {
        Value::Nil if verb == 'v' && depth == 0 => pad(out, "<nil>", flags, false),
        Value::Nil if go_syntax => out.push_str("interface {}(nil)"),
        Value::Nil if depth > 0 => out.push_str("<nil>"),
        Value::Nil => push(out, format_args!("%!{verb}(<nil>)")),
        Value::Bool(b) if matches!(verb, 't' | 'v') => pad(out, &b.to_string(), flags, false),
        Value::Int(n) | Value::Plain(n) => integer(out, value, *n, verb, flags),
        Value::Rune(n) => integer(out, value, i64::from(*n), verb, flags),
        Value::Float(n) => float(out, value, *n, verb, flags),
        Value::String(text) | Value::Safe(_, text) => string(out, value, text, verb, flags),
        Value::Bytes(bytes) if matches!(verb, 's' | 'q' | 'x' | 'X') => {
            string(out, value, &String::from_utf8_lossy(bytes), verb, flags);
        }
        Value::Bytes(bytes) => {
            let numbers: Vec<Value> = bytes.iter().map(|b| Value::Plain(i64::from(*b))).collect();
            list(out, &numbers, verb, flags, depth);
        }
        Value::List(items) => {
            if go_syntax {
                out.push_str("[]interface {}{");
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    print(out, item, verb, flags, depth + 1);
                }
                out.push('}');
            } else {
                list(out, items, verb, flags, depth);
            }
        }
        Value::Map(entries) => {
            out.push_str(if go_syntax { "map[string]interface {}{" } else { "map[" });
            for (i, (key, entry)) in entries.iter().enumerate() {
                out.push_str(match (i, go_syntax) {
                    (0, _) => "",
                    (_, true) => ", ",
                    _ => " ",
                });
                print(out, &Value::from(key.as_str()), verb, flags, depth + 1);
                out.push(':');
                print(out, entry, verb, flags, depth + 1);
            }
            out.push(if go_syntax { '}' } else { ']' });
        }
        Value::Host(host) => {
            let text = host.print();
            match verb {
                'v' | 's' | 'q' | 'x' | 'X' => string(out, value, &text, verb, flags),
                _ => push(out, format_args!("%!{verb}({}={text})", host.type_name())),
            }
        }
        Value::Function(_) if verb == 'v' => out.push_str("0x0"),
        Value::Bool(_) | Value::Function(_) => bad(out, value, verb),
    }
}

fn list(out: &mut String, items: &[Value], verb: char, flags: Flags, depth: usize) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        out.push_str(if i > 0 { " " } else { "" });
        print(out, item, verb, flags, depth + 1);
    }
    out.push(']');
}

/// Fills up to the width; `numeric` lets zeros stand behind a sign.
fn pad(out: &mut String, text: &str, flags: Flags, numeric: bool) {
    let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        out.push_str(text);
    } else if flags.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if flags.zero && numeric && text.starts_with(['+', '-', ' ']) {
        out.push_str(&text[..1]);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(&text[1..]);
    } else {
        out.extend(std::iter::repeat_n(if flags.zero { '0' } else { ' ' }, missing));
        out.push_str(text);
    }
}

fn string(out: &mut String, value: &Value, text: &str, verb: char, flags: Flags) {
    let short = || -> String { text.chars().take(flags.precision.unwrap_or(usize::MAX)).collect() };
    match verb {
        'v' if flags.sharp => pad(out, &quote(text), flags, false),
        'v' | 's' => pad(out, &short(), flags, false),
        'q' if flags.sharp && !text.contains(['`', '\n']) => {
            pad(out, &format!("`{}`", short()), flags, false);
        }
        'q' => pad(out, &quoted(&short(), '"', flags.plus), flags, false),
        'x' | 'X' => pad(out, &hex(text.as_bytes(), verb, flags), flags, false),
        _ => bad(out, value, verb),
    }
}

fn hex(bytes: &[u8], verb: char, flags: Flags) -> String {
    let bytes = &bytes[..bytes.len().min(flags.precision.unwrap_or(usize::MAX))];
    let mut text = String::new();
    let prefix = match (flags.sharp, verb) {
        (false, _) => "",
        (true, 'x') => "0x",
        _ => "0X",
    };
    for (i, byte) in bytes.iter().enumerate() {
        if flags.space && i > 0 {
            text.push(' ');
        }
        if i == 0 || flags.space {
            text.push_str(prefix);
        }
        push(&mut text, format_args!("{byte:02x}"));
    }
    if verb == 'X' { text.to_uppercase() } else { text }
}

fn integer(out: &mut String, value: &Value, n: i64, verb: char, flags: Flags) {
    let size = n.unsigned_abs();
    let mut text = match verb {
        'v' | 'd' => size.to_string(),
        'b' => format!("{size:b}"),
        'o' | 'O' => format!("{size:o}"),
        'x' => format!("{size:x}"),
        'X' => format!("{size:X}"),
        'c' => return pad(out, &letter(n).to_string(), flags, false),
        'q' => {
            let text = quoted(&letter(n).to_string(), '\'', flags.plus);
            return pad(out, &text, flags, false);
        }
        'U' => {
            let mut text = format!("U+{size:04X}");
            if flags.sharp && is_print(letter(n)) {
                push(&mut text, format_args!(" '{}'", letter(n)));
            }
            return pad(out, &text, Flags { zero: false, ..flags }, false);
        }
        _ => return bad(out, value, verb),
    };
    let mut least = flags.precision.unwrap_or(0);
    if flags.precision == Some(0) && n == 0 {
        return pad(out, "", Flags { zero: false, ..flags }, false);
    }
    let signed = n < 0 || flags.plus || flags.space;
    let flags_zero = flags.zero && !flags.minus;
    if flags.precision.is_none() && flags_zero {
        least = flags.width.unwrap_or(0).saturating_sub(usize::from(signed));
    }
    if text.len() < least {
        text.insert_str(0, &"0".repeat(least - text.len()));
    }
    let prefix = match verb {
        'O' => "0o",
        'b' if flags.sharp => "0b",
        'o' if flags.sharp && !text.starts_with('0') => "0",
        'x' if flags.sharp => "0x",
        'X' if flags.sharp => "0X",
        _ => "",
    };
    let sign = match n {
        n if n < 0 => "-",
        _ if flags.plus => "+",
        _ if flags.space => " ",
        _ => "",
    };
    pad(out, &format!("{sign}{prefix}{text}"), Flags { zero: false, ..flags }, false);
}

fn letter(n: i64) -> char {
    u32::try_from(n).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
}

fn float(out: &mut String, value: &Value, n: f64, verb: char, flags: Flags) {
    let mut text = match verb {
        'v' | 'g' | 'G' => general(n, flags.precision),
        'e' | 'E' => exponent(n, Some(flags.precision.unwrap_or(6))),
        'f' | 'F' => {
            let n = n.abs();
            if n.is_finite() { format!("{n:.*}", flags.precision.unwrap_or(6)) } else { special(n) }
        }
        _ => return bad(out, value, verb),
    };
    if matches!(verb, 'E' | 'G') {
        text = text.to_uppercase();
    }
    let negative = n.is_sign_negative() && !n.is_nan();
    let sign = match negative {
        true => "-",
        _ if flags.plus => "+",
        _ if flags.space => " ",
        _ if n.is_infinite() => "+",
        _ => "",
    };
    let zero = flags.zero && n.is_finite();
    pad(out, &format!("{sign}{text}"), Flags { zero, ..flags }, true);
}

fn special(n: f64) -> String {
    if n.is_nan() { "NaN".into() } else { "Inf".into() }
}

/// Digits and decimal exponent of a positive number: the shortest that give it back, or so many.
fn decimal(n: f64, precision: Option<usize>) -> (String, i32) {
    let text = match precision {
        Some(p) => format!("{:.*e}", p, n.abs()),
        None => format!("{:e}", n.abs()),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
}

fn exponent(n: f64, precision: Option<usize>) -> String {
    if !n.is_finite() {
        return special(n);
    }
    let (digits, exponent) = decimal(n, precision);
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{dot}{rest}e{sign}{:02}", exponent.abs())
}

fn general(n: f64, precision: Option<usize>) -> String {
    if !n.is_finite() {
        return special(n);
    }
    let (digits, exp) = decimal(n, precision.map(|p| p.max(1) - 1));
    let digits = match precision {
        Some(_) => digits.trim_end_matches('0'),
        None => digits.as_str(),
    };
    let digits = if digits.is_empty() { "0" } else { digits };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let limit = match precision {
        Some(p) => {
            let p = i32::try_from(p.max(1)).unwrap_or(i32::MAX);
            if p > count && count > exp { count } else { p }
        }
        None => 6,
    };
    if exp < -4 || exp >= limit {
        let short = exponent(n, Some(digits.len() - 1));
        return short;
    }
    if exp < 0 {
        let zeros = "0".repeat(usize::try_from(-exp - 1).unwrap_or(0));
        return format!("0.{zeros}{digits}");
    }
    let whole = usize::try_from(exp + 1).unwrap_or(0);
    if digits.len() <= whole {
        return format!("{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{}.{}", &digits[..whole], &digits[whole..])
}
