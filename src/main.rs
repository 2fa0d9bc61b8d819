//! The executable: the allocator, and an app that reads the command line.

mod allocator;

use pocketbase::App;

#[tokio::main]
async fn main() -> pocketbase::Result<()> {
    App::builder().release_memory(allocator::release).build()?.start().await
}
