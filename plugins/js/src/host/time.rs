//! Points in time (spec extending §2.8).

use std::sync::Arc;

use pocketbase::DateTime;

use super::{
    hosted,
    layout::{self, Wall},
    zone::{self, Zone},
};
use crate::bind::{Args, Res, Shared, Val, native, table};

/// The value of date fields; `None` is the empty one.
#[derive(Clone, Copy)]
pub(crate) struct DateTimeValue(pub(crate) Option<DateTime>);

/// Go's time: milliseconds, and where clocks show it.
#[derive(Clone)]
pub(crate) struct Moment(pub(crate) i64, Zone);

native!(DateTimeValue = DATE_TIME, Moment = TIME);
hosted!(DateTimeValue, Moment);

table! {
    pub(crate) static DATE_TIME: DateTimeValue = "types.DateTime", "A point in time." {
        fn "add" "(nanoseconds: number): types.DateTime" "Later by a duration." => |cx, t, a| at(t.millis() + a.int(0)? / 1_000_000);
        fn "addDate" "(years: number, months: number, days: number): types.DateTime" "Later by a date." => |cx, t, a| {
            at(add_date(t.millis(), a.int(0)?, a.int(1)?, a.int(2)?))
        };
        fn "after" "(other: types.DateTime): boolean" "Whether it is later." => |cx, t, a| t.millis() > instant(a, 0, DATE_TIME.name)?;
        fn "before" "(other: types.DateTime): boolean" "Whether it is earlier." => |cx, t, a| t.millis() < instant(a, 0, DATE_TIME.name)?;
        fn "compare" "(other: types.DateTime): number" "-1, 0 or 1." => |cx, t, a| t.millis().cmp(&instant(a, 0, DATE_TIME.name)?) as i64;
        fn "equal" "(other: types.DateTime): boolean" "Whether it is the same." => |cx, t, a| t.millis() == instant(a, 0, DATE_TIME.name)?;
        fn "isZero" "(): boolean" "True for none." => |cx, t, a| t.0.is_none();
        fn "marshalJSON" "(): number[]" "As JSON, in bytes." => |cx, t, a| Val::Bytes(format!("\"{}\"", shown(t)).into_bytes());
        fn "string" "(): string" "As stored: `2024-01-02 03:04:05.678Z`." => |cx, t, a| shown(t);
        fn "sub" "(other: types.DateTime): number" "How much later it is, in nanoseconds." => |cx, t, a| Span::between(t.millis(), instant(a, 0, DATE_TIME.name)?);
        fn "time" "(): time.Time" "As a time." => |cx, t, a| moment_of(t.millis());
        fn "unix" "(): number" "Seconds since 1970." => |cx, t, a| t.millis().div_euclid(1000);
        fn "value" "(): string" "As stored." => |cx, t, a| shown(t);
    }
    text |t| shown(t);
    json |t| Val::Str(shown(t));
}

