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
        fn "unix" "(): number" "Seconds since 1970." => |cx, t, a| t.millis().div_euclid(1000);
        fn "time" "(): time.Time" "As a time." => |cx, t, a| Moment(t.millis());
        fn "add" "(nanoseconds: number): types.DateTime" "Later by a duration." => |cx, t, a| at(t.millis() + a.int(0)? / 1_000_000);
        fn "addDate" "(years: number, months: number, days: number): types.DateTime" "Later by a date." => |cx, t, a| {
            at(add_date(t.millis(), a.int(0)?, a.int(1)?, a.int(2)?))
        };
        fn "sub" "(other: types.DateTime): number" "How much later it is, in nanoseconds." => |cx, t, a| Span(t.millis() - instant(a, 0)?);
        fn "after" "(other: types.DateTime): boolean" "Whether it is later." => |cx, t, a| t.millis() > instant(a, 0)?;
        fn "before" "(other: types.DateTime): boolean" "Whether it is earlier." => |cx, t, a| t.millis() < instant(a, 0)?;
        fn "equal" "(other: types.DateTime): boolean" "Whether it is the same." => |cx, t, a| t.millis() == instant(a, 0)?;
        fn "compare" "(other: types.DateTime): number" "-1, 0 or 1." => |cx, t, a| match t.millis().cmp(&instant(a, 0)?) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        };
    }
    text |t| shown(t);
    json |t| Val::Str(shown(t));
}

table! {
    pub(crate) static TIME: Moment = "time.Time", "A point in time, as Go has it; in UTC." {
        fn "unix" "(): number" "Seconds since 1970." => |cx, t, a| t.0.div_euclid(1000);
        fn "unixMilli" "(): number" "Milliseconds since 1970." => |cx, t, a| t.0;
        fn "unixMicro" "(): number" "Microseconds since 1970." => |cx, t, a| t.0 * 1000;
        fn "unixNano" "(): number" "Nanoseconds since 1970." => |cx, t, a| t.0 * 1_000_000;
        fn "year" "(): number" "The year." => |cx, t, a| civil(t.0).0;
        fn "month" "(): number" "The month, from 1." => |cx, t, a| civil(t.0).1;
        fn "day" "(): number" "The day, from 1." => |cx, t, a| civil(t.0).2;
        fn "hour" "(): number" "The hour." => |cx, t, a| t.0.rem_euclid(DAY) / 3_600_000;
        fn "minute" "(): number" "The minute." => |cx, t, a| t.0.rem_euclid(DAY) / 60_000 % 60;
        fn "second" "(): number" "The second." => |cx, t, a| t.0.rem_euclid(DAY) / 1000 % 60;
        fn "nanosecond" "(): number" "The nanosecond." => |cx, t, a| t.0.rem_euclid(1000) * 1_000_000;
        fn "weekday" "(): number" "The day of the week, from Sunday as 0." => |cx, t, a| (t.0.div_euclid(DAY) + 4).rem_euclid(7);
        fn "yearDay" "(): number" "The day of the year, from 1." => |cx, t, a| t.0.div_euclid(DAY) - days(civil(t.0).0, 1, 1) + 1;
        fn "add" "(nanoseconds: number): time.Time" "Later by a duration." => |cx, t, a| Moment(t.0 + a.int(0)? / 1_000_000);
        fn "addDate" "(years: number, months: number, days: number): time.Time" "Later by a date." => |cx, t, a| Moment(add_date(t.0, a.int(0)?, a.int(1)?, a.int(2)?));
        fn "sub" "(other: time.Time): number" "How much later it is, in nanoseconds." => |cx, t, a| Span(t.0 - instant(a, 0)?);
        fn "after" "(other: time.Time): boolean" "Whether it is later." => |cx, t, a| t.0 > instant(a, 0)?;
        fn "before" "(other: time.Time): boolean" "Whether it is earlier." => |cx, t, a| t.0 < instant(a, 0)?;
        fn "equal" "(other: time.Time): boolean" "Whether it is the same." => |cx, t, a| t.0 == instant(a, 0)?;
        fn "isZero" "(): boolean" "True for the year 1." => |cx, t, a| t.0 == ZERO_MILLIS;
        fn "utc" "(): time.Time" "Itself." => |cx, t, a| *t;
        fn "local" "(): time.Time" "Itself." => |cx, t, a| *t;
        fn "string" "(): string" "As a text." => |cx, t, a| rfc3339(t.0);
    }
    text |t| rfc3339(t.0);
    json |t| Val::Str(rfc3339(t.0));
}

