//! A simulated fleet for forecasts: sites with weeks, holidays and seasons of their own, jobs that come as they like,
//! cartridges that last differently, and devices that tell levels coarsely, round them each their own way and sleep.
//! Truth is known here, so that forecasts and their peer can be held against it.

/// Days simulated: a year of past and one to foretell.
pub(super) const DAYS: usize = 730;
/// Times a day that a device is read.
pub(super) const READS: usize = 4;
/// The first simulated day, counted from 1970-01-01: 2024-01-01, a Monday.
pub(super) const FIRST: i64 = 19_723;

/// Randomness that is the same for a seed (SplitMix64).
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0.0 to below 1.0.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (self.unit().max(1e-12), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// Around 1.0, never below 0.
    fn around(&mut self, scatter: f64) -> f64 {
        (self.normal() * scatter - scatter * scatter / 2.0).exp()
    }

    /// A size or a time of this mean, as virtual devices draw theirs.
    fn waiting(&mut self, mean: f64) -> f64 {
        -(1.0 - self.unit()).ln() * mean
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 60.0 {
            return (mean + self.normal() * mean.sqrt()).round().max(0.0) as u32;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// What the people of a site do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Monday to Friday, quieter in summer, closed between the years.
    Office,
    /// Closed in the holidays.
    School,
    /// Two shifts on six days, busier when a quarter ends.
    Works,
    /// All days.
    Ward,
}

/// A site: work of each day beside an average one.
pub(super) struct Site {
    work: Vec<f64>,
}

impl Site {
    pub(super) fn new(kind: Kind, random: &mut Random) -> Self {
        let summer = random.between(0.45, 0.8);
        let week: [f64; 7] = match kind {
            Kind::Office | Kind::School => [1.05, 1.05, 1.0, 1.0, 0.8, 0.05, 0.02],
            Kind::Works => [1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.05],
            Kind::Ward => [1.05, 1.05, 1.0, 1.0, 1.0, 0.8, 0.75],
        };
        let mut work = Vec::with_capacity(DAYS);
        for day in 0..DAYS {
            let of_year = (day % 365) as f64;
            // Holidays do not fall on the same day each year.
            let shift = if day >= 365 { 4.0 } else { 0.0 };
            let within = |from: f64, to: f64| of_year + shift >= from && of_year + shift < to;
            let between_years = within(357.0, 372.0) || within(0.0, 5.0);
            let season = match kind {
                Kind::Office if between_years => 0.12,
                Kind::Office if within(195.0, 240.0) => summer,
                Kind::School if between_years || within(202.0, 243.0) => 0.05,
                Kind::School if within(95.0, 109.0) || within(292.0, 303.0) => 0.1,
                Kind::School if within(165.0, 200.0) => 1.35,
                Kind::Works if between_years => 0.3,
                Kind::Works if of_year % 91.0 > 80.0 => 1.3,
                Kind::Ward => 1.0 + 0.12 * (std::f64::consts::TAU * of_year / 365.0).cos(),
                _ => 1.0,
            };
            work.push(week[day % 7] * season * random.around(0.06));
        }
        Self { work }
    }
}

/// How a device tells its levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rounding {
    Up,
    Near,
    Down,
}

/// One reading of one cartridge slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// Days since the simulation began.
    pub(super) at: f64,
    /// Per cent as told.
    pub(super) told: f64,
    /// Counter of the pages that this slot is used by.
    pub(super) pages: f64,
}

/// A cartridge in its slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Cartridge {
    /// Readings while it was in.
    pub(super) readings: Vec<Reading>,
    /// When it ran out; `None`: it was taken out before, or still is in.
    pub(super) empty: Option<f64>,
    /// Whether its fitting was seen.
    pub(super) fresh: bool,
}

/// One slot of one device through the years.
pub(super) struct Slot {
    /// Pages of each day as the counters show them, by the readings.
    pub(super) days: Vec<f64>,
    /// Cartridges in their order.
    pub(super) cartridges: Vec<Cartridge>,
}

/// One device.
pub(super) struct Device {
    daily: f64,
    job: f64,
    scatter: f64,
    drift: f64,
    /// How much jobs differ in coverage.
    coverage: f64,
    /// Nobody reads it at week-ends.
    sleeps: bool,
    grain: f64,
    rounding: Rounding,
}

