//! Stored cells as text: every column is read through its text form (spec collections-and-fields §1.5).

use std::borrow::Cow;

use crate::store::ValueRef;

/// A cell that makes the whole query fail (a geo point that is not an object, spec §3.10).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the stored value: {0}")]
pub struct Corrupt(pub String);

/// The text of a cell; NULL is empty, integers are decimal, reals are shortest `%g`.
#[must_use]
pub fn cell_text(cell: ValueRef<'_>) -> Cow<'_, str> {
    match cell {
        ValueRef::Null => Cow::Borrowed(""),
        ValueRef::Text(text) => Cow::Borrowed(text),
        ValueRef::Int(int) => Cow::Owned(itoa::Buffer::new().format(int).to_owned()),
        ValueRef::Real(real) => Cow::Owned(crate::json::format_g(real)),
        ValueRef::Blob(bytes) => crate::json::lossy(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_as_text() {
        for (real, want) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1e-7, "1e-07"),
            (0.0001, "0.0001"),
            (123_456.5, "123456.5"),
            (1_234_567.5, "1.2345675e+06"),
            (12_345_678_901_234_567_890.0, "1.2345678901234567e+19"),
            (1e100, "1e+100"),
        ] {
            assert_eq!(cell_text(ValueRef::Real(real)), want);
        }
        assert_eq!(cell_text(ValueRef::Int(-3)), "-3");
        assert_eq!(cell_text(ValueRef::Null), "");
    }
}
