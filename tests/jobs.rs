//! Jobs: at least once, in order, over several nodes, with servers that end at any moment.
