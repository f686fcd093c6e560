//! The devices in memory: who is where, who is being asked now, who is silent.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use device::Vitals;
use parking_lot::Mutex;
use wire::{Subject, report::is_whole};

use super::record::{Before, Record};
use crate::{
    clock::wall_ms,
    error::Result,
    state::{State, devices::DeviceRow},
    stats::{AgentStats, set},
};

/// Cycles in a row without an answer after which a device counts as unreachable.
const SILENT_AFTER: u32 = 2;
/// Devices read from the file at a time.
const CHUNK: i64 = 500;

/// One device as it is now: a copy.
#[derive(Clone, Debug)]
pub(crate) struct Tracked {
    pub(crate) row: DeviceRow,
    /// Cycles in a row without an answer.
    pub(crate) failures: u32,
    /// When its condition was read last, milliseconds since 1970; 0: not since the start.
    pub(crate) condition_ms: i64,
    /// A counter moved since its condition was read.
    pub(crate) moved_slowly: bool,
    /// Readings in a row that it left incomplete.
    pub(crate) partial: u8,
}

/// Who stands on an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No known device.
    Nobody,
    /// This one.
    One(Subject),
    /// More than one: a print server, or a line that hides addresses.
    Several(Vec<Subject>),
}

impl Record {
    fn is_silent(&self) -> bool {
        self.failures >= SILENT_AFTER
    }

    fn tracked(&self) -> Tracked {
        let Self { failures, condition_ms, moved_slowly, partial, .. } = *self;
        Tracked { row: self.row(), failures, condition_ms, moved_slowly, partial }
    }
}

/// All devices; shared.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    inner: Mutex<Inner>,
    stats: Arc<AgentStats>,
}

#[derive(Debug, Default)]
struct Inner {
    devices: HashMap<Subject, Record>,
    /// By the hash of the key; whoever is found shows whether his key is that one.
    by_key: HashMap<u64, Subject>,
    hash: RandomState,
    /// In order, so that the devices behind one address lie together.
    by_address: BTreeMap<SocketAddr, Subject>,
    /// Keys that someone is taking in at this moment.
    claimed: HashSet<String>,
    silent: usize,
}

impl Fleet {
    /// Takes over what the file remembers, a few devices at a time.
    pub(crate) async fn open(state: &State, stats: Arc<AgentStats>) -> Result<Self> {
        let fleet = Self { inner: Mutex::default(), stats };
        let mut last = None;
        loop {
            let rows = state.devices_after(last, CHUNK).await?;
            let Some(row) = rows.last() else { return Ok(fleet) };
            last = Some(row.subject);
            for row in rows {
                fleet.keep(row);
            }
        }
    }

    /// Names, addresses and network cards of all devices that have an address.
    pub(crate) fn placed(&self) -> Vec<(Subject, SocketAddr, Option<String>)> {
        let inner = self.inner.lock();
        let devices = inner.devices.iter();
        devices.filter_map(|(subject, d)| Some((*subject, d.address?, d.mac().map(str::to_owned)))).collect()
    }

    /// One device as it is now.
    pub(crate) fn get(&self, subject: Subject) -> Option<Tracked> {
        self.inner.lock().devices.get(&subject).map(Record::tracked)
    }

    /// Cycles in a row that a device has not answered in; `None` for one without an address.
    pub(crate) fn failures(&self, subject: Subject) -> Option<u32> {
        let inner = self.inner.lock();
        let device = inner.devices.get(&subject)?;
        device.address.map(|_| device.failures)
    }

