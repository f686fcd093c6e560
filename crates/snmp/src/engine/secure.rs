//! One SNMPv3 request: finds the engine behind an address, seals, opens, and resynchronises once if clocks disagree.

use std::time::Instant;

use super::Engine;
use super::exchange::{Answer, Request};
use crate::ber::Writer;
use crate::error::Error;
use crate::message::write_discovery;
use crate::pdu::write_pdu;
use crate::target::Target;
use crate::usm::{AuthFailure, Clock, Envelope, Failure, LocalKeys, Opened, Seal, UsmUser, open};

impl Engine {
    pub(super) async fn ask_v3(
        &self,
        target: &Target,
        user: &UsmUser,
        context: &[u8],
        request: &Request<'_>,
    ) -> Result<Answer, Error> {
        let address = target.address;
        let refused = |reason| Error::Auth { target: address, reason };
        let memory = &self.shard(address).memory;
        let (mut other_time, mut other_engine) = (false, false);
        loop {
            let mut clock = match memory.clock(address) {
                Some(clock) => clock,
                None => self.discover(target).await?,
            };
            let keys = memory.keys(user, &clock.engine_id).map_err(refused)?;
            let sent = self.send_sealed(target, &clock, &keys, user, context, request).await;
            if matches!(sent, Err(Error::Timeout { .. })) {
                // Whoever is behind the address next time is asked for his name first.
                memory.forget_clock(address);
            }
            let mut datagram = sent?;
            let malformed = |source| Error::Malformed { target: address, source };
            let envelope = Envelope::parse(&datagram).map_err(malformed)?;
            let now = Instant::now();
            let opened = open(&mut datagram, &envelope, &keys, &mut clock, user.user.as_bytes(), now);
            memory.set_clock(address, clock);
            match opened {
                Ok(Opened::Response) => return Ok(Answer::Scoped(envelope.data(&datagram).to_vec())),
                Ok(Opened::OtherTime) if !std::mem::replace(&mut other_time, true) => {}
                Ok(Opened::OtherEngine) if !std::mem::replace(&mut other_engine, true) => {}
                Ok(Opened::OtherTime) => return Err(refused(AuthFailure::NotInTimeWindow)),
                Ok(Opened::OtherEngine) => return Err(refused(AuthFailure::UnknownEngine)),
                Err(Failure::Auth(reason)) => return Err(refused(reason)),
                Err(Failure::Malformed(source)) => return Err(malformed(source)),
            }
        }
    }

    async fn send_sealed(
        &self,
        target: &Target,
        clock: &Clock,
        keys: &LocalKeys,
        user: &UsmUser,
        context: &[u8],
        request: &Request<'_>,
    ) -> Result<Vec<u8>, Error> {
        let number = self.shard(target.address).memory.next_number();
        let write = |id: i32, packet: &mut Vec<u8>| {
            let seal = Seal {
                msg_id: id,
                engine_id: &clock.engine_id,
                boots: clock.boots,
                time: clock.time(Instant::now()),
                user: user.user.as_bytes(),
                keys,
                private: true,
                reportable: true,
                number,
            };
            seal.write(&clock.engine_id, context, packet, |writer| {
                let head = [id, request.numbers[0], request.numbers[1]];
                write_pdu(writer, request.kind, head, request.varbinds.iter().copied());
            });
        };
        self.send(target, target.retries, write).await
    }

    /// Asks an address for the id and the clock of its engine (RFC 3414 §4).
    async fn discover(&self, target: &Target) -> Result<Clock, Error> {
        let write = |id: i32, packet: &mut Vec<u8>| write_discovery(&mut Writer::new(packet), id);
        let datagram = self.send(target, target.retries, write).await?;
        let malformed = |source| Error::Malformed { target: target.address, source };
        let envelope = Envelope::parse(&datagram).map_err(malformed)?;
        let clock = Clock::of(&envelope, Instant::now());
        if clock.engine_id.is_empty() {
            return Err(Error::Auth { target: target.address, reason: AuthFailure::UnknownEngine });
        }
        self.shard(target.address).memory.set_clock(target.address, clock.clone());
        Ok(clock)
    }
}
