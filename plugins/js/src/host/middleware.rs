//! Middlewares as scripts hold them: `new Middleware(…)` and what `$apis` gives.

use std::sync::Arc;

use pocketbase::Middleware;

use crate::{
    bind::{Args, Fail, Res, native, table},
    run::source_of,
};

/// A middleware that is yet to be bound.
pub(crate) enum Step {
    /// One of the library.
    Ready(Middleware),
    /// One of a script.
    Script { source: String, place: Option<(String, usize)>, priority: i32, id: String },
}
/// A handler of the library that serves files.
pub(crate) struct Files {
    pub(crate) dir: std::path::PathBuf,
    pub(crate) index_fallback: bool,
}
native!(Step = STEP, Files = FILES);

table! {
    pub(crate) static STEP: Step = "Middleware", "A step around handlers." {
    }
}
table! {
    pub(crate) static FILES: Files = "Handler", "A handler that serves files." {
        fn "" "(e: core.RequestEvent): void" "Answers with a file." => |cx, f, a| {
            super::request::of(a)?.serve(&f.dir, f.index_fallback)?;
        };
    }
}

/// `new Middleware(handler, priority, id)`.
pub(crate) fn new_middleware(args: &Args<'_, '_>) -> Res<Step> {
    let given = args.at(0);
    let fail = || Fail::Type("missing or invalid Middleware function".into());
    let source = source_of(args.cx(), &given)?.ok_or_else(fail)?;
    let function = given.as_function();
    let file = function.and_then(|function| function.get::<_, String>("fileName").ok());
    let line = function.and_then(|function| function.get::<_, usize>("lineNumber").ok());
    Ok(Step::Script {
        source,
        place: file.zip(line),
        priority: i32::try_from(args.int(1)?).unwrap_or_default(),
        id: args.str(2)?,
    })
}

pub(crate) fn ready(middleware: Middleware) -> Arc<Step> {
    Arc::new(Step::Ready(middleware))
}
