//! What the tests look at.

/// The beginning of a content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) bytes: &'a [u8],
    /// The content may go on behind these bytes.
    pub(crate) cut: bool,
}
