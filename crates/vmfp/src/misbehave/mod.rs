//! How faults show: whether a request is heard (here), what is answered (`objects`) and how it looks (`bytes`).

mod bytes;
mod objects;

pub(crate) use bytes::{Spoilt, refuses, spoil};
pub(crate) use objects::Twist;

use snmp::Version;
use snmp::pdu::PduKind;
use snmp::responder::{Asked, DEFAULT_LIMIT};

use crate::clock::Instant;
use crate::fault::Fault;
use crate::life::Life;
use crate::random::Random;

/// How long a device that was asked by HTTP listens, in simulated milliseconds.
const AWAKE_FOR: i64 = 10 * 60_000;
/// Longest answer of a device that does not mind frames.
const LONG: usize = 8_192;

/// What faults remember of a device; most devices have none.
#[derive(Debug, Default)]
pub(crate) struct Odd {
    /// The life as it was when [`Fault::Stale`] began.
    pub stale: Option<Life>,
    /// When its page was asked last.
    pub visited: Option<Instant>,
    /// Second of real time, and requests heard in it.
    pub recent: (u64, u32),
    /// Messages of v3 with a wrong digest.
    pub wrong_digests: u32,
}

/// A device at the moment of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub asleep: bool,
    pub now: Instant,
    /// Second of real time.
    pub second: u64,
}

/// Whether a device with these faults hears a message of this version at all; draws for losses.
pub(crate) fn hears(faults: &[Fault], odd: &mut Odd, random: &mut Random, moment: Moment, version: Version) -> bool {
    faults.iter().all(|fault| match fault {
        Fault::Silent => false,
        Fault::DeafAsleep => !moment.asleep,
        Fault::WakesByHttp => odd.visited.is_some_and(|at| moment.now.since(at) < AWAKE_FOR),
        Fault::V1Only => version == Version::V1,
        Fault::V3Only => version == Version::V3,
        Fault::Loss(share) => !random.chance(*share),
        Fault::LocksOut(most) => version != Version::V3 || odd.wrong_digests < *most,
        Fault::RateLimit(most) => {
            if odd.recent.0 != moment.second {
                odd.recent = (moment.second, 0);
            }
            odd.recent.1 += 1;
            odd.recent.1 <= *most
        }
        _ => true,
    })
}

/// Whether it answers a request of this kind.
pub(crate) fn minds(faults: &[Fault], asked: &Asked<'_>) -> bool {
    faults.iter().all(|fault| match (fault, asked.kind) {
        (Fault::WalksSilent, PduKind::GetNext | PduKind::GetBulk) => false,
        (Fault::MaxRepetitionsZeroHang, PduKind::GetBulk) => asked.repetitions != 0,
        (Fault::BulkSilentAbove(most), PduKind::GetBulk) => asked.repetitions <= *most,
        _ => true,
    })
}

/// Longest answer that it writes, in bytes.
pub(crate) fn limit(faults: &[Fault]) -> usize {
    let long = |fault: &Fault| matches!(fault, Fault::FragmentsLost | Fault::CutAbove(_));
    if faults.iter().any(long) { LONG } else { DEFAULT_LIMIT }
}

/// The community that a device with these faults takes instead of the fleet's.
pub(crate) fn community<'f>(faults: &'f [Fault], usual: &'f [u8]) -> &'f [u8] {
    let other = faults.iter().find_map(|fault| match fault {
        Fault::OnlyCommunity(name) => Some(name.as_bytes()),
        _ => None,
    });
    other.unwrap_or(usual)
}
