//! Addresses of the envelope: RFC 5321 §4.1.2, strictly, in ASCII.

use std::fmt;
use std::str::FromStr;

/// Longest local part (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Longest domain (RFC 5321 §4.5.3.1.2).
const MAX_DOMAIN: usize = 255;
/// Longest path without its brackets (RFC 5321 §4.5.3.1.3).
const MAX_PATH: usize = 254;

/// A mailbox, `local@domain`, as it was written; `postmaster` alone may lack the domain (RFC 5321 §4.1.1.3).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: Box<str>,
    at: usize,
}

/// Not a mailbox by RFC 5321 §4.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mailbox; write it as name@domain, without quotes, routes or comments that RFC 5321 does not know")]
pub struct NotAnAddress;

impl Address {
    /// The whole address as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Before the `@`; its case may matter (RFC 5321 §2.4).
    #[must_use]
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// Behind the `@`; its case does not matter. Empty for `postmaster` alone.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.text.get(self.at + 1..).unwrap_or_default()
    }

    /// Whether both name the same mailbox here: in ASCII, without regard to case.
    #[must_use]
    pub fn same_as(&self, other: &str) -> bool {
        self.text.eq_ignore_ascii_case(other)
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let at = text.rfind('@').ok_or(NotAnAddress)?;
        let good = text.len() <= MAX_PATH && is_local(&text[..at]) && is_domain(&text[at + 1..]);
        if good { Ok(Self { text: text.into(), at }) } else { Err(NotAnAddress) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{}>", self.text)
    }
}

/// `postmaster` without a domain.
pub(crate) fn postmaster(text: &str) -> Option<Address> {
    text.eq_ignore_ascii_case("postmaster").then(|| Address { text: text.into(), at: text.len() })
}

fn is_local(text: &str) -> bool {
    if text.is_empty() || text.len() > MAX_LOCAL {
        return false;
    }
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').is_some_and(is_quoted),
        None => text.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom)),
    }
}

/// The inside of a quoted string: printable ASCII, quotes and backslashes escaped.
fn is_quoted(text: &str) -> bool {
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if !(b' '..=b'~').contains(&byte) => return false,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return false,
            _ => {}
        }
    }
    !escaped
}

fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

/// A domain of letters, digits and hyphens, or an address in brackets (RFC 5321 §4.1.3).
pub(crate) fn is_domain(text: &str) -> bool {
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match inside.get(..5) {
            Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inside[5..].parse::<std::net::Ipv6Addr>().is_ok(),
            _ => inside.parse::<std::net::Ipv4Addr>().is_ok(),
        };
    }
    !text.is_empty() && text.len() <= MAX_DOMAIN && text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let inside = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    inside && !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_of_the_rfc_are_read() {
        for text in
            ["a@b", "a.b+c@printers.example", "\"a b\\\"\"@x.example", "x@[192.0.2.1]", "x@[IPv6:::1]", "!#$%@h"]
        {
            let address: Address = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(address.to_string(), text);
        }
        let address: Address = "Me@Here.example".parse().unwrap();
        assert_eq!((address.local(), address.domain()), ("Me", "Here.example"));
        assert!(address.same_as("me@here.EXAMPLE"));
        assert_eq!(postmaster("PostMaster").unwrap().domain(), "");
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        let long = format!("{}@x", "a".repeat(65));
        let wide = format!("a@{}", vec!["a".repeat(60); 5].join("."));
        let refused = [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            "a..b@c",
            ".a@c",
            "a.@c",
            "a@-b",
            "a@b-",
            "a@b..c",
            "a@b.",
            "ä@b",
            "a@[1.2.3]",
            "a@[x]",
            "a@[IPv6:x]",
            "a@[é:::1]",
            "\"a@b",
            "\"a\"b\"@c",
            "\"a\\\"@c",
            "a\r\n@b",
            "@a,@b:c@d",
            &long,
            &wide,
        ];
        for text in refused {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress), "{text:?}");
        }
    }
}
