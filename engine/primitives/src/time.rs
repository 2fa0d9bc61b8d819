//! Dates as the product stores and shows them: UTC, milliseconds, `YYYY-MM-DD HH:MM:SS.mmmZ`. The only reader of the clock for data.
//! Source: spec collections-and-fields §0.4.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use filter_lang::civil::{DAY_MS, civil_from_days, days_from_civil, is_leap};

/// A moment: milliseconds since 1970-01-01 UTC. The zero date of the wire (`""`) is `None` of an `Option<Timestamp>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A moment as calendars and clocks show it, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    pub year: i64,
    /// 1–12
    pub month: u8,
    /// 1–31
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    /// 0–6, 0 is Sunday.
    pub weekday: u8,
}

/// How far tests have moved the clock, in milliseconds. Of the process and not of an app: tokens are made and checked
/// where no app is at hand, and a number that never changes costs nothing beside reading the clock.
static MOVED_MS: AtomicI64 = AtomicI64::new(0);

/// The present moment.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp(millis.saturating_add(MOVED_MS.load(Relaxed)))
}

/// The present moment in seconds since the epoch, as tokens count.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "exact for some hundred thousand years")]
pub fn now_seconds() -> f64 {
    now().millis() as f64 / 1000.0
}

/// Moves the clock of the process by milliseconds, for tests.
pub fn move_clock(millis: i64) {
    MOVED_MS.fetch_add(millis, Relaxed);
}

/// 0001-01-01: the zero time of the reference.
const ZERO: i64 = -62_135_596_800_000;

impl Timestamp {
    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        now()
    }
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }
    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }
    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
    /// Later by a duration.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
    /// Earlier by a duration.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
    /// The date and the time of day.
    #[must_use]
    pub fn civil(self) -> Civil {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let small = |n: i64| n as u8;
        let (days, rest) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let (year, month, day) = civil_from_days(days);
        Civil {
            year,
            month: small(month),
            day: small(day),
            hour: small(rest / 3_600_000),
            minute: small(rest / 60_000 % 60),
            second: small(rest / 1000 % 60),
            // 1970 began on a Thursday
            weekday: small((days + 4).rem_euclid(7)),
        }
    }
    /// The wire text in a buffer; years outside 0–9999 are clamped.
    #[must_use]
    pub fn text(self) -> [u8; 24] {
        let (days, rest) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let (year, month, day) = civil_from_days(days);
        let mut out = *b"0000-00-00 00:00:00.000Z";
        digits(&mut out[0..4], year.clamp(0, 9999));
        digits(&mut out[5..7], month);
        digits(&mut out[8..10], day);
        digits(&mut out[11..13], rest / 3_600_000);
        digits(&mut out[14..16], rest / 60_000 % 60);
        digits(&mut out[17..19], rest / 1000 % 60);
        digits(&mut out[20..23], rest % 1000);
        out
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or(""))
    }
}

/// The wire text of a date that may be zero.
#[must_use]
pub fn to_text(time: Option<Timestamp>) -> String {
    time.map_or_else(String::new, |t| t.to_string())
}

/// Any accepted text in the wire form; `""` for the zero date and for what is no date.
#[must_use]
pub fn normalize(text: &str) -> String {
    to_text(parse(text))
}

