//! `strftime(format [, time [, modifier…]])` with SQLite's meaning, on integer milliseconds.
//!
//! Source: spec filter-language §3.4. The clock is an argument; `localtime` and `utc` change nothing, servers
//! run in UTC.

use std::fmt::Write as _;

use super::{Arguments, Func, Function};
use crate::{
    ast::{Term, TermKind},
    civil::{DAY_MS, civil_from_days, days_from_civil, is_leap},
    error::ErrorKind,
    plan::{Expr, NullPref, Operand},
    value::{Affinity, Value, text_number},
};

pub(super) const FUNCTION: Function =
    Function { name: "strftime", help: ["format, time, modifiers…", "text", "a date as text in the given format"], build, eval, cost: 12, strict: true, params: true };

const MAX_ARGS: usize = 10;

fn build(arguments: &mut dyn Arguments, args: &[Term]) -> Result<Operand, ErrorKind> {
    if args.len() > MAX_ARGS {
        return Err(ErrorKind::TimeArity(args.len()));
    }
    let (format, rest) = args.split_first().ok_or(ErrorKind::TimeEmpty)?;
    let TermKind::Text(format) = &format.kind else { return Err(ErrorKind::TimeFormat) };
    let bound = |text: &str| Expr::Bound(Value::from(text));
    let mut exprs = vec![bound(format)];
    let mut multi = false;
    if let Some((time, modifiers)) = rest.split_first() {
        if matches!(time.kind, TermKind::Function { .. }) {
            return Err(ErrorKind::TimeValue);
        }
        let operand =
            arguments.argument(time).map_err(|cause| ErrorKind::TimeResolve(Box::new(cause)))?;
        multi = operand.multi;
        exprs.push(operand.expr);
        for (index, modifier) in modifiers.iter().enumerate() {
            let TermKind::Text(modifier) = &modifier.kind else {
                return Err(ErrorKind::TimeModifier(index));
            };
            exprs.push(bound(modifier));
        }
    }
    Ok(Operand {
        expr: Expr::Call { func: Func::Strftime, args: exprs },
        pref: NullPref::Enforced,
        affinity: Affinity::None,
        multi,
    })
}

/// The formatted time; NULL for anything invalid.
fn eval(args: &[Value], now_ms: i64) -> Value {
    formatted(args, now_ms).map_or(Value::Null, Value::from)
}

fn formatted(args: &[Value], now_ms: i64) -> Option<String> {
    let (format, rest) = args.split_first()?;
    let format = format.text()?;
    let mut moment = match rest.first() {
        None => Moment::at(now_ms),
        Some(Value::Null) => return None,
        Some(Value::Text(text)) => Moment::parse(text, now_ms)?,
        Some(number) => Moment::raw(number.number()?),
    };
    if rest.len() == 1 {
        // SQLite carries 2023-02-31 over to March only when no modifier follows.
        moment.written = None;
    }
    for (index, modifier) in rest.iter().skip(1).enumerate() {
        modify(&mut moment, &modifier.text()?, index == 0)?;
    }
    if moment.unset || !(JD_MIN_MS..=JD_MAX_MS).contains(&moment.ms) {
        return None;
    }
    print(&format, &moment)
}

/// Unix milliseconds of Julian day 0, and the last moment of the year 9999.
const JD_MIN_MS: i64 = -210_866_760_000_000;
const JD_MAX_MS: i64 = 253_402_300_799_999;

/// A time being computed.
#[derive(Debug)]
struct Moment {
    /// Milliseconds since the Unix epoch.
    ms: i64,
    /// The number it was given as, as long as it may still be re-read (`unixepoch`, `auto`).
    raw: Option<f64>,
    /// The number is no Julian day, so only `unixepoch` or `auto` can save it.
    unset: bool,
    /// Days beyond the end of the month, for `floor`.
    overflow: i64,
    /// The date as written, for days beyond the end of the month: it is kept until something moves the moment.
    written: Option<(i64, i64, i64)>,
    /// The calendar date is known because it was given or computed, and nothing moved the moment since.
    dated: bool,
    subsec: bool,
}