    /// The device at an address.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<Tracked> {
        let inner = self.inner.lock();
        inner.devices.get(inner.by_address.get(&address)?).map(Record::tracked)
    }

    /// The name of the device at an address.
    pub(crate) fn name_at(&self, address: SocketAddr) -> Option<Subject> {
        self.inner.lock().by_address.get(&address).copied()
    }

    /// Who stands on an address, whatever its port.
    pub(crate) fn standing_on(&self, address: IpAddr) -> Standing {
        let (first, last) = (SocketAddr::new(address, 0), SocketAddr::new(address, u16::MAX));
        let inner = self.inner.lock();
        let mut found = inner.by_address.range(first..=last).map(|(_, subject)| *subject);
        match (found.next(), found.next()) {
            (None, _) => Standing::Nobody,
            (Some(one), None) => Standing::One(one),
            (Some(one), Some(two)) => Standing::Several([one, two].into_iter().chain(found).collect()),
        }
    }

    /// Forgets what was told of a device last, so that the next status is told whatever it says.
    pub(crate) fn forget_status(&self, subject: Subject) {
        if let Some(device) = self.inner.lock().devices.get_mut(&subject) {
            device.status_hash = 0;
        }
    }

    /// Forgets all that was told of a device last, so that the next full reading is told whatever it says.
    pub(crate) fn forget_told(&self, subject: Subject) {
        if let Some(device) = self.inner.lock().devices.get_mut(&subject) {
            (device.status_hash, device.meters_hash) = (0, 0);
        }
    }

    /// The device with a key.
    pub(crate) fn by_key(&self, key: &str) -> Option<Tracked> {
        let inner = self.inner.lock();
        let device = inner.devices.get(inner.by_key.get(&inner.hash.hash_one(key))?)?;
        (device.key() == key).then(|| device.tracked())
    }

    /// Begins a look: `None` while another one is under way (at most one a device) or when it has no address.
    pub(crate) fn begin(&self, subject: Subject) -> Option<(Tracked, SocketAddr)> {
        let mut inner = self.inner.lock();
        let device = inner.devices.get_mut(&subject)?;
        let address = device.address.filter(|_| !device.busy)?;
        device.busy = true;
        Some((device.tracked(), address))
    }

    /// Ends a look.
    pub(crate) fn end(&self, subject: Subject) {
        if let Some(device) = self.inner.lock().devices.get_mut(&subject) {
            device.busy = false;
        }
    }

    /// It answered; true when it had counted as unreachable.
    pub(crate) fn answered(&self, subject: Subject) -> bool {
        let mut inner = self.inner.lock();
        let Some(device) = inner.devices.get_mut(&subject) else { return false };
        let was_silent = device.is_silent();
        device.failures = 0;
        inner.silent -= usize::from(was_silent);
        set(&self.stats.unreachable, inner.silent);
        was_silent
    }

    /// It did not answer; true when it counts as unreachable now.
    pub(crate) fn failed(&self, subject: Subject) -> bool {
        let mut inner = self.inner.lock();
        let Some(device) = inner.devices.get_mut(&subject) else { return false };
        let was_silent = device.is_silent();
        device.failures = device.failures.saturating_add(1);
        let is_silent = device.is_silent();
        inner.silent += usize::from(is_silent && !was_silent);
        set(&self.stats.unreachable, inner.silent);
        is_silent
    }

    /// Remembers a cheap look; returns page count and clock of the one before.
    pub(crate) fn set_vitals(&self, subject: Subject, vitals: &Vitals) -> Option<Vitals> {
        self.inner.lock().devices.get_mut(&subject)?.before.replace(Before::of(vitals)).map(Before::vitals)
    }

    /// The life counter as the last cheap look read it.
    pub(crate) fn life_count(&self, subject: Subject) -> Option<u64> {
        self.inner.lock().devices.get(&subject)?.before?.vitals().life_count
    }

    /// Remembers the hash of a cheap look that has been followed up, and whether that reading told all.
    pub(crate) fn followed_up(&self, subject: Subject, hash: u64, quirks: &[String]) {
        if let Some(device) = self.inner.lock().devices.get_mut(&subject) {
            device.vitals_hash = hash;
            device.partial = if is_whole(quirks) { 0 } else { device.partial.saturating_add(1) };
            device.condition_ms = wall_ms();
            device.moved_slowly = false;
        }
    }

    /// Remembers that a counter moved.
    pub(crate) fn set_moved_slowly(&self, subject: Subject) {
        if let Some(device) = self.inner.lock().devices.get_mut(&subject) {
            device.moved_slowly = true;
        }
    }

    /// Takes what has been committed. Whoever stood at its address before loses that address.
    pub(crate) fn keep(&self, row: DeviceRow) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let (subject, address, key) = (row.subject, row.address, inner.hash.hash_one(row.key.as_str()));
        match inner.devices.entry(subject) {
            Entry::Occupied(mut old) => {
                let old = old.get_mut();
                inner.by_key.remove(&inner.hash.hash_one(old.key()));
                if let Some(address) = old.address
                    && inner.by_address.get(&address) == Some(&subject)
                {
                    inner.by_address.remove(&address);
                }
                old.take(row);
            }
            Entry::Vacant(place) => {
                place.insert(Record::new(row));
            }
        }
        inner.by_key.insert(key, subject);
        if let Some(address) = address
            && let Some(before) = inner.by_address.insert(address, subject)
            && let Some(before) = inner.devices.get_mut(&before).filter(|_| before != subject)
        {
            before.address = None;
        }
        set(&self.stats.devices, inner.devices.len());
    }

    /// Claims a key for taking a device in; `false` while someone else does. Release it with [`Fleet::release`].
    pub(crate) fn claim(&self, key: &str) -> bool {
        self.inner.lock().claimed.insert(key.to_owned())
    }

    /// Ends a claim.
    pub(crate) fn release(&self, key: &str) {
        self.inner.lock().claimed.remove(key);
    }
}
