//! Compound files (OLE 2): what a document is, by the names and properties in it.
//!
//! Structures: [MS-CFB], [MS-OLEPS]. Files are cut: what cannot be reached is not there.

use crate::head::Head;

pub(crate) const MAGIC: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    Installer,
    Word,
    Powerpoint,
    Excel,
    Outlook,
}

pub(crate) fn is_installer(head: Head<'_>) -> bool {
    document(head.bytes) == Some(Document::Installer)
}

pub(crate) fn is_outlook(head: Head<'_>) -> bool {
    is(head.bytes, Document::Outlook, |bytes| {
        has_class(bytes, &[b"\x0B\x0D\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46"])
    })
}

pub(crate) fn is_publisher(head: Head<'_>) -> bool {
    has_class(head.bytes, &[b"\x01\x12\x02\0\0\0\0\0\0\xC0\0\0\0\0\0\x46"])
}

pub(crate) fn is_word(head: Head<'_>) -> bool {
    is(head.bytes, Document::Word, |bytes| {
        has_class(
            bytes,
            &[
                b"\x06\x09\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46",
                b"\0\x09\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46",
                b"\x07\x09\x02\0\0\0\0\0\xC0\0\0\0\0\0\0\x46",
            ],
        )
    })
}

pub(crate) fn is_excel(head: Head<'_>) -> bool {
    is(head.bytes, Document::Excel, |bytes| {
        has_class(bytes, &[b"\x10\x08\x02\0\0\0\0\0", b"\x20\x08\x02\0\0\0\0\0"])
            || has_sector(
                bytes,
                &[
                    b"\x09\x08\x10\0\0\x06\x05\0",
                    b"\xFD\xFF\xFF\xFF\x10",
                    b"\xFD\xFF\xFF\xFF\x1F",
                    b"\xFD\xFF\xFF\xFF\x22",
                    b"\xFD\xFF\xFF\xFF\x23",
                    b"\xFD\xFF\xFF\xFF\x28",
                    b"\xFD\xFF\xFF\xFF\x29",
                ],
            )
            || mentions(bytes, b"W\0k\0s\0S\0S\0W\0o\0r\0k\0B\0o\0o\0k")
    })
}

pub(crate) fn is_powerpoint(head: Head<'_>) -> bool {
    is(head.bytes, Document::Powerpoint, |bytes| {
        has_class(
            bytes,
            &[
                b"\x10\x8D\x81\x64\x9B\x4F\xCF\x11\x86\xEA\0\xAA\0\xB9\x29\xE8",
                b"\x70\xAE\x7B\xEA\x3B\xFB\xCD\x11\xA9\x03\0\xAA\0\x51\x0E\xA3",
            ],
        ) || has_sector(bytes, &[b"\xA0\x46\x1D\xF0", b"\0\x6E\x1E\xF0", b"\x0F\0\xE8\x03"])
            || mentions(bytes, b"P\0o\0w\0e\0r\0P\0o\0i\0n\0t\0 D\0o\0c\0u\0m\0e\0n\0t")
    })
}

/// By its directory; where that tells nothing, by other signs.
fn is(bytes: &[u8], wanted: Document, signs: impl Fn(&[u8]) -> bool) -> bool {
    match document(bytes) {
        Some(found) => found == wanted,
        None => signs(bytes),
    }
}

/// The class of the root storage, the directory being where the header says.
fn has_class(bytes: &[u8], classes: &[&[u8]]) -> bool {
    if bytes.len() < 512 {
        return false;
    }
    let sector: usize = if bytes[26..28] == [4, 0] { 4096 } else { 512 };
    let class = usize::try_from(u32_at(bytes, 48)).ok().and_then(|first| {
        let at = sector.checked_mul(first.checked_add(1)?)?.checked_add(80)?;
        bytes.get(at..).filter(|rest| rest.len() > 16)
    });
    class.is_some_and(|rest| classes.iter().any(|class| rest.starts_with(class)))
}

/// The first sector begins so.
fn has_sector(bytes: &[u8], marks: &[&[u8]]) -> bool {
    bytes.len() >= 520 && marks.iter().any(|mark| bytes[512..].starts_with(mark))
}

