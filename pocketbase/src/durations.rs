//! Lengths of time as Go spells them (`1h2m3.5s`), for flags, files and variables. Must not know what they are for.

/// By name, in nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 6e10),
    ("h", 3.6e12),
];

/// Nanoseconds of a duration without a sign; every number has a unit.
///
/// ```
/// assert_eq!(pocketbase::durations::parse("1h30m"), Some(5.4e12));
/// assert_eq!(pocketbase::durations::parse("5"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let (mut rest, mut nanos) = (text, 0.0);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let n: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == &rest[..end])?;
        nanos += n * unit;
        rest = &rest[end..];
    }
    Some(nanos)
}

/// Nanoseconds as Go prints them.
///
/// ```
/// assert_eq!(pocketbase::durations::text(5_400_000_000_000), "1h30m0s");
/// ```
#[must_use]
pub fn text(nanos: i64) -> String {
    let all = nanos.unsigned_abs();
    let sign = if nanos < 0 { "-" } else { "" };
    let part = |unit: u64, name: &str| {
        let text = format!("{}.{:0width$}", all / unit, all % unit, width = unit.ilog10() as usize);
        format!("{sign}{}{name}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match all {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{all}ns"),
        1_000..1_000_000 => part(1_000, "µs"),
        1_000_000..1_000_000_000 => part(1_000_000, "ms"),
        _ => {
            let (hours, minutes) = (all / 3_600_000_000_000, all / 60_000_000_000 % 60);
            let rest = all % 60_000_000_000;
            let second = format!("{}.{:09}", rest / 1_000_000_000, rest % 1_000_000_000);
            let second = second.trim_end_matches('0').trim_end_matches('.');
            match (hours, minutes) {
                (0, 0) => format!("{sign}{second}s"),
                (0, _) => format!("{sign}{minutes}m{second}s"),
                _ => format!("{sign}{hours}h{minutes}m{second}s"),
            }
        }
    }
}
