//! Bodies that are held for rules: together they have a fixed room, and only what has come takes any of it.
//!
//! Must not know rules.

use std::{future::poll_fn, io, pin::Pin};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use pocketbase::web::{Streamed, is_too_large};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most bytes of one body.
pub(crate) const MOST: usize = 1 << 20;
/// Most bytes of all of them, as long as they are on their way.
static ROOM: Semaphore = Semaphore::const_new(64 << 20);

/// A body, and the room that it takes.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    /// Given back when the body has gone.
    _room: Option<SemaphorePermit<'static>>,
}

/// Why a body is not held.
#[derive(Debug)]
pub(crate) enum Refused {
    TooLarge,
    /// There is no room now.
    Full,
    /// The client has broken off, or is too slow.
    Broken(io::Error),
}

/// Reads a body to its end.
///
/// # Errors
/// See [`Refused`].
pub(crate) async fn hold(mut body: Streamed) -> Result<Held, Refused> {
    let mut all = BytesMut::new();
    let mut room: Option<SemaphorePermit<'static>> = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| {
            if is_too_large(&error) { Refused::TooLarge } else { Refused::Broken(error) }
        })?;
        let Ok(piece) = frame.into_data() else { continue };
        if all.len() + piece.len() > MOST {
            return Err(Refused::TooLarge);
        }
        let len = u32::try_from(piece.len()).map_err(|_| Refused::TooLarge)?;
        let more = ROOM.try_acquire_many(len).map_err(|_| Refused::Full)?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
        all.extend_from_slice(&piece);
    }
    Ok(Held { bytes: all.freeze(), _room: room })
}
