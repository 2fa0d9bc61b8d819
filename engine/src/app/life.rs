//! The life of whatever is saved: the hooks of one kind of thing ([`LifeCycle`]), and how its steps go through them
//! (spec server-settings §8.2). Records, collections and models in general have one each; the model's hooks stand inside.
//!
//! With nothing bound no event is made. Must not know what the steps do.

use std::{
    future::{Future, ready},
    sync::Arc,
};

use super::{
    ctx::{Ctx, Outcome},
    event::{Action, Hooks, Model, ModelEvent},
};
use crate::{
    Error, Result,
    hook::{Hook, Payload, Slot},
};

/// The hooks of one kind of thing, from its creation to its end.
#[derive(Debug)]
pub struct LifeCycle<E> {
    /// Around validation.
    pub validate: Hook<E>,
    /// Of creations.
    pub create: Stages<E>,
    /// Of updates.
    pub update: Stages<E>,
    /// Of deletions.
    pub delete: Stages<E>,
}

/// The hooks of one operation.
#[derive(Debug)]
pub struct Stages<E> {
    /// Around all of it.
    pub around: Hook<E>,
    /// Around what comes after validation.
    pub execute: Hook<E>,
    /// After it has succeeded, or its transaction was committed.
    pub after_success: Hook<E>,
    /// After it has failed, or its transaction was rolled back.
    pub after_error: Hook<E>,
}

/// A phase of an operation. Validation is one and the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// All of it.
    Around,
    /// What comes after validation.
    Execute,
    /// It has succeeded.
    Success,
    /// It has failed.
    Failure,
}

impl Phase {
    /// How something ended.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        if outcome.is_ok() { Self::Success } else { Self::Failure }
    }
}

impl<E: Payload> LifeCycle<E> {
    /// The hook of a phase.
    #[must_use]
    pub fn at(&self, action: Action, phase: Phase) -> &Hook<E> {
        let stages = match action {
            Action::Create => &self.create,
            Action::Update => &self.update,
            Action::Delete => &self.delete,
            Action::Validate => return &self.validate,
        };
        match phase {
            Phase::Around => &stages.around,
            Phase::Execute => &stages.execute,
            Phase::Success => &stages.after_success,
            Phase::Failure => &stages.after_error,
        }
    }
    /// All hooks.
    pub fn all(&self) -> impl Iterator<Item = &Hook<E>> {
        let stages = [&self.create, &self.update, &self.delete];
        let hooks = stages.map(|s| [&s.around, &s.execute, &s.after_success, &s.after_error]);
        std::iter::once(&self.validate).chain(hooks.into_iter().flatten())
    }
}

impl<E> Default for LifeCycle<E> {
    fn default() -> Self {
        Self {
            validate: Hook::default(),
            create: Stages::default(),
            update: Stages::default(),
            delete: Stages::default(),
        }
    }
}

impl<E> Default for Stages<E> {
    fn default() -> Self {
        Self {
            around: Hook::default(),
            execute: Hook::default(),
            after_success: Hook::default(),
            after_error: Hook::default(),
        }
    }
}

/// What has a life cycle of its own.
pub(crate) trait Lives: Clone + Send + Sync + 'static {
    /// What its own hooks carry.
    type Event: Payload;
    /// What tags are asked of.
    type Kind: ?Sized;
    /// Its own hooks.
    fn cycle(hooks: &Hooks) -> &LifeCycle<Self::Event>;
    /// True if a tag of one of its own hooks means it.
    fn has_tag(kind: &Self::Kind, tag: &str) -> bool;
    /// True if a tag of a model hook means it.
    fn has_model_tag(kind: &Self::Kind, tag: &str) -> bool;
    /// An event of its own hooks.
    fn event(&self, ctx: &Ctx, action: Action, error: Option<Arc<Error>>) -> Self::Event;
    /// What the rest of an event's chain acts in.
    fn ctx(event: &Self::Event) -> Ctx;
    /// It, as model hooks see it.
    fn model(&self) -> Model;
}

/// True if a handler is bound to a phase, its own or the model's.
pub(crate) fn is_bound<L: Lives>(ctx: &Ctx, kind: &L::Kind, action: Action, phase: Phase) -> bool {
    let hooks = ctx.app.hooks();
    L::cycle(hooks).at(action, phase).has_for(|tag| L::has_tag(kind, tag))
        || hooks.models.at(action, phase).has_for(|tag| L::has_model_tag(kind, tag))
}

