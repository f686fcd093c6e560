//! What counters do to meters: tracks go on, segments begin, readings are kept, sums grow.
//! Readings in order are handled in memory; after a late one all since then is reckoned anew (`refit.rs`).

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::tz::TimeZone;
use serde_json::json;
use store::{Tx, Value, params};
use wire::report::CountersBody;

use super::calendar::{Grain, HOUR};
use super::rules::{Role, Words, conflict, roles};
use super::track::{Effect, Fault, Reason, Stretch, Track};
use super::{refit, sql};
use crate::devices::DeviceId;
use crate::devices::fold::clean;
use crate::devices::intake::{Fleet, chunks};
use crate::error::Result;
use crate::{Micros, OrgId};

/// The words that make a meter one and the same, and where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MeterKey {
    pub(super) function: String,
    pub(super) color: String,
    pub(super) size: String,
    pub(super) sides: String,
    pub(super) unit: String,
    pub(super) source: String,
}

impl MeterKey {
    pub(super) fn words(&self) -> Words<'_> {
        Words {
            function: &self.function,
            color: &self.color,
            size: &self.size,
            sides: &self.sides,
            unit: &self.unit,
            source: &self.source,
        }
    }
}

/// A meter as it stands.
#[derive(Clone, Debug)]
struct Held {
    id: i64,
    key: MeterKey,
    name: Option<String>,
    role: Option<String>,
    track: Track,
    read_at: i64,
    quality: &'static str,
}

/// A reading older than what is known.
struct Late {
    device: DeviceId,
    meter: i64,
    at: i64,
    value: i64,
    offset_ms: i64,
}

/// A fault of a counter, for [`crate::doubts`].
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) device: DeviceId,
    pub(crate) meter: i64,
    /// Whether it counts towards all pages of the device.
    pub(crate) leads: bool,
    pub(crate) fault: Fault,
}

/// Two totals of a device that grew apart.
#[derive(Clone, Debug)]
pub(crate) struct Conflicting {
    pub(crate) device: DeviceId,
    pub(crate) data: serde_json::Value,
    pub(crate) at: i64,
    /// Pages that the maker's own total counted more.
    pub(crate) apart: i64,
}

/// What a flush leaves to be told.
#[derive(Default)]
pub(crate) struct Flushed {
    pub(crate) faults: Vec<Found>,
    pub(crate) conflicts: Vec<Conflicting>,
    pub(crate) refitted: Vec<refit::Refitted>,
}

/// Meters of the devices of one report.
pub(crate) struct Book {
    tenant: OrgId,
    zone: TimeZone,
    now: Micros,
    next_id: i64,
    meters: HashMap<DeviceId, Vec<Held>>,
    dirty: HashSet<(DeviceId, i64)>,
    touched: HashSet<DeviceId>,
    segments: Vec<Vec<Value>>,
    readings: Vec<(i64, i64, Vec<Value>)>,
    promoted: Vec<Vec<Value>>,
    faults: Vec<Found>,
    conflicts: Vec<Conflicting>,
    usage: BTreeMap<(DeviceId, i64, i64, i64), (i64, i64)>,
    late: Vec<Late>,
}

/// The zone of an organisation; UTC when it is not there.
pub(crate) async fn zone_of(tx: &mut Tx, tenant: OrgId) -> Result<TimeZone> {
    let row = tx.query_opt(&sql::ZONE, &params![tenant]).await?;
    let name: Option<String> = row.map(|row| row.get(0)).transpose()?;
    Ok(super::calendar::zone(name.as_deref().unwrap_or("UTC")))
}

impl Book {
    /// Loads the meters of these devices. `seed`: from where ids of new meters are counted.
    pub(crate) async fn load(tx: &mut Tx, tenant: OrgId, devices: &[DeviceId], now: Micros, seed: i64) -> Result<Self> {
        let zone = if devices.is_empty() { TimeZone::UTC } else { zone_of(tx, tenant).await? };
        let mut book = Self {
            tenant,
            zone,
            now,
            next_id: seed,
            meters: HashMap::new(),
            dirty: HashSet::new(),
            touched: HashSet::new(),
            segments: Vec::new(),
            readings: Vec::new(),
            promoted: Vec::new(),
            faults: Vec::new(),
            conflicts: Vec::new(),
            usage: BTreeMap::new(),
            late: Vec::new(),
        };
        let ids: Vec<String> = devices.iter().map(ToString::to_string).collect();
        for row in chunks(tenant, &ids) {
            for row in tx.query(&sql::LOAD, &row).await? {
                book.meters.entry(row.get(0)?).or_default().push(read(&row)?);
            }
        }
        Ok(book)
    }

