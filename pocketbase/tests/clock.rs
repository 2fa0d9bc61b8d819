//! The clock of tests. A file of its own: the clock belongs to the process.

use std::time::Duration;

use pocketbase::{Collection, Field, Record, testing::TestApp};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn days_pass_at_once() -> pocketbase::Result<()> {
    let start = pocketbase::now();
    let test = TestApp::new().await?;
    let app = test.app();
    let notes = Collection::base("notes")
        .field(Field::date("due"))
        .field(Field::autodate("created").on_create(true))
        .list_rule(Some("due > @now"));
    app.save(&notes).await?;
    let add = async || -> pocketbase::Result<Record> {
        let note = Record::new(&notes);
        note.set_date_time("due", pocketbase::now().plus(DAY));
        app.save(&note).await?;
        Ok(note)
    };
    let n_seen = async || {
        let answer = test.get("/api/collections/notes/records").send().await;
        answer.json()["totalItems"].as_i64()
    };
    let root = test.superuser("root@example.com").await?;
    let token = root.new_auth_token()?;
    let settings = async |token: &str| {
        test.get("/api/settings").header("authorization", token).send().await.status
    };
    add().await?;
    assert_eq!((n_seen().await, settings(&token).await), (Some(1), 200));

    test.advance(30 * DAY);
    assert_eq!((n_seen().await, settings(&token).await), (Some(0), 401));
    assert_eq!(settings(&root.new_auth_token()?).await, 200);
    let made = add().await?.get_date_time("created").expect("a date");
    assert!(made >= start.plus(30 * DAY) && made < start.plus(31 * DAY), "{made}");
    assert_eq!(n_seen().await, Some(1));

    drop(test);
    assert!(pocketbase::now() < start.plus(DAY), "it is set back");
    Ok(())
}
