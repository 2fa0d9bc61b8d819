//! Collections and their fields (spec extending §7.2 to §7.4).

use pocketbase::{Collection, Field};

use super::hosted;
use crate::bind::{Args, Res, Val, native, table, text};

native!(Collection = COLLECTION, Field = FIELD);
hosted!(Collection, Field);

table! {
    pub(crate) static COLLECTION: Collection = "core.Collection", "A collection." {
        prop "id": "string", "The id." => |cx, c| c.id();
        prop "name": "string", "The name." => |cx, c| c.name(), set |cx, c, v| c.set_name(&text(cx, &v)?);
        prop "type": "string", "`base`, `auth` or `view`." => |cx, c| c.type_name();
        prop "system": "boolean", "Whether it belongs to the system." => |cx, c| c.is_system();
        fn "isNew" "(): boolean" "True before it is stored." => |cx, c, a| c.is_new();
        fn "isBase" "(): boolean" "True for base collections." => |cx, c, a| !c.is_auth() && !c.is_view();
        fn "isAuth" "(): boolean" "True for auth collections." => |cx, c, a| c.is_auth();
        fn "isView" "(): boolean" "True for views." => |cx, c, a| c.is_view();
        fn "tableName" "(): string" "Where collections are stored." => |cx, c, a| "_collections";
        fn "baseFilesPath" "(): string" "Where the files of its records are." => |cx, c, a| c.id();
        fn "pk" "(): any" "The id." => |cx, c, a| c.id();
    }
    text |c| c.to_json().to_string();
    json |c| Val::Raw(c.to_json().to_string());
}

table! {
    pub(crate) static FIELD: Field = "core.Field", "A field." {
        prop "id": "string", "The id." => |cx, f| f.id().to_owned();
        prop "name": "string", "The name." => |cx, f| f.name().to_owned();
        fn "type" "(): string" "The type." => |cx, f, a| f.type_name();
    }
}

/// A collection given as an object, an id or a name: its name or id.
pub(crate) fn collection_arg(args: &Args<'_, '_>, at: usize) -> Res<String> {
    if let Some(collection) = args.opt_host::<Collection>(at)? {
        return Ok(collection.id());
    }
    args.str(at)
}

pub(crate) fn new_collection(args: &Args<'_, '_>) -> Res<Collection> {
    let _ = args;
    Ok(Collection::base(""))
}
