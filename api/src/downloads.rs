//! Stored files as answers: their headers, conditions and ranges, streamed from wherever they are kept.
//!
//! Knows no records and no rules. Source: spec records-files-realtime-batch §4.4.

use std::{io, sync::Arc};

use bytes::Bytes;
use engine::files::{Attributes, Storage};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::{io::AsyncSeekExt as _, sync::mpsc};

use crate::{
    error::{ApiError, Result},
    range::{self, Answer, Part},
    request::Head,
    response::{Body, FileBody, Response},
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
        let (size, modified) = (found.size, u64::try_from(found.modified_ms / 1000).unwrap_or(0));
        if modified > 0 {
            set(&mut response.headers, header::LAST_MODIFIED, &range::http_date(modified));
        }
        let headers = &mut response.headers;
        match range::decide(&head.method, &head.headers, size, modified) {
            Answer::NotModified => {
                headers.remove(header::CONTENT_TYPE);
                response.status = 304;
            }
            Answer::Failed => response.status = 412,
            Answer::Malformed => refuse(&mut response, "invalid range\n"),
            Answer::Unsatisfiable => {
                set(headers, header::CONTENT_RANGE, &format!("bytes */{size}"));
                refuse(&mut response, "invalid range: failed to overlap\n");
            }
            Answer::Whole => {
                self.send(head, &mut response, Part { start: 0, len: size }).await?;
            }
            Answer::One(part) => {
                set(headers, header::CONTENT_RANGE, &part.content_range(size));
                response.status = 206;
                self.send(head, &mut response, part).await?;
            }
            Answer::Several(parts) => {
                response.status = 206;
                self.send_several(head, &mut response, parts, size);
            }
        }
        Ok(response)
    }

    fn describe(&self, found: &Attributes, headers: &mut HeaderMap) {
        let inline = INLINE.contains(&found.content_type.as_str()) && !self.attachment;
        let disposition = if inline { "inline" } else { "attachment" };
        // spec §4.4: the name is not quoted.
        set(
            headers,
            header::CONTENT_DISPOSITION,
            &format!("{disposition}; filename={}", self.name),
        );
        let extension = self.key.rfind('.').map_or("", |at| &self.key[at..]);
        let known = BY_EXTENSION.iter().find(|(known, _)| *known == extension);
        let content_type =
            known.map_or(found.content_type.as_str(), |(_, content_type)| content_type);
        set(headers, header::CONTENT_TYPE, content_type);
        set(headers, header::CONTENT_SECURITY_POLICY, POLICY);
        set(headers, header::CACHE_CONTROL, CACHE);
    }

    /// One part as the body.
    async fn send(&self, head: &Head, response: &mut Response, part: Part) -> Result<()> {
        set(&mut response.headers, header::ACCEPT_RANGES, "bytes");
        if let Some(path) = self.place.local_path(&self.key) {
            let mut file = tokio::fs::File::open(path).await.map_err(|error| missing(&error))?;
            if part.start > 0 {
                file.seek(io::SeekFrom::Start(part.start))
                    .await
                    .map_err(|error| missing(&error))?;
            }
            response.body = Body::File(FileBody::new(file, part.len));
            return Ok(());
        }
        set(&mut response.headers, header::CONTENT_LENGTH, &part.len.to_string());
        if head.method == Method::HEAD {
            return Ok(());
        }
        let wanted = part.start..part.start + part.len;
        let pieces =
            self.place.get(&self.key, Some(wanted)).await.map_err(|error| missing(&error))?;
        let (send, receive) = mpsc::channel(PIECES_AHEAD);
        tokio::spawn(async move {
            forward(pieces, &send).await;
        });
        response.body = Body::Stream(receive);
        Ok(())
    }

    /// Several parts as `multipart/byteranges`.
    fn send_several(&self, head: &Head, response: &mut Response, parts: Vec<Part>, size: u64) {
        let boundary = engine::auth::random_alnum(60);
        let inner = response.headers.get(header::CONTENT_TYPE).cloned();
        let inner = inner.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let heads: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| {
                let line = if at > 0 { "\r\n" } else { "" };
                let range = part.content_range(size);
                format!(
                    "{line}--{boundary}\r\nContent-Range: {range}\r\nContent-Type: {inner}\r\n\r\n"
                )
            })
            .collect();
        let end = format!("\r\n--{boundary}--\r\n");
        let length = end.len() as u64
            + heads.iter().map(|head| head.len() as u64).sum::<u64>()
            + parts.iter().map(|part| part.len).sum::<u64>();
        let headers = &mut response.headers;
        let content_type = format!("multipart/byteranges; boundary={boundary}");
        set(headers, header::CONTENT_TYPE, &content_type);
        set(headers, header::ACCEPT_RANGES, "bytes");
        set(headers, header::CONTENT_LENGTH, &length.to_string());
        if head.method == Method::HEAD {
            return;
        }
        let (send, receive) = mpsc::channel(PIECES_AHEAD);
        let this = self.clone();
        tokio::spawn(async move {
            for (head, part) in heads.into_iter().zip(parts) {
                if send.send(Ok(Bytes::from(head))).await.is_err() {
                    return;
                }
                let wanted = part.start..part.start + part.len;
                let pieces = match this.place.get(&this.key, Some(wanted)).await {
                    Ok(pieces) => pieces,
                    Err(error) => {
                        // The receiver may be gone; an error cuts the connection.
                        let _ = send.send(Err(error)).await;
                        return;
                    }
                };
                if !forward(pieces, &send).await {
                    return;
                }
            }
            let _ = send.send(Ok(Bytes::from(end))).await;
        });
        response.body = Body::Stream(receive);
    }
}

/// Pieces read before the client has taken the ones before.
const PIECES_AHEAD: usize = 2;

/// Passes a file on; false when the client went away or the file broke off.
async fn forward(
    mut pieces: engine::files::ByteStream,
    to: &mpsc::Sender<io::Result<Bytes>>,
) -> bool {
    while let Some(piece) = pieces.next().await {
        let broken = piece.is_err();
        if to.send(piece).await.is_err() || broken {
            return false;
        }
    }
    true
}

/// 416: the type stays, what is about the content goes.
fn refuse(response: &mut Response, text: &'static str) {
    for name in [header::CACHE_CONTROL, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
        response.headers.remove(name);
    }
    response.status = 416;
    response.body = Body::Full(Bytes::from_static(text.as_bytes()));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn missing(error: &io::Error) -> ApiError {
    ApiError::not_found("").with_detail(error.to_string())
}
