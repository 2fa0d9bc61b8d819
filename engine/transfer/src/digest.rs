//! A number for the content of a table that does not depend on the order in which rows are seen.

use ring::digest::{Context, SHA256};

use super::{
    canon,
    cell::{Cell, CellRow},
};

/// Count and sum of the rows' hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Digest {
    pub(super) rows: u64,
    sum: u128,
}

impl Digest {
    pub(super) fn add(&mut self, row: &CellRow, buffer: &mut Vec<u8>) {
        buffer.clear();
        for cell in row {
            encode(cell, buffer);
        }
        let mut hash = Context::new(&SHA256);
        hash.update(buffer);
        let hash = hash.finish();
        let head = hash.as_ref().first_chunk::<16>().copied().unwrap_or_default();
        self.rows += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(head));
    }
}

fn encode(cell: &Cell, out: &mut Vec<u8>) {
    let text = |out: &mut Vec<u8>, tag: u8, text: &str| {
        out.push(tag);
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    };
    match cell {
        Cell::Null => out.push(b'n'),
        Cell::Int(n) => {
            out.push(b'i');
            out.extend_from_slice(&n.to_be_bytes());
        }
        Cell::Real(x) => {
            out.push(b'r');
            out.extend_from_slice(&x.to_bits().to_be_bytes());
        }
        Cell::Bool(on) => out.extend_from_slice(&[b'b', u8::from(*on)]),
        Cell::Text(t) => text(out, b't', t),
        Cell::Sealed(t) => text(out, b's', t),
        Cell::Json(t) => {
            out.push(b'j');
            canon::write(t, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_content_does() {
        let row = |id: &str, json: &str| vec![Cell::Text(id.into()), Cell::Json(json.into())];
        let sum = |rows: &[CellRow]| {
            let (mut digest, mut buffer) = (Digest::default(), Vec::new());
            rows.iter().for_each(|row| digest.add(row, &mut buffer));
            digest
        };
        let (a, b) = (row("a", r#"{"x":1,"y":2}"#), row("b", "[1]"));
        let a_too = row("a", r#"{"y":2.0,"x":1}"#);
        assert_eq!(sum(&[a.clone(), b.clone()]), sum(&[b.clone(), a_too]));
        assert_ne!(sum(&[a.clone(), b.clone()]), sum(&[a.clone(), a.clone()]));
        assert_ne!(sum(&[a]), sum(&[b]));
    }
}