/// True for a valid date in exactly the wire form.
#[must_use]
pub fn is_wire_format(text: &str) -> bool {
    parse_wire(text).is_some_and(|t| t.0 != ZERO)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn digits(out: &mut [u8], mut n: i64) {
    for slot in out.iter_mut().rev() {
        *slot = b'0' + (n % 10) as u8;
        n /= 10;
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Parses any accepted layout; `None` for the zero date and for what is no date.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let parsed = parse_wire(text)
        .or_else(|| LAYOUTS.iter().find_map(|layout| Scan::new(text).run(layout)))?;
    (parsed.0 != ZERO).then_some(parsed)
}

/// `2006-01-02T15:04:05.999Z`, or with an offset; `None` for the zero date and for what is no date.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    Scan::new(text).run(RFC3339).filter(|parsed| parsed.0 != ZERO)
}

/// The wire's own form, without detours.
fn parse_wire(text: &str) -> Option<Timestamp> {
    let b: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let fixed = b[4] == b'-'
        && b[7] == b'-'
        && b[10] == b' '
        && b[13] == b':'
        && b[16] == b':'
        && b[19] == b'.'
        && b[23] == b'Z';
    if !fixed {
        return None;
    }
    let n = |range: std::ops::Range<usize>| {
        b[range]
            .iter()
            .try_fold(0i64, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
    };
    let date = Date {
        year: n(0..4)?,
        month: n(5..7)?,
        day: n(8..10)?,
        hour: n(11..13)?,
        minute: n(14..16)?,
        second: n(17..19)?,
        millis: n(20..23)?,
        ..Date::default()
    };
    date.timestamp()
}

/// One element of a layout.
#[derive(Clone, Copy)]
enum Part {
    /// Four digits.
    Year,
    /// Two digits; 69–99 are 19xx.
    ShortYear,
    Month,
    /// `Jan`, in any case.
    MonthName,
    /// Two digits.
    Day,
    /// One or two digits, a space before is skipped.
    PaddedDay,
    Hour,
    /// 1–12.
    Hour12,
    Minute,
    /// Two digits and an optional fraction.
    Second,
    /// `AM` or `PM`.
    Half,
    Weekday,
    LongWeekday,
    /// `+0100`
    Offset,
    /// `+01:00`
    ColonOffset,
    /// `Z` or `+0100`
    ZOffset,
    /// `Z` or `+01:00`
    ZColonOffset,
    /// `UTC`, `CEST`, …: read and ignored.
    Zone,
    Text(&'static str),
}

use Part::{
    ColonOffset, Day, Half, Hour, Hour12, LongWeekday, Minute, Month, MonthName, Offset, PaddedDay,
    Second, ShortYear, Text, Weekday, Year, ZColonOffset, ZOffset, Zone,
};

const RFC3339: &[Part] = &[
    Year,
    Text("-"),
    Month,
    Text("-"),
    Day,
    Text("T"),
    Hour,
    Text(":"),
    Minute,
    Text(":"),
    Second,
    ZColonOffset,
];

/// The accepted layouts, in order (spec §0.4).
const LAYOUTS: &[&[Part]] = &[
    &[Year, Text("-"), Month, Text("-"), Day],
    RFC3339,
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text("T"),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
    ],
    &[
        Weekday,
        Text(", "),
        Day,
        Text(" "),
        MonthName,
        Text(" "),
        Year,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Offset,
    ],
    &[
        Weekday,
        Text(", "),
        Day,
        Text(" "),
        MonthName,
        Text(" "),
        Year,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Zone,
    ],
    &[
        Day,
        Text(" "),
        MonthName,
        Text(" "),
        ShortYear,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(" "),
        Offset,
    ],
    &[
        Day,
        Text(" "),
        MonthName,
        Text(" "),
        ShortYear,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(" "),
        Zone,
    ],
    &[
        LongWeekday,
        Text(", "),
        Day,
        Text("-"),
        MonthName,
        Text("-"),
        ShortYear,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Zone,
    ],
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Offset,
        Text(" "),
        Zone,
    ],
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text("T"),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Offset,
    ],
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        ZOffset,
    ],
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
    ],
    &[
        Weekday,
        Text(" "),
        MonthName,
        Text(" "),
        PaddedDay,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Year,
    ],
    &[
        Weekday,
        Text(" "),
        MonthName,
        Text(" "),
        PaddedDay,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Zone,
        Text(" "),
        Year,
    ],
    &[
        Weekday,
        Text(" "),
        MonthName,
        Text(" "),
        Day,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Offset,
        Text(" "),
        Year,
    ],
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        ZColonOffset,
    ],
    &[Day, Text(" "), MonthName, Text(" "), Year],
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        ColonOffset,
    ],
    &[
        Year,
        Text("-"),
        Month,
        Text("-"),
        Day,
        Text(" "),
        Hour,
        Text(":"),
        Minute,
        Text(":"),
        Second,
        Text(" "),
        Offset,
    ],
    &[Hour12, Text(":"), Minute, Half],
    &[MonthName, Text(" "), PaddedDay, Text(" "), Hour, Text(":"), Minute, Text(":"), Second],
];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] =
    ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// What was read so far; what a layout does not mention is January 1st of year 0.
struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    millis: i64,
    pm: Option<bool>,
    /// Seconds east of UTC.
    offset: i64,
}

impl Default for Date {
    fn default() -> Self {
        Self {
            year: 0,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            millis: 0,
            pm: None,
            offset: 0,
        }
    }
}

impl Date {
    fn timestamp(&self) -> Option<Timestamp> {
        let hour = match self.pm {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let valid = (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && hour < 24
            && self.minute < 60
            && self.second < 60;
        if !valid {
            return None;
        }
        let seconds = days_from_civil(self.year, self.month, self.day) * 86_400
            + hour * 3600
            + self.minute * 60
            + self.second
            - self.offset;
        Some(Timestamp(seconds * 1000 + self.millis))
    }
}

struct Scan<'a> {
    rest: &'a str,
    date: Date,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, date: Date::default() }
    }

    fn run(mut self, layout: &[Part]) -> Option<Timestamp> {
        for part in layout {
            self.part(*part)?;
        }
        if self.rest.is_empty() { self.date.timestamp() } else { None }
    }

    fn part(&mut self, part: Part) -> Option<()> {
        match part {
            Year => self.date.year = self.number(4, 4)?,
            ShortYear => {
                let year = self.number(2, 2)?;
                self.date.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Month => self.date.month = self.number(2, 2)?,
            MonthName => self.date.month = self.name(&MONTHS, 3)?,
            Day => self.date.day = self.number(2, 2)?,
            PaddedDay => {
                self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                self.date.day = self.number(1, 2)?;
            }
            Hour => self.date.hour = self.number(1, 2)?,
            Hour12 => {
                self.date.hour = self.number(1, 2)?;
                if self.date.hour > 12 {
                    return None;
                }
            }
            Minute => self.date.minute = self.number(2, 2)?,
            Second => self.second()?,
            Half => {
                let (half, rest) = self.rest.split_at_checked(2)?;
                self.date.pm = Some(match half {
                    "PM" => true,
                    "AM" => false,
                    _ => return None,
                });
                self.rest = rest;
            }
            Weekday => drop(self.name(&DAYS, 3)?),
            LongWeekday => drop(self.name(&DAYS, usize::MAX)?),
            Offset => self.offset(false)?,
            ColonOffset => self.offset(true)?,
            ZOffset => self.zulu_or(false)?,
            ZColonOffset => self.zulu_or(true)?,
            Zone => self.zone()?,
            Text(text) => self.literal(text)?,
        }
        Some(())
    }

    /// A space stands for any number of them, as in the reference.
    fn literal(&mut self, text: &str) -> Option<()> {
        for c in text.chars() {
            if c == ' ' && self.rest.is_empty() {
                continue;
            }
            self.rest = self.rest.strip_prefix(c)?;
            if c == ' ' {
                self.rest = self.rest.trim_start_matches(' ');
            }
        }
        Some(())
    }

    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let len = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if len < least {
            return None;
        }
        let (number, rest) = self.rest.split_at(len);
        self.rest = rest;
        number.parse().ok()
    }

    /// Position (from 1) of a name of which `len` letters count.
    fn name(&mut self, names: &[&str], len: usize) -> Option<i64> {
        for (i, name) in names.iter().enumerate() {
            let len = name.len().min(len);
            if self.rest.get(..len).is_some_and(|head| head.eq_ignore_ascii_case(&name[..len])) {
                self.rest = &self.rest[len..];
                return i64::try_from(i + 1).ok();
            }
        }
        None
    }

    fn second(&mut self) -> Option<()> {
        self.date.second = self.number(2, 2)?;
        let Some(fraction) = self.rest.strip_prefix(['.', ',']) else { return Some(()) };
        let len = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 {
            return Some(());
        }
        self.date.millis = fraction
            .bytes()
            .take(len)
            .chain(std::iter::repeat(b'0'))
            .take(3)
            .fold(0, |n, c| n * 10 + i64::from(c - b'0'));
        self.rest = &fraction[len..];
        Some(())
    }

    fn zulu_or(&mut self, colon: bool) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Some(());
        }
        self.offset(colon)
    }

    fn offset(&mut self, colon: bool) -> Option<()> {
        let sign = match self.rest.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.rest = &self.rest[1..];
        let hours = self.number(2, 2)?;
        if colon {
            self.rest = self.rest.strip_prefix(':')?;
        }
        let minutes = self.number(2, 2)?;
        if hours > 24 || minutes > 60 {
            return None;
        }
        self.date.offset = sign * (hours * 3600 + minutes * 60);
        Some(())
    }

    /// Three or four capitals (five ending in `T`), `GMT+3`, `ChST`, `MeST`, or a bare offset as `+03`.
    fn zone(&mut self) -> Option<()> {
        let text = self.rest;
        if let Some(rest) = text.strip_prefix("ChST").or_else(|| text.strip_prefix("MeST")) {
            self.rest = rest;
            return Some(());
        }
        if let Some(rest) = text.strip_prefix("GMT") {
            self.rest = signed_hours(rest).map_or(rest, |len| &rest[len..]);
            return Some(());
        }
        if let Some(len) = signed_hours(text) {
            self.rest = &text[len..];
            return Some(());
        }
        let capitals = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
        let accepted = match capitals {
            5 => text.as_bytes()[4] == b'T',
            4 => text.as_bytes()[3] == b'T' || text.starts_with("WITA"),
            3 => true,
            _ => false,
        };
        self.rest = text.get(capitals..)?;
        accepted.then_some(())
    }
}