/// A duration in milliseconds; scripts see nanoseconds that print as `5m0s`.
pub(crate) struct Span(i64);
native!(Span = DURATION);
hosted!(Span);
table! {
    pub(crate) static DURATION: Span = "time.Duration", "A duration." {
        fn "seconds" "(): number" "In seconds." => |cx, d, a| seconds(d.0);
        fn "minutes" "(): number" "In minutes." => |cx, d, a| seconds(d.0) / 60.0;
        fn "hours" "(): number" "In hours." => |cx, d, a| seconds(d.0) / 3600.0;
        fn "milliseconds" "(): number" "In milliseconds." => |cx, d, a| d.0;
        fn "string" "(): string" "`1h2m3s`." => |cx, d, a| span_text(d.0);
    }
    text |d| span_text(d.0);
    json |d| Val::Int(d.0 * 1_000_000);
    value |d| Val::Int(d.0 * 1_000_000);
}

#[allow(clippy::cast_precision_loss, reason = "durations are small")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// As Go prints durations.
fn span_text(millis: i64) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let sign = if millis < 0 { "-" } else { "" };
    let all = millis.unsigned_abs();
    if all < 1000 {
        return format!("{sign}{all}ms");
    }
    let (hours, minutes, rest) = (all / 3_600_000, all / 60_000 % 60, all % 60_000);
    let mut second = format!("{}", rest / 1000);
    if rest % 1000 > 0 {
        second.push_str(format!(".{:03}", rest % 1000).trim_end_matches('0'));
    }
    match (hours, minutes) {
        (0, 0) => format!("{sign}{second}s"),
        (0, _) => format!("{sign}{minutes}m{second}s"),
        _ => format!("{sign}{hours}h{minutes}m{second}s"),
    }
}

const DAY: i64 = 86_400_000;

impl DateTimeValue {
    fn millis(&self) -> i64 {
        self.0.map_or(ZERO_MILLIS, DateTime::millis)
    }
}
fn at(millis: i64) -> DateTimeValue {
    DateTimeValue((millis != ZERO_MILLIS).then(|| DateTime::from_millis(millis)))
}
/// A point in time given as any of its kinds.
fn instant(args: &Args<'_, '_>, at: usize) -> Res<i64> {
    if let Some(time) = args.opt_host::<DateTimeValue>(at)? {
        return Ok(time.millis());
    }
    if let Some(time) = args.opt_host::<Moment>(at)? {
        return Ok(time.0);
    }
    match args.val(at)? {
        Val::Time(millis) => Ok(millis),
        Val::Str(text) => Ok(parsed(&text).map_or(ZERO_MILLIS, DateTime::millis)),
        _ => Ok(ZERO_MILLIS),
    }
}

/// Days since 1970 of a civil date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}
/// Year, month and day of a point in time.
fn civil(millis: i64) -> (i64, i64, i64) {
    let z = millis.div_euclid(DAY) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}
/// As Go: months overflow into years, days into months.
fn add_date(millis: i64, years: i64, months: i64, more_days: i64) -> i64 {
    let (year, month, day) = civil(millis);
    let month = month - 1 + months;
    let date = days(year + years + month.div_euclid(12), month.rem_euclid(12) + 1, 1) + day - 1
        + more_days;
    date * DAY + millis.rem_euclid(DAY)
}

pub(crate) fn parsed(text: &str) -> Option<DateTime> {
    pocketbase::parse_date_time(text)
}

/// Go's zero time: the year 1.
const ZERO_SECONDS: i64 = -62_135_596_800;
const ZERO_MILLIS: i64 = ZERO_SECONDS * 1000;

fn shown(time: &DateTimeValue) -> String {
    time.0.map(|time| time.to_string()).unwrap_or_default()
}

/// `Mon, 02 Jan 2006 15:04:05 GMT`.
pub(crate) fn http_date(millis: i64) -> String {
    let days = millis.div_euclid(86_400_000);
    let week = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day = usize::try_from(days.rem_euclid(7)).unwrap_or_default();
    let months =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = DateTime::from_millis(millis).to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|n| months.get(n.wrapping_sub(1)));
    format!(
        "{}, {} {} {} {} GMT",
        week[day],
        part(8..10),
        month.unwrap_or(&""),
        part(0..4),
        part(11..19)
    )
}

pub(crate) fn moment(millis: i64) -> Shared {
    Arc::new(Moment(millis))
}
pub(crate) fn date_time(time: Option<DateTime>) -> Val {
    Val::Host(Arc::new(DateTimeValue(time)))
}
/// `new DateTime(date)`: now without one, none for what is no date.
pub(crate) fn new_date_time(args: &Args<'_, '_>) -> Res<DateTimeValue> {
    let text = match args.val(0)? {
        Val::Str(text) if !text.is_empty() => text,
        _ => {
            return Ok(at(pocketbase::now().millis()));
        }
    };
    Ok(DateTimeValue(parsed(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let millis = 1_704_164_645_678;
        assert_eq!(civil(millis), (2024, 1, 2));
        assert_eq!(rfc3339(add_date(millis, 1, -1, 3)), "2024-12-05T03:04:05.678Z");
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        for (millis, text) in
            [(0, "0s"), (5678, "5.678s"), (300_000, "5m0s"), (3_723_000, "1h2m3s"), (12, "12ms")]
        {
            assert_eq!(span_text(millis), text);
        }
    }
}
