//! The values that rows, literals and requests are made of: few enough to meet, odd enough to matter.

use std::sync::LazyLock;

use crate::rng::Rng;

pub(crate) const TEXTS: &[&str] = &[
    "",
    "1",
    "1.0",
    "5",
    "a",
    "A",
    "ab",
    "a_b",
    "axb",
    "100%",
    r"c\d",
    "true",
    "null",
    "x",
    "ä",
    "10",
    " 2",
    "0",
    "2024-02-29 13:14:15.678Z",
    "2023-01-02",
    "[]",
    "\"",
];
/// Texts with words.
pub(crate) const SENTENCES: &[&str] = &[
    "The quick brown fox",
    "brown-fox, QUICK! the",
    "ÄRGER über Fox",
    "ärger_FOX 3.5",
    "Жук и жУК",
    "日本語 テキスト",
    "naïve e\u{301}t\u{e9} fox\u{2019}s",
    "quick\nbrown",
    "x² fox 1️⃣ 🦊fox🦊",
    "fox",
    "the the the",
];
/// What the sentences are searched for.
pub(crate) const QUERIES: &[&str] = &[
    "fox",
    "FOX quick",
    "\"brown fox\"",
    "\"quick brown\"",
    "-fox",
    "fox -quick",
    "brown or жук",
    "the -\"quick brown\" or 3.5",
    "ärger",
    "arger",
    "日本語",
    "x²",
    "e\u{301}t\u{e9}",
    "été",
    "a",
    "1",
    "a or b or x",
    "",
    "...",
    "fo",
    "über-fox",
    "2024",
    "the the",
    "1️⃣",
    "🦊",
    "s",
    "\u{301}",
];
pub(crate) const OPTIONS: &[&str] = &["a", "b", "c", "1", "x y"];
pub(crate) const DATES: &[&str] = &[
    "",
    "2024-02-29 13:14:15.678Z",
    "2023-12-31 23:59:59.999Z",
    "2022-10-01 12:00:00.000Z",
    "1999-01-31 00:00:00.000Z",
];
pub(crate) const NUMBERS: &[f64] =
    &[0.0, 1.0, 2.0, -1.0, 1.5, 10.0, 100.0, 0.1, 1e21, 45.0, -0.5, 1e-7];
const JSON: &[&str] = &[
    "null",
    "true",
    "false",
    "1",
    "2.5",
    "\"a\"",
    "\"1\"",
    "\"\"",
    "[]",
    "[\"a\"]",
    "[1,2]",
    r#"[1,"a",null,{"k":"v"}]"#,
    r#"{"a":1,"b":{"c":"x"}}"#,
    r#"{"a":"x"}"#,
    r#"{"a":[1,"y"],"b":null}"#,
    r#"{"5":"five","a":true}"#,
    "{}",
    r#"{"a":""}"#,
    r#"{"a":{"b":{"c":2}}}"#,
];
/// JSON at its edges: numbers, numbers as text, odd keys, missing beside null, escapes, blanks, duplicates.
const JSON_EDGES: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "0.1",
    "1e308",
    "-1e-7",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "\"0.1\"",
    "\" 1\"",
    "\"1e0\"",
    "\"9007199254740993\"",
    "\"null\"",
    "\"[]\"",
    "\"ä \\u00e4\\n\"",
    r#"{"a":0.1}"#,
    r#"{"a":1e308,"b":-1e308}"#,
    r#"{"a":-0,"b":-0.0}"#,
    r#"{"a":9007199254740993,"b":9007199254740992}"#,
    r#"{"a":9223372036854775807,"b":9223372036854775808,"n":-9223372036854775808}"#,
    r#"{"a":0.1000000000000000055,"b":1.10,"n":1e2}"#,
    r#"{"a":1e400,"b":1e-400,"n":1E2}"#,
    r#"{"a":18446744073709551616,"b":123456789012345678901234567890}"#,
    r#"{"a":"0.1","b":"007","n":" 2 "}"#,
    r#"{"a":"1e308","b":"-0","n":"1.0"}"#,
    r#"{"":1,"a":2}"#,
    r#"{"a.b":1,"a":{"b":2}}"#,
    r#"{"a\"b":1,"c'd":2,"a":"q"}"#,
    r#"{"ä":1,"日本":{"a":2},"a":3}"#,
    r#"{"\u0061":"escaped","b":"\u00e4\ud83d\ude00"}"#,
    r#"{"a":null}"#,
    r#"{"b":null,"a":[null]}"#,
    r#"{"a":[]}"#,
    r#"{"a":{}}"#,
    r#"[[]]"#,
    r#"[[[1,[2,[3]]]],[[4]]]"#,
    r#"[{"a":[{"a":{"a":"deep"}}]},{"a":1}]"#,
    r#"{"a":[[1,2],[3,{"a":[4]}]]}"#,
    r#"{"a":{"a":{"a":{"a":{"a":1}}}}}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":{"b":1},"b":0,"a":{"c":2}}"#,
    r#" { "b" : [ 1 , "x y" ] , "a" : "z" } "#,
    r#"[true,false,null,"",0,"0"]"#,
    r#"[1.0,1,"1","1.0"]"#,
    r#"{"0":"zero","1":{"0":1},"a":{"1":"one"}}"#,
    r#"{"A":"upper","a":"lower"}"#,
    r#"{"a":"50%_\\"}"#,
    r#"{"a":0.10000000000000001,"b":7.0000000000000001,"n":"0.10000000000000001"}"#,
    r#"{"a":1.00000000000000000001,"b":[0.00000000000000000000],"n":1e-320}"#,
    r#"{"a":0.30000000000000004,"b":0.300000000000000044,"n":7}"#,
    r#"{"a":9007199254740993.0,"b":1152921504606847000.0,"n":-9223372036854775808.5}"#,
    r#"[7.0000000000000001,7,"7"]"#,
    "7.00000000000000001",
];
/// Numbers that the documents above hold, as a filter writes them.
pub(crate) const HELD_NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "4",
    "2.5",
    "0.1",
    "1.1",
    "100",
    "-0",
    "1.0",
    "0.10000000000000001",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.30000000000000004",
    "7",
];
/// Texts that the documents above hold.
pub(crate) const HELD_TEXTS: &[&str] = &[
    "a", "x", "y", "z", "v", "q", "", "1", "zero", "one", "deep", "five", "lower", "escaped", "[]",
    "[1,2]", "{}", "x y", "0.1", "007", "null", "ä😀",
];
pub(crate) const POINTS: &[&str] = &[
    r#"{"lon":0,"lat":0}"#,
    r#"{"lon":10,"lat":2.5}"#,
    r#"{"lon":23.32,"lat":42.69}"#,
    r#"{"lon":5,"lat":-10}"#,
    r#"{"lon":-1.5e-7,"lat":1e-10}"#,
];

/// The text of some JSON value; now and then one nested 900 deep.
pub(crate) fn json_text(rng: &mut Rng) -> &'static str {
    static DEEP: LazyLock<[String; 2]> = LazyLock::new(|| {
        [("[", "1", "]"), (r#"{"a":"#, r#"[0,""]"#, "}")]
            .map(|(open, inner, close)| open.repeat(900) + inner + &close.repeat(900))
    });
    if rng.chance(2) {
        return &DEEP[rng.below(2)];
    }
    let list = if rng.chance(40) { JSON } else { JSON_EDGES };
    list[rng.below(list.len())]
}