table! {
    pub(crate) static TIME: Moment = "time.Time", "A point in time, as Go has it." {
        fn "add" "(nanoseconds: number): time.Time" "Later by a duration." => |cx, t, a| t.at(t.0 + a.int(0)? / 1_000_000);
        fn "addDate" "(years: number, months: number, days: number): time.Time" "Later by a date." => |cx, t, a| {
            t.at(t.1.instant(add_date(t.wall(), a.int(0)?, a.int(1)?, a.int(2)?)))
        };
        fn "after" "(other: time.Time): boolean" "Whether it is later." => |cx, t, a| t.0 > instant(a, 0, TIME.name)?;
        fn "before" "(other: time.Time): boolean" "Whether it is earlier." => |cx, t, a| t.0 < instant(a, 0, TIME.name)?;
        fn "clock" "(): number[]" "Hour, minute and second." => |cx, t, a| {
            let wall = t.shown();
            Val::List(vec![Val::Int(wall.hour), Val::Int(wall.minute), Val::Int(wall.second)])
        };
        fn "compare" "(other: time.Time): number" "-1, 0 or 1." => |cx, t, a| t.0.cmp(&instant(a, 0, TIME.name)?) as i64;
        fn "date" "(): number[]" "Year, month and day." => |cx, t, a| {
            let (year, month, day) = civil(t.wall());
            Val::List(vec![Val::Int(year), Val::Host(Arc::new(Month(month))), Val::Int(day)])
        };
        fn "day" "(): number" "The day, from 1." => |cx, t, a| civil(t.wall()).2;
        fn "equal" "(other: time.Time): boolean" "Whether it is the same." => |cx, t, a| t.0 == instant(a, 0, TIME.name)?;
        fn "format" "(layout: string): string" "Written after the example `Mon Jan 2 15:04:05 MST 2006`." => |cx, t, a| t.shown().format(&a.str(0)?);
        fn "hour" "(): number" "The hour." => |cx, t, a| t.shown().hour;
        fn "isoWeek" "(): number[]" "Year and week, as ISO 8601 counts them." => |cx, t, a| {
            let (year, week) = iso_week(t.wall());
            Val::List(vec![Val::Int(year), Val::Int(week)])
        };
        fn "in" "(zone: time.Location): time.Time" "The same in another time zone." => |cx, t, a| Moment(t.0, a.host::<Zone>(0)?.clone());
        fn "isDST" "(): boolean" "Whether clocks are put forward." => |cx, t, a| t.1.is_dst(t.0);
        fn "isZero" "(): boolean" "True for the year 1." => |cx, t, a| t.0 == ZERO_MILLIS;
        fn "local" "(): time.Time" "The same in the time zone of the machine." => |cx, t, a| Moment(t.0, Zone::named("Local"));
        fn "location" "(): time.Location" "The time zone." => |cx, t, a| t.1.clone();
        fn "marshalJSON" "(): number[]" "As JSON, in bytes." => |cx, t, a| Val::Bytes(format!("\"{}\"", t.rfc3339()).into_bytes());
        fn "marshalText" "(): number[]" "As RFC 3339, in bytes." => |cx, t, a| Val::Bytes(t.rfc3339().into_bytes());
        fn "minute" "(): number" "The minute." => |cx, t, a| t.shown().minute;
        fn "month" "(): number" "The month, from 1." => |cx, t, a| Arc::new(Month(civil(t.wall()).1)) as Shared;
        fn "nanosecond" "(): number" "The nanosecond." => |cx, t, a| t.shown().nanos;
        fn "round" "(nanoseconds: number): time.Time" "To the nearest multiple of a duration since the year 1." => |cx, t, a| {
            let step = a.int(0)? / 1_000_000;
            if step > 0 { t.at(t.0 + step / 2 - (t.0 - ZERO_MILLIS + step / 2).rem_euclid(step)) } else { t.clone() }
        };
        fn "second" "(): number" "The second." => |cx, t, a| t.shown().second;
        fn "string" "(): string" "As Go prints it." => |cx, t, a| t.text();
        fn "sub" "(other: time.Time): number" "How much later it is, in nanoseconds." => |cx, t, a| Span::between(t.0, instant(a, 0, TIME.name)?);
        fn "truncate" "(nanoseconds: number): time.Time" "Down to a multiple of a duration since the year 1." => |cx, t, a| {
            let step = a.int(0)? / 1_000_000;
            if step > 0 { t.at(t.0 - (t.0 - ZERO_MILLIS).rem_euclid(step)) } else { t.clone() }
        };
        fn "utc" "(): time.Time" "The same in UTC." => |cx, t, a| moment_of(t.0);
        fn "unix" "(): number" "Seconds since 1970." => |cx, t, a| t.0.div_euclid(1000);
        fn "unixMicro" "(): number" "Microseconds since 1970." => |cx, t, a| t.0 * 1000;
        fn "unixMilli" "(): number" "Milliseconds since 1970." => |cx, t, a| t.0;
        fn "unixNano" "(): number" "Nanoseconds since 1970." => |cx, t, a| t.0.wrapping_mul(1_000_000);
        fn "weekday" "(): number" "The day of the week, from Sunday as 0." => |cx, t, a| Arc::new(Weekday(t.shown().week_day)) as Shared;
        fn "year" "(): number" "The year." => |cx, t, a| civil(t.wall()).0;
        fn "yearDay" "(): number" "The day of the year, from 1." => |cx, t, a| t.shown().year_day;
        fn "zone" "(): any[]" "The letters of the time zone, and how many seconds it is from UTC." => |cx, t, a| {
            Val::List(vec![t.1.letters(t.0).into(), Val::Int(t.1.offset(t.0))])
        };
    }
    text |t| t.text();
    json |t| Val::Str(t.rfc3339());
}

