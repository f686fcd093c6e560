//! One request and its answer: the request is written for the version and security of its target.

use crate::ber::{Malformed, Tail, Writer};
use crate::error::Error;
use crate::message::{Body, MessageRef, Scoped, write_community};
use crate::oid::OidRef;
use crate::pdu::{PduKind, PduRef, write_pdu};
use crate::target::{Security, Target, Version};
use crate::value::ValueRef;

use super::Engine;
use super::core::{Failure, Patience};
use super::shard::Ended;

/// Longest request sent, in bytes: what a UDP datagram over IPv4 carries.
pub(super) const LONGEST: usize = 65_507;

/// What to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) kind: PduKind,
    /// Non-repeaters and max-repetitions of GETBULK, else 0.
    pub(crate) numbers: [i32; 2],
    pub(crate) varbinds: &'a [(OidRef<'a>, ValueRef<'a>)],
}

/// An answer, as it came (v1, v2c) or decrypted (v3).
#[derive(Debug)]
pub(crate) enum Answer {
    Message(Vec<u8>),
    Scoped(Vec<u8>),
}

impl Answer {
    pub(crate) fn pdu(&self) -> Result<PduRef<'_>, Malformed> {
        match self {
            Self::Message(bytes) => match MessageRef::parse(bytes, Tail::MayBeCut)? {
                MessageRef::Community(message) => match message.body {
                    Body::Pdu(pdu) => Ok(pdu),
                    Body::TrapV1(_) => Err(Malformed { offset: 0, what: "a trap as an answer" }),
                },
                MessageRef::V3(_) => Err(Malformed { offset: 0, what: "an answer of another version" }),
            },
            Self::Scoped(bytes) => Scoped::parse(bytes, Tail::MayBeCut).map(|scoped| scoped.pdu),
        }
    }

    /// Length of the datagram, near enough for budgets.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Message(bytes) | Self::Scoped(bytes) => bytes.len(),
        }
    }
}

impl Engine {
    /// Sends one request, again if need be, and waits for its answer.
    pub(crate) async fn exchange(&self, target: &Target, request: &Request<'_>) -> Result<Answer, Error> {
        match &*target.security {
            Security::Community { version, community } => self.ask(target, *version, community.expose(), request).await,
            Security::Usm { user, context } => self.ask_v3(target, user, context, request).await,
        }
    }

    async fn ask(
        &self,
        target: &Target,
        version: Version,
        community: &[u8],
        request: &Request<'_>,
    ) -> Result<Answer, Error> {
        let write = |id: i32, packet: &mut Vec<u8>| {
            write_community(&mut Writer::new(packet), version, community, |writer| {
                let head = [id, request.numbers[0], request.numbers[1]];
                write_pdu(writer, request.kind, head, request.varbinds.iter().copied());
            });
        };
        self.send(target, target.retries, write).await.map(Answer::Message)
    }

    /// Sends what `write` makes of the request id, and waits for the datagram that answers it.
    pub(super) async fn send(
        &self,
        target: &Target,
        retries: u8,
        write: impl FnOnce(i32, &mut Vec<u8>),
    ) -> Result<Vec<u8>, Error> {
        let address = target.address;
        let patience =
            Patience { timeout: (target.timeout.as_micros() as u64).max(1_000), tries: retries.saturating_add(1) };
        let mut length = 0;
        let write = |id: i32, packet: &mut Vec<u8>| {
            write(id, packet);
            length = packet.len();
        };
        let pending = self.shard(address).submit(address, patience, write).ok_or(Error::Busy { target: address })?;
        if length > LONGEST {
            return Err(Error::TooLarge { target: address, bytes: length });
        }
        match pending.await {
            Ended::Answer(datagram) => Ok(datagram),
            Ended::Stopped => Err(Error::Stopped { target: address }),
            Ended::Failure(failure) => Err(match failure {
                Failure::Timeout { tries } => Error::Timeout { target: address, tries },
                Failure::Unreachable => Error::Unreachable { target: address },
                Failure::Malformed(source) => Error::Malformed { target: address, source },
                Failure::Socket(source) => Error::Socket { target: address, source },
            }),
        }
    }
}
