//! `$app` (spec extending §4).

use pocketbase::{App, Collection, FilterQuery, Record};

use super::{collection_arg, hosted, store};
use crate::{
    bind::{Args, Fail, Res, Shared, native, table},
    run::wait,
};

native!(App = APP);
hosted!(App);

table! {
    pub(crate) static APP: App = "core.App", "The app." {
        fn "isBootstrapped" "(): boolean" "Whether the databases are open." => |cx, app, a| app.is_bootstrapped();
        fn "isDev" "(): boolean" "Whether it runs with --dev." => |cx, app, a| app.is_dev();
        fn "isTransactional" "(): boolean" "Whether it acts in a transaction." => |cx, app, a| app.is_transactional();
        fn "dataDir" "(): string" "The data directory." => |cx, app, a| app.data_dir().display().to_string();
        fn "newFilesystem" "(): filesystem.System" "The files of records." => |cx, app, a| std::sync::Arc::new(app.new_filesystem()?) as Shared;
        fn "newBackupsFilesystem" "(): filesystem.System" "The files of backups." => |cx, app, a| std::sync::Arc::new(app.new_backups_filesystem()?) as Shared;
        fn "newMailClient" "(): mailer.Mailer" "What sends mails." => |cx, app, a| std::sync::Arc::new(app.new_mail_client()) as Shared;
        fn "store" "(): store.Store" "Values that all handlers share." => |cx, app, a| std::sync::Arc::new(store::of(app)) as Shared;
        fn "save" "(model: core.Model): void" "Stores a model, with all hooks." => |cx, app, a| save(app, a, 0, true)?;
        fn "saveNoValidate" "(model: core.Model): void" "Stores a model without validating it." => |cx, app, a| save(app, a, 0, false)?;
        fn "delete" "(model: core.Model): void" "Deletes a model, with all hooks." => |cx, app, a| delete(app, a, 0)?;
        fn "validate" "(model: core.Model): void" "Validates a model." => |cx, app, a| validate(app, a, 0)?;
        fn "findCollectionByNameOrId" "(nameOrId: string): core.Collection" "A collection." => |cx, app, a| wait(app.find_collection(&a.str(0)?))?;
        fn "findCachedCollectionByNameOrId" "(nameOrId: string): core.Collection" "A collection." => |cx, app, a| wait(app.find_collection(&a.str(0)?))?;
        fn "findRecordById" "(collection: string | core.Collection, id: string, ...filters: ((q: dbx.SelectQuery) => void)[]): core.Record" "A record." => |cx, app, a| {
            wait(app.find_record_by_id(collection_arg(a, 0)?, a.str(1)?))?
        };
        fn "findRecordsByFilter" "(collection: string | core.Collection, filter: string, sort?: string, limit?: number, offset?: number, ...params: { [key: string]: any }[]): core.Record[]" "The records that a filter matches." => |cx, app, a| {
            let mut query = FilterQuery::new(a.str(1)?)
                .sort(a.str(2)?)
                .limit(u32::try_from(a.int(3)?.max(0)).unwrap_or(u32::MAX))
                .offset(u64::try_from(a.int(4)?).unwrap_or_default());
            for params in a.rest(5) {
                query = query.params(crate::bind::export(cx, &params)?.into_object());
            }
            wait(app.find_records_by_filter(collection_arg(a, 0)?, query))?
        };
        fn "findFirstRecordByFilter" "(collection: string | core.Collection, filter: string, ...params: { [key: string]: any }[]): core.Record" "The first record that a filter matches." => |cx, app, a| {
            let mut params = serde_json::Map::new();
            for given in a.rest(2) {
                params.extend(crate::bind::export(cx, &given)?.into_object());
            }
            wait(app.find_first_record_by_filter(collection_arg(a, 0)?, &a.str(1)?, params))?
        };
        fn "findFirstRecordByData" "(collection: string | core.Collection, key: string, value: any): core.Record" "The first record with a value." => |cx, app, a| {
            wait(app.find_first_record_by_data(collection_arg(a, 0)?, &a.str(1)?, a.json(2)?))?
        };
    }
}

fn nothing() -> Fail {
    Fail::Fatal("a record, a collection or another model is expected".into())
}

fn save(app: &App, args: &Args<'_, '_>, at: usize, validate: bool) -> Res<()> {
    if let Some(record) = args.opt_host::<Record>(at)? {
        return Ok(match validate {
            true => wait(app.save(&*record)),
            false => wait(app.save_no_validate(&*record)),
        }?);
    }
    let collection = args.opt_host::<Collection>(at)?.ok_or_else(nothing)?;
    Ok(match validate {
        true => wait(app.save(&*collection)),
        false => wait(app.save_no_validate(&*collection)),
    }?)
}
fn delete(app: &App, args: &Args<'_, '_>, at: usize) -> Res<()> {
    if let Some(record) = args.opt_host::<Record>(at)? {
        return Ok(wait(app.delete(&*record))?);
    }
    Ok(wait(app.delete(&*args.opt_host::<Collection>(at)?.ok_or_else(nothing)?))?)
}
fn validate(app: &App, args: &Args<'_, '_>, at: usize) -> Res<()> {
    if let Some(record) = args.opt_host::<Record>(at)? {
        return Ok(wait(app.validate(&*record))?);
    }
    Ok(wait(app.validate(&*args.opt_host::<Collection>(at)?.ok_or_else(nothing)?))?)
}
