//! Deleting records: cascades, refusals, references of auth records, files (spec records-files §1.11).

use std::sync::Arc;

use dialects::statement;

use super::{Record, RecordRef, chain, find, refs, save};
use crate::{
    Error, Result,
    app::{
        Write,
        life::{self, Phase},
        record::Recheck,
    },
    ctx::{Ctx, Outcome},
    event::Action,
    field::{Val, relation::Relation},
    hook::BoxFutureRef,
    rule,
    schema::{BackRef, Loaded},
};

/// Referencing records read at a time.
const PAGE: u32 = 4000;

/// Loads a record and checks the delete rule, up to the request hook.
///
/// # Errors
/// [`Error::Refused`] when the rule is locked, [`Error::NotFound`] when the row is missing or refused; database errors.
pub async fn prepare(ctx: &Ctx, collection: &Arc<Loaded>, id: &str) -> Result<RecordRef> {
    let superuser = ctx.caller.is_superuser();
    let rule = collection.delete_rule.as_deref();
    if rule.is_none() && !superuser {
        return Err(Error::Refused { locked: true });
    }
    let mut recheck = Recheck::default();
    recheck.begin(ctx);
    let mut record = find::by_id_or_404(ctx, collection, id).await?;
    let rule = rule.unwrap_or("");
    if !superuser && !rule.is_empty() {
        if !Error::false_unless_outage(rule::row_matches(ctx, rule, &record).await)? {
            return Err(Error::NotFound);
        }
        recheck.rule(ctx, rule);
    }
    record.recheck = recheck;
    Ok(record.into())
}

/// Deletes a record by id under its rule, without request hooks.
///
/// # Errors
/// As [`prepare`] and [`delete_record`].
pub async fn delete(ctx: &Ctx, collection: &Arc<Loaded>, id: &str) -> Result<()> {
    let record = prepare(ctx, collection, id).await?;
    delete_record(ctx, &record).await
}

/// Deletes a record with all hooks and cascades.
///
/// # Errors
/// [`Error::Message`] when a required reference or the last superuser refuses; what hooks report; database errors.
pub async fn delete_record(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    run(ctx, record, true).await
}

/// [`delete_record`] for cascades, which come back to it.
pub(crate) fn delete_again<'a>(
    ctx: &'a Ctx,
    record: &'a RecordRef,
    guarded: bool,
) -> BoxFutureRef<'a, Result<()>> {
    run(ctx, record, guarded)
}

fn run<'a>(ctx: &'a Ctx, record: &'a RecordRef, guarded: bool) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        let collection = record.collection();
        if collection.is_view() {
            return Err(Error::Message("view records cannot be deleted".into()));
        }
        if record.lock().stored_id().is_empty() || record.lock().is_new() {
            let text =
                "the model can be deleted only if it is existing and has a non-empty primary key";
            return Err(Error::Message(text.into()));
        }
        if let Some(observer) = ctx.app.observer().filter(|o| o.wants(&collection)) {
            observer.deleting(ctx, record).await;
        }
        let result = if chain::is_bound(ctx, &collection, Action::Delete, Phase::Around) {
            life::around(ctx, record, Action::Delete, move |ctx, record| async move {
                execute_stage(&ctx, &record, guarded).await
            })
            .await
        } else {
            execute_stage(ctx, record, guarded).await
        };
        match result {
            Ok(()) => succeeded(ctx, record, &collection).await,
            Err(error) => {
                if let Some(observer) = ctx.app.observer() {
                    observer.delete_failed(record);
                }
                life::failed(ctx, record, Action::Delete, &error).await?;
                Err(error)
            }
        }
    })
}

async fn execute_stage(ctx: &Ctx, record: &RecordRef, guarded: bool) -> Result<()> {
    let collection = record.collection();
    if chain::is_bound(ctx, &collection, Action::Delete, Phase::Execute) {
        return life::executing(ctx, record, Action::Delete, move |ctx, record| async move {
            execute(&ctx, &record, guarded).await
        })
        .await;
    }
    execute(ctx, record, guarded).await
}

async fn execute(ctx: &Ctx, record: &RecordRef, guarded: bool) -> Result<()> {
    let collection = record.collection();
    let references: Vec<BackRef> =
        collection.back_refs.iter().filter(|r| !r.is_view).cloned().collect();
    let guarded = guarded && collection.name == crate::record::refs::SUPERUSERS;
    if references.is_empty()
        && !collection.is_auth()
        && !chain::is_bound(ctx, &collection, Action::Delete, Phase::Execute)
    {
        return statement_stage(ctx, record).await;
    }
    let recheck = record.lock().recheck.clone();
    let work = move |ctx: Ctx| {
        let (record, references) = (record.clone(), references.clone());
        record.lock().recheck = recheck.clone();
        async move { with_references(&ctx, &record, &references, guarded).await }
    };
    if ctx.has_watchers(&std::iter::once(&*collection.id)) {
        Box::pin(ctx.run_in_transaction(work)).await
    } else {
        // Deletions that meet in what refers to both records wait for each other.
        Box::pin(ctx.run_retrying(work)).await
    }
}

async fn with_references(
    ctx: &Ctx,
    record: &RecordRef,
    references: &[BackRef],
    guarded: bool,
) -> Result<()> {
    let collection = record.collection();
    if guarded && rule::count_all(ctx, &collection).await? <= 1 {
        return Err(Error::Message("You can't delete the only existing superuser".into()));
    }
    statement_stage(ctx, record).await?;
    if collection.is_auth() {
        for name in refs::NAMES {
            refs::delete_refs(ctx, name, record).await?;
        }
    }
    for reference in references {
        cascade(ctx, record, reference).await?;
    }
    Ok(())
}

