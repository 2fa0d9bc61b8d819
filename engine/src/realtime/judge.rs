//! Who may see an event, and the message they get (spec records-files-realtime-batch §5.4, §5.5).
//!
//! A rule or filter is judged once per distinct subscription and caller; once for all where it does not look at the
//! caller. A message is written once per distinct content.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    broker::Broker,
    index::{Listeners, RuleKind},
};
use crate::{
    App, Result,
    app::{Client, Message},
    ctx::{Caller, Ctx, RequestInfo, Seen, SubscriptionOptions as Options},
    event::Action,
    record::{Record, RecordRef, enrich_done, expand::Paths, export, find, has_enrich_hooks},
    rule::{self, Parts, RowState},
    store::Db,
};

/// Longest time of one judgement that asks the database.
const JUDGE_TIME: Duration = Duration::from_secs(5);

/// What happened to which record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'e> {
    pub(super) record: &'e Arc<Record>,
    pub(super) action: Action,
    /// Where its values are.
    pub(super) state: RowState,
    /// What an update found, if subscribers may want to know that it took the record out of their sight.
    pub(super) old: Option<&'e Arc<Record>>,
    /// The open transaction that deletes it. What a message shows besides the record is read there, where what took the
    /// record along is gone; rules and filters are judged outside, as in the reference.
    pub(super) inside: Option<&'e Db>,
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
            let message = match group.message_for(&audience.caller).await {
                Answer::Message(message) => Some(message),
                Answer::Refused => group.leave_for(audience.caller).await,
                Answer::Failed => None,
            };
            if let Some(message) = message {
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

/// What a caller gets.
#[derive(Debug, Clone)]
enum Answer {
    Message(Arc<Message>),
    /// It must not see the event.
    Refused,
    /// Nobody knows whether it may: it does not.
    Failed,
}

/// One event for one subscription, with what is already known about it.
struct Group<'g> {
    broker: &'g Broker,
    app: &'g App,
    /// All who listen are judged by the same collections.
    seen: Seen,
    event: Event<'g>,
    listeners: &'g Listeners,
    info: RequestInfo,
    /// `None` when only superusers pass.
    rule: Option<&'g str>,
    /// True if callers may be judged or served differently.
    per_caller: bool,
    /// The database has a say in who sees the record.
    is_protected: bool,
    verdicts: Verdicts,
    /// Those about what the update found.
    old_verdicts: Verdicts,
    /// For superusers and for others.
    messages: [Shared<Answer>; 2],
}

/// `None`: it could not be judged.
type Verdict = Option<bool>;

/// What is known of one state of the record.
struct Verdicts {
    rule: Shared<Verdict>,
    filter: Shared<Verdict>,
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

impl Verdicts {
    fn new(rule_shared: bool, filter_shared: bool) -> Self {
        Self { rule: Shared::new(rule_shared), filter: Shared::new(filter_shared) }
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
            seen: Seen::now(app),
            event,
            listeners,
            info: RequestInfo::realtime(options.clone()),
            rule,
            is_protected,
            per_caller: !(rule_shared && filter_shared && content_shared),
            verdicts: Verdicts::new(rule_shared, filter_shared),
            old_verdicts: Verdicts::new(rule_shared, filter_shared),
            messages: [Shared::new(content_shared), Shared::new(content_shared)],
        }
    }

