//! Registered devices that were heard a moment ago: key, standing and pair of addresses in memory, so that a report costs no
//! question to the database. Events tell what changed; they are followed once a second, so a change elsewhere is felt by then.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use store::{Row, View, params};
use wire::Subject;

use super::{MonitorId, sql};
use crate::agents::PublicKey;
use crate::error::Result;
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::time::Micros;

const REASON: &str = "a device, before it is known whose";
/// A change on another server is felt after this long, µs.
const FOLLOWED: i64 = 1_000_000;
/// After so long without a question everything is asked anew rather than followed, µs.
const FORGOTTEN: i64 = 60 * FOLLOWED;
/// Most devices in memory.
const MOST: usize = 200_000;
/// Events of devices after which another may stand behind a registration.
const UPHEAVALS: [&str; 3] = ["device.retired", "device.merged", "device.split"];

/// A registered device that is heard, as of a moment ago.
#[derive(Clone)]
pub(crate) struct Registered {
    pub(super) id: MonitorId,
    pub(super) org: OrgId,
    pub(super) key: PublicKey,
    pub(super) standing: Standing,
    /// Its address and the only one that it may write to, in lower case.
    pub(super) pair: Option<(Arc<str>, Arc<str>)>,
    /// The hash of the code in the document by which it was last tested by mail.
    pub(super) document: Option<Arc<str>>,
    at: Micros,
}

/// What a report of a registered device is held against, as of a moment ago.
#[derive(Clone)]
pub(crate) struct Standing {
    /// Its serial number, folded.
    pub(crate) serial_fold: Arc<str>,
    /// Revision of its schedule.
    pub(crate) revision: i64,
    /// It is a device of the fleet.
    pub(crate) known: bool,
    /// That device was retired.
    pub(crate) retired: bool,
    /// Orders that wait for it or for its answer.
    pub(crate) orders: i64,
}

impl Registered {
    fn read(row: &Row, at: Micros) -> Result<Option<Self>> {
        let Some(key) = row.get::<Option<[u8; 32]>>(2)?.map(PublicKey) else { return Ok(None) };
        let (device, lifecycle): (Option<crate::DeviceId>, Option<String>) = (row.get(5)?, row.get(6)?);
        let standing = Standing {
            serial_fold: row.get::<String>(3)?.into(),
            revision: row.get(4)?,
            known: device.is_some(),
            retired: lifecycle.as_deref() == Some("retired"),
            orders: row.get(7)?,
        };
        let (own, server): (Option<String>, Option<String>) = (row.get(8)?, row.get(9)?);
        let pair = own.zip(server).map(|(own, server)| (own.into(), server.into()));
        let document = row.get::<Option<String>>(10)?.map(Arc::from);
        Ok(Some(Self { id: row.get(0)?, org: row.get(1)?, key, standing, pair, document, at }))
    }

    /// Good until an event says otherwise. Becoming known and an answered order are told by none, so that others end by time.
    fn lasts(&self, now: Micros) -> bool {
        let settled = self.standing.known && !self.standing.retired && self.standing.orders == 0;
        settled || (0..FOLLOWED).contains(&(now.0 - self.at.0))
    }
}

/// The memory.
#[derive(Default)]
pub(crate) struct Known {
    kept: Mutex<Kept>,
    /// Whoever holds it follows the events.
    following: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    devices: HashMap<Subject, Registered>,
    addresses: HashMap<Arc<str>, Subject>,
    /// Events up to here are followed.
    seen: i64,
    /// When that was.
    followed: Option<Micros>,
    /// Rises with whatever is forgotten, so that what was read before is not kept after.
    turn: u64,
}

impl Kept {
    fn is_current(&self, now: Micros) -> bool {
        self.followed.is_some_and(|at| (0..FOLLOWED).contains(&(now.0 - at.0)))
    }

    fn find(&self, name: Name<'_>, now: Micros) -> Option<&Registered> {
        let subject = match name {
            Name::Subject(subject) => subject,
            Name::Address(address) => *self.addresses.get(address)?,
        };
        self.devices.get(&subject).filter(|found| found.lasts(now))
    }

    fn forget(&mut self, subject: Subject) {
        self.turn += 1;
        let gone = self.devices.remove(&subject);
        if let Some((own, _)) = gone.and_then(|gone| gone.pair) {
            self.addresses.remove(&own);
        }
    }

    fn clear(&mut self) {
        self.turn += 1;
        self.devices.clear();
        self.addresses.clear();
    }

    fn keep(&mut self, found: &Registered) {
        if self.devices.len() >= MOST {
            self.clear();
        }
        let subject = Subject::from(found.id);
        if let Some((own, _)) = &found.pair {
            self.addresses.insert(Arc::clone(own), subject);
        }
        self.devices.insert(subject, found.clone());
    }
}

/// By what a device is looked up.
#[derive(Clone, Copy)]
pub(super) enum Name<'a> {
    Subject(Subject),
    /// In lower case.
    Address(&'a str),
}

impl Known {
    /// Something about this device changed here, and is committed.
    pub(crate) fn forget(&self, id: MonitorId) {
        self.kept.lock().forget(id.into());
    }

    /// Something changed that may concern any of them.
    pub(crate) fn forget_all(&self) {
        self.kept.lock().clear();
    }
}

/// The device of that name; `None` for unknown ones and for those that are not heard.
pub(super) async fn look_up(platform: &Platform, name: Name<'_>) -> Result<Option<Registered>> {
    let (known, now) = (platform.known(), platform.now());
    if !known.kept.lock().is_current(now) {
        follow(platform, now).await?;
    }
    let turn = {
        let kept = known.kept.lock();
        if let Some(found) = kept.find(name, now) {
            return Ok(Some(found.clone()));
        }
        kept.turn
    };
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = match name {
        Name::Subject(subject) => tx.query_opt(&sql::KNOWN, &params![MonitorId::from(subject)]).await?,
        Name::Address(address) => tx.query_opt(&sql::KNOWN_BY_ADDRESS, &params![address]).await?,
    };
    drop(tx);
    let found = row.as_ref().map(|row| Registered::read(row, now)).transpose()?.flatten();
    let mut kept = known.kept.lock();
    match (&found, name) {
        (Some(found), _) if kept.turn == turn => kept.keep(found),
        (None, Name::Subject(subject)) if kept.devices.contains_key(&subject) => kept.forget(subject),
        _ => {}
    }
    Ok(found)
}

/// Forgets whatever events of the meantime speak of.
async fn follow(platform: &Platform, now: Micros) -> Result<()> {
    let known = platform.known();
    let _alone = known.following.lock().await;
    let (seen, followed) = {
        let kept = known.kept.lock();
        if kept.is_current(now) {
            return Ok(());
        }
        (kept.seen, kept.followed)
    };
    let recent = followed.is_some_and(|at| (0..FORGOTTEN).contains(&(now.0 - at.0)));
    let news = if recent {
        store::events::subjects(platform.db(), seen, "monitor", UPHEAVALS).await?
    } else {
        // Read before it is cleared: what changes from here on is news next time.
        store::events::Subjects { end: store::events::newest(platform.db()).await?, found: Vec::new() }
    };
    let mut kept = known.kept.lock();
    if !recent || news.found.iter().any(|(kind, _)| kind != "monitor") {
        kept.clear();
    }
    for (_, id) in &news.found {
        if let Ok(id) = id.parse::<MonitorId>() {
            kept.forget(id.into());
        }
    }
    (kept.seen, kept.followed) = (news.end, Some(now));
    Ok(())
}
