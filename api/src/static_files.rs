//! Files of the public directory: cleaned paths, index pages, redirects, ranges and conditional requests.
//!
//! Never leaves its directory. Bytes stream from disk in bounded pieces.
//! Source: spec server-settings-operations §2.3.

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::io::AsyncSeekExt as _;

use crate::{
    error::{ApiError, Result},
    response::{Body, FileBody, Response},
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
    pub async fn serve(&self, path: &str, raw_path: &str, headers: &HeaderMap) -> Result<Response> {
        let Some(target) = resolve(&self.root, path) else {
            return self.fallback(headers).await;
        };
        let Ok(stat) = tokio::fs::metadata(&target).await else {
            return self.fallback(headers).await;
        };
        let slash = raw_path.ends_with('/');
        if stat.is_dir() {
            if !slash {
                return Ok(redirect(&format!("{raw_path}/")));
            }
            let index = target.join("index.html");
            return match tokio::fs::metadata(&index).await {
                Ok(stat) if stat.is_file() => send_file(&index, headers).await,
                _ => self.fallback(headers).await,
            };
        }
        if slash {
            return Ok(redirect(raw_path.trim_end_matches('/')));
        }
        if let Some(dir) = raw_path.strip_suffix("index.html").filter(|dir| dir.ends_with('/')) {
            return Ok(redirect(dir));
        }
        send_file(&target, headers).await
    }

    async fn fallback(&self, headers: &HeaderMap) -> Result<Response> {
        if self.index_fallback {
            let index = self.root.join("index.html");
            if tokio::fs::metadata(&index).await.is_ok_and(|stat| stat.is_file()) {
                return send_file(&index, headers).await;
            }
        }
        Err(ApiError::not_found("File not found."))
    }
}

/// The path below `root`, `None` when it would leave it or is no plain path.
fn resolve(root: &Path, path: &str) -> Option<PathBuf> {
    let mut target = root.to_owned();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part if part.contains(['\\', '\0']) => return None,
            part if cfg!(windows) && part.contains(':') => return None,
            part => target.push(part),
        }
    }
    Some(target)
}

/// 301 to a path that cannot be mistaken for another host.
fn redirect(path: &str) -> Response {
    let path = path.trim_start_matches(['/', '\\']);
    Response::redirect(301, &format!("/{path}"))
}

/// Answers with a file: its type by extension, `Last-Modified`, conditions and one range.
///
/// # Errors
/// 404 when it cannot be opened.
pub async fn send_file(path: &Path, headers: &HeaderMap) -> Result<Response> {
    let file =
        tokio::fs::File::open(path).await.map_err(|_| ApiError::not_found("File not found."))?;
    let stat = file.metadata().await.map_err(|e| ApiError::internal(e.to_string()))?;
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    send(file, stat.len(), stat.modified().ok(), content_type(&name), headers).await
}

