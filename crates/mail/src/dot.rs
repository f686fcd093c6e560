//! Transparency: the dots of DATA (RFC 5321 §4.5.2) and of multi-line POP3 responses (RFC 1939 §3), both ways,
//! with limits that act while bytes come, before anything is kept.

use memchr::{memchr2, memchr3};

use crate::limits::{Limits, MaxHeader};

/// A CR or an LF stands alone in a message that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message has a CR or an LF that stands alone at byte {0}; end its lines by CRLF")]
pub struct BareNewline(pub usize);

/// Appends `message` with its dots doubled, and the line that ends it. On an error nothing is appended.
pub(crate) fn stuff(message: &[u8], out: &mut Vec<u8>) -> Result<(), BareNewline> {
    let start = out.len();
    out.reserve(message.len() + message.len() / 64 + 8);
    match stuff_lines(message, usize::MAX, out) {
        Ok(()) => {
            out.extend_from_slice(b".\r\n");
            Ok(())
        }
        Err(fault) => {
            out.truncate(start);
            Err(fault)
        }
    }
}

/// The head of `message` and `lines` of its body (POP3's TOP), stuffed and ended.
pub(crate) fn stuff_top(message: &[u8], lines: usize, out: &mut Vec<u8>) -> Result<(), BareNewline> {
    let head = head_length(message);
    let start = out.len();
    let done = stuff_lines(&message[..head], usize::MAX, out)
        .and_then(|()| stuff_lines(&message[head..], lines, out).map_err(|BareNewline(at)| BareNewline(head + at)));
    match done {
        Ok(()) => out.extend_from_slice(b".\r\n"),
        Err(_) => out.truncate(start),
    }
    done
}

/// Length of the head with the empty line that ends it; all of it when there is none.
pub(crate) fn head_length(message: &[u8]) -> usize {
    if message.starts_with(b"\r\n") {
        return 2;
    }
    memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 4)
}

fn stuff_lines(message: &[u8], mut lines: usize, out: &mut Vec<u8>) -> Result<(), BareNewline> {
    let mut rest = message;
    while lines > 0 && !rest.is_empty() {
        if rest[0] == b'.' {
            out.push(b'.');
        }
        match memchr2(b'\r', b'\n', rest) {
            None => {
                out.extend_from_slice(rest);
                out.extend_from_slice(b"\r\n");
                return Ok(());
            }
            Some(end) if rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n') => {
                out.extend_from_slice(&rest[..end + 2]);
                rest = &rest[end + 2..];
            }
            Some(end) => return Err(BareNewline(message.len() - rest.len() + end)),
        }
        lines -= 1;
    }
    Ok(())
}

/// What a [`Decoder`] holds messages to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) message: usize,
    pub(crate) line: usize,
    pub(crate) header: MaxHeader,
    /// Whether a CR, LF or NUL that stands alone is a fault, or only a byte of the message.
    pub(crate) bare: Bare,
}

/// CRs and LFs that stand alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    /// A reason to end the session: two readers could see two messages.
    Refused,
    /// Bytes like others; only CRLF ends lines. For reading what a foreign server stored long ago.
    Kept,
}

impl Rules {
    pub(crate) fn strict(limits: &Limits) -> Self {
        Self { message: limits.max_message, line: limits.message_line, header: limits.max_header, bare: Bare::Refused }
    }
}

/// Why a message cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    HeaderTooLarge,
    HeaderFields,
    LineTooLong,
    MessageTooLarge,
    Nul,
}

/// What the input gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All input is taken, the end has not come.
    More,
    /// The message ended; the input stands behind its end.
    End,
    /// A CR or an LF alone, and [`Bare::Refused`].
    Bare,
    /// The message went on for far longer than it may, after it was lost already.
    Flood,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Dot,
    DotCr,
    Line,
    Cr,
}

/// Takes the dots away, byte by byte or in large pieces, with the same result.
#[derive(Debug)]
pub(crate) struct Decoder {
    rules: Rules,
    at: At,
    /// Bytes of the present line.
    line: usize,
    /// Bytes of the message so far, kept or not.
    total: usize,
    in_header: bool,
    fields: usize,
    /// Length of the head with its empty line, once that came.
    pub(crate) head: Option<usize>,
    /// The first thing that was wrong; from there on nothing is kept.
    pub(crate) fault: Option<Fault>,
}

