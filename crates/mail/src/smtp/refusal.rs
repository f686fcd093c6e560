//! Everything a mail door says no with. The lines stand ready, so a refusal costs a copy.

use crate::serving::Refuse;

/// A refusal with its reply code and enhanced status code (RFC 5321 §4.2, RFC 3463).
/// 4xx means "again later", 5xx means "never like this".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 421: limit `connection_rate`.
    TooManyConnections,
    /// 421: limit `max_sessions`.
    TooManySessions,
    /// 421: idle or session time is over, or the transfer is too slow.
    TooSlow,
    /// 421: the server stops.
    Stopping,
    /// 421: errors per session.
    TooManyErrors,
    /// 421: messages per session, or commands that lead to none.
    TooMuch,
    /// 450: the recipient exists, but not now (a device that sent too much).
    RecipientLater,
    /// 451: the store does not answer; nothing was stored.
    NotStored,
    /// 452: limit `min_free`.
    NoSpace,
    /// 452: recipients of one message.
    TooManyRecipients,
    /// 454: STARTTLS cannot be done now.
    TlsUnavailable,
    /// 454: whoever knows passwords does not answer.
    LoginUnavailable,
    /// 500: a command line that is too long.
    LineTooLong,
    /// 500: no such command.
    UnknownCommand,
    /// 501: a command that is malformed.
    Syntax,
    /// 501: a mailbox that is malformed.
    BadAddress,
    /// 501: the SASL response is malformed.
    BadResponse,
    /// 502: a command that RFC 5321 knows, and this door does not speak.
    NotImplemented,
    /// 503: a command out of its order.
    OutOfOrder,
    /// 504: a SASL mechanism that this door does not speak.
    UnknownMechanism,
    /// 521 (RFC 7504): a CR or an LF that stands alone; the session ends.
    BareNewline,
    /// 521: data behind STARTTLS; the session ends (CVE-2011-0411).
    Injected,
    /// 521: this is not SMTP; the session ends.
    NotSmtp,
    /// 530: STARTTLS first.
    TlsRequired,
    /// 530: AUTH first.
    LoginRequired,
    /// 535: wrong name or password.
    BadCredentials,
    /// 538: AUTH only inside TLS.
    LoginNeedsTls,
    /// 550: no such recipient. This door never relays.
    UnknownRecipient,
    /// 550: this sender may not send to this recipient.
    NotAllowed,
    /// 552: limit `max_message`.
    MessageTooLarge,
    /// 552: limit `max_header`, bytes.
    HeaderTooLarge,
    /// 554: limit `max_header`, fields.
    HeaderFields,
    /// 554: a line of the message over 998 bytes.
    MessageLine,
    /// 554: the message holds what none may (NUL), or is not what this door takes.
    Malformed,
    /// 554: DATA, and no recipient was taken.
    NoRecipients,
    /// 555: a parameter of MAIL or RCPT that was not offered.
    UnknownParameter,
}

impl Refusal {
    /// The whole reply line, CRLF included.
    #[must_use]
    pub const fn line(self) -> &'static str {
        match self {
            Self::TooManyConnections => "421 4.7.0 too many connections, try again later\r\n",
            Self::TooManySessions => "421 4.3.2 too many sessions, try again later\r\n",
            Self::TooSlow => "421 4.4.2 timeout, closing\r\n",
            Self::Stopping => "421 4.3.2 service is stopping, try again later\r\n",
            Self::TooManyErrors => "421 4.7.0 too many errors, closing\r\n",
            Self::TooMuch => "421 4.7.0 enough for one session, closing\r\n",
            Self::RecipientLater => "450 4.2.1 recipient takes nothing now, try again later\r\n",
            Self::NotStored => "451 4.3.0 not stored, try again later\r\n",
            Self::NoSpace => "452 4.3.1 insufficient storage, try again later\r\n",
            Self::TooManyRecipients => "452 4.5.3 too many recipients\r\n",
            Self::TlsUnavailable => "454 4.7.0 TLS is not available now\r\n",
            Self::LoginUnavailable => "454 4.7.0 authentication is not available now\r\n",
            Self::LineTooLong => "500 5.5.6 line too long\r\n",
            Self::UnknownCommand => "500 5.5.1 unknown command\r\n",
            Self::Syntax => "501 5.5.4 syntax error\r\n",
            Self::BadAddress => "501 5.1.3 malformed address\r\n",
            Self::BadResponse => "501 5.5.2 malformed response\r\n",
            Self::NotImplemented => "502 5.5.1 command not implemented\r\n",
            Self::OutOfOrder => "503 5.5.1 command out of order\r\n",
            Self::UnknownMechanism => "504 5.5.4 only PLAIN\r\n",
            Self::BareNewline => "521 5.5.2 CR or LF alone, closing\r\n",
            Self::Injected => "521 5.5.1 data behind STARTTLS, closing\r\n",
            Self::NotSmtp => "521 5.5.1 this is a mail server, closing\r\n",
            Self::TlsRequired => "530 5.7.0 STARTTLS first\r\n",
            Self::LoginRequired => "530 5.7.0 AUTH first\r\n",
            Self::BadCredentials => "535 5.7.8 wrong name or password\r\n",
            Self::LoginNeedsTls => "538 5.7.11 AUTH only inside TLS\r\n",
            Self::UnknownRecipient => "550 5.1.1 no such recipient here\r\n",
            Self::NotAllowed => "550 5.7.1 not allowed\r\n",
            Self::MessageTooLarge => "552 5.3.4 message too large\r\n",
            Self::HeaderTooLarge => "552 5.3.4 header too large\r\n",
            Self::HeaderFields => "554 5.6.0 too many header fields\r\n",
            Self::MessageLine => "554 5.6.0 message line over 998 bytes\r\n",
            Self::Malformed => "554 5.6.0 malformed message\r\n",
            Self::NoRecipients => "554 5.5.1 no valid recipients\r\n",
            Self::UnknownParameter => "555 5.5.4 unknown parameter\r\n",
        }
    }

    /// The reply code, 421–555.
    #[must_use]
    pub fn code(self) -> u16 {
        self.line().as_bytes()[..3].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'))
    }

    /// Whether the session ends with it.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self.code(), 421 | 521)
    }
}

impl Refuse for Refusal {
    const INJECTED: Self = Self::Injected;
    const BARE_NEWLINE: Self = Self::BareNewline;
    const LINE_TOO_LONG: Self = Self::LineTooLong;
    const TOO_MANY_ERRORS: Self = Self::TooManyErrors;
    const OUT_OF_ORDER: Self = Self::OutOfOrder;
    const NO_TLS: Self = Self::NotImplemented;
    const TOO_SLOW: Self = Self::TooSlow;
    const STOPPING: Self = Self::Stopping;
}
