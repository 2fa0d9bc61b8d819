//! Submitted values that were no dates. They are stored empty, as the reference does without a word; here a warning in the
//! log says for each field how many there were, and not which: values are no business of the log.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use serde_json::json;

use super::body::{Prepared, Submission};
use crate::{App, field::date, log::Level, schema::Loaded};

/// How long values are counted before the first entry, so that an import makes one and not thousands.
const FIRST: Duration = Duration::from_secs(2);
/// The same for each further entry.
const NEXT: Duration = Duration::from_secs(60);
/// Counts by collection and field.
#[derive(Debug, Default)]
pub(crate) struct Unread(Mutex<HashMap<(String, String), Tally>>);

#[derive(Debug)]
struct Tally {
    count: u64,
    /// An entry is to be written.
    waits: bool,
}

/// Counts the values of a submission that were not understood.
pub(super) fn note(app: &App, collection: &Loaded, submission: &Submission, prepared: &Prepared) {
    for (index, val) in &prepared.values {
        let field = &collection.fields[*index];
        if field.type_name() != date::KIND || !val.as_str().is_empty() {
            continue;
        }
        let sent = submission.body.get(&field.name).and_then(serde_json::Value::as_str);
        if sent.is_some_and(|text| !text.trim().is_empty()) {
            app.unread().count(app, &collection.name, &field.name);
        }
    }
}

impl App {
    /// Submitted values that were not understood.
    pub(crate) fn unread(&self) -> &Unread {
        self.part()
    }
}

impl Unread {
    fn count(&self, app: &App, collection: &str, field: &str) {
        let key = (collection.to_owned(), field.to_owned());
        let mut tallies = self.0.lock();
        let delay = if tallies.contains_key(&key) { NEXT } else { FIRST };
        let tally = tallies.entry(key.clone()).or_insert_with(|| Tally { count: 0, waits: false });
        tally.count += 1;
        if std::mem::replace(&mut tally.waits, true) {
            return;
        }
        let app = app.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            app.unread().tell(&app, &key);
        });
    }

    fn tell(&self, app: &App, key: &(String, String)) {
        let count = {
            let mut tallies = self.0.lock();
            let Some(tally) = tallies.get_mut(key) else { return };
            tally.waits = false;
            std::mem::take(&mut tally.count)
        };
        let (collection, field) = key;
        let data = json!({"collection": collection, "field": field, "count": count});
        app.log().write(Level::Warn, "Values that are no dates were stored empty", &data);
    }
}
