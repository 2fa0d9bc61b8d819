//! Stored files as answers: what is said about them besides their bytes.
//!
//! Knows no records and no rules. Source: spec records-files-realtime-batch §4.4, upstream-0.40 §4.2.

use std::sync::Arc;

use engine::files::{Attributes, Storage};
use http::{HeaderMap, header};

use crate::{
    content::{Content, missing, set},
    error::{ApiError, Result},
    head::Head,
    response::Response,
};

/// A browser may show these; everything else is saved.
const INLINE: &[&str] = &[
    "image/png",
    "image/jpg",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/x-icon",
    "image/bmp",
    "video/webm",
    "video/mp4",
    "video/3gpp",
    "video/quicktime",
    "video/x-ms-wmv",
    "audio/basic",
    "audio/aiff",
    "audio/mpeg",
    "audio/midi",
    "audio/mp3",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-mpeg",
    "audio/x-m4a",
    "audio/aac",
    "application/pdf",
    "application/x-pdf",
];

/// Extensions that say more than the content.
const BY_EXTENSION: &[(&str, &str)] = &[
    (".svg", "image/svg+xml"),
    (".css", "text/css"),
    (".js", "text/javascript"),
    (".mjs", "text/javascript"),
    (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
];

const POLICY: &str = "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; sandbox";
const CACHE: &str = "max-age=2592000, stale-while-revalidate=86400";

/// A stored file on its way to a client.
#[derive(Debug, Clone)]
pub struct Download {
    /// Where it is kept.
    pub place: Arc<dyn Storage>,
    /// Its key.
    pub key: String,
    /// What the client is to call it.
    pub name: String,
    /// To be saved, whatever it is.
    pub attachment: bool,
}

impl Download {
    /// Answers a request for the file.
    ///
    /// # Errors
    /// 404 when it is not there (any more).
    pub async fn answer(&self, head: &Head) -> Result<Response> {
        let found = self.place.head(&self.key).await.map_err(|error| missing(&error))?;
        let found = found.ok_or_else(|| ApiError::not_found(""))?;
        let mut response = Response::empty(200);
        self.describe(&found, &mut response.headers);
        let modified = u64::try_from(found.modified_ms / 1000).unwrap_or(0);
        Content::Stored(self.place.clone(), self.key.clone())
            .answer(head, response, found.size, modified)
            .await
    }

    fn describe(&self, found: &Attributes, headers: &mut HeaderMap) {
        let inline = INLINE.contains(&found.content_type.as_str()) && !self.attachment;
        let disposition = if inline { "inline" } else { "attachment" };
        let name = engine::json::quote_go(&self.name);
        set(headers, header::CONTENT_DISPOSITION, &format!("{disposition}; filename={name}"));
        let extension = self.key.rfind('.').map_or("", |at| &self.key[at..]);
        let known = BY_EXTENSION.iter().find(|(known, _)| *known == extension);
        let content_type =
            known.map_or(found.content_type.as_str(), |(_, content_type)| content_type);
        set(headers, header::CONTENT_TYPE, content_type);
        set(headers, header::CONTENT_SECURITY_POLICY, POLICY);
        set(headers, header::CACHE_CONTROL, CACHE);
    }
}