/// Its own hook of a phase around `inner`.
async fn own<L, F, Fut>(
    ctx: &Ctx,
    it: &L,
    (action, phase): (Action, Phase),
    error: Option<Arc<Error>>,
    inner: F,
) -> Result<()>
where
    L: Lives,
    F: FnOnce(Ctx, L) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let hook = L::cycle(app.hooks()).at(action, phase);
    let event = it.event(ctx, action, error);
    let it = it.clone();
    if !hook.has_for(|tag| event.has_tag(tag)) {
        return inner(ctx.clone(), it).await;
    }
    hook.trigger(event, move |event| inner(L::ctx(&event), it)).await
}

/// The model hook of a phase around `inner`: for what lives, and for what only models know (settings).
pub(crate) async fn around_model<F, Fut>(
    ctx: &Ctx,
    model: Model,
    (action, phase): (Action, Phase),
    error: Option<Arc<Error>>,
    inner: F,
) -> Result<()>
where
    F: FnOnce(Ctx) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let app = ctx.app.clone();
    let hook = app.hooks().models.at(action, phase);
    let event = ModelEvent { ctx: Slot::new(ctx.clone()), model, action, error };
    if !hook.has_for(|tag| event.has_tag(tag)) {
        return inner(ctx.clone()).await;
    }
    hook.trigger(event, move |event| inner(event.ctx.get())).await
}

/// A save or delete as a whole: its own hook around the model's around `inner`.
pub(crate) async fn around<L, F, Fut>(ctx: &Ctx, it: &L, action: Action, inner: F) -> Result<()>
where
    L: Lives,
    F: FnOnce(Ctx, L) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let at = (action, Phase::Around);
    own(ctx, it, at, None, move |ctx, it| async move {
        around_model(&ctx, it.model(), at, None, move |ctx| inner(ctx, it)).await
    })
    .await
}

/// Validation: its own hook around `check`, and the model's, around nothing, after that.
pub(crate) async fn validating<L, F, Fut>(ctx: &Ctx, it: &L, check: F) -> Result<()>
where
    L: Lives,
    F: FnOnce(Ctx, L) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let at = (Action::Validate, Phase::Around);
    own(ctx, it, at, None, move |ctx, it| async move {
        check(ctx.clone(), it.clone()).await?;
        around_model(&ctx, it.model(), at, None, |_| ready(Ok(()))).await
    })
    .await
}

/// What comes after validation: its own hook around `inner`, which goes through [`around_statement`].
pub(crate) async fn executing<L, F, Fut>(ctx: &Ctx, it: &L, action: Action, inner: F) -> Result<()>
where
    L: Lives,
    F: FnOnce(Ctx, L) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    own(ctx, it, (action, Phase::Execute), None, inner).await
}

/// The statement itself: the model's hook around it.
pub(crate) async fn around_statement<L, F, Fut>(
    ctx: &Ctx,
    it: &L,
    action: Action,
    inner: F,
) -> Result<()>
where
    L: Lives,
    F: FnOnce(Ctx, L) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let model = it.model();
    let it = it.clone();
    around_model(ctx, model, (action, Phase::Execute), None, move |ctx| inner(ctx, it)).await
}

/// What comes after the end, be it good or bad: its own hook around `inner` and the model's.
pub(crate) async fn after<L, F, Fut>(
    ctx: &Ctx,
    it: &L,
    action: Action,
    outcome: Outcome,
    inner: F,
) -> Result<()>
where
    L: Lives,
    F: FnOnce(Ctx, L) -> Fut + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let at = (action, Phase::of(&outcome));
    let error = outcome.err();
    own(ctx, it, at, error.clone(), move |ctx, it| async move {
        inner(ctx.clone(), it.clone()).await?;
        around_model(&ctx, it.model(), at, error, |_| ready(Ok(()))).await
    })
    .await
}

/// The after hooks of an operation that has failed at once.
pub(crate) async fn failed<L: Lives>(
    ctx: &Ctx,
    it: &L,
    action: Action,
    error: &Error,
) -> Result<()> {
    after(ctx, it, action, Err(Arc::new(error.duplicate())), |_, _| ready(Ok(()))).await
}
