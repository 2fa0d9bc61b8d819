//! A realtime client's stream as a response body: no task of its own, driven by the connection that reads it.
//!
//! Must not know records or rules. Source: spec records-files-realtime-batch §5.1, server-settings-operations §8.3.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use engine::{
    App, Error,
    ctx::{Caller, Ctx, RequestInfo},
    event::{Ext, RealtimeMessageEvent},
    hook::Slot,
    realtime::{Broker, Client, Message},
};
use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep};

/// Bytes of messages that are sent as one piece.
const PIECE: usize = 64 * 1024;
/// Messages that are sent as one piece.
const MESSAGES: usize = 256;
/// Larger messages are sent as they are, not copied.
const COPY: usize = 16 * 1024;

/// How long a stream may last.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Without a message.
    pub idle: Duration,
    /// At all.
    pub max: Duration,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(5 * 60), max: Duration::from_secs(30 * 60) }
    }
}

/// The stream of one client; dropping it disconnects the client.
pub struct EventStream {
    broker: Broker,
    client: Arc<Client>,
    app: App,
    caller: Caller,
    request: Option<Arc<RequestInfo>>,
    ext: Ext,
    idle: Duration,
    last: Instant,
    end: Instant,
    timer: Pin<Box<Sleep>>,
    /// The rest of a message whose first line was sent.
    rest: Option<Bytes>,
    /// A message in the hands of hooks.
    hooked: Option<BoxFuture<'static, Result<Option<Bytes>, Error>>>,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.broker.unregister(&self.client);
    }
}

impl EventStream {
    /// Registers a client and greets it. `ext` is what hooks see of the request.
    #[must_use]
    pub fn open(ctx: Ctx, client: Arc<Client>, ext: impl Into<Ext>, limits: StreamLimits) -> Self {
        let broker = ctx.app.realtime().clone();
        broker.register(&client);
        let hello = format!("{{\"clientId\":\"{}\"}}", client.id());
        client.send(Message::new("PB_CONNECT", hello));
        let now = Instant::now();
        // far away, not endless: sums must not overflow
        let day = Duration::from_secs(24 * 60 * 60);
        let (idle, max) = (limits.idle.min(day), limits.max.min(day));
        Self {
            broker,
            client,
            app: ctx.app.clone(),
            caller: ctx.caller,
            request: ctx.request,
            ext: ext.into(),
            idle,
            last: now,
            end: now + max,
            timer: Box::pin(tokio::time::sleep(idle.min(max))),
            rest: None,
            hooked: None,
        }
    }

    /// Whose stream it is.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }
    /// How long it may still last.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// The next piece of the stream.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(rest));
        }
        loop {
            if let Some(hooked) = &mut self.hooked {
                match hooked.as_mut().poll(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(%error, "realtime: a hook closed the connection");
                        return Poll::Ready(None);
                    }
                    Poll::Ready(Ok(piece)) => {
                        self.hooked = None;
                        self.last = Instant::now();
                        match piece {
                            Some(piece) => return Poll::Ready(Some(piece)),
                            None => continue,
                        }
                    }
                }
            }
            let has_hooks = !self.app.hooks().realtime_message_send.is_empty();
            let max = if has_hooks { 1 } else { MESSAGES };
            match self.client.poll_take(cx, max, PIECE) {
                Poll::Pending => break,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(messages)) => match &messages[..] {
                    [message] if has_hooks => self.hooked = Some(self.through_hooks(message)),
                    messages => {
                        self.last = Instant::now();
                        return Poll::Ready(Some(self.encode(messages)));
                    }
                },
            }
        }
        self.poll_timer(cx)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let due = (self.last + self.idle).min(self.end);
            if due <= Instant::now() {
                return Poll::Ready(None);
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }

    fn encode(&mut self, messages: &[Arc<Message>]) -> Bytes {
        let id = self.client.id();
        if let [message] = messages
            && message.tail().len() > COPY
        {
            self.rest = Some(message.tail().clone());
            return format!("id:{id}\n").into();
        }
        let len: usize = messages.iter().map(|m| m.tail().len() + id.len() + 4).sum();
        let mut out = BytesMut::with_capacity(len);
        for message in messages {
            write(&mut out, id, message);
        }
        out.freeze()
    }

    /// Runs the hooks around a message; what the last step leaves is sent.
    fn through_hooks(&self, message: &Message) -> BoxFuture<'static, Result<Option<Bytes>, Error>> {
        // a stream lasts long: each message has a context with the collections of its time
        let event = RealtimeMessageEvent {
            ctx: Ctx::new(&self.app, self.caller.clone(), self.request.clone()),
            client: self.client.clone(),
            name: Slot::new(message.name().to_string()),
            data: Slot::new(message.data().clone()),
            ext: self.ext.clone(),
        };
        let (app, client) = (self.app.clone(), self.client.clone());
        Box::pin(async move {
            let sent = Arc::new(Slot::new(None));
            let slot = sent.clone();
            app.hooks()
                .realtime_message_send
                .trigger(event, move |event| async move {
                    let message = Message::new(event.name.get(), event.data.get());
                    let mut out = BytesMut::new();
                    write(&mut out, client.id(), &message);
                    slot.set(Some(out.freeze()));
                    Ok(())
                })
                .await?;
            Ok(sent.set(None))
        })
    }
}

fn write(out: &mut BytesMut, id: &str, message: &Message) {
    out.extend_from_slice(b"id:");
    out.extend_from_slice(id.as_bytes());
    out.extend_from_slice(b"\n");
    out.extend_from_slice(message.tail());
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::Ipv4Addr};

    use super::*;

    /// A stream ends after half an hour at the latest, and after five minutes without a message.
    #[tokio::test]
    async fn streams_end() {
        let limits = StreamLimits::default();
        assert_eq!((limits.idle.as_secs(), limits.max.as_secs()), (5 * 60, 30 * 60));
        let dir = tempfile::tempdir().expect("a directory");
        let config = engine::app::Config::new(dir.path());
        let app = App::bootstrap(config, engine::event::Hooks::default()).await.expect("an app");
        let limits =
            StreamLimits { idle: Duration::from_millis(200), max: Duration::from_millis(900) };
        for (talks, least, most) in [(false, 200, 800), (true, 900, 5_000)] {
            let client = app.realtime().new_client(Ipv4Addr::LOCALHOST.into());
            let mut stream =
                EventStream::open(Ctx::system(&app), client.clone(), Arc::new(()), limits);
            let start = Instant::now();
            let talking = async {
                loop {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    if talks {
                        client.send(Message::new("news", "{}"));
                    }
                }
            };
            let reading = async { while poll_fn(|cx| stream.poll(cx)).await.is_some() {} };
            tokio::select! {
                () = talking => {}
                () = reading => {}
            }
            let lasted = start.elapsed().as_millis();
            assert!((least..most).contains(&lasted), "{lasted}");
            drop(stream);
            assert_eq!(app.realtime().total_clients(), 0);
        }
        app.shutdown(false).await.expect("closed");
    }
}
