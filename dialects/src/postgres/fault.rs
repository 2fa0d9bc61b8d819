//! Codes of PostgreSQL → facts. Must not hold sentences for clients.

use crate::idiom::Fault;

/// Reads a PostgreSQL SQLSTATE and the constraint name of the error.
#[must_use]
pub fn fault(sqlstate: &str, constraint: Option<&str>) -> Fault {
    match sqlstate {
        "23505" => Fault::Unique { columns: Vec::new(), index: constraint.map(str::to_owned) },
        "40001" | "40P01" | "55P03" => Fault::Busy,
        "57014" => Fault::Timeout,
        "57P01" | "57P02" | "57P03" => Fault::Disconnected,
        s if s.starts_with("23") => Fault::Constraint,
        s if s.starts_with("08") => Fault::Disconnected,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{fault as postgres, *};

    #[test]
    fn sqlstates_are_classified() {
        for (state, want) in [
            ("40001", Fault::Busy),
            ("57014", Fault::Timeout),
            ("23502", Fault::Constraint),
            ("08006", Fault::Disconnected),
            ("42P01", Fault::Other),
        ] {
            assert_eq!(postgres(state, None), want, "{state}");
        }
        assert_eq!(
            postgres("23505", Some("posts_pkey")),
            Fault::Unique { columns: vec![], index: Some("posts_pkey".into()) }
        );
    }
}
