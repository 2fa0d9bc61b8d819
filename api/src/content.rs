//! Bytes that a client may ask for in parts: a file on disk or one in storage, with conditions and ranges, streamed.
//!
//! Knows neither records nor paths. Source: spec records-files-realtime-batch §4.4, server-settings-operations §2.3.

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use engine::files::{ByteStream, Storage};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncSeekExt as _},
    sync::mpsc,
};
use tokio_util::io::ReaderStream;

use crate::{
    error::{ApiError, Result},
    head::Head,
    range::{self, Answer, Part},
    response::{Body, FileBody, Response},
};

/// Pieces read before the client has taken the ones before.
const PIECES_AHEAD: usize = 2;

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// On this machine.
    File(PathBuf),
    /// Under a key.
    Stored(Arc<dyn Storage>, String),
}

impl Content {
    /// Completes `response`, which has the type and what else is to be said about the content: the bytes the request asks
    /// for, and the headers about them. `modified` is in seconds since the epoch, 0 for unknown.
    ///
    /// # Errors
    /// 404 when the bytes are not there (any more).
    pub(crate) async fn answer(
        self,
        head: &Head,
        mut response: Response,
        size: u64,
        modified: u64,
    ) -> Result<Response> {
        let headers = &mut response.headers;
        if modified > 0 {
            set(headers, header::LAST_MODIFIED, &range::http_date(modified));
        }
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
            Answer::Whole => self.send(head, &mut response, Part { start: 0, len: size }).await?,
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

    /// One part as the body.
    async fn send(self, head: &Head, response: &mut Response, part: Part) -> Result<()> {
        set(&mut response.headers, header::ACCEPT_RANGES, "bytes");
        set(&mut response.headers, header::CONTENT_LENGTH, &part.len.to_string());
        let local = match &self {
            Self::File(path) => Some(path.clone()),
            Self::Stored(place, key) => place.local_path(key),
        };
        if let Some(path) = local {
            let file = open(path, part.start).await.map_err(|error| missing(&error))?;
            response.body = Body::File(FileBody::new(file, part.len));
            return Ok(());
        }
        if head.method == Method::HEAD {
            return Ok(());
        }
        let pieces = self.pieces(part).await.map_err(|error| missing(&error))?;
        let (send, receive) = mpsc::channel(PIECES_AHEAD);
        tokio::spawn(async move {
            forward(pieces, &send).await;
        });
        response.body = Body::Stream(receive);
        Ok(())
    }

    /// Several parts as `multipart/byteranges`.
    fn send_several(self, head: &Head, response: &mut Response, parts: Vec<Part>, size: u64) {
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
        tokio::spawn(async move {
            for (head, part) in heads.into_iter().zip(parts) {
                if send.send(Ok(Bytes::from(head))).await.is_err() {
                    return;
                }
                let pieces = match self.pieces(part).await {
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

    async fn pieces(&self, part: Part) -> io::Result<ByteStream> {
        match self {
            Self::File(path) => {
                let file = open(path.clone(), part.start).await?;
                Ok(ReaderStream::new(file.take(part.len)).boxed())
            }
            Self::Stored(place, key) => {
                place.get(key, Some(part.start..part.start + part.len)).await
            }
        }
    }
}

async fn open(path: PathBuf, start: u64) -> io::Result<tokio::fs::File> {
    let mut file = tokio::fs::File::open(path).await?;
    if start > 0 {
        file.seek(io::SeekFrom::Start(start)).await?;
    }
    Ok(file)
}

/// Passes bytes on; false when the client went away or they broke off.
async fn forward(mut pieces: ByteStream, to: &mpsc::Sender<io::Result<Bytes>>) -> bool {
    while let Some(piece) = pieces.next().await {
        let broken = piece.is_err();
        if to.send(piece).await.is_err() || broken {
            return false;
        }
    }
    true
}

/// 416: what is about the content goes.
fn refuse(response: &mut Response, text: &'static str) {
    for name in [header::CACHE_CONTROL, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
        response.headers.remove(name);
    }
    response.status = 416;
    set(&mut response.headers, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    set(&mut response.headers, header::CONTENT_LENGTH, &text.len().to_string());
    response.body = Body::Full(Bytes::from_static(text.as_bytes()));
}

pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.insert(name, value);
    }
}

pub(crate) fn missing(error: &io::Error) -> ApiError {
    ApiError::not_found("").with_detail(error.to_string())
}
