//! What superusers want kept for the dashboard: rows of `_params`, one of each superuser and one that all share.
//!
//! The server does not read what is in them; it keeps members apart, so that two who change different ones both keep theirs.
//! Source: spec dashboard §8 A5.

use serde_json::{Map, Value};

use crate::{
    Error, FieldError, FieldErrors, Result,
    ctx::Ctx,
    store::{Job, Rows, system},
};

/// Most bytes of one row.
pub const MAX_BYTES: usize = 256 << 10;

/// Whose preferences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'w> {
    /// Those of a superuser, by id.
    Own(&'w str),
    /// Those of all.
    Shared,
}

impl Whose<'_> {
    fn key(self) -> String {
        match self {
            Self::Own(id) => format!("dashboard:{id}"),
            Self::Shared => "dashboard:shared".into(),
        }
    }
    fn member(self) -> &'static str {
        match self {
            Self::Own(_) => "own",
            Self::Shared => "shared",
        }
    }
}

/// What is kept; nothing is an empty object.
///
/// # Errors
/// Database errors.
pub async fn read(ctx: &Ctx, whose: Whose<'_>) -> Result<Map<String, Value>> {
    let sql = system::params_value(ctx.app.dialect(), &whose.key());
    let read = |rows: &mut Rows<'_>| {
        rows.next().map(|row| row.map(|row| crate::field::cell_text(row.get(0)).into_owned()))
    };
    let text = ctx.db.query(sql, read).await.and_then(|text| text).map_err(Error::Store)?;
    // Somebody else's row of that name is none of ours.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Sets members, and removes those that are null; gives what is kept afterwards.
///
/// # Errors
/// [`Error::Invalid`] when it would be too large; database errors.
pub async fn merge(
    ctx: &Ctx,
    whose: Whose<'_>,
    changes: Map<String, Value>,
) -> Result<Map<String, Value>> {
    let (key, member) = (whose.key(), whose.member());
    let owned = match whose {
        Whose::Own(id) => Some(id.to_owned()),
        Whose::Shared => None,
    };
    ctx.run_in_transaction(move |ctx| async move {
        let (dialect, now) = (ctx.app.dialect(), crate::time::now().to_string());
        // The row is ours from here on: two changes follow each other.
        ctx.db.write(Job::from(system::hold_params(dialect, &key, &now))).await?;
        let whose = owned.as_deref().map_or(Whose::Shared, Whose::Own);
        let mut kept = read(&ctx, whose).await?;
        for (name, value) in changes {
            if value.is_null() {
                kept.shift_remove(&name);
            } else {
                kept.insert(name, value);
            }
        }
        let text = Value::Object(kept.clone()).to_string();
        if text.len() > MAX_BYTES {
            let message = format!("must be no more than {MAX_BYTES} bytes");
            let error = FieldError::new("validation_length_too_long", message);
            let mut errors = FieldErrors::default();
            errors.set(member, error.param("max", MAX_BYTES));
            return Err(Error::Invalid(errors));
        }
        ctx.db.write(Job::from(system::save_params_plain(dialect, &key, &text, &now))).await?;
        Ok(kept)
    })
    .await
}
