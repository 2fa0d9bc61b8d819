//! Which stored file a name in a record means, and who may have it (spec records-files §4.4).
//!
//! Knows neither storage nor HTTP.

use std::sync::Arc;

use dialects::statement::Case;
use filter_lang::scope::Datum;

use super::{Record, find};
use crate::{
    Error, Result,
    ctx::Ctx,
    field::file::File,
    rule,
    schema::{Loaded, original_field},
};

/// A file of a record.
#[derive(Debug, Clone)]
pub struct Located {
    /// The record that was asked for.
    pub record: Record,
    /// The field that holds the name.
    pub field: String,
    /// Downloads need a token.
    pub protected: bool,
    /// Sizes of thumbnails that may be asked for.
    pub thumbs: Vec<String>,
    /// `<collectionId>/<recordId>` of the record that the file was uploaded to; another one for views.
    pub dir: String,
}

/// Finds a file by its name in a record.
///
/// # Errors
/// [`Error::NotFound`] without such a record or name, or database errors.
pub async fn locate(ctx: &Ctx, collection: &Arc<Loaded>, id: &str, name: &str) -> Result<Located> {
    let record = find::by_id_or_404(ctx, collection, id).await?;
    let held = collection.file_fields.iter().find_map(|index| {
        let field = &collection.fields[*index];
        let here = record.get_string_slice(&field.name).iter().any(|stored| stored == name);
        here.then(|| (field.name.clone(), field.options::<File>().cloned().unwrap_or_default()))
    });
    let Some((field, options)) = held.filter(|_| !name.is_empty()) else {
        return Err(Error::NotFound);
    };
    let dir = if collection.is_view() {
        source_dir(ctx, collection, &field, name).await?
    } else {
        format!("{}/{}", collection.id, record.stored_id())
    };
    Ok(Located { record, field, protected: options.protected, thumbs: options.thumbs, dir })
}

/// The directory of the record that a view's file comes from.
async fn source_dir(ctx: &Ctx, view: &Arc<Loaded>, field: &str, name: &str) -> Result<String> {
    let Some((collection, field)) = original_field(&ctx.snapshot(), view, field) else {
        return Err(Error::NotFound);
    };
    let multiple = collection
        .field(&field)
        .and_then(|f| f.options::<File>())
        .is_some_and(|options| options.max_select > 1);
    let record = if multiple {
        let text = format!("{field}:each ?= {{:name}}");
        let name = Datum::Text(name.to_owned());
        let filter = filter_lang::bind_placeholders(&text, &[("name", name)]);
        rule::first_match(ctx, &collection, &filter).await?
    } else {
        find::by_value(ctx, &collection, &field, name, Case::Sensitive).await?
    };
    let record = record.ok_or(Error::NotFound)?;
    Ok(format!("{}/{}", collection.id, record.stored_id()))
}

/// True if the caller may have the protected files of a record.
///
/// # Errors
/// Rules that cannot be built, or database errors.
pub async fn may_read(ctx: &Ctx, record: &Record) -> Result<bool> {
    if ctx.caller.is_superuser() {
        return Ok(true);
    }
    match &record.collection().view_rule {
        None => Ok(false),
        Some(text) => rule::row_matches(&ctx.in_context("protectedFile"), text, record).await,
    }
}
