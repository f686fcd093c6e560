//! Somebody answered by SNMP: is it a printer, which one, and is it where we knew it?

use std::{net::SocketAddr, sync::Arc};

use device::{Guess, Known, Read};
use snmp::{Version, sweep::Found};
use wire::SnmpVersion;

use super::round::{RETRIES, Round, TIMEOUT};
use crate::{
    clock::wall_ms,
    polling::{
        intake::Taken,
        looks::{FULL_TIME, urgent_hash},
    },
    stats::count,
};

impl Round {
    /// An answer to a sweep.
    pub(super) async fn take_in(self: Arc<Self>, found: Found) {
        self.answers(found.address);
        if self.is_well(found.address) {
            return;
        }
        let credential = self.ways.get(found.credential).map_or(0, |way| way.0);
        let known = Known { version: Some(version(found.version)), credential, ..Known::default() };
        let Guess { is_printer, .. } = device::identify(found.sys_object_id.as_ref(), found.sys_descr.as_deref());
        if is_printer || self.introduces_itself(found.address, &known).await {
            self.keep(found.address, &known).await;
        } else {
            count(&self.at.stats.not_printers);
        }
    }

    /// Asks one address that no sweep can ask.
    pub(super) async fn ask_one(self: Arc<Self>, address: SocketAddr) {
        self.tally.lock().addresses += 1;
        let access = self.at.looker.access(address, TIMEOUT * (u32::from(RETRIES) + 1));
        let Ok(who) = device::introduce(&self.at.engine, &access, &Known::default()).await else { return };
        self.answers(address);
        if self.is_well(address) {
            return;
        }
        match who.guess.is_printer {
            true => self.keep(address, &Known::default()).await,
            false => count(&self.at.stats.not_printers),
        }
    }

    /// Whether a device is known there and answers when it is polled.
    fn is_well(&self, address: SocketAddr) -> bool {
        let is_well = self.at.fleet.at(address).is_some_and(|device| device.failures == 0);
        self.tally.lock().printers += u64::from(is_well);
        is_well
    }

    async fn introduces_itself(&self, address: SocketAddr, known: &Known) -> bool {
        let access = self.at.looker.access(address, FULL_TIME);
        device::introduce(&self.at.engine, &access, known).await.is_ok_and(|who| who.guess.is_printer)
    }

    /// Reads a printer and keeps it, unless its card is excluded.
    async fn keep(&self, address: SocketAddr, known: &Known) {
        self.tally.lock().printers += 1;
        let (at, access, taken_ms) = (&self.at, self.at.looker.access(address, FULL_TIME), wall_ms());
        let mut read = match device::reread(&at.engine, &access, known).await {
            Ok(read) => read,
            Err(e) => return tracing::debug!(error = %e, "a device that answered discovery could not be read"),
        };
        self.add_card(address, &mut read);
        if at.forbidden.is(address, read.reading.identity.mac.as_deref()) {
            tracing::info!(%address, "a device with an excluded network card is left alone");
            return at.forbidden.shun(address);
        }
        let mut taken = at.intake.full(address, &read, taken_ms, false).await;
        if let Ok(Taken::Elsewhere(subject, elsewhere)) = taken {
            if at.looker.stands_at(elsewhere, subject).await {
                // Two network cards, or two names of one machine: one device, read at the address known first.
                return count(&at.stats.aliases);
            }
            taken = at.intake.full(address, &read, taken_ms, true).await;
        }
        match taken {
            Ok(Taken::New(subject) | Taken::Known(subject)) => {
                self.tally.lock().fresh += u64::from(matches!(taken, Ok(Taken::New(_))));
                at.fleet.answered(subject);
                if let Ok(vitals) = device::vitals(&at.engine, &access, &read.known).await {
                    at.fleet.followed_up(subject, urgent_hash(&vitals), &read.reading.quirks);
                    at.fleet.set_vitals(subject, &vitals);
                }
                at.scheduler.add(subject);
            }
            Ok(Taken::Elsewhere(..)) => {}
            Ok(Taken::Contested) => count(&at.stats.aliases),
            Err(e) => tracing::error!(error = %e, "a found device could not be kept"),
        }
    }

    /// A device that tells neither serial nor card is known by the card that a list or this machine's own link has for
    /// its address.
    fn add_card(&self, address: SocketAddr, read: &mut Read) {
        let identity = &mut read.reading.identity;
        if identity.serial.is_none() && identity.mac.is_none() {
            let seen = self.at.forbidden.card_at(address).map(|mac| mac.to_string());
            identity.mac = seen.or_else(|| self.named.card_at(address).map(str::to_owned));
        }
    }
}

fn version(version: Version) -> SnmpVersion {
    match version {
        Version::V1 => SnmpVersion::V1,
        Version::V2c => SnmpVersion::V2c,
        Version::V3 => SnmpVersion::V3,
    }
}
