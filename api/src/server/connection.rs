//! One connection: HTTP/1.1 or HTTP/2 over a stream with time limits, from accept to the last byte.
//!
//! Must not route or answer by itself; that is [`super::answer`].
//! Source: spec server-settings-operations §1.4, §1.6.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use engine::realtime::{Client, Ended};
use http::header;
use http_body::{Body as _, Frame, SizeHint};
use hyper::{body::Incoming, service::service_fn, upgrade::OnUpgrade};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Notify,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    answer,
    request_line::{BodyLength, Encoded},
};
use crate::{
    api::Api,
    clock::{Clock, Guard, Timed, Times},
    metrics::InFlight,
    response::Body,
    sse::EventStream,
    streaming::Upgrade,
};

/// Most bytes of a request head; also of what is buffered of an answer.
const MAX_HEAD: usize = 1 << 20;
/// Most requests at a time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 250;
/// How often an HTTP/2 peer is asked whether it is still there.
const PING: std::time::Duration = std::time::Duration::from_secs(60);

/// What an event stream gets beyond its time to end by itself.
const MARGIN: Duration = Duration::from_secs(5);

/// When connections end: `stop` asks them to finish, `kill` ends them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends {
    pub(crate) stop: CancellationToken,
    pub(crate) kill: CancellationToken,
}

/// What all connections of a listener share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) times: Times,
    pub(crate) ends: Ends,
    http1: hyper::server::conn::http1::Builder,
    http2: hyper::server::conn::http2::Builder<TokioExecutor>,
}

impl Shared {
    pub(crate) fn new(api: Api, times: Times, ends: Ends) -> Self {
        let mut http1 = hyper::server::conn::http1::Builder::new();
        // the time limits are those of `Timed`
        http1.header_read_timeout(None).max_buf_size(MAX_HEAD).title_case_headers(true);
        let mut http2 = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .keep_alive_interval(PING);
        Self { api, times, ends, http1, http2 }
    }

    /// The stream with its time limits.
    pub(crate) fn timed(&self, stream: TcpStream) -> (Timed<TcpStream>, Arc<Clock>) {
        // a missing TCP_NODELAY only costs time
        let _ = stream.set_nodelay(true);
        let clock = Clock::new(self.times);
        (Timed::new(stream, clock.clone()), clock)
    }

    /// HTTP/1.1 until the connection ends.
    pub(crate) async fn http1<S>(&self, stream: S, clock: Arc<Clock>, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let reader = Reader::default();
        let upgraded = Mutex::default();
        let length = Arc::new(BodyLength::new());
        let stream = TokioIo::new(Encoded::new(stream, length.clone()));
        let service = service_fn(|request: http::Request<Incoming>| {
            // behind the head of an upgrade may be anything
            let is_upgrade = request.headers().contains_key(header::UPGRADE);
            let size = request.body().size_hint().exact();
            length.tell(if is_upgrade { None } else { size });
            self.serve(request, &clock, remote, &reader, &upgraded)
        });
        // in a block: whoever waits for what becomes of the connection must not wait for one that broke off
        {
            let connection = pin!(self.http1.serve_connection(stream, service).with_upgrades());
            tokio::select! {
                () = self.drive(connection, |connection| connection.graceful_shutdown()) => {}
                () = reader.stopped() => tracing::debug!("closed a connection that does not read"),
            }
        }
        let upgraded = upgraded.lock().take();
        if let Some(upgraded) = upgraded {
            Box::pin(self.no_longer_http(upgraded, &clock)).await;
        }
    }

    /// The connection after a 101.
    async fn no_longer_http(
        &self,
        (connection, upgrade): (OnUpgrade, Upgrade),
        clock: &Arc<Clock>,
    ) {
        let work = async {
            if let Ok(io) = connection.await {
                upgrade.run(io).await;
            }
        };
        let guard = clock.begin();
        clock.extend(None);
        tokio::select! {
            () = work => {}
            () = self.ends.stop.cancelled() => {}
        }
        drop(guard);
    }

