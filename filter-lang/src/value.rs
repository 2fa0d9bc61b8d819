//! The values expressions compute with, and the one definition of how they compare.
//!
//! The model is SQLite's (NULL < numbers < text, affinities, number-to-text), because that is what the
//! reference executes; PostgreSQL and memory follow it. Nothing here knows storage formats.
//! Source: spec filter-language §4.3, §5.

use std::{borrow::Cow, cmp::Ordering, sync::Arc};

/// A runtime value. Booleans are `Int(0 | 1)`, dates are text, JSON containers are minified text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL: missing.
    Null,
    /// An integer, for example a stored integral number, a bool or a `:length`.
    Int(i64),
    /// A double; every number literal of the language is one.
    Real(f64),
    /// UTF-8 text.
    Text(Arc<str>),
}

/// How a comparison converts its sides first (spec filter-language §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Affinity {
    /// A column that stores text.
    Text,
    /// A column that stores numbers (also JSON columns: NUMERIC affinity).
    Num,
    /// Bound values, literals, functions, JSON extraction, elements, draft columns.
    None,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Arc::from(text))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl Value {
    /// True for [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as text (spec §5.2), `None` for NULL.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::Real(number) => Some(Cow::Owned(real_text(*number))),
            Self::Text(text) => Some(Cow::Borrowed(text)),
        }
    }

    /// The value as a double if it is a number or text that fully parses as one; `None` otherwise.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Null => None,
            #[allow(clippy::cast_precision_loss, reason = "what SQLite does")]
            Self::Int(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Text(text) => text_number(text).and_then(|value| value.number()),
        }
    }

    /// ORDER BY order: NULL < numbers < text, text bytewise.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Self::Int(a), Self::Real(b)) => int_real(*a, *b),
            (Self::Real(a), Self::Int(b)) => int_real(*b, *a).reverse(),
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Int(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
        }
    }
}

/// Compares two operands after the conversions of spec §5.3; `None` if either is NULL.
#[must_use]
pub fn compare(left: &Value, la: Affinity, right: &Value, ra: Affinity) -> Option<Ordering> {
    if left.is_null() || right.is_null() {
        return None;
    }
    let (left, right) = converted(left, la, right, ra);
    Some(left.order(&right))
}

/// `left IS right`: like [`compare`] but NULL equals NULL and nothing else.
#[must_use]
pub fn is_same(left: &Value, la: Affinity, right: &Value, ra: Affinity) -> bool {
    match (left.is_null(), right.is_null()) {
        (true, true) => true,
        (false, false) => compare(left, la, right, ra) == Some(Ordering::Equal),
        _ => false,
    }
}

fn converted<'a>(
    left: &'a Value,
    la: Affinity,
    right: &'a Value,
    ra: Affinity,
) -> (Cow<'a, Value>, Cow<'a, Value>) {
    let plain = (Cow::Borrowed(left), Cow::Borrowed(right));
    match (la, ra) {
        (Affinity::Num, Affinity::Text | Affinity::None) => (plain.0, to_number(right)),
        (Affinity::Text | Affinity::None, Affinity::Num) => (to_number(left), plain.1),
        (Affinity::Text, Affinity::None) => (plain.0, to_text(right)),
        (Affinity::None, Affinity::Text) => (to_text(left), plain.1),
        (Affinity::Num, Affinity::Num)
        | (Affinity::Text, Affinity::Text)
        | (Affinity::None, Affinity::None) => plain,
    }
}

fn to_number(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Text(text) => text_number(text).map_or(Cow::Borrowed(value), Cow::Owned),
        Value::Null | Value::Int(_) | Value::Real(_) => Cow::Borrowed(value),
    }
}

fn to_text(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Int(_) | Value::Real(_) => {
            value.text().map_or(Cow::Borrowed(value), |text| Cow::Owned(Value::from(&*text)))
        }
        Value::Null | Value::Text(_) => Cow::Borrowed(value),
    }
}

/// Exact comparison of an integer with a double.
fn int_real(int: i64, real: f64) -> Ordering {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() || real < -TWO_63 {
        return Ordering::Greater;
    }
    if real >= TWO_63 {
        return Ordering::Less;
    }
    #[allow(clippy::cast_possible_truncation, reason = "in range, see above")]
    let whole = real.trunc() as i64;
    int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&real.fract()).unwrap_or(Ordering::Equal))
}

