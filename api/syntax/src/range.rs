//! Conditional requests and byte ranges of a file, wherever its bytes are (spec records-files §4.4).
//!
//! Pure decisions over headers. There is no ETag: conditions on one never hold.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, Method, header};

/// More ranges than this are answered with the whole file: each one is a request of its own to the storage.
// DIFFERENCE: the reference sends any number of ranges.
const MAX_RANGES: usize = 64;

/// Some bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first byte.
    pub start: u64,
    /// How many.
    pub len: u64,
}

/// What a request for a file gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200 and all of it.
    Whole,
    /// 206 and one part.
    One(Part),
    /// 206 and several parts as `multipart/byteranges`.
    Several(Vec<Part>),
    /// 304
    NotModified,
    /// 412
    Failed,
    /// 416: no range overlaps the file.
    Unsatisfiable,
    /// 416: not a range at all.
    Malformed,
}

/// Decides by the headers of a request; `modified` is in seconds since the epoch, 0 for unknown.
#[must_use]
pub fn decide(method: &Method, headers: &HeaderMap, size: u64, modified: u64) -> Answer {
    let modified = (modified > 0).then_some(modified);
    let text = |name: HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty())
    };
    let date = |name: HeaderName| text(name).and_then(seconds);
    match (text(header::IF_MATCH), date(header::IF_UNMODIFIED_SINCE), modified) {
        (Some(tags), ..) if !has_star(tags) => return Answer::Failed,
        (None, Some(since), Some(modified)) if modified > since => return Answer::Failed,
        _ => {}
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match (text(header::IF_NONE_MATCH), date(header::IF_MODIFIED_SINCE), modified) {
        (Some(tags), ..) if has_star(tags) => {
            return if reads { Answer::NotModified } else { Answer::Failed };
        }
        (None, Some(since), Some(modified)) if reads && modified <= since => {
            return Answer::NotModified;
        }
        _ => {}
    }
    let Some(wanted) = text(header::RANGE) else { return Answer::Whole };
    if let Some(condition) = text(header::IF_RANGE)
        && (modified.is_none() || seconds(condition) != modified)
    {
        return Answer::Whole;
    }
    match parts(wanted, size) {
        Err(Wrong::NoOverlap) if size == 0 => Answer::Whole,
        Err(Wrong::NoOverlap) => Answer::Unsatisfiable,
        Err(Wrong::Syntax) => Answer::Malformed,
        Ok(parts) if parts.iter().map(|part| part.len).fold(0, u64::saturating_add) > size => {
            Answer::Whole
        }
        Ok(parts) => match parts[..] {
            [] => Answer::Whole,
            [one] => Answer::One(one),
            _ if parts.len() > MAX_RANGES => Answer::Whole,
            _ => Answer::Several(parts),
        },
    }
}

/// True if the client has what a tag stands for: `If-None-Match` names it, weak or not, or anything.
pub fn has_tag(headers: &HeaderMap, etag: &str) -> bool {
    let mut lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    lists.any(|list| has_star(list) || list.split(',').any(|tag| bare(tag) == bare(etag)))
}

/// A tag without its mark of weakness.
fn bare(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/")
}

/// A list of tags that everything matches.
fn has_star(tags: &str) -> bool {
    tags.split(',').any(|tag| tag.trim() == "*")
}

fn seconds(date: &str) -> Option<u64> {
    let time = httpdate::parse_http_date(date).ok()?;
    Some(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// `Mon, 02 Jan 2006 15:04:05 GMT`.
#[must_use]
pub fn http_date(seconds: u64) -> String {
    let time =
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH);
    httpdate::fmt_http_date(time)
}

#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    Syntax,
    NoOverlap,
}

