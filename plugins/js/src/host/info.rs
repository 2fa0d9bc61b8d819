//! The facts of a request: `e.requestInfo()`, `new RequestInfo(…)` (spec extending §3.2, §6).

use std::sync::Arc;

use parking_lot::Mutex;
use pocketbase::{Record, RequestInfo};

use super::request::plain;
use crate::bind::{Args, MapRef, Res, Shared, Val, native_at, new_map, table};

/// The facts of a request.
pub(crate) struct Info {
    pub(super) query: Option<MapRef>,
    pub(super) headers: Option<MapRef>,
    pub(super) body: Option<MapRef>,
    pub(super) auth: Mutex<Option<Record>>,
    pub(super) method: String,
    pub(super) context: String,
}

native_at!(Info = REQUEST_INFO, |info| Some(std::ptr::from_ref(info).addr()));

table! {
    pub(crate) static REQUEST_INFO: Info = "core.RequestInfo", "The facts of a request." {
        prop "query": "{ [key: string]: string }", "The first value of each query parameter." => |cx, i| i.query.clone();
        prop "headers": "{ [key: string]: string }", "The first value of each header; names as `x_request_id`." => |cx, i| i.headers.clone();
        prop "body": "{ [key: string]: any }", "The body." => |cx, i| i.body.clone();
        prop "auth": "core.Record", "Who asks." => |cx, i| i.auth.lock().clone();
        prop "method": "string", "The method." => |cx, i| i.method.clone();
        prop "context": "string", "`default`, `expand`, `realtime` …" => |cx, i| i.context.clone();
        fn "hasSuperuserAuth" "(): boolean" "Whether a superuser asks." => |cx, i, a| i.auth.lock().as_ref().is_some_and(Record::is_superuser);
    }
}

impl Info {
    pub(super) fn body(&self) -> Val {
        self.body.clone().map_or(Val::Null, Val::Map)
    }
    /// For the library.
    pub(crate) fn to_library(&self) -> RequestInfo {
        let texts = |map: &Option<MapRef>| {
            let map = map.as_ref().map(|map| map.lock().clone()).unwrap_or_default();
            map.into_iter().map(|(key, value)| (key, plain(value))).collect()
        };
        let mut info = RequestInfo::default();
        info.query = texts(&self.query);
        info.headers = texts(&self.headers);
        info.body = self.body().into_object();
        info.auth = self.auth.lock().clone();
        info.method.clone_from(&self.method);
        info.context.clone_from(&self.context);
        info
    }
    pub(super) fn of(info: RequestInfo) -> Self {
        let texts = |map: std::collections::BTreeMap<String, String>| {
            Some(new_map(map.into_iter().map(|(key, value)| (key, Val::Str(value)))))
        };
        Self {
            query: texts(info.query),
            headers: texts(info.headers),
            body: Some(new_map(info.body.into_iter().map(|(key, value)| (key, value.into())))),
            auth: Mutex::new(info.auth),
            method: info.method,
            context: info.context,
        }
    }
}

/// Facts as a host value.
pub(crate) fn info_of(info: RequestInfo) -> Shared {
    Arc::new(Info::of(info))
}

/// `new RequestInfo(data)`: without data for guests.
pub(crate) fn new_request_info(args: &Args<'_, '_>) -> Res<Info> {
    let given = match args.val(0)? {
        Val::Map(map) => map.lock().clone(),
        _ => std::collections::BTreeMap::new(),
    };
    let text = |name: &str| given.get(name).cloned().map(plain).unwrap_or_default();
    let map = |name: &str| match given.get(name) {
        Some(Val::Map(map)) => Some(map.clone()),
        _ => None,
    };
    let auth = match given.get("auth") {
        Some(Val::Host(host)) => host.get::<Record>().cloned(),
        _ => None,
    };
    let context = Some(text("context")).filter(|text| !text.is_empty());
    Ok(Info {
        query: map("query"),
        headers: map("headers"),
        body: map("body"),
        auth: Mutex::new(auth),
        method: text("method"),
        context: context.unwrap_or_else(|| "default".to_owned()),
    })
}
