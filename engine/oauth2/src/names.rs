//! Names that Apple sends only to the redirect, kept until the code is used (spec auth §3.3 step 4, §3.4 step 5).

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

const LIFE: Duration = Duration::from_secs(60);
const MAX_KEY: usize = 1000;
const MAX_NAME: usize = 150;
/// Most names kept at a time; more are dropped.
const MAX_ENTRIES: usize = 10_000;

/// Names by authorization code, for a minute.
#[derive(Default)]
pub struct Names(Mutex<HashMap<String, (String, Instant)>>);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Names").field(&self.0.lock().len()).finish()
    }
}

impl Names {
    /// Keeps a name for a code.
    pub fn put(&self, code: &str, name: &str, now: Instant) {
        let name = model::check::cut(name.trim(), MAX_NAME);
        if code.is_empty() || code.len() > MAX_KEY || name.is_empty() {
            return;
        }
        let mut names = self.0.lock();
        if names.len() >= MAX_ENTRIES {
            names.retain(|_, (_, since)| now.duration_since(*since) < LIFE);
        }
        if names.len() < MAX_ENTRIES {
            names.insert(code.to_owned(), (name.to_owned(), now));
        }
    }

    /// Takes the name of a code.
    pub fn take(&self, code: &str, now: Instant) -> Option<String> {
        let (name, since) = self.0.lock().remove(code)?;
        (now.duration_since(since) < LIFE).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_and_once() {
        let (names, start) = (Names::default(), Instant::now());
        names.put("a", "  Ann Lee ", start);
        names.put("b", "Bob", start);
        names.put(&"x".repeat(1001), "long", start);
        assert_eq!(names.take("a", start).as_deref(), Some("Ann Lee"));
        assert_eq!(names.take("a", start), None);
        assert_eq!(names.take("b", start + LIFE), None);
        assert_eq!(names.take(&"x".repeat(1001), start), None);
        names.put("c", &"é".repeat(100), start);
        assert_eq!(names.take("c", start).map(|n| n.len()), Some(150));
    }
}
