//! Which place holds what: record files and backups, each in its directory or its bucket, as the settings say.
//!
//! Applies the settings when they change. Must not know records or HTTP.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::{Attributes, Local, Storage, Upload, s3};
use model::settings;

/// The places of an application. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Files(Arc<Places>);

#[derive(Debug)]
struct Places {
    records: Place,
    backups: Place,
}

/// A directory, or the bucket that stands in for it.
#[derive(Debug)]
struct Place {
    dir: PathBuf,
    now: ArcSwap<Chosen>,
}

#[derive(Debug)]
struct Chosen {
    settings: settings::S3,
    storage: Result<Arc<dyn Storage>, String>,
}

impl Place {
    fn new(dir: PathBuf) -> Self {
        let storage: Arc<dyn Storage> = Arc::new(Local::new(dir.clone()));
        let chosen = Chosen { settings: settings::S3::default(), storage: Ok(storage) };
        Self { dir, now: ArcSwap::from_pointee(chosen) }
    }

    fn configure(&self, wanted: &settings::S3) {
        if self.now.load().settings == *wanted {
            return;
        }
        let storage: Result<Arc<dyn Storage>, String> = if wanted.enabled {
            s3::open(wanted).map_err(|e| e.to_string())
        } else {
            Ok(Arc::new(Local::new(self.dir.clone())))
        };
        self.now.store(Arc::new(Chosen { settings: wanted.clone(), storage }));
    }

    fn storage(&self) -> io::Result<Arc<dyn Storage>> {
        self.now.load().storage.clone().map_err(io::Error::other)
    }
}

impl Files {
    /// The directories of a data directory, until the settings say otherwise.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        let records = Place::new(data_dir.join("storage"));
        let backups = Place::new(data_dir.join("backups"));
        Self(Arc::new(Places { records, backups }))
    }

    /// Applies changed settings.
    pub fn configure(&self, settings: &settings::Settings) {
        self.0.records.configure(&settings.s3);
        self.0.backups.configure(&settings.backups.s3);
    }

    /// Where the files of records are kept at this moment.
    ///
    /// # Errors
    /// If the configured bucket cannot be used.
    pub fn records(&self) -> io::Result<Arc<dyn Storage>> {
        self.0.records.storage()
    }

    /// Where backups are kept at this moment.
    ///
    /// # Errors
    /// If the configured bucket cannot be used.
    pub fn backups(&self) -> io::Result<Arc<dyn Storage>> {
        self.0.backups.storage()
    }

    /// Stores uploads below `prefix` (`<collectionId>/<recordId>`). If one fails, those written before it are removed.
    ///
    /// # Errors
    /// What the place says.
    pub async fn put_all(&self, prefix: &str, uploads: &[Arc<Upload>]) -> io::Result<()> {
        let place = self.records()?;
        for (i, upload) in uploads.iter().enumerate() {
            let key = format!("{prefix}/{}", upload.name());
            if let Err(error) = place.put(&key, upload.labels(), upload.source()).await {
                for done in &uploads[..i] {
                    // The first failure is what counts.
                    let _ = place.delete(&format!("{prefix}/{}", done.name())).await;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Removes files and their thumbs; missing ones are fine.
    ///
    /// # Errors
    /// The first error of the place.
    pub async fn remove_all(&self, prefix: &str, names: &[String]) -> io::Result<()> {
        let place = self.records()?;
        let mut out = Ok(());
        for name in names {
            let file = place.delete(&format!("{prefix}/{name}")).await;
            let thumbs = place.delete_prefix(&format!("{prefix}/thumbs_{name}")).await;
            out = out.and(file).and(thumbs);
        }
        out
    }

    /// Removes everything below a prefix (a record's or a collection's directory).
    ///
    /// # Errors
    /// What the place says; a missing directory is fine.
    pub async fn remove_tree(&self, prefix: &str) -> io::Result<()> {
        self.records()?.delete_prefix(prefix).await
    }

    /// Removes a directory if it is empty.
    pub async fn remove_empty(&self, prefix: &str) {
        if let Ok(place) = self.records() {
            place.remove_empty(prefix).await;
        }
    }

    /// Attributes of a record's file, `None` if there is none.
    ///
    /// # Errors
    /// What the place says.
    pub async fn attributes(&self, key: &str) -> io::Result<Option<Attributes>> {
        self.records()?.head(key).await
    }
}
