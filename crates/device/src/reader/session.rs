//! One visit to one device: find the way in, ask table by table, keep what came. A question that fails costs its own
//! answer only, and the deadline holds over all of them.

use std::net::SocketAddr;
use std::time::Duration;

use snmp::{BulkUse, Engine, Error, Oid, Target, Version, Walk, WalkLimits};
use tokio::time::Instant;
use wire::SnmpVersion;
use wire::report::{ALERTS_NOT_TOLD, SUPPLIES_NOT_TOLD};

use super::access::{Access, Context, Known};
use super::error::{ReadError, Tried};
use super::knock;
use super::proof::{self, BulkTrust};
use super::questions::{self, Columns, Depth, Tables};
use super::ways::{in_context, tried, ways};
use crate::assemble::Origin;
use crate::identity::{DeviceId, Makers};
use crate::profile::Catalogue;
use crate::snapshot::Snapshot;
use crate::standard::oid;

/// Longest wait for one packet once the way in is found.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Longest wait for a context that may not exist.
const CONTEXT_PATIENCE: Duration = Duration::from_millis(800);
/// Most objects of one GET: some agents answer tooBig, or nothing, to longer ones.
const OBJECTS_A_GET: usize = 20;
/// Most rows of a column of a standard table. One that goes on behind them is held against plain GETs.
const COLUMN_ROWS: usize = 256;
/// Most rows that are kept of a column without end.
const PROVED_ROWS: usize = 64;
/// Two clocks that agree within this are one: alerts keep their times from reading to reading.
const SAME_BOOT_MS: i64 = 60_000;

pub(super) struct Session<'a> {
    engine: &'a Engine,
    access: &'a Access,
    target: Target,
    credential: usize,
    deadline: Instant,
    pub(super) said: Snapshot,
    /// What plain GETs told beside: see `proof`.
    pub(super) witnesses: Snapshot,
    makers: Makers,
    pub(super) quirks: Vec<String>,
    pub(super) known: Known,
}

impl<'a> Session<'a> {
    /// Finds the way in with the first packet; what worked before is tried first.
    pub(super) async fn open(engine: &'a Engine, access: &'a Access, known: &Known) -> Result<Self, ReadError> {
        let started = Instant::now();
        let deadline = started + access.timeout;
        let ways = ways(access, known)?;
        // Each way gets two packets, so that one lost packet does not hide a device, within the time for all.
        let patience = (access.timeout / (2 * ways.len() as u32 + 1)).clamp(Duration::from_millis(150), PATIENCE);
        let mut opening = questions::opening().to_vec();
        opening.extend(proof::witnesses(known));
        let (mut refusal, mut tries) = (None, 0);
        for (place, way) in ways.iter().enumerate() {
            let security = in_context(&way.security, access.context.as_deref());
            let target = Target::new(access.address, security).patience(patience, 1);
            tries = place + 1;
            match tokio::time::timeout_at(deadline, engine.get(&target, &opening)).await {
                Ok(Ok(rows)) => {
                    return Ok(Self::begin(engine, access, (target, way.credential), deadline, rows, known.clone()));
                }
                Ok(Err(Error::Timeout { .. })) => {}
                Ok(Err(source)) => {
                    let tried = || tried(access, &ways[..tries], started.elapsed());
                    refusal = Some(final_failure(source, tried)?);
                }
                Err(_) => break,
            }
        }
        let tried = tried(access, &ways[..tries], started.elapsed());
        Err(match refusal {
            Some(source) => ReadError::Refused { tried, source: Box::new(source) },
            None => ReadError::Silent(tried),
        })
    }

    /// As [`Session::open`]; a device that keeps silent until its web page is opened gets one request there, and is
    /// asked once more. Not for its condition, for which no device is woken.
    pub(super) async fn open_knocking(
        engine: &'a Engine,
        access: &'a Access,
        known: &Known,
    ) -> Result<Self, ReadError> {
        match (Self::open(engine, access, known).await, knock::port(known)) {
            (Err(ReadError::Silent(tried)), Some(port)) => match knock::knock(access.address.ip(), port).await {
                true => Self::open(engine, access, known).await,
                false => Err(ReadError::Silent(tried)),
            },
            (found, _) => found,
        }
    }

