//! Benchmarks: criterion for the hot paths (`benches/`), and the hand-written twin our budgets are measured against.

pub mod twin;
