//! What nests too deep for a tree: one text, with sorted keys, inside a tree.
//!
//! Every walker over values (copies, comparisons, destruction) recurses, so values must not nest as deep as a client
//! likes. Nothing here recurses. Such a text stands in a tree as an object with one member of a key that no client can
//! send; [`text_of`] recognizes it, and whoever writes values writes it as it is.

use std::ops::Range;

use serde::de::Error as _;
use serde_json::{Map, Value};

use super::{
    count,
    raw::{self, Listener},
    read::{Fault, Twice},
};

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
    if how == Twice::Refused && !count::fits(raw.as_bytes()) {
        return Err(E::custom("too many values"));
    }
    let mut building =
        Building { arena: Arena::default(), open: Vec::new(), how, depth, fault: None };
    if !raw::walk(raw, how.max_depth(), &mut building) {
        return Err(match building.fault {
            Some(fault) => E::custom(fault),
            None => E::custom("nested too deep"),
        });
    }
    let text = building.arena.text();
    Ok(Value::Object(Map::from_iter([(MARK.to_owned(), Value::String(text))])))
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

/// An arena that is being filled by a walk.
struct Building {
    arena: Arena,
    open: Vec<Open>,
    how: Twice,
    /// The levels around all this.
    depth: usize,
    fault: Option<Fault>,
}

impl Building {
    fn done<T>(&mut self, done: Result<T, Fault>) -> Option<T> {
        done.map_err(|fault| self.fault = Some(fault)).ok()
    }
}

impl Listener for Building {
    fn open(&mut self, is_map: bool) -> Option<()> {
        if self.depth + self.open.len() >= self.how.max_depth() {
            return self.done(Err(Fault::custom("nested too deep")));
        }
        let node = if is_map { Node::Object(Vec::new()) } else { Node::Array(Vec::new()) };
        let node = self.arena.add(node, self.open.last_mut());
        self.open.push(Open { node, key: None });
        Some(())
    }
    fn close(&mut self) -> Option<()> {
        let Open { node, .. } = self.open.pop()?;
        let closed = self.arena.close(node, self.how);
        self.done(closed)
    }
    fn key(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        let key = self.done(serde_json::from_str(&text[range]))?;
        self.open.last_mut()?.key = Some(key);
        Some(())
    }
    fn scalar(&mut self, text: &str, range: Range<usize>) -> Option<()> {
        let value: Value = self.done(serde_json::from_str(&text[range]))?;
        self.arena.add(Node::Scalar(super::value_sorted(&value)), self.open.last_mut());
        Some(())
    }
}

impl Arena {
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