    /// Takes over the counters of a device.
    pub(crate) fn take(&mut self, fleet: &mut Fleet, at: usize, body: &CountersBody, when: i64, offset_ms: i64) {
        let device = fleet.get(at).id;
        let (mut fresh, mut recorded, mut total) = (false, 0_u32, None);
        for meter in &body.meters {
            let key = MeterKey {
                function: meter.function.as_str().into(),
                color: meter.color.as_str().into(),
                size: meter.size.as_str().into(),
                sides: meter.sides.as_str().into(),
                unit: meter.unit.as_str().into(),
                source: clean(Some(&meter.source)).unwrap_or_default(),
            };
            // Checked when the message was: values beyond i64 never come here.
            let value = i64::try_from(meter.value).unwrap_or(i64::MAX / 4);
            let known = self.meters.entry(device).or_default().iter().position(|held| held.key == key);
            match known {
                Some(place) => self.go_on(fleet, at, place, value, when, offset_ms),
                None => {
                    self.begin(device, key, clean(meter.name.as_deref()), value, when, offset_ms);
                    fresh = true;
                }
            }
            recorded += 1;
        }
        if fresh {
            let billed = fleet.get(at).bill_source.clone();
            self.assign_roles(device, billed.as_deref());
        }
        self.compare_totals(device, when);
        for held in self.meters.entry(device).or_default().iter().filter(|held| held.role.as_deref() == Some("total")) {
            total = Some(total.unwrap_or(0) + held.track.last);
        }
        if total.is_some() {
            fleet.get_mut(at).pages_life = total;
        }
        self.touched.insert(device);
        if recorded > 0 {
            let data = json!({ "device": device, "taken_at": Micros(when), "count": recorded, "total": total });
            fleet.events.push(("meter.reading.recorded", "device", device.to_string(), data));
        }
    }

    fn begin(&mut self, device: DeviceId, key: MeterKey, name: Option<String>, value: i64, when: i64, offset_ms: i64) {
        self.next_id += 1;
        let id = self.next_id;
        let track = Track::start(when, value);
        self.meters.entry(device).or_default().push(Held {
            id,
            key,
            name,
            role: None,
            track,
            read_at: when,
            quality: "actual",
        });
        self.dirty.insert((device, id));
        self.keep(id, value, when, "actual", 1, offset_ms);
        self.count(device, id, when, 0);
    }

    fn go_on(&mut self, fleet: &mut Fleet, at: usize, place: usize, value: i64, when: i64, offset_ms: i64) {
        let device = fleet.get(at).id;
        let held = &mut self.meters.entry(device).or_default()[place];
        let (id, before) = (held.id, held.track.clone());
        let effects = held.track.advance(when, value, &[]);
        if matches!(effects[..], [Effect::Late]) {
            self.late.push(Late { device, meter: id, at: when, value, offset_ms });
            return;
        }
        held.read_at = held.read_at.max(when);
        held.quality = if held.track.suspect.is_some() { "suspect" } else { "actual" };
        self.dirty.insert((device, id));
        // Nothing new within the hour: the value stands, only its age changes.
        let quiet = before.suspect.is_none() && (when - 1).div_euclid(HOUR) == (before.last_at - 1).div_euclid(HOUR);
        if let ([Effect::Took { delta: 0, .. }], true) = (&effects[..], quiet) {
            held.track.last_at = before.last_at;
            return;
        }
        let leads = held.role.as_deref() == Some("total");
        for effect in effects {
            match effect {
                Effect::Took { at, value, segment, delta } => {
                    self.keep(id, value, at, "actual", segment, offset_ms);
                    self.count(device, id, at, delta);
                }
                Effect::Aside { at, value, segment } => {
                    self.keep(id, value, at, "suspect", segment, offset_ms);
                }
                Effect::Promoted { at, segment, delta } => {
                    self.promoted.push(params![self.tenant, id, at, segment].into());
                    self.count(device, id, at, delta);
                }
                Effect::Closed(stretch) => self.segments.push(closed(self.tenant, device, id, &stretch)),
                Effect::Fault(fault) => self.faults.push(Found { device, meter: id, leads, fault }),
                Effect::Late => {}
            }
        }
        self.tell(fleet, at, place, &before, when);
    }

