//! Bridges between the reference's engine and ours (spec extending §1.14): dates, collation, JSON.

use std::{cmp::Ordering, sync::LazyLock};

use icu_collator::{Collator, CollatorBorrowed, CollatorPreferences, options::CollatorOptions};
use rquickjs::{Ctx, Function, Result};

use super::dates::{self, Parsed};

/// The order of the root locale; without it, that of code points.
static ROOT: LazyLock<Option<CollatorBorrowed<'static>>> = LazyLock::new(|| {
    Collator::try_new(CollatorPreferences::default(), CollatorOptions::default()).ok()
});

/// `a.localeCompare(b)`
fn compare(a: &str, b: &str) -> i32 {
    let order = ROOT.as_ref().map_or_else(|| a.cmp(b), |root| root.compare(a, b));
    match order {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

/// A point in time and 0, a wall clock alone, or nothing.
#[allow(clippy::cast_precision_loss, reason = "dates of scripts are doubles")]
fn parse(text: &str) -> Option<Vec<f64>> {
    dates::parse(text).map(|parsed| match parsed {
        Parsed::At(millis) => vec![millis as f64, 0.0],
        Parsed::Local(millis) => vec![millis as f64],
    })
}

/// Puts them into a new context.
pub(crate) fn bridge(cx: &Ctx<'_>) -> Result<()> {
    let bridge: Function<'_> = cx.eval(include_str!("engine.js"))?;
    let parse = Function::new(cx.clone(), |text: String| parse(&text))?;
    let compare = Function::new(cx.clone(), |a: String, b: String| compare(&a, &b))?;
    bridge.call((parse, compare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_as_the_reference_does() {
        let want = [
            " ", "_", "-", ",", ".", "$", "€", "1", "10", "2", "a", "A", "á", "ä", "Ä", "a 1",
            "a-1", "a1", "A1", "ae", "æ", "b", "B", "co-op", "CO-OP", "coop", "e", "E", "é", "i",
            "I", "laka", "łąka", "n", "ñ", "o", "ø", "resume", "Resume", "résumé", "ss", "ß",
            "x y", "x_y", "xy", "z", "Z", "α", "я", "あ", "中",
        ];
        let mut got = want;
        got.reverse();
        got.sort_by_key(|text| text.len());
        got.sort_by(|a, b| compare(a, b).cmp(&0));
        assert_eq!(got, want);
        assert_eq!((compare("a", "a"), compare("b", "a")), (0, 1));
    }
}
