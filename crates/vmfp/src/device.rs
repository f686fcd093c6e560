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
use crate::misbehave::{Odd, Twist};
use crate::profile::Profile;
use crate::random::Random;
use crate::table::{Table, Tables, View};
use crate::usm::Engine;
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
    /// Its SNMPv3 engine, made when it is first asked in v3.
    pub engine: Option<Box<Engine>>,
    /// What its faults remember.
    pub odd: Option<Box<Odd>>,
}

impl State {
    /// The life that its objects tell: an old one where it is stale.
    pub(crate) fn told(&self) -> Option<&Life> {
        let stale = self.odd.as_ref().and_then(|odd| odd.stale.as_ref());
        stale.or(self.life.as_ref())
    }

    /// What its faults remember.
    pub(crate) fn odd(&mut self) -> &mut Odd {
        self.odd.get_or_insert_with(Box::default)
    }
}

/// What all devices of a fleet know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub seed: u64,
    pub mood: Mood,
    /// When its devices are born.
    pub born: Instant,
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
                        Kind::Profile { profile, .. } => {
                            Some(Life::born_at(world.born, profile, world.seed, place, world.mood))
                        }
                        Kind::Walk(_) => None,
                    };
                    let random = Random::stream(world.seed, u64::from(place) * 2);
                    Box::new(State { life, faults: Vec::new(), random, engine: None, odd: None })
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
    pub twist: Twist<'a>,
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
        if self.twist.is_none() { value } else { self.twist.value(oid, value, true, |oid| self.source.get(oid)) }
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        let found = self.source.next(oid);
        if self.twist.is_none() {
            return found;
        }
        let (next, value) = self.twist.next(oid, found, |from| self.source.next(from))?;
        let value = self.twist.value(&next, value, false, |oid| self.source.get(oid));
        Some((next, value))
    }
}

/// Who asks a device for objects, and when.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub who: Identity,
    pub now: Instant,
    pub faults: &'a [Fault],
}

impl Kind {
    /// The objects of a context, or none: an empty name is the device itself.
    pub(crate) fn source<'a>(&'a self, state: &'a State, look: Look<'a>, context: &[u8]) -> Option<Source<'a>> {
        match (self, state.told()) {
            (Self::Profile { profile, tables }, Some(life)) => {
                let table = match (context, &tables.context) {
                    (b"", _) => &tables.main,
                    (context, Some((name, table))) if context == name.as_bytes() => table,
                    _ => return None,
                };
                let Look { who, now, faults } = look;
                Some(Source::Life(table, View { profile, who: who.of(life), life, now, faults }))
            }
            (Self::Walk(recording), _) => Some(Source::Walk(match context {
                b"" => &recording.main,
                context => &recording.contexts.iter().find(|(name, _)| name.as_bytes() == context)?.1,
            })),
            _ => None,
        }
    }

    /// Whether it speaks v3; a recording does where the fleet has users.
    pub(crate) fn speaks_v3(&self, has_users: bool) -> bool {
        match self {
            Self::Profile { profile, .. } => !profile.manners.no_v3,
            Self::Walk(_) => has_users,
        }
    }
}
