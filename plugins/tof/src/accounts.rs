//! From an identity to an account: found by its link, else by its address, else made. Source: spec extensions 6.5.
//!
//! Must not know headers and signatures.

use pocketbase::{ApiError, App, Collection, Error, Record, Result, db::hash};
use serde_json::json;

use crate::identity::TofIdentity;

/// The provider of links in `_externalAuths`.
pub(crate) const PROVIDER: &str = "tof";

/// Why there is no account.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Superusers are never made.
    Superuser(String),
    /// The address belongs to somebody with another number.
    Taken,
    /// It could not be made.
    Invalid(Error),
    Other(Error),
}

impl From<Error> for Missing {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Links are for the gateway to make and for superusers to remove. What links of OAuth2 are to their owners, something of
/// theirs, these are not: they keep an account from whoever is given its login name next.
pub(crate) fn keep_links(app: &App) {
    app.on_record_delete_request(["_externalAuths"]).bind(|e| async move {
        let is_superuser = e.auth().is_some_and(|record| record.is_superuser());
        if e.record().get_str("provider") == PROVIDER && !is_superuser {
            return Err(ApiError::forbidden("The link to a TOF identity cannot be removed.").into());
        }
        e.next().await
    });
}

/// The account of an identity.
pub(crate) async fn account(
    app: &App,
    collection: &Collection,
    identity: &TofIdentity,
    domain: &str,
) -> Result<Record, Missing> {
    let email = format!("{}@{domain}", identity.loginname);
    match attempt(app, collection, identity, &email).await {
        // somebody else may have made it at the same time: then it is found now
        Err(Missing::Invalid(first)) => match attempt(app, collection, identity, &email).await {
            Err(Missing::Invalid(_)) => Err(Missing::Invalid(first)),
            done => done,
        },
        done => done,
    }
}

async fn attempt(
    app: &App,
    collection: &Collection,
    identity: &TofIdentity,
    email: &str,
) -> Result<Record, Missing> {
    let (collection, identity, email) = (collection.clone(), identity.clone(), email.to_owned());
    let done = app.run_in_transaction(|tx| async move {
        match within(&tx, &collection, &identity, &email).await {
            Ok(record) => Ok(Ok(record)),
            // refused before anything was written
            Err(missing @ (Missing::Superuser(_) | Missing::Taken)) => Ok(Err(missing)),
            Err(Missing::Invalid(error) | Missing::Other(error)) => Err(error),
        }
    });
    match done.await {
        Ok(done) => done,
        Err(error) if error.fields().is_some() => Err(Missing::Invalid(error)),
        Err(error) => Err(Missing::Other(error)),
    }
}

async fn within(
    tx: &App,
    collection: &Collection,
    identity: &TofIdentity,
    email: &str,
) -> Result<Record, Missing> {
    let number = identity.staffid.to_string();
    let by_number = hash([
        ("collectionRef", collection.id()),
        ("provider", PROVIDER.into()),
        ("providerId", number.clone()),
    ]);
    if let Some(link) = found(tx.find_first_external_auth_by_expr(by_number).await)? {
        let record =
            tx.find_record_by_id(collection.name().as_str(), &link.get_str("recordRef")).await;
        if let Some(record) = found(record)? {
            return Ok(record);
        }
    }
    let known = found(tx.find_auth_record_by_email(collection.name().as_str(), email).await)?;
    let record = match known {
        Some(record) => {
            adopt(tx, &record).await?;
            record
        }
        None if collection.name() == "_superusers" => {
            return Err(Missing::Superuser(email.to_owned()));
        }
        None => made(tx, collection, identity, email).await?,
    };
    let link = Record::new(&tx.find_collection("_externalAuths").await?);
    link.set("collectionRef", collection.id()).set("recordRef", record.id());
    link.set("provider", PROVIDER).set("providerId", number);
    tx.save(&link).await?;
    Ok(record)
}

fn found(result: Result<Record>) -> Result<Option<Record>> {
    match result {
        Ok(record) => Ok(Some(record)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// An account that was there: one that nobody has confirmed loses what its maker knows.
async fn adopt(tx: &App, record: &Record) -> Result<(), Missing> {
    let links = tx.find_all_external_auths_by_record(record).await?;
    if links.iter().any(|link| link.get_str("provider") == PROVIDER) {
        return Err(Missing::Taken);
    }
    if !record.verified() {
        // whoever made it may also sign in to it with another service
        for link in &links {
            tx.delete(link).await?;
        }
        _ = record.set_random_password();
        record.refresh_token_key().set_verified(true);
        tx.save(record).await?;
    }
    Ok(())
}

/// A new account, confirmed and without a password that anybody knows.
async fn made(
    tx: &App,
    collection: &Collection,
    identity: &TofIdentity,
    email: &str,
) -> Result<Record, Missing> {
    let record = Record::new(collection);
    record.set_email(email).set_verified(true);
    // nobody is to know it
    _ = record.set_random_password();
    record.set_if_field_exists("name", json!(identity.loginname));
    tx.save(&record).await.map_err(Missing::Invalid)?;
    Ok(record)
}
