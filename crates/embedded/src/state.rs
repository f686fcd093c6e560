//! What the monitor knows beside its messages, kept as one CBOR record that is replaced whole.

use std::io;

use wire::Subject;
use wire::hello::GatewayKey;
use wire::schedule::Schedule;

use crate::Flash;

const KEY: &str = "state";
/// Orders remembered as executed; older ones have expired long ago.
const REMEMBERED: usize = 256;

/// Who the device is to the server and how far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The name that it reports under; `None` before the communication test.
    pub(crate) sender: Option<Subject>,
    pub(crate) epoch: u64,
    /// Number of the last message.
    pub(crate) seq: u64,
    pub(crate) schedule: Schedule,
    pub(crate) keys: Vec<GatewayKey>,
    /// Executed orders, oldest first.
    pub(crate) executed: Vec<Subject>,
}

/// The record: a CBOR list, in the order of the fields.
type Record = (Option<Subject>, u64, u64, Schedule, Vec<GatewayKey>, Vec<Subject>);

impl State {
    pub(crate) fn load(flash: &impl Flash) -> io::Result<Self> {
        let Some(bytes) = flash.get(KEY)? else { return Ok(Self::default()) };
        // A record that does not read is as good as none: the communication test makes it anew, in a later epoch.
        let Ok((sender, epoch, seq, schedule, keys, executed)) = wire::cbor::decode::<Record>(&bytes) else {
            return Ok(Self::default());
        };
        Ok(Self { sender, epoch, seq, schedule, keys, executed })
    }

    pub(crate) fn save(&self, flash: &mut impl Flash) -> io::Result<()> {
        let record: Record =
            (self.sender, self.epoch, self.seq, self.schedule.clone(), self.keys.clone(), self.executed.clone());
        flash.put(KEY, &wire::cbor::encode(&record))
    }

    /// Notes an order as executed; false when it was before.
    pub(crate) fn execute(&mut self, id: Subject) -> bool {
        if self.executed.contains(&id) {
            return false;
        }
        if self.executed.len() >= REMEMBERED {
            self.executed.remove(0);
        }
        self.executed.push(id);
        true
    }
}
