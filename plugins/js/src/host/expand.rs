//! `expandRecord` and `expandRecords`: relations as they are stored, read by the library or by a function of the script.
//!
//! The function cannot leave its thread, so the library asks this thread to call it. Source: spec extending §4.

use std::sync::{Arc, mpsc};

use pocketbase::{App, Collection, Error, FetchRecords, Record};
use rquickjs::{Ctx, Function, Value};
use tokio::sync::oneshot;

use crate::{
    bind::{Fail, ToJs as _, Val, as_host, error_of, items, new_map},
    run::wait_serving,
};

/// What the library wants to be called with, and where the answer goes.
type Asked = (Collection, Vec<String>, oneshot::Sender<Result<Vec<Record>, Error>>);

/// Expands records of one collection; gives what failed, by path.
pub(super) fn expand<'js>(
    cx: &Ctx<'js>,
    app: &App,
    records: &[Record],
    paths: &[String],
    fetch: Option<&Function<'js>>,
) -> Val {
    let failed = new_map([]);
    for path in distinct(paths) {
        let (ask, asked) = mpsc::channel::<Asked>();
        let fetching = fetch.map(|_| -> FetchRecords {
            Arc::new(move |collection, ids| {
                let (answer, answered) = oneshot::channel();
                let _ = ask.send((collection, ids, answer));
                let gone = || Error::other("the script is gone");
                Box::pin(async move { answered.await.unwrap_or_else(|_| Err(gone())) })
            })
        });
        let done = wait_serving(app.expand_path(records, &path, fetching), || {
            let (Some(fetch), Ok((collection, ids, answer))) = (fetch, asked.try_recv()) else {
                return false;
            };
            let _ = answer.send(fetched(cx, fetch, collection, ids));
            true
        });
        if let Err(error) = done {
            failed.lock().insert(path, Val::Str(error.to_string()));
        }
    }
    Val::Map(failed)
}

/// Each path once, without those that are the beginning of another one.
fn distinct(paths: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let is_beginning = paths.iter().any(|other| {
            other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'))
        });
        if !path.is_empty() && !is_beginning && !paths[..at].contains(path) {
            kept.push(path.clone());
        }
    }
    kept
}

fn fetched<'js>(
    cx: &Ctx<'js>,
    fetch: &Function<'js>,
    collection: Collection,
    ids: Vec<String>,
) -> Result<Vec<Record>, Error> {
    let call = || -> Result<Vec<Record>, Fail> {
        let given: Value<'js> = fetch.call((collection.to_js(cx)?, ids.to_js(cx)?))?;
        let records = items(cx, &given)?;
        Ok(records.iter().filter_map(|item| as_host(item)?.get::<Record>().cloned()).collect())
    };
    call().map_err(|fail| match fail {
        Fail::Host(error) => error,
        other => error_of(cx, &{
            let _ = crate::bind::throw(cx, other);
            cx.catch()
        }),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn beginnings_are_left_out() {
        for (given, want) in [
            ("author,tags", "author,tags"),
            ("author,author.x", "author.x"),
            ("a.b,a.c,a,a.b", "a.b,a.c"),
            ("ab,a", "ab,a"),
        ] {
            let given: Vec<String> = given.split(',').map(str::to_owned).collect();
            assert_eq!(super::distinct(&given).join(","), want);
        }
    }
}
