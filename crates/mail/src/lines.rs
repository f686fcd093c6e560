//! Command and reply lines out of a stream, cut anywhere: ended by CRLF and by nothing else, never longer than allowed.

use memchr::memchr2;

/// So many bytes without an end of line are no protocol any more.
const FLOOD: usize = 64 * 1024;

/// Gathers lines. A line that lies whole in the input is not copied.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Longest line in bytes, CRLF included.
    longest: usize,
    /// The beginning of a line whose end has not come yet.
    held: Vec<u8>,
    /// Length of that beginning, also of what was too long to keep.
    length: usize,
    /// The last byte seen was a CR.
    after_cr: bool,
    /// `held` was handed out and may go.
    spent: bool,
}

/// What the input gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<'a> {
    /// Nothing whole yet; all input is taken.
    More,
    /// A line without its CRLF.
    Line(&'a [u8]),
    /// A line ended that was longer than allowed.
    TooLong,
    /// A CR or an LF that stands alone: what follows could be read in two ways.
    Bare,
    /// No end of line in sight.
    Flood,
}

/// How both clients are driven: step by step, until something happened or nothing is left of the input.
pub(crate) fn drive<'i, E, F>(
    input: &mut &'i [u8],
    mut step: impl FnMut(&mut &'i [u8]) -> Result<Option<E>, F>,
) -> Result<Option<E>, F> {
    loop {
        let event = step(input)?;
        if event.is_some() || input.is_empty() {
            return Ok(event);
        }
    }
}

impl Lines {
    pub(crate) fn new(longest: usize) -> Self {
        Self { longest, held: Vec::new(), length: 0, after_cr: false, spent: false }
    }

    /// Takes one line from `input`, or all of it when no line ends there.
    pub(crate) fn take<'a, 'input: 'a>(&'a mut self, input: &mut &'input [u8]) -> Taken<'a> {
        if self.spent {
            self.begin();
        }
        let bytes = *input;
        if self.after_cr {
            let Some((first, rest)) = bytes.split_first() else { return Taken::More };
            *input = rest;
            return if *first == b'\n' { self.ended(&[]) } else { self.bare() };
        }
        match memchr2(b'\r', b'\n', bytes) {
            None => {
                *input = &[];
                self.keep(bytes)
            }
            Some(end) if bytes[end] == b'\n' => {
                *input = &bytes[end + 1..];
                self.bare()
            }
            Some(end) => match bytes.get(end + 1) {
                None => {
                    *input = &[];
                    self.after_cr = true;
                    self.keep(&bytes[..end])
                }
                Some(b'\n') => {
                    *input = &bytes[end + 2..];
                    self.ended(&bytes[..end])
                }
                Some(_) => {
                    *input = &bytes[end + 1..];
                    self.bare()
                }
            },
        }
    }

    /// Forgets what was held, as after a change to TLS.
    pub(crate) fn begin(&mut self) {
        self.held.clear();
        (self.length, self.after_cr, self.spent) = (0, false, false);
    }

    fn bare(&mut self) -> Taken<'static> {
        self.spent = true;
        Taken::Bare
    }

    fn keep(&mut self, bytes: &[u8]) -> Taken<'static> {
        self.length += bytes.len();
        if self.length + 2 <= self.longest {
            self.held.extend_from_slice(bytes);
        }
        if self.length < FLOOD { Taken::More } else { Taken::Flood }
    }

    fn ended<'a>(&'a mut self, tail: &'a [u8]) -> Taken<'a> {
        self.spent = true;
        let length = self.length + tail.len();
        match length {
            FLOOD.. => Taken::Flood,
            _ if length + 2 > self.longest => Taken::TooLong,
            _ if self.held.is_empty() => Taken::Line(tail),
            _ => {
                self.held.extend_from_slice(tail);
                Taken::Line(&self.held)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], step: usize) -> Vec<String> {
        let mut lines = Lines::new(12);
        let mut seen = Vec::new();
        for chunk in input.chunks(step) {
            let mut rest = chunk;
            loop {
                match lines.take(&mut rest) {
                    Taken::More => break,
                    Taken::Line(line) => seen.push(String::from_utf8_lossy(line).into_owned()),
                    Taken::Bare => return [seen, vec!["bare".into()]].concat(),
                    other => seen.push(format!("{other:?}")),
                }
            }
        }
        seen
    }

    #[test]
    fn lines_come_whole_however_the_stream_is_cut() {
        let input = b"NOOP\r\n\r\n0123456789\r\n01234567890\r\nQUIT\r\nrest";
        for step in 1..input.len() {
            assert_eq!(all(input, step), ["NOOP", "", "0123456789", "TooLong", "QUIT"], "in steps of {step}");
        }
    }

    #[test]
    fn a_cr_or_lf_alone_is_told_however_the_stream_is_cut() {
        for input in
            [&b"A\r\nB\nC\r\n"[..], b"A\r\nB\rC\r\n", b"A\r\nB\r\r\n", b"A\r\n\n", b"A\r\n01234567890123456\nX"]
        {
            for step in 1..=input.len() {
                assert_eq!(all(input, step), ["A", "bare"], "{input:?} in steps of {step}");
            }
        }
    }

    #[test]
    fn an_endless_line_is_told_and_not_kept() {
        let mut lines = Lines::new(512);
        let chunk = [b'x'; 1_000];
        let flood = (0..100).position(|_| lines.take(&mut &chunk[..]) == Taken::Flood);
        assert_eq!(flood, Some(65));
        assert!(lines.held.capacity() <= 1_024);
    }
}
