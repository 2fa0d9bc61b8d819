//! Two connections that have stopped being HTTP: bytes from one to the other until both are done or silent for too long.

use std::{io, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    time::{Instant, sleep_until, timeout},
};

/// Bytes that are on their way in one direction.
const PIECE: usize = 16 << 10;
/// How long one direction may go on when the other has ended.
const FAREWELL: Duration = Duration::from_secs(10);

/// Goes on until both sides are done, or nothing has moved for `idle`, or one side has taken nothing for `patience` of what
/// the other has sent.
pub(crate) async fn run<A, B>(client: A, upstream: B, idle: Duration, patience: Duration)
where
    A: AsyncRead + AsyncWrite + Send,
    B: AsyncRead + AsyncWrite + Send,
{
    let last = Arc::new(Mutex::new(Instant::now()));
    let (from_client, to_client) = split(client);
    let (from_upstream, to_upstream) = split(upstream);
    let both = async {
        let up = pump(from_client, to_upstream, &last, patience);
        let down = pump(from_upstream, to_client, &last, patience);
        tokio::pin!(up, down);
        // who has said goodbye may still be told something; who broke off may not
        tokio::select! {
            done = &mut up => if done.is_ok() { drop(timeout(FAREWELL, down).await) },
            done = &mut down => if done.is_ok() { drop(timeout(FAREWELL, up).await) },
        }
    };
    let silent = async {
        loop {
            let end = *last.lock() + idle;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    };
    tokio::select! {
        () = both => {}
        () = silent => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    last: &Mutex<Instant>,
    patience: Duration,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let n = from.read(&mut piece).await?;
        *last.lock() = Instant::now();
        if n == 0 {
            return to.shutdown().await;
        }
        let taken = async {
            to.write_all(&piece[..n]).await?;
            to.flush().await
        };
        timeout(patience, taken).await??;
        *last.lock() = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_and_silence_ends_it() {
        let (mut client, near) = duplex(64);
        let (far, mut upstream) = duplex(64);
        let tunnel =
            tokio::spawn(run(near, far, Duration::from_millis(200), Duration::from_secs(60)));
        client.write_all(b"up").await.expect("write");
        upstream.write_all(b"down").await.expect("write");
        let (mut a, mut b) = ([0; 4], [0; 2]);
        client.read_exact(&mut a).await.expect("read");
        upstream.read_exact(&mut b).await.expect("read");
        assert_eq!((&a, &b), (b"down", b"up"));
        tunnel.await.expect("it ends by itself");
        assert_eq!(client.read(&mut a).await.expect("the end"), 0);
    }

    #[tokio::test]
    async fn who_talks_must_listen() {
        let (mut client, near) = duplex(64);
        let (far, mut upstream) = duplex(64);
        let tunnel = run(near, far, Duration::from_secs(3600), Duration::from_millis(50));
        let tunnel = tokio::spawn(tunnel);
        // more than there is room for, and the client only ever talks
        upstream.write_all(&[0; 128]).await.expect("write");
        let talking = tokio::spawn(async move { while client.write_all(b"x").await.is_ok() {} });
        let taking = async { while upstream.read(&mut [0; 64]).await.is_ok_and(|n| n > 0) {} };
        tokio::join!(taking, async { tunnel.await.expect("it ends by itself") });
        talking.await.expect("the client is told");
    }
}
