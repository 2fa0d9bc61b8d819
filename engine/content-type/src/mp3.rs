//! MPEG audio: a tag in front, or frames that fit one another.

use crate::head::Head;

/// How far a first frame is looked for.
const SEARCHED: usize = 2048;
/// So many frames must follow …
const FRAMES: usize = 10;
/// … or this many where the bytes end.
const FRAMES_AT_END: usize = 2;
const HEADER: usize = 4;

pub(crate) fn is_mp3(head: Head<'_>) -> bool {
    let bytes = head.bytes;
    if bytes.len() < 3 {
        return false;
    }
    // layers III, II and I in the versions that are told without a search
    let is_frame = matches!(bytes, [0xFF, 0xFA | 0xFB | 0xF2 | 0xF3 | 0xE2 | 0xE3, ..])
        || matches!(bytes, [0xFF, 0xFC | 0xFD | 0xF4 | 0xF5, ..]);
    if is_tagged(bytes) || is_frame {
        return true;
    }
    // two kinds of music files that hold such frames
    if bytes.starts_with(b"MO3") || bytes.starts_with(b"\0\0\x01\x40\0\0\0\x03\0\0") {
        return false;
    }
    let last = bytes.len().min(SEARCHED + HEADER).saturating_sub(HEADER);
    (0..last).any(|at| starts_frames(&bytes[at..]))
}

/// An ID3 tag of version 2.2 to 2.4 with a sensible size.
fn is_tagged(bytes: &[u8]) -> bool {
    let &[b'I', b'D', b'3', 2..=4, 0, flags, s0, s1, s2, s3, ..] = bytes else {
        return false;
    };
    let parts = [s0, s1, s2, s3];
    let size = parts.iter().fold(0, |size, part| (size << 7) | u32::from(*part));
    flags & 0x0F == 0 && parts.iter().all(|part| *part < 0x80) && (1..10 << 20).contains(&size)
}

/// The first four bytes of a frame.
#[derive(Clone, Copy)]
struct Frame([u8; HEADER]);

impl Frame {
    /// Only layer III is looked for.
    fn read(bytes: &[u8]) -> Option<Self> {
        let header: [u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        let [first, second, third, fourth] = header;
        let is_valid = first == 0xFF
            && matches!(second, 0xE2 | 0xE3 | 0xF2 | 0xF3 | 0xFA | 0xFB)
            && third >> 4 != 15
            && (third >> 2) & 3 != 3
            && fourth & 3 != 2;
        is_valid.then_some(Self(header))
    }
    /// Same version, layer and rate.
    fn fits(self, other: Self) -> bool {
        (self.0[1] ^ other.0[1]) & 0xFE == 0 && (self.0[2] ^ other.0[2]) & 0x0C == 0
    }
    /// Bytes until the next frame.
    fn length(self) -> usize {
        const FIRST: [usize; 15] =
            [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
        const SECOND: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
        let is_first_version = self.0[1] & 8 != 0;
        let (rates, samples) = if is_first_version { (FIRST, 1152) } else { (SECOND, 576) };
        let kilobits = rates[usize::from(self.0[2] >> 4)];
        let older = usize::from(!is_first_version) + usize::from(self.0[1] & 0x10 == 0);
        let hertz = [44_100, 48_000, 32_000][usize::from((self.0[2] >> 2) & 3)] >> older;
        samples * kilobits * 125 / hertz + usize::from(self.0[2] & 2 != 0)
    }
}

/// A frame is here, and others follow it.
fn starts_frames(bytes: &[u8]) -> bool {
    let Some(first) = Frame::read(bytes) else {
        return false;
    };
    let (mut at, mut frame) = (0, first);
    for followed in 0..FRAMES {
        let length = frame.length();
        if length == 0 {
            return false;
        }
        at += length;
        if at + HEADER > bytes.len() {
            return followed >= FRAMES_AT_END;
        }
        match Frame::read(&bytes[at..]) {
            Some(next) if next.fits(first) => frame = next,
            _ => return false,
        }
    }
    true
}
