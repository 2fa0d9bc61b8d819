//! Any text gives an AST or an error; an AST prints as text that parses back to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(ast) = filter_lang::parse(text) {
        let printed = ast.to_string();
        let again = filter_lang::parse(&printed).expect("a printed AST parses");
        assert_eq!(printed, again.to_string(), "print ∘ parse is stable");
    }
});