impl Moment {
    fn at(ms: i64) -> Self {
        Self {
            ms,
            raw: None,
            unset: false,
            overflow: 0,
            written: None,
            dated: false,
            subsec: false,
        }
    }

    /// A number: a Julian day unless a modifier says otherwise.
    #[allow(clippy::cast_possible_truncation, reason = "range checked")]
    fn raw(number: f64) -> Self {
        let unset = !(0.0..5_373_484.5).contains(&number);
        let julian_ms = if unset { 0 } else { (number * 86_400_000.0 + 0.5) as i64 };
        Self { raw: Some(number), unset, ..Self::at(julian_ms + JD_MIN_MS) }
    }

    fn parse(text: &str, now_ms: i64) -> Option<Self> {
        if let Some(moment) = parse_date(text).or_else(|| parse_clock_only(text)) {
            return Some(moment);
        }
        if text.eq_ignore_ascii_case("now") {
            return Some(Self::at(now_ms));
        }
        if text.eq_ignore_ascii_case("subsec") || text.eq_ignore_ascii_case("subsecond") {
            return Some(Self { subsec: true, ..Self::at(now_ms) });
        }
        text_number(text).and_then(|value| value.number()).map(Self::raw)
    }

    /// SQLite computes a calendar date only within its range; sums of days may leave it and come back.
    fn has_date(&self) -> bool {
        self.dated || (JD_MIN_MS..=JD_MAX_MS).contains(&self.ms)
    }

    fn civil(&self) -> (i64, i64, i64) {
        self.written.unwrap_or_else(|| civil_from_days(self.ms.div_euclid(DAY_MS)))
    }

    /// Moves by milliseconds.
    fn add(&mut self, ms: i64) {
        self.ms += ms;
        self.written = None;
        self.dated = false;
    }

    fn time_of_day(&self) -> i64 {
        self.ms.rem_euclid(DAY_MS)
    }

    fn set_date(&mut self, year: i64, month: i64, day: i64) {
        self.ms = days_from_civil(year, month, day) * DAY_MS + self.time_of_day();
        self.written = None;
        self.dated = false;
    }
}

/// How far `day` is beyond the end of its month.
fn overflow(year: i64, month: i64, day: i64) -> i64 {
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    };
    (day - last).max(0)
}

/// Takes exactly `n` digits.
fn digits(text: &str, n: usize, max: i64) -> Option<(i64, &str)> {
    let part = text.get(..n)?;
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = part.parse().ok()?;
    (number <= max).then(|| (number, &text[n..]))
}

/// `[-]YYYY-MM-DD[( |T)HH:MM[:SS[.SSS]][zone]]`
fn parse_date(text: &str) -> Option<Moment> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (year, rest) = digits(rest, 4, 9_999)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2, 12)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2, 31)?;
    if month == 0 || day == 0 {
        return None;
    }
    let year = sign * year;
    let mut moment = Moment::at(days_from_civil(year, month, day) * DAY_MS);
    moment.overflow = overflow(year, month, day);
    moment.written = (moment.overflow > 0).then_some((year, month, day));
    moment.dated = true;
    let rest = rest.trim_start_matches(|c: char| is_space(c) || c == 'T');
    if !rest.is_empty() {
        let clock = parse_clock(rest)?;
        moment.ms += clock.ms - clock.zone_ms;
        if clock.zone_ms != 0 {
            moment.written = None;
            moment.dated = false;
        }
    }
    Some(moment)
}

fn parse_clock_only(text: &str) -> Option<Moment> {
    let clock = parse_clock(text)?;
    Some(Moment::at(days_from_civil(2000, 1, 1) * DAY_MS + clock.ms - clock.zone_ms))
}

/// A time of day and its distance from UTC.
struct Clock {
    ms: i64,
    zone_ms: i64,
}

