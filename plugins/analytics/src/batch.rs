//! What was seen since the last write: three maps for each day, with sketches. Source: spec extensions 7.5.
//!
//! Its size is known and bounded by whoever asks. Must not know databases.

use std::collections::{BTreeMap, HashMap};

use crate::{agent::Agent, sketch::Sketch};

/// The path of what is beyond the limit of a day, and the source likewise.
pub(crate) const OTHER: &str = "(other)";
/// What an entry of a map takes besides its texts and its sketch, about.
const ENTRY: usize = 128;

/// One event, ready to be counted.
#[derive(Debug)]
pub(crate) struct Hit<'h> {
    /// Days since 1970.
    pub(crate) day: i64,
    pub(crate) path: &'h str,
    /// `None` is the site itself.
    pub(crate) source: Option<&'h str>,
    pub(crate) agent: Agent,
    /// The hash of the session.
    pub(crate) visitor: u64,
    pub(crate) dur: Option<f64>,
}

/// A page on a day.
#[derive(Debug, Default, Clone)]
pub(crate) struct Page {
    pub(crate) views: u64,
    pub(crate) visitors: Sketch,
    pub(crate) dur_sum: u64,
    pub(crate) dur_count: u64,
}

impl Page {
    pub(crate) fn merge(&mut self, other: &Self) -> usize {
        self.views += other.views;
        self.dur_sum += other.dur_sum;
        self.dur_count += other.dur_count;
        self.visitors.merge(&other.visitors)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Day {
    pub(crate) pages: HashMap<String, Page>,
    pub(crate) sources: HashMap<String, Page>,
    pub(crate) devices: HashMap<Agent, Page>,
}

#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) days: BTreeMap<i64, Day>,
    /// How much memory it takes, about.
    bytes: usize,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.days.is_empty()
    }
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts an event; with more than `max` names of a day, under [`OTHER`].
    pub(crate) fn push(&mut self, hit: &Hit<'_>, max: usize) {
        let day = self.days.entry(hit.day).or_default();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        let one = Page {
            views: 1,
            visitors: Sketch::Few(vec![hit.visitor]),
            dur_sum: hit.dur.unwrap_or_default().round() as u64,
            dur_count: u64::from(hit.dur.is_some()),
        };
        self.bytes += count_text(&mut day.pages, hit.path, &one, max);
        if let Some(source) = hit.source {
            self.bytes += count_text(&mut day.sources, source, &one, max);
        }
        self.bytes += count(day.devices.entry(hit.agent).or_default(), &one);
    }

    /// Takes back what could not be written.
    pub(crate) fn merge(&mut self, other: &Self, max: usize) {
        for (at, theirs) in &other.days {
            let day = self.days.entry(*at).or_default();
            for (name, page) in &theirs.pages {
                self.bytes += count_text(&mut day.pages, name, page, max);
            }
            for (name, page) in &theirs.sources {
                self.bytes += count_text(&mut day.sources, name, page, max);
            }
            for (agent, page) in &theirs.devices {
                self.bytes += count(day.devices.entry(*agent).or_default(), page);
            }
        }
    }
}

fn count(page: &mut Page, more: &Page) -> usize {
    let is_new = page.views == 0;
    page.merge(more) + if is_new { ENTRY } else { 0 }
}

fn count_text(map: &mut HashMap<String, Page>, name: &str, more: &Page, max: usize) -> usize {
    if let Some(page) = map.get_mut(name) {
        return page.merge(more);
    }
    let name = if map.len() < max { name } else { OTHER };
    match map.get_mut(name) {
        Some(page) => page.merge(more),
        None => name.len() + count(map.entry(name.to_owned()).or_default(), more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: Agent = Agent { browser: "Chrome", os: "Linux", device: "desktop" };

    fn push(batch: &mut Batch, path: &str, visitor: u64, dur: Option<f64>) {
        let hit = Hit { day: 1, path, source: Some("direct"), agent: AGENT, visitor, dur };
        batch.push(&hit, 100);
    }

    #[test]
    fn a_million_paths_take_bounded_memory() {
        let mut batch = Batch::default();
        for n in 0..1_000_000_u64 {
            push(&mut batch, &format!("/p/{n}"), n, None);
        }
        let day = &batch.days[&1];
        assert_eq!(day.pages.len(), 101);
        assert_eq!(day.pages[OTHER].views, 999_900);
        assert!(batch.bytes() < 100_000, "{}", batch.bytes());
    }

    #[test]
    fn what_comes_back_is_added() {
        let (mut old, mut new) = (Batch::default(), Batch::default());
        push(&mut old, "/a", 1, Some(10.0));
        push(&mut old, "/a", 2, None);
        push(&mut new, "/a", 2, Some(30.0));
        new.merge(&old, 100);
        let page = &new.days[&1].pages["/a"];
        assert_eq!((page.views, page.visitors.count()), (3, 2));
        assert_eq!((page.dur_sum, page.dur_count), (40, 2));
    }
}
