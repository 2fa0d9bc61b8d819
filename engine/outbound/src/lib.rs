//! The one HTTP client of the server: OAuth2 providers, avatars, key sets, S3.
//!
//! Every request has time limits and, unless streamed, a size limit. Addresses are judged after they were resolved and
//! the connection goes to a judged address. Private addresses are for what a superuser configured ([`Reach::Configured`]);
//! what a foreign answer points to ([`Reach::Public`]) may not name them. Must not know what it fetches; errors carry no
//! query strings, headers or bodies.

use std::{
    fmt,
    future::Future,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client as Pool,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::Sleep;
use url::Url;

/// A boxed foreign error.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

const USER_AGENT: HeaderValue = HeaderValue::from_static("PocketBase");
/// Where systems keep their trusted certificates; the first that exists is added to the built-in ones.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// How the client is set up; nothing here is read from the environment.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// PEM file with the only trusted roots (`SSL_CERT_FILE`); `None` for the built-in and the system's.
    pub root_file: Option<PathBuf>,
    /// Foreign answers may point to private addresses (`PB_OUTBOUND_PRIVATE=1`).
    pub allow_private: bool,
}

/// Which addresses a request may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Public addresses only: the URL came from a foreign answer.
    #[default]
    Public,
    /// Any address: a superuser configured the URL. Redirects to other origins fall back to [`Reach::Public`].
    Configured,
}

/// What happens with a body above the size limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Excess {
    /// [`Error::TooLarge`].
    #[default]
    Fail,
    /// The rest is ignored.
    Cut,
}

/// The bounds of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Which addresses.
    pub reach: Reach,
    /// From the start to the last byte (streams: to the headers, then between two chunks).
    pub time: Duration,
    /// Largest body of a buffered answer.
    pub max_bytes: usize,
    /// What happens above it.
    pub excess: Excess,
    /// Redirects that are followed.
    pub max_redirects: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reach: Reach::Public,
            time: Duration::from_secs(30),
            max_bytes: 1 << 20,
            excess: Excess::Fail,
            max_redirects: 10,
        }
    }
}

/// Why a request failed. Safe to log.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("invalid URL")]
    Url,
    #[error("the address of {0} is not public")]
    NotPublic(String),
    #[error("no answer in time")]
    Timeout,
    #[error("the answer is too large")]
    TooLarge,
    #[error("too many redirects")]
    Redirects,
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("{0}")]
    Protocol(String),
}

type RequestBody = UnsyncBoxBody<Bytes, BoxError>;
type Connector = HttpsConnector<HttpConnector<Resolver>>;
type Inner = Pool<Connector, RequestBody>;

