//! Pictures to thumbnails: the size grammar and the formats (spec records-files §4.5); the work is in `enabled`.
//!
//! Cargo feature `thumbs`: without it no thumbnail is made, and whoever asks for one gets the original.
//! Must not know storage.

#[cfg(not(feature = "thumbs"))]
mod disabled;
#[cfg(feature = "thumbs")]
mod enabled;

#[cfg(not(feature = "thumbs"))]
pub(crate) use disabled::{ready, thumbnail};
#[cfg(feature = "thumbs")]
pub(crate) use enabled::{ready, thumbnail};

/// The size every image has a thumbnail of.
pub const DEFAULT_SIZE: &str = "100x100";
/// Longest side of a picture we touch, source or thumbnail.
const MAX_SIDE: u32 = 30_000;

/// Which part of a picture that is cropped stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Center,
    Top,
    Bottom,
}

/// What a thumbnail is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// `WxH`, `WxHt`, `WxHb`: exactly this size, cropped.
    Fill(u32, u32, Anchor),
    /// `WxHf`: inside this size, never enlarged.
    Fit(u32, u32),
    /// `0xH`: this height, same ratio.
    Height(u32),
    /// `Wx0`: this width, same ratio.
    Width(u32),
}

impl Size {
    /// Reads `WxH` with an optional `t`, `b` or `f`; `None` for anything else and for `0x0`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, form) = match text.as_bytes().last()? {
            form @ (b't' | b'b' | b'f') => (&text[..text.len() - 1], Some(*form)),
            _ => (text, None),
        };
        let (width, height) = rest.split_once('x')?;
        let side = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if digits { text.parse::<u32>().ok().filter(|n| *n <= MAX_SIDE) } else { None }
        };
        Some(match (side(width)?, side(height)?, form) {
            (0, 0, _) => return None,
            (0, height, _) => Self::Height(height),
            (width, 0, _) => Self::Width(width),
            (width, height, None) => Self::Fill(width, height, Anchor::Center),
            (width, height, Some(b't')) => Self::Fill(width, height, Anchor::Top),
            (width, height, Some(b'b')) => Self::Fill(width, height, Anchor::Bottom),
            (width, height, Some(_)) => Self::Fit(width, height),
        })
    }
}

/// How a thumbnail is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Gif,
    Png,
    /// Lossless; only for clients that ask for it.
    WebP,
}

impl Format {
    /// The content type.
    #[must_use]
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    /// How thumbnails of a stored content type are written, `None` where there are none.
    #[must_use]
    pub fn of_source(content_type: &str, accepts_webp: bool) -> Option<Self> {
        match content_type {
            "image/jpeg" | "image/jpg" => Some(Self::Jpeg),
            "image/gif" => Some(Self::Gif),
            "image/png" => Some(Self::Png),
            "image/webp" if accepts_webp => Some(Self::WebP),
            "image/webp" => Some(Self::Png),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        use Anchor::{Bottom, Center, Top};
        for (text, want) in [
            ("100x50", Some(Size::Fill(100, 50, Center))),
            ("100x50t", Some(Size::Fill(100, 50, Top))),
            ("100x50b", Some(Size::Fill(100, 50, Bottom))),
            ("100x50f", Some(Size::Fit(100, 50))),
            ("0x50", Some(Size::Height(50))),
            ("100x0", Some(Size::Width(100))),
            ("0x0", None),
            ("0x0f", None),
            ("", None),
            ("x", None),
            ("10x", None),
            ("+1x1", None),
            ("1x1x", None),
            ("1x1ü", None),
            ("99999999999x1", None),
        ] {
            assert_eq!(Size::parse(text), want, "{text}");
        }
    }
}
