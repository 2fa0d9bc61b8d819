//! The system migrations: what a fresh directory gets and what older ones still need.
//!
//! Names are recorded exactly as the reference does, so a directory can go back and forth. Unknown rows of
//! `_migrations` are left alone. Source: spec collections-and-fields §1.3, §1.7, §1.8.

use std::collections::HashSet;

use dialects::{catalog, ddl};

use super::{
    Collection, Snapshot,
    index::{Index, find_single_unique},
    normalize::{default_id, normalize},
    options::{auth_alert_template, old_auth_alert_body},
    snapshot::load_collections,
    sync,
    system::{self as content, AUTH_ORIGINS, EXTERNAL_AUTHS, MFAS, OTPS, SUPERUSERS},
};
use crate::{
    field::{Field, relation::Relation},
    store::{self, Db, Store, Tx, logs, system},
    time,
};
use primitives::future::BoxFutureRef;

/// File names of the system migrations, in order.
pub const SYSTEM_MIGRATIONS: [&str; 8] = [
    "1640988000_aux_init.go",
    "1640988000_init.go",
    "1717233556_v0.23_migrate.go",
    "1717233557_v0.23_migrate2.go",
    "1717233558_v0.23_migrate3.go",
    "1717233559_v0.23_migrate4.go",
    "1763020353_update_default_auth_alert_templates.go",
    "1778828400_normalize_indexes.go",
];

const SYSTEM_NAMES: [&str; 5] = [MFAS, OTPS, EXTERNAL_AUTHS, AUTH_ORIGINS, SUPERUSERS];

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The directory was empty.
    pub fresh: bool,
    /// Names of the migrations that were applied.
    pub applied: Vec<&'static str>,
}

/// Applies the system migrations that are not recorded yet, in one transaction.
///
/// # Errors
/// What the store reports; one clear line for directories older than 0.23.
pub fn run(store: &Store) -> BoxFutureRef<'_, crate::Result<Report>> {
    Box::pin(async move {
        let _lock = store.data().lock_migrations().await?;
        logs::ensure_table(store.aux()).await?;
        if let Some(cluster) = store.data().cluster() {
            cluster.ensure_tables().await?;
        }
        let db = Db::Pool(store.data().clone());
        let has_history = has_table(&db, "_migrations").await?;
        let recorded = if has_history { applied(&db).await? } else { Vec::new() };
        let pending: Vec<&'static str> = SYSTEM_MIGRATIONS
            .into_iter()
            .filter(|name| !recorded.iter().any(|r| r == name))
            .collect();
        if pending.is_empty() {
            return Ok(Report::default());
        }
        refuse_ancient(&db).await?;
        let tx = store.data().begin().await?;
        let result = apply_pending(&tx, &pending).await;
        match result {
            Ok(fresh) => {
                tx.commit().await?;
                Ok(Report { fresh, applied: pending })
            }
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    })
}

/// File names of all applied migrations.
///
/// # Errors
/// What the store reports.
pub async fn applied(db: &Db) -> crate::Result<Vec<String>> {
    let names = db
        .query(system::migrations(db.dialect()), |rows| {
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(row.text(0).to_owned());
            }
            Ok::<_, store::Error>(out)
        })
        .await??;
    Ok(names)
}

/// Records a migration as applied now.
///
/// # Errors
/// What the store reports.
pub async fn record(tx: &Tx, name: &str) -> store::Result<()> {
    tx.execute(system::record_migration(tx.dialect(), name, time::now().millis() * 1000))
        .await
        .map(|_| ())
}

/// Takes a migration out of the record.
///
/// # Errors
/// What the store reports.
pub async fn forget(tx: &Tx, name: &str) -> store::Result<()> {
    tx.execute(system::forget_migration(tx.dialect(), name)).await.map(|_| ())
}

async fn has_table(db: &Db, name: &str) -> store::Result<bool> {
    db.query(catalog::has_table(db.dialect(), name), |rows| rows.next().map(|row| row.is_some()))
        .await?
}

