//! One device of a fleet: shared description, small state of its own, born when first looked at.

use std::sync::Arc;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use snmp::responder::Mib;
use snmp::{Oid, Value};

use crate::clock::Instant;
use crate::config::Mood;
use crate::fault::Fault;
use crate::identity::Identity;
use crate::life::Life;
use crate::misbehave::Twist;
use crate::profile::Profile;
use crate::random::Random;
use crate::table::{Table, Tables, View};
use crate::walk::{Recording, Walk};

/// What devices of one kind share.
pub(crate) enum Kind {
    Profile { profile: Arc<Profile>, tables: Tables },
    Walk(Recording),
}

/// One place in the fleet.
pub(crate) struct Slot {
    pub kind: u16,
    state: Mutex<Option<Box<State>>>,
}

/// What is a device's own.
pub(crate) struct State {
    /// None for recordings.
    pub life: Option<Life>,
    pub faults: Vec<Fault>,
    /// Draws for faults; the life has a stream of its own, which faults must not disturb.
    pub random: Random,
}

/// What all devices of a fleet know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub seed: u64,
    pub mood: Mood,
}

impl Slot {
    pub(crate) const fn new(kind: u16) -> Self {
        Self { kind, state: Mutex::new(None) }
    }

    /// The device at this moment; it is born on the first look.
    pub(crate) fn at<'s>(&'s self, kind: &Kind, world: World, place: u32, now: Instant) -> MappedMutexGuard<'s, State> {
        let mut guard = MutexGuard::map(self.state.lock(), |state| {
            state
                .get_or_insert_with(|| {
                    let life = match kind {
                        Kind::Profile { profile, .. } => Some(Life::begin_at(profile, world.seed, place, world.mood)),
                        Kind::Walk(_) => None,
                    };
                    let random = Random::stream(world.seed, u64::from(place) * 2);
                    Box::new(State { life, faults: Vec::new(), random })
                })
                .as_mut()
        });
        if let (Some(life), Kind::Profile { profile, .. }) = (&mut guard.life, kind) {
            life.advance(profile, world.mood, now);
        }
        guard
    }
}

/// The objects of one device at one moment, with the faults that twist them.
pub(crate) struct Objects<'a> {
    pub source: Source<'a>,
    pub twist: Twist,
}

/// Where objects come from.
pub(crate) enum Source<'a> {
    Life(&'a Table, View<'a>),
    Walk(&'a Walk),
}

impl Source<'_> {
    fn get(&self, oid: &Oid) -> Value {
        match self {
            Self::Life(table, view) => table.get(oid, view),
            Self::Walk(walk) => walk.get(oid),
        }
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        match self {
            Self::Life(table, view) => table.next(oid, view),
            Self::Walk(walk) => walk.next(oid),
        }
    }
}

impl Mib for Objects<'_> {
    fn get(&self, oid: &Oid) -> Value {
        let value = self.source.get(oid);
        if self.twist.is_none() { value } else { self.twist.value(oid, value, true) }
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        let found = self.source.next(oid);
        if self.twist.is_none() {
            return found;
        }
        let (next, value) = self.twist.next(oid, found, |from| self.source.next(from))?;
        let value = self.twist.value(&next, value, false);
        Some((next, value))
    }
}

impl Kind {
    /// The objects that a community opens, or none: `name` opens the device, `name@Context` a context of it.
    pub(crate) fn source<'a>(
        &'a self,
        state: &'a State,
        who: Identity,
        now: Instant,
        name: &[u8],
        asked: &[u8],
    ) -> Option<Source<'a>> {
        let rest = asked.strip_prefix(name)?;
        let context = if rest.is_empty() { None } else { Some(rest.strip_prefix(b"@")?) };
        match (self, &state.life) {
            (Self::Profile { profile, tables }, Some(life)) => {
                let table = match (context, &tables.context) {
                    (None, _) => &tables.main,
                    (Some(context), Some((name, table))) if context == name.as_bytes() => table,
                    _ => return None,
                };
                Some(Source::Life(table, View { profile, who: Identity { board: life.board, ..who }, life, now }))
            }
            (Self::Walk(recording), _) => Some(Source::Walk(match context {
                None => &recording.main,
                Some(context) => &recording.contexts.iter().find(|(name, _)| name.as_bytes() == context)?.1,
            })),
            _ => None,
        }
    }
}
