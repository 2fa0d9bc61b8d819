//! JSON as the wire has it: escapes, numbers, compaction, sorted keys; and the loose casts every field starts from.
//!
//! Knows no records. Source: spec collections-and-fields §0.1, §0.3; records-files-realtime-batch §0; upstream-0.40 §1.

pub mod count;
pub mod deep;
pub mod raw;
pub mod read;

use std::borrow::Cow;

pub use dialects::limits::mend_half_pairs;
/// A text in quotes as Go's `%q` writes it.
pub use filter_lang::error::quote as quote_go;
pub use raw::{is_raw, write_raw};
use serde_json::Value;

use crate::time::{self, Timestamp};

/// True for bytes that a JSON string cannot hold as they are: controls, `"` and `\`.
static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = i < 0x20 || matches!(i as u8, b'"' | b'\\');
        i += 1;
    }
    table
};

/// A high bit in each byte of `word` that is special; bits above the lowest one may be wrong (borrows), so only that one counts.
#[inline]
fn special_bits(word: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let equal = |byte: u8| {
        let x = word ^ (LOW * u64::from(byte));
        x.wrapping_sub(LOW) & !x
    };
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    (control | equal(b'"') | equal(b'\\')) & HIGH
}

/// Position of the first special byte from `from` on, eight bytes at a time.
#[inline]
fn find_special(bytes: &[u8], mut from: usize) -> Option<usize> {
    while let Some(block) = bytes.get(from..).and_then(<[u8]>::first_chunk::<8>) {
        let bits = special_bits(u64::from_le_bytes(*block));
        if bits != 0 {
            return Some(from + bits.trailing_zeros() as usize / 8);
        }
        from += 8;
    }
    bytes.get(from..)?.iter().position(|&byte| SPECIAL[byte as usize]).map(|i| from + i)
}

/// Writes a string with its quotes.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_inner(out, text.as_bytes());
    out.push(b'"');
}

/// Bytes as text; each one that belongs to no character becomes U+FFFD, as in the reference.
#[must_use]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(out)
}

fn write_inner(out: &mut Vec<u8>, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut from = 0;
    let mut i = 0;
    while let Some(at) = find_special(bytes, i) {
        i = at;
        let byte = bytes[i];
        out.extend_from_slice(&bytes[from..i]);
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            _ => {
                let hex =
                    [b'\\', b'u', b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]];
                out.extend_from_slice(&hex);
            }
        }
        i += 1;
        from = i;
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Writes an integer.
pub fn write_i64(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// Writes a number: shortest digits; exponent only below 1e-6 or from 1e21; `0` for what JSON cannot say.
pub fn write_f64(out: &mut Vec<u8>, x: f64) {
    if !x.is_finite() {
        out.push(b'0');
        return;
    }
    if let Some(n) = integral(x) {
        return write_i64(out, n);
    }
    let magnitude = x.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        Digits::of(x).scientific(out, 1);
    } else {
        Digits::of(x).plain(out);
    }
}

/// `x` as an integer that prints the same.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn integral(x: f64) -> Option<i64> {
    let n = x as i64;
    (n as f64 == x && x.abs() < 9_007_199_254_740_992.0 && (n != 0 || x.is_sign_positive()))
        .then_some(n)
}

/// Go's `%g` with the shortest digits, as the database driver turns reals into text: `1e-07`, `1.5`, `1e+06`.
#[must_use]
pub fn format_g(x: f64) -> String {
    if !x.is_finite() {
        return not_finite(x).to_owned();
    }
    let digits = Digits::of(x);
    let mut out = Vec::new();
    let exponent = digits.point - 1;
    if x != 0.0 && !(-4..6).contains(&exponent) {
        digits.scientific(&mut out, 2);
    } else {
        digits.plain(&mut out);
    }
    into_text(out)
}

/// Plain decimal notation, shortest digits, no exponent.
#[must_use]
pub fn format_plain(x: f64) -> String {
    if !x.is_finite() {
        return not_finite(x).to_owned();
    }
    let mut out = Vec::new();
    Digits::of(x).plain(&mut out);
    into_text(out)
}

fn not_finite(x: f64) -> &'static str {
    if x.is_nan() {
        "NaN"
    } else if x > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

fn into_text(ascii: Vec<u8>) -> String {
    String::from_utf8(ascii).unwrap_or_default()
}

/// The shortest decimal digits of a finite number: `0.DIGITS × 10^point`.
struct Digits {
    negative: bool,
    digits: smallvec::SmallVec<[u8; 24]>,
    point: i32,
}