/// `HH:MM[:SS[.SSS]][zone]`
#[allow(clippy::cast_possible_truncation, reason = "fraction below one second")]
fn parse_clock(text: &str) -> Option<Clock> {
    let (hour, rest) = digits(text, 2, 24)?;
    let (minute, mut rest) = digits(rest.strip_prefix(':')?, 2, 59)?;
    let mut ms = hour * 3_600_000 + minute * 60_000;
    if let Some(after) = rest.strip_prefix(':') {
        let (second, after) = digits(after, 2, 59)?;
        ms += second * 1_000;
        rest = after;
        let fraction_len = rest
            .strip_prefix('.')
            .map_or(0, |tail| tail.bytes().take_while(u8::is_ascii_digit).count());
        if fraction_len > 0 {
            let fraction: f64 = rest.get(..=fraction_len)?.parse().ok()?;
            ms += (fraction * 1_000.0 + 0.5) as i64;
            rest = &rest[fraction_len + 1..];
        }
    }
    Some(Clock { ms, zone_ms: parse_zone(rest)? })
}

/// Nothing, `Z`, or `±HH:MM`, in milliseconds.
fn parse_zone(text: &str) -> Option<i64> {
    let rest = text.trim_start_matches(is_space);
    let (zone, rest) = match rest.chars().next() {
        None => return Some(0),
        Some('Z' | 'z') => (0, &rest[1..]),
        Some(sign @ ('+' | '-')) => {
            let (hour, rest) = digits(&rest[1..], 2, 14)?;
            let (minute, rest) = digits(rest.strip_prefix(':')?, 2, 59)?;
            let ms = hour * 3_600_000 + minute * 60_000;
            (if sign == '-' { -ms } else { ms }, rest)
        }
        Some(_) => return None,
    };
    rest.trim_start_matches(is_space).is_empty().then_some(zone)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// Applies one modifier; `None` if it is invalid.
fn modify(moment: &mut Moment, text: &str, is_first: bool) -> Option<()> {
    let name = text.to_ascii_lowercase();
    let raw = moment.raw.take();
    match name.as_str() {
        "auto" => {
            if !is_first {
                return None;
            }
            if let Some(number) = raw.filter(|_| moment.unset) {
                from_unix(moment, number)?;
            }
        }
        "julianday" => {
            if !is_first || raw.is_none() || moment.unset {
                return None;
            }
        }
        "unixepoch" => from_unix(moment, raw.filter(|_| is_first)?)?,
        "localtime" | "utc" => {}
        "ceiling" => moment.overflow = 0,
        "floor" => {
            moment.add(-moment.overflow * DAY_MS);
            moment.overflow = 0;
        }
        "subsec" | "subsecond" => moment.subsec = true,
        "start of day" | "start of month" | "start of year" if !moment.has_date() => return None,
        "start of day" => {
            moment.ms -= moment.time_of_day();
            moment.dated = true;
        }
        "start of month" => start_of(moment, false),
        "start of year" => start_of(moment, true),
        _ => match name.strip_prefix("weekday ") {
            Some(day) => weekday(moment, day)?,
            None => shift(moment, &name)?,
        },
    }
    (!moment.unset).then_some(())
}

#[allow(clippy::cast_possible_truncation, reason = "range checked")]
fn from_unix(moment: &mut Moment, seconds: f64) -> Option<()> {
    let ms = seconds * 1_000.0;
    let range = JD_MIN_MS as f64..=JD_MAX_MS as f64;
    if !range.contains(&ms) {
        return None;
    }
    moment.ms = (ms + 0.5).floor() as i64;
    moment.unset = false;
    Some(())
}

fn start_of(moment: &mut Moment, of_year: bool) {
    let (year, month, _) = moment.civil();
    let month = if of_year { 1 } else { month };
    moment.ms = days_from_civil(year, month, 1) * DAY_MS;
    moment.written = None;
    moment.dated = true;
}

#[allow(clippy::cast_possible_truncation, reason = "range checked")]
fn weekday(moment: &mut Moment, day: &str) -> Option<()> {
    let day = text_number(day)?.number()?;
    if day.fract() != 0.0 || !(0.0..7.0).contains(&day) || !moment.has_date() {
        return None;
    }
    // 1970-01-01 was a Thursday.
    let today = (moment.ms.div_euclid(DAY_MS) + 4).rem_euclid(7);
    moment.add((day as i64 - today).rem_euclid(7) * DAY_MS);
    Some(())
}

/// `±N unit`, `±HH:MM[:SS]`, `±YYYY-MM-DD[ HH:MM[:SS]]`; the sign of `N unit` is optional.
fn shift(moment: &mut Moment, text: &str) -> Option<()> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-')) {
        return None;
    }
    let negative = text.starts_with('-');
    let signed = text.strip_prefix(['+', '-']);
    let body = signed.unwrap_or(text);
    if signed.is_some() && digits(body, 4, 9_999).is_some_and(|(_, rest)| rest.starts_with('-')) {
        return shift_date(moment, body, negative);
    }
    let end = text.find(|c: char| c == ':' || is_space(c)).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if rest.starts_with(':') {
        moment.add(clock_shift(body, negative)?);
        moment.overflow = 0;
        return Some(());
    }
    shift_units(moment, text_number(number)?.number()?, rest)
}

