//! The executable: the allocator, and an app that reads the command line.

mod allocator;

use pocketbase::App;

#[tokio::main]
async fn main() -> pocketbase::Result<()> {
    let app = App::builder().release_memory(allocator::release);
    #[cfg(feature = "js")]
    let app = app.plugin(js::JsPlugin::new());
    app.build()?.start().await
}
