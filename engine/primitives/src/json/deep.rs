//! What nests too deep for a tree: one text, with sorted keys, inside a tree.
//!
//! Every walker over values (copies, comparisons, destruction) recurses, so values must not nest as deep as a client
//! likes. Nothing here recurses. Such a text stands in a tree as an object with one member of a key that no client can
//! send; [`text_of`] recognises it, and whoever writes values writes it as it is.

use serde::de::Error as _;
use serde_json::{Map, Value};

use super::read::{Fault, Twice};

/// The key. NUL makes it one that nobody uses.
const MARK: &str = "\0kept";

/// True for the key.
pub(super) fn is_mark(key: &str) -> bool {
    key.starts_with('\0') && key == MARK
}

/// The JSON text that an object stands for, if it does.
#[must_use]
pub fn text_of(map: &Map<String, Value>) -> Option<&str> {
    if map.len() == 1 { map.get(MARK)?.as_str() } else { None }
}

/// The fault of a key that comes twice.
pub(super) fn twice<E: serde::de::Error>(key: &str) -> E {
    E::custom(format_args!("the key {key:?} comes twice"))
}

/// Reads a well-formed value that stands below `depth` levels.
pub(super) fn read<E: serde::de::Error>(raw: &str, how: Twice, depth: usize) -> Result<Value, E> {
    if !raw.starts_with(['{', '[']) {
        return serde_json::from_str(raw).map_err(E::custom);
    }
    let mut arena = Arena::default();
    arena.read(raw, how, depth).map_err(E::custom)?;
    Ok(Value::Object(Map::from_iter([(MARK.to_owned(), Value::String(arena.text()))])))
}

/// A value whose parts are named by their place, so that nothing recurses over it.
#[derive(Default)]
struct Arena {
    nodes: Vec<Node>,
}

enum Node {
    Scalar(String),
    Array(Vec<usize>),
    Object(Vec<(String, usize)>),
}

/// A container that is not closed yet, with the key of the member that comes next.
struct Open {
    node: usize,
    key: Option<String>,
}

impl Arena {
    fn read(&mut self, raw: &str, how: Twice, depth: usize) -> Result<(), Fault> {
        let mut open: Vec<Open> = Vec::new();
        let bytes = raw.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            let start = at;
            at += 1;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {}
                b'{' | b'[' => {
                    if depth + open.len() >= how.max_depth() {
                        return Err(Fault::custom("nested too deep"));
                    }
                    let is_list = *byte == b'[';
                    let node =
                        if is_list { Node::Array(Vec::new()) } else { Node::Object(Vec::new()) };
                    let node = self.add(node, open.last_mut());
                    open.push(Open { node, key: None });
                }
                b'}' | b']' => {
                    if let Some(Open { node, .. }) = open.pop() {
                        self.close(node, how)?;
                    }
                }
                _ => {
                    at = end(bytes, start);
                    let token = &raw[start..at];
                    match open.last_mut() {
                        Some(top) if self.wants_key(top) => {
                            top.key = Some(serde_json::from_str(token)?)
                        }
                        top => {
                            let value: Value = serde_json::from_str(token)?;
                            self.add(Node::Scalar(super::value_sorted(&value)), top);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn wants_key(&self, open: &Open) -> bool {
        open.key.is_none() && matches!(self.nodes[open.node], Node::Object(_))
    }

    /// Adds a part to the container around it.
    fn add(&mut self, node: Node, around: Option<&mut Open>) -> usize {
        let id = self.nodes.len();
        self.nodes.push(node);
        if let Some(around) = around {
            match &mut self.nodes[around.node] {
                Node::Array(items) => items.push(id),
                Node::Object(members) => members.push((around.key.take().unwrap_or_default(), id)),
                Node::Scalar(_) => {}
            }
        }
        id
    }

    /// Sorts the members of an object.
    fn close(&mut self, node: usize, how: Twice) -> Result<(), Fault> {
        let Node::Object(members) = &mut self.nodes[node] else { return Ok(()) };
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        let same = members.windows(2).find(|pair| pair[0].0 == pair[1].0);
        match (same, how) {
            (None, _) => {}
            (Some(pair), Twice::Refused) => return Err(twice(&pair[0].0)),
            (Some(_), Twice::Wins) => members.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    kept.1 = later.1;
                }
                same
            }),
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut out = Vec::new();
        // a part and how many of its own parts are written
        let mut pending = vec![(0, 0)];
        while let Some((id, n)) = pending.pop() {
            let (brackets, child) = match &self.nodes[id] {
                Node::Scalar(text) => {
                    out.extend_from_slice(text.as_bytes());
                    continue;
                }
                Node::Array(items) => (b"[]", items.get(n).copied()),
                Node::Object(members) => (b"{}", members.get(n).map(|(_, child)| *child)),
            };
            if n == 0 {
                out.push(brackets[0]);
            }
            let Some(child) = child else {
                out.push(brackets[1]);
                continue;
            };
            if n > 0 {
                out.push(b',');
            }
            if let Node::Object(members) = &self.nodes[id] {
                super::write_str(&mut out, &members[n].0);
                out.push(b':');
            }
            pending.push((id, n + 1));
            pending.push((child, 0));
        }
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Where the token from `start` on ends: a text with its quotes, or a word.
fn end(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    if rest.first() != Some(&b'"') {
        let is_end = |byte: &u8| b" \t\n\r,:]}".contains(byte);
        return start + rest.iter().position(is_end).unwrap_or(rest.len());
    }
    let mut at = start + 1;
    while let Some(n) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += n;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}
