//! Saving and deleting records, collections and settings, with all hooks.

use engine::{
    collections,
    record::{delete as record_delete, save as record_save},
    settings_ops,
};
use serde_json::Value;

use super::{App, IntoCollection};
use crate::{collection::Collection, error::Result, record::Record, settings::Settings};

/// What [`App::save`] and [`App::delete`] take: records and collections.
pub trait Model: Send + Sync {
    #[doc(hidden)]
    fn save(&self, app: &App, validate: bool) -> impl Future<Output = Result<()>> + Send;
    #[doc(hidden)]
    fn validate(&self, app: &App) -> impl Future<Output = Result<()>> + Send;
    #[doc(hidden)]
    fn delete(&self, app: &App) -> impl Future<Output = Result<()>> + Send;
}

impl Model for Record {
    async fn save(&self, app: &App, validate: bool) -> Result<()> {
        let ctx = app.ctx()?;
        if validate {
            Box::pin(record_save::save(&ctx, self.handle())).await?;
        } else {
            Box::pin(record_save::save_no_validate(&ctx, self.handle())).await?;
        }
        Ok(())
    }
    async fn validate(&self, app: &App) -> Result<()> {
        Ok(Box::pin(record_save::validate(&app.ctx()?, self.handle())).await?)
    }
    async fn delete(&self, app: &App) -> Result<()> {
        Ok(Box::pin(record_delete::delete_record(&app.ctx()?, self.handle())).await?)
    }
}

impl Model for Collection {
    async fn save(&self, app: &App, validate: bool) -> Result<()> {
        let ctx = app.ctx()?;
        let saved = if validate {
            Box::pin(collections::save(&ctx, self.handle())).await
        } else {
            Box::pin(collections::save_no_validate(&ctx, self.handle())).await
        };
        saved?;
        self.settle(ctx.snapshot().by_id(&self.id()).cloned());
        Ok(())
    }
    async fn validate(&self, app: &App) -> Result<()> {
        Ok(Box::pin(collections::validate(&app.ctx()?, self.handle())).await?)
    }
    async fn delete(&self, app: &App) -> Result<()> {
        Ok(Box::pin(collections::delete(&app.ctx()?, self.handle())).await?)
    }
}

/// Saving.
///
/// ```
/// # use pocketbase::{Collection, Error, Field, Record, testing::TestApp};
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let test = TestApp::new().await?;
/// # let app = test.app();
/// let posts = Collection::base("posts").field(Field::text("title").required(true));
/// app.save(&posts).await?;
///
/// let post = Record::new(&posts);
/// let refused = app.save(&post).await.unwrap_err();
/// assert_eq!(refused.to_string(), "title: cannot be blank.");
/// assert!(app.validate(&post).await.is_err());
///
/// app.save(post.set("title", "Hello")).await?;
/// app.delete(&post).await?;
/// app.delete(&posts).await?;
///
/// app.change_settings(|settings| settings.meta.app_name = "Shop".into()).await?;
/// assert_eq!(app.settings()?.meta.app_name, "Shop");
/// # Ok::<(), pocketbase::Error>(())
/// # }).unwrap();
/// ```
impl App {
    /// Validates and saves a record or collection, with all hooks.
    ///
    /// # Errors
    /// [`crate::Error::Validation`]; what hooks report; database errors.
    pub async fn save(&self, model: &impl Model) -> Result<()> {
        model.save(self, true).await
    }
    /// Saves without validation; the hooks of the save itself run.
    ///
    /// # Errors
    /// What hooks report; database errors.
    pub async fn save_no_validate(&self, model: &impl Model) -> Result<()> {
        model.save(self, false).await
    }
    /// Validates without saving.
    ///
    /// # Errors
    /// [`crate::Error::Validation`]; what hooks report.
    pub async fn validate(&self, model: &impl Model) -> Result<()> {
        model.validate(self).await
    }
    /// Deletes a record with what refers to it, or a collection with its table.
    ///
    /// # Errors
    /// What hooks report; relations that must not be lost; database errors.
    pub async fn delete(&self, model: &impl Model) -> Result<()> {
        model.delete(self).await
    }

    /// Creates and changes collections as the dashboard's import does; with `delete_missing` deletes all others that are
    /// not the server's own.
    ///
    /// # Errors
    /// [`crate::Error::Validation`]; then nothing is kept.
    pub async fn import_collections(&self, list: &[Value], delete_missing: bool) -> Result<()> {
        Box::pin(collections::import(&self.ctx()?, list, delete_missing)).await?;
        Ok(())
    }
    /// [`App::import_collections`] of a JSON list.
    ///
    /// # Errors
    /// Text that is no JSON list; as [`App::import_collections`].
    pub async fn import_collections_json(&self, json: &str, delete_missing: bool) -> Result<()> {
        let list: Vec<Value> = serde_json::from_str(json)?;
        self.import_collections(&list, delete_missing).await
    }
    /// Deletes all records of a collection, with hooks and references.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`]; what hooks report; database errors.
    pub async fn truncate_collection(&self, collection: impl IntoCollection) -> Result<()> {
        let (ctx, loaded) = self.load(&collection)?;
        Ok(Box::pin(collections::truncate(&ctx, &loaded)).await?)
    }
    /// Reads the collections again: after a change of the schema in SQL.
    ///
    /// # Errors
    /// Database errors.
    pub async fn reload_cached_collections(&self) -> Result<()> {
        Ok(self.ctx()?.reload_schema().await?)
    }

    /// The settings at this moment.
    ///
    /// # Errors
    /// Before the app is bootstrapped.
    pub fn settings(&self) -> Result<std::sync::Arc<Settings>> {
        Ok(self.engine()?.settings())
    }
    /// Changes the settings, validates, stores and applies them.
    ///
    /// # Errors
    /// [`crate::Error::Validation`]; database errors.
    pub async fn change_settings(&self, change: impl FnOnce(&mut Settings) + Send) -> Result<()> {
        let ctx = self.ctx()?;
        let mut settings = settings_ops::within(&ctx).await?;
        change(&mut settings);
        Ok(settings_ops::save(&ctx, settings).await?)
    }
    /// Reads the settings again.
    ///
    /// # Errors
    /// Database errors; settings that cannot be decrypted.
    pub async fn reload_settings(&self) -> Result<()> {
        Ok(settings_ops::reload(&self.engine()?).await?)
    }
}