/// A directory of version 0.22 or older keeps its fields in a column `schema`.
async fn refuse_ancient(db: &Db) -> crate::Result<()> {
    let columns = db
        .query(catalog::columns(db.dialect(), "_collections"), |rows| {
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(row.text(0).to_owned());
            }
            Ok::<_, store::Error>(out)
        })
        .await??;
    let has = |name: &str| columns.iter().any(|c| c == name);
    if has("schema") && !has("fields") {
        return Err(crate::Error::Message(
            "the data directory was written by PocketBase 0.22 or older; start PocketBase 0.23 or newer on it once to convert it, then start again".into(),
        ));
    }
    Ok(())
}

/// Runs what is pending; true on an empty directory.
async fn apply_pending(tx: &Tx, pending: &[&'static str]) -> crate::Result<bool> {
    let db = Db::Tx(tx.clone());
    let fresh = !has_table(&db, "_collections").await?;
    for statement in ddl::system_tables(tx.dialect()) {
        if fresh || statement.starts_with("CREATE TABLE") {
            tx.execute_batch(statement).await?;
        }
    }
    let start_us = time::now().millis() * 1000;
    for (name, applied_us) in pending.iter().zip(start_us..) {
        match *name {
            "1640988000_init.go" if fresh => create_system_collections(tx).await?,
            "1717233557_v0.23_migrate2.go" if !fresh => fix_rules(tx).await?,
            "1717233558_v0.23_migrate3.go" if !fresh => derive_ids(tx).await?,
            "1717233559_v0.23_migrate4.go" if !fresh => add_sent_to(tx).await?,
            "1763020353_update_default_auth_alert_templates.go" if !fresh => {
                update_alert_templates(tx).await?;
            }
            "1778828400_normalize_indexes.go" => normalize_indexes(tx).await?,
            // Nothing to do: the log table is made above, and 0.22 directories were refused.
            _ => {}
        }
        tx.execute(system::record_migration(tx.dialect(), name, applied_us)).await?;
    }
    Ok(fresh)
}

async fn snapshot(tx: &Tx) -> crate::Result<Snapshot> {
    Snapshot::load(&Db::Tx(tx.clone()), &std::sync::Arc::default()).await
}

async fn create_system_collections(tx: &Tx) -> crate::Result<()> {
    for mut collection in content::fresh() {
        let current = snapshot(tx).await?;
        let now = time::to_text(Some(time::now()));
        normalize(&mut collection, None, &current, &now);
        sync::apply(tx, &current, &mut collection, None).await?;
    }
    Ok(())
}

async fn fix_rules(tx: &Tx) -> crate::Result<()> {
    for statement in ddl::system_tables(tx.dialect()) {
        if statement.contains("idx__collections_type") {
            tx.execute_batch(statement).await?;
        }
    }
    for mut collection in load_collections(&Db::Tx(tx.clone())).await? {
        if matches!(collection.name.as_str(), MFAS | OTPS) && collection.delete_rule.is_some() {
            collection.delete_rule = None;
            sync::write_row(tx, &collection, true).await?;
        }
    }
    Ok(())
}

/// Gives the system collections and their system fields the ids of their names.
async fn derive_ids(tx: &Tx) -> crate::Result<()> {
    let mut all = load_collections(&Db::Tx(tx.clone())).await?;
    let mut moved: Vec<(String, String)> = Vec::new();
    for collection in all.iter_mut().filter(|c| SYSTEM_NAMES.contains(&c.name.as_str())) {
        let before = collection.clone();
        collection.id = default_id(&collection.kind, &collection.name);
        for field in collection.fields.iter_mut().filter(|f| f.system) {
            field.id = field.default_id();
        }
        if collection.id != before.id {
            tx.execute(system::replace_value(
                tx.dialect(),
                "_collections",
                "id",
                &before.id,
                &collection.id,
            ))
            .await?;
            moved.push((before.id.clone(), collection.id.clone()));
        }
        if *collection != before {
            sync::write_row(tx, collection, true).await?;
        }
    }
    for (from, to) in &moved {
        for table in [MFAS, OTPS, EXTERNAL_AUTHS, AUTH_ORIGINS] {
            tx.execute(system::replace_value(tx.dialect(), table, "collectionRef", from, to))
                .await?;
        }
    }
    for collection in &mut all {
        let mut changed = false;
        for field in &mut collection.fields {
            changed |= retarget(field, &moved);
        }
        if changed {
            sync::write_row(tx, collection, true).await?;
        }
    }
    Ok(())
}

/// Points a relation to the new id of its collection.
fn retarget(field: &mut Field, moved: &[(String, String)]) -> bool {
    let Some(relation) = field.options_mut::<Relation>() else { return false };
    let Some((_, to)) = moved.iter().find(|(from, _)| *from == relation.collection_id) else {
        return false;
    };
    relation.collection_id.clone_from(to);
    true
}

async fn add_sent_to(tx: &Tx) -> crate::Result<()> {
    let current = snapshot(tx).await?;
    let Some(otps) = current.by_name(OTPS).filter(|c| c.field("sentTo").is_none()) else {
        return Ok(());
    };
    let mut draft = otps.collection.clone();
    draft.fields.push(content::sent_to_field());
    let updated = draft.updated.clone();
    normalize(&mut draft, Some(&otps.collection), &current, &updated);
    sync::apply(tx, &current, &mut draft, Some(&otps.collection)).await
}

async fn update_alert_templates(tx: &Tx) -> crate::Result<()> {
    let old = old_auth_alert_body();
    for mut collection in load_collections(&Db::Tx(tx.clone())).await? {
        if collection.is_auth() && collection.auth.auth_alert.email_template.body == old {
            collection.auth.auth_alert.email_template.body = auth_alert_template().body;
            sync::write_row(tx, &collection, true).await?;
        }
    }
    Ok(())
}

/// Lists the indexes of the database that a collection does not name, and saves it.
async fn normalize_indexes(tx: &Tx) -> crate::Result<()> {
    let current = snapshot(tx).await?;
    let tables = current.iter().filter(|c| !c.system && !c.is_view() && !c.indexes.is_empty());
    for collection in tables {
        let mut draft = collection.collection.clone();
        for text in adopt_indexes(tx, &draft).await? {
            draft.indexes.push(text);
        }
        let now = time::to_text(Some(time::now()));
        normalize(&mut draft, Some(&collection.collection), &current, &now);
        sync::apply(tx, &current, &mut draft, Some(&collection.collection)).await?;
    }
    Ok(())
}

/// Drops the indexes a collection does not list; gives those it should list.
async fn adopt_indexes(tx: &Tx, collection: &Collection) -> crate::Result<Vec<String>> {
    let dialect = tx.dialect();
    let found = tx
        .query(catalog::indexes(dialect, &collection.name), |rows| {
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push((row.text(0).to_owned(), row.text(1).to_owned()));
            }
            Ok::<_, store::Error>(out)
        })
        .await??;
    let listed: Vec<Index> = collection.indexes.iter().map(|text| Index::parse(text)).collect();
    let names: HashSet<String> = listed.iter().map(|i| i.name.to_ascii_lowercase()).collect();
    let mut adopted = Vec::new();
    for (name, sql) in found {
        if names.contains(&name.to_ascii_lowercase()) {
            continue;
        }
        tx.execute_batch(ddl::drop_index(dialect, &name)).await?;
        let index = Index::parse(&sql);
        let own = collection.is_auth()
            && index.single_unique_column().is_some_and(|column| {
                matches!(column, "tokenKey" | "email")
                    && find_single_unique(&collection.indexes, column).is_some()
            });
        let repeated = listed.iter().any(|other| other.definition() == index.definition());
        if index.is_valid() && !own && !repeated {
            adopted.push(sql);
        }
    }
    Ok(adopted)
}
