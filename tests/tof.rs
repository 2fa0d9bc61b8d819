//! TOF sign-in: envelopes, signatures, replays, mapping.
