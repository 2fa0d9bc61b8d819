//! Where joined rows come from and what they hang on: common to all spellings but for the elements of lists.
//!
//! Must not know which dialect it is.

use filter_lang::{plan::NodeKind, prim::Prim, semijoin::Row};

use super::{spell::Alias, walk::Walk};
use crate::{quote::json_list, sql::Value};

/// A row source: some nodes need two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The elements of a list.
    Elements,
    /// The table.
    Table,
}

/// The row sources of a node, in join order.
pub(super) fn parts(kind: &NodeKind) -> &'static [Part] {
    match kind {
        NodeKind::RelMany { .. } => &[Part::Elements, Part::Table],
        NodeKind::Each { .. } | NodeKind::BodyEach { .. } => &[Part::Elements],
        NodeKind::Base
        | NodeKind::RelOne { .. }
        | NodeKind::BackOne { .. }
        | NodeKind::BackMany { .. }
        | NodeKind::Cross { .. }
        | NodeKind::Auth { .. }
        | NodeKind::Body { .. } => &[Part::Table],
    }
}

impl Walk<'_> {
    /// `alias."column"`, or the text NULL if there is no row.
    pub fn text_column(&mut self, alias: Alias, column: &str) {
        if !self.column(alias, column) {
            self.push(self.spell().null_text());
        }
    }

    /// A FROM item with its alias.
    pub(super) fn source(&mut self, row: Row, part: Part, alias: Alias) {
        match part {
            Part::Elements => self.spell().elements(self, row, alias),
            Part::Table => {
                if let Some(collection) = self.collection(row.node) {
                    self.ident(&collection.name);
                }
                self.push(" AS ");
                self.number('n', alias);
            }
        }
    }

    /// The join condition of a FROM item; false (and nothing written) if there is none.
    pub(super) fn link(&mut self, row: Row, part: Part, alias: Alias) -> bool {
        let parent = self.parent(row);
        match (&self.node(row.node).kind, part) {
            (NodeKind::RelOne { column, .. }, _) => {
                self.column(alias, "id");
                self.push(" = ");
                self.text_column(parent, column);
            }
            (NodeKind::RelMany { parent, column }, Part::Table) => {
                self.column(alias, "id");
                self.push(" = ");
                self.spell().element_id(self, *parent, alias, column);
            }
            (NodeKind::BackOne { column, .. }, _) => {
                self.column(alias, column);
                self.push(" = ");
                self.text_column(parent, "id");
            }
            (NodeKind::BackMany { column, .. }, _) => self.spell().names(self, row, alias, column),
            (NodeKind::Auth { id }, _) => {
                self.column(alias, "id");
                self.push(" = ");
                self.spell().value(self, &Value::Text(id.clone()));
            }
            (NodeKind::Body { ids, .. }, _) => {
                self.column(alias, "id");
                self.push(" ");
                self.in_list(Value::Text(json_list(ids).into()));
            }
            (
                NodeKind::Base
                | NodeKind::Cross { .. }
                | NodeKind::Each { .. }
                | NodeKind::BodyEach { .. }
                | NodeKind::RelMany { .. },
                _,
            ) => return false,
        }
        true
    }

    /// A helper function ([`filter_lang::prim`]) up to its arguments.
    pub(crate) fn helper(&mut self, prim: Prim) {
        match prim {
            Prim::Calc(operation) => {
                self.push("pb_calc('");
                self.push(operation.sign());
                self.push("', ");
            }
            Prim::Distance => self.push("pb_geo_distance("),
            Prim::FormatTime => self.push("pb_strftime("),
            Prim::HasWords => self.push("pb_fts("),
        }
    }
}
