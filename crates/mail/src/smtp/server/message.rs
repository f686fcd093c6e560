//! A message that was taken whole, with its envelope, and the mark of those that no person or device wrote.

use crate::{Address, Channel};

/// What the shell has to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How the client called itself.
    pub client: Box<str>,
    /// Who logged in.
    pub user: Option<String>,
    /// How it came.
    pub channel: Channel,
    /// Who sent it; none is the null sender.
    pub sender: Option<Address>,
    /// Whom the shell took as recipients, at least one.
    pub recipients: Vec<Address>,
    /// The bytes of the message, dots unstuffed; lines end by CRLF and hold 998 bytes at most.
    pub data: Vec<u8>,
    /// Length of its head, with the empty line.
    pub head: usize,
    /// Whether a machine sent it as an answer.
    pub origin: Origin,
}

/// Who is behind a message. Only [`Origin::Sender`] may create devices and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Somebody who wants to say something.
    Sender,
    /// The null sender: a bounce or a receipt (RFC 5321 §4.5.5).
    NullSender,
    /// `Auto-Submitted` other than `no` (RFC 3834 §5).
    AutoSubmitted,
    /// `multipart/report`: a delivery report with a sender that it should not have (RFC 6522).
    Report,
}

impl Origin {
    /// Reads the marks from the envelope and the head.
    pub(super) fn of(sender: Option<&Address>, head: &[u8]) -> Self {
        if sender.is_none() {
            return Self::NullSender;
        }
        let mut origin = Self::Sender;
        let mut rest = head;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            // A folded value may begin on the next line (RFC 5322 §2.2.3).
            if let Some(value) = value_of(line, b"auto-submitted:") {
                let mut word = first_word(value);
                if word.is_empty() {
                    word = first_word(rest);
                }
                if !word.eq_ignore_ascii_case(b"no") {
                    return Self::AutoSubmitted;
                }
            } else if let Some(value) = value_of(line, b"content-type:") {
                let word = first_word(value);
                let word = if word.is_empty() { first_word(rest) } else { word };
                if word.eq_ignore_ascii_case(b"multipart/report") {
                    origin = Self::Report;
                }
            }
        }
        origin
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

/// Up to a space, a semicolon or a comment.
fn first_word(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    let end = value.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'('));
    &value[..end.unwrap_or(value.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_machines_are_marked() {
        let sender: Address = "a@b".parse().unwrap();
        let origin = |head: &str| Origin::of(Some(&sender), head.as_bytes());
        assert_eq!(Origin::of(None, b"\r\n"), Origin::NullSender);
        assert_eq!(origin("From: a@b\r\nSubject: auto-submitted: x\r\n\r\n"), Origin::Sender);
        assert_eq!(origin("auto-submitted: No\r\n\r\n"), Origin::Sender);
        assert_eq!(origin("Auto-Submitted: auto-replied; x=y\r\n\r\n"), Origin::AutoSubmitted);
        assert_eq!(origin("Auto-Submitted:\r\n auto-generated(x)\r\n\r\n"), Origin::AutoSubmitted);
        assert_eq!(origin("Content-Type: Multipart/Report; report-type=delivery-status\r\n\r\n"), Origin::Report);
    }
}
