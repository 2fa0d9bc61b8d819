//! A route: the smallest program.

use pocketbase::prelude::*;

pub fn add(app: &App) {
    app.on_serve().bind(|e| async move {
        e.router().get("/hello/{name}", hello);
        e.next().await
    });
}

async fn hello(Path(name): Path<String>) -> String {
    format!("Hello {name}!")
}

#[cfg(test)]
mod tests {
    use pocketbase::testing::TestApp;

    #[tokio::test]
    async fn says_hello() -> pocketbase::Result<()> {
        let test = TestApp::new().await?;
        super::add(test.app());
        assert_eq!(test.get("/hello/Ann%20B").send().await.text(), "Hello Ann B!");
        Ok(())
    }
}