    /// Tells what happened to a counter beside that it went on.
    fn tell(&mut self, fleet: &mut Fleet, at: usize, place: usize, before: &Track, when: i64) {
        let device = fleet.get(at).id;
        let held = &self.meters.entry(device).or_default()[place];
        let (id, track) = (held.id, &held.track);
        if track.segment != before.segment {
            let data = json!({
                "device": device, "meter": id, "function": held.key.function, "color": held.key.color,
                "reason": track.reason.as_str(), "last_value": before.last, "first_value": track.last,
            });
            fleet.note(at, when, "meter_segment", &data, None);
            fleet.events.push(("meter.segment.started", "device", device.to_string(), data));
        }
        // One line for a stretch of values that are not believed, not one for each.
        if let Some((value, _)) = track.suspect.filter(|_| before.suspect.is_none()) {
            let rule = if value < track.last { "fell" } else { "jump" };
            let data = json!({ "device": device, "meter": id, "value": value, "last_value": track.last, "rule": rule });
            fleet.note(at, when, "meter_suspected", &data, None);
            fleet.events.push(("meter.reading.suspected", "device", device.to_string(), data));
        }
    }

    /// Whether the standard total and a maker's own still tell one truth.
    fn compare_totals(&mut self, device: DeviceId, when: i64) {
        let Some(meters) = self.meters.get(&device) else { return };
        let words: Vec<Words<'_>> = meters.iter().map(|held| held.key.words()).collect();
        let since = meters.iter().find(|held| held.role.as_deref() == Some("total")).map(|held| held.track.segment_at);
        let alike = |held: &&Held| Some(held.track.segment_at) == since && held.track.suspect.is_none();
        let grown: Vec<Option<i64>> =
            meters.iter().map(|held| Some(held).filter(alike).map(|held| held.track.last - held.track.first)).collect();
        let Some(found) = conflict(&words, &grown) else { return };
        let side = |place: usize| {
            let held: &Held = &meters[place];
            json!({ "meter": held.id, "source": held.key.source, "value": held.track.last, "grown": grown[place] })
        };
        let at = meters[found.standard].track.segment_at;
        let data = json!({
            "standard": side(found.standard), "private": side(found.private), "apart": found.apart,
            "since": Micros(at), "seen_at": Micros(when),
        });
        self.conflicts.push(Conflicting { device, data, at, apart: found.apart });
    }

    fn keep(&mut self, meter: i64, value: i64, when: i64, quality: &str, segment: i64, offset_ms: i64) {
        let month = Micros(when).month();
        let row = params![self.tenant, month, meter, when, value, quality, segment, self.now, offset_ms];
        self.readings.push((meter, when, row.into()));
    }

    fn count(&mut self, device: DeviceId, meter: i64, when: i64, delta: i64) {
        for grain in Grain::STORED {
            let bucket = grain.bucket(when, &self.zone);
            let sum = self.usage.entry((device, grain.number(), bucket, meter)).or_default();
            *sum = (sum.0 + delta, sum.1 + 1);
        }
    }

    fn assign_roles(&mut self, device: DeviceId, billed: Option<&str>) {
        let Some(meters) = self.meters.get_mut(&device) else { return };
        let words: Vec<Words<'_>> = meters.iter().map(|held| held.key.words()).collect();
        let roles: Vec<Option<&str>> = roles(&words, billed).into_iter().map(|role| role.map(Role::as_str)).collect();
        for (held, role) in meters.iter_mut().zip(roles) {
            if held.role.as_deref() != role {
                held.role = role.map(str::to_owned);
                self.dirty.insert((device, held.id));
            }
        }
    }

