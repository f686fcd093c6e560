//! Signs of life, gathered and told in one message now and then. While the server is away they only pile up as a set,
//! so an outage of any length costs one message.

use std::collections::HashSet;

use parking_lot::Mutex;
use wire::{Body, Subject, report::SeenBody};

use crate::{
    clock::wall_ms,
    state::outbox::{Draft, Outbox},
};

/// Most devices in one message.
const CHUNK: usize = 10_000;

/// Who answered and who did not since the last message.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Sets>);

#[derive(Debug, Default)]
struct Sets {
    answered: HashSet<Subject>,
    unreachable: HashSet<Subject>,
}

impl Seen {
    /// It answered, with nothing new.
    pub(crate) fn answered(&self, subject: Subject) {
        let mut sets = self.0.lock();
        sets.unreachable.remove(&subject);
        sets.answered.insert(subject);
    }

    /// It is silent.
    pub(crate) fn unreachable(&self, subject: Subject) {
        let mut sets = self.0.lock();
        sets.answered.remove(&subject);
        sets.unreachable.insert(subject);
    }

    /// Moves everything gathered into the outbox.
    pub(crate) async fn flush(&self, outbox: &Outbox) {
        let sets = std::mem::take(&mut *self.0.lock());
        let (answered, unreachable): (Vec<_>, Vec<_>) =
            (sets.answered.into_iter().collect(), sets.unreachable.into_iter().collect());
        let draft = |body| Draft { taken_ms: wall_ms(), subject: None, body: Body::Seen(body) };
        let living = answered.chunks(CHUNK).map(|some| SeenBody { answered: some.to_vec(), ..SeenBody::default() });
        let silent =
            unreachable.chunks(CHUNK).map(|some| SeenBody { unreachable: some.to_vec(), ..SeenBody::default() });
        let mut bodies: Vec<SeenBody> = living.collect();
        for silent in silent {
            match bodies
                .last_mut()
                .filter(|b| b.answered.len() + silent.unreachable.len() <= CHUNK && b.unreachable.is_empty())
            {
                Some(body) => body.unreachable = silent.unreachable,
                None => bodies.push(silent),
            }
        }
        if bodies.is_empty() {
            return;
        }
        if let Err(e) = outbox.record(bodies.into_iter().map(draft).collect()).await {
            tracing::error!(error = %e, "signs of life could not be kept");
        }
    }
}
