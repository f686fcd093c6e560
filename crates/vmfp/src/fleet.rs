//! A fleet: many devices behind one socket, each at a loopback address of its own. What happens to them on demand
//! stands in `happen`.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use snmp::responder::{Responder, ResponderConfig};
use snmp::usm::Users;
use snmp::{Oid, UsmUser};
use tokio::task::JoinHandle;

use crate::clock::{Clock, Instant};
use crate::config::{Devices, FleetConfig};
use crate::device::{Kind, Slot, World};
use crate::identity::Identity;
use crate::monitor::{self, Reports, ReportsError};
use crate::profile::{self, ProfileError};
use crate::random::Random;
use crate::ready::{DeviceInfo, ReadyFile};
use crate::table::Tables;
use crate::traps::{self, TrapTarget, Traps};
use crate::truth::Truth;
use crate::walk::{Recording, Walk};
use crate::{answer, http, usm};

/// Why a fleet does not start, or a wish cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A description cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A recording cannot be read.
    #[error("recording {0} cannot be read: {1}")]
    Walk(std::path::PathBuf, #[source] io::Error),
    /// A port is taken or not allowed.
    #[error("cannot listen on port {0} of the loopback addresses: {1}")]
    Port(u16, #[source] io::Error),
    /// There is no IPP side yet.
    #[error("virtual devices do not speak ipp yet: leave the ipp port at 0")]
    Ipp,
    /// The devices do not fit.
    #[error("{0} devices from {1} on leave 127.0.0.0/8: choose another base address or fewer devices")]
    Range(u32, Ipv4Addr),
    /// A user of SNMPv3 that cannot be.
    #[error("SNMPv3 user {0}: {1}")]
    User(String, snmp::usm::AuthFailure),
    /// Devices cannot report by themselves.
    #[error(transparent)]
    Reports(#[from] ReportsError),
    /// No such device.
    #[error("no device of this fleet is at {0}")]
    Nobody(Ipv4Addr),
}

/// A running fleet. Dropping it stops it.
pub struct Fleet {
    pub(crate) shared: Arc<Shared>,
    responder: Responder,
    lives: Mutex<Option<JoinHandle<()>>>,
    reporters: Mutex<Vec<JoinHandle<()>>>,
    tasks: Vec<JoinHandle<io::Result<()>>>,
}

/// What the doors share.
pub(crate) struct Shared {
    pub kinds: Vec<Kind>,
    pub slots: Vec<Slot>,
    pub world: World,
    pub clock: Clock,
    pub community: Vec<u8>,
    pub line: crate::fault::Line,
    /// Draws for the line.
    pub weather: Mutex<Random>,
    base: u32,
    ports: Vec<(&'static str, u16)>,
    /// Addresses that do not follow from the base: whom they reach, if anybody.
    pub moves: RwLock<HashMap<Ipv4Addr, Option<u32>>>,
    pub moved: AtomicBool,
    v3_users: Vec<UsmUser>,
    /// By kind: users of the fleet and of the description, their pass phrases stretched when first needed.
    users: Vec<OnceLock<Arc<Users>>>,
    pub has_users: bool,
    pub traps: Traps,
    /// Where tasks of faults run.
    pub runtime: tokio::runtime::Handle,
    pub asked: AtomicU64,
    pub answered: AtomicU64,
}

/// Starts a fleet; when this returns all its ports listen.
pub async fn start(config: FleetConfig) -> Result<Fleet, FleetError> {
    if config.ipp_port != 0 {
        return Err(FleetError::Ipp);
    }
    for user in &config.v3_users {
        usm::check(user).map_err(|error| FleetError::User(user.user.clone(), error))?;
    }
    let (kinds, slots, base) = build(&config)?;
    let born = Instant::from_millis(-i64::try_from(config.past.as_millis()).unwrap_or(0));
    let end = u32::from(base).checked_add(slots.len() as u32).map(|end| Ipv4Addr::from(end.saturating_sub(1)));
    if !base.is_loopback() || !end.is_some_and(|end| end.is_loopback()) {
        return Err(FleetError::Range(slots.len() as u32, base));
    }
    let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.snmp_port));
    let failed = |error| FleetError::Port(config.snmp_port, error);
    let responder = Responder::bind(ResponderConfig { bind, loopback_only: true }).map_err(failed)?;
    let mut ports = vec![("snmp", responder.local_addr().port())];
    let listener = match config.http_port {
        0 => None,
        port => Some(http::listen(port).map_err(|error| FleetError::Port(port, error))?),
    };
    ports.extend(listener.as_ref().map(|_| ("http", config.http_port)));
    let shared = Arc::new(Shared {
        users: kinds.iter().map(|_| OnceLock::new()).collect(),
        has_users: !config.v3_users.is_empty(),
        v3_users: config.v3_users,
        traps: Traps::default(),
        runtime: tokio::runtime::Handle::current(),
        kinds,
        slots,
        world: World { seed: config.seed, mood: config.mood, born },
        clock: Clock::start(born, config.speed),
        community: config.community.into_bytes(),
        line: config.line,
        weather: Mutex::new(Random::stream(config.seed, u64::MAX)),
        base: u32::from(base),
        ports,
        moves: RwLock::default(),
        moved: AtomicBool::new(false),
        asked: AtomicU64::new(0),
        answered: AtomicU64::new(0),
    });
    let mut tasks = vec![tokio::spawn(answer::serve(Arc::clone(&shared), responder.clone()))];
    tasks.extend(listener.map(|listener| tokio::spawn(http::serve(Arc::clone(&shared), listener))));
    let (lives, reporters) = (Mutex::new(None), Mutex::default());
    let fleet = Fleet { shared, responder, lives, reporters, tasks };
    config.reports.iter().try_for_each(|reports| fleet.report_to(reports))?;
    config.traps.into_iter().for_each(|target| fleet.send_traps(target));
    Ok(fleet)
}

fn build(config: &FleetConfig) -> Result<(Vec<Kind>, Vec<Slot>, Ipv4Addr), FleetError> {
    match &config.devices {
        Devices::Fleet { count, base } => {
            let profiles = profile::embedded()?;
            let kinds = profiles
                .iter()
                .map(|profile| Ok(Kind::Profile { profile: Arc::clone(profile), tables: Tables::of(profile)? }));
            let kinds = kinds.collect::<Result<Vec<_>, ProfileError>>()?;
            let mixed = |place: u32| match profiles.get(place as usize) {
                // The first ones show every kind once; those after follow the shares.
                Some(_) => place as usize,
                None => profile::by_share(profiles, Random::stream(config.seed ^ 0xF1EE7, u64::from(place)).unit()),
            };
            let slots = (0..*count).map(|place| Slot::new(mixed(place) as u16)).collect();
            Ok((kinds, slots, *base))
        }
        Devices::Profile { name, count, base } => {
            let profile = profile::find(name)?;
            let tables = Tables::of(&profile)?;
            let slots = (0..*count).map(|_| Slot::new(0)).collect();
            Ok((vec![Kind::Profile { profile, tables }], slots, *base))
        }
        Devices::Walks(files) => {
            let read = |file: &std::path::PathBuf| {
                Recording::open(file).map(Kind::Walk).map_err(|error| FleetError::Walk(file.clone(), error))
            };
            let kinds = files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            let slots = (0..kinds.len()).map(|kind| Slot::new(kind as u16)).collect();
            Ok((kinds, slots, config.walk_base))
        }
    }
}

impl Shared {
    /// Which device is at this address.
    pub(crate) fn place_at(&self, address: Ipv4Addr) -> Option<u32> {
        if self.moved.load(Ordering::Acquire)
            && let Some(place) = self.moves.read().get(&address)
        {
            return *place;
        }
        let place = u32::from(address).checked_sub(self.base)?;
        ((place as usize) < self.slots.len()).then_some(place)
    }

    pub(crate) fn identity(&self, place: u32) -> Identity {
        Identity { seed: self.world.seed, place, board: 0, unit: 0 }
    }

    /// Where a device is now: where it began, unless it moved.
    pub(crate) fn address_of(&self, place: u32) -> Ipv4Addr {
        let home = Ipv4Addr::from(self.base + place);
        if !self.moved.load(Ordering::Acquire) || self.place_at(home) == Some(place) {
            return home;
        }
        let moves = self.moves.read();
        moves.iter().find(|(_, there)| **there == Some(place)).map_or(home, |(address, _)| *address)
    }

    /// Users that a device knows.
    pub(crate) fn users(&self, place: u32) -> &Arc<Users> {
        self.users[usize::from(self.slots[place as usize].kind)].get_or_init(|| {
            let mut all = self.v3_users.clone();
            if let Kind::Profile { profile, .. } = self.kind(place) {
                all.extend(profile.users.iter().filter_map(|plan| plan.user().ok()));
            }
            Users::new(&all).or_else(|_| Users::new(&[])).expect("nobody has no weak pass phrase")
        })
    }

    /// Somebody asked the page of the device at this address.
    pub(crate) fn visited(&self, address: Ipv4Addr) {
        if let Some(place) = self.place_at(address) {
            let now = self.clock.now();
            let mut state = self.slots[place as usize].at(self.kind(place), self.world, place, now);
            if !state.faults.is_empty() {
                state.odd().visited = Some(now);
            }
        }
    }

    pub(crate) fn kind(&self, place: u32) -> &Kind {
        &self.kinds[usize::from(self.slots[place as usize].kind)]
    }

    fn info(&self, place: u32) -> DeviceInfo {
        let address = Ipv4Addr::from(self.base + place);
        let (vendor, model, serial) = match self.kind(place) {
            Kind::Profile { profile, .. } => {
                (profile.vendor.clone(), profile.model.clone(), self.identity(place).serial(profile))
            }
            Kind::Walk(recording) => walk_identity(&recording.main),
        };
        let ports = self.ports.iter().map(|(name, port)| ((*name).to_owned(), *port)).collect();
        DeviceInfo { address, serial, model, vendor, ports }
    }

    /// UDP port on which every device answers.
    pub(crate) fn snmp_port(&self) -> u16 {
        self.ports[0].1
    }

    /// What the device at this address really is, now.
    pub(crate) fn truth(&self, address: Ipv4Addr) -> Result<Truth, FleetError> {
        let place = self.place_at(address).ok_or(FleetError::Nobody(address))?;
        let (kind, now) = (self.kind(place), self.clock.now());
        let state = self.slots[place as usize].at(kind, self.world, place, now);
        Ok(match (kind, &state.life) {
            (Kind::Profile { profile, .. }, Some(life)) => {
                Truth::of(address, profile, self.identity(place).of(life), life, now)
            }
            (Kind::Walk(recording), _) => {
                let (vendor, model, serial) = walk_identity(&recording.main);
                Truth::recorded(address, vendor, model, serial, now)
            }
            _ => return Err(FleetError::Nobody(address)),
        })
    }
}

/// Model and serial as a recording tells them in the standard places; the vendor is not guessed.
fn walk_identity(walk: &Walk) -> (String, String, String) {
    let text = |oid: &'static str| walk.text(&Oid::of(oid));
    let model = text("1.3.6.1.2.1.25.3.2.1.3.1").or_else(|| text("1.3.6.1.2.1.1.1.0")).unwrap_or_default();
    (String::new(), model, text("1.3.6.1.2.1.43.5.1.1.17.1").unwrap_or_default())
}

impl Fleet {
    /// All devices with their addresses at the start and their open ports.
    pub fn devices(&self) -> Vec<DeviceInfo> {
        (0..self.shared.slots.len() as u32).map(|place| self.shared.info(place)).collect()
    }

    /// What `--ready-file` says.
    pub fn ready_file(&self) -> ReadyFile {
        ReadyFile { devices: self.devices() }
    }

    /// UDP port on which every device answers.
    pub fn snmp_port(&self) -> u16 {
        self.shared.snmp_port()
    }

    /// Simulated time since the start; before it while a past is lived.
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Lets simulated time pass at once; time never goes back.
    pub fn skip(&self, time: Duration) {
        self.shared.clock.skip(time);
        self.shared.traps.touch(None);
    }

    /// From now on devices send traps there, besides the receivers named before.
    pub fn send_traps(&self, target: TrapTarget) {
        if self.shared.traps.add(target) {
            (0..self.shared.slots.len() as u32).for_each(|place| traps::listen(&self.shared, place));
            let task = traps::drive(Arc::clone(&self.shared), self.responder.clone());
            *self.lives.lock() = Some(self.shared.runtime.spawn(task));
        }
    }

    /// From now on these devices also report by themselves.
    ///
    /// # Errors
    /// When a serial number is none of this fleet, the server's address or CA cannot be used, or the folder not opened.
    pub fn report_to(&self, reports: &Reports) -> Result<(), FleetError> {
        let task = monitor::begin(&self.shared, reports)?;
        self.reporters.lock().push(self.shared.runtime.spawn(task));
        Ok(())
    }

    /// Traps and informs sent so far, repetitions of informs apart.
    pub fn traps_sent(&self) -> u64 {
        self.shared.traps.sent.load(Ordering::Relaxed)
    }

    /// What the device at this address really is, for tests to compare.
    pub fn truth(&self, address: Ipv4Addr) -> Result<Truth, FleetError> {
        self.shared.truth(address)
    }

    /// Requests that came and answers that were given so far.
    pub fn traffic(&self) -> (u64, u64) {
        (self.shared.asked.load(Ordering::Relaxed), self.shared.answered.load(Ordering::Relaxed))
    }

    /// Runs until a door fails.
    pub async fn wait(&mut self) -> io::Result<()> {
        for task in &mut self.tasks {
            task.await.map_err(io::Error::other)??;
        }
        Ok(())
    }

    /// Closes all doors.
    pub async fn stop(mut self) {
        let reporters = std::mem::take(&mut *self.reporters.lock());
        for reporter in reporters {
            reporter.abort();
            let _ = reporter.await;
        }
        let lives = self.lives.lock().take();
        if let Some(lives) = lives {
            lives.abort();
            let _ = lives.await;
        }
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // The doors never end by themselves, so this only waits for the socket to be closed.
            let _ = task.await;
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(lives) = self.lives.lock().take() {
            lives.abort();
        }
        self.reporters.lock().iter().for_each(JoinHandle::abort);
    }
}

/// An IPv4 destination; the socket is bound to no other.
pub(crate) fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => address.to_ipv4_mapped(),
    }
}
