//! `Content-Transfer-Encoding: quoted-printable` of a part of a form (RFC 2045 §6.7), as loosely as the reference reads it.

/// Longest line; such lines have 76 characters.
const MAX_LINE: usize = 4096;

/// Decodes a text piece by piece, line by line.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
}

/// Why a text cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

impl Decoder {
    /// What the complete lines so far stand for.
    ///
    /// # Errors
    /// [`Broken`] for control characters, text after the `=` of a soft line end, and endless lines.
    pub fn feed(&mut self, mut piece: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::with_capacity(piece.len());
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, rest) = piece.split_at(end + 1);
            piece = rest;
            self.line.extend_from_slice(line);
            decode(&self.line, &mut out)?;
            self.line.clear();
        }
        self.line.extend_from_slice(piece);
        if self.line.len() > MAX_LINE { Err(Broken) } else { Ok(out) }
    }

    /// What the last line stands for.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn finish(&mut self) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::new();
        decode(&std::mem::take(&mut self.line), &mut out)?;
        Ok(out)
    }
}

/// One line with its end: blanks before the end do not count, and `=` there means that the line goes on.
fn decode(line: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
    let text = line.trim_ascii_end();
    let end = &line[text.len()..];
    let (mut text, goes_on) = match text.strip_suffix(b"=") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let after = &end[end.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()..];
    let is_end = after.starts_with(b"\n") || after.starts_with(b"\r\n");
    if goes_on && !is_end && (text.is_empty() || !after.is_empty()) {
        return Err(Broken);
    }
    while let [byte, rest @ ..] = text {
        text = rest;
        match (byte, rest) {
            (b'=', [high, low, rest @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                text = rest;
            }
            // one that escapes nothing stands for itself
            (b'=', [] | [b'\r' | b'\n', ..]) => return Err(Broken),
            (b'\t' | b'\r' | b' '..=b'~' | 0x80.., _) => out.push(*byte),
            _ => return Err(Broken),
        }
    }
    if !goes_on && end.ends_with(b"\n") {
        out.extend_from_slice(if end.ends_with(b"\r\n") { b"\r\n" } else { b"\n" });
    }
    Ok(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (text, want) in [
            (&b"a=3Db=C3=A9 =\r\nnext=20"[..], Some("a=b\u{e9} next ")),
            (b"a=3db\r\nc  \r\nd", Some("a=b\r\nc\r\nd")),
            (b"a=zz b", Some("a=zz b")),
            (b"a=", Some("a")),
            (b"a=4", Some("a=4")),
            (b"a=3D=\nb\nc", Some("a=b\nc")),
            (b"a = \r\nb", Some("a b")),
            (b"a\rb", Some("a\rb")),
            (b"a=  ", Some("a")),
            (b"= ", None),
            (b"a=\r", None),
            (b"a=\rb", None),
            (b"=", None),
            (b"a\xc3\xa9", Some("a\u{e9}")),
            (b"a\x01", None),
            (b"a\x7f", None),
            (b"", Some("")),
        ] {
            for size in [1, 3, 100] {
                let mut decoder = Decoder::default();
                let fed: Result<Vec<Vec<u8>>, Broken> =
                    text.chunks(size).map(|piece| decoder.feed(piece)).collect();
                let got = fed.and_then(|fed| Ok([fed.concat(), decoder.finish()?].concat())).ok();
                let got = got.map(|bytes| String::from_utf8(bytes).expect("utf-8"));
                assert_eq!(got.as_deref(), want, "{}", String::from_utf8_lossy(text));
            }
        }
        assert!(Decoder::default().feed(&[b'x'; MAX_LINE + 1]).is_err());
    }
}