    /// A visit whose way in is found.
    fn begin(
        engine: &'a Engine,
        access: &'a Access,
        (target, credential): (Target, usize),
        deadline: Instant,
        rows: Vec<snmp::VarBind>,
        known: Known,
    ) -> Self {
        let (said, witnesses) = proof::apart(rows);
        let makers = Makers::find(&said, Catalogue::current());
        let target = target.patience(PATIENCE.min(access.timeout / 2), 1);
        Self { engine, access, target, credential, deadline, said, witnesses, makers, quirks: Vec::new(), known }
    }

    pub(super) fn engine(&self) -> &Engine {
        self.engine
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.target.address
    }

    pub(super) fn version(&self) -> Version {
        self.target.security.version()
    }

    /// Asks standard tables, two groups under way at a time.
    pub(super) async fn ask_tables(&mut self, tables: &[Tables]) {
        for pair in tables.chunks(2) {
            let asked = (questions::columns(pair[0]), pair.get(1).map(|tables| questions::columns(*tables)));
            let (first, second) = tokio::join!(self.walk(&asked.0), async {
                match &asked.1 {
                    Some(columns) => self.walk(columns).await,
                    None => Answer::default(),
                }
            });
            self.keep(first);
            self.keep(second);
        }
        self.makers = Makers::find(&self.said, Catalogue::current());
    }

    /// Asks single objects.
    pub(super) async fn ask_objects(&mut self, objects: &[Oid]) {
        let answer = self.get_all(objects).await;
        self.keep(answer);
        self.makers = Makers::find(&self.said, Catalogue::current());
    }

    /// Asks the objects of the vendor's profile, and once more if the answer shows another vendor.
    pub(super) async fn ask_vendor(&mut self, depth: Depth) {
        for _ in 0..2 {
            let vendor = self.makers.brand.as_ref().map(|brand| brand.vendor.clone());
            let mut objects: Vec<Oid> =
                self.makers.iter().flat_map(|profile| questions::own_objects(profile, depth)).collect();
            if depth != Depth::Counters {
                objects.extend([oid::HP_DEVICE_ID.clone(), oid::PPM_DEVICE_ID.clone(), oid::ENGINE_ID.clone()]);
            }
            objects.retain(|object| self.said.get(object).is_none());
            let columns: Columns =
                self.makers.iter().flat_map(|profile| questions::own_columns(profile, depth)).collect();
            let (gets, walk) = tokio::join!(self.get_all(&objects), async {
                match columns.is_empty() {
                    true => Answer::default(),
                    false => self.walk(&columns).await,
                }
            });
            self.keep(gets);
            self.keep(walk);
            self.makers = Makers::find(&self.said, Catalogue::current());
            if self.makers.brand.as_ref().map(|brand| brand.vendor.clone()) == vendor {
                break;
            }
        }
    }

    /// Asks once more in the vendor's second context, where supplies or device id are missing.
    pub(super) async fn ask_context(&mut self) {
        let wanted = self.makers.iter().find_map(|profile| profile.needs_context.clone());
        let has_id = DeviceId::of(&self.said, self.makers.iter()) != DeviceId::default();
        let has_supplies = self.said.has(&oid::SUPPLY);
        let (Some(context), None, false) = (wanted, &self.access.context, has_id && has_supplies) else { return };
        if self.known.context == Context::Silent {
            return;
        }
        let retries = u8::from(matches!(self.known.context, Context::Answers(_)));
        let security = in_context(&self.target.security, Some(&context));
        let usual = std::mem::replace(&mut self.target, Target::new(self.access.address, security));
        self.target = self.target.clone().patience(CONTEXT_PATIENCE, retries);
        let mut objects = vec![oid::HP_DEVICE_ID.clone(), oid::PPM_DEVICE_ID.clone()];
        objects.extend(self.makers.iter().flat_map(|profile| questions::own_objects(profile, Depth::Identity)));
        objects.retain(|object| self.said.get(object).is_none());
        let answer = self.get_all(&objects).await;
        let heard = answer.failed.is_none();
        self.said.extend(answer.rows);
        if heard && !has_supplies {
            let walk = self.walk(&questions::columns(Tables::Supplies)).await;
            self.keep(walk);
        }
        self.target = usual;
        self.known.context = if heard { Context::Answers(context) } else { Context::Silent };
        self.makers = Makers::find(&self.said, Catalogue::current());
    }

