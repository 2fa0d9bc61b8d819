//! Plugins: parts that bind hooks and add routes before the app starts.

use api::api::Routes;
use engine::event::Hooks;

/// What a plugin may use while it registers.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Every hook, `bootstrap` included.
    pub hooks: &'a Hooks,
    /// Routes and middlewares.
    pub routes: &'a mut Routes,
}

/// A part of the product that uses only the public library.
pub trait Plugin {
    /// Binds hooks and adds routes. The app itself comes with the `bootstrap` and `serve` events.
    ///
    /// # Errors
    /// When the plugin cannot work; the app is then not built.
    fn register(self, setup: &mut Setup<'_>) -> engine::Result<()>;
}
