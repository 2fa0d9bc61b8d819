//! Binary kinds that a signature alone does not tell.

use crate::{head::Head, text};

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    be32(bytes, at).map(u32::swap_bytes)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

/// PKCS #7: the text form, or `signedData` in DER with one of the forms of a length.
pub(crate) fn is_pkcs7(head: Head<'_>) -> bool {
    const SIGNED_DATA: &[u8] = b"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07";
    let bytes = head.bytes;
    if bytes.starts_with(b"-----BEGIN PKCS7") {
        return true;
    }
    bytes.len() >= 20
        && bytes[0] == 0x30
        && (0x80..=0x84).contains(&bytes[1])
        && bytes[usize::from(bytes[1] & 0x0F) + 2..].starts_with(SIGNED_DATA)
}

/// A chunk of animation control stands before the image data.
pub(crate) fn is_animated_png(head: Head<'_>) -> bool {
    let mut rest = &head.bytes[8.min(head.bytes.len())..];
    for _ in 0..32 {
        let Some(length) = be32(rest, 0) else {
            return false;
        };
        match &rest[4..] {
            name if name.starts_with(b"acTL") => return true,
            name if name.starts_with(b"IDAT") => return false,
            _ => {}
        }
        // length, name and check sum besides the data
        let Some(next) = rest.get(length as usize + 12..) else {
            return false;
        };
        rest = next;
    }
    false
}

/// The check sum of the first record is right, its bytes taken as either signed or not.
pub(crate) fn is_tar(head: Head<'_>) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    let Some(record) = head.bytes.get(..512) else {
        return false;
    };
    // images of Gentoo packages are tar files with a name of their own
    if contains(&record[..100], b"/gpkg-1\0") {
        return false;
    }
    let Some(noted) = octal(&record[SUM]) else {
        return false;
    };
    let bytes =
        record.iter().enumerate().map(|(at, byte)| if SUM.contains(&at) { b' ' } else { *byte });
    let (plain, signed) = bytes.fold((0, 0), |(plain, signed), byte| {
        (plain + i64::from(byte), signed + i64::from(byte.cast_signed()))
    });
    noted == plain || noted == signed
}

fn octal(field: &[u8]) -> Option<i64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_padding(byte))?;
    let end = field.iter().rposition(|byte| !is_padding(byte))?;
    let digits = field[start..=end].split(|byte| *byte == 0).next().unwrap_or_default();
    digits.iter().try_fold(0, |sum, digit| match digit {
        b'0'..=b'7' => Some((sum << 3) | i64::from(digit - b'0')),
        _ => None,
    })
}

pub(crate) fn is_webm(head: Head<'_>) -> bool {
    is_ebml_of(head.bytes, b"webm")
}

pub(crate) fn is_matroska(head: Head<'_>) -> bool {
    is_ebml_of(head.bytes, b"matroska")
}

/// An EBML document whose element `DocType` begins so.
fn is_ebml_of(bytes: &[u8], name: &[u8]) -> bool {
    if !bytes.starts_with(b"\x1A\x45\xDF\xA3") {
        return false;
    }
    let Some(at) = memchr::memmem::find(bytes, b"\x42\x82") else {
        return false;
    };
    // the length of the value has as many bytes as its first one has leading zero bits, and one
    let value = |length: &u8| {
        let width = (length.leading_zeros() as usize + 1).min(8);
        bytes.get(at + 2 + width..).unwrap_or_default()
    };
    bytes.get(at + 2).is_some_and(|length| value(length).starts_with(name))
}

/// An OpenType font with outlines in the Compact Font Format.
pub(crate) fn is_open_type(head: Head<'_>) -> bool {
    head.bytes.len() > 48
        && head.bytes.starts_with(b"OTTO\0")
        && contains(&head.bytes[12..48], b"CFF ")
}

