//! Go's layouts: times written after the example `Mon Jan 2 15:04:05 -0700 MST 2006`.

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(crate) fn month_name(month: i64) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).unwrap_or(&"")
}
pub(crate) fn day_name(day: i64) -> &'static str {
    usize::try_from(day).ok().and_then(|at| DAYS.get(at)).unwrap_or(&"")
}

/// What clocks and calendars on the wall show.
pub(crate) struct Wall {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) year_day: i64,
    pub(crate) week_day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) nanos: i64,
    /// Seconds that they are later than UTC.
    pub(crate) offset: i64,
    pub(crate) letters: String,
}

/// Parts of layouts, the longer ones first.
const PARTS: &[&str] = &[
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "002",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "15",
    "1",
    "2006",
    "2",
    "__2",
    "_2006",
    "_2",
    "3",
    "4",
    "5",
    "PM",
    "pm",
    "-070000",
    "-07:00:00",
    "-0700",
    "-07:00",
    "-07",
    "Z070000",
    "Z07:00:00",
    "Z0700",
    "Z07:00",
    "Z07",
];

impl Wall {
    /// The time written after a layout.
    pub(crate) fn format(&self, layout: &str) -> String {
        let mut out = String::new();
        let mut rest = layout;
        while let Some(first) = rest.chars().next() {
            if let Some(len) = fraction(rest) {
                out.push_str(&self.fraction(&rest[..len]));
                rest = &rest[len..];
            } else if let Some(part) = PARTS.iter().find(|part| starts(rest, part)) {
                out.push_str(&self.part(part));
                rest = &rest[part.len()..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }

    fn part(&self, part: &str) -> String {
        let hour12 = if self.hour % 12 == 0 { 12 } else { self.hour % 12 };
        match part {
            "January" => month_name(self.month).to_owned(),
            "Jan" => month_name(self.month).chars().take(3).collect(),
            "Monday" => day_name(self.week_day).to_owned(),
            "Mon" => day_name(self.week_day).chars().take(3).collect(),
            "MST" => self.letters.clone(),
            "002" => format!("{:03}", self.year_day),
            "__2" => format!("{:3}", self.year_day),
            "01" => format!("{:02}", self.month),
            "1" => self.month.to_string(),
            "02" => format!("{:02}", self.day),
            "_2" => format!("{:2}", self.day),
            "2" => self.day.to_string(),
            "03" => format!("{hour12:02}"),
            "3" => hour12.to_string(),
            "15" => format!("{:02}", self.hour),
            "04" => format!("{:02}", self.minute),
            "4" => self.minute.to_string(),
            "05" => format!("{:02}", self.second),
            "5" => self.second.to_string(),
            "06" => format!("{:02}", self.year.rem_euclid(100)),
            "2006" => format!("{:04}", self.year),
            "_2006" => format!("_{:04}", self.year),
            "PM" => if self.hour >= 12 { "PM" } else { "AM" }.to_owned(),
            "pm" => if self.hour >= 12 { "pm" } else { "am" }.to_owned(),
            zone => self.zone(zone),
        }
    }
    fn zone(&self, part: &str) -> String {
        if part.starts_with('Z') && self.offset == 0 {
            return "Z".to_owned();
        }
        let (sign, all) = (if self.offset < 0 { '-' } else { '+' }, self.offset.abs());
        let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
        let colon = if part.contains(':') { ":" } else { "" };
        match part.replace(':', "").len() {
            3 => format!("{sign}{hours:02}"),
            5 => format!("{sign}{hours:02}{colon}{minutes:02}"),
            _ => format!("{sign}{hours:02}{colon}{minutes:02}{colon}{seconds:02}"),
        }
    }
    fn fraction(&self, part: &str) -> String {
        let digits: String = format!("{:09}", self.nanos).chars().take(part.len() - 1).collect();
        let shown = if part.ends_with('9') { digits.trim_end_matches('0') } else { &digits };
        if shown.is_empty() { String::new() } else { format!("{}{shown}", &part[..1]) }
    }
}

/// The length of a `.000` or `,999` that no further digit follows.
fn fraction(rest: &str) -> Option<usize> {
    let digits = rest.strip_prefix(['.', ','])?;
    let of = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let n = digits.len() - digits.trim_start_matches(of).len();
    (!digits[n..].starts_with(|c: char| c.is_ascii_digit())).then_some(n + 1)
}

/// `Jan` and `Mon` are none in `Janus` and `Money`.
fn starts(rest: &str, part: &str) -> bool {
    let Some(after) = rest.strip_prefix(part) else { return false };
    !matches!(part, "Jan" | "Mon") || !after.starts_with(|c: char| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from the reference.
    #[test]
    fn layouts() {
        let wall = Wall {
            year: 2023,
            month: 6,
            day: 30,
            year_day: 181,
            week_day: 5,
            hour: 18,
            minute: 0,
            second: 0,
            nanos: 0,
            offset: -14_400,
            letters: "EDT".to_owned(),
        };
        for (layout, text) in [
            ("2006-01-02T15:04:05Z07:00", "2023-06-30T18:00:00-04:00"),
            ("Mon Jan _2 15:04:05 2006", "Fri Jun 30 18:00:00 2023"),
            ("Monday, 02-Jan-06 15:04:05 MST", "Friday, 30-Jun-23 18:00:00 EDT"),
            ("3:04PM", "6:00PM"),
            ("pm 03 4 5 .000 .999 .000000 ,000", "pm 06 0 0 .000  .000000 ,000"),
            (
                "-07 -0700 -07:00 -070000 -07:00:00 Z07 Z0700 Z07:00",
                "-04 -0400 -04:00 -040000 -04:00:00 -04 -0400 -04:00",
            ),
            ("002 __2 06 1 January Janu", "181 181 23 6 June Janu"),
            ("2006 20060102 x2y 15h", "2023 20230630 x30y 18h"),
        ] {
            assert_eq!(wall.format(layout), text, "{layout}");
        }
        let wall = Wall { nanos: 120_000_000, second: 6, offset: 0, ..wall };
        assert_eq!(wall.format("05.000 05,999 05.00 Z07"), "06.120 06,12 06.12 Z");
    }
}
