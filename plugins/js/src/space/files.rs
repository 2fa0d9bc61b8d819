//! `$filesystem` and stored files (spec extending §3.3, §9.4).

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use pocketbase::{App, Error, File, FileSystem, web::Outgoing};

use super::{Space, os};
use crate::{
    bind::{Fail, Res, Shared, Val, native, new_map, table},
    host::{HttpRequest, Reader},
    run::{Local, wait},
};

native!(FileSystem = FILE_SYSTEM);

table! {
    pub(crate) static FILESYSTEM: Space = "Filesystem", "Makes files that can be stored." {
        fn "fileFromPath" "(path: string): filesystem.File" "A file of the disk." => |cx, s, a| {
            let path = a.str(0)?;
            let facts = std::fs::metadata(&path).map_err(|error| os::fail("stat", &path, &error))?;
            if facts.is_dir() {
                return Err(Fail::other(format!("read {path}: is a directory")));
            }
            wait(File::from_path(&path))?
        };
        fn "fileFromBytes" "(data: string | number[], name: string): filesystem.File" "A file in memory." => |cx, s, a| File::from_bytes(&a.str(1)?, a.bytes(0)?);
        fn "fileFromMultipart" "(header: multipart.FileHeader): filesystem.File" "A file of a form." => |cx, s, a| a.host::<crate::host::Uploaded>(0)?.0.clone();
        fn "local" "(dir: string): filesystem.System" "The files of a directory." => |cx, s, a| Arc::new(FileSystem::local(a.str(0)?)) as Shared;
        fn "s3" "(bucket: string, region: string, endpoint: string, accessKey: string, secret: string, forcePathStyle?: boolean): filesystem.System" "The files of a bucket." => |cx, s, a| {
            let bucket = pocketbase::S3 {
                enabled: true,
                bucket: a.str(0)?,
                region: a.str(1)?,
                endpoint: a.str(2)?,
                access_key: a.str(3)?,
                secret: a.str(4)?,
                force_path_style: a.bool(5)?,
            };
            Arc::new(FileSystem::s3(&bucket)?) as Shared
        };
        fn "fileFromURL" "(url: string, seconds?: number): filesystem.File" "A file of another server." => |cx, s, a| {
            let app = Local::of(cx).js.app.clone();
            download(&app, &a.str(0)?, a.int(1)?)?
        };
    }
}

