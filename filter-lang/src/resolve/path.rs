//! Paths over own fields, relations, back-relations and `@collection` (spec filter-language §6.1–§6.4).

use std::sync::Arc;

use super::{Frame, Names, Resolved, Resolver, modifier, modifier::Modifier};
use crate::{
    error::ErrorKind,
    plan::{Expr, JsonSeg, NodeId, NodeKind, NullPref},
    schema::{Class, Collection, CollectionKind, Field},
    value::Affinity,
};

/// spec §1.6: relation hops per path.
const MAX_HOPS: usize = 6;

/// A place on a path: a row and its collection.
pub(super) struct Place {
    pub(super) node: NodeId,
    pub(super) collection: Arc<Collection>,
    /// Missing names are NULL instead of an error (`@request.*`, spec §6.1).
    pub(super) nullify: bool,
}

/// What following one segment led to.
enum Hop {
    To(NodeId, Arc<Collection>),
    Done(Resolved),
}

impl Resolver<'_> {
    /// Any identifier that is no macro.
    pub(super) fn identifier(&mut self, frame: &Frame, name: &str) -> Result<Resolved, ErrorKind> {
        let schema = match self.names {
            Names::Schema(schema) => schema,
            Names::Simple { allowed, json_field } => {
                return self.simple_identifier(frame, name, allowed, json_field);
            }
        };
        let unresolved = || ErrorKind::UnresolvedField(name.to_owned());
        let is_path =
            |text: &str| text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b':');
        let Some(special) = name.strip_prefix('@') else {
            if !is_path(name) || !name.bytes().next().is_some_and(is_word) {
                return Err(unresolved());
            }
            let segments: Vec<&str> = name.split('.').collect();
            let place =
                Place { node: frame.root, collection: Arc::clone(&frame.base), nullify: false };
            return self.walk(frame, place, &segments);
        };
        if !is_path(special) || !special.bytes().last().is_some_and(is_word) {
            return Err(unresolved());
        }
        if let Some(rest) = special.strip_prefix("request.") {
            return self.request(frame, name, rest);
        }
        let rest = special.strip_prefix("collection.").ok_or_else(unresolved)?;
        let (target, path) = rest.split_once('.').ok_or_else(unresolved)?;
        let (target, alias) = target.split_once(':').unwrap_or((target, ""));
        if target.is_empty() || alias.contains(':') || path.is_empty() || rest.contains(":.") {
            return Err(unresolved());
        }
        let collection = schema
            .collection(target)
            .ok_or_else(|| ErrorKind::MissingCollection(target.to_owned(), name.to_owned()))?;
        self.check_alias(frame, alias, &collection);
        let kind = NodeKind::Cross { alias: alias.to_owned() };
        let node = self.join(frame, kind, Some(Arc::clone(&collection)), true)?;
        let segments: Vec<&str> = path.split('.').collect();
        self.walk(frame, Place { node, collection, nullify: false }, &segments)
    }

    /// spec §6.3: one alias for two collections fails at run time.
    fn check_alias(&mut self, frame: &Frame, alias: &str, collection: &Collection) {
        let clashes = self.plan.nodes.iter().any(|node| {
            node.root == frame.root
                && matches!(&node.kind, NodeKind::Cross { alias: other } if other == alias)
                && node.collection.as_ref().is_some_and(|other| other.id != collection.id)
        });
        if clashes && !alias.is_empty() {
            self.plan.broken = Some("alias used for two collections");
        }
    }

    /// spec §6.1: follows `segments` from a place.
    pub(super) fn walk(
        &mut self,
        frame: &Frame,
        mut place: Place,
        segments: &[&str],
    ) -> Result<Resolved, ErrorKind> {
        for (index, segment) in segments.iter().enumerate() {
            let rest = segments.get(index + 1..).unwrap_or_default();
            if rest.is_empty() {
                return self.last(frame, &place, segment);
            }
            match self.hop(frame, &place, segment, index, rest)? {
                Hop::Done(resolved) => return Ok(resolved),
                Hop::To(node, collection) => place = Place { node, collection, ..place },
            }
        }
        Err(ErrorKind::UnresolvedField(String::new()))
    }

    fn last(&mut self, frame: &Frame, place: &Place, segment: &str) -> Result<Resolved, ErrorKind> {
        let (name, modifier) = modifier::split(segment)?;
        let collection = Arc::clone(&place.collection);
        match collection.field(name) {
            Some(field) => {
                check_visible(frame, field)?;
                self.leaf(frame, place, field, modifier)
            }
            None if place.nullify => Ok(Resolved::null()),
            None => Err(ErrorKind::UnknownField(name.to_owned())),
        }
    }

    fn hop(
        &mut self,
        frame: &Frame,
        place: &Place,
        segment: &str,
        index: usize,
        rest: &[&str],
    ) -> Result<Hop, ErrorKind> {
        let collection = Arc::clone(&place.collection);
        let too_many = || ErrorKind::TooManyRelations(segment.to_owned());
        let Some(field) = collection.field(segment) else {
            let Some((back, field)) = split_back(segment) else {
                return match place.nullify {
                    true => Ok(Hop::Done(Resolved::null())),
                    false => Err(ErrorKind::UnresolvedField(segment.to_owned())),
                };
            };
            if index >= MAX_HOPS {
                return Err(too_many());
            }
            return self.back_relation(frame, place, segment, back, field);
        };
        check_visible(frame, field)?;
        if matches!(field.class, Class::Json | Class::GeoPoint) {
            if rest.iter().any(|segment| segment.is_empty()) {
                self.plan.broken = Some("bad JSON path");
            }
            let column = field.name.clone();
            let expr = Expr::Json { node: place.node, column, path: json_path(rest) };
            let resolved = Resolved::of(expr, NullPref::Disabled, Affinity::None);
            return Ok(Hop::Done(resolved.multi(self.is_multi(frame, place.node))));
        }
        if index >= MAX_HOPS {
            return Err(too_many());
        }
        if field.class != Class::Relation {
            return Err(ErrorKind::NotARelation(segment.to_owned()));
        }
        self.relation(frame, place, field, rest)
    }

    fn relation(
        &mut self,
        frame: &Frame,
        place: &Place,
        field: &Field,
        rest: &[&str],
    ) -> Result<Hop, ErrorKind> {
        let target = field.target.as_deref().and_then(|target| self.collection(target));
        let Some(target) = target else {
            return match place.nullify {
                true => Ok(Hop::Done(Resolved::null())),
                false => Err(ErrorKind::MissingTarget(field.name.clone())),
            };
        };
        if !field.multiple && *rest == ["id"] {
            return Ok(Hop::Done(self.column(frame, place, field)));
        }
        let (parent, column) = (place.node, field.name.clone());
        let kind = match field.multiple {
            true => NodeKind::RelMany { parent, column },
            false => NodeKind::RelOne { parent, column },
        };
        let node = self.join(frame, kind, Some(Arc::clone(&target)), field.multiple)?;
        Ok(Hop::To(node, target))
    }

    /// spec §6.2.
    fn back_relation(
        &mut self,
        frame: &Frame,
        place: &Place,
        segment: &str,
        back: &str,
        field: &str,
    ) -> Result<Hop, ErrorKind> {
        match self.back_field(frame, place, segment, back, field) {
            Ok((collection, field)) => {
                let (parent, column) = (place.node, field.name.clone());
                let lower = column.to_ascii_lowercase();
                let is_many = field.multiple || !collection.unique_fields.contains(&lower);
                let kind = match field.multiple {
                    true => NodeKind::BackMany { parent, column },
                    false => NodeKind::BackOne { parent, column },
                };
                let node = self.join(frame, kind, Some(Arc::clone(&collection)), is_many)?;
                Ok(Hop::To(node, collection))
            }
            Err(error @ ErrorKind::BackHidden(_)) => Err(error),
            Err(_) if place.nullify => Ok(Hop::Done(Resolved::null())),
            Err(error) => Err(error),
        }
    }

    fn back_field(
        &self,
        frame: &Frame,
        place: &Place,
        segment: &str,
        back: &str,
        field: &str,
    ) -> Result<(Arc<Collection>, Field), ErrorKind> {
        let collection =
            self.collection(back).ok_or_else(|| ErrorKind::BackCollection(segment.to_owned()))?;
        let field = collection
            .field(field)
            .ok_or_else(|| ErrorKind::BackMissing(field.to_owned()))?
            .clone();
        if field.hidden && !frame.flags.hidden_allowed {
            return Err(ErrorKind::BackHidden(field.name));
        }
        if field.class != Class::Relation {
            return Err(ErrorKind::BackInvalid(field.name));
        }
        // spec §6.2: a submitted row belongs to a temporary collection with another id.
        let is_draft = frame.draft && place.node == frame.root;
        if is_draft || field.target.as_deref() != Some(place.collection.id.as_str()) {
            return Err(ErrorKind::BackReference(field.name));
        }
        Ok((collection, field))
    }

    pub(super) fn collection(&self, name_or_id: &str) -> Option<Arc<Collection>> {
        match self.names {
            Names::Schema(schema) => schema.collection(name_or_id),
            Names::Simple { .. } => None,
        }
    }

    /// The plain column of a field.
    fn column(&self, frame: &Frame, place: &Place, field: &Field) -> Resolved {
        let (node, column) = (place.node, field.name.clone());
        let multi = self.is_multi(frame, node);
        if field.class == Class::Json {
            let expr = Expr::Json { node, column, path: Vec::new() };
            return Resolved::of(expr, NullPref::Disabled, Affinity::None).multi(multi);
        }
        // spec §5.4: a submitted row has no affinities.
        let is_draft = frame.draft && node == frame.root;
        let affinity = if is_draft { Affinity::None } else { field.affinity };
        Resolved::of(Expr::Column { node, column }, NullPref::Auto, affinity).multi(multi)
    }

    /// The end of a path: a column with its modifier (spec §7).
    pub(super) fn leaf(
        &mut self,
        frame: &Frame,
        place: &Place,
        field: &Field,
        modifier: Option<Modifier>,
    ) -> Result<Resolved, ErrorKind> {
        let node = place.node;
        let mut resolved = match modifier {
            Some(Modifier::Length) if is_list(field.class) => {
                let expr = Expr::Length { node, column: field.name.clone() };
                Resolved::of(expr, NullPref::Auto, Affinity::None).multi(self.is_multi(frame, node))
            }
            Some(Modifier::Each) if is_list(field.class) => {
                let kind = NodeKind::Each { parent: node, column: field.name.clone() };
                let node = self.join(frame, kind, None, field.multiple)?;
                Resolved::of(Expr::Element { node }, NullPref::Auto, Affinity::None)
                    .multi(self.is_multi(frame, node))
            }
            Some(Modifier::Lower) => lower(self.column(frame, place, field)),
            Some(Modifier::Length | Modifier::Each | Modifier::Isset | Modifier::Changed)
            | None => self.column(frame, place, field),
        };
        let is_email = place.collection.kind == CollectionKind::Auth && field.name == "email";
        if is_email && !frame.flags.hidden_allowed {
            resolved.guards.push(node);
        }
        Ok(resolved)
    }
}

