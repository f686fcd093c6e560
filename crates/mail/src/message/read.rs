//! Reads a message strictly: one sender, one receiver, one mark, one `*.dat` in base64; anything else is refused
//! with its reason. The MIME tree is found by `mail-parser`, after a look that bounds what it may meet.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mail_parser::{Encoding, HeaderName, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::stamp::Stamp;
use crate::Address;

/// Parts of a message, containers and texts counted.
const MAX_PARTS: usize = 8;
/// Containers within containers.
const MAX_DEPTH: usize = 3;
/// Lines that could separate parts, before the tree is built.
const MAX_SEPARATORS: usize = 32;

/// What a message says, before its seal is opened. Nothing of it is proven yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The one address in From.
    pub from: Address,
    /// The one address in To.
    pub to: Address,
    /// The mark.
    pub stamp: Stamp,
    /// The name of the attachment, ending in `.dat`.
    pub name: String,
    /// The sealed envelope.
    pub sealed: Vec<u8>,
}

/// Why a message is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// No head at all.
    #[error("the message has no head")]
    NoHead,
    /// From or To is missing, doubled, or names more or less than one mailbox.
    #[error("{0} does not name exactly one mailbox")]
    Mailbox(&'static str),
    /// `X-Platen` is missing, doubled or malformed.
    #[error("the mark X-Platen is missing, doubled or malformed")]
    Stamp,
    /// Over 8 parts, or nested deeper than 3.
    #[error("the message has too many parts, or they are nested too deep")]
    Shape,
    /// A message within the message.
    #[error("the message holds another message")]
    Nested,
    /// None or several attachments.
    #[error("the message has {0} attachments; one is wanted")]
    Attachments(usize),
    /// The attachment is not called `*.dat`, or is of another type than `application/cose` or `octet-stream`.
    #[error("the attachment is no application/cose named *.dat")]
    AttachmentType,
    /// The attachment is not in base64, strictly (RFC 4648 §4).
    #[error("the attachment is not in lawful base64")]
    Encoding,
}

/// Reads a message with CRLF line ends, as [`crate::smtp::Session`] gives it.
///
/// # Errors
/// When it is not exactly one mark and one attachment between one sender and one receiver.
pub fn read(message: &[u8]) -> Result<Received, Unreadable> {
    bound(message)?;
    let parsed = MessageParser::new()
        .with_mime_headers()
        .header_raw(HeaderName::From)
        .header_raw(HeaderName::To)
        .header_raw(HeaderName::Other(Stamp::FIELD.into()))
        .default_header_ignore()
        .parse(message)
        .ok_or(Unreadable::NoHead)?;
    let from = mailbox(&parsed, &HeaderName::From, "From")?;
    let to = mailbox(&parsed, &HeaderName::To, "To")?;
    let stamp = stamp(&parsed)?;
    shape(&parsed)?;
    let (name, sealed) = attachment(message, &parsed)?;
    Ok(Received { from, to, stamp, name, sealed })
}

/// What the parser must never see: more separators than parts could have, messages in messages.
fn bound(message: &[u8]) -> Result<(), Unreadable> {
    if memchr::memmem::find_iter(message, b"\n--").take(MAX_SEPARATORS + 1).count() > MAX_SEPARATORS {
        return Err(Unreadable::Shape);
    }
    let mut rest = message;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        // A type may stand on a folded line, so lines that begin with white space count too.
        if matches!(line[0], b'c' | b'C' | b' ' | b'\t')
            && [&b"message/"[..], b"digest"].iter().any(|word| has(line, word))
        {
            return Err(Unreadable::Nested);
        }
    }
    Ok(())
}

fn has(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

fn only<'a>(parsed: &'a Message<'_>, name: &HeaderName<'_>) -> Option<&'a HeaderValue<'a>> {
    let mut found = parsed.headers().iter().filter(|header| header.name.as_str().eq_ignore_ascii_case(name.as_str()));
    let first = found.next()?;
    found.next().is_none().then_some(&first.value)
}

fn mailbox(parsed: &Message<'_>, name: &HeaderName<'_>, shown: &'static str) -> Result<Address, Unreadable> {
    let text = only(parsed, name).and_then(HeaderValue::as_text).map(unfold);
    text.and_then(|text| one_mailbox(text.trim())).ok_or(Unreadable::Mailbox(shown))
}

