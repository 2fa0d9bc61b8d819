//! Places in a text as browsers count them: UTF-16 units, lines and columns. Knows no request.

use serde_json::{Map, Value};

/// A text whose byte offsets are asked for in UTF-16 units.
#[derive(Debug)]
pub(crate) struct Utf16<'t>(&'t str);

impl<'t> Utf16<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self(text)
    }

    /// The offset of a byte; one inside a character counts as the character's.
    pub(crate) fn at(&self, byte: usize) -> usize {
        let chars = self.0.char_indices().take_while(|(at, c)| at + c.len_utf8() <= byte);
        chars.map(|(_, c)| c.len_utf16()).sum()
    }

    /// `start`, `end`, and `line` and `column` of the start, both from 1.
    pub(crate) fn range(&self, start: usize, end: usize) -> Map<String, Value> {
        let mut start_byte = start.min(self.0.len());
        while !self.0.is_char_boundary(start_byte) {
            start_byte -= 1;
        }
        let before = &self.0[..start_byte];
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].encode_utf16().count() + 1;
        [("start", self.at(start)), ("end", self.at(end)), ("line", line), ("column", column)]
            .into_iter()
            .map(|(name, number)| (name.to_owned(), Value::from(number)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Utf16;

    #[test]
    fn places() {
        let text = "a😀b\nä = c";
        for (start, end, want) in [
            (0, 1, [0, 1, 1, 1]),
            (1, 5, [1, 3, 1, 2]),
            (5, 6, [3, 4, 1, 4]),
            (7, 9, [5, 6, 2, 1]),
            (12, 99, [9, 10, 2, 5]),
        ] {
            let range = Utf16::of(text).range(start, end);
            let got = ["start", "end", "line", "column"].map(|name| range[name].as_u64().unwrap());
            assert_eq!(got, want, "{start}..{end}");
        }
    }
}
