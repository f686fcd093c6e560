//! GET that survives what agents do to it: v1 refuses the whole request for one missing object, some v2c agents do
//! the same, some leave objects out, some cannot fit them all. Missing ones are found by asking again without them.

use smallvec::SmallVec;

use super::Engine;
use super::exchange::{Answer, Request};
use crate::ber::Malformed;
use crate::error::{Error, ErrorStatus};
use crate::oid::{Oid, OidRef};
use crate::pdu::{PduKind, PduRef};
use crate::target::Target;
use crate::value::{Value, ValueRef, VarBind};

/// Objects asked for at once: fits an Ethernet frame both ways unless values are long.
const AT_ONCE: usize = 40;

/// Places in the list of objects.
type Chunk = SmallVec<[u16; 32]>;

/// What is known so far, and what is still to be asked.
struct Gather<'a> {
    oids: &'a [Oid],
    values: Vec<Option<Value>>,
    /// Objects that an answer has left out once.
    omitted: Vec<bool>,
    queue: Vec<Chunk>,
}

/// Why gathering cannot go on.
enum Stop {
    Status(ErrorStatus, u32),
    Malformed(Malformed),
}

impl<'a> Gather<'a> {
    fn new(oids: &'a [Oid]) -> Self {
        let places: Vec<u16> = (0..oids.len().min(usize::from(u16::MAX))).map(|place| place as u16).collect();
        let queue = places.chunks(AT_ONCE).rev().map(Chunk::from_slice).collect();
        Self { oids, values: vec![None; oids.len()], omitted: vec![false; oids.len()], queue }
    }

    fn ask(&self, chunk: &Chunk) -> SmallVec<[(OidRef<'a>, ValueRef<'a>); 32]> {
        chunk.iter().map(|place| (self.oids[usize::from(*place)].as_ref(), ValueRef::Null)).collect()
    }

    fn missing(&mut self, place: u16) {
        self.values[usize::from(place)] = Some(Value::NoSuchInstance);
    }

    fn later(&mut self, chunk: &[u16]) {
        if !chunk.is_empty() {
            self.queue.push(Chunk::from_slice(chunk));
        }
    }

    fn halve(&mut self, chunk: &Chunk) {
        let (left, right) = chunk.split_at(chunk.len() / 2);
        self.later(right);
        self.later(left);
    }

    /// Takes in the answer to `chunk`.
    fn take(&mut self, chunk: &Chunk, pdu: &PduRef<'_>) -> Result<(), Stop> {
        match pdu.error() {
            None => self.take_values(chunk, pdu),
            Some(ErrorStatus::TOO_BIG) if chunk.len() > 1 => {
                self.halve(chunk);
                Ok(())
            }
            Some(status @ ErrorStatus::TOO_BIG) => Err(Stop::Status(status, pdu.index as u32)),
            Some(status) => self.take_refusal(chunk, pdu, status),
        }
    }

    /// One object spoils the request: the one that is named, or else one half or the other.
    fn take_refusal(&mut self, chunk: &Chunk, pdu: &PduRef<'_>, status: ErrorStatus) -> Result<(), Stop> {
        if self.oids.len() == 1 && status != ErrorStatus::NO_SUCH_NAME {
            return Err(Stop::Status(status, pdu.index as u32));
        }
        let named = usize::try_from(pdu.index).ok().and_then(|index| index.checked_sub(1));
        match named.filter(|index| *index < chunk.len()) {
            Some(index) => {
                self.missing(chunk[index]);
                let rest: Chunk = chunk.iter().copied().filter(|place| *place != chunk[index]).collect();
                self.later(&rest);
            }
            None if chunk.len() == 1 => self.missing(chunk[0]),
            None => self.halve(chunk),
        }
        Ok(())
    }

