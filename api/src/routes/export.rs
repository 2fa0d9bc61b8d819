//! `GET /api/collections/{collection}/export` (superusers): all matching records as CSV, NDJSON or a JSON list, in pieces.
//!
//! Pages follow each other by id, so that memory stays small and no record comes twice; records that are there from the
//! beginning to the end and match are all there, whatever others write meanwhile. With a sort it is one page that is
//! read at once. Not part of the reference. Source: spec dashboard §8 A7.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use engine::{
    ctx::Ctx,
    record::{
        self,
        expand::Paths,
        read::{self, ListOutcome, ListQuery, MAX_PER_PAGE},
    },
    schema::Loaded,
};
use serde::Deserialize;
use serde_json::{Map, value::RawValue};
use tokio::sync::mpsc;

use crate::{
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    paging::boolean,
    request::Req,
    response::{Body, Response},
    route::Endpoint,
    routes::{bulk::after, collection_of, h},
};

pub(crate) const ROUTES: &[Endpoint] =
    &[Endpoint::new("GET /api/collections/{collection}/export", h!(run))
        .op(op("exportRecords", "Bulk", "All matching records in pieces")
            .query(&["format", "filter", "sort", "fields", "guard"])
            .gives("Text")
            .as_type("text/csv"))
        .long_running()];

/// Most records in an order of their own.
const MAX_SORTED: i64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Lines,
    List,
}

struct Export {
    ctx: Ctx,
    collection: Arc<Loaded>,
    format: Format,
    filter: String,
    sort: String,
    columns: Vec<String>,
    /// Texts that spreadsheets would run as formulas get a `'` before them.
    guarded: bool,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<BTreeMap<String, Box<RawValue>>>,
}

async fn run(req: &mut Req) -> Result<Response> {
    guard::superuser(req)?;
    let collection = collection_of(req)?;
    let query = req.query();
    let text = |name: &str| query.get(name).unwrap_or_default().into_owned();
    let (format, kind) = match text("format").as_str() {
        "csv" => (Format::Csv, "text/csv; charset=utf-8"),
        "" | "ndjson" => (Format::Lines, "application/x-ndjson"),
        "json" => (Format::List, "application/json"),
        _ => return Err(ApiError::bad_request("The format must be csv, ndjson or json.")),
    };
    let export = Export {
        ctx: req.ctx(Map::new()),
        format,
        filter: text("filter"),
        sort: text("sort"),
        columns: columns(&collection, &text("fields"))?,
        guarded: boolean(query.get("guard").as_deref())?,
        collection,
    };
    // What cannot be read at all is refused before anything is sent.
    let first = export.page(1, "").await?;
    let (out, pieces) = mpsc::channel(4);
    tokio::spawn(async move {
        if let Err(error) = export.send(first, &out).await {
            // The client sees that the answer is not whole.
            let _ = out.send(Err(std::io::Error::other(error.to_string()))).await;
        }
    });
    let mut response = Response::text(200, kind, Bytes::new());
    response.body = Body::Stream(pieces);
    Ok(response)
}

/// The wanted columns in their order; all that records have without them.
fn columns(collection: &Loaded, fields: &str) -> Result<Vec<String>> {
    let known = || collection.keys.iter().map(|key| key.name.as_str());
    if fields.is_empty() {
        let own = |name: &&str| !matches!(*name, "collectionId" | "collectionName" | "expand");
        let mut names: Vec<String> = collection.columns.clone();
        names.retain(|name| known().filter(own).any(|key| key == name));
        return Ok(names);
    }
    let names: Vec<String> = fields.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !known().any(|key| key == *name)) {
        None => Ok(names),
        Some(name) => Err(ApiError::bad_request(format!("There is no field {name}."))),
    }
}

impl Export {
    /// True if ids say where a page begins: those of views may repeat.
    fn is_keyed(&self) -> bool {
        self.sort.is_empty() && !self.collection.is_view()
    }

    async fn page(&self, page: i64, last: &str) -> Result<Page> {
        let query = ListQuery {
            page,
            per_page: MAX_PER_PAGE,
            skip_total: true,
            filter: after(&self.filter, last),
            sort: if self.is_keyed() { "id".into() } else { self.sort.clone() },
            expand: Paths::default(),
        };
        let body = match read::list(&self.ctx, &self.collection, &query).await? {
            ListOutcome::Json { body, .. } => body,
            ListOutcome::Page(page) => {
                record::enrich(&self.ctx, &self.collection, &page.records, &query.expand).await?;
                page.to_json()
            }
        };
        serde_json::from_slice(&body).map_err(|error| ApiError::internal(error.to_string()))
    }

    async fn send(&self, first: Page, out: &mpsc::Sender<std::io::Result<Bytes>>) -> Result<()> {
        let (mut page, mut number, mut is_first) = (first, 1, true);
        loop {
            let mut text = Vec::with_capacity(page.items.len() * 256 + 64);
            if number == 1 {
                self.begin(&mut text);
            }
            for item in &page.items {
                self.write(item, std::mem::take(&mut is_first), &mut text);
            }
            let is_full = page.items.len() >= MAX_PER_PAGE as usize;
            let is_last =
                !is_full || !self.is_keyed() && number >= MAX_SORTED / i64::from(MAX_PER_PAGE);
            if is_last && self.format == Format::List {
                text.extend_from_slice(b"\n]\n");
            }
            if !text.is_empty() && out.send(Ok(text.into())).await.is_err() || is_last {
                return Ok(());
            }
            let id = page.items.last().and_then(|item| item.get("id"));
            let last: String =
                id.and_then(|id| serde_json::from_str(id.get()).ok()).unwrap_or_default();
            number += 1;
            page = match self.is_keyed() {
                true => self.page(1, &last).await?,
                false => self.page(number, "").await?,
            };
        }
    }

    fn begin(&self, out: &mut Vec<u8>) {
        match self.format {
            Format::Lines => {}
            Format::List => out.extend_from_slice(b"[\n"),
            Format::Csv => {
                let names = self.columns.iter().map(|name| cell(name));
                out.extend_from_slice(names.collect::<Vec<_>>().join(",").as_bytes());
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    fn write(&self, item: &BTreeMap<String, Box<RawValue>>, is_first: bool, out: &mut Vec<u8>) {
        let value = |name: &String| item.get(name).map_or("null", |value| value.get());
        if self.format == Format::Csv {
            let cells = self.columns.iter().map(|name| self.cell(value(name)));
            out.extend_from_slice(cells.collect::<Vec<_>>().join(",").as_bytes());
            out.extend_from_slice(b"\r\n");
            return;
        }
        if self.format == Format::List && !is_first {
            out.extend_from_slice(b",\n");
        }
        out.push(b'{');
        for (at, name) in self.columns.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            crate::json::write_str(out, name);
            out.push(b':');
            out.extend_from_slice(value(name).as_bytes());
        }
        out.push(b'}');
        if self.format == Format::Lines {
            out.push(b'\n');
        }
    }

    fn cell(&self, json: &str) -> String {
        let text = match serde_json::from_str::<String>(json) {
            Ok(text) => text,
            Err(_) if json == "null" => String::new(),
            // numbers and structures as they are spelled
            Err(_) => return cell(json),
        };
        match self.guarded && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            true => cell(&format!("'{text}")),
            false => cell(&text),
        }
    }
}

/// RFC 4180.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells() {
        for (text, want) in [
            ("a", "a"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("a\nb", "\"a\nb\""),
            (" a", "\" a\""),
        ] {
            assert_eq!(cell(text), want);
        }
    }
}
