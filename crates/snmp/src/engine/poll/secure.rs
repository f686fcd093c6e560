//! One step of an SNMPv3 exchange in a poll: learn who is there, follow the clock, or open the PDU in place.

use std::net::SocketAddr;
use std::time::Instant;

use super::Job;
use super::prepared::{Secure, Session};
use crate::error::Error;
use crate::pdu::PduRef;
use crate::usm::{AuthFailure, Clock, Envelope, Failure, Memory, Opened, open};

/// Discovery, another clock and another engine, each once; then it is enough.
const MOST_STEPS: u8 = 3;

/// What came of an answer.
pub(super) enum Step<'d> {
    /// The values asked for.
    Open(PduRef<'d>),
    /// Ask once more.
    Again,
}

impl Secure {
    /// Takes in the answer to `job`.
    pub(super) fn step<'d>(
        &self,
        memory: &Memory,
        target: SocketAddr,
        job: Job,
        datagram: &'d mut [u8],
        now: Instant,
    ) -> Result<Step<'d>, Error> {
        let refused = |reason| Error::Auth { target, reason };
        let malformed = |source| Error::Malformed { target, source };
        let envelope = Envelope::parse(datagram).map_err(malformed)?;
        let mut place = self.session.lock();
        let Some(session) = place.as_mut().filter(|_| !job.discovers) else {
            *place = Some(self.meet(memory, Clock::of(&envelope, now), job).map_err(refused)?);
            return Ok(Step::Again);
        };
        let user = self.user.user.as_bytes();
        match open(datagram, &envelope, &session.keys, &mut session.clock, user, now) {
            Ok(Opened::Response) => {
                drop(place);
                envelope.scoped(datagram).map(|scoped| Step::Open(scoped.pdu)).map_err(malformed)
            }
            Ok(Opened::OtherTime) if job.steps < MOST_STEPS => Ok(Step::Again),
            Ok(Opened::OtherTime) => Err(refused(AuthFailure::NotInTimeWindow)),
            Ok(Opened::OtherEngine) => {
                *session = self.meet(memory, session.clock.clone(), job).map_err(refused)?;
                Ok(Step::Again)
            }
            Err(Failure::Auth(reason)) => Err(refused(reason)),
            Err(Failure::Malformed(source)) => Err(malformed(source)),
        }
    }

    /// The user's keys at an engine just met.
    fn meet(&self, memory: &Memory, clock: Clock, job: Job) -> Result<Session, AuthFailure> {
        if clock.engine_id.is_empty() || job.steps >= MOST_STEPS {
            return Err(AuthFailure::UnknownEngine);
        }
        let keys = memory.keys(&self.user, &clock.engine_id)?;
        Ok(Session { clock, keys })
    }
}