fn download(app: &App, url: &str, seconds: i64) -> Res<File> {
    let seconds = u64::try_from(seconds).ok().filter(|n| *n > 0).unwrap_or(120);
    let timeout = Some(Duration::from_secs(seconds));
    let outgoing = Outgoing { url: url.to_owned(), timeout, ..Outgoing::default() };
    let fetched = wait(app.fetch(outgoing))?;
    if fetched.status >= 400 {
        return Err(Fail::other(format!("failed to download url {url} ({})", fetched.status)));
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    Ok(File::from_bytes(name, fetched.body))
}

table! {
    pub(crate) static FILE_SYSTEM: FileSystem = "filesystem.System", "Stored files." {
        fn "exists" "(key: string): boolean" "Whether there is a file." => |cx, f, a| wait(f.exists(&a.str(0)?))?;
        fn "attributes" "(key: string): { [key: string]: any }" "What is known about a file." => |cx, f, a| {
            let facts = wait(f.attributes(&a.str(0)?)).map_err(missing)?;
            Val::Map(new_map([
                ("contentType".to_owned(), facts.content_type.into()),
                ("size".to_owned(), Val::Int(i64::try_from(facts.size).unwrap_or(i64::MAX))),
                ("modTime".to_owned(), Val::Time(facts.modified)),
                ("createTime".to_owned(), Val::Time(facts.modified)),
                ("metadata".to_owned(), Val::Map(new_map([]))),
            ]))
        };
        fn "getReader" "(key: string): io.ReadCloser" "The content of a file." => |cx, f, a| {
            Arc::new(Reader::new(wait(f.read(&a.str(0)?)).map_err(missing)?)) as Shared
        };
        fn "getFile" "(key: string): io.ReadCloser" "The old name of getReader." => |cx, f, a| {
            Arc::new(Reader::new(wait(f.read(&a.str(0)?)).map_err(missing)?)) as Shared
        };
        fn "getReuploadableFile" "(key: string, preserveName: boolean): filesystem.File" "A stored file, to be stored again." => |cx, f, a| {
            let (key, keeps) = (a.str(0)?, a.bool(1)?);
            let content = wait(f.read(&key)).map_err(missing)?;
            let name = super::gopath::base(&key);
            if keeps { File::named(&name, content) } else { File::from_bytes(&name, content) }
        };
        fn "copy" "(from: string, to: string): void" "Copies a file." => |cx, f, a| {
            let content = wait(f.read(&a.str(0)?)).map_err(missing)?;
            wait(f.upload_bytes(&a.str(1)?, content))?;
        };
        fn "list" "(prefix: string): { [key: string]: any }[]" "The files below a key." => |cx, f, a| {
            let keys = wait(f.list(&a.str(0)?))?;
            let mut found = Vec::new();
            for key in keys {
                let facts = wait(f.attributes(&key))?;
                found.push(Val::Map(new_map([
                    ("key".to_owned(), key.into()),
                    ("size".to_owned(), Val::Int(i64::try_from(facts.size).unwrap_or(i64::MAX))),
                    ("modTime".to_owned(), Val::Time(facts.modified)),
                    ("isDir".to_owned(), false.into()),
                ])));
            }
            found
        };
        fn "upload" "(content: string | number[], key: string): void" "Stores bytes." => |cx, f, a| wait(f.upload_bytes(&a.str(1)?, a.bytes(0)?))?;
        fn "newWriter" "(key: string, options?: any): blob.Writer" "What is written there is stored, in the place of what was there, when it is closed." => |cx, f, a| {
            Arc::new(Writer { files: f.clone(), key: a.str(0)?, content: Mutex::new(Some(Vec::new())) }) as Shared
        };
        fn "uploadFile" "(file: filesystem.File, key: string): void" "Stores a file." => |cx, f, a| wait(f.upload(&a.str(1)?, &*a.host::<File>(0)?))?;
        fn "uploadMultipart" "(header: multipart.FileHeader, key: string): void" "Stores a file of a form." => |cx, f, a| {
            wait(f.upload(&a.str(1)?, &a.host::<crate::host::Uploaded>(0)?.0))?;
        };
        fn "createThumb" "(originalKey: string, thumbKey: string, size: string): void" "Stores a smaller copy of a picture: `100x100`, with `t`, `b` or `f` behind it, `0x100`, `100x0`." => |cx, f, a| {
            wait(f.create_thumb(&a.str(0)?, &a.str(1)?, &a.str(2)?)).map_err(missing)?;
        };
        fn "delete" "(key: string): void" "Removes a file." => |cx, f, a| {
            let key = a.str(0)?;
            if !wait(f.exists(&key))? {
                return Err(missing(std::io::Error::from(std::io::ErrorKind::NotFound).into()));
            }
            wait(f.delete(&key))?;
        };
        fn "deletePrefix" "(prefix: string): any[]" "Removes the files below a key." => |cx, f, a| {
            let failed = wait(f.delete_prefix(a.str(0)?.trim_end_matches('/')));
            failed.err().map(|error| crate::bind::errors::of_error(error)).into_iter().collect::<Vec<Shared>>()
        };
        fn "isEmptyDir" "(key: string): boolean" "True if nothing is below a key." => |cx, f, a| wait(f.list(&a.str(0)?))?.is_empty();
        fn "serve" "(response: http.ResponseWriter, request: http.Request, key: string, name: string): void" "Answers with a file." => |cx, f, a| {
            a.host::<HttpRequest>(1)?.serve(f, &a.str(2)?, &a.str(3)?)?;
        };
        fn "setContext" "(context: any): void" "Nothing." => |cx, f, a| { a.known::<crate::host::Lasting>(0, "context.Context")?; };
        fn "close" "(): void" "Ends working with it." => |cx, f, a| ();
    }
}

/// A file that is not there, in the words of the reference.
/// A file that is being written.
pub(crate) struct Writer {
    files: FileSystem,
    key: String,
    /// What was written; none once it is closed.
    content: Mutex<Option<Vec<u8>>>,
}
native!(Writer = WRITER);
table! {
    pub(crate) static WRITER: Writer = "blob.Writer", "A file that is being written." {
        fn "write" "(data: string | number[]): number" "More of it." => |cx, w, a| {
            let data = a.bytes(0)?;
            w.content.lock().as_mut().ok_or_else(closed)?.extend_from_slice(&data);
            data.len()
        };
        fn "readFrom" "(reader: io.Reader): number" "All that a reader gives." => |cx, w, a| {
            let data = a.host::<Reader>(0)?.take(0)?;
            w.content.lock().as_mut().ok_or_else(closed)?.extend_from_slice(&data);
            data.len()
        };
        fn "close" "(): void" "Stores it." => |cx, w, a| {
            let content = w.content.lock().take().ok_or_else(closed)?;
            wait(w.files.upload_bytes(&w.key, content))?;
        };
    }
}
fn closed() -> Fail {
    Fail::other("the writer is closed")
}

fn missing(error: Error) -> Fail {
    match error {
        Error::Io(io) if io.kind() == std::io::ErrorKind::NotFound => {
            Fail::Host(std::io::Error::new(io.kind(), "resource not found").into())
        }
        other => Fail::Host(other),
    }
}
