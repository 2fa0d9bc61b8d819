//! A real S3 server (`s3s-fs`) on a directory, with signatures checked; for every test that needs a bucket.
//!
//! It can be told to hang: connections stay open and nothing is answered, as services do in their worst hour.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use serde_json::{Value, json};

const KEY: &str = "an-access-key";
const SECRET: &str = "a-secret-key";
/// The one bucket there is.
const BUCKET: &str = "bucket";

/// The server; ends with the value.
#[derive(Debug)]
pub(crate) struct Bucket {
    port: u16,
    dir: tempfile::TempDir,
    hangs: Arc<AtomicBool>,
    n_requests: Arc<AtomicUsize>,
}

impl Bucket {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join(BUCKET)).expect("a bucket");
        let files = s3s_fs::FileSystem::new(dir.path()).expect("a file system");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (hangs, n_requests) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let bucket = Self { port, dir, hangs: hangs.clone(), n_requests: Arc::clone(&n_requests) };
        listener.set_nonblocking(true).expect("a socket for tokio");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((socket, _)) = listener.accept().await {
                    let (service, hangs, n) = (service.clone(), hangs.clone(), n_requests.clone());
                    tokio::spawn(async move {
                        let answer = hyper::service::service_fn(move |request| {
                            let (service, hangs, n) = (service.clone(), hangs.clone(), n.clone());
                            async move {
                                n.fetch_add(1, Ordering::SeqCst);
                                if hangs.load(Ordering::SeqCst) {
                                    std::future::pending::<()>().await;
                                }
                                hyper::service::Service::call(&service, request).await
                            }
                        });
                        let http = Builder::new(TokioExecutor::new());
                        // a client that goes away is its own affair
                        let _ = http.serve_connection(TokioIo::new(socket), answer).await;
                    });
                }
            });
        });
        bucket
    }

    /// The settings object that names the bucket.
    pub(crate) fn settings(&self) -> Value {
        json!({"enabled": true, "bucket": BUCKET, "region": "us-east-1", "forcePathStyle": true,
            "endpoint": format!("http://127.0.0.1:{}", self.port), "accessKey": KEY, "secret": SECRET})
    }

    /// From now on nothing is answered, or everything again.
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// Requests so far.
    pub(crate) fn n_requests(&self) -> usize {
        self.n_requests.load(Ordering::SeqCst)
    }

    /// The keys of all objects, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let root = self.dir.path().join(BUCKET);
        let (mut left, mut keys) = (vec![root.clone()], Vec::new());
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(dir).expect("a directory").flatten() {
                let path: PathBuf = entry.path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    let key = path.strip_prefix(&root).expect("below the bucket");
                    keys.push(key.to_string_lossy().into_owned());
                }
            }
        }
        keys.sort();
        keys
    }
}
