//! Backups at times: the cron job of the settings, the newest that are kept, the mail when one fails (spec §4.6).

use std::cmp::Reverse;

use serde_json::json;

use super::{Listed, create, delete, list};
use crate::{
    App, Ctx, Error, Result,
    log::Level,
    mail::{self, Address, Mail},
    record::refs::INSTALLER_EMAIL,
    rule,
    schema::system,
};

/// The job's name.
const JOB: &str = "__pbAutoBackup__";
/// Most superusers that are told of a failure.
const MAX_ALERTS: u32 = 200;
/// Automatic backups begin so; others are never removed.
const PREFIX: &str = "@auto_pb_backup_";

/// Follows the settings: the job is there while they have an expression.
pub(crate) fn schedule(app: &App) {
    let settings = app.settings();
    let crons = app.crons();
    if settings.backups.cron.is_empty() {
        crons.remove(JOB);
    } else if let Err(error) = crons.add(JOB, &settings.backups.cron, run) {
        // Settings are checked when they are saved; these were written by somebody else.
        crons.remove(JOB);
        app.log().write(
            Level::Error,
            "Failed to schedule auto backups",
            &json!({ "error": error }),
        );
    }
}

async fn run(app: App) -> Result<()> {
    let name = super::create::default_name(&app, PREFIX);
    if let Err(error) = create(&app, &name).await {
        let data = json!({ "name": name, "error": error.to_string() });
        app.log().write(Level::Error, "[Backup cron] Failed to create backup", &data);
        if let Err(error) = alert(&app, &error).await {
            mail::log_failure(&app, "backup alert", &error);
        }
    }
    let keep = usize::try_from(app.settings().backups.cron_max_keep).unwrap_or(0);
    if keep == 0 {
        return Ok(());
    }
    for old in superfluous(list(&app).await?, keep) {
        match delete(&app, &old).await {
            // Somebody was faster.
            Ok(()) | Err(Error::NotFound) => {}
            Err(error) => {
                let data = json!({ "name": old, "error": error.to_string() });
                app.log().write(Level::Error, "[Backup cron] Failed to remove old backup", &data);
            }
        }
    }
    Ok(())
}

/// Tells every superuser that there is no backup.
async fn alert(app: &App, error: &Error) -> Result<()> {
    let ctx = Ctx::system(app);
    let collection = ctx.snapshot().find(system::SUPERUSERS).cloned().ok_or(Error::NotFound)?;
    let mut text = String::new();
    for c in error.to_string().chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&#34;"),
            '\'' => text.push_str("&#39;"),
            c => text.push(c),
        }
    }
    let subject = format!("[{} system alert] Autobackup failure", app.settings().meta.app_name);
    let html = format!("<p>Failed to create/upload automated backup. Raw error:\n{text}</p>");
    for superuser in rule::first_rows(&ctx, &collection, MAX_ALERTS).await? {
        let address = superuser.get_str("email").to_owned();
        if address == INSTALLER_EMAIL {
            continue;
        }
        let mail = Mail {
            from: mail::sender(app),
            to: vec![Address { name: String::new(), address }],
            subject: subject.clone(),
            html: html.clone(),
            ..Mail::default()
        };
        mail::send(&ctx, mail).await?;
    }
    Ok(())
}

/// Names of automatic backups beyond the newest.
fn superfluous(mut found: Vec<Listed>, keep: usize) -> Vec<String> {
    found.retain(|backup| backup.key.starts_with(PREFIX));
    found.sort_by_key(|backup| (Reverse(backup.modified_ms), Reverse(backup.key.clone())));
    found.into_iter().skip(keep).map(|backup| backup.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay() {
        let backup = |key: &str, modified_ms| Listed { key: key.into(), size: 1, modified_ms };
        let found = vec![
            backup("@auto_pb_backup_a_3.zip", 30),
            backup("@auto_pb_backup_a_1.zip", 10),
            backup("manual.zip", 1),
            backup("@auto_pb_backup_a_2.zip", 20),
            backup("@update_1.zip", 2),
        ];
        assert_eq!(superfluous(found.clone(), 2), ["@auto_pb_backup_a_1.zip"]);
        assert_eq!(
            superfluous(found.clone(), 1),
            ["@auto_pb_backup_a_2.zip", "@auto_pb_backup_a_1.zip"]
        );
        assert!(superfluous(found, 3).is_empty());
    }
}
