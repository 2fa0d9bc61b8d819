//! Files of the public directory: cleaned paths, index pages, redirects and types.
//!
//! Never leaves its directory. Source: spec server-settings-operations §2.3.

use std::{
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use engine::files::mime;
use http::header;
use tokio::io::AsyncReadExt as _;

use crate::{
    content::{self, Content},
    error::{ApiError, Result},
    head::Head,
    response::Response,
};

/// A served directory.
#[derive(Debug, Clone)]
pub struct StaticFiles {
    root: PathBuf,
    index_fallback: bool,
}

impl StaticFiles {
    /// Serves `root`, which need not exist.
    #[must_use]
    pub fn new(root: PathBuf, index_fallback: bool) -> Self {
        Self { root, index_fallback }
    }

    /// Answers for a decoded path (without leading slash) of a request.
    ///
    /// # Errors
    /// 404 when there is nothing to serve.
    pub async fn serve(&self, path: &str, raw_path: &str, head: &Head) -> Result<Response> {
        let Some(target) = resolve(&self.root, path) else {
            return self.fallback(head).await;
        };
        let Ok(stat) = tokio::fs::metadata(&target).await else {
            return self.fallback(head).await;
        };
        let slash = raw_path.ends_with('/');
        if stat.is_dir() {
            if !slash {
                return Ok(redirect(&format!("{raw_path}/")));
            }
            let index = target.join("index.html");
            return match tokio::fs::metadata(&index).await {
                Ok(stat) if stat.is_file() => send_file(index, &stat, head).await,
                _ => self.fallback(head).await,
            };
        }
        if slash {
            return Ok(redirect(raw_path.trim_end_matches('/')));
        }
        if let Some(dir) = raw_path.strip_suffix("index.html").filter(|dir| dir.ends_with('/')) {
            return Ok(redirect(dir));
        }
        send_file(target, &stat, head).await
    }

    async fn fallback(&self, head: &Head) -> Result<Response> {
        if self.index_fallback {
            let index = self.root.join("index.html");
            if let Ok(stat) = tokio::fs::metadata(&index).await
                && stat.is_file()
            {
                return send_file(index, &stat, head).await;
            }
        }
        Err(ApiError::no_file())
    }
}

/// The path below `root`, which is its own parent; `None` if it is no plain path.
fn resolve(root: &Path, path: &str) -> Option<PathBuf> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part if part.contains(['\\', '\0']) => return None,
            part if cfg!(windows) && part.contains(':') => return None,
            part => parts.push(part),
        }
    }
    Some(root.join(parts.join("/")))
}

/// 301 to a path that cannot be mistaken for another host.
fn redirect(path: &str) -> Response {
    let path = path.trim_start_matches(['/', '\\']);
    Response::redirect(301, &format!("/{path}"))
}

/// Answers with a file.
async fn send_file(path: PathBuf, stat: &Metadata, head: &Head) -> Result<Response> {
    let modified = stat.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let content_type = match by_extension(&name) {
        Some(known) => known.to_owned(),
        None => by_content(&start_of(&path).await.map_err(|_| ApiError::no_file())?),
    };
    let mut response = Response::empty(200);
    content::set(&mut response.headers, header::CONTENT_TYPE, &content_type);
    let modified = modified.map_or(0, |time| time.as_secs());
    Content::File(path)
        .answer(head, response, stat.len(), modified)
        .await
        .map_err(|_| ApiError::no_file())
}

async fn start_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(SNIFFED);
    tokio::fs::File::open(path).await?.take(SNIFFED as u64).read_to_end(&mut start).await?;
    Ok(start)
}

/// How much of a file without a known extension is looked at.
const SNIFFED: usize = 512;

/// The type of a file by its first bytes: what holds no control characters is text, and is shown.
fn by_content(start: &[u8]) -> String {
    let found = mime::detect(start);
    let essence = found.essence();
    let is_control = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    let shown = match essence {
        "text/html" | "text/xml" => essence,
        _ if start.trim_ascii_start().starts_with(b"<?xml") => "text/xml",
        _ if start.starts_with(b"%PDF-") || start.iter().any(is_control) => {
            return essence.to_owned();
        }
        _ => "text/plain",
    };
    format!("{shown}; charset=utf-8")
}

