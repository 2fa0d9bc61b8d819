//! The tables and their statements: SQLite's auxiliary database, or PostgreSQL's main schema. Source: spec extensions 7.3.
//!
//! Whoever writes on PostgreSQL holds a lock until the commit: what several nodes have seen of a day adds up, and nobody
//! waits for a row that another one holds. Must not know how events come in.

use std::collections::{BTreeMap, HashMap, HashSet};

use pocketbase::{App, Result, db::Db};
use serde_json::{Value, json};

use crate::{
    batch::{Batch, OTHER, Page},
    clock::{date_of, stamp},
    sketch::Sketch,
};

/// The key of the lock on PostgreSQL.
const LOCK: i64 = 0x7062_616e_616c;
/// Rows of one statement.
const CHUNK: usize = 200;

/// A table: its name, the columns of its key behind the date, and that of the sketch.
struct Kind {
    table: &'static str,
    keys: &'static [&'static str],
    sketch: &'static str,
    /// It has the views and durations, too.
    has_views: bool,
    is_bounded: bool,
}

const DAILY: Kind = Kind {
    table: "_analytics_daily",
    keys: &["path"],
    sketch: "total_uv",
    has_views: true,
    is_bounded: true,
};
const SOURCES: Kind = Kind {
    table: "_analytics_sources",
    keys: &["source"],
    sketch: "uv",
    has_views: false,
    is_bounded: true,
};
const DEVICES: Kind = Kind {
    table: "_analytics_devices",
    keys: &["browser", "os", "device"],
    sketch: "uv",
    has_views: false,
    is_bounded: false,
};
const KINDS: [&Kind; 3] = [&DAILY, &SOURCES, &DEVICES];

/// Makes the tables where they are missing.
pub(crate) async fn make_tables(app: &App) -> Result<()> {
    app.aux_run_in_transaction(|tx| async move {
        let db = tx.aux_db();
        let is_postgres = lock(&db).await?;
        let (int, bytes, empty) = match is_postgres {
            true => ("BIGINT", "BYTEA", "''::bytea"),
            false => ("INTEGER", "BLOB", "x''"),
        };
        for kind in KINDS {
            let mut columns = vec!["id TEXT PRIMARY KEY NOT NULL".to_owned()];
            let text = |name: &str| format!("{name} TEXT DEFAULT '' NOT NULL");
            let number = |name: &str| format!("{name} {int} DEFAULT 0 NOT NULL");
            columns.push(text("date"));
            columns.extend(kind.keys.iter().map(|name| text(name)));
            if kind.has_views {
                columns.push(number("total_pv"));
            }
            columns.push(format!("{} {bytes} DEFAULT {empty} NOT NULL", kind.sketch));
            columns.push(number("visitors"));
            if kind.has_views {
                columns.extend(["avg_dur", "dur_sum", "dur_count"].map(number));
            }
            columns.extend(["created", "updated"].map(text));
            let (table, columns) = (kind.table, columns.join(", "));
            db.query(format!("CREATE TABLE IF NOT EXISTS {table} ({columns})")).execute().await?;
            let mut indexes = vec!["date"];
            indexes.extend(kind.has_views.then_some("path"));
            for column in indexes {
                let name = format!("idx{table}_{column}");
                let text = format!("CREATE INDEX IF NOT EXISTS {name} ON {table} ({column})");
                db.query(text).execute().await?;
            }
        }
        Ok(())
    })
    .await
}

/// One writer at a time; whether it is PostgreSQL. SQLite has one anyway.
async fn lock(db: &Db) -> Result<bool> {
    let is_postgres = db.is_postgres()?;
    if is_postgres {
        let text =
            format!("SELECT CASE WHEN pg_advisory_xact_lock({LOCK}) IS NULL THEN 1 ELSE 0 END");
        db.query(text).scalar::<i64>().await?;
    }
    Ok(is_postgres)
}

/// What a write found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Stored sketches that nobody can read any more, and that were replaced.
    pub(crate) n_replaced: usize,
}

