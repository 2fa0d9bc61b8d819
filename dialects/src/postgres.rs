//! PostgreSQL spelling.
