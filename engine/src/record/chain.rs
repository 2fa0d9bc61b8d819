//! Which hooks wrap which step of a save or delete, and what runs after it (spec server-settings §8.2, §8.3).
//!
//! Every function first asks whether anything is bound; the fast path never gets further.

use std::{future::Future, sync::Arc};

use super::RecordRef;
use crate::{
    Error, Result,
    ctx::{Ctx, Outcome},
    event::{Action, Hooks, Model, ModelEvent, RecordEvent},
    hook::Hook,
    schema::Loaded,
};

type Pair<'h> = (&'h Hook<RecordEvent>, &'h Hook<ModelEvent>);

fn save_hooks(hooks: &Hooks, action: Action) -> Pair<'_> {
    match action {
        Action::Create => (&hooks.record_create, &hooks.model_create),
        Action::Update => (&hooks.record_update, &hooks.model_update),
        Action::Delete => (&hooks.record_delete, &hooks.model_delete),
        Action::Validate => (&hooks.record_validate, &hooks.model_validate),
    }
}

fn execute_hooks(hooks: &Hooks, action: Action) -> Pair<'_> {
    match action {
        Action::Create | Action::Validate => {
            (&hooks.record_create_execute, &hooks.model_create_execute)
        }
        Action::Update => (&hooks.record_update_execute, &hooks.model_update_execute),
        Action::Delete => (&hooks.record_delete_execute, &hooks.model_delete_execute),
    }
}

fn after_hooks(hooks: &Hooks, action: Action, ok: bool) -> Pair<'_> {
    match (action, ok) {
        (Action::Create | Action::Validate, true) => {
            (&hooks.record_after_create_success, &hooks.model_after_create_success)
        }
        (Action::Create | Action::Validate, false) => {
            (&hooks.record_after_create_error, &hooks.model_after_create_error)
        }
        (Action::Update, true) => {
            (&hooks.record_after_update_success, &hooks.model_after_update_success)
        }
        (Action::Update, false) => {
            (&hooks.record_after_update_error, &hooks.model_after_update_error)
        }
        (Action::Delete, true) => {
            (&hooks.record_after_delete_success, &hooks.model_after_delete_success)
        }
        (Action::Delete, false) => {
            (&hooks.record_after_delete_error, &hooks.model_after_delete_error)
        }
    }
}

fn is_pair_bound(pair: Pair<'_>, collection: &Loaded) -> bool {
    let has_tag = |tag: &str| tag == collection.name || tag == collection.id;
    pair.0.has_for(has_tag) || pair.1.has_for(has_tag)
}

/// True if a handler wraps the save or delete as a whole.
pub(crate) fn is_bound(ctx: &Ctx, collection: &Loaded, action: Action) -> bool {
    is_pair_bound(save_hooks(ctx.app.hooks(), action), collection)
}

/// True if a handler wraps validation.
pub(crate) fn is_validation_bound(ctx: &Ctx, collection: &Loaded) -> bool {
    is_pair_bound(save_hooks(ctx.app.hooks(), Action::Validate), collection)
}

/// True if a handler wraps the execution.
pub(crate) fn is_execution_bound(ctx: &Ctx, collection: &Loaded, action: Action) -> bool {
    is_pair_bound(execute_hooks(ctx.app.hooks(), action), collection)
}

/// True if a handler or the observer waits for the success.
pub(crate) fn is_after_bound(ctx: &Ctx, collection: &Loaded, action: Action) -> bool {
    is_pair_bound(after_hooks(ctx.app.hooks(), action, true), collection)
        || ctx.app.observer().is_some_and(|o| o.wants(collection))
}

fn record_event(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    error: Option<Arc<Error>>,
) -> RecordEvent {
    RecordEvent {
        ctx: ctx.clone(),
        collection: record.collection(),
        record: record.clone(),
        action,
        error,
    }
}