/// A time of day as a distance; whole days vanish.
fn clock_shift(text: &str, negative: bool) -> Option<i64> {
    let clock = parse_clock(text)?;
    let ms = (clock.ms - clock.zone_ms).rem_euclid(DAY_MS);
    Some(if negative { -ms } else { ms })
}

fn shift_date(moment: &mut Moment, body: &str, negative: bool) -> Option<()> {
    let (years, rest) = digits(body, 4, 9_999)?;
    let (months, rest) = digits(rest.strip_prefix('-')?, 2, 11)?;
    let (days, rest) = digits(rest.strip_prefix('-')?, 2, 30)?;
    let sign = if negative { -1 } else { 1 };
    add_months(moment, sign * (years * 12 + months))?;
    moment.add(sign * days * DAY_MS);
    match rest.chars().next() {
        None => Some(()),
        Some(c) if is_space(c) => {
            moment.add(clock_shift(rest.trim_start_matches(is_space), negative)?);
            Some(())
        }
        Some(_) => None,
    }
}

fn add_months(moment: &mut Moment, months: i64) -> Option<()> {
    if !moment.has_date() {
        return None;
    }
    let (year, month, day) = moment.civil();
    let total = year * 12 + (month - 1) + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    if !(-4713..=9999).contains(&year) {
        return None;
    }
    moment.set_date(year, month, day);
    moment.overflow = overflow(year, month, day);
    Some(())
}

#[allow(clippy::cast_possible_truncation, reason = "limits checked")]
fn shift_units(moment: &mut Moment, number: f64, unit: &str) -> Option<()> {
    let unit = unit.trim_start_matches(is_space);
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let (limit, seconds, months) = match unit {
        "second" => (4.642_7e14, 1.0, 0),
        "minute" => (7.737_9e12, 60.0, 0),
        "hour" => (1.289_7e11, 3_600.0, 0),
        "day" => (5_373_485.0, 86_400.0, 0),
        "month" => (176_546.0, 2_592_000.0, 1),
        "year" => (14_713.0, 31_536_000.0, 12),
        _ => return None,
    };
    if number.abs() >= limit {
        return None;
    }
    let mut rest = number;
    moment.overflow = 0;
    if months > 0 {
        add_months(moment, number.trunc() as i64 * months)?;
        rest = number.fract();
    }
    let rounder = if rest < 0.0 { -0.5 } else { 0.5 };
    moment.add((rest * 1_000.0 * seconds + rounder) as i64);
    Some(())
}

/// Everything a format code may need.
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
    /// 0-based.
    day_of_year: i64,
    /// 0 is Sunday.
    weekday: i64,
}

impl Parts {
    fn of(moment: &Moment) -> Self {
        let days = moment.ms.div_euclid(DAY_MS);
        let time = moment.time_of_day();
        let (year, month, day) = moment.civil();
        Self {
            year,
            month,
            day,
            hour: time / 3_600_000,
            minute: time / 60_000 % 60,
            second: time / 1_000 % 60,
            milli: time % 1_000,
            day_of_year: days - days_from_civil(year, 1, 1),
            weekday: (days + 4).rem_euclid(7),
        }
    }

    fn hour12(&self) -> i64 {
        (self.hour + 11) % 12 + 1
    }

    fn days_after_monday(&self) -> i64 {
        (self.weekday + 6) % 7
    }
}

fn print(format: &str, moment: &Moment) -> Option<String> {
    let parts = Parts::of(moment);
    let mut out = String::with_capacity(format.len() + 16);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            print_code(&mut out, chars.next()?, &parts, moment)?;
        } else {
            out.push(c);
        }
    }
    Some(out)
}