impl Digits {
    fn of(x: f64) -> Self {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(x.abs());
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let mut digits = smallvec::SmallVec::new();
        let mut point = exponent.parse().unwrap_or(0);
        let whole = mantissa.find('.').unwrap_or(mantissa.len());
        digits.extend(mantissa.bytes().filter(u8::is_ascii_digit));
        point += i32::try_from(whole).unwrap_or(0);
        let zeros = digits.iter().take_while(|&&d| d == b'0').count();
        digits.drain(..zeros);
        point -= i32::try_from(zeros).unwrap_or(0);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            digits.push(b'0');
            point = 1;
        }
        Self { negative: x.is_sign_negative(), digits, point }
    }
    fn sign(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
    }
    fn plain(&self, out: &mut Vec<u8>) {
        self.sign(out);
        let len = self.digits.len();
        let Ok(whole) = usize::try_from(self.point) else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + self.point.unsigned_abs() as usize, b'0');
            return out.extend_from_slice(&self.digits);
        };
        if whole == 0 {
            out.extend_from_slice(b"0.");
            out.extend_from_slice(&self.digits);
        } else if whole >= len {
            out.extend_from_slice(&self.digits);
            out.resize(out.len() + whole - len, b'0');
        } else {
            out.extend_from_slice(&self.digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&self.digits[whole..]);
        }
    }
    /// `width`: least number of exponent digits.
    fn scientific(&self, out: &mut Vec<u8>, width: usize) {
        self.sign(out);
        out.push(self.digits[0]);
        if self.digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&self.digits[1..]);
        }
        let exponent = self.point - 1;
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(format!("{:0width$}", exponent.unsigned_abs()).as_bytes());
    }
}

/// Writes a value; keys of objects in byte order, every number as a float64, wire escapes.
pub fn write_sorted(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_str(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_sorted(out, item);
            }
            out.push(b']');
        }
        Value::Object(map) => match deep::text_of(map) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => write_map(out, map),
        },
    }
}

/// Writes an object as [`write_sorted`] does.
pub fn write_map(out: &mut Vec<u8>, map: &serde_json::Map<String, Value>) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
    out.push(b'{');
    for (i, (key, item)) in entries.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_str(out, key);
        out.push(b':');
        write_sorted(out, item);
    }
    out.push(b'}');
}

/// Numbers of free-form JSON are float64 (precision is lost above 2^53, as in the reference).
fn write_number(out: &mut Vec<u8>, number: &serde_json::Number) {
    match number.as_i64() {
        Some(n) if n.unsigned_abs() <= 1 << 53 => write_i64(out, n),
        _ => write_f64(out, number.as_f64().unwrap_or(0.0)),
    }
}

/// As [`write_sorted`], as text.
#[must_use]
pub fn value_sorted(value: &Value) -> String {
    let mut out = Vec::with_capacity(64);
    write_sorted(&mut out, value);
    into_text(out)
}

/// Cast to string: scalars as text, lists and objects `""` (spec §0.3).
#[must_use]
pub fn to_string(value: &Value) -> Cow<'_, str> {
    scalar(value).unwrap_or(Cow::Borrowed(""))
}

/// `None` for what has no text: lists and objects.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Null => Some(Cow::Borrowed("")),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Number(n) => Some(Cow::Owned(format_plain(n.as_f64().unwrap_or(0.0)))),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Cast to a number; may give NaN or an infinity for text that says so.
#[must_use]
pub fn to_float(value: &Value) -> f64 {
    match value {
        Value::Number(n) => n.as_f64().unwrap_or(0.0),
        Value::Bool(true) => 1.0,
        Value::String(text) => text_to_float(text),
        _ => 0.0,
    }
}

/// Cast of text to a number: 0 for what is none.
#[must_use]
pub fn text_to_float(text: &str) -> f64 {
    parse_float(text).unwrap_or(0.0)
}

/// A float in Go's syntax: no trimming, `inf`, `nan`, hexadecimal with `p`, underscores between digits; out of range fails.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.starts_with("0x") || unsigned.starts_with("0X") {
        let x = parse_hex_float(&unsigned[2..])?;
        return Some(if text.starts_with('-') { -x } else { x });
    }
    let named = ["inf", "infinity", "nan"].iter().any(|name| unsigned.eq_ignore_ascii_case(name));
    let clean: Cow<'_, str> = if unsigned.contains('_') {
        if !underscores_separate_digits(unsigned) {
            return None;
        }
        Cow::Owned(text.replace('_', ""))
    } else {
        Cow::Borrowed(text)
    };
    let number: f64 = clean.parse().ok()?;
    (number.is_finite() || named).then_some(number)
}

fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).all(|i| bytes[i] != b'_' || (digit(i.checked_sub(1)) && digit(Some(i + 1))))
}

/// `MANTISSA p EXPONENT` after `0x`.
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for c in whole.chars().chain(fraction.chars()).filter(|c| *c != '_') {
        value = value * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shift = exponent.saturating_sub(i32::try_from(fraction.len() * 4).ok()?);
    let scaled = value * 2f64.powi(shift);
    scaled.is_finite().then_some(scaled)
}

/// Cast to bool.
#[must_use]
pub fn to_bool(value: &Value) -> bool {
    match value {
        Value::Bool(b) => *b,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(text) => text_to_bool(text),
        _ => false,
    }
}

/// Cast of text to bool.
#[must_use]
pub fn text_to_bool(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "TRUE" | "true" | "True")
}

/// Cast to a list of distinct non-empty strings, order kept.
#[must_use]
pub fn to_unique_strings(value: &Value) -> Vec<String> {
    let items = match value {
        Value::Null | Value::Object(_) => Vec::new(),
        Value::String(text) => split_text(text),
        Value::Array(items) => items
            .iter()
            .map(|i| scalar(i).map(Cow::into_owned))
            .collect::<Option<_>>()
            .unwrap_or_default(),
        scalar => vec![to_string(scalar).into_owned()],
    };
    unique(items)
}

/// Cast of text to a list of distinct non-empty strings.
#[must_use]
pub fn text_to_unique_strings(text: &str) -> Vec<String> {
    unique(split_text(text))
}

/// Text with a `[` may be a JSON array of strings.
fn split_text(text: &str) -> Vec<String> {
    if !text.contains('[') {
        return vec![text.to_owned()];
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Null) => Vec::new(),
        Ok(Value::Array(items)) => {
            let total = items.len();
            let mut strings: Vec<String> = items
                .into_iter()
                .filter_map(|item| match item {
                    Value::String(text) => Some(text),
                    // Decoded as the zero string, without an error.
                    Value::Null => Some(String::new()),
                    _ => None,
                })
                .collect();
            if strings.len() < total {
                strings.push(text.to_owned());
            }
            strings
        }
        _ => vec![text.to_owned()],
    }
}

fn unique(items: Vec<String>) -> Vec<String> {
    if items.len() < 16 {
        let mut out: Vec<String> = Vec::with_capacity(items.len());
        for item in items {
            if !item.is_empty() && !out.contains(&item) {
                out.push(item);
            }
        }
        return out;
    }
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    items.into_iter().filter(|item| !item.is_empty() && seen.insert(item.clone())).collect()
}

