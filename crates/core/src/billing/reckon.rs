//! Reckons the lines of a close, a stretch of devices at a time: the same way for a look beforehand, for the close itself
//! and for a correction. Facts come by one statement a stretch, the arithmetic is `rules`.

use std::collections::{BTreeMap, HashMap};

use store::{Row, Tx, params};

use super::contracts::{self, Contract, Line};
use super::lines::Border;
use super::maps::{self, MeterMap};
use super::members::{self, BEHIND_ALL};
use super::rules::{self, Before, Estimate, Facts, Owed, Quality, Read, owed};
use super::{CloseId, CloseRow, sql};
use crate::devices::DeviceId;
use crate::doubts::DoubtFlag;
use crate::error::Result;
use crate::ids::OrgId;
use crate::time::Micros;

/// A line with all that is known of it.
#[derive(Clone, Debug)]
pub(super) struct Reckoned {
    pub(super) device: DeviceId,
    pub(super) no: i64,
    pub(super) meter: Option<i64>,
    pub(super) erp_code: Option<String>,
    pub(super) facts: Facts,
    pub(super) owed: Owed,
    pub(super) quality: Quality,
    pub(super) amount_micro: i64,
    pub(super) borders: Vec<Border>,
    pub(super) stale: bool,
    /// Kinds of open doubts, and whether the newest value is held back.
    pub(super) doubts: Vec<&'static str>,
}

impl Reckoned {
    /// The value that the period began with: the end of the one before, else the reading that billing began with.
    pub(super) fn opening(&self) -> Option<(i64, i64, String)> {
        let before = self.facts.before.as_ref().and_then(|before| before.closing.clone());
        before.or_else(|| self.facts.base.as_ref().map(|read| (read.value, read.at, read.quality.clone())))
    }

    /// Whether something is missing that a person should see.
    pub(super) fn lacks(&self) -> bool {
        self.meter.is_none() || self.erp_code.is_none() || self.stale || !self.doubts.is_empty()
    }

    pub(super) fn clock_offset_ms(&self) -> i64 {
        let offset = self.facts.closing.as_ref().map_or(0, |read| read.offset_ms);
        if offset.abs() > rules::CLOCK_FLAG { offset } else { 0 }
    }
}

/// What all stretches of one close share.
pub(super) struct Reckoner {
    pub(super) org: OrgId,
    pub(super) close: CloseId,
    pub(super) contract: Contract,
    /// Lines as they hold for this close.
    pub(super) lines: BTreeMap<i64, Line>,
    maps: Vec<MeterMap>,
    flags: HashMap<DeviceId, Vec<DoubtFlag>>,
    /// What came in later does not count.
    bound: Micros,
    /// The close of the period before.
    before: CloseId,
}

/// The lines of some devices.
pub(super) struct Stretch {
    pub(super) lines: Vec<Reckoned>,
    /// Their last device; [`BEHIND_ALL`] when there are no more.
    pub(super) last: String,
}

impl Stretch {
    pub(super) fn is_last(&self) -> bool {
        self.last == BEHIND_ALL
    }
}

/// What lines come to, by line of the contract.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums(pub(super) BTreeMap<i64, Sum>);

/// What one line of the contract comes to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) devices: i64,
    pub(super) units: i64,
    pub(super) units_milli: i64,
    pub(super) gross_micro: i64,
}

impl Sums {
    /// Adds others, or takes them away.
    pub(super) fn add(&mut self, other: &Self, times: i64) {
        for (no, sum) in &other.0 {
            let own = self.0.entry(*no).or_default();
            own.devices += times * sum.devices;
            own.units += times * sum.units;
            own.units_milli += times * sum.units_milli;
            own.gross_micro += times * sum.gross_micro;
        }
    }

    /// Adds them to those that are kept with a close.
    pub(super) async fn keep(&self, tx: &mut Tx, close: &CloseRow) -> Result<()> {
        let row = |(no, s): (&i64, &Sum)| {
            Vec::from(params![close.org, close.id, *no, s.devices, s.units, s.units_milli, s.gross_micro])
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        if !rows.is_empty() {
            tx.many(&sql::ADD_TOTAL, rows).await?;
        }
        Ok(())
    }
}

impl Reckoner {
    pub(super) async fn load(tx: &mut Tx, close: &CloseRow, bound: Micros) -> Result<Self> {
        let contract = contracts::find(tx, close.org, close.contract).await?;
        let mut lines = BTreeMap::new();
        for row in tx.query(&sql::TOTALS, &params![close.org, close.id]).await? {
            let line = contracts::line(&row)?;
            lines.insert(line.no, line);
        }
        let maps = maps::load(tx, close.org).await?;
        let flags = crate::doubts::flags(tx, close.org).await?;
        let before = contracts::close_id(close.org, close.contract, close.from_at.0);
        Ok(Self { org: close.org, close: close.id, contract, lines, maps, flags, bound, before })
    }