/// `LOWER(…)`: no affinity, the rest stays.
pub(super) fn lower(mut resolved: Resolved) -> Resolved {
    resolved.operand.expr = Expr::Lower(Box::new(resolved.operand.expr));
    resolved.operand.affinity = Affinity::None;
    resolved
}

/// Classes with `:each` and `:length`.
pub(super) fn is_list(class: Class) -> bool {
    matches!(class, Class::Select | Class::File | Class::Relation)
}

pub(super) fn check_visible(frame: &Frame, field: &Field) -> Result<(), ErrorKind> {
    if field.hidden && !frame.flags.hidden_allowed {
        return Err(ErrorKind::HiddenField(field.name.clone()));
    }
    Ok(())
}

/// spec §6.4: integers are indexes, colons vanish.
pub(super) fn json_path(segments: &[&str]) -> Vec<JsonSeg> {
    let step = |segment: &&str| {
        let is_number = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && segment.parse::<i64>().is_ok() {
            return JsonSeg::Index(segment.parse().unwrap_or(u32::MAX));
        }
        JsonSeg::Key(segment.replace(':', ""))
    };
    segments.iter().map(step).collect()
}

/// `collection_via_field`; the last `_via_` splits.
pub(super) fn split_back(segment: &str) -> Option<(&str, &str)> {
    let (collection, field) = segment.rsplit_once("_via_")?;
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_word);
    (is_name(collection) && is_name(field)).then_some((collection, field))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
