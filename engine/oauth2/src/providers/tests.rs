//! Every mapping on answers of the documented shape; the data is in `samples.json` beside this file.

use serde_json::{Map, Value};

use super::{
    super::{provider::Answer, token::Token, view::View},
    ALL,
};

#[test]
fn names_are_unique_and_in_order() {
    let mut names: Vec<_> = ALL.iter().map(|p| p.name).collect();
    assert_eq!((names.first(), names.last()), (Some(&"apple"), Some(&"oidc3")));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
}

#[test]
fn addresses_are_complete() {
    for provider in ALL.iter().filter(|p| p.name != "mailcow" && !p.name.starts_with("oidc")) {
        for url in [provider.auth_url, provider.token_url] {
            assert!(url.starts_with("https://"), "{}: {url}", provider.name);
        }
        let asks = provider.user_info_url.starts_with("https://");
        assert!(asks || provider.name == "apple", "{}", provider.name);
        assert!(!provider.logo().is_empty() && !provider.display_name.is_empty());
    }
}

/// A sample: `provider`, `info`, and `want` (null for a refusal); `token`, `extra`, `emails` where they matter.
#[test]
fn mappings() {
    let samples: Vec<Value> = serde_json::from_str(include_str!("samples.json")).unwrap();
    let mut seen: Vec<&str> = Vec::new();
    let none = Map::new();
    for sample in &samples {
        let name = sample["provider"].as_str().unwrap();
        let provider = super::super::find(name).unwrap_or_else(|| panic!("{name}"));
        let raw: Map<String, Value> = sample["token"].as_object().cloned().unwrap_or_default();
        let token = Token { raw, ..Token::default() };
        let answer = Answer {
            info: View::of(&sample["info"]),
            token: &token,
            extra: sample["extra"].as_object().unwrap_or(&none),
            leeway: 300.0,
        };
        let user = (provider.map)(&answer).ok().and_then(|mut user| {
            if let Some(emails) = provider.emails.as_ref().filter(|_| user.email.is_empty()) {
                user.email = (emails.pick)(View::of(sample.get("emails")?)).ok()?;
            }
            Some(user)
        });
        let got = user.map(|u| {
            serde_json::json!({"id":u.id,"name":u.name,"username":u.username,"email":u.email,"avatar":u.avatar_url})
        });
        assert_eq!(got.unwrap_or_default(), sample["want"], "{name}: {}", sample["info"]);
        seen.push(name);
    }
    for provider in ALL {
        assert!(
            seen.contains(&provider.name) || provider.name.starts_with("oidc"),
            "{}",
            provider.name
        );
    }
}
