//! Everything a maildrop says no with, with the response codes of RFC 2449 §8 and RFC 3206.

use crate::serving::Refuse;

/// A refusal, `-ERR` with words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Wrong name or password.
    BadCredentials,
    /// Another session holds the maildrop (RFC 1939 §4).
    InUse,
    /// The store does not answer; nothing was changed.
    Unavailable,
    /// Passwords only inside TLS.
    LoginNeedsTls,
    /// Limits `connection_rate` and `max_sessions`; closes.
    TooMany,
    /// Too many errors; closes.
    TooManyErrors,
    /// Idle or session time is over; closes, and deletes nothing (RFC 1939 §3).
    TooSlow,
    /// The server stops; closes, and deletes nothing.
    Stopping,
    /// A CR or an LF that stands alone; closes.
    BareNewline,
    /// Data behind STLS; closes (CVE-2011-0411).
    Injected,
    /// A line that is too long.
    LineTooLong,
    /// No such command, or not like this.
    Syntax,
    /// A command out of its order.
    OutOfOrder,
    /// No such message, or it is marked as deleted.
    NoMessage,
    /// The message cannot be given.
    Unreadable,
    /// TLS is not offered.
    NoTls,
    /// A SASL mechanism other than PLAIN.
    UnknownMechanism,
    /// At QUIT: some messages were not removed (RFC 1939 §6).
    NotRemoved,
}

impl Refusal {
    /// The whole line, CRLF included.
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Self::BadCredentials => "-ERR [AUTH] wrong name or password\r\n",
            Self::InUse => "-ERR [IN-USE] maildrop is locked by another session\r\n",
            Self::Unavailable => "-ERR [SYS/TEMP] not available now\r\n",
            Self::LoginNeedsTls => "-ERR passwords only inside TLS\r\n",
            Self::TooMany => "-ERR [SYS/TEMP] too many sessions, try again later\r\n",
            Self::TooManyErrors => "-ERR too many errors, closing\r\n",
            Self::TooSlow => "-ERR timeout, closing\r\n",
            Self::Stopping => "-ERR [SYS/TEMP] service is stopping\r\n",
            Self::BareNewline => "-ERR CR or LF alone, closing\r\n",
            Self::Injected => "-ERR data behind STLS, closing\r\n",
            Self::LineTooLong => "-ERR line too long\r\n",
            Self::Syntax => "-ERR unknown or malformed command\r\n",
            Self::OutOfOrder => "-ERR not now\r\n",
            Self::NoMessage => "-ERR no such message\r\n",
            Self::Unreadable => "-ERR [SYS/PERM] message cannot be given\r\n",
            Self::NoTls => "-ERR TLS is not available here\r\n",
            Self::UnknownMechanism => "-ERR only PLAIN\r\n",
            Self::NotRemoved => "-ERR [SYS/TEMP] some deleted messages not removed\r\n",
        }
    }

    /// Whether the session ends with it.
    #[must_use]
    pub const fn is_last(self) -> bool {
        matches!(
            self,
            Self::TooMany | Self::TooManyErrors | Self::TooSlow | Self::Stopping | Self::BareNewline | Self::Injected
        )
    }
}

impl Refuse for Refusal {
    const INJECTED: Self = Self::Injected;
    const BARE_NEWLINE: Self = Self::BareNewline;
    const LINE_TOO_LONG: Self = Self::LineTooLong;
    const TOO_MANY_ERRORS: Self = Self::TooManyErrors;
    const OUT_OF_ORDER: Self = Self::OutOfOrder;
    const NO_TLS: Self = Self::NoTls;
    const TOO_SLOW: Self = Self::TooSlow;
    const STOPPING: Self = Self::Stopping;
}