/// Adds what was seen: all of it or, with an error, nothing.
pub(crate) async fn write(app: &App, batch: &Batch, max: usize) -> Result<Written> {
    app.aux_run_in_transaction(|tx| async move {
        let db = tx.aux_db();
        let mut writer = Writer { is_postgres: lock(&db).await?, db, n_replaced: 0, max };
        for (at, day) in &batch.days {
            let date = date_of(*at);
            let pages = day.pages.iter().map(|(name, page)| (vec![name.as_str()], page));
            writer.write(&DAILY, &date, pages.collect()).await?;
            let sources = day.sources.iter().map(|(name, page)| (vec![name.as_str()], page));
            writer.write(&SOURCES, &date, sources.collect()).await?;
            let devices = day.devices.iter();
            let devices = devices.map(|(a, page)| (vec![a.browser, a.os, a.device], page));
            writer.write(&DEVICES, &date, devices.collect()).await?;
        }
        Ok(Written { n_replaced: writer.n_replaced })
    })
    .await
}

struct Writer {
    db: Db,
    is_postgres: bool,
    n_replaced: usize,
    max: usize,
}

/// A row with what was seen since the last write.
struct Fresh<'b> {
    id: String,
    keys: Vec<&'b str>,
    page: std::borrow::Cow<'b, Page>,
}

impl Writer {
    async fn write(
        &mut self,
        kind: &Kind,
        date: &str,
        seen: Vec<(Vec<&str>, &Page)>,
    ) -> Result<()> {
        let mut rows: Vec<Fresh<'_>> = Vec::with_capacity(seen.len());
        for (keys, page) in seen {
            let id = format!("{date}|{}", keys.join("|"));
            rows.push(Fresh { id, keys, page: std::borrow::Cow::Borrowed(page) });
        }
        if kind.is_bounded {
            rows = self.bounded(kind, date, rows).await?;
        }
        for chunk in rows.chunks(CHUNK) {
            self.write_chunk(kind, date, chunk).await?;
        }
        Ok(())
    }