/// The client. Cheap to clone; connections are made and kept when first needed.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    options: ClientOptions,
    /// One pool per reach: a connection made for one is never used for the other.
    pools: OnceLock<[Inner; 2]>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Client {
    /// A client; does no work yet.
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        Self(Arc::new(Shared { options, pools: OnceLock::new() }))
    }

    /// Sends a request and reads the whole answer. Follows redirects; credentials stay with their origin.
    ///
    /// # Errors
    /// See [`Error`]. Every HTTP status is an answer, not an error.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> Result<Response<Bytes>, Error> {
        let work = Box::pin(self.follow(request, *limits));
        tokio::time::timeout(limits.time, work).await.map_err(|_| Error::Timeout)?
    }

    /// Sends a request whose body and answer are streams without a size limit. Redirects are answers.
    ///
    /// # Errors
    /// See [`Error`]. Later errors come out of the body.
    pub async fn stream<B>(
        &self,
        request: Request<B>,
        limits: &Limits,
    ) -> Result<Response<Stream>, Error>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let taken = Arc::new(AtomicU64::new(0));
        let counter = taken.clone();
        let request = request.map(|body| {
            let counted = body.map_err(Into::into).map_frame(move |frame: Frame<Bytes>| {
                counter.fetch_add(1, Ordering::Relaxed);
                frame
            });
            counted.boxed_unsync()
        });
        let mut work = Box::pin(self.exchange(request, limits.reach));
        let mut seen = 0;
        // The clock starts anew while the other side takes chunks, so uploads may take long.
        loop {
            if let Ok(done) = tokio::time::timeout(limits.time, &mut work).await {
                return done.map(|answer| answer.map(|body| Stream::new(body, limits.time)));
            }
            let now = taken.load(Ordering::Relaxed);
            if std::mem::replace(&mut seen, now) == now {
                return Err(Error::Timeout);
            }
        }
    }

    async fn follow(
        &self,
        mut request: Request<Bytes>,
        mut limits: Limits,
    ) -> Result<Response<Bytes>, Error> {
        let mut left = limits.max_redirects;
        loop {
            let copy = request.clone().map(|body| full(body));
            let response = self.exchange(copy, limits.reach).await?;
            let Some(target) = redirect_target(request.uri(), &response)? else {
                return read(response, &limits).await;
            };
            left = left.checked_sub(1).ok_or(Error::Redirects)?;
            if !same_origin(request.uri(), &target) {
                limits.reach = Reach::Public;
                for name in [header::AUTHORIZATION, header::COOKIE] {
                    request.headers_mut().remove(name);
                }
            }
            redirected(&mut request, response.status(), target);
        }
    }

    async fn exchange(
        &self,
        mut request: Request<RequestBody>,
        reach: Reach,
    ) -> Result<Response<Incoming>, Error> {
        let host = request.uri().host().ok_or(Error::Url)?.to_owned();
        if !matches!(request.uri().scheme_str(), Some("http" | "https")) {
            return Err(Error::Url);
        }
        let open = reach == Reach::Configured || self.0.options.allow_private;
        if let Some(ip) = literal(&host).filter(|ip| !open && !is_public(*ip)) {
            return Err(Error::NotPublic(ip.to_string()));
        }
        request.headers_mut().entry(header::USER_AGENT).or_insert(USER_AGENT);
        let pools = self.0.pools.get_or_init(|| pools(&self.0.options));
        pools[usize::from(open)].request(request).await.map_err(|e| describe(&e))
    }
}

fn full(body: Bytes) -> RequestBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// The host of a URL as an address, if it is one.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Where an answer redirects to.
fn redirect_target<B>(from: &Uri, response: &Response<B>) -> Result<Option<Uri>, Error> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(header::LOCATION) else { return Ok(None) };
    let location = location.to_str().map_err(|_| Error::Url)?;
    let base = Url::parse(&from.to_string()).map_err(|_| Error::Url)?;
    let mut target = base.join(location).map_err(|_| Error::Url)?;
    if base.scheme() == "https" && target.scheme() != "https" {
        return Err(Error::Protocol("a redirect leaves https".into()));
    }
    target.set_fragment(None);
    target.as_str().parse().map(Some).map_err(|_| Error::Url)
}

fn same_origin(a: &Uri, b: &Uri) -> bool {
    let port = |uri: &Uri| {
        uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
    };
    a.scheme() == b.scheme()
        && a.host().map(str::to_ascii_lowercase) == b.host().map(str::to_ascii_lowercase)
        && port(a) == port(b)
}

/// The next request of a chain: 301 to 303 make it a GET without a body.
fn redirected(request: &mut Request<Bytes>, status: StatusCode, target: Uri) {
    *request.uri_mut() = target;
    request.headers_mut().remove(header::HOST);
    let keeps = matches!(status.as_u16(), 307 | 308)
        || matches!(*request.method(), Method::GET | Method::HEAD);
    if !keeps {
        *request.method_mut() = Method::GET;
        *request.body_mut() = Bytes::new();
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
            request.headers_mut().remove(name);
        }
    }
}

