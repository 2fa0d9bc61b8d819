//! `$secrets` for scripts; inside a transaction it reads and writes there. Source: spec extensions 0.3.

use pocketbase::{App, Error, Native, Result, Setup};
use serde_json::{Value, json};

use crate::{
    get_store,
    store::{Secret, Store},
};

fn store(app: &App) -> Result<Store> {
    get_store(app).ok_or(Error::NotFound)
}

fn text(args: &[Value], at: usize) -> String {
    match args.get(at) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn about(name: &str, doc: &str) -> Native {
    Native::new(format!("$secrets.{name}")).doc(doc).param("key", "string", "its name")
}

/// Offers the functions.
pub(crate) fn offer(setup: &Setup) -> Result<()> {
    setup.native(
        about("set", "Sets a secret.")
            .param("value", "string", "its value")
            .param(
                "options?",
                "{ env?: string, description?: string }",
                "its environment, and what there is to say",
            )
            .run(|app, args| async move {
                let mut set = store(&app)?.set(&text(&args, 0), &text(&args, 1));
                let option = |name: &str| args.get(2)?.get(name)?.as_str().map(str::to_owned);
                if let Some(env) = option("env") {
                    set = set.env(env);
                }
                if let Some(description) = option("description") {
                    set = set.description(description);
                }
                set.await?;
                Ok(Value::Null)
            }),
    )?;
    setup.native(
        about(
            "get",
            "The value in the default environment, else in `global`; fails if there is none.",
        )
        .returns("string")
        .run(|app, args| async move { Ok(store(&app)?.get(&text(&args, 0)).await?.into()) }),
    )?;
    setup.native(
        about("getWithDefault", "The value, or another one if there is none or it cannot be read.")
            .param("fallback", "string", "the other one")
            .returns("string")
            .run(|app, args| async move {
                let store = store(&app)?;
                Ok(store.get_with_default(&text(&args, 0), &text(&args, 1)).await.into())
            }),
    )?;
    setup.native(
        about(
            "getForEnv",
            "The value in an environment, else in `global`; fails if there is none.",
        )
        .param("env", "string", "the environment")
        .returns("string")
        .run(|app, args| async move {
            Ok(store(&app)?.get_for_env(&text(&args, 0), &text(&args, 1)).await?.into())
        }),
    )?;
    setup.native(about("delete", "Deletes the secret of the default environment.").run(
        |app, args| async move {
            store(&app)?.delete(&text(&args, 0)).await?;
            Ok(Value::Null)
        },
    ))?;
    setup.native(
        about("deleteForEnv", "Deletes the secret of an environment.")
            .param("env", "string", "the environment")
            .run(|app, args| async move {
                store(&app)?.delete_for_env(&text(&args, 0), &text(&args, 1)).await?;
                Ok(Value::Null)
            }),
    )?;
    setup.native(
        about("exists", "True if any environment has it.")
            .returns("boolean")
            .run(|app, args| async move { Ok(store(&app)?.exists(&text(&args, 0)).await?.into()) }),
    )?;
    setup.native(
        Native::new("$secrets.list")
            .doc("All secrets without their values, by key and environment.")
            .returns("Array<{ id: string, key: string, env: string, description: string, created: string, updated: string }>")
            .run(|app, _| async move {
                Ok(store(&app)?.list().await?.iter().map(shown).collect::<Vec<_>>().into())
            }),
    )?;
    setup.native(
        Native::new("$secrets.isEnabled")
            .doc("True if there is a master key.")
            .returns("boolean")
            .run_sync(|app, _| Ok(app.crypto().is_enabled().into())),
    )
}

fn shown(secret: &Secret) -> Value {
    json!({
        "id": secret.id,
        "key": secret.key,
        "env": secret.env,
        "description": secret.description,
        "created": secret.created,
        "updated": secret.updated,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use pocketbase::testing::TestApp;

    use super::*;
    use crate::{KEPT, SecretsPlugin, kept::Kept};

    async fn app() -> Result<TestApp> {
        let builder = App::builder().master_key("00".repeat(32))?;
        TestApp::with(builder.plugin(SecretsPlugin::new())).await
    }

    /// How other plugins, which know the library only, resolve names of secrets.
    async fn resolved(app: &App, name: &str) -> Result<Value> {
        app.natives().call(app, "$secrets.get", vec![name.into()]).await
    }

    #[tokio::test]
    async fn a_transaction_sees_its_own_secrets_and_takes_them_back() -> Result<()> {
        let test = app().await?;
        let outer = test.app();
        get_store(outer).expect("a store").set("K", "before").await?;
        let failed: Result<()> = outer
            .run_in_transaction(|tx| async move {
                let store = get_store(&tx).expect("a store");
                store.set("K", "within").await?;
                store.set("NEW", "within").env("prod").await?;
                assert_eq!(resolved(&tx, "K").await?, "within");
                assert_eq!(store.get_for_env("NEW", "prod").await?, "within");
                Err(Error::other("back"))
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(resolved(outer, "K").await?, "before");
        assert!(!get_store(outer).expect("a store").exists("NEW").await?);
        let missing = resolved(outer, "NEW").await.expect_err("no secret");
        assert!(missing.is_not_found(), "callers can tell that there is none: {missing}");
        Ok(())
    }

    #[tokio::test]
    async fn many_at_once_are_one_secret() -> Result<()> {
        let test = app().await?;
        let store = get_store(test.app()).expect("a store");
        let tasks: Vec<_> =
            (0..20).map(|n| tokio::spawn(store.set("K", &n.to_string()).into_future())).collect();
        for task in tasks {
            task.await.expect("no panic")?;
        }
        assert_eq!(store.list().await?.len(), 1);
        let kept = test.app().store().get_typed::<std::sync::Arc<Kept>>(KEPT).expect("kept");
        assert_eq!(kept.counts.set.load(Relaxed), 20);
        Ok(())
    }
}
