//! Getting certificates from an ACME authority: account, order, proof, certificate; and the loop that renews them.
//!
//! One order at a time. A name that fails is tried again later and later. Proofs live in memory only as long as
//! their order.
//! Source: spec server-settings-operations §1.4; RFC 8555, RFC 8737.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, Key, NewOrder, OrderStatus,
    RetryPolicy,
};
use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Error, Store, Tls, cache};

/// Longest time of one attempt.
const ATTEMPT: Duration = Duration::from_secs(120);
/// First and longest pause after a failure; each failure triples it. Authorities allow few failures an hour.
const PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3600);
/// How often everything is looked at again although nothing is due: clocks get changed.
const LOOK: Duration = Duration::from_secs(3600);

/// A name that failed.
#[derive(Debug, Clone, Copy)]
struct Failure {
    n_times: u32,
    not_before: Instant,
}

impl Failure {
    fn next(previous: Option<Self>, now: Instant) -> Self {
        let n_times = previous.map_or(1, |failure| failure.n_times.saturating_add(1));
        let factor = 3u32.saturating_pow((n_times - 1).min(12));
        Self { n_times, not_before: now + PAUSE.saturating_mul(factor).min(LONGEST_PAUSE) }
    }
}

/// Issues what is missing and renews what is due, for ever.
pub(super) async fn keep(tls: &Tls, with_http: bool) {
    let mut account = None;
    let mut failures: BTreeMap<String, Failure> = BTreeMap::new();
    loop {
        let (due, next) = plan(tls, &failures);
        for name in due {
            match renew(tls, &mut account, &name, with_http).await {
                Ok(()) => {
                    failures.remove(&name);
                    tls.0.wanted.lock().remove(&name);
                    tls.0.changes.send_modify(|n| *n += 1);
                    tracing::info!(name, "certificate issued");
                }
                Err(error) => {
                    // a stale account or connection must not fail for ever
                    account = None;
                    let failure = Failure::next(failures.get(&name).copied(), Instant::now());
                    failures.insert(name.clone(), failure);
                    tracing::warn!(%error, name, "certificate not issued");
                }
            }
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = tls.0.wake.notified() => {}
        }
    }
}

/// The names to work on now, and when to look again.
fn plan(tls: &Tls, failures: &BTreeMap<String, Failure>) -> (Vec<String>, Instant) {
    let now = Instant::now();
    let mut next = now + LOOK;
    let mut due = Vec::new();
    let options = &tls.0.options;
    let certificates = tls.0.store.certificates.load();
    let wanted = tls.0.wanted.lock().clone();
    for name in options.names.iter().chain(&options.names_on_demand) {
        let at = match certificates.get(name) {
            Some(held) => {
                let left = held.validity.renew_at().duration_since(SystemTime::now());
                now + left.unwrap_or_default().min(LOOK)
            }
            None if options.names.contains(name) || wanted.contains(name) => now,
            None => continue,
        };
        let at = failures.get(name).map_or(at, |failure| at.max(failure.not_before));
        if at <= now {
            due.push(name.clone());
            // whatever comes of it, look again soon enough
            next = next.min(now + PAUSE);
        } else {
            next = next.min(at);
        }
    }
    (due, next)
}

async fn renew(
    tls: &Tls,
    account: &mut Option<Account>,
    name: &str,
    with_http: bool,
) -> Result<(), Error> {
    if account.is_none() {
        *account = Some(late(open_account(tls)).await?);
    }
    let Some(account) = account else {
        return Err(Error::Order("no account".into()));
    };
    let mut result = late(order(tls, account, name, ChallengeType::TlsAlpn01)).await;
    if with_http && let Err(error) = &result {
        tracing::debug!(%error, name, "TLS-ALPN-01 failed, trying HTTP-01");
        result = late(order(tls, account, name, ChallengeType::Http01)).await;
    }
    let pem = result?;
    let held = cache::parse(pem.as_bytes())?;
    if !held.validity.contains(SystemTime::now() + Duration::from_secs(1)) {
        return Err(Error::Certificate("the issued certificate is not valid now".into()));
    }
    cache::save(&tls.0.options.cache_dir, name, &pem)?;
    tls.0.store.put(name, &held);
    Ok(())
}

async fn late<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let boxed = Box::pin(work);
    timeout(ATTEMPT, boxed).await.unwrap_or_else(|_| Err(Error::Order("it took too long".into())))
}

