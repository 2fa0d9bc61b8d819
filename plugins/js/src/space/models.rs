//! Constructors of models (spec extending §3.2).

use crate::{
    bind::{errors::validation_error, globals},
    host,
};

globals! {
    pub(crate) static CONSTRUCTORS {
        new "Record" "(collection?: core.Collection, data?: { [key: string]: any })" "A new record." => |cx, a| host::new_record(a)?;
        new "Collection" "(data?: { [key: string]: any })" "A new collection." => |cx, a| host::new_collection(a)?;
        new "DateTime" "(date?: string, timezone?: string)" "A point in time." => |cx, a| host::new_date_time(a)?;
        new "Timezone" "(name?: string)" "A time zone; UTC for a name that is unknown." => |cx, a| host::new_zone(a)?;
        new "Field" "(data?: { [key: string]: any })" "A field of the type in the data." => |cx, a| host::new_field(a, None)?;
        new "TextField" "(data?: { [key: string]: any })" "A field of type text." => |cx, a| host::new_field(a, Some("text"))?;
        new "NumberField" "(data?: { [key: string]: any })" "A field of type number." => |cx, a| host::new_field(a, Some("number"))?;
        new "BoolField" "(data?: { [key: string]: any })" "A field of type bool." => |cx, a| host::new_field(a, Some("bool"))?;
        new "EmailField" "(data?: { [key: string]: any })" "A field of type email." => |cx, a| host::new_field(a, Some("email"))?;
        new "URLField" "(data?: { [key: string]: any })" "A field of type url." => |cx, a| host::new_field(a, Some("url"))?;
        new "EditorField" "(data?: { [key: string]: any })" "A field of type editor." => |cx, a| host::new_field(a, Some("editor"))?;
        new "DateField" "(data?: { [key: string]: any })" "A field of type date." => |cx, a| host::new_field(a, Some("date"))?;
        new "AutodateField" "(data?: { [key: string]: any })" "A field of type autodate." => |cx, a| host::new_field(a, Some("autodate"))?;
        new "SelectField" "(data?: { [key: string]: any })" "A field of type select." => |cx, a| host::new_field(a, Some("select"))?;
        new "FileField" "(data?: { [key: string]: any })" "A field of type file." => |cx, a| host::new_field(a, Some("file"))?;
        new "RelationField" "(data?: { [key: string]: any })" "A field of type relation." => |cx, a| host::new_field(a, Some("relation"))?;
        new "JSONField" "(data?: { [key: string]: any })" "A field of type json." => |cx, a| host::new_field(a, Some("json"))?;
        new "PasswordField" "(data?: { [key: string]: any })" "A field of type password." => |cx, a| host::new_field(a, Some("password"))?;
        new "SecretField" "(data?: { [key: string]: any })" "A field of type secret." => |cx, a| host::new_field(a, Some("secret"))?;
        new "GeoPointField" "(data?: { [key: string]: any })" "A field of type geoPoint." => |cx, a| host::new_field(a, Some("geoPoint"))?;
        new "DynamicModel" "(shape: { [key: string]: any })" "A shape that rows and JSON are read into." => |cx, a| host::Model::of_shape(a)?;
        new "MailerMessage" "(data?: { [key: string]: any })" "A message to send." => |cx, a| host::MailMessage::new(a)?;
        new "SubscriptionMessage" "(data?: { [key: string]: any })" "A message to a realtime client." => |cx, a| host::Letter::of(a)?;
        new "RecordUpsertForm" "(app: core.App, record: core.Record)" "Data that is loaded into a record and saved with it." => |cx, a| host::UpsertForm::new(a)?;
        new "TestEmailSendForm" "(app: core.App)" "Sends a mail to try the settings." => |cx, a| host::EmailForm::new(a)?;
        new "TestS3FilesystemForm" "(app: core.App)" "Tries a storage." => |cx, a| host::StorageForm::new(a)?;
        new "AppleClientSecretCreateForm" "(app: core.App)" "Makes a client secret for Apple." => |cx, a| host::AppleForm::new();
        new "RequestInfo" "(data?: { [key: string]: any })" "The facts of a request." => |cx, a| host::new_request_info(a)?;
        new "Context" "(parent?: context.Context, key?: any, value?: any)" "How long something lasts, and a value that it carries." => |cx, a| host::Lasting::new(a)?;
        new "Cookie" "(data?: { [key: string]: any })" "A cookie." => |cx, a| host::Cookie::new(a)?;
        new "Middleware" "(handler: ((e: core.RequestEvent) => any) | string, priority?: number, id?: string)" "A step around handlers." => |cx, a| host::new_middleware(a)?;
        new "ValidationError" "(code?: string, message?: string)" "What is wrong with a value." => |cx, a| validation_error(a)?;
    }
}
