//! The types of samples, as the reference names them: `samples.tsv`, one a line.

use crate::{HEAD, detect};

/// The bytes of a sample.
fn content(text: &str) -> Vec<u8> {
    let (plain, rest) = text.split_once('«').map_or((text, None), |(a, b)| (a, Some(b)));
    let mut out = unescaped(plain);
    if let Some((repeated, after)) = rest.and_then(|rest| rest.split_once('»')) {
        let (count, unit) = repeated.split_once('*').expect("a count");
        out.extend(unescaped(unit).repeat(count.parse().expect("a number")));
        out.extend(content(after));
    }
    out
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next().expect("an escape") {
                b'0' => 0,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'\\' => b'\\',
                b'x' => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    let digits = String::from_utf8(digits).expect("digits");
                    u8::from_str_radix(&digits, 16).expect("two digits")
                }
                other => panic!("\\{}", char::from(other)),
            },
            other => other,
        });
    }
    out
}

fn samples() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
    let lines = include_str!("samples.tsv").lines().filter(|line| !line.starts_with("# "));
    lines.map(|line| {
        let mut parts = line.splitn(3, '\t');
        let mut next = || parts.next().expect("three parts");
        (next(), next(), content(next()))
    })
}

#[test]
fn samples_are_what_the_reference_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, extension, content) in samples() {
        let found = detect(&content);
        if (found.name.as_str(), found.extension) != (name, extension) {
            let start = String::from_utf8_lossy(&content[..content.len().min(60)]).into_owned();
            wrong.push(format!(
                "{start:?}: {} {}, not {name} {extension}",
                found.name, found.extension
            ));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 400, "{count} samples");
}

/// Cut anywhere, and with any one byte changed, everything is still answered.
#[test]
fn broken_samples_do_no_harm() {
    for (_, _, content) in samples() {
        for end in 0..content.len().min(300) {
            let _ = detect(&content[..end]);
        }
        let mut broken = content.clone();
        for at in 0..broken.len().min(HEAD) {
            let byte = broken[at];
            for other in [0, 0xFF, byte ^ 1, byte ^ 0x80] {
                broken[at] = other;
                if at < 40 || at % 37 == 0 {
                    let _ = detect(&broken);
                }
            }
            broken[at] = byte;
        }
    }
}

#[test]
fn listed_types() {
    for (content, listed, is_one) in [
        (&b"id,name\n1,a\n"[..], "text/csv", true),
        (b"id,name\n1,a\n", " TEXT/CSV ; charset=utf-16", true),
        (b"id,name\n1,a\n", "text/plain", false),
        (b"%PDF-1.4", "application/x-pdf", true),
        (b"%PDF-1.4", "Application/PDF; a=b", true),
        (b"hello", "text/plain", true),
        (b"hello", "text/plain; charset=iso-8859-1", true),
        (b"hello", "text/plain;charset", true),
        (b"hello", "text/*", false),
        (b"hello", "", false),
        (b"\0\x01", "application/octet-stream", true),
        (b"\x1A\x45\xDF\xA3\x42\x82\x88matroska", "video/x-matroska", true),
        (b"\x1A\x45\xDF\xA3\x42\x82\x88matroska", "video/matroska", true),
    ] {
        assert_eq!(detect(content).is(listed), is_one, "{listed}");
    }
}
