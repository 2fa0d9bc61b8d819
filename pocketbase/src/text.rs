//! Small things that are done to texts before others see them.
//!
//! Must not know whose texts they are.

pub use engine::check::cut;

/// What stands where something is not shown.
pub const MASK: &str = "****";

/// The first and the last four characters of something that is not shown; of what is short nothing.
#[must_use]
pub fn masked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 8 {
        return MASK.into();
    }
    let part = |range: &[char]| range.iter().collect::<String>();
    format!("{}{MASK}{}", part(&chars[..4]), part(&chars[chars.len() - 4..]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn masks() {
        for (text, want) in [
            ("", "****"),
            ("12345678", "****"),
            ("123456789", "1234****6789"),
            ("0123456789abcdef0123456789abcdef", "0123****cdef"),
            ("ääääöööö1", "ääää****ööö1"),
        ] {
            assert_eq!(super::masked(text), want);
        }
    }
}
