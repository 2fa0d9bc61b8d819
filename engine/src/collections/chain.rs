//! Which hooks wrap which step of saving or deleting a collection (spec server-settings §8.2, §8.3).
//!
//! Every function first asks whether anything is bound; with nothing bound no event is made.

use std::{future::Future, sync::Arc};

use super::CollectionRef;
use crate::{
    Error, Result,
    ctx::{Ctx, Outcome},
    event::{Action, CollectionEvent, Hooks, Model, ModelEvent},
    hook::Hook,
};

type Pair<'h> = (&'h Hook<CollectionEvent>, &'h Hook<ModelEvent>);

/// The table models of collections are tagged with.
const TABLE: &str = "_collections";

fn save_hooks(hooks: &Hooks, action: Action) -> Pair<'_> {
    match action {
        Action::Create => (&hooks.collection_create, &hooks.model_create),
        Action::Update => (&hooks.collection_update, &hooks.model_update),
        Action::Delete => (&hooks.collection_delete, &hooks.model_delete),
        Action::Validate => (&hooks.collection_validate, &hooks.model_validate),
    }
}

fn execute_hooks(hooks: &Hooks, action: Action) -> Pair<'_> {
    match action {
        Action::Create | Action::Validate => {
            (&hooks.collection_create_execute, &hooks.model_create_execute)
        }
        Action::Update => (&hooks.collection_update_execute, &hooks.model_update_execute),
        Action::Delete => (&hooks.collection_delete_execute, &hooks.model_delete_execute),
    }
}

fn after_hooks(hooks: &Hooks, action: Action, ok: bool) -> Pair<'_> {
    match (action, ok) {
        (Action::Create | Action::Validate, true) => {
            (&hooks.collection_after_create_success, &hooks.model_after_create_success)
        }
        (Action::Create | Action::Validate, false) => {
            (&hooks.collection_after_create_error, &hooks.model_after_create_error)
        }
        (Action::Update, true) => {
            (&hooks.collection_after_update_success, &hooks.model_after_update_success)
        }
        (Action::Update, false) => {
            (&hooks.collection_after_update_error, &hooks.model_after_update_error)
        }
        (Action::Delete, true) => {
            (&hooks.collection_after_delete_success, &hooks.model_after_delete_success)
        }
        (Action::Delete, false) => {
            (&hooks.collection_after_delete_error, &hooks.model_after_delete_error)
        }
    }
}

fn is_bound(pair: Pair<'_>, collection: &CollectionRef) -> bool {
    pair.0.has_for(|tag| collection.has_tag(tag)) || pair.1.has_for(|tag| tag == TABLE)
}

fn collection_event(
    ctx: &Ctx,
    collection: &CollectionRef,
    action: Action,
    error: Option<Arc<Error>>,
) -> CollectionEvent {
    CollectionEvent { ctx: ctx.clone(), collection: collection.clone(), action, error }
}

fn model_event(
    ctx: &Ctx,
    collection: &CollectionRef,
    action: Action,
    error: Option<Arc<Error>>,
) -> ModelEvent {
    ModelEvent { ctx: ctx.clone(), model: Model::Collection(collection.clone()), action, error }
}

/// Collection hook around model hook around `inner`: saves and deletes as a whole.
pub(super) async fn around<F, Fut>(
    ctx: &Ctx,
    collection: &CollectionRef,
    action: Action,
    inner: F,
) -> Result<()>
where
    F: FnOnce(Ctx, CollectionRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let pair = save_hooks(app.hooks(), action);
    if !is_bound(pair, collection) {
        return inner(ctx.clone(), collection.clone()).await;
    }
    pair.0
        .trigger(collection_event(ctx, collection, action, None), move |e| async move {
            let (ctx, collection) = (e.ctx.clone(), e.collection.clone());
            let app = ctx.app.clone();
            let event = model_event(&ctx, &collection, action, None);
            save_hooks(app.hooks(), action).1.trigger(event, move |_| inner(ctx, collection)).await
        })
        .await
}

/// Validation: the collection hook around `check`, then the model hook around nothing.
pub(super) async fn around_validation<F, Fut>(
    ctx: &Ctx,
    collection: &CollectionRef,
    check: F,
) -> Result<()>
where
    F: FnOnce(Ctx, CollectionRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let pair = save_hooks(app.hooks(), Action::Validate);
    if !is_bound(pair, collection) {
        return check(ctx.clone(), collection.clone()).await;
    }
    pair.0
        .trigger(collection_event(ctx, collection, Action::Validate, None), move |e| async move {
            check(e.ctx.clone(), e.collection.clone()).await?;
            let event = model_event(&e.ctx, &e.collection, Action::Validate, None);
            let app = e.ctx.app.clone();
            app.hooks().model_validate.trigger(event, |_| std::future::ready(Ok(()))).await
        })
        .await
}

/// The collection's execute hook around `inner` (the transaction).
pub(super) async fn around_execution<F, Fut>(
    ctx: &Ctx,
    collection: &CollectionRef,
    action: Action,
    inner: F,
) -> Result<()>
where
    F: FnOnce(Ctx, CollectionRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let hook = execute_hooks(app.hooks(), action).0;
    if !hook.has_for(|tag| collection.has_tag(tag)) {
        return inner(ctx.clone(), collection.clone()).await;
    }
    hook.trigger(collection_event(ctx, collection, action, None), move |e| async move {
        inner(e.ctx.clone(), e.collection.clone()).await
    })
    .await
}

/// The model's execute hook around the statement.
pub(super) async fn around_statement<F, Fut>(
    ctx: &Ctx,
    collection: &CollectionRef,
    action: Action,
    inner: F,
) -> Result<()>
where
    F: FnOnce(Ctx, CollectionRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let hook = execute_hooks(app.hooks(), action).1;
    if !hook.has_for(|tag| tag == TABLE) {
        return inner(ctx.clone(), collection.clone()).await;
    }
    let handle = collection.clone();
    hook.trigger(model_event(ctx, collection, action, None), move |e| async move {
        inner(e.ctx.clone(), handle).await
    })
    .await
}

/// The after hooks of a success or failure.
pub(super) async fn after(
    ctx: &Ctx,
    collection: &CollectionRef,
    action: Action,
    outcome: Outcome,
) -> Result<()> {
    let app = ctx.app.clone();
    let ok = outcome.is_ok();
    let pair = after_hooks(app.hooks(), action, ok);
    if !is_bound(pair, collection) {
        return Ok(());
    }
    pair.0
        .trigger(collection_event(ctx, collection, action, outcome.err()), move |e| async move {
            let event = model_event(&e.ctx, &e.collection, action, e.error.clone());
            let app = e.ctx.app.clone();
            after_hooks(app.hooks(), action, ok)
                .1
                .trigger(event, |_| std::future::ready(Ok(())))
                .await
        })
        .await
}
