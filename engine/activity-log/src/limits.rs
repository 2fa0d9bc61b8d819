//! What is too long for a line of the activity log, cut as the reference does (spec upstream-0.40 §5.2).
//!
//! Works on texts: data is a compact object with sorted keys already. Must not know settings or the table.

use std::{borrow::Cow, ops::ControlFlow, ops::ControlFlow::Continue};

use primitives::json;

/// Longest message in bytes.
const MAX_MESSAGE: usize = 8_000;
/// Most bytes of data unless the settings say otherwise.
pub(crate) const MAX_DATA: usize = 16_384;
/// The member that tells that data was cut.
const MARK: &str = "__pb_truncated__";

/// A message of bearable length; what is left of a character that was cut becomes U+FFFD.
pub(crate) fn message(text: &str) -> Cow<'_, str> {
    match text.as_bytes().get(..MAX_MESSAGE + 1) {
        None => Cow::Borrowed(text),
        Some(bytes) => Cow::Owned(json::lossy(&bytes[..MAX_MESSAGE]).into_owned()),
    }
}

/// Data of at most `max` bytes and the mark: what is complete in the first `max` bytes stays.
pub(crate) fn data(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let mut scan = Scan { bytes: &text.as_bytes()[..max], at: 0, open: Vec::new(), mark_at: None };
    let end = match scan.run() {
        ControlFlow::Break(end) => end,
        Continue(()) => End { keep: scan.at, tail: Cow::Borrowed("") },
    };
    Cow::Owned(scan.cut(text, &end))
}

/// How a cut text goes on: so many bytes stay, and a replacement of what was cut follows.
struct End {
    keep: usize,
    tail: Cow<'static, str>,
}

fn end<T>(keep: usize, tail: impl Into<Cow<'static, str>>) -> ControlFlow<End, T> {
    ControlFlow::Break(End { keep, tail: tail.into() })
}

/// A walk over the beginning of a compact JSON text.
struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
    /// The brackets that are waited for.
    open: Vec<u8>,
    /// Where the first member begins that the mark stands before.
    mark_at: Option<usize>,
}