/// The type that the extension of a file stands for.
#[must_use]
pub fn by_extension(name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.').map_or("", |(_, ext)| ext).to_ascii_lowercase();
    Some(match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "xml" => "text/xml; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/vnd.microsoft.icon",
        "bmp" => "image/bmp",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp3" => "audio/mpeg",
        "wav" => "audio/x-wav",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get() -> Head {
        Head {
            method: http::Method::GET,
            uri: http::Uri::from_static("/"),
            headers: http::HeaderMap::new(),
            remote: ([127, 0, 0, 1], 1).into(),
        }
    }

    #[tokio::test]
    async fn serves_and_redirects() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("a.txt"), "hello").expect("file");
        std::fs::create_dir(dir.path().join("sub")).expect("sub");
        std::fs::write(dir.path().join("sub/index.html"), "sub").expect("file");
        for (fallback, path, want) in [
            (false, "/a.txt", "200"),
            (false, "/a.txt/", "301 /a.txt"),
            (false, "/sub", "301 /sub/"),
            (false, "/sub/", "200"),
            (false, "/sub/index.html", "301 /sub/"),
            (false, "/missing", "404"),
            (false, "/../a.txt", "200"),
            (false, "/sub/../../a.txt", "200"),
            (false, "/../../etc/passwd", "404"),
            (false, "/sub\\..\\a.txt", "404"),
            (true, "/missing", "404"),
        ] {
            let files = StaticFiles::new(dir.path().to_owned(), fallback);
            let got = match files.serve(&path[1..], path, &get()).await {
                Ok(r) => match r.headers.get("location") {
                    Some(to) => format!("{} {}", r.status, to.to_str().expect("text")),
                    None => r.status.to_string(),
                },
                Err(e) => e.status.to_string(),
            };
            assert_eq!(got, want, "{path}");
        }
        std::fs::write(dir.path().join("index.html"), "root").expect("file");
        let files = StaticFiles::new(dir.path().to_owned(), true);
        assert_eq!(files.serve("missing", "/missing", &get()).await.expect("index").status, 200);
    }

    #[tokio::test]
    async fn parts_and_conditions_are_those_of_stored_files() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("a.txt"), "0123456789").expect("file");
        let files = StaticFiles::new(dir.path().to_owned(), false);
        for (name, value, want) in [
            (header::RANGE, "bytes=1-2", (206, "bytes 1-2/10", "2")),
            (header::RANGE, "bytes=1-2,4-5", (206, "", "346")),
            (header::RANGE, "bytes=10-", (416, "bytes */10", "33")),
            (header::IF_NONE_MATCH, "*", (304, "", "")),
            (header::IF_MATCH, "\"x\"", (412, "", "")),
        ] {
            let mut head = get();
            head.headers.insert(&name, http::HeaderValue::from_static(value));
            let answer = files.serve("a.txt", "/a.txt", &head).await.expect("an answer");
            let text = |name| answer.headers.get(name).map_or("", |v| v.to_str().expect("text"));
            let got = (answer.status, text(header::CONTENT_RANGE), text(header::CONTENT_LENGTH));
            assert_eq!(got, want, "{name}: {value}");
        }
    }

    #[test]
    fn types() {
        assert_eq!(by_extension("A.HTML"), Some("text/html; charset=utf-8"));
        assert_eq!(by_extension("noext"), None);
        for (start, want) in [
            (&b"plain"[..], "text/plain; charset=utf-8"),
            (b"", "text/plain; charset=utf-8"),
            (b"{\"applinks\":{}}", "text/plain; charset=utf-8"),
            (b"#!/bin/sh\n", "text/plain; charset=utf-8"),
            (b"<!DOCTYPE html><p>", "text/html; charset=utf-8"),
            (b"<?xml version=\"1.0\"?><svg/>", "text/xml; charset=utf-8"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
            (b"%PDF-1.7 x", "application/pdf"),
            (b"a\0b", "application/octet-stream"),
        ] {
            assert_eq!(by_content(start), want, "{start:?}");
        }
    }
}