    /// GETs of a bearable length; a GET that is refused is asked again in halves.
    pub(super) async fn get_all(&self, objects: &[Oid]) -> Answer {
        let mut answer = Answer::default();
        let mut waiting: Vec<&[Oid]> = objects.chunks(OBJECTS_A_GET).rev().collect();
        while let Some(part) = waiting.pop() {
            let request = self.engine.get(&self.target, part);
            match tokio::time::timeout_at(self.deadline, request).await {
                Ok(Ok(rows)) => answer.rows.extend(rows),
                Ok(Err(error)) if error.is_silence() || part.len() == 1 => answer.failed = Some(error.is_silence()),
                Ok(Err(_)) => {
                    let (head, tail) = part.split_at(part.len() / 2);
                    waiting.extend([tail, head]);
                }
                Err(_) => {
                    answer.failed = Some(true);
                    break;
                }
            }
            if answer.failed == Some(true) {
                break;
            }
        }
        answer
    }

    /// Walks columns together; when that fails, each half by itself, so that one bad table costs itself only.
    async fn walk(&self, columns: &[Oid]) -> Answer {
        let mut answer = self.walk_as_it_comes(columns).await;
        for column in std::mem::take(&mut answer.endless) {
            self.weed(&mut answer, &column).await;
        }
        answer
    }

    /// Keeps of a column without end the rows that a plain GET knows, too.
    async fn weed(&self, answer: &mut Answer, column: &Oid) {
        let (mut told, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut answer.rows).into_iter().partition(|row| row.oid.starts_with(column));
        answer.rows = rest;
        told.truncate(PROVED_ROWS);
        let rows: Vec<Oid> = told.into_iter().map(|row| row.oid).collect();
        for part in rows.chunks(OBJECTS_A_GET) {
            let real = self.get_all(part).await;
            answer.failed = answer.failed.max(real.failed);
            let before = answer.rows.len();
            answer.rows.extend(real.rows.into_iter().filter(|row| !row.value.is_missing()));
            if answer.rows.len() == before {
                break;
            }
        }
    }

    async fn walk_as_it_comes(&self, columns: &[Oid]) -> Answer {
        let mut answer = Answer::default();
        let bulk = if self.known.bulk == BulkTrust::Wrong { BulkUse::Never } else { BulkUse::Auto };
        let is_standard = columns.iter().all(|column| !column.starts_with(&oid::ENTERPRISES));
        let column_rows = if is_standard { COLUMN_ROWS } else { usize::MAX };
        let limits = WalkLimits { rows: 5_000, column_rows, exchanges: 400, bulk, ..WalkLimits::default() };
        let mut waiting = vec![columns];
        while let Some(part) = waiting.pop() {
            let request = self.engine.walk_columns(&self.target, part, &limits);
            match tokio::time::timeout_at(self.deadline, request).await {
                Ok(Ok(walk)) => answer.take(walk),
                Ok(Err(error)) => {
                    let lasting = matches!(error, Error::Unreachable { .. } | Error::Stopped { .. });
                    if part.len() == 1 || lasting {
                        answer.failed = Some(error.is_silence());
                        if !matches!(error, Error::ErrorStatus { .. }) {
                            answer.unfinished.extend_from_slice(part);
                        }
                    } else {
                        let (head, tail) = part.split_at(part.len() / 2);
                        waiting.extend([tail, head]);
                    }
                    if lasting {
                        break;
                    }
                }
                Err(_) => {
                    answer.failed = Some(true);
                    break;
                }
            }
        }
        answer
    }

    pub(super) fn keep(&mut self, answer: Answer) {
        // Whose last column alone is unfinished came to the end of its rows, and found there something else than it should.
        let open = |entry: &Oid, last: u32| {
            answer.unfinished.iter().any(|column| column.starts_with(entry) && *column != entry.child(last))
        };
        if open(&oid::ALERT, 9) {
            self.quirks.push(ALERTS_NOT_TOLD.to_owned());
        }
        if open(&oid::SUPPLY, 9) {
            self.quirks.push(SUPPLIES_NOT_TOLD.to_owned());
        }
        self.said.extend(answer.rows);
        self.quirks.extend(answer.quirks);
        match answer.failed {
            Some(true) if Instant::now() >= self.deadline => {
                self.quirks.push("reading-cut-short-by-time-out".to_owned())
            }
            Some(true) => self.quirks.push("tables-not-answered".to_owned()),
            Some(false) => self.quirks.push("tables-refused".to_owned()),
            None => {}
        }
    }

    /// Chooses the profiles by an earlier reading, where the opening packet alone tells less.
    pub(super) fn take_makers_from(&mut self, known: &Known) {
        let catalogue = Catalogue::current();
        let brand = known.vendor.as_deref().and_then(|vendor| catalogue.of_vendor(vendor));
        if let Some(brand) =
            brand.filter(|brand| self.makers.brand.as_ref().is_none_or(|now| now.vendor != brand.vendor))
        {
            self.makers = Makers::of(brand, &self.said, catalogue);
        }
    }