    /// The lines of the next `count` devices behind `after`.
    pub(super) async fn stretch(&self, tx: &mut Tx, after: &str, count: i64) -> Result<Stretch> {
        let last = members::end(&tx.query(&sql::LAST_OF, &params![self.org, self.close, after, count - 1]).await?)?;
        let rows = tx.query(&sql::FACTS, &params![self.org, self.close, self.bound, after, &last, self.before]).await?;
        let mut broken = false;
        let mut lines: Vec<Reckoned> = Vec::with_capacity(rows.len());
        let of_line = |a: &Row, b: &Row| a.values()[..2] == b.values()[..2];
        for told in rows.chunk_by(of_line) {
            let Some(row) = first_choice(told)? else { continue };
            broken |= row.get::<Option<i64>>(17)?.is_some_and(|segment| segment > 1);
            lines.push(self.line(tx, row).await?);
        }
        if broken && let Some(line) = lines.last() {
            let borders = self.borders(tx, after, line.device).await?;
            for line in &mut lines {
                self.mark(line, &borders);
            }
        }
        Ok(Stretch { lines, last })
    }

    /// What lines come to, by line of the contract.
    pub(super) fn sums(&self, lines: &[Reckoned]) -> Sums {
        let mut sums = Sums(self.lines.keys().map(|no| (*no, Sum::default())).collect());
        for line in lines.iter().filter(|line| line.meter.is_some()) {
            let factor = self.lines.get(&line.no).map_or(1_000, |line| line.factor_milli);
            let sum = sums.0.entry(line.no).or_default();
            sum.devices += 1;
            sum.units += line.owed.billed;
            sum.units_milli += line.owed.billed * factor;
            sum.gross_micro += line.amount_micro;
        }
        sums
    }

