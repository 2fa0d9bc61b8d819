//! [`AppStore`]: values by name that live as long as the process, JSON for everybody and typed ones for Rust.

use std::{any::Any, collections::HashMap, fmt, sync::Arc};

use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Something kept under a name.
#[derive(Clone)]
enum Kept {
    Json(Value),
    Typed(Arc<dyn Any + Send + Sync>),
}

/// Values by name, shared by hooks, routes, jobs and scripts. Nothing is written to disk. See [`App::store`](crate::App::store).
///
/// ```
/// use pocketbase::App;
///
/// struct Limits { per_day: u32 }
///
/// let app = App::new();
/// let store = app.store();
/// store.set("motd", "hello");
/// assert_eq!(store.get::<String>("motd").as_deref(), Some("hello"));
///
/// store.set_typed("limits", Limits { per_day: 5 });
/// assert_eq!(store.get_typed::<Limits>("limits").map(|l| l.per_day), Some(5));
///
/// let n: u32 = store.get_or_set("n", || 1);
/// assert!(n == 1 && store.has("n") && store.len() == 3);
/// assert!(!store.set_if_less_than_limit("one more", 1, 3));
/// store.remove("n");
/// ```
#[derive(Default)]
pub struct AppStore(RwLock<HashMap<String, Kept>>);

impl fmt::Debug for AppStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppStore").field("len", &self.len()).finish()
    }
}

impl AppStore {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.read().len()
    }
    /// True without values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The names, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.0.read().keys().cloned().collect();
        keys.sort_unstable();
        keys
    }
    /// True if there is a value of that name.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.read().contains_key(key)
    }
    /// A value as a type of yours; `None` if there is none or it does not fit.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_value(self.get_value(key)?).ok()
    }
    /// A value as JSON; `None` for typed ones.
    #[must_use]
    pub fn get_value(&self, key: &str) -> Option<Value> {
        match self.0.read().get(key)? {
            Kept::Json(value) => Some(value.clone()),
            Kept::Typed(_) => None,
        }
    }
    /// All values that are JSON.
    #[must_use]
    pub fn get_all(&self) -> HashMap<String, Value> {
        let read = self.0.read();
        let json = read.iter().filter_map(|(key, kept)| match kept {
            Kept::Json(value) => Some((key.clone(), value.clone())),
            Kept::Typed(_) => None,
        });
        json.collect()
    }
    /// Sets a value that scripts see, too.
    pub fn set(&self, key: &str, value: impl Into<Value>) {
        self.0.write().insert(key.to_owned(), Kept::Json(value.into()));
    }
    /// Sets a value unless the store would have more than `limit` by it; true if it was set.
    #[allow(clippy::must_use_candidate)]
    pub fn set_if_less_than_limit(&self, key: &str, value: impl Into<Value>, limit: usize) -> bool {
        let mut kept = self.0.write();
        if !kept.contains_key(key) && kept.len() >= limit {
            return false;
        }
        kept.insert(key.to_owned(), Kept::Json(value.into()));
        true
    }
    /// Changes a value under the store's lock: `old` is `None` if there is none.
    pub fn set_func(&self, key: &str, change: impl FnOnce(Option<&Value>) -> Value) {
        let mut kept = self.0.write();
        let old = match kept.get(key) {
            Some(Kept::Json(value)) => Some(value.clone()),
            _ => None,
        };
        kept.insert(key.to_owned(), Kept::Json(change(old.as_ref())));
    }
    /// A value; made and kept if there is none that fits.
    pub fn get_or_set<T: DeserializeOwned + Into<Value> + Clone>(
        &self,
        key: &str,
        make: impl FnOnce() -> T,
    ) -> T {
        if let Some(found) = self.get(key) {
            return found;
        }
        let mut kept = self.0.write();
        // another may have been faster
        if let Some(Kept::Json(value)) = kept.get(key)
            && let Ok(found) = serde_json::from_value(value.clone())
        {
            return found;
        }
        let made = make();
        kept.insert(key.to_owned(), Kept::Json(made.clone().into()));
        made
    }
    /// Sets a Rust value: a pool, a client, a cache. Scripts do not see it.
    pub fn set_typed<T: Any + Send + Sync>(&self, key: &str, value: T) {
        self.0.write().insert(key.to_owned(), Kept::Typed(Arc::new(value)));
    }
    /// A Rust value; `None` if there is none of that name and type.
    #[must_use]
    pub fn get_typed<T: Any + Send + Sync>(&self, key: &str) -> Option<Arc<T>> {
        match self.0.read().get(key)? {
            Kept::Typed(value) => value.clone().downcast().ok(),
            Kept::Json(_) => None,
        }
    }
    /// Removes a value.
    pub fn remove(&self, key: &str) {
        self.0.write().remove(key);
    }
    /// Removes all values.
    pub fn remove_all(&self) {
        self.0.write().clear();
    }
}
