//! What the language has, for completion and documentation: asked of the places that decide, so that something new is
//! known here by itself.

use std::sync::Arc;

use crate::{
    Resolver,
    ast::sign,
    date_macro,
    plan::Op,
    resolve::{Flags, MODIFIERS},
    schema::{Class, Collection, CollectionKind, Field, Schema},
    scope::Scope,
    value::{Affinity, Value},
};

/// An operator in both spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// As it is written.
    pub sign: &'static str,
    /// The form for which one of several values is enough.
    pub any: &'static str,
    /// What it asks.
    pub doc: &'static str,
}

/// All operators.
#[must_use]
pub fn operators() -> Vec<Operator> {
    let all = [
        (Op::Eq, "is"),
        (Op::Ne, "is not"),
        (Op::Gt, "is greater than"),
        (Op::Ge, "is at least"),
        (Op::Lt, "is less than"),
        (Op::Le, "is at most"),
        (Op::Like, "contains, or matches where it has a %"),
        (Op::NotLike, "does not contain"),
    ];
    all.map(|(op, doc)| Operator { sign: sign(op, false), any: sign(op, true), doc }).into()
}

/// The names of all macros with their values at a moment.
#[must_use]
pub fn macros(now_ms: i64) -> Vec<(&'static str, Value)> {
    let value = |name: &&'static str| Some((*name, date_macro::value(name, now_ms)?));
    date_macro::NAMES.iter().filter_map(value).collect()
}

/// All functions: name, parameters, what they give, what they are for.
#[must_use]
pub fn functions() -> Vec<[&'static str; 4]> {
    crate::func::help()
}

struct Only(Arc<Collection>);

impl Schema for Only {
    fn collection(&self, name_or_id: &str) -> Option<Arc<Collection>> {
        [&self.0.id, &self.0.name].into_iter().any(|own| own == name_or_id).then(|| self.0.clone())
    }
}

/// The modifiers that a field of a class may have: those of the record's, and those of a submitted value.
#[must_use]
pub fn modifiers(class: Class, multiple: bool) -> (Vec<&'static str>, Vec<&'static str>) {
    let field = Field {
        name: "f".into(),
        class,
        hidden: false,
        multiple,
        target: (class == Class::Relation).then(|| "c".into()),
        affinity: Affinity::Text,
    };
    let collection = Arc::new(Collection {
        id: "c".into(),
        name: "c".into(),
        kind: CollectionKind::Base,
        list_rule: None,
        fields: vec![field],
        unique_fields: Vec::new(),
        indexed_fields: Vec::new(),
        full_text: Vec::new(),
    });
    let scope = Scope { hidden_allowed: true, request: Some(Arc::default()), ..Scope::default() };
    let schema = Only(collection.clone());
    let resolved = |path: &str| {
        let ast = crate::parse(path).ok()?;
        let mut resolver = Resolver::new(&schema, collection.clone(), &scope);
        Some(resolver.sides(&ast, Flags::RULE).ok()?.first()?.left.clone())
    };
    // Some are accepted everywhere and mean nothing.
    let may = |path: &str, name: &str| {
        let with = resolved(&format!("{path}:{name} = 1"));
        with.is_some() && with != resolved(&format!("{path} = 1"))
    };
    let of = |path: &str| MODIFIERS.into_iter().filter(|name| may(path, name)).collect();
    (of("f"), of("@request.body.f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_describes_what_is() {
        assert_eq!(macros(0).len(), date_macro::NAMES.len(), "every macro has a value");
        assert_eq!(functions().len(), crate::func::names().count());
        let text = |class, multiple| {
            let (own, body) = modifiers(class, multiple);
            format!("{} | {}", own.join(" "), body.join(" "))
        };
        assert_eq!(text(Class::Text, false), "lower | isset changed lower");
        assert_eq!(
            text(Class::Select, true),
            "length each lower | isset changed length each lower"
        );
        assert!(!text(Class::Number, false).contains("each"));
    }
}
