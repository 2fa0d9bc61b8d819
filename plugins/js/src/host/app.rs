//! `$app` (spec extending §4).

use std::sync::{Arc, mpsc};

use pocketbase::{
    App, Collection, Error, FilterQuery, Record, RequestInfo, TokenType,
    db::{Db, Definition, Expr},
};
use rquickjs::{Ctx, Function, Value};
use tokio::sync::oneshot;

use super::{
    UNKNOWN, collection_arg, conditions,
    expand::expand,
    hosted, invalid_failure, invalid_query, queried_collection,
    query::{Builder, Gives, Select, select},
    services::{Log, SettingsTree, jobs, mailer},
    store,
};
use crate::{
    bind::{
        Args, Fail, Own, Res, Shared, Val, as_host, error_of, errors, is_nil, items, native,
        new_map, no_result, object, table,
    },
    run::{Local, call, source_of, wait, wait_serving},
};

native!(App = APP);
hosted!(App);

table! {
    pub(crate) static APP: App = "core.App", "The app." {
        prop "rootCmd": "cobra.Command", "The executable, for more commands; only while hook files are loaded." => |cx, app| {
            match Local::of(cx).root.borrow().clone() {
                Some(root) => Own(object(cx, Arc::new(root))?),
                None => Own(rquickjs::Value::new_undefined(cx.clone())),
            }
        };
        fn "isBootstrapped" "(): boolean" "Whether the databases are open." => |cx, app, a| app.is_bootstrapped();
        fn "isDev" "(): boolean" "Whether it runs with --dev." => |cx, app, a| app.is_dev();
        fn "isTransactional" "(): boolean" "Whether it acts in a transaction." => |cx, app, a| app.is_transactional();
        fn "dataDir" "(): string" "The data directory." => |cx, app, a| app.data_dir().display().to_string();
        fn "newFilesystem" "(): filesystem.System" "The files of records." => |cx, app, a| std::sync::Arc::new(app.new_filesystem()?) as Shared;
        fn "newBackupsFilesystem" "(): filesystem.System" "The files of backups." => |cx, app, a| std::sync::Arc::new(app.new_backups_filesystem()?) as Shared;
        fn "store" "(): store.Store" "Values that all handlers share." => |cx, app, a| std::sync::Arc::new(store::of(app)) as Shared;
        fn "save" "(model: core.Model): void" "Stores a model, with all hooks." => |cx, app, a| save(app, a, 0, true)?;
        fn "saveNoValidate" "(model: core.Model): void" "Stores a model without validating it." => |cx, app, a| save(app, a, 0, false)?;
        fn "delete" "(model: core.Model): void" "Deletes a model, with all hooks." => |cx, app, a| delete(app, a, 0)?;
        fn "validate" "(model: core.Model): void" "Validates a model." => |cx, app, a| validate(app, a, 0)?;
        fn "saveWithContext" "(context: context.Context, model: core.Model): void" "Stores a model, with all hooks." => |cx, app, a| { a.known::<super::exchange::Lasting>(0, "context.Context")?; save(app, a, 1, true)?; };
        fn "saveNoValidateWithContext" "(context: context.Context, model: core.Model): void" "Stores a model without validating it." => |cx, app, a| { a.known::<super::exchange::Lasting>(0, "context.Context")?; save(app, a, 1, false)?; };
        fn "deleteWithContext" "(context: context.Context, model: core.Model): void" "Deletes a model, with all hooks." => |cx, app, a| { a.known::<super::exchange::Lasting>(0, "context.Context")?; delete(app, a, 1)?; };
        fn "validateWithContext" "(context: context.Context, model: core.Model): void" "Validates a model." => |cx, app, a| { a.known::<super::exchange::Lasting>(0, "context.Context")?; validate(app, a, 1)?; };
        fn "findCollectionByNameOrId" "(nameOrId: string): core.Collection" "A collection." => |cx, app, a| wait(app.find_collection(&a.str(0)?))?;
        fn "findCachedCollectionByNameOrId" "(nameOrId: string): core.Collection" "A collection." => |cx, app, a| wait(app.find_collection(&a.str(0)?))?;
        fn "findRecordById" "(collection: string | core.Collection, id: string, ...filters: ((q: dbx.SelectQuery) => void)[]): core.Record" "A record." => |cx, app, a| {
            if a.len() > 2 { by_id_filtered(cx, app, a)? } else { wait(app.find_record_by_id(collection_arg(a, 0)?, a.str(1)?))? }
        };
        fn "findRecordsByIds" "(collection: string | core.Collection, ids: string[]): core.Record[]" "The records of these ids." => |cx, app, a| {
            let mut found = wait(app.find_records_by_ids(collection_arg(a, 0)?, &a.list(1)?))?;
            // as the database has them
            found.sort_by_key(Record::id);
            found
        };
        fn "findAllRecords" "(collection: any, ...conditions: dbx.Expression[]): core.Record[]" "All records that match." => |cx, app, a| {
            let conditions = conditions(a, 1)?;
            let name = queried_collection(app, a, 0).ok_or_else(|| unfound(app, "*", &conditions))?;
            wait(app.find_all_records(name, conditions))?
        };
        fn "countRecords" "(collection: string | core.Collection, ...conditions: dbx.Expression[]): number" "How many records match." => |cx, app, a| {
            let conditions = conditions(a, 1)?;
            let name = queried_collection(app, a, 0).ok_or_else(|| unfound(app, "count(*)", &conditions))?;
            wait(app.count_records(name, conditions))?
        };
        fn "findAuthRecordByEmail" "(collection: string | core.Collection, email: string): core.Record" "The record with an email." => |cx, app, a| {
            let unfetched = |why: String| Fail::other(format!("failed to fetch auth collection: {why}"));
            let name = collection_arg(a, 0).map_err(|_| unfetched(UNKNOWN.to_owned()))?;
            wait(app.find_collection(&name)).map_err(|error| unfetched(error.to_string()))?;
            wait(app.find_auth_record_by_email(name, &a.str(1)?))?
        };
        fn "findAuthRecordByToken" "(token: string, ...types: string[]): core.Record" "The record that a token is of." => |cx, app, a| by_token(app, a)?;
        fn "findAllExternalAuthsByRecord" "(record: core.Record): core.Record[]" "An account's links to accounts of other services." => |cx, app, a| wait(app.find_all_external_auths_by_record(&*a.host::<Record>(0)?))?;
        fn "findAllExternalAuthsByCollection" "(collection: core.Collection): core.Record[]" "All links to accounts of other services of a collection's accounts." => |cx, app, a| wait(app.find_all_external_auths_by_collection(collection_arg(a, 0)?))?;
        fn "deleteAllExternalAuthsByRecord" "(record: core.Record): void" "Deletes an account's links to accounts of other services." => |cx, app, a| wait(app.delete_all_external_auths_by_record(&*a.host::<Record>(0)?))?;
        fn "findAllMFAsByRecord" "(record: core.Record): core.Record[]" "An account's sessions that wait for a second factor." => |cx, app, a| wait(app.find_all_mfas_by_record(&*a.host::<Record>(0)?))?;
        fn "findAllMFAsByCollection" "(collection: core.Collection): core.Record[]" "All sessions that wait for a second factor of a collection's accounts." => |cx, app, a| wait(app.find_all_mfas_by_collection(collection_arg(a, 0)?))?;
        fn "deleteAllMFAsByRecord" "(record: core.Record): void" "Deletes an account's sessions that wait for a second factor." => |cx, app, a| wait(app.delete_all_mfas_by_record(&*a.host::<Record>(0)?))?;
        fn "findAllOTPsByRecord" "(record: core.Record): core.Record[]" "An account's one-time passwords." => |cx, app, a| wait(app.find_all_otps_by_record(&*a.host::<Record>(0)?))?;
        fn "findAllOTPsByCollection" "(collection: core.Collection): core.Record[]" "All one-time passwords of a collection's accounts." => |cx, app, a| wait(app.find_all_otps_by_collection(collection_arg(a, 0)?))?;
        fn "deleteAllOTPsByRecord" "(record: core.Record): void" "Deletes an account's one-time passwords." => |cx, app, a| wait(app.delete_all_otps_by_record(&*a.host::<Record>(0)?))?;
        fn "findAllAuthOriginsByRecord" "(record: core.Record): core.Record[]" "An account's places it has signed in from." => |cx, app, a| wait(app.find_all_auth_origins_by_record(&*a.host::<Record>(0)?))?;
        fn "findAllAuthOriginsByCollection" "(collection: core.Collection): core.Record[]" "All places it has signed in from of a collection's accounts." => |cx, app, a| wait(app.find_all_auth_origins_by_collection(collection_arg(a, 0)?))?;
        fn "deleteAllAuthOriginsByRecord" "(record: core.Record): void" "Deletes an account's places it has signed in from." => |cx, app, a| wait(app.delete_all_auth_origins_by_record(&*a.host::<Record>(0)?))?;
        fn "findFirstExternalAuthByExpr" "(condition: dbx.Expression): core.Record" "A link to an account of another service." => |cx, app, a| wait(app.find_first_external_auth_by_expr(super::condition(a, 0)?))?;
        fn "findMFAById" "(id: string): core.Record" "A session that waits for a second factor." => |cx, app, a| wait(app.find_mfa_by_id(&a.str(0)?))?;
        fn "findOTPById" "(id: string): core.Record" "A one-time password." => |cx, app, a| wait(app.find_otp_by_id(&a.str(0)?))?;
        fn "findAuthOriginById" "(id: string): core.Record" "A place somebody has signed in from." => |cx, app, a| wait(app.find_auth_origin_by_id(&a.str(0)?))?;
        fn "findAuthOriginByRecordAndFingerprint" "(record: core.Record, fingerprint: string): core.Record" "A place an account has signed in from." => |cx, app, a| {
            wait(app.find_auth_origin_by_record_and_fingerprint(&*a.host::<Record>(0)?, &a.str(1)?))?
        };
        fn "deleteExpiredMFAs" "(): void" "Deletes sessions whose second factor did not come." => |cx, app, a| wait(app.delete_expired_mfas())?;
        fn "deleteExpiredOTPs" "(): void" "Deletes one-time passwords that are no longer valid." => |cx, app, a| wait(app.delete_expired_otps())?;
        fn "createViewFields" "(query: string): core.FieldsList" "The fields that a view of a query has." => |cx, app, a| fields_of_view(app, &a.str(0)?)?;
        fn "canAccessRecord" "(record: core.Record, requestInfo: core.RequestInfo, rule: string | null): boolean" "Whether a rule lets a request have a record." => |cx, app, a| {
            let rule = match a.is_nil(2) { true => None, false => Some(a.str(2)?) };
            let info = request_info(a, 1)?;
            wait(app.can_access_record(&*a.host::<Record>(0)?, &info, rule.as_deref()))?
        };
        fn "expandRecord" "(record: core.Record, expands: string[], fetch?: any): { [key: string]: any }" "Expands relations; gives what failed." => |cx, app, a| {
            expand(cx, app, &[a.host::<Record>(0)?.clone()], &a.list(1)?, a.at(2).as_function())
        };
        fn "expandRecords" "(records: core.Record[], expands: string[], fetch?: any): { [key: string]: any }" "Expands relations; gives what failed." => |cx, app, a| {
            let records: Vec<Record> = items(cx, &a.at(0))?.iter().filter_map(|item| as_host(item)?.get::<Record>().cloned()).collect();
            expand(cx, app, &records, &a.list(1)?, a.at(2).as_function())
        };
        fn "findAllCollections" "(...types: string[]): core.Collection[]" "All collections, of these types if there are any." => |cx, app, a| {
            let types = a.texts(0)?;
            let all = wait(app.find_all_collections([]))?;
            all.into_iter().filter(|c| types.is_empty() || types.contains(&c.type_name())).collect::<Vec<_>>()
        };
        fn "importCollections" "(list: any[], deleteMissing: boolean): void" "Makes and changes collections." => |cx, app, a| {
            let list = match a.json(0)? { serde_json::Value::Array(list) => list, _ => Vec::new() };
            wait(app.import_collections(&list, a.bool(1)?))?;
        };
        fn "importCollectionsByMarshaledJSON" "(json: string | number[], deleteMissing: boolean): void" "Makes and changes collections." => |cx, app, a| {
            let json = String::from_utf8_lossy(&a.bytes(0)?).into_owned();
            wait(app.import_collections_json(&json, a.bool(1)?))?;
        };
        fn "truncateCollection" "(collection: core.Collection): void" "Deletes all its records." => |cx, app, a| wait(app.truncate_collection(collection_arg(a, 0)?))?;
        fn "reloadCachedCollections" "(): void" "Reads the collections again." => |cx, app, a| wait(app.reload_cached_collections())?;
        fn "isCollectionNameUnique" "(name: string, ...excludeIds: string[]): boolean" "Whether no other collection has a name." => |cx, app, a| {
            let (name, others) = (a.str(0)?, a.texts(1)?);
            wait(app.find_all_collections([]))?.iter().all(|c| !c.name().eq_ignore_ascii_case(&name) || others.contains(&c.id()))
        };
        fn "recordQuery" "(collection: string | core.Collection): dbx.SelectQuery" "A query for records." => |cx, app, a| match queried_collection(app, a, 0) {
            Some(name) => select(app.record_query(name), Gives::Records),
            None => select(invalid_query(app, "*"), Gives::Rows),
        };
        fn "collectionQuery" "(): dbx.SelectQuery" "A query for collections." => |cx, app, a| select(app.db().select(["*"]).from("_collections"), Gives::Collections);
        fn "logQuery" "(): dbx.SelectQuery" "A query for logs." => |cx, app, a| select(app.aux_db().select(["*"]).from("_logs"), Gives::Rows);
        fn "hasTable" "(name: string): boolean" "Whether there is a table or view." => |cx, app, a| wait(app.db().has_table(&a.str(0)?)).unwrap_or_default();
        fn "auxHasTable" "(name: string): boolean" "Whether the auxiliary database has a table." => |cx, app, a| wait(app.aux_db().has_table(&a.str(0)?)).unwrap_or_default();
        fn "tableColumns" "(name: string): string[]" "The columns of a table." => |cx, app, a| wait(app.db().columns_of(&a.str(0)?))?;
        fn "tableInfo" "(name: string): core.TableInfoRow[]" "The columns of a table." => |cx, app, a| table_info(app, &a.str(0)?)?;
        fn "tableIndexes" "(name: string): { [key: string]: string }" "The indexes of a table." => |cx, app, a| {
            Val::Map(new_map(wait(app.db().table_indexes(&a.str(0)?))?.into_iter().map(|(name, sql)| (name, Val::Str(sql)))))
        };
        fn "deleteTable" "(name: string): void" "Drops a table." => |cx, app, a| {
            wait(app.db().query(Db::definition(&a.str(0)?, &Definition::DropTable)).execute())?;
        };
        fn "saveView" "(name: string, query: string): void" "Makes a view anew." => |cx, app, a| wait(app.db().save_view(&a.str(0)?, &a.str(1)?))?;
        fn "deleteView" "(name: string): void" "Drops a view." => |cx, app, a| wait(app.db().delete_view(&a.str(0)?))?;
        fn "db" "(): dbx.Builder" "Queries, in the transaction if there is one." => |cx, app, a| Arc::new(Builder(app.db())) as Shared;
        fn "concurrentDB" "(): dbx.Builder" "Queries." => |cx, app, a| Arc::new(Builder(app.db())) as Shared;
        fn "nonconcurrentDB" "(): dbx.Builder" "Queries." => |cx, app, a| Arc::new(Builder(app.db())) as Shared;
        fn "auxDB" "(): dbx.Builder" "Queries of the auxiliary database." => |cx, app, a| Arc::new(Builder(app.aux_db())) as Shared;
        fn "auxConcurrentDB" "(): dbx.Builder" "Queries of the auxiliary database." => |cx, app, a| Arc::new(Builder(app.aux_db())) as Shared;
        fn "auxNonconcurrentDB" "(): dbx.Builder" "Queries of the auxiliary database." => |cx, app, a| Arc::new(Builder(app.aux_db())) as Shared;
        fn "runInTransaction" "(work: (txApp: core.App) => void): void" "All or nothing." => |cx, app, a| in_transaction(cx, app, &a.function(0)?, false)?;
        fn "auxRunInTransaction" "(work: (txApp: core.App) => void): void" "All or nothing in the auxiliary database." => |cx, app, a| in_transaction(cx, app, &a.function(0)?, true)?;
        fn "txInfo" "(): core.TxAppInfo | null" "The open transaction." => |cx, app, a| app.is_transactional().then(|| Arc::new(TxInfo(app.clone())) as Shared);
        fn "logger" "(): slog.Logger" "The log." => |cx, app, a| Arc::new(Log::of(app)) as Shared;
        fn "settings" "(): core.Settings" "The settings." => |cx, app, a| Arc::new(SettingsTree::of(&*app.settings()?)) as Shared;
        fn "reloadSettings" "(): void" "Reads the settings again." => |cx, app, a| wait(app.reload_settings())?;
        fn "newMailClient" "(): mailer.Mailer" "What sends mail." => |cx, app, a| mailer(app);
        fn "crypto" "(): core.CryptoProvider" "Encryption with the master key." => |cx, app, a| std::sync::Arc::new(super::crypto::Crypto(app.crypto())) as Shared;
        fn "cron" "(): cron.Cron" "The jobs." => |cx, app, a| jobs(app);
        fn "subscriptionsBroker" "(): subscriptions.Broker" "What knows all realtime clients." => |cx, app, a| super::realtime::broker(app)?;
        fn "unsafeWithoutHooks" "(): core.App" "The app, in whose operations no hooks take part." => |cx, app, a| app.without_hooks()?;
        fn "findRecordsByFilter" "(collection: string | core.Collection, filter: string, sort?: string, limit?: number, offset?: number, ...params: { [key: string]: any }[]): core.Record[]" "The records that a filter matches." => |cx, app, a| {
            let mut query = FilterQuery::new(a.str(1)?)
                .sort(a.str(2)?)
                .limit(u32::try_from(a.int(3)?.max(0)).unwrap_or(u32::MAX))
                .offset(u64::try_from(a.int(4)?).unwrap_or_default());
            for params in a.rest(5) {
                query = query.params(filter_params(cx, &params)?);
            }
            wait(app.find_records_by_filter(collection_arg(a, 0)?, query))?
        };
        fn "findFirstRecordByFilter" "(collection: string | core.Collection, filter: string, ...params: { [key: string]: any }[]): core.Record" "The first record that a filter matches." => |cx, app, a| {
            let mut params = serde_json::Map::new();
            for given in a.rest(2) {
                params.extend(filter_params(cx, &given)?);
            }
            wait(app.find_first_record_by_filter(collection_arg(a, 0)?, &a.str(1)?, params))?
        };
        fn "findFirstRecordByData" "(collection: string | core.Collection, key: string, value: any): core.Record" "The first record with a value." => |cx, app, a| {
            wait(app.find_first_record_by_data(collection_arg(a, 0)?, &a.str(1)?, a.json(2)?))?
        };
    }
}

