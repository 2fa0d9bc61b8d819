//! Opening the databases of an app: store, migrations, collections, and on restored data the proof that its settings can
//! be read. Must not know what runs over them.

use crate::{
    Error, Result,
    app::Config,
    schema::{Snapshot, documents, full_text, long_names, migrate},
    settings::{Key, Settings},
    store::{Db, Store, StoreConfig},
};

/// Opens the databases; on restored data also makes sure that the settings can be read.
pub(crate) async fn databases(config: &Config, is_trial: bool) -> Result<(Store, Snapshot)> {
    let mut store_config = StoreConfig::new(&config.data_dir);
    store_config.durability = config.durability;
    store_config.query_timeout = config.query_timeout;
    store_config.trace.clone_from(&config.trace);
    store_config.postgres.clone_from(&config.postgres);
    let store = Store::connect(&store_config).await.map_err(Error::Store)?;
    migrate::run(&store).await?;
    let db = Db::Pool(store.data().clone());
    let snapshot = Snapshot::load(&db, &config.keys).await?;
    long_names::settle(&store, &snapshot).await?;
    full_text::settle(&store, &snapshot).await?;
    documents::settle(&store, &snapshot).await?;
    if is_trial {
        check_settings(&db, config).await?;
    }
    Ok((store, snapshot))
}

/// Makes sure that the SQLite databases of a directory could be served; migrates them.
pub(crate) async fn try_files(config: &Config, dir: &std::path::Path) -> Result<()> {
    let config = Config { data_dir: dir.to_owned(), postgres: None, ..config.clone() };
    let (store, _) = databases(&config, true).await?;
    tokio::task::spawn_blocking(move || store.close()).await.map_err(|_| Error::Busy)
}

/// Tells whether the stored settings can be read.
///
/// # Errors
/// Why not.
async fn check_settings(db: &Db, config: &Config) -> Result<()> {
    let loaded = Settings::load(db, &Settings::default(), &key(config)).await;
    loaded.map(drop).map_err(|e| Error::Message(e.to_string()))
}

pub(crate) fn key(config: &Config) -> Key {
    Key {
        env_name: config.encryption_env.clone(),
        secret: config.encryption_key.clone().unwrap_or_default(),
    }
}
