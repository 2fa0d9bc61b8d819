//! Texts of dates as the reference reads them (spec extending §1.14): ISO 8601, and what people and other programs write.
//!
//! Pure; [`engine.js`](engine.js) puts it over the engine's `Date`. Cases were asked of the reference.

/// A point in time that a text names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parsed {
    /// Milliseconds since 1970.
    At(i64),
    /// The same for a clock on the wall: the zone of this machine decides.
    Local(i64),
}

/// Reads a text; nothing if it is no date.
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    iso(text).or_else(|| loose(text))
}

/// Milliseconds of a date and a time of day; days beyond the end of a month are those of the next.
fn millis(date: (i64, i64, i64), time: (i64, i64, i64, i64)) -> Option<i64> {
    let (year, month, day) = date;
    let (hour, minute, second, milli) = time;
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && minute < 60
        && second < 60
        && (hour < 24 || (hour == 24 && minute == 0 && second == 0 && milli == 0));
    if !valid {
        return None;
    }
    let days = days(year, month) + day - 1;
    let millis = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milli;
    // the range of dates in scripts
    (millis.abs() <= 8_640_000_000_000_000).then_some(millis)
}

/// Days from 1970 to the first of a month. Years begin in March here: the leap day is their last.
fn days(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let day = (153 * month + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719_468
}

/// A text that is read from left to right.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }
    /// A number of so many digits.
    fn digits(&mut self, n: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(n)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
    fn count(&self) -> usize {
        self.0.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }
    fn is_end(&self) -> bool {
        self.0.is_empty()
    }
    /// Milliseconds of a fraction; what is finer is cut off.
    fn fraction(&mut self, most: usize) -> Option<i64> {
        let n = self.count();
        if n == 0 || n > most {
            return None;
        }
        let digits = self.0[..n].iter().chain(b"00").take(3);
        let millis = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        self.0 = &self.0[n..];
        Some(millis)
    }
    /// `Z` or `+02:00`, in minutes.
    fn zone(&mut self) -> Option<i64> {
        if self.eat(b'Z') {
            return Some(0);
        }
        let sign = if self.eat(b'+') {
            1
        } else if self.eat(b'-') {
            -1
        } else {
            return None;
        };
        let hours = self.digits(2)?;
        self.eat(b':');
        let minutes = if self.is_end() { 0 } else { self.digits(2)? };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

fn iso(text: &str) -> Option<Parsed> {
    let mut at = Cursor(text.as_bytes());
    let sign = match (at.eat(b'+'), at.eat(b'-')) {
        (true, _) => Some(1),
        (_, true) => Some(-1),
        _ => None,
    };
    let year = at.digits(if sign.is_some() { 6 } else { 4 })? * sign.unwrap_or(1);
    let part =
        |at: &mut Cursor<'_>| -> Option<i64> { if at.eat(b'-') { at.digits(2) } else { Some(1) } };
    let month = part(&mut at)?;
    let day = part(&mut at)?;
    if at.is_end() {
        return millis((year, month, day), (0, 0, 0, 0)).map(Parsed::At);
    }
    if !at.eat(b'T') {
        return None;
    }
    let hour = at.digits(2)?;
    let minute = if at.eat(b':') { at.digits(2)? } else { return None };
    let second = if at.eat(b':') { at.digits(2)? } else { 0 };
    let fraction = if at.eat(b'.') || at.eat(b',') { at.fraction(9)? } else { 0 };
    let wall = millis((year, month, day), (hour, minute, second, fraction))?;
    if at.is_end() {
        return Some(Parsed::Local(wall));
    }
    let zone = at.zone()?;
    at.is_end().then_some(Parsed::At(wall - zone * 60_000))
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Names of zones, in minutes.
const ZONES: [(&str, i64); 12] = [
    ("utc", 0),
    ("gmt", 0),
    ("ut", 0),
    ("z", 0),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
];

/// What was found so far in a text that people wrote.
#[derive(Default)]
struct Found {
    numbers: Vec<(i64, usize)>,
    month: Option<i64>,
    time: Vec<i64>,
    milli: i64,
    afternoon: Option<bool>,
    zone: Option<i64>,
}

fn loose(text: &str) -> Option<Parsed> {
    let mut found = Found::default();
    let mut at = Cursor(text.as_bytes());
    while let Some(byte) = at.0.first().copied() {
        match byte {
            b' ' | b',' | b'/' | b'.' => at.0 = &at.0[1..],
            b'(' => {
                let end = at.0.iter().position(|byte| *byte == b')')?;
                at.0 = &at.0[end + 1..];
            }
            b'+' | b'-' if !found.time.is_empty() => found.offset(&mut at)?,
            b'-' => at.0 = &at.0[1..],
            b'T' if !found.numbers.is_empty() && at.0.get(1).is_some_and(u8::is_ascii_digit) => {
                // what is almost ISO is none
                return None;
            }
            b'0'..=b'9' => found.number(&mut at)?,
            b if b.is_ascii_alphabetic() => found.word(&mut at)?,
            _ => return None,
        }
    }
    found.parsed()
}

impl Found {
    fn offset(&mut self, at: &mut Cursor<'_>) -> Option<()> {
        let sign = if at.eat(b'-') { -1 } else { i64::from(at.eat(b'+')) };
        let n = at.count();
        let number = at.digits(n)?;
        let minutes = match n {
            1 | 2 if at.eat(b':') => number * 60 + at.digits(2)?,
            1 | 2 => number * 60,
            3 | 4 => number / 100 * 60 + number % 100,
            _ => return None,
        };
        self.zone = Some(sign * minutes);
        Some(())
    }

    fn number(&mut self, at: &mut Cursor<'_>) -> Option<()> {
        let n = at.count();
        let number = at.digits(n)?;
        if at.0.first() != Some(&b':') {
            // longer ones are no parts of dates
            (n <= 4 || n == 6).then_some(())?;
            self.numbers.push((number, n));
            return (self.numbers.len() <= 3).then_some(());
        }
        self.time.is_empty().then_some(())?;
        self.time.push(number);
        while at.eat(b':') {
            let n = at.count();
            if n == 0 || n > 2 {
                return None;
            }
            self.time.push(at.digits(n)?);
        }
        if at.0.first() == Some(&b'.') && at.0.get(1).is_some_and(u8::is_ascii_digit) {
            at.0 = &at.0[1..];
            self.milli = at.fraction(9)?;
        }
        Some(())
    }

    fn word(&mut self, at: &mut Cursor<'_>) -> Option<()> {
        let n = at.0.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = String::from_utf8_lossy(&at.0[..n]).to_ascii_lowercase();
        at.0 = &at.0[n..];
        at.eat(b'.');
        let starts = |name: &&str| n >= 3 && word.starts_with(*name);
        if let Some((_, zone)) = ZONES.iter().find(|(name, _)| *name == word) {
            // `+0200` behind `GMT` says more, and `MST` behind `-0700` says nothing new
            self.zone.get_or_insert(*zone);
        } else if matches!(word.as_str(), "am" | "pm") {
            self.afternoon = Some(word == "pm");
        } else if let Some(month) = MONTHS.iter().position(starts) {
            self.month = i64::try_from(month + 1).ok();
        } else if !DAYS.iter().any(starts) {
            return None;
        }
        Some(())
    }

    fn date(&self) -> Option<(i64, i64, i64)> {
        let is_year = |(n, digits): (i64, usize)| digits > 2 || n > 31;
        let year = |(n, digits): (i64, usize)| match (digits, n) {
            (1 | 2, 0..50) => n + 2000,
            (1 | 2, _) => n + 1900,
            _ => n,
        };
        let numbers = self.numbers.as_slice();
        Some(match (self.month, numbers) {
            (Some(month), [only]) if is_year(*only) => (year(*only), month, 1),
            (Some(month), [a, b]) if is_year(*a) => (year(*a), month, b.0),
            (Some(month), [a, b]) => (year(*b), month, a.0),
            (None, [a, b, c]) if is_year(*a) => (year(*a), b.0, c.0),
            (None, [a, b, c]) => (year(*c), a.0, b.0),
            _ => return None,
        })
    }

    fn parsed(&self) -> Option<Parsed> {
        let date = self.date()?;
        let mut hour = self.time.first().copied().unwrap_or(0);
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let part = |at: usize| self.time.get(at).copied().unwrap_or(0);
        let wall = millis(date, (hour, part(1), part(2), self.milli))?;
        Some(match self.zone {
            Some(zone) => Parsed::At(wall - zone * 60_000),
            None => Parsed::Local(wall),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_reference_reads_them() {
        let mut wrong = Vec::new();
        for line in include_str!("dates.txt").lines() {
            let (want, text) = line.split_once('\t').expect("two columns");
            let got = match parse(text) {
                Some(Parsed::At(millis)) => format!("{millis}"),
                Some(Parsed::Local(millis)) => format!("local {millis}"),
                None => "NaN".to_owned(),
            };
            if got != want {
                wrong.push(format!("{text:?}: {got}, not {want}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
