//! Our side of `close`: a database with customers, contracts, devices and their readings, and the close of one month of
//! it. Time is that of the months, not of the machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use platen_core::billing::{self, CloseQuery, Line, MeterWords, NewContract};
use platen_core::orgs::{self, NewOrg};
use platen_core::users::{self, LocalUser};
use platen_core::{Clock, Micros, OrgId, PageQuery, Platform, PlatformConfig, Role, Secret};
use serde::{Deserialize, Serialize};
use store::{Blobs, DatabaseUrl, Db, Sql, params};
use tokio_util::sync::CancellationToken;

use super::print;
use crate::clock::SystemIds;
use crate::config::default_database;
use crate::exit::Exit;

const EMAIL: &str = "bench@platen.example";
/// 2026-03-01T00:00:00Z, when all contracts begin.
const START: i64 = 1_772_323_200_000_000;
const HOUR: i64 = 3_600_000_000;

/// `platen bench-run close-fill`
#[derive(Args, Debug)]
pub struct CloseFillArgs {
    /// Folder of the server
    #[arg(long)]
    pub data: PathBuf,
    /// Customers, each with a contract
    #[arg(long)]
    pub customers: u32,
    /// Devices of each
    #[arg(long)]
    pub each: u32,
    /// Months with readings
    #[arg(long)]
    pub months: u32,
}

/// `platen bench-run close-run`
#[derive(Args, Debug)]
pub struct CloseRunArgs {
    /// Folder of the server
    #[arg(long)]
    pub data: PathBuf,
    /// Which month, from 1
    #[arg(long)]
    pub month: u32,
}

/// What was written.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct Filled {
    pub(in crate::bench) meters: u64,
    pub(in crate::bench) readings: u64,
    pub(in crate::bench) seconds: f64,
}

/// What was closed.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct Closed {
    pub(in crate::bench) seconds: f64,
    /// Periods.
    pub(in crate::bench) closed: u64,
    /// Lines of their documents.
    pub(in crate::bench) lines: i64,
    pub(in crate::bench) bytes: i64,
    /// Longest that a small transaction of another writer took meanwhile.
    pub(in crate::bench) longest_wait_ms: f64,
}

struct MonthClock(AtomicI64);

impl Clock for MonthClock {
    fn now(&self) -> Micros {
        Micros(self.0.load(Ordering::Relaxed))
    }
}

/// When a month ends, µs; 0 is the beginning.
fn end(month: u32) -> i64 {
    let first = jiff::civil::date(2026, 3, 1).saturating_add(jiff::Span::new().months(i64::from(month)));
    first.to_zoned(jiff::tz::TimeZone::UTC).map_or(START, |zoned| zoned.timestamp().as_microsecond())
}

async fn open(data: &Path, now: i64) -> Result<Platform> {
    let url: DatabaseUrl = default_database(data).parse().context("the database of the benchmark")?;
    let config = PlatformConfig {
        db: Db::open(&url).await?,
        blobs: Blobs::open(data.join("blobs")).await?,
        data_key: [7; 32],
        clock: Arc::new(MonthClock(AtomicI64::new(now))),
        ids: Arc::new(SystemIds),
    };
    Ok(Platform::open(config).await?)
}

/// Writes customers, contracts, devices and readings.
pub(super) async fn fill(args: CloseFillArgs) -> Result<Exit> {
    let began = Instant::now();
    crate::site::make_folder(&args.data)?;
    let platform = open(&args.data, START).await?;
    let first = LocalUser {
        email: EMAIL.to_owned(),
        name: "Bench".to_owned(),
        role: Role::Admin,
        password: Secret::new("seven green herons wade"),
        organisation: "Dealer".to_owned(),
    };
    users::create_local(&platform, first).await?;
    let mut filled = Filled { meters: 0, readings: 0, seconds: 0.0 };
    for number in 0..args.customers {
        let ctx = users::ctx_local(&platform, EMAIL).await?;
        let name = format!("Customer {number}");
        let new = NewOrg { name, kind: "customer".to_owned(), zone: Some("UTC".to_owned()), ..NewOrg::default() };
        let org = orgs::create(&ctx, &new).await?.id;
        let ctx = users::ctx_local(&platform, EMAIL).await?.focused(org).await?;
        billing::create(&ctx, org, &contract()?).await?;
        let (meters, readings) = devices(&platform, org, number, &args).await?;
        filled.meters += meters;
        filled.readings += readings;
    }
    filled.seconds = began.elapsed().as_secs_f64();
    print(&filled)
}

fn contract() -> Result<NewContract> {
    let line = |meter: &str, price_micro, code: &str| {
        Ok::<_, platen_core::Error>(Line {
            no: 0,
            name: String::new(),
            words: MeterWords::parse(meter)?,
            erp_code: Some(code.to_owned()),
            price_micro,
            included: 0,
            factor_milli: 1_000,
        })
    };
    Ok(NewContract {
        number: "M-1".to_owned(),
        device_filter: Some("*".to_owned()),
        zone: Some("UTC".to_owned()),
        currency: Some("EUR".to_owned()),
        max_age_d: Some(5),
        first_at: Some(Micros(START)),
        lines: vec![line("total mono", 8_500, "BW")?, line("total full", 65_000, "COLOUR")?],
        ..NewContract::default()
    })
}

