//! What a dialect must spell.
