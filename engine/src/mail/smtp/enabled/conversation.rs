//! What is said to an SMTP server (RFC 5321, 4954): one line, one answer. Servers may know no extensions at all, and need
//! not name the ways to sign in.
//!
//! Must not know settings, TLS or how the server was reached. Answers are bounded; the caller bounds the time.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lettre::address::Envelope;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

use crate::{Result, mail::failed};

/// Most bytes of a line and most lines of an answer.
const MAX_LINE: u64 = 4096;
const MAX_LINES: usize = 100;

/// Both directions of a connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// How a user proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    Plain,
    Login,
}

/// What a server says.
struct Answer {
    code: u16,
    /// Its lines without codes.
    lines: Vec<String>,
}

impl Answer {
    fn accepts(&self) -> bool {
        (200..400).contains(&self.code)
    }
    /// `CODE "words of the server"` unless it is one of the wanted.
    fn wanted(self, accepts: impl Fn(u16) -> bool) -> Result<Self> {
        if accepts(self.code) {
            return Ok(self);
        }
        Err(failed(format!("{} {:?}", self.code, self.lines.join("\n"))))
    }
}

/// An open conversation.
pub(super) struct Conversation {
    wire: BufReader<Box<dyn Wire>>,
    /// What the server says it can do, in capitals.
    extensions: Vec<String>,
}

impl Conversation {
    /// The server speaks first.
    pub(super) async fn begin(wire: Box<dyn Wire>) -> Result<Self> {
        let mut own = Self { wire: BufReader::new(wire), extensions: Vec::new() };
        own.answer().await?.wanted(|code| code == 220)?;
        Ok(own)
    }

    /// After the switch to TLS, where nobody speaks first.
    pub(super) fn resume(wire: Box<dyn Wire>) -> Self {
        Self { wire: BufReader::new(wire), extensions: Vec::new() }
    }

    /// Introduces this side, and again in the old way to servers that do not understand the new one.
    pub(super) async fn hello(&mut self, name: &str) -> Result<()> {
        let answer = self.ask(&format!("EHLO {name}")).await?;
        if answer.accepts() {
            let known = answer.lines.iter().skip(1).map(|line| line.trim().to_owned());
            self.extensions = known.collect();
            return Ok(());
        }
        self.extensions.clear();
        self.ask(&format!("HELO {name}")).await?.wanted(|code| code == 250).map(drop)
    }

    pub(super) fn offers(&self, extension: &str) -> bool {
        self.extensions.iter().any(|line| line.split_ascii_whitespace().next() == Some(extension))
    }

    /// The bare connection, once the server is ready for TLS.
    pub(super) async fn into_plain_wire(mut self) -> Result<Box<dyn Wire>> {
        self.ask("STARTTLS").await?.wanted(|code| code == 220)?;
        // whatever came in clear text must not count as said in secret
        if self.wire.buffer().is_empty() {
            Ok(self.wire.into_inner())
        } else {
            Err(failed("the mail server goes on in clear text"))
        }
    }

    /// Signs in, whether or not the server has said that it knows the mechanism.
    pub(super) async fn sign_in(
        &mut self,
        mechanism: Mechanism,
        user: &str,
        password: &str,
    ) -> Result<()> {
        if mechanism == Mechanism::Plain {
            let proof = STANDARD.encode(format!("\0{user}\0{password}"));
            let answer = self.ask(&format!("AUTH PLAIN {proof}")).await?;
            return answer.wanted(|code| code == 235).map(drop);
        }
        let mut answer = self.ask("AUTH LOGIN").await?;
        for own in [user, password] {
            answer = answer.wanted(|code| matches!(code, 235 | 334))?;
            if answer.code == 334 {
                let own = if asks_for_password(&answer) { password } else { own };
                answer = self.ask(&STANDARD.encode(own)).await?;
            }
        }
        answer.wanted(|code| code == 235).map(drop)
    }

