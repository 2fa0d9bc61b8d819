//! Files that are to be stored (spec extending §9.5).

use std::sync::Arc;

use pocketbase::File;

use super::{exchange::Reader, hosted};
use crate::{
    bind::{Shared, Val, native, native_at, new_map, table, text},
    run::wait,
};

native_at!(File = FILE, |file| Some(file.address()));
hosted!(File);

/// What opens a file's content.
pub(crate) struct Opener(File);
native!(Opener = OPENER);

table! {
    pub(crate) static FILE: File = "filesystem.File", "A file that is to be stored." {
        prop "reader": "filesystem.FileReader", "Its content." => |cx, f| Arc::new(Opener(f.clone())) as Shared;
        prop "name": "string", "The name it is stored under." => |cx, f| f.stored_as(), set |cx, f, v| f.rename(&text(cx, &v)?);
        prop "originalName": "string", "The name it came with." => |cx, f| f.original_name().to_owned();
        prop "size": "number", "Its size in bytes." => |cx, f| f.size();
        fn "asMap" "(): { [key: string]: any }" "Its facts." => |cx, f, a| Val::Map(new_map(facts(f)));
    }
    json |f| Val::Map(new_map(facts(f).into_iter().chain([("reader".to_owned(), Val::Map(new_map([])))])));
    order &["reader", "name", "originalName", "size"];
}

table! {
    pub(crate) static OPENER: Opener = "filesystem.FileReader", "Opens a file." {
        fn "open" "(): io.ReadCloser" "The content." => |cx, o, a| Arc::new(Reader::new(wait(o.0.bytes())?.to_vec())) as Shared;
    }
}

/// What Go writes of a file as JSON.
pub(super) fn facts(file: &File) -> [(String, Val); 3] {
    [
        ("name".to_owned(), file.stored_as().into()),
        ("originalName".to_owned(), file.original_name().into()),
        ("size".to_owned(), Val::Int(i64::try_from(file.size()).unwrap_or(i64::MAX))),
    ]
}
