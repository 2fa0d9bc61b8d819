//! Typed records and transactions: money moves from one account to another, or nothing happens.

use pocketbase::prelude::*;
use serde::{Deserialize, Serialize};

/// A record of `accounts` with names for its fields.
#[derive(Debug, Clone, Serialize)]
pub struct Account(Record);

impl Account {
    pub async fn of(app: &App, owner: &str) -> pocketbase::Result<Self> {
        let record = app.find_first_record_by_data("accounts", "owner", owner).await?;
        Ok(Self(record))
    }
    pub fn cents(&self) -> i64 {
        self.0.get_int("cents")
    }
    fn add(&self, cents: i64) {
        // a modifier: counted from what is stored when it is written
        self.0.set("cents+", cents);
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

async fn transfer(app: App, Json(wanted): Json<Transfer>) -> pocketbase::Result<Json<Account>> {
    let from = app
        .run_in_transaction(|tx| async move {
            // everything goes through `tx`
            let from = Account::of(&tx, &wanted.from).await?;
            let to = Account::of(&tx, &wanted.to).await?;
            from.add(-wanted.cents);
            to.add(wanted.cents);
            tx.save(&from.0).await?;
            tx.save(&to.0).await?;
            if from.cents() < 0 {
                // rolls both back
                return Err(ApiError::bad_request("Not enough money.").into());
            }
            Ok(from)
        })
        .await?;
    Ok(Json(from))
}

#[cfg(test)]
mod tests {
    use pocketbase::{Collection, Field, Record, testing::TestApp};
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
            app.save(Record::new(&accounts).set("owner", owner).set("cents", cents)).await?;
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
        assert_eq!(Account::of(app, "ann").await?.cents(), 300);
        assert_eq!(Account::of(app, "bob").await?.cents(), 200);
        Ok(())
    }
}
