//! SMTP that this executable was built without.

use std::path::Path;

use crate::{
    Result,
    mail::{
        Mail, TimeLimits, failed,
        message::{self, Shape},
    },
    settings::Smtp,
};

#[allow(clippy::unused_async, reason = "as with the feature")]
pub(in crate::mail) async fn deliver(
    _smtp: &Smtp,
    _ca_file: Option<&Path>,
    mail: &Mail,
    limits: TimeLimits,
) -> Result<()> {
    // there is nobody to reach within the limit
    let _ = limits.connect;
    // what is wrong with the mail itself is said first, as with the feature
    let message = message::build(mail, Shape::Full)?;
    let n_addresses = message.envelope.to().len();
    Err(failed(format!(
        "this executable was built without SMTP (feature \"smtp\"): nothing is sent to {n_addresses} addresses"
    )))
}