    fn options(&self) -> &'g Arc<Options> {
        self.listeners.topic.options()
    }

    /// What the request says is the same for all who ask, who asks is not.
    fn ctx_of(&self, caller: Caller) -> Ctx {
        let info = self.info.in_context("realtime");
        Ctx::over(self.app, self.seen.clone(), caller, Some(Arc::new(info)))
    }

    /// The message for a caller.
    async fn message_for(&mut self, caller: &Caller) -> Answer {
        let is_superuser = caller.is_superuser();
        if !is_superuser && self.rule.is_none() {
            return Answer::Refused;
        }
        let ctx = self.ctx_of(caller.clone());
        if self.is_protected && self.passes_policies(&ctx).await != Some(true) {
            // What policies hide is as if it were not there, and was not there before.
            return Answer::Failed;
        }
        match self.sees(&ctx, self.event.record, self.event.state).await {
            None => return Answer::Failed,
            Some(false) => return Answer::Refused,
            Some(true) => {}
        }
        let known = &self.messages[usize::from(is_superuser)];
        if let Some(message) = known.get() {
            return message;
        }
        let message = match self.write(&ctx).await {
            Ok(message) => Answer::Message(Arc::new(message)),
            Err(error) => {
                tracing::debug!(%error, "realtime: an event could not be written");
                Answer::Failed
            }
        };
        self.messages[usize::from(is_superuser)].put(&message);
        message
    }

    /// For a caller that may not see what an update left: that the record is out of its sight, if it was in it, and if the
    /// subscription wants to know. Not part of the reference.
    async fn leave_for(&mut self, caller: Caller) -> Option<Arc<Message>> {
        let old = self.event.old.filter(|_| self.options().leave)?;
        let ctx = self.ctx_of(caller);
        if self.is_protected {
            // No policy can be asked about a row as it was.
            let collection = old.collection();
            let is_open = in_time(async { Ok(!find::is_protected(&ctx, collection).await?) }).await;
            is_open.filter(|is_open| *is_open)?;
        }
        std::mem::swap(&mut self.verdicts, &mut self.old_verdicts);
        let saw = self.sees(&ctx, old, RowState::Gone).await;
        std::mem::swap(&mut self.verdicts, &mut self.old_verdicts);
        saw.filter(|saw| *saw)?;
        let mut data = br#"{"action":"leave","record":{"id":"#.to_vec();
        crate::json::write_str(&mut data, old.id());
        data.extend_from_slice(b"}}");
        Some(Arc::new(Message::new(self.listeners.topic.text().clone(), data)))
    }

    /// True if rule and filter let a caller see a state of the record.
    async fn sees(&mut self, ctx: &Ctx, record: &Record, state: RowState) -> Verdict {
        if !ctx.caller.is_superuser() && !self.passes_rule(ctx, record, state).await? {
            return Some(false);
        }
        self.passes_filter(ctx, record, state).await
    }

    /// True if the database shows the row to the caller.
    async fn passes_policies(&self, ctx: &Ctx) -> Verdict {
        let Event { record, state, .. } = self.event;
        let (collection, id) = (record.collection(), record.id());
        in_time(async {
            if state == RowState::Gone {
                // No policy can be asked about a row that is not there: then nobody sees it go.
                return Ok(!find::is_protected(ctx, collection).await?);
            }
            Ok(find::by_id(ctx, collection, id).await?.is_some())
        })
        .await
    }

    async fn passes_rule(&mut self, ctx: &Ctx, record: &Record, state: RowState) -> Verdict {
        let Some(rule) = self.rule else { return Some(false) };
        if rule.is_empty() {
            return Some(true);
        }
        if let Some(known) = self.verdicts.rule.get() {
            return known;
        }
        let verdict = in_time(rule::matches(ctx, &Parts::rule(rule), record, state)).await;
        self.verdicts.rule.put(&verdict);
        verdict
    }

    async fn passes_filter(&mut self, ctx: &Ctx, record: &Record, state: RowState) -> Verdict {
        let filter = self.options().query("filter");
        if filter.is_empty() {
            return Some(true);
        }
        let is_private = filter.contains("@request.") || filter.contains("@collection.");
        if is_private && !ctx.caller.is_superuser() {
            return Some(false);
        }
        if let Some(known) = self.verdicts.filter.get() {
            return known;
        }
        let parts = Parts { filter, ..Parts::default() };
        let verdict = in_time(rule::matches(ctx, &parts, record, state)).await;
        // with `@collection.` superusers and others differ
        if !is_private {
            self.verdicts.filter.put(&verdict);
        }
        verdict
    }

    /// `{"record":{…},"action":"…"}`
    async fn write(&self, ctx: &Ctx) -> Result<Message> {
        let collection = self.event.record.collection();
        let paths = Paths::parse(self.options().query("expand"));
        let record = RecordRef::from(self.event.record.fresh());
        let inside = self.event.inside.map(|db| ctx.reading_in(db));
        let ctx = inside.as_ref().unwrap_or(ctx);
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

/// A judgement that may fail or take too long.
async fn in_time(judgement: impl Future<Output = Result<bool>>) -> Verdict {
    match tokio::time::timeout(JUDGE_TIME, judgement).await {
        Ok(Ok(verdict)) => Some(verdict),
        Ok(Err(error)) => {
            tracing::debug!(%error, "realtime: a rule or filter failed");
            None
        }
        Err(_) => {
            tracing::warn!("realtime: a rule or filter took too long");
            None
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