/// `address` or `name <address>` (RFC 5322 §3.4). Parsers forgive more, and could see another address than we do.
fn one_mailbox(text: &str) -> Option<Address> {
    let Some(rest) = text.strip_suffix('>') else { return text.parse().ok() };
    let (name, address) = rest.rsplit_once('<')?;
    let name = name.trim();
    let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let lawful = match quoted {
        Some(inside) => !inside.contains(['"', '\\']),
        None => !name.contains(['<', '>', '@', ',', ';', ':', '"', '\\', '(', ')']),
    };
    if lawful { address.parse().ok() } else { None }
}

/// A relay may fold a line (RFC 5322 §2.2.3).
fn unfold(text: &str) -> String {
    text.replace("\r\n", "")
}

fn stamp(parsed: &Message<'_>) -> Result<Stamp, Unreadable> {
    let value = only(parsed, &HeaderName::Other(Stamp::FIELD.into()));
    let text = value.and_then(HeaderValue::as_text).ok_or(Unreadable::Stamp)?;
    unfold(text).trim().parse().map_err(|_| Unreadable::Stamp)
}

fn shape(parsed: &Message<'_>) -> Result<(), Unreadable> {
    let mut depths = vec![0; parsed.parts.len()];
    // Children stand behind their containers, so one pass adds up.
    for place in 0..parsed.parts.len() {
        if let PartType::Multipart(children) = &parsed.parts[place].body {
            let own = depths[place];
            for child in children.iter().map(|child| *child as usize).filter(|child| *child > place) {
                if let Some(depth) = depths.get_mut(child) {
                    *depth = own + 1;
                }
            }
        }
    }
    let deep = depths.iter().any(|depth| *depth > MAX_DEPTH);
    if deep || parsed.parts.len() > MAX_PARTS { Err(Unreadable::Shape) } else { Ok(()) }
}

fn attachment(message: &[u8], parsed: &Message<'_>) -> Result<(String, Vec<u8>), Unreadable> {
    let attached: Vec<&MessagePart<'_>> = parsed.parts.iter().filter(|part| is_attached(part)).collect();
    let [part] = attached[..] else { return Err(Unreadable::Attachments(attached.len())) };
    let name = part.attachment_name().unwrap_or_default();
    let kind = part.content_type().map(|kind| (kind.ctype(), kind.subtype().unwrap_or_default()));
    let known = kind.is_some_and(|(class, kind)| {
        class.eq_ignore_ascii_case("application")
            && (kind.eq_ignore_ascii_case("cose") || kind.eq_ignore_ascii_case("octet-stream"))
    });
    let named = name.len() <= 255 && name.to_ascii_lowercase().ends_with(".dat") && !name.contains(char::is_control);
    if !known || !named {
        return Err(Unreadable::AttachmentType);
    }
    if part.encoding != Encoding::Base64 {
        return Err(Unreadable::Encoding);
    }
    let raw = message.get(part.raw_body_offset() as usize..part.raw_end_offset() as usize);
    Ok((name.to_owned(), decode(raw.ok_or(Unreadable::Encoding)?)?))
}

fn is_attached(part: &MessagePart<'_>) -> bool {
    match &part.body {
        PartType::Multipart(_) => false,
        PartType::Text(_) | PartType::Html(_) => part.content_disposition().is_some_and(|kind| kind.is_attachment()),
        PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) => true,
    }
}

