//! Reads the devices as an agent does: a cheap look each round, everything when it started anew and twice an hour.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use device::{Access, Known, Vitals};
use snmp::Engine;
use tokio::task::JoinSet;
use wire::plan::SnmpCredential;
use wire::report::StatusBody;
use wire::{Meter, Subject};

use super::mischief::OTHER_COMMUNITY;

/// Time for one device in one round.
const PATIENCE: Duration = Duration::from_millis(1_200);
/// The same once nothing is wrong any more: whatever this machine does beside, the last word must be heard.
const LAST_PATIENCE: Duration = Duration::from_secs(10);
/// Devices asked at the same time.
const WIDTH: usize = 48;
/// Rounds between two full readings.
const EACH: u64 = 6;

/// What is remembered of an address.
#[derive(Clone, Default)]
pub(super) struct Place {
    known: Known,
    vitals: Option<Vitals>,
    /// Serial of who was there last, and its hardware address.
    pub(super) serial: Option<String>,
    mac: Option<String>,
}

/// What a look gave.
pub(super) enum Seen {
    /// No answer that means anything.
    Silent,
    /// As before.
    Same,
    /// Its condition moved.
    Status(Box<StatusBody>),
    /// Everything.
    Full(Box<StatusBody>, Vec<Meter>),
}

/// Looks at all addresses; in their order. From round `settled` on everything is read in full.
pub(super) async fn look(engine: &Engine, places: &mut [(SocketAddr, Place)], round: u64, settled: u64) -> Vec<Seen> {
    let slots = Arc::new(tokio::sync::Semaphore::new(WIDTH));
    let mut tasks = JoinSet::new();
    let patience = if round + super::CALM >= settled { LAST_PATIENCE } else { PATIENCE };
    for (number, (address, place)) in places.iter().enumerate() {
        let (engine, slots, address, place) = (engine.clone(), Arc::clone(&slots), *address, place.clone());
        tasks.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let due = round >= settled || (round + number as u64).is_multiple_of(EACH);
            let access = Access { timeout: patience, credentials: credentials(), ..Access::new(address) };
            (number, one(&engine, access, place, due).await)
        });
    }
    let mut all: Vec<Seen> = places.iter().map(|_| Seen::Silent).collect();
    while let Some(done) = tasks.join_next().await {
        let (number, (place, seen)) = done.unwrap();
        (places[number].1, all[number]) = (place, seen);
    }
    all
}

/// What the reader may know of a site: the usual community, another one, a user.
fn credentials() -> Vec<SnmpCredential> {
    let word = |text: &str| Some(text.to_owned());
    let user = SnmpCredential::Usm {
        user: "ops".to_owned(),
        auth: word("sha256"),
        auth_pass: word("auth-secret"),
        privacy: word("aes128"),
        privacy_pass: word("priv-secret"),
    };
    vec![SnmpCredential::community("public"), SnmpCredential::community(OTHER_COMMUNITY), user]
}

async fn one(engine: &Engine, access: Access, mut place: Place, due: bool) -> (Place, Seen) {
    let before = place.vitals.take();
    let (Some(before), false) = (before, due) else { return full(engine, &access, place).await };
    let Ok(vitals) = device::vitals(engine, &access, &place.known).await else { return (place, Seen::Silent) };
    if vitals.restarted_since(&before) {
        return full(engine, &access, place).await;
    }
    if vitals == before {
        place.vitals = Some(vitals);
        return (place, Seen::Same);
    }
    match device::read_status(engine, &access, &place.known).await {
        Ok(read) if read.body.identity.serial == place.serial => {
            // What was lost on the way is asked again in the next round.
            (place.known, place.vitals) = (read.known, Some(vitals).filter(|_| is_whole(&read.body)));
            (place, Seen::Status(Box::new(read.body)))
        }
        Ok(_) => full(engine, &access, place).await,
        Err(_) => (place, Seen::Silent),
    }
}

async fn full(engine: &Engine, access: &Access, mut place: Place) -> (Place, Seen) {
    let Ok(read) = device::reread(engine, access, &place.known).await else { return (place, Seen::Silent) };
    let meters = read.reading.meters.clone();
    place.known = read.known.clone();
    let body = StatusBody::from(read);
    // Who forgets its serial number for once is still itself, if its network card says so.
    let is_same = place.serial.is_some() && place.mac.is_some() && place.mac == body.identity.mac;
    match &body.identity.serial {
        Some(serial) => {
            (place.serial, place.mac) = (Some(serial.clone()), body.identity.mac.clone());
        }
        None if is_same => {}
        None => return (place, Seen::Silent),
    }
    place.vitals = device::vitals(engine, access, &place.known).await.ok().filter(|_| is_whole(&body));
    (place, Seen::Full(Box::new(body), meters))
}

/// Whether the device answered every table.
fn is_whole(body: &StatusBody) -> bool {
    wire::report::is_whole(&body.quirks)
}

/// What an agent calls a device: by its serial number, wherever it stands.
pub(super) fn subject(vendor: Option<&str>, serial: &str) -> Subject {
    let mut name = [0_u8; 16];
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (place, byte) in vendor.unwrap_or_default().bytes().chain([0]).chain(serial.bytes()).enumerate() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        name[place % 16] ^= (hash >> 32) as u8;
    }
    name[..8].iter_mut().zip(hash.to_be_bytes()).for_each(|(byte, more)| *byte ^= more);
    Subject(name)
}
