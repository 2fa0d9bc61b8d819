//! `file`: stored names of uploads. Contents are written by `files/`.

use content_type::Mime;
use filter_lang::{schema::Class, value::Affinity};
use serde_json::Value;

use super::{
    ColumnType, Corrupt, DbCheck, Field, FieldType, Modifier, RecordCheck, SettingsCheck, Val,
    field_type_basics, list,
    select::{exceeds, list_type_methods, too_many},
};
use crate::{
    check::{self, MAX_SAFE, pattern},
    error::{FieldError, FieldErrors},
    id,
    store::ValueRef,
    wire,
};

/// The wire name.
pub const KIND: &str = "file";
const DEFAULT_MAX_BYTES: i64 = 5 << 20;

wire! {
    /// Options of `file`.
    #[derive(Default)]
    pub struct File {
        /// Greatest size of one file in bytes, 0 for 5 MiB.
        max_size: i64 = "maxSize",
        /// Several if greater than 1.
        max_select: i64 = "maxSelect",
        /// Accepted content types; none given accepts all.
        mime_types: Vec<String> = "mimeTypes",
        /// Thumb sizes that may be asked for.
        thumbs: Vec<String> = "thumbs",
        /// Downloads need a file token.
        protected: bool = "protected",
    }
}

pub(super) fn blank() -> File {
    File::default()
}

/// What validation needs to know about a file that is being uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The name it will be stored under, see [`stored_name`].
    pub name: String,
    /// The client's name.
    pub original_name: String,
    /// Bytes.
    pub size: u64,
    /// The content type found by sniffing.
    pub mime: Mime,
}

/// The name a client's file is stored under.
///
/// `detected_ext` (with dot, or empty) is used when the name has none. Keeps at most 100 characters of the stem
/// and 20 of the extension and adds 10 random ones. Source: spec records-files-realtime-batch §4.1. Never fails.
#[must_use]
pub fn stored_name(original: &str, detected_ext: &str) -> String {
    let name = tail(original, 300);
    let raw_ext = extension(name);
    let stem = &name[..name.len() - raw_ext.len()];
    let mut ext = clean_extension(raw_ext);
    if ext.is_empty() {
        detected_ext.clone_into(&mut ext);
    }
    if ext.len() > 20 {
        ext = format!(".{}", tail(&ext, 20).trim_matches('.'));
    }
    let mut stem = snake_case(stem.trim_matches('.'));
    if stem.len() < 3 {
        stem.push_str(&random_suffix());
    }
    stem.truncate(100);
    format!("{stem}_{}{ext}", random_suffix())
}

fn random_suffix() -> String {
    id::random(10, id::LOWER_ALNUM)
}

/// At most the last `max` bytes, on a character boundary.
fn tail(text: &str, max: usize) -> &str {
    let mut start = text.len().saturating_sub(max);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// From the second-to-last dot if there are two, else from the last.
fn extension(name: &str) -> &str {
    let Some(last) = name.rfind('.') else { return "" };
    let start = name[..last].rfind('.').unwrap_or(last);
    &name[start..]
}

fn clean_extension(raw: &str) -> String {
    let kept: String =
        raw.chars().filter(|c| c.is_ascii_alphanumeric() || "_.*-+=#".contains(*c)).collect();
    let kept = kept.trim_matches('.');
    if kept.is_empty() { String::new() } else { format!(".{kept}") }
}

/// Words in lower case, joined by `_`.
pub fn snake_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push('_');
        }
        let mut previous_upper = true;
        for c in word.chars() {
            if c.is_ascii_uppercase() && !previous_upper {
                out.push('_');
            }
            previous_upper = c.is_ascii_uppercase();
            out.push(c.to_ascii_lowercase());
        }
    }
    out
}

impl File {
    /// The greatest size of one file in bytes.
    #[must_use]
    pub fn max_bytes(&self) -> i64 {
        if self.max_size > 0 { self.max_size } else { DEFAULT_MAX_BYTES }
    }

    fn check_upload(&self, upload: &Upload) -> check::Check {
        let name_rule = pattern!(r"^[^\./\\][^/\\]+$");
        if let Some(error) =
            check::length(&upload.name, 1, 150).or_else(|| check::matches(&upload.name, name_rule))
        {
            return Some(error);
        }
        let max = self.max_bytes();
        if upload.size > max.unsigned_abs() {
            let shown = if upload.original_name.len() > 300 {
                format!("{}...", check::cut(&upload.original_name, 300))
            } else {
                upload.original_name.clone()
            };
            let message =
                format!("Failed to upload {shown} - the maximum allowed file size is {max} bytes.");
            return Some(
                FieldError::new("validation_file_size_limit", message)
                    .param("file", shown)
                    .param("maxSize", max),
            );
        }
        let types = &self.mime_types;
        if types.is_empty() {
            return None;
        }
        if types.iter().any(|listed| upload.mime.is(listed)) {
            return None;
        }
        let message =
            format!("\"{}\" mime type must be one of: {}.", upload.name, types.join(", "));
        Some(FieldError::new("validation_invalid_mime_type", message))
    }
}