/// Values of a filter's `{:name}`; dates as Go prints them.
fn filter_params<'js>(
    cx: &Ctx<'js>,
    given: &Value<'js>,
) -> Res<serde_json::Map<String, serde_json::Value>> {
    let given = crate::bind::export(cx, given)?;
    let Val::Map(map) = &given else { return Ok(given.into_object()) };
    let values = map.lock().clone();
    let value = |value: Val| match value {
        Val::Time(millis) => super::moment_of(millis).text().into(),
        other => other.into_json(),
    };
    Ok(values.into_iter().map(|(name, one)| (name, value(one))).collect())
}

fn fields_of_view(app: &App, query: &str) -> Res<Vec<Val>> {
    let fields = wait(app.view_fields(query))?;
    Ok(fields.into_iter().map(|field| Val::Host(super::field::own(field))).collect())
}

fn table_info(app: &App, name: &str) -> Res<Vec<Val>> {
    let rows = wait(app.db().table_info(name))?;
    if rows.is_empty() {
        return Err(Error::NotFound.into());
    }
    let items = rows.iter().enumerate().map(|(at, row)| -> Res<Val> {
        let (name, ty, not_null, default, key): (String, String, bool, Option<String>, i64) =
            row.to()?;
        let default = default.map_or(Val::Null, Val::Str);
        Ok(Val::Map(new_map([
            ("pk".to_owned(), Val::Int(key)),
            ("index".to_owned(), Val::Int(i64::try_from(at).unwrap_or_default())),
            ("name".to_owned(), Val::Str(name)),
            ("type".to_owned(), Val::Str(ty)),
            ("notNull".to_owned(), Val::Bool(not_null)),
            ("defaultValue".to_owned(), default),
        ])))
    });
    items.collect()
}