/// The ranges that overlap the file, as Go's `net/http` reads them.
fn parts(text: &str, size: u64) -> Result<Vec<Part>, Wrong> {
    let list = text.strip_prefix("bytes=").ok_or(Wrong::Syntax)?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let n = if digits { text.parse::<i64>().ok() } else { None };
        n.map(i64::unsigned_abs).ok_or(Wrong::Syntax)
    };
    let mut out = Vec::new();
    let mut beyond = false;
    for range in list.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (start, end) = range.split_once('-').ok_or(Wrong::Syntax)?;
        let (start, end) = (start.trim(), end.trim());
        let part = if start.is_empty() {
            let len = number(end)?.min(size);
            Part { start: size - len, len }
        } else {
            let start = number(start)?;
            if start >= size {
                beyond = true;
                continue;
            }
            let end = if end.is_empty() { size - 1 } else { number(end)?.min(size - 1) };
            if end < start {
                return Err(Wrong::Syntax);
            }
            Part { start, len: end - start + 1 }
        };
        out.push(part);
    }
    if beyond && out.is_empty() { Err(Wrong::NoOverlap) } else { Ok(out) }
}

impl Part {
    /// `bytes 0-1/5`.
    #[must_use]
    pub fn content_range(&self, size: u64) -> String {
        let last = (self.start + self.len).saturating_sub(1);
        format!("bytes {}-{last}/{size}", self.start)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DATE: &str = "Mon, 23 Nov 2026 18:56:00 GMT";
    const MODIFIED: u64 = 1_795_460_160;

    #[test]
    fn ranges_and_conditions() {
        let part = |start, len| Part { start, len };
        let one = |start, len| Answer::One(part(start, len));
        for (pairs, want) in [
            (vec![], Answer::Whole),
            (vec![("range", "bytes=0-1")], one(0, 2)),
            (vec![("range", "bytes=3-")], one(3, 7)),
            (vec![("range", "bytes=-3")], one(7, 3)),
            (vec![("range", "bytes=-30")], one(0, 10)),
            (vec![("range", "bytes=5-100")], one(5, 5)),
            (vec![("range", "bytes=0-1,4-5")], Answer::Several(vec![part(0, 2), part(4, 2)])),
            (vec![("range", "bytes=0-1,20-")], one(0, 2)),
            (vec![("range", "bytes=0-7,2-9")], Answer::Whole),
            (vec![("range", "bytes=")], Answer::Whole),
            (vec![("range", "bytes=10-")], Answer::Unsatisfiable),
            (vec![("range", "bytes=2-1")], Answer::Malformed),
            (vec![("range", "bytes=a-b")], Answer::Malformed),
            (vec![("range", "bytes=+1-2")], Answer::Malformed),
            (vec![("range", "bytes=--1")], Answer::Malformed),
            (vec![("range", "x")], Answer::Malformed),
            (vec![("range", "bytes=0-1"), ("if-range", DATE)], one(0, 2)),
            (vec![("range", "bytes=0-1"), ("if-range", "\"x\"")], Answer::Whole),
            (vec![("if-modified-since", DATE)], Answer::NotModified),
            (vec![("if-modified-since", "Mon, 23 Nov 2026 18:55:59 GMT")], Answer::Whole),
            (vec![("if-modified-since", DATE), ("if-none-match", "\"x\"")], Answer::Whole),
            (vec![("if-none-match", "*")], Answer::NotModified),
            (vec![("if-match", "\"x\"")], Answer::Failed),
            (vec![("if-match", "*")], Answer::Whole),
            (vec![("if-unmodified-since", "Mon, 23 Nov 2026 18:55:59 GMT")], Answer::Failed),
            (vec![("if-unmodified-since", DATE)], Answer::Whole),
        ] {
            let headers = pairs
                .iter()
                .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
                .collect();
            assert_eq!(decide(&Method::GET, &headers, 10, MODIFIED), want, "{pairs:?}");
        }
        assert_eq!(http_date(MODIFIED), DATE);
    }

    #[test]
    fn empty_files_ignore_ranges() {
        let headers =
            [(header::RANGE, HeaderValue::from_static("bytes=0-1"))].into_iter().collect();
        assert_eq!(decide(&Method::GET, &headers, 0, 0), Answer::Whole);
    }
}
