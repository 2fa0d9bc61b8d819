//! One mail over one SMTP connection: implicit TLS, STARTTLS where offered, PLAIN or LOGIN (spec auth §10.2).
//!
//! Credentials only travel encrypted, or to this machine. Errors carry the server's words, never ours.

mod conversation;

use std::{path::Path, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use self::conversation::{Conversation, Mechanism, Wire};
use crate::{
    Result,
    mail::{
        Limits, Mail, failed,
        message::{self, Ready, Shape},
    },
    outbound,
    settings::Smtp,
};

/// How long the farewell may take.
const QUIT: Duration = Duration::from_secs(2);

pub(in crate::mail) async fn deliver(
    smtp: &Smtp,
    ca_file: Option<&Path>,
    mail: &Mail,
    limits: Limits,
) -> Result<()> {
    let message = message::build(mail, Shape::Full)?;
    let tls = tls(ca_file)?;
    let talk = async {
        let mut conversation = introduced(smtp, tls, limits).await?;
        let done = hand_over(&mut conversation, smtp, &message).await;
        Ok((conversation, done))
    };
    let (mut conversation, done) = timeout(limits.overall, Box::pin(talk))
        .await
        .unwrap_or_else(|_| Err(failed("the mail server did not answer in time")))?;
    // The mail is accepted or refused; how the conversation ends does not matter.
    let _ = timeout(QUIT, conversation.quit()).await;
    done
}

/// A conversation as secret as it gets.
async fn introduced(smtp: &Smtp, tls: ClientConfig, limits: Limits) -> Result<Talk> {
    let name = if smtp.local_name.is_empty() { "localhost" } else { &smtp.local_name };
    let wire = connect(smtp, limits).await?;
    if smtp.tls {
        let wire = encrypted(Box::new(wire), &smtp.host, tls).await?;
        let mut conversation = Conversation::begin(wire).await?;
        conversation.hello(name).await?;
        return Ok(Talk { conversation, is_secret: true });
    }
    let mut conversation = Conversation::begin(Box::new(wire)).await?;
    conversation.hello(name).await?;
    if !conversation.offers("STARTTLS") {
        return Ok(Talk { conversation, is_secret: false });
    }
    let wire = encrypted(conversation.into_plain_wire().await?, &smtp.host, tls).await?;
    let mut conversation = Conversation::resume(wire);
    conversation.hello(name).await?;
    Ok(Talk { conversation, is_secret: true })
}

/// A conversation, and whether others can listen.
struct Talk {
    conversation: Conversation,
    is_secret: bool,
}

impl Talk {
    async fn quit(&mut self) {
        self.conversation.quit().await;
    }
}

async fn hand_over(talk: &mut Talk, smtp: &Smtp, message: &Ready) -> Result<()> {
    if !smtp.username.is_empty() || !smtp.password.is_empty() {
        let local = ["localhost", "127.0.0.1", "::1"].contains(&smtp.host.as_str());
        if !talk.is_secret && !local {
            return Err(failed("unencrypted connection"));
        }
        let is_login = smtp.auth_method == "LOGIN";
        let mechanism = if is_login { Mechanism::Login } else { Mechanism::Plain };
        talk.conversation.sign_in(mechanism, &smtp.username, &smtp.password).await?;
    }
    talk.conversation.send(&message.envelope, &message.bytes).await
}

/// The first address of the server that answers.
async fn connect(smtp: &Smtp, limits: Limits) -> Result<TcpStream> {
    let port = u16::try_from(smtp.port).map_err(|_| failed("invalid port"))?;
    let mut reason = failed("the mail server has no address");
    for address in lookup_host((smtp.host.as_str(), port)).await.map_err(failed)? {
        match timeout(limits.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => reason = failed(error),
            Err(_) => reason = failed("the mail server cannot be reached in time"),
        }
    }
    Err(reason)
}

async fn encrypted(wire: Box<dyn Wire>, host: &str, tls: ClientConfig) -> Result<Box<dyn Wire>> {
    let name = ServerName::try_from(host.to_owned()).map_err(failed)?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, wire).await.map_err(failed)?;
    Ok(Box::new(stream))
}

/// Whom to trust: the certificates of `SSL_CERT_FILE` if there is one, else the usual ones.
fn tls(ca_file: Option<&Path>) -> Result<ClientConfig> {
    if ca_file.is_some_and(|file| std::fs::File::open(file).is_err()) {
        return Err(failed("the file of SSL_CERT_FILE cannot be read"));
    }
    Ok(outbound::tls_config(ca_file))
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
