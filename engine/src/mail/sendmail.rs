//! Mail through the local `sendmail -i -t` (spec auth §10.2): the way out while SMTP is off.

use std::process::Stdio;

use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use super::{
    Mail, TimeLimits, failed,
    message::{self, Shape},
};
use crate::Result;

/// Where it usually is; else the search path decides.
const PLACES: [&str; 3] = ["/usr/sbin/sendmail", "/usr/bin/sendmail", "sendmail"];

pub(super) async fn deliver(mail: &Mail, limits: TimeLimits) -> Result<()> {
    let message = message::build(mail, Shape::Single)?.bytes;
    // programs on this side of the transport end lines with a line feed
    let message = String::from_utf8_lossy(&message).replace("\r\n", "\n");
    timeout(limits.overall, run(&PLACES, message.as_bytes()))
        .await
        .unwrap_or_else(|_| Err(failed("sendmail did not finish in time")))
}

/// Runs the first program that exists.
async fn run(places: &[&str], message: &[u8]) -> Result<()> {
    for place in places {
        let spawned = Command::new(place)
            .args(["-i", "-t"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(format!("failed to start sendmail: {error}"))),
        };
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read to the end says why by its status.
            let _ = stdin.write_all(message).await;
        }
        let status = child.wait().await.map_err(|error| failed(format!("sendmail: {error}")))?;
        return if status.success() { Ok(()) } else { Err(failed(format!("sendmail: {status}"))) };
    }
    Err(failed("failed to locate a sendmail executable path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn programs() {
        assert!(run(&["/nowhere/sendmail", "true"], b"x").await.is_ok());
        let failed = run(&["false"], b"x").await.unwrap_err().to_string();
        assert_eq!(failed, "sendmail: exit status: 1");
        let missing = run(&["/nowhere/sendmail"], b"x").await.unwrap_err().to_string();
        assert_eq!(missing, "failed to locate a sendmail executable path");
    }
}
