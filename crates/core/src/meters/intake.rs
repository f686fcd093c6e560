//! What counters do to meters: tracks go on, segments begin, readings are kept, sums grow.
//! Readings in order are handled in memory; a late one is fitted between its neighbours (`late.rs`).

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::tz::TimeZone;
use serde_json::json;
use store::{Tx, Value, params};
use wire::report::CountersBody;

use super::calendar::{Grain, HOUR};
use super::rules::{Reason, Role, Step, Track, Words, roles, step};
use super::{late, sql};
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
pub(super) struct Late {
    pub(super) device: DeviceId,
    pub(super) meter: i64,
    pub(super) at: i64,
    pub(super) value: i64,
    pub(super) offset_ms: i64,
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
            self.assign_roles(device);
        }
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
        let track = Track {
            segment: 1,
            reason: Reason::Start,
            segment_at: when,
            first: value,
            last: value,
            last_at: when,
            before: None,
            suspect: None,
        };
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
        let (id, segment) = (held.id, held.track.segment);
        match step(&held.track, when, value) {
            Step::Late => self.late.push(Late { device, meter: id, at: when, value, offset_ms }),
            // Nothing new within the hour: the value stands, only its age changes.
            Step::Grown(0) if (when - 1).div_euclid(HOUR) == (held.track.last_at - 1).div_euclid(HOUR) => {
                (held.read_at, held.quality, held.track.suspect) = (held.read_at.max(when), "actual", None);
                self.dirty.insert((device, id));
            }
            Step::Grown(delta) => {
                (held.track.last, held.track.last_at, held.track.suspect) = (value, when, None);
                (held.read_at, held.quality) = (held.read_at.max(when), "actual");
                self.dirty.insert((device, id));
                self.keep(id, value, when, "actual", segment, offset_ms);
                self.count(device, id, when, delta);
            }
            Step::Segment { reason, opening, delta } => {
                self.part(fleet, at, place, (reason, opening, delta), (value, when, offset_ms));
            }
            Step::Suspect => {
                (held.track.suspect, held.read_at, held.quality) =
                    (Some((value, when)), held.read_at.max(when), "suspect");
                self.dirty.insert((device, id));
                self.keep(id, value, when, "suspect", segment, offset_ms);
                let data = json!({ "device": device, "meter": id, "value": value, "rule": "jump" });
                fleet.note(at, when, "meter_suspected", &data, None);
                fleet.events.push(("meter.reading.suspected", "device", device.to_string(), data));
            }
        }
    }

    /// Closes the present segment and begins the next.
    fn part(&mut self, fleet: &mut Fleet, at: usize, place: usize, to: (Reason, i64, i64), read: (i64, i64, i64)) {
        let ((reason, opening, delta), (value, when, offset_ms)) = (to, read);
        let device = fleet.get(at).id;
        let held = &mut self.meters.entry(device).or_default()[place];
        let (id, old) = (held.id, held.track.clone());
        self.segments.push(
            params![
                self.tenant,
                device,
                id,
                old.segment,
                old.reason.as_str(),
                old.segment_at,
                old.first,
                old.last_at,
                old.last
            ]
            .into(),
        );
        held.track = Track {
            segment: old.segment + 1,
            reason,
            segment_at: when,
            first: opening,
            last: value,
            last_at: when,
            before: Some(old.last),
            suspect: None,
        };
        (held.read_at, held.quality) = (held.read_at.max(when), "actual");
        let data = json!({
            "device": device, "meter": id, "function": held.key.function, "color": held.key.color,
            "reason": reason.as_str(), "last_value": old.last, "first_value": value,
        });
        self.dirty.insert((device, id));
        self.keep(id, value, when, "actual", old.segment + 1, offset_ms);
        self.count(device, id, when, delta);
        fleet.note(at, when, "meter_segment", &data, None);
        fleet.events.push(("meter.segment.started", "device", device.to_string(), data));
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

    fn assign_roles(&mut self, device: DeviceId) {
        let Some(meters) = self.meters.get_mut(&device) else { return };
        let words: Vec<Words<'_>> = meters.iter().map(|held| held.key.words()).collect();
        let roles: Vec<Option<&str>> = roles(&words).into_iter().map(|role| role.map(Role::as_str)).collect();
        for (held, role) in meters.iter_mut().zip(roles) {
            if held.role.as_deref() != role {
                held.role = role.map(str::to_owned);
                self.dirty.insert((device, held.id));
            }
        }
    }

    /// Writes everything, then fits late readings in; the pages of the devices are summed last.
    pub(crate) async fn flush(mut self, tx: &mut Tx) -> Result<()> {
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
        let writes: [(&store::Sql, Vec<Vec<Value>>); 4] = [
            (&sql::SEGMENT, self.segments),
            (&sql::UPSERT, tracks),
            (&sql::READING, readings),
            (&sql::USAGE, usage.collect()),
        ];
        for (statement, rows) in writes {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        for late in &self.late {
            late::fit(tx, tenant, &self.zone, self.now, late).await?;
        }
        let month = Grain::Month.bucket(self.now.0, &self.zone);
        let pages: Vec<Vec<Value>> = self.touched.iter().map(|device| params![tenant, *device, month].into()).collect();
        if !pages.is_empty() {
            tx.many(&sql::PAGES, pages).await?;
        }
        Ok(())
    }
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
