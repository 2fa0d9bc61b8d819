//! `$apis` (spec extending §3.3): ready-made middlewares and answers.

use std::sync::Arc;

use pocketbase::{Record, middleware};

use super::Space;
use crate::{
    bind::{Callable, Shared, as_host, items, table},
    host::{Dir, Files, ready, request_of as request},
};

table! {
    pub(crate) static APIS: Space = "$apis", "Ready-made middlewares and answers." {
        fn "static" "(dir: string | fs.FS, indexFallback: boolean): Handler" "Serves files; the route needs `{path...}`." => |cx, s, a| {
            let dir = match a.opt_host::<Dir>(0)? {
                Some(dir) => dir.0.clone(),
                None => a.str(0)?.into(),
            };
            Callable(Arc::new(Files { dir, index_fallback: a.bool(1)? }))
        };
        fn "requireGuestOnly" "(): Middleware" "Only guests." => |cx, s, a| ready(middleware::require_guest_only()) as Shared;
        fn "requireAuth" "(...collections: string[]): Middleware" "Only records, of these collections if there are any." => |cx, s, a| ready(middleware::require_auth(a.texts(0)?)) as Shared;
        fn "requireSuperuserAuth" "(): Middleware" "Only superusers." => |cx, s, a| ready(middleware::require_superuser_auth()) as Shared;
        fn "requireSuperuserOrOwnerAuth" "(param?: string): Middleware" "Only superusers and the record that the path names." => |cx, s, a| ready(middleware::require_superuser_or_owner_auth(&a.str(0)?)) as Shared;
        fn "bodyLimit" "(bytes: number): Middleware" "The largest body; 0 for none." => |cx, s, a| {
            let most = u64::try_from(a.int(0)?).ok().filter(|n| *n > 0);
            ready(middleware::body_limit(most.unwrap_or(u64::MAX))) as Shared
        };
        fn "gzip" "(): Middleware" "Compresses the answer." => |cx, s, a| ready(middleware::gzip()) as Shared;
        fn "skipSuccessActivityLog" "(): Middleware" "Logs failures only." => |cx, s, a| ready(middleware::skip_success_activity_log()) as Shared;
        fn "recordAuthResponse" "(e: core.RequestEvent, record: core.Record, method: string, meta?: any): void" "Answers as a login does." => |cx, s, a| {
            request(a)?.auth_response(&*a.host::<Record>(1)?, &a.str(2)?, a.json(3)?)?;
        };
        fn "enrichRecord" "(e: core.RequestEvent, record: core.Record, ...expands: string[]): void" "Makes a record ready for a client." => |cx, s, a| {
            request(a)?.enrich(&[a.host::<Record>(1)?.clone()], &a.texts(2)?)?;
        };
        fn "enrichRecords" "(e: core.RequestEvent, records: core.Record[], ...expands: string[]): void" "Makes records ready for a client." => |cx, s, a| {
            let records: Vec<Record> = items(cx, &a.at(1))?.iter().filter_map(|item| as_host(item)?.get::<Record>().cloned()).collect();
            request(a)?.enrich(&records, &a.texts(2)?)?;
        };
    }
}
