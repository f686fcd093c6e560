//! The commands of a maildrop, read strictly (RFC 1939 §3, §5–7; RFC 2449 §4).

use super::refusal::Refusal;
use crate::{Credentials, Secret};

/// One command line. Messages are counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Capa,
    Stls,
    User(String),
    Pass(Secret),
    Auth(Initial),
    Stat,
    List(Option<usize>),
    Uidl(Option<usize>),
    Retr(usize),
    Top(usize, usize),
    Dele(usize),
    Rset,
    Noop,
    Quit,
}

/// AUTH and what came with it (RFC 5034 §4).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    /// AUTH alone: which mechanisms? (RFC 1734's clients ask so.)
    Question,
    Absent,
    Malformed,
    Given(Credentials),
}

impl Command {
    /// Reads a line without its CRLF.
    pub(crate) fn read(line: &[u8]) -> Result<Self, Refusal> {
        // Names and passwords may be UTF-8 (RFC 6856 §2.1 without its switch); control characters never.
        let text = std::str::from_utf8(line).map_err(|_| Refusal::Syntax)?;
        if text.chars().any(char::is_control) {
            return Err(Refusal::Syntax);
        }
        let (verb, rest) = match text.split_once(' ') {
            Some((verb, rest)) => (verb, Some(rest)),
            None => (text, None),
        };
        let command = match (verb.to_ascii_uppercase().as_str(), rest) {
            ("CAPA", None) => Self::Capa,
            ("STLS", None) => Self::Stls,
            ("USER", Some(name)) if !name.is_empty() => Self::User(name.to_owned()),
            // A password may hold spaces (RFC 1939 §7).
            ("PASS", Some(password)) if !password.is_empty() => Self::Pass(Secret::new(password)),
            ("AUTH", rest) => Self::Auth(auth(rest)?),
            ("STAT", None) => Self::Stat,
            ("LIST", rest) => Self::List(rest.map(number).transpose()?),
            ("UIDL", rest) => Self::Uidl(rest.map(number).transpose()?),
            ("RETR", Some(rest)) => Self::Retr(number(rest)?),
            ("TOP", Some(rest)) => {
                let (message, lines) = rest.split_once(' ').ok_or(Refusal::Syntax)?;
                Self::Top(number(message)?, number(lines)?)
            }
            ("DELE", Some(rest)) => Self::Dele(number(rest)?),
            ("RSET", None) => Self::Rset,
            ("NOOP", None) => Self::Noop,
            ("QUIT", None) => Self::Quit,
            _ => return Err(Refusal::Syntax),
        };
        Ok(command)
    }
}

fn auth(rest: Option<&str>) -> Result<Initial, Refusal> {
    let Some(rest) = rest else { return Ok(Initial::Question) };
    let mut words = rest.split(' ');
    if !words.next().unwrap_or_default().eq_ignore_ascii_case("PLAIN") {
        return Err(Refusal::UnknownMechanism);
    }
    match (words.next(), words.next()) {
        (None, _) => Ok(Initial::Absent),
        (Some(response), None) if !response.is_empty() => {
            Ok(Credentials::from_plain(response.as_bytes()).map_or(Initial::Malformed, Initial::Given))
        }
        _ => Err(Refusal::Syntax),
    }
}

fn number(text: &str) -> Result<usize, Refusal> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| Refusal::Syntax) } else { Err(Refusal::Syntax) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_in_any_case() {
        let read = |line: &str| Command::read(line.as_bytes());
        assert_eq!(read("capa"), Ok(Command::Capa));
        assert_eq!(read("User bür 7"), Ok(Command::User("bür 7".into())));
        assert_eq!(read("PASS a  b "), Ok(Command::Pass(Secret::new("a  b "))));
        assert_eq!(read("TOP 1 0"), Ok(Command::Top(1, 0)));
        assert_eq!(read("LIST"), Ok(Command::List(None)));
        assert_eq!(read("uidl 12"), Ok(Command::Uidl(Some(12))));
        assert_eq!(read("AUTH"), Ok(Command::Auth(Initial::Question)));
        assert_eq!(read("AUTH plain"), Ok(Command::Auth(Initial::Absent)));
        assert_eq!(read("AUTH PLAIN AGEAYg=="), Ok(Command::Auth(Initial::Given(Credentials::new("a", "b")))));
    }

    #[test]
    fn malformed_commands_are_refused() {
        let lines = [
            "",
            " ",
            "QUIT ",
            "QUIT now",
            "RETR",
            "RETR ",
            "RETR 1 2",
            "RETR -1",
            "RETR +1",
            "RETR 0x1",
            "RETR 9999999999",
            "TOP 1",
            "TOP 1 ",
            "TOP 1 2 3",
            "LIST ",
            "LIST a",
            "USER",
            "USER ",
            "PASS ",
            "APOP a b",
            "XTND X",
            "AUTH PLAIN ",
            "NOOP\t",
            "USER a\0b",
            "STAT 1",
        ];
        for line in lines {
            assert_eq!(Command::read(line.as_bytes()), Err(Refusal::Syntax), "{line:?}");
        }
        assert_eq!(Command::read(b"USER \xff"), Err(Refusal::Syntax));
        assert_eq!(Command::read(b"AUTH CRAM-MD5"), Err(Refusal::UnknownMechanism));
    }
}
