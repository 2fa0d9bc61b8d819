//! Moments: what date fields hold, and the clock that tests can move.

use engine::time::Timestamp;

/// A moment in UTC, in milliseconds: what date fields hold.
pub type DateTime = Timestamp;

/// The present moment, as everything in the app sees it: [`TestApp::advance`](crate::testing::TestApp::advance) moves
/// it.
#[must_use]
pub fn now() -> DateTime {
    engine::time::now()
}

/// Reads a point in time in any of the forms that date fields take.
#[must_use]
pub fn parse_date_time(text: &str) -> Option<DateTime> {
    engine::time::parse(text)
}

/// Reads a point in time as RFC 3339 writes it (`2026-01-02T03:04:05.678+01:00`), and in no other form.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<DateTime> {
    engine::time::parse_rfc3339(text)
}
