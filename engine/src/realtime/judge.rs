//! Who may see an event, and the message they get (spec records-files-realtime-batch §5.4, §5.5).
//!
//! A rule or filter is judged once per distinct subscription and caller; once for all where it does not look at the
//! caller. A message is written once per distinct content.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    broker::Broker,
    client::{Client, Message},
    index::{Listeners, RuleKind},
    topic::Options,
};
use crate::{
    App, Result,
    ctx::{Caller, Ctx, RequestInfo},
    event::Action,
    record::{Record, RecordRef, enrich_done, expand::Paths, export, find, has_enrich_hooks},
    rule::{self, Parts, RowState},
};

/// Longest time of one judgement that asks the database.
const JUDGE_TIME: Duration = Duration::from_secs(5);

/// What happened to which record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'e> {
    pub(super) record: &'e Arc<Record>,
    pub(super) action: Action,
    /// Its row is not there any more.
    pub(super) is_gone: bool,
}

/// Judges an event for everyone who listens; `send` gets each client with its message.
pub(super) async fn judge(
    broker: &Broker,
    app: &App,
    event: Event<'_>,
    send: &mut (dyn FnMut(&Arc<Client>, &Arc<Message>) + Send),
) {
    let record = event.record;
    for listeners in broker.listeners(record.collection(), record.id()) {
        let mut group = Group::new(broker, app, event, &listeners);
        for audience in audiences(&listeners.clients, group.per_caller) {
            if let Some(message) = group.message_for(audience.caller).await {
                for client in audience.clients {
                    send(client, &message);
                }
            }
            tokio::task::consume_budget().await;
        }
    }
}

/// Clients that are judged alike.
struct Audience<'c> {
    caller: Caller,
    clients: Vec<&'c Arc<Client>>,
}

/// Splits clients by auth record, or only by whether they are superusers.
fn audiences(clients: &[Arc<Client>], per_caller: bool) -> Vec<Audience<'_>> {
    let mut all: Vec<Audience<'_>> = Vec::new();
    let mut guests: Option<usize> = None;
    let mut superusers: Option<usize> = None;
    let callers: Vec<Caller> = clients.iter().map(|client| client.caller()).collect();
    let n_known = if per_caller { clients.len() } else { 0 };
    let mut known: HashMap<(&str, &str), usize> = HashMap::with_capacity(n_known);
    for (client, caller) in clients.iter().zip(&callers) {
        let slot = match (caller, per_caller) {
            (Caller::Guest, _) | (Caller::Record(_), false) => &mut guests,
            (Caller::Superuser(_), false) => &mut superusers,
            (Caller::Record(record) | Caller::Superuser(record), true) => {
                let key = (record.collection().id.as_str(), record.id());
                let next = all.len();
                let at = *known.entry(key).or_insert(next);
                if at == next {
                    all.push(Audience { caller: caller.clone(), clients: vec![client] });
                } else {
                    all[at].clients.push(client);
                }
                continue;
            }
        };
        match *slot {
            Some(at) => all[at].clients.push(client),
            None => {
                *slot = Some(all.len());
                all.push(Audience { caller: caller.clone(), clients: vec![client] });
            }
        }
    }
    all
}

/// True if an expression may look at the caller.
fn asks_caller(rule: &str) -> bool {
    memchr::memmem::find(rule.as_bytes(), b"@request.auth").is_some()
}

/// One event for one subscription, with what is already known about it.
struct Group<'g> {
    broker: &'g Broker,
    app: &'g App,
    event: Event<'g>,
    listeners: &'g Listeners,
    info: RequestInfo,
    /// `None` when only superusers pass.
    rule: Option<&'g str>,
    /// True if callers may be judged or served differently.
    per_caller: bool,
    /// The database has a say in who sees the record.
    is_protected: bool,
    rule_verdict: Shared<bool>,
    filter_verdict: Shared<bool>,
    /// For superusers and for others.
    messages: [Shared<Option<Arc<Message>>>; 2],
}

/// A result that holds for all callers once it is known, or never.
struct Shared<T> {
    is_shared: bool,
    value: Option<T>,
}

impl<T: Clone> Shared<T> {
    fn new(is_shared: bool) -> Self {
        Self { is_shared, value: None }
    }
    fn get(&self) -> Option<T> {
        self.value.clone()
    }
    fn put(&mut self, value: &T) {
        if self.is_shared {
            self.value = Some(value.clone());
        }
    }
}

impl<'g> Group<'g> {
    fn new(broker: &'g Broker, app: &'g App, event: Event<'g>, listeners: &'g Listeners) -> Self {
        let collection = event.record.collection();
        let rule = match listeners.rule {
            RuleKind::List => collection.list_rule.as_deref(),
            RuleKind::View => collection.view_rule.as_deref(),
        };
        let options = listeners.topic.options();
        let filter = options.query("filter");
        let is_protected = app.store().data().has_row_security();
        let rule_shared = !is_protected && !rule.is_some_and(asks_caller);
        // a path may bring in list rules, which may look at the caller
        let filter_shared = !is_protected && !filter.contains("@request.") && !filter.contains('.');
        let content_shared = !is_protected
            && options.query("expand").is_empty()
            && !collection.is_auth()
            && !has_enrich_hooks(app, collection);
        Self {
            broker,
            app,
            event,
            listeners,
            info: RequestInfo::realtime(options.clone()),
            rule,
            is_protected,
            per_caller: !(rule_shared && filter_shared && content_shared),
            rule_verdict: Shared::new(rule_shared),
            filter_verdict: Shared::new(filter_shared),
            messages: [Shared::new(content_shared), Shared::new(content_shared)],
        }
    }

