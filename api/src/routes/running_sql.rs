//! `DELETE /api/sql/{id}` (superusers): ends a statement of one's own that was given an id, on the database, too.
//!
//! Not part of the reference. Must not know what runs. Source: spec dashboard §8 A8.

use std::collections::hash_map::Entry;

use tokio::task::AbortHandle;

use crate::{
    api::Api,
    describe::operations::op,
    error::{ApiError, Result},
    guard,
    request::Req,
    response::Response,
    route::Endpoint,
    routes::h,
};

pub(crate) const ROUTES: &[Endpoint] = &[Endpoint::new("DELETE /api/sql/{id}", h!(cancel))
    .op(op("cancelSql", "SQL", "End a statement that runs under an id"))
    .quiet()];

/// Takes the name back.
pub(crate) struct Named {
    api: Api,
    key: (String, String),
}

impl Named {
    /// `None`: the name is in use.
    pub(crate) fn new(api: &Api, key: (String, String), task: AbortHandle) -> Option<Self> {
        match api.running_sql().0.lock().entry(key.clone()) {
            Entry::Occupied(_) => return None,
            Entry::Vacant(free) => free.insert(task),
        };
        Some(Self { api: api.clone(), key })
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.api.running_sql().0.lock().remove(&self.key);
    }
}

/// Ends it by dropping what waits for it.
async fn cancel(req: &mut Req) -> Result<Response> {
    let superuser = guard::superuser(req)?;
    let key = (superuser.record().id().to_owned(), req.param("id").into_owned());
    let found = req.api.running_sql().0.lock().get(&key).cloned();
    let task = found.ok_or_else(|| ApiError::not_found("No such statement runs."))?;
    task.abort();
    Ok(Response::no_content())
}
