//! Plugins: parts that bind hooks and add routes when the app is built.

use api::api::Routes;

/// What a plugin may use while it registers.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The application; bind hooks here.
    pub app: &'a engine::App,
    /// Routes and middlewares.
    pub routes: &'a mut Routes,
}

/// A part of the product that uses only the public library.
pub trait Plugin {
    /// Binds hooks and adds routes.
    ///
    /// # Errors
    /// When the plugin cannot work; the app is then not built.
    fn register(self, setup: &mut Setup<'_>) -> engine::Result<()>;
}