fn model_event(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    error: Option<Arc<Error>>,
) -> ModelEvent {
    ModelEvent { ctx: ctx.clone(), model: Model::Record(record.clone()), action, error }
}

/// Record hook around model hook around `inner`: saves and deletes as a whole.
pub(crate) async fn around<F, Fut>(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    inner: F,
) -> Result<()>
where
    F: FnOnce(Ctx, RecordRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let event = record_event(ctx, record, action, None);
    save_hooks(app.hooks(), action)
        .0
        .trigger(event, move |e| async move {
            let event = model_event(&e.ctx, &e.record, action, None);
            let (ctx, record) = (e.ctx.clone(), e.record.clone());
            let app = ctx.app.clone();
            save_hooks(app.hooks(), action).1.trigger(event, move |_| inner(ctx, record)).await
        })
        .await
}

/// Validation: the record hook around `fields`, then the model hook around nothing.
pub(crate) async fn around_validation<F, Fut>(
    ctx: &Ctx,
    record: &RecordRef,
    fields: F,
) -> Result<()>
where
    F: FnOnce(Ctx, RecordRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let event = record_event(ctx, record, Action::Validate, None);
    app.hooks()
        .record_validate
        .trigger(event, move |e| async move {
            fields(e.ctx.clone(), e.record.clone()).await?;
            let event = model_event(&e.ctx, &e.record, Action::Validate, None);
            e.ctx.app.hooks().model_validate.trigger(event, |_| std::future::ready(Ok(()))).await
        })
        .await
}

/// The record's execute hook around `inner` (interceptors and the rest).
pub(crate) async fn around_execution<F, Fut>(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    inner: F,
) -> Result<()>
where
    F: FnOnce(Ctx, RecordRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let event = record_event(ctx, record, action, None);
    execute_hooks(app.hooks(), action)
        .0
        .trigger(event, move |e| async move { inner(e.ctx.clone(), e.record.clone()).await })
        .await
}

/// The model's execute hook around the statement.
pub(crate) async fn around_statement<F, Fut>(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    inner: F,
) -> Result<()>
where
    F: FnOnce(Ctx, RecordRef) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let hook = execute_hooks(ctx.app.hooks(), action).1;
    let collection = record.collection();
    if !hook.has_for(|tag| tag == collection.name || tag == collection.id) {
        return inner(ctx.clone(), record.clone()).await;
    }
    let app = ctx.app.clone();
    let event = model_event(ctx, record, action, None);
    let copy = record.clone();
    execute_hooks(app.hooks(), action)
        .1
        .trigger(event, move |e| async move { inner(e.ctx.clone(), copy).await })
        .await
}

/// The after hooks of a success or failure, with the observer (realtime) inside the success.
pub(crate) async fn after(
    ctx: &Ctx,
    record: &RecordRef,
    action: Action,
    outcome: Outcome,
) -> Result<()> {
    let collection = record.collection();
    let ok = outcome.is_ok();
    let app = ctx.app.clone();
    let pair = after_hooks(app.hooks(), action, ok);
    if !is_pair_bound(pair, &collection) {
        return if ok { observe(ctx, record, &collection, action).await } else { Ok(()) };
    }
    let error = outcome.err();
    let event = record_event(ctx, record, action, error);
    pair.0
        .trigger(event, move |e| async move {
            if ok {
                observe(&e.ctx, &e.record, &e.collection, action).await?;
            }
            let event = model_event(&e.ctx, &e.record, action, e.error.clone());
            let app = e.ctx.app.clone();
            after_hooks(app.hooks(), action, ok)
                .1
                .trigger(event, |_| std::future::ready(Ok(())))
                .await
        })
        .await
}

async fn observe(ctx: &Ctx, record: &RecordRef, collection: &Loaded, action: Action) -> Result<()> {
    if let Some(observer) = ctx.app.observer().filter(|o| o.wants(collection)) {
        observer.changed(ctx, record, action).await;
    }
    Ok(())
}