/// An open transaction.
struct TxInfo(App);

native!(TxInfo = TX_INFO);

table! {
    pub(crate) static TX_INFO: TxInfo = "core.TxAppInfo", "An open transaction." {
        fn "onComplete" "(work: (error: any) => void): void" "Runs when the transaction has ended, with what it failed with." => |cx, t, a| on_complete(cx, &t.0, a.function(0)?)?;
    }
}

fn on_complete<'js>(cx: &Ctx<'js>, app: &App, work: Function<'js>) -> Res<()> {
    if let Some((_, completed)) = Local::of(cx).transactions.borrow_mut().last_mut() {
        completed.push(work);
        return Ok(());
    }
    // somebody else's transaction ends when this context is busy or gone: another one runs the text, as it does with hooks
    let js = Local::of(cx).js.clone();
    let source = source_of(cx, work.as_value())?.unwrap_or_default();
    let program = js.program(source, ("handler".into(), 1, 1), "onComplete".into());
    program.compile(cx)?;
    let queued = app.after_transaction(move |app, outcome| async move {
        let pool = js.pool.clone();
        pool.run(move || call(&js, &program, &app, outcome.err().map(errors::of_error))).await
    });
    Ok(wait(queued)?)
}

/// Nothing counts as a model until it is used; anything else is refused at once.
fn no_model(args: &Args<'_, '_>, at: usize) -> Fail {
    match args.is_nil(at) {
        true => Fail::Fatal("a record, a collection or another model is expected".into()),
        false => args.inconvertible(at, "core.Model"),
    }
}

