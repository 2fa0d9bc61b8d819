//! Points in time (spec extending §2.8).

use std::sync::Arc;

use pocketbase::DateTime;

use super::hosted;
use crate::bind::{Args, Res, Shared, Val, native, rfc3339, table};

/// The value of date fields; `None` is the empty one.
#[derive(Clone, Copy)]
pub(crate) struct DateTimeValue(pub(crate) Option<DateTime>);

/// Go's time, in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Moment(pub(crate) i64);

native!(DateTimeValue = DATE_TIME, Moment = TIME);
hosted!(DateTimeValue, Moment);

table! {
    pub(crate) static DATE_TIME: DateTimeValue = "types.DateTime", "A point in time." {
        fn "string" "(): string" "As stored: `2024-01-02 03:04:05.678Z`." => |cx, t, a| shown(t);
        fn "isZero" "(): boolean" "True for none." => |cx, t, a| t.0.is_none();
        fn "unix" "(): number" "Seconds since 1970." => |cx, t, a| t.0.map_or(ZERO_SECONDS, DateTime::seconds);
        fn "time" "(): time.Time" "As a time." => |cx, t, a| Moment(t.0.map_or(ZERO_MILLIS, DateTime::millis));
    }
    text |t| shown(t);
    json |t| Val::Str(shown(t));
}

table! {
    pub(crate) static TIME: Moment = "time.Time", "A point in time, as Go has it." {
        fn "unix" "(): number" "Seconds since 1970." => |cx, t, a| t.0.div_euclid(1000);
        fn "unixMilli" "(): number" "Milliseconds since 1970." => |cx, t, a| t.0;
    }
    text |t| rfc3339(t.0);
    json |t| Val::Str(rfc3339(t.0));
}

/// Go's zero time: the year 1.
const ZERO_SECONDS: i64 = -62_135_596_800;
const ZERO_MILLIS: i64 = ZERO_SECONDS * 1000;

fn shown(time: &DateTimeValue) -> String {
    time.0.map(|time| time.to_string()).unwrap_or_default()
}

pub(crate) fn moment(millis: i64) -> Shared {
    Arc::new(Moment(millis))
}
pub(crate) fn date_time(time: Option<DateTime>) -> Val {
    Val::Host(Arc::new(DateTimeValue(time)))
}
pub(crate) fn new_date_time(args: &Args<'_, '_>) -> Res<DateTimeValue> {
    let _ = args;
    Ok(DateTimeValue(None))
}
