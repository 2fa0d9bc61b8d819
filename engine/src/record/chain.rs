//! Records as what lives: their hooks, and the observer (realtime) inside the success.

use std::sync::Arc;

use super::RecordRef;
use crate::{
    Error, Result,
    app::{
        Write,
        life::{self, LifeCycle, Lives, Phase},
    },
    ctx::{Ctx, Outcome},
    event::{Action, Hooks, Model, RecordEvent},
    hook::{Slot, Tagged as _},
    schema::Loaded,
};

impl Lives for RecordRef {
    type Event = RecordEvent;
    type Kind = Loaded;

    fn cycle(hooks: &Hooks) -> &LifeCycle<RecordEvent> {
        &hooks.records
    }
    fn has_tag(kind: &Loaded, tag: &str) -> bool {
        kind.is_tagged(tag)
    }
    fn has_model_tag(kind: &Loaded, tag: &str) -> bool {
        kind.is_tagged(tag)
    }
    fn event(&self, ctx: &Ctx, action: Action, error: Option<Arc<Error>>) -> RecordEvent {
        let collection = self.collection();
        RecordEvent { ctx: Slot::new(ctx.clone()), collection, record: self.clone(), action, error }
    }
    fn ctx(event: &RecordEvent) -> Ctx {
        event.ctx.get()
    }
    fn model(&self) -> Model {
        Model::Record(self.clone())
    }
}

/// True if a handler stands around a step: the fast path asks before it makes anything.
pub(crate) fn is_bound(ctx: &Ctx, collection: &Loaded, action: Action, phase: Phase) -> bool {
    life::is_bound::<RecordRef>(ctx, collection, action, phase)
}

/// True if a handler or the observer waits for the success.
pub(crate) fn is_after_bound(ctx: &Ctx, collection: &Loaded, action: Action) -> bool {
    is_bound(ctx, collection, action, Phase::Success)
        || ctx.app.observer().is_some_and(|o| o.wants(collection))
}

/// The after hooks of a success or failure, with the observer inside the success.
pub(crate) async fn after(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    outcome: Outcome,
    write: Write,
) -> Result<()> {
    let (collection, ok) = (record.collection(), outcome.is_ok());
    if !is_bound(ctx, &collection, action, Phase::of(&outcome)) {
        if ok {
            observe(ctx, record, &collection, action, write).await;
        }
        return Ok(());
    }
    life::after(ctx, record, action, outcome, move |ctx, record| async move {
        if ok {
            observe(&ctx, &record, &collection, action, write).await;
        }
        Ok(())
    })
    .await
}

async fn observe(ctx: &Ctx, record: &RecordRef, collection: &Loaded, action: Action, write: Write) {
    if let Some(observer) = ctx.app.observer().filter(|o| o.wants(collection)) {
        observer.changed(ctx, record, action, write).await;
    }
}