/// Text that fully parses as a decimal number (spec §5.3): surrounding blanks, sign and exponent allowed.
#[must_use]
pub fn text_number(text: &str) -> Option<Value> {
    let body = text.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let digits = body.strip_prefix(['+', '-']).unwrap_or(body);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return None;
    }
    if whole.is_empty() && fraction.is_none_or(str::is_empty) {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !all_digits(exponent) {
            return None;
        }
    } else if fraction.is_none()
        && let Ok(int) = body.parse::<i64>()
    {
        return Some(Value::Int(int));
    }
    body.parse::<f64>().ok().map(Value::Real)
}

/// A double as text (spec §5.2): shortest round trip, always with a point, exponent form outside 1e-4..1e17.
#[must_use]
pub fn real_text(number: f64) -> String {
    if number == 0.0 {
        return "0.0".to_owned();
    }
    if number.is_nan() {
        return String::new();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if number < 0.0 { "-" } else { "" };
    if !(-4..17).contains(&exponent) {
        let point = if mantissa.contains('.') { "" } else { ".0" };
        let (exp_sign, exp) = if exponent < 0 { ('-', -exponent) } else { ('+', exponent) };
        return format!("{sign}{mantissa}{point}e{exp_sign}{exp:02}");
    }
    let plain = number.abs().to_string();
    let point = if plain.contains('.') { "" } else { ".0" };
    format!("{sign}{plain}{point}")
}

/// A bound value as the source text of a LIKE pattern (spec §4.3 step 1).
#[must_use]
pub fn like_source(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Real(number) => Cow::Owned(number.to_string()),
        Value::Text(text) => Cow::Borrowed(text),
    }
}

/// Turns a source text into a LIKE pattern (spec §4.3 steps 2 and 3).
#[must_use]
pub fn like_pattern(source: &str) -> String {
    if has_live_percent(source) {
        return source.to_owned();
    }
    let mut reversed: Vec<u8> = Vec::with_capacity(source.len() + 8);
    reversed.push(b'%');
    let mut rest = source.as_bytes();
    while let Some((&byte, before)) = rest.split_last() {
        rest = before;
        reversed.push(byte);
        if matches!(byte, b'\\' | b'%' | b'_') {
            reversed.push(b'\\');
            if let Some((b'\\', before)) = rest.split_last() {
                rest = before;
            }
        }
    }
    reversed.push(b'%');
    reversed.reverse();
    String::from_utf8(reversed).unwrap_or_else(|_| source.to_owned())
}

fn has_live_percent(source: &str) -> bool {
    let mut escaped = false;
    source.bytes().any(|byte| {
        let live = byte == b'%' && !escaped;
        escaped = byte == b'\\' && !escaped;
        live
    })
}

/// SQLite's `text LIKE pattern ESCAPE '\'`: ASCII case-insensitive, `_` is one code point, a pattern that ends
/// in a lone escape never matches.
#[must_use]
pub fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut at, mut pat) = (0, 0);
    // Where to resume after the last `%`: pattern position behind it and the text position tried last.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match step(text, at, pattern, pat) {
            Step::Percent => {
                pat += 1;
                retry = Some((pat, at));
                continue;
            }
            Step::Done => return true,
            Step::Never => return false,
            Step::Match { text_len, pattern_len } => {
                at += text_len;
                pat += pattern_len;
                continue;
            }
            Step::Mismatch => {}
        }
        let Some((resume, tried)) = retry else { return false };
        if tried >= text.len() {
            return false;
        }
        at = tried + code_point_len(text, tried);
        pat = resume;
        retry = Some((resume, at));
    }
}

enum Step {
    Percent,
    Done,
    Never,
    Match { text_len: usize, pattern_len: usize },
    Mismatch,
}

fn step(text: &[u8], at: usize, pattern: &[u8], pat: usize) -> Step {
    let Some(&want) = pattern.get(pat) else {
        return if at == text.len() { Step::Done } else { Step::Mismatch };
    };
    match want {
        b'%' => Step::Percent,
        b'_' if at < text.len() => {
            Step::Match { text_len: code_point_len(text, at), pattern_len: 1 }
        }
        b'_' => Step::Mismatch,
        b'\\' => match pattern.get(pat + 1) {
            None => Step::Never,
            Some(want) => literal(text, at, *want, 2),
        },
        want => literal(text, at, want, 1),
    }
}

fn literal(text: &[u8], at: usize, want: u8, pattern_len: usize) -> Step {
    match text.get(at) {
        Some(have) if have.eq_ignore_ascii_case(&want) => Step::Match { text_len: 1, pattern_len },
        _ => Step::Mismatch,
    }
}

