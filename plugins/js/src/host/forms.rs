//! Forms (spec extending §3.2): what a client would submit, filled and submitted by a script, with the same checks.

use parking_lot::Mutex;
use pocketbase::{
    App, AppleClientSecretCreateForm, File, Record, RecordUpsertForm, TestEmailSendForm,
    TestS3FilesystemForm,
};

use crate::{
    bind::{Args, Res, Val, native, new_map, number, table, text},
    run::wait,
};

/// A form over a record.
pub(crate) struct UpsertForm {
    form: Mutex<RecordUpsertForm>,
    record: Mutex<Record>,
}
/// A form that sends a mail to try the settings.
pub(crate) struct EmailForm(Mutex<TestEmailSendForm>);
/// A form that tries a storage.
pub(crate) struct StorageForm(Mutex<TestS3FilesystemForm>);
/// A form that makes a client secret for Apple.
pub(crate) struct AppleForm(Mutex<AppleClientSecretCreateForm>);

native!(
    UpsertForm = UPSERT_FORM,
    EmailForm = EMAIL_FORM,
    StorageForm = STORAGE_FORM,
    AppleForm = APPLE_FORM,
);

table! {
    pub(crate) static UPSERT_FORM: UpsertForm = "forms.RecordUpsert", "Data that is loaded into a record and saved with it." {
        fn "load" "(data: { [key: string]: any }): void" "Takes data." => |cx, f, a| f.load(a.val(0)?)?;
        fn "submit" "(): void" "Saves the record." => |cx, f, a| wait(f.form.lock().submit())?;
        fn "setApp" "(app: core.App): void" "The app that saves." => |cx, f, a| f.form.lock().set_app(&*a.host::<App>(0)?);
        fn "setRecord" "(record: core.Record): void" "The record that is saved." => |cx, f, a| {
            let record = a.host::<Record>(0)?.clone();
            f.form.lock().set_record(&record);
            *f.record.lock() = record;
        };
        fn "setContext" "(context: any): void" "Does nothing." => |cx, f, a| ();
        fn "grantManagerAccess" "(): void" "Addresses and passwords may be changed without the old password." => |cx, f, a| f.form.lock().grant_manager_access();
        fn "grantSuperuserAccess" "(): void" "The same, and hidden fields may be set." => |cx, f, a| f.form.lock().grant_superuser_access();
        fn "resetAccess" "(): void" "Takes back what was granted." => |cx, f, a| f.form.lock().reset_access();
        fn "hasManageAccess" "(): boolean" "Whether something was granted." => |cx, f, a| f.form.lock().has_manage_access();
    }
}

table! {
    pub(crate) static EMAIL_FORM: EmailForm = "forms.TestEmailSend", "Sends a mail to try the settings." {
        prop "email": "string", "To whom." => |cx, f| f.0.lock().email.clone(), set |cx, f, v| f.0.lock().email = text(cx, &v)?;
        prop "template": "string", "Which mail: `verification`, `password-reset`, `email-change`, `otp`, `login-alert`." => |cx, f| f.0.lock().template.clone(), set |cx, f, v| f.0.lock().template = text(cx, &v)?;
        prop "collection": "string", "The collection whose texts are taken." => |cx, f| f.0.lock().collection.clone(), set |cx, f, v| f.0.lock().collection = text(cx, &v)?;
        fn "validate" "(): void" "Fails if something is missing." => |cx, f, a| f.0.lock().validate()?;
        fn "submit" "(): void" "Sends it." => |cx, f, a| wait(f.0.lock().submit())?;
    }
}

table! {
    pub(crate) static STORAGE_FORM: StorageForm = "forms.TestS3Filesystem", "Tries a storage." {
        prop "filesystem": "string", "`storage` or `backups`." => |cx, f| f.0.lock().filesystem.clone(), set |cx, f, v| f.0.lock().filesystem = text(cx, &v)?;
        fn "submit" "(): void" "Writes, reads and deletes a file." => |cx, f, a| wait(f.0.lock().submit())?;
    }
}

table! {
    pub(crate) static APPLE_FORM: AppleForm = "forms.AppleClientSecretCreate", "Makes a client secret for Apple." {
        prop "clientId": "string", "The services id." => |cx, f| f.0.lock().client_id.clone(), set |cx, f, v| f.0.lock().client_id = text(cx, &v)?;
        prop "teamId": "string", "The team id." => |cx, f| f.0.lock().team_id.clone(), set |cx, f, v| f.0.lock().team_id = text(cx, &v)?;
        prop "keyId": "string", "The key id." => |cx, f| f.0.lock().key_id.clone(), set |cx, f, v| f.0.lock().key_id = text(cx, &v)?;
        prop "privateKey": "string", "The private key, as PEM." => |cx, f| f.0.lock().private_key.clone(), set |cx, f, v| f.0.lock().private_key = text(cx, &v)?;
        prop "duration": "number", "How many seconds it is to live." => |cx, f| f.0.lock().duration, set |cx, f, v| {
            #[allow(clippy::cast_possible_truncation, reason = "what ToInt does")]
            let seconds = number(cx, &v)? as i64;
            f.0.lock().duration = seconds;
        };
        fn "validate" "(): void" "Fails if something is missing." => |cx, f, a| f.0.lock().validate()?;
        fn "submit" "(): string" "The secret." => |cx, f, a| f.0.lock().submit()?;
    }
}

impl UpsertForm {
    /// `new RecordUpsertForm(app, record)`.
    pub(crate) fn new(args: &Args<'_, '_>) -> Res<Self> {
        let record = args.host::<Record>(1)?.clone();
        let form = Mutex::new(RecordUpsertForm::new(&*args.host::<App>(0)?, &record));
        Ok(Self { form, record: Mutex::new(record) })
    }
    /// Files go to the record at once, everything else through the form.
    fn load(&self, data: Val) -> Res<()> {
        let Val::Map(data) = data else { return Ok(()) };
        let is_file =
            |value: &Val| matches!(value, Val::Host(host) if host.get::<File>().is_some());
        let holds_files = |value: &Val| match value {
            Val::List(items) => items.iter().any(is_file),
            one => is_file(one),
        };
        let data = data.lock().clone();
        let (files, values): (Vec<_>, Vec<_>) =
            data.into_iter().partition(|(_, value)| holds_files(value));
        super::load_record(&self.record.lock(), Val::Map(new_map(files)))?;
        self.form.lock().load(&Val::Map(new_map(values)).into_json());
        Ok(())
    }
}
impl EmailForm {
    /// `new TestEmailSendForm(app)`.
    pub(crate) fn new(args: &Args<'_, '_>) -> Res<Self> {
        Ok(Self(Mutex::new(TestEmailSendForm::new(&*args.host::<App>(0)?))))
    }
}
impl StorageForm {
    /// `new TestS3FilesystemForm(app)`.
    pub(crate) fn new(args: &Args<'_, '_>) -> Res<Self> {
        Ok(Self(Mutex::new(TestS3FilesystemForm::new(&*args.host::<App>(0)?))))
    }
}
impl AppleForm {
    /// `new AppleClientSecretCreateForm(app)`.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(AppleClientSecretCreateForm::new()))
    }
}
