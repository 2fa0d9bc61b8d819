//! Who was seen, as few bytes that can be merged: exact while there are few, a HyperLogLog of 16,384 registers from then on.
//!
//! The stored form is our own: a version, a kind, and the hashes or the registers. Must not know what is counted.

use std::hash::BuildHasherDefault;

use hyperloglockless::HyperLogLog;
use siphasher::sip::SipHasher13;

const VERSION: u8 = 1;
const FEW: u8 = 0;
const MANY: u8 = 1;
const PRECISION: u8 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// So many hashes are kept before registers take less.
const MAX_FEW: usize = 256;
/// No hash of 64 bits has a longer run.
const MAX_RANK: u8 = 65;

type Registers = HyperLogLog<BuildHasherDefault<SipHasher13>>;

/// The same on all nodes and in all versions: stored sketches are made of it.
pub(crate) fn hash(text: &str) -> u64 {
    SipHasher13::new_with_keys(0x7062_616e_616c_7974, 0x6963_735f_7631_0001).hash(text.as_bytes())
}

/// A set of hashes, counted.
#[derive(Debug, Clone)]
pub(crate) enum Sketch {
    /// Sorted.
    Few(Vec<u64>),
    Many(Box<Registers>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Sketch {
    /// Adds a hash; the bytes that it takes more than before.
    pub(crate) fn insert(&mut self, hash: u64) -> usize {
        match self {
            Self::Few(hashes) => match hashes.binary_search(&hash) {
                Ok(_) => 0,
                Err(at) if hashes.len() < MAX_FEW => {
                    hashes.insert(at, hash);
                    8
                }
                Err(_) => {
                    let mut many = registers_of(hashes);
                    many.insert_hash(hash);
                    *self = Self::Many(many);
                    REGISTERS - 8 * MAX_FEW
                }
            },
            Self::Many(many) => {
                many.insert_hash(hash);
                0
            }
        }
    }

    /// Adds all of another one; the bytes that it takes more than before.
    pub(crate) fn merge(&mut self, other: &Self) -> usize {
        match (&mut *self, other) {
            (_, Self::Few(hashes)) => hashes.iter().map(|hash| self.insert(*hash)).sum(),
            (Self::Few(hashes), Self::Many(many)) => {
                let mut own = registers_of(hashes);
                // as many registers as the other has
                own.union(many).ok();
                let before = 8 * hashes.len();
                *self = Self::Many(own);
                REGISTERS - before
            }
            (Self::Many(own), Self::Many(many)) => {
                own.union(many).ok();
                0
            }
        }
    }

    /// How many, about.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Few(hashes) => hashes.len() as u64,
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            Self::Many(many) => many.raw_count().round() as u64,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Few(hashes) => {
                let mut bytes = vec![VERSION, FEW];
                bytes.extend(hashes.iter().flat_map(|hash| hash.to_be_bytes()));
                bytes
            }
            Self::Many(many) => {
                let mut bytes = vec![VERSION, MANY];
                bytes.extend_from_slice(many.parts().0);
                bytes
            }
        }
    }

    /// What was stored; `None` when it is nothing of ours.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(2)?;
        match (head, rest.len()) {
            ([VERSION, FEW], len) if len % 8 == 0 && len <= 8 * MAX_FEW => {
                let mut sketch = Self::default();
                for hash in rest.chunks_exact(8) {
                    sketch.insert(u64::from_be_bytes(hash.try_into().ok()?));
                }
                Some(sketch)
            }
            ([VERSION, MANY], REGISTERS) if rest.iter().all(|rank| *rank <= MAX_RANK) => {
                let zeros = rest.iter().filter(|rank| **rank == 0).count();
                let sum = rest.iter().map(|rank| 0.5_f64.powi(i32::from(*rank))).sum();
                let hasher = BuildHasherDefault::default();
                Some(Self::Many(Box::new(HyperLogLog::from_parts(rest.into(), hasher, zeros, sum))))
            }
            _ => None,
        }
    }
}

fn registers_of(hashes: &[u64]) -> Box<Registers> {
    let mut many = Box::new(HyperLogLog::with_hasher(PRECISION, BuildHasherDefault::default()));
    for hash in hashes {
        many.insert_hash(*hash);
    }
    many
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: std::ops::Range<u32>) -> Sketch {
        let mut sketch = Sketch::default();
        for n in range {
            sketch.insert(hash(&format!("visitor {n}")));
        }
        sketch
    }

    #[test]
    fn counts_within_three_percent() {
        for n in [0, 1, 2, 100, 256, 257, 1_000, 10_000, 100_000] {
            let (want, got) = (f64::from(n), of(0..n).count() as f64);
            assert!((got - want).abs() <= want * 0.03, "{n}: {got}");
        }
        assert_eq!(of(0..256).count(), 256);
    }

    #[test]
    fn merged_and_stored_it_counts_the_same() {
        for (a, b, all) in [
            (0..10, 5..20, 0..20),
            (0..200, 100..300, 0..300),
            (0..1_000, 10..20, 0..1_000),
            (10..20, 0..1_000, 0..1_000),
            (0..5_000, 4_000..9_000, 0..9_000),
        ] {
            let mut merged = of(a.clone());
            merged.merge(&of(b.clone()));
            let stored = Sketch::from_bytes(&merged.to_bytes()).expect("it was just made");
            assert_eq!(merged.count(), of(all).count(), "{a:?} {b:?}");
            assert_eq!(stored.count(), merged.count(), "{a:?} {b:?}");
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let mut long = vec![1, 1];
        long.extend([66; REGISTERS]);
        for bytes in [&[][..], &[1], &[2, 0], &[1, 0, 1], &[1, 1, 0], &[1, 2], &long] {
            assert!(Sketch::from_bytes(bytes).is_none(), "{:?}", &bytes[..bytes.len().min(4)]);
        }
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash("visitor"), hash("visitor"));
        assert_ne!(hash("a"), hash("b"));
    }
}
