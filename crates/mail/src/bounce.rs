//! Failure reports (RFC 3464 in RFC 6522): whether a mail that came back says that an address does not exist.
//! Answers of people, and of machines while people are away (RFC 3834), are told apart and say nothing.

use mail_parser::{MessageParser, MimeHeaders};

/// Longest words of the other side that are kept, characters.
const WORDS: usize = 200;

/// What a mail to a return address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The address does not exist, or no more: status as `5.1.1`, words of the other side.
    Failed {
        /// As `5.1.1`.
        status: String,
        /// Words of the other side.
        why: String,
    },
    /// A report of anything else: delay, arrival, a full mailbox, a policy.
    Otherwise,
    /// No report.
    Answer,
}

/// Reads a mail that came to a return address.
#[must_use]
pub fn read(mail: &[u8]) -> Verdict {
    let Some(message) = MessageParser::default().parse(mail) else { return Verdict::Answer };
    let report = message.content_type().is_some_and(|kind| {
        let is = |text: Option<&str>, wanted: &str| text.is_some_and(|text| text.eq_ignore_ascii_case(wanted));
        is(Some(kind.ctype()), "multipart")
            && is(kind.subtype(), "report")
            && is(kind.attribute("report-type"), "delivery-status")
    });
    if !report {
        return Verdict::Answer;
    }
    let status = message.parts.iter().find(|part| {
        part.content_type().is_some_and(|kind| {
            kind.ctype().eq_ignore_ascii_case("message")
                && kind.subtype().is_some_and(|sub| {
                    sub.eq_ignore_ascii_case("delivery-status") || sub.eq_ignore_ascii_case("global-delivery-status")
                })
        })
    });
    let Some(status) = status else { return Verdict::Otherwise };
    let text = String::from_utf8_lossy(status.contents());
    groups(&text).iter().find_map(|group| failed(group)).unwrap_or(Verdict::Otherwise)
}

/// Fields of each group: the first is about the report, each further one about a recipient.
fn groups(text: &str) -> Vec<Vec<(String, String)>> {
    let mut groups: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for line in text.lines().map(str::trim_end) {
        let last = groups.len() - 1;
        if line.is_empty() {
            if !groups[last].is_empty() {
                groups.push(Vec::new());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = groups[last].last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            groups[last].push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    groups
}

fn failed(group: &[(String, String)]) -> Option<Verdict> {
    let field = |name: &str| group.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let status = field("status")?.split_whitespace().next()?;
    if !field("action")?.eq_ignore_ascii_case("failed") || !is_of_the_address(status) {
        return None;
    }
    let why = field("diagnostic-code").unwrap_or_default();
    let why = why.split_once(';').map_or(why, |(_, words)| words).trim();
    Some(Verdict::Failed { status: status.to_owned(), why: why.chars().take(WORDS).collect() })
}

/// RFC 3463: 5.1.x the address, 5.2.0 and 5.2.1 a mailbox that is closed, 5.0.x not said closer. A full mailbox, a policy or
/// a fault of the network is not the address's.
fn is_of_the_address(status: &str) -> bool {
    let mut parts = status.split('.').map(|part| part.parse::<u16>().ok());
    match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten(), parts.next()) {
        (Some(5), Some(0 | 1), Some(_), None) => true,
        (Some(5), Some(2), Some(detail), None) => detail < 2,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fields: &str) -> Vec<u8> {
        format!(
            "From: MAILER-DAEMON@mx.example.net\r\nTo: bounce-1@example.com\r\nSubject: Undelivered\r\nAuto-Submitted: auto-replied\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nI am sorry.\r\n\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n{fields}\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n--b--\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn bounces_a_report_of_an_unknown_address_says_so() {
        let mail = report(
            "Final-Recipient: rfc822; desk@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 <desk@example.net>:\r\n  Recipient address rejected",
        );
        let why = "550 5.1.1 <desk@example.net>: Recipient address rejected".to_owned();
        assert_eq!(read(&mail), Verdict::Failed { status: "5.1.1".into(), why });
    }

    #[test]
    fn bounces_delays_full_mailboxes_and_policy_are_not_the_address() {
        for (action, status) in [
            ("delayed", "4.4.1"),
            ("failed", "4.4.7"),
            ("failed", "5.2.2"),
            ("failed", "5.7.1"),
            ("delivered", "2.0.0"),
            ("relayed", "2.1.5"),
            ("failed", "5"),
            ("failed", "5.1.1.1"),
        ] {
            let mail = report(&format!("Final-Recipient: rfc822; a@b\r\nAction: {action}\r\nStatus: {status}"));
            assert_eq!(read(&mail), Verdict::Otherwise, "{action} {status}");
        }
        assert_eq!(read(&report("")), Verdict::Otherwise);
    }

    #[test]
    fn bounces_answers_are_no_reports() {
        let away =
            b"From: desk@example.net\r\nAuto-Submitted: auto-replied\r\nSubject: I am away\r\n\r\nStatus: 5.1.1\r\n";
        for mail in [away.as_slice(), b"", b"\0\xff", b"Content-Type: multipart/report\r\n\r\n"] {
            assert_eq!(read(mail), Verdict::Answer);
        }
    }
}
