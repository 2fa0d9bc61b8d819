//! `:modifier` suffixes of the last path segment (spec filter-language §7).

use crate::error::ErrorKind;

/// The five modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Modifier {
    Isset,
    Changed,
    Length,
    Each,
    Lower,
}

/// The names of all.
pub(crate) const NAMES: [&str; 5] = ["isset", "changed", "length", "each", "lower"];

impl Modifier {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Isset => "isset",
            Self::Changed => "changed",
            Self::Length => "length",
            Self::Each => "each",
            Self::Lower => "lower",
        }
    }
}

/// Splits a segment with exactly one colon; two or more colons are part of the name.
pub(super) fn split(segment: &str) -> Result<(&str, Option<Modifier>), ErrorKind> {
    let Some((name, suffix)) = segment.split_once(':') else { return Ok((segment, None)) };
    let modifier = match suffix {
        "isset" => Modifier::Isset,
        "changed" => Modifier::Changed,
        "length" => Modifier::Length,
        "each" => Modifier::Each,
        "lower" => Modifier::Lower,
        _ if suffix.contains(':') => return Ok((segment, None)),
        _ => return Err(ErrorKind::UnknownModifier(segment.to_owned())),
    };
    Ok((name, Some(modifier)))
}