impl Device {
    pub(super) fn new(random: &mut Random) -> Self {
        Self {
            // As the profiles of the virtual devices have it: small offices are as common as large ones.
            daily: 20.0 * (900.0_f64 / 20.0).powf(random.unit()),
            job: random.between(3.0, 9.0),
            scatter: random.between(0.08, 0.3),
            drift: random.between(0.01, 0.05),
            coverage: random.between(0.4, 1.0),
            sleeps: random.chance(0.2),
            grain: [1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 10.0, 10.0, 20.0][(random.unit() * 10.0) as usize % 10],
            rounding: [Rounding::Up, Rounding::Near, Rounding::Down][(random.unit() * 3.0) as usize % 3],
        }
    }

    /// Lives through all days. `share`: of its pages that this slot is used by.
    pub(super) fn live(&self, site: &Site, share: f64, random: &mut Random) -> Slot {
        let life = random.between(18.0, 120.0);
        let yields = self.daily * share * life * 0.72;
        let mut slot = Slot { days: vec![0.0; DAYS], cartridges: vec![Cartridge::default()] };
        let (mut level, mut habit, mut moved) = (random.between(20.0, 100.0), 0.0_f64, 1.0_f64);
        let (mut this, mut pages, mut unread) = (yields * random.around(0.05), 0.0, 0.0);
        let (mut empty_since, mut wait) = (None, 0.0);
        let mut early = if random.chance(0.3) { random.between(1.0, 6.0) } else { -1.0 };
        for day in 0..DAYS {
            habit = habit * 0.995 + random.normal() * self.drift / 2.6;
            if random.chance(0.1 / 365.0) {
                moved *= random.around(0.5);
            }
            let mean = self.daily * share * site.work[day] * habit.exp() * moved * random.around(self.scatter);
            let jobs = random.poisson(mean / self.job);
            let (mut printed, mut ink) = (0.0, 0.0);
            for _ in 0..jobs {
                let sides = 1.0 + random.waiting(self.job - 1.0).floor();
                printed += sides;
                // Some jobs are letters, some are pictures.
                ink += sides * random.around(self.coverage);
            }
            let coverage = if printed > 0.0 { ink / printed } else { 1.0 };
            let read = !(self.sleeps && day % 7 >= 5);
            for part in 0..READS {
                // People print between seven and seven.
                let share = [0.05, 0.5, 0.4, 0.05][part];
                let at = day as f64 + (part + 1) as f64 / READS as f64;
                if level > 0.0 {
                    let wanted = printed * share * coverage / this * 100.0;
                    // Where it runs out the rest is printed elsewhere.
                    let part_of = if wanted > level { level / wanted } else { 1.0 };
                    level -= wanted * part_of;
                    pages += printed * share * part_of;
                    unread += printed * share * part_of;
                    if part_of < 1.0 {
                        level = 0.0;
                        let exact = at - (1.0 - part_of) / READS as f64;
                        empty_since = Some(exact);
                        if let Some(last) = slot.cartridges.last_mut() {
                            last.empty = Some(exact);
                        }
                        wait = random.between(0.2, 2.0);
                    }
                }
                let gone = empty_since.is_some_and(|since: f64| at - since > wait) || (level > 0.0 && level < early);
                if gone && read {
                    slot.cartridges.push(Cartridge { fresh: true, ..Cartridge::default() });
                    (level, empty_since) = (100.0, None);
                    this = yields * random.around(0.06);
                    early = if random.chance(0.3) { random.between(1.0, 6.0) } else { -1.0 };
                }
                if read {
                    slot.days[day] += unread;
                    unread = 0.0;
                    let told = self.told(level);
                    if let Some(last) = slot.cartridges.last_mut() {
                        last.readings.push(Reading { at, told, pages });
                    }
                }
            }
        }
        slot
    }

    fn told(&self, level: f64) -> f64 {
        let place = level / self.grain;
        let place = match self.rounding {
            Rounding::Up => place.ceil(),
            Rounding::Near => place.round(),
            Rounding::Down => place.floor(),
        };
        (place * self.grain).clamp(0.0, 100.0)
    }
}