/// The devices of one customer in one transaction; every second one has a colour counter.
async fn devices(platform: &Platform, org: OrgId, customer: u32, args: &CloseFillArgs) -> Result<(u64, u64)> {
    let ctx = platform.system("devices of a benchmark");
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let from = i64::from(customer) * i64::from(args.each);
    let bounds = || params![org, from, from + i64::from(args.each) - 1, START - 2 * HOUR];
    let series = "with recursive n(i) as (select cast($2 as integer) union all select i + 1 from n where i < $3)";
    let id = "printf('0000%04x-%04x-7000-8000-%012x', i / 65536, i % 65536, i)";
    let device = format!(
        "insert into devices (tenant, id, version, lifecycle, vendor, model, serial_no, serial_fold, label, place, comm, comm_at, state,
          reasons, state_at, status_at, word, rank, supplies, pages_month, pages_month_key, sort_name, sort_model, sort_place,
          sort_serial, sort_address, identity_hash, supplies_hash, parts_hash, alerts_hash, first_at)
        {series} select $1, {id}, 1, 'active', 'ricoh', 'IM C3000', printf('B%09d', i), printf('b%09d', i), printf('printer %d', i),
          printf('floor %d', i % 40), 'reporting', $4, 'idle', '', $4, $4, 'ready', 5, '[]', 0, 202603, printf('printer %09d', i),
          'ricoh im c3000', printf('floor %02d', i % 40), printf('b%09d', i), '', 0, 0, 0, 0, $4 from n"
    );
    tx.execute(&Sql::built(device), &bounds()).await?;
    let mut meters = 0;
    for (no, color, condition) in [(0, "mono", "1 = 1"), (1, "full", "i % 2 = 0")] {
        let meter = format!(
            "insert into meters (tenant, device, id, function, color, size, sides, unit, source, department, role, segment, segment_reason,
              segment_at, first_value, last_value, last_at, read_at, quality)
            {series} select $1, {id}, i * 2 + {no}, 'total', '{color}', 'all', 'all', 'impressions', '1.3.6.1.4.1.367.{no}', '', '{color}',
              1, 'start', $4, 10000 + i % 1000, 10000 + i % 1000, $4, $4, 'actual' from n where {condition}"
        );
        meters += tx.execute(&Sql::built(meter), &bounds()).await?;
    }
    // Two hours before the beginning, and then twice a month.
    let mut times = vec![START - 2 * HOUR];
    for month in 0..args.months {
        times.extend([end(month) + 14 * 24 * HOUR, end(month + 1) - 6 * HOUR]);
    }
    let mut readings = 0;
    for (at, time) in times.iter().enumerate() {
        for (no, condition) in [(0, "1 = 1"), (1, "i % 2 = 0")] {
            let reading = format!(
                "insert into readings (tenant, month, meter, taken_at, value, quality, segment, received_at, clock_offset_ms)
                {series} select $1, {}, i * 2 + {no}, $4, 10000 + i % 1000 + {at} * (250 + i % 50), 'actual', 1, $4, 0
                from n where {condition}",
                Micros(*time).month()
            );
            let values = params![org, from, from + i64::from(args.each) - 1, *time];
            readings += tx.execute(&Sql::built(reading), &values).await?;
        }
    }
    tx.commit().await?;
    Ok((meters, readings))
}

/// Another writer of the same server: a small transaction each 10 ms; the longest of them, its commit included.
async fn other_writer(platform: Platform, over: CancellationToken) -> Result<Duration> {
    let ctx = platform.system("another writer of a benchmark");
    let text = "update organisations set version = version where parent is null";
    let mut longest = Duration::ZERO;
    while !over.is_cancelled() {
        let began = Instant::now();
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        tx.execute(&Sql::built(text.to_owned()), &[]).await?;
        tx.commit().await?;
        longest = longest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(longest)
}

/// Closes a month, as the server's reconciler does.
pub(super) async fn close(args: CloseRunArgs) -> Result<Exit> {
    let platform = open(&args.data, end(args.month)).await?;
    let over = CancellationToken::new();
    let other = tokio::spawn(other_writer(platform.clone(), over.clone()));
    let began = Instant::now();
    let moved = billing::run(&platform).await?;
    let seconds = began.elapsed().as_secs_f64();
    over.cancel();
    let longest_wait_ms = other.await??.as_secs_f64() * 1_000.0;
    let mut closed = Closed { seconds, closed: moved.closed, lines: 0, bytes: 0, longest_wait_ms };
    let ctx = platform.system("documents of a benchmark");
    let filter = platen_core::Filter::parse(&format!("to_at eq \"{}\"", Micros(end(args.month))))?;
    let mut after = None;
    loop {
        let page = PageQuery { limit: Some(500), after, count: false };
        let query = CloseQuery { filter: Some(filter.clone()), soonest: true, page };
        let page = billing::closes(&ctx, &query).await?;
        for close in &page.items {
            for document in billing::documents(&ctx, close.id).await? {
                closed.lines += document.line_count;
                closed.bytes += document.size_bytes;
            }
        }
        after = page.next;
        if after.is_none() {
            return print(&closed);
        }
    }
}