    /// Writes everything, then reckons anew where readings came late; the pages of the devices are summed last.
    pub(crate) async fn flush(mut self, tx: &mut Tx) -> Result<Flushed> {
        let tenant = self.tenant;
        let mut tracks: Vec<Vec<Value>> = Vec::with_capacity(self.dirty.len());
        for (device, held) in self.meters.iter().flat_map(|(device, all)| all.iter().map(move |held| (device, held))) {
            if self.dirty.contains(&(*device, held.id)) {
                tracks.push(row(tenant, *device, held));
            }
        }
        self.readings.sort_unstable_by_key(|(meter, at, _)| (*meter, *at));
        let readings = self.readings.into_iter().map(|(_, _, row)| row).collect();
        let usage = self.usage.iter().map(|((device, grain, bucket, meter), (delta, count))| {
            Vec::from(params![tenant, *device, *grain, *bucket, *meter, *delta, *count])
        });
        let writes: [(&store::Sql, Vec<Vec<Value>>); 5] = [
            (&sql::SEGMENT, self.segments),
            (&sql::UPSERT, tracks),
            (&sql::READING, readings),
            (&sql::PROMOTE, self.promoted),
            (&sql::USAGE, usage.collect()),
        ];
        for (statement, rows) in writes {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        let refitted = take_late(tx, tenant, &self.zone, self.now, &self.late).await?;
        let month = Grain::Month.bucket(self.now.0, &self.zone);
        let pages: Vec<Vec<Value>> = self.touched.iter().map(|device| params![tenant, *device, month].into()).collect();
        if !pages.is_empty() {
            tx.many(&sql::PAGES, pages).await?;
        }
        Ok(Flushed { faults: self.faults, conflicts: self.conflicts, refitted })
    }
}

/// Keeps late readings, then reckons each of their counters anew from the earliest.
async fn take_late(
    tx: &mut Tx,
    tenant: OrgId,
    zone: &TimeZone,
    now: Micros,
    all: &[Late],
) -> Result<Vec<refit::Refitted>> {
    let mut earliest: BTreeMap<(DeviceId, i64), i64> = BTreeMap::new();
    for late in all {
        let month = Micros(late.at).month();
        // What has not found its place counts for nothing.
        let row = params![tenant, month, late.meter, late.at, late.value, "suspect", 0_i64, now, late.offset_ms];
        if tx.execute(&sql::READING, &row).await? > 0 {
            let from = earliest.entry((late.device, late.meter)).or_insert(late.at);
            *from = late.at.min(*from);
        }
    }
    let mut refitted = Vec::new();
    for ((device, meter), from) in earliest {
        refitted.push(refit::refit(tx, tenant, zone, (device, meter), from).await?);
    }
    Ok(refitted)
}

pub(super) fn closed(tenant: OrgId, device: DeviceId, meter: i64, stretch: &Stretch) -> Vec<Value> {
    params![
        tenant,
        device,
        meter,
        stretch.no,
        stretch.reason.as_str(),
        stretch.from_at,
        stretch.first,
        stretch.last_at,
        stretch.last
    ]
    .into()
}

fn read(row: &store::Row) -> Result<Held> {
    let suspect: (Option<i64>, Option<i64>) = (row.get(19)?, row.get(20)?);
    Ok(Held {
        id: row.get(1)?,
        key: MeterKey {
            function: row.get(2)?,
            color: row.get(3)?,
            size: row.get(4)?,
            sides: row.get(5)?,
            unit: row.get(6)?,
            source: row.get(7)?,
        },
        name: row.get(8)?,
        role: row.get(9)?,
        track: Track {
            segment: row.get(10)?,
            reason: Reason::from_word(&row.get::<String>(11)?),
            segment_at: row.get(12)?,
            first: row.get(13)?,
            last: row.get(14)?,
            last_at: row.get(15)?,
            before: row.get(18)?,
            suspect: suspect.0.zip(suspect.1),
        },
        read_at: row.get(16)?,
        quality: if row.get::<String>(17)? == "suspect" { "suspect" } else { "actual" },
    })
}

fn row(tenant: OrgId, device: DeviceId, held: &Held) -> Vec<Value> {
    let (key, track) = (&held.key, &held.track);
    params![
        tenant,
        device,
        held.id,
        &key.function,
        &key.color,
        &key.size,
        &key.sides,
        &key.unit,
        &key.source,
        held.name.as_ref(),
        held.role.as_ref(),
        track.segment,
        track.reason.as_str(),
        track.segment_at,
        track.first,
        track.last,
        track.last_at,
        held.read_at,
        held.quality,
        track.before,
        track.suspect.map(|s| s.0),
        track.suspect.map(|s| s.1)
    ]
    .into()
}
