//! Thumbnails of stored pictures: made once, kept beside the original, on a bounded lane (spec records-files §4.5).
//!
//! Must not know records or HTTP.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{
    Labels, Source, Storage,
    image::{self, Format, Size},
    storage::read_all,
};
use primitives::lanes::{self, Lane};

/// Largest original we read into memory.
const MAX_SOURCE: usize = 128 << 20;

/// How much work thumbnails may be.
#[derive(Debug, Clone, Copy)]
pub struct ThumbLimits {
    /// Made at the same time.
    pub n_workers: usize,
    /// Longest wait for a worker.
    pub wait: Duration,
}

impl Default for ThumbLimits {
    fn default() -> Self {
        Self { n_workers: lanes::cores() + 2, wait: Duration::from_secs(60) }
    }
}

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Key of the original.
    pub original: String,
    /// Key of the thumbnail.
    pub thumb: String,
    /// What it is to be.
    pub size: Size,
    /// How it is written.
    pub format: Format,
}

type Flight = Shared<BoxFuture<'static, Result<(), Arc<str>>>>;

/// Makes thumbnails. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Thumbs(Arc<Shop>);

struct Shop {
    lane: Lane,
    slots: Semaphore,
    wait: Duration,
    /// Thumbnails that are being made, by key.
    flights: Mutex<HashMap<String, Flight>>,
}

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shop").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl Thumbs {
    /// A shop with its own lane.
    #[must_use]
    pub fn new(limits: ThumbLimits) -> Self {
        let n_workers = limits.n_workers.max(1);
        Self(Arc::new(Shop {
            lane: Lane::new("pb-thumb", n_workers, n_workers),
            slots: Semaphore::new(n_workers),
            wait: limits.wait,
            flights: Mutex::default(),
        }))
    }

    /// Sees to it that a thumbnail exists. However many ask for one at the same time, it is made once; it is finished
    /// even if nobody waits any more.
    ///
    /// # Errors
    /// Why there is none, for the log.
    pub async fn ensure(&self, place: &Arc<dyn Storage>, wanted: Wanted) -> Result<(), Arc<str>> {
        let flight = {
            let mut flights = self.0.flights.lock();
            match flights.get(&wanted.thumb) {
                Some(flight) => flight.clone(),
                None => {
                    let key = wanted.thumb.clone();
                    let flight = self.take_off(place.clone(), wanted);
                    flights.insert(key, flight.clone());
                    flight
                }
            }
        };
        flight.await
    }

    fn take_off(&self, place: Arc<dyn Storage>, wanted: Wanted) -> Flight {
        let shop = self.0.clone();
        let task = tokio::spawn(async move {
            let key = wanted.thumb.clone();
            let made = shop.make(place.as_ref(), wanted).await;
            // Who asks from here on finds the stored thumbnail, or may try again.
            shop.flights.lock().remove(&key);
            made
        });
        async move {
            match task.await {
                Ok(made) => made.map_err(Arc::from),
                Err(_) => Err(Arc::from("the thumbnail's task ended early")),
            }
        }
        .boxed()
        .shared()
    }

    /// Ends the lane.
    pub fn close(&self) {
        self.0.lane.close();
    }
}

impl Shop {
    async fn make(&self, place: &dyn Storage, wanted: Wanted) -> Result<(), String> {
        let text = |e: std::io::Error| e.to_string();
        image::ready()?;
        if place.head(&wanted.thumb).await.map_err(text)?.is_some() {
            return Ok(());
        }
        let slot = tokio::time::timeout(self.wait, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else { return Err("too many thumbnails are being made".into()) };
        let source = read_all(place, &wanted.original, MAX_SOURCE).await.map_err(text)?;
        let (size, format) = (wanted.size, wanted.format);
        let work = move || {
            // A decoder that panics must cost its picture only.
            std::panic::catch_unwind(|| image::thumbnail(&source, size, format))
                .unwrap_or_else(|_| Err("the decoder panicked".into()))
        };
        let made = self.lane.run(work).await.map_err(|e| e.to_string())??;
        let labels = Labels::of_type(format.mime());
        place.put(&wanted.thumb, labels, Source::Bytes(Bytes::from(made))).await.map_err(text)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;
    use crate::{Attributes, ByteStream, Entry, Local};
    use primitives::future::BoxFutureRef;

    /// A directory that counts how often something is stored.
    #[derive(Debug)]
    struct Counting(Local, AtomicUsize);

    impl Storage for Counting {
        fn put<'a>(
            &'a self,
            key: &'a str,
            labels: Labels,
            source: Source,
        ) -> BoxFutureRef<'a, io::Result<()>> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.put(key, labels, source)
        }
        fn get<'a>(
            &'a self,
            key: &'a str,
            range: Option<Range<u64>>,
        ) -> BoxFutureRef<'a, io::Result<ByteStream>> {
            self.0.get(key, range)
        }
        fn head<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<Option<Attributes>>> {
            self.0.head(key)
        }
        fn list<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<Vec<Entry>>> {
            self.0.list(dir)
        }
        fn delete<'a>(&'a self, key: &'a str) -> BoxFutureRef<'a, io::Result<()>> {
            self.0.delete(key)
        }
        fn delete_prefix<'a>(&'a self, dir: &'a str) -> BoxFutureRef<'a, io::Result<()>> {
            self.0.delete_prefix(dir)
        }
    }

    #[tokio::test]
    async fn many_ask_one_is_made() {
        let dir = tempfile::tempdir().expect("dir");
        let place = Arc::new(Counting(Local::new(dir.path().to_owned()), AtomicUsize::new(0)));
        let mut png = io::Cursor::new(Vec::new());
        ::image::RgbImage::new(400, 300)
            .write_to(&mut png, ::image::ImageFormat::Png)
            .expect("png");
        let source = Source::Bytes(png.into_inner().into());
        place.put("a/b.png", Labels::of_type("image/png"), source).await.expect("put");
        let thumbs = Thumbs::new(ThumbLimits::default());
        let storage: Arc<dyn Storage> = place.clone();
        let ask = |original: &str, size: &str| {
            let wanted = Wanted {
                original: original.into(),
                thumb: format!("a/thumbs_b.png/{size}_b.png"),
                size: Size::parse(size).expect("size"),
                format: Format::Png,
            };
            let (thumbs, storage) = (thumbs.clone(), storage.clone());
            async move { thumbs.ensure(&storage, wanted).await }
        };
        let all = futures_util::future::join_all((0..50).map(|_| ask("a/b.png", "10x10"))).await;
        assert!(all.into_iter().all(|made| made.is_ok()));
        ask("a/b.png", "10x10").await.expect("it is there");
        assert_eq!(place.1.load(Ordering::SeqCst), 2, "the original and one thumbnail");
        let stored = place.head("a/thumbs_b.png/10x10_b.png").await.expect("head").expect("there");
        assert_eq!(stored.content_type, "image/png");
        assert!(ask("a/none.png", "20x20").await.is_err());
        assert!(thumbs.0.flights.lock().is_empty());
    }
}
