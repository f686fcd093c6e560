//! Reckons a counter anew from a moment on: after a late reading, a decision of a person, a merger of two devices.
//! The result is that of the same readings in order; only differences are written, so that what is older stays.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use store::{Row, Tx, Value, params};

use super::calendar::Grain;
use super::intake::{Found, closed};
use super::sql;
use super::track::{Decided, Effect, Fault, Reason, Stretch, Track};
use crate::OrgId;
use crate::devices::DeviceId;
use crate::error::{Error, Result};

/// What a new reckoning found.
#[derive(Clone, Debug)]
pub(crate) struct Refitted {
    pub(crate) device: DeviceId,
    pub(crate) meter: i64,
    /// Borders after this moment were looked at.
    pub(crate) since: i64,
    /// The faults that stand.
    pub(crate) faults: Vec<Found>,
}

/// A reading as it is kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    at: i64,
    value: i64,
    believed: bool,
    segment: i64,
}

fn kept(row: &Row) -> Result<Kept> {
    let quality: String = row.get(3)?;
    Ok(Kept { at: row.get(0)?, value: row.get(1)?, segment: row.get(2)?, believed: quality != "suspect" })
}

/// Where the new reckoning begins.
enum Anchor {
    /// Behind this reading, with the counter as it stood then.
    At(Kept, Track),
    /// With the first reading of all.
    Start,
}

/// Change of usage and of the number of readings, by the time of a reading.
type Changes = BTreeMap<i64, (i64, i64)>;

/// Reckons the counter `of` (device and meter) anew from `from` on.
pub(crate) async fn refit(
    tx: &mut Tx,
    tenant: OrgId,
    zone: &TimeZone,
    of: (DeviceId, i64),
    from: i64,
) -> Result<Refitted> {
    let (device, meter) = of;
    let stored = segments(tx, tenant, of).await?;
    let decided = crate::doubts::decided(tx, tenant, device, meter).await?;
    let (anchor, readings) = load(tx, tenant, meter, from, &stored).await?;
    let since = if let Anchor::At(kept, _) = &anchor { kept.at } else { i64::MIN };
    let mut changes = old_usage(&anchor, &readings, &stored);
    let mut replay = Replay::default();
    let track = replay.run(anchor, &readings, &decided, &mut changes);
    let Some(track) = track else { return Ok(Refitted { device, meter, since, faults: Vec::new() }) };
    write(tx, tenant, of, &track, &replay, &readings).await?;
    write_usage(tx, tenant, zone, of, &changes).await?;
    let leads = leads(tx, tenant, of).await?;
    let faults = replay.faults.into_iter().map(|fault| Found { device, meter, leads, fault }).collect();
    Ok(Refitted { device, meter, since, faults })
}

async fn segments(tx: &mut Tx, tenant: OrgId, (device, meter): (DeviceId, i64)) -> Result<Vec<Stretch>> {
    let rows = tx.query(&sql::SEGMENTS, &params![tenant, device]).await?;
    let of_meter = rows.iter().filter(|row| row.get::<i64>(0).is_ok_and(|found| found == meter));
    of_meter
        .map(|row| {
            Ok(Stretch {
                no: row.get(1)?,
                reason: Reason::from_word(&row.get::<String>(2)?),
                from_at: row.get(3)?,
                first: row.get(4)?,
                last_at: row.get(5)?,
                last: row.get(6)?,
            })
        })
        .collect()
}

async fn load(tx: &mut Tx, tenant: OrgId, meter: i64, from: i64, stored: &[Stretch]) -> Result<(Anchor, Vec<Kept>)> {
    let mut until = from;
    let before = loop {
        let row = tx.query_opt(&sql::BEFORE, &params![tenant, meter, until]).await?;
        let Some(kept) = row.as_ref().map(kept).transpose()? else { break None };
        if !waited(&kept, stored) {
            break Some(kept);
        }
        until = kept.at;
    };
    let since = before.map_or(i64::MIN, |kept| kept.at);
    let rows = tx.query(&sql::READINGS_AFTER, &params![tenant, meter, since]).await?;
    let readings = rows.iter().map(kept).collect::<Result<Vec<_>>>()?;
    if let Some(before) = before {
        return Ok((Anchor::At(before, track_at(before, stored)?), readings));
    }
    let Some(place) = readings.iter().position(|kept| kept.believed) else { return Ok((Anchor::Start, readings)) };
    let oldest = readings[place];
    let whole = stored.first().is_some_and(|first| {
        first.no == 1 && first.reason == Reason::Start && first.first == oldest.value && oldest.segment == 1
    });
    if whole {
        return Ok((Anchor::Start, readings));
    }
    // What was before the oldest kept reading is no longer known; its sums stay as they are.
    let track = track_at(oldest, stored)?;
    Ok((Anchor::At(oldest, track), readings[place + 1..].to_vec()))
}

/// Whether a reading begins a segment, and so was believed only because of one that came after it.
fn waited(kept: &Kept, stored: &[Stretch]) -> bool {
    let segment = stored.iter().find(|stretch| stretch.no == kept.segment && stretch.no > 1);
    segment.is_some_and(|stretch| stretch.from_at == kept.at && stretch.reason != Reason::Resumed)
}

/// The counter as it stood at a believed reading.
fn track_at(kept: Kept, stored: &[Stretch]) -> Result<Track> {
    let segment = stored.iter().find(|stretch| stretch.no == kept.segment);
    let segment = segment.ok_or_else(|| Error::internal("a reading names a segment that is not there"))?;
    let before = stored.iter().find(|stretch| stretch.no == kept.segment - 1).map(|stretch| stretch.last);
    Ok(Track {
        segment: segment.no,
        reason: segment.reason,
        segment_at: segment.from_at,
        first: segment.first,
        last: kept.value,
        last_at: kept.at,
        before,
        suspect: None,
    })
}

