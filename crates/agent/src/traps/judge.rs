//! What becomes of one notification: known or not, an alert or something else, told, kept or shed.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use device::AlertRow;
use snmp::{
    Oid, ValueRef,
    trap::{NotificationRef, Received},
};
use tokio::sync::mpsc::UnboundedSender;
use wire::Subject;

use super::{
    Shared, Told,
    senders::version,
    storm::{Last, Verdict, What},
};
use crate::{clock::wall_ms, polling::fleet::Standing, stats::count};

/// authenticationFailure: somebody asked the device with a wrong community, perhaps we; reading it would go on so.
const AUTHENTICATION_FAILURE: Oid = Oid::of("1.3.6.1.6.3.1.1.5.5");
/// snmpTrapAddress.0: the device that a relayed notification comes from (RFC 3584).
const TRAP_ADDRESS: Oid = Oid::of("1.3.6.1.6.3.18.1.3.0");

/// Judges notifications on the door's thread: nothing here waits.
pub(super) struct Judge<'a> {
    pub(super) shared: &'a Shared,
    pub(super) send: &'a UnboundedSender<Told>,
}

impl Judge<'_> {
    /// True if an inform is to be acknowledged at once.
    pub(super) fn take(&self, received: &Received<'_>) -> bool {
        let shared = self.shared;
        count(&shared.stats.traps);
        let from = received.from.ip().to_canonical();
        match shared.fleet.standing_on(from) {
            Standing::Nobody => {
                self.stranger(from, &received.notification);
                false
            }
            Standing::One(subject) => {
                count(&shared.stats.traps_known);
                self.known(subject, received)
            }
            Standing::Several(subjects) => {
                // Which of them it was cannot be told from the address: all are read, none is believed.
                count(&shared.stats.traps_known);
                for subject in subjects {
                    self.call(subject, &received.notification);
                }
                true
            }
        }
    }

    /// Something that is no notification, or none that can be believed.
    pub(super) fn refuse(&self, from: SocketAddr) {
        count(&self.shared.stats.traps_refused);
        let from = from.ip().to_canonical();
        if matches!(self.shared.fleet.standing_on(from), Standing::Nobody) {
            self.shared.senders.lock().note(from, wall_ms(), None);
        }
    }

    /// A sender that is no known device: listed. If it relays for one, that device is read; what was said is not taken.
    fn stranger(&self, from: IpAddr, notification: &NotificationRef<'_>) {
        let speaks_for = relayed_for(notification).filter(|address| *address != from);
        self.shared.senders.lock().note(from, wall_ms(), Some((notification, speaks_for)));
        if let Some(Standing::One(subject)) = speaks_for.map(|address| self.shared.fleet.standing_on(address)) {
            self.call(subject, notification);
        }
    }

    fn known(&self, subject: Subject, received: &Received<'_>) -> bool {
        let notification = &received.notification;
        let mut row = AlertRow::default();
        for item in notification.varbinds() {
            row.take(item.oid, item.value);
        }
        if !row.is_alert() {
            self.call(subject, notification);
            return true;
        }
        match self.admit(subject, What::Alert(row.same()), row, notification) {
            Verdict::First => {
                let receipt = received.receipt();
                self.tell(Told { receipt, alert: row.alert(), ..told(subject, notification) });
                false
            }
            // What it repeats is kept or on its way to be.
            Verdict::Kept(_) | Verdict::Full | Verdict::Babbling => true,
        }
    }

    /// Has a device read, once for each kind of notification within a window.
    fn call(&self, subject: Subject, notification: &NotificationRef<'_>) {
        if notification.trap == AUTHENTICATION_FAILURE {
            return;
        }
        let mut hasher = DefaultHasher::new();
        notification.trap.hash(&mut hasher);
        let what = What::Other(hasher.finish());
        if self.admit(subject, what, AlertRow::default(), notification) == Verdict::First {
            self.tell(told(subject, notification));
        }
    }

    fn admit(&self, subject: Subject, what: What, row: AlertRow, notification: &NotificationRef<'_>) -> Verdict {
        let last = Last { row, snmp: version(notification.version), at_ms: wall_ms() };
        let verdict = self.shared.storm.lock().admit((subject, what), last, Instant::now());
        match verdict {
            Verdict::Kept(true) | Verdict::Babbling => count(&self.shared.stats.traps_shed),
            Verdict::Full => {
                count(&self.shared.stats.traps_shed);
                self.tell(told(subject, notification));
            }
            Verdict::First | Verdict::Kept(false) => {}
        }
        verdict
    }

    fn tell(&self, told: Told) {
        // Nobody listens only while the agent stops.
        let _ = self.send.send(told);
    }
}

fn told(subject: Subject, notification: &NotificationRef<'_>) -> Told {
    let snmp = version(notification.version);
    Told { subject, alert: None, snmp, at_ms: wall_ms(), shed: 0, receipt: None }
}

/// Address of the device that the sender says to speak for.
fn relayed_for(notification: &NotificationRef<'_>) -> Option<IpAddr> {
    let named = notification.varbinds().find(|item| item.oid == TRAP_ADDRESS).and_then(|item| match item.value {
        ValueRef::IpAddress(address) => Some(address),
        _ => None,
    });
    let address = named.or(notification.agent_address).filter(|address| *address != [0; 4])?;
    Some(IpAddr::from(address))
}
