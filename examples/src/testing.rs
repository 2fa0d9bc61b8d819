//! How an app is tested: on a copy of a directory, by scenarios as data, with counted hooks and caught mails.

use pocketbase::{
    Record,
    testing::{Scenario, TestApp},
};
use serde_json::json;

/// A directory as a test would check it in.
async fn fixture() -> pocketbase::Result<TestApp> {
    let made = TestApp::new().await?;
    let users = made.app().find_collection("users").await?;
    let ann = Record::new(&users);
    made.app().save(ann.set_email("ann@example.com").set_password("1234567890")).await?;
    // a copy must not be taken while the databases are open
    made.app().shutdown().await?;
    TestApp::from_dir(made.app().data_dir()).await
}

#[tokio::test]
async fn scenarios() -> pocketbase::Result<()> {
    let test = fixture().await?;
    crate::hello::add(test.app());
    let login = "/api/collections/users/auth-with-password";
    for scenario in [
        Scenario::new("a route", "GET", "/hello/you")
            .expect_content("Hello you!")
            .expect_events([("*", 0), ("Serve", 1)]),
        Scenario::new("a login", "POST", login)
            .json(&json!({"identity": "ann@example.com", "password": "1234567890"}))
            .expect_content("\"token\"")
            .expect_events([("RecordAuthWithPasswordRequest", 1), ("RecordAuthRequest", 1)]),
        Scenario::new("a wrong password", "POST", login)
            .json(&json!({"identity": "ann@example.com", "password": "x"}))
            .expect_status(400)
            .expect_no_content("token")
            .expect_events([("RecordAuthRequest", 0)]),
    ] {
        scenario.run(&test).await;
    }
    Ok(())
}

#[tokio::test]
async fn mails_are_caught() -> pocketbase::Result<()> {
    let test = fixture().await?;
    let url = "/api/collections/users/request-password-reset";
    let asked = test.post(url).json(&json!({"email": "ann@example.com"})).send().await;
    assert_eq!(asked.status, 204);
    // mails are sent behind the answer
    for _ in 0..100 {
        if !test.mails().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mails = test.mails();
    assert_eq!((mails.len(), mails[0].to[0].address.as_str()), (1, "ann@example.com"));
    assert!(mails[0].html.contains("/confirm-password-reset/"), "{}", mails[0].html);
    Ok(())
}
