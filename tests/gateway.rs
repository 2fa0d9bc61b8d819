//! The gateway: streams, WebSocket, rules, headers, limits, upstreams that misbehave.
