//! The first-run installer: the link that leads to the first superuser (spec server-settings §1.5, auth §11.1).
//!
//! Must not print or open a browser; the executable does.

use crate::{Result, auth::superusers, ctx::Ctx};

/// A link for the first superuser, if there is none yet; the installer account is made when missing.
///
/// # Errors
/// Database errors.
pub async fn link(ctx: &Ctx, base_url: &str) -> Result<Option<String>> {
    if !superusers::needs_installer(ctx).await? {
        return Ok(None);
    }
    let token = superusers::installer_token(ctx).await?;
    Ok(Some(format!("{}/_/#/pbinstall/{token}", base_url.trim_end_matches('/'))))
}

/// What is printed for a link, with its blank lines.
#[must_use]
pub fn message(link: &str, executable: &str) -> String {
    format!(
        "\n(!) Launch the URL below in the browser if it hasn't been open already to create your first superuser account:\n\
         {link}\n(you can also create your first superuser by running: {executable} superuser upsert EMAIL PASS)\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_its_blank_lines() {
        let text = message("http://x/_/#/pbinstall/t", "./pb");
        assert!(text.starts_with("\n(!) Launch") && text.ends_with("PASS)\n\n"));
        assert!(text.contains("account:\nhttp://x/_/#/pbinstall/t\n(you can"));
    }
}