    /// The name on a device stands in a text. While that is not told, the maker behind it keeps the name that was.
    fn keep_brand(&mut self) {
        if self.said.get(&oid::SYS_DESCR).is_some() {
            return;
        }
        let catalogue = Catalogue::current();
        let before = self.known.vendor.as_deref().and_then(|vendor| catalogue.of_vendor(vendor));
        let Some(before) = before.map(|brand| Makers::of(brand, &self.said, catalogue)) else { return };
        let now = self.makers.brand.as_ref().map(|brand| &brand.vendor);
        if now.is_none() || now == before.maker.as_ref().map(|maker| &maker.vendor) {
            self.makers = before;
        }
    }

    /// One GET by the way that worked before, with one retry; nothing else is tried. Without an earlier reading the
    /// way is found first.
    pub(super) async fn ask_once(
        engine: &Engine,
        access: &Access,
        known: &Known,
        objects: &[Oid],
    ) -> Result<Snapshot, ReadError> {
        let started = Instant::now();
        if known.version.is_none() {
            let session = Session::open(engine, access, known).await?;
            let mut said = session.said.clone();
            said.extend(session.get_all(objects).await.rows);
            return Ok(said);
        }
        let mut ways = ways(access, known)?;
        ways.truncate(1);
        let security = in_context(&ways[0].security, access.context.as_deref());
        let target = Target::new(access.address, security).patience(PATIENCE.min(access.timeout / 2), 1);
        let silent = || ReadError::Silent(tried(access, &ways, started.elapsed()));
        match tokio::time::timeout(access.timeout, engine.get(&target, objects)).await {
            Ok(Ok(rows)) => Ok(rows.into_iter().collect()),
            Ok(Err(Error::Timeout { .. })) | Err(_) => Err(silent()),
            Ok(Err(source)) => {
                let tried = || tried(access, &ways, started.elapsed());
                let source = Box::new(final_failure(source, tried)?);
                Err(ReadError::Refused { tried: tried(), source })
            }
        }
    }

    /// What came of the visit.
    pub(super) fn close(mut self) -> (Snapshot, Makers, Origin, Known) {
        self.keep_brand();
        let mut known = self.known;
        let version = match self.target.security.version() {
            Version::V1 => SnmpVersion::V1,
            Version::V2c => SnmpVersion::V2c,
            Version::V3 => SnmpVersion::V3,
        };
        (known.version, known.credential) = (Some(version), self.credential);
        let uptime = self.said.number(&oid::SYS_UP_TIME);
        known.boot_ms = uptime.map(|ticks| crate::time::now_ms() - ticks * 10).map(|now| match known.boot_ms {
            Some(before) if (before - now).abs() < SAME_BOOT_MS => before,
            _ => now,
        });
        let origin = Origin {
            address: self.access.address.ip().to_string(),
            port: self.access.address.port(),
            version,
            boot_ms: known.boot_ms,
            quirks: self.quirks,
        };
        (self.said, self.makers, origin, known)
    }
}

/// What a question brought.
#[derive(Default)]
pub(super) struct Answer {
    rows: Vec<snmp::VarBind>,
    quirks: Vec<String>,
    /// Something was not answered: `true` by silence, `false` by refusal.
    failed: Option<bool>,
    /// Columns of which rows may be missing.
    unfinished: Vec<Oid>,
    /// Columns that have no end.
    endless: Vec<Oid>,
}

impl Answer {
    pub(super) fn into_rows(self) -> Vec<snmp::VarBind> {
        self.rows
    }

    fn take(&mut self, walk: Walk) {
        self.rows.extend(walk.rows);
        self.quirks.extend(walk.quirks.iter().map(|quirk| quirk.name().to_owned()));
        self.unfinished.extend(walk.unfinished);
        self.endless.extend(walk.endless);
        if walk.incomplete {
            self.failed = Some(self.failed.unwrap_or(false));
        }
    }
}

/// Failures that no other way in would mend are the answer; the rest are handed back.
fn final_failure(error: Error, tried: impl Fn() -> Tried) -> Result<Error, ReadError> {
    match error {
        Error::Unreachable { .. } => Err(ReadError::Closed(tried())),
        Error::Busy { .. } | Error::Stopped { .. } | Error::Socket { .. } => Err(ReadError::Engine(Box::new(error))),
        other => Ok(other),
    }
}
