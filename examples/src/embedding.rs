//! The API inside a hyper service of one's own: what is not ours goes to PocketBase.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use pocketbase::{App, Result, ServeOptions, Service};
use tokio::net::TcpListener;

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

async fn answer(service: Service, request: Request<Incoming>, remote: SocketAddr) -> Answer {
    if request.uri().path() == "/version" {
        let own = Full::from("1.0").map_err(|never| match never {});
        return Response::new(own.boxed_unsync());
    }
    service.call(request, remote).await.map(BodyExt::boxed_unsync)
}

async fn accept(listener: TcpListener, service: Service) -> Result<()> {
    loop {
        let (stream, remote) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let own = service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(answer(service, request, remote).await) }
            });
            // a client that goes away is no error of ours
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), own)
                .await;
        });
    }
}

pub async fn main() -> Result<()> {
    let app = App::new();
    let service = app.service(ServeOptions::default()).await?;
    let listener = TcpListener::bind("127.0.0.1:8090").await?;
    tokio::select! {
        ended = accept(listener, service) => ended?,
        _ = tokio::signal::ctrl_c() => {}
    }
    app.shutdown().await
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use pocketbase::testing::TestApp;

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> Result<(u16, String)> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    #[tokio::test]
    async fn both_answer() -> Result<()> {
        let test = TestApp::new().await?;
        test.app().router().get("/own", || async { "a route of the app" });
        let service = test.app().service(ServeOptions::default()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(accept(listener, service));
        assert_eq!(get(address, "/version").await?, (200, "1.0".to_owned()));
        assert_eq!(get(address, "/own").await?, (200, "a route of the app".to_owned()));
        assert!(get(address, "/api/health").await?.1.contains("API is healthy."));
        server.abort();
        Ok(())
    }
}