impl Decoder {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, at: At::LineStart, line: 0, total: 0, in_header: true, fields: 0, head: None, fault: None }
    }

    /// Takes what belongs to the message from `input`, and keeps it in `into` as long as nothing is wrong.
    pub(crate) fn push(&mut self, input: &mut &[u8], into: &mut Vec<u8>) -> Progress {
        if self.fault.is_none() {
            // A message that comes in one piece is given its room at once.
            into.reserve(input.len());
        }
        while let Some(&byte) = input.first() {
            match (self.at, byte) {
                (At::LineStart, b'.') => self.go(At::Dot, input),
                (At::LineStart, _) => {
                    self.begin_line(byte);
                    self.at = At::Line;
                }
                (At::Dot, b'\r') => self.go(At::DotCr, input),
                (At::Dot, _) => {
                    // A dot that was doubled, or one that should have been: it goes, the rest stays (RFC 5321 §4.5.2).
                    self.begin_line(byte);
                    self.at = At::Line;
                }
                (At::DotCr, b'\n') => {
                    self.go(At::LineStart, input);
                    return Progress::End;
                }
                (At::Cr, b'\n') => {
                    self.go(At::LineStart, input);
                    self.end_line(into);
                }
                (At::DotCr | At::Cr, _) if self.rules.bare == Bare::Refused => return Progress::Bare,
                (At::DotCr | At::Cr, _) => {
                    self.at = At::Line;
                    self.keep(b"\r", into);
                }
                (At::Line, _) => {
                    if !self.take_piece(input, into) {
                        return Progress::Bare;
                    }
                }
            }
            if self.fault.is_some() && self.total > self.rules.message.saturating_mul(2).saturating_add(64 * 1024) {
                return Progress::Flood;
            }
        }
        Progress::More
    }

    fn go(&mut self, at: At, input: &mut &[u8]) {
        self.at = at;
        *input = &input[1..];
    }

    fn begin_line(&mut self, first: u8) {
        self.line = 0;
        if self.in_header && !matches!(first, b' ' | b'\t' | b'\r') {
            self.fields += 1;
            if self.fields > self.rules.header.fields {
                self.lose(Fault::HeaderFields);
            }
        }
    }

    /// A piece of a line, up to its CR. False at an LF that stands alone and may not.
    fn take_piece(&mut self, input: &mut &[u8], into: &mut Vec<u8>) -> bool {
        let bytes = *input;
        let found = match self.rules.bare {
            Bare::Refused => memchr3(b'\r', b'\n', 0, bytes),
            Bare::Kept => memchr::memchr(b'\r', bytes),
        };
        let end = found.unwrap_or(bytes.len());
        self.keep(&bytes[..end], into);
        match found.map(|end| bytes[end]) {
            None => *input = &[],
            Some(b'\r') => {
                self.at = At::Cr;
                *input = &bytes[end + 1..];
            }
            Some(b'\n') => return false,
            Some(_) => {
                self.lose(Fault::Nul);
                self.keep(&[0], into);
                *input = &bytes[end + 1..];
            }
        }
        true
    }

    fn keep(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        self.line += bytes.len();
        if self.line > self.rules.line {
            self.lose(Fault::LineTooLong);
        }
        self.count(bytes, into);
    }

    fn end_line(&mut self, into: &mut Vec<u8>) {
        self.count(b"\r\n", into);
        if self.in_header && self.line == 0 {
            self.in_header = false;
            self.head = Some(self.total);
        }
        self.line = 0;
    }

    fn count(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        self.total = self.total.saturating_add(bytes.len());
        if self.in_header && self.total > self.rules.header.bytes {
            self.lose(Fault::HeaderTooLarge);
        }
        if self.total > self.rules.message {
            self.lose(Fault::MessageTooLarge);
        }
        if self.fault.is_none() {
            into.extend_from_slice(bytes);
        } else if into.capacity() > 0 {
            *into = Vec::new();
        }
    }

    fn lose(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { message: 100, line: 20, header: MaxHeader { bytes: 60, fields: 3 }, bare: Bare::Refused };

    fn decode(rules: Rules, input: &[u8], step: usize) -> (Progress, Vec<u8>, Option<Fault>, Option<usize>) {
        let (mut decoder, mut kept) = (Decoder::new(rules), Vec::new());
        for chunk in input.chunks(step) {
            let mut rest = chunk;
            let progress = decoder.push(&mut rest, &mut kept);
            if progress != Progress::More {
                return (progress, kept, decoder.fault, decoder.head);
            }
            assert!(rest.is_empty());
        }
        (Progress::More, kept, decoder.fault, decoder.head)
    }

    #[test]
    fn what_is_stuffed_comes_back_in_any_steps() {
        let message = b"A: b\r\n.c\r\n\r\n.\r\n..\r\ntext\r\n";
        let mut sent = Vec::new();
        stuff(message, &mut sent).unwrap();
        for step in 1..=sent.len() {
            let whole = decode(RULES, &sent, step);
            assert_eq!(whole, (Progress::End, message.to_vec(), None, Some(12)), "in steps of {step}");
        }
    }

    #[test]
    fn newlines_that_stand_alone_end_it_in_any_steps() {
        for input in
            [&b"A: b\r\n\r\nx\n.\r\n"[..], b"A: b\r\n\r\n.\rx", b"\n", b"a\r\r\n", b"a\r\n.\n", b"a\n.\r\n", b".\n"]
        {
            for step in 1..=input.len() {
                assert_eq!(decode(RULES, input, step).0, Progress::Bare, "{input:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn a_foreign_mailbox_may_hold_newlines_that_stand_alone() {
        let rules = Rules { bare: Bare::Kept, ..RULES };
        let input = b"A: b\r\n\r\nx\n.\ny\r\r\n.\rz\r\n.\r\n";
        for step in 1..=input.len() {
            let (progress, kept, ..) = decode(rules, input, step);
            assert_eq!((progress, kept), (Progress::End, b"A: b\r\n\r\nx\n.\ny\r\r\n\rz\r\n".to_vec()));
        }
    }

    #[test]
    fn limits_act_while_bytes_come_and_keep_nothing() {
        let cases: [(Vec<u8>, Fault); 5] = [
            (b"A: 1\r\n".repeat(4), Fault::HeaderFields),
            ([b"A: 1\r\n".to_vec(), b" folded folded\r\n".repeat(4)].concat(), Fault::HeaderTooLarge),
            (b"\r\n012345678901234567890\r\n".to_vec(), Fault::LineTooLong),
            ([b"\r\n".to_vec(), b"0123456789\r\n".repeat(9)].concat(), Fault::MessageTooLarge),
            (b"\r\na\0b\r\n".to_vec(), Fault::Nul),
        ];
        for (mut input, fault) in cases {
            input.extend_from_slice(b".\r\n");
            for step in 1..=input.len() {
                let (progress, kept, seen, _) = decode(RULES, &input, step);
                assert_eq!((progress, seen, kept.capacity()), (Progress::End, Some(fault), 0), "in steps of {step}");
            }
        }
    }

    #[test]
    fn a_message_without_end_is_given_up() {
        let input = vec![b'x'; 80 * 1024];
        assert_eq!(decode(RULES, &input, 1_000).0, Progress::Flood);
    }

    #[test]
    fn a_message_to_be_sent_must_have_whole_newlines() {
        let mut out = b"before".to_vec();
        assert_eq!(stuff(b"a\r\nb\nc", &mut out), Err(BareNewline(4)));
        assert_eq!(out, b"before");
        assert_eq!(stuff_top(b"A: b\r\n\r\nc\rd", 9, &mut out), Err(BareNewline(9)));
        assert_eq!(out, b"before");
    }

    #[test]
    fn top_gives_the_head_and_so_many_lines() {
        let mut out = Vec::new();
        stuff_top(b"A: b\r\n\r\n1\r\n.2\r\n3", 2, &mut out).unwrap();
        assert_eq!(out, b"A: b\r\n\r\n1\r\n..2\r\n.\r\n");
        out.clear();
        stuff_top(b"\r\n1", 0, &mut out).unwrap();
        assert_eq!(out, b"\r\n.\r\n");
    }
}
