//! A reply as a client reads it (RFC 5321 §4.2), with its enhanced status code (RFC 2034) when there is one.

use std::fmt;

/// Longest reply kept, all its lines together; more says nothing more.
const MAX_TEXT: usize = 4 * 1024;
/// Lines of one reply. The longest known EHLO replies have about twenty.
const MAX_LINES: usize = 100;

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// 200–599.
    pub code: u16,
    /// Class, subject, detail (RFC 3463 §2).
    pub enhanced: Option<(u8, u16, u16)>,
    /// The text of all lines, joined by a newline; codes taken off.
    pub text: String,
}

impl Reply {
    /// 2xx: done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4xx: the same may be tried again later (RFC 5321 §4.2.1).
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx: the same must not be tried again.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The lines behind their codes.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced {
            write!(formatter, " {class}.{subject}.{detail}")?;
        }
        write!(formatter, " {}", self.text.replace('\n', " / "))
    }
}

/// Gathers the lines of one reply.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    reply: Reply,
    lines: usize,
}

impl Gathering {
    /// Takes a line without CRLF; gives the reply with its last line. None inside an error: not SMTP.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<Option<Reply>, ()> {
        let (code, rest) = line.split_at_checked(3).ok_or(())?;
        if !code.iter().all(u8::is_ascii_digit) || !(b'2'..=b'5').contains(&code[0]) {
            return Err(());
        }
        let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        let last = match rest.first() {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return Err(()),
        };
        self.lines += 1;
        if (self.lines > 1 && code != self.reply.code) || self.lines > MAX_LINES {
            return Err(());
        }
        self.reply.code = code;
        self.keep(&String::from_utf8_lossy(rest.get(1..).unwrap_or_default()));
        if !last {
            return Ok(None);
        }
        self.lines = 0;
        Ok(Some(std::mem::take(&mut self.reply)))
    }

    fn keep(&mut self, text: &str) {
        let (enhanced, text) = match enhanced(text, self.reply.code) {
            Some((enhanced, rest)) => (Some(enhanced), rest),
            None => (None, text),
        };
        if self.lines == 1 {
            self.reply.enhanced = enhanced;
        }
        if self.reply.text.len() + text.len() < MAX_TEXT {
            if self.lines > 1 {
                self.reply.text.push('\n');
            }
            self.reply.text.push_str(&text.replace(|letter: char| letter.is_control(), " "));
        }
    }
}

fn enhanced(text: &str, code: u16) -> Option<((u8, u16, u16), &str)> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut parts = word.split('.');
    let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    let numbers = [class, subject, detail]
        .iter()
        .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
    let class: u8 = class.parse().ok().filter(|class| u16::from(*class) == code / 100)?;
    let whole = numbers && parts.next().is_none();
    whole.then(|| Some(((class, subject.parse().ok()?, detail.parse().ok()?), rest)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Option<Reply>, ()> {
        let mut gathering = Gathering::default();
        let mut last = Ok(None);
        for line in lines {
            last = gathering.take(line.as_bytes());
        }
        last
    }

    #[test]
    fn replies_of_one_and_many_lines_are_read() {
        let reply = read(&["550 5.1.1 no such user"]).unwrap().unwrap();
        assert_eq!((reply.code, reply.enhanced, &*reply.text), (550, Some((5, 1, 1)), "no such user"));
        assert!(reply.is_permanent());
        assert_eq!(reply.to_string(), "550 5.1.1 no such user");
        let reply = read(&["250-mx.example", "250-SIZE 5", "250 STARTTLS"]).unwrap().unwrap();
        assert_eq!(reply.lines().collect::<Vec<_>>(), ["mx.example", "SIZE 5", "STARTTLS"]);
        assert_eq!(read(&["250"]).unwrap().unwrap().text, "");
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for lines in [&[""][..], &["25"], &["2500 x"], &["abc x"], &["150 x"], &["600 x"], &["250-a", "251 b"]] {
            assert_eq!(read(lines), Err(()), "{lines:?}");
        }
        let endless = ["250-x"; 101];
        assert_eq!(read(&endless), Err(()));
    }
}