fn code_point_len(text: &[u8], at: usize) -> usize {
    1 + text
        .get(at + 1..)
        .map_or(0, |rest| rest.iter().take_while(|byte| (**byte & 0xC0) == 0x80).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_print_like_sqlite() {
        for (number, text) in [
            (1.0, "1.0"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1e16, "10000000000000000.0"),
            (1e17, "1.0e+17"),
            (1e21, "1.0e+21"),
            (1e-4, "0.0001"),
            (1e-5, "1.0e-05"),
            (1.5e-7, "1.5e-07"),
            (-0.0, "0.0"),
            (-2.5, "-2.5"),
            (1.25e300, "1.25e+300"),
        ] {
            assert_eq!(real_text(number), text);
        }
    }

    #[test]
    fn text_parses_only_as_a_whole() {
        for (text, value) in [
            ("1", Some(Value::Int(1))),
            (" 1", Some(Value::Int(1))),
            ("01", Some(Value::Int(1))),
            ("+7\n", Some(Value::Int(7))),
            ("1e0", Some(Value::Real(1.0))),
            ("1.", Some(Value::Real(1.0))),
            ("-.5", Some(Value::Real(-0.5))),
            ("9223372036854775808", Some(Value::Real(9_223_372_036_854_775_808.0))),
            ("", None),
            (".", None),
            ("1e", None),
            ("1 2", None),
            ("0x10", None),
            ("inf", None),
            ("nan", None),
            ("abc", None),
        ] {
            assert_eq!(text_number(text), value, "{text:?}");
        }
    }

    #[test]
    fn affinities_convert_before_comparing() {
        use Affinity::{None as N, Num, Text};
        let text = Value::from("1.0");
        let one = Value::Int(1);
        let real = Value::Real(1.0);
        assert!(is_same(&text, Text, &real, N));
        assert!(!is_same(&Value::from("1"), Text, &real, N));
        assert!(is_same(&one, Num, &Value::from(" 1"), N));
        assert!(!is_same(&one, N, &Value::from("1"), N));
        assert_eq!(compare(&one, Num, &Value::from("abc"), N), Some(Ordering::Less));
        assert_eq!(compare(&Value::Null, Num, &one, N), None);
        assert!(is_same(&Value::Null, N, &Value::Null, Text));
        assert_eq!(Value::Int(i64::MAX).order(&Value::Real(9.3e18)), Ordering::Less);
        assert_eq!(Value::Int(1).order(&Value::Real(1.5)), Ordering::Less);
        assert_eq!(Value::Int(-1).order(&Value::Real(-1.5)), Ordering::Greater);
    }

    #[test]
    fn like_patterns_of_the_spec() {
        for (source, pattern) in [
            ("abc", "%abc%"),
            ("", "%%"),
            ("ab%c", "ab%c"),
            ("%ab_c", "%ab_c"),
            ("ab_c", r"%ab\_c%"),
            (r"ab\%c", r"%ab\%c%"),
            (r"%ab\%c", r"%ab\%c"),
            (r"ab\\%c", r"ab\\%c"),
            (r"ab\\\%c", r"%ab\\\%c%"),
            (r"ab\c", r"%ab\\c%"),
            (r"ab\c%", r"ab\c%"),
            (r"_ab\c_", r"%\_ab\\c\_%"),
            (r"b\", r"%b\\%"),
            ("äö_", r"%äö\_%"),
        ] {
            assert_eq!(like_pattern(source), pattern, "{source:?}");
        }
        assert_eq!(like_source(&Value::Real(1.0)), "1");
        assert_eq!(like_source(&Value::Real(1e21)), "1000000000000000000000");
        assert_eq!(like_source(&Value::Real(1.5)), "1.5");
    }

    #[test]
    fn like_matches() {
        for (text, pattern, hit) in [
            ("Hello", "%hELL%", true),
            ("Hello", "hell", false),
            ("Hello", "h%o", true),
            ("äx", "_x", true),
            ("Ä", "ä", false),
            ("a_b", r"%a\_b%", true),
            ("axb", r"%a\_b%", false),
            ("100%", r"%100\%%", true),
            ("abc", r"abc\", false),
            ("abc", "%%", true),
            ("", "%", true),
            ("aab", "%ab", true),
            ("abab", "%ab%ab%", true),
            ("ab", "%ab%ab%", false),
            ("", "_", false),
        ] {
            assert_eq!(like(text, pattern), hit, "{text:?} LIKE {pattern:?}");
        }
    }
}
