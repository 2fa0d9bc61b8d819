//! Mails: the message and its addresses.

pub use engine::event::{Address, Message};