async fn read(response: Response<Incoming>, limits: &Limits) -> Result<Response<Bytes>, Error> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Error::Protocol(causes(&e)))?;
        let Ok(data) = frame.into_data() else { continue };
        let room = limits.max_bytes - bytes.len();
        if data.len() <= room {
            bytes.extend_from_slice(&data);
        } else if limits.excess == Excess::Fail {
            return Err(Error::TooLarge);
        } else {
            bytes.extend_from_slice(&data[..room]);
            break;
        }
    }
    Ok(Response::from_parts(head, bytes.freeze()))
}

/// What went wrong, innermost causes last. The texts of hyper and rustls hold no URLs and no content.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    text
}

fn describe(error: &hyper_util::client::legacy::Error) -> Error {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(own) = cause.downcast_ref::<Error>() {
            return own.clone();
        }
        next = cause.source();
    }
    if error.is_connect() { Error::Connect(causes(error)) } else { Error::Protocol(causes(error)) }
}

fn pools(options: &ClientOptions) -> [Inner; 2] {
    let tls = tls_config(options.root_file.as_deref());
    let pool = |open: bool| {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { open });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(10)));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .build(connector)
    };
    [pool(false), pool(true)]
}

/// How TLS is spoken to others, for those that do not speak HTTP. `root_file` as in [`ClientOptions`].
#[must_use]
pub fn tls_config(root_file: Option<&Path>) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the default TLS versions")
        .with_root_certificates(roots(root_file))
        .with_no_client_auth()
}

/// The trusted roots: those of the configured file, else the built-in and the system's.
fn roots(root_file: Option<&Path>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    if let Some(file) = root_file {
        add_roots(&mut store, file);
        if !store.is_empty() {
            return store;
        }
        tracing::warn!("SSL_CERT_FILE has no usable certificates; the built-in ones are used");
    }
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(file) = SYSTEM_ROOTS.iter().map(Path::new).find(|file| file.exists()) {
        add_roots(&mut store, file);
    }
    store
}

/// The built-in roots and those of the system.
pub fn trusted_roots() -> RootCertStore {
    roots(None)
}

fn add_roots(store: &mut RootCertStore, file: &Path) {
    let Ok(certificates) = CertificateDer::pem_file_iter(file) else { return };
    store.add_parsable_certificates(certificates.filter_map(Result::ok));
}

/// Resolves names; unless `open`, only public addresses come out.
#[derive(Debug, Clone, Copy)]
struct Resolver {
    open: bool,
}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let open = self.open;
        Box::pin(async move {
            let mut found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !open {
                found.retain(|address| is_public(address.ip()));
                if found.is_empty() {
                    return Err(Error::NotPublic(name.as_str().to_owned()).into());
                }
            }
            Ok(found.into_iter())
        })
    }
}

/// True for addresses that can belong to a stranger on the Internet.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 0 && c == 0))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(inner) = ip.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let parts = ip.segments();
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // NAT64, 6to4 and IPv4-compatible addresses lead to the IPv4 address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        [0x64, 0xff9b, 1, ..] => false,
        _ => {
            !(ip.is_loopback()
                || ip.is_multicast()
                || ip.is_unicast_link_local()
                || ip.is_unique_local())
                && parts[0] & 0xffc0 != 0xfec0
        }
    }
}

/// The body of a streamed answer: as long as it likes, but never silent for longer than the limit.
pub struct Stream {
    body: Incoming,
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Stream {
    fn new(body: Incoming, limit: Duration) -> Self {
        Self { body, limit, sleep: Box::pin(tokio::time::sleep(limit)) }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => self.sleep.as_mut().poll(cx).map(|()| Some(Err(Error::Timeout))),
            Poll::Ready(frame) => {
                let next = tokio::time::Instant::now() + self.limit;
                self.sleep.as_mut().reset(next);
                Poll::Ready(frame.map(|f| f.map_err(|e| Error::Protocol(causes(&e)))))
            }
        }
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        for (ip, public) in [
            ("8.8.8.8", true),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::127.0.0.1", false),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::808:808", true),
            ("2002:7f00:1::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("2606:4700::1111", true),
        ] {
            assert_eq!(is_public(ip.parse().unwrap()), public, "{ip}");
        }
    }

