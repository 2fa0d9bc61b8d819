//! One mail over one SMTP connection: implicit TLS, STARTTLS where offered, PLAIN or LOGIN (spec auth §10.2).
//!
//! Credentials only travel encrypted, or to this machine. Errors carry the server's words, never ours.

use std::{path::Path, time::Duration};

use lettre::transport::smtp::{
    Error as SmtpError,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
    extension::ClientId,
};
use tokio::time::timeout;

use super::{
    Limits, Mail, failed,
    message::{self, Ready, Shape},
};
use crate::{Error, Result, settings::Smtp};

/// How long the farewell may take once the mail is accepted.
const QUIT: Duration = Duration::from_secs(2);

pub(super) async fn deliver(
    smtp: &Smtp,
    ca_file: Option<&Path>,
    mail: &Mail,
    limits: Limits,
) -> Result<()> {
    let message = message::build(mail, Shape::Full)?;
    let tls = tls(&smtp.host, ca_file)?;
    let mut connection = timeout(limits.overall, Box::pin(hand_over(smtp, tls, &message, limits)))
        .await
        .unwrap_or_else(|_| Err(failed("the mail server did not answer in time")))?;
    // The mail is accepted; how the conversation ends does not matter.
    let _ = timeout(QUIT, connection.quit()).await;
    Ok(())
}

async fn hand_over(
    smtp: &Smtp,
    tls: TlsParameters,
    message: &Ready,
    limits: Limits,
) -> Result<AsyncSmtpConnection> {
    let port = u16::try_from(smtp.port).map_err(|_| failed("invalid port"))?;
    let name = if smtp.local_name.is_empty() { "localhost" } else { &smtp.local_name };
    let hello = ClientId::Domain(name.to_owned());
    let implicit = smtp.tls.then(|| tls.clone());
    let server = (smtp.host.as_str(), port);
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(server, Some(limits.connect), &hello, implicit, None)
            .await
            .map_err(|e| reason(&e))?;
    if connection.can_starttls() {
        connection.starttls(tls, &hello).await.map_err(|e| reason(&e))?;
    }
    if let Err(error) = sign_in(&mut connection, smtp).await {
        connection.abort().await;
        return Err(error);
    }
    connection.send(&message.envelope, &message.bytes).await.map_err(|e| reason(&e))?;
    Ok(connection)
}

async fn sign_in(connection: &mut AsyncSmtpConnection, smtp: &Smtp) -> Result<()> {
    if smtp.username.is_empty() && smtp.password.is_empty() {
        return Ok(());
    }
    let local = ["localhost", "127.0.0.1", "::1"].contains(&smtp.host.as_str());
    if !connection.is_encrypted() && !local {
        return Err(failed("unencrypted connection"));
    }
    let mechanism = if smtp.auth_method == "LOGIN" { Mechanism::Login } else { Mechanism::Plain };
    let credentials = Credentials::new(smtp.username.clone(), smtp.password.clone());
    connection.auth(&[mechanism], &credentials).await.map_err(|e| reason(&e))?;
    Ok(())
}

/// Whom to trust: the certificates of `SSL_CERT_FILE` if there is one, else Mozilla's.
fn tls(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters> {
    let mut builder = TlsParameters::builder(host.to_owned());
    builder = match ca_file {
        None => builder.certificate_store(CertificateStore::WebpkiRoots),
        Some(path) => {
            let unreadable = || failed("the file of SSL_CERT_FILE cannot be read");
            let pem = std::fs::read(path).map_err(|_| unreadable())?;
            let roots = Certificate::from_pem(&pem).map_err(|_| unreadable())?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(roots)
        }
    };
    builder.build().map_err(|e| reason(&e))
}

/// What went wrong: `CODE "words of the server"`, or the cause on our side.
fn reason(error: &SmtpError) -> Error {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) => failed(format!("{code} {cause:?}")),
        None if error.is_timeout() => failed("the mail server cannot be reached in time"),
        None if cause.is_empty() => failed(error),
        None => failed(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Address, settings::Settings};

    fn mail() -> Mail {
        let at = |address: &str| Address { name: String::new(), address: address.into() };
        Mail {
            from: at("from@example.com"),
            to: vec![at("to@example.com")],
            text: "x".into(),
            ..Mail::default()
        }
    }

    #[tokio::test]
    async fn a_mute_server_ends_with_the_limit() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut smtp = Settings::default().smtp;
        smtp.host = "127.0.0.1".into();
        smtp.port = listener.local_addr().unwrap().port().into();
        let limits =
            Limits { connect: Duration::from_secs(5), overall: Duration::from_millis(200) };
        let failed = deliver(&smtp, None, &mail(), limits).await.unwrap_err().to_string();
        assert_eq!(failed, "the mail server did not answer in time");
        drop(listener);
        smtp.port = 70_000;
        let failed = deliver(&smtp, None, &mail(), limits).await.unwrap_err().to_string();
        assert_eq!(failed, "invalid port");
        let nowhere = Some(Path::new("/nowhere/ca.pem"));
        let failed = deliver(&smtp, nowhere, &mail(), limits).await.unwrap_err().to_string();
        assert_eq!(failed, "the file of SSL_CERT_FILE cannot be read");
    }
}
