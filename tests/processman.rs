//! The process manager: supervision, groups, logs, children that misbehave.