async fn statement_stage(ctx: &Ctx, record: &RecordRef) -> Result<()> {
    life::around_statement(ctx, record, Action::Delete, |ctx, record| async move {
        let (collection, id) = {
            let record = record.lock();
            (record.collection().clone(), record.stored_id().to_owned())
        };
        let sql = statement::delete(ctx.app.dialect(), &collection.name, &id);
        let recheck = std::mem::take(&mut record.lock().recheck);
        recheck.write(&ctx, &record, sql.into(), Action::Delete).await?;
        if collection.is_auth() {
            ctx.app.forget_auth(&collection.id, &id);
        }
        Ok(())
    })
    .await
}

/// Takes the id out of one field of all records that hold it; deletes those that go along.
async fn cascade(ctx: &Ctx, main: &RecordRef, reference: &BackRef) -> Result<()> {
    let (own, id) = {
        let main = main.lock();
        (main.collection().id.clone(), main.stored_id().to_owned())
    };
    let Some(source) = ctx.snapshot().by_id(&reference.collection_id).cloned() else {
        return Ok(());
    };
    let Some((index, field)) = source.field_at(&reference.field) else { return Ok(()) };
    let mut seen_first = String::new();
    loop {
        let sql = statement::referencing(
            ctx.app.dialect(),
            &source.name,
            &source.select,
            &field.name,
            field.kind.multiple(),
            &id,
            PAGE,
        );
        let mut page = find::many(ctx, &source, sql).await?;
        if own == source.id {
            page.retain(|r| r.id() != id);
        }
        let Some(first) = page.first() else { return Ok(()) };
        if first.id() == seen_first {
            // A hook kept the reference; going on would never end.
            return Ok(());
        }
        first.id().clone_into(&mut seen_first);
        let full = page.len() >= PAGE as usize;
        // A deletion takes others of the page along, or takes its own id out of them; hooks may do anything.
        let mut is_old = ctx.has_watchers(&[&*own, &*source.id].into_iter());
        for row in page {
            let row = if is_old { find::by_id(ctx, &source, row.id()).await? } else { Some(row) };
            if let Some(row) = row {
                is_old |= unlink(ctx, row, index, &id).await?;
            }
        }
        if !full {
            return Ok(());
        }
    }
}

/// True if the record was deleted.
async fn unlink(ctx: &Ctx, mut row: Record, index: usize, id: &str) -> Result<bool> {
    let collection = row.collection().clone();
    let field = &collection.fields[index];
    let left: Vec<String> = row.value(index).items().iter().filter(|i| *i != id).cloned().collect();
    let empty = left.is_empty();
    let cascades = field.options::<Relation>().is_some_and(|o| o.cascade_delete);
    if empty && cascades {
        return delete_again(ctx, &row.into(), true).await.map(|()| true);
    }
    if empty && field.required {
        return Err(Error::Message(format!(
            "the record cannot be deleted because it is part of a required reference in record {} ({} collection)",
            row.id(),
            collection.name
        )));
    }
    let val = if field.kind.multiple() {
        Val::List(left)
    } else {
        Val::Text(left.into_iter().next().unwrap_or_default())
    };
    row.set_at(index, val);
    save::save_again(ctx, &row.into()).await.map(|()| false)
}

async fn succeeded(ctx: &Ctx, record: &RecordRef, collection: &Arc<Loaded>) -> Result<()> {
    let has_files = !collection.file_fields.is_empty();
    if collection.is_auth() && !ctx.in_transaction() {
        // The deletion had a transaction of its own: what was cached before its commit is old.
        ctx.app.forget_auth(&collection.id, record.lock().stored_id());
    }
    if !ctx.in_transaction()
        && !has_files
        && !chain::is_after_bound(ctx, collection, Action::Delete)
    {
        return Ok(());
    }
    let (record, collection) = (record.clone(), collection.clone());
    ctx.after(move |ctx, outcome: Outcome| async move {
        let id = record.lock().stored_id().to_owned();
        if collection.is_auth() {
            ctx.app.forget_auth(&collection.id, &id);
        }
        if outcome.is_ok() && has_files && !id.is_empty() {
            let (files, prefix) = (ctx.app.files().clone(), format!("{}/{id}", collection.id));
            tokio::spawn(async move {
                if let Err(error) = files.remove_tree(&prefix).await {
                    tracing::warn!(%error, prefix, "failed to remove the files of a deleted record");
                }
            });
        }
        if outcome.is_err()
            && let Some(observer) = ctx.app.observer()
        {
            observer.delete_failed(&record);
        }
        chain::after(&ctx, &record, Action::Delete, outcome, Write::default()).await
    })
    .await
}

/// Deletes all records of a collection in one transaction, with all hooks and cascades.
///
/// # Errors
/// As [`delete_record`]; then nothing is deleted.
pub fn truncate<'a>(ctx: &'a Ctx, collection: &'a Arc<Loaded>) -> BoxFutureRef<'a, Result<()>> {
    Box::pin(async move {
        let collection = collection.clone();
        ctx.run_in_transaction(move |ctx| async move {
            loop {
                let page = rule::first_rows(&ctx, &collection, 500).await?;
                if page.is_empty() {
                    return Ok(());
                }
                for row in page {
                    delete_record(&ctx, &row.into()).await?;
                }
            }
        })
        .await
    })
}