/// dBase: a day of the last change, reserved bytes and a known version.
pub(crate) fn is_dbase(head: Head<'_>) -> bool {
    const VERSIONS: &[u8] =
        b"\x02\x03\x04\x05\x30\x31\x32\x42\x62\x7B\x82\x83\x87\x8A\x8B\x8E\xB3\xCB\xE5\xF5\xF4\xFB";
    let bytes = head.bytes;
    bytes.len() >= 68
        && (1..=12).contains(&bytes[2])
        && (1..=31).contains(&bytes[3])
        && [12, 13, 30, 31].iter().all(|at| bytes[*at] == 0)
        && bytes[28] <= 1
        && VERSIONS.contains(&bytes[0])
}

/// An index file is found by its signature; the shapes themselves say of which form they are.
pub(crate) fn is_shape(head: Head<'_>) -> bool {
    const FORMS: &[u32] = &[0, 1, 3, 5, 8, 11, 13, 15, 18, 21, 23, 25, 28, 31];
    let bytes = head.bytes;
    bytes.len() >= 112
        && be32(bytes, 0) == Some(9994)
        && bytes[4..24].iter().all(|byte| *byte == 0)
        && le32(bytes, 28) == Some(1000)
        && le32(bytes, 108).is_some_and(|form| FORMS.contains(&form))
}

/// MARC 21: a leader of digits and a field that ends.
pub(crate) fn is_marc(head: Head<'_>) -> bool {
    let bytes = head.bytes;
    bytes.get(20..24) == Some(b"4500")
        && bytes[..5].iter().all(u8::is_ascii_digit)
        && bytes[..bytes.len().min(2048)].contains(&0x1E)
}

/// A time zone with at least one type of local time.
pub(crate) fn is_time_zone(head: Head<'_>) -> bool {
    let bytes = head.bytes;
    bytes.len() >= 44
        && bytes.starts_with(b"TZif")
        && be32(bytes, 36) != Some(0)
        && matches!(bytes[4], 0 | b'2' | b'3')
}

pub(crate) fn is_zlib(head: Head<'_>) -> bool {
    let &[b'x', second, ..] = head.bytes else {
        return false;
    };
    u16::from_be_bytes([b'x', second]).is_multiple_of(31) && !text::is_text(head)
}

/// Numbers of compiled Python up to 3.7, each followed by CR and LF.
const BYTECODE: &[u16] = &[
    3000, 3010, 3020, 3030, 3040, 3050, 3060, 3061, 3071, 3081, 3091, 3101, 3103, 3111, 3131, 3141,
    3151, 3160, 3170, 3180, 3190, 3200, 3210, 3220, 3230, 3250, 3260, 3270, 3280, 3290, 3300, 3310,
    3320, 3330, 3340, 3350, 3351, 3360, 3361, 3370, 3371, 3372, 3373, 3375, 3376, 3377, 3378, 3379,
    3390, 3391, 5892, 11913, 20121, 50428, 50429, 50823, 50824, 60202, 60203, 60717, 60718, 62011,
    62012, 62021, 62041, 62051, 62061, 62062, 62071, 62081, 62091, 62092, 62101, 62111, 62121,
    62131, 62132, 62151, 62161, 62162, 62171, 62181, 62191, 62201, 62211, 62212, 62218,
];
/// Those of PyPy.
const PYPY: &[u16] = &[240, 256, 336, 384, 416];

/// From 3.7 on flags follow, of which two bits are in use.
pub(crate) fn is_python_bytecode(head: Head<'_>) -> bool {
    let bytes = head.bytes;
    if bytes.len() < 8 {
        return false;
    }
    let number = u16::from_le_bytes([bytes[0], bytes[1]]);
    if bytes[2..4] != *b"\r\n" {
        return bytes.starts_with(b"\x02\x09\x99\0") || bytes.starts_with(b"\x03\x09\x99\0");
    }
    let is_newer = matches!(bytes[1], 0x0D | 0x0E) || PYPY.contains(&number);
    BYTECODE.contains(&number) || (is_newer && le32(bytes, 4).is_some_and(|flags| flags <= 3))
}