    /// With what is beyond the limit of the day under one name.
    async fn bounded<'b>(
        &self,
        kind: &Kind,
        date: &str,
        rows: Vec<Fresh<'b>>,
    ) -> Result<Vec<Fresh<'b>>> {
        let text = format!("SELECT id FROM {} WHERE date = {{:date}}", kind.table);
        let stored: Vec<String> = self.db.query(text).bind("date", date).column().await?;
        let stored: HashSet<String> = stored.into_iter().collect();
        let other_id = format!("{date}|{OTHER}");
        let n_stored = stored.len() - usize::from(stored.contains(&other_id));
        let mut room = self.max.saturating_sub(n_stored);
        let (mut kept, mut other) = (Vec::with_capacity(rows.len()), Page::default());
        for row in rows {
            if row.id == other_id {
                other.merge(&row.page);
            } else if stored.contains(&row.id) {
                kept.push(row);
            } else if room > 0 {
                room -= 1;
                kept.push(row);
            } else {
                other.merge(&row.page);
            }
        }
        if other.views > 0 {
            let page = std::borrow::Cow::Owned(other);
            kept.push(Fresh { id: other_id, keys: vec![OTHER], page });
        }
        Ok(kept)
    }

    async fn write_chunk(&mut self, kind: &Kind, date: &str, rows: &[Fresh<'_>]) -> Result<()> {
        let mut stored = self.stored(kind, rows).await?;
        let now = stamp();
        let mut values = Vec::with_capacity(rows.len());
        for row in rows {
            let mut page = row.page.clone().into_owned();
            if let Some(before) = stored.remove(&row.id) {
                page.views += before.views;
                page.dur_sum += before.dur_sum;
                page.dur_count += before.dur_count;
                match before.sketch.as_deref().and_then(Sketch::from_bytes) {
                    Some(sketch) => {
                        page.visitors.merge(&sketch);
                    }
                    None => self.n_replaced += 1,
                }
            }
            let mut value = vec![json!(row.id), json!(date)];
            value.extend(row.keys.iter().map(|key| json!(key)));
            value.push(json!(hex(&page.visitors.to_bytes())));
            value.push(json!(page.visitors.count()));
            if kind.has_views {
                let average = page.dur_sum.checked_div(page.dur_count).unwrap_or_default();
                value.extend([page.views, average, page.dur_sum, page.dur_count].map(|n| json!(n)));
            }
            value.extend([json!(now), json!(now)]);
            values.push(Value::Array(value));
        }
        let text = self.upsert(kind);
        self.db.query(text).bind("rows", Value::Array(values).to_string()).execute().await?;
        Ok(())
    }

    fn upsert(&self, kind: &Kind) -> String {
        let mut columns = vec![("id", "text"), ("date", "text")];
        columns.extend(kind.keys.iter().map(|key| (*key, "text")));
        columns.extend([(kind.sketch, "bytes"), ("visitors", "bigint")]);
        if kind.has_views {
            columns.extend(["total_pv", "avg_dur", "dur_sum", "dur_count"].map(|c| (c, "bigint")));
        }
        columns.extend([("created", "text"), ("updated", "text")]);
        let read = |(at, (_, kind)): (usize, &(&str, &str))| match (self.is_postgres, *kind) {
            (true, "bytes") => format!("decode(value->>{at}, 'hex')"),
            (true, kind) => format!("(value->>{at})::{kind}"),
            (false, "bytes") => format!("unhex(json_extract(value, '$[{at}]'))"),
            (false, _) => format!("json_extract(value, '$[{at}]')"),
        };
        let reads: Vec<String> = columns.iter().enumerate().map(read).collect();
        let from = match self.is_postgres {
            true => "jsonb_array_elements({:rows}::jsonb) AS listed(value)",
            false => "json_each({:rows})",
        };
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let changes: Vec<String> = names[2 + kind.keys.len()..]
            .iter()
            .filter(|name| **name != "created")
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {from} WHERE true ON CONFLICT (id) DO UPDATE SET {}",
            kind.table,
            names.join(", "),
            reads.join(", "),
            changes.join(", ")
        )
    }

    /// What the table has of some rows.
    async fn stored(&self, kind: &Kind, rows: &[Fresh<'_>]) -> Result<HashMap<String, Stored>> {
        let numbers = if kind.has_views { "total_pv, dur_sum, dur_count" } else { "0, 0, 0" };
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let (listed, held) = match self.is_postgres {
            true => ("SELECT jsonb_array_elements_text({:ids}::jsonb)", " FOR UPDATE"),
            false => ("SELECT value FROM json_each({:ids})", ""),
        };
        let text = format!(
            "SELECT id, {} AS sketch, {numbers} FROM {} WHERE id IN ({listed}){held}",
            hexed(self.is_postgres, kind.sketch),
            kind.table
        );
        let found: Vec<(String, String, u64, u64, u64)> =
            self.db.query(text).bind("ids", json!(ids).to_string()).all().await?;
        let row = |(id, sketch, views, dur_sum, dur_count): (String, String, u64, u64, u64)| {
            (id, Stored { sketch: unhex(&sketch), views, dur_sum, dur_count })
        };
        Ok(found.into_iter().map(row).collect())
    }
}

struct Stored {
    sketch: Option<Vec<u8>>,
    views: u64,
    dur_sum: u64,
    dur_count: u64,
}

fn hexed(is_postgres: bool, column: &str) -> String {
    if is_postgres { format!("encode({column}, 'hex')") } else { format!("hex({column})") }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// True if anybody has been counted before.
pub(crate) async fn has_rows(app: &App) -> Result<bool> {
    let one = app.aux_db().select(["id"]).from(KINDS[0].table).limit(1);
    Ok(!one.column::<String>().await?.is_empty())
}

/// Deletes the days before a date.
pub(crate) async fn prune(app: &App, before: &str) -> Result<()> {
    let before = before.to_owned();
    app.aux_run_in_transaction(|tx| async move {
        let db = tx.aux_db();
        lock(&db).await?;
        for kind in KINDS {
            let text = format!("DELETE FROM {} WHERE date < {{:before}}", kind.table);
            db.query(text).bind("before", before.as_str()).execute().await?;
        }
        Ok(())
    })
    .await
}

/// The numbers of a day, or of a page.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) views: u64,
    pub(crate) dur_sum: u64,
    pub(crate) dur_count: u64,
}

/// Reads statistics of the days from `start` to `end`.
#[derive(Debug)]
pub(crate) struct Reader<'r> {
    app: &'r App,
    start: &'r str,
    end: &'r str,
}

