//! Writes a message: RFC 5322 with MIME (RFC 2045, 2046), a few words for people, and one attachment.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::stamp::Stamp;
use crate::Address;

/// Bytes that make one line of base64 of 76 characters (RFC 2045 §6.8).
const PER_LINE: usize = 57;
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A report or a request, ready to be written. It carries no `Auto-Submitted`: that marks answers of machines,
/// which are never taken as reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter<'a> {
    /// The registered address of the sender; the envelope must say the same.
    pub from: &'a Address,
    /// The registered address of the receiver; the envelope must say the same.
    pub to: &'a Address,
    /// The mark.
    pub stamp: &'a Stamp,
    /// Seconds since 1970-01-01T00:00:00Z; from before that or after the year 9999 they are written as that.
    pub sent: i64,
    /// The sealed envelope, `application/cose`.
    pub sealed: &'a [u8],
}

impl Letter<'_> {
    /// The whole message: ASCII, lines of at most 76 characters in the attachment, all ended by CRLF.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.sealed.len() / PER_LINE * 78 + 1_536);
        let stamp = self.stamp;
        // The stamp and the end of the seal make the id: what is sealed anew, perhaps with more inside, is another mail, and
        // no relay takes it for the first. The stamp alone makes the name. No line of base64 or of the
        // text begins with two hyphens, so the boundary cannot occur inside.
        let tail = &self.sealed[self.sealed.len().saturating_sub(12)..];
        let tail = tail.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let unique = format!("{}.{}.{}.{tail}", stamp.device(), stamp.epoch, stamp.sequence);
        let head = format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: Platen {kind}\r\nDate: {date}\r\nMessage-ID: <{unique}@{host}>\r\n\
             {field}: {stamp}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_platen\"\r\n\r\n\
             --=_platen\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             A message between a printing device and its service. Nobody needs to read it.\r\n\
             --=_platen\r\nContent-Type: application/cose; name=\"{name}\"\r\n\
             Content-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            from = self.from,
            to = self.to,
            kind = stamp.kind,
            date = date(self.sent),
            host = host(self.from),
            field = Stamp::FIELD,
            name = format_args!("{}-{}.dat", stamp.epoch, stamp.sequence),
        );
        out.extend_from_slice(head.as_bytes());
        attach(self.sealed, &mut out);
        out.extend_from_slice(b"--=_platen--\r\n");
        out
    }
}

fn attach(sealed: &[u8], out: &mut Vec<u8>) {
    let mut line = [0; 76];
    for chunk in sealed.chunks(PER_LINE) {
        let length = STANDARD.encode_slice(chunk, &mut line).expect("57 bytes are 76 characters");
        out.extend_from_slice(&line[..length]);
        out.extend_from_slice(b"\r\n");
    }
}

/// The right side of a message id cannot be an address in brackets with every sign it may hold (RFC 5322 §3.6.4).
fn host(address: &Address) -> &str {
    match address.domain() {
        "" => "localhost",
        domain if domain.starts_with('[') => "address.invalid",
        domain => domain,
    }
}

/// `Thu, 01 Jan 1970 00:00:00 +0000` (RFC 5322 §3.3).
fn date(seconds: i64) -> String {
    let seconds = seconds.clamp(0, 253_402_300_799);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date in the Gregorian calendar, counted from 0000-03-01 in eras of 400 years.
    let (era, day) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 2, 0) } else { (month - 10, 1) };
    let mut text = Vec::with_capacity(32);
    let written = write!(
        text,
        "{}, {of_month:02} {} {:04} {:02}:{:02}:{:02} +0000",
        DAYS[usize::try_from(days % 7).unwrap_or(0)],
        MONTHS[usize::try_from(month).unwrap_or(0)],
        era * 400 + year + later,
        second / 3_600,
        second / 60 % 60,
        second % 60
    );
    written.map(|()| String::from_utf8(text).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(date(951_782_400), "Tue, 29 Feb 2000 00:00:00 +0000");
        assert_eq!(date(1_795_246_193), "Sat, 21 Nov 2026 07:29:53 +0000");
        assert_eq!(date(-5), date(0));
        assert_eq!(date(i64::MAX), "Fri, 31 Dec 9999 23:59:59 +0000");
    }

    #[test]
    fn lines_are_short_and_whole() {
        let address: Address = "d@[192.0.2.1]".parse().unwrap();
        let stamp = Stamp::new("abc", 5, 1, 2).unwrap();
        let sealed = vec![0xff; 1_000];
        let letter = Letter { from: &address, to: &address, stamp: &stamp, sent: 0, sealed: &sealed };
        let text = String::from_utf8(letter.write()).unwrap();
        assert!(text.ends_with("--=_platen--\r\n"));
        assert!(text.split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])));
        assert!(text.contains("X-Platen: v=1; d=abc; k=5; e=1; s=2\r\n"));
    }
}
