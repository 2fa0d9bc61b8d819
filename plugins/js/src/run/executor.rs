//! [`Executors`]: JavaScript contexts, one a running handler; [`Local`]: what belongs to one context.
//!
//! Executors belong to their thread and are kept there: a handler that is called while another one of its thread is busy gets
//! a further executor. Nothing of one context reaches another but exported values and host values.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
    time::Instant,
};

use pocketbase::{ApiError, App, Error, Result};
use rquickjs::{Context, Ctx, Function, Object, Runtime, Value, runtime::UserDataGuard};

use super::{
    Objects, Program,
    threads::{is_unwanted, stack_left},
};
use crate::{Js, bind::GoError};

/// What a context is for (spec §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Loads the hook files.
    Loader,
    /// Runs handlers.
    Executor,
    /// Loads a migration and runs it.
    Migration,
}

impl Role {
    /// Whether what it runs is in strict mode: handlers are, files are not. The engine does not tell objects
    /// the mode of the script that assigns to them.
    pub(crate) const fn is_strict(self) -> bool {
        matches!(self, Self::Executor)
    }
}

/// Values of one context.
pub(crate) struct Local<'js> {
    pub(crate) js: Arc<Js>,
    pub(crate) role: Role,
    pub(crate) object_proto: Object<'js>,
    pub(crate) function_proto: Object<'js>,
    pub(crate) host_proto: Object<'js>,
    pub(crate) bytes_proto: Object<'js>,
    pub(crate) raw_proto: Object<'js>,
    pub(crate) go_error: Function<'js>,
    /// Of errors that handlers of other contexts have thrown.
    pub(crate) foreign_proto: Object<'js>,
    /// Handlers that were compiled here.
    pub(crate) functions: RefCell<HashMap<usize, Function<'js>>>,
    /// The modules that were loaded here, by path.
    pub(crate) modules: RefCell<HashMap<String, Object<'js>>>,
    /// What a migration file has registered: up and down.
    pub(crate) migrations: RefCell<Vec<[Option<Function<'js>>; 2]>>,
    /// Transactions that are open here: their app, and what runs when they have ended.
    pub(crate) transactions: RefCell<Vec<(Value<'js>, Vec<Function<'js>>)>>,
    /// What a script has done that it cannot undo by catching: its handler ends with a 500.
    pub(crate) fatal: RefCell<Option<String>>,
    /// The loader's `$app.rootCmd`.
    pub(crate) root: RefCell<Option<crate::cli::Cmd>>,
    /// Functions that commands keep.
    pub(crate) closures: RefCell<Vec<Function<'js>>>,
    /// What `$app` is.
    pub(crate) app: RefCell<App>,
    /// Objects of host values that must stay the same.
    pub(crate) objects: Objects<'js>,
    /// The collection that could not be saved last, and why.
    pub(crate) unsaved: RefCell<Option<(String, String)>>,
    /// Makes a list whose items, once they are assigned, reach where the list is from.
    pub(crate) live_list: Function<'js>,
    /// The functions of namespaces that were asked for.
    pub(crate) functions_of_spaces: RefCell<HashMap<usize, Value<'js>>>,
}

impl<'js> Local<'js> {
    /// Those of a context.
    pub(crate) fn of<'a>(cx: &'a Ctx<'js>) -> UserDataGuard<'a, Self> {
        // every context gets its own when it is made
        cx.userdata().expect("a context has its values")
    }
    fn new(cx: &Ctx<'js>, js: Arc<Js>, role: Role) -> rquickjs::Result<Self> {
        let object_proto: Object<'js> = cx.eval("Object.prototype")?;
        let array_proto: Object<'js> = cx.eval("Array.prototype")?;
        let host_proto = Object::new(cx.clone())?;
        let bytes_proto = Object::new_proto(cx.clone(), Some(&array_proto))?;
        let raw_proto = Object::new_proto(cx.clone(), Some(&array_proto))?;
        let text = Function::new(cx.clone(), |this: rquickjs::function::This<Vec<u8>>| {
            String::from_utf8_lossy(&this.0).into_owned()
        })?;
        raw_proto.prop("string", text.clone())?;
        raw_proto.prop("toString", text)?;
        let app = js.app.clone();
        Ok(Self {
            js,
            role,
            object_proto,
            function_proto: Function::prototype(cx.clone()),
            host_proto,
            bytes_proto,
            raw_proto,
            go_error: GoError::define(cx)?,
            foreign_proto: cx.eval(
                "({ toString() { return this.message ? `${this.name}: ${this.message}` : String(this.name) } })",
            )?,
            functions: RefCell::default(),
            modules: RefCell::default(),
            migrations: RefCell::default(),
            transactions: RefCell::default(),
            fatal: RefCell::default(),
            root: RefCell::default(),
            closures: RefCell::default(),
            app: RefCell::new(app),
            objects: Objects::new(cx)?,
            unsaved: RefCell::default(),
            live_list: cx.eval(LIVE_LIST)?,
            functions_of_spaces: RefCell::default(),
        })
    }
}