fn mentions(bytes: &[u8], name: &[u8]) -> bool {
    bytes.len() > 1152 && memchr::memmem::find(&bytes[1152..], name).is_some()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The first names to look for, and what each tells, by application and by the name of an entry (in capitals).
const APPLICATIONS: &[(&str, Document)] = &[
    ("WORD", Document::Word),
    ("EXCEL", Document::Excel),
    ("POWERPOINT", Document::Powerpoint),
    ("ADVANCED INSTALLER", Document::Installer),
    ("INSTALLSHIELD", Document::Installer),
    ("MICROSOFT PATCH COMPILER", Document::Installer),
    ("NANT", Document::Installer),
    ("WINDOWS INSTALLER", Document::Installer),
];
const PARTS: &[(&str, Document)] = &[
    ("BOOK", Document::Excel),
    ("WORDDOCUMENT", Document::Word),
    ("POWERPOINT", Document::Powerpoint),
    ("DIGITALSIGNATURE", Document::Installer),
];
/// Without a summary: the whole name and the type of an entry.
const ENTRIES: &[(&[u8], u8, Document)] = &[
    (b"Book", STREAM, Document::Excel),
    (b"Workbook", STREAM, Document::Excel),
    (b"WordDocument", STREAM, Document::Word),
    (b"PowerPoint Document", STREAM, Document::Powerpoint),
    (b"__properties_version1.0", STREAM, Document::Outlook),
    (b"__recip_version1.0_#00000000", STORAGE, Document::Outlook),
];
const SUMMARIES: [&[u8]; 2] = [b"\x05SummaryInformation", b"\x05DocumentSummaryInformation"];
/// The class of Windows Installer.
const INSTALLER: &[u8] = b"\x84\x10\x0C\0\0\0\0\0\xC0\0\0\0\0\0\0\x46";

// types of directory entries
const STORAGE: u8 = 1;
const STREAM: u8 = 2;
const ROOT: u8 = 5;

/// What the directory says, if it says anything.
fn document(bytes: &[u8]) -> Option<Document> {
    let file = File::read(bytes)?;
    let directory = file.chain(file.directory, 0)?;
    let entries: Vec<Entry> = directory.chunks_exact(Entry::SIZE).map(Entry::read).collect();
    let root = entries.iter().find(|entry| entry.kind == ROOT && entry.first >= 0);
    if root.is_some_and(|root| root.class == INSTALLER) {
        return Some(Document::Installer);
    }
    let summary = SUMMARIES.iter().find_map(|name| {
        let entry = entries.iter().find(|e| e.kind == STREAM && e.name == *name)?;
        file.stream(entry, root)
    });
    if let Some(summary) = summary {
        let name = application(&summary).unwrap_or_default();
        return among(&name, APPLICATIONS)
            .or_else(|| entries.iter().find_map(|entry| among(&entry.name, PARTS)));
    }
    entries.iter().find_map(|entry| {
        let known =
            ENTRIES.iter().find(|(name, kind, _)| *kind == entry.kind && *name == entry.name);
        known.map(|(.., document)| *document)
    })
}

fn among(text: &[u8], known: &[(&str, Document)]) -> Option<Document> {
    let text = text.to_ascii_uppercase();
    let has = |part: &str| memchr::memmem::find(&text, part.as_bytes()).is_some();
    known.iter().find(|(part, _)| has(part)).map(|(_, document)| *document)
}

/// The property "name of application" of a summary, its printable characters.
fn application(summary: &[u8]) -> Option<Vec<u8>> {
    const NAME: u32 = 0x12;
    if summary.len() < 48 {
        return None;
    }
    let set = summary.get(u32_at(summary, 44) as usize..).filter(|set| set.len() >= 8)?;
    let (size, count) = (u32_at(set, 0) as usize, u32_at(set, 4) as usize);
    let set = set.get(..size).filter(|set| count <= 1 << 16 && 8 + 8 * count <= set.len())?;
    let named = (0..count).map(|n| 8 + 8 * n).find(|at| u32_at(set, *at) == NAME)?;
    let value = set.get(u32_at(set, named + 4) as usize..).filter(|value| value.len() >= 8)?;
    // texts of bytes and of pairs of them, but no vectors
    let width = match u32_at(value, 0) & 0x1FFF {
        0x1E => 1,
        0x1F => 2,
        _ => return None,
    };
    let length = (u32_at(value, 4) as usize).checked_mul(width)?;
    let text = value[8..].get(..length)?.chunks_exact(width).map(|unit| unit[0]);
    Some(text.take_while(|byte| *byte != 0).filter(|b| matches!(b, 0x20..=0x7E)).collect())
}

struct Entry<'a> {
    name: Vec<u8>,
    kind: u8,
    class: &'a [u8],
    first: i32,
    size: u32,
}

