//! Typed records and transactions: money moves from one account to another, or nothing happens.

use pocketbase::{prelude::*, record_proxy};
use serde::Deserialize;

record_proxy! {
    /// A record of `accounts`, its fields as methods.
    pub struct Account of "accounts" {
        /// Whose it is.
        owner / set_owner: String,
        /// What is on it.
        cents / set_cents: i64,
    }
}

impl Account {
    pub async fn owned_by(app: &App, owner: &str) -> pocketbase::Result<Self> {
        Self::of(app.find_first_record_by_data(Self::COLLECTION, "owner", owner).await?)
    }
    fn add(&self, cents: i64) {
        // a modifier: counted from what is stored when it is written
        self.set("cents+", cents);
    }
}

#[derive(Debug, Deserialize)]
struct Transfer {
    from: String,
    to: String,
    cents: i64,
}

pub fn add(app: &App) {
    app.router().post("/transfers", transfer);
}

async fn transfer(app: App, Json(wanted): Json<Transfer>) -> pocketbase::Result<Record> {
    let from = app
        .run_in_transaction(|tx| async move {
            // everything goes through `tx`
            let from = Account::owned_by(&tx, &wanted.from).await?;
            let to = Account::owned_by(&tx, &wanted.to).await?;
            from.add(-wanted.cents);
            to.add(wanted.cents);
            tx.save(&from).await?;
            tx.save(&to).await?;
            if from.cents() < 0 {
                // rolls both back
                return Err(ApiError::bad_request("Not enough money.").into());
            }
            Ok(from)
        })
        .await?;
    Ok(from.into())
}

#[cfg(test)]
mod tests {
    use pocketbase::{Collection, Field, RecordProxy, testing::TestApp};
    use serde_json::json;

    use super::Account;

    #[tokio::test]
    async fn money_moves_or_stays() -> pocketbase::Result<()> {
        let test = TestApp::new().await?;
        let app = test.app();
        super::add(app);
        let accounts = Collection::base("accounts")
            .field(Field::text("owner").required(true))
            .field(Field::number("cents").only_int(true))
            .index("idx_accounts_owner", true, "owner", "");
        app.save(&accounts).await?;
        for (owner, cents) in [("ann", 500), ("bob", 0)] {
            let account = Account::new(app).await?;
            account.set_owner(owner).set_cents(cents);
            app.save(&account).await?;
        }
        let pay = |cents: i64| {
            let body = json!({"from": "ann", "to": "bob", "cents": cents});
            test.post("/transfers").json(&body).send()
        };
        assert_eq!(pay(200).await.json()["cents"], 300);
        let refused = pay(301).await;
        assert_eq!(
            (refused.status, refused.json()["message"].as_str()),
            (400, Some("Not enough money."))
        );
        assert_eq!(Account::owned_by(app, "ann").await?.cents(), 300);
        assert_eq!(Account::owned_by(app, "bob").await?.cents(), 200);
        Ok(())
    }
}