fn save(app: &App, args: &Args<'_, '_>, at: usize, validate: bool) -> Res<()> {
    if let Some(record) = args.opt_host::<Record>(at)? {
        return Ok(match validate {
            true => wait(app.save(&*record)),
            false => wait(app.save_no_validate(&*record)),
        }?);
    }
    if let Some(settings) = args.opt_host::<SettingsTree>(at)? {
        return settings.save(app);
    }
    let collection = args.opt_host::<Collection>(at)?.ok_or_else(|| no_model(args, at))?;
    let done = match validate {
        true => wait(app.save(&*collection)),
        false => wait(app.save_no_validate(&*collection)),
    };
    if let Err(error) = &done {
        *Local::of(args.cx()).unsaved.borrow_mut() = Some((collection.name(), error.to_string()));
    }
    Ok(done?)
}
fn delete(app: &App, args: &Args<'_, '_>, at: usize) -> Res<()> {
    if let Some(record) = args.opt_host::<Record>(at)? {
        return Ok(wait(app.delete(&*record))?);
    }
    Ok(wait(app.delete(&*args.opt_host::<Collection>(at)?.ok_or_else(|| no_model(args, at))?))?)
}
fn validate(app: &App, args: &Args<'_, '_>, at: usize) -> Res<()> {
    if let Some(record) = args.opt_host::<Record>(at)? {
        return Ok(wait(app.validate(&*record))?);
    }
    Ok(wait(app.validate(&*args.opt_host::<Collection>(at)?.ok_or_else(|| no_model(args, at))?))?)
}

