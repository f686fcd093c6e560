//! One request to the server, ready to be sent, and what came back.

/// What is to be sent to `server` + `path`. The firmware adds nothing but the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// Path with query.
    pub path: String,
    /// Names and values of the headers that carry identity, time, signature and media type.
    pub headers: Vec<(&'static str, String)>,
    /// CBOR; empty for `GET`, bytes of a log for `PUT`.
    pub body: Vec<u8>,
    pub(crate) what: What,
}

/// Which call it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Hello,
    /// With the numbers of the messages in it.
    Report(Vec<u64>),
    Poll,
    /// With the orders that it answers.
    Ack(Vec<wire::Subject>),
    /// A part of a log.
    Upload,
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Seconds of `Retry-After`, if it stood there.
    pub retry_after_s: Option<u32>,
    /// The server's clock from its `platen-time` header, which refusals carry too; milliseconds since 1970.
    pub server_ms: Option<i64>,
    /// Body.
    pub body: Vec<u8>,
}

/// Why there is no answer: no network, no such host, a certificate that is not trusted, a time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble;
