//! SQLite spelling.