/// A month that prints as its name.
struct Month(i64);
/// A day of the week that prints as its name.
struct Weekday(i64);
native!(Month = MONTH, Weekday = WEEKDAY);

table! {
    pub(crate) static MONTH: Month = "time.Month", "A month: a number that prints as a name." {
        fn "string" "(): string" "Its name." => |cx, m, a| layout::month_name(m.0).to_owned();
    }
    text |m| layout::month_name(m.0).to_owned();
    json |m| Val::Int(m.0);
    value |m| Val::Int(m.0);
}
table! {
    pub(crate) static WEEKDAY: Weekday = "time.Weekday", "A day of the week: a number that prints as a name." {
        fn "string" "(): string" "Its name." => |cx, d, a| layout::day_name(d.0).to_owned();
    }
    text |d| layout::day_name(d.0).to_owned();
    json |d| Val::Int(d.0);
    value |d| Val::Int(d.0);
}

impl Moment {
    fn at(&self, millis: i64) -> Self {
        Self(millis, self.1.clone())
    }
    /// What the clocks show, as if it were UTC.
    fn wall(&self) -> i64 {
        self.0 + self.1.offset(self.0) * 1000
    }
    fn shown(&self) -> Wall {
        let wall = self.wall();
        let (year, month, day) = civil(wall);
        Wall {
            year,
            month,
            day,
            year_day: wall.div_euclid(DAY) - days(year, 1, 1) + 1,
            week_day: week_day(wall),
            hour: wall.rem_euclid(DAY) / 3_600_000,
            minute: wall.rem_euclid(DAY) / 60_000 % 60,
            second: wall.rem_euclid(DAY) / 1000 % 60,
            nanos: wall.rem_euclid(1000) * 1_000_000,
            offset: self.1.offset(self.0),
            letters: self.1.letters(self.0),
        }
    }
    pub(crate) fn text(&self) -> String {
        self.shown().format("2006-01-02 15:04:05.999999999 -0700 MST")
    }
    fn rfc3339(&self) -> String {
        self.shown().format("2006-01-02T15:04:05.999999999Z07:00")
    }
}

fn week_day(wall: i64) -> i64 {
    (wall.div_euclid(DAY) + 4).rem_euclid(7)
}
/// The week belongs to the year of its Thursday.
fn iso_week(wall: i64) -> (i64, i64) {
    let thursday = wall + (3 - (week_day(wall) + 6) % 7) * DAY;
    let year = civil(thursday).0;
    (year, (thursday.div_euclid(DAY) - days(year, 1, 1)) / 7 + 1)
}

