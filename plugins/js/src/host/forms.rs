//! Forms (spec extending §3.2): data that is loaded into a record and saved with it.

use parking_lot::Mutex;
use pocketbase::{App, Error, Record};
use serde_json::{Map, Value as Json};

use crate::{
    bind::{Args, Fail, Res, native, table},
    run::wait,
};

/// A form over a record.
pub(crate) struct UpsertForm {
    app: Mutex<App>,
    record: Mutex<Record>,
    data: Mutex<Map<String, Json>>,
}
native!(UpsertForm = UPSERT_FORM);

table! {
    pub(crate) static UPSERT_FORM: UpsertForm = "forms.RecordUpsert", "Data that is loaded into a record and saved with it." {
        fn "load" "(data: { [key: string]: any }): void" "Takes data." => |cx, f, a| {
            let data = a.val(0)?.into_object();
            f.data.lock().extend(data);
        };
        fn "submit" "(): void" "Saves the record." => |cx, f, a| f.submit()?;
        fn "setApp" "(app: core.App): void" "The app that saves." => |cx, f, a| {
            let app = a.host::<App>(0)?.clone();
            *f.app.lock() = app;
        };
        fn "setRecord" "(record: core.Record): void" "The record that is saved." => |cx, f, a| {
            let record = a.host::<Record>(0)?.clone();
            *f.record.lock() = record;
        };
        fn "setContext" "(context: any): void" "Does nothing." => |cx, f, a| ();
        fn "grantManagerAccess" "(): void" "May change everything: scripts always may." => |cx, f, a| ();
        fn "grantSuperuserAccess" "(): void" "May change everything: scripts always may." => |cx, f, a| ();
        fn "resetAccess" "(): void" "Does nothing: scripts may change everything." => |cx, f, a| ();
        fn "hasManageAccess" "(): boolean" "True." => |cx, f, a| true;
    }
}

impl UpsertForm {
    /// `new RecordUpsertForm(app, record)`.
    pub(crate) fn new(args: &Args<'_, '_>) -> Res<Self> {
        Ok(Self {
            app: Mutex::new(args.host::<App>(0)?.clone()),
            record: Mutex::new(args.host::<Record>(1)?.clone()),
            data: Mutex::default(),
        })
    }
    fn submit(&self) -> Res<()> {
        let (app, record, mut data) =
            (self.app.lock().clone(), self.record.lock().clone(), self.data.lock().clone());
        data.remove("oldPassword");
        let confirmed = data.remove("passwordConfirm");
        if let (Some(password), Some(confirmed)) = (data.get("password"), confirmed)
            && *password != confirmed
        {
            let error = Error::invalid(
                "passwordConfirm",
                "validation_values_mismatch",
                "Values don't match.",
            );
            return Err(Fail::Host(error));
        }
        record.load(&data);
        Ok(wait(app.save(&record))?)
    }
}