/// A query of a collection that does not exist has failed.
fn unfound(app: &App, columns: &str, conditions: &[Expr]) -> Fail {
    let query = conditions
        .iter()
        .fold(invalid_query(app, columns), |query, condition| query.and_where(condition.clone()));
    invalid_failure(&query)
}

/// `findRecordById` with callbacks that narrow the query.
fn by_id_filtered<'js>(cx: &Ctx<'js>, app: &App, args: &Args<'_, 'js>) -> Res<Record> {
    let id = args.str(1)?;
    let query = app.record_query(collection_arg(args, 0)?);
    let query = select(query.where_(pocketbase::db::hash([("id", id)])), Gives::Records);
    for filter in args.rest(2).into_iter().filter(|filter| !is_nil(filter)) {
        let filter = filter
            .into_function()
            .ok_or_else(|| Fail::Type("a filter must be a function".into()))?;
        let given: Value<'js> = filter.call((object(cx, query.clone())?,))?;
        no_result(cx, &given)?;
    }
    let query = query.get::<Select>().map(Select::current).ok_or(Error::NotFound)?;
    Ok(wait(query.limit(1).records())?.pop().ok_or(Error::NotFound)?)
}

fn by_token(app: &App, args: &Args<'_, '_>) -> Res<Record> {
    let kinds = args.texts(1)?;
    let kind = |name: &str| match name {
        "auth" => Some(TokenType::Auth),
        "file" => Some(TokenType::File),
        "verification" => Some(TokenType::Verification),
        "passwordReset" => Some(TokenType::PasswordReset),
        "emailChange" => Some(TokenType::EmailChange),
        _ => None,
    };
    let token = args.str(0)?;
    if token.is_empty() {
        return Err(Fail::other("missing token"));
    }
    let claims = crate::space::claims(&token)?;
    let text =
        |name: &str| claims.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    let (is, id) = (text("type"), text("id"));
    if is.is_empty() || id.is_empty() || text("collectionId").is_empty() {
        return Err(Fail::other("missing or invalid token claims"));
    }
    if !kinds.is_empty() && !kinds.iter().any(|kind| kind == is) {
        let wanted = kinds.join(",");
        return Err(Fail::other(format!("invalid token type {is:?}, expects {wanted:?}")));
    }
    let kind = kind(is).ok_or_else(|| Fail::other(format!("unknown token type {is:?}")))?;
    let found = wait(app.find_auth_record_by_token(&token, [kind]));
    match found {
        Err(Error::NotFound) => {
            // the account is there: only its key can be another
            wait(app.find_record_by_id(text("collectionId"), id))?;
            Err(Fail::other("token signature is invalid: signature is invalid"))
        }
        other => Ok(other?),
    }
}