/// A duration in milliseconds; scripts see nanoseconds that print as `5m0s`.
pub(crate) struct Span(pub(super) i64);
native!(Span = DURATION);
hosted!(Span);
table! {
    pub(crate) static DURATION: Span = "time.Duration", "A duration." {
        fn "seconds" "(): number" "In seconds." => |cx, d, a| seconds(d.0);
        fn "minutes" "(): number" "In minutes." => |cx, d, a| seconds(d.0) / 60.0;
        fn "hours" "(): number" "In hours." => |cx, d, a| seconds(d.0) / 3600.0;
        fn "milliseconds" "(): number" "In milliseconds." => |cx, d, a| d.0;
        fn "microseconds" "(): number" "In microseconds." => |cx, d, a| d.0.saturating_mul(1000);
        fn "nanoseconds" "(): number" "In nanoseconds." => |cx, d, a| d.nanos();
        fn "abs" "(): time.Duration" "Without its sign." => |cx, d, a| Span(d.0.saturating_abs());
        fn "round" "(nanoseconds: number): time.Duration" "To the nearest multiple." => |cx, d, a| Span(rounded(d.0, a.int(0)? / NANOS));
        fn "truncate" "(nanoseconds: number): time.Duration" "To a multiple, towards zero." => |cx, d, a| match a.int(0)? / NANOS {
            unit if unit > 0 => Span(d.0 - d.0 % unit),
            _ => Span(d.0),
        };
        fn "string" "(): string" "`1h2m3s`." => |cx, d, a| span_text(d.0);
    }
    text |d| if d.0.checked_mul(NANOS).is_some() { span_text(d.0) } else { LONGEST.replace('-', if d.0 < 0 { "-" } else { "" }) };
    json |d| Val::Int(d.nanos());
    value |d| Val::Int(d.nanos());
}

const NANOS: i64 = 1_000_000;
/// As long as a duration can be.
const LONGEST: &str = "-2562047h47m16.854775807s";

impl Span {
    fn between(later: i64, earlier: i64) -> Self {
        Self(later.saturating_sub(earlier))
    }
    fn nanos(&self) -> i64 {
        self.0.saturating_mul(NANOS)
    }
}

/// Halves go away from zero; no unit changes nothing.
fn rounded(millis: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return millis;
    }
    let rest = millis % unit;
    let down = millis - rest;
    if rest.abs() * 2 < unit { down } else { down + unit * rest.signum() }
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

/// No time.
pub(crate) fn none() -> Moment {
    moment_of(ZERO_MILLIS)
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
/// A point in time given as any of its kinds, none for nothing and for other objects.
fn instant(args: &Args<'_, '_>, at: usize, wanted: &str) -> Res<i64> {
    if let Some(time) = args.opt_host::<DateTimeValue>(at)? {
        return Ok(time.millis());
    }
    if let Some(time) = args.opt_host::<Moment>(at)? {
        return Ok(time.0);
    }
    match args.val(at)? {
        Val::Time(millis) => Ok(millis),
        Val::Str(text) if wanted == TIME.name => {
            Err(args.inconvertible_text(at, &format!("string {text}"), wanted))
        }
        _ if args.at(at).is_object() || args.is_nil(at) => Ok(ZERO_MILLIS),
        _ => Err(args.inconvertible(at, wanted)),
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
    Arc::new(moment_of(millis))
}
pub(crate) fn moment_of(millis: i64) -> Moment {
    Moment(millis, Zone::UTC)
}
pub(crate) fn date_time(time: Option<DateTime>) -> Val {
    Val::Host(Arc::new(DateTimeValue(time)))
}
/// `new DateTime(date, zone)`: now without a date, none for what is no date. The zone is for texts that say none.
pub(crate) fn new_date_time(args: &Args<'_, '_>) -> Res<DateTimeValue> {
    let text = match args.val(0)? {
        Val::Str(text) if !text.is_empty() => text,
        _ => {
            return Ok(at(pocketbase::now().millis()));
        }
    };
    let Some(time) = parsed(&text) else { return Ok(DateTimeValue(None)) };
    let zone = if args.is_nil(1) { Zone::UTC } else { Zone::named(&args.str(1)?) };
    if zone::says_offset(&text) {
        return Ok(DateTimeValue(Some(time)));
    }
    Ok(at(zone.instant(time.millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let millis = 1_704_164_645_678;
        assert_eq!(civil(millis), (2024, 1, 2));
        assert_eq!(moment_of(add_date(millis, 1, -1, 3)).rfc3339(), "2024-12-05T03:04:05.678Z");
        assert_eq!(moment_of(0).text(), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(iso_week(1_688_083_200_000), (2023, 26));
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        for (millis, text) in
            [(0, "0s"), (5678, "5.678s"), (300_000, "5m0s"), (3_723_000, "1h2m3s"), (12, "12ms")]
        {
            assert_eq!(span_text(millis), text);
        }
    }
}
