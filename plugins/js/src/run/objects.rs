//! [`Objects`]: the objects of host values that are in use, so that a value is the same object each time it is asked for.
//!
//! They are held weakly: what no script uses any more is forgotten. Knows nothing of what the values are.

use std::{cell::RefCell, collections::HashMap};

use rquickjs::{
    Ctx, Function, Object, Result, Value,
    function::{Constructor, This},
};

/// The type and the address of a value.
pub(crate) type Key = (usize, usize);

/// Objects by what they stand for.
pub(crate) struct Objects<'js> {
    held: RefCell<HashMap<Key, Object<'js>>>,
    /// With how many entries those that are gone are looked for.
    full: std::cell::Cell<usize>,
    weak: Constructor<'js>,
    target: Function<'js>,
}

impl<'js> Objects<'js> {
    pub(crate) fn new(cx: &Ctx<'js>) -> Result<Self> {
        Ok(Self {
            held: RefCell::default(),
            full: std::cell::Cell::new(LEAST),
            weak: cx.eval("WeakRef")?,
            target: cx.eval("WeakRef.prototype.deref")?,
        })
    }
    /// The object, if it is still in use.
    pub(crate) fn known(&self, key: Key) -> Result<Option<Value<'js>>> {
        let held = self.held.borrow().get(&key).cloned();
        let Some(held) = held else { return Ok(None) };
        let target = self.of(held)?;
        Ok(Some(target).filter(|target| !target.is_undefined()))
    }
    pub(crate) fn keep(&self, key: Key, object: &Value<'js>) -> Result<()> {
        if self.held.borrow().len() >= self.full.get() {
            self.sweep()?;
        }
        let held: Object<'js> = self.weak.construct((object.clone(),))?;
        self.held.borrow_mut().insert(key, held);
        Ok(())
    }
    fn of(&self, held: Object<'js>) -> Result<Value<'js>> {
        self.target.call((This(held),))
    }
    fn sweep(&self) -> Result<()> {
        let all: Vec<(Key, Object<'js>)> =
            self.held.borrow().iter().map(|(key, held)| (*key, held.clone())).collect();
        for (key, held) in all {
            if self.of(held)?.is_undefined() {
                self.held.borrow_mut().remove(&key);
            }
        }
        self.full.set((self.held.borrow().len() * 2).max(LEAST));
        Ok(())
    }
}

const LEAST: usize = 256;
