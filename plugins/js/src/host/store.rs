//! The store of the process (spec extending §9.1): values of scripts, kept as they were given.

use std::{collections::BTreeMap, sync::Arc};

use pocketbase::App;

use crate::{
    bind::{Args, MapRef, Res, Shared, ToJs as _, Val, export, native, new_map, table},
    run::wait,
};

/// The store that all handlers share.
pub(crate) struct Store(MapRef, App);

native!(Store = STORE);

/// That of an app. Values of scripts keep their kind in it, which the library's store of JSON has no room for.
pub(crate) fn of(app: &App) -> Store {
    let known = app.store().get_typed::<MapRef>(KEY);
    let map = known.unwrap_or_else(|| {
        app.store().set_typed(KEY, new_map([]));
        app.store().get_typed::<MapRef>(KEY).unwrap_or_default()
    });
    Store((*map).clone(), app.clone())
}
const KEY: &str = "pb.js";

table! {
    pub(crate) static STORE: Store = "store.Store", "Values that all handlers share while the process lives." {
        fn "get" "(key: string): any" "A value; `null` if there is none." => |cx, s, a| s.value(&a.str(0)?);
        fn "getOk" "(key: string): [any, boolean]" "A value, and whether there is one." => |cx, s, a| {
            let found = s.value(&a.str(0)?);
            let known = found.is_some();
            (found, known)
        };
        fn "set" "(key: string, value: any): void" "Keeps a value." => |cx, s, a| {
            let (key, value) = (a.str(0)?, a.val(1)?);
            s.0.lock().insert(key, value);
        };
        fn "has" "(key: string): boolean" "Whether there is one." => |cx, s, a| s.value(&a.str(0)?).is_some();
        fn "remove" "(key: string): void" "Forgets a value." => |cx, s, a| {
            let key = a.str(0)?;
            if key == COLLECTIONS {
                s.forget_collections();
            }
            s.0.lock().remove(&key);
        };
        fn "removeAll" "(): void" "Forgets everything." => |cx, s, a| {
            s.forget_collections();
            s.0.lock().clear();
        };
        fn "getAll" "(): { [key: string]: any }" "A copy of everything." => |cx, s, a| new_map(s.all());
        fn "keys" "(): string[]" "All keys." => |cx, s, a| s.all().into_keys().collect::<Vec<_>>();
        fn "values" "(): any[]" "All values." => |cx, s, a| s.all().into_values().collect::<Vec<_>>();
        fn "length" "(): number" "How many there are." => |cx, s, a| s.0.lock().len() + usize::from(s.has_collections());
        fn "getOrSet" "(key: string, make: () => any): any" "A value, made if there is none." => |cx, s, a| {
            let key = a.str(0)?;
            let found = s.0.lock().get(&key).cloned();
            match found {
                Some(found) => found,
                None => {
                    let made = call(a, 1, None)?;
                    s.0.lock().entry(key).or_insert(made).clone()
                }
            }
        };
        fn "setFunc" "(key: string, change: (old: any) => any): void" "Changes a value." => |cx, s, a| {
            let key = a.str(0)?;
            let old = s.0.lock().get(&key).cloned();
            let new = call(a, 1, Some(old.unwrap_or(Val::Null)))?;
            s.0.lock().insert(key, new);
        };
        fn "setIfLessThanLimit" "(key: string, value: any, limit: number): boolean" "Keeps a value unless there are too many." => |cx, s, a| {
            let (key, value, limit) = (a.str(0)?, a.val(1)?, a.int(2)?);
            let mut map = s.0.lock();
            let fits = map.contains_key(&key) || i64::try_from(map.len()).is_ok_and(|n| n + i64::from(s.has_collections()) < limit);
            if fits {
                map.insert(key, value);
            }
            fits
        };
        fn "reset" "(data: { [key: string]: any }): void" "Replaces everything." => |cx, s, a| {
            let new = match a.val(0)? {
                Val::Map(map) => map.lock().clone(),
                _ => BTreeMap::new(),
            };
            s.forget_collections();
            *s.0.lock() = new;
        };
    }
}

/// Where the reference keeps the collections that it has read, until somebody empties the store.
const COLLECTIONS: &str = "pbAppCachedCollections";
/// Whether somebody has.
const EMPTIED: &str = "pb.js.emptied";

impl Store {
    fn value(&self, key: &str) -> Option<Val> {
        match self.0.lock().get(key) {
            None if key == COLLECTIONS => self.collections(),
            found => found.cloned(),
        }
    }
    fn all(&self) -> BTreeMap<String, Val> {
        let mut all = self.0.lock().clone();
        if let Some(collections) = self.collections() {
            all.entry(COLLECTIONS.to_owned()).or_insert(collections);
        }
        all
    }
    fn has_collections(&self) -> bool {
        self.1.store().get_typed::<bool>(EMPTIED).is_none()
    }
    fn forget_collections(&self) {
        self.1.store().set_typed(EMPTIED, true);
    }
    fn collections(&self) -> Option<Val> {
        if !self.has_collections() {
            return None;
        }
        let all = wait(self.1.find_all_collections([])).ok()?;
        Some(Val::List(all.into_iter().map(|one| Val::Host(Arc::new(one) as Shared)).collect()))
    }
}

fn call(args: &Args<'_, '_>, at: usize, with: Option<Val>) -> Res<Val> {
    let (cx, function) = (args.cx(), args.function(at)?);
    let given: rquickjs::Value<'_> = match with {
        Some(value) => function.call((value.to_js(cx)?,))?,
        None => function.call(())?,
    };
    export(cx, &given)
}