impl Scan<'_> {
    fn run(&mut self) -> ControlFlow<End> {
        loop {
            if self.value()? {
                continue;
            }
            // After a value: a list that ends here has another item that was cut.
            loop {
                let Some(&close) = self.open.last() else { return Continue(()) };
                match self.bytes.get(self.at) {
                    None if close == b']' => return end(self.at, ",null"),
                    None => return end(self.at, ""),
                    Some(b',') if close == b'}' => {
                        self.key(self.at)?;
                        break;
                    }
                    Some(b',') => {
                        self.at += 1;
                        break;
                    }
                    Some(_) => {
                        self.at += 1;
                        self.open.pop();
                    }
                }
            }
        }
    }

    /// Passes a scalar or an empty container, or enters another one; true if a value is to follow.
    fn value(&mut self) -> ControlFlow<End, bool> {
        let start = self.at;
        match self.bytes.get(start) {
            None => return end(start, "null"),
            Some(b'"') => match self.string_end(start) {
                Some(after) => self.at = after,
                None => return end(start, "null"),
            },
            Some(b'{') => return self.enter(b'}'),
            Some(b'[') => return self.enter(b']'),
            Some(_) => {
                let rest = &self.bytes[start..];
                let len = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
                self.at += len.unwrap_or(rest.len());
                // The last scalar may be a part of one.
                let part = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
                if len.is_none() && !json::is_raw(part) {
                    return end(start, "null");
                }
            }
        }
        Continue(false)
    }

    fn enter(&mut self, close: u8) -> ControlFlow<End, bool> {
        self.at += 1;
        self.open.push(close);
        if self.bytes.get(self.at) == Some(&close) {
            self.at += 1;
            self.open.pop();
            return Continue(false);
        }
        if close == b'}' {
            self.key(self.at)?;
        }
        Continue(true)
    }

    /// Passes a member's name and colon, and the comma before; a name that was cut goes with its comma.
    fn key(&mut self, from: usize) -> ControlFlow<End> {
        let start = from + usize::from(self.bytes.get(from) == Some(&b','));
        let Some(after) = self.string_end(start) else { return end(from, "") };
        let name = &self.bytes[start + 1..after - 1];
        if self.open.len() == 1 && self.mark_at.is_none() && name > MARK.as_bytes() {
            self.mark_at = Some(start);
        }
        if after == self.bytes.len() {
            return end(after, ":null");
        }
        self.at = after + 1;
        Continue(())
    }

    /// Where the string that begins at `start` ends.
    fn string_end(&self, start: usize) -> Option<usize> {
        let mut at = start + 1;
        loop {
            at += memchr::memchr2(b'"', b'\\', self.bytes.get(at..)?)?;
            if self.bytes[at] == b'"' {
                return Some(at + 1);
            }
            at += 2;
        }
    }

    fn cut(&self, text: &str, end: &End) -> String {
        let kept = text.get(..end.keep).unwrap_or_default();
        let mut out = String::with_capacity(kept.len() + 64);
        let (before, after) = kept.split_at(self.mark_at.unwrap_or(kept.len()).min(kept.len()));
        out.push_str(before);
        let closing = self.open.iter().rev().map(|close| char::from(*close));
        if self.mark_at.is_some() {
            out.push_str(&format!("\"{MARK}\":true,{after}{}", end.tail));
            out.extend(closing);
            return out;
        }
        out.push_str(&end.tail);
        // All but the object's own bracket.
        out.extend(closing.take(self.open.len().saturating_sub(1)));
        let comma = if out.len() > 1 { "," } else { "" };
        out.push_str(&format!("{comma}\"{MARK}\":true}}"));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        for (pad, last, want) in [
            (7_999, "é", "m\u{fffd}"),
            (7_998, "é", "mé"),
            (7_998, "漢", "mm\u{fffd}\u{fffd}"),
            (7_997, "😀", "mmm\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            let text = "m".repeat(pad) + last + "tail";
            let want = "m".repeat(pad - want.matches('m').count()) + want;
            assert_eq!(message(&text), want, "{last}");
        }
        assert_eq!(message("short"), "short");
    }

    /// What the reference stores of `{"a":"…",` and such a text when only so much of the text is read.
    #[test]
    fn data_is_cut_like_the_reference() {
        let number = r#""b":-1.25e+31,"c":0.5}"#;
        let words = r#""b":true,"c":[],"d":null}"#;
        let nested = r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}],"m":{}}}"#;
        let lists = r#""b":[true,"s",[1,[2]],{}]}"#;
        for (text, read, want) in [
            (number, r#""b":-1.25e+31,"c":0.5"#, r#""b":-1.25e+31,"c":0.5"#),
            (number, r#""b":-1.25e+31,"c":0."#, r#""b":-1.25e+31,"c":null"#),
            (number, r#""b":-1.25e+31,"c":0"#, r#""b":-1.25e+31,"c":0"#),
            (number, r#""b":-1.25e+31,"c":"#, r#""b":-1.25e+31,"c":null"#),
            (number, r#""b":-1.25e+31,"c""#, r#""b":-1.25e+31,"c":null"#),
            (number, r#""b":-1.25e+31,"c"#, r#""b":-1.25e+31"#),
            (number, r#""b":-1.25e+31,"#, r#""b":-1.25e+31"#),
            (number, r#""b":-1.25e+31"#, r#""b":-1.25e+31"#),
            (number, r#""b":-1.25e+"#, r#""b":null"#),
            (number, r#""b":-1.2"#, r#""b":-1.2"#),
            (number, r#""b":-"#, r#""b":null"#),
            (number, r#""b"#, ""),
            (number, r#"""#, ""),
            (words, r#""b":true,"c":[],"d":null"#, r#""b":true,"c":[],"d":null"#),
            (words, r#""b":true,"c":[],"d":nul"#, r#""b":true,"c":[],"d":null"#),
            (words, r#""b":true,"c":[]"#, r#""b":true,"c":[]"#),
            (words, r#""b":true,"c":["#, r#""b":true,"c":[null]"#),
            (words, r#""b":tru"#, r#""b":null"#),
            (
                nested,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}],"m":{}}"#,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}],"m":{}}"#,
            ),
            (
                nested,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}],"m":{"#,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}],"m":{}}"#,
            ),
            (
                nested,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}]"#,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}]}"#,
            ),
            (
                nested,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}"#,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"},null]}"#,
            ),
            (
                nested,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é""#,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"}]}"#,
            ),
            (
                nested,
                r#""b":{"k":"v\"v","l":[1,22,{"z":"é"#,
                r#""b":{"k":"v\"v","l":[1,22,{"z":null}]}"#,
            ),
            (nested, r#""b":{"k":"v\"v","l":[1,22,{""#, r#""b":{"k":"v\"v","l":[1,22,{}]}"#),
            (nested, r#""b":{"k":"v\"v","l":[1,22,{"#, r#""b":{"k":"v\"v","l":[1,22,{}]}"#),
            (nested, r#""b":{"k":"v\"v","l":[1,22,"#, r#""b":{"k":"v\"v","l":[1,22,null]}"#),
            (nested, r#""b":{"k":"v\"v","l":[1,2"#, r#""b":{"k":"v\"v","l":[1,2,null]}"#),
            (nested, r#""b":{"k":"v\"#, r#""b":{"k":null}"#),
            (nested, r#""b":{"#, r#""b":{}"#),
            (lists, r#""b":[true,"s",[1,[2]],{}]"#, r#""b":[true,"s",[1,[2]],{}]"#),
            (lists, r#""b":[true,"s",[1,[2]],{}"#, r#""b":[true,"s",[1,[2]],{},null]"#),
            (lists, r#""b":[true,"s",[1,[2]],{"#, r#""b":[true,"s",[1,[2]],{}]"#),
            (lists, r#""b":[true,"s",[1,[2]]"#, r#""b":[true,"s",[1,[2]],null]"#),
            (lists, r#""b":[true,"s",[1,[2]"#, r#""b":[true,"s",[1,[2],null]]"#),
            (lists, r#""b":[true,"s",[1,[2"#, r#""b":[true,"s",[1,[2,null]]]"#),
            (lists, r#""b":[true,"s",[1,["#, r#""b":[true,"s",[1,[null]]]"#),
            (lists, r#""b":["#, r#""b":[null]"#),
        ] {
            assert!(text.starts_with(read), "{read}");
            let head = format!(r#"{{"a":"{}","#, "x".repeat(40));
            let full = format!("{head}{text}");
            let comma = if want.is_empty() { "" } else { "," };
            let a = &head[1..head.len() - 1];
            let want = format!(r#"{{"__pb_truncated__":true,{a}{comma}{want}}}"#);
            let got = data(&full, head.len() + read.len());
            assert_eq!(got, want, "{read}");
            assert!(json::is_raw(&got));
            assert_eq!(data(&full, full.len()), full);
        }
    }

    /// Wherever the cut is, what comes out is JSON, and what goes in need not be.
    #[test]
    fn any_cut_gives_json() {
        let whole = r#"{"A":[1,{"b":"é\\\"","c":[[],{}]},-2.5e-3],"a":{"x":null},"z":"😀"}"#;
        for max in 1..whole.len() {
            let got = data(whole, max);
            assert!(json::is_raw(&got) && got.contains(MARK), "{got}");
        }
        for broken in ["", "{", "null and void", "[1,2]", "}}}}", "{\"a\"1,2}", "{]"] {
            for max in 0..broken.len() {
                _ = data(broken, max);
            }
        }
    }

    #[test]
    fn the_mark_is_sorted_in() {
        for (text, max, want) in [
            (r#"{"A":1,"b":22}"#, 12, r#"{"A":1,"__pb_truncated__":true,"b":2}"#),
            (r#"{"A":1,"B":22}"#, 12, r#"{"A":1,"B":2,"__pb_truncated__":true}"#),
            (r#"{"A":{"z":[1,2]}}"#, 12, r#"{"A":{"z":[1,null]},"__pb_truncated__":true}"#),
            (r#"{"data":"ééé"}"#, 10, r#"{"__pb_truncated__":true,"data":null}"#),
            (r#"{"data":"ééé"}"#, 3, r#"{"__pb_truncated__":true}"#),
            (r#"{"data":"ééé"}"#, 1, r#"{"__pb_truncated__":true}"#),
        ] {
            assert_eq!(data(text, max), want, "{text} {max}");
        }
    }
}
