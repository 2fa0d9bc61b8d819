//! Collections: the immutable snapshot, validation, differences and their application.
