//! [`Mail`] to the bytes of a message: headers, text and HTML alternatives, attachments (spec auth §10.2).
//!
//! Nothing in a mail can start a header of its own: line breaks are taken out of every value, addresses and header names
//! are checked.

use lettre::{
    Address as Mailable, Message,
    address::Envelope,
    message::{
        Attachment, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use super::{Address, Mail, failed};
use crate::{Result, files::mime, id};

/// A message ready for a server.
pub(super) struct Ready {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// What the parts of a message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Everything; blind copies only in the envelope.
    Full,
    /// The HTML (or text) alone, recipients in the headers, as `sendmail -t` reads it.
    Single,
}

/// Builds the message of a mail.
pub(super) fn build(mail: &Mail, shape: Shape) -> Result<Ready> {
    let mut builder = Message::builder().from(mailbox(&mail.from)?).date_now();
    for to in &mail.to {
        builder = builder.to(mailbox(to)?);
    }
    for cc in &mail.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    for bcc in &mail.bcc {
        builder = builder.bcc(mailbox(bcc)?);
    }
    if shape == Shape::Single {
        builder = builder.keep_bcc();
    }
    builder = builder.subject(one_line(&mail.subject));
    let mut has_id = false;
    for (name, value) in &mail.headers {
        let name = HeaderName::new_from_ascii(one_line(name).trim().to_owned())
            .map_err(|_| failed("invalid header name"))?;
        has_id |= name.eq_ignore_ascii_case("message-id");
        builder = builder.raw_header(HeaderValue::new(name, one_line(value)));
    }
    if !has_id {
        builder = builder.message_id(message_id(&mail.from.address));
    }
    let message = match shape {
        Shape::Full => builder.multipart(parts(mail)?),
        Shape::Single if mail.html.is_empty() => {
            builder.singlepart(part(&mail.text, ContentType::TEXT_PLAIN)?)
        }
        Shape::Single => builder.singlepart(part(&mail.html, ContentType::TEXT_HTML)?),
    }
    .map_err(|error| failed(format!("invalid mail: {error}")))?;
    Ok(Ready { envelope: message.envelope().clone(), bytes: message.formatted() })
}

/// `multipart/mixed` around the alternatives and the files.
fn parts(mail: &Mail) -> Result<MultiPart> {
    let mut alternatives = MultiPart::alternative().build();
    if !mail.text.is_empty() || mail.html.is_empty() {
        alternatives = alternatives.singlepart(part(&mail.text, ContentType::TEXT_PLAIN)?);
    }
    if !mail.html.is_empty() {
        alternatives = alternatives.singlepart(part(&mail.html, ContentType::TEXT_HTML)?);
    }
    let mut mixed = MultiPart::mixed().multipart(alternatives);
    for (name, content) in &mail.attachments {
        mixed = mixed.singlepart(
            Attachment::new(one_line(name)).body(content.to_vec(), content_type(content)),
        );
    }
    for (name, content) in &mail.inline_attachments {
        let name = one_line(name);
        let part = Attachment::new_inline_with_name(name.clone(), name);
        mixed = mixed.singlepart(part.body(content.to_vec(), content_type(content)));
    }
    Ok(mixed)
}

fn part(text: &str, kind: ContentType) -> Result<SinglePart> {
    let body = Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::QuotedPrintable)
        .map_err(|_| failed("the mail cannot be encoded"))?;
    Ok(SinglePart::builder().content_type(kind).body(body))
}

/// What the content looks like.
fn content_type(content: &[u8]) -> ContentType {
    let found = mime::detect(content);
    ContentType::parse(found.essence())
        .or_else(|_| ContentType::parse("application/octet-stream"))
        .unwrap_or(ContentType::TEXT_PLAIN)
}

fn mailbox(address: &Address) -> Result<Mailbox> {
    let name = one_line(&address.name);
    let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    let parsed: Mailable = address.address.parse().map_err(|_| failed("invalid mail address"))?;
    Ok(Mailbox::new(name, parsed))
}

/// `<15 letters or digits@domain of the sender>`.
fn message_id(from: &str) -> Option<String> {
    let (_, domain) = from.split_once('@').filter(|(_, domain)| !domain.contains('@'))?;
    Some(format!("<{}@{domain}>", id::random(15, id::ALNUM)))
}

/// The text without line breaks and other control characters.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn address(name: &str, address: &str) -> Address {
        Address { name: name.into(), address: address.into() }
    }

    fn mail() -> Mail {
        Mail {
            from: address("Süß, \"Co\"", "support@example.com"),
            to: vec![address("", "a@example.com")],
            bcc: vec![address("", "hidden@example.com")],
            subject: "Hällo".into(),
            html: "<p>Hi</p>".into(),
            text: "Hi".into(),
            ..Mail::default()
        }
    }

    fn text(mail: &Mail, shape: Shape) -> String {
        String::from_utf8(build(mail, shape).unwrap().bytes).unwrap()
    }

    /// The header lines, unfolded.
    fn headers(message: &str) -> Vec<String> {
        let head = message.split("\r\n\r\n").next().unwrap();
        head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_full_message() {
        let message = text(&mail(), Shape::Full);
        for want in [
            "MIME-Version: 1.0\r\n",
            "To: a@example.com\r\n",
            "<support@example.com>",
            "Content-Type: multipart/mixed;",
            "Content-Type: multipart/alternative;",
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nHi",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(message.contains(want), "{want} is not in\n{message}");
        }
        assert!(message.is_ascii() && !message.contains("hidden@"), "{message}");
        let ready = build(&mail(), Shape::Full).unwrap();
        let to: Vec<String> = ready.envelope.to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["a@example.com", "hidden@example.com"]);
        let id = headers(&message).into_iter().find(|h| h.starts_with("Message-ID: <")).unwrap();
        assert!(
            id.ends_with("@example.com>") && id.len() == "Message-ID: <@example.com>".len() + 15
        );
    }

    #[test]
    fn a_message_for_sendmail() {
        let message = text(&mail(), Shape::Single);
        assert!(message.contains("Bcc: hidden@example.com\r\n") && !message.contains("multipart"));
        assert!(message.contains("<p>Hi</p>"));
    }

    #[test]
    fn attachments() {
        let mut mail = mail();
        mail.attachments =
            vec![("a\r\nX-Evil: 1\".png".into(), Bytes::from_static(b"\x89PNG\r\n\x1a\n"))];
        mail.inline_attachments = vec![("logo".into(), Bytes::from_static(b"GIF89a"))];
        let message = text(&mail, Shape::Full);
        for want in ["Content-Type: image/png", "Content-Type: image/gif", "Content-ID: <logo>"] {
            assert!(message.contains(want), "{want} is not in\n{message}");
        }
        assert!(!message.contains("\nX-Evil"), "{message}");
    }

    #[test]
    fn nothing_injects_headers() {
        let mut evil = mail();
        evil.subject = "x\r\nBcc: evil@example.com\r\n\r\nbody".into();
        evil.from.name = "x>\nBcc: evil@example.com\n".into();
        evil.headers =
            vec![("X-A".into(), "1\r\nX-Evil: 1".into()), ("Message-ID".into(), "<own@id>".into())];
        let message = text(&evil, Shape::Full);
        let heads = headers(&message);
        assert!(
            heads.iter().all(|h| !h.starts_with("Bcc") && !h.starts_with("X-Evil")),
            "{heads:?}"
        );
        assert_eq!(heads.iter().filter(|h| h.starts_with("Message-ID")).count(), 1);
        for bad in
            ["", "a", "a@b\r\nBcc: c@d.e", "a@b.c>\r\nx", "a b@c.d", "<a@b.c>", "a@b.c,d@e.f"]
        {
            let mut evil = mail();
            evil.to = vec![address("", bad)];
            assert!(build(&evil, Shape::Full).is_err(), "{bad:?}");
        }
        for bad in ["", "X Y", "X:Y", "Ü"] {
            let mut evil = mail();
            evil.headers = vec![(bad.into(), "1".into())];
            assert!(build(&evil, Shape::Full).is_err(), "{bad:?}");
        }
        let mut nobody = mail();
        (nobody.to, nobody.bcc) = (Vec::new(), Vec::new());
        assert!(build(&nobody, Shape::Full).is_err());
    }
}
