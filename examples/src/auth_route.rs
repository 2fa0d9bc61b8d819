//! A login of one's own: a code that was handed out is worth a token.

use pocketbase::prelude::*;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct Code {
    code: String,
}

pub fn add(app: &App) {
    let api = app.router().group("/api/my");
    api.post("/login", login)
        .bind(middleware::require_guest_only())
        .bind(middleware::body_limit(4096));
    api.get("/me", me).bind(middleware::require_auth(["users"]));
}

async fn login(e: RequestEvent, Json(body): Json<Code>) -> pocketbase::Result<Response> {
    let found = e
        .app()
        .find_first_record_by_filter("users", "code = {:code} && code != ''", [("code", body.code)])
        .await;
    let user = found.map_err(|_| ApiError::bad_request("Wrong code."))?;
    // a code is good for one login
    e.app().save(user.set("code", "")).await?;
    // hooks of logins, the auth rule and the answer are those of every other login
    e.record_auth_response(&user, "", json!({ "by": "code" })).await
}

async fn me(user: AuthRecord) -> Json<serde_json::Value> {
    Json(json!({ "id": user.id(), "name": user.get_str("name") }))
}

#[cfg(test)]
mod tests {
    use pocketbase::{Field, Record, testing::TestApp};
    use serde_json::json;

    #[tokio::test]
    async fn a_code_is_worth_one_token() -> pocketbase::Result<()> {
        let test = TestApp::new().await?;
        let app = test.app();
        super::add(app);
        let users = app.find_collection("users").await?;
        users.fields_add(Field::text("code").hidden(true));
        app.save(&users).await?;
        let ann = Record::new(&users);
        ann.set_email("ann@example.com")
            .set_password("1234567890")
            .set("name", "Ann")
            .set("code", "k7");
        app.save(&ann).await?;

        let login = || test.post("/api/my/login").json(&json!({"code": "k7"})).send();
        let answer = login().await.json();
        assert_eq!(
            (&answer["record"]["name"], &answer["meta"]["by"]),
            (&json!("Ann"), &json!("code"))
        );
        let token = answer["token"].as_str().unwrap_or_default().to_owned();
        let me = test.get("/api/my/me").header("authorization", &token).send().await;
        assert_eq!(me.json()["name"], "Ann");
        assert_eq!(test.get("/api/my/me").send().await.status, 401);
        assert_eq!(login().await.json()["message"], "Wrong code.");
        assert_eq!(test.events()["RecordAuthRequest"], 1);
        Ok(())
    }
}
