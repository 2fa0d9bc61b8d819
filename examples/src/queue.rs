//! A queue without a queue: records wait in a collection, a job takes those that are due.

use pocketbase::{FilterQuery, prelude::*};

/// Most items per run.
const BATCH: u32 = 50;

pub fn add(app: &App) -> pocketbase::Result<()> {
    app.cron().add("send", "* * * * *", |app| async move { send_due(&app).await })
}

async fn send_due(app: &App) -> pocketbase::Result<()> {
    let due = FilterQuery::new("sent = false && at <= @now && tries < 3").sort("at").limit(BATCH);
    for item in app.find_records_by_filter("outbox", due).await? {
        // counted before the attempt: an item that kills the process is not tried for ever
        app.save(item.set("tries+", 1)).await?;
        match send(app, &item).await {
            Ok(()) => app.save(item.set("sent", true)).await?,
            Err(error) => {
                let (id, error) = (item.id(), error.to_string());
                app.logger().warn("not sent", &[("id", id.into()), ("error", error.into())]);
            }
        }
    }
    Ok(())
}

async fn send(app: &App, item: &Record) -> pocketbase::Result<()> {
    let mut message = Message::default();
    message.to.push(pocketbase::Address { address: item.get_str("to"), ..Default::default() });
    message.subject = item.get_str("subject");
    message.text = item.get_str("subject");
    app.new_mail_client().send(message).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pocketbase::{Collection, Field, Record, testing::TestApp};

    #[tokio::test]
    async fn what_is_due_is_sent_once() -> pocketbase::Result<()> {
        let test = TestApp::new().await?;
        let app = test.app();
        super::add(app)?;
        let outbox = Collection::base("outbox")
            .field(Field::email("to").required(true))
            .field(Field::text("subject"))
            .field(Field::date("at"))
            .field(Field::number("tries"))
            .field(Field::bool("sent"));
        app.save(&outbox).await?;
        for (subject, at) in
            [("now", "2020-01-01 00:00:00.000Z"), ("later", "2100-01-01 00:00:00.000Z")]
        {
            let item = Record::new(&outbox);
            app.save(item.set("to", "a@example.com").set("subject", subject).set("at", at)).await?;
        }
        for _ in 0..2 {
            // the job itself; `test.run_crons_at(time)` and `app.cron().run("send")` run it beside the test
            super::send_due(app).await?;
        }
        let sent: Vec<String> = test.mails().into_iter().map(|mail| mail.subject).collect();
        assert_eq!(sent, ["now"]);

        assert!(app.cron().run("send"));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(test.mails().len(), 1);
        Ok(())
    }
}