/// Answers with an open file of known size.
///
/// # Errors
/// 500 when the file cannot be positioned.
pub async fn send(
    mut file: tokio::fs::File,
    size: u64,
    modified: Option<SystemTime>,
    content_type: &str,
    request: &HeaderMap,
) -> Result<Response> {
    let modified_s = modified
        .and_then(|t| t.duration_since(UNIX_EPOCH).ok())
        .map(|d| d.as_secs())
        .filter(|s| *s > 0);
    let mut response = Response::empty(200);
    if let Some(seconds) = modified_s {
        set(&mut response, header::LAST_MODIFIED, &http_date(seconds));
    }
    if not_modified(request, modified_s) {
        response.status = 304;
        return Ok(response);
    }
    if failed_precondition(request, modified_s) {
        response.status = 412;
        return Ok(response);
    }
    set(&mut response, header::CONTENT_TYPE, content_type);
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    let (start, len) = match range(request, size, modified_s) {
        Range::Whole => (0, size),
        Range::Part(start, len) => {
            response.status = 206;
            set(
                &mut response,
                header::CONTENT_RANGE,
                &format!("bytes {start}-{}/{size}", start + len - 1),
            );
            (start, len)
        }
        Range::Unsatisfiable => {
            let mut response = Response::text(
                416,
                "text/plain; charset=utf-8",
                "invalid range: failed to overlap\n",
            );
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return Ok(response);
        }
    };
    if start > 0 {
        file.seek(SeekFrom::Start(start)).await.map_err(|e| ApiError::internal(e.to_string()))?;
    }
    response.body = Body::File(FileBody::new(file, len));
    Ok(response)
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers.insert(name, value);
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn not_modified(headers: &HeaderMap, modified: Option<u64>) -> bool {
    if text(headers, header::IF_NONE_MATCH).is_some() {
        return false; // we send no ETag
    }
    let since = text(headers, header::IF_MODIFIED_SINCE).and_then(parse_http_date);
    matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
}

fn failed_precondition(headers: &HeaderMap, modified: Option<u64>) -> bool {
    if text(headers, header::IF_MATCH).is_some_and(|tag| tag != "*") {
        return true;
    }
    let since = text(headers, header::IF_UNMODIFIED_SINCE).and_then(parse_http_date);
    matches!((since, modified), (Some(since), Some(modified)) if modified > since)
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part(u64, u64),
    Unsatisfiable,
}

/// The first range asked for; several ranges are answered with the whole.
fn range(headers: &HeaderMap, size: u64, modified: Option<u64>) -> Range {
    let Some(ranges) = text(headers, header::RANGE) else {
        return Range::Whole;
    };
    if let Some(condition) = text(headers, header::IF_RANGE)
        && parse_http_date(condition).is_none_or(|date| Some(date) != modified)
    {
        return Range::Whole;
    }
    let Some(spec) = ranges.strip_prefix("bytes=") else {
        return Range::Unsatisfiable;
    };
    if spec.contains(',') {
        return Range::Whole;
    }
    let Some((from, to)) = spec.trim().split_once('-') else {
        return Range::Unsatisfiable;
    };
    let (from, to) = (from.trim(), to.trim());
    if from.is_empty() {
        return match to.parse::<u64>() {
            Ok(0) if size > 0 => Range::Unsatisfiable,
            Ok(n) if size > 0 => Range::Part(size - n.min(size), n.min(size)),
            Ok(_) => Range::Whole,
            Err(_) => Range::Unsatisfiable,
        };
    }
    let Ok(start) = from.parse::<u64>() else {
        return Range::Unsatisfiable;
    };
    let end = if to.is_empty() { Ok(u64::MAX) } else { to.parse::<u64>() };
    match end {
        Ok(end) if start < size && end >= start => {
            Range::Part(start, end.min(size - 1) - start + 1)
        }
        _ => Range::Unsatisfiable,
    }
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Mon, 02 Jan 2006 15:04:05 GMT`.
#[must_use]
pub fn http_date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86400, seconds % 86400);
    let (year, month, day) = civil(days);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[(days % 7) as usize],
        MONTHS[(month - 1) as usize],
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Year, month and day of a day number since 1970 (Gregorian).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn parse_http_date(text: &str) -> Option<u64> {
    let mut words = text.get(5..)?.split(' ');
    let day: u64 = words.next()?.parse().ok()?;
    let month_name = words.next()?;
    let month = MONTHS.iter().position(|m| *m == month_name)? as u64 + 1;
    let year: u64 = words.next()?.parse().ok().filter(|y| (1970..=9999).contains(y))?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (h, m, s) = (clock.next()??, clock.next()??, clock.next()??);
    let y = if month <= 2 { year - 1 } else { year };
    let (era, yoe) = (y / 400, y % 400);
    let doy =
        (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day.checked_sub(1)?;
    let days = (era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy).checked_sub(719_468)?;
    Some(days * 86400 + h * 3600 + m * 60 + s)
}

/// The MIME type of a file name.
#[must_use]
pub fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, ext)| ext).to_ascii_lowercase();
    match extension.as_str() {
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
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
            .collect()
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
            (false, "/../a.txt", "404"),
            (true, "/missing", "404"),
        ] {
            let files = StaticFiles::new(dir.path().to_owned(), fallback);
            let got = match files.serve(&path[1..], path, &HeaderMap::new()).await {
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
        assert_eq!(
            files.serve("missing", "/missing", &HeaderMap::new()).await.expect("index").status,
            200
        );
    }

    #[test]
    fn ranges() {
        for (value, want) in [
            ("bytes=0-1", Range::Part(0, 2)),
            ("bytes=3-", Range::Part(3, 7)),
            ("bytes=-3", Range::Part(7, 3)),
            ("bytes=5-100", Range::Part(5, 5)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=2-1", Range::Unsatisfiable),
            ("x", Range::Unsatisfiable),
            ("bytes=0-1,3-4", Range::Whole),
        ] {
            assert_eq!(range(&headers(&[("range", value)]), 10, None), want, "{value}");
        }
        assert!(not_modified(
            &headers(&[("if-modified-since", "Mon, 23 Nov 2026 18:56:00 GMT")]),
            Some(1)
        ));
    }

    #[test]
    fn dates() {
        for seconds in [0, 951_782_400, 1_795_460_160, 4_102_444_799] {
            assert_eq!(parse_http_date(&http_date(seconds)), Some(seconds));
        }
        assert_eq!(http_date(1_795_460_160), "Mon, 23 Nov 2026 18:56:00 GMT");
        assert_eq!(parse_http_date("Mon, 2ü"), None);
    }
}