impl<'r> Reader<'r> {
    pub(crate) fn new(app: &'r App, start: &'r str, end: &'r str) -> Self {
        Self { app, start, end }
    }
    fn query(&self, text: impl Into<String>) -> pocketbase::db::Query {
        self.app.aux_db().query(text).bind("start", self.start).bind("end", self.end)
    }
    async fn sketches(&self, table: &str, column: &str, name: &str) -> Result<Sketch> {
        let sketch = if table == DAILY.table { DAILY.sketch } else { SOURCES.sketch };
        let hexed = hexed(self.app.aux_db().is_postgres()?, sketch);
        let text = format!(
            "SELECT {hexed} FROM {table} WHERE {column} = {{:name}} AND date BETWEEN {{:start}} AND {{:end}}"
        );
        let found: Vec<String> = self.query(text).bind("name", name).column().await?;
        Ok(merged(&found))
    }

    /// The days that have any views.
    pub(crate) async fn days(&self) -> Result<BTreeMap<String, Sums>> {
        let text = "SELECT date, CAST(sum(total_pv) AS BIGINT), CAST(sum(dur_sum) AS BIGINT), \
             CAST(sum(dur_count) AS BIGINT) FROM _analytics_daily \
             WHERE date BETWEEN {:start} AND {:end} GROUP BY date";
        let found: Vec<(String, u64, u64, u64)> = self.query(text).all().await?;
        let sums = |(date, views, dur_sum, dur_count)| (date, Sums { views, dur_sum, dur_count });
        Ok(found.into_iter().map(sums).collect())
    }
    /// The visitors of a day: each has one device at least, and there are few of those.
    pub(crate) async fn visitors_of(&self, date: &str) -> Result<Sketch> {
        self.sketches(DEVICES.table, "date", date).await
    }

    /// The pages with the most views.
    pub(crate) async fn top_pages(&self, limit: usize) -> Result<Vec<(String, u64, u64)>> {
        let text = format!(
            "SELECT path, CAST(sum(total_pv) AS BIGINT) AS pv FROM _analytics_daily \
             WHERE date BETWEEN {{:start}} AND {{:end}} GROUP BY path ORDER BY pv DESC, path LIMIT {limit}"
        );
        let found: Vec<(String, u64)> = self.query(text).all().await?;
        let mut pages = Vec::with_capacity(found.len());
        for (path, views) in found {
            let visitors = self.sketches(DAILY.table, "path", &path).await?.count();
            pages.push((path, views, visitors));
        }
        Ok(pages)
    }

    /// The sources with the most visitors. Those that come again another day count once, so that more are looked at than
    /// are shown.
    pub(crate) async fn top_sources(&self, limit: usize) -> Result<Vec<(String, u64)>> {
        let text = format!(
            "SELECT source FROM _analytics_sources WHERE date BETWEEN {{:start}} AND {{:end}} \
             GROUP BY source ORDER BY sum(visitors) DESC, source LIMIT {}",
            2 * limit + 50
        );
        let names: Vec<String> = self.query(text).column().await?;
        let mut sources = Vec::with_capacity(names.len());
        for name in names {
            let visitors = self.sketches(SOURCES.table, "source", &name).await?.count();
            sources.push((name, visitors));
        }
        sources.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sources.truncate(limit);
        Ok(sources)
    }

    /// The visitors of each value of a column of the devices, most first.
    pub(crate) async fn devices(&self, column: &str) -> Result<Vec<(String, u64)>> {
        let text = format!(
            "SELECT DISTINCT {column} FROM _analytics_devices WHERE date BETWEEN {{:start}} AND {{:end}}"
        );
        let names: Vec<String> = self.query(text).column().await?;
        let mut counted = Vec::with_capacity(names.len());
        for name in names {
            let visitors = self.sketches(DEVICES.table, column, &name).await?.count();
            counted.push((name, visitors));
        }
        counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(counted)
    }
}

fn merged(found: &[String]) -> Sketch {
    let mut all = Sketch::default();
    for sketch in found.iter().filter_map(|text| Sketch::from_bytes(&unhex(text)?)) {
        all.merge(&sketch);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_text() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("0G"), None);
    }
}
