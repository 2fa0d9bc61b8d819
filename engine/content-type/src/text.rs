//! Texts that are told by their first lines, and what the other modules ask of texts.

use memchr::memmem;

use crate::head::Head;

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_blank(*byte)).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Lines without their ends; what stands behind the last line feed is none if it is empty.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// What follows a beginning whose capitals stand for letters of either case.
pub(crate) fn after<'a>(bytes: &'a [u8], start: &str) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(start.len())?;
    let same = head.iter().zip(start.bytes()).all(|(byte, wanted)| {
        *byte == wanted || (wanted.is_ascii_uppercase() && byte.to_ascii_uppercase() == wanted)
    });
    same.then_some(rest)
}

/// What follows a beginning in which a blank stands for any number of them, but one at least.
pub(crate) fn after_words<'a>(bytes: &'a [u8], start: &str) -> Option<&'a [u8]> {
    let mut rest = bytes;
    for (at, word) in start.split(' ').enumerate() {
        if at > 0 {
            rest.first().filter(|byte| is_blank(**byte))?;
            rest = trim_start(rest);
        }
        rest = after(rest, word)?;
    }
    Some(rest)
}

/// The encoding that a byte order mark stands for.
pub(crate) fn mark(bytes: &[u8]) -> Option<&'static str> {
    [
        (&b"\xEF\xBB\xBF"[..], "utf-8"),
        (b"\x00\x00\xFE\xFF", "utf-32be"),
        (b"\xFF\xFE\x00\x00", "utf-32le"),
        (b"\xFE\xFF", "utf-16be"),
        (b"\xFF\xFE", "utf-16le"),
    ]
    .into_iter()
    .find(|(mark, _)| bytes.starts_with(mark))
    .map(|(_, name)| name)
}

/// No control characters but those that texts have, or a byte order mark.
pub(crate) fn is_text(head: Head<'_>) -> bool {
    mark(head.bytes).is_some()
        || !head.bytes.iter().any(|byte| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F))
}

pub(crate) fn is_pdf(head: Head<'_>) -> bool {
    memmem::find(&head.bytes[..head.bytes.len().min(1024)], b"%PDF-").is_some()
}

/// Text that holds NUL, or it would be mere text.
pub(crate) fn is_frame_maker(head: Head<'_>) -> bool {
    let bytes = head.bytes;
    let starts = bytes.starts_with(b"<MakerFile")
        || bytes.starts_with(b"<MakerDictionary")
        || after(bytes, "<BOOKFILE").is_some();
    starts && bytes[..bytes.len().min(512)].contains(&0)
}

pub(crate) fn is_card(head: Head<'_>) -> bool {
    begins_with_line(head.bytes, "BEGIN:VCARD")
}

pub(crate) fn is_calendar(head: Head<'_>) -> bool {
    begins_with_line(head.bytes, "BEGIN:VCALENDAR")
}

/// Something must follow the line.
fn begins_with_line(bytes: &[u8], line: &str) -> bool {
    after(bytes, line).is_some_and(|rest| {
        rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n").is_some_and(|r| !r.is_empty())
    })
}

/// WebVTT.
pub(crate) fn is_tracks(head: Head<'_>) -> bool {
    let bytes = head.bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head.bytes);
    bytes
        .strip_prefix(b"WEBVTT")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'\n' | b'\r' | b' ' | b'\t')))
}

/// SubRip: the number 1, a span of time, a text.
pub(crate) fn is_subtitles(head: Head<'_>) -> bool {
    let mut lines = lines(head.bytes);
    let mut next = || lines.next().unwrap_or_default();
    next() == b"1" && is_span(next()) && !next().is_empty()
}

/// `00:02:16,612 --> 00:02:19,376`.
fn is_span(line: &[u8]) -> bool {
    let Some((from, to)) = line.split_at_checked(12) else {
        return false;
    };
    let times = (milliseconds(from), to.strip_prefix(b" --> ").and_then(milliseconds));
    matches!(times, (Some(from), Some(to)) if from <= to)
}

fn milliseconds(time: &[u8]) -> Option<u32> {
    let [h0, h1, b':', m0, m1, b':', s0, s1, b',', f0, f1, f2] = *time else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
        })
    };
    let (hours, minutes) = (number(&[h0, h1])?, number(&[m0, m1])?);
    let (seconds, rest) = (number(&[s0, s1])?, number(&[f0, f1, f2])?);
    (hours < 24 && minutes < 60 && seconds < 60)
        .then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + rest)
}

/// How many lines of a head are looked at before its numbers.
const HEADER_LINES: usize = 128;

/// A netpbm image of one of these numbers: its size stands behind lines of comments.
pub(crate) fn is_portable(head: Head<'_>, numbers: &[u8]) -> bool {
    let [b'P', number, b'\n', rest @ ..] = head.bytes else {
        return false;
    };
    if !numbers.contains(number) {
        return false;
    }
    let is_content = |line: &&[u8]| !line.starts_with(b"#") && !trim_start(line).is_empty();
    let line = lines(rest).take(HEADER_LINES).find(is_content).unwrap_or_default();
    let mut words = line.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty());
    let mut is_size = || {
        let word = words.next().and_then(|word| std::str::from_utf8(word).ok());
        word.and_then(|word| word.parse::<i64>().ok()).is_some_and(|size| size > 0)
    };
    is_size() && is_size()
}

pub(crate) fn is_arbitrary_map(head: Head<'_>) -> bool {
    let Some(rest) = head.bytes.strip_prefix(b"P7\n") else {
        return false;
    };
    let mut missing = vec![&b"WIDTH "[..], b"HEIGHT ", b"DEPTH ", b"MAXVAL "];
    for line in lines(rest).take(HEADER_LINES - 1) {
        if line.starts_with(b"ENDHDR") {
            return missing.is_empty();
        }
        missing.retain(|name| !line.starts_with(name));
    }
    false
}

/// Headers of a mail as they must be spelled, …
const MAIL_HEADERS: &[&str] = &[
    "From: ",
    "To: ",
    "Date: ",
    "Subject: ",
    "Received: ",
    "Relay-Version: ",
    "#! rnews",
    "N#! rnews",
    "Forward to",
    "Pipe to",
    "Content-Type: ",
    "Content-Transfer-Encoding: ",
];
/// … and those whose capitals stand for either case.
const MAIL_HEADERS_IN_ANY_CASE: &[&str] =
    &["Message-ID: ", "CC: ", "DELIVERED-TO: ", "RETURN-PATH: "];

/// A header in the first line, and another one soon after.
pub(crate) fn is_mail(head: Head<'_>) -> bool {
    let is_header = |line: &[u8]| {
        MAIL_HEADERS.iter().any(|name| line.starts_with(name.as_bytes()))
            || MAIL_HEADERS_IN_ANY_CASE.iter().any(|name| after(line, name).is_some())
    };
    let mut lines = lines(head.bytes);
    lines.next().is_some_and(is_header) && lines.take(20).any(is_header)
}

/// GEDCOM: its mandatory first lines.
pub(crate) fn is_genealogy(head: Head<'_>) -> bool {
    let marks: [&[u8]; 3] = [b"\xEF\xBB\xBF", b"\xFE\xFF", b"\xFF\xFE"];
    let text = marks.iter().find_map(|mark| head.bytes.strip_prefix(*mark)).unwrap_or(head.bytes);
    let mut lines = lines(trim_start(text));
    lines.next() == Some(b"0 HEAD") && lines.take(10).any(|line| line == b"1 GEDC")
}
