//! Who is to be asked about an event: clients by topic and by auth record. Plain maps; the broker holds the lock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    app::{Client, Topic},
    record::Record,
    schema::Loaded,
};

/// Clients in the order they connected.
pub(super) type Members = BTreeMap<u64, Arc<Client>>;

/// Everyone with the same subscription, options included.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) topic: Arc<Topic>,
    pub(super) members: Members,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) clients: HashMap<Box<str>, Arc<Client>>,
    /// By base, then by the whole text.
    topics: HashMap<Box<str>, HashMap<Arc<str>, Group>>,
    /// How many topics begin with a name.
    collections: HashMap<Box<str>, usize>,
    /// How many of those want to hear of records that leave.
    leaves: HashMap<Box<str>, usize>,
    /// By collection id, then by record id.
    auths: HashMap<Box<str>, HashMap<Box<str>, Members>>,
}

/// Which rule a topic asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleKind {
    List,
    View,
}

/// A group as the judge gets it.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) rule: RuleKind,
    pub(super) topic: Arc<Topic>,
    pub(super) clients: Vec<Arc<Client>>,
}

impl Index {
    /// True if a topic may concern records of a collection.
    pub(super) fn concerns(&self, collection: &Loaded) -> bool {
        self.collections.contains_key(collection.name.as_str())
            || self.collections.contains_key(collection.id.as_str())
    }

    /// True if a topic wants to hear of records of a collection that leave.
    pub(super) fn concerns_leaving(&self, collection: &Loaded) -> bool {
        !self.leaves.is_empty()
            && (self.leaves.contains_key(collection.name.as_str())
                || self.leaves.contains_key(collection.id.as_str()))
    }
    /// True if there is such a topic.
    pub(super) fn wants_leaving(&self) -> bool {
        !self.leaves.is_empty()
    }
    /// The names that such topics begin with.
    pub(super) fn leaves(&self) -> Vec<Box<str>> {
        self.leaves.keys().cloned().collect()
    }

    /// True if a client is bound to a record of a collection.
    pub(super) fn binds(&self, collection_id: &str) -> bool {
        self.auths.contains_key(collection_id)
    }

    /// The groups that listen to a record.
    pub(super) fn groups<'i>(
        &'i self,
        collection: &'i Loaded,
        id: &'i str,
    ) -> impl Iterator<Item = (RuleKind, &'i Group)> {
        let names = [collection.name.as_str(), collection.id.as_str()];
        let bases = names.into_iter().filter(|name| self.collections.contains_key(*name)).flat_map(
            move |name| {
                [
                    (RuleKind::View, format!("{name}/{id}")),
                    (RuleKind::List, format!("{name}/*")),
                    (RuleKind::List, name.to_owned()),
                ]
            },
        );
        bases.flat_map(|(rule, base)| {
            let groups = self.topics.get(base.as_str());
            groups.into_iter().flat_map(HashMap::values).map(move |group| (rule, group))
        })
    }

    /// The groups that listen to a record, copied out of the lock.
    pub(super) fn listeners(&self, collection: &Loaded, id: &str) -> Vec<Listeners> {
        self.groups(collection, id)
            .map(|(rule, group)| Listeners {
                rule,
                topic: group.topic.clone(),
                clients: group.members.values().cloned().collect(),
            })
            .collect()
    }

    /// Everyone who subscribed to a topic, with or without options.
    pub(super) fn audience(&self, base: &str) -> Vec<(Arc<Topic>, Vec<Arc<Client>>)> {
        let groups = self.topics.get(base).into_iter().flat_map(HashMap::values);
        groups.map(|g| (g.topic.clone(), g.members.values().cloned().collect())).collect()
    }

    /// Adds a client to a topic; groups share their topic.
    pub(super) fn add(&mut self, client: &Arc<Client>, text: &str) -> Arc<Topic> {
        let base = &text[..text.find('?').unwrap_or(text.len())];
        let groups = match self.topics.get_mut(base) {
            Some(groups) => groups,
            None => self.topics.entry(base.into()).or_default(),
        };
        if let Some(group) = groups.get_mut(text) {
            group.members.insert(client.number(), client.clone());
            return group.topic.clone();
        }
        let topic = Arc::new(Topic::parse(text));
        let members = Members::from([(client.number(), client.clone())]);
        groups.insert(topic.text().clone(), Group { topic: topic.clone(), members });
        *self.collections.entry(topic.collection().into()).or_default() += 1;
        if topic.options().leave {
            *self.leaves.entry(topic.collection().into()).or_default() += 1;
        }
        topic
    }

    pub(super) fn remove(&mut self, client: &Client, topic: &Topic) {
        let Some(groups) = self.topics.get_mut(topic.base()) else { return };
        let Some(group) = groups.get_mut(topic.text()) else { return };
        group.members.remove(&client.number());
        if !group.members.is_empty() {
            return;
        }
        groups.remove(topic.text());
        if groups.is_empty() {
            self.topics.remove(topic.base());
        }
        one_less(&mut self.collections, topic.collection());
        if topic.options().leave {
            one_less(&mut self.leaves, topic.collection());
        }
    }

    pub(super) fn bind(&mut self, client: &Arc<Client>, auth: &Record) {
        let by_id = self.auths.entry(auth.collection().id.as_str().into()).or_default();
        by_id.entry(auth.id().into()).or_default().insert(client.number(), client.clone());
    }

    pub(super) fn unbind(&mut self, client: &Client, auth: &Record) {
        let Some(by_id) = self.auths.get_mut(auth.collection().id.as_str()) else { return };
        if let Some(members) = by_id.get_mut(auth.id()) {
            members.remove(&client.number());
            if members.is_empty() {
                by_id.remove(auth.id());
            }
        }
        if by_id.is_empty() {
            self.auths.remove(auth.collection().id.as_str());
        }
    }

    /// The clients bound to a record.
    pub(super) fn bound_to(&self, collection_id: &str, id: &str) -> Vec<Arc<Client>> {
        let members = self.auths.get(collection_id).and_then(|by_id| by_id.get(id));
        members.into_iter().flat_map(Members::values).cloned().collect()
    }

    /// All bound clients.
    pub(super) fn all_bound(&self) -> Vec<Arc<Client>> {
        self.auths.values().flat_map(HashMap::values).flat_map(Members::values).cloned().collect()
    }
    /// True if nobody is bound.
    pub(super) fn is_unbound(&self) -> bool {
        self.auths.is_empty()
    }
    /// True if nobody listens.
    pub(super) fn is_silent(&self) -> bool {
        self.topics.is_empty()
    }
}

fn one_less(counts: &mut HashMap<Box<str>, usize>, name: &str) {
    if let Some(n) = counts.get_mut(name) {
        *n -= 1;
        if *n == 0 {
            counts.remove(name);
        }
    }
}