    /// Hands a message over.
    pub(super) async fn send(&mut self, envelope: &Envelope, message: &[u8]) -> Result<()> {
        let mut line = format!("MAIL FROM:<{}>", envelope.from().map_or("", AsRef::as_ref));
        if self.offers("8BITMIME") {
            line.push_str(" BODY=8BITMIME");
        }
        let mut addresses = envelope.to().iter().chain(envelope.from());
        let is_ascii = addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii());
        if !is_ascii && self.offers("SMTPUTF8") {
            line.push_str(" SMTPUTF8");
        }
        self.ask(&line).await?.wanted(|code| code == 250)?;
        for to in envelope.to() {
            let line = format!("RCPT TO:<{to}>");
            self.ask(&line).await?.wanted(|code| matches!(code, 250 | 251))?;
        }
        self.ask("DATA").await?.wanted(|code| code == 354)?;
        self.write(&as_data(message)).await?;
        self.answer().await?.wanted(|code| code == 250).map(drop)
    }

    /// Takes leave; whatever the server thinks of it.
    pub(super) async fn quit(&mut self) {
        let _ = self.ask("QUIT").await;
    }

    async fn ask(&mut self, line: &str) -> Result<Answer> {
        // no value may start a command of its own
        if line.contains(['\r', '\n']) {
            return Err(failed("a line break in an SMTP command"));
        }
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.answer().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let wire = self.wire.get_mut();
        let written = async {
            wire.write_all(bytes).await?;
            wire.flush().await
        };
        written.await.map_err(failed)
    }

    async fn answer(&mut self) -> Result<Answer> {
        let mut lines = Vec::new();
        while lines.len() < MAX_LINES {
            let mut line = Vec::new();
            let mut limited = (&mut self.wire).take(MAX_LINE);
            limited.read_until(b'\n', &mut line).await.map_err(failed)?;
            if line.is_empty() {
                return Err(failed("the mail server has closed the connection"));
            }
            let Some((code, is_last, text)) = parsed(&line) else {
                break;
            };
            lines.push(text);
            if is_last {
                return Ok(Answer { code, lines });
            }
        }
        Err(failed("the mail server does not speak SMTP"))
    }
}

/// `250-text` or `250 text`: the code, whether it is the last line, and the text.
fn parsed(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?.trim_end();
    let (code, text) = line.split_at_checked(3)?;
    let is_last = !text.starts_with('-');
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    let is_sound = text.is_empty() || text.starts_with(['-', ' ']);
    is_sound.then(|| (code, is_last, text.get(1..).unwrap_or_default().to_owned()))
}

fn asks_for_password(answer: &Answer) -> bool {
    let prompt = answer.lines.last().map(String::as_str).unwrap_or_default();
    let prompt = STANDARD.decode(prompt).unwrap_or_default();
    prompt.to_ascii_lowercase().starts_with(b"password")
}

/// A message as `DATA` takes it: lines end with CR LF, a dot at the start of one is doubled, and a lone dot ends it all.
/// Lone line feeds become line ends, too: servers differ in what they take for one (SMTP smuggling).
fn as_data(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 50 + 8);
    let lines = message.strip_suffix(b"\n").unwrap_or(message);
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        for (at, part) in line.split(|byte| *byte == b'\r').enumerate() {
            if at > 0 {
                out.extend_from_slice(b"\r\n");
            }
            if part.starts_with(b".") {
                out.push(b'.');
            }
            out.extend_from_slice(part);
        }
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_messages() {
        for (message, data) in [
            ("a\r\nb\r\n", "a\r\nb\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            ("", "\r\n.\r\n"),
            (".a\r\n..\r\n.", "..a\r\n...\r\n..\r\n.\r\n"),
            ("a\n.\nRCPT TO:<x>\r.\r\n", "a\r\n..\r\nRCPT TO:<x>\r\n..\r\n.\r\n"),
        ] {
            assert_eq!(as_data(message.as_bytes()), data.as_bytes(), "{message:?}");
        }
    }

    #[test]
    fn lines_of_answers() {
        let text = |text: &str| text.to_owned();
        for (line, want) in [
            ("250 ok\r\n", Some((250, true, text("ok")))),
            ("250-8BITMIME\n", Some((250, false, text("8BITMIME")))),
            ("354\r\n", Some((354, true, text("")))),
            ("250ok\r\n", None),
            ("99 x\r\n", None),
            ("HTTP/1.1 400 Bad Request\r\n", None),
            ("250 cut", None),
        ] {
            assert_eq!(parsed(line.as_bytes()), want, "{line:?}");
        }
    }
}
