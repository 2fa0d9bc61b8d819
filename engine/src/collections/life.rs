//! Collections as what lives: their hooks and tags.

use std::sync::Arc;

use super::CollectionRef;
use crate::{
    Error,
    app::life::{LifeCycle, Lives},
    ctx::Ctx,
    event::{Action, CollectionEvent, Hooks, Model},
    hook::Slot,
};

/// The table models of collections are tagged with.
const TABLE: &str = "_collections";

impl Lives for CollectionRef {
    type Event = CollectionEvent;
    type Kind = Self;

    fn cycle(hooks: &Hooks) -> &LifeCycle<CollectionEvent> {
        &hooks.collections
    }
    fn has_tag(kind: &Self, tag: &str) -> bool {
        kind.has_tag(tag)
    }
    fn has_model_tag(_: &Self, tag: &str) -> bool {
        tag == TABLE
    }
    fn event(&self, ctx: &Ctx, action: Action, error: Option<Arc<Error>>) -> CollectionEvent {
        CollectionEvent { ctx: Slot::new(ctx.clone()), collection: self.clone(), action, error }
    }
    fn ctx(event: &CollectionEvent) -> Ctx {
        event.ctx.get()
    }
    fn model(&self) -> Model {
        Model::Collection(self.clone())
    }
}
