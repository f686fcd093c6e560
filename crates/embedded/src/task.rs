//! What the firmware is asked to do on the network: a request, a mail to send, or a mailbox to look into.

use crate::Call;
use crate::call::What;

/// One thing to do now; what became of it goes back to the monitor before the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Send a request; the answer goes to [`crate::Monitor::answer`].
    Call(Call),
    /// Send a mail; what became of it goes to [`crate::Monitor::sent`].
    Mail(Mail),
    /// Fetch mail; what there was goes to [`crate::Monitor::fetched`].
    Fetch(Fetch),
}

/// A mail, ready to be sent by SMTP. The firmware adds nothing but the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// `smtp://host:port` (by STARTTLS and not otherwise) or `smtps://host:port`.
    pub server: String,
    /// Address of the sender, in the envelope as in the mail; the name, too, if the server wants a password.
    pub from: String,
    /// Address of the receiver.
    pub to: String,
    /// Password, if the server wants one.
    pub secret: Option<String>,
    /// The whole mail, lines ended by CRLF.
    pub message: Vec<u8>,
    pub(crate) what: What,
}

/// A mailbox to look into by POP3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// `pop3://host:port` (by STLS and not otherwise) or `pop3s://host:port`.
    pub server: String,
    /// Name of the mailbox.
    pub user: String,
    /// Its password.
    pub secret: String,
    /// Largest mail that is worth to be fetched, bytes.
    pub most_bytes: usize,
    /// Most mails that are fetched at once.
    pub most_mails: usize,
}

/// What is to be done with mails that were fetched, and what the firmware is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Places of mails that were dealt with: the firmware deletes them from the mailbox, others it leaves.
    pub done: Vec<usize>,
    /// What they ask for.
    pub wishes: Vec<crate::Wish>,
}
