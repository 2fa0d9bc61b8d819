//! A plugin with a table of its own, a route, a metric and a function for scripts.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use pocketbase::{Column, Description, MetricKind, Native, Sample, Table, db::hash, prelude::*};
use serde_json::{Value, json};

#[derive(Debug)]
pub struct Votes;

impl Plugin for Votes {
    fn name(&self) -> &str {
        "votes"
    }
    fn register(&self, setup: &mut Setup) -> pocketbase::Result<()> {
        setup.table(
            Table::new("_votes")
                .column(Column::text("topic").primary())
                .column(Column::text("voter").primary())
                .column(Column::integer("stars"))
                .index("idx_votes_stars", ["stars"]),
        )?;
        let n_votes = Arc::new(AtomicU32::new(0));
        let counted = n_votes.clone();
        setup.metrics("votes", "Votes since the start.", MetricKind::Counter, move || {
            vec![Sample::new(counted.load(Relaxed).into()).label("kind", "stars")]
        });
        let api = setup.router().group("/api/votes");
        let about = Description::new("Votes", "The average of a topic").for_everybody();
        api.get("/{topic}", average).describe(about.gives(json!({"type": "object"})));
        api.post(
            "/{topic}",
            move |app: App,
                  Path(topic): Path<String>,
                  voter: AuthRecord,
                  Json(stars): Json<i64>| {
                let n_votes = n_votes.clone();
                async move {
                    vote(&app, &topic, &voter.id(), stars).await?;
                    n_votes.fetch_add(1, Relaxed);
                    average(app, Path(topic)).await
                }
            },
        );
        setup.native(
            Native::new("$votes.average")
                .doc("The average of a topic.")
                .param("topic", "string", "what was voted on")
                .returns("number")
                .run(|app, args| async move {
                    let topic = args.first().and_then(Value::as_str).unwrap_or_default().to_owned();
                    Ok(average(app, Path(topic)).await?.0["stars"].clone())
                }),
        )
    }
}

async fn vote(app: &App, topic: &str, voter: &str, stars: i64) -> pocketbase::Result<()> {
    if !(1..=5).contains(&stars) {
        return Err(ApiError::bad_request("One to five stars.").into());
    }
    let vote = app.db().upsert("_votes", ["topic", "voter"]);
    vote.set("topic", topic).set("voter", voter).set("stars", stars).execute().await?;
    Ok(())
}

async fn average(app: App, Path(topic): Path<String>) -> pocketbase::Result<Json<Value>> {
    let (stars, n): (Option<f64>, i64) = app
        .db()
        .select(["avg(stars)", "count(*)"])
        .from("_votes")
        .where_(hash([("topic", topic)]))
        .one()
        .await?;
    Ok(Json(json!({ "stars": stars, "votes": n })))
}

#[cfg(test)]
mod tests {
    use pocketbase::{App, Record, testing::TestApp};
    use serde_json::json;

    use super::Votes;

    #[tokio::test]
    async fn votes_count_once_each() -> pocketbase::Result<()> {
        let test = TestApp::with(App::builder().plugin(Votes)).await?;
        let app = test.app();
        let users = app.find_collection("users").await?;
        let mut voters = Vec::new();
        for email in ["a@example.com", "b@example.com"] {
            let voter = Record::new(&users);
            app.save(voter.set_email(email).set_password("1234567890")).await?;
            voters.push(voter);
        }
        for (voter, stars) in [(0, 1), (0, 5), (1, 2)] {
            let request = test.post("/api/votes/rust").json(&json!(stars)).auth(&voters[voter])?;
            assert_eq!(request.send().await.status, 200);
        }
        let answer = test.get("/api/votes/rust").send().await.json();
        assert_eq!((answer["stars"].as_f64(), answer["votes"].as_i64()), (Some(3.5), Some(2)));
        let refused = test.post("/api/votes/rust").json(&json!(9)).auth(&voters[0])?.send().await;
        assert_eq!(refused.status, 400);
        assert_eq!(
            app.natives().call(app, "$votes.average", vec!["rust".into()]).await?,
            json!(3.5)
        );

        let root = test.superuser("root@example.com").await?;
        let metrics = test.get("/api/metrics").auth(&root)?.send().await.text();
        let line = "pocketbase_votes_total{kind=\"stars\"} 3";
        assert!(
            metrics.contains(line) && metrics.contains("\npocketbase_realtime_clients 0"),
            "{metrics}"
        );
        assert!(!metrics.contains("pocketbase_pocketbase"), "{metrics}");
        let document = test.get("/api/openapi.json").auth(&root)?.send().await.json();
        let operation = &document["paths"]["/api/votes/{topic}"]["get"];
        assert_eq!(operation["tags"], json!(["Votes"]), "{operation}");
        assert_eq!(operation["security"], json!([{}, {"token": []}]), "{operation}");
        Ok(())
    }

    #[tokio::test]
    async fn two_of_one_kind_are_refused_by_name() {
        let error = App::builder().plugin(Votes).plugin(Votes).build().expect_err("one table");
        assert!(error.to_string().contains("both have the table \"_votes\""), "{error}");
    }
}