fn print_code(out: &mut String, code: char, p: &Parts, moment: &Moment) -> Option<()> {
    let written = match code {
        'd' => write!(out, "{:02}", p.day),
        'e' => write!(out, "{:2}", p.day),
        'f' => write!(out, "{:02}.{:03}", p.second, p.milli),
        'F' => write!(out, "{}-{:02}-{:02}", year_text(p.year), p.month, p.day),
        'G' | 'g' | 'V' => {
            print_iso(out, code, moment.ms, p);
            Ok(())
        }
        'H' => write!(out, "{:02}", p.hour),
        'I' => write!(out, "{:02}", p.hour12()),
        'j' => write!(out, "{:03}", p.day_of_year + 1),
        'J' => write!(out, "{}", julian_text(moment.ms)),
        'k' => write!(out, "{:2}", p.hour),
        'l' => write!(out, "{:2}", p.hour12()),
        'm' => write!(out, "{:02}", p.month),
        'M' => write!(out, "{:02}", p.minute),
        'p' => write!(out, "{}", if p.hour >= 12 { "PM" } else { "AM" }),
        'P' => write!(out, "{}", if p.hour >= 12 { "pm" } else { "am" }),
        'R' => write!(out, "{:02}:{:02}", p.hour, p.minute),
        's' if moment.subsec => {
            let sign = if moment.ms < 0 { "-" } else { "" };
            let ms = moment.ms.abs();
            write!(out, "{sign}{}.{:03}", ms / 1_000, ms % 1_000)
        }
        's' => write!(out, "{}", moment.ms.div_euclid(1_000)),
        'S' => write!(out, "{:02}", p.second),
        'T' => write!(out, "{:02}:{:02}:{:02}", p.hour, p.minute, p.second),
        'U' => write!(out, "{:02}", (p.day_of_year - p.weekday + 7) / 7),
        'u' => write!(out, "{}", p.days_after_monday() + 1),
        'w' => write!(out, "{}", p.weekday),
        'W' => write!(out, "{:02}", (p.day_of_year - p.days_after_monday() + 7) / 7),
        'Y' => write!(out, "{}", year_text(p.year)),
        '%' => {
            out.push('%');
            Ok(())
        }
        _ => return None,
    };
    written.ok()
}

/// ISO week and its year: those of the Thursday of the week.
fn print_iso(out: &mut String, code: char, ms: i64, p: &Parts) {
    let thursday = Parts::of(&Moment::at(ms + (3 - p.days_after_monday()) * DAY_MS));
    let _ = match code {
        'G' => write!(out, "{}", year_text(thursday.year)),
        'g' => write!(out, "{:02}", thursday.year % 100),
        _ => write!(out, "{:02}", thursday.day_of_year / 7 + 1),
    };
}

fn year_text(year: i64) -> String {
    format!("{year:04}")
}

