//! The simple resolver of spec filter-language §2.6: bare columns and one JSON column.

use super::{Frame, Resolved, Resolver, path::json_path};
use crate::{
    error::ErrorKind,
    plan::{Expr, NullPref},
    value::Affinity,
};

impl Resolver<'_> {
    pub(super) fn simple_identifier(
        &self,
        frame: &Frame,
        name: &str,
        allowed: &[&str],
        json_field: Option<&str>,
    ) -> Result<Resolved, ErrorKind> {
        let node = frame.root;
        if allowed.contains(&name) {
            let affinity = frame.base.field(name).map_or(Affinity::Text, |field| field.affinity);
            let column = name.to_owned();
            return Ok(Resolved::of(Expr::Column { node, column }, NullPref::Auto, affinity));
        }
        let unresolved = || ErrorKind::UnresolvedField(name.to_owned());
        let (column, path) = name.split_once('.').ok_or_else(unresolved)?;
        let is_path =
            path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(&byte));
        let ends =
            path.bytes().last().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if Some(column) != json_field || !is_path || !ends {
            return Err(unresolved());
        }
        let segments: Vec<&str> = path.split('.').collect();
        let expr = Expr::Json { node, column: column.to_owned(), path: json_path(&segments) };
        Ok(Resolved::of(expr, NullPref::Disabled, Affinity::None))
    }
}
