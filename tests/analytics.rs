//! Analytics: intake, aggregation over nodes, statistics, retention.
