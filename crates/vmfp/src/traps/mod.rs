//! Traps: who gets them, and the task that lets devices live on without being asked, so that they tell what happens
//! to them when it happens. Without a receiver there is no task and no cost.

mod write;

pub(crate) use write::{Sender, Waiting};

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use snmp::responder::Responder;
use tokio::sync::Notify;

use crate::clock::Instant;
use crate::device::Kind;
use crate::fleet::Shared;

/// Devices woken between two yields to others.
const STRIDE: u32 = 256;

/// Who gets the traps of which devices, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapTarget {
    /// Where they go.
    pub to: SocketAddr,
    /// How they are written.
    pub form: TrapForm,
    /// First and last address of the devices that send them; `None`: all.
    pub devices: Option<(Ipv4Addr, Ipv4Addr)>,
}

/// How a trap is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TrapForm {
    /// A v1 trap: enterprise printerV1Alert, specific 1.
    V1,
    /// A v2c trap, as RFC 3805 has it.
    #[default]
    V2c,
    /// A v2c inform, sent up to four times until it is acknowledged.
    Inform,
    /// A v3 trap of this user, whom the device must know.
    V3(String),
}

impl std::str::FromStr for TrapForm {
    type Err = String;

    /// `v1`, `v2c`, `inform` or `v3:USER`.
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "v1" => Self::V1,
            "v2c" => Self::V2c,
            "inform" => Self::Inform,
            _ => match text.strip_prefix("v3:").filter(|user| !user.is_empty()) {
                Some(user) => Self::V3(user.to_owned()),
                None => return Err(format!("`{text}` is no form of a trap: choose v1, v2c, inform or v3:USER")),
            },
        })
    }
}

impl TrapTarget {
    /// v2c traps of all devices.
    pub fn new(to: SocketAddr) -> Self {
        Self { to, form: TrapForm::V2c, devices: None }
    }

    fn is_for(&self, address: Ipv4Addr) -> bool {
        self.devices.is_none_or(|(first, last)| (first..=last).contains(&address))
    }
}

/// What a fleet knows of its traps.
#[derive(Default)]
pub(crate) struct Traps {
    targets: RwLock<Vec<TrapTarget>>,
    /// Whether the task runs.
    on: AtomicBool,
    /// Devices whose next event may have changed.
    touched: Mutex<Vec<u32>>,
    wake: Notify,
    number: AtomicI32,
    /// Informs that nobody has acknowledged yet.
    waiting: Mutex<HashMap<i32, Waiting>>,
    pub sent: AtomicU64,
}

impl Traps {
    /// A new receiver; true when it is the first, and the task must be started.
    pub(crate) fn add(&self, target: TrapTarget) -> bool {
        self.targets.write().push(target);
        !self.on.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn targets_of(&self, address: Ipv4Addr) -> Vec<TrapTarget> {
        self.targets.read().iter().filter(|target| target.is_for(address)).cloned().collect()
    }

    /// Something happened to a device, or to the clock.
    pub(crate) fn touch(&self, place: Option<u32>) {
        if self.on.load(Ordering::Acquire) {
            self.touched.lock().extend(place);
            self.wake.notify_one();
        }
    }

    fn next_number(&self) -> i32 {
        self.number.fetch_add(1, Ordering::Relaxed) & i32::MAX
    }
}

/// Moments at which devices must be looked at; one valid entry a device.
struct Agenda {
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
    next: Vec<Instant>,
}

impl Agenda {
    fn put(&mut self, place: u32, at: Instant) {
        self.next[place as usize] = at;
        self.heap.push(Reverse((at, place)));
    }

    /// A device whose moment has come.
    fn take(&mut self, now: Instant) -> Option<u32> {
        while let Some(Reverse((at, place))) = self.heap.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.heap.pop();
            if self.next[place as usize] == at {
                return Some(place);
            }
        }
        None
    }

    fn first(&self) -> Instant {
        self.heap.peek().map_or(Instant::NEVER, |Reverse((at, _))| *at)
    }
}

/// Lets all devices live, and sends what they have to tell, until it is dropped.
pub(crate) async fn drive(shared: Arc<Shared>, responder: Responder) {
    let sender = Sender { shared: Arc::clone(&shared), responder };
    let count = shared.slots.len();
    let mut agenda = Agenda { heap: BinaryHeap::with_capacity(count), next: vec![Instant::NEVER; count] };
    for place in 0..count as u32 {
        agenda.put(place, sender.tell(place));
        if place % STRIDE == STRIDE - 1 {
            tokio::task::yield_now().await;
        }
    }
    loop {
        let touched = std::mem::take(&mut *shared.traps.touched.lock());
        for place in touched {
            agenda.put(place, sender.tell(place));
        }
        let now = shared.clock.now();
        let mut told = 0;
        while let Some(place) = agenda.take(now) {
            agenda.put(place, sender.tell(place));
            told += 1;
            if told % STRIDE == 0 {
                tokio::task::yield_now().await;
            }
        }
        let pause = shared.clock.until(agenda.first()).max(std::time::Duration::from_millis(1));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.traps.wake.notified() => {}
        }
    }
}

/// From now on a device remembers what it has to tell.
pub(crate) fn listen(shared: &Shared, place: u32) {
    let (kind, now) = (shared.kind(place), shared.clock.now());
    let mut state = shared.slots[place as usize].at(kind, shared.world, place, now);
    let sends = match kind {
        Kind::Profile { profile, .. } => !profile.manners.no_traps && !profile.manners.no_alert_table,
        Kind::Walk(_) => false,
    };
    if let Some(life) = state.life.as_mut().filter(|_| sends) {
        life.alerts.notices = Some(Vec::new());
    }
}
