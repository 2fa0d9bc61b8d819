//! How many values a text would become, before anything is kept of it. A value in memory is dozens of bytes, in a text
//! it can be two: without a bound thirty megabytes of `0,` would become gigabytes.
//!
//! Must not know whether the text is JSON: of what is not, some number comes out and the reader finds the fault.

use std::ops::ControlFlow::{self, Break, Continue};

/// Most values in one text that others wrote, members' keys counted too.
// DIFFERENCE: the reference has no bound but the body's bytes.
pub const MAX_VALUES: usize = 1 << 20;

/// True if the first value of a text is of at most [`MAX_VALUES`] values.
#[must_use]
pub fn fits(text: &[u8]) -> bool {
    // each value takes a byte and a separator
    text.len() <= MAX_VALUES || n_values(text) <= MAX_VALUES
}

/// How many values and keys the first value of a text is of; never too few, and for `[]` and `{}` one too many.
#[must_use]
pub fn n_values(text: &[u8]) -> usize {
    let mut counter = Counter { n: 1, depth: 0 };
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        if *byte == b'"' {
            at += after_string(&text[at..]);
        } else if counter.byte(*byte).is_break() {
            break;
        }
    }
    counter.n
}

struct Counter {
    n: usize,
    depth: usize,
}

impl Counter {
    /// Breaks at the end of the first value.
    fn byte(&mut self, byte: u8) -> ControlFlow<()> {
        match byte {
            b',' | b':' => self.n += 1,
            b'[' | b'{' => {
                self.n += 1;
                self.depth += 1;
            }
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Break(());
                }
            }
            _ => {}
        }
        Continue(())
    }
}

/// How many bytes the rest of a string is long, its quote included.
fn after_string(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += found + 1;
        if text[at - 1] == b'"' {
            return at;
        }
        at = text.len().min(at + 1);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        for (text, want) in [
            ("", 1),
            ("0", 1),
            ("\"a,b\\\",[\"", 1),
            ("\"a\\", 1),
            ("\"a", 1),
            ("[]", 2),
            ("[0]", 2),
            ("[0,0]", 3),
            ("{\"a,\":0}", 3),
            ("{\"a\":[{},\"[,\\\\\"],\"b\":1} , , [", 8),
            ("]]", 1),
        ] {
            assert_eq!(n_values(text.as_bytes()), want, "{text}");
        }
        assert!(fits(format!("[{}0]", "0,".repeat(MAX_VALUES - 2)).as_bytes()));
        assert!(!fits(format!("[{}0]", "0,".repeat(MAX_VALUES - 1)).as_bytes()));
        assert!(fits(format!("\"{}\"", "0,".repeat(MAX_VALUES)).as_bytes()));
    }
}