/// The account of the stored key; the authority makes one if it does not know the key.
async fn open_account(tls: &Tls) -> Result<Account, Error> {
    let options = &tls.0.options;
    let builder = match &options.authority.root {
        Some(root) => Account::builder_with_root(root)?,
        None => Account::builder()?,
    };
    let stored = cache::account_key(&options.cache_dir)?;
    let usable = stored.and_then(|key| Some((Key::from_pkcs8_der(key.clone_key()).ok()?, key)));
    let (key, pkcs8): (Key, PrivatePkcs8KeyDer<'static>) = match usable {
        Some(pair) => pair,
        None => {
            let pair = rcgen::KeyPair::generate().map_err(|e| Error::Certificate(e.to_string()))?;
            cache::save_account_key(&options.cache_dir, &pair.serialize_pem())?;
            let pkcs8 = PrivatePkcs8KeyDer::from(pair.serialize_der());
            (Key::from_pkcs8_der(pkcs8.clone_key())?, pkcs8)
        }
    };
    let directory = options.authority.directory.clone();
    let (account, _) =
        builder.create_from_key((key, PrivateKeyDer::Pkcs8(pkcs8)), directory).await?;
    Ok(account)
}

/// Orders a certificate and proves the name in one way; gives key and chain as PEM.
async fn order(
    tls: &Tls,
    account: &Account,
    name: &str,
    kind: ChallengeType,
) -> Result<String, Error> {
    let identifiers = [Identifier::Dns(name.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&identifiers)).await?;
    let mut proofs = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => return Err(Error::Order(format!("the authorization is {other:?}"))),
        }
        let mut challenge = authorization
            .challenge(kind.clone())
            .ok_or_else(|| Error::Order(format!("{kind:?} is not offered")))?;
        let authorization = challenge.key_authorization();
        proofs.push(match kind {
            ChallengeType::Http01 => {
                let (token, text) = (challenge.token.clone(), authorization.as_str().to_owned());
                Proof::http(&tls.0.store, token, text)
            }
            _ => Proof::alpn(&tls.0.store, name, authorization.digest().as_ref())?,
        });
        challenge.set_ready().await?;
    }
    let retries = RetryPolicy::new().timeout(ATTEMPT);
    let status = order.poll_ready(&retries).await?;
    drop(proofs);
    if status != OrderStatus::Ready && status != OrderStatus::Valid {
        return Err(Error::Order(format!("the order is {status:?}")));
    }
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&retries).await?;
    Ok(format!("{}\n{chain}", key.trim_end()))
}

/// A proof that is served as long as this lives.
struct Proof<'s> {
    store: &'s Store,
    kind: Kind,
}

enum Kind {
    Http(String),
    Alpn(String),
}

impl<'s> Proof<'s> {
    fn http(store: &'s Store, token: String, text: String) -> Self {
        store.http_proofs.lock().insert(token.clone(), text);
        Self { store, kind: Kind::Http(token) }
    }

    fn alpn(store: &'s Store, name: &str, digest: &[u8]) -> Result<Self, Error> {
        let bad = |error: rcgen::Error| Error::Certificate(error.to_string());
        if digest.len() != 32 {
            return Err(Error::Order("a proof of the wrong length".into()));
        }
        let pair = rcgen::KeyPair::generate().map_err(bad)?;
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).map_err(bad)?;
        params.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(digest)];
        let certificate = params.self_signed(&pair).map_err(bad)?;
        let key = PrivateKeyDer::Pkcs8(pair.serialize_der().into());
        let certified =
            CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&key)?);
        store.alpn_proofs.lock().insert(name.to_owned(), Arc::new(certified));
        Ok(Self { store, kind: Kind::Alpn(name.to_owned()) })
    }
}

impl Drop for Proof<'_> {
    fn drop(&mut self) {
        match &self.kind {
            Kind::Http(token) => drop(self.store.http_proofs.lock().remove(token)),
            Kind::Alpn(name) => drop(self.store.alpn_proofs.lock().remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Authority;

    #[test]
    fn the_usual_authority() {
        assert_eq!(Authority::default().directory, instant_acme::LetsEncrypt::Production.url());
    }

    #[test]
    fn pauses_grow_and_end() {
        let now = Instant::now();
        let mut failure = None;
        let mut minutes = Vec::new();
        for _ in 0..8 {
            let next = Failure::next(failure, now);
            minutes.push((next.not_before - now).as_secs() / 60);
            failure = Some(next);
        }
        assert_eq!(minutes, [1, 3, 9, 27, 81, 243, 720, 720]);
    }

    #[tokio::test]
    async fn proofs_end_with_their_order() {
        let store = Store::default();
        let http = Proof::http(&store, "t".into(), "t.x".into());
        let alpn = Proof::alpn(&store, "a.com", &[7; 32]).expect("a proof");
        assert_eq!((store.http_proofs.lock().len(), store.alpn_proofs.lock().len()), (1, 1));
        drop((http, alpn));
        assert_eq!((store.http_proofs.lock().len(), store.alpn_proofs.lock().len()), (0, 0));
        assert!(Proof::alpn(&store, "a.com", &[7; 31]).is_err());
    }
}
