//! The commands a mail door understands, read strictly (RFC 5321 §4.1.1).

use super::refusal::Refusal;
use crate::Credentials;
use crate::address::{Address, postmaster};

/// One command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Ehlo(Box<str>),
    Helo(Box<str>),
    StartTls,
    Auth(Initial),
    /// The reverse path (none: the null sender) and SIZE.
    Mail(Option<Address>, Option<u64>),
    Rcpt(Address),
    Data,
    Rset,
    Noop,
    Quit,
}

/// The initial response of AUTH PLAIN (RFC 4954 §4).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Initial {
    Absent,
    Malformed,
    Given(Credentials),
}

/// What a browser or a proxy says that was led here by somebody else.
const FOREIGN: [&[u8]; 10] =
    [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH", b"TRACE", b"HOST:"];
/// What RFC 5321 and its extensions know and this door leaves out.
const LEFT_OUT: [&[u8]; 10] =
    [b"VRFY", b"EXPN", b"HELP", b"TURN", b"ETRN", b"ATRN", b"BDAT", b"SEND", b"SOML", b"SAML"];

impl Command {
    /// Reads a line without its CRLF.
    pub(crate) fn read(line: &[u8]) -> Result<Self, Refusal> {
        let verb = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        let is = |name: &[u8]| verb.eq_ignore_ascii_case(name);
        if FOREIGN.iter().any(|name| is(name)) {
            return Err(Refusal::NotSmtp);
        }
        let Some(text) = printable(line) else { return Err(Refusal::Syntax) };
        let rest = text.get(verb.len() + 1..);
        if is(b"MAIL") {
            return mail(rest);
        }
        if is(b"RCPT") {
            return rcpt(rest);
        }
        if is(b"EHLO") {
            return client(rest).map(Self::Ehlo);
        }
        if is(b"HELO") {
            return client(rest).map(Self::Helo);
        }
        if is(b"AUTH") {
            return auth(rest);
        }
        if is(b"NOOP") {
            return Ok(Self::Noop);
        }
        if LEFT_OUT.iter().any(|name| is(name)) {
            return Err(Refusal::NotImplemented);
        }
        let plain =
            [(&b"DATA"[..], Self::Data), (b"RSET", Self::Rset), (b"QUIT", Self::Quit), (b"STARTTLS", Self::StartTls)];
        match plain.into_iter().find(|(name, _)| is(name)) {
            Some(_) if rest.is_some() => Err(Refusal::Syntax),
            Some((_, command)) => Ok(command),
            None => Err(Refusal::UnknownCommand),
        }
    }
}

fn printable(line: &[u8]) -> Option<&str> {
    if !line.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return None;
    }
    std::str::from_utf8(line).ok()
}

/// How a client calls itself: anything without spaces; many devices know no domain of theirs.
fn client(rest: Option<&str>) -> Result<Box<str>, Refusal> {
    let name = rest.filter(|name| !name.is_empty() && name.len() <= 255 && !name.contains(' '));
    name.map(Into::into).ok_or(Refusal::Syntax)
}

fn auth(rest: Option<&str>) -> Result<Command, Refusal> {
    let mut words = rest.ok_or(Refusal::Syntax)?.split(' ');
    let mechanism = words.next().unwrap_or_default();
    if mechanism.is_empty() {
        return Err(Refusal::Syntax);
    }
    if !mechanism.eq_ignore_ascii_case("PLAIN") {
        return Err(Refusal::UnknownMechanism);
    }
    match (words.next(), words.next()) {
        (None, _) => Ok(Command::Auth(Initial::Absent)),
        (Some(response), None) if !response.is_empty() => {
            let given = Credentials::from_plain(response.as_bytes());
            Ok(Command::Auth(given.map_or(Initial::Malformed, Initial::Given)))
        }
        _ => Err(Refusal::Syntax),
    }
}

fn mail(rest: Option<&str>) -> Result<Command, Refusal> {
    let (path, parameters) = path(rest, "FROM:")?;
    let sender = match path {
        "" => None,
        path => Some(path.parse().map_err(|_| Refusal::BadAddress)?),
    };
    let mut size = None;
    let mut body = false;
    let mut on_behalf = false;
    for parameter in parameters.into_iter().flat_map(|text| text.split(' ')) {
        let (name, value) = parameter.split_once('=').ok_or(Refusal::UnknownParameter)?;
        let fresh = if name.eq_ignore_ascii_case("SIZE") {
            size.replace(number(value)?).is_none()
        } else if name.eq_ignore_ascii_case("BODY") {
            let known = value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME");
            known && !std::mem::replace(&mut body, true)
        } else if name.eq_ignore_ascii_case("AUTH") {
            // Who wrote it first, told by a server that trusts us (RFC 4954 §5). Nothing here follows from it.
            !value.is_empty() && !std::mem::replace(&mut on_behalf, true)
        } else {
            return Err(Refusal::UnknownParameter);
        };
        if !fresh {
            return Err(Refusal::Syntax);
        }
    }
    Ok(Command::Mail(sender, size))
}

fn rcpt(rest: Option<&str>) -> Result<Command, Refusal> {
    let (path, parameters) = path(rest, "TO:")?;
    if parameters.is_some() {
        return Err(Refusal::UnknownParameter);
    }
    let address = postmaster(path).map_or_else(|| path.parse().map_err(|_| Refusal::BadAddress), Ok)?;
    Ok(Command::Rcpt(address))
}