/// The parser forgives base64 what a seal must not: here every sign counts.
fn decode(raw: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let mut text = Vec::with_capacity(raw.len());
    for line in raw.split(|byte| *byte == b'\n') {
        text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
    }
    match STANDARD.decode(&text) {
        Ok(sealed) if !sealed.is_empty() => Ok(sealed),
        _ => Err(Unreadable::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Letter;
    use super::*;

    fn letter(sealed: &[u8]) -> String {
        let from: Address = "device-7@customer.example".parse().unwrap();
        let to: Address = "reports@platen.example".parse().unwrap();
        let stamp = Stamp::new("aZ_9", 5, 3, 77).unwrap();
        let letter = Letter { from: &from, to: &to, stamp: &stamp, sent: 1_795_246_193, sealed };
        String::from_utf8(letter.write()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [1, 2, 3, 56, 57, 58, 5_000] {
            let sealed: Vec<u8> = (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect();
            let received = read(letter(&sealed).as_bytes()).unwrap();
            assert_eq!(received.from.as_str(), "device-7@customer.example");
            assert_eq!(received.to.as_str(), "reports@platen.example");
            assert_eq!(received.stamp.to_string(), "v=1; d=aZ_9; k=5; e=3; s=77");
            assert_eq!(received.name, "3-77.dat");
            assert_eq!(received.sealed, sealed, "{length} bytes");
        }
    }

    #[test]
    fn what_relays_do_on_the_way_does_no_harm() {
        let text = letter(b"sealed");
        let traced =
            format!("Received: from a by b; Thu, 01 Jan 1970 00:00:00 +0000\r\nDKIM-Signature: v=1; d=x\r\n{text}");
        let folded = text.replace("; k=5", ";\r\n\tk=5");
        let named = text.replace("From: <", "From: \"Device, 7\" <");
        let footer =
            text.replace("--=_platen--", "--=_platen\r\nContent-Type: text/plain\r\n\r\nScanned.\r\n--=_platen--");
        for changed in [traced, folded, named, footer] {
            assert_eq!(read(changed.as_bytes()).unwrap().sealed, b"sealed", "{changed}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_reason() {
        let text = letter(&[7; 100]);
        let dat = text[text.find("--=_platen\r\nContent-Type: application").unwrap()..].replace("--=_platen--\r\n", "");
        let change = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        };
        let cases = [
            (String::new(), Unreadable::NoHead),
            (change("From: <", "X: <"), Unreadable::Mailbox("From")),
            (change("From: <", "From: <a@b>\r\nFrom: <"), Unreadable::Mailbox("From")),
            (change("From: <", "From: <a@b>, <"), Unreadable::Mailbox("From")),
            (change("From: <", "From: <a@b> <"), Unreadable::Mailbox("From")),
            (change("From: <device", "From: <dev ice"), Unreadable::Mailbox("From")),
            (change("From: <", "From: \"a\" b\" <"), Unreadable::Mailbox("From")),
            (change("To: <", "To: group: <a@b>;, <"), Unreadable::Mailbox("To")),
            (change("X-Platen", "Y-Platen"), Unreadable::Stamp),
            (change("X-Platen: ", "X-Platen: v=1; d=a; k=1; e=1; s=1\r\nX-Platen: "), Unreadable::Stamp),
            (change("k=5", "k=x"), Unreadable::Stamp),
            (change("k=5", "k==?us-ascii?q?5?="), Unreadable::Stamp),
            (change(&dat, ""), Unreadable::Attachments(0)),
            (change("--=_platen--", &format!("{dat}--=_platen--")), Unreadable::Attachments(2)),
            (change(".dat", ".exe"), Unreadable::AttachmentType),
            (change("application/cose", "application/pdf"), Unreadable::AttachmentType),
            (change("application/cose", "Message/RFC822"), Unreadable::Nested),
            (change("base64", "7bit"), Unreadable::Encoding),
            (change("BwcH", "BwcH*"), Unreadable::Encoding),
            (change("\r\nBwcH", "\r\n BwcH"), Unreadable::Encoding),
            (change("--=_platen\r\n", &"--=_platen\r\n\r\n".repeat(20)), Unreadable::Shape),
        ];
        for (text, reason) in cases {
            assert_eq!(read(text.as_bytes()), Err(reason), "{text}");
        }
    }

    #[test]
    fn deep_nests_are_refused() {
        for depth in [4, 10, 30] {
            let mut text = letter(b"sealed");
            let start = text.find("Content-Type: multipart").unwrap();
            let inner = text.split_off(start);
            for level in 0..depth {
                text.push_str(&format!("Content-Type: multipart/mixed; boundary=n{level}\r\n\r\n--n{level}\r\n"));
            }
            text.push_str(&inner);
            assert_eq!(read(text.as_bytes()), Err(Unreadable::Shape), "{depth} deep");
        }
    }
}