/// Cast to a date; `None` is the zero date. Numbers of JSON are floats and therefore give none (spec §0.3).
#[must_use]
pub fn to_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => time::parse(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings() {
        let cases = [
            ("", r#""""#),
            ("plain ä 漢 🎈", r#""plain ä 漢 🎈""#),
            ("a<b>&\"\\/", r#""a<b>&\"\\/""#),
            ("\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}", "\"\\n\\r\\t\\b\\f\\u0001\\u001f\u{7f}\""),
            ("x\u{2028}y\u{2029}\u{2030}", "\"x\u{2028}y\u{2029}\u{2030}\""),
        ];
        for (input, expected) in cases {
            assert_eq!(text(|o| write_str(o, input)), expected);
            assert_eq!(lossy(input.as_bytes()), input);
        }
        assert_eq!(lossy(b"a\xff\xfe<b\xe2\x80"), "a\u{fffd}\u{fffd}<b\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_fast_scan_finds_what_the_table_says() {
        for filler in [b'a', 0x20, 0x21, 0x7F, 0x80, 0xA0, 0xE1, 0xE3, 0xFF] {
            for byte in 0..=255u8 {
                for at in 0..11 {
                    let mut bytes = [filler; 11];
                    bytes[at] = byte;
                    let expected = bytes.iter().position(|&b| SPECIAL[b as usize]);
                    assert_eq!(find_special(&bytes, 0), expected, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn numbers() {
        let cases: [(f64, &str, &str, &str); 17] = [
            (0.0, "0", "0", "0"),
            (-0.0, "-0", "-0", "-0"),
            (1.0, "1", "1", "1"),
            (-12.5, "-12.5", "-12.5", "-12.5"),
            (0.1, "0.1", "0.1", "0.1"),
            (1e-6, "0.000001", "1e-06", "0.000001"),
            (1e-7, "1e-7", "1e-07", "0.0000001"),
            (0.0001, "0.0001", "0.0001", "0.0001"),
            (123_456.0, "123456", "123456", "123456"),
            (1e20, "100000000000000000000", "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21", "1000000000000000000000"),
            (1.5e300, "1.5e+300", "1.5e+300", ""),
            (
                12_345_678_901_234_567_000.0,
                "12345678901234567000",
                "1.2345678901234567e+19",
                "12345678901234567000",
            ),
            (
                9_007_199_254_740_993.0,
                "9007199254740992",
                "9.007199254740992e+15",
                "9007199254740992",
            ),
            (100.25, "100.25", "100.25", "100.25"),
            (5e-324, "5e-324", "5e-324", ""),
            (1_234_567.0, "1234567", "1.234567e+06", "1234567"),
        ];
        for (x, json, g, plain) in cases {
            assert_eq!(text(|o| write_f64(o, x)), json);
            assert_eq!(format_g(x), g, "{x}");
            if !plain.is_empty() {
                assert_eq!(format_plain(x), plain);
            }
        }
        assert_eq!(text(|o| write_f64(o, f64::NAN)), "0");
        assert_eq!(format_g(f64::INFINITY), "+Inf");
    }

    #[test]
    fn sorted_values() {
        let value = json!({"b": [1, 2.50, 1e30, null, true], "a": {"z": "<", "": 9_007_199_254_740_993i64}});
        assert_eq!(
            value_sorted(&value),
            r#"{"a":{"":9007199254740992,"z":"<"},"b":[1,2.5,1e+30,null,true]}"#
        );
    }

    #[test]
    fn casts() {
        let cases = [
            // value, string, float, bool, strings
            (json!(null), "", 0.0, false, json!([])),
            (json!(""), "", 0.0, false, json!([])),
            (json!(true), "true", 1.0, true, json!(["true"])),
            (json!(false), "false", 0.0, false, json!(["false"])),
            (json!(1e3), "1000", 1000.0, true, json!(["1000"])),
            (json!(0.5), "0.5", 0.5, true, json!(["0.5"])),
            (
                json!(12_345_678_901_234_567_890u64),
                "12345678901234567000",
                12_345_678_901_234_567_890.0,
                true,
                json!(["12345678901234567000"]),
            ),
            (json!("1e1"), "1e1", 10.0, false, json!(["1e1"])),
            (json!(" 5 "), " 5 ", 0.0, false, json!([" 5 "])),
            (json!("1_000"), "1_000", 1000.0, false, json!(["1_000"])),
            (json!("_1"), "_1", 0.0, false, json!(["_1"])),
            (json!("0x10"), "0x10", 0.0, false, json!(["0x10"])),
            (json!("0x1p4"), "0x1p4", 16.0, false, json!(["0x1p4"])),
            (json!("1e999"), "1e999", 0.0, false, json!(["1e999"])),
            (json!("-inf"), "-inf", f64::NEG_INFINITY, false, json!(["-inf"])),
            (json!("yes"), "yes", 0.0, false, json!(["yes"])),
            (json!("True"), "True", 0.0, true, json!(["True"])),
            (json!(["a", "b", "a", ""]), "", 0.0, false, json!(["a", "b"])),
            (json!(["a", ["b"]]), "", 0.0, false, json!([])),
            (json!(["a", 1, null]), "", 0.0, false, json!(["a", "1"])),
            (json!({"a": 1}), "", 0.0, false, json!([])),
            (json!(r#"["a","b","a"]"#), r#"["a","b","a"]"#, 0.0, false, json!(["a", "b"])),
            (json!(r#"["a",1]"#), r#"["a",1]"#, 0.0, false, json!(["a", r#"["a",1]"#])),
            (json!("x[0"), "x[0", 0.0, false, json!(["x[0"])),
        ];
        for (value, string, float, bool, strings) in cases {
            assert_eq!(to_string(&value), string, "{value}");
            assert_eq!(to_float(&value), float, "{value}");
            assert_eq!(to_bool(&value), bool, "{value}");
            assert_eq!(json!(to_unique_strings(&value)), strings, "{value}");
        }
        assert_eq!(to_time(&json!(1_700_000_000)), None);
        assert_eq!(to_time(&json!("2024-01-02")).unwrap().to_string(), "2024-01-02 00:00:00.000Z");
    }
}
