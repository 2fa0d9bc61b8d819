//! The one way to put a request through a hook: handlers around its last step, whose answer is the request's unless a
//! handler gave one before.
//!
//! With nothing bound the last step runs at once, and nothing is made for hooks. Must not know what any hook is about.

use std::{future::Future, ops::Deref, sync::Arc};

use engine::{
    event::Requested,
    hook::{Event, Hook, Slot},
};

use crate::{
    request::{Exchange, Req},
    response::Response,
};

/// An event at the end of its way: with all that handlers have changed.
pub(crate) enum Arrived<E> {
    /// Nobody was bound.
    Alone(E),
    Through(Event<E>),
}

impl<E> Deref for Arrived<E> {
    type Target = E;
    fn deref(&self) -> &E {
        match self {
            Self::Alone(event) => event,
            Self::Through(event) => event,
        }
    }
}

impl<E> Arrived<E> {
    /// A value of the event; moved out of it where nobody will look at it again.
    pub(crate) fn take<T: Clone + Default>(&self, slot: fn(&E) -> &Slot<T>) -> T {
        match self {
            Self::Alone(event) => slot(event).set(T::default()),
            Self::Through(event) => slot(event).get(),
        }
    }
}

impl Req {
    /// Puts the request through a hook; `last` is what its handlers stand around.
    ///
    /// # Errors
    /// What handlers and `last` report.
    pub(crate) async fn through<E, F, Fut>(
        &self,
        hook: &Hook<E>,
        event: E,
        last: F,
    ) -> engine::Result<Response>
    where
        E: Requested,
        F: FnOnce(Arrived<E>) -> Fut + Send + 'static,
        Fut: Future<Output = engine::Result<Response>> + Send + 'static,
    {
        if !hook.has_for(|tag| event.has_tag(tag)) {
            return last(Arrived::Alone(event)).await;
        }
        self.exchange().through(hook, event, last).await
    }
}

impl Exchange {
    /// [`Req::through`] for a request that is shared with its last step, or that stands for a part of another one.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn through<E, F, Fut>(
        self: &Arc<Self>,
        hook: &Hook<E>,
        mut event: E,
        last: F,
    ) -> engine::Result<Response>
    where
        E: Requested,
        F: FnOnce(Arrived<E>) -> Fut + Send + 'static,
        Fut: Future<Output = engine::Result<Response>> + Send + 'static,
    {
        if !hook.has_for(|tag| event.has_tag(tag)) {
            return last(Arrived::Alone(event)).await;
        }
        event.set_ext(self.clone().into());
        let exchange = self.clone();
        let done = hook.trigger(event, move |event| async move {
            let response = last(Arrived::Through(event)).await?;
            exchange.respond(response);
            Ok(())
        });
        match done.await {
            // as the reference, which has sent the answer by then
            Err(error) if self.is_settled() => {
                tracing::warn!(%error, "a handler failed after the answer was given");
            }
            done => done?,
        }
        Ok(self.take())
    }
}