/// What the readings counted until now, to be taken back.
fn old_usage(anchor: &Anchor, readings: &[Kept], stored: &[Stretch]) -> Changes {
    let mut last: BTreeMap<i64, i64> = stored.iter().map(|stretch| (stretch.no, stretch.first)).collect();
    if let Anchor::At(kept, _) = anchor {
        last.insert(kept.segment, kept.value);
    }
    let mut changes = Changes::new();
    for kept in readings.iter().filter(|kept| kept.believed) {
        let before = last.insert(kept.segment, kept.value).unwrap_or(kept.value);
        let change = changes.entry(kept.at).or_default();
        *change = (change.0 - (kept.value - before), change.1 - 1);
    }
    changes
}

#[derive(Default)]
struct Replay {
    closed: Vec<Stretch>,
    faults: Vec<Fault>,
    /// Segment of each believed reading by its time; `None` with the segment of those that are not.
    marks: BTreeMap<i64, (bool, i64)>,
}

impl Replay {
    fn run(&mut self, anchor: Anchor, readings: &[Kept], decided: &[Decided], changes: &mut Changes) -> Option<Track> {
        let (mut track, rest) = match anchor {
            Anchor::At(_, track) => (track, readings),
            Anchor::Start => {
                let (first, rest) = readings.split_first()?;
                self.believe(first.at, 1, 0, changes);
                (Track::start(first.at, first.value), rest)
            }
        };
        for kept in rest {
            for effect in track.advance(kept.at, kept.value, decided) {
                match effect {
                    Effect::Took { at, segment, delta, .. } | Effect::Promoted { at, segment, delta } => {
                        self.believe(at, segment, delta, changes);
                    }
                    Effect::Aside { at, segment, .. } => {
                        self.marks.insert(at, (false, segment));
                    }
                    Effect::Closed(stretch) => self.closed.push(stretch),
                    Effect::Fault(fault) => self.faults.push(fault),
                    Effect::Late => {}
                }
            }
        }
        Some(track)
    }

    fn believe(&mut self, at: i64, segment: i64, delta: i64, changes: &mut Changes) {
        self.marks.insert(at, (true, segment));
        let change = changes.entry(at).or_default();
        *change = (change.0 + delta, change.1 + 1);
    }
}

async fn write(
    tx: &mut Tx,
    tenant: OrgId,
    (device, meter): (DeviceId, i64),
    track: &Track,
    replay: &Replay,
    readings: &[Kept],
) -> Result<()> {
    let first = replay.closed.first().map_or(track.segment, |stretch| stretch.no);
    tx.execute(&sql::DROP_SEGMENTS, &params![tenant, device, meter, first]).await?;
    let rows: Vec<Vec<Value>> = replay.closed.iter().map(|stretch| closed(tenant, device, meter, stretch)).collect();
    if !rows.is_empty() {
        tx.many(&sql::SEGMENT, rows).await?;
    }
    let newest = readings.last().map_or(track.last_at, |kept| kept.at);
    let values = params![
        tenant,
        device,
        meter,
        track.segment,
        track.reason.as_str(),
        track.segment_at,
        track.first,
        track.last,
        track.last_at,
        newest,
        if track.suspect.is_some() { "suspect" } else { "actual" },
        track.before,
        track.suspect.map(|s| s.0),
        track.suspect.map(|s| s.1)
    ];
    tx.execute(&sql::RETRACK, &values).await?;
    let mut marks: Vec<Vec<Value>> = Vec::new();
    for kept in readings {
        let Some((believed, segment)) = replay.marks.get(&kept.at).copied() else { continue };
        if (believed, segment) != (kept.believed, kept.segment) {
            let quality = if believed { "actual" } else { "suspect" };
            marks.push(params![tenant, meter, kept.at, segment, quality].into());
        }
    }
    if !marks.is_empty() {
        tx.many(&sql::MARK, marks).await?;
    }
    Ok(())
}

async fn write_usage(
    tx: &mut Tx,
    tenant: OrgId,
    zone: &TimeZone,
    (device, meter): (DeviceId, i64),
    changes: &Changes,
) -> Result<()> {
    let mut sums: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    for (at, (delta, count)) in changes.iter().filter(|(_, change)| **change != (0, 0)) {
        for grain in Grain::STORED {
            let sum = sums.entry((grain.number(), grain.bucket(*at, zone))).or_default();
            *sum = (sum.0 + delta, sum.1 + count);
        }
    }
    let rows: Vec<Vec<Value>> = sums
        .iter()
        .filter(|(_, sum)| **sum != (0, 0))
        .map(|((grain, bucket), (delta, count))| params![tenant, device, *grain, *bucket, meter, *delta, *count].into())
        .collect();
    if !rows.is_empty() {
        tx.many(&sql::USAGE, rows).await?;
        tx.execute(&sql::DROP_EMPTY_USAGE, &params![tenant, device, meter]).await?;
    }
    Ok(())
}

/// Whether a counter counts towards all pages of its device.
async fn leads(tx: &mut Tx, tenant: OrgId, (device, meter): (DeviceId, i64)) -> Result<bool> {
    let row = tx.query_opt(&sql::ROLE, &params![tenant, device, meter]).await?;
    let role: Option<String> = row.map(|row| row.get(0)).transpose()?.flatten();
    Ok(role.as_deref() == Some("total"))
}