    async fn line(&self, tx: &mut Tx, row: &Row) -> Result<Reckoned> {
        let (device, no, meter): (DeviceId, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let mut facts = Facts {
            from_at: row.get(3)?,
            until_at: row.get(4)?,
            base: read(row, 12)?,
            closing: read(row, 7)?,
            before: before(row)?,
            estimate: None,
        };
        let stale = rules::is_stale(facts.closing.as_ref().map(|r| r.at), facts.until_at, self.contract.max_age_d);
        if let (true, Some(meter)) = (stale, meter) {
            facts.estimate = self.estimate(tx, device, meter, &facts).await?;
        }
        let line = self.lines.get(&no);
        let erp_code = self.code(row, device, line)?;
        let owed = owed(&facts);
        let (read_at, held): (Option<i64>, Option<String>) = (row.get(18)?, row.get(19)?);
        let doubts = self.doubts(device, meter, &facts, (read_at, held.as_deref()));
        let factor = line.map_or(1_000, |line| line.factor_milli);
        let amount_micro = rules::amount(owed.billed, factor, line.map_or(0, |line| line.price_micro));
        let mut quality = match &facts.closing {
            None => Quality::Missing,
            Some(closing) if closing.quality == "manual" => Quality::Manual,
            Some(_) => Quality::Actual,
        };
        if owed.estimate > 0 {
            quality = quality.max(Quality::Estimated);
        }
        if !doubts.is_empty() {
            quality = quality.max(Quality::Suspect);
        }
        Ok(Reckoned {
            device,
            no,
            meter,
            erp_code,
            facts,
            owed,
            quality,
            amount_micro,
            borders: Vec::new(),
            stale,
            doubts,
        })
    }

    /// The code in the books: by a map, else that of the line.
    fn code(&self, row: &Row, device: DeviceId, line: Option<&Line>) -> Result<Option<String>> {
        let Some(line) = line else { return Ok(None) };
        if self.maps.is_empty() {
            return Ok(line.erp_code.clone());
        }
        let (vendor, model): (String, Option<String>) = (row.get(5)?, row.get(6)?);
        let mapped = maps::code(&self.maps, device, &vendor, model.as_deref(), &line.words);
        Ok(mapped.or(line.erp_code.as_deref()).map(str::to_owned))
    }

    /// Kinds of what nobody has settled about a counter in this period.
    fn doubts(
        &self,
        device: DeviceId,
        meter: Option<i64>,
        facts: &Facts,
        (read_at, quality): (Option<i64>, Option<&str>),
    ) -> Vec<&'static str> {
        let Some(meter) = meter else { return Vec::new() };
        let from = self.opening_at(facts);
        let open = self.flags.get(&device).into_iter().flatten();
        let mut kinds: Vec<&'static str> =
            open.filter(|flag| flag.concerns(meter, from, facts.until_at)).map(|flag| flag.kind.as_str()).collect();
        let held = quality == Some("suspect") && read_at.is_some_and(|at| at > from && at <= facts.until_at);
        kinds.extend(held.then_some("held_back"));
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn opening_at(&self, facts: &Facts) -> i64 {
        let before = facts.before.as_ref().and_then(|before| before.closing.as_ref()).map(|closing| closing.1);
        before.or(facts.base.as_ref().map(|base| base.at)).unwrap_or(facts.from_at)
    }

    /// Usage from the newest reading to the end, as the contract estimates it.
    async fn estimate(&self, tx: &mut Tx, device: DeviceId, meter: i64, facts: &Facts) -> Result<Option<i64>> {
        let Some(closing) = &facts.closing else { return Ok(None) };
        let missing = facts.until_at - closing.at;
        // A period in which nothing was read says nothing.
        let before = facts.before.as_ref().filter(|before| before.usage > 0 && before.span > 0);
        match (self.contract.estimate, before) {
            (Estimate::None, _) => return Ok(None),
            (Estimate::LastPeriod, Some(before)) => return Ok(rules::at_pace(before.usage, before.span, missing)),
            (Estimate::LastPeriod | Estimate::Average, _) => {}
        }
        let since = closing.at - rules::LOOK_BACK;
        let row = tx.query_opt(&sql::SINCE, &params![self.org, device, meter, since, self.bound]).await?;
        let Some(row) = row else { return Ok(None) };
        let (at, counted): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(rules::at_pace(closing.counted - counted, closing.at - at, missing))
    }

    async fn borders(&self, tx: &mut Tx, after: &str, last: DeviceId) -> Result<HashMap<(DeviceId, i64), Vec<Border>>> {
        let mut all: HashMap<_, Vec<Border>> = HashMap::new();
        for row in tx.query(&sql::BORDERS, &params![self.org, self.close, after, last]).await? {
            let border = Border::read(&row)?;
            all.entry((row.get(0)?, row.get(1)?)).or_default().push(border);
        }
        Ok(all)
    }

    fn mark(&self, line: &mut Reckoned, borders: &HashMap<(DeviceId, i64), Vec<Border>>) {
        let (Some(meter), Some(closing)) = (line.meter, &line.facts.closing) else { return };
        let from = self.opening_at(&line.facts);
        let within = |border: &&Border| border.at.0 > from && border.at.0 <= closing.at;
        let of_meter = borders.get(&(line.device, meter)).into_iter().flatten();
        line.borders = of_meter.filter(within).cloned().collect();
        if !line.borders.is_empty() {
            line.quality = line.quality.max(Quality::ResetAdjusted);
        }
    }
}

/// Whether a counter is none of the pages, whether it is not the standard's, where it comes from: the least is taken.
type Rank = (i64, i64, Option<String>);

/// Of several counters that count the same, the one that counts towards the pages, else the standard's, else any.
fn first_choice(told: &[Row]) -> Result<Option<&Row>> {
    if let [only] = told {
        return Ok(Some(only));
    }
    let mut best: Option<(Rank, &Row)> = None;
    for row in told {
        let rank: Rank = (row.get(31)?, row.get(32)?, row.get(33)?);
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            best = Some((rank, row));
        }
    }
    Ok(best.map(|(_, row)| row))
}

fn read(row: &Row, first: usize) -> Result<Option<Read>> {
    let (at, counted): (Option<i64>, Option<i64>) = (row.get(first)?, row.get(first + 4)?);
    let (Some(at), Some(counted)) = (at, counted) else { return Ok(None) };
    Ok(Some(Read {
        at,
        value: row.get(first + 1)?,
        quality: row.get(first + 2)?,
        offset_ms: row.get(first + 3)?,
        counted,
    }))
}

fn before(row: &Row) -> Result<Option<Before>> {
    let Some(billed_total) = row.get::<Option<i64>>(26)? else { return Ok(None) };
    let closing: (Option<i64>, Option<i64>, Option<String>) = (row.get(20)?, row.get(21)?, row.get(22)?);
    let base: (Option<i64>, Option<i64>) = (row.get(23)?, row.get(24)?);
    Ok(Some(Before {
        closing: match closing {
            (Some(value), Some(at), Some(quality)) => Some((value, at, quality)),
            _ => None,
        },
        base: base.0.zip(base.1),
        actual_total: row.get(25)?,
        billed_total,
        estimate: row.get(27)?,
        carry: row.get(28)?,
        usage: row.get(29)?,
        span: row.get(30)?,
    }))
}
