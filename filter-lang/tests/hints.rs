//! Hints at usual mistakes, expression by expression.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Memory, fixture};
use filter_lang::{Error, hint, parse, resolve, schema::Schema, scope::Scope};

fn hints(memory: &Memory, filter: &str) -> Vec<String> {
    let base = memory.collection("demo1").unwrap();
    let ast = parse(filter).unwrap();
    resolve(memory, base.clone(), &ast, &Scope { hidden_allowed: true, ..Scope::default() })
        .unwrap();
    hint::of_filter(memory, &base, &ast).iter().map(ToString::to_string).collect()
}

#[test]
fn accepted_expressions() {
    let memory = fixture();
    for (filter, parts) in [
        ("text = 'a' && number > 1", &[][..]),
        ("text ?= 'a'", &[]),
        ("rel_one = 'a'", &[]),
        ("rel_one ?= 'a'", &[]),
        ("rel_one.text = 'a'", &[]),
        ("select_many = '[]'", &[]),
        ("select_many ~ 'optionA'", &[]),
        ("select_many:length > 1", &[]),
        ("select_many:each ?= 'a'", &[]),
        ("select_many:each != 'a'", &[]),
        ("select_many:each ?= 'a' || select_many:each ?= 'b'", &[]),
        ("rel_many.id ?= 'a' && rel_many.name ?= 'b'", &[]),
        ("@request.auth.id = 'a'", &[]),
        ("select_many ?= 'optionA'", &["`select_many:each ?= 'optionA'`"]),
        ("'optionA' = select_many", &["`select_many:each ?= 'optionA'`"]),
        ("select_many != 'optionA'", &["`select_many:each != 'optionA'`"]),
        ("select_many = ''", &["`select_many:length = 0`"]),
        ("rel_many ?= 'x'", &["`rel_many.id ?= 'x'`"]),
        ("rel_many = @request.auth.id", &["`rel_many.id ?= @request.auth.id`"]),
        ("rel_one.rel_many ?= 'x'", &["`rel_one.rel_many.id ?= 'x'`"]),
        ("rel_many.name = 'x'", &["with `?=` one is enough"]),
        ("rel_many.name ~ 'x'", &["with `?~` one is enough"]),
        ("demo1_via_rel_one.text = 'x'", &["with `?=` one is enough"]),
        ("@collection.users.name = 'x'", &["with `?=` one is enough"]),
        ("select_many:each = 'a'", &["with `?=` one is enough"]),
        (
            "select_many:each ?= 'a' && text = '' && select_many:each ?= 'b'",
            &["`select_many ~ '\"a\"' && select_many ~ '\"b\"'`"],
        ),
        (
            "rel_many.id ?= 'a' && rel_many.id ?= 'b'",
            &["`rel_many ~ '\"a\"' && rel_many ~ '\"b\"'`"],
        ),
        ("rel_many.name ?= 'a' && rel_many.name ?= 'b'", &["cannot be 'a' and 'b'"]),
        (
            "text = '' || (select_many ?= 'a' && rel_many ?= 'b')",
            &["select_many:each", "rel_many.id"],
        ),
    ] {
        let got = hints(&memory, filter);
        assert_eq!(got.len(), parts.len(), "{filter}: {got:?}");
        for (got, part) in got.iter().zip(parts) {
            assert!(got.contains(part), "{filter}: {got}");
        }
    }
}

#[test]
fn refused_expressions() {
    let memory = fixture();
    let base = memory.collection("demo1").unwrap();
    let refused = |filter: &str| -> Error {
        let scope = Scope::default();
        parse(filter).and_then(|ast| resolve(&memory, base.clone(), &ast, &scope)).unwrap_err()
    };
    for (filter, part) in [
        ("text == 'a'", Some("`=` compares")),
        ("text <> 'a'", Some("`!=`")),
        ("text = 'a' and number = 1", Some("`&&` and `||`")),
        ("text = 'a' OR number = 1", Some("`&&` and `||`")),
        ("text = 'a' & number = 1", Some("`&&` and `||`")),
        ("text like 'a'", Some("`~`")),
        ("text in 'a'", Some("comparisons only")),
        ("text = active", Some("`'active'`")),
        ("text.x = 'a'", Some("`text` does not")),
        ("text:trim = 'a'", Some("`:each`")),
        ("text = ", None),
        ("nope.x = 1", None),
    ] {
        let error = refused(filter);
        let hint = hint::of_error(&error);
        assert_eq!(hint.is_some(), part.is_some(), "{filter}: {error} {hint:?}");
        if let (Some(hint), Some(part)) = (&hint, part) {
            assert!(hint.contains(part), "{filter}: {hint}");
        }
    }
}
