//! Hooks that refuse, change and enrich: what clients may write, and what they see.

use pocketbase::prelude::*;

pub fn add(app: &App) {
    // clients: drafts only, unless a superuser writes
    app.on_record_create_request("posts").bind(|e| async move {
        if e.has_superuser_auth() {
            return e.next().await;
        }
        if e.record().get_str("title").to_lowercase().contains("casino") {
            return Err(ApiError::bad_request("No advertisements, please.").into());
        }
        e.record().set("status", "draft");
        e.next().await
    });

    // everybody, code included: a validation error of one's own
    app.on_record_validate("posts").bind(|e| async move {
        if e.record().get_str("title").ends_with('!') {
            return Err(Error::invalid("title", "validation_shouting", "must not shout"));
        }
        e.next().await
    });

    // after the commit: nothing can be refused any more
    app.on_record_after_create_success("posts").bind(|e| async move {
        e.next().await?;
        e.app().store().set_func("posts", |n| (n.and_then(|n| n.as_i64()).unwrap_or(0) + 1).into());
        Ok(())
    });

    // whoever sees a post sees its length, and only superusers its status
    app.on_record_enrich("posts").bind(|e| async move {
        let record = e.record();
        record.with_custom_data(true).set("length", record.get_str("title").chars().count());
        if !e.has_superuser_auth() {
            record.hide(["status"]);
        }
        e.next().await
    });
}

#[cfg(test)]
mod tests {
    use pocketbase::{
        Collection, Field,
        testing::{Scenario, TestApp},
    };
    use serde_json::json;

    #[tokio::test]
    async fn posts_are_refused_changed_and_enriched() -> pocketbase::Result<()> {
        let test = TestApp::new().await?;
        super::add(test.app());
        let posts = Collection::base("posts")
            .field(Field::text("title").required(true))
            .field(Field::select("status", ["draft", "public"]))
            .create_rule(Some(""))
            .view_rule(Some(""));
        test.app().save(&posts).await?;

        let create = |title: &str| {
            let body = json!({"title": title, "status": "public"});
            Scenario::new(title, "POST", "/api/collections/posts/records").json(&body)
        };
        create("Casino Royal")
            .expect_status(400)
            .expect_content("No advertisements")
            .run(&test)
            .await;
        create("Hi!").expect_status(400).expect_content("validation_shouting").run(&test).await;
        create("Hello")
            .expect_content("\"length\":5")
            .expect_no_content("status")
            .expect_events([
                ("RecordCreateRequest", 1),
                ("RecordAfterCreateSuccess", 1),
                ("RecordEnrich", 1),
            ])
            .run(&test)
            .await;

        let post = test.app().find_first_record_by_data("posts", "title", "Hello").await?;
        assert_eq!(post.get_str("status"), "draft");
        assert_eq!(test.app().store().get::<i64>("posts"), Some(1));
        Ok(())
    }
}