/// As slices of Go: what is added is seen where the list is from if that is a variable, not if it is a value.
const LIVE_LIST: &str = "(list, write, grows) => {
    const n = list.length
    return new Proxy(list, { set(list, key, value) {
        const before = list.length
        list[key] = value
        const is_item = typeof key === 'string' && Number(key) < (grows ? list.length : n)
        if (is_item || grows && before !== list.length) write(list.slice(0, grows ? list.length : n))
        return true
    } })
}";

/// A context with its runtime.
pub(crate) struct Executor {
    // dropped in this order
    context: Context,
    _runtime: Runtime,
}

impl Executor {
    pub(crate) fn new(js: &Arc<Js>, role: Role) -> Result<Self> {
        let made = || -> rquickjs::Result<Self> {
            let runtime = Runtime::new()?;
            runtime.set_gc_threshold(1 << 20);
            if let Some(bytes) = js.memory_limit {
                runtime.set_memory_limit(bytes);
            }
            runtime.set_interrupt_handler(Some(Box::new(must_end)));
            // the engine measures from where the runtime was made, on this thread
            let left = stack_left().unwrap_or(512 << 10);
            runtime.set_max_stack_size(left.max(64 << 10));
            let context = Context::full(&runtime)?;
            let executor = Self { context, _runtime: runtime };
            executor.context.with(|cx| {
                let local = Local::new(&cx, js.clone(), role)?;
                let _ = cx.store_userdata(local);
                crate::space::define(&cx, role)
            })?;
            Ok(executor)
        };
        made().map_err(|error| ApiError::internal(format!("no JavaScript context: {error}")).into())
    }
    /// Works in the context.
    pub(crate) fn with<T>(&self, work: impl for<'js> FnOnce(&Ctx<'js>) -> T) -> T {
        self.context.with(|cx| work(&cx))
    }
}

/// True when the handlers of this thread have had their time, or nobody waits for them any more.
fn must_end() -> bool {
    DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline) || is_unwanted()
}

/// Gives a handler its time; one within another has what that one has left.
pub(super) fn timed<T>(js: &Js, work: impl FnOnce() -> T) -> T {
    let Some(limit) = js.time_limit else { return work() };
    let outer = DEADLINE.get();
    let own = Instant::now() + limit;
    DEADLINE.set(Some(outer.map_or(own, |outer| outer.min(own))));
    let done = work();
    DEADLINE.set(outer);
    done
}

thread_local! {
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The executors of this thread that are free, with the runtime they belong to.
    static FREE: RefCell<Vec<(usize, Executor)>> = const { RefCell::new(Vec::new()) };
}

/// How deep handlers may be nested must leave room for one more and for what it calls.
const LEAST_STACK: usize = 2 << 20;

/// The executors of an app.
#[derive(Clone, Copy)]
pub(crate) struct Executors {
    /// Whether contexts are kept.
    pub(crate) keeps: bool,
}

impl Executors {
    /// Works in a free executor of this thread.
    pub(crate) fn with<T>(
        self,
        js: &Arc<Js>,
        work: impl for<'js> FnOnce(&Ctx<'js>) -> Result<T>,
    ) -> Result<T> {
        if stack_left().is_some_and(|left| left < LEAST_STACK) {
            return Err(Error::other("handlers call each other too deeply"));
        }
        let id = Arc::as_ptr(js) as usize;
        let free = FREE.with_borrow_mut(|free| {
            let at = free.iter().rposition(|(of, _)| *of == id)?;
            Some(free.swap_remove(at).1)
        });
        let executor = match free {
            Some(executor) => executor,
            None => Executor::new(js, Role::Executor)?,
        };
        let done = executor.with(work);
        if self.keeps {
            FREE.with_borrow_mut(|free| free.push((id, executor)));
        }
        done
    }
}

/// The handler's function in this context.
pub(crate) fn function<'js>(cx: &Ctx<'js>, program: &Program) -> rquickjs::Result<Function<'js>> {
    let local = Local::of(cx);
    if let Some(known) = local.functions.borrow().get(&program.id) {
        return Ok(known.clone());
    }
    let made: Function<'js> = program.compile(cx)?.call(())?;
    local.functions.borrow_mut().insert(program.id, made.clone());
    Ok(made)
}
