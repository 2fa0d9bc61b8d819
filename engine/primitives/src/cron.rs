//! Cron expressions: the grammar and the question whether a minute is due (spec server-settings §5.4, §5.5).
//!
//! Pure: must not know the clock or the jobs.

use crate::time::{Civil, Timestamp};

/// A parsed expression: which minutes, hours, days, months and weekdays are due, as bit sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    parts: [u64; 5],
}

/// A minute in UTC, as schedules see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// 0–59
    pub minute: u8,
    /// 0–23
    pub hour: u8,
    /// 1–31
    pub day: u8,
    /// 1–12
    pub month: u8,
    /// 0–6, 0 is Sunday.
    pub weekday: u8,
}

impl Moment {
    /// The minute of a time.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        let Civil { month, day, hour, minute, weekday, .. } = time.civil();
        Self { minute, hour, day, month, weekday }
    }
}

/// Smallest and largest value of each segment.
const RANGES: [(u32, u32); 5] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];

/// The five segments of a macro, or the expression itself.
#[must_use]
pub fn expand(expression: &str) -> &str {
    match expression {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    }
}

impl Schedule {
    /// Parses an expression or macro.
    ///
    /// # Errors
    /// The compatible sentence.
    pub fn parse(expression: &str) -> Result<Self, String> {
        let segments: Vec<&str> = expand(expression).split(' ').collect();
        if segments.len() != RANGES.len() {
            return Err("invalid cron expression - must be a valid macro or to have exactly 5 space separated segments".into());
        }
        let mut parts = [0; 5];
        for ((part, segment), (min, max)) in parts.iter_mut().zip(segments).zip(RANGES) {
            for item in segment.split(',') {
                *part |= parse_item(item, min, max)?;
            }
        }
        Ok(Self { parts })
    }

    /// True if all five segments match.
    #[must_use]
    pub fn is_due(&self, at: Moment) -> bool {
        [at.minute, at.hour, at.day, at.month, at.weekday]
            .into_iter()
            .zip(self.parts)
            .all(|(value, part)| value < 64 && part & (1 << value) != 0)
    }
}

fn parse_item(item: &str, min: u32, max: u32) -> Result<u64, String> {
    let pieces: Vec<&str> = item.split('/').collect();
    let step = match pieces.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            u32::try_from(step).ok().filter(|s| (1..=max).contains(s)).ok_or_else(|| {
                format!("invalid segment step boundary - the step must be between 1 and the {max}")
            })?
        }
        _ => return Err("invalid segment step format - must be in the format */n or 1-30/n".into()),
    };
    let (from, to) = bounds(pieces[0], step, min, max)?;
    Ok((from..=to).step_by(step as usize).fold(0, |set, value| set | 1 << value))
}

fn bounds(range: &str, step: u32, min: u32, max: u32) -> Result<(u32, u32), String> {
    if range == "*" {
        return Ok((min, max));
    }
    let within =
        |value: i64, low: u32| u32::try_from(value).ok().filter(|v| (low..=max).contains(v));
    match range.split('-').collect::<Vec<_>>().as_slice() {
        [_] if step > 1 => Err(
            "invalid segment step - step > 1 could be used only with the wildcard or range format"
                .into(),
        ),
        [value] => {
            let value = within(number(value)?, min)
                .ok_or("invalid segment value - must be between the min and max of the segment")?;
            Ok((value, value))
        }
        [from, to] => {
            let from = within(number(from)?, min).ok_or_else(|| {
                format!("invalid segment range minimum - must be between {min} and {max}")
            })?;
            let to = within(number(to)?, from).ok_or_else(|| {
                format!("invalid segment range maximum - must be between {from} and {max}")
            })?;
            Ok((from, to))
        }
        _ => Err("invalid segment range format - the range must have 1 or 2 parts".into()),
    }
}

/// A decimal integer with optional sign and leading zeros.
fn number(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or_else(|| {
        let reason = if is_number { "value out of range" } else { "invalid syntax" };
        format!("strconv.Atoi: parsing {text:?}: {reason}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Moment = Moment { minute: 30, hour: 6, day: 15, month: 2, weekday: 0 };

    #[test]
    fn due_minutes() {
        for (expression, due) in [
            ("* * * * *", true),
            ("30 6 15 2 0", true),
            ("30 6 15 2 1", false),
            ("*/10 */2 1-15/7 1,2 0-0", true),
            ("*/20 * * * *", false),
            ("030 +6 * * *", true),
            ("@hourly", false),
        ] {
            assert_eq!(Schedule::parse(expression).unwrap().is_due(MOMENT), due, "{expression}");
        }
        for name in ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight"] {
            assert!(Schedule::parse(name).is_ok());
        }
    }

    #[test]
    fn moments() {
        let at = crate::time::parse("2026-02-15 06:30:59.999Z").unwrap();
        assert_eq!(Moment::of(at), MOMENT);
    }

    #[test]
    fn errors() {
        for (expression, start) in [
            ("", "invalid cron expression"),
            ("* * * *", "invalid cron expression"),
            ("*  * * * *", "invalid cron expression"),
            ("@Daily", "invalid cron expression"),
            ("60 * * * *", "invalid segment value"),
            ("* * * * 7", "invalid segment value"),
            ("*/0 * * * *", "invalid segment step boundary"),
            ("*/60 * * * *", "invalid segment step boundary"),
            ("1/2 * * * *", "invalid segment step - step > 1"),
            ("1/1/1 * * * *", "invalid segment step format"),
            ("70-80 * * * *", "invalid segment range minimum"),
            ("9-3 * * * *", "invalid segment range maximum"),
            ("1-2-3 * * * *", "invalid segment range format"),
            ("x * * * *", "strconv.Atoi: parsing \"x\": invalid syntax"),
            ("* * * JAN *", "strconv.Atoi"),
            ("1, * * * *", "strconv.Atoi: parsing \"\""),
        ] {
            let error = Schedule::parse(expression).unwrap_err();
            assert!(error.starts_with(start), "{expression}: {error}");
        }
    }
}
