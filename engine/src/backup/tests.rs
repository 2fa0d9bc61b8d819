//! A whole backup and its restoration through the app, without HTTP.

use std::{fs, path::Path, sync::Arc};

use super::*;
use crate::{
    Ctx,
    app::Config,
    auth::superusers,
    event::Hooks,
    files::{Labels, Source},
};

async fn app(dir: &Path) -> App {
    App::bootstrap(Config::new(dir), Hooks::default()).await.unwrap()
}

async fn superusers(app: &App) -> i64 {
    let sql = crate::store::Sql { text: "SELECT count(*) FROM _superusers".into(), params: vec![] };
    app.db().query(sql, |rows| rows.scalar_i64()).await.unwrap().unwrap()
}

async fn add_superuser(app: &App, email: &str) {
    superusers::upsert(&Ctx::system(app), email, "1234567890").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("pb_data");
    let first = app(&data_dir).await;
    add_superuser(&first, "a@example.com").await;
    fs::create_dir_all(data_dir.join("storage/c/r")).unwrap();
    fs::write(data_dir.join("storage/c/r/f.txt"), "kept").unwrap();
    fs::create_dir_all(data_dir.join(".autocert_cache")).unwrap();
    fs::write(data_dir.join(".autocert_cache/key"), "stays").unwrap();
    let name = create(&first, "").await.unwrap();
    assert!(name.starts_with("pb_backup_acme_") && name.ends_with(".zip"), "{name}");
    let listed = list(&first).await.unwrap();
    assert_eq!((listed.len(), listed[0].key.as_str()), (1, name.as_str()));
    assert!(first.backups().active().is_none() && !data_dir.join(TEMP).join(&name).exists());

    add_superuser(&first, "b@example.com").await;
    fs::write(data_dir.join("storage/c/r/f.txt"), "changed").unwrap();
    fs::write(data_dir.join("storage/new"), "new").unwrap();
    restore(&first, &name).await.unwrap();
    assert_eq!(first.backups().active().as_deref(), Some(name.as_str()));
    assert!(create(&first, "second.zip").await.is_err(), "one at a time");
    assert_eq!(superusers(&first).await, 2, "nothing changes before the restart");
    first.backups().restart_requested().await;
    first.shutdown(true).await.unwrap();

    let second = app(&data_dir).await;
    assert_eq!(superusers(&second).await, 1);
    assert_eq!(fs::read_to_string(data_dir.join("storage/c/r/f.txt")).unwrap(), "kept");
    assert!(!data_dir.join("storage/new").exists());
    assert_eq!(fs::read_to_string(data_dir.join(".autocert_cache/key")).unwrap(), "stays");
    assert!(exists(&second, &name).await.unwrap());
    delete(&second, &name).await.unwrap();
    assert!(matches!(delete(&second, &name).await, Err(Error::NotFound)));
    second.shutdown(false).await.unwrap();
}

/// Archives that must not be restored, and what is said about them.
#[tokio::test(flavor = "multi_thread")]
async fn bad_archives_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path()).await;
    add_superuser(&app, "a@example.com").await;
    let zip = |entries: Vec<(&str, Vec<u8>)>| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut zip, &content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let other = dir.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (n)").unwrap();
    let other = fs::read(other).unwrap();
    for (content, why) in [
        (b"no zip at all".to_vec(), "zip"),
        (zip(vec![]), "data.db"),
        (zip(vec![("data.db", b"no database, whatever its name says".to_vec())]), "data.db"),
        (zip(vec![("data.db", other.clone())]), "_collections"),
        (zip(vec![("data.db", other), ("../x", vec![])]), "bad name"),
    ] {
        let place = files::for_backups(&app).unwrap();
        let source = Source::Bytes(content.into());
        place.put("bad.zip", Labels::of_type("application/zip"), source).await.unwrap();
        let refused = restore(&app, "bad.zip").await.unwrap_err().to_string();
        assert!(refused.to_lowercase().contains(why), "{refused}");
        assert!(app.backups().active().is_none());
        let left: Vec<_> = fs::read_dir(dir.path().join(TEMP)).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
    assert!(restore(&app, "missing.zip").await.is_err());
    assert_eq!(superusers(&app).await, 1);
    app.shutdown(false).await.unwrap();
}

/// Restored data that the app cannot start on: here settings encrypted with a key that it does not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let first = app(dir.path()).await;
    add_superuser(&first, "a@example.com").await;
    let break_settings = "UPDATE _params SET value = 'not readable' WHERE id = 'settings'";
    let sql = |text: &str| crate::store::Sql { text: text.into(), params: vec![] };
    let read = sql("SELECT CAST(value AS TEXT) FROM _params WHERE id = 'settings'");
    let db = first.db();
    let value = db.query(read, |rows| rows.next().unwrap().unwrap().text(0).to_owned()).await;
    let value = value.unwrap();
    first.db().write(crate::store::Job::from(sql(break_settings))).await.unwrap();
    create(&first, "broken.zip").await.unwrap();
    let mend = crate::store::Sql {
        text: "UPDATE _params SET value = ?1 WHERE id = 'settings'".into(),
        params: vec![crate::store::Value::Text(value.into())],
    };
    first.db().write(crate::store::Job::from(mend)).await.unwrap();
    add_superuser(&first, "b@example.com").await;
    restore(&first, "broken.zip").await.unwrap();
    first.shutdown(true).await.unwrap();

    let second = app(dir.path()).await;
    assert_eq!(superusers(&second).await, 2);
    second.log().flush().await;
    let found = sql("SELECT count(*) FROM _logs WHERE message = 'Failed to restore backup'");
    let n = second.store().aux().query(found, |rows| rows.scalar_i64()).await.unwrap().unwrap();
    assert_eq!(n, 1);
    second.shutdown(false).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_see_and_change_it() {
    let dir = tempfile::tempdir().unwrap();
    let hooks = Hooks::default();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tell = seen.clone();
    hooks.backup_create.bind(move |e| {
        let tell = tell.clone();
        async move {
            tell.lock().push(e.name.get());
            e.exclude.with(|names| names.push("secret".into()));
            e.next().await?;
            tell.lock().push(e.name.get());
            Ok(())
        }
    });
    let app = App::bootstrap(Config::new(dir.path()), hooks).await.unwrap();
    fs::write(dir.path().join("secret"), "x").unwrap();
    fs::write(dir.path().join("shown"), "x").unwrap();
    let name = create(&app, "").await.unwrap();
    assert_eq!(*seen.lock(), ["".to_owned(), name.clone()]);
    let zip = fs::File::open(dir.path().join("backups").join(&name)).unwrap();
    let zip = zip::ZipArchive::new(zip).unwrap();
    let names: Vec<_> = zip.file_names().map(|n| n.unwrap().into_owned()).collect();
    assert_eq!(names, ["auxiliary.db", "data.db", "shown"]);
    app.shutdown(false).await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_to_directories_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path()).await;
    std::os::unix::fs::symlink("/nowhere/at/all", dir.path().join("dangling")).unwrap();
    create(&app, "fine.zip").await.unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
    assert!(create(&app, "refused.zip").await.is_err());
    assert_eq!(list(&app).await.unwrap().len(), 1);
    app.shutdown(false).await.unwrap();
}
