//! What can stop an agent, in words that say what to do next.

use std::path::PathBuf;

/// Why an agent could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// First start without the two flags.
    #[error("this agent is not enrolled yet: start it once with --server URL --enrol TOKEN")]
    NotEnrolled,
    /// The text is not a token.
    #[error("the enrolment token cannot be read: copy all of it, `secret.pin`")]
    TokenText,
    /// The server knows no such token any more.
    #[error(
        "{server} refused the enrolment token: it was used, has expired or belongs to another server; make a new one"
    )]
    TokenRefused {
        /// Address that was asked.
        server: String,
    },
    /// The gateway's certificates are not those that the token speaks of.
    #[error(
        "{server} does not hold the certificate that the token names: this is another server, or something stands between"
    )]
    PinMismatch {
        /// Address that was asked.
        server: String,
    },
    /// No answer at all.
    #[error("cannot reach {server}: {reason}; check the address, the firewall and that the server runs")]
    Unreachable {
        /// Address that was asked.
        server: String,
        /// Text of the failure below.
        reason: String,
    },
    /// An answer that no Platen server gives.
    #[error("{server} is not a Platen server: {reason}")]
    WrongServer {
        /// Address that was asked.
        server: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The server is there and says no, or not now.
    #[error("{server} answered {status}: {detail}")]
    Answer {
        /// Address that was asked.
        server: String,
        /// HTTP status.
        status: u16,
        /// The server's words.
        detail: String,
    },
    /// A file of the agent could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the agent holds something else.
    #[error("{} is damaged ({reason}): restore it, or remove the folder and enrol again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// Too short to keep anything.
    #[error("the passphrase is too short: at least {least} characters, a few unrelated words are best")]
    Passphrase {
        /// Characters.
        least: usize,
    },
    /// A folder that an agent cannot be restored into.
    #[error("{} holds an agent already: give an empty folder", path.display())]
    Occupied {
        /// Which folder.
        path: PathBuf,
    },
    /// The agent's own database failed.
    #[error("the agent's database failed: {0}")]
    Store(#[from] store::Error),
    /// TLS could not be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// The trap door could not be opened.
    #[error(
        "cannot listen for traps at {address}: {source}; give another address or port to --trap-listen (ports below 1024 need the right to open them)"
    )]
    TrapDoor {
        /// Address that was wanted.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The proxy's address or account is not usable.
    #[error("the proxy {proxy} cannot be used: {reason}")]
    Proxy {
        /// What was given, without an account.
        proxy: String,
        /// What to do.
        reason: &'static str,
    },
    /// The relay's door could not be opened.
    #[error("cannot relay for devices at {address}: {source}; give another address or port to --relay-listen")]
    Relay {
        /// Address that was wanted.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The SNMP socket could not be opened.
    #[error("cannot open the SNMP socket: {0}")]
    Snmp(std::io::Error),
}

/// Result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;