    #[test]
    fn redirects() {
        let answer = |status: u16, location: &str| {
            Response::builder().status(status).header("location", location).body(()).unwrap()
        };
        let from: Uri = "https://a.example/x?q=1".parse().unwrap();
        for (status, location, want) in [
            (302, "/y", Some("https://a.example/y")),
            (308, "//b.example/z#f", Some("https://b.example/z")),
            (200, "/y", None),
        ] {
            let target = redirect_target(&from, &answer(status, location)).unwrap();
            assert_eq!(target.map(|t| t.to_string()).as_deref(), want);
        }
        assert!(redirect_target(&from, &answer(301, "http://a.example/")).is_err());
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert!(same_origin(&uri("https://A.example/"), &uri("https://a.example:443/x")));
        assert!(!same_origin(&uri("http://a.example/"), &uri("https://a.example/")));

        let mut request = Request::post("http://a/").body(Bytes::from_static(b"x")).unwrap();
        redirected(&mut request, StatusCode::TEMPORARY_REDIRECT, uri("http://b/"));
        assert_eq!((request.method(), request.body().len()), (&Method::POST, 1));
        redirected(&mut request, StatusCode::FOUND, uri("http://c/"));
        assert_eq!((request.method(), request.body().len()), (&Method::GET, 0));
    }

    /// A server that answers every connection with the same bytes.
    async fn answering(bytes: &'static [u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(bytes).await;
                    if bytes.is_empty() {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        url
    }

    fn configured() -> Limits {
        Limits { reach: Reach::Configured, time: Duration::from_secs(20), ..Limits::default() }
    }

    fn get(url: &str) -> Request<Bytes> {
        Request::get(url).body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn limits_hold() {
        let client = Client::new(ClientOptions::default());
        let url = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789").await;
        let ten = Limits { max_bytes: 10, ..configured() };
        assert_eq!(client.send(get(&url), &ten).await.unwrap().body(), "0123456789");
        let nine = Limits { max_bytes: 9, ..configured() };
        assert!(matches!(client.send(get(&url), &nine).await, Err(Error::TooLarge)));
        let cut = Limits { excess: Excess::Cut, ..nine };
        assert_eq!(client.send(get(&url), &cut).await.unwrap().body(), "012345678");
        let streamed = client.stream(get(&url).map(Full::new), &configured()).await.unwrap();
        assert_eq!(streamed.into_body().collect().await.unwrap().to_bytes(), "0123456789");
        let silent = answering(b"").await;
        let short = Limits { time: Duration::from_millis(50), ..configured() };
        assert!(matches!(client.send(get(&silent), &short).await, Err(Error::Timeout)));
    }

    #[tokio::test]
    async fn private_addresses_are_for_the_configured() {
        let client = Client::new(ClientOptions::default());
        let url = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let named = url.replace("127.0.0.1", "localhost");
        for url in [&url, &named] {
            let refused = client.send(get(url), &Limits::default()).await;
            assert!(matches!(refused, Err(Error::NotPublic(_))), "{refused:?}");
        }
        let open = Client::new(ClientOptions { allow_private: true, ..ClientOptions::default() });
        assert!(open.send(get(&url), &Limits::default()).await.is_ok());
        let away = answering(
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:9/\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
        let refused = client.send(get(&away), &configured()).await;
        assert!(matches!(refused, Err(Error::NotPublic(_))), "{refused:?}");
        let around =
            answering(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n").await;
        assert!(matches!(client.send(get(&around), &configured()).await, Err(Error::Redirects)));
        assert!(matches!(client.send(get("ftp://a/"), &configured()).await, Err(Error::Url)));
    }
}