fn request_info(args: &Args<'_, '_>, at: usize) -> Res<RequestInfo> {
    Ok(args.host::<super::info::Info>(at)?.to_library())
}

/// Runs a script's function in a transaction. It cannot leave this thread, so the transaction asks this thread to call it.
fn in_transaction<'js>(cx: &Ctx<'js>, app: &App, work: &Function<'js>, is_aux: bool) -> Res<()> {
    if !is_aux && app.in_data_transaction() {
        // joins the open one: what it is given is the very app of that
        let open = Local::of(cx).transactions.borrow().last().map(|(tx, _)| tx.clone());
        let tx = open.map_or_else(|| object(cx, Arc::new(app.clone())), Ok)?;
        let given: Value<'js> = work.call((tx,))?;
        return no_result(cx, &given);
    }
    let (ask, asked) = mpsc::channel::<App>();
    let (answer, answered) = oneshot::channel::<Result<(), Error>>();
    let (mut answer, mut thrown) = (Some(answer), None);
    let inside = move |tx| async move {
        let _ = ask.send(tx);
        answered.await.unwrap_or_else(|_| Err(Error::other("the transaction was given up")))
    };
    let transaction = async {
        match is_aux {
            true => app.aux_run_in_transaction(inside).await,
            false => app.run_in_transaction(inside).await,
        }
    };
    let mut completed = Vec::new();
    let done = wait_serving(transaction, || {
        let Ok(tx) = asked.try_recv() else { return false };
        let done = object(cx, Arc::new(tx)).and_then(|tx| {
            Local::of(cx).transactions.borrow_mut().push((tx.clone(), Vec::new()));
            work.call::<_, Value<'js>>((tx,))
        });
        let open = Local::of(cx).transactions.borrow_mut().pop();
        completed = open.map(|(_, completed)| completed).unwrap_or_default();
        let result = match done {
            Ok(given) => no_result(cx, &given).map_err(|fail| match fail {
                Fail::Host(error) => error,
                _ => Error::other("the transaction's result cannot be used"),
            }),
            Err(_) => {
                let value = cx.catch();
                let error = error_of(cx, &value);
                thrown = Some(value);
                Err(error)
            }
        };
        if let Some(answer) = answer.take() {
            let _ = answer.send(result);
        }
        true
    });
    for work in completed {
        let error: Value<'js> = match (&done, &thrown) {
            (Err(_), Some(value)) => value.clone(),
            (Err(error), None) => object(cx, errors::of_error(error.duplicate()))?,
            (Ok(()), _) => Value::new_null(cx.clone()),
        };
        let given: Value<'js> = work.call((error,))?;
        no_result(cx, &given)?;
    }
    match (done, thrown) {
        // the very same value that the function has thrown
        (Err(_), Some(value)) => Err(Fail::Js(cx.throw(value))),
        (Err(error), None) => Err(error.into()),
        (Ok(()), _) => Ok(()),
    }
}