/// The Julian day with 16 significant digits.
fn julian_text(ms: i64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "below 2^53")]
    let days = (ms - JD_MIN_MS) as f64 / 86_400_000.0;
    let whole = days.trunc().abs().to_string().len();
    let text = format!("{days:.*}", 16_usize.saturating_sub(whole));
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_675_397_106_007;

    fn run(args: &[&str]) -> Option<String> {
        let args: Vec<Value> = args.iter().map(|arg| Value::from(*arg)).collect();
        formatted(&args, NOW)
    }

    #[test]
    fn codes() {
        let time = "2021-01-03 15:04:05.678Z";
        for (code, text) in [
            ("%d", "03"),
            ("%e", " 3"),
            ("%f", "05.678"),
            ("%F", "2021-01-03"),
            ("%G", "2020"),
            ("%g", "20"),
            ("%H", "15"),
            ("%I", "03"),
            ("%j", "003"),
            ("%J", "2459218.12784349"),
            ("%k", "15"),
            ("%l", " 3"),
            ("%m", "01"),
            ("%M", "04"),
            ("%p", "PM"),
            ("%P", "pm"),
            ("%R", "15:04"),
            ("%s", "1609686245"),
            ("%S", "05"),
            ("%T", "15:04:05"),
            ("%U", "01"),
            ("%u", "7"),
            ("%V", "53"),
            ("%w", "0"),
            ("%W", "00"),
            ("%Y", "2021"),
            ("%%x", "%x"),
        ] {
            let got = run(&[code, time]).unwrap();
            assert!(got.starts_with(text), "{code}: {got}");
        }
        assert_eq!(run(&["%q", time]), None);
        assert_eq!(run(&["%", time]), None);
    }

    #[test]
    fn time_values() {
        let full = "%Y-%m-%d %H:%M:%f";
        for (time, text) in [
            ("2022-01-02", Some("2022-01-02 00:00:00.000")),
            ("2022-01-02T10:20", Some("2022-01-02 10:20:00.000")),
            ("2022-01-02 10:20:30+01:30", Some("2022-01-02 08:50:30.000")),
            ("10:20", Some("2000-01-01 10:20:00.000")),
            ("2460000.5", Some("2023-02-25 00:00:00.000")),
            ("now", Some("2023-02-03 04:05:06.007")),
            ("2023-02-31", Some("2023-03-03 00:00:00.000")),
            ("2022-13-01", None),
            ("2022-1-1", None),
            ("2022-01-02 x", None),
            ("", None),
            ("x", None),
            ("1e9", None),
        ] {
            assert_eq!(run(&[full, time]).as_deref(), text, "{time}");
        }
        assert_eq!(run(&[full]).as_deref(), Some("2023-02-03 04:05:06.007"));
        let number = [Value::from("%Y"), Value::Real(2_460_000.5)];
        assert_eq!(eval(&number, NOW), Value::from("2023"));
        assert_eq!(eval(&[Value::from("%Y"), Value::Null], NOW), Value::Null);
    }

    #[test]
    fn modifiers() {
        let base = "2022-01-31 10:20:30.500Z";
        for (modifier, text) in [
            ("+1 day", Some("2022-02-01 10:20:30.500")),
            ("-1.5 hours", Some("2022-01-31 08:50:30.500")),
            ("1 month", Some("2022-03-03 10:20:30.500")),
            ("-13 months", Some("2020-12-31 10:20:30.500")),
            ("+1 YEAR", Some("2023-01-31 10:20:30.500")),
            ("+00:10", Some("2022-01-31 10:30:30.500")),
            ("-10:20:30.5", Some("2022-01-31 00:00:00.000")),
            ("+0001-01-01", Some("2023-03-04 10:20:30.500")),
            ("-0000-00-01 01:00", Some("2022-01-30 09:20:30.500")),
            ("start of day", Some("2022-01-31 00:00:00.000")),
            ("start of month", Some("2022-01-01 00:00:00.000")),
            ("start of year", Some("2022-01-01 00:00:00.000")),
            ("weekday 0", Some("2022-02-06 10:20:30.500")),
            ("weekday 1", Some("2022-01-31 10:20:30.500")),
            ("weekday 7", None),
            ("utc", Some("2022-01-31 10:20:30.500")),
            ("unixepoch", None),
            ("julianday", None),
            ("nonsense", None),
            ("+1 fortnight", None),
            ("", None),
        ] {
            assert_eq!(run(&["%Y-%m-%d %H:%M:%f", base, modifier]).as_deref(), text, "{modifier}");
        }
        assert_eq!(run(&["%F", base, "+1 month", "floor"]).as_deref(), Some("2022-02-28"));
        assert_eq!(run(&["%F", base, "+1 month", "ceiling"]).as_deref(), Some("2022-03-03"));
        assert_eq!(run(&["%F", "1600000000", "unixepoch"]).as_deref(), Some("2020-09-13"));
        assert_eq!(run(&["%F", "1600000000", "auto"]).as_deref(), Some("2020-09-13"));
        assert_eq!(run(&["%F", "2460000.5", "auto"]).as_deref(), Some("2023-02-25"));
        assert_eq!(run(&["%F", "2460000.5", "julianday"]).as_deref(), Some("2023-02-25"));
        assert_eq!(run(&["%s", base, "subsec"]).as_deref(), Some("1643624430.500"));
    }
}
