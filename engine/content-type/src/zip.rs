//! Zip archives, and what is inside by the names of the first entries.

use memchr::memmem;

use crate::head::Head;

const ENTRY: &[u8] = b"PK\x03\x04";
/// How many entries are looked at.
const ENTRIES: usize = 100;

pub(crate) fn is_zip(head: Head<'_>) -> bool {
    starts_archive(head.bytes)
}

fn starts_archive(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..])
}

/// An extension of Chrome: an archive behind a key and a signature.
pub(crate) fn is_extension(head: Head<'_>) -> bool {
    let bytes = head.bytes;
    let length = |at: usize| {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u64::from(u32::from_le_bytes(bytes)))
    };
    let (true, Some(key), Some(signature)) = (bytes.starts_with(b"Cr24"), length(8), length(12))
    else {
        return false;
    };
    let archive = usize::try_from(16 + key + signature).ok().and_then(|at| bytes.get(at..));
    archive.is_some_and(starts_archive)
}

/// An Office document: one of its parts lies in this folder, and the first is one that such documents begin with.
pub(crate) fn is_office(head: Head<'_>, folder: &[u8]) -> bool {
    const FIRST: &[&[u8]] = &[b"_rels/", b"docProps/", b"customXml/", b"[trash]/"];
    for (at, name) in names(head.bytes).take(ENTRIES).enumerate() {
        if name.starts_with(folder) {
            return true;
        }
        let may_be_first =
            name == b"[Content_Types].xml" || FIRST.iter().any(|f| name.starts_with(f));
        if at == 0 && !may_be_first {
            return false;
        }
    }
    false
}

pub(crate) fn is_android(head: Head<'_>) -> bool {
    const PARTS: &[&[u8]] = &[
        b"AndroidManifest.xml",
        b"META-INF/com/android/build/gradle/app-metadata.properties",
        b"classes.dex",
        b"resources.arsc",
        b"res/drawable",
    ];
    begins_with_padding(head.bytes)
        || names(head.bytes).take(ENTRIES).any(|name| PARTS.contains(&name))
}

/// Android's build tools pad archives with an entry that has neither name nor data.
fn begins_with_padding(bytes: &[u8]) -> bool {
    let zero = |range: std::ops::Range<usize>| {
        bytes.get(range).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
    };
    // method; check sum and both sizes, length of the name
    memmem::find(bytes, ENTRY).is_some()
        && zero(8..10)
        && zero(14..28)
        && bytes.get(28..30).is_some_and(|length| {
            let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
            bytes.len() >= 30 + length
        })
}

/// The first entry is marked as that of an executable, or is the manifest.
pub(crate) fn is_java(head: Head<'_>) -> bool {
    let is_manifest = |name: &[u8]| name == b"META-INF/" || name == b"META-INF/MANIFEST.MF";
    is_marked(head.bytes) || names(head.bytes).next().is_some_and(is_manifest)
}

fn is_marked(bytes: &[u8]) -> bool {
    let Some(&[low, high]) = bytes.get(26..28) else {
        return false;
    };
    let name = usize::from(u16::from_le_bytes([low, high]));
    bytes.get(30 + name..).is_some_and(|extra| extra.starts_with(b"\xFE\xCA"))
}

pub(crate) fn is_google_earth(head: Head<'_>) -> bool {
    names(head.bytes).take(ENTRIES).any(|name| name == b"doc.kml")
}

/// The names of the entries, until one is missing or empty.
fn names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let entry = rest.get(memmem::find(rest, ENTRY)?..)?;
        let length = usize::from(u16::from_le_bytes(entry.get(26..28)?.try_into().ok()?));
        let name = entry.get(30..)?.get(..length)?;
        rest = &entry[30..];
        (!name.is_empty()).then_some(name)
    })
}