/// Splits `FROM:<path> parameters`. A `>` inside a quoted local part does not end the path.
fn path<'a>(rest: Option<&'a str>, keyword: &str) -> Result<(&'a str, Option<&'a str>), Refusal> {
    let rest = rest.ok_or(Refusal::Syntax)?;
    let (head, tail) = rest.split_at_checked(keyword.len()).ok_or(Refusal::Syntax)?;
    let tail = tail.strip_prefix('<').filter(|_| head.eq_ignore_ascii_case(keyword)).ok_or(Refusal::Syntax)?;
    let (mut quoted, mut escaped) = (false, false);
    let end = tail.bytes().position(|byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' if quoted && !was_escaped => escaped = true,
            b'"' if !was_escaped => quoted = !quoted,
            _ => {}
        }
        byte == b'>' && !quoted
    });
    let end = end.ok_or(Refusal::Syntax)?;
    match tail.get(end + 1..) {
        None | Some("") => Ok((&tail[..end], None)),
        Some(more) => match more.strip_prefix(' ') {
            Some(parameters) if !parameters.is_empty() => Ok((&tail[..end], Some(parameters))),
            _ => Err(Refusal::Syntax),
        },
    }
}

/// Up to twenty digits (RFC 1870 §4); what does not fit is larger than anything.
fn number(text: &str) -> Result<u64, Refusal> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(text.parse().unwrap_or(u64::MAX)) } else { Err(Refusal::Syntax) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, Refusal> {
        Command::read(line.as_bytes())
    }

    #[test]
    fn commands_are_read_in_any_case() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(read("eHLo printer_1.local"), Ok(Command::Ehlo("printer_1.local".into())));
        assert_eq!(read("mail from:<a@b> size=77 BODY=8bitmime"), Ok(Command::Mail(Some(address("a@b")), Some(77))));
        assert_eq!(read("MAIL FROM:<> AUTH=<>"), Ok(Command::Mail(None, None)));
        assert_eq!(read("RCPT TO:<\"a>\\\"b\"@c>"), Ok(Command::Rcpt(address("\"a>\\\"b\"@c"))));
        assert_eq!(read("RCPT TO:<Postmaster>"), Ok(Command::Rcpt(postmaster("Postmaster").unwrap())));
        assert_eq!(read("AUTH PLAIN"), Ok(Command::Auth(Initial::Absent)));
        let given = Initial::Given(Credentials::new("a", "b"));
        assert_eq!(read("auth plain AGEAYg=="), Ok(Command::Auth(given)));
        assert_eq!(read("auth plain AGEAYg"), Ok(Command::Auth(Initial::Malformed)));
        assert_eq!(read("NOOP anything at all"), Ok(Command::Noop));
        assert_eq!(read("quit"), Ok(Command::Quit));
    }

    #[test]
    fn malformed_commands_are_refused_with_the_code_that_fits() {
        use Refusal::*;
        let cases = [
            ("", UnknownCommand),
            ("EHLO", Syntax),
            ("EHLO ", Syntax),
            ("EHLO a b", Syntax),
            ("EHLO\tx", Syntax),
            ("QUIT now", Syntax),
            ("DATA ", Syntax),
            ("MAIL", Syntax),
            ("MAIL FROM", Syntax),
            ("MAIL FROM: <a@b>", Syntax),
            ("MAIL FROM:a@b", Syntax),
            ("MAIL FROM:<a@b", Syntax),
            ("MAIL FROM:<a@b>x", Syntax),
            ("MAIL FROM:<a@b> ", Syntax),
            ("MAIL FROM:<a@b>  SIZE=1", UnknownParameter),
            ("MAIL FROM:<a@b> SIZE=", Syntax),
            ("MAIL FROM:<a@b> SIZE=-1", Syntax),
            ("MAIL FROM:<a@b> SIZE=1 SIZE=2", Syntax),
            ("MAIL FROM:<a@b> BODY=BINARYMIME", Syntax),
            ("MAIL FROM:<a@b> SMTPUTF8", UnknownParameter),
            ("MAIL FROM:<a>", BadAddress),
            ("MAIL FROM:<@x:a@b>", BadAddress),
            ("RCPT TO:<>", BadAddress),
            ("RCPT TO:<a@b> NOTIFY=NEVER", UnknownParameter),
            ("RCPT TO:<a@b>,<c@d>", Syntax),
            ("VRFY root", NotImplemented),
            ("expn staff", NotImplemented),
            ("BDAT 1 LAST", NotImplemented),
            ("AUTH", Syntax),
            ("AUTH LOGIN", UnknownMechanism),
            ("AUTH PLAIN ", Syntax),
            ("AUTH PLAIN a b", Syntax),
            ("POST / HTTP/1.1", NotSmtp),
            ("Host: x", NotSmtp),
            ("HELLO", UnknownCommand),
        ];
        for (line, refusal) in cases {
            assert_eq!(read(line), Err(refusal), "{line:?}");
        }
        assert_eq!(Command::read(b"NOOP \xff"), Err(Syntax));
        assert_eq!(
            read("MAIL FROM:<a@b> SIZE=99999999999999999999"),
            Ok(Command::Mail("a@b".parse().ok(), Some(u64::MAX)))
        );
    }
}
