//! What the sender signs beside the content: who, which place in the stream, until when.

use minicbor::{Decode, Encode};

use super::SealError;
use crate::Subject;

/// Longest life of an envelope, milliseconds: seven days.
pub const MAX_LIFE_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// How far ahead of ours the sender's clock may be, milliseconds.
const AHEAD_MS: i64 = 5 * 60 * 1_000;
/// The sender of what the server says.
pub const GATEWAY: Subject = Subject([0; 16]);

/// What an envelope says of itself, signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who speaks: a device, or [`GATEWAY`].
    pub sender: Subject,
    /// Epoch of the first message inside.
    pub epoch: u64,
    /// Number of the first message inside.
    pub seq: u64,
    /// Kind of the first message inside; see [`Content::kind`] for what holds none.
    pub kind: u32,
    /// When it was made, milliseconds since 1970.
    pub issued_ms: i64,
    /// From then on it is refused; at most [`MAX_LIFE_MS`] after `issued_ms`.
    pub expires_ms: i64,
    /// What is inside.
    pub content: Content,
}

/// The document inside, always zstd over CBOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// [`crate::Report`], device to server.
    Report,
    /// [`crate::command::Acks`], device to server.
    Acks,
    /// [`crate::hello::PollReply`], server to one device.
    Orders,
    /// [`crate::hello::Hello`], device to server: its communication test. The server need not know the key that signs, so
    /// that the key names itself: its name is the 32 bytes of the Ed25519 public key.
    Hello,
}

impl Content {
    /// Number of [`Content::Hello`] in the mark.
    pub const HELLO: u32 = 98;

    /// The content format in the protected header (RFC 9052 §3.1, label 3): a media type with the suffix of RFC 8878.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Report => "application/vnd.platen.report+cbor+zstd",
            Self::Acks => "application/vnd.platen.acks+cbor+zstd",
            Self::Orders => "application/vnd.platen.orders+cbor+zstd",
            Self::Hello => "application/vnd.platen.hello+cbor+zstd",
        }
    }

    pub(super) fn of_media_type(text: &str) -> Option<Self> {
        [Self::Report, Self::Acks, Self::Orders, Self::Hello].into_iter().find(|content| content.media_type() == text)
    }

    /// Number in the mark of documents that hold no messages.
    #[must_use]
    pub const fn kind(self) -> Option<u32> {
        match self {
            Self::Report => None,
            Self::Acks => Some(96),
            Self::Orders => Some(97),
            Self::Hello => Some(Self::HELLO),
        }
    }
}

/// The claims as they stand in the protected header, without the content format, which has a label of its own.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct Said {
    #[n(1)]
    sender: Subject,
    #[n(2)]
    epoch: u64,
    #[n(3)]
    seq: u64,
    #[n(4)]
    kind: u32,
    #[n(5)]
    issued_ms: i64,
    #[n(6)]
    expires_ms: i64,
}

impl Claims {
    pub(super) fn said(&self) -> Said {
        let Self { sender, epoch, seq, kind, issued_ms, expires_ms, .. } = *self;
        Said { sender, epoch, seq, kind, issued_ms, expires_ms }
    }

    pub(super) fn of(said: &Said, content: Content) -> Self {
        let Said { sender, epoch, seq, kind, issued_ms, expires_ms } = *said;
        Self { sender, epoch, seq, kind, issued_ms, expires_ms, content }
    }

    /// Whether the envelope is good at this moment of the receiver's clock.
    pub(super) fn in_time(&self, now_ms: i64) -> Result<(), SealError> {
        let life = self.expires_ms.checked_sub(self.issued_ms);
        let lives = life.is_some_and(|life| (1..=MAX_LIFE_MS).contains(&life));
        if lives && self.issued_ms <= now_ms.saturating_add(AHEAD_MS) && now_ms < self.expires_ms {
            Ok(())
        } else {
            Err(SealError::Expired)
        }
    }
}
