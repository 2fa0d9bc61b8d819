//! Files for changes of collections that superusers make through the API or the dashboard.

use std::path::PathBuf;

use pocketbase::{App, Collection, Error, Incoming, Result};
use serde_json::Value;

use crate::text;

/// How names of files begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Prefix {
    /// Seconds since 1970.
    #[default]
    Unix,
    /// `20240102030405`, UTC.
    DateTime,
}

impl Prefix {
    /// The beginning of a name for a moment.
    fn of(self, seconds: u64) -> String {
        match self {
            Self::Unix => seconds.to_string(),
            Self::DateTime => {
                let (days, rest) = (seconds / 86_400, seconds % 86_400);
                let (year, month, day) = civil(days);
                let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
                format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
            }
        }
    }
}

/// The date of a day since 1970 (years of 400 begin in March: the leap day is the last one).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = (if month < 10 { month + 3 } else { month - 9 }, day - (153 * month + 2) / 5 + 1);
    (year + era * 400 + u64::from(date.0 <= 2), date.0, date.1)
}

/// Now, in seconds.
fn now() -> u64 {
    u64::try_from(pocketbase::now().seconds()).unwrap_or_default()
}

/// The name of a file for something done at a moment.
#[must_use]
pub fn file_name(prefix: Prefix, seconds: u64, action: &str, collection: &str) -> String {
    let prefix = prefix.of(seconds);
    // Test files of Go end in `_test`: migrations that are written in Go must not be taken for one.
    let test = if collection.to_lowercase().ends_with("test") { "_" } else { "" };
    format!("{prefix}_{action}_{collection}{test}.js")
}

/// From now on, writes a file for each change of a collection that comes in as a request.
pub fn automigrate(app: &App, dir: PathBuf, prefix: Prefix) {
    let files = Files { dir, prefix };
    let (create, update, delete) = (files.clone(), files.clone(), files);
    app.on_collection_create_request().bind(move |e| {
        let files = create.clone();
        async move {
            let collection = e.collection();
            e.next().await?;
            let file = files.changed(e.app(), None, Some(&collection.id())).await;
            tell(e.incoming(), file);
            Ok(())
        }
    });
    app.on_collection_update_request().bind(move |e| {
        let files = update.clone();
        async move {
            let id = e.collection().id();
            let old = e.app().find_collection(&id).await?.to_json();
            e.next().await?;
            let file = files.changed(e.app(), Some(old), Some(&id)).await;
            tell(e.incoming(), file);
            Ok(())
        }
    });
    app.on_collection_delete_request().bind(move |e| {
        let files = delete.clone();
        async move {
            let old = e.collection().to_json();
            e.next().await?;
            let file = files.changed(e.app(), Some(old), None).await;
            tell(e.incoming(), file);
            Ok(())
        }
    });
}

/// Which file was written, for whoever made the change.
fn tell(request: Option<Incoming>, file: Option<String>) {
    if let (Some(request), Some(file)) = (request, file) {
        request.set_response_header("X-Migration", &file);
    }
}

#[derive(Clone)]
struct Files {
    dir: PathBuf,
    prefix: Prefix,
}

impl Files {
    /// Writes what happened; the name of the file. The change itself is done and stays, whatever becomes of the file.
    async fn changed(&self, app: &App, old: Option<Value>, new: Option<&str>) -> Option<String> {
        let new = match new {
            Some(id) => app.find_collection(id).await.ok().as_ref().map(Collection::to_json),
            None => None,
        };
        let name = |collection: &Value| collection["name"].as_str().unwrap_or_default().to_owned();
        let (action, name, text) = match (&old, &new) {
            (None, Some(new)) => ("created", name(new), Some(text::created(new))),
            (Some(old), Some(new)) => ("updated", name(old), text::updated(old, new)),
            (Some(old), None) => ("deleted", name(old), Some(text::deleted(old))),
            (None, None) => return None,
        };
        match self.write(app, action, &name, &text?).await {
            Ok(file) => Some(file),
            Err(error) => {
                let error = error.to_string();
                app.logger().error("failed to write a migration file", &[("error", error.into())]);
                None
            }
        }
    }

    /// Puts a file and its name in the history, both or none. Two changes within a second get names of two seconds.
    async fn write(&self, app: &App, action: &str, name: &str, text: &str) -> Result<String> {
        tokio::fs::create_dir_all(&self.dir).await?;
        let mut seconds = now();
        let applied = app.migrations().applied(app).await?;
        let file = loop {
            let file = file_name(self.prefix, seconds, action, name);
            if !applied.contains(&file) && !self.dir.join(&file).exists() {
                break file;
            }
            seconds += 1;
        };
        let path = self.dir.join(&file);
        let text = text.to_owned();
        app.migrations()
            .mark_applied(app, &file, async move {
                tokio::fs::write(&path, text).await.map_err(Error::from)
            })
            .await?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (prefix, seconds, action, name, want) in [
            (Prefix::Unix, 1_687_801_097, "created", "posts", "1687801097_created_posts.js"),
            (Prefix::Unix, 7, "updated", "myTest", "7_updated_myTest_.js"),
            (Prefix::DateTime, 0, "deleted", "a", "19700101000000_deleted_a.js"),
            (Prefix::DateTime, 951_827_696, "created", "a", "20000229123456_created_a.js"),
            (Prefix::DateTime, 1_735_689_599, "created", "a", "20241231235959_created_a.js"),
        ] {
            assert_eq!(file_name(prefix, seconds, action, name), want);
        }
    }
}
