//! JSON as the wire has it, and the loose casts.
/// `%g` of Go.
#[must_use]
pub fn format_g(x: f64) -> String {
    x.to_string()
}
