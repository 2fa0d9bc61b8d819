//! The executable: the allocator, and an app that reads the command line.

mod allocator;

use pocketbase::App;

#[tokio::main]
async fn main() -> pocketbase::Result<()> {
    let app = App::builder().release_memory(allocator::release);
    #[cfg(feature = "js")]
    let app = app.plugin(js::JsPlugin::new());
    #[cfg(feature = "secrets")]
    let app = app.plugin(secrets::SecretsPlugin::new());
    #[cfg(feature = "jobs")]
    let app = app.plugin(jobs::JobsPlugin::new());
    #[cfg(feature = "gateway")]
    let app = app.plugin(gateway::GatewayPlugin::new());
    #[cfg(feature = "processman")]
    let app = app.plugin(processman::ProcessmanPlugin::new());
    #[cfg(feature = "tof")]
    let app = app.plugin(tof::TofPlugin::new());
    #[cfg(feature = "analytics")]
    let app = app.plugin(analytics::AnalyticsPlugin::new());
    app.build()?.start().await
}
