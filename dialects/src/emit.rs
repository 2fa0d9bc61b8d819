//! One walk over a lowered plan.
use filter_lang::plan::Plan;

use crate::{Dialect, Sql, Value, statement::Select};

pub(crate) fn page(_d: Dialect, plan: &Plan, select: &Select<'_>) -> Sql {
    Sql::plain(format!(
        "SELECT {} FROM {} AS b",
        select.columns.as_str(),
        crate::ident(&plan.base.name)
    ))
}
pub(crate) fn count(_d: Dialect, plan: &Plan) -> Sql {
    Sql::plain(format!("SELECT COUNT(*) FROM {} AS b", crate::ident(&plan.base.name)))
}
pub(crate) fn exists(d: Dialect, plan: &Plan, id: &str) -> Sql {
    Sql {
        text: format!(
            "SELECT 1 FROM {} AS b WHERE b.\"id\" = {}",
            crate::ident(&plan.base.name),
            crate::statement::mark(d, 1)
        ),
        params: vec![Value::Text(id.into())],
    }
}
pub(crate) fn exists_draft(_d: Dialect, _plan: &Plan, _columns: &[(&str, Value)]) -> Sql {
    Sql::plain("SELECT 1")
}
