//! Visitors of rows without their types, so that what runs a read is compiled once and not again for each place that reads.
//!
//! Must not know how rows come about.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{Error, Result, Rows};

/// A visitor that runs while its caller waits on the same thread. Called once at most.
pub(super) type Visit<'a> = &'a mut dyn FnMut(&mut Rows<'_>);

/// A visitor that runs on another thread.
pub(super) type Later = Box<dyn FnOnce(&mut Rows<'_>) + Send>;

/// A visitor, or what it has made of the rows.
pub(super) enum Seen<T, F> {
    Waiting(F),
    Answered(T),
    /// It is at work, or has panicked.
    Gone,
}

impl<T, F: FnOnce(&mut Rows<'_>) -> T> Seen<T, F> {
    /// Shows the rows to the visitor, if it has not seen any.
    pub(super) fn show(&mut self, rows: &mut Rows<'_>) {
        match std::mem::replace(self, Self::Gone) {
            Self::Waiting(visit) => *self = Self::Answered(visit(rows)),
            other => *self = other,
        }
    }
    /// What the visitor made of a read that ended well.
    ///
    /// # Errors
    /// [`Error::Ended`] if it has seen nothing.
    pub(super) fn answer(self) -> Result<T> {
        if let Self::Answered(answer) = self { Ok(answer) } else { Err(Error::Ended) }
    }
    /// The visitor, for another attempt.
    ///
    /// # Errors
    /// [`Error::Ended`] if it has seen rows.
    pub(super) fn visitor(self) -> Result<F> {
        if let Self::Waiting(visit) = self { Ok(visit) } else { Err(Error::Ended) }
    }
}

/// Where a visitor on another thread leaves what it made of the rows.
pub(super) struct Answer<T>(Arc<Mutex<Option<T>>>);

impl<T> Answer<T> {
    /// The answer of a read that ended well.
    ///
    /// # Errors
    /// [`Error::Ended`] if the visitor has seen nothing.
    pub(super) fn take(self) -> Result<T> {
        self.0.lock().take().ok_or(Error::Ended)
    }
}

/// A visitor for another thread, and where its answer will be.
pub(super) fn later<T, F>(visit: F) -> (Later, Answer<T>)
where
    T: Send + 'static,
    F: FnOnce(&mut Rows<'_>) -> T + Send + 'static,
{
    let place = Arc::new(Mutex::new(None));
    let answer = Answer(place.clone());
    let visit = move |rows: &mut Rows<'_>| {
        let seen = visit(rows);
        *place.lock() = Some(seen);
    };
    (Box::new(visit), answer)
}