    fn options(&self) -> &'g Arc<Options> {
        self.listeners.topic.options()
    }

    /// The message for a caller; `None` if it must not see the event.
    async fn message_for(&mut self, caller: Caller) -> Option<Arc<Message>> {
        let is_superuser = caller.is_superuser();
        if !is_superuser && self.rule.is_none() {
            return None;
        }
        // what the request says is the same for all who ask, who asks is not
        let info = self.info.in_context("realtime");
        let ctx = Ctx::new(self.app, caller, Some(Arc::new(info)));
        if self.is_protected && !self.passes_policies(&ctx).await {
            return None;
        }
        if !is_superuser && !self.passes_rule(&ctx).await {
            return None;
        }
        if !self.passes_filter(&ctx).await {
            return None;
        }
        let known = &mut self.messages[usize::from(is_superuser)];
        if let Some(message) = known.get() {
            return message;
        }
        let message = match self.write(&ctx).await {
            Ok(message) => Some(Arc::new(message)),
            Err(error) => {
                tracing::debug!(%error, "realtime: an event could not be written");
                None
            }
        };
        self.messages[usize::from(is_superuser)].put(&message);
        message
    }

    /// True if the database shows the row to the caller.
    async fn passes_policies(&self, ctx: &Ctx) -> bool {
        let Event { record, is_gone, .. } = self.event;
        let (collection, id) = (record.collection(), record.id());
        in_time(async {
            if is_gone {
                // No policy can be asked about a row that is not there: then nobody sees it go.
                return Ok(!find::is_protected(ctx, collection).await?);
            }
            Ok(find::by_id(ctx, collection, id).await?.is_some())
        })
        .await
    }

    async fn passes_rule(&mut self, ctx: &Ctx) -> bool {
        let Some(rule) = self.rule else { return false };
        if rule.is_empty() {
            return true;
        }
        if let Some(known) = self.rule_verdict.get() {
            return known;
        }
        let verdict = self.matches(ctx, &Parts::rule(rule)).await;
        self.rule_verdict.put(&verdict);
        verdict
    }

    async fn matches(&self, ctx: &Ctx, parts: &Parts<'_>) -> bool {
        let Event { record, is_gone, .. } = self.event;
        let row = if is_gone { RowState::Gone } else { RowState::Stored };
        in_time(rule::matches(ctx, parts, record, row)).await
    }

    async fn passes_filter(&mut self, ctx: &Ctx) -> bool {
        let filter = self.options().query("filter");
        if filter.is_empty() {
            return true;
        }
        let is_private = filter.contains("@request.") || filter.contains("@collection.");
        if is_private && !ctx.caller.is_superuser() {
            return false;
        }
        if let Some(known) = self.filter_verdict.get() {
            return known;
        }
        let verdict = self.matches(ctx, &Parts { filter, ..Parts::default() }).await;
        // with `@collection.` superusers and others differ
        if !is_private {
            self.filter_verdict.put(&verdict);
        }
        verdict
    }

    /// `{"record":{…},"action":"…"}`
    async fn write(&self, ctx: &Ctx) -> Result<Message> {
        let collection = self.event.record.collection();
        let paths = Paths::parse(self.options().query("expand"));
        let record = RecordRef::from(self.event.record.fresh());
        enrich_done(ctx, collection, &record, &paths).await?;
        let mut data = br#"{"record":"#.to_vec();
        let start = data.len();
        export::write_json(&record, &mut data);
        let fields = self.options().query("fields");
        if !fields.is_empty()
            && let Some(pick) = self.broker.shared().pick.get()
            && let Some(picked) = pick(fields, &data[start..])
        {
            data.truncate(start);
            data.extend_from_slice(picked.trim_ascii_end());
        }
        data.extend_from_slice(br#","action":""#);
        data.extend_from_slice(self.event.action.name().as_bytes());
        data.extend_from_slice(br#""}"#);
        Ok(Message::new(self.listeners.topic.text().clone(), data))
    }
}

/// A judgement that fails or takes too long is a refusal.
async fn in_time(judgement: impl Future<Output = Result<bool>>) -> bool {
    match tokio::time::timeout(JUDGE_TIME, judgement).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => {
            tracing::debug!(%error, "realtime: a rule or filter failed");
            false
        }
        Err(_) => {
            tracing::warn!("realtime: a rule or filter took too long");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_at_the_caller() {
        for (rule, want) in [
            ("", false),
            ("status = 'a'", false),
            ("@request.query.a = 1", false),
            ("owner = @request.auth.id", true),
        ] {
            assert_eq!(asks_caller(rule), want, "{rule}");
        }
    }
}
