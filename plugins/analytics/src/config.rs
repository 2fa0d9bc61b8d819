//! What is counted and for how long: code first, the environment wins, then the defaults. Source: spec extensions 7.2.

use pocketbase::{Result, environment};

/// Whom it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nobody.
    Off,
    /// Those who do not ask not to be (`DNT`, `Sec-GPC`). No address is stored.
    #[default]
    Conditional,
    /// Everybody. Raw logs have addresses.
    Full,
}

impl Mode {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Conditional => "conditional",
            Self::Full => "full",
        }
    }
    fn of(text: &str) -> Option<Self> {
        let all = [Self::Off, Self::Conditional, Self::Full];
        all.into_iter().find(|mode| text.eq_ignore_ascii_case(mode.name()))
    }
}

/// What is counted and for how long. Zeros are the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyticsConfig {
    /// Whom it counts.
    pub mode: Mode,
    /// Whether anything is done at all.
    pub enabled: bool,
    /// Days that are kept: 90.
    pub retention: u64,
    /// Seconds between writes: 10.
    pub flush_interval: u64,
    /// Whether events are written to `pb_data/analytics`, too.
    pub raw: bool,
    /// Bytes of raw logs that wait in memory: 16 MiB.
    pub max_raw_size: u64,
    /// Bytes of raw logs that this node keeps on disk: 10 GiB. The oldest days go first.
    pub raw_disk: u64,
    /// Days of raw logs that are kept: as many as of all else.
    pub raw_days: u64,
    /// Events of one request: 100.
    pub max_events: u64,
    /// Distinct paths, and sources, of a day: 10,000.
    pub max_paths: u64,
    /// Beginnings of paths that count in conditional mode; with a `!` in front, those that do not.
    pub paths: Vec<String>,
    /// The bucket for raw logs. Not used yet.
    pub s3_bucket: String,
}

impl Default for AnalyticsConfig {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            enabled: true,
            retention: 0,
            flush_interval: 0,
            raw: false,
            max_raw_size: 0,
            raw_disk: 0,
            raw_days: 0,
            max_events: 0,
            max_paths: 0,
            paths: Vec::new(),
            s3_bucket: String::new(),
        }
    }
}

impl AnalyticsConfig {
    /// What the environment and the defaults make of it; whether the mode was none.
    pub(crate) fn resolved(mut self) -> Result<(Self, bool)> {
        let mut is_unknown = false;
        if let Some(text) = environment::text("PB_ANALYTICS_MODE") {
            let mode = Mode::of(&text);
            is_unknown = mode.is_none();
            self.mode = mode.unwrap_or_default();
        }
        if let Some(on) = environment::switch("PB_ANALYTICS_ENABLED")? {
            self.enabled = on;
        }
        if let Some(on) = environment::switch("PB_ANALYTICS_RAW")? {
            self.raw = on;
        }
        if let Some(paths) = environment::list("PB_ANALYTICS_PATHS") {
            self.paths = paths;
        }
        self.paths.retain(|path| !path.is_empty());
        if let Some(bucket) = environment::text("PB_ANALYTICS_S3_BUCKET") {
            self.s3_bucket = bucket;
        }
        for (name, value, default) in [
            ("PB_ANALYTICS_RETENTION", &mut self.retention, 90),
            ("PB_ANALYTICS_FLUSH_INTERVAL", &mut self.flush_interval, 10),
            ("PB_ANALYTICS_MAX_RAW_SIZE", &mut self.max_raw_size, 16 << 20),
            ("PB_ANALYTICS_RAW_DISK", &mut self.raw_disk, 10 << 30),
            ("PB_ANALYTICS_RAW_DAYS", &mut self.raw_days, u64::MAX),
            ("PB_ANALYTICS_MAX_EVENTS", &mut self.max_events, 100),
            ("PB_ANALYTICS_MAX_PATHS", &mut self.max_paths, 10_000),
        ] {
            if let Some(n) = environment::positive(name)? {
                *value = n;
            }
            if *value == 0 {
                *value = default;
            }
        }
        // a century: dates before that are none
        self.retention = self.retention.min(36_500);
        self.raw_days = self.raw_days.min(self.retention);
        Ok((self, is_unknown))
    }

    /// Whether anybody is counted.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.enabled && self.mode != Mode::Off
    }

    /// Whether a path counts: always in full mode.
    pub(crate) fn counts(&self, path: &str) -> bool {
        if self.mode != Mode::Conditional {
            return true;
        }
        let (mut is_listed, mut has_list) = (false, false);
        for rule in &self.paths {
            match rule.strip_prefix('!') {
                Some(excluded) if path.starts_with(excluded) => return false,
                Some(_) => {}
                None => {
                    has_list = true;
                    is_listed |= path.starts_with(rule.as_str());
                }
            }
        }
        is_listed || !has_list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_paths() {
        let of = |list: &[&str]| AnalyticsConfig {
            paths: list.iter().map(ToString::to_string).collect(),
            ..AnalyticsConfig::default()
        };
        for (list, path, want) in [
            (&[][..], "/a", true),
            (&["/blog"], "/blog/x", true),
            (&["/blog"], "/a", false),
            (&["!/admin"], "/admin/x", false),
            (&["!/admin"], "/a", true),
            (&["/blog", "!/blog/draft"], "/blog/draft/1", false),
            (&["/blog", "/shop"], "/shop", true),
        ] {
            assert_eq!(of(list).counts(path), want, "{list:?} {path}");
        }
        let full = AnalyticsConfig { mode: Mode::Full, ..of(&["!/admin"]) };
        assert!(full.counts("/admin"));
    }
}