impl<'a> Entry<'a> {
    const SIZE: usize = 128;

    fn read(bytes: &'a [u8]) -> Self {
        let name = bytes[..64].chunks_exact(2).map(|unit| unit[0]).take_while(|byte| *byte != 0);
        Self {
            name: name.collect(),
            kind: bytes[66],
            class: &bytes[80..96],
            first: u32_at(bytes, 116).cast_signed(),
            size: u32_at(bytes, 120),
        }
    }
}

/// The sectors of a file.
struct File<'a> {
    bytes: &'a [u8],
    sector: usize,
    short: usize,
    /// Streams below this size lie in short sectors.
    cutoff: u32,
    directory: i32,
    short_table: i32,
    /// The next sector of each.
    table: Vec<i32>,
}

impl<'a> File<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() < 512 {
            return None;
        }
        let (sector, short) = (u16_at(bytes, 30), u16_at(bytes, 32));
        if sector > 20 || short > 20 || (1 << sector) < Entry::SIZE {
            return None;
        }
        let id = |at| u32_at(bytes, at).cast_signed();
        let mut file = Self {
            bytes,
            sector: 1 << sector,
            short: 1 << short,
            cutoff: u32_at(bytes, 56),
            directory: id(48),
            short_table: id(60),
            table: Vec::new(),
        };
        let mut parts = ids(&bytes[76..512]);
        // a chain of them may run in a circle, too
        let blocks = (u32_at(bytes, 72) as usize).min(bytes.len() / file.sector);
        let mut next = id(68);
        for _ in 0..blocks {
            let Some(block) = file.sector(next).filter(|block| block.len() == file.sector) else {
                break;
            };
            let mut more = ids(block);
            next = more.pop().unwrap_or(-1);
            parts.extend(more);
        }
        for part in parts {
            let Some(sector) = file.sector(part) else {
                break;
            };
            file.table.extend(ids(sector));
            if sector.len() < file.sector {
                break;
            }
        }
        Some(file)
    }

    /// What there is of a sector.
    fn sector(&self, id: i32) -> Option<&'a [u8]> {
        let start = usize::try_from(id).ok()?.checked_add(1)?.checked_mul(self.sector)?;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        Some(&rest[..rest.len().min(self.sector)])
    }

    /// A chain of sectors, as far as it can be followed: the last one is in the table, too. `None` if it is one of
    /// several, and none of them is there. Of no given length if that is 0.
    fn chain(&self, first: i32, size: u32) -> Option<Vec<u8>> {
        let next = |id: i32| usize::try_from(id).ok().and_then(|id| self.table.get(id)).copied();
        let (mut id, mut out) = (first, Vec::new());
        // no chain is longer than the file, but it may run in a circle
        while out.len() <= self.bytes.len()
            && let Some(following) = next(id)
            && let Some(sector) = self.sector(id)
        {
            out.extend_from_slice(sector);
            id = following;
        }
        if size > 0 {
            out.truncate(size as usize);
        }
        let is_long = size == 0 || next(first).is_some_and(|second| next(second).is_some());
        Some(out).filter(|out| first < 0 || !is_long || !out.is_empty())
    }

    fn stream(&self, entry: &Entry<'_>, root: Option<&Entry<'_>>) -> Option<Vec<u8>> {
        let Some(root) = root.filter(|_| entry.size < self.cutoff) else {
            return self.chain(entry.first, entry.size);
        };
        let pool = self.chain(root.first, root.size)?;
        let table = ids(&self.chain(self.short_table, 0).unwrap_or_default());
        let (mut id, mut out) = (usize::try_from(entry.first).ok(), Vec::new());
        while out.len() <= pool.len()
            && let Some(short) = id.and_then(|id| pool.get(id.checked_mul(self.short)?..))
            && !short.is_empty()
        {
            out.extend_from_slice(&short[..short.len().min(self.short)]);
            id = id.and_then(|id| table.get(id)).and_then(|next| usize::try_from(*next).ok());
        }
        if entry.size > 0 {
            out.truncate(entry.size as usize);
        }
        Some(out)
    }
}

fn ids(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|id| u32_at(id, 0).cast_signed()).collect()
}