/// Names that are neither stored nor being uploaded.
fn check_unknown(names: &[String], cx: &RecordCheck<'_>) -> check::Check {
    let stored = cx.old.map_or(&[][..], Val::items);
    let unknown: Vec<&str> = names
        .iter()
        .filter(|name| !stored.contains(name) && !cx.uploads.iter().any(|u| u.name == **name))
        .map(|name| check::cut(name, 250))
        .collect();
    if unknown.is_empty() {
        return None;
    }
    let message = format!("Invalid new files: [{}].", unknown.join(" "));
    Some(FieldError::new("validation_invalid_file", message).param("invalidFiles", unknown))
}

impl FieldType for File {
    field_type_basics!(KIND);
    list_type_methods!();

    fn class(&self) -> Class {
        Class::File
    }

    fn max_body_bytes(&self) -> u64 {
        self.max_bytes().unsigned_abs().saturating_mul(self.max_select.max(1).unsigned_abs())
    }

    fn check(
        &self,
        field: &Field,
        val: &Val,
        cx: &RecordCheck<'_>,
    ) -> Result<Option<DbCheck>, FieldError> {
        let names = val.items();
        if names.is_empty() {
            return check::required(field.required).map_or(Ok(None), Err);
        }
        if let Some(error) = check_unknown(names, cx) {
            return Err(error);
        }
        if exceeds(names, self.max_select) {
            let max = self.max_select.max(1);
            return Err(too_many("validation_too_many_files", "The maximum allowed files is", max));
        }
        let used = cx.uploads.iter().filter(|upload| names.contains(&upload.name));
        used.map(|upload| self.check_upload(upload)).find_map(|c| c).map_or(Ok(None), Err)
    }

    fn check_settings(&self, _: &Field, _: &SettingsCheck<'_>, errors: &mut FieldErrors) {
        for (key, value) in [("maxSelect", self.max_select), ("maxSize", self.max_size)] {
            if let Some(error) = check::range(value, 0, MAX_SAFE) {
                errors.set(key, error);
            }
        }
        for (index, thumb) in self.thumbs.iter().enumerate() {
            let check = check::none_of(thumb, &["0x0", "0x0t", "0x0b", "0x0f"])
                .or_else(|| check::matches(thumb, pattern!(r"^(\d+)x(\d+)(t|b|f)?$")));
            if let Some(error) = check {
                errors.set_at(&["thumbs", &index.to_string()], error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_names() {
        for (original, detected, want) in [
            ("test.txt", "", r"^test_[a-z0-9]{10}\.txt$"),
            ("a.txt", "", r"^a[a-z0-9]{10}_[a-z0-9]{10}\.txt$"),
            ("My File (1).TXT", "", r"^my_file_1_[a-z0-9]{10}\.TXT$"),
            ("a.b.c.?.?.?.2", "", r"^a_b_c_[a-z0-9]{10}\.2$"),
            (".abcd.123.", "", r"^abcd_[a-z0-9]{10}\.123$"),
            ("....abc", "", r"^[a-z0-9]{10}_[a-z0-9]{10}\.abc$"),
            ("fooBarBAZ9X.Txt", "", r"^foo_bar_baz9_x_[a-z0-9]{10}\.Txt$"),
            ("日本.txt", "", r"^[a-z0-9]{10}_[a-z0-9]{10}\.txt$"),
            ("noext", ".json", r"^noext_[a-z0-9]{10}\.json$"),
            ("a.tar.gz", "", r"^a[a-z0-9]{10}_[a-z0-9]{10}\.tar\.gz$"),
            ("", "", r"^[a-z0-9]{10}_[a-z0-9]{10}$"),
        ] {
            let name = stored_name(original, detected);
            assert!(regex::Regex::new(want).unwrap().is_match(&name), "{original} -> {name}");
        }
    }

    #[test]
    fn record_rules() {
        let upload = |name: &str, size| Upload {
            name: name.into(),
            original_name: name.into(),
            size,
            mime: content_type::detect(b"text"),
        };
        let field = |mime: Vec<String>| {
            Field::new("f", File { max_size: 10, max_select: 2, mime_types: mime, ..blank() })
        };
        let old = Val::List(vec!["old.txt".into()]);
        let uploads = [upload("new.txt", 10), upload("big.txt", 11)];
        let cx = RecordCheck { is_new: false, old: Some(&old), uploads: &uploads };
        for (names, mime, want) in [
            (vec!["old.txt", "new.txt"], vec![], ""),
            (vec!["nope.txt"], vec![], "validation_invalid_file"),
            (vec!["old.txt", "new.txt", "big.txt"], vec![], "validation_too_many_files"),
            (vec!["big.txt"], vec![], "validation_file_size_limit"),
            (vec!["new.txt"], vec!["text/plain".to_owned()], ""),
            (vec!["new.txt"], vec!["image/png".to_owned()], "validation_invalid_mime_type"),
        ] {
            let val = Val::List(names.iter().map(|n| (*n).to_owned()).collect());
            let code = match field(mime).check(&val, &cx) {
                Err(FieldError::Item { code, .. }) => code,
                _ => String::new(),
            };
            assert_eq!(code, want, "{names:?}");
        }
    }
}
