//! Counts of the mail doors, as Prometheus text. Labels are bounded: the door and the outcome.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use mail::limits::Named;

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Smtp,
    Pop3,
}

const PROTOCOLS: [&str; 2] = ["smtp", "pop3"];

/// What became of a connection, a message or a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A connection began in the clear.
    Clear,
    /// A connection began inside TLS, or went there.
    Tls,
    /// A report or answers to orders were stored, or had been before.
    Stored,
    /// A bounce or an answer of a machine: taken, without effect on devices.
    Automatic,
    /// Not a sealed message, or one that is malformed.
    Unsealed,
    /// No such recipient.
    Unknown,
    /// Sender and recipient are no registered pair, or the headers say otherwise.
    WrongPair,
    /// The seal does not open: another key, changed headers, too old.
    BadSeal,
    /// The store did not take it.
    NotStored,
    /// Of a device whose communication test is still on its way.
    Untested,
    /// A maildrop was opened.
    Login,
    /// Wrong name or password.
    BadLogin,
    /// A maildrop that another session holds.
    InUse,
    /// Orders taken by DELE and QUIT.
    Taken,
    /// Refused by the session: malformed commands, bare newlines, data behind STARTTLS.
    Malformed,
    /// Ended by its time.
    TooSlow,
    /// A limit by its name.
    Limit(Named),
}

const OUTCOMES: [&str; 16] = [
    "clear",
    "tls",
    "stored",
    "automatic",
    "unsealed",
    "unknown_recipient",
    "wrong_pair",
    "bad_seal",
    "not_stored",
    "login",
    "bad_login",
    "in_use",
    "taken",
    "malformed",
    "too_slow",
    "untested",
];
const ALL: usize = OUTCOMES.len() + Named::ALL.len();

impl Outcome {
    fn column(self) -> usize {
        match self {
            Self::Clear => 0,
            Self::Tls => 1,
            Self::Stored => 2,
            Self::Automatic => 3,
            Self::Unsealed => 4,
            Self::Unknown => 5,
            Self::WrongPair => 6,
            Self::BadSeal => 7,
            Self::NotStored => 8,
            Self::Login => 9,
            Self::BadLogin => 10,
            Self::InUse => 11,
            Self::Taken => 12,
            Self::Malformed => 13,
            Self::TooSlow => 14,
            Self::Untested => 15,
            Self::Limit(limit) => {
                OUTCOMES.len() + Named::ALL.iter().position(|known| *known == limit).unwrap_or_default()
            }
        }
    }
}

/// What the mail doors count.
#[derive(Debug)]
pub(super) struct Metrics {
    counts: [[AtomicU64; ALL]; PROTOCOLS.len()],
}

impl Default for Metrics {
    fn default() -> Self {
        Self { counts: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))) }
    }
}

impl Metrics {
    pub(super) fn count(&self, protocol: Protocol, outcome: Outcome) {
        self.add(protocol, outcome, 1);
    }

    pub(super) fn add(&self, protocol: Protocol, outcome: Outcome, number: usize) {
        self.counts[protocol as usize][outcome.column()].fetch_add(number as u64, Relaxed);
    }

    /// Prometheus text, version 0.0.4; counts of zero are left out.
    pub(super) fn text(&self, inside: [usize; 2]) -> String {
        let mut out = String::from(
            "# HELP platen_mail_outcomes_total What became of connections, messages and logins of the mail doors.\n\
             # TYPE platen_mail_outcomes_total counter\n",
        );
        for (door, row) in PROTOCOLS.iter().zip(&self.counts) {
            let limits = Named::ALL.iter().map(|limit| limit.key());
            for (outcome, count) in OUTCOMES.into_iter().chain(limits).zip(row) {
                let count = count.load(Relaxed);
                if count > 0 {
                    let _ =
                        writeln!(out, "platen_mail_outcomes_total{{door=\"{door}\",outcome=\"{outcome}\"}} {count}");
                }
            }
        }
        out.push_str("# HELP platen_mail_sessions Sessions now.\n# TYPE platen_mail_sessions gauge\n");
        for (door, count) in PROTOCOLS.iter().zip(inside) {
            let _ = writeln!(out, "platen_mail_sessions{{door=\"{door}\"}} {count}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_column_of_its_own() {
        let metrics = Metrics::default();
        let limits = Named::ALL.map(Outcome::Limit);
        let others = [Outcome::Clear, Outcome::TooSlow, Outcome::Stored, Outcome::BadSeal];
        for outcome in limits.into_iter().chain(others) {
            metrics.count(Protocol::Smtp, outcome);
        }
        metrics.add(Protocol::Pop3, Outcome::Taken, 3);
        let text = metrics.text([1, 2]);
        for name in ["connection_rate", "max_sessions", "min_free", "max_header", "max_message", "clear", "bad_seal"] {
            assert!(text.contains(&format!("{{door=\"smtp\",outcome=\"{name}\"}} 1\n")), "{text}");
        }
        assert!(text.contains("{door=\"pop3\",outcome=\"taken\"} 3\n"), "{text}");
        assert!(text.contains("platen_mail_sessions{door=\"pop3\"} 2\n"), "{text}");
    }
}
