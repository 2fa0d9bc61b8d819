//! Files in a local directory with `.attrs` sidecars, in the reference's layout (spec records-files §4.3).
//!
//! All calls block: use them through [`super::Files`].

use std::{
    fmt::Write as _,
    fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{Attributes, Upload};

/// A directory of files.
#[derive(Debug)]
pub struct Local {
    root: PathBuf,
}

impl Local {
    /// Files below `root`, which need not exist yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where a key's bytes are.
    #[must_use]
    pub fn path(&self, key: &str) -> PathBuf {
        self.root.join(escape(key))
    }

    /// Stores an upload with its detected type and original name.
    ///
    /// # Errors
    /// File system errors, or a key that ends in `.attrs`.
    pub fn put(&self, key: &str, upload: &Upload) -> io::Result<()> {
        let mut original = upload.original_name();
        while original.len() > 255 {
            let last = original.chars().next_back().map_or(1, char::len_utf8);
            original = &original[..original.len() - last];
        }
        let metadata = json!({ "original-filename": original });
        self.write(key, &upload.mime().name, &metadata, &mut upload.open()?)
    }

    /// Stores bytes under a key; `metadata` is null or an object of strings.
    ///
    /// # Errors
    /// As [`Local::put`].
    pub fn write(
        &self,
        key: &str,
        content_type: &str,
        metadata: &Value,
        from: &mut dyn Read,
    ) -> io::Result<()> {
        if key.ends_with(".attrs") {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "keys cannot end in .attrs"));
        }
        let path = self.path(key);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let tmp = with_suffix(&path, &format!(".{nanos:x}.tmp"));
        let done = copy(from, &tmp).and_then(|md5| {
            let attrs = json!({
                "user.cache_control": "",
                "user.content_disposition": "",
                "user.content_encoding": "",
                "user.content_language": "",
                "user.content_type": content_type,
                "user.metadata": metadata,
                "md5": md5,
            });
            fs::write(with_suffix(&path, ".attrs"), format!("{attrs}\n"))?;
            fs::rename(&tmp, &path)
        });
        if done.is_err() {
            let _ = fs::remove_file(&tmp);
        }
        done
    }

    /// Removes a file and its sidecar; a missing one is fine.
    ///
    /// # Errors
    /// File system errors.
    pub fn remove(&self, key: &str) -> io::Result<()> {
        let path = self.path(key);
        absent_ok(fs::remove_file(with_suffix(&path, ".attrs")))?;
        absent_ok(fs::remove_file(&path))
    }

    /// Removes a directory with all it holds; a missing one is fine.
    ///
    /// # Errors
    /// File system errors, or an empty prefix.
    pub fn remove_tree(&self, prefix: &str) -> io::Result<()> {
        let prefix = prefix.trim_matches('/');
        if prefix.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "empty prefix"));
        }
        absent_ok(fs::remove_dir_all(self.path(prefix)))
    }

    /// Removes a directory if nothing is in it.
    ///
    /// # Errors
    /// If it is not empty or cannot be removed.
    pub fn remove_empty(&self, prefix: &str) -> io::Result<()> {
        absent_ok(fs::remove_dir(self.path(prefix.trim_matches('/'))))
    }

    /// Attributes of a file, `None` if there is none.
    ///
    /// # Errors
    /// File system errors.
    pub fn attributes(&self, key: &str) -> io::Result<Option<Attributes>> {
        let path = self.path(key);
        let stat = match fs::metadata(&path) {
            Ok(stat) if stat.is_file() => stat,
            Ok(_) => return Ok(None),
            Err(e) if is_absent(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let sidecar = fs::read(with_suffix(&path, ".attrs")).ok();
        let content_type = sidecar
            .and_then(|raw| serde_json::from_slice::<Value>(&raw).ok())
            .and_then(|attrs| attrs.get("user.content_type")?.as_str().map(str::to_owned))
            .unwrap_or_else(|| "application/octet-stream".into());
        let modified = stat.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Some(Attributes {
            content_type,
            size: stat.len(),
            modified_ms: i64::try_from(modified.as_millis()).unwrap_or(i64::MAX),
        }))
    }
}

/// Copies to a new file; returns the base64 MD5 of what went through.
fn copy(from: &mut dyn Read, to: &Path) -> io::Result<String> {
    let mut file = fs::File::create(to)?;
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer)? {
            0 => break,
            n => {
                md5.update(&buffer[..n]);
                file.write_all(&buffer[..n])?;
            }
        }
    }
    Ok(STANDARD.encode(md5.finalize()))
}

fn absent_ok(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if is_absent(&e) => Ok(()),
        other => other,
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Control characters and the slashes of `../`, `//` and at the end become `__0x<hex>__`: a key never leaves the root.
fn escape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        let slash = c == '/'
            && (out.is_empty()
                || chars.peek().is_none()
                || chars.peek() == Some(&'/')
                || out.ends_with(".."));
        if (c as u32) < 0x20 || slash {
            let _ = write!(out, "__0x{:x}__", c as u32);
        } else {
            out.push(c);
        }
    }
    if out == ".." || out.ends_with("/..") {
        out.push_str("__0x2f__");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn scratch(name: &str) -> (Local, PathBuf) {
        let dir = std::env::temp_dir().join(format!("files-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        (Local::new(dir.clone()), dir)
    }

    #[test]
    fn put_look_remove() {
        let (local, dir) = scratch("put");
        let upload =
            Upload::from_bytes("Test.txt", Bytes::from_static(b"test")).with_name("test_x.txt");
        local.put("c/r/test_x.txt", &upload).expect("put");
        let attrs = fs::read_to_string(dir.join("c/r/test_x.txt.attrs")).expect("sidecar");
        assert_eq!(
            attrs,
            "{\"user.cache_control\":\"\",\"user.content_disposition\":\"\",\"user.content_encoding\":\"\",\
             \"user.content_language\":\"\",\"user.content_type\":\"text/plain; charset=utf-8\",\
             \"user.metadata\":{\"original-filename\":\"Test.txt\"},\"md5\":\"CY9rzUYh03PK3k6DJie09g==\"}\n"
        );
        let found = local.attributes("c/r/test_x.txt").expect("stat").expect("there");
        assert_eq!((found.size, found.content_type.as_str()), (4, "text/plain; charset=utf-8"));
        assert_eq!(local.attributes("c/r/none").expect("stat"), None);
        assert_eq!(local.attributes("c/r").expect("stat"), None, "a directory is no file");
        local.remove("c/r/test_x.txt").expect("remove");
        local.remove("c/r/test_x.txt").expect("twice is fine");
        local.remove_empty("c/r").expect("empty");
        assert!(!dir.join("c/r").exists());
        assert!(local.remove_tree("").is_err() && local.remove_tree("/").is_err());
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn keys_stay_below_the_root() {
        for (key, want) in [
            ("a/b/c.txt", "a/b/c.txt"),
            ("a/../b", "a/..__0x2f__b"),
            ("../b", "..__0x2f__b"),
            ("a//b", "a__0x2f__/b"),
            ("/a", "__0x2f__a"),
            ("a/", "a__0x2f__"),
            ("a/..", "a/..__0x2f__"),
            ("a\u{1}b", "a__0x1__b"),
        ] {
            assert_eq!(escape(key), want, "{key}");
        }
    }
}