/// Length of `+3`, `-11`, … with an hour below 24.
fn signed_hours(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(['+', '-'])?;
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    let hours: u32 = digits[..len].parse().ok()?;
    (hours < 24).then_some(len + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        let cases = [
            ("2024-02-29 23:59:58.987Z", "2024-02-29 23:59:58.987Z"),
            ("2024-01-02", "2024-01-02 00:00:00.000Z"),
            ("2024-01-02T03:04:05Z", "2024-01-02 03:04:05.000Z"),
            ("2024-01-02T03:04:05.1239+02:30", "2024-01-02 00:34:05.123Z"),
            ("2024-01-02T03:04:05", "2024-01-02 03:04:05.000Z"),
            ("Tue, 02 Jan 2024 03:04:05 -0700", "2024-01-02 10:04:05.000Z"),
            ("Tue, 02 Jan 2024 03:04:05 MST", "2024-01-02 03:04:05.000Z"),
            ("02 Jan 24 03:04 +0100", "2024-01-02 02:04:00.000Z"),
            ("02 Jan 69 03:04 CEST", "1969-01-02 03:04:00.000Z"),
            ("Tuesday, 02-Jan-24 03:04:05 GMT+3", "2024-01-02 03:04:05.000Z"),
            ("2024-01-02 03:04:05.123456789 +0100 CET", "2024-01-02 02:04:05.123Z"),
            ("2024-01-02T03:04:05+0100", "2024-01-02 02:04:05.000Z"),
            ("2024-01-02 03:04:05Z", "2024-01-02 03:04:05.000Z"),
            ("2024-01-02 03:04:05-0130", "2024-01-02 04:34:05.000Z"),
            ("2024-01-02 03:04:05", "2024-01-02 03:04:05.000Z"),
            ("2024-01-02   03:04:05", "2024-01-02 03:04:05.000Z"),
            ("2024-01-02 3:04:05.5", "2024-01-02 03:04:05.500Z"),
            ("Tue Jan  2 03:04:05 2024", "2024-01-02 03:04:05.000Z"),
            ("Tue Jan 12 03:04:05 UTC 2024", "2024-01-12 03:04:05.000Z"),
            ("Tue Jan 02 03:04:05 +0000 2024", "2024-01-02 03:04:05.000Z"),
            ("2024-01-02 03:04:05+01:00", "2024-01-02 02:04:05.000Z"),
            ("02 Jan 2024", "2024-01-02 00:00:00.000Z"),
            ("2024-01-02 03:04:05 +01:00", "2024-01-02 02:04:05.000Z"),
            ("2024-01-02 03:04:05 +0100", "2024-01-02 02:04:05.000Z"),
            ("3:04PM", "0000-01-01 15:04:00.000Z"),
            ("12:04AM", "0000-01-01 00:04:00.000Z"),
            ("Jan  2 15:04:05.000123", "0000-01-02 15:04:05.000Z"),
            ("9999-12-31 23:59:59.999Z", "9999-12-31 23:59:59.999Z"),
            ("0000-01-01 00:00:00.000Z", "0000-01-01 00:00:00.000Z"),
            // Not dates, or the zero date.
            ("0001-01-01 00:00:00.000Z", ""),
            ("", ""),
            ("2023-02-29", ""),
            ("2024-13-01", ""),
            ("2024-1-2", ""),
            ("2024-01-02 24:00:00", ""),
            ("2024-01-02 03:04", ""),
            ("1700000000", ""),
            ("tomorrow", ""),
            ("2024-01-02 03:04:05.000Zx", ""),
            ("漢字漢字漢字漢字", ""),
        ];
        for (input, expected) in cases {
            assert_eq!(to_text(parse(input)), expected, "{input}");
        }
    }

    #[test]
    fn every_day_goes_there_and_back() {
        for day in (-719_528..2_932_897).step_by(97) {
            let (year, month, d) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, d), day);
            let stamp = Timestamp::from_millis(day * DAY_MS + 12_345_678);
            assert_eq!(parse_wire(&stamp.to_string()), Some(stamp));
        }
        assert!(now().millis() > 1_600_000_000_000);
    }

    #[test]
    fn rfc_3339() {
        for (text, want) in [
            ("2024-05-06T07:08:09Z", Some("2024-05-06 07:08:09.000Z")),
            ("2024-05-06T07:08:09.12345+02:00", Some("2024-05-06 05:08:09.123Z")),
            ("0001-01-01T00:00:00Z", None),
            ("2024-05-06 07:08:09Z", None),
            ("2024-05-06T07:08:09", None),
            ("2024-02-30T07:08:09Z", None),
            ("", None),
        ] {
            let found = parse_rfc3339(text).map(|time| time.to_string());
            assert_eq!(found.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn civil_times() {
        for (text, want) in [
            ("1970-01-01 00:00:00.000Z", (1970, 1, 1, 0, 0, 0, 4)),
            ("1969-12-31 23:59:59.999Z", (1969, 12, 31, 23, 59, 59, 3)),
            ("2024-02-29 12:30:45.000Z", (2024, 2, 29, 12, 30, 45, 4)),
        ] {
            let c = parse(text).expect("a date").civil();
            let found = (c.year, c.month, c.day, c.hour, c.minute, c.second, c.weekday);
            assert_eq!(found, want, "{text}");
        }
    }
}