    /// HTTP/2 until the connection ends.
    pub(crate) async fn http2<S>(self: Arc<Self>, stream: S, clock: Arc<Clock>, remote: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        clock.multiplex();
        let shared = self.clone();
        let service = service_fn(move |request| {
            let (shared, clock) = (shared.clone(), clock.clone());
            async move {
                let limit = shared.times.request;
                let reader = Reader::default();
                let none = Mutex::default();
                let mut served = pin!(shared.serve(request, &clock, remote, &reader, &none));
                loop {
                    match tokio::time::timeout(limit, served.as_mut()).await {
                        Ok(response) => return response.map_err(|never| match never {}),
                        Err(_) if clock.is_unlimited() => {}
                        Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut)),
                    }
                }
            }
        });
        let connection = pin!(self.http2.serve_connection(TokioIo::new(stream), service));
        self.drive(connection, |connection| connection.graceful_shutdown()).await;
    }

    /// Pinned by the caller: passed by value, a connection would have its room once more in each future it goes through,
    /// and that is most of what an idle one costs.
    async fn drive<C, E>(&self, mut connection: Pin<&mut C>, shut_down: impl FnOnce(Pin<&mut C>))
    where
        C: Future<Output = Result<(), E>>,
    {
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended.is_ok(),
            () = self.ends.stop.cancelled() => {
                shut_down(connection.as_mut());
                tokio::select! {
                    ended = connection => ended.is_ok(),
                    () = self.ends.kill.cancelled() => false,
                }
            }
        };
        if !ended {
            tracing::debug!("a connection broke off");
        }
    }

    async fn serve(
        &self,
        mut request: http::Request<Incoming>,
        clock: &Arc<Clock>,
        remote: SocketAddr,
        reader: &Reader,
        upgraded: &Mutex<Option<(OnUpgrade, Upgrade)>>,
    ) -> Result<http::Response<Tracked>, Infallible> {
        let is_upgrade = request.headers().contains_key(header::UPGRADE);
        let connection = is_upgrade.then(|| hyper::upgrade::on(&mut request));
        let guard = clock.begin();
        let in_flight = self.api.metrics().begin();
        // hyper keeps the room of this future as long as the connection lives; what is behind the box goes with the answer
        let response = Box::pin(answer(&self.api, request, remote, clock)).await;
        let (parts, mut body) = response.into_parts();
        if let Body::Upgrade(_) = &body
            && let Body::Upgrade(upgrade) = std::mem::replace(&mut body, Body::Empty)
            && parts.status == http::StatusCode::SWITCHING_PROTOCOLS
        {
            *upgraded.lock() = connection.map(|connection| (connection, upgrade));
        }
        if let Body::Events(events) = &body {
            reader.set(events);
        }
        let is_any = matches!(body, Body::Any(_));
        let is_events = (is_any || matches!(body, Body::Stream(_) | Body::Events(_)))
            && parts
                .headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        let stopped = is_events.then(|| {
            // a foreign stream has its time anew with each piece
            if !is_any {
                guard.clock().extend(None);
            }
            Box::pin(self.ends.stop.clone().cancelled_owned())
        });
        let body = Tracked { body, stopped, guard, _in_flight: in_flight };
        Ok(http::Response::from_parts(parts, body))
    }
}

/// The realtime client at the other end of a connection, if there is one. While its socket is full, nothing drives
/// its stream: somebody else must see that it does not read.
#[derive(Default)]
struct Reader {
    client: Mutex<Option<(Arc<Client>, Duration)>>,
    is_set: Notify,
}

impl Reader {
    fn set(&self, events: &EventStream) {
        *self.client.lock() = Some((events.client().clone(), events.time_left() + MARGIN));
        self.is_set.notify_one();
    }

    /// Waits until the client has stopped reading, or its stream outlives its time.
    async fn stopped(&self) {
        loop {
            self.is_set.notified().await;
            let Some((client, time)) = self.client.lock().take() else { continue };
            match tokio::time::timeout(time, client.ended()).await {
                Ok(Ended::Gone) => {}
                Ok(Ended::Stalled) | Err(_) => return,
            }
        }
    }
}

/// A body that keeps its request open; event streams end when the server stops.
#[derive(Debug)]
pub(crate) struct Tracked {
    body: Body,
    stopped: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    guard: Guard,
    _in_flight: InFlight,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        if frame.is_ready() && matches!(this.body, Body::Any(_)) {
            this.guard.clock().moved();
        }
        if frame.is_pending()
            && let Some(stopped) = &mut this.stopped
            && stopped.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