    fn take_values(&mut self, chunk: &Chunk, pdu: &PduRef<'_>) -> Result<(), Stop> {
        let mut broken = None;
        for (position, item) in pdu.varbinds.enumerate() {
            match item {
                Ok(item) => {
                    if let Some(place) = self.place_of(chunk, position, item.oid) {
                        self.values[usize::from(place)].get_or_insert_with(|| item.value.to_value());
                    }
                }
                Err(malformed) => broken = Some(malformed),
            }
        }
        let open: Chunk = chunk.iter().copied().filter(|place| self.values[usize::from(*place)].is_none()).collect();
        match (broken, open.len()) {
            (_, 0) => {}
            // The value itself cannot be read.
            (Some(malformed), 1) if self.oids.len() == 1 => return Err(Stop::Malformed(malformed)),
            (Some(_), 1) if chunk.len() == 1 => self.values[usize::from(open[0])] = Some(Value::Null),
            (Some(_), _) => {
                self.later(&open[1..]);
                self.later(&open[..1]);
            }
            (None, _) => self.ask_omitted_again(&open),
        }
        Ok(())
    }

    fn ask_omitted_again(&mut self, open: &Chunk) {
        let mut again = Chunk::new();
        for place in open {
            if std::mem::replace(&mut self.omitted[usize::from(*place)], true) {
                self.missing(*place);
            } else {
                again.push(*place);
            }
        }
        self.later(&again);
    }

    /// Which object of the chunk an answer is about: usually the one at the same position. An agent that drops the
    /// index of a table (`…5.1.1.17` for `…5.1.1.17.1`) is understood by position, too.
    fn place_of(&self, chunk: &Chunk, position: usize, oid: OidRef<'_>) -> Option<u16> {
        let at = |place: u16| self.oids[usize::from(place)].as_ref();
        if let Some(place) = chunk.get(position)
            && (at(*place) == oid || oid.as_ber().len() > 4 && at(*place).starts_with(oid))
        {
            return Some(*place);
        }
        chunk.iter().copied().find(|place| at(*place) == oid)
    }

    fn finish(self) -> Vec<VarBind> {
        let values = self.values.into_iter().map(|value| value.unwrap_or(Value::NoSuchInstance));
        self.oids.iter().cloned().zip(values).map(|(oid, value)| VarBind { oid, value }).collect()
    }
}

/// The values of an answer that has every object in its place, as nearly all have.
fn plain(oids: &[Oid], pdu: &PduRef<'_>) -> Option<Vec<VarBind>> {
    if pdu.error().is_some() {
        return None;
    }
    let (mut items, mut values) = (pdu.varbinds, Vec::with_capacity(oids.len()));
    for oid in oids {
        let item = items.next()?.ok().filter(|item| item.oid == *oid)?;
        values.push(VarBind { oid: oid.clone(), value: item.value.to_value() });
    }
    items.is_empty().then_some(values)
}

impl Engine {
    pub(super) async fn gather(&self, target: &Target, oids: &[Oid]) -> Result<Vec<VarBind>, Error> {
        let first = if oids.len() <= AT_ONCE {
            let varbinds: SmallVec<[(OidRef<'_>, ValueRef<'_>); 8]> =
                oids.iter().map(|oid| (oid.as_ref(), ValueRef::Null)).collect();
            let request = Request { kind: PduKind::Get, numbers: [0, 0], varbinds: &varbinds };
            let answer = self.exchange(target, &request).await?;
            if let Some(values) = answer.pdu().ok().and_then(|pdu| plain(oids, &pdu)) {
                return Ok(values);
            }
            Some(answer)
        } else {
            None
        };
        // Boxed: hardly ever needed, and most of what a waiting request would have to carry.
        Box::pin(self.gather_rest(target, oids, first)).await
    }

    /// Takes in a first answer that lacks something, and asks for the rest.
    async fn gather_rest(
        &self,
        target: &Target,
        oids: &[Oid],
        mut first: Option<Answer>,
    ) -> Result<Vec<VarBind>, Error> {
        let mut gather = Gather::new(oids);
        while let Some(chunk) = gather.queue.pop() {
            let answer = match first.take() {
                Some(answer) => answer,
                None => {
                    let varbinds = gather.ask(&chunk);
                    let request = Request { kind: PduKind::Get, numbers: [0, 0], varbinds: &varbinds };
                    self.exchange(target, &request).await?
                }
            };
            let taken = answer.pdu().map_err(Stop::Malformed).and_then(|pdu| gather.take(&chunk, &pdu));
            taken.map_err(|stop| match stop {
                Stop::Status(status, index) => Error::ErrorStatus { target: target.address, status, index },
                Stop::Malformed(source) => Error::Malformed { target: target.address, source },
            })?;
        }
        Ok(gather.finish())
    }
}
